package model

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/trail"
	"github.com/andmerada/andmerada/internal/unusual"
)

// Check asks for unusual access by rules, and counts all hits of all rules again, from the list of what
// happened, and wants the same ones with the same numbers. It adds to hits how many
// each rule has.
func (w *Watched) Check(t testing.TB, way Way, rules *unusual.Rules, hits map[string]int) {
	t.Helper()
	from := w.date(Start) + event.Date(w.r.IntN(w.days-1))
	to := from + 1 + event.Date(w.r.IntN(w.days))
	a := ask[answer.UnusualAnswer](t, way, Unusual, answer.UnusualRequest{Controller: w.Controller, From: from.String(), To: (to - 1).String()})
	var got []string
	for i := range a.Hits {
		h := &a.Hits[i]
		hits[h.Rule]++
		numbers, err := json.Marshal(&h.Numbers)
		if err != nil {
			t.Fatal(err)
		}
		use := ""
		if h.Use != nil {
			use = h.Use.ID
		}
		got = append(got, fmt.Sprint(h.Rule, " ", h.Actor, " ", h.Role, " ", h.Pseudonym, use, " ", h.Day, " ", h.First.UTC().Format(time.RFC3339), " ", h.Events, " ", string(numbers)))
	}
	want := w.expected(t, rules, from, to)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) || !a.Complete || a.Found != len(want) {
		t.Errorf("%s to %s: complete %t\ngot\n%s\nwant\n%s", from, to, a.Complete, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if rows := w.seen(from, to, false); a.Events != uint64(len(slices.Compact(offsets(rows)))) {
		t.Errorf("%d events, want %d", a.Events, len(slices.Compact(offsets(rows))))
	}
}

func offsets(rows []*trail.Row) (all []int64) {
	for _, r := range rows {
		all = append(all, r.Offset)
	}
	slices.Sort(all)
	return all
}
