package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	registers "github.com/andmerada/andmerada/deploy/registers"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/replay"
)

func dated(controller, version string, year int) *register.Register {
	r := &register.Register{Version: version}
	r.Controller.ID = controller
	if year > 0 {
		r.From = time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return r
}

// TestDraftSet: what is tried is what is not in force yet; as dated, with what
// went before it.
func TestDraftSet(t *testing.T) {
	t.Parallel()
	current := register.NewSet(dated("acme", "a1", 2020), dated("acme", "a2", 2024), dated("other", "o1", 0))
	for _, c := range []struct {
		name    string
		drafts  []*register.Register
		asDated bool
		want    string
	}{
		{"a file", []*register.Register{dated("acme", "a3", 2027)}, false, "a3"},
		{"a file, as dated", []*register.Register{dated("acme", "a3", 2027)}, true, "a3 a2 a1"},
		{"a correction, as dated", []*register.Register{dated("acme", "a3", 2024)}, true, "a3 a1"},
		{"a directory", []*register.Register{dated("acme", "a3", 2027), dated("acme", "a2", 2024), dated("other", "o1", 0)}, false, "a3"},
		{"a directory of two drafts", []*register.Register{dated("acme", "a3", 2027), dated("other", "o2", 0)}, false, "a3 o2"},
		{"nothing new", []*register.Register{dated("acme", "a2", 2024)}, false, "a2"},
	} {
		var got []string
		for _, r := range draftSet(c.drafts, current, c.asDated).All() {
			got = append(got, r.Version)
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: %s, want %s", c.name, s, c.want)
		}
	}
}

// TestReadDrafts: what a draft leaves as it is does not look changed. The same
// file is the same version wherever it lies.
func TestReadDrafts(t *testing.T) {
	t.Parallel()
	set, err := register.Load(registers.FS)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "all"), registers.FS); err != nil {
		t.Fatal(err)
	}
	for _, r := range set.All() {
		data, err := registers.FS.ReadFile(r.File)
		if err != nil {
			t.Fatal(err)
		}
		alone := filepath.Join(dir, r.Controller.ID+".yaml")
		if err := os.WriteFile(alone, data, 0o600); err != nil {
			t.Fatal(err)
		}
		nothing := fstest.MapFS{}
		if drafts, err := readDrafts(alone, registers.FS); err != nil || drafts[0].Version != r.Version {
			t.Errorf("%s alone: %v, %v", r.File, drafts, err)
		}
		if drafts, err := readDrafts(filepath.Join(dir, "all", r.File), nothing); err != nil || drafts[0].Version != r.Version {
			t.Errorf("%s in its directory: %v, %v", r.File, drafts, err)
		}
		if _, err := readDrafts(alone, nothing); err == nil {
			t.Errorf("%s has categories from nowhere", r.File)
		}
	}
	if drafts, err := readDrafts(filepath.Join(dir, "all"), registers.FS); err != nil || len(drafts) != len(set.All()) {
		t.Errorf("the directory: %d drafts, %v", len(drafts), err)
	}
	big := filepath.Join(dir, "big.yaml")
	if err := os.WriteFile(big, make([]byte, register.MaxFileSize+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readDrafts(big, registers.FS); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("a file too big: %v", err)
	}
}

func TestPrintTrial(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 31, 22, 30, 0, 0, time.UTC)
	zone, err := time.LoadLocation("Europe/Tallinn")
	if err != nil {
		t.Fatal(err)
	}
	count := replay.Count{Verdicts: 1234, Persons: 17, First: at.AddDate(0, -1, 0), Last: at}
	change := replay.Transition{Before: register.Allowed, After: register.Violation, Count: count}
	r := &replay.Result{
		Drafts:   []replay.Draft{{Controller: "acme", File: "acme/2027-01-01.yaml", Version: "abc", InForce: "2027-01-01"}},
		Verdicts: 1_000_000, Duplicates: 12, First: at.AddDate(-1, 0, 0), Last: at, Changed: count, Transitions: []replay.Transition{change},
		Changes: []replay.Change{{
			Transition: change, Controller: "acme", Purpose: "acme/billing",
			RulesBefore: []replay.Rule{{ID: "X-02"}}, RulesAfter: []replay.Rule{{ID: "A-1", Clauses: []string{"§3.1", "§4"}}, {ID: "A-2"}},
			Examples: []replay.Example{{Topic: "t", Partition: 2, Offset: 7, Index: 1, Source: "crm", Time: at, Operation: "use"}},
		}},
		Regrounded: 3, Pending: replay.Pending{Verdicts: 4, Regrounded: 5},
	}
	var out strings.Builder
	if err := printTrial(&out, r, zone); err != nil {
		t.Fatal(err)
	}
	const want = `Tried: acme/2027-01-01.yaml, register of acme, in force from 2027-01-01, version abc.
The draft was held against all events, whatever the day from which it is in force.
Judged by the registers in force and by the draft, both by all facts known now: 1,000,000 verdicts, one for each
event and person, on events from 2025-04-01 to 2026-04-01, 12 of them on events that came a second time. Nothing was written.

The draft changes 1,234 verdicts, on 17 persons:

  BEFORE   AFTER      VERDICTS  PERSONS  FIRST       LAST
  allowed  violation  1,234     17       2026-03-04  2026-04-01

  #  BEFORE   AFTER      VERDICTS  PERSONS  FIRST       LAST        PURPOSE       RECIPIENT  RULES BEFORE  RULES AFTER
  1  allowed  violation  1,234     17       2026-03-04  2026-04-01  acme/billing  -          X-02          A-1 (§3.1, §4), A-2

  #  EXAMPLE  SOURCE  TIME                  OPERATION  PERSON
  1  t/2/7    crm     2026-03-31T22:30:00Z  use        1

3 verdicts stay what they are, but rest on other rules or lack other facts.
Apart from the draft: 4 stored verdicts, and the grounds of 5 more, are not what the registers in force give by
what is known now. Judging them again puts that right; it is not counted above.
`
	if out.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", &out, want)
	}
	for range maxTryRows + 1 {
		r.Changes = append(r.Changes, replay.Change{Transition: change, Purpose: "many"})
	}
	r.AsDated, r.LeftOut = true, 5
	out.Reset()
	if err := printTrial(&out, r, zone); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"(--as-dated)", "and 2 more, with fewer verdicts", "5 verdicts change in ways"} {
		if !strings.Contains(out.String(), s) {
			t.Errorf("does not say %q:\n%s", s, &out)
		}
	}
	for says, r := range map[string]*replay.Result{"There are no events": {}, "changes no verdict": {Verdicts: 1}} {
		out.Reset()
		if err := printTrial(&out, r, zone); err != nil || !strings.Contains(out.String(), says) {
			t.Errorf("%v\n%s", err, &out)
		}
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	var got []string
	for _, n := range []uint64{0, 12, 999, 1000, 123456, 1234567} {
		got = append(got, number(n))
	}
	if s := fmt.Sprint(got); s != "[0 12 999 1,000 123,456 1,234,567]" {
		t.Error(s)
	}
}
