package trail

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
)

// Duties are worked out person by person. Pseudonyms are spread evenly over
// what sixteen bytes can be, so that the persons are read in shares of that
// range, each sorted by itself: memory depends on the share, not on how many
// persons there are.

// dutyShare is how many rows of a share are aimed at.
const dutyShare = 200_000

// maxShares bounds the shares: each costs a query or two.
const maxShares = 4096

// Share is a part of all pseudonyms: from From, included, up to To; To is zero
// in the last.
type Share struct{ From, To [16]byte }

// Shares cuts the persons of a controller into shares of like size, in order.
func (db *DB) Shares(ctx context.Context, controller string) ([]Share, error) {
	var n uint64
	err := db.each(ctx, `SELECT count() FROM trail WHERE controller = {controller:String} AND `+dutyRows+` SETTINGS optimize_use_projections = 0`,
		map[string]string{"controller": controller}, func(scan func(...any) error) error { return scan(&n) })
	if err != nil {
		return nil, fmt.Errorf("count what duties rest on: %w", err)
	}
	return sharesOf(int(min(n/dutyShare+1, maxShares))), nil
}

func sharesOf(n int) []Share {
	shares := make([]Share, n)
	for i := 1; i < n; i++ {
		var at [16]byte
		binary.BigEndian.PutUint32(at[:], uint32(uint64(i)<<32/uint64(n)))
		shares[i-1].To, shares[i].From = at, at
	}
	return shares
}

// dutyRows selects what duties rest on: facts but identity, what was erased or
// kept, and what contradicts the notice. A row with a cause may be the later
// verdict that takes an earlier one back.
const dutyRows = `(operation = 'fact' AND fact != 'identity' OR operation IN ('erase', 'retain')
	OR operation NOT IN ('fact', 'cohort') AND (verdict = 'violation' OR cause != ''))`

// dutyColumns are what duties need of a row: of what the projection by_person
// holds.
var dutyColumns = []string{
	"time", "operation", "person", "cohort", "cohort_id", "purpose", "recipient", "categories", "actor", "fact", "fact_value", "fact_valid_from",
	"duplicate", "verdict", "rules", "judged_at", "cause", "topic", "partition", "offset",
}

// DutyRows streams what duties rest on of the persons in a share, person by
// person: facts, and acts with their latest verdict. Acts on cohorts stand
// under the cohort's own pseudonym; see [DB.CohortActs]. What is about nobody
// is not there.
func (db *DB) DutyRows(ctx context.Context, controller string, share Share) iter.Seq2[Row, error] {
	where := "WHERE controller = {controller:String} AND " + dutyRows + `
		AND person != toFixedString('', 16) AND ` + shareWhere(share) + `
		ORDER BY person, topic, partition, offset, judged_at DESC, verdict DESC
		LIMIT 1 BY person, topic, partition, offset`
	return db.rows(ctx, dutyColumns, where, map[string]string{"controller": controller}, dutySettings...)
}

// dutySettings: the projection is to be read, whatever else seems cheaper, and
// a share is sorted by one thread.
var dutySettings = []ch.Setting{
	setting("preferred_optimize_projection_name", "by_person"), setting("query_plan_optimize_lazy_materialization", "0"),
	setting("max_execution_time", strconv.Itoa(int(dutyTimeout.Seconds()))),
}

// dutyTimeout bounds one query: readers are given no more.
const dutyTimeout = time.Minute

// shareWhere selects the persons of a share. Its digits are our own.
func shareWhere(s Share) string {
	where := "person >= toFixedString(unhex('" + hex.EncodeToString(s.From[:]) + "'), 16)"
	if s.To != [16]byte{} {
		where += " AND person < toFixedString(unhex('" + hex.EncodeToString(s.To[:]) + "'), 16)"
	}
	return where
}

// CohortActs lists what was erased, or said to be kept, of whole cohorts.
func (db *DB) CohortActs(ctx context.Context, controller string) ([]Row, error) {
	return collect(db.rows(ctx, dutyColumns, `
		WHERE controller = {controller:String} AND operation IN ('erase', 'retain') AND context IN (SELECT id FROM contexts WHERE cohort)
		ORDER BY topic, partition, offset, judged_at DESC, verdict DESC LIMIT 1 BY topic, partition, offset LIMIT 10000`,
		map[string]string{"controller": controller}, setting("optimize_use_projections", "0"), bounded()))
}

// MembersIn streams the members of cohorts who are in a share, by person.
func (db *DB) MembersIn(ctx context.Context, controller string, cohorts []string, share Share, f func(person [16]byte, cohort string)) error {
	if len(cohorts) == 0 {
		return nil
	}
	cohort := newWords(make(shared))
	var person proto.ColFixedStr16
	q := ch.Query{
		Body: `SELECT DISTINCT person, cohort_id FROM cohort_members
			WHERE controller = {controller:String} AND has({cohorts:Array(String)}, cohort_id) AND ` + shareWhere(share) + ` ORDER BY person, cohort_id`,
		Parameters: parameters(map[string]string{"controller": controller, "cohorts": textArray(cohorts)}),
		Result:     proto.Results{{Name: "person", Data: &person}, {Name: "cohort_id", Data: cohort}},
		Settings:   dutySettings,
		OnResult: func(_ context.Context, block proto.Block) error {
			for i := range block.Rows {
				f(person[i], cohort.Row(i))
			}
			return nil
		},
	}
	if err := db.pool.do(ctx, q); err != nil {
		return fmt.Errorf("read the members of %d cohorts: %w", len(cohorts), err)
	}
	return nil
}

// Links streams the identity facts of a controller: the pseudonyms of one
// person, one fact after the other.
func (db *DB) Links(ctx context.Context, controller string, f func(persons [][16]byte)) error {
	var persons [][16]byte
	var at Place
	for row, err := range db.rows(ctx, []string{"person", "topic", "partition", "offset"},
		`WHERE controller = {controller:String} AND operation = 'fact' AND fact = 'identity' AND cause = '' ORDER BY topic, partition, offset, person_index`,
		map[string]string{"controller": controller}, setting("optimize_use_projections", "0"), setting("max_execution_time", strconv.Itoa(int(dutyTimeout.Seconds())))) {
		if err != nil {
			return err
		}
		if here := (Place{Topic: row.Topic, Partition: row.Partition, Offset: row.Offset}); here != at {
			if len(persons) > 1 {
				f(persons)
			}
			at, persons = here, persons[:0]
		}
		persons = append(persons, row.Person)
	}
	if len(persons) > 1 {
		f(persons)
	}
	return nil
}

// ProcessorFacts lists what is said of recipients as such, in the order in which
// it is true: facts of the kind "processor" about one recipient.
func (db *DB) ProcessorFacts(ctx context.Context, controller string) ([]Row, error) {
	return collect(db.rows(ctx, append([]string{"recorded"}, dutyColumns...), `
		WHERE controller = {controller:String} AND operation = 'fact' AND fact = 'processor' AND context IN (SELECT id FROM contexts WHERE recipient != '') AND cause = '' AND person_index = 0
		ORDER BY fact_valid_from, recorded, topic, partition, offset LIMIT 10000`,
		map[string]string{"controller": controller}, setting("optimize_use_projections", "0"), bounded()))
}
