package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRunsThrough measures everything with few events. What it measures is not
// looked at, but that it is there, that both sides stored the same, and that
// nothing is left behind.
func TestRunsThrough(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	var out, progress bytes.Buffer
	if code := run(t.Context(), []string{"--events", "12000", "--runs", "1", "--persons", "5", "--fact-persons", "3000", "--json"}, &out, &progress); code != 0 {
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
	if c := r.Ingest; c == nil || c.Ratio <= 0 || c.Events < 10_000 || trailBytes(c.OursBytes) <= 0 || trailBytes(c.EngineBytes) <= 0 {
		t.Errorf("ingest: %+v", c)
	} else if o, e := c.OursBytes[0], c.EngineBytes[0]; o.Rows != e.Rows || o.Rows != uint64(c.Events) {
		t.Errorf("%d events are %d rows of ingest and %d of the engine", c.Events, o.Rows, e.Rows)
	}
	if a := r.Answer; a == nil || a.Persons != 5 || a.PerAnswer <= 0 || a.Direct.P50 <= 0 || a.HTTP.P99 < a.HTTP.P50 {
		t.Errorf("answer: %+v", a)
	}
	var table bytes.Buffer
	if err := r.write(&table, false); err != nil || strings.Count(table.String(), "\n") != 11 {
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

// TestInterrupted: it says so, fails, and cleans up. It is over before the
// engine is started, of which there is one a process.
func TestInterrupted(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, progress bytes.Buffer
	code := run(ctx, []string{"--events", "12000", "--only", "verdict"}, &out, &progress)
	left, err := filepath.Glob(filepath.Join(tmp, "*"))
	if code != 1 || out.Len() > 0 || err != nil || len(left) > 0 || !strings.Contains(progress.String(), "interrupted") {
		t.Errorf("exit code %d, left %v\n%s%s", code, left, &progress, &out)
	}
	if _, err := os.Stat(tmp); err != nil {
		t.Error(err)
	}
}
