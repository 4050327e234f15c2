package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/andmerada/andmerada/internal/trail"
	"github.com/andmerada/andmerada/internal/verdict"
)

// metrics are what ingest tells OpenTelemetry. Attributes name topics,
// partitions, verdicts, controllers that have a register, reasons, stages,
// states and the sources that the configuration lists, and nothing else.
type metrics struct {
	events, verdicts, quarantined, gaps, unknown metric.Int64Counter
	rebalances, failures, unclears               metric.Int64Counter

	rows, size metric.Int64Histogram
	duration   metric.Float64Histogram
	gauges     metric.Registration

	fresh   func(seconds float64, events uint64)
	sources []string
}

func newMetrics(meter metric.Meter, s *stats, fresh func(float64, uint64), sources []string) (*metrics, error) {
	m := metrics{fresh: fresh, sources: sources}
	var errs []error
	for _, c := range []struct {
		of                      *metric.Int64Counter
		name, unit, description string
	}{
		{&m.events, "events", "{event}", "Kafka records that were stored, in the trail or the quarantine."},
		{&m.verdicts, "verdicts", "{row}", "Rows of the trail by verdict and controller."},
		{&m.quarantined, "quarantined", "{event}", "Kafka records that went to the quarantine, by reason, and by source where the configuration lists it."},
		{&m.gaps, "gaps", "{offset}", "Offsets that hold no event, by reason; \"deleted\" are events that nobody has read."},
		{&m.unknown, "state_unknown", "{batch}", "Inserts after which a person must look at the trail."},
		{&m.unclears, "unclear", "{batch}", "Inserts that were given up without knowing their outcome; the range is done again."},
		{&m.failures, "retries", "{try}", "Tries that failed, by stage; each is made good by another."},
		{&m.rebalances, "rebalances", "{rebalance}", "Times that the consumer group assigned partitions to this process."},
	} {
		var err error
		*c.of, err = meter.Int64Counter("andmerada.ingest."+c.name, metric.WithUnit(c.unit), metric.WithDescription(c.description))
		errs = append(errs, err)
	}
	var err error
	m.rows, err = meter.Int64Histogram("andmerada.ingest.batch.rows", metric.WithUnit("{row}"), metric.WithDescription("Rows of one batch."),
		metric.WithExplicitBucketBoundaries(1, 10, 100, 1_000, 10_000, 50_000, 100_000))
	errs = append(errs, err)
	m.size, err = meter.Int64Histogram("andmerada.ingest.batch.size", metric.WithUnit("By"), metric.WithDescription("Bytes of the events of one batch."),
		metric.WithExplicitBucketBoundaries(1<<10, 1<<14, 1<<17, 1<<20, 1<<22, 1<<24, 1<<25))
	errs = append(errs, err)
	m.duration, err = meter.Float64Histogram("andmerada.ingest.stage.duration", metric.WithUnit("s"), metric.WithDescription("Time of one fetch, one judging (with decoding) of a fetch, and of each journal entry, insert, probe and commit."),
		metric.WithExplicitBucketBoundaries(.001, .005, .01, .05, .1, .5, 1, 5, 10, 60))
	errs = append(errs, err)
	m.gauges, err = observe(meter, s)
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, fmt.Errorf("set up the metrics of ingest: %w", err)
	}
	// What has not happened yet is 0, or nobody sees its first time.
	ctx := context.Background()
	m.unknown.Add(ctx, 0)
	m.unclears.Add(ctx, 0)
	for _, reason := range []string{GapDeleted, GapCompacted, GapTransaction, GapAborted} {
		m.gaps.Add(ctx, 0, metric.WithAttributes(attribute.String("reason", reason)))
	}
	return &m, nil
}

// observe tells how the partitions stand, whenever metrics are read.
func observe(meter metric.Meter, s *stats) (metric.Registration, error) {
	var errs []error
	gauge := func(name, unit, description string) metric.Int64ObservableGauge {
		g, err := meter.Int64ObservableGauge("andmerada.ingest."+name, metric.WithUnit(unit), metric.WithDescription(description))
		errs = append(errs, err)
		return g
	}
	lag := gauge("lag", "{event}", "Offsets of a partition that wait to be stored.")
	stalled := gauge("stalled", "{partition}", "1 while a partition cannot go on.")
	partitions := gauge("partitions", "{partition}", "Partitions that this process has, by state.")
	member := gauge("member", "{process}", "1 while this process is a member of the consumer group.")
	held := gauge("memory.used", "By", "Bytes of events that were fetched and are not yet stored.")
	behind, err := meter.Float64ObservableGauge("andmerada.ingest.lag.time", metric.WithUnit("s"), metric.WithDescription("How long the event that a partition stores next has waited."))
	errs = append(errs, err)
	registration, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		now := s.snapshot()
		states := map[State]int64{Running: 0, Stalled: 0}
		for _, p := range now.Partitions {
			if p.State == Released {
				continue
			}
			states[p.State]++
			where := metric.WithAttributes(attribute.String("topic", p.Topic), attribute.Int("partition", int(p.Partition)))
			o.ObserveInt64(lag, p.Lag, where)
			o.ObserveFloat64(behind, p.Behind.Seconds(), where)
			o.ObserveInt64(stalled, one(p.State == Stalled), where)
		}
		for state, n := range states {
			o.ObserveInt64(partitions, n, metric.WithAttributes(attribute.String("state", string(state))))
		}
		o.ObserveInt64(member, one(now.Generation >= 0))
		o.ObserveInt64(held, now.Held)
		return nil
	}, lag, behind, stalled, partitions, member, held)
	return registration, errors.Join(append(errs, err)...)
}

func one(is bool) int64 {
	if is {
		return 1
	}
	return 0
}

// stop ends the gauges.
func (m *metrics) stop() error { return m.gauges.Unregister() }

func (m *metrics) stage(ctx context.Context, name string, took time.Duration) {
	m.duration.Record(ctx, took.Seconds(), metric.WithAttributes(attribute.String("stage", name)))
}

// failed counts a try that failed.
func (m *metrics) failed(ctx context.Context, stage string) {
	m.failures.Add(ctx, 1, metric.WithAttributes(attribute.String("stage", stage)))
}

// unclear counts an insert by how it failed.
func (m *metrics) unclear(ctx context.Context, err error) {
	switch {
	case errors.Is(err, trail.ErrStateUnknown):
		m.unknown.Add(ctx, 1)
	case errors.Is(err, trail.ErrUnclear):
		m.unclears.Add(ctx, 1)
	}
}

// batch counts a batch that is stored.
func (m *metrics) batch(ctx context.Context, topic string, b *batch) {
	m.events.Add(ctx, int64(b.events), metric.WithAttributes(attribute.String("topic", topic)))
	m.rows.Record(ctx, int64(b.rows))
	m.size.Record(ctx, int64(b.bytes))
	for controller, verdicts := range b.told.verdicts {
		for o := verdict.Allowed; o <= verdict.Violation; o++ {
			if n := verdicts[o]; n > 0 {
				m.verdicts.Add(ctx, int64(n), metric.WithAttributes(attribute.String("verdict", o.String()), attribute.String("controller", controller)))
			}
		}
	}
	for as, n := range b.told.refused {
		if !slices.Contains(m.sources, as.source) {
			as.source = "other"
		}
		m.quarantined.Add(ctx, int64(n), metric.WithAttributes(attribute.String("reason", as.reason), attribute.String("source", as.source)))
	}
	for reason, n := range b.told.gaps {
		m.gaps.Add(ctx, n, metric.WithAttributes(attribute.String("reason", reason)))
	}
	if m.fresh != nil {
		b.told.ages(time.Now(), func(age time.Duration, n uint64) { m.fresh(age.Seconds(), n) })
	}
}
