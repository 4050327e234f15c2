package model

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

// checkOverview counts verdicts as they were given first, a day, and what waits for
// a review.
func (h *History) checkOverview(t testing.TB, way Way) {
	t.Helper()
	req := answer.OverviewRequest{Controller: h.Controller, Days: 1 + h.r.IntN(6)}
	a := ask[answer.Overview](t, way, Overview, req)
	day := func(r *trail.Row) string { return r.Time.UTC().Format(time.DateOnly) }
	var newest time.Time
	for i := range h.acts {
		if at := h.acts[i].Time.UTC().Truncate(24 * time.Hour); at.After(newest) {
			newest = at
		}
	}
	first, last := newest.AddDate(0, 0, 1-req.Days).Format(time.DateOnly), newest.Format(time.DateOnly)
	var total answer.Verdicts
	var duplicates uint64
	days, queue := make(map[string]answer.Verdicts), make(map[string]string)
	reviews, newestReview := make(map[string]int), make(map[string]time.Time)
	violations := make(map[int64]time.Time)
	for i := range h.acts {
		r := &h.acts[i].Row // as it was judged first
		if day(r) < first {
			continue
		}
		if r.Duplicate {
			duplicates++
			continue
		}
		tally(&total, r.Verdict)
		d := days[day(r)]
		tally(&d, r.Verdict)
		days[day(r)] = d
		switch r.Verdict {
		case register.Violation:
			violations[r.Offset] = r.Time
		case register.Review:
			missing := r.Unknown
			if len(missing) == 0 {
				missing = []string{""}
			}
			for _, fact := range missing {
				reviews[fact]++
				if r.Time.After(newestReview[fact]) {
					newestReview[fact] = r.Time
				}
			}
		}
	}
	got := make(map[string]answer.Verdicts)
	for _, d := range a.Days {
		if d.Total() > 0 {
			got[d.Day] = d.Verdicts
		}
	}
	if a.First != first || a.Last != last || len(a.Days) != req.Days || a.Verdicts != total || a.Duplicates != duplicates || !maps.Equal(got, days) {
		t.Errorf("%+v: %s to %s, %+v, %d duplicates, %v; want %s to %s, %+v, %d, %v", req, a.First, a.Last, a.Verdicts, a.Duplicates, got, first, last, total, duplicates, days)
	}
	gotQueue := make(map[string]string)
	for _, q := range a.Queue {
		gotQueue[q.Fact] = fmt.Sprint(q.Count, " ", q.Last.UTC())
	}
	for fact, n := range reviews {
		queue[fact] = fmt.Sprint(n, " ", newestReview[fact].UTC())
	}
	if !maps.Equal(gotQueue, queue) {
		t.Errorf("%+v: queue %v, want %v", req, gotQueue, queue)
	}
	// Which of several of one moment are listed is left open, their times are not.
	times := slices.SortedFunc(maps.Values(violations), func(x, y time.Time) int { return y.Compare(x) })
	times = times[:min(len(times), 15)]
	if len(a.Violations) != len(times) {
		t.Fatalf("%+v: %d violations listed, want %d", req, len(a.Violations), len(times))
	}
	for i := range a.Violations {
		if v := &a.Violations[i]; !v.Time.Equal(times[i]) || !violations[v.Offset].Equal(v.Time) {
			t.Errorf("%+v: violation %d at %v is at %d, want one at %v", req, v.Offset, v.Time, i, times[i])
		}
	}
}

// checkDrift holds what was done against the register that was in force.
func (h *History) checkDrift(t testing.TB, way Way) {
	t.Helper()
	req := answer.DriftRequest{Controller: h.Controller}
	from, to := time.Time{}, openEnd
	if h.r.IntN(2) == 0 {
		from = Start.Add(time.Duration(h.r.IntN(48)) * time.Hour)
		to = from.Add(time.Duration(1+h.r.IntN(72)) * time.Hour)
		req.From, req.To = from.Format(time.RFC3339), to.Format(time.RFC3339)
	}
	a := ask[answer.DriftAnswer](t, way, Drift, req)
	if len(a.Controllers) != 1 {
		t.Fatalf("%+v: %d controllers", req, len(a.Controllers))
	}
	d := &a.Controllers[0]
	events, before, want := h.drifted(from, to)
	var got []string
	for i := range d.Undeclared {
		s := &d.Undeclared[i]
		key := fmt.Sprint(s.Kind, " ", s.ID, s.Organisation, s.Code, s.Country)
		if x := want[key]; x != nil {
			got = append(got, line(key, s.Count, s.First, s.Last, x.categories))
		} else {
			got = append(got, key)
		}
	}
	slices.Sort(got)
	lines := want.lines()
	slices.Sort(lines)
	if d.Events != events || d.Before != before || !d.Complete || !slices.Equal(got, lines) {
		t.Errorf("%+v: %d events, %d before, complete %v, %q; want %d, %d, %q", req, d.Events, d.Before, d.Complete, got, events, before, lines)
	}
}

// drifted counts what was done while a register was in force, before any was, and what
// of it none declares.
func (h *History) drifted(from, to time.Time) (events, before uint64, want counts) {
	want = make(counts)
	for i := range h.acts {
		r := &h.acts[i].Row
		if r.Duplicate || r.Time.Before(from) || !r.Time.Before(to) {
			continue
		}
		in := h.inForce(r.Time)
		if in == nil {
			before++
			continue
		}
		events++
		if isNotice(r) {
			continue // what a person may ask for, no notice need declare
		}
		if _, declared := in.Purpose(r.Purpose); !declared {
			want.add(fmt.Sprint(answer.UndeclaredPurpose, " ", r.Purpose), r)
		}
		if r.RecipientOrganisation != "" {
			want.add(fmt.Sprint(answer.UndeclaredRecipient, " ", r.RecipientOrganisation, r.RecipientCode, r.RecipientCountry), r)
		} else if r.Recipient == "" && r.Operation.HandsOver() {
			want.add(fmt.Sprint(answer.RecipientNotStated, " "), r)
		}
		if r.Operation == event.Collect && r.DataSource != "" {
			want.add(fmt.Sprint(answer.UndeclaredSource, " ", r.DataSource), r)
		}
	}
	return events, before, want
}
