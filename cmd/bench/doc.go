package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// The part of the page that is written by a run stands between these.
const (
	pageBegins = "<!-- measured: written by make bench -->\n"
	pageEnds   = "<!-- measured: end -->\n"

	askedBegins = "<!-- answers: written by make bench-answers -->\n"
	askedEnds   = "<!-- answers: end -->\n"
)

// goal is one line of what is aimed at, and what it came to.
type goal struct {
	Work, Against, Goal, Found string
	Met                        bool
}

// goals are all that were measured.
func (r *result) goals() (all []goal) {
	add := func(work, against, aim, found string, met bool) {
		all = append(all, goal{work, against, aim, found, met})
	}
	if c := r.Ingest; c != nil {
		for _, one := range c.Ratios {
			aim := fmt.Sprintf("≥ %.1f × its events/s", one.Goal)
			if one.Goal < 1 {
				aim = fmt.Sprintf("≥ %.0f %% of its events/s", 100*one.Goal)
			}
			add(one.Of, one.To, aim, fmt.Sprintf("%.2f × (runs %.2f to %.2f); by CPU %.2f ×", one.Wall, one.Low, one.High, one.CPU), one.Wall >= one.Goal)
		}
	}
	if c := r.Collector; c != nil && c.Left == "" {
		add(fmt.Sprintf("ingest, %d events in JSON, full trail", c.Run.Events), "OpenTelemetry collector, Kafka receiver to ClickHouse exporter", "≥ 6 × its events/s, none lost",
			fmt.Sprintf("%.2f ×; by CPU %.2f ×; of %d events %d arrived by it", c.Ratio, c.RatioBy, c.Run.Events, c.Arrived), c.Ratio >= 6)
	}
	if f := r.Fresh; f != nil {
		add(fmt.Sprintf("freshness at %d events/s for %d s (%s)", f.Rate, f.Seconds, f.Format), "–", "p99 ≤ 1 s", fmt.Sprintf("p99 %.0f ms, p50 %.0f ms, at most %.0f ms", f.P99, f.P50, f.Most), f.P99 <= 1000)
	}
	if c := r.Ingest; c != nil {
		if peak := c.peak(); peak > 0 {
			add("memory of ingest at full speed", "–", "≤ 512 MB", mb(peak), peak <= 512<<20)
		}
	}
	if a := r.Away; a != nil {
		add(fmt.Sprintf("memory of ingest with ClickHouse away for %s", a.Away), "–", "≤ 512 MB", fmt.Sprintf("%s; all stored %s after", mb(a.Most), a.After.Round(100*time.Millisecond)), a.Most <= 512<<20)
	}
	if c := r.Ingest; c != nil {
		if s := c.find(oursSide, "json", full); s != nil && len(s.Runs) > 0 {
			bytes, house := median(s.Runs, func(r runResult) float64 { return r.Bytes }), median(s.Runs, func(r runResult) float64 { return r.ClickHouse })
			beside := "–"
			if o := r.Collector; o != nil && o.Left == "" {
				beside = fmt.Sprintf("the collector's rows: %.1f bytes, %.1f × as much", o.Run.Bytes, o.Run.Bytes/bytes)
			}
			add("on disk, with all ways of access", beside, "≤ 75 bytes an event", fmt.Sprintf("%.1f bytes", bytes), bytes <= 75)
			add("ClickHouse's CPU, insert and merges", "–", "≤ 8 µs an event", fmt.Sprintf("%.1f µs", house), house <= 8)
		}
	}
	if a := r.Asked; a != nil {
		for _, q := range a.Questions {
			add(q.Name, "–", fmt.Sprintf("p99 ≤ %.0f ms", q.Goal), fmt.Sprintf("p99 %.1f ms, p50 %.1f ms", q.Took.P99, q.Took.P50), q.Took.P99 <= q.Goal)
		}
		add("a person's recipients, asked by 16 at once", "–", "≥ 200 a second, p99 ≤ 150 ms", fmt.Sprintf("%.0f a second, p99 %.1f ms", a.PerSec, a.Saturated.P99), a.PerSec >= 200 && a.Saturated.P99 <= 150)
	}
	return all
}

// peak is the most memory that ingest has had in any run, in bytes.
func (c *comparison) peak() (most int64) {
	for _, s := range c.Series {
		for _, r := range s.Runs {
			most = max(most, r.Peak)
		}
	}
	return most
}

func mb(bytes int64) string { return fmt.Sprintf("%d MB", bytes>>20) }

// page writes what a run has found into a page, between the two marks.
func (r *result) page(file string) error {
	old, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("write what was measured: %w", err)
	}
	begins, ends := pageBegins, pageEnds
	if r.Asked != nil {
		begins, ends = askedBegins, askedEnds
	}
	before, rest, ok1 := strings.Cut(string(old), begins)
	_, after, ok2 := strings.Cut(rest, ends)
	if !ok1 || !ok2 {
		return fmt.Errorf("write what was measured: %s does not have the two marks", file)
	}
	var b strings.Builder
	r.markdown(&b)
	if err := os.WriteFile(file, []byte(before+begins+b.String()+ends+after), 0o644); err != nil {
		return fmt.Errorf("write what was measured: %w", err)
	}
	return nil
}

func (r *result) markdown(w io.Writer) {
	line := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	m := r.Machine
	line("\n%s: %s, %d cores, %s of memory, Linux %s, %s, ClickHouse %s. Load before: %s.\n", r.Day, m.CPU, m.Cores, m.Memory, m.Kernel, m.Go, m.Engine, m.Load)
	line("| work | against | goal | measured | |")
	line("|---|---|---|---|---|")
	for _, g := range r.goals() {
		met := "missed"
		if g.Met {
			met = "met"
		}
		line("| %s | %s | %s | %s | %s |", g.Work, g.Against, g.Goal, g.Found, met)
	}
	if c := r.Ingest; c != nil {
		line("\n%d events, each side in turn, %d runs; medians. CPU of all processes until merges had settled.\n", c.Events, len(c.Series[0].Runs))
		line("| side | events/s | CPU µs an event | reading | ClickHouse | Kafka | bytes an event | memory |")
		line("|---|---|---|---|---|---|---|---|")
		for _, s := range c.Series {
			of := func(what func(runResult) float64) float64 { return median(s.Runs, what) }
			line("| %s | %.0f | %.1f | %.1f | %.1f | %.1f | %.1f | %s |", s.title(), of(perSecond), of(cpuEach), of(func(r runResult) float64 { return r.Reader }),
				of(func(r runResult) float64 { return r.ClickHouse }), of(func(r runResult) float64 { return r.Kafka }), of(func(r runResult) float64 { return r.Bytes }),
				mb(int64(of(func(r runResult) float64 { return float64(r.Peak) }))))
		}
	}
	switch o := r.Collector; {
	case o == nil:
	case o.Left != "":
		line("\nThe OpenTelemetry collector was left out: %s.", o.Left)
	default:
		line("\nThe OpenTelemetry collector: %.0f events/s, %.1f µs of CPU an event, %.1f bytes an event, %s of memory; %d of %d events arrived.", o.Run.PerSec, o.Run.CPU, o.Run.Bytes, mb(o.Run.Peak), o.Arrived, o.Run.Events)
	}
	if f := r.Fresh; f != nil {
		line("\nFreshness: the producer wrote %.0f events/s, at most %.0f ms behind its schedule, at %.1f µs of CPU an event; ingest took %.1f, ClickHouse %.1f.", f.Producer.PerSec, f.Producer.Late, f.Producer.CPU, f.Ingest, f.ClickHouse)
	}
	if g := r.Growth; g != nil {
		g.markdown(line)
	}
	if a := r.Asked; a != nil {
		a.markdown(line)
	}
	line("")
}

// markdown shows the growth as tables, each with a bar for the CPU.
func (g *growthResult) markdown(line func(string, ...any)) {
	bar := func(all []growthPoint, p growthPoint) string {
		most := 0.0
		for _, one := range all {
			most = max(most, one.Run.CPU)
		}
		return strings.Repeat("█", int(20*p.Run.CPU/most+0.5))
	}
	line("\nCost of an event as something else grows (Avro, full trail):\n")
	line("| partitions | events/s | CPU µs an event | |")
	line("|---|---|---|---|")
	for _, p := range g.Partitions {
		line("| %d | %.0f | %.1f | %s |", p.At, p.Run.PerSec, p.Run.CPU, bar(g.Partitions, p))
	}
	line("\n| persons | events/s | CPU µs an event | | recalling a person's facts, ns |")
	line("|---|---|---|---|---|")
	for _, p := range g.Persons {
		line("| %d | %.0f | %.1f | %s | %.0f |", p.At, p.Run.PerSec, p.Run.CPU, bar(g.Persons, p), p.Recall)
	}
	line("\n| rows stored before | events/s | CPU µs an event | | a person's answer, ms p50 / p99 |")
	line("|---|---|---|---|---|")
	for _, p := range g.Rows {
		line("| %d | %.0f | %.1f | %s | %.1f / %.1f |", p.At, p.Run.PerSec, p.Run.CPU, bar(g.Rows, p), p.Answer.P50, p.Answer.P99)
	}
}
