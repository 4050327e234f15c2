package model

import (
	"maps"
	"slices"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/trail"
)

// asked is something that was asked for or done, of which recipients are to be
// told.
type asked struct {
	person    answer.Person
	operation event.Operation
}

// ask has somebody ask for an erasure, a rectification or a restriction, or the
// controller do it of its own: recipients had the data before, some are told, of
// this or of another operation, in time or before it was asked for, and some of
// these answer.
func (h *History) ask() {
	x := asked{h.identifiers[h.r.IntN(len(h.identifiers))], pick(h.r, event.Erase, event.Erase, event.Rectify, event.Restrict)}
	h.asked = append(h.asked, x)
	all := h.linked(h.pseudonym(x.person), openEnd)
	person := func() [16]byte { return pick(h.r, all...) } // each source knows it by another
	at := Start.Add(time.Duration(24*60+h.r.IntN(2*24*60)) * time.Minute)
	if h.r.IntN(3) > 0 {
		h.requestFact(person(), at)
	}
	if h.r.IntN(6) == 0 { // once more, later: then that is what counts
		h.requestFact(person(), at.Add(10*time.Hour))
	}
	about := func() [][16]byte {
		if h.r.IntN(5) == 0 {
			return [][16]byte{person(), h.anyone()}
		}
		return [][16]byte{person()}
	}
	act := func(operation event.Operation, after time.Duration, set func(*trail.Row)) {
		row := h.row()
		row.Time, row.Operation = at.Add(after+time.Duration(h.r.IntN(50))*time.Minute), operation
		row.Purpose, row.Categories = h.Controller+"/billing", []string{"name"}
		row.Actor, row.ActorKind = "u1", event.ActorHuman
		row.Duplicate = h.r.IntN(12) == 0
		set(&row)
		h.put(row, about())
	}
	recipients := []struct{ received, answers func(*trail.Row) }{
		{func(r *trail.Row) { r.Recipient = h.Controller + "/bank" }, func(r *trail.Row) { r.Actor = h.Controller + "/bank" }},
		{
			func(r *trail.Row) {
				r.RecipientOrganisation, r.RecipientCode, r.RecipientCountry = "Post24 OÜ", "123", "EE"
			}, func(r *trail.Row) { r.ActorOnBehalfOf = "post24 OÜ" },
		},
		{func(r *trail.Row) { r.RecipientOrganisation = secretService }, func(r *trail.Row) { r.Actor = secretService }},
		{func(r *trail.Row) { r.Recipient = h.Controller + "/couriers" }, func(r *trail.Row) { r.Actor = "a courier" }},
	}
	for i, to := range recipients {
		if i == 0 || h.r.IntN(2) == 0 {
			act(event.Transfer, -20*time.Hour, to.received)
		}
		operation := x.operation
		if h.r.IntN(8) == 0 {
			operation = event.Rectify
		}
		switch h.r.IntN(8) {
		case 0, 1: // it is not told
		case 2:
			act(operation, -10*time.Hour, to.received)
		case 3:
			act(operation, 2*time.Hour, to.received)
		case 4:
			act(operation, 1*time.Hour, func(r *trail.Row) { to.answers(r); r.ActorKind = event.ActorPartner })
			act(operation, 5*time.Hour, to.received)
		default:
			act(operation, 3*time.Hour, to.received)
			act(operation, 6*time.Hour, to.received)
			act(operation, 9*time.Hour, func(r *trail.Row) { to.answers(r); r.ActorKind = event.ActorPartner })
		}
	}
	if h.r.IntN(4) > 0 {
		act(x.operation, 0, func(*trail.Row) {})
	}
	if ids := slices.Sorted(maps.Keys(h.cohorts)); len(ids) > 0 && h.r.IntN(4) == 0 { // of all of a cohort, at once
		row := h.row()
		row.Operation, row.Cohort, row.CohortID = x.operation, true, pick(h.r, ids...)
		row.Purpose, row.Actor, row.ActorKind = h.Controller+"/billing", "robot", event.ActorService
		who, err := h.keys.Cohort(h.Controller, row.CohortID)
		if err != nil {
			panic(err)
		}
		h.put(row, [][16]byte{who})
	}
}

// requestFact has a source tell of what a person asked for.
func (h *History) requestFact(person [16]byte, made time.Time) {
	f := told{name: "request", person: person, from: made}
	for n := range 1 + h.r.IntN(2) {
		f.value.Requests.Entries = append(f.value.Requests.Entries, event.Request{
			Controller: h.Controller, Type: pick(h.r, "erasure", "erasure", "rectification", "restriction", "access"), MadeAt: made.Add(-time.Duration(120*n+h.r.IntN(120)) * time.Minute), Handled: event.BoolValue(h.r.IntN(3) == 0),
		})
	}
	f.value.Requests.Known = true
	h.fact(f)
}

// fact adds a fact, now and then as one that has arrived before.
func (h *History) fact(f told) {
	row := h.row()
	row.Operation, row.Fact, row.FactValidFrom, row.Actor, row.Person = trail.OperationFact, f.name, f.from, f.actor, f.person
	row.FactValue = string(f.value.AppendJSON(nil))
	row.Duplicate = h.r.IntN(10) == 0
	h.said(&row)
	h.batch.blocks.Trail.Append(&row)
	f.recorded, f.source, f.offset, f.duplicate = row.Recorded, row.Source, row.Offset, row.Duplicate
	if f.duplicate {
		h.copies = append(h.copies, f)
	} else {
		h.facts = append(h.facts, f)
	}
	h.batch.next++
}
