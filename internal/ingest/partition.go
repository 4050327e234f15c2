package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/trail"
)

// partition is one partition for as long as one generation of the group has
// it assigned to this process.
type partition struct {
	*Ingest
	topic     string
	id        int32
	gen       generation
	committed int64 // Kafka's; only ever raised
	owed      int64 // what a commit failed for; 0 = nothing
	progress  *progress
	log       *slog.Logger
	limits    Limits                 // its share
	batches   int                    // how many are held at a time
	rejected  map[int64]*event.Fault // of the range that is to be done again
}

// run works until ctx ends, beginning anew after every failure. It must not
// return before: that would end the generation for all partitions.
func (p *partition) run(ctx context.Context) {
	p.progress.set(Running, nil)
	wait := newBackoff(p.cfg.Limits.Backoff)
	for ctx.Err() == nil {
		began := p.progress.stored()
		err := p.session(ctx)
		if ctx.Err() != nil {
			break
		}
		if p.progress.stored() != began { // it went on for a while
			wait = newBackoff(p.cfg.Limits.Backoff)
		}
		p.progress.set(Stalled, err)
		level := slog.LevelWarn // a leader moves, a server restarts: it will pass
		if errors.Is(err, trail.ErrStateUnknown) || wait.next == wait.longest {
			level = slog.LevelError
		}
		p.log.Log(ctx, level, "the partition is stopped and begins anew from the trail's position", slog.Any("error", err), slog.Duration("wait", wait.next))
		if wait.sleep(ctx) != nil {
			break
		}
	}
	p.progress.set(Released, nil)
}

// session asks the trail where to go on, does again what the journal has begun,
// and goes on until ctx ends or something fails. A crash anywhere in it leaves
// at most one range in the journal that is not all in the tables.
func (p *partition) session(ctx context.Context) error {
	f := &fetcher{log: p.source.log(p.topic, p.id, p.limits.FetchBytes), progress: p.progress, metrics: p.metrics}
	first, end, err := f.log.offsets(ctx)
	if err != nil {
		return err
	}
	p.progress.ends(end)
	next, pending, err := p.cfg.Trail.Position(ctx, p.topic, p.id)
	if err != nil {
		return fmt.Errorf("ask the trail for its position: %w", err)
	}
	asked := time.Now()
	known := next >= 0
	next = max(0, next)
	p.progress.begin(next)
	if next > end || pending != nil && pending.Last >= end {
		return fmt.Errorf("the trail is at offset %d but Kafka's log ends at %d: the topic was made anew, or Kafka lost records; "+
			"restore the topic, or use another topic name", next, end)
	}
	if err := p.loader.ensure(ctx, p.topic, p.id, next, asked); err != nil {
		return err
	}
	j, err := p.newJudge(ctx, p.topic, p.id, next)
	if err != nil {
		return err
	}
	j.rejected = p.rejected
	p.progress.set(Running, nil)
	if pending == nil {
		p.commit(ctx, next)
	} else {
		p.log.WarnContext(ctx, "doing again a range that was begun", slog.String("range", pending.String()), slog.Int("attempt", int(pending.Attempt)))
		b := p.batcher(j)
		b.exact, b.until, b.stored = true, pending.Last, pending.Stored
		if err := p.pipeline(ctx, f, b, next, first, known); err != nil {
			return fmt.Errorf("do range %s again: %w", pending.Range, err)
		}
		next = pending.Last + 1
		p.rejected, j.rejected = nil, nil
	}
	return p.pipeline(ctx, f, p.batcher(j), next, first, known)
}

func (p *partition) batcher(j *judge) *batcher {
	return &batcher{limits: p.limits, judge: j, now: p.cfg.Now, registers: p.cfg.Registers, metrics: p.metrics, poison: p.poison, until: everything}
}

// pipeline runs the three stages over the offsets from next on, up to b.until.
// first is where the log begins: what lies before it is a gap.
func (p *partition) pipeline(ctx context.Context, f *fetcher, b *batcher, next, first int64, known bool) error {
	const chunks = 2 // one at work, one being filled
	freeChunks, fetched := make(chan *chunk, chunks+1), make(chan *chunk)
	freeBatches, judged := make(chan *batch, p.batches), make(chan *batch)
	for range chunks {
		freeChunks <- new(chunk)
	}
	for range p.batches {
		freeBatches <- newBatch()
	}
	g, ctx := errgroup.WithContext(ctx)
	from := next
	g.Go(func() error {
		if until := min(first-1, b.until); until >= from {
			p.lost(ctx, from, until, known)
			c := new(chunk)
			c.reset(from)
			c.gapTo(until+1, GapDeleted)
			from = c.next
			select {
			case fetched <- c:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return f.run(ctx, from, b.until, freeChunks, fetched)
	})
	g.Go(func() error { return b.run(ctx, next, fetched, freeChunks, freeBatches, judged) })
	g.Go(func() error {
		for {
			var owed <-chan time.Time
			if p.owed > 0 {
				owed = time.After(commitAgain)
			}
			select {
			case batch, more := <-judged:
				if !more {
					return nil
				}
				if err := p.write(ctx, batch, b.exact); err != nil {
					return err
				}
				freeBatches <- batch
			case <-owed:
				p.commit(ctx, p.owed)
			}
		}
	})
	if err := g.Wait(); err != nil {
		return err
	}
	return b.failed
}

// lost tells of events that nobody will ever see.
func (p *partition) lost(ctx context.Context, first, last int64, known bool) {
	if known {
		p.log.ErrorContext(ctx, "events were deleted from Kafka before they were read: the trail has a gap", slog.Int64("first", first), slog.Int64("last", last))
		return
	}
	p.log.WarnContext(ctx, "the topic's first events were deleted before the trail began: recorded as a gap", slog.Int64("first", first), slog.Int64("last", last))
}

// write inserts a batch and commits its offsets. An insert that is under way
// when ctx ends may go on for a while: it is nearly always better to know its
// outcome than to leave it to the next owner of the partition.
func (p *partition) write(ctx context.Context, b *batch, again bool) (failed error) {
	b.endGap()
	r := trail.Range{Topic: p.topic, Partition: p.id, First: b.first, Last: b.next - 1}
	ctx, traced := p.trace(ctx, b, again)
	defer func() { traced.end(failed != nil) }()
	if err := ctx.Err(); err != nil {
		return err // nothing is begun
	}
	linger, cancel := p.linger(ctx)
	defer cancel()
	if err := p.cfg.Trail.Insert(linger, r, b.stored, b.blocks); err != nil {
		p.metrics.unclear(ctx, err)
		p.reject(err)
		return fmt.Errorf("write %d rows: %w", b.rows, err)
	}
	traced.stored(time.Now())
	p.loader.learnt(p.topic, p.id, b.next)
	p.progress.add(b)
	p.metrics.batch(ctx, p.topic, b)
	began := time.Now()
	p.commit(ctx, b.next)
	traced.stage("commit", interval{began, time.Now()})
	return nil
}

// reject notes the events that ClickHouse does not take: when the range is done
// again, which comes next, they go to the quarantine and the rest to the trail.
func (p *partition) reject(err error) {
	var refused *trail.RefusedError
	if !errors.As(err, &refused) {
		return
	}
	rejected := maps.Clone(p.rejected) // the judge reads the old one
	if rejected == nil {
		rejected = make(map[int64]*event.Fault)
	}
	for _, offset := range refused.Offsets {
		rejected[offset] = &event.Fault{
			Code: ReasonRejected, Got: fmt.Sprintf("an event that ClickHouse does not take (%s, code %d)", refused.Name, refused.Code),
			Want: "an event that fits the table trail", Mend: "look at the table's constraints and at what was added to its columns and indexes, then replay",
		}
	}
	p.rejected = rejected
}

// commitAgain is when a commit that failed is tried again, where no event comes
// whose commit covers it.
const commitAgain = 5 * time.Second

// linger is a context that ends a while after ctx does.
func (p *partition) linger(ctx context.Context) (context.Context, context.CancelFunc) {
	lingering, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		t := time.NewTimer(p.cfg.Limits.Drain)
		defer t.Stop()
		select {
		case <-t.C:
			cancel()
		case <-lingering.Done():
		}
	})
	return lingering, func() { stop(); cancel() }
}

// commit tells Kafka that all before next is in the trail. It goes through the
// generation that delivered it: Kafka refuses it where the partition has gone
// to another process. A failure costs nothing, as the trail knows better; but
// whoever looks at the group's lag does not, so it is tried again.
func (p *partition) commit(ctx context.Context, next int64) {
	if next <= p.committed {
		return
	}
	began := time.Now()
	err := p.gen.commit(p.topic, p.id, next)
	if err != nil {
		p.metrics.failed(ctx, "commit")
		p.owed = next
		p.log.WarnContext(ctx, "could not commit; the next commit covers it", slog.Int64("next", next), slog.Any("error", err))
		return
	}
	p.metrics.stage(ctx, "commit", time.Since(began))
	p.committed, p.owed = next, 0
	p.progress.commit(next)
}
