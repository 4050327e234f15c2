package trail

import (
	"testing"
	"time"
)

// BenchmarkSightings sums up a year of some millions of rows.
func BenchmarkSightings(b *testing.B) {
	db := openTest(b, testConfig(b))
	blocks := NewBlocks()
	const n, ranges = 50_000, 100
	var first int64
	for range ranges {
		rows := plausibleRows(n, first)
		blocks.Reset()
		for i := range rows {
			blocks.Trail.Append(&rows[i])
		}
		if err := db.Insert(b.Context(), testRange(first, first+n-1), storedAt, blocks); err != nil {
			b.Fatal(err)
		}
		first += n
	}
	settle(b, db)
	begin := time.UnixMilli(1_700_000_000_000)
	from, to := begin.Add(7*time.Hour), begin.Add(time.Duration(first)*1500*time.Millisecond-9*time.Hour)
	controller := names[0]
	b.ResetTimer()
	for b.Loop() {
		all, complete, err := db.Sightings(b.Context(), controller, from, to)
		if err != nil {
			b.Fatal(err)
		}
		if !complete {
			b.Log("too many ways")
		}
		b.ReportMetric(float64(len(all)), "ways")
	}
	began := time.Now()
	if _, err := db.Entities(b.Context(), controller, from, to); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(time.Since(began).Seconds()*1e3, "entities-ms")
	began = time.Now()
	if _, err := db.Sources(b.Context(), controller, from, to); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(time.Since(began).Seconds()*1e3, "sources-ms")
	times := make([]time.Time, 200)
	for i := range times {
		times[i] = from.Add(time.Duration(i) * to.Sub(from) / 200)
	}
	began = time.Now()
	if _, err := db.EventsAt(b.Context(), controller, times); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(time.Since(began).Seconds()*1e3, "examples-ms")
}
