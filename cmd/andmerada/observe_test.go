package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/andmerada/andmerada/internal/embedded"
	"github.com/andmerada/andmerada/internal/embedded/embeddedtest"
	"github.com/andmerada/andmerada/internal/emit"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/health"
	"github.com/andmerada/andmerada/internal/ingest"
)

// receiver takes what is sent by OTLP, as a collector does.
type receiver struct {
	mu    sync.Mutex
	all   bytes.Buffer // of metrics and traces, unpacked
	spans []*tracev1.Span
}

// ServeHTTP takes a request.
func (c *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = unpacked
	}
	data, err := io.ReadAll(body)
	var m collectortrace.ExportTraceServiceRequest
	if err == nil && r.URL.Path == "/v1/traces" {
		err = proto.Unmarshal(data, &m)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all.Write(data)
	for _, rs := range m.ResourceSpans {
		for _, ss := range rs.ScopeSpans {
			c.spans = append(c.spans, ss.Spans...)
		}
	}
}

// looked is what an address answers.
func looked(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// freeAddr is an address at which nobody listens.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	return l.Addr().String()
}

// TestIngestSeenFromOutside runs the command, and looks at it as whoever runs it
// does: health, metrics, and the trace of an event at a collector. Nothing that
// is told names the person.
func TestIngestSeenFromOutside(t *testing.T) {
	t.Parallel()
	const who = "49001010017"
	const source, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	collector := new(receiver)
	otlp := httptest.NewServer(collector)
	defer otlp.Close()
	dir := t.TempDir()
	house, kafka := embeddedtest.ClickHouse(t), embeddedtest.Kafka(t, 1)
	if err := kafka.CreateTopic(t.Context(), ingest.DefaultTopic, 1); err != nil {
		t.Fatal(err)
	}
	user, password := house.Credentials(embedded.Owner)
	registers := filepath.Join(dir, "registers")
	if err := os.CopyFS(registers, os.DirFS("../../deploy/registers")); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"password": password,
		"andmerada.yaml": fmt.Sprintf("kafka: {brokers: [%q]}\nclickhouse: {addr: %q, database: %q, user: %q, password_file: password}\nregisters: registers\nsecret_file: secret\ntelemetry: {otlp: %q, traces: 0}\n",
			kafka.Addr(), house.Addr(), embeddedtest.Database(t), user, otlp.URL),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	addr := freeAddr(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	stop := sync.OnceValue(func() error { cancel(); return <-done })
	defer func() {
		if err := stop(); err != nil { // before the engine ends, whatever happens here
			t.Error(err)
		}
	}()
	go func() {
		cmd := newRootCommand()
		cmd.SetArgs([]string{"ingest", "--config", filepath.Join(dir, "andmerada.yaml"), "--metrics", addr})
		done <- cmd.ExecuteContext(ctx)
	}()
	eventually := func(what string, is func() (bool, string)) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
			ok, state := is()
			if ok {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: %s", what, state)
			}
		}
	}
	var report health.Report
	ready := func(want health.State, check string) func() (bool, string) {
		return func() (bool, string) {
			_, text := looked(t, "http://"+addr+"/readyz")
			report = health.Report{}
			if err := json.Unmarshal([]byte(text), &report); err != nil {
				return false, text
			}
			return report.State == want && slices.ContainsFunc(report.Checks, func(r health.Result) bool {
				return r.Name == check && r.State == want && (r.Cause == "") == (want == health.OK)
			}), text
		}
	}
	eventually("ready", ready(health.OK, "group"))
	for _, name := range []string{"trail", "schema", "registers", "partitions", "verify"} {
		if !slices.ContainsFunc(report.Checks, func(r health.Result) bool { return r.Name == name }) {
			t.Errorf("readiness does not look at %s: %+v", name, report)
		}
	}
	if status, text := looked(t, "http://"+addr+"/healthz"); status != http.StatusOK {
		t.Errorf("healthz: %d %s", status, text)
	}

	w, err := emit.New(emit.Config{Brokers: []string{kafka.Addr()}, Topic: ingest.DefaultTopic})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Emit(t.Context(), &event.Event{
		Kind: event.Processing, ID: "1", Source: "//crm.example.org", Time: time.Now().Add(-time.Minute).UTC(), Operation: event.Access, Controller: "elektrum",
		Persons: []event.Person{{Scheme: "personal-code", Value: who}}, Actor: event.Actor{ID: "clerk-" + who}, Purpose: "elektrum/support", Categories: []string{"elektrum/contact"}, Records: 1,
		TraceParent: "00-" + source + "-" + parent + "-01",
	}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var metrics string
	eventually("the event is counted", func() (bool, string) {
		_, metrics = looked(t, "http://"+addr+"/metrics")
		return strings.Contains(metrics, "andmerada_ingest_freshness_seconds_count{otel_scope_name=") && strings.Contains(metrics, "andmerada_ingest_events_total{"), metrics
	})
	eventually("it is verified", func() (bool, string) {
		_, metrics = looked(t, "http://"+addr+"/metrics")
		return strings.Contains(metrics, "andmerada_verify_age_seconds") && strings.Contains(metrics, "andmerada_trail_disk_free_bytes"), metrics
	})

	holdSeries(t, metrics)

	if err := os.WriteFile(filepath.Join(registers, "elektrum", "2018-05-25.yaml"), []byte("nothing: of use\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually("a register that does not check is told", ready(health.Degraded, "registers"))
	if err := stop(); err != nil {
		t.Fatal(err)
	}

	collector.mu.Lock()
	defer collector.mu.Unlock()
	var block []byte
	for _, s := range collector.spans {
		if fmt.Sprintf("%x", s.TraceId) == source && fmt.Sprintf("%x", s.ParentSpanId) == parent && len(s.Links) == 1 {
			block = s.Links[0].SpanId
		}
	}
	if !slices.ContainsFunc(collector.spans, func(s *tracev1.Span) bool {
		return block != nil && bytes.Equal(s.SpanId, block) && s.Name == "write "+ingest.DefaultTopic && len(s.Links) == 1 && fmt.Sprintf("%x", s.Links[0].SpanId) == parent
	}) {
		t.Errorf("the event's trace does not lead to its block and back: %v", collector.spans)
	}
	if !bytes.Contains(collector.all.Bytes(), []byte("andmerada.ingest.freshness")) {
		t.Error("no metrics came to the collector")
	}
	for where, text := range map[string]string{"what the collector got": collector.all.String(), "the metrics": metrics} {
		if strings.Contains(text, who) {
			t.Errorf("%s names a person", where)
		}
	}
}
