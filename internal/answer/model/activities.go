package model

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
)

// ActivitiesRequest is a [answer.DriftRequest] that asks for the register of
// processing activities.
type ActivitiesRequest answer.DriftRequest

// sighted is how often, first and last.
type sighted struct {
	n           uint64
	first, last time.Time
}

func (s *sighted) see(at time.Time) {
	if s.n == 0 || at.Before(s.first) {
		s.first = at
	}
	if at.After(s.last) {
		s.last = at
	}
	s.n++
}

func (s *sighted) line(what string, declared bool) string {
	mark := answer.ActivityUndeclared
	switch {
	case declared && s.n > 0:
		mark = answer.ActivityBoth
	case declared:
		mark = answer.ActivityUnseen
	}
	return fmt.Sprint(what, " ", mark, " ", s.n, " ", s.first.UTC(), " ", s.last.UTC())
}

// checkActivities holds the register of processing activities against what was done
// while a register was in force, and against the last one that was.
func (h *History) checkActivities(t testing.TB, way Way) {
	t.Helper()
	req := ActivitiesRequest{Controller: h.Controller}
	from, to := time.Time{}, openEnd
	if h.r.IntN(2) == 0 {
		from = Start.Add(time.Duration(h.r.IntN(48)) * time.Hour)
		to = from.Add(time.Duration(1+h.r.IntN(48)) * time.Hour)
		req.From, req.To = from.Format(time.RFC3339), to.Format(time.RFC3339)
	}
	a := ask[answer.ActivitiesAnswer](t, way, Activities, req)
	if len(a.Controllers) != 1 {
		t.Fatalf("%+v: %d controllers", req, len(a.Controllers))
	}
	got := a.Controllers[0]
	var last *register.Register // in force in the period
	for _, r := range h.registers.All() {
		if r.From.Before(to) && (last == nil || r.From.After(last.From)) {
			last = r
		}
	}
	all, countries := make(map[string]*sighted), make(map[string][]string)
	see := func(key string, at time.Time) {
		if all[key] == nil {
			all[key] = new(sighted)
		}
		all[key].see(at)
	}
	for i := range h.acts {
		r := &h.acts[i].Row
		if r.Duplicate || r.Time.Before(from) || !r.Time.Before(to) {
			continue
		}
		who := cmp.Or(r.Recipient, r.RecipientOrganisation)
		if !isNotice(r) && r.RecipientCountry != "" {
			countries[who] = []string{r.RecipientCountry}
		}
		if h.inForce(r.Time) == nil {
			continue
		}
		see(r.Purpose, r.Time)
		for _, c := range r.Categories {
			see(r.Purpose+" of "+c, r.Time)
		}
		if who != "" && who != event.DataSubject {
			see(r.Purpose+" to "+who, r.Time)
		}
	}
	var want []string
	for _, name := range []string{"billing", "gossip"} {
		purpose, declared := h.Controller+"/"+name, name == "billing"
		add := func(key, more string, declared bool) {
			x := all[key]
			if x == nil {
				x = new(sighted)
			}
			if declared || x.n > 0 {
				want = append(want, x.line(key, declared)+more)
				h.saw("activity " + map[bool]string{true: "declared", false: "undeclared"}[declared])
				if x.n == 0 {
					h.saw("activity unseen")
				}
			}
		}
		add(purpose, "", declared)
		for _, c := range []string{"name", "phone"} {
			add(purpose+" of "+c, "", declared)
		}
		for _, id := range []string{"bank", "couriers"} {
			in := countries[h.Controller+"/"+id]
			if id == "bank" {
				in = []string{"EE"} // the register says so
			}
			add(purpose+" to "+h.Controller+"/"+id, fmt.Sprint(" ", in), declared)
		}
		for _, who := range []string{"Post24 OÜ", secretService} {
			add(purpose+" to "+who, fmt.Sprint(" ", countries[who]), false)
		}
	}
	var lines []string
	line := func(what, mark string, s *answer.Sighted) string {
		return fmt.Sprint(what, " ", mark, " ", s.Count, " ", s.First.UTC(), " ", s.Last.UTC())
	}
	for i := range got.Activities {
		x := &got.Activities[i]
		lines = append(lines, line(x.Purpose.ID, x.Mark, &x.Sighted))
		for k := range x.Categories {
			c := &x.Categories[k]
			lines = append(lines, line(x.Purpose.ID+" of "+c.ID, c.Mark, &c.Sighted))
		}
		for k := range x.Recipients {
			e := &x.Recipients[k]
			lines = append(lines, line(x.Purpose.ID+" to "+e.ID, e.Mark, &e.Sighted)+fmt.Sprint(" ", e.Countries))
			if e.ThirdCountry {
				t.Errorf("%+v: %s is in a third country", req, e.ID)
			}
		}
	}
	slices.Sort(lines)
	slices.Sort(want)
	_, _, undeclared := h.drifted(from, to)
	if !slices.Equal(lines, want) || got.Undeclared != len(undeclared) || !got.Complete || got.Registers[len(got.Registers)-1].Version != last.Version {
		t.Errorf("%+v: %d undeclared, by %v, %q; want %d, %s, %q", req, got.Undeclared, got.Registers, lines, len(undeclared), last.Version, want)
	}
}
