package ingest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/trail"
)

// mixed is an event of a customer base: mostly reading, some handing over,
// some facts.
func mixed(r *rand.Rand, n int) *event.Event {
	ev := billing(n)
	ev.ID = fmt.Sprintf("m-%d", n)
	ev.Time = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(n) * 3 * time.Second)
	ev.Persons[0].Value = fmt.Sprintf("C-%06d", r.IntN(100_000))
	ev.Actor.ID = fmt.Sprintf("u-%d", r.IntN(500))
	ev.Sequence = uint64(n + 1)
	ev.TraceParent = fmt.Sprintf("00-%016x%016x-%016x-01", r.Uint64(), r.Uint64(), r.Uint64())
	ev.Fields = []string{"name", "address", "amount_due"}
	switch n % 10 {
	case 0:
		ev.Operation, ev.Purpose = event.Disclose, "elektrum/debt-recovery"
		ev.Recipient = event.Recipient{ID: "elektrum/creditinfo-eesti"}
	case 1:
		ev.Kind, ev.Operation, ev.Purpose, ev.Categories, ev.Fields = event.FactEvent, 0, "", nil, nil
		ev.Actor, ev.Records = event.Actor{}, 0
		ev.Fact = event.Fact{Name: "consent", ValidFrom: ev.Time, Value: event.Facts{Consents: event.List[event.Consent]{Known: true, Entries: []event.Consent{
			{Controller: "elektrum", Purpose: "elektrum/direct-marketing", GivenAt: ev.Time, Form: "electronic"},
		}}}}
	case 2:
		ev.Operation, ev.Purpose, ev.Channel = event.Use, "elektrum/direct-marketing", "email"
	}
	return ev
}

// BenchmarkIngest measures events a second from a full topic to the trail:
//
//	go test ./internal/ingest -run xxx -bench Ingest -benchtime 1x -cpuprofile cpu.out
func BenchmarkIngest(b *testing.B) {
	events := 200_000
	if v := os.Getenv("EVENTS"); v != "" {
		var err error
		if events, err = strconv.Atoi(v); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		b.StopTimer()
		w := newWorld(b, 4)
		r := rand.New(rand.NewPCG(1, 2))
		for n := 0; n < events; n += 10_000 {
			var messages []kafka.Message
			for m := n; m < min(n+10_000, events); m++ {
				messages = append(messages, message(b, mixed(r, m)))
			}
			w.send(messages...)
		}
		cfg := w.config()
		cfg.Limits.Age = 0
		b.StartTimer()
		began := time.Now()
		i, stop := w.start(cfg)
		for i.Stats().Events < uint64(events) {
			time.Sleep(5 * time.Millisecond)
		}
		took := time.Since(began)
		b.StopTimer()
		b.ReportMetric(float64(events)/took.Seconds(), "events/s")
		b.ReportMetric(float64(i.Stats().Batches), "batches")
		b.Logf("%v %+v", took, i.Stats().Verdicts)
		w.verify()
		stop()
		b.StartTimer()
	}
}

// BenchmarkLearnFacts measures filling the store from the trail, as a process
// does at its start:
//
//	FACTS=1000000 go test ./internal/ingest -run xxx -bench LearnFacts -benchtime 1x
func BenchmarkLearnFacts(b *testing.B) {
	n := 100_000
	if v := os.Getenv("FACTS"); v != "" {
		var err error
		if n, err = strconv.Atoi(v); err != nil {
			b.Fatal(err)
		}
	}
	w := newWorld(b, 1)
	const block = 50_000
	for first := 0; first < n; first += block {
		blocks := trail.NewBlocks()
		for i := first; i < min(n, first+block); i++ {
			ev := mixed(rand.New(rand.NewPCG(uint64(i), 1)), 10*i+1)
			blocks.Trail.Append(&trail.Row{
				EventID: ev.ID, Source: ev.Source, Operation: trail.OperationFact, Time: ev.Time, Recorded: ev.Time.Add(time.Second), Controller: ev.Controller,
				Person: [16]byte{byte(i), byte(i >> 8), byte(i>>16) & 7, 1}, Of: 1, Fact: ev.Fact.Name, FactValue: string(ev.Fact.Value.AppendJSON(nil)),
				FactValidFrom: ev.Fact.ValidFrom, Offset: int64(i),
			})
		}
		r := trail.Range{Topic: w.topic, First: int64(first), Last: int64(min(n, first+block)) - 1}
		if err := w.trail.Insert(b.Context(), r, time.Now(), blocks); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		store := facts.New()
		if err := LearnFacts(store, w.trail.Facts(b.Context(), w.topic)); err != nil || store.Len() != n {
			b.Fatalf("%d facts, %v", store.Len(), err)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "facts/s")
}
