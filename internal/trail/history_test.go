package trail

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
)

// TestHistory: what a history says from memory is what the database says of the
// same rows, whatever is asked of it.
func TestHistory(t *testing.T) {
	t.Parallel()
	db := openTest(t, testConfig(t))
	const seed = 7
	rng := rand.New(rand.NewPCG(seed, 0))
	pick := func(from ...string) string { return from[rng.IntN(len(from))] }
	references := []string{"", "KK-12", "kk-9", "Määrus 4", "court order"}
	var events [][]Row
	for range 120 {
		row := Row{
			Person: person(uint64(1 + rng.IntN(3))), Time: queryDay.Add(time.Duration(rng.IntN(20)) * time.Hour), Operation: event.Operation(1 + rng.IntN(10)),
			Recipient: pick("", "elektrum/creditinfo-eesti", "elektrum/elektrilevi"), Purpose: pick("elektrum/billing", "elektrum/contract"), BasisReference: pick(references...),
			Actor: pick("", "u-1"), Verdict: register.Allowed, Rules: []string{pick("ELK-01", "ELK-02")}, RegisterVersion: "v1", Duplicate: rng.IntN(8) == 0,
		}
		rows := []Row{row}
		if rng.IntN(5) == 0 { // names somebody else too, or the person twice
			row.Person = person(uint64(1 + rng.IntN(3)))
			rows = append(rows, row)
		}
		events = append(events, rows)
	}
	events = append(events, []Row{{Person: person(1), Operation: OperationFact, Fact: "breach"}})
	plant(t, db, nil, events...)
	mustExec(t, db, `INSERT INTO trail SELECT * REPLACE ('late-fact' AS cause, 'violation' AS verdict, judged_at + INTERVAL 1 DAY AS judged_at) FROM trail WHERE offset % 7 = 0`)

	all := PersonQuery{Controller: "elektrum", Persons: [][16]byte{person(1), person(2)}}
	contexts, err := db.ContextsFor(t.Context(), all)
	if err != nil || len(contexts) < 10 {
		t.Fatal(len(contexts), err)
	}
	ids := SortedContexts(contexts)
	referred := 0
	for n := range 60 {
		q := all
		if rng.IntN(3) == 0 {
			q.Persons = q.Persons[:1]
		}
		if rng.IntN(3) == 0 {
			q.From, q.To = queryDay.Add(2*time.Hour), queryDay.Add(time.Duration(3+rng.IntN(15))*time.Hour)
		}
		if rng.IntN(4) == 0 {
			q.AsOf = storedAt.Add(time.Duration(rng.IntN(3)-1) * time.Millisecond)
		}
		parts := func() (only []Part) {
			for range rng.IntN(4) {
				p := Part{Contexts: slices.DeleteFunc(slices.Clone(ids), func(ContextID) bool { return rng.IntN(3) == 0 })}
				if rng.IntN(2) == 0 {
					p.Since = queryDay.Add(time.Duration(rng.IntN(20)) * time.Hour)
				}
				if rng.IntN(2) == 0 {
					p.Except = append(p.Except, Except{Begins: []string{pick("kk", "määrus", "court")}, But: []string{pick(references...)}})
				}
				if rng.IntN(6) == 0 {
					p.Except = append(p.Except, Except{But: []string{pick(references...)}})
				}
				only = append(only, p)
			}
			return only
		}
		only, other := parts(), parts()
		var before *Place
		if rng.IntN(2) == 0 {
			before = &Place{Time: queryDay.Add(time.Duration(rng.IntN(20)) * time.Hour), Topic: events[0][0].Topic, Offset: int64(rng.IntN(100))}
			if page, err := db.Timeline(t.Context(), q, nil, 1+rng.IntN(9)); err == nil && len(page) > 0 {
				last := page[len(page)-1]
				before = &Place{last.Time, last.Topic, last.Partition, last.Offset}
			}
		}
		say := func(most int) string {
			first := q
			first.Persons = q.Persons[:1]
			h, err := db.historyOf(t.Context(), first, most)
			if err != nil {
				t.Fatal(err)
			}
			if err := h.Add(t.Context(), q.Persons[1:]); err != nil {
				t.Fatal(err)
			}
			if h.few && h.read > most || !h.few && most == maxTogether {
				t.Fatalf("of at most %d rows %d are in memory, %v", most, len(h.rows), h.few)
			}
			uses, complete, err := h.Uses(t.Context(), only)
			if err != nil || !complete {
				t.Fatal(complete, err)
			}
			page, err := h.Timeline(t.Context(), only, before, 5)
			if err != nil {
				t.Fatal(err)
			}
			counts, err := h.Count(t.Context(), nil, only, other)
			if err != nil {
				t.Fatal(err)
			}
			words := []string{"Määrus", "KK-12"}
			referring, err := h.referring(t.Context(), q, words)
			if err != nil {
				t.Fatal(err)
			}
			for i := range referring {
				page = append(page, referring[i])
				referred++
			}
			known, err := h.Contexts(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for id, c := range known {
				if !reflect.DeepEqual(c, contexts[id]) {
					t.Fatalf("a context is %+v, want %+v", c, contexts[id])
				}
			}
			lines := make([]string, 0, len(uses))
			for i := range uses {
				uses[i].contexts = nil
				lines = append(lines, fmt.Sprintf("%+v", uses[i]))
			}
			slices.Sort(lines)
			for i := range page {
				lines = append(lines, fmt.Sprintf("%+v", page[i]))
			}
			return strings.Join(lines, "\n") + fmt.Sprintf("\n%v %x", counts, SortedContexts(known))
		}
		if memory, database := say(maxTogether), say(0); memory != database {
			a, b := strings.Split(memory, "\n"), strings.Split(database, "\n")
			i := 0
			for i < min(len(a), len(b))-1 && a[i] == b[i] {
				i++
			}
			t.Fatalf("seed %d, question %d: %d lines from memory, %d from the database, first\n%s\nand\n%s", seed, n, len(a), len(b), a[i], b[i])
		}
	}
	if referred == 0 {
		t.Error("nothing referred to anything: nothing was shown of that")
	}
}
