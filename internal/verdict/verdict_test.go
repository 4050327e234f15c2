package verdict_test

import (
	"io/fs"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	registers "github.com/andmerada/andmerada/deploy/registers"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/verdict"
	"github.com/andmerada/andmerada/internal/verdict/casetest"
)

func load(t testing.TB) *register.Set {
	t.Helper()
	set, err := register.Load(registers.FS)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// TestCases runs the registers' own worked cases.
func TestCases(t *testing.T) {
	t.Parallel()
	set := load(t)
	files, err := fs.Glob(os.DirFS("../../deploy/registers"), "*/cases/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	spoke := make(map[string]map[register.Outcome]bool)
	for _, file := range files {
		f, err := os.Open("../../deploy/registers/" + file)
		if err != nil {
			t.Fatal(err)
		}
		cases, err := casetest.Read(f)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		for i := range cases {
			res := casetest.Run(set, &cases[i])
			if !res.Passed {
				t.Errorf("%s: %s: %s (%s)", file, cases[i].ID, res.Problem, cases[i].Why)
			}
			if res.Explanation == nil {
				continue
			}
			for _, r := range res.Explanation.Rules {
				if spoke[r.ID] == nil {
					spoke[r.ID] = make(map[register.Outcome]bool)
				}
				spoke[r.ID][r.Outcome] = true
			}
		}
	}
	// Every rule that can fail is seen to pass and to fail.
	for _, r := range set.All() {
		for _, rule := range r.AllRules() {
			if rule.NotJudged != "" {
				continue
			}
			for outcome := range outcomesOf(rule) {
				if !spoke[rule.ID][outcome] {
					t.Errorf("no case in which %s comes to %s", rule.ID, outcome)
				}
			}
		}
	}
}

// outcomesOf are the outcomes, met and unmet, that a rule can come to.
func outcomesOf(rule *register.Rule) map[register.Outcome]bool {
	out := map[register.Outcome]bool{rule.MetOutcome: true}
	for _, req := range rule.Requirements {
		out[req.UnmetOutcome] = true
	}
	delete(out, register.NotApplicable)
	return out
}

// anyEvent draws an event of Elektrum or Netpro, now and then with something
// that the register does not know.
func anyEvent(t *rapid.T, set *register.Set) (*register.Register, *event.Event) {
	r := rapid.SampledFrom(set.All()).Draw(t, "register")
	purposes, recipients := []string{"nobody/nothing"}, []string{"", event.DataSubject, "nobody/none"}
	for _, p := range r.Purposes {
		purposes = append(purposes, r.FullID(p.ID))
	}
	for _, e := range r.Recipients {
		recipients = append(recipients, r.FullID(e.ID))
	}
	categories := []string{"no-such-category"}
	for _, c := range r.Categories {
		categories = append(categories, c.ID)
	}
	return r, &event.Event{
		Kind: event.Processing, Controller: r.Controller.ID, Time: time.Unix(rapid.Int64Range(1.6e9, 1.8e9).Draw(t, "time"), 0),
		Operation:  rapid.SampledFrom(event.Operations()).Draw(t, "operation"),
		Purpose:    rapid.SampledFrom(purposes).Draw(t, "purpose"),
		Recipient:  event.Recipient{ID: rapid.SampledFrom(recipients).Draw(t, "recipient")},
		Categories: rapid.SliceOfNDistinct(rapid.SampledFrom(categories), 0, 5, rapid.ID).Draw(t, "categories"),
	}
}

func anyFacts(t *rapid.T, ev *event.Event) event.Facts {
	var f event.Facts
	around := rapid.Custom(func(t *rapid.T) time.Time {
		return ev.Time.Add(time.Duration(rapid.IntRange(-1000, 1000).Draw(t, "days")) * 24 * time.Hour)
	})
	for _, info := range event.Vocabulary() {
		switch rapid.IntRange(0, 5).Draw(t, info.Name) {
		case 0, 1:
			continue
		case 2:
			f.Set(info.Field, event.Value{State: event.Unknown})
			continue
		case 3:
			if info.Nullable {
				f.Set(info.Field, event.Value{State: event.Null})
				continue
			}
		}
		switch info.Type {
		case event.Bool:
			f.Set(info.Field, event.BoolValue(rapid.Bool().Draw(t, "bool")))
		case event.Day:
			f.Set(info.Field, event.DayValue(event.DateOf(around.Draw(t, "day"), time.UTC)))
		default:
			values := info.Values
			if values == nil {
				values = []string{"EE", "NO", "US", "GB"}
			}
			f.Set(info.Field, event.TextValue(rapid.SampledFrom(values).Draw(t, "text")))
		}
	}
	f.Consents.Known = rapid.Bool().Draw(t, "consents known")
	if f.Consents.Known {
		for range rapid.IntRange(0, 3).Draw(t, "consents") {
			c := event.Consent{Purpose: ev.Purpose, GivenAt: around.Draw(t, "given")}
			if rapid.Bool().Draw(t, "withdrawn") {
				c.WithdrawnAt = around.Draw(t, "withdrawn at")
			}
			f.Consents.Entries = append(f.Consents.Entries, c)
		}
	}
	f.Objections.Known = rapid.Bool().Draw(t, "objections known")
	if f.Objections.Known && rapid.Bool().Draw(t, "objects") {
		f.Objections.Entries = []event.Objection{{
			Purpose: ev.Purpose, MadeAt: around.Draw(t, "objected"),
			Outcome: rapid.SampledFrom([]string{"", "pending", "upheld", "rejected"}).Draw(t, "outcome"),
		}}
	}
	f.Requests.Known = true
	for range rapid.IntRange(0, 2).Draw(t, "requests") {
		f.Requests.Entries = append(f.Requests.Entries, event.Request{
			Type:    rapid.SampledFrom([]string{"instalment", "erasure", "access", "decision-review"}).Draw(t, "request"),
			MadeAt:  around.Draw(t, "requested"),
			Handled: event.BoolValue(rapid.Bool().Draw(t, "handled")),
		})
	}
	return f
}

func TestJudgingTwiceGivesTheSame(t *testing.T) {
	t.Parallel()
	set := load(t)
	rapid.Check(t, func(t *rapid.T) {
		r, ev := anyEvent(t, set)
		facts := anyFacts(t, ev)
		first, second := verdict.Judge(r, ev, &facts), verdict.Judge(r, ev, &facts)
		if !reflect.DeepEqual(first, second) {
			t.Errorf("first %+v, then %+v", first, second)
		}
		if x := verdict.Explain(r, ev, &facts); !reflect.DeepEqual(x.Verdict, first) {
			t.Errorf("explained as %+v, judged as %+v", x.Verdict, first)
		}
	})
}

// TestOrderOfFactsIsNothing: what was true does not depend on the order in
// which it is told.
func TestOrderOfFactsIsNothing(t *testing.T) {
	t.Parallel()
	set := load(t)
	rapid.Check(t, func(t *rapid.T) {
		r, ev := anyEvent(t, set)
		facts := anyFacts(t, ev)
		turned := facts
		turned.Consents.Entries = slices.Clone(facts.Consents.Entries)
		slices.Reverse(turned.Consents.Entries)
		turned.Requests.Entries = slices.Clone(facts.Requests.Entries)
		slices.Reverse(turned.Requests.Entries)
		slices.Reverse(ev.Categories)
		if a, b := verdict.Judge(r, ev, &facts), verdict.Judge(r, ev, &turned); !reflect.DeepEqual(a, b) {
			t.Errorf("%+v, turned round %+v", a, b)
		}
	})
}

// TestForgettingNeverAllows: a violation does not become allowed by forgetting
// what a fact was, where nothing but its being unclear is said of it.
func TestForgettingNeverAllows(t *testing.T) {
	t.Parallel()
	set := load(t)
	rapid.Check(t, func(t *rapid.T) {
		r, ev := anyEvent(t, set)
		facts := anyFacts(t, ev)
		before := verdict.Judge(r, ev, &facts)
		if before.Outcome != verdict.Violation {
			return
		}
		forgot := facts
		field := rapid.SampledFrom(event.Vocabulary()).Draw(t, "forgotten")
		if facts.Get(field.Field).State != event.Known {
			return
		}
		forgot.Set(field.Field, event.Value{State: event.Unknown})
		if after := verdict.Judge(r, ev, &forgot); after.Outcome == verdict.Allowed {
			t.Errorf("%s: %+v; with %s forgotten %+v", ev.Operation, before, field.Name, after)
		}
	})
}

func TestVerdictNamesWhatItRestsOn(t *testing.T) {
	t.Parallel()
	set := load(t)
	rapid.Check(t, func(t *rapid.T) {
		r, ev := anyEvent(t, set)
		facts := anyFacts(t, ev)
		v := verdict.Judge(r, ev, &facts)
		if len(v.Rules) == 0 && v.Outcome != verdict.Allowed || v.RegisterVersion != r.Version || v.Evaluator != verdict.Evaluator {
			t.Errorf("%+v", v)
		}
		for _, id := range v.Rules {
			if _, ok := r.Rule(id); !ok && !slices.Contains([]string{"X-01", "X-02", "X-03"}, id) {
				t.Errorf("rests on %s, which is no rule", id)
			}
		}
		if v.Outcome != verdict.Review && len(v.Unknown) > 0 {
			t.Errorf("%v, yet facts are missing: %v", v.Outcome, v.Unknown)
		}
	})
}

func BenchmarkJudge(b *testing.B) {
	set := load(b)
	at := time.Date(2024, 6, 10, 9, 0, 0, 0, time.UTC)
	r, err := set.For("elektrum", at)
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name string
		ev   event.Event
	}{
		{"billing", event.Event{Operation: event.Use, Purpose: "elektrum/billing", Categories: []string{"name", "consumption", "contract-number"}}},
		{"marketing", event.Event{Operation: event.Send, Purpose: "elektrum/direct-marketing", Categories: []string{"name", "email"}, Recipient: event.Recipient{ID: "data-subject"}}},
		{"creditinfo", event.Event{Operation: event.Disclose, Purpose: "elektrum/creditinfo-disclosure", Categories: []string{"breach-info", "name"}, Recipient: event.Recipient{ID: "elektrum/creditinfo-eesti"}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			c.ev.Kind, c.ev.Controller, c.ev.Time = event.Processing, "elektrum", at
			var f event.Facts
			f.Consents = event.List[event.Consent]{Known: true, Entries: []event.Consent{{Purpose: "elektrum/direct-marketing", GivenAt: at.AddDate(-1, 0, 0)}}}
			f.Set(event.BreachExists, event.BoolValue(true))
			f.Set(event.BreachKind, event.TextValue("payment"))
			f.Set(event.BreachInfoVerified, event.BoolValue(true))
			f.Set(event.BreachDate, event.DayValue(event.NewDate(2024, 3, 1)))
			f.Set(event.BreachEndedOn, event.Value{State: event.Null})
			b.ReportAllocs()
			var v verdict.Verdict
			for b.Loop() {
				if v.Judge(r, &c.ev, &f); v.Outcome != verdict.Allowed {
					b.Fatal("not allowed")
				}
			}
		})
	}
}
