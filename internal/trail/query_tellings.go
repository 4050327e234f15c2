package trail

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
)

// MaxAskers bounds the persons of whom it is found out whether something was
// asked for or done.
const MaxAskers = 1_000_000

// RequestFacts streams the facts by which the persons of a controller are said to
// have made requests, a row for each person that one names: whom it is about, its
// value and its place.
func (db *DB) RequestFacts(ctx context.Context, controller string) iter.Seq2[Row, error] {
	return db.rows(ctx, []string{"person", "fact_value", "topic", "partition", "offset"}, `
		WHERE controller = {controller:String} AND operation = 'fact' AND fact = 'request' AND cause = '' AND NOT duplicate AND person != toFixedString('', 16)
		LIMIT `+strconv.Itoa(MaxAskers+1), map[string]string{"controller": controller}, noProjections(), setting("max_execution_time", "60"))
}

// OwnAct is the last act of an operation that a controller itself did on a person's
// data, or on a whole cohort's.
type OwnAct struct {
	Person    [16]byte // a person's pseudonym, or a cohort's
	CohortID  string   // as the source names it; "" = it is a person
	Operation string
	Last      time.Time
}

// OwnActs lists of each person the last act of each of some operations since a
// moment that a controller did itself: acts that name a recipient tell somebody
// else, those of partners are theirs. There are at most [MaxAskers] and one.
func (db *DB) OwnActs(ctx context.Context, controller string, operations []string, since time.Time) (acts []OwnAct, err error) {
	var person proto.ColFixedStr16
	var cohort, operation proto.ColStr
	var last millis
	a := Acts{Controller: controller, From: since, Operations: operations, About: AboutSomeone}
	params, err := a.params()
	if err != nil {
		return nil, err
	}
	err = db.pool.do(ctx, ch.Query{
		Body: `SELECT t.person AS whom, c.cohort_id AS cohort_name, toString(t.operation) AS done, max(t.time) AS last
			FROM (SELECT person, operation, time, context FROM trail WHERE ` + a.rowConditions() + ` AND cause = '') AS t INNER JOIN
			(
				SELECT id, cohort_id FROM contexts
				WHERE recipient = '' AND recipient_organisation = '' AND recipient_code = '' AND actor_kind != 'partner'
			) AS c ON t.context = c.id
			GROUP BY whom, cohort_name, done ORDER BY last, whom, done LIMIT ` + strconv.Itoa(MaxAskers+1),
		Parameters: parameters(params),
		Settings:   []ch.Setting{noProjections(), setting("max_execution_time", "60")},
		Result:     proto.Results{{Name: "whom", Data: &person}, {Name: "cohort_name", Data: &cohort}, {Name: "done", Data: &operation}, {Name: "last", Data: &last}},
		OnResult: func(_ context.Context, block proto.Block) error {
			for i := range block.Rows {
				acts = append(acts, OwnAct{person[i], cohort.Row(i), operation.Row(i), last.at(i)})
			}
			return nil
		},
	})
	if err != nil {
		return nil, fmt.Errorf("list whose data were acted on: %w", err)
	}
	return acts, nil
}

// CohortsOfSome tells which cohorts some persons are members of, however many they
// are.
func (db *DB) CohortsOfSome(ctx context.Context, controller string, persons [][16]byte, f func(person [16]byte, cohort string)) error {
	if len(persons) == 0 {
		return nil
	}
	var person proto.ColFixedStr16
	cohort := newWords(make(shared))
	err := db.pool.do(ctx, ch.Query{
		Body: `SELECT DISTINCT person, cohort_id FROM cohort_members
			WHERE person IN (SELECT person FROM persons) AND controller = {controller:String} ORDER BY person, cohort_id`,
		Parameters:    parameters(map[string]string{"controller": controller}),
		ExternalData:  personsTable(persons, nil),
		ExternalTable: "persons",
		Settings:      []ch.Setting{bounded()},
		Result:        proto.Results{{Name: "person", Data: &person}, {Name: "cohort_id", Data: cohort}},
		OnResult: func(_ context.Context, block proto.Block) error {
			for i := range block.Rows {
				f(person[i], cohort.Row(i))
			}
			return nil
		},
	})
	if err != nil {
		return fmt.Errorf("look for the cohorts of persons: %w", err)
	}
	return nil
}

// TellingRows streams what decides who is to be told, of some persons and
// cohorts: the rows of transfers, disclosures, erasures, rectifications and
// restrictions, at most a number of each pseudonym. Of the persons of whom so many
// come there may be more; [SumUp] makes of the others what [DB.Uses] does.
func (db *DB) TellingRows(ctx context.Context, controller string, persons [][16]byte, most int) iter.Seq2[Row, error] {
	return db.rowsWith(ctx, func(q *ch.Query) { q.ExternalData, q.ExternalTable = personsTable(persons, nil), "persons" }, PersonColumns, `trail
		WHERE person IN (SELECT person FROM persons) AND controller = {controller:String} AND operation IN ('transfer', 'disclose', 'erase', 'rectify', 'restrict')
		LIMIT `+strconv.Itoa(most)+` BY person`,
		map[string]string{"controller": controller}, byPersonSettings()...)
}

// SumUp makes of the rows of one person the ways of use, as [DB.Uses] does, and one
// row for each event, in the order of time, with the verdict that stands.
func SumUp(rows []Row) (uses []Use, events []Row) {
	events = standing(rows)
	return usesOf(events), events
}
