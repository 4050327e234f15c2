package ingest

import (
	"context"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
	"github.com/andmerada/andmerada/internal/verdict"
)

// batch is a contiguous range of offsets and what it became.
type batch struct {
	blocks      *trail.Blocks
	first, next int64     // the range, next not included
	stored      time.Time // the date of all of its rows
	rows, bytes int

	events      uint64
	verdicts    [verdict.Violation + 1]uint64 // rows by outcome
	quarantined map[string]uint64             // by reason
	deleted     int64                         // offsets that Kafka deleted unread

	gap trail.Gap // the last one, which may still grow
}

func newBatch() *batch {
	return &batch{blocks: trail.NewBlocks(), quarantined: make(map[string]uint64)}
}

func (b *batch) begin(first int64, stored time.Time) {
	blocks, quarantined := b.blocks, b.quarantined
	blocks.Reset()
	clear(quarantined)
	// Milliseconds, as the trail keeps them: done again from the journal it is the same.
	*b = batch{blocks: blocks, quarantined: quarantined, first: first, next: first, stored: stored.UTC().Truncate(time.Millisecond)}
}

func (b *batch) trail(r *trail.Row) {
	b.blocks.Trail.Append(r)
	b.rows++
	b.verdicts[r.Verdict]++
}

func (b *batch) member(m *trail.Member) {
	b.blocks.Members.Append(m)
	b.rows++
}

func (b *batch) quarantine(q *trail.QuarantineRow) {
	b.blocks.Quarantine.Append(q)
	b.rows++
	b.quarantined[q.Reason]++
}

// add takes in the item at b.next.
func (b *batch) add(it *item, j *judge) {
	if it.gap != "" {
		b.addGap(it)
		return
	}
	b.endGap()
	j.record(&it.Record, b.stored, b)
	b.events++
	b.bytes += size(&it.Record)
	b.next = it.Offset + 1
}

// size is about what a record costs in memory and on the wire.
func size(r *Record) int {
	n := len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return n
}

// addGap takes in a gap. Gaps that touch are one row whatever the fetches
// showed them as, so that doing the range again gives the same rows.
func (b *batch) addGap(it *item) {
	if b.gap.Reason != "" && b.gap.Reason != it.gap {
		b.endGap()
	}
	if b.gap.Reason == "" {
		b.gap = trail.Gap{First: it.Offset, Reason: it.gap}
	}
	b.gap.Last = it.last
	b.next = it.last + 1
	if it.gap == GapDeleted {
		b.deleted += it.last - it.Offset + 1
	}
}

func (b *batch) endGap() {
	if b.gap.Reason != "" {
		b.blocks.Gaps.Append(b.gap)
		b.rows++
		b.gap = trail.Gap{}
	}
}

// batcher judges chunks into batches and cuts these.
type batcher struct {
	limits    Limits
	judge     *judge
	now       func() time.Time
	registers func() *register.Set
	metrics   *metrics

	// A range that the journal has is done again as it is: until its last
	// offset, under its stored date, whatever the limits.
	exact  bool
	until  int64
	stored time.Time

	batch  *batch
	began  time.Time // when the batch did
	sent   time.Time // when the last batch went out
	behind bool      // the log has more than was fetched
}

// catchUp is how many ages a batch may take to fill while there is a backlog.
const catchUp = 10

// rest is how long the batch may still wait for more. One batch an age is soon
// enough where events trickle in; while there is a backlog nobody waits for
// the newest, and few large parts cost ClickHouse far less to merge than many.
func (b *batcher) rest() time.Duration {
	if b.behind {
		return catchUp*b.limits.Age - time.Since(b.began)
	}
	return b.limits.Age - time.Since(b.sent)
}

// full says that the batch must go out before it takes in more.
func (b *batcher) full() bool {
	return !b.exact && (b.batch.rows >= b.limits.Rows || b.batch.bytes >= b.limits.Bytes)
}

// run judges what comes in. A batch goes out when it is full, and otherwise as
// soon as the last one is an age ago and the writer is free: so an event after
// a silence is in the trail at once, and a trickle of events makes no more than
// one batch an age. While there is a backlog it waits longer to be full.
func (b *batcher) run(ctx context.Context, next int64, in <-chan *chunk, done chan<- *chunk, free <-chan *batch, out chan<- *batch) error {
	defer close(out)
	for {
		var due chan<- *batch
		var wait <-chan time.Time
		if b.batch != nil && !b.exact {
			if rest := b.rest(); rest > 0 {
				wait = time.After(rest)
			} else {
				due = out
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case due <- b.batch:
			next, b.batch, b.sent = b.batch.next, nil, time.Now()
		case <-wait:
		case c := <-in:
			began := time.Now()
			b.behind = c.behind
			for i := range c.items {
				if b.batch == nil {
					if err := b.begin(ctx, next, free); err != nil {
						return err
					}
				}
				b.batch.add(&c.items[i], b.judge)
				if b.full() {
					select {
					case out <- b.batch:
					case <-ctx.Done():
						return ctx.Err()
					}
					next, b.batch, b.sent = b.batch.next, nil, time.Now()
				}
			}
			if len(c.items) > 0 {
				b.metrics.stage(ctx, "judge", time.Since(began))
			}
			after := c.next
			done <- c // has room for all chunks
			if after > b.until && b.batch != nil {
				select {
				case out <- b.batch:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			if after > b.until {
				return nil
			}
		}
	}
}

func (b *batcher) begin(ctx context.Context, first int64, free <-chan *batch) error {
	select {
	case b.batch = <-free:
	case <-ctx.Done():
		return ctx.Err()
	}
	stored := b.stored
	if !b.exact {
		stored = b.now()
	}
	b.judge.registers = b.registers()
	b.began = time.Now()
	b.batch.begin(first, stored)
	return nil
}

var _ sink = (*batch)(nil)

// Reasons lists every reason that a record can be quarantined for.
func Reasons() []string {
	all := []string{ReasonEmpty, ReasonTime, ReasonUnknownController, ReasonIdentifier, ReasonInternal}
	for _, c := range event.Codes() {
		all = append(all, string(c))
	}
	return all
}
