package model

import (
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
	"github.com/andmerada/andmerada/internal/verdict"
)

// Files are those of the directory of registers, by name.
func (h *History) Files() map[string]string { return maps.Clone(h.files) }

// load reads the registers anew.
func (h *History) load(t testing.TB) {
	t.Helper()
	dir := make(fstest.MapFS)
	for name, text := range h.files {
		dir[name] = &fstest.MapFile{Data: []byte(text)}
	}
	var err error
	if h.registers, err = register.Load(dir); err != nil {
		t.Fatal(err)
	}
	h.register = h.registers.All()[0]
}

// judge gives a row its first verdict.
func (h *History) judge(row *trail.Row) {
	if h.judged {
		v := h.verdict(row)
		row.Verdict, row.Rules, row.Unknown, row.RegisterVersion, row.Evaluator = v.Outcome, v.Rules, v.Unknown, v.RegisterVersion, v.Evaluator
		return
	}
	row.Verdict = pick(h.r, register.Allowed, register.Review, register.Violation)
	row.Rules, row.RegisterVersion, row.Evaluator = []string{pick(h.r, "A-1", "X-02")}, h.register.Version, 1
}

// inForce is the register in force at a moment; nil if none was.
func (h *History) inForce(at time.Time) (in *register.Register) {
	for _, r := range h.registers.All() {
		if !at.Before(r.From) && (in == nil || r.From.After(in.From)) {
			in = r
		}
	}
	return in
}

// verdict is that of the register in force for the time of a row.
func (h *History) verdict(row *trail.Row) verdict.Verdict {
	in := h.inForce(row.Time)
	if in == nil {
		return verdict.Verdict{Outcome: register.Review, Rules: []string{verdict.NotInForce}, Evaluator: verdict.Evaluator}
	}
	ev := event.Event{
		Kind: event.Processing, Operation: row.Operation, Source: row.Source, Time: row.Time, Controller: row.Controller, Purpose: row.Purpose, Categories: row.Categories,
		Records: row.Records, DataSource: row.DataSource, Cohort: event.Cohort{ID: row.CohortID, Size: row.CohortSize},
		Recipient: event.Recipient{ID: row.Recipient, Organisation: row.RecipientOrganisation, Code: row.RecipientCode, Country: row.RecipientCountry},
		Basis:     event.Basis{Kind: row.Basis, Reference: row.BasisReference},
		Actor:     event.Actor{ID: row.Actor, Kind: row.ActorKind, Role: row.ActorRole, Organisation: row.ActorOrganisation},
	}
	if row.Statements != "" {
		stated, err := event.DecodeFacts([]byte(row.Statements))
		if err != nil {
			panic(err)
		}
		ev.Statements = stated
	}
	known := ev.Statements // nothing else is known
	return verdict.Judge(in, &ev, &known)
}

// Change changes the registers: another text takes the place of the one that there
// is, or another register holds since the third day. What each then says of the
// whole history is the verdict that stands, where it is another, from that moment
// on; the trail is to be judged again by whoever calls. It says how many verdicts
// are others.
func (h *History) Change(t testing.TB, at time.Time) (others int) {
	t.Helper()
	first := path.Join(h.Controller, "2024-01-01.yaml")
	text := strings.NewReplacer(
		"purposes: closed", "purposes: open", "operations: [transfer]", "operations: [disclose]", "category_lists:", "  - id: phone\n    name: {en: the number}\n    clauses: [\"§1\"]\ncategory_lists:",
		"  recipients: open", "  recipients: closed",
	).Replace(h.files[first])
	if h.r.IntN(2) == 0 {
		h.files[first] = text
	} else {
		h.files[path.Join(h.Controller, "2026-01-07.yaml")] = strings.Replace(text, `from: "2024-01-01"`, `from: "2026-01-07"`, 1)
	}
	h.load(t)
	h.changed = at
	for i := range h.acts {
		a := &h.acts[i]
		now, v := a.stands(), h.verdict(&a.Row)
		if v.Outcome == now.Verdict && slices.Equal(v.Rules, now.Rules) && slices.Equal(v.Unknown, now.Unknown) {
			continue
		}
		again := *now
		again.Verdict, again.Rules, again.Unknown, again.RegisterVersion, again.Evaluator = v.Outcome, v.Rules, v.Unknown, v.RegisterVersion, v.Evaluator
		again.JudgedAt, again.Cause = at, trail.CauseRegister(v.RegisterVersion)
		a.later = append(a.later, again)
		others++
	}
	return others
}
