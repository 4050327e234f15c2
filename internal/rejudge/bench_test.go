package rejudge

import (
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/trail"
)

// BenchmarkFollow follows 20,000 facts, each of another person who has ten
// events: on time (true since they were told of, before the events), late (of
// them, two events change), and under another register all 200,000 events.
func BenchmarkFollow(b *testing.B) {
	const persons, events = 20_000, 10
	for _, name := range []string{"on-time", "late", "register"} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				w := newWorld(b)
				ingest := facts.New()
				for i := range persons {
					w.fact(int32(i%4), day(1), consent(day(1), time.Time{}, day(1)), ingest, person(i))
				}
				w.insert()
				for d := range events {
					for i := range persons {
						w.act(int32(i%4), day(2+d), trail.Row{Operation: event.Send, Recipient: event.DataSubject, Time: day(2 + d)}, ingest, person(i))
					}
					w.insert()
				}
				if name != "on-time" {
					w.once()
				}
				switch name {
				case "late":
					for i := range persons {
						w.fact(int32(i%4), day(20), consent(day(10), day(10), day(10)), ingest, person(i))
					}
					w.insert()
				case "register":
					w.setRegister(func(text string) string { return replaceOnce(b, text, "Only trained employees have access.", "None.") })
				}
				b.StartTimer()
				f := w.follower()
				if err := f.Once(b.Context()); err != nil {
					b.Fatal(err)
				}
				s := f.Stats()
				b.ReportMetric(float64(s.Facts)/b.Elapsed().Seconds(), "facts/s")
				b.ReportMetric(float64(s.Events)/b.Elapsed().Seconds(), "events/s")
				b.ReportMetric(float64(s.Changed), "changed")
			}
		})
	}
}
