package model

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/trail"
)

// whom are those whom a row is about, each person once.
func (h *History) whom(r *trail.Row) map[[16]byte]bool {
	all := make(map[[16]byte]bool)
	who := [][16]byte{r.Person}
	if r.Cohort {
		who = h.cohorts[r.CohortID]
	}
	for _, p := range who {
		if p != ([16]byte{}) {
			all[h.one(p)] = true
		}
	}
	return all
}

// breach finds the persons affected, and the rows of the windows that are not
// taken away.
func (h *History) breach(req *answer.BreachRequest) (affected map[[16]byte]bool, rows []*trail.Row) {
	affected = make(map[[16]byte]bool)
	seen := make(map[*trail.Row]bool)
	for n := range req.Windows {
		w := &req.Windows[n]
		in := h.selected(&w.ActsRequest)
		found := make(map[[16]byte]bool)
		for _, r := range in {
			maps.Copy(found, h.whom(r))
		}
		switch {
		case n > 0 && w.Set == "difference":
			maps.DeleteFunc(affected, func(p [16]byte, _ bool) bool { return found[p] })
			continue
		case n > 0 && w.Set == "intersection":
			maps.DeleteFunc(affected, func(p [16]byte, _ bool) bool { return !found[p] })
		default:
			maps.Copy(affected, found)
		}
		for _, r := range in {
			if !seen[r] {
				seen[r] = true
				rows = append(rows, r)
			}
		}
	}
	return affected, rows
}

// checkBreach holds every figure of a breach, and of the case that is kept of it,
// against the list.
func (h *History) checkBreach(t testing.TB, way Way) {
	t.Helper()
	req := answer.BreachRequest{Onward: h.r.IntN(4), Freeze: "model"}
	for range 1 + h.r.IntN(3) {
		req.Windows = append(req.Windows, answer.Window{Set: pick(h.r, "union", "intersection", "difference"), ActsRequest: h.request()})
	}
	a := ask[answer.BreachAnswer](t, way, Breach, req)
	affected, rows := h.breach(&req)
	type person struct {
		events      map[int64]bool
		first, last time.Time
		categories  map[string]bool
	}
	persons := make(map[[16]byte]*person)
	for p := range affected {
		persons[p] = &person{events: make(map[int64]bool), categories: make(map[string]bool)}
	}
	var records, least, nobody uint64
	var want answer.Total
	events, ways, cohorts := make(map[int64]bool), make(map[string]uint64), make(map[string]bool)
	about := make(map[int64]bool) // counted among those about nobody
	for _, r := range rows {
		if r.Person == ([16]byte{}) && !about[r.Offset] {
			about[r.Offset] = true
			nobody++
		}
		touches := false
		for p := range h.whom(r) {
			x := persons[p]
			if x == nil {
				continue
			}
			touches = true
			x.events[r.Offset] = true
			if x.first.IsZero() || r.Time.Before(x.first) {
				x.first = r.Time
			}
			if r.Time.After(x.last) {
				x.last = r.Time
			}
			for _, c := range r.Categories {
				x.categories[c] = true
			}
		}
		if !touches {
			continue
		}
		if r.Cohort {
			cohorts[r.CohortID] = true
		}
		tally(&want.Verdicts, r.Verdict)
		if want.First.IsZero() || r.Time.Before(want.First) {
			want.First = r.Time
		}
		if r.Time.After(want.Last) {
			want.Last = r.Time
		}
		if !events[r.Offset] {
			events[r.Offset] = true
			want.Events++
			records += r.Records
			least += max(r.Records, 1)
			ways[h.mask(r.Actor)+" "+r.Source+" "+r.Purpose]++
		}
	}
	want.Records = records
	got := a.Total
	got.First, got.Last = got.First.UTC(), got.Last.UTC()
	if a.Persons != len(affected) || a.Cohorts != len(cohorts) || a.Nobody != nobody || got != want {
		t.Errorf("%+v: %d persons, %d cohorts, %d about nobody, %+v; want %d, %d, %d, %+v", req, a.Persons, a.Cohorts, a.Nobody, got, len(affected), len(cohorts), nobody, want)
	}
	if a.Notice.RecordsAffected != least {
		t.Errorf("%+v: %d records affected, want %d", req, a.Notice.RecordsAffected, least)
	}
	gotWays := make(map[string]uint64)
	for _, w := range a.Ways {
		gotWays[w.Keys[0].ID+" "+w.Keys[1].ID+" "+w.Keys[2].ID] = w.Events
	}
	if !maps.Equal(gotWays, ways) || a.WaysCut {
		t.Errorf("%+v: ways %v, want %v", req, gotWays, ways)
	}
	listed := 0
	for _, e := range a.Events {
		if !events[e.Offset] {
			t.Errorf("%+v: event %d is none of the breach", req, e.Offset)
		}
		listed++
	}
	if listed != min(len(events), 50) {
		t.Errorf("%+v: %d events listed of %d", req, listed, len(events))
	}
	counts, gotCounts := make(map[string]int), make(map[string]int)
	for _, x := range persons {
		for c := range x.categories {
			counts[c]++
		}
	}
	for _, c := range a.Categories {
		gotCounts[c.ID] = c.Persons
	}
	if !maps.Equal(gotCounts, counts) {
		t.Errorf("%+v: categories %v, want %v", req, gotCounts, counts)
	}
	kept := ask[answer.CaseAnswer](t, way, Case, answer.CaseRequest{ID: a.Case.ID, Limit: 1000})
	if len(kept.Affected) != len(persons) {
		t.Errorf("%+v: %d persons kept, want %d", req, len(kept.Affected), len(persons))
	}
	since := make(map[[16]byte]time.Time)
	for p, x := range persons {
		since[p] = x.first
	}
	for _, p := range kept.Affected {
		var who [16]byte
		if _, err := hex.Decode(who[:], []byte(p.Pseudonym)); err != nil {
			t.Fatal(err)
		}
		x := persons[who]
		if x == nil || p.Events != uint64(len(x.events)) || !p.First.Equal(x.first) || !p.Last.Equal(x.last) || !slices.Equal(p.Categories, slices.Sorted(maps.Keys(x.categories))) {
			t.Errorf("%+v: kept %+v, want %+v", req, p, x)
		}
	}
	h.checkOnward(t, a, &req, since)
}

// checkOnward follows the data by going through the list.
func (h *History) checkOnward(t testing.TB, a *answer.BreachAnswer, req *answer.BreachRequest, since map[[16]byte]time.Time) {
	t.Helper()
	type move struct {
		from, to, name string
		events         map[int64]bool
		persons        map[[16]byte]bool
	}
	moves := make(map[string]*move)
	for i := range h.acts {
		r := &h.acts[i].Row // as it happened: a later verdict changes nothing
		if r.Duplicate || !r.Operation.HandsOver() && r.Operation != event.Send || r.Recipient == event.DataSubject {
			continue
		}
		for p := range h.whom(r) {
			first, affected := since[p]
			if !affected || r.Time.Before(first) {
				continue
			}
			from := cmp.Or(r.ActorOrganisation, h.register.Controller.Name)
			to := cmp.Or(r.RecipientCode, r.RecipientOrganisation, r.Recipient, "not stated")
			key := strings.Join([]string{from, to, r.Purpose, r.Operation.String()}, "|")
			m := moves[key]
			if m == nil {
				m = &move{from: from, to: to, name: map[string]string{"123": "Post24 OÜ", h.Controller + "/bank": "Acme Bank AS", h.Controller + "/couriers": "couriers"}[to], events: make(map[int64]bool), persons: make(map[[16]byte]bool)}
				moves[key] = m
			}
			m.events[r.Offset], m.persons[p] = true, true
		}
	}
	// Who is given data by somebody else comes a step later.
	given := func(who string) bool {
		for _, m := range moves {
			if (m.to == who || m.name == who) && m.from != who {
				return true
			}
		}
		return false
	}
	depth := make(map[string]int)
	for round := 1; round <= req.Onward; round++ {
		reached := make(map[string]int)
		for key, m := range moves {
			if n := depth[key]; n > 0 {
				for _, name := range []string{m.to, m.name} {
					if reached[name] == 0 || n < reached[name] {
						reached[name] = n
					}
				}
			}
		}
		for key, m := range moves {
			if depth[key] == 0 && (round == 1 && !given(m.from) || round > 1 && reached[m.from] == round-1) {
				depth[key] = -round // not before the round is over
			}
		}
		for key, n := range depth {
			depth[key] = max(n, -n)
		}
	}
	want := make(map[string]string)
	for key, m := range moves {
		if depth[key] > 0 {
			want[key] = fmt.Sprint(depth[key], " ", len(m.events), " ", len(m.persons))
		}
	}
	got := make(map[string]string)
	for _, s := range a.Steps {
		got[strings.Join([]string{s.From, s.To, s.Purpose.ID, s.Operation}, "|")] = fmt.Sprint(s.Depth, " ", s.Events, " ", s.Persons)
	}
	if !maps.Equal(got, want) || a.StepsCut {
		t.Errorf("%+v: onward %v, want %v", req, got, want)
	}
}
