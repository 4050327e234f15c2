package findings

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

// Sink is where findings are told: a Kafka topic, a webhook, a terminal. When
// Publish returns without an error, all of the messages have arrived.
type Sink interface {
	// Name tells sinks apart: each has a position of its own.
	Name() string
	Publish(ctx context.Context, messages []Message) error
}

// Config says what to tell, and to whom. Trail, Registers and Sink are required.
type Config struct {
	Trail      *trail.DB
	Registers  func() *register.Set
	Sink       Sink
	Violations bool         // tell violations only; reviews as well if false
	Controller string       // tell findings of this controller only; of all if empty
	Logger     *slog.Logger // discards if nil
	Batch      int          // findings told together, 500 if 0; at least 128
	Interval   time.Duration
	// Settle is how old a verdict that was given again has to be: such verdicts
	// are told in the order of their time, so that none must come in behind.
	// Five minutes if 0: longer than a write is tried for.
	Settle time.Duration
	Now    func() time.Time // time.Now if nil
}

// Follower tells findings. One goroutine at a time may use it.
type Follower struct {
	cfg    Config
	log    *slog.Logger
	lease  *trail.Lease
	told   atomic.Int64
	failed atomic.Int64
}

// ErrHeld says that another process tells the sink its findings at present.
var ErrHeld = errors.New("another process tells these findings at present")

// leaseFor is how long a process that has died keeps others waiting.
const leaseFor = 30 * time.Second

// New makes a follower; nothing is read before Run or Once.
func New(cfg Config) (*Follower, error) {
	if cfg.Trail == nil || cfg.Registers == nil || cfg.Sink == nil {
		return nil, errors.New("findings: the trail, the registers and the sink must be given")
	}
	if cfg.Batch == 0 {
		cfg.Batch = 500
	}
	cfg.Batch = max(cfg.Batch, 128) // an event has at most 100 rows: a batch takes in whole events
	if cfg.Interval == 0 {
		cfg.Interval = 2 * time.Second
	}
	if cfg.Settle == 0 {
		cfg.Settle = 5 * time.Minute
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Follower{cfg: cfg, log: cfg.Logger, lease: cfg.Trail.NewLease(task(cfg.Sink))}, nil
}

func task(s Sink) string { return "findings " + s.Name() }

// hold takes the lease, or prolongs it: one process at a time tells a sink.
func (f *Follower) hold(ctx context.Context) error {
	if f.lease.Held(leaseFor / 2) {
		return nil
	}
	ok, err := f.lease.Take(ctx, leaseFor)
	if err == nil && !ok {
		return ErrHeld
	}
	return err
}

// release lets another process tell, at once.
func (f *Follower) release(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return f.lease.Release(ctx)
}

// Told is how many findings were told since the follower was made.
func (f *Follower) Told() int64 { return f.told.Load() }

// Failures is how many rounds have failed since the follower was made; what they
// left is told in a later one.
func (f *Follower) Failures() int64 { return f.failed.Load() }

// Run tells findings until ctx ends, through whatever fails meanwhile, and
// returns nil.
func (f *Follower) Run(ctx context.Context) error {
	failures := 0
	for {
		wait := f.cfg.Interval
		switch err := f.round(ctx); {
		case ctx.Err() != nil:
			if err := f.release(ctx); err != nil {
				f.log.Warn("the lease to tell findings was not given up: another process waits for its end", slog.Any("error", err))
			}
			return nil
		case err == nil, errors.Is(err, ErrHeld):
			failures = 0
		default:
			failures++
			f.failed.Add(1)
			wait = min(wait<<min(failures, 5), time.Minute)
			f.log.WarnContext(ctx, "findings cannot be told, trying again", slog.String("sink", f.cfg.Sink.Name()), slog.Any("error", err), slog.Duration("in", wait))
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// Once tells all findings that are in the trail now and were not told before.
// [ErrHeld] says that another process is at it.
func (f *Follower) Once(ctx context.Context) error {
	return errors.Join(f.round(ctx), f.release(ctx))
}

func (f *Follower) round(ctx context.Context) error {
	if err := f.hold(ctx); err != nil {
		return err
	}
	task := task(f.cfg.Sink)
	position, err := f.cfg.Trail.Followed(ctx, task)
	if err != nil {
		return err
	}
	partitions, err := f.cfg.Trail.Partitions(ctx)
	if err != nil {
		return err
	}
	for _, p := range partitions {
		complete, err := f.cfg.Trail.Complete(ctx, p)
		if err != nil {
			return err
		}
		if err := f.partition(ctx, task, p, position[p], complete); err != nil {
			return err
		}
	}
	return f.again(ctx, task, position[againAt])
}

// partition tells the first judgements of a partition.
func (f *Follower) partition(ctx context.Context, task string, p trail.Partition, from, to int64) error {
	for from < to {
		if err := f.hold(ctx); err != nil {
			return err
		}
		var rows []trail.Row
		for row, err := range f.cfg.Trail.FindingsBetween(ctx, p, from, to, f.cfg.Batch) {
			if err != nil {
				return err
			}
			rows = append(rows, row)
		}
		next := to
		if len(rows) == f.cfg.Batch {
			// The last event may have more rows than were read.
			next = rows[len(rows)-1].Offset
			for rows[len(rows)-1].Offset == next {
				rows = rows[:len(rows)-1]
			}
		}
		var messages []Message
		set := f.cfg.Registers()
		for i := range rows {
			if !f.wanted(&rows[i], rows[i].Verdict) {
				continue
			}
			m, err := newMessage(&rows[i], "", set)
			if err != nil {
				return err
			}
			messages = append(messages, m)
		}
		if err := f.publish(ctx, messages); err != nil {
			return err
		}
		// A crash right here tells these once more, under the same ids.
		if err := f.cfg.Trail.SaveFollowed(ctx, task, p, next); err != nil {
			return err
		}
		from = next
	}
	return nil
}

func (f *Follower) wanted(row *trail.Row, worst register.Outcome) bool {
	return (f.cfg.Controller == "" || row.Controller == f.cfg.Controller) && (worst == register.Violation || worst == register.Review && !f.cfg.Violations)
}

func (f *Follower) publish(ctx context.Context, messages []Message) error {
	if len(messages) == 0 {
		return nil
	}
	if err := f.cfg.Sink.Publish(ctx, messages); err != nil {
		return fmt.Errorf("tell %d findings: %w", len(messages), err)
	}
	f.told.Add(int64(len(messages)))
	return nil
}

// againAt stands for the verdicts given again, whose position is a time in Unix
// milliseconds. No topic has an empty name.
var againAt = trail.Partition{}

// again tells the verdicts that were given again, in the order of their time.
func (f *Follower) again(ctx context.Context, task string, position int64) error {
	until := f.cfg.Now().Add(-f.cfg.Settle)
	var messages []Message
	set := f.cfg.Registers()
	last := position
	flush := func(upTo int64) error {
		if err := f.hold(ctx); err != nil {
			return err
		}
		if err := f.publish(ctx, messages); err != nil {
			return err
		}
		messages = messages[:0]
		if upTo <= position {
			return nil
		}
		position = upTo
		return f.cfg.Trail.SaveFollowed(ctx, task, againAt, upTo)
	}
	for row, err := range f.cfg.Trail.VerdictsAgain(ctx, time.UnixMilli(position), until) {
		if err != nil {
			return err
		}
		// All verdicts of one moment belong together.
		if at := row.JudgedAt.UnixMilli(); at != last && len(messages) >= f.cfg.Batch {
			if err := flush(last); err != nil {
				return err
			}
		}
		last = row.JudgedAt.UnixMilli()
		before, ok, err := f.cfg.Trail.VerdictBefore(ctx, &row)
		if err != nil {
			return err
		}
		if !f.wanted(&row, max(row.Verdict, before)) {
			continue
		}
		was := ""
		if ok {
			was = before.String()
		}
		m, err := newMessage(&row, was, set)
		if err != nil {
			return err
		}
		messages = append(messages, m)
	}
	return flush(last)
}
