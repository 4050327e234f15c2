package ingest

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/andmerada/andmerada/internal/event"
)

// TestTelemetryTellsOfNobody looks at all that ingest says of events that name
// a person in each place where they can: no identifier is in it.
func TestTelemetryTellsOfNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	const who = "49001010017"
	named := message(t, with(1, func(ev *event.Event) { ev.Persons = []event.Person{{Scheme: "personal-code", Value: who}} }))
	broken := named
	broken.Value = bytes.Replace(named.Value, []byte(`"records":1`), []byte(`"records":"`+who+`"`), 1)
	cut := named
	cut.Value = named.Value[:len(named.Value)-1]
	w.send(named, named, broken, cut, kafka.Message{Key: []byte(who), Value: []byte(who)})

	reader, spans := metric.NewManualReader(), tracetest.NewInMemoryExporter()
	var log bytes.Buffer
	cfg := w.config()
	listed := with(1, func(*event.Event) {}).Source
	cfg.Sources = []string{listed}
	fresh := uint64(0)
	cfg.Freshness = func(seconds float64, events uint64) {
		if seconds < 0 || seconds > 3600 {
			t.Errorf("events were stored %v s after they were recorded", seconds)
		}
		fresh += events
	}
	cfg.Meter = metric.NewMeterProvider(metric.WithReader(reader))
	cfg.Tracer = trace.NewTracerProvider(trace.WithSyncer(spans))
	cfg.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	i, stop := w.start(cfg)
	w.waitCommitted("ingest-test")
	var said metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &said); err != nil {
		t.Fatal(err)
	}
	stop()
	counts, names := make(map[string]int64), ""
	for _, scope := range said.ScopeMetrics {
		for _, m := range scope.Metrics {
			names += m.Name + " "
			if sum, ok := m.Data.(metricdata.Sum[int64]); ok {
				for _, p := range sum.DataPoints {
					counts[m.Name+" "+p.Attributes.Encoded(attribute.DefaultEncoder())] += p.Value
				}
			}
		}
	}
	for what, want := range map[string]int64{
		"andmerada.ingest.events topic=events":                            5,
		"andmerada.ingest.quarantined reason=wrong-type,source=" + listed: 1,
		"andmerada.ingest.quarantined reason=not-json,source=" + listed:   1,
		"andmerada.ingest.verdicts controller=elektrum,verdict=allowed":   int64(i.Stats().Verdicts["allowed"]),
		"andmerada.ingest.verdicts controller=elektrum,verdict=review":    int64(i.Stats().Verdicts["review"]),
		"andmerada.ingest.quarantined reason=not-cloudevent,source=other": 1,
		"andmerada.ingest.rebalances ":                                    1,
	} {
		if counts[what] != want {
			t.Errorf("%s: %d, want %d; there are %v", what, counts[what], want, counts)
		}
	}
	for _, name := range []string{"andmerada.ingest.lag", "andmerada.ingest.stalled", "andmerada.ingest.batch.rows", "andmerada.ingest.batch.size", "andmerada.ingest.lag.time", "andmerada.ingest.member", "andmerada.ingest.partitions", "andmerada.ingest.memory.used", "andmerada.ingest.stage.duration"} {
		if !strings.Contains(names, name+" ") {
			t.Errorf("no metric %s among %s", name, names)
		}
	}
	ended := spans.GetSpans()
	if !slices.ContainsFunc(ended, func(s tracetest.SpanStub) bool { return s.Name == "write events" }) {
		t.Errorf("spans: %+v", ended)
	}
	if fresh != 5 {
		t.Errorf("the age of %d events was told", fresh)
	}
	if log.Len() == 0 {
		t.Error("nothing is logged")
	}
	for where, text := range map[string]string{"metrics": fmt.Sprintf("%+v", said), "spans": fmt.Sprintf("%+v", ended), "log": log.String(), "stats": fmt.Sprintf("%+v", i.Stats())} {
		if strings.Contains(text, who) {
			t.Errorf("%s name a person", where)
		}
	}
}
