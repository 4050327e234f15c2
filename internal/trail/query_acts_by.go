package trail

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
)

// Dimension is by what events are told apart when they are counted.
type Dimension string

// The dimensions. A category counts each event that has it.
const (
	ByActor        Dimension = "actor"
	ByRole         Dimension = "role"
	ByOrganisation Dimension = "organisation"
	BySource       Dimension = "source"
	ByOperation    Dimension = "operation"
	ByPurpose      Dimension = "purpose"
	ByRecipient    Dimension = "recipient"
	ByEntity       Dimension = "entity"
	ByCountry      Dimension = "country"
	ByCategory     Dimension = "category"
	ByBasis        Dimension = "basis"
	ByRule         Dimension = "rule"
	ByVerdict      Dimension = "verdict" // that stands
	ByDay          Dimension = "day"     // of UTC
	ByHour         Dimension = "hour"    // of the day, in UTC
	ByVersion      Dimension = "register"
	ByDataSource   Dimension = "data-source" // where collected data came from
)

// dimensions say which text each is: of the row, or of its context c.
var dimensions = map[Dimension]string{
	ByActor: "t.actor", ByRole: "c.actor_role", ByOrganisation: "c.actor_organisation", BySource: "c.source", ByOperation: "toString(t.operation)",
	ByPurpose: "c.purpose", ByRecipient: "c.recipient", ByEntity: "if(c.recipient_organisation != '', c.recipient_organisation, c.recipient_code)", ByCountry: "c.recipient_country",
	ByCategory: "arrayJoin(CAST(c.categories, 'Array(String)'))", ByBasis: "c.basis", ByRule: "arrayJoin(CAST(c.rules, 'Array(String)'))",
	ByVerdict: "toString(t.verdict)", ByDay: "toString(toDate32(t.time))", ByHour: "leftPad(toString(toHour(t.time)), 2, '0')", ByVersion: "c.register_version",
	ByDataSource: "c.data_source",
}

// Dimensions lists all of them, sorted.
func Dimensions() []Dimension {
	all := make([]Dimension, 0, len(dimensions))
	for d := range dimensions {
		all = append(all, d)
	}
	slices.Sort(all)
	return all
}

// Tally counts selected events that are alike in some dimensions.
type Tally struct {
	Keys []string // the text of each dimension

	Events      uint64 // each once, however many persons it is about
	Rows        uint64 // one for each event and person, or cohort
	Persons     uint64 // different pseudonyms, a cohort's among them
	Records     uint64 // as the events state
	AtLeast     uint64 // the same, and one for each event that states none
	First, Last time.Time

	Allowed, Review, Violation uint64 // rows, by the verdict that stands
}

// maxTallies bounds the groups of one question.
const maxTallies = 10_000

// ActsBy counts the selected events by dimensions, those with most events
// first; complete is false if there were more groups than can be listed. With no
// dimension there is one tally of all.
func (db *DB) ActsBy(ctx context.Context, a Acts, by ...Dimension) (tallies []Tally, complete bool, err error) {
	all, err := db.ActsByEach(ctx, a, by)
	if err != nil {
		return nil, false, err
	}
	return all[0].Tallies, all[0].Complete, nil
}

// Tallies are what [DB.ActsBy] counts by one list of dimensions.
type Tallies struct {
	Tallies  []Tally
	Complete bool
}

// ActsByEach counts the selected events as [DB.ActsBy] does, by each of some lists
// of dimensions. To select them is most of the work, which is done once; twice
// where only some of the lists tell the rows of one event apart.
func (db *DB) ActsByEach(ctx context.Context, a Acts, lists ...[]Dimension) ([]Tallies, error) {
	all := make([]Tallies, len(lists))
	for _, byRow := range []bool{false, true} {
		var some [][]Dimension
		var at []int
		for i, by := range lists {
			if (a.byRow() || slices.ContainsFunc(by, Dimension.byRow)) == byRow {
				some, at = append(some, by), append(at, i)
			}
		}
		if len(some) == 0 {
			continue
		}
		var found []Tallies
		err := db.fewFirst(a, func(a Acts) (err error) {
			found, err = db.actsByEach(ctx, a, byRow, some)
			return err
		})
		if err != nil {
			return nil, err
		}
		for i, t := range found {
			all[at[i]] = t
		}
	}
	return all, nil
}

func (db *DB) actsByEach(ctx context.Context, a Acts, byRow bool, lists [][]Dimension) (all []Tallies, err error) {
	params, err := a.params()
	if err != nil {
		return nil, err
	}
	list, keys, join, err := keysOf(lists)
	if err != nil {
		return nil, err
	}
	// An event's rows all state its records; which of them are selected depends on
	// whom they are about, where only some are.
	records, least := "sum(if(person_index = 0, records, 0))", "sum(if(person_index = 0, greatest(records, 1), 0))"
	if byRow {
		events := "groupUniqArray((sipHash128(topic, partition, offset), records))"
		records, least = "arraySum(x -> x.2, "+events+")", "arraySum(x -> greatest(x.2, 1), "+events+")"
	}
	aggregates := []string{
		"uniqExact(topic, partition, offset) AS n_events", "count() AS n_rows", "uniqExactIf(person, person != toFixedString('', 16)) AS n_persons", records + " AS n_records", least + " AS n_least",
		"countIf(verdict = 'allowed') AS n_allowed", "countIf(verdict = 'review') AS n_review", "countIf(verdict = 'violation') AS n_violation",
	}
	var of proto.ColUInt8
	var group proto.ColStr
	texts := group.Array()
	counts := make([]proto.ColUInt64, len(aggregates))
	var first, last millis
	results := proto.Results{{Name: "list", Data: &of}, {Name: "keys", Data: texts}, {Name: "n_first", Data: &first}, {Name: "n_last", Data: &last}}
	for i := range counts {
		_, name, _ := strings.Cut(aggregates[i], " AS ")
		results = append(results, proto.ResultColumn{Name: name, Data: &counts[i]})
	}
	all = make([]Tallies, len(lists))
	q := ch.Query{
		Body: `SELECT ` + list + ` AS list, keys, min(time) AS n_first, max(time) AS n_last, ` + strings.Join(aggregates, ", ") + `
		FROM
		(
			SELECT ` + keys + `, t.topic AS topic, t.partition AS partition, t.offset AS offset, t.person AS person, t.person_index AS person_index,
				t.records AS records, t.time AS time, t.verdict AS verdict
			FROM ` + a.standing("topic, partition, offset, person, person_index, records, time, verdict, context, actor, operation") + ` AS t ` + join + `
		)
		GROUP BY list, keys ORDER BY list, n_events DESC, keys LIMIT ` + strconv.Itoa(maxTallies+1) + ` BY list`,
		Parameters: parameters(params),
		Settings:   append(a.settings(), bounded()),
		Result:     results,
		OnResult: func(_ context.Context, block proto.Block) error {
			for i := range block.Rows {
				to := &all[of[i]]
				to.Tallies = append(to.Tallies, Tally{
					Keys: texts.Row(i), Events: counts[0][i], Rows: counts[1][i], Persons: counts[2][i], Records: counts[3][i], AtLeast: counts[4][i],
					Allowed: counts[5][i], Review: counts[6][i], Violation: counts[7][i], First: first.at(i), Last: last.at(i),
				})
			}
			return nil
		},
	}
	a.withPersons(&q)
	if err := db.pool.do(ctx, q); err != nil {
		return nil, fmt.Errorf("count events: %w", err)
	}
	for i := range all {
		t := &all[i]
		if t.Complete = len(t.Tallies) <= maxTallies; !t.Complete {
			t.Tallies = t.Tallies[:maxTallies]
		}
	}
	return all, nil
}

func noDimension(d Dimension) error {
	return fmt.Errorf("count events: there is no dimension %q", d)
}

// keysOf says by what a row counts: which of the lists it is, the columns that say
// so, and what has to be joined to t for them.
func keysOf(lists [][]Dimension) (list, columns, join string, err error) {
	var texts [][]string
	for _, by := range lists {
		var own []string
		for _, d := range by {
			text, ok := dimensions[d]
			if !ok {
				return "", "", "", noDimension(d)
			}
			own = append(own, text)
			if strings.Contains(text, "c.") {
				join = "ANY LEFT JOIN contexts AS c ON t.context = c.id"
			}
		}
		texts = append(texts, own)
	}
	if len(texts) == 1 {
		return "toUInt8(0)", arrayOf(texts[0]) + " AS keys", join, nil
	}
	parts := make([]string, len(texts))
	for i, own := range texts {
		parts[i] = "arrayMap(k -> (toUInt8(" + strconv.Itoa(i) + "), k), " + arraysOf(own) + ")"
	}
	return "of.1", "arrayJoin(arrayConcat(" + strings.Join(parts, ", ") + ")) AS of, of.2 AS keys", join, nil
}

func arrayOf(texts []string) string { return "[" + strings.Join(texts, ", ") + "]::Array(String)" }

// arraysOf is the array of what arrayOf is in each of the rows that arrayJoin makes.
func arraysOf(texts []string) string {
	own := slices.Clone(texts)
	var lists []string
	for i, text := range own {
		if inner, is := strings.CutPrefix(text, "arrayJoin("); is {
			own[i] = "x" + strconv.Itoa(i)
			lists = append(lists, own[i]+" -> %, "+strings.TrimSuffix(inner, ")"))
		}
	}
	arrays := "[" + arrayOf(own) + "]"
	for _, l := range lists {
		arrays = "arrayReduce('groupArrayArray', arrayMap(" + strings.Replace(l, "%", arrays, 1) + "))"
	}
	return arrays
}

// byRow says whether an event's rows may differ in it.
func (d Dimension) byRow() bool { return d == ByRule || d == ByVerdict || d == ByVersion }
