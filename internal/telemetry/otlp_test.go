package telemetry

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
	collectormetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	metricsv1 "go.opentelemetry.io/proto/otlp/metrics/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collector takes OTLP over HTTP, as a real one does.
type collector struct {
	*httptest.Server
	mu      sync.Mutex
	spans   []*tracev1.Span
	metrics map[string]*metricsv1.Metric
	about   map[string]string // the resource
}

func newCollector(t *testing.T) *collector {
	c := &collector{metrics: make(map[string]*metricsv1.Metric), about: make(map[string]string)}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

// ServeHTTP takes what an exporter sends.
func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		var err error
		if body, err = gzip.NewReader(r.Body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	data, err := io.ReadAll(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch r.URL.Path {
	case "/v1/traces":
		var m collectortrace.ExportTraceServiceRequest
		if err = proto.Unmarshal(data, &m); err != nil {
			break
		}
		for _, rs := range m.ResourceSpans {
			for _, a := range rs.Resource.Attributes {
				c.about[a.Key] = a.Value.GetStringValue()
			}
			for _, ss := range rs.ScopeSpans {
				c.spans = append(c.spans, ss.Spans...)
			}
		}
	case "/v1/metrics":
		var m collectormetrics.ExportMetricsServiceRequest
		if err = proto.Unmarshal(data, &m); err != nil {
			break
		}
		for _, rm := range m.ResourceMetrics {
			for _, sm := range rm.ScopeMetrics {
				for _, metric := range sm.Metrics {
					c.metrics[metric.Name] = metric
				}
			}
		}
	default:
		http.NotFound(w, r)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

func TestCollectorGetsAll(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	tel, err := New(t.Context(), Config{Version: "v1", OTLP: c.URL + "/", Ratio: 0})
	if err != nil {
		t.Fatal(err)
	}
	tracer := tel.Tracers.Tracer("test")
	_, span := tracer.Start(t.Context(), "nobody asked")
	span.End()
	_, span = tracer.Start(t.Context(), "linked", trace.WithLinks(trace.Link{SpanContext: remote(true)}))
	span.End()
	_, span = tracer.Start(trace.ContextWithRemoteSpanContext(t.Context(), remote(true)), "child")
	span.End()
	_, span = tracer.Start(trace.ContextWithRemoteSpanContext(t.Context(), remote(false)), "child of what is not sampled")
	span.End()
	counter, err := tel.Meters.Meter("test").Int64Counter("andmerada.things")
	if err != nil {
		t.Fatal(err)
	}
	counter.Add(t.Context(), 3)
	tel.Histogram("test", "andmerada.age", "s", "how old", 1, 10).Record(2, 5)
	tel.Close(t.Context())

	c.mu.Lock()
	defer c.mu.Unlock()
	var names []string
	for _, s := range c.spans {
		names = append(names, s.Name)
	}
	if fmt.Sprint(names) != "[linked child]" {
		t.Errorf("spans %v", names)
	} else if links := c.spans[0].Links; len(links) != 1 || !bytes.HasPrefix(links[0].TraceId, []byte{1}) {
		t.Errorf("the link is %v", links)
	}
	if c.about["service.name"] != "andmerada" || c.about["service.version"] != "v1" || c.about["service.instance.id"] == "" {
		t.Errorf("resource %v", c.about)
	}
	if m := c.metrics["andmerada.things"]; m == nil || m.GetSum().DataPoints[0].GetAsInt() != 3 {
		t.Errorf("the counter is %v", m)
	}
	if m := c.metrics["andmerada.age"]; m == nil || m.GetHistogram().DataPoints[0].Count != 5 || m.Unit != "s" {
		t.Errorf("the histogram is %v", m)
	}
}

// TestCollectorDown sends to where nobody listens, and to where somebody holds
// on to what is sent: spans end at once all the same, and each one that was lost
// is counted.
func TestCollectorDown(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	held := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-hold:
		case <-r.Context().Done():
		}
	}))
	defer held.Close()
	defer close(hold)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for _, address := range []string{held.URL, gone.URL} {
		var log lines
		tel, err := New(t.Context(), Config{OTLP: address, Ratio: 1, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		tracer := tel.Tracers.Tracer("test")
		const n = 3 * maxPending
		for range n {
			_, span := tracer.Start(t.Context(), "a")
			span.End()
		}
		stop, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		tel.Close(stop)
		cancel()
		text := log.String()
		if !strings.Contains(text, "was not sent") && !strings.Contains(text, "takes nothing") {
			t.Errorf("%s: it is not logged: %s", address, text)
		}
		if strings.Count(text, "takes nothing") > 1 {
			t.Errorf("it is logged again and again: %s", text)
		}
	}
}

func TestDroppedSpansAreCounted(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	tel, err := New(t.Context(), Config{OTLP: c.URL, Ratio: 1})
	if err != nil {
		t.Fatal(err)
	}
	c.mu.Lock() // it takes nothing for now
	tracer := tel.Tracers.Tracer("test")
	const n = 3 * maxPending
	for range n {
		_, span := tracer.Start(t.Context(), "a")
		span.End()
	}
	text := served(tel)
	c.mu.Unlock()
	tel.Close(t.Context())
	c.mu.Lock()
	defer c.mu.Unlock()
	dropped := 0
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "andmerada_telemetry_spans_dropped_total{") && strings.Contains(line, `reason="queue-full"`) {
			if _, err := fmt.Sscan(line[strings.LastIndex(line, " ")+1:], &dropped); err != nil {
				t.Fatal(err)
			}
		}
	}
	if dropped == 0 || dropped+len(c.spans) != n {
		t.Errorf("%d spans were dropped and %d sent, of %d", dropped, len(c.spans), n)
	}
}

func TestRefusalsAreCounted(t *testing.T) {
	t.Parallel()
	no := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	defer no.Close()
	tel, err := New(t.Context(), Config{OTLP: no.URL, Ratio: 1})
	if err != nil {
		t.Fatal(err)
	}
	_, span := tel.Tracers.Tracer("test").Start(t.Context(), "a")
	span.End()
	tel.Close(t.Context())
	// The endpoint is closed with the rest, so the counts are looked at themselves.
	if l := tel.losses; l.refused.Load() != 1 || l.failed.Load() == 0 {
		t.Errorf("%d spans and %d sendings were counted", l.refused.Load(), l.failed.Load())
	}
}

func TestEnvironmentComesFirst(t *testing.T) {
	c := newCollector(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
	t.Setenv("OTEL_SERVICE_NAME", "trail-7")
	t.Setenv("OTEL_TRACES_SAMPLER", "always_on")
	t.Setenv("OTEL_METRICS_EXPORTER", "none")
	tel, err := New(t.Context(), Config{OTLP: "http://127.0.0.1:1", Ratio: 0})
	if err != nil {
		t.Fatal(err)
	}
	_, span := tel.Tracers.Tracer("test").Start(t.Context(), "a")
	span.End()
	tel.Close(t.Context())
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.spans) != 1 || c.about["service.name"] != "trail-7" || len(c.metrics) != 0 {
		t.Errorf("spans %v of %v, metrics %v", c.spans, c.about, c.metrics)
	}
}

func TestEnvironmentThatIsNotMet(t *testing.T) {
	for _, set := range [][2]string{{"OTEL_TRACES_EXPORTER", "jaeger"}, {"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"}} {
		t.Run(set[0], func(t *testing.T) {
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
			t.Setenv(set[0], set[1])
			if _, err := New(t.Context(), Config{}); err == nil || !strings.Contains(err.Error(), set[0]) {
				t.Errorf("err = %v", err)
			}
			t.Setenv("OTEL_SDK_DISABLED", "true")
			if _, err := New(t.Context(), Config{}); err != nil {
				t.Errorf("disabled: err = %v", err)
			}
		})
	}
}

// lines is a log that several goroutines write to.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write adds a line.
func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// String is all lines.
func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
