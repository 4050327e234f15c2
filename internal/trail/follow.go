package trail

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/ClickHouse/ch-go/proto"
)

// Partition is one Kafka partition.
type Partition struct {
	Topic     string
	Partition int32
}

// Partitions lists the partitions that the journal knows, in order.
func (db *DB) Partitions(ctx context.Context) (all []Partition, err error) {
	err = db.each(ctx, `SELECT DISTINCT topic, partition FROM journal WHERE NOT withdrawn ORDER BY topic, partition LIMIT 100000`, nil,
		func(scan func(...any) error) error {
			var p Partition
			var partition uint32
			if err := scan(&p.Topic, &partition); err != nil {
				return err
			}
			p.Partition = int32(partition)
			all = append(all, p)
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("list the partitions of the trail: %w", err)
	}
	return all, nil
}

// Complete says before which offset all that a partition holds is surely in
// the trail. It is what Position says, for a reader: it settles nothing, and
// where ranges are at odds it stops before the first of them.
func (db *DB) Complete(ctx context.Context, p Partition) (next int64, err error) {
	rows, err := db.tables.journal(ctx, journalEnd, Range{Topic: p.Topic, Partition: p.Partition})
	if err != nil {
		return 0, err
	}
	live := slices.DeleteFunc(latest(rows), func(e JournalEntry) bool { return e.Withdrawn })
	if len(live) == 0 {
		return 0, nil
	}
	last := live[len(live)-1]
	have, err := db.tables.countRange(ctx, last.Range)
	if err != nil {
		return 0, err
	}
	if have == last.rows() {
		next = last.Last + 1
	} else {
		next = last.First
	}
	for _, e := range live[:len(live)-1] {
		if e.overlaps(last.Range) {
			next = min(next, e.First, last.First)
		}
	}
	return next, nil
}

// Now is ClickHouse's clock: one for all processes that write verdicts.
func (db *DB) Now(ctx context.Context) (now time.Time, err error) {
	err = db.each(ctx, "SELECT now64(3, 'UTC')", nil, func(scan func(...any) error) error { return scan(&now) })
	if err != nil {
		return time.Time{}, fmt.Errorf("ask ClickHouse for the time: %w", err)
	}
	return now.UTC(), nil
}

// factColumns are what the follower reads of a fact.
var factColumns = []string{
	"operation", "time", "recorded", "controller", "person", "person_index", "of", "actor", "recipient",
	"fact", "fact_value", "fact_valid_from", "duplicate", "topic", "partition", "offset",
}

// FactsBetween streams the facts of a partition from an offset up to and
// without another, in order, at most n rows; one row for each person.
func (db *DB) FactsBetween(ctx context.Context, p Partition, from, to int64, n int) iter.Seq2[Row, error] {
	return db.rows(ctx, factColumns, offsetWhere+" AND operation = 'fact' AND cause = ''"+offsetOrder, offsetParams(p, from, to, n), noProjections())
}

// NamedFacts streams the facts of a partition from an offset on that say
// something of an employee or a recipient, in order.
func (db *DB) NamedFacts(ctx context.Context, p Partition, from int64) iter.Seq2[Row, error] {
	return db.rows(ctx, factColumns, offsetWhere+" AND operation = 'fact' AND cause = '' AND (actor != '' OR context IN (SELECT id FROM contexts WHERE recipient != ''))"+offsetOrder,
		offsetParams(p, from, 1<<62, 1<<40), noProjections())
}

const (
	offsetWhere = `WHERE topic = {topic:String} AND partition = {partition:UInt32} AND offset >= {from:UInt64} AND offset < {to:UInt64}`
	offsetOrder = ` ORDER BY topic, partition, offset, person_index LIMIT {n:UInt64}`
)

func offsetParams(p Partition, from, to int64, n int) map[string]string {
	return map[string]string{
		"topic": p.Topic, "partition": strconv.Itoa(int(p.Partition)),
		"from": strconv.FormatInt(max(0, from), 10), "to": strconv.FormatInt(max(0, to), 10), "n": strconv.Itoa(n),
	}
}

// FactsTask is the task of following facts; see [DB.Followed].
const FactsTask = "facts"

// Followed is up to where, without that offset, a task has looked at each
// partition.
func (db *DB) Followed(ctx context.Context, task string) (map[Partition]int64, error) {
	next := make(map[Partition]int64)
	err := db.each(ctx, `SELECT topic, partition, max(next) FROM rejudge_position WHERE task = {task:String} GROUP BY topic, partition`,
		map[string]string{"task": task}, func(scan func(...any) error) error {
			var p Partition
			var partition uint32
			var offset uint64
			if err := scan(&p.Topic, &partition, &offset); err != nil {
				return err
			}
			p.Partition = int32(partition)
			next[p] = int64(offset)
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("read how far %q has come: %w", task, err)
	}
	return next, nil
}

// SaveFollowed notes how far a task has come. Where it fails, or a crash comes
// first, the same is looked at again.
func (db *DB) SaveFollowed(ctx context.Context, task string, p Partition, next int64) error {
	t, topic := newLowCard(), newLowCard()
	t.Append(task)
	topic.Append(p.Topic)
	var at millis
	at.append(time.Now())
	err := db.send(ctx, "rejudge_position", fmt.Sprintf("rejudge-position:%s:%s:%d:%d", task, p.Topic, p.Partition, next), []column{
		{"task", t},
		{"topic", topic},
		{"partition", &proto.ColUInt32{uint32(p.Partition)}},
		{"next", &proto.ColUInt64{uint64(next)}},
		{"saved_at", &at},
	})
	if err != nil {
		return fmt.Errorf("save how far %q has come: %w", task, err)
	}
	return nil
}

// RegisterGeneration counts how often the registers of a controller were
// others than before, by their fingerprint: the same number as long as it is
// the same. Going back to former registers is a new generation, too.
func (db *DB) RegisterGeneration(ctx context.Context, controller, fingerprint string) (generation uint32, err error) {
	read := func() (newest string, err error) {
		err = db.each(ctx, `SELECT generation, fingerprint FROM rejudge_registers WHERE controller = {controller:String} ORDER BY generation DESC, since DESC LIMIT 1`,
			map[string]string{"controller": controller}, func(scan func(...any) error) error { return scan(&generation, &newest) })
		return newest, err
	}
	for range 2 {
		newest, err := read()
		if err != nil {
			return 0, fmt.Errorf("read the registers' generation: %w", err)
		}
		if newest == fingerprint {
			return generation, nil
		}
		c := newLowCard()
		c.Append(controller)
		var print proto.ColStr
		print.Append(fingerprint)
		var at millis
		at.append(time.Now())
		if err := db.send(ctx, "rejudge_registers", fmt.Sprintf("rejudge-registers:%s:%d:%d", controller, generation+1, rand.Uint64()), []column{
			{"controller", c},
			{"generation", &proto.ColUInt32{generation + 1}},
			{"fingerprint", &print},
			{"since", &at},
		}); err != nil {
			return 0, fmt.Errorf("note the registers' generation: %w", err)
		}
	}
	return 0, errors.New("note the registers' generation: another process works under other registers")
}
