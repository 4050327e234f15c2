package ingest

import (
	"context"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
	"github.com/andmerada/andmerada/internal/verdict"
)

// ReasonRejected is the quarantine's reason for an event that ClickHouse does not
// take for what is in it.
const ReasonRejected = "rejected-by-store"

// batch is a contiguous range of offsets and what it became.
type batch struct {
	blocks      *trail.Blocks
	first, next int64     // the range, next not included
	stored      time.Time // the date of all of its rows
	rows, bytes int

	events      uint64
	verdicts    [verdict.Violation + 1]uint64 // rows by outcome
	quarantined map[string]uint64             // by reason
	told        account

	gap    trail.Gap // the last one, which may still grow
	poison *poison   // nil = all is kept
}

func newBatch() *batch {
	return &batch{blocks: trail.NewBlocks(), quarantined: make(map[string]uint64), told: newAccount()}
}

func (b *batch) begin(first int64, stored time.Time) {
	blocks, quarantined, told := b.blocks, b.quarantined, b.told
	blocks.Reset()
	clear(quarantined)
	told.reset()
	// Milliseconds, as the trail keeps them: done again from the journal it is the same.
	*b = batch{blocks: blocks, quarantined: quarantined, told: told, first: first, next: first, stored: stored.UTC().Truncate(time.Millisecond)}
}

func (b *batch) trail(r *trail.Row) {
	b.blocks.Trail.Append(r)
	b.rows++
	b.verdicts[r.Verdict]++
	b.told.row(r)
}

func (b *batch) member(m *trail.Member) {
	b.blocks.Members.Append(m)
	b.rows++
}

func (b *batch) quarantine(q *trail.QuarantineRow) {
	if !b.poison.keep(q.Reason, q.Source, len(q.Sealed)) {
		kept := *q
		kept.Sealed, kept.Detail = nil, q.Detail+elsewhere
		q = &kept
	}
	b.blocks.Quarantine.Append(q)
	b.rows++
	b.quarantined[q.Reason]++
	b.told.refused[refusedAs{q.Reason, q.Source}]++
}

// add takes in the item at b.next. Where the schema of a record must be asked
// for first, it takes in nothing and says so.
func (b *batch) add(it *item, j *judge) error {
	if it.gap != "" {
		b.addGap(it)
		return nil
	}
	b.endGap()
	refused := b.blocks.Quarantine.Rows()
	if fault := j.rejected[it.Offset]; fault != nil {
		j.body = it.Append(j.body[:0])
		j.refuse(&it.Record, nil, fault, bodyHash(j.body), b)
		b.blocks.Refused++
	} else if err := j.record(&it.Record, b.stored, b); err != nil {
		return err
	}
	b.told.record(&it.Record, &j.event, b.blocks.Quarantine.Rows() > refused)
	b.events++
	b.bytes += size(&it.Record)
	b.next = it.Offset + 1
	return nil
}

// size is about what a record takes on the wire.
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
	b.told.gaps[it.gap] += it.last - it.Offset + 1
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
	poison    *poison

	// A range that the journal has is done again as it is: until its last
	// offset, under its stored date, whatever the limits.
	exact  bool
	until  int64
	stored time.Time

	batch  *batch
	began  time.Time // when the batch did
	sent   time.Time // when the last batch went out
	behind bool      // the log has more than was fetched
	failed error     // why nothing comes any more, where it is not for the end of ctx
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
	return !b.exact && (b.batch.rows >= b.limits.Rows || b.batch.blocks.Bytes() >= b.limits.Bytes)
}

// run judges what comes in. A batch goes out when it is full, and otherwise as
// soon as the last one is an age ago and the writer is free: so an event after
// a silence is in the trail at once, and a trickle of events makes no more than
// one batch an age. While there is a backlog it waits longer to be full. Where
// fetching has failed, what came before goes out, and b.failed says why.
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
			if b.batch != nil {
				b.batch.told.fetch.cover(c.when.began, c.when.ended)
			}
			for i := range c.items {
				if b.batch == nil {
					if err := b.begin(ctx, next, free); err != nil {
						return err
					}
					b.batch.told.fetch.cover(c.when.began, c.when.ended)
				}
				err := b.batch.add(&c.items[i], b.judge)
				for ; err != nil; err = b.batch.add(&c.items[i], b.judge) {
					if next, err = b.await(ctx, next, err, free, out); err != nil {
						return err
					}
				}
				if b.full() {
					b.batch.told.judge.cover(b.began, time.Now())
					if next, err = b.send(ctx, out); err != nil {
						return err
					}
				}
			}
			if len(c.items) > 0 {
				b.metrics.stage(ctx, "judge", time.Since(began))
				if b.batch != nil {
					b.batch.told.judge.cover(b.began, time.Now())
				}
			}
			after, failed := c.next, c.failed
			done <- c // has room for all chunks
			ends := after > b.until
			if b.batch != nil && (ends || failed != nil && !b.exact) {
				if _, err := b.send(ctx, out); err != nil {
					return err
				}
			}
			if ends || failed != nil {
				b.failed = failed
				return nil
			}
		}
	}
}

// send hands the batch on, and says where the next one begins.
func (b *batcher) send(ctx context.Context, out chan<- *batch) (next int64, err error) {
	select {
	case out <- b.batch:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	next, b.batch, b.sent = b.batch.next, nil, time.Now()
	return next, nil
}

// await waits for the schema of the record that comes next. That may take long,
// so what is judged goes out first.
func (b *batcher) await(ctx context.Context, next int64, unknown error, free <-chan *batch, out chan<- *batch) (int64, error) {
	if !b.exact && b.batch.next > b.batch.first {
		var err error
		if next, err = b.send(ctx, out); err != nil {
			return 0, err
		}
	}
	if err := b.judge.schemas.await(ctx, unknown); err != nil {
		return 0, err
	}
	if b.batch == nil {
		return next, b.begin(ctx, next, free)
	}
	return next, nil
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
	b.judge.schemas.begin()
	b.began = time.Now()
	b.batch.begin(first, stored)
	b.batch.poison = b.poison
	return nil
}

var _ sink = (*batch)(nil)

// Reasons lists every reason that a record can be quarantined for.
func Reasons() []string {
	all := []string{ReasonEmpty, ReasonTime, ReasonUnknownController, ReasonIdentifier, ReasonInternal, ReasonRejected}
	for _, c := range event.Codes() {
		all = append(all, string(c))
	}
	return all
}
