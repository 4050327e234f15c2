package history_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	registers "github.com/andmerada/andmerada/deploy/registers"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/history"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/verdict"
)

var small = history.Options{Seed: 1, Events: 20_000, Persons: 500, CohortPart: 100}

func load(t testing.TB) *register.Set {
	t.Helper()
	set, err := register.Load(registers.FS)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// planned are the registers of the companies whose history is made up; the
// others that ship have none.
func planned(set *register.Set) []*register.Register {
	return slices.DeleteFunc(slices.Clone(set.All()), func(r *register.Register) bool {
		return r.Controller.ID != "elektrum" && r.Controller.ID != "netpro"
	})
}

func newGenerator(t testing.TB, o history.Options) *history.Generator {
	t.Helper()
	g, err := history.New(load(t), o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// keeper learns facts as they pass, and judges each event by what it has
// learnt so far, as ingest does.
type keeper struct {
	t     testing.TB
	set   *register.Set
	facts *facts.Store
	n     int64
}

func newKeeper(t testing.TB, set *register.Set) *keeper {
	return &keeper{t: t, set: set, facts: facts.New()}
}

// pseudonym stands in for the keyed one.
func pseudonym(p event.Person) identity.Pseudonym {
	sum := sha256.Sum256([]byte(p.Scheme + "\x00" + p.Value))
	return identity.Pseudonym(sum[:16])
}

func (k *keeper) take(ev *event.Event, found func(history.Found)) {
	k.n++
	switch ev.Kind {
	case event.FactEvent:
		var persons []identity.Pseudonym
		for _, p := range ev.Persons {
			persons = append(persons, pseudonym(p))
		}
		k.facts.Learn(ev.Controller, persons, &ev.Fact, facts.Order{Recorded: ev.Time, Topic: "t", Offset: k.n})
	case event.Processing:
		persons := []identity.Pseudonym{{}}
		for i, p := range ev.Persons {
			persons = append(persons[:i], pseudonym(p))
		}
		reg, err := k.set.For(ev.Controller, ev.Time)
		if err != nil {
			k.t.Fatal(err)
		}
		for _, p := range persons {
			known := k.facts.AsOf(ev.Controller, p, ev.Actor.ID, ev.Recipient.ID, ev.Time)
			known.Overlay(&ev.Statements)
			v := verdict.Judge(reg, ev, &known)
			found(history.Found{Source: ev.Source, ID: ev.ID, Outcome: v.Outcome, Rules: v.Rules})
		}
	}
}

func (k *keeper) judge(events iter.Seq[*event.Event]) iter.Seq[history.Found] {
	return func(yield func(history.Found) bool) {
		for ev := range events {
			k.take(ev, func(f history.Found) { yield(f) })
		}
	}
}

func TestVerdictsAreThosePlanted(t *testing.T) {
	t.Parallel()
	g := newGenerator(t, small)
	m := g.Manifest()
	// The manifest may have been kept in a file.
	kept, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	m = new(history.Manifest)
	if err := json.Unmarshal(kept, m); err != nil {
		t.Fatal(err)
	}
	report := m.Compare(newKeeper(t, load(t)).judge(g.Events()))
	if !report.OK() || report.AsPlanted < 90 || report.AsPlanted != len(m.Violations) || report.SilencesFound != len(m.Silences) || len(m.NearMisses) < 10 {
		kind := make(map[string]string)
		for _, list := range [][]*history.Entry{m.Violations, m.Silences, m.NearMisses} {
			for _, e := range list {
				kind[e.ID] = e.Kind
			}
		}
		for _, f := range report.CalledWrongly {
			t.Logf("%s is planted as %q", f.ID, kind[f.ID])
		}
		t.Error(report)
	}
}

// TestEveryRuleIsPlanted: each rule that can be violated is, somewhere.
func TestEveryRuleIsPlanted(t *testing.T) {
	t.Parallel()
	planted := make(map[string]bool)
	for _, e := range newGenerator(t, small).Manifest().Violations {
		for _, id := range e.Rules {
			planted[id] = true
		}
	}
	for _, r := range planned(load(t)) {
		for _, rule := range r.AllRules() {
			if slices.ContainsFunc(rule.Requirements, func(req register.CompiledRequirement) bool { return req.UnmetOutcome == register.Violation }) && !planted[rule.ID] {
				t.Errorf("no planted violation of %s", rule.ID)
			}
		}
	}
}

// TestEventsAreSendable: each event is taken by the codec as it is, in the
// order of time, with the sequence of its source, and its id is its own.
func TestEventsAreSendable(t *testing.T) {
	t.Parallel()
	g := newGenerator(t, small)
	set := load(t)
	var last time.Time
	sequence, ids := make(map[string]uint64), make(map[string]bool)
	purposes, recipients, ops := make(map[string]bool), make(map[string]bool), make(map[event.Operation]bool)
	listed := make(map[string]uint64)
	left := make(map[event.Person]bool) // who is no client any more
	n := 0
	for ev := range g.Events() {
		n++
		headers, value, err := event.EncodeBinary(ev)
		if err != nil {
			t.Fatalf("%s of %s: %v", ev.Type, ev.Source, err)
		}
		if n%8 == 0 {
			back, err := event.DecodeKafka(headers, value)
			if err != nil {
				t.Fatal(err)
			}
			if again, _ := event.Encode(back); string(again) != string(value) {
				t.Fatalf("%s\nread back as\n%s", value, again)
			}
		}
		if ev.Time.Before(last) {
			t.Fatalf("%s after %s", ev.Time, last)
		}
		last = ev.Time
		if sequence[ev.Source]++; ev.Sequence != sequence[ev.Source] {
			t.Fatalf("%s: sequence %d, want %d", ev.Source, ev.Sequence, sequence[ev.Source])
		}
		if ids[ev.ID] {
			t.Fatalf("id %s twice", ev.ID)
		}
		ids[ev.ID] = true
		if ev.Type != ev.TypeName() {
			t.Fatalf("type %s of a %s", ev.Type, ev.TypeName())
		}
		switch ev.Kind {
		case event.FactEvent:
			value := &ev.Fact.Value
			if value.Get(event.ContractEnd).State == event.Known || value.Get(event.RelationshipEnd).State == event.Known {
				left[ev.Persons[0]] = true
			}
		case event.CohortPart:
			listed[ev.Cohort.ID] += uint64(len(ev.Cohort.Members))
		case event.Processing:
			if strings.HasSuffix(ev.Source, "/billing") && ev.Operation == event.Use && left[ev.Persons[0]] {
				t.Fatalf("%s for somebody who has left, at %s", ev.Purpose, ev.Time)
			}
			purposes[ev.Purpose], recipients[ev.Recipient.ID], ops[ev.Operation] = true, true, true
			if ev.Cohort.ID != "" && (ev.Cohort.Size == 0 || listed[ev.Cohort.ID] != ev.Cohort.Size) {
				t.Fatalf("cohort %s of %d: %d listed before it", ev.Cohort.ID, ev.Cohort.Size, listed[ev.Cohort.ID])
			}
		}
	}
	m := g.Manifest()
	if n != m.Totals.Events || n != small.Events {
		t.Errorf("%d events, the manifest says %d, %d were asked for", n, m.Totals.Events, small.Events)
	}
	if last.After(m.End) {
		t.Errorf("an event at %s, after the end", last)
	}
	for _, r := range planned(set) {
		for _, p := range r.Purposes {
			if !purposes[r.FullID(p.ID)] {
				t.Errorf("nothing for %s", r.FullID(p.ID))
			}
		}
		for _, e := range r.Recipients {
			if !recipients[r.FullID(e.ID)] {
				t.Errorf("nothing to %s", r.FullID(e.ID))
			}
		}
	}
	for _, op := range []event.Operation{event.Access, event.Use, event.Profile, event.Decide, event.Collect, event.Record, event.Send, event.Transfer, event.Disclose, event.Retain, event.Erase, event.Rectify} {
		if !ops[op] {
			t.Errorf("nothing is done by %s", op)
		}
	}
}

func digest(t testing.TB, o history.Options) string {
	h := sha256.New()
	g := newGenerator(t, o)
	for ev := range g.Events() {
		headers, value := ev.ID+ev.Source+ev.Type+ev.TraceParent+ev.Time.Format(time.RFC3339Nano), []byte(nil)
		value, err := event.Encode(ev)
		if err != nil {
			t.Fatal(err)
		}
		h.Write([]byte(headers))
		h.Write(value)
	}
	manifest, err := json.Marshal(g.Manifest())
	if err != nil {
		t.Fatal(err)
	}
	h.Write(manifest)
	return hex.EncodeToString(h.Sum(nil))
}

func TestSeedDecidesAll(t *testing.T) {
	t.Parallel()
	first := digest(t, small)
	if second := digest(t, small); first != second {
		t.Errorf("the same seed gave %s, then %s", first, second)
	}
	other := small
	other.Seed = 7
	if first == digest(t, other) {
		t.Error("another seed gave the same history")
	}
}

// TestThingsToTry: the persons to try have had happen to them what is said.
func TestThingsToTry(t *testing.T) {
	t.Parallel()
	g := newGenerator(t, small)
	try := g.Manifest().Try
	recipients, inBulk := make(map[string]bool), 0
	in, sent, withdrawn := make(map[string]bool), 0, false
	violation := false
	for ev := range g.Events() {
		is := func(who history.Identified) bool {
			return ev.Controller == who.Controller && slices.Contains(ev.Persons, event.Person{Scheme: who.Scheme, Value: who.Identifier})
		}
		violation = violation || ev.ID == try.Violation.ID && ev.Source == try.Violation.Source && is(try.ManyRecipients)
		switch {
		case ev.Kind == event.CohortPart && slices.Contains(ev.Cohort.Members, event.Person{Scheme: try.ManyRecipients.Scheme, Value: try.ManyRecipients.Identifier}):
			in[ev.Cohort.ID] = true
		case in[ev.Cohort.ID] && ev.Operation.HandsOver():
			inBulk++
		case ev.Kind == event.Processing && is(try.ManyRecipients) && ev.Operation.HandsOver():
			recipients[ev.Recipient.ID+ev.Recipient.Organisation] = true
		case is(try.Withdrawn) && ev.Fact.Name == "consent" && len(ev.Fact.Value.Consents.Entries) > 0:
			withdrawn = withdrawn || !ev.Fact.Value.Consents.Entries[0].WithdrawnAt.IsZero()
		case is(try.Withdrawn) && strings.HasSuffix(ev.Purpose, "/direct-marketing") && withdrawn:
			sent++
		}
	}
	if len(recipients) < 6 || inBulk < 12 || !violation {
		t.Errorf("%d recipients, %d bulk transfers, violation: %v", len(recipients), inBulk, violation)
	}
	if sent != 1 {
		t.Errorf("%d newsletters after the withdrawal", sent)
	}
}

// TestClockChange: something happens in the hour that is there twice.
func TestClockChange(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("Europe/Tallinn")
	if err != nil {
		t.Fatal(err)
	}
	twice := 0
	for ev := range newGenerator(t, history.Options{Events: 60_000, Persons: history.MinPersons}).Events() {
		local := ev.Time.In(zone)
		if local.Month() == time.October && local.Hour() == 3 && local.Add(time.Hour).Hour() == 3 || local.Hour() == 3 && local.Add(-time.Hour).Hour() == 3 {
			twice++
		}
	}
	if twice == 0 {
		t.Error("nothing in the hour that summer time repeats")
	}
}

func TestCompareTellsWhatDiffers(t *testing.T) {
	t.Parallel()
	m := &history.Manifest{
		Violations: []*history.Entry{{ID: "a", Source: "s", Kind: "k", Verdict: register.Violation, Rules: []string{"R-1"}}, {ID: "b", Source: "s", Verdict: register.Violation, Rules: []string{"R-2"}}},
		Silences:   []*history.Entry{{ID: "c", Source: "s", Verdict: register.Review, Rules: []string{"R-3"}}},
		NearMisses: []*history.Entry{{ID: "d", Source: "s", Verdict: register.Allowed}},
	}
	right := []history.Found{
		{Source: "s", ID: "a", Outcome: register.Allowed},
		{Source: "s", ID: "a", Outcome: register.Violation, Rules: []string{"R-0", "R-1"}},
		{Source: "s", ID: "b", Outcome: register.Violation, Rules: []string{"R-2"}},
		{Source: "s", ID: "c", Outcome: register.Review, Rules: []string{"R-3"}},
		{Source: "s", ID: "d", Outcome: register.Allowed},
		{Source: "other", ID: "a", Outcome: register.Allowed},
	}
	if r := m.Compare(slices.Values(right)); !r.OK() || r.AsPlanted != 2 || r.SilencesFound != 1 {
		t.Errorf("all as planted: %+v", r)
	}
	change := func(i int, f history.Found) history.Report {
		found := slices.Clone(right)
		found[i] = f
		return m.Compare(slices.Values(found))
	}
	for name, test := range map[string]struct {
		r                              history.Report
		missed, otherwise, wrongly, ok int
		shows                          string
	}{
		"missed":               {change(1, history.Found{}), 1, 0, 0, 1, "missed: s a (k): expected violation by R-1"},
		"by another rule":      {change(1, history.Found{Source: "s", ID: "a", Outcome: register.Violation, Rules: []string{"R-9"}}), 0, 1, 0, 1, "found R-9"},
		"a silence too strict": {change(3, history.Found{Source: "s", ID: "c", Outcome: register.Violation}), 1, 0, 1, 2, "called wrongly: s c: violation"},
		"a near miss":          {change(4, history.Found{Source: "s", ID: "d", Outcome: register.Review, Rules: []string{"R-4"}}), 0, 0, 1, 2, "called wrongly: s d: review by R-4"},
		"another source's id":  {change(5, history.Found{Source: "other", ID: "a", Outcome: register.Violation}), 0, 0, 1, 2, "other a"},
	} {
		r := test.r
		if len(r.Missed) != test.missed || len(r.Otherwise) != test.otherwise || len(r.CalledWrongly) != test.wrongly || r.AsPlanted != test.ok || r.OK() || !strings.Contains(r.String(), test.shows) {
			t.Errorf("%s: %s", name, r)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	set := load(t)
	for _, o := range []history.Options{{Persons: history.MinPersons - 1}, {End: time.Date(2019, 1, 1, 0, 0, 0, 0, time.UTC)}, {Events: -1}, {CohortPart: event.MaxMembers + 1}} {
		if _, err := history.New(set, o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
	if _, err := history.New(register.NewSet(), small); err == nil {
		t.Error("no registers are taken")
	}
	for _, seed := range []uint64{3, 4, 5} { // the least that is taken is enough
		if _, err := history.New(set, history.Options{Seed: seed, Persons: history.MinPersons, Events: 1000}); err != nil {
			t.Error(err)
		}
	}
}

func BenchmarkGenerate(b *testing.B) {
	set := load(b)
	b.ReportAllocs()
	events := 0
	for b.Loop() {
		g, err := history.New(set, history.Options{Seed: 1})
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		for range g.Events() {
			n++
		}
		events += n
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
}
