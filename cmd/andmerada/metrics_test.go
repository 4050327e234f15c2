package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/metric"

	"github.com/andmerada/andmerada/internal/emit"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/ingest"
	"github.com/andmerada/andmerada/internal/intake"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/rejudge"
	"github.com/andmerada/andmerada/internal/telemetry"
	"github.com/andmerada/andmerada/internal/trail"
)

// touched is a provider of meters that measures each instrument once, so that
// all of them are served.
type touched struct {
	metric.MeterProvider
	t *testing.T
}

// Meter makes a meter of that kind.
func (p touched) Meter(name string, o ...metric.MeterOption) metric.Meter {
	return touchedMeter{p.MeterProvider.Meter(name, o...), p.t}
}

type touchedMeter struct {
	metric.Meter
	t *testing.T
}

// Int64Counter makes a counter and counts.
func (m touchedMeter) Int64Counter(name string, o ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	c, err := m.Meter.Int64Counter(name, o...)
	if err == nil {
		c.Add(m.t.Context(), 1)
	}
	return c, err
}

// Int64Histogram makes a histogram and records.
func (m touchedMeter) Int64Histogram(name string, o ...metric.Int64HistogramOption) (metric.Int64Histogram, error) {
	h, err := m.Meter.Int64Histogram(name, o...)
	if err == nil {
		h.Record(m.t.Context(), 1)
	}
	return h, err
}

// Float64Histogram makes a histogram and records.
func (m touchedMeter) Float64Histogram(name string, o ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	h, err := m.Meter.Float64Histogram(name, o...)
	if err == nil {
		h.Record(m.t.Context(), 1)
	}
	return h, err
}

// RegisterCallback has each instrument observed, instead of asking what is not
// running in this test.
func (m touchedMeter) RegisterCallback(_ metric.Callback, of ...metric.Observable) (metric.Registration, error) {
	return m.Meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		for _, one := range of {
			switch i := one.(type) {
			case metric.Int64Observable:
				o.ObserveInt64(i, 1)
			case metric.Float64Observable:
				o.ObserveFloat64(i, 1)
			default:
				m.t.Errorf("an instrument of kind %T is not known to this test", one)
			}
		}
		return nil
	}, of...)
}

// served is a metric as Prometheus reads it.
type served struct{ name, kind, help string }

// allMetrics are all that the program serves of itself.
func allMetrics(t *testing.T) map[string]served {
	t.Helper()
	tel, err := telemetry.New(t.Context(), telemetry.Config{})
	if err != nil {
		t.Fatal(err)
	}
	tel.Meters = touched{tel.Meters, t}
	n := &node{config: &config{Registry: &registryConfig{URLs: []string{"http://127.0.0.1:1"}}}, telemetry: tel, facts: facts.New(), trail: new(trail.DB), log: newLog(false, false)}
	defer func() {
		if err := n.close(); err != nil {
			t.Error(err)
		}
	}()
	_, err = ingest.New(ingest.Config{
		Brokers: []string{"127.0.0.1:1"}, Trail: n.trail, Facts: n.facts, Keys: new(identity.Keys), Registers: func() *register.Set { return nil },
		Meter: tel.Meters, Freshness: n.freshness(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.keeper(); err != nil {
		t.Fatal(err)
	}
	if _, err := n.schemas(); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{n.watchMemory(), n.watchRejudging(new(rejudge.Follower)), n.watchFindings(nil)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := intake.New(intake.Config{
		Meter: tel.Meters, Write: func(context.Context, ...emit.Record) error { return nil }, Authenticate: func(*http.Request) (*intake.Source, error) { return nil, nil },
	}); err != nil {
		t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	tel.Metrics.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	all, help := make(map[string]served), ""
	for line := range strings.Lines(rec.Body.String()) {
		if rest, ok := strings.CutPrefix(line, "# HELP andmerada_"); ok {
			_, help, _ = strings.Cut(strings.TrimSpace(rest), " ")
		}
		if rest, ok := strings.CutPrefix(line, "# TYPE andmerada_"); ok {
			name, kind, _ := strings.Cut(strings.TrimSpace(rest), " ")
			all["andmerada_"+name] = served{"andmerada_" + name, kind, help}
			help = ""
		}
	}
	if len(all) < 30 {
		t.Fatalf("%d metrics are served:\n%s", len(all), rec.Body)
	}
	return all
}

// TestEveryMetricIsDocumented holds the table of docs/observing.md against what
// is served.
func TestEveryMetricIsDocumented(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../docs/observing.md")
	if err != nil {
		t.Fatal(err)
	}
	all := allMetrics(t)
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		m := all[name]
		if m.help == "" {
			t.Errorf("%s is not described", name)
		}
		lines = append(lines, fmt.Sprintf("| `%s` | %s | %s |", m.name, m.kind, m.help))
	}
	if table := strings.Join(lines, "\n"); !strings.Contains(string(data), table+"\n\n") {
		t.Errorf("docs/observing.md must have this table, and does not:\n%s", table)
	}
}

// ofHistogram is what the series of a histogram have behind its name.
var ofHistogram = regexp.MustCompile(`_(bucket|sum|count)$`)

var metricName = regexp.MustCompile(`\bandmerada_[a-z_]+`)

// TestUsedMetricsExist looks for each metric that alerts and dashboards use.
func TestUsedMetricsExist(t *testing.T) {
	t.Parallel()
	all := allMetrics(t)
	n := 0
	for _, file := range []string{"../../deploy/prometheus/alerts.yaml", "../../deploy/prometheus/alerts_test.yaml", "../../dashboards/operations.json"} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range metricName.FindAllString(string(data), -1) {
			n++
			base := ofHistogram.ReplaceAllString(name, "")
			if all[name].kind == "" && all[base].kind != "histogram" {
				t.Errorf("%s uses %s, which is not served", file, name)
			}
		}
	}
	if n < 50 {
		t.Errorf("alerts and dashboards use metrics %d times only", n)
	}
}

// TestAlertsHaveRunbooks holds that each alert says what to do.
func TestAlertsHaveRunbooks(t *testing.T) {
	t.Parallel()
	alerts, err := os.ReadFile("../../deploy/prometheus/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	docs, err := os.ReadFile("../../docs/observing.md")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(string(alerts), -1)
	if len(names) < 10 {
		t.Fatalf("%d alerts", len(names))
	}
	for i, part := range strings.Split(string(alerts), "- alert: ")[1:] {
		name := names[i][1]
		if !strings.Contains(string(docs), "\n### "+name+"\n") {
			t.Errorf("docs/observing.md has no section on %s", name)
		}
		for _, want := range []string{"summary: ", "description: ", "severity: ", "runbook_url: docs/observing.md#" + strings.ToLower(name) + "\n"} {
			if !strings.Contains(part, want) {
				t.Errorf("%s lacks %s", name, want)
			}
		}
	}
}
