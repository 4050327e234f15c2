package model

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/identity"
)

// yesNo are facts of persons that are true or not.
var yesNo = map[string]event.Field{"public_figure": event.PublicFigure, "debt_or_dispute": event.DebtOrDispute, "contract_in_force": event.ContractInForce}

// state has sources tell what is true of somebody.
func (h *History) state() {
	f := told{name: pick(h.r, "public_figure", "debt_or_dispute", "contract_in_force"), person: h.anyone(), from: Start.Add(time.Duration(h.r.IntN(96*60)) * time.Minute)}
	f.value.Set(yesNo[f.name], event.BoolValue(h.r.IntN(2) == 0))
	h.fact(f)
}

// checkFacts asks what was known of a person at a moment.
func (h *History) checkFacts(t testing.TB, way Way) {
	t.Helper()
	req := answer.FactsRequest{Controller: h.Controller}
	var asked [16]byte
	if h.r.IntN(3) > 0 {
		asked = h.facts[h.r.IntN(len(h.facts))].person
	}
	for _, who := range h.identifiers {
		if req.Person == (answer.Person{}) || h.pseudonym(who) == asked {
			req.Person = who
		}
	}
	asked = h.pseudonym(req.Person)
	at := Start.Add(time.Duration(h.r.IntN(100*60)) * time.Minute)
	req.At = at.Format(time.RFC3339)
	known := openEnd
	if h.r.IntN(2) == 0 {
		known = Start.Add(time.Duration(h.batch.next) * time.Second * time.Duration(h.r.IntN(10)) / 10)
		if l := h.links; len(l) > 0 && h.r.IntN(2) == 0 { // shortly before or after a link came to be known
			known = l[h.r.IntN(len(l))].recorded.Add(time.Duration(h.r.IntN(20)-10) * time.Second)
		}
		req.KnownAt = known.Format(time.RFC3339)
	}
	a := ask[answer.FactsAnswer](t, way, Facts, req)
	all := h.linked(asked, openEnd)
	var want []string
	line := func(offset int64, name, status, source string, recorded time.Time, pseudonyms []string) string {
		return fmt.Sprint(offset, " ", name, " ", status, " ", source, " ", recorded.UTC(), " ", slices.Sorted(slices.Values(pseudonyms)))
	}
	status := func(duplicate bool, recorded, from time.Time) string {
		switch {
		case duplicate:
			return answer.FactDuplicate
		case recorded.After(known):
			return answer.FactUnknown
		case from.After(at):
			return answer.FactLater
		}
		return answer.FactHeld
	}
	tell := func(offset int64, name, status, source string, recorded time.Time, persons ...[16]byte) {
		var names []string
		for _, p := range persons {
			names = append(names, identity.Pseudonym(p).String())
		}
		want = append(want, line(offset, name, status, source, recorded, names))
		h.saw("fact " + status)
	}
	for _, f := range slices.Concat(h.facts, h.copies) {
		if slices.Contains(all, f.person) {
			tell(f.offset, f.name, status(f.duplicate, f.recorded, f.from), f.source, f.recorded, f.person)
		}
	}
	for _, l := range h.links {
		if slices.Contains(all, l.persons[0]) {
			tell(l.offset, event.IdentityFact, status(false, l.recorded, time.Time{}), l.source, l.recorded, l.persons...)
		}
	}
	var got []string
	for i := range a.Facts {
		f := &a.Facts[i]
		got = append(got, line(f.Offset, f.Name, f.Status, f.Source, f.Recorded, f.Pseudonyms))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%+v: %q, want %q", req, got, want)
	}
	// What stands is the latest of what was true and known by then, of the identifiers
	// of which it was known by then that they are one person's.
	same := h.linkedBy(asked, func(l *link) bool { return !l.recorded.After(known) })
	stands := make(map[string]*told)
	for i := range h.facts {
		f := &h.facts[i]
		if _, is := yesNo[f.name]; !is || f.recorded.After(known) || f.from.After(at) || !slices.Contains(same, f.person) {
			continue
		}
		if s := stands[f.name]; s == nil || cmp.Or(f.from.Compare(s.from), cmp.Compare(f.offset, s.offset)) > 0 {
			stands[f.name] = f
		}
	}
	got, want = nil, nil
	for name, f := range stands {
		want = append(want, name+" "+map[bool]string{true: "yes", false: "no"}[f.value.Get(yesNo[name]).Bool])
		h.saw("fact stands")
	}
	for _, k := range a.Stands {
		if _, is := yesNo[k.Name]; is {
			got = append(got, k.Name+" "+k.Value)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%+v: %q stand, want %q; of %d pseudonyms, %d known by then", req, got, want, len(all), len(same))
	}
}

// checkDuties asks which requests wait for an answer, and which processors received
// data without an agreement.
func (h *History) checkDuties(t testing.TB, way Way) {
	t.Helper()
	req := answer.DutiesRequest{Controller: h.Controller, Within: pick(h.r, 1, 20, 40), Cases: 1000}
	req.At = pick(h.r, "", "2026-01-20", "2026-01-20", "2026-02-07", "2026-02-08T21:30:00Z")
	a := ask[answer.DutiesAnswer](t, way, Duties, req)
	d := &a.Controllers[0]
	zone := h.register.Zone
	if at, err := time.ParseInLocation(time.DateOnly, req.At, zone); err == nil && !d.At.Equal(at.AddDate(0, 0, 1).Add(-time.Millisecond)) {
		t.Errorf("%+v: as of %v", req, d.At)
	}
	midnight := func(at time.Time) time.Time {
		y, m, day := at.In(zone).Date()
		return time.Date(y, m, day, 0, 0, 0, 0, zone)
	}
	today := midnight(d.At)
	var want []string
	groups := make(map[string]int)
	line := func(kind, state, verdict, who, about, since, due string, acts uint64) string {
		return fmt.Sprint(kind, " ", state, " ", verdict, " ", who, " ", about, " ", since, " ", due, " ", acts)
	}
	add := func(kind, state, verdict, who, about string, since, due time.Time, acts uint64) {
		want = append(want, line(kind, state, verdict, who, about, since.In(zone).Format(time.DateOnly), due.In(zone).Format(time.DateOnly), acts))
		groups[kind+" "+state]++
		h.saw("duty to " + kind + ", " + state)
	}
	type request struct {
		who  [16]byte
		kind string
		made time.Time
	}
	handled := make(map[request]bool) // as was said last
	said := make(map[request]*told)
	for i := range h.facts {
		f := &h.facts[i]
		for _, r := range f.value.Requests.Entries {
			q := request{h.one(f.person), r.Type, r.MadeAt}
			if s := said[q]; s == nil || cmp.Or(f.from.Compare(s.from), cmp.Compare(f.offset, s.offset)) > 0 {
				said[q], handled[q] = f, r.Handled.Bool
			}
		}
	}
	for q, done := range handled {
		due := midnight(q.made).AddDate(0, 1, 0)
		switch {
		case done:
		case today.After(due):
			add("answer", "overdue", "violation", identity.Pseudonym(q.who).String(), q.kind, q.made, due, 0)
		case !today.AddDate(0, 0, req.Within).Before(due):
			add("answer", "due", "violation", identity.Pseudonym(q.who).String(), q.kind, q.made, due, 0)
		}
	}
	for _, id := range []string{"bank", "couriers"} {
		var received sighted
		for i := range h.acts {
			if r := &h.acts[i].Row; !r.Duplicate && !isNotice(r) && r.Recipient == h.Controller+"/"+id && r.Time.Before(d.At) {
				received.see(r.Time)
			}
		}
		if received.n > 0 {
			add("agreement", "overdue", "review", "", h.Controller+"/"+id, received.first, received.first, received.n)
		}
	}
	var got []string
	for i := range d.Duties {
		g := &d.Duties[i]
		for k := range g.Cases {
			c := &g.Cases[k]
			who := c.Pseudonym
			if p, err := identity.ParsePseudonym(who); err == nil {
				who = identity.Pseudonym(h.one(p)).String()
			}
			got = append(got, line(g.Kind, g.State, g.Verdict, who, c.About.ID, c.Since, c.Due, c.Acts))
		}
		if n := groups[g.Kind+" "+g.State]; g.Count != uint64(n) {
			t.Errorf("%+v: %d duties to %s are %s, want %d", req, g.Count, g.Kind, g.State, n)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%+v: at %v %q, want %q", req, d.At, got, want)
	}
}
