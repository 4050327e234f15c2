package model

import (
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

// counts is how often, first and last, by what they have in common.
type counts map[string]*struct {
	n           uint64
	first, last time.Time
	categories  map[string]uint64
}

func (c counts) add(key string, r *trail.Row) {
	if c[key] == nil {
		c[key] = &struct {
			n           uint64
			first, last time.Time
			categories  map[string]uint64
		}{0, r.Time, r.Time, make(map[string]uint64)}
	}
	x := c[key]
	x.n++
	if r.Time.Before(x.first) {
		x.first = r.Time
	}
	if r.Time.After(x.last) {
		x.last = r.Time
	}
	for _, id := range r.Categories {
		x.categories[id]++
	}
}

func (c counts) lines() (all []string) {
	for _, key := range slices.Sorted(maps.Keys(c)) {
		all = append(all, line(key, c[key].n, c[key].first, c[key].last, c[key].categories))
	}
	return all
}

func line(key string, n uint64, first, last time.Time, categories map[string]uint64) string {
	return fmt.Sprint(key, " ", n, " ", first.UTC(), " ", last.UTC(), " ", categories)
}

func categoriesOf(list []answer.Counted) map[string]uint64 {
	all := make(map[string]uint64)
	for _, c := range list {
		all[c.ID] = c.Count
	}
	return all
}

// checkMore holds decisions, sources and cohorts against the rows of a person.
func (h *History) checkMore(t testing.TB, a *answer.RecipientsAnswer, rows []*trail.Row) {
	t.Helper()
	decisions, sources, cohorts := make(counts), make(counts), make(counts)
	for _, r := range rows {
		if r.Duplicate {
			continue
		}
		switch r.Operation {
		case event.Profile, event.Decide:
			decisions.add(r.Operation.String()+" "+r.Purpose, r)
		case event.Collect:
			sources.add(r.DataSource, r)
		}
		if r.Cohort {
			cohorts.add(r.CohortID, r)
		}
	}
	var got [3][]string
	for i := range a.Decisions {
		x := &a.Decisions[i]
		got[0] = append(got[0], line(x.Operation+" "+x.ID, x.Count, x.First, x.Last, categoriesOf(x.Factors)))
	}
	for i := range a.Sources {
		x := &a.Sources[i]
		got[1] = append(got[1], line(x.ID, x.Count, x.First, x.Last, categoriesOf(x.Categories)))
	}
	for i := range a.Cohorts {
		x := &a.Cohorts[i]
		got[2] = append(got[2], line(x.ID, x.Count, x.First, x.Last, cohorts[x.ID].categories))
	}
	for i, want := range [][]string{decisions.lines(), sources.lines(), cohorts.lines()} {
		slices.Sort(got[i])
		slices.Sort(want)
		if !slices.Equal(got[i], want) {
			t.Errorf("%s: %q, want %q", []string{"decisions", "sources", "cohorts"}[i], got[i], want)
		}
	}
}

// checkNever asks whether one recipient ever received a person's data in a period,
// and which systems were silent in it.
func (h *History) checkNever(t testing.TB, way Way) {
	t.Helper()
	who := h.identifiers[h.r.IntN(len(h.identifiers))]
	from := Start.Add(time.Duration(h.r.IntN(48)) * time.Hour)
	to := from.Add(time.Duration(1+h.r.IntN(30)) * time.Hour)
	req := answer.RecipientsRequest{Request: answer.Request{Controller: h.Controller, Person: who, From: from.Format(time.RFC3339), To: to.Format(time.RFC3339)}}
	var is func(*trail.Row) bool
	class := func(r *trail.Row) bool { return r.Recipient == h.Controller+"/couriers" }
	bank := func(r *trail.Row) bool { return r.Recipient == h.Controller+"/bank" }
	switch h.r.IntN(5) {
	case 0:
		req.Recipient, is = h.Controller+"/bank", bank
	case 1:
		req.Entity, is = "acme bank as", bank
	case 2:
		req.Recipient, is = h.Controller+"/couriers", class
	case 3:
		req.Entity, is = pick(h.r, "123", "post24 OÜ"), func(r *trail.Row) bool { return r.RecipientCode == "123" }
	case 4:
		req.Entity, is = "Nobody OÜ", func(*trail.Row) bool { return false }
	}
	a := ask[answer.RecipientsAnswer](t, way, Recipients, req)
	var received, unnamed uint64
	for _, r := range h.of(h.pseudonym(who), openEnd) {
		if r.Duplicate || r.Time.Before(from) || !r.Time.Before(to) || isNotice(r) {
			continue
		}
		if is(r) {
			received++
		} else if class(r) {
			unnamed++
		}
	}
	if x := a.Asked; x == nil || x.Count != received || (x.Received == answer.ReceivedYes) != (received > 0) || x.Unnamed != unnamed {
		t.Errorf("%+v: %+v, want %d received, %d unnamed", req, a.Asked, received, unnamed)
	}
	want := make(map[string]string)
	silent := 0
	for system, times := range h.told {
		var last time.Time
		for _, at := range times {
			if at.Before(to) && at.After(last) {
				last = at
			}
		}
		if last.IsZero() {
			continue
		}
		want[system] = fmt.Sprint(last.UTC(), " ", last.Before(from))
		if last.Before(from) {
			silent++
		}
	}
	got := make(map[string]string)
	for _, s := range a.Limits.Systems.Heard {
		got[s.Source] = fmt.Sprint(s.Last.UTC(), " ", s.Silent)
	}
	if !maps.Equal(got, want) || a.Limits.Systems.Silent != silent {
		t.Errorf("from %v to %v: systems %v, %d silent; want %v, %d", from, to, got, a.Limits.Systems.Silent, want, silent)
	}
	if whole := silent == 0 && unnamed == 0; a.Asked.Whole != whole {
		t.Errorf("whole: %v, want %v; %s", a.Asked.Whole, whole, strings.Join(slices.Sorted(maps.Keys(want)), " "))
	}
}
