package trail

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
)

// ReplayScope says which processing events are read to be judged again.
type ReplayScope struct {
	Topic       string    // all if empty
	Controllers []string  // all if empty
	From, To    time.Time // of the events' own time: From included, To not; zero = open
}

// where selects the first judgement of each event and person in the scope: a
// place has exactly one, however often it was judged again.
func (s *ReplayScope) where() string {
	return `cause = '' AND operation NOT IN ('fact', 'cohort')
		AND (empty({controllers:Array(String)}) OR has({controllers:Array(String)}, controller))
		AND time >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND time < fromUnixTimestamp64Milli({to:Int64}, 'UTC')`
}

func (s *ReplayScope) params() map[string]string {
	q := PersonQuery{From: s.From, To: s.To}
	p := q.params()
	delete(p, "persons")
	delete(p, "controller")
	p["controllers"] = textArray(s.Controllers)
	return p
}

// textArray writes an Array(String) parameter. A backslash is escaped on the
// way ([parameters]), and of an array, other than of a string, that is undone once.
func textArray(list []string) string {
	quote := strings.NewReplacer(`'`, `''`)
	var b strings.Builder
	b.WriteByte('[')
	for i, v := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("'" + quote.Replace(v) + "'")
	}
	b.WriteByte(']')
	return b.String()
}

// ReplaySpan is a run of offsets, both ends included, with so many rows of a
// scope. What is stored later is in no span: its offsets are higher.
type ReplaySpan struct {
	Topic       string
	Partition   int32
	First, Last int64
	Rows        uint64
	later       bool // verdicts were given later in its partition
}

// ReplaySpans cuts what the trail now has of a scope into spans of up to that
// many offsets, disjoint, to be read side by side.
func (db *DB) ReplaySpans(ctx context.Context, s ReplayScope, offsets int64) (spans []ReplaySpan, err error) {
	again := make(map[string]bool)
	partition := func(topic string, n uint32) string { return topic + "/" + strconv.Itoa(int(n)) }
	query := func(sql string, params map[string]string, f func(scan func(...any) error) error) error {
		rows, err := db.conn().Query(ctx, sql, named(params)...)
		if err != nil {
			return err
		}
		for err == nil && rows.Next() {
			err = f(rows.Scan)
		}
		return errors.Join(err, rows.Close(), rows.Err())
	}
	// Before the spans: what is given later than this is not to be missed, but
	// what is given while they are read is not needed either.
	err = query("SELECT topic, partition FROM trail WHERE cause != '' GROUP BY topic, partition", nil, func(scan func(...any) error) error {
		var topic string
		var n uint32
		err := scan(&topic, &n)
		again[partition(topic, n)] = true
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for verdicts given later: %w", err)
	}
	params := s.params()
	params["topic"] = s.Topic
	params["offsets"] = strconv.FormatInt(max(1, offsets), 10)
	err = query(`
		SELECT topic, partition, intDiv(offset, {offsets:UInt64}) AS piece, min(offset), max(offset), count() FROM trail
		WHERE ({topic:String} = '' OR topic = {topic:String}) AND `+s.where()+` GROUP BY topic, partition, piece ORDER BY topic, partition, piece`, params, func(scan func(...any) error) error {
		var span ReplaySpan
		var n uint32
		var piece, first, last uint64
		if err := scan(&span.Topic, &n, &piece, &first, &last, &span.Rows); err != nil {
			return err
		}
		span.Partition, span.First, span.Last, span.later = int32(n), int64(first), int64(last), again[partition(span.Topic, n)]
		spans = append(spans, span)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("see what there is to replay: %w", err)
	}
	return spans, nil
}

// Replay reads the rows of a span that are in the scope: one for each event and
// person, with the verdict that stands now. The row is valid until f returns,
// its slices too, and has only what an event is judged by, its source, its
// place and its verdict: no id, reason, reference or trace.
func (db *DB) Replay(ctx context.Context, s ReplayScope, span ReplaySpan, f func(*Row) error) error {
	var later map[rowPlace]laterVerdict
	var err error
	if span.later {
		if later, err = db.laterVerdicts(ctx, span); err != nil {
			return fmt.Errorf("read the verdicts given later: %w", err)
		}
	}
	c := newReplayColumns()
	q := db.spanQuery(span, c.results, s.where(), s.params())
	row := Row{Topic: span.Topic, Partition: span.Partition}
	q.OnResult = func(ctx context.Context, block proto.Block) error {
		if err := errors.Join(ctx.Err(), db.resolve(ctx, c.context)); err != nil {
			return err
		}
		for i := range block.Rows {
			c.row(i, &row)
			if v, ok := later[rowPlace{row.Offset, row.PersonIndex}]; ok {
				row.Verdict, row.Rules, row.Unknown, row.RegisterVersion = v.outcome, v.rules, v.unknown, v.version
				row.JudgedAt = v.at
			}
			if err := f(&row); err != nil {
				return err
			}
		}
		return nil
	}
	if err := db.pool.do(ctx, q); err != nil {
		return fmt.Errorf("read the trail to replay it: %w", err)
	}
	return nil
}

// spanQuery reads columns of a span's rows by one thread: spans are read side
// by side.
func (db *DB) spanQuery(span ReplaySpan, results proto.Results, where string, params map[string]string) ch.Query {
	names := make([]string, len(results))
	for i, r := range results {
		names[i] = "`" + r.Name + "`"
	}
	q := ch.Query{
		Body: "SELECT " + strings.Join(names, ", ") + ` FROM trail
			WHERE topic = {topic:String} AND partition = {partition:UInt32} AND offset BETWEEN {first:UInt64} AND {last:UInt64} AND ` + where,
		Result: results,
		Settings: []ch.Setting{
			ch.SettingInt("max_threads", 1), ch.SettingInt("optimize_use_projections", 0),
			ch.SettingInt("max_block_size", 16384), ch.SettingInt("preferred_block_size_bytes", 0),
		},
	}
	all := map[string]string{
		"topic": span.Topic, "partition": strconv.Itoa(int(span.Partition)),
		"first": strconv.FormatInt(span.First, 10), "last": strconv.FormatInt(span.Last, 10),
	}
	for name, value := range params {
		all[name] = value
	}
	q.Parameters = parameters(all)
	return q
}

// replayColumns are the columns that Replay reads.
type replayColumns struct {
	shared             shared
	controller, actor  *lowCard
	context            *contextColumn
	operation, verdict enum8
	time, judgedAt     millis
	person             proto.ColFixedStr16
	personIndex        proto.ColUInt16
	records, offset    proto.ColUInt64
	statements         proto.ColStr
	duplicate          proto.ColBool

	results proto.Results
}

func newReplayColumns() *replayColumns {
	c := &replayColumns{shared: make(shared), context: newContextColumn()}
	c.controller, c.actor = newWords(c.shared), newWords(c.shared)
	c.results = proto.Results{
		{Name: "controller", Data: c.controller},
		{Name: "actor", Data: c.actor},
		{Name: "context", Data: c.context},
		{Name: "operation", Data: &c.operation},
		{Name: "time", Data: &c.time},
		{Name: "person", Data: &c.person},
		{Name: "person_index", Data: &c.personIndex},
		{Name: "records", Data: &c.records},
		{Name: "statements", Data: &c.statements},
		{Name: "duplicate", Data: &c.duplicate},
		{Name: "verdict", Data: &c.verdict},
		{Name: "judged_at", Data: &c.judgedAt},
		{Name: "offset", Data: &c.offset},
	}
	return c
}

// row puts row i of the block into r.
func (c *replayColumns) row(i int, r *Row) {
	c.context.at(i).in(r)
	r.Fields = nil // nothing is judged by it
	r.Controller, r.Actor = c.controller.Row(i), c.actor.Row(i)
	r.Operation, r.Time = event.Operation(c.operation.Row(i)), c.time.at(i)
	r.Person, r.PersonIndex = c.person[i], c.personIndex[i]
	r.Records = c.records[i]
	r.Statements = c.shared.text(c.statements.RowBytes(i))
	r.Duplicate, r.Verdict = c.duplicate[i], register.Outcome(c.verdict.Row(i))
	r.JudgedAt, r.Offset = c.judgedAt.at(i), int64(c.offset[i])
}

// rowPlace is a row of a partition; laterVerdict the last verdict on it.
type rowPlace struct {
	offset int64
	index  uint16
}

type laterVerdict struct {
	outcome        register.Outcome
	rules, unknown []string
	version        string
	at             time.Time
}

// laterVerdicts are the last of the verdicts given later on the rows of a span.
func (db *DB) laterVerdicts(ctx context.Context, span ReplaySpan) (map[rowPlace]laterVerdict, error) {
	contexts := newContextColumn()
	var offset proto.ColUInt64
	var index proto.ColUInt16
	var outcome enum8
	var at millis
	later := make(map[rowPlace]laterVerdict)
	q := db.spanQuery(span, proto.Results{
		{Name: "offset", Data: &offset},
		{Name: "person_index", Data: &index},
		{Name: "verdict", Data: &outcome},
		{Name: "context", Data: contexts},
		{Name: "judged_at", Data: &at},
	}, "cause != ''", nil)
	q.OnResult = func(ctx context.Context, block proto.Block) error {
		if err := db.resolve(ctx, contexts); err != nil {
			return err
		}
		for i := range block.Rows {
			p := rowPlace{int64(offset[i]), index[i]}
			if known, ok := later[p]; ok && known.at.After(at.at(i)) {
				continue
			}
			c := contexts.at(i)
			later[p] = laterVerdict{register.Outcome(outcome.Row(i)), c.Rules, c.Unknown, c.RegisterVersion, at.at(i)}
		}
		return nil
	}
	return later, db.pool.do(ctx, q)
}
