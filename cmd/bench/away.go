package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
)

// awayResult is what ingest does while ClickHouse does not answer.
type awayResult struct {
	Events int           `json:"events"`
	Away   time.Duration `json:"away_ns"`
	Before int64         `json:"peak_bytes_before"`
	Most   int64         `json:"peak_bytes"`
	After  time.Duration `json:"caught_up_ns"` // from when it answers again until all is stored
}

// away stops ClickHouse in the middle of a full load, for a while: its process
// is there and its connections are open, and nothing is answered.
func (p *place) away(ctx context.Context, r *result) (err error) {
	topic, n, err := p.keep(ctx, jsonFormat, partitions, single(p.much))
	if err != nil {
		return err
	}
	database, err := p.prepare(ctx, "away", full)
	if err != nil {
		return err
	}
	c, err := p.startIngest(ctx, database, topic, database)
	if err != nil {
		return err
	}
	defer func() {
		select {
		case <-c.ended:
		default:
			err = errors.Join(err, c.kill())
		}
	}()
	if err := p.waitRows(ctx, c.ended, database+".trail", n/4, tooLong); err != nil {
		return fmt.Errorf("before ClickHouse is stopped: %w", err)
	}
	a := &awayResult{Events: n, Away: p.awayFor, Before: c.peak()}
	if err := p.house.signal(syscall.SIGSTOP); err != nil {
		return fmt.Errorf("stop ClickHouse: %w", err)
	}
	p.say("ClickHouse is stopped for %s", p.awayFor)
	select {
	case <-time.After(p.awayFor):
	case <-ctx.Done():
	case <-c.ended:
	}
	if err := errors.Join(p.house.signal(syscall.SIGCONT), ctx.Err()); err != nil {
		return fmt.Errorf("let ClickHouse go on: %w", err)
	}
	began := time.Now()
	if err := p.waitRows(ctx, c.ended, database+".trail", n, tooLong); err != nil {
		if errors.Is(err, errEnded) {
			return c.failure()
		}
		return fmt.Errorf("after ClickHouse was stopped: %w", err)
	}
	a.After, a.Most = time.Since(began), c.peak()
	if err := c.stop(syscall.SIGTERM); err != nil {
		return err
	}
	if err := p.complete(ctx, database, n); err != nil {
		return err
	}
	p.say("ClickHouse was away for %s: ingest had at most %d MB, %d MB before; all stored %s after", a.Away, a.Most>>20, a.Before>>20, a.After.Round(time.Millisecond))
	r.Away = a
	return p.drop(ctx, database)
}
