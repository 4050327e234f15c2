package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/identity"
)

// factsResult is what remembering the facts about many persons costs. An
// identity link is a fact, too.
type factsResult struct {
	Persons   int     `json:"persons"`
	Facts     int     `json:"facts"`
	PerPerson float64 `json:"bytes_per_person"`
	PerFact   float64 `json:"bytes_per_fact"`
	Learn     float64 `json:"learn_ns"` // one fact, on one core
	P50       float64 `json:"recall_p50_ns"`
	P99       float64 `json:"recall_p99_ns"`
	Allocs    float64 `json:"recall_allocs"`
}

const (
	recalls     = 300_000 // timed one by one
	employees   = 500
	recipients  = 60
	factsOf     = "elektrum" // the controller
	secondNames = 3          // one person in so many has a second identifier
)

// remember measures the store of facts alone: how large it is, and how long it
// takes to recall what is known of a person, the employee who acts and the
// recipient.
func (p *place) remember(ctx context.Context, r *result) error {
	before := heap()
	store := facts.New()
	f := &factsResult{Persons: p.FactPersons}
	began := time.Now()
	n, err := p.tellFacts(ctx, store)
	if err != nil {
		return err
	}
	f.Facts, f.Learn = n, float64(time.Since(began).Nanoseconds())/float64(n)
	used := float64(heap() - before)
	f.PerPerson, f.PerFact = used/float64(f.Persons), used/float64(f.Facts)

	actors, to := names("user-", employees), names("elektrum/recipient-", recipients)
	rng := rand.New(rand.NewPCG(p.Seed, 1))
	took := make([]int64, recalls)
	var known event.Facts
	var m0, m1 runtime.MemStats
	reader := store.Reader()
	for range 2 { // the first time warms up
		runtime.ReadMemStats(&m0)
		for i := range took {
			if i%10_000 == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			who, t := pseudonymOf(rng.IntN(f.Persons)), pastDay(rng.IntN(700))
			began := time.Now()
			reader.AsOf(&known, factsOf, who, actors[i%employees], to[i%recipients], t)
			took[i] = time.Since(began).Nanoseconds()
		}
		runtime.ReadMemStats(&m1)
	}
	runtime.KeepAlive(store)
	f.Allocs = float64(m1.Mallocs-m0.Mallocs) / recalls
	clock := clockCost()
	slices.Sort(took)
	f.P50, f.P99 = float64(took[recalls/2]-clock), float64(took[recalls/100*99]-clock)
	p.say("facts: %d persons of %.0f bytes, recalled in %.0f ns", f.Persons, f.PerPerson, f.P50)
	r.Facts = f
	return nil
}

// tellFacts fills a store as the years fill that of a utility: a relationship
// and mostly a contract for each person, consents, objections, opt-outs and
// requests for some, second identifiers for a third; those of one person far
// apart. It says how many it told about persons.
func (p *place) tellFacts(ctx context.Context, store *facts.Store) (n int, err error) {
	rng := rand.New(rand.NewPCG(p.Seed, 2))
	offset := int64(0)
	tell := func(name string, f event.Fact, day int, value func(*event.Facts, time.Time), persons ...identity.Pseudonym) {
		f.Name, f.ValidFrom = name, pastDay(day).Add(time.Duration(rng.IntN(86_400_000))*time.Millisecond)
		value(&f.Value, f.ValidFrom)
		recorded := f.ValidFrom.Add(time.Duration(rng.IntN(3_600_000)) * time.Millisecond)
		store.Learn(factsOf, persons, &f, facts.Order{Recorded: recorded, Topic: "andmerada.events", Partition: int32(offset % partitions), Offset: 1_000_000 + offset})
		offset++
	}
	for _, id := range names("user-", employees) {
		tell("employee", event.Fact{AboutActor: id}, 0, func(v *event.Facts, _ time.Time) { v.Set(event.EmployeeTrained, event.BoolValue(true)) })
	}
	for _, id := range names("elektrum/recipient-", recipients) {
		tell("processor", event.Fact{AboutOrg: id}, 0, func(v *event.Facts, _ time.Time) {
			v.Set(event.ProcessorContract, event.BoolValue(true))
			v.Set(event.ProcessorStorageCountry, event.TextValue("EE"))
		})
	}
	began := offset
	for i, kind := range []struct {
		name  string
		share float64
		value func(*event.Facts, time.Time)
	}{
		{"relationship_end", 1, func(v *event.Facts, _ time.Time) { v.Set(event.RelationshipEnd, event.Value{State: event.Null}) }},
		{"contract_end", 0.6, func(v *event.Facts, t time.Time) {
			v.Set(event.ContractEnd, event.DayValue(event.DateOf(t, time.UTC)+event.Date(rng.IntN(1000))))
		}},
		{"consent", 0.35, func(v *event.Facts, t time.Time) {
			c := event.Consent{Controller: factsOf, Purpose: fmt.Sprintf("elektrum/purpose-%d", rng.IntN(8)), GivenAt: t, Form: "electronic"}
			v.Consents = event.List[event.Consent]{Known: true, Entries: []event.Consent{c}}
		}},
		{event.IdentityFact, 1.0 / secondNames, func(*event.Facts, time.Time) {}},
		{"objection", 0.05, func(v *event.Facts, t time.Time) {
			o := event.Objection{Controller: factsOf, Purpose: "elektrum/marketing", MadeAt: t, Outcome: "upheld"}
			v.Objections = event.List[event.Objection]{Known: true, Entries: []event.Objection{o}}
		}},
		{"opt_out", 0.05, func(v *event.Facts, t time.Time) {
			o := event.OptOut{Controller: factsOf, Scope: "direct-marketing", MadeAt: t}
			v.OptOuts = event.List[event.OptOut]{Known: true, Entries: []event.OptOut{o}}
		}},
		{"request", 0.02, func(v *event.Facts, t time.Time) {
			q := event.Request{Controller: factsOf, Type: "access", MadeAt: t, Handled: event.BoolValue(true)}
			v.Requests = event.List[event.Request]{Known: true, Entries: []event.Request{q}}
		}},
	} {
		for who := range p.FactPersons {
			if who%10_000 == 0 && ctx.Err() != nil {
				return 0, ctx.Err()
			}
			persons := []identity.Pseudonym{pseudonymOf(who)}
			if kind.name == event.IdentityFact {
				persons = append(persons, pseudonymOf(-1-who))
			}
			if kind.share == 1 || rng.Float64() < kind.share {
				tell(kind.name, event.Fact{}, 100*i, kind.value, persons...)
			}
		}
	}
	return int(offset - began), nil
}

// pseudonymOf is one as good as random.
func pseudonymOf(person int) (p identity.Pseudonym) {
	rng := rand.NewPCG(uint64(person), 3)
	binary.LittleEndian.PutUint64(p[:8], rng.Uint64())
	binary.LittleEndian.PutUint64(p[8:], rng.Uint64())
	return p
}

func pastDay(n int) time.Time { return time.Date(2024, 1, 1+n, 0, 0, 0, 0, time.UTC) }

func names(prefix string, n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("%s%d", prefix, i))
	}
	return all
}

// heap is how much memory is in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what the first has found is swept now
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// clockCost is how long it takes to look at the clock twice.
func clockCost() int64 {
	took := make([]int64, 10_001)
	for i := range took {
		began := time.Now()
		took[i] = time.Since(began).Nanoseconds()
	}
	slices.Sort(took)
	return took[len(took)/2]
}
