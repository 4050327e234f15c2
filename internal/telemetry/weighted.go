package telemetry

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// Histogram is one in which a measurement counts as often as the caller says:
// the events of a batch share a few ages, and OpenTelemetry's own histogram
// would have to be told each event.
type Histogram struct {
	about  metricdata.Metrics
	scope  string
	bounds []float64
	began  time.Time

	mu     sync.Mutex
	counts []uint64 // by bucket; the last one has no bound
	count  uint64
	sum    float64
}

// Histogram makes a histogram with upper bounds of its buckets, which must rise.
func (t *Telemetry) Histogram(scope, name, unit, description string, bounds ...float64) *Histogram {
	h := &Histogram{
		about: metricdata.Metrics{Name: name, Unit: unit, Description: description},
		scope: scope, bounds: bounds, began: time.Now(), counts: make([]uint64, len(bounds)+1),
	}
	t.weighted.mu.Lock()
	defer t.weighted.mu.Unlock()
	t.weighted.all = append(t.weighted.all, h)
	return h
}

// Record takes in n measurements of a value.
func (h *Histogram) Record(value float64, n uint64) {
	bucket, _ := slices.BinarySearch(h.bounds, value)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.counts[bucket] += n
	h.count += n
	h.sum += value * float64(n)
}

func (h *Histogram) metric(now time.Time) metricdata.Metrics {
	h.mu.Lock()
	defer h.mu.Unlock()
	m := h.about
	m.Data = metricdata.Histogram[float64]{
		Temporality: metricdata.CumulativeTemporality,
		DataPoints: []metricdata.HistogramDataPoint[float64]{{
			StartTime: h.began, Time: now, Bounds: h.bounds, BucketCounts: slices.Clone(h.counts), Count: h.count, Sum: h.sum,
		}},
	}
	return m
}

// weighted hands the histograms to whoever reads metrics.
type weighted struct {
	mu  sync.Mutex
	all []*Histogram
}

// Produce is called by the readers.
func (w *weighted) Produce(context.Context) ([]metricdata.ScopeMetrics, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	scopes := make([]metricdata.ScopeMetrics, 0, len(w.all))
	for _, h := range w.all {
		scopes = append(scopes, metricdata.ScopeMetrics{Scope: instrumentation.Scope{Name: h.scope}, Metrics: []metricdata.Metrics{h.metric(now)}})
	}
	return scopes, nil
}
