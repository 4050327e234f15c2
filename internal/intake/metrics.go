package intake

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/andmerada/andmerada/internal/event"
)

// metrics are what the intake tells OpenTelemetry. Attributes name entries of
// the file of tokens, codes and statuses, and nothing else.
type metrics struct {
	accepted, repeated, refused metric.Int64Counter
	duration                    metric.Float64Histogram
	gauges                      metric.Registration
}

func newMetrics(meter metric.Meter, in *Intake) (*metrics, error) {
	var m metrics
	var errs []error
	counter := func(name, description string) metric.Int64Counter {
		c, err := meter.Int64Counter(name, metric.WithUnit("{event}"), metric.WithDescription(description))
		errs = append(errs, err)
		return c
	}
	m.accepted = counter("andmerada.intake.accepted", "events that came over HTTP and that Kafka has acknowledged, by the name of the source's entry")
	m.repeated = counter("andmerada.intake.repeated", "events that came over HTTP again and were not written again")
	m.refused = counter("andmerada.intake.refused", "what was refused over HTTP, by code: events, or requests where no event was looked at")
	var err error
	m.duration, err = meter.Float64Histogram("andmerada.intake.request.duration", metric.WithUnit("s"), metric.WithDescription("time from a request's header to its answer, by status"),
		metric.WithExplicitBucketBoundaries(.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5, 10, 30))
	errs = append(errs, err)
	window, err := meter.Int64ObservableGauge("andmerada.intake.known", metric.WithUnit("{event}"), metric.WithDescription("acknowledged events whose repetition is known"))
	errs = append(errs, err)
	bytes, err := meter.Int64ObservableGauge("andmerada.intake.held", metric.WithUnit("By"), metric.WithDescription("bytes of bodies that are being read, or that Kafka has not acknowledged"))
	errs = append(errs, err)
	m.gauges, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(window, int64(in.ledger.size()))
		o.ObserveInt64(bytes, int64(in.limits.Held)-in.budget.free.Load())
		return nil
	}, window, bytes)
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, fmt.Errorf("set up the metrics of the intake: %w", err)
	}
	return &m, nil
}

func (m *metrics) done(ctx context.Context, source string, status int, a *Accepted, p *Problem, took time.Duration) {
	m.duration.Record(ctx, took.Seconds(), metric.WithAttributes(attribute.Int("status", status)))
	from := attribute.String("source", source)
	if a != nil {
		m.accepted.Add(ctx, int64(a.Accepted), metric.WithAttributes(from))
		if a.Repeated > 0 {
			m.repeated.Add(ctx, int64(a.Repeated), metric.WithAttributes(from))
		}
	}
	if p == nil {
		return
	}
	codes := map[event.Code]int64{}
	for _, f := range p.Errors {
		codes[f.Code]++
	}
	if len(codes) == 0 {
		codes[p.Code] = 1
	}
	for code, n := range codes {
		m.refused.Add(ctx, n, metric.WithAttributes(from, attribute.String("code", string(code))))
	}
}
