package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/history"
	"github.com/andmerada/andmerada/internal/trail"
)

// growthResult is what an event costs as something else grows.
type growthResult struct {
	Partitions []growthPoint `json:"partitions"`
	Persons    []growthPoint `json:"persons"`
	Rows       []growthPoint `json:"stored_rows"`
}

// growthPoint is one measure.
type growthPoint struct {
	At     int       `json:"at"`
	Run    runResult `json:"run"`
	Recall float64   `json:"recall_ns,omitempty"` // of a person's facts, with as many persons in memory
	Answer quantiles `json:"answer"`              // of who received a person's data
	Plant  float64   `json:"rows_per_second,omitempty"`
}

// grow measures ingest over topics of more and more partitions, about more and
// more persons, into a trail of more and more rows.
func (p *place) grow(ctx context.Context, r *result) error {
	g := new(growthResult)
	r.Growth = g
	for _, count := range []int{1, 4, 16} {
		run, err := p.growRun(ctx, fmt.Sprintf("partitions_%d", count), count, single(p.past))
		if err != nil {
			return err
		}
		g.Partitions = append(g.Partitions, growthPoint{At: count, Run: run})
		p.say("growth: %2d partitions: %8.0f events/s, %.1f CPU us an event", count, run.PerSec, run.CPU)
	}
	for _, count := range decades(10_000, p.growPersons) {
		run, err := p.growRun(ctx, fmt.Sprintf("persons_%d", count), partitions, amongst(p.past, count, p.Seed))
		if err != nil {
			return err
		}
		one := *p
		one.FactPersons = count
		kept := new(result)
		if err := one.remember(ctx, kept); err != nil {
			return err
		}
		g.Persons = append(g.Persons, growthPoint{At: count, Run: run, Recall: kept.Facts.P50})
		p.say("growth: %8d persons: %8.0f events/s, %.1f CPU us an event; their facts are recalled in %.0f ns", count, run.PerSec, run.CPU, kept.Facts.P50)
	}
	return p.growRows(ctx, g)
}

// decades are from first to last, each ten times the one before.
func decades(first, last int) (all []int) {
	for at := first; at < last; at *= 10 {
		all = append(all, at)
	}
	return append(all, last)
}

// growRun is ingest over a topic of its own.
func (p *place) growRun(ctx context.Context, name string, partitions int, events iter.Seq[*event.Event]) (runResult, error) {
	n, err := p.fill(ctx, name, partitions, avroFormat, events)
	if err != nil {
		return runResult{}, err
	}
	run, err := p.ours(ctx, name, name, full, n)
	if err != nil {
		return run, err
	}
	return run, errors.Join(p.drop(ctx, run.database), p.topics.remove(ctx, name))
}

// amongst is the past with each event about any one of so many persons.
func amongst(past *history.Generator, persons int, seed uint64) iter.Seq[*event.Event] {
	return func(yield func(*event.Event) bool) {
		rng := rand.New(rand.NewPCG(seed, 4))
		for ev := range single(past) {
			if ev.Kind == event.Processing && len(ev.Persons) == 1 {
				ev.Persons = []event.Person{{Scheme: "customer-number", Value: strconv.Itoa(10_000_000 + rng.IntN(persons))}}
			}
			if !yield(ev) {
				return
			}
		}
	}
}

// rowsEach is how many rows a planted person has.
const rowsEach = 40

// growRows plants more and more rows by the trail's own writer, and at each
// stage lets ingest go on from there and asks who received a person's data.
func (p *place) growRows(ctx context.Context, g *growthResult) (err error) {
	db, database, err := p.database(ctx, "rows")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close(), p.drop(ctx, database)) }()
	sample := p.samples()
	rng := rand.New(rand.NewPCG(p.Seed, 5))
	planted, measured := 0, 0
	blocks := trail.NewBlocks()
	for _, total := range decades(min(1_000_000, p.growTo), p.growTo) {
		began, before := time.Now(), planted
		for planted < total {
			blocks.Reset()
			first := planted
			for ; planted < min(total, first+100_000); planted++ {
				row := &sample[planted%len(sample)]
				row.Offset, row.Person = int64(planted), pseudonymOf(rng.IntN(max(1, p.growTo/rowsEach)))
				blocks.Trail.Append(row)
			}
			if err := db.Insert(ctx, trail.Range{Topic: "planted", First: int64(first), Last: int64(planted - 1)}, time.Now().UTC().Truncate(time.Millisecond), blocks); err != nil {
				return err
			}
		}
		point := growthPoint{At: total, Plant: float64(planted-before) / time.Since(began).Seconds()}
		if err := p.settle(ctx); err != nil {
			return err
		}
		name := fmt.Sprintf("rows_%d", total)
		events, err := p.fill(ctx, name, partitions, avroFormat, single(p.past))
		if err != nil {
			return err
		}
		if point.Run, err = p.oursInto(ctx, database, name, events, planted+measured); err != nil {
			return err
		}
		if point.Answer, err = p.askPlanted(ctx, db, sample[0].Controller); err != nil {
			return err
		}
		measured += events
		g.Rows = append(g.Rows, point)
		p.say("growth: %9d rows: %8.0f events/s, %.1f CPU us an event; an answer takes %.1f ms (p99 %.1f); planted at %.0f rows/s", total, point.Run.PerSec, point.Run.CPU, point.Answer.P50, point.Answer.P99, point.Plant)
		if err := p.topics.remove(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// samples are rows of the past, which differ as its events do.
func (p *place) samples() (all []trail.Row) {
	for ev := range single(p.past) {
		if ev.Kind == event.Processing {
			row := rowOf(ev)
			row.Of = 1
			if all = append(all, row); len(all) == 50_000 {
				break
			}
		}
	}
	return all
}

// askPlanted asks who received the data of planted persons, by their pseudonyms.
func (p *place) askPlanted(ctx context.Context, db *trail.DB, controller string) (quantiles, error) {
	rng := rand.New(rand.NewPCG(p.Seed, 6))
	deps := answer.Deps{Trail: db, Registers: p.registers, Keys: p.keys, Facts: facts.New().AsSeen, Now: time.Now}
	var requests []answer.Request
	for range p.Persons {
		who := pseudonymOf(rng.IntN(max(1, p.growTo/rowsEach)))
		requests = append(requests, answer.Request{Controller: controller, Person: answer.Person{Scheme: event.PseudonymScheme, Value: hex.EncodeToString(who[:])}})
	}
	ask := func(req answer.Request) error {
		_, err := answer.Recipients(ctx, deps, answer.RecipientsRequest{Request: req})
		return err
	}
	if _, err := timed(slices.Clone(requests[:min(len(requests), 20)]), ask); err != nil { // warm
		return quantiles{}, err
	}
	return timed(requests, ask)
}
