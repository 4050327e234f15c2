package verdict_test

import (
	"io/fs"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	registers "github.com/andmerada/andmerada/deploy/registers"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/verdict"
)

const decision = `andmerada: decision/v1
id: ELK-D1
title: Loyalty games may use the customer's language
controller: elektrum
decided_on: "2026-03-01"
decided_by: data protection officer
settles: [ELK-04]
ambiguities: [AMB-05]
applies:
  purposes: [games-and-campaigns]
  when: within(event.uncovered, ['communication-language'])
from: "2026-01-01"
verdict: allowed
because: The row ends with "etc."; a game has to be in a language that the customer reads.
`

// withDecision is the shipped registers and a decision beside them.
func withDecision(t *testing.T, text string) *register.Set {
	t.Helper()
	fsys := fstest.MapFS{"elektrum/decisions/2026-03-01-language.yaml": {Data: []byte(text)}}
	for _, name := range []string{"categories.yaml", "elektrum/2018-05-25.yaml"} {
		data, err := fs.ReadFile(registers.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		fsys[name] = &fstest.MapFile{Data: data}
	}
	set, err := register.Load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestDecisionSettlesAReview(t *testing.T) {
	t.Parallel()
	before, after := load(t), withDecision(t, decision)
	for _, c := range []struct {
		name       string
		at         string
		categories []string
		was, is    verdict.Outcome
		rules      []string
	}{
		{"settled", "2026-05-05T10:00:00+03:00", []string{"name", "communication-language"}, verdict.Review, verdict.Allowed, []string{"ELK-04", "ELK-D1"}},
		{"the first day it is for", "2026-01-01T00:00:00+02:00", []string{"communication-language"}, verdict.Review, verdict.Allowed, []string{"ELK-04", "ELK-D1"}},
		{"the day before", "2025-12-31T23:59:59+02:00", []string{"communication-language"}, verdict.Review, verdict.Review, []string{"ELK-04"}},
		{"its condition does not hold", "2026-05-05T10:00:00+03:00", []string{"communication-language", "fax"}, verdict.Review, verdict.Review, []string{"ELK-04"}},
		{"nothing to settle", "2026-05-05T10:00:00+03:00", []string{"name"}, verdict.Allowed, verdict.Allowed, nil},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		ev := &event.Event{
			Kind: event.Processing, Operation: event.Use, Controller: "elektrum", Time: at, Purpose: "elektrum/games-and-campaigns", Categories: c.categories,
		}
		var facts event.Facts
		facts.Consents = event.List[event.Consent]{Known: true, Entries: []event.Consent{{Purpose: ev.Purpose, GivenAt: at.AddDate(-1, 0, 0)}}}
		old, err := before.For("elektrum", at)
		if err != nil {
			t.Fatal(err)
		}
		settled, err := after.For("elektrum", at)
		if err != nil {
			t.Fatal(err)
		}
		if v := verdict.Judge(old, ev, &facts); v.Outcome != c.was {
			t.Errorf("%s: without the decision %v by %v, want %v", c.name, v.Outcome, v.Rules, c.was)
		}
		v := verdict.Judge(settled, ev, &facts)
		if v.Outcome != c.is || c.rules != nil && !slices.Equal(intersect(v.Rules, []string{"ELK-04", "ELK-D1"}), c.rules) {
			t.Errorf("%s: %v by %v, want %v by %v", c.name, v.Outcome, v.Rules, c.is, c.rules)
		}
		if old.Version == settled.Version {
			t.Error("a register with a decision has the version of the one without")
		}
		x := verdict.Explain(settled, ev, &facts)
		said := slices.ContainsFunc(x.Rules, func(r verdict.RuleExplanation) bool { return r.Decision != nil && r.Decision.ID == "ELK-D1" })
		if said != (c.was != c.is) {
			t.Errorf("%s: the explanation names the decision: %v", c.name, said)
		}
	}
}

func intersect(list, with []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return !slices.Contains(with, s) })
}

// TestDecisionNeverTouchesAViolation: it settles reviews, no more.
func TestDecisionNeverTouchesAViolation(t *testing.T) {
	t.Parallel()
	set := withDecision(t, `andmerada: decision/v1
id: ELK-D2
title: Everything goes
controller: elektrum
decided_on: "2026-03-01"
decided_by: someone
settles: [X-01, X-02, X-03, ELK-01, ELK-04]
verdict: allowed
because: We would like it so.
`)
	at := time.Date(2026, 5, 5, 9, 0, 0, 0, time.UTC)
	r, err := set.For("elektrum", at)
	if err != nil {
		t.Fatal(err)
	}
	none := event.Facts{Consents: event.List[event.Consent]{Known: true}}
	for _, ev := range []event.Event{
		{Operation: event.Send, Purpose: "elektrum/direct-marketing", Categories: []string{"name"}},
		{Operation: event.Use, Purpose: "elektrum/no-such-purpose"},
		{Operation: event.Use, Purpose: "netpro/billing"},
		{Operation: event.Use, Purpose: "elektrum/fault-statistics", Categories: []string{"name", "credit-score"}},
	} {
		ev.Kind, ev.Controller, ev.Time = event.Processing, "elektrum", at
		if v := verdict.Judge(r, &ev, &none); v.Outcome != verdict.Violation {
			t.Errorf("%s %v: %v by %v", ev.Purpose, ev.Categories, v.Outcome, v.Rules)
		}
	}
}

// TestGeneralRulesAreThoseThatDecisionsMaySettle: the register names them, this
// package has them.
func TestGeneralRulesAreThoseThatDecisionsMaySettle(t *testing.T) {
	t.Parallel()
	for _, id := range register.GeneralRules {
		if _, _, ok := verdict.General(id); !ok {
			t.Errorf("%s is no general rule", id)
		}
	}
}
