package telemetry

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"
)

// served is what the Prometheus endpoint says.
func served(tel *Telemetry) string {
	rec := httptest.NewRecorder()
	tel.Metrics.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return rec.Body.String()
}

func TestMetricsAreServed(t *testing.T) {
	t.Parallel()
	tel, err := New(t.Context(), Config{Version: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	events, err := tel.Meters.Meter("andmerada/ingest").Int64Counter("andmerada.ingest.events")
	if err != nil {
		t.Fatal(err)
	}
	events.Add(t.Context(), 7)
	text := served(tel)
	for _, want := range []string{"andmerada_ingest_events_total{", " 7\n", "process_resident_memory_bytes ", `service_version="v1"`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not served:\n%s", want, text)
		}
	}
	tel.Close(t.Context())
}

func TestHistogramCountsByWeight(t *testing.T) {
	t.Parallel()
	tel, err := New(t.Context(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	h := tel.Histogram("test", "andmerada.age", "s", "how old", .1, 1, 10)
	h.Record(.1, 3) // a bound belongs to its bucket
	h.Record(.5, 40)
	h.Record(100, 2)
	text := served(tel)
	for _, want := range []string{`le="0.1"} 3`, `le="1.0"} 43`, `le="10.0"} 43`, `le="+Inf"} 45`, "andmerada_age_seconds_sum", " 220.3\n", "# HELP andmerada_age_seconds how old"} {
		if !strings.Contains(strings.ReplaceAll(text, `le="1"`, `le="1.0"`), want) && !strings.Contains(strings.ReplaceAll(text, `le="10"`, `le="10.0"`), want) {
			t.Errorf("%s is not served:\n%s", want, text)
		}
	}
}

func TestSpansCostNothingWithoutSomebodyToTell(t *testing.T) {
	t.Parallel()
	tel, err := New(t.Context(), Config{Ratio: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, span := tel.Tracers.Tracer("test").Start(t.Context(), "a"); span.IsRecording() {
		t.Error("a span is recorded for nobody")
	}
}

func remote(sampled bool) trace.SpanContext {
	c := trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, Remote: true}
	if sampled {
		c.TraceFlags = trace.FlagsSampled
	}
	return trace.NewSpanContext(c)
}
