package ingest

import (
	"log/slog"
	"testing"
	"time"

	registers "github.com/andmerada/andmerada/deploy/registers"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/history"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/register"
)

// BenchmarkJudge measures what becomes of a record between Kafka and the insert:
// it is decoded, its facts are recalled, it is judged, and its rows are made.
func BenchmarkJudge(b *testing.B) {
	set, err := register.Load(registers.FS)
	if err != nil {
		b.Fatal(err)
	}
	g, err := history.New(set, history.Options{Seed: 7, Events: 100_000, Persons: 20_000})
	if err != nil {
		b.Fatal(err)
	}
	var items []item
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for ev := range g.Events() {
		ev.TraceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
		headers, value, err := event.EncodeBinary(ev)
		if err != nil {
			b.Fatal(err)
		}
		items = append(items, item{Record: Record{Offset: int64(len(items)), Time: ev.Time, Key: []byte("0123456789abcdef"), Value: value, Headers: headers}})
	}
	secret, err := identity.ParseSecret("a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7")
	if err != nil {
		b.Fatal(err)
	}
	keys, err := identity.New(secret)
	if err != nil {
		b.Fatal(err)
	}
	j := &judge{topic: "events", registers: set, keys: keys, facts: facts.New(), recent: newRecent(1_000_000), log: slog.New(slog.DiscardHandler)}
	batch := newBatch()
	var n int
	b.ReportAllocs()
	for b.Loop() {
		if n%50_000 == 0 {
			batch.begin(int64(n%len(items)), now)
		}
		if err := batch.add(&items[n%len(items)], j); err != nil {
			b.Fatal(err)
		}
		n++
	}
	if len(batch.quarantined) > 0 {
		b.Fatal(batch.quarantined)
	}
}
