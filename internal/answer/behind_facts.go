package answer

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/trail"
)

// maxFactsBehind bounds the facts of the evidence.
const maxFactsBehind = 100_000

// factsBehind reads the facts about the persons of the events, under all their
// pseudonyms, and about the employees and recipients that the events name.
func (g *gathering) factsBehind(ctx context.Context) ([]trail.Row, error) {
	seen, names := make(map[[16]byte]bool), make(map[string]bool)
	asked := slices.Clone(g.own)
	for i := range g.found.Rows {
		row := &g.found.Rows[i]
		if g.own == nil {
			asked = append(asked, row.Person)
		}
		names["a"+row.Actor], names["r"+row.Recipient] = true, true
	}
	places := make(map[Place]bool)
	for len(asked) > 0 {
		var next [][16]byte
		for part := range slices.Chunk(unseen(asked, seen), behindPage) {
			for row, err := range g.Trail.FactsOf(ctx, g.controller, part) {
				if err != nil {
					return nil, err
				}
				p := Place{row.Topic, row.Partition, row.Offset}
				if row.Fact == event.IdentityFact && !places[p] { // it names others
					if err := g.read(ctx, []Place{p}, func(row *trail.Row) { next = append(next, row.Person) }); err != nil {
						return nil, err
					}
				}
				places[p] = true
			}
		}
		asked = next
	}
	partitions, err := g.Trail.Partitions(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range partitions {
		for row, err := range g.Trail.NamedFacts(ctx, p, 0) {
			if err != nil {
				return nil, err
			}
			if row.Controller == g.controller && !row.Duplicate && (row.Actor != "" && names["a"+row.Actor] || row.Recipient != "" && names["r"+row.Recipient]) &&
				(row.Person == [16]byte{} || aboutNameOnly(&row)) {
				places[Place{row.Topic, row.Partition, row.Offset}] = true
			}
		}
	}
	if len(places) > maxFactsBehind {
		return nil, &Fault{"", fmt.Sprintf("more than %d facts stand behind the answer", maxFactsBehind), "ask for a shorter period, or for less at once"}
	}
	var rows []trail.Row
	err = g.read(ctx, slices.SortedFunc(maps.Keys(places), comparePlaces), func(row *trail.Row) {
		// Of another person that a fact names nothing is told.
		if !row.Duplicate && (row.Person == [16]byte{} || seen[row.Person]) {
			rows = append(rows, *row)
		} else if aboutNameOnly(row) && row.PersonIndex == 0 {
			other := *row
			other.Person, other.Of = [16]byte{}, 1
			rows = append(rows, other)
		}
	})
	return rows, err
}

// aboutNameOnly says that a fact is about an employee or a recipient, whoever
// the person is.
func aboutNameOnly(row *trail.Row) bool {
	return row.Fact == "employee" && row.Actor != "" || (row.Fact == "processor" || row.Fact == "recipient_info") && row.Recipient != ""
}

func unseen(persons [][16]byte, seen map[[16]byte]bool) (fresh [][16]byte) {
	for _, p := range persons {
		if p != ([16]byte{}) && !seen[p] {
			seen[p] = true
			fresh = append(fresh, p)
		}
	}
	return fresh
}
