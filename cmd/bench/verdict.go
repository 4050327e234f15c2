package main

import (
	"context"
	"slices"
	"testing"
	"time"

	registers "github.com/andmerada/andmerada/deploy/registers"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/verdict"
)

// verdictResult is what one verdict costs, on one core.
type verdictResult struct {
	Verdicts int     `json:"verdicts"`
	Judge    float64 `json:"judge_ns"` // the verdict alone, on facts that are recalled already: the median of the events
	P99      float64 `json:"judge_p99_ns"`
	Allocs   float64 `json:"judge_allocations"`
	Load     float64 `json:"load_ms"`   // loading all registers that come with the program
	Recall   float64 `json:"recall_ns"` // recalling the facts of the time
}

// question is a verdict to be given.
type question struct {
	register *register.Register
	event    *event.Event
	person   identity.Pseudonym
	known    event.Facts
}

const (
	maxQuestions = 20_000                  // as many events, spread over the past
	measureFor   = 1500 * time.Millisecond // at least
)

// verdicts measures the verdict alone, on the past's own events, one after the
// other.
func (p *place) verdicts(ctx context.Context, r *result) error {
	store := facts.New()
	var questions []question
	var n int64
	every := max(1, p.Events/maxQuestions)
	for ev := range p.past.Events() {
		if n++; n%10_000 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		var persons []identity.Pseudonym
		for _, who := range ev.Persons {
			one, err := p.keys.Pseudonym(ev.Controller, who.Scheme, who.Value)
			if err != nil {
				return err
			}
			persons = append(persons, one)
		}
		if ev.Kind == event.FactEvent {
			store.Learn(ev.Controller, persons, &ev.Fact, facts.Order{Recorded: ev.Time, Topic: "t", Offset: n})
			continue
		}
		if ev.Kind != event.Processing || n%int64(every) != 0 {
			continue
		}
		reg, err := p.registers.For(ev.Controller, ev.Time)
		if err != nil {
			return err
		}
		q := question{register: reg, event: ev}
		if len(persons) > 0 {
			q.person = persons[0]
		}
		questions = append(questions, q)
	}
	reader := store.Reader()
	recall := func(q *question) {
		reader.AsOf(&q.known, q.event.Controller, q.person, q.event.Actor.ID, q.event.Recipient.ID, q.event.Time)
		q.known.Overlay(&q.event.Statements)
	}
	v := &verdictResult{Verdicts: len(questions)}
	var err error
	if v.Recall, err = each(ctx, questions, recall); err != nil {
		return err
	}
	if v.Judge, v.P99, err = spread(ctx, questions); err != nil {
		return err
	}
	var one verdict.Verdict
	v.Allocs = testing.AllocsPerRun(1, func() {
		for i := range questions {
			one.Judge(questions[i].register, questions[i].event, &questions[i].known)
		}
	}) / float64(max(1, len(questions)))
	began := time.Now()
	if _, err := register.Load(registers.FS); err != nil {
		return err
	}
	v.Load = float64(time.Since(began).Microseconds()) / 1000
	p.say("verdict: %.0f ns, p99 %.0f ns, and %.0f ns to recall the facts; all registers load in %.0f ms", v.Judge, v.P99, v.Recall, v.Load)
	r.Verdict = v
	return nil
}

// repeats is how often a verdict is given for one reading of the clock, which
// itself takes some tens of nanoseconds.
const repeats = 64

// spread is the median and the 99th percentile, over the events, of what a
// verdict takes, in nanoseconds; of each event the best of three.
func spread(ctx context.Context, questions []question) (median, p99 float64, err error) {
	took := make([]float64, len(questions))
	var v verdict.Verdict
	for i := range questions {
		if i%1000 == 0 && ctx.Err() != nil {
			return 0, 0, ctx.Err()
		}
		q := &questions[i]
		best := time.Duration(1 << 62)
		for range 3 {
			began := time.Now()
			for range repeats {
				v.Judge(q.register, q.event, &q.known)
			}
			best = min(best, time.Since(began))
		}
		took[i] = float64(best.Nanoseconds()) / repeats
	}
	slices.Sort(took)
	return took[len(took)/2], took[len(took)*99/100], nil
}

// each is how many nanoseconds f takes on one question.
func each(ctx context.Context, questions []question, f func(*question)) (float64, error) {
	for i := range questions { // warm
		f(&questions[i])
	}
	began, n := time.Now(), 0
	for time.Since(began) < measureFor {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		for i := range questions {
			f(&questions[i])
		}
		n += len(questions)
	}
	return float64(time.Since(began).Nanoseconds()) / float64(max(n, 1)), nil
}
