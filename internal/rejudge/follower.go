package rejudge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

// ErrHeld says that another process judges again at present.
var ErrHeld = errors.New("another process judges again at present")

// Config says what to follow. Trail and Registers are required.
type Config struct {
	Trail     *trail.DB
	Registers func() *register.Set // asked for in each round, so that registers can be replaced
	Logger    *slog.Logger         // discards if nil
	Limits    Limits
}

// Limits bound what is held in memory and how long things wait. The zero value
// of each is its default.
type Limits struct {
	Facts    int           // rows of facts looked at together, 4096
	Events   int           // rows of events judged together, 4096
	Window   int64         // offsets of a partition that are looked at together for a register, 20,000
	Interval time.Duration // between rounds, 2 s
	Settle   time.Duration // how long a fact must have been in the trail before it is followed, 5 s; Once does not wait
	Lease    time.Duration // after so long without a sign another process takes over, 30 s
}

func (c *Config) fill() error {
	if c.Trail == nil || c.Registers == nil {
		return errors.New("rejudge: the trail and the registers must be given")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	l := &c.Limits
	byDefault(&l.Facts, 4096)
	byDefault(&l.Events, 4096)
	byDefault(&l.Window, 20_000)
	byDefault(&l.Interval, 2*time.Second)
	byDefault(&l.Settle, 5*time.Second)
	byDefault(&l.Lease, 30*time.Second)
	// An event has at most 100 rows; a batch takes in whole events.
	l.Facts, l.Events = max(l.Facts, 128), max(l.Events, 128)
	return nil
}

func byDefault[T int | int64 | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

// Follower judges again what late facts and changed registers touch. One
// round is at work at a time.
type Follower struct {
	cfg   Config
	trail *trail.DB
	log   *slog.Logger
	lease *trail.Lease
	stats counters

	seen     []sighting                // not long ago, oldest first
	position map[trail.Partition]int64 // of the task of following facts
	named    named

	generations map[string]generation                // of the registers, by controller
	marks       map[string]map[trail.Partition]int64 // how far each task of a register has come
	glanced     map[span][]trail.Judgement           // of this round
}

// New prepares a follower; nothing is read before Run or Once.
func New(cfg Config) (*Follower, error) {
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	return &Follower{cfg: cfg, trail: cfg.Trail, log: cfg.Logger, lease: cfg.Trail.NewLease("judge again")}, nil
}

// Run follows until ctx ends, through whatever fails meanwhile, and returns nil.
// While another process follows it waits.
func (f *Follower) Run(ctx context.Context) error {
	f.log.InfoContext(ctx, "judging again begins")
	failures := 0
	for {
		err := f.round(ctx, false)
		switch {
		case ctx.Err() != nil:
			stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			if err := f.lease.Release(stop); err != nil {
				f.log.Warn("the lease to judge again was not given up: another process waits for its end", slog.Any("error", err))
			}
			f.log.Info("judging again has stopped")
			return nil
		case err == nil, errors.Is(err, ErrHeld):
			failures = 0
		default:
			failures++
			f.forget()
			f.log.WarnContext(ctx, "judging again failed, trying again", slog.Any("error", err))
		}
		wait := f.cfg.Limits.Interval
		if failures > 0 {
			wait = min(wait<<min(failures, 5), time.Minute)
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// Once looks at all that is in the trail now and returns. [ErrHeld] says that
// another process is at it.
func (f *Follower) Once(ctx context.Context) error {
	err := f.round(ctx, true)
	if err != nil {
		f.forget()
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return errors.Join(err, f.lease.Release(stop))
}

// Check judges all events of a controller again, whatever was looked at before.
func (f *Follower) Check(ctx context.Context, controller string) error {
	err := f.check(ctx, controller)
	f.forget()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return errors.Join(err, f.lease.Release(stop))
}

func (f *Follower) check(ctx context.Context, controller string) error {
	if err := f.hold(ctx); err != nil {
		return err
	}
	set := f.cfg.Registers()
	periods := periodsOf(set, controller)
	if len(periods) == 0 {
		return fmt.Errorf("judge the events of a controller again: %w: there are %q", register.ErrUnknownController, set.Controllers())
	}
	complete, err := f.complete(ctx)
	if err != nil {
		return err
	}
	for _, p := range periods {
		if err := f.period(ctx, set, complete, p, 0, true); err != nil {
			return err
		}
	}
	return nil
}

// forget drops what was remembered: it is read anew in the next round. After a
// failure, or while another process was at work, it may be behind.
func (f *Follower) forget() {
	f.seen, f.position, f.named, f.generations, f.marks = nil, nil, named{}, nil, nil
}

// hold takes the lease, or prolongs it if half of it is over.
func (f *Follower) hold(ctx context.Context) error {
	if f.lease.Held(f.cfg.Limits.Lease / 2) {
		return nil
	}
	had := f.lease.Held(0)
	ok, err := f.lease.Take(ctx, f.cfg.Limits.Lease)
	switch {
	case err != nil:
		return err
	case !ok:
		f.forget()
		return ErrHeld
	case !had:
		f.forget()
	}
	return nil
}

// round does what there is to do: first what changed registers ask for, so that
// what is changed by facts after it is theirs; then facts.
func (f *Follower) round(ctx context.Context, now bool) error {
	if err := f.hold(ctx); err != nil {
		return err
	}
	complete, err := f.complete(ctx)
	if err != nil {
		return err
	}
	ready := f.settled(complete)
	if now {
		ready = complete
	}
	if err := f.registers(ctx, complete); err != nil {
		return err
	}
	return f.facts(ctx, ready)
}

// sighting is how far the partitions were complete at some time.
type sighting struct {
	at       time.Time
	complete map[trail.Partition]int64
}

// settled is how far the partitions were complete some seconds ago. By now the
// trail has what ingest knew only in its memory then, and the events that it
// judged before it knew the facts.
func (f *Follower) settled(complete map[trail.Partition]int64) (ready map[trail.Partition]int64) {
	now := time.Now()
	f.seen = append(f.seen, sighting{now, complete})
	for len(f.seen) > 1 && now.Sub(f.seen[1].at) >= f.cfg.Limits.Settle {
		f.seen = f.seen[1:]
	}
	if now.Sub(f.seen[0].at) < f.cfg.Limits.Settle {
		return nil
	}
	return f.seen[0].complete
}

func (f *Follower) complete(ctx context.Context) (map[trail.Partition]int64, error) {
	partitions, err := f.trail.Partitions(ctx)
	if err != nil {
		return nil, err
	}
	complete := make(map[trail.Partition]int64, len(partitions))
	for _, p := range partitions {
		if complete[p], err = f.trail.Complete(ctx, p); err != nil {
			return nil, fmt.Errorf("see how far partition %d of %s goes: %w", p.Partition, p.Topic, err)
		}
	}
	return complete, nil
}
