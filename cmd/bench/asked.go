package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/event"
)

// askedResult is how long the four people wait for their answers.
type askedResult struct {
	Rows      int             `json:"rows"`
	Persons   int             `json:"persons"`
	Bytes     float64         `json:"bytes_per_row"`
	Questions []askedQuestion `json:"questions"`
	PerSec    float64         `json:"saturated_per_s"`
	Saturated quantiles       `json:"saturated"`
	Growth    []askedPoint    `json:"growth"`
	Beside    []askedBeside   `json:"beside,omitempty"`
}

// askedQuestion is one of the questions, with two asking at once.
type askedQuestion struct {
	Name  string    `json:"question"`
	Goal  float64   `json:"goal_ms"`
	Asked int       `json:"asked"`
	Took  quantiles `json:"took"`
	Found float64   `json:"found"` // events or persons in an answer, on average
}

// askedPoint is what answers take while the trail grows.
type askedPoint struct {
	Rows int                  `json:"rows"`
	Took map[string]quantiles `json:"took"`
}

// asking asks once, of a time and person that it draws, and says how much
// the answer was about.
type asking struct {
	name string
	goal float64 // ms, of the slowest in a hundred
	ask  func(ctx context.Context, rng *rand.Rand) (found int, err error)
}

// Bounds of one question's measure.
const (
	askedMost = 2_000
	askedFor  = 10 * time.Second
)

// questions are those of the goals.
func (p *planted) questions() []asking {
	deps := answer.Deps{Trail: p.db, Registers: p.registers, Keys: p.keys, Now: func() time.Time { return plantedFrom.Add(plantedYear) }}
	person := func(rng *rand.Rand) answer.Request {
		who := pseudonymOf(rng.IntN(p.persons))
		return answer.Request{Controller: p.controller, Person: answer.Person{Scheme: event.PseudonymScheme, Value: hex.EncodeToString(who[:])}}
	}
	day := func(rng *rand.Rand) (from, to string) {
		at := plantedFrom.AddDate(0, 0, 1+rng.IntN(360))
		return at.Format(time.RFC3339), at.Add(24 * time.Hour).Format(time.RFC3339)
	}
	actor := func(rng *rand.Rand) []string { return []string{fmt.Sprintf("u-%04d", rng.IntN(plantedActors))} }
	breach := func(depth int) func(context.Context, *rand.Rand) (int, error) {
		return func(ctx context.Context, rng *rand.Rand) (int, error) {
			from, to := day(rng)
			a, err := answer.Breach(ctx, deps, answer.BreachRequest{Onward: depth, Windows: []answer.Window{{ActsRequest: answer.ActsRequest{Controller: p.controller, Actors: actor(rng), From: from, To: to}}}})
			if err != nil {
				return 0, err
			}
			return a.Persons, nil
		}
	}
	return []asking{
		{"a person's recipients", 50, func(ctx context.Context, rng *rand.Rand) (int, error) {
			a, err := answer.Recipients(ctx, deps, answer.RecipientsRequest{Request: person(rng)})
			if err != nil {
				return 0, err
			}
			return int(a.Events), nil
		}},
		{"a page of a person's timeline", 50, func(ctx context.Context, rng *rand.Rand) (int, error) {
			a, err := answer.TimelineOf(ctx, deps, answer.TimelineRequest{Request: person(rng)})
			if err != nil {
				return 0, err
			}
			return len(a.Events), nil
		}},
		{"what an actor did in a day", 200, func(ctx context.Context, rng *rand.Rand) (int, error) {
			from, to := day(rng)
			a, err := answer.Access(ctx, deps, answer.AccessRequest{ActsRequest: answer.ActsRequest{Controller: p.controller, Actors: actor(rng), From: from, To: to}, By: []string{"purpose"}})
			if err != nil {
				return 0, err
			}
			return int(a.Events), nil
		}},
		{"what a recipient got in a day", 200, func(ctx context.Context, rng *rand.Rand) (int, error) {
			from, to := day(rng)
			a, err := answer.RecipientOf(ctx, deps, answer.RecipientRequest{Controller: p.controller, Recipient: p.recipients()[rng.IntN(len(p.recipients()))], From: from, To: to})
			if err != nil {
				return 0, err
			}
			return int(a.Events), nil
		}},
		{"a breach: an actor over 24 h, persons counted exactly", 300, breach(0)},
		{"the same, and two steps onward", 2_000, breach(2)},
		{"drift of a controller over a year", 1_000, func(ctx context.Context, _ *rand.Rand) (int, error) {
			_, err := answer.DriftOf(ctx, deps, answer.DriftRequest{Controller: p.controller, From: plantedFrom.Format(time.DateOnly), To: plantedFrom.Add(plantedYear).Format(time.DateOnly)})
			return 0, err
		}},
		{"the overview", 100, func(ctx context.Context, _ *rand.Rand) (int, error) {
			_, err := answer.OverviewOf(ctx, deps, answer.OverviewRequest{Controller: p.controller})
			return 0, err
		}},
	}
}

// recipients are those of the planted rows that the register knows.
func (p *planted) recipients() (all []string) {
	for i := range p.sample {
		if id := p.sample[i].Recipient; id != "" && id != event.DataSubject && !slices.Contains(all, id) {
			all = append(all, id)
		}
	}
	slices.Sort(all)
	return all
}

// put asks a question for a while, so many at once. The first answers, which
// warm the caches, do not count.
func (p *planted) put(ctx context.Context, q asking, askers int, length time.Duration) (askedQuestion, float64, error) {
	for warm := range 3 {
		if _, err := q.ask(ctx, rand.New(rand.NewPCG(p.Seed, 100+uint64(warm)))); err != nil {
			return askedQuestion{}, 0, fmt.Errorf("ask for %s: %w", q.name, err)
		}
	}
	var (
		mu     sync.Mutex
		all    sync.WaitGroup
		took   []float64
		found  int
		failed error
		asked  atomic.Int64
	)
	began := time.Now()
	for asker := range askers {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(p.Seed, uint64(asker)))
			for time.Since(began) < length && asked.Add(1) <= askedMost {
				at := time.Now()
				n, err := q.ask(ctx, rng)
				ms := float64(time.Since(at).Microseconds()) / 1000
				mu.Lock()
				took, found, failed = append(took, ms), found+n, errors.Join(failed, err)
				stop := failed != nil
				mu.Unlock()
				if stop {
					return
				}
			}
		})
	}
	all.Wait()
	if failed != nil {
		return askedQuestion{}, 0, fmt.Errorf("ask for %s: %w", q.name, failed)
	}
	perSec := float64(len(took)) / time.Since(began).Seconds()
	slices.Sort(took)
	at := func(share float64) float64 { return took[min(len(took)-1, int(share*float64(len(took))))] }
	return askedQuestion{Name: q.name, Goal: q.goal, Asked: len(took), Took: quantiles{P50: at(0.5), P99: at(0.99)}, Found: float64(found) / float64(len(took))}, perSec, nil
}

// grown asks all questions shortly, and keeps what they took.
func (p *planted) grown(ctx context.Context, rows int) error {
	if err := p.settle(ctx); err != nil {
		return err
	}
	point := askedPoint{Rows: rows, Took: make(map[string]quantiles)}
	for _, q := range p.questions() {
		one, _, err := p.put(ctx, q, 2, 3*time.Second)
		if err != nil {
			return err
		}
		point.Took[q.name] = one.Took
	}
	p.growth = append(slices.DeleteFunc(p.growth, func(a askedPoint) bool { return a.Rows == rows }), point)
	text, err := json.MarshalIndent(p.growth, "", "  ")
	if err != nil {
		return fmt.Errorf("keep what answers took: %w", err)
	}
	if err := os.WriteFile(p.growthFile(), text, 0o600); err != nil {
		return fmt.Errorf("keep what answers took: %w", err)
	}
	p.say("answers: at %d rows %v", rows, point.Took)
	return nil
}

// asked plants a trail, unless it is there, and asks the questions of the goals.
func (p *place) asked(ctx context.Context, r *result) (err error) {
	trail, err := p.openPlanted(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, trail.db.Close()) }()
	if err := trail.plant(ctx); err != nil {
		return err
	}
	// As ingest does when a quarter is over.
	if merged, err := trail.db.MergeClosed(ctx); err != nil || merged > 0 {
		p.say("answers: %d quarters that are over were merged", merged)
		if err != nil {
			return err
		}
	}
	if err := p.settle(ctx); err != nil {
		return err
	}
	a := &askedResult{Rows: trail.rows, Persons: trail.persons, Growth: trail.growth}
	bytes, err := p.bytes(ctx, trail.database, trail.rows)
	if err != nil {
		return err
	}
	for _, t := range bytes {
		a.Bytes += t.PerEvent
	}
	questions := trail.questions()
	for _, q := range questions {
		one, _, err := trail.put(ctx, q, 2, askedFor)
		if err != nil {
			return err
		}
		a.Questions = append(a.Questions, one)
		p.say("answers: %s: p50 %.1f ms, p99 %.1f ms (goal %.0f), of %.0f on average, %d asked", one.Name, one.Took.P50, one.Took.P99, one.Goal, one.Found, one.Asked)
	}
	one, perSec, err := trail.put(ctx, questions[0], 16, askedFor)
	if err != nil {
		return err
	}
	a.PerSec, a.Saturated = perSec, one.Took
	p.say("answers: saturated by 16: %.0f persons/s, p99 %.1f ms", a.PerSec, a.Saturated.P99)
	if a.Beside, err = trail.beside(ctx); err != nil {
		return err
	}
	r.Asked = a
	return nil
}

// markdown shows the answers of other stores beside, and the growth.
func (a *askedResult) markdown(line func(string, ...any)) {
	line("\nA year of %d events of %d persons, %.0f bytes each with all ways of access; two ask at once, for persons, actors and days at random.\n", a.Rows, a.Persons, a.Bytes)
	if len(a.Beside) > 0 {
		line("| question | of | rows | p50 | p99 | times ours |")
		line("|---|---|---|---|---|---|")
		for _, b := range a.Beside {
			i := slices.IndexFunc(a.Questions, func(q askedQuestion) bool { return q.Name == b.Name })
			line("| %s | %s | %d | %.0f ms | %.0f ms | %.1f |", b.Name, b.Store, b.Rows, b.Took.P50, b.Took.P99, b.Took.P50/a.Questions[i].Took.P50)
		}
	}
	if len(a.Growth) == 0 {
		return
	}
	line("\np50 and p99 in milliseconds as the trail grows:\n")
	head, rule := "| question |", "|---|"
	for _, point := range a.Growth {
		head += fmt.Sprintf(" %d rows |", point.Rows)
		rule += "---|"
	}
	line("%s", head)
	line("%s", rule)
	for _, q := range a.Questions {
		row := "| " + q.Name + " |"
		for _, point := range a.Growth {
			row += fmt.Sprintf(" %.0f, %.0f |", point.Took[q.Name].P50, point.Took[q.Name].P99)
		}
		line("%s", row)
	}
}
