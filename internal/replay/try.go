package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
	"github.com/andmerada/andmerada/internal/verdict"
)

// Question asks which verdicts a draft would change.
type Question struct {
	Trail   *trail.DB
	Facts   *facts.Store  // all that is known
	Current *register.Set // what is in force
	// Draft is what might be. Events of its controllers are judged again, and
	// of no others.
	Draft *register.Set
	// AsDated holds each event against the register of Draft that is in force
	// at its time. Else the latest of each controller is held against every
	// event, whatever its date: it is in force from next month, say, and the
	// events that there are to try it on are last month's.
	AsDated bool

	Topic       string    // of the events; all if empty
	Controllers []string  // of Draft's; all if empty
	From, To    time.Time // of the events' own time: From included, To not; zero = open
	Examples    int       // how many to name of each change
	Workers     int       // how many judge at once; one a core if 0

	// Progress, if given, is told now and then how far it is, by any worker.
	Progress func(done, total uint64)
}

// spanOffsets is how many offsets one worker reads at a time: few enough that
// workers end together.
const spanOffsets = 100_000

// Try judges the events of the trail again, each under the registers in force
// and under a draft, by all that is known now, and tells which verdicts differ.
// What is stored while it runs is not looked at. It writes nothing.
func Try(ctx context.Context, q Question) (*Result, error) {
	t, err := newTrial(&q)
	if err != nil {
		return nil, err
	}
	scope := trail.ReplayScope{Topic: q.Topic, Controllers: t.controllers, From: q.From, To: q.To}
	spans, err := q.Trail.ReplaySpans(ctx, scope, spanOffsets)
	if err != nil {
		return nil, err
	}
	var total uint64
	for _, s := range spans {
		total += s.Rows
	}
	workers := min(cmp.Or(q.Workers, runtime.GOMAXPROCS(0)), max(1, len(spans)))
	tallies := make([]*tally, workers)
	var next, done atomic.Int64
	g, running := errgroup.WithContext(ctx)
	for i := range tallies {
		w := &worker{trial: t, work: newWork(q.Facts), tally: newTally(&q)}
		tallies[i] = w.tally
		g.Go(func() error {
			for running.Err() == nil {
				n := int(next.Add(1)) - 1
				if n >= len(spans) {
					return nil
				}
				reported := w.tally.verdicts
				report := func() {
					if q.Progress != nil {
						q.Progress(uint64(done.Add(int64(w.tally.verdicts-reported))), total)
					}
					reported = w.tally.verdicts
				}
				err := q.Trail.Replay(running, scope, spans[n], func(row *trail.Row) error {
					if w.tally.verdicts-reported == reportEvery {
						report()
					}
					return w.row(row)
				})
				if err != nil {
					return err
				}
				report()
			}
			return running.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	all := tallies[0]
	for _, other := range tallies[1:] {
		all.merge(other)
	}
	if err := all.cohorts(ctx, q.Trail); err != nil {
		return nil, err
	}
	return t.result(all), nil
}

const reportEvery = 10_000

// trial is a question, looked through.
type trial struct {
	*Question
	controllers []string
	drafts      map[string]*register.Register // the latest of each controller; nil if as dated
}

// ErrNothingToTry says that a draft has no register of a controller asked for.
var ErrNothingToTry = errors.New("the draft has no register of that controller")

func newTrial(q *Question) (*trial, error) {
	t := &trial{Question: q, controllers: q.Controllers}
	if len(t.controllers) == 0 {
		t.controllers = q.Draft.Controllers()
	}
	for _, c := range t.controllers {
		if !slices.Contains(q.Draft.Controllers(), c) {
			return nil, fmt.Errorf("%w: %q", ErrNothingToTry, c)
		}
	}
	if len(t.controllers) == 0 {
		return nil, ErrNothingToTry
	}
	if !q.AsDated {
		t.drafts = make(map[string]*register.Register)
		for _, r := range q.Draft.All() { // latest first
			if t.drafts[r.Controller.ID] == nil {
				t.drafts[r.Controller.ID] = r
			}
		}
	}
	return t, nil
}

// draft is what an event is held against, nil if nothing is in force.
func (t *trial) draft(controller string, at time.Time) *register.Register {
	if t.drafts != nil {
		return t.drafts[controller]
	}
	return inForce(t.Draft, controller, at)
}

// inForce is the register in force, nil if there is none, or none yet.
func inForce(set *register.Set, controller string, at time.Time) *register.Register {
	r, err := set.For(controller, at)
	if err != nil {
		return nil
	}
	return r
}

// worker judges rows.
type worker struct {
	*trial
	work          *work
	before, after verdict.Verdict
	tally         *tally
}

func (w *worker) row(row *trail.Row) error {
	if err := w.work.recall(row); err != nil {
		return err
	}
	current, draft := inForce(w.Current, row.Controller, row.Time), w.draft(row.Controller, row.Time)
	w.work.judge(&w.before, current)
	if draft == current || draft != nil && current != nil && draft.Version == current.Version {
		w.tally.add(row, &w.before, &w.before)
		return nil
	}
	w.work.judge(&w.after, draft)
	w.tally.add(row, &w.before, &w.after)
	return nil
}
