package trail

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
)

// Exposed is one pseudonym that selected events are about, and how.
type Exposed struct {
	Person      [16]byte // a person's, or a cohort's
	First, Last time.Time
	Events      uint64
	Contexts    []*Context // of the events: different ones
}

// MaxExposed bounds the pseudonyms of one trace.
const MaxExposed = 5_000_000

// ActsExposed tells whom the selected events are about, in order of pseudonym.
// Events about nobody are left out. A cohort stands as one, by its own
// pseudonym: its contexts name it, and [DB.MembersOf] who belongs to it.
func (db *DB) ActsExposed(ctx context.Context, a Acts, f func(*Exposed) error) error {
	params, err := a.params()
	if err != nil {
		return err
	}
	var person proto.ColFixedStr16
	var first, last millis
	var events proto.ColUInt64
	contexts := new(proto.ColFixedStr16).Array()
	err = db.fewFirst(a, func(a Acts) error {
		return db.pool.do(ctx, ch.Query{
			Body: `SELECT person, min(time) AS first, max(time) AS last, uniqExact(topic, partition, offset) AS events,
				groupUniqArray(CAST(context, 'FixedString(16)')) AS contexts
			FROM ` + a.standing("topic, partition, offset, person, person_index, time, context, verdict") + `
			WHERE person != toFixedString('', 16) GROUP BY person ORDER BY person LIMIT ` + fmt.Sprint(MaxExposed),
			Parameters: parameters(params),
			Settings:   append(a.byTime(), setting("max_execution_time", "60")),
			Result: proto.Results{
				{Name: "person", Data: &person},
				{Name: "first", Data: &first},
				{Name: "last", Data: &last},
				{Name: "events", Data: &events},
				{Name: "contexts", Data: contexts},
			},
			OnResult: func(ctx context.Context, block proto.Block) error {
				var ids []ContextID
				for i := range block.Rows {
					for _, id := range contexts.Row(i) {
						ids = append(ids, id)
					}
				}
				found, err := db.contextsOf(ctx, ids)
				if err != nil {
					return err
				}
				for i := range block.Rows {
					n := contexts.RowLen(i)
					e := Exposed{Person: person[i], First: first.at(i), Last: last.at(i), Events: events[i], Contexts: found[:n:n]}
					found = found[n:]
					if err := f(&e); err != nil {
						return err
					}
				}
				return nil
			},
		})
	})
	if err != nil {
		return fmt.Errorf("list whom events are about: %w", err)
	}
	return nil
}

// ActsOfSome counts of some persons how many of the selected events are about
// each, each event once, however many of a person's pseudonyms it names:
// pseudonyms[i] is one of the person ones[i].
func (db *DB) ActsOfSome(ctx context.Context, a Acts, pseudonyms, ones [][16]byte, f func(one [16]byte, events uint64)) error {
	if len(pseudonyms) == 0 {
		return nil
	}
	a.Among = pseudonyms
	params, err := a.params()
	if err != nil {
		return err
	}
	table := personsTable(pseudonyms, nil)
	stand := proto.ColFixedStr16(slices.Clone(ones))
	var one proto.ColFixedStr16
	var events proto.ColUInt64
	err = db.fewFirst(a, func(a Acts) error {
		return db.pool.do(ctx, ch.Query{
			Body: `SELECT p.one AS one, uniqExact(t.topic, t.partition, t.offset) AS events
			FROM ` + a.standing("topic, partition, offset, person, person_index, context, verdict") + ` AS t INNER JOIN persons AS p ON t.person = p.person
			GROUP BY one`,
			Parameters:    parameters(params),
			ExternalData:  append(table, proto.InputColumn{Name: "one", Data: &stand}),
			ExternalTable: "persons",
			Settings:      append(a.byTime(), setting("max_execution_time", "60")),
			Result:        proto.Results{{Name: "one", Data: &one}, {Name: "events", Data: &events}},
			OnResult: func(_ context.Context, block proto.Block) error {
				for i := range block.Rows {
					f(one[i], events[i])
				}
				return nil
			},
		})
	})
	if err != nil {
		return fmt.Errorf("count the events of persons: %w", err)
	}
	return nil
}

// personsTable is a table of pseudonyms that goes with a query, by the name persons;
// each with the moment from which on its events are asked for.
func personsTable(persons [][16]byte, since []time.Time) []proto.InputColumn {
	ids := proto.ColFixedStr16(slices.Clone(persons))
	columns := []proto.InputColumn{{Name: "person", Data: &ids}}
	if since != nil {
		var at millis
		for _, t := range since {
			at.append(bounded1900(t))
		}
		at.ColDateTime64 = *at.WithPrecision(proto.PrecisionMilli)
		columns = append(columns, proto.InputColumn{Name: "since", Data: &at})
	}
	return columns
}

// SamePerson tells of some pseudonyms of a controller which belong to one person
// by identity facts, by way of others, too: for each pseudonym one that stands
// for all that are linked to it, the least. Those that are linked to none stand
// for themselves and are not in the answer.
func (db *DB) SamePerson(ctx context.Context, controller string, persons [][16]byte) (map[[16]byte][16]byte, error) {
	links := newLinks()
	seen := setOf(persons)
	for round, asked := 0, persons; len(asked) > 0 && round < maxLinkRounds; round++ {
		var next [][16]byte
		var last Judged
		var group [][16]byte
		flush := func() {
			for _, p := range group {
				links.join(group[0], p)
				if !seen[p] {
					seen[p] = true
					next = append(next, p)
				}
			}
			group = group[:0]
		}
		err := db.Identities(ctx, PersonQuery{Controller: controller, Persons: asked}, func(at Judged, person [16]byte) {
			if at != last {
				flush()
				last = at
			}
			group = append(group, person)
		})
		if err != nil {
			return nil, fmt.Errorf("look for pseudonyms of one person: %w", err)
		}
		flush()
		asked = next
	}
	return links.all(), nil
}

// links are the pseudonyms that belong to one person, as a forest.
type links map[[16]byte][16]byte

func newLinks() links { return make(links) }

func (l links) root(p [16]byte) [16]byte {
	for {
		up, ok := l[p]
		if !ok || up == p {
			return p
		}
		p = up
	}
}

func (l links) join(a, b [16]byte) {
	a, b = l.root(a), l.root(b)
	if slices.Compare(a[:], b[:]) > 0 {
		a, b = b, a
	}
	l[a], l[b] = a, a
}

func (l links) all() map[[16]byte][16]byte {
	all := make(map[[16]byte][16]byte, len(l))
	for p := range l {
		all[p] = l.root(p)
	}
	return all
}

// Onward is where persons' data went: events alike in who sent, to whom, where,
// for what and how.
type Onward struct {
	OnBehalfOf, Organisation                string // who acted, and for whom
	Recipient, RecipientCode, RecipientName string
	Country, Purpose, Operation             string
	Events                                  uint64
	First, Last                             time.Time
	Categories                              []string
	Persons                                 [][16]byte
	Lasts                                   []time.Time // of each person the last
}

// OnwardOf tells where the data of persons went, each from a moment of its own
// on: transfers, disclosures and what was sent, with whom it was about. The
// persons of a cohort are to be asked for by the cohort's pseudonym.
func (db *DB) OnwardOf(ctx context.Context, controller string, persons [][16]byte, since []time.Time, until time.Time, f func(*Onward) error) error {
	if len(persons) == 0 {
		return nil
	}
	earliest := slices.MinFunc(since, time.Time.Compare)
	q := PersonQuery{Controller: controller, From: earliest, To: until}
	params := q.params()
	delete(params, "persons")
	keys := []string{"actor_on_behalf_of", "actor_organisation", "recipient", "recipient_code", "recipient_organisation", "recipient_country", "purpose"}
	texts := make([]proto.ColStr, len(keys)+1)
	var results proto.Results
	var columns, names []string
	for i, k := range keys {
		columns = append(columns, "CAST(c."+k+", 'String') AS k_"+k)
		names = append(names, "k_"+k)
		results = append(results, proto.ResultColumn{Name: "k_" + k, Data: &texts[i]})
	}
	columns, names = append(columns, "CAST(t.operation, 'String') AS k_operation"), append(names, "k_operation")
	results = append(results, proto.ResultColumn{Name: "k_operation", Data: &texts[len(keys)]})
	group := strings.Join(names, ", ")
	var count proto.ColUInt64
	var first, last millis
	var category proto.ColStr
	categories := category.Array()
	whom := new(proto.ColFixedStr16).Array()
	lasts := new(proto.ColInt64).Array()
	results = append(results, proto.Results{
		{Name: "n_events", Data: &count},
		{Name: "n_first", Data: &first},
		{Name: "n_last", Data: &last},
		{Name: "n_categories", Data: categories},
		{Name: "n_whom", Data: whom},
		{Name: "n_lasts", Data: lasts},
	}...)
	err := db.pool.do(ctx, ch.Query{
		Body: `SELECT ` + group + `, uniqExactMerge(p_events) AS n_events, min(p_first) AS n_first, max(p_last) AS n_last,
				groupUniqArrayArray(p_categories) AS n_categories, groupArray(person) AS n_whom, groupArray(toUnixTimestamp64Milli(p_last)) AS n_lasts
			FROM
			(
				SELECT ` + strings.Join(columns, ", ") + `, t.person AS person, uniqExactState(t.topic, t.partition, t.offset) AS p_events,
					min(t.time) AS p_first, max(t.time) AS p_last, groupUniqArrayArray(CAST(c.categories, 'Array(String)')) AS p_categories
				FROM
				(
					SELECT t.person AS person, t.topic AS topic, t.partition AS partition, t.offset AS offset, t.time AS time, t.operation AS operation, t.context AS context
					FROM trail AS t INNER JOIN persons AS p ON t.person = p.person
					WHERE t.person IN (SELECT person FROM persons) AND t.time >= p.since
						AND controller = {controller:String} AND cause = '' AND NOT duplicate AND operation IN ('transfer', 'disclose', 'send')
						AND time >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND time < fromUnixTimestamp64Milli({to:Int64}, 'UTC')
				) AS t ANY LEFT JOIN contexts AS c ON t.context = c.id
				GROUP BY ` + group + `, person
			)
			GROUP BY ` + group + ` ORDER BY n_first, ` + group,
		Parameters:    parameters(params),
		ExternalData:  personsTable(persons, since),
		ExternalTable: "persons",
		Settings:      []ch.Setting{setting("query_plan_optimize_lazy_materialization", "0"), setting("max_execution_time", "60")},
		Result:        results,
		OnResult: func(_ context.Context, block proto.Block) error {
			for i := range block.Rows {
				o := Onward{
					OnBehalfOf: texts[0].Row(i), Organisation: texts[1].Row(i), Recipient: texts[2].Row(i), RecipientCode: texts[3].Row(i), RecipientName: texts[4].Row(i),
					Country: texts[5].Row(i), Purpose: texts[6].Row(i), Operation: texts[7].Row(i),
					Events: count[i], First: first.at(i), Last: last.at(i), Categories: categories.Row(i), Persons: whom.Row(i),
				}
				for _, ms := range lasts.Row(i) {
					o.Lasts = append(o.Lasts, time.UnixMilli(ms).UTC())
				}
				if err := f(&o); err != nil {
					return err
				}
			}
			return nil
		},
	})
	if err != nil {
		return fmt.Errorf("follow where data went: %w", err)
	}
	return nil
}

// Memberships reads of which cohorts some persons are members, each once.
func (db *DB) Memberships(ctx context.Context, controller string, persons [][16]byte, f func(cohort string, person [16]byte)) error {
	if len(persons) == 0 {
		return nil
	}
	cohort := newWords(make(shared))
	var person proto.ColFixedStr16
	err := db.pool.do(ctx, ch.Query{
		Body: `SELECT DISTINCT cohort_id, person FROM cohort_members
			WHERE person IN (SELECT person FROM persons) AND controller = {controller:String} ORDER BY cohort_id, person`,
		Parameters:    parameters(map[string]string{"controller": controller}),
		ExternalData:  personsTable(persons, nil),
		ExternalTable: "persons",
		Settings:      []ch.Setting{setting("max_execution_time", "60")},
		Result:        proto.Results{{Name: "cohort_id", Data: cohort}, {Name: "person", Data: &person}},
		OnResult: func(_ context.Context, block proto.Block) error {
			for i := range block.Rows {
				f(cohort.Row(i), person[i])
			}
			return nil
		},
	})
	if err != nil {
		return fmt.Errorf("read the cohorts of persons: %w", err)
	}
	return nil
}
