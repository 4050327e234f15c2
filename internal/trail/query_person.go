package trail

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"
)

// Bounds of the questions.
const (
	queryTimeout  = 20 * time.Second // of one query
	maxPersons    = 10_000           // pseudonyms that one question may be about
	maxLinkRounds = 8                // of following links between pseudonyms
	maxUses       = 20_000           // rows of a recipient summary
	maxPage       = 1000             // rows of a timeline page
)

// ErrTooMany says that a question is about more pseudonyms than can be
// answered for at once: a cohort list or a link that has gone wrong.
var ErrTooMany = errors.New("the question is about too many pseudonyms")

// PersonQuery says whose rows are asked for. All of the person's pseudonyms
// belong in Persons: those linked to it ([DB.Linked]) and those of the cohorts
// it is a member of ([DB.CohortsOf]).
type PersonQuery struct {
	Controller string
	Persons    [][16]byte
	From, To   time.Time // of the events' own time: From included, To not; zero = open
	Only       []Part    // events of one of these parts, and no others; nil = all

	// AsOf is up to when the trail counts, included: what was stored later, and
	// verdicts that were given later, are not there. Zero: as it stands now.
	AsOf time.Time
}

// openFrom and openTo bound every question: what DateTime64 can hold.
var (
	openFrom = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)
	openTo   = time.Date(2299, 12, 31, 23, 59, 59, 0, time.UTC)
)

// personWhere selects processing events by person: it uses nothing that the
// projection by_person does not hold. What it needs is in params.
func (q *PersonQuery) where() string { return personWhere + q.asOf() + q.only() }

// asOf leaves what the trail held at a moment. The first verdict on an event
// bears the date under which its row was stored, each later one the moment at
// which it was given.
func (q *PersonQuery) asOf() string {
	if q.AsOf.IsZero() {
		return ""
	}
	return `
		AND judged_at <= fromUnixTimestamp64Milli({as_of:Int64}, 'UTC')`
}

const personWhere = `
	WHERE person IN (SELECT toFixedString(unhex(arrayJoin({persons:Array(String)})), 16)) AND controller = {controller:String}
		AND time >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND time < fromUnixTimestamp64Milli({to:Int64}, 'UTC')
		AND operation NOT IN ('fact', 'cohort')`

// personSettings are those of all questions by person: one thread (more only
// get in each other's way at some granules), which reads files itself (to hand
// each of two hundred small pieces to another and back is a tenth of all), no
// second reading of each part for the columns of the rows that are left, and none
// of the statistics of columns, which help nothing here and are read anew of each
// part that was merged within five minutes: 18 files, 0.4 ms.
const personSettings = " SETTINGS max_threads = 1, local_filesystem_read_method = 'pread', query_plan_optimize_lazy_materialization = 0, use_statistics = 0"

// byPerson are personSettings for ch-go.
func byPerson() []ch.Setting {
	return []ch.Setting{
		setting("max_threads", "1"), setting("local_filesystem_read_method", "pread"), setting("query_plan_optimize_lazy_materialization", "0"), setting("use_statistics", "0"),
	}
}

// byPersonSettings are byPerson, and the query's bound.
func byPersonSettings() []ch.Setting { return append(byPerson(), bounded()) }

func (q *PersonQuery) check() error {
	if len(q.Persons) > maxPersons {
		return fmt.Errorf("%w: %d, at most %d", ErrTooMany, len(q.Persons), maxPersons)
	}
	return nil
}

func (q *PersonQuery) params() map[string]string {
	from, to := q.bounds()
	params := map[string]string{
		"persons":    hexArray(q.Persons),
		"controller": q.Controller,
		"from":       strconv.FormatInt(from, 10),
		"to":         strconv.FormatInt(to, 10),
	}
	if !q.AsOf.IsZero() {
		params["as_of"] = strconv.FormatInt(q.AsOf.UnixMilli(), 10)
	}
	if q.Only != nil {
		condition(q.Only, onlyPrefix, params)
	}
	return params
}

// bounds are the first millisecond since 1970 that is asked for, and the one
// after the last.
func (q *PersonQuery) bounds() (from, to int64) {
	first, end := q.From, q.To
	if first.Before(openFrom) {
		first = openFrom
	}
	if end.IsZero() || end.After(openTo) {
		end = openTo
	}
	return first.UnixMilli(), end.UnixMilli()
}

// whose selects rows by person and controller alone. The plan of a query costs more
// than a person's rows, and that of one pseudonym less than that of several.
func (q *PersonQuery) whose() (where string, params map[string]string) {
	params = q.params()
	if len(q.Persons) == 1 {
		params["person"] = hex.EncodeToString(q.Persons[0][:])
		return "WHERE person = toFixedString(unhex({person:String}), 16) AND controller = {controller:String}", params
	}
	return "WHERE person IN (SELECT toFixedString(unhex(arrayJoin({persons:Array(String)})), 16)) AND controller = {controller:String}", params
}

// hexArray writes pseudonyms as an Array(String) parameter.
func hexArray(persons [][16]byte) string {
	b := make([]byte, 0, 2+35*len(persons))
	b = append(b, '[')
	for i, p := range persons {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '\'')
		b = hex.AppendEncode(b, p[:])
		b = append(b, '\'')
	}
	return string(append(b, ']'))
}

// named makes parameters of clickhouse-go of a map.
func named(params map[string]string) []any {
	args := make([]any, 0, len(params))
	for name, value := range params {
		args = append(args, clickhouse.Named(name, value))
	}
	return args
}

// Linked lists all pseudonyms that identity facts of the controller make one
// with those of the question, these first. Such a fact is one row for each
// pseudonym at one offset, so that the rows beside a person's own name the
// others. When the events were does not matter.
func (db *DB) Linked(ctx context.Context, q PersonQuery) ([][16]byte, error) {
	all := slices.Clone(q.Persons)
	seen := setOf(q.Persons)
	for round, asked := 0, q.Persons; len(asked) > 0 && round < maxLinkRounds; round++ {
		q.Persons = asked
		if err := q.check(); err != nil {
			return nil, err
		}
		asked = nil
		err := db.Identities(ctx, q, func(_ Judged, p [16]byte) {
			if !seen[p] && p != ([16]byte{}) {
				seen[p] = true
				asked = append(asked, p)
			}
		})
		if err != nil {
			return nil, fmt.Errorf("look for linked pseudonyms: %w", err)
		}
		all = append(all, asked...)
	}
	return all, nil
}

// namedAt lists, sorted, whom the identity facts at some places name.
func (db *DB) namedAt(ctx context.Context, controller string, places []Judged) (found [][16]byte, err error) {
	params := placesParams(places)
	params["controller"] = controller
	err = db.each(ctx, "SELECT DISTINCT person FROM trail"+placesWhere+`
			AND fact = 'identity' AND controller = {controller:String}
		ORDER BY person LIMIT 10001 SETTINGS max_threads = 1, optimize_use_projections = 0`, params, func(scan func(...any) error) error {
		var p string
		if err := scan(&p); err != nil {
			return err
		}
		found = append(found, [16]byte([]byte(p)))
		return nil
	})
	return found, err
}

// maxCohortsOf is of how many cohorts of a person the trail tells; one more says that
// there are more.
const maxCohortsOf = 10_000

// CohortsOf lists the ids of the cohorts that one of the persons is a member
// of, sorted.
func (db *DB) CohortsOf(ctx context.Context, q PersonQuery) (ids []string, err error) {
	if err := q.check(); err != nil {
		return nil, err
	}
	where, params := q.whose()
	if !q.AsOf.IsZero() {
		where += " AND stored <= fromUnixTimestamp64Milli({as_of:Int64}, 'UTC')"
	}
	// To sort and to compare costs the database more to plan than the rows are.
	found, cohort := make(map[string]bool), newWords(make(shared))
	err = db.pool.do(ctx, ch.Query{
		Body:       "SELECT cohort_id FROM cohort_members " + where,
		Parameters: parameters(params),
		Result:     proto.Results{{Name: "cohort_id", Data: cohort}},
		Settings:   byPersonSettings(),
		OnResult: func(_ context.Context, block proto.Block) error {
			for i := range block.Rows {
				if found[cohort.Row(i)] = true; len(found) > maxCohortsOf {
					return errStop
				}
			}
			return nil
		},
	})
	if err != nil && !errors.Is(err, errStop) {
		return nil, fmt.Errorf("look for the person's cohorts: %w", err)
	}
	return slices.Sorted(maps.Keys(found)), nil
}

// Place is where an event stands, in the order of a timeline.
type Place struct {
	Time      time.Time
	Topic     string
	Partition int32
	Offset    int64
}

// Timeline lists a person's processing events, newest first, at most n, those
// before the given place if there is one. Each event is there once, with its
// latest verdict. Only what tells what was done is filled, and the controller.
func (db *DB) Timeline(ctx context.Context, q PersonQuery, before *Place, n int) ([]Row, error) {
	if err := q.check(); err != nil {
		return nil, err
	}
	n = min(max(n, 1), maxPage)
	params := q.params()
	where := q.where()
	if before != nil {
		where += `
		AND time <= fromUnixTimestamp64Milli({before_time:Int64}, 'UTC')
		AND (time, topic, partition, offset) < (fromUnixTimestamp64Milli({before_time:Int64}, 'UTC'), {before_topic:String}, {before_partition:UInt32}, {before_offset:UInt64})`
		beforeParams(params, before)
	}
	params["n"] = strconv.Itoa(n)
	return db.historyRows(ctx, historyColumns, q.Controller, timelineFrom(where), params)
}

// historyRows reads some columns of the rows of a controller's person.
func (db *DB) historyRows(ctx context.Context, columns []string, controller, from string, params map[string]string) ([]Row, error) {
	rows, err := collect(db.rowsOf(ctx, columns, from, params, byPersonSettings()...))
	for i := range rows {
		rows[i].Controller = controller
	}
	return rows, err
}

func beforeParams(params map[string]string, before *Place) {
	params["before_time"] = strconv.FormatInt(before.Time.UnixMilli(), 10)
	params["before_topic"] = before.Topic
	params["before_partition"] = strconv.Itoa(int(before.Partition))
	params["before_offset"] = strconv.FormatInt(before.Offset, 10)
}

// timelineFrom is what the timeline reads from: each event once, with the worse
// of its latest verdicts if it names the person twice.
func timelineFrom(where string) string {
	return "(SELECT " + strings.Join(quoted(historyColumns), ", ") + " FROM trail " + where + latestOrder + `)
	ORDER BY time DESC, topic DESC, partition DESC, offset DESC, verdict DESC, person_index
	LIMIT 1 BY topic, partition, offset
	LIMIT {n:UInt32}`
}

func quoted(names []string) []string {
	all := make([]string, len(names))
	for i, n := range names {
		all[i] = "`" + n + "`"
	}
	return all
}

func setting(key, value string) ch.Setting {
	return ch.Setting{Key: key, Value: value, Important: true}
}

// bounded ends a query of ch-go on the server; clickhouse-go takes its bound
// from the context's deadline.
func bounded() ch.Setting {
	return setting("max_execution_time", strconv.Itoa(int(queryTimeout.Seconds())))
}

func collect(rows iter.Seq2[Row, error]) ([]Row, error) {
	var all []Row
	for row, err := range rows {
		if err != nil {
			return nil, err
		}
		all = append(all, row)
	}
	return all, nil
}

// each runs a query in bounded time and hands each of its rows to f.
func (db *DB) each(ctx context.Context, query string, params map[string]string, f func(scan func(...any) error) error) (err error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	rows, err := db.conn().Query(ctx, strings.TrimSpace(query), named(params)...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}
