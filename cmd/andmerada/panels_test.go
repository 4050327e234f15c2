package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// panelSeries are the metrics that the panels show, and what tells the series of
// each apart, beside the instance.
var panelSeries = map[string][]string{
	"andmerada_facts_count":                   nil,
	"andmerada_facts_memory_bytes":            nil,
	"andmerada_findings_told_total":           {"sink"},
	"andmerada_ingest_batch_rows":             nil,
	"andmerada_ingest_batch_size_bytes":       nil,
	"andmerada_ingest_events_total":           {"topic"},
	"andmerada_ingest_freshness_seconds":      nil,
	"andmerada_ingest_gaps_total":             {"reason"},
	"andmerada_ingest_lag":                    {"partition", "topic"},
	"andmerada_ingest_lag_time_seconds":       {"partition", "topic"},
	"andmerada_ingest_member":                 nil,
	"andmerada_ingest_memory_used_bytes":      nil,
	"andmerada_ingest_quarantined_total":      {"reason", "source"},
	"andmerada_ingest_rebalances_total":       nil,
	"andmerada_ingest_retries_total":          {"stage"},
	"andmerada_ingest_stage_duration_seconds": {"stage"},
	"andmerada_ingest_stalled":                {"partition", "topic"},
	"andmerada_ingest_unclear_total":          nil,
	"andmerada_ingest_verdicts_total":         {"controller", "verdict"},
	"andmerada_registers_failing":             nil,
	"andmerada_rejudge_behind":                nil,
	"andmerada_rejudge_changed_total":         nil,
	"andmerada_rejudge_events_total":          nil,
	"andmerada_trail_disk_free_bytes":         {"disk"},
	"andmerada_verify_age_seconds":            nil,
	"andmerada_verify_faults":                 nil,
	"process_resident_memory_bytes":           nil,
}

// What a sample is, and its labels; and what a legend names.
var (
	sample      = regexp.MustCompile(`(?m)^(\w+)(?:\{(.*)\})? \S+$`)
	label       = regexp.MustCompile(`(\w+)="`)
	legendLabel = regexp.MustCompile(`\{\{(\w+)\}\}`)
)

// holdSeries compares panelSeries with the metrics of an ingest at work, as far
// as there was cause for them.
func holdSeries(t *testing.T, metrics string) {
	t.Helper()
	held := make(map[string]bool)
	for _, m := range sample.FindAllStringSubmatch(metrics, -1) {
		name := m[1]
		want, shown := panelSeries[name]
		if !shown {
			name = ofHistogram.ReplaceAllString(name, "")
			want, shown = panelSeries[name]
		}
		if !shown {
			continue
		}
		var labels []string
		for _, l := range label.FindAllStringSubmatch(m[2], -1) {
			if !strings.HasPrefix(l[1], "otel_") && l[1] != "le" {
				labels = append(labels, l[1])
			}
		}
		slices.Sort(labels)
		held[name] = true
		if !slices.Equal(labels, want) {
			t.Errorf("%s has the labels %v, its panel knows %v", name, labels, want)
		}
	}
	if len(held) < 18 {
		t.Errorf("only %d metrics of the panels are served: %v", len(held), slices.Sorted(maps.Keys(held)))
	}
}

// TestPanelsShowSomething writes what promtool is to evaluate: every query of the
// dashboards, on series like those that an ingest serves, has a result, and with
// it what its legend names.
func TestPanelsShowSomething(t *testing.T) {
	t.Parallel()
	all := allMetrics(t)
	var b strings.Builder
	b.WriteString("# Every query of dashboards/ shows something; go test ./cmd/andmerada -run Panels -update-rules writes this.\nrule_files: []\nevaluation_interval: 15s\ntests:\n  - name: an ingest at work\n    interval: 15s\n    input_series:\n")
	for _, name := range slices.Sorted(maps.Keys(panelSeries)) {
		labels := `instance="a"`
		for _, l := range panelSeries[name] {
			value := "some"
			if l == "verdict" { // one panel shows these alone
				value = "violation"
			}
			labels += fmt.Sprintf(",%s=%q", l, value)
		}
		series := func(suffix, more, values string) {
			fmt.Fprintf(&b, "      - { series: '%s%s{%s%s}', values: %s }\n", name, suffix, labels, more, values)
		}
		switch all[name].kind {
		case "histogram":
			series("_bucket", `,le="1"`, "0+9x60")
			series("_bucket", `,le="+Inf"`, "0+10x60")
			series("_sum", "", "0+8x60")
			series("_count", "", "0+10x60")
		case "counter":
			series("", "", "0+10x60")
		default:
			series("", "", "1x60")
		}
	}
	b.WriteString("    promql_expr_test:\n")
	n := 0
	for _, q := range promQueries(t) {
		n++
		fmt.Fprintf(&b, "      # %s, %s\n      - { expr: 'absent((%s) >= 0)', eval_time: 10m, exp_samples: [] }\n", q.file, q.title, q.expr)
		for _, l := range legendLabel.FindAllStringSubmatch(q.legend, -1) {
			fmt.Fprintf(&b, "      - { expr: 'group by (named) (label_replace(%s, \"named\", \"yes\", %q, \".+\"))', eval_time: 10m, exp_samples: [ { labels: '{named=\"yes\"}', value: 1 } ] }\n", q.expr, l[1])
		}
	}
	holdRules(t, "../../deploy/prometheus/dashboards_test.yaml", b.String(), n)
}
