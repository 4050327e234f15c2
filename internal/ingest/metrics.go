package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/andmerada/andmerada/internal/verdict"
)

// metrics are what ingest tells OpenTelemetry. Attributes name topics,
// partitions, verdicts, reasons and stages, and nothing else.
type metrics struct {
	events, verdicts, quarantined, deleted, unknown metric.Int64Counter

	rows     metric.Int64Histogram
	duration metric.Float64Histogram
	gauges   metric.Registration
}

func newMetrics(meter metric.Meter, s *stats) (*metrics, error) {
	var m metrics
	var errs []error
	counter := func(name, unit, description string) metric.Int64Counter {
		c, err := meter.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(description))
		errs = append(errs, err)
		return c
	}
	m.events = counter("andmerada.ingest.events", "{event}", "Kafka records that were stored, in the trail or the quarantine")
	m.verdicts = counter("andmerada.ingest.verdicts", "{row}", "rows of the trail by verdict")
	m.quarantined = counter("andmerada.ingest.quarantined", "{event}", "Kafka records that went to the quarantine, by reason")
	m.deleted = counter("andmerada.ingest.deleted", "{event}", "offsets that Kafka deleted before they were read")
	m.unknown = counter("andmerada.ingest.state_unknown", "{batch}", "inserts after which a person must look at the trail")
	var err error
	m.rows, err = meter.Int64Histogram("andmerada.ingest.batch.rows", metric.WithUnit("{row}"), metric.WithDescription("rows of one insert"),
		metric.WithExplicitBucketBoundaries(1, 10, 100, 1_000, 10_000, 50_000, 100_000))
	errs = append(errs, err)
	m.duration, err = meter.Float64Histogram("andmerada.ingest.stage.duration", metric.WithUnit("s"), metric.WithDescription("time of one fetch, one judging of a fetch, one insert, one commit"),
		metric.WithExplicitBucketBoundaries(.001, .005, .01, .05, .1, .5, 1, 5, 10, 60))
	errs = append(errs, err)
	lag, err := meter.Int64ObservableGauge("andmerada.ingest.lag", metric.WithUnit("{event}"), metric.WithDescription("offsets that wait to be read"))
	errs = append(errs, err)
	stalled, err := meter.Int64ObservableGauge("andmerada.ingest.stalled", metric.WithUnit("{partition}"), metric.WithDescription("1 while a partition cannot go on"))
	errs = append(errs, err)
	m.gauges, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		for _, p := range s.snapshot().Partitions {
			if p.State == Released {
				continue
			}
			where := metric.WithAttributes(attribute.String("topic", p.Topic), attribute.Int("partition", int(p.Partition)))
			o.ObserveInt64(lag, p.Lag, where)
			stands := int64(0)
			if p.State == Stalled {
				stands = 1
			}
			o.ObserveInt64(stalled, stands, where)
		}
		return nil
	}, lag, stalled)
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, fmt.Errorf("set up the metrics of ingest: %w", err)
	}
	return &m, nil
}

// stop ends the gauges.
func (m *metrics) stop() error { return m.gauges.Unregister() }

func (m *metrics) stage(ctx context.Context, name string, took time.Duration) {
	m.duration.Record(ctx, took.Seconds(), metric.WithAttributes(attribute.String("stage", name)))
}

// batch counts a batch that is stored.
func (m *metrics) batch(ctx context.Context, topic string, b *batch) {
	m.events.Add(ctx, int64(b.events), metric.WithAttributes(attribute.String("topic", topic)))
	m.rows.Record(ctx, int64(b.rows))
	for o := verdict.Allowed; o <= verdict.Violation; o++ {
		if n := b.verdicts[o]; n > 0 {
			m.verdicts.Add(ctx, int64(n), metric.WithAttributes(attribute.String("verdict", o.String())))
		}
	}
	for reason, n := range b.quarantined {
		m.quarantined.Add(ctx, int64(n), metric.WithAttributes(attribute.String("reason", reason)))
	}
	if b.deleted > 0 {
		m.deleted.Add(ctx, b.deleted)
	}
}
