package rejudge

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

// period is a time in which one register of a controller is in force, or none.
type period struct {
	controller  string
	version     string // "" = none
	from, until time.Time
}

// periodsOf cuts the whole of time by a controller's registers, oldest first.
func periodsOf(set *register.Set, controller string) (periods []period) {
	for _, r := range slices.Backward(set.All()) { // of each controller latest first
		if r.Controller.ID != controller {
			continue
		}
		if n := len(periods); n > 0 {
			periods[n-1].until = r.From
		} else {
			periods = append(periods, period{controller: controller, until: r.From})
		}
		periods = append(periods, period{controller: controller, version: r.Version, from: r.From})
	}
	return periods
}

// fingerprint tells the registers of a controller from others.
func fingerprint(periods []period) string {
	h := sha256.New()
	for _, p := range periods {
		fmt.Fprintf(h, "%s %d\n", p.version, p.from.UnixMilli())
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:16])
}

// registers judges again what was judged under other registers than those in
// force now, by whichever process: one that has not heard of the change yet may
// bring more of it, so that this goes on with the trail.
func (f *Follower) registers(ctx context.Context, complete map[trail.Partition]int64) error {
	set := f.cfg.Registers()
	f.glanced = make(map[span][]trail.Judgement)
	for _, controller := range set.Controllers() {
		periods := periodsOf(set, controller)
		generation, err := f.generation(ctx, controller, fingerprint(periods))
		if err != nil {
			return err
		}
		for _, p := range periods {
			if err := f.period(ctx, set, complete, p, generation, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// generation numbers the registers of a controller.
func (f *Follower) generation(ctx context.Context, controller, print string) (uint32, error) {
	if g, ok := f.generations[controller]; ok && g.fingerprint == print {
		return g.number, nil
	}
	n, err := f.trail.RegisterGeneration(ctx, controller, print)
	if err != nil {
		return 0, err
	}
	if f.generations == nil {
		f.generations = make(map[string]generation)
	}
	f.generations[controller] = generation{print, n}
	return n, nil
}

type generation struct {
	fingerprint string
	number      uint32
}

// task is the mark of a period: looking at it goes on where it has stopped, and
// begins anew when the registers have changed.
func (p *period) task(generation uint32) string {
	return fmt.Sprintf("register %s %d %s %d", p.controller, generation, p.version, p.from.UnixMilli())
}

// period looks through the partitions for events of a period that were judged
// by another register, window by window; all takes in those that were not, and
// leaves no marks.
func (f *Follower) period(ctx context.Context, set *register.Set, complete map[trail.Partition]int64, p period, generation uint32, all bool) (err error) {
	task := p.task(generation)
	done := f.marks[task]
	if all {
		done = make(map[trail.Partition]int64)
	} else if done == nil {
		if done, err = f.trail.Followed(ctx, task); err != nil {
			return err
		}
		if f.marks == nil {
			f.marks = make(map[string]map[trail.Partition]int64)
		}
		f.marks[task] = done
	}
	for _, partition := range slices.SortedFunc(maps.Keys(complete), comparePartitions) {
		saved := done[partition]
		for done[partition] < complete[partition] {
			if err := f.hold(ctx); err != nil {
				return err
			}
			from := done[partition]
			next := min(from+glance, complete[partition])
			outdated := all
			if !all {
				if outdated, err = f.outdated(ctx, partition, from, next, p); err != nil {
					return err
				}
			}
			if outdated {
				next = min(from+f.cfg.Limits.Window, complete[partition])
				if err := f.window(ctx, set, partition, from, next, p, all); err != nil {
					return fmt.Errorf("judge %s again from offset %d of partition %d of %s: %w", p.controller, from, partition.Partition, partition.Topic, err)
				}
			}
			done[partition] = next
			if !all && (outdated || next-saved >= saveEvery) {
				if err := f.trail.SaveFollowed(ctx, task, partition, next); err != nil {
					return err
				}
				saved = next
			}
		}
	}
	return nil
}

// glance is how many offsets are looked at together for whether there is
// anything to do.
const glance = 1_000_000

// span is a run of offsets of a partition.
type span struct {
	trail.Partition
	from, to int64
}

// outdated says whether events of a period between two offsets were judged by
// another register than the period's. What it read serves all periods of the
// round.
func (f *Follower) outdated(ctx context.Context, partition trail.Partition, from, to int64, p period) (bool, error) {
	at := span{partition, from, to}
	judgements, ok := f.glanced[at]
	if !ok {
		var err error
		if judgements, err = f.trail.Judgements(ctx, partition, from, to); err != nil {
			return false, err
		}
		f.glanced[at] = judgements
	}
	return slices.ContainsFunc(judgements, func(j trail.Judgement) bool {
		return j.Controller == p.controller && j.Version != p.version && !j.Last.Before(p.from) && (p.until.IsZero() || j.First.Before(p.until))
	}), nil
}

// window judges again what is outdated between two offsets.
func (f *Follower) window(ctx context.Context, set *register.Set, partition trail.Partition, from, to int64, p period, all bool) error {
	now, err := f.trail.Now(ctx)
	if err != nil {
		return err
	}
	cause := func(row *trail.Row, _ *known, _ func(trail.Judged) bool) string {
		if all && row.RegisterVersion == p.version {
			return trail.CauseCheck
		}
		return trail.CauseRegister(p.version)
	}
	rows := make([]trail.Row, 0, 128)
	for row, err := range f.trail.Outdated(ctx, partition, from, to, p.controller, p.version, p.from, p.until, all) {
		if err != nil {
			return err
		}
		if rows = append(rows, row); len(rows) == f.cfg.Limits.Events {
			if err := f.judge(ctx, set, p.controller, rows, now, cause); err != nil {
				return err
			}
			rows = rows[:0]
			if err := f.hold(ctx); err != nil {
				return err
			}
		}
	}
	return f.judge(ctx, set, p.controller, rows, now, cause)
}
