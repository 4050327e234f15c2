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
	open   map[int32]*known // linked persons not seen in whole yet
	last   map[int32]identity.Pseudonym
	found  []duties.Duty
	person duties.Person           // worked on now
	cohort map[string][]duties.Act // what was erased or kept of whole cohorts
}

// known is what is known of a person. Facts stay as they are written until they
// are worked on: taken apart, one is two kilobytes.
type known struct {
	id    identity.Pseudonym
	facts []written
	acts  []duties.Act
}

// written is a fact of the trail.
type written struct {
	name, value, actor, recipient string
	from                          time.Time
	at                            facts.Order
}

func (w *dutyWalk) controllerID() string { return w.book.Register.Controller.ID }

func (w *dutyWalk) walk(ctx context.Context) error {
	w.links, w.open, w.last = duties.NewLinks(), make(map[int32]*known), make(map[int32]identity.Pseudonym)
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
	var p *known
	take := func() error {
		if p == nil {
			return nil
		}
		for _, cohort := range members[p.id] {
			p.acts = append(p.acts, w.cohort[cohort]...)
		}
		delete(members, p.id)
		return w.take(p)
	}
	for row, err := range w.Trail.DutyRows(ctx, w.controllerID(), share) {
		if err != nil {
			return err
		}
		if p == nil || p.id != row.Person {
			if err := take(); err != nil {
				return err
			}
			p = &known{id: row.Person}
		}
		p.put(&row)
	}
	if err := take(); err != nil {
		return err
	}
	// A member of a cohort of whom nothing else is known may be someone else of
	// whom there is something, by another identifier.
	for id, of := range members {
		if number, _, linked := w.links.Whole(id); linked {
			whole := w.whole(number, id)
			for _, cohort := range of {
				whole.acts = append(whole.acts, w.cohort[cohort]...)
			}
		}
	}
	for number, last := range w.last { // those whose last identifier has gone by
		if share.To == [16]byte{} || last.String() < identity.Pseudonym(share.To).String() {
			if err := w.close(number); err != nil {
				return err
			}
		}
	}
	return nil
}

// take works out the duties to a person, or, if there are other identifiers to
// come, puts by what is known so far.
func (w *dutyWalk) take(p *known) error {
	number, _, linked := w.links.Whole(p.id)
	if !linked {
		return w.work(p)
	}
	whole := w.whole(number, p.id)
	whole.facts = append(whole.facts, p.facts...)
	whole.acts = append(whole.acts, p.acts...)
	if w.last[number] != p.id {
		return nil
	}
	return w.close(number)
}

// whole is a linked person, who goes by the first identifier met.
func (w *dutyWalk) whole(number int32, id identity.Pseudonym) *known {
	p := w.open[number]
	if p == nil {
		p = &known{id: id}
		w.open[number] = p
		_, w.last[number], _ = w.links.Whole(id)
	}
	return p
}

func (w *dutyWalk) close(number int32) error {
	p := w.open[number]
	delete(w.open, number)
	delete(w.last, number)
	return w.work(p)
}

func (w *dutyWalk) work(p *known) error {
	w.persons++
	w.person.ID, w.person.Facts, w.person.Acts = p.id, w.person.Facts[:0], p.acts
	for i := range p.facts {
		l, err := p.facts[i].learnt()
		if err != nil {
			return err
		}
		w.person.Facts = append(w.person.Facts, l)
	}
	w.found = w.book.Of(w.found[:0], &w.person)
	for i := range w.found {
		w.gather(&w.found[i])
	}
	return nil
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
func (p *known) put(row *trail.Row) {
	switch {
	case row.Duplicate:
	case row.Operation == trail.OperationFact:
		p.facts = append(p.facts, writtenOf(row))
	default:
		p.acts = append(p.acts, actOf(row))
	}
}

func actOf(row *trail.Row) duties.Act {
	return duties.Act{
		Place: duties.Place{Topic: row.Topic, Partition: row.Partition, Offset: row.Offset},
		Time:  row.Time, Operation: row.Operation, Purpose: row.Purpose, Categories: row.Categories, Verdict: row.Verdict, Rules: row.Rules,
	}
}

// writtenOf is a fact of the trail. When Kafka recorded it is not among what lies
// by person; when it was stored is as good.
func writtenOf(row *trail.Row) written {
	recorded := row.Recorded
	if recorded.IsZero() {
		recorded = row.JudgedAt
	}
	return written{
		row.Fact, row.FactValue, row.Actor, row.Recipient, row.FactValidFrom,
		facts.Order{Recorded: recorded, Topic: row.Topic, Partition: row.Partition, Offset: row.Offset},
	}
}

func (x *written) learnt() (duties.Learnt, error) {
	l := duties.Learnt{Fact: event.Fact{Name: x.name, ValidFrom: x.from, AboutActor: x.actor, AboutOrg: x.recipient}, At: x.at}
	if x.value == "" {
		return l, nil
	}
	var err error
	if l.Fact.Value, err = event.DecodeFacts([]byte(x.value)); err != nil {
		return l, fmt.Errorf("read the fact at %s: %w", Place{x.at.Topic, x.at.Partition, x.at.Offset}.Path(), err)
	}
	return l, nil
}

// agreements looks after what processors received.
func (w *dutyWalk) agreements(ctx context.Context) error {
	rows, err := w.Trail.ProcessorFacts(ctx, w.controllerID())
	if err != nil {
		return err
	}
	var said []duties.Learnt
	for i := range rows {
		x := writtenOf(&rows[i])
		l, err := x.learnt()
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
