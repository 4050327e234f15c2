package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain makes this program a part of what it measures, where one is asked for.
func TestMain(m *testing.M) {
	if name := os.Getenv(partVariable); name != "" {
		os.Exit(runPart(context.Background(), name, os.Args[1:]))
	}
	os.Exit(m.Run())
}

// program builds the andmerada that is measured.
func program(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "andmerada")
	if out, err := exec.Command("go", "build", "-o", file, "../andmerada").CombinedOutput(); err != nil {
		t.Fatalf("build andmerada: %v\n%s", err, out)
	}
	return file
}

// TestRunsThrough measures everything with few events. What it measures is not
// looked at, but that it is there, that both sides stored the same, and that
// nothing is left behind.
func TestRunsThrough(t *testing.T) {
	andmerada := program(t)
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	page := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(page, []byte("# Before\n"+pageBegins+"old\n"+pageEnds+"after\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, progress bytes.Buffer
	if code := run(t.Context(), []string{"--program", andmerada, "--cache", "", "--events", "12000", "--runs", "1", "--persons", "5", "--fact-persons", "3000", "--away", "1s", "--rate", "1000", "--fresh-seconds", "2", "--grow-persons", "10000", "--grow-rows", "20000", "--collector", "", "--doc", page, "--json"}, &out, &progress); code != 0 {
		t.Fatalf("exit code %d\n%s", code, &progress)
	}
	var r result
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	if r.Verdict == nil || r.Verdict.Judge <= 0 || r.Verdict.Verdicts < 1000 {
		t.Errorf("verdict: %+v", r.Verdict)
	}
	if f := r.Facts; f == nil || f.Persons != 3000 || f.Facts < 2*f.Persons || f.PerPerson <= 0 || f.P99 < f.P50 {
		t.Errorf("facts: %+v", f)
	}
	if v := r.Replay; v == nil || v.PerSec <= 0 || v.CPU <= 0 || v.Verdicts < 8000 || v.Facts < 1000 {
		t.Errorf("replay: %+v", v)
	}
	if c := r.Ingest; c == nil || len(c.Ratios) < 4 || c.Events < 10_000 {
		t.Errorf("ingest: %+v", c)
	} else {
		for _, one := range c.Series {
			if len(one.Runs) != 1 || one.Runs[0].PerSec <= 0 || one.Runs[0].ClickHouse <= 0 || one.Runs[0].Bytes <= 0 || (one.Runs[0].Reader > 0) != (one.Side != engineSide) {
				t.Errorf("%s: %+v", one.title(), one.Runs)
			}
		}
	}
	if a := r.Answer; a == nil || a.Persons != 5 || a.PerAnswer <= 0 || a.Direct.P50 <= 0 || a.HTTP.P99 < a.HTTP.P50 {
		t.Errorf("answer: %+v", a)
	}
	if f := r.Fresh; f == nil || f.Producer.Events != 2000 || f.P50 <= 0 || f.P99 < f.P50 || f.Ingest <= 0 {
		t.Errorf("freshness: %+v", f)
	}
	if a := r.Away; a == nil || a.Most < a.Before || a.Before <= 0 || a.Events < 10_000 {
		t.Errorf("away: %+v", a)
	}
	if c := r.Collector; c == nil || c.Left == "" {
		t.Errorf("the collector: %+v", c)
	}
	if g := r.Growth; g == nil || len(g.Partitions) != 3 || len(g.Persons) != 1 || len(g.Rows) != 1 || g.Rows[0].Run.CPU <= 0 || g.Rows[0].Answer.P50 <= 0 || g.Persons[0].Recall <= 0 {
		t.Errorf("growth: %+v", g)
	}
	written, err := os.ReadFile(page)
	if text := string(written); err != nil || !strings.HasPrefix(text, "# Before\n") || !strings.HasSuffix(text, pageEnds+"after\n") ||
		strings.Contains(text, "old\n") || strings.Count(text, "missed |")+strings.Count(text, "met |") < 10 {
		t.Errorf("the page: %v\n%s", err, text)
	}
	var table bytes.Buffer
	if err := r.write(&table, false); err != nil || strings.Count(table.String(), "\n") < 15 {
		t.Errorf("%v\n%s", err, &table)
	}
	left, err := filepath.Glob(filepath.Join(tmp, "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		args string
		code int
		says string
	}{
		{"--help", 0, "-events"},
		{"--only verdict,merges", 2, `there is nothing called "merges" to measure`},
		{"--events 0", 2, "must be above 0"},
		{"--persons many", 2, "invalid value"},
		{"ingest", 2, `"ingest" is not a flag`},
	} {
		var out, progress bytes.Buffer
		if code := run(context.Background(), strings.Fields(tc.args), &out, &progress); code != tc.code || !strings.Contains(progress.String(), tc.says) || out.Len() > 0 {
			t.Errorf("%s: exit code %d, want %d\n%s%s", tc.args, code, tc.code, &progress, &out)
		}
	}
}

// TestInterrupted: it says so, fails, and cleans up.
func TestInterrupted(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, progress bytes.Buffer
	code := run(ctx, []string{"--cache", "", "--events", "12000", "--only", "verdict"}, &out, &progress)
	left, err := filepath.Glob(filepath.Join(tmp, "*"))
	if code != 1 || out.Len() > 0 || err != nil || len(left) > 0 || !strings.Contains(progress.String(), "interrupted") {
		t.Errorf("exit code %d, left %v\n%s%s", code, left, &progress, &out)
	}
	if _, err := os.Stat(tmp); err != nil {
		t.Error(err)
	}
}
