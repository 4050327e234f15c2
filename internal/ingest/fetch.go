package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"time"
)

// everything is the until of a fetch without an end.
const everything = math.MaxInt64 - 1

// fetcher reads one partition.
type fetcher struct {
	log      partitionLog
	progress *progress
	metrics  *metrics
	idle     int // fetches in a row that brought nothing where there is something
}

// run fetches from next on, up to and with until, into chunks from free, and
// hands them on in order. What fails it hands on, too, behind what was fetched
// before: that is judged and written first, so that a record that cannot be
// read holds up only what comes after it.
func (f *fetcher) run(ctx context.Context, next, until int64, free <-chan *chunk, out chan<- *chunk) error {
	for next <= until {
		var c *chunk
		select {
		case c = <-free:
		case <-ctx.Done():
			return ctx.Err()
		}
		c.reset(next)
		c.failed = f.fetch(ctx, c, until)
		next = c.next
		failed := c.failed // c is another's once it is handed on
		select {
		case out <- c:
		case <-ctx.Done():
			return ctx.Err()
		}
		if failed != nil {
			return nil
		}
	}
	return nil
}

// maxIdle is how many fetches in a row may bring nothing although there is
// something: one may, where the log grew meanwhile.
const maxIdle = 10

func (f *fetcher) fetch(ctx context.Context, c *chunk, until int64) error {
	began, next := time.Now(), c.next
	end, err := f.log.fetch(ctx, c, until)
	if err != nil {
		return err
	}
	if len(c.items) > 0 {
		c.when = interval{began, time.Now()}
		f.metrics.stage(ctx, "fetch", c.when.ended.Sub(began))
		f.progress.hold(c.bytes)
	}
	f.progress.ends(end)
	c.behind = c.next < end
	if c.next > next || next >= end {
		f.idle = 0
		return nil
	}
	if f.idle++; f.idle >= maxIdle {
		return fmt.Errorf("%w: Kafka says that there are records from offset %d up to %d, and gives none", errUnreadable, next, end-1)
	}
	return nil
}

// errUnreadable says that Kafka has something at an offset that is no record:
// its disk, or something between, has changed it. Trying again may help, where
// another replica takes over; otherwise a person must decide.
var errUnreadable = errors.New("the log cannot be read here")

// errOutOfRange says that the log begins after, or ends before, the position.
// Beginning anew tells which.
var errOutOfRange = errors.New("the log has changed")

// waitTopics waits until all topics exist: a group that joins for a topic that
// does not would rejoin without end.
func (i *Ingest) waitTopics(ctx context.Context) error {
	wait := newBackoff(i.cfg.Limits.Backoff)
	for {
		missing, err := i.source.missing(ctx)
		if err == nil && len(missing) == 0 {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			i.log.WarnContext(ctx, "cannot reach Kafka, trying again", slog.Any("error", err))
		} else {
			i.log.WarnContext(ctx, "waiting for topics to be made", slog.String("topics", strings.Join(missing, ",")))
		}
		if err := wait.sleep(ctx); err != nil {
			return err
		}
	}
}

// backoff waits longer each time.
type backoff struct{ next, longest time.Duration }

func newBackoff(longest time.Duration) *backoff {
	return &backoff{next: min(100*time.Millisecond, longest), longest: longest}
}

func (b *backoff) sleep(ctx context.Context) error {
	t := time.NewTimer(b.next)
	defer t.Stop()
	b.next = min(2*b.next, b.longest)
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
