package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// result is all that was measured; what was not asked for is nil.
type result struct {
	Machine machineInfo    `json:"machine"`
	Seed    uint64         `json:"seed"`
	Day     string         `json:"day"`
	Verdict *verdictResult `json:"verdict,omitempty"`
	Replay  *replayResult  `json:"replay,omitempty"`
	Facts   *factsResult   `json:"facts,omitempty"`
	Ingest  *comparison    `json:"ingest,omitempty"`
	Answer  *answerResult  `json:"answer,omitempty"`
	Fresh   *freshResult   `json:"fresh,omitempty"`
	Away    *awayResult    `json:"away,omitempty"`

	Collector *collectorResult `json:"collector,omitempty"`
	Growth    *growthResult    `json:"growth,omitempty"`
	Asked     *askedResult     `json:"asked,omitempty"`
}

// machineInfo says on what it was measured.
type machineInfo struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Go     string `json:"go"`
	Engine string `json:"clickhouse"`
	Memory string `json:"memory"`
	Kernel string `json:"kernel"`
	Load   string `json:"load"` // before: another's work makes all figures worse
}

func machine(ctx context.Context, p *place) machineInfo {
	m := machineInfo{CPU: "unknown", Cores: runtime.NumCPU(), Go: runtime.Version(), Engine: "unknown", Memory: "unknown", Kernel: "unknown", Load: "unknown"}
	if f, err := os.Open("/proc/cpuinfo"); err == nil {
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
				m.CPU = strings.TrimSpace(value)
				break
			}
		}
		_ = f.Close() // it was only read
	}
	if info, err := os.ReadFile("/proc/meminfo"); err == nil {
		if fields := strings.Fields(string(info)); len(fields) > 1 {
			kb, _ := strconv.ParseInt(fields[1], 10, 64)
			m.Memory = mb(kb << 10)
		}
	}
	if kernel, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(kernel))
	}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load, _, _ = strings.Cut(string(load), " ")
	}
	_ = p.root.QueryRow(ctx, "SELECT version()").Scan(&m.Engine) // unknown, then
	return m
}

// table prints the result for people.
func (r *result) table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(what, value, note string, args ...any) {
		fmt.Fprintf(t, "%s\t%s\t%s\n", what, value, fmt.Sprintf(note, args...))
	}
	m := r.Machine
	row("machine", fmt.Sprintf("%d cores", m.Cores), "%s; %s; ClickHouse %s; load before %s", m.CPU, m.Go, m.Engine, m.Load)
	if v := r.Verdict; v != nil {
		row("verdict", fmt.Sprintf("%.0f ns", v.Judge), "on one core, over %d events: median; p99 %.0f ns, %.2f allocations; recalling the facts before it %.0f ns; loading all registers %.0f ms",
			v.Verdicts, v.P99, v.Allocs, v.Recall, v.Load)
	}
	if f := r.Facts; f != nil {
		row("facts", fmt.Sprintf("%.0f ns", f.P50), "p50 of recalling them for a person at random; p99 %.0f ns; %.2f allocations; %d persons", f.P99, f.Allocs, f.Persons)
		row("  in memory", fmt.Sprintf("%.0f B/person", f.PerPerson), "%.0f B a fact, %.1f facts a person; learnt in %.0f ns each", f.PerFact, float64(f.Facts)/float64(f.Persons), f.Learn)
	}
	if v := r.Replay; v != nil {
		row("replay", fmt.Sprintf("%.0f events/s", v.PerSec), "stored events judged by the register in force and by a draft; %.2f CPU us an event, ClickHouse's included; %d events; %d facts read before in %s", v.CPU, v.Verdicts, v.Facts, v.Learn.Round(time.Millisecond))
	}
	if c := r.Ingest; c != nil {
		for _, one := range c.Series {
			row(one.title(), fmt.Sprintf("%.0f events/s", median(one.Runs, perSecond)), "%s", one.note())
		}
	}
	for _, one := range r.goals() {
		met := "MISSED"
		if one.Met {
			met = "met"
		}
		row(met, one.Goal, "%s / %s: %s", one.Work, one.Against, one.Found)
	}
	if a := r.Answer; a != nil {
		total := 0.0
		var tables []string
		for _, b := range a.Bytes {
			total += b.PerEvent
			tables = append(tables, fmt.Sprintf("%s %.1f", b.Table, b.PerEvent))
		}
		row("on disk", fmt.Sprintf("%.1f B/event", total), "%d events, merges settled; by table: %s", a.Events, strings.Join(tables, ", "))
		row("answer", fmt.Sprintf("%.1f ms", a.Direct.P50), "p50 of who received a person's data; p99 %.1f ms; %d persons, warm, %.0f events each", a.Direct.P99, a.Persons, a.PerAnswer)
		row("answer over HTTP", fmt.Sprintf("%.1f ms", a.HTTP.P50), "p50; p99 %.1f ms", a.HTTP.P99)
	}
	if g := r.Growth; g != nil {
		for what, points := range map[string][]growthPoint{"partitions": g.Partitions, "persons": g.Persons, "rows stored": g.Rows} {
			for _, one := range points {
				row(fmt.Sprintf("%d %s", one.At, what), fmt.Sprintf("%.0f events/s", one.Run.PerSec), "%.1f CPU us an event", one.Run.CPU)
			}
		}
	}
	return t.Flush()
}
