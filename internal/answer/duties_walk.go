package answer

import (
	"context"
	"fmt"
	"time"

	"github.com/andmerada/andmerada/internal/duties"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

// dutyWalk goes through a controller's persons, one after the other, and
// gathers what is to be done. What it keeps of persons is those of whom it has
// seen one pseudonym and not yet all: identifiers that are linked lie far apart.
type dutyWalk struct {
	*Deps
	book    *duties.Book
	at      time.Time
	limit   int
	groups  map[dutyKey]*dutyGroup
	persons uint64

	links  *duties.Links
	open   map[int32]*duties.Person // linked persons not seen in whole yet
	last   map[int32]identity.Pseudonym
	found  []duties.Duty
	cohort map[string][]duties.Act // what was erased or kept of whole cohorts
}

func (w *dutyWalk) controllerID() string { return w.book.Register.Controller.ID }

func (w *dutyWalk) walk(ctx context.Context) error {
	w.links, w.open, w.last = duties.NewLinks(), make(map[int32]*duties.Person), make(map[int32]identity.Pseudonym)
	err := w.Trail.Links(ctx, w.controllerID(), func(persons [][16]byte) {
		for _, p := range persons[1:] {
			w.links.Join(persons[0], p)
		}
	})
	if err != nil {
		return err
	}
	cohorts, err := w.cohortActs(ctx)
	if err != nil {
		return err
	}
	shares, err := w.Trail.Shares(ctx, w.controllerID())
	if err != nil {
		return err
	}
	for _, share := range shares {
		if err := w.share(ctx, share, cohorts); err != nil {
			return err
		}
	}
	return nil
}

// cohortActs lists the cohorts of which something was erased or kept.
func (w *dutyWalk) cohortActs(ctx context.Context) (ids []string, err error) {
	rows, err := w.Trail.CohortActs(ctx, w.controllerID())
	if err != nil {
		return nil, err
	}
	w.cohort = make(map[string][]duties.Act)
	for i := range rows {
		row := &rows[i]
		if w.cohort[row.CohortID] == nil {
			ids = append(ids, row.CohortID)
		}
		a := actOf(row)
		a.Verdict, a.Rules = register.NotApplicable, nil // told once, of the cohort
		w.cohort[row.CohortID] = append(w.cohort[row.CohortID], a)
	}
	return ids, nil
}

// share goes through the persons of a share.
func (w *dutyWalk) share(ctx context.Context, share trail.Share, cohorts []string) error {
	members := make(map[identity.Pseudonym][]string)
	if err := w.Trail.MembersIn(ctx, w.controllerID(), cohorts, share, func(p [16]byte, cohort string) {
		members[p] = append(members[p], cohort)
	}); err != nil {
		return err
	}
	var p *duties.Person
	take := func() {
		if p == nil {
			return
		}
		for _, cohort := range members[p.ID] {
			p.Acts = append(p.Acts, w.cohort[cohort]...)
		}
		delete(members, p.ID)
		w.take(p)
	}
	for row, err := range w.Trail.DutyRows(ctx, w.controllerID(), share) {
		if err != nil {
			return err
		}
		if p == nil || p.ID != row.Person {
			take()
			p = &duties.Person{ID: row.Person}
		}
		if err := put(p, &row); err != nil {
			return err
		}
	}
	take()
	// A member of a cohort of whom nothing else is known may be someone else of
	// whom there is something, by another identifier.
	for id, of := range members {
		if number, _, linked := w.links.Whole(id); linked {
			for _, cohort := range of {
				w.whole(number, id).Acts = append(w.whole(number, id).Acts, w.cohort[cohort]...)
			}
		}
	}
	for number, last := range w.last { // those whose last identifier has gone by
		if share.To == [16]byte{} || last.String() < identity.Pseudonym(share.To).String() {
			w.close(number)
		}
	}
	return nil
}

// take works out the duties to a person, or, if there are other identifiers to
// come, puts by what is known so far.
func (w *dutyWalk) take(p *duties.Person) {
	number, _, linked := w.links.Whole(p.ID)
	if !linked {
		w.work(p)
		return
	}
	whole := w.whole(number, p.ID)
	whole.Facts = append(whole.Facts, p.Facts...)
	whole.Acts = append(whole.Acts, p.Acts...)
	if w.last[number] == p.ID {
		w.close(number)
	}
}

// whole is a linked person, who goes by the first identifier met.
func (w *dutyWalk) whole(number int32, id identity.Pseudonym) *duties.Person {
	p := w.open[number]
	if p == nil {
		p = &duties.Person{ID: id}
		w.open[number] = p
		_, w.last[number], _ = w.links.Whole(id)
	}
	return p
}

func (w *dutyWalk) close(number int32) {
	p := w.open[number]
	delete(w.open, number)
	delete(w.last, number)
	w.work(p)
}

func (w *dutyWalk) work(p *duties.Person) {
	w.persons++
	w.found = w.book.Of(w.found[:0], p)
	for i := range w.found {
		w.gather(&w.found[i])
	}
}

func (w *dutyWalk) gather(d *duties.Duty) {
	key := dutyKey{d.Kind, d.State, d.Rule, d.Outcome}
	g := w.groups[key]
	if g == nil {
		g = &dutyGroup{months: make(map[string]uint64), missing: make(map[string]uint64)}
		w.groups[key] = g
	}
	g.add(d, w.limit)
}

// put adds a row to what is known of a person.
func put(p *duties.Person, row *trail.Row) error {
	switch {
	case row.Duplicate:
		return nil
	case row.Operation != trail.OperationFact:
		p.Acts = append(p.Acts, actOf(row))
		return nil
	}
	l, err := learntOf(row)
	p.Facts = append(p.Facts, l)
	return err
}

func actOf(row *trail.Row) duties.Act {
	return duties.Act{
		Place: duties.Place{Topic: row.Topic, Partition: row.Partition, Offset: row.Offset},
		Time:  row.Time, Operation: row.Operation, Purpose: row.Purpose, Categories: row.Categories, Verdict: row.Verdict, Rules: row.Rules,
	}
}

// learntOf is a fact of the trail. What is recorded of when it was learnt is
// not among what lies by person; when it was stored is as good.
func learntOf(row *trail.Row) (duties.Learnt, error) {
	var value event.Facts
	if row.FactValue != "" {
		var err error
		if value, err = event.DecodeFacts([]byte(row.FactValue)); err != nil {
			return duties.Learnt{}, fmt.Errorf("read the fact at %s: %w", Place{row.Topic, row.Partition, row.Offset}.Path(), err)
		}
	}
	recorded := row.Recorded
	if recorded.IsZero() {
		recorded = row.JudgedAt
	}
	return duties.Learnt{
		Fact: event.Fact{Name: row.Fact, Value: value, ValidFrom: row.FactValidFrom, AboutActor: row.Actor, AboutOrg: row.Recipient},
		At:   facts.Order{Recorded: recorded, Topic: row.Topic, Partition: row.Partition, Offset: row.Offset},
	}, nil
}

// agreements looks after what processors received.
func (w *dutyWalk) agreements(ctx context.Context) error {
	rows, err := w.Trail.ProcessorFacts(ctx, w.controllerID())
	if err != nil {
		return err
	}
	var said []duties.Learnt
	for i := range rows {
		l, err := learntOf(&rows[i])
		if err != nil {
			return err
		}
		said = append(said, l)
	}
	found, err := w.book.Agreements(nil, said, func(from, to time.Time) (all []duties.Received, err error) {
		sightings, _, err := w.Trail.Sightings(ctx, w.controllerID(), from, to)
		byRecipient := make(map[string]int)
		for i := range sightings {
			s := &sightings[i]
			if s.Recipient == "" || s.Recipient == event.DataSubject || asked(s.Operation) {
				continue
			}
			at, again := byRecipient[s.Recipient]
			if !again {
				at = len(all)
				byRecipient[s.Recipient] = at
				all = append(all, duties.Received{Recipient: s.Recipient, First: s.First, Last: s.Last})
			}
			r := &all[at]
			r.Count += s.Count
			if s.First.Before(r.First) {
				r.First = s.First
			}
			if s.Last.After(r.Last) {
				r.Last = s.Last
			}
		}
		return all, err
	})
	if err != nil {
		return err
	}
	for i := range found {
		w.gather(&found[i])
	}
	return nil
}
