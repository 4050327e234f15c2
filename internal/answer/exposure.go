package answer

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/andmerada/andmerada/internal/trail"
)

// maxTraced bounds the persons of one trace: each needs some hundred bytes.
const maxTraced = 3_000_000

// exposure is what of one person's data some events touched.
type exposure struct {
	first, last time.Time
	events      uint64 // that name the person itself; those of its cohorts come with them in [exposures.count]
	categories  map[string]bool
	pseudonyms  [][16]byte // by which it was found: one for each window and identifier
	cohorts     []string   // that it was found by, each once
}

// touched is a cohort that some events touched.
type touched struct {
	person  [16]byte // the cohort's pseudonym
	events  uint64
	windows int // in how many it was found
	listed  bool
}

// exposures are persons, each by the least of the pseudonyms that are linked to
// it, and what of theirs was touched.
type exposures struct {
	persons map[[16]byte]*exposure
	cohorts map[string]*touched
}

func newExposures() *exposures {
	return &exposures{make(map[[16]byte]*exposure), make(map[string]*touched)}
}

// add adds what events touched of a person, by its own pseudonym or by a cohort.
func (e *exposures) add(person [16]byte, x *trail.Exposed, cohort string) {
	known := e.persons[person]
	if known == nil {
		known = &exposure{first: x.First, last: x.Last, categories: make(map[string]bool)}
		e.persons[person] = known
	}
	one := exposure{first: x.First, last: x.Last}
	if cohort == "" {
		one.events, one.pseudonyms = x.Events, [][16]byte{person}
	} else {
		if slices.Contains(known.cohorts, cohort) {
			return // the listing was sent twice
		}
		one.cohorts = []string{cohort}
	}
	known.merge(&one)
	for _, c := range x.Contexts {
		for _, id := range c.Categories {
			known.categories[id] = true
		}
	}
}

// merge adds what else of the same person was touched.
func (x *exposure) merge(o *exposure) {
	if o.first.Before(x.first) {
		x.first = o.first
	}
	if o.last.After(x.last) {
		x.last = o.last
	}
	x.events += o.events
	x.pseudonyms = append(x.pseudonyms, o.pseudonyms...)
	for _, id := range o.cohorts {
		if !slices.Contains(x.cohorts, id) {
			x.cohorts = append(x.cohorts, id)
		}
	}
	for id := range o.categories {
		x.categories[id] = true
	}
}

// put adds a person.
func (e *exposures) put(person [16]byte, x *exposure) {
	if known := e.persons[person]; known != nil {
		known.merge(x)
		return
	}
	e.persons[person] = x
}

// join adds those of another window.
func (e *exposures) join(o *exposures) {
	for p, x := range o.persons {
		e.put(p, x)
	}
	for id, c := range o.cohorts {
		known := e.cohorts[id]
		if known == nil {
			e.cohorts[id] = c
			continue
		}
		known.windows += c.windows
		known.events += c.events
		known.listed = known.listed || c.listed
	}
}

// only leaves those persons and their cohorts, and gives all pseudonyms that
// events about them may name. A cohort whose members are not known stays: nobody
// can say that it is not affected.
func (e *exposures) only(these map[[16]byte]bool) [][16]byte {
	maps.DeleteFunc(e.persons, func(p [16]byte, _ *exposure) bool { return !these[p] })
	var all [][16]byte
	theirs := make(map[string]bool)
	for _, x := range e.persons {
		all = append(all, x.pseudonyms...)
		for _, id := range x.cohorts {
			theirs[id] = true
		}
	}
	maps.DeleteFunc(e.cohorts, func(id string, c *touched) bool { return c.listed && !theirs[id] })
	for _, c := range e.cohorts {
		all = append(all, c.person)
	}
	if all == nil {
		all = [][16]byte{{}} // nobody, not anybody: no event names this one
	}
	return all
}

// sorted are the persons in order of their pseudonyms.
func (e *exposures) sorted() [][16]byte {
	all := make([][16]byte, 0, len(e.persons))
	for p := range e.persons {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b [16]byte) int { return bytes.Compare(a[:], b[:]) })
	return all
}

// exposed finds exactly whom the selected events are about: the members of
// cohorts are among them, and pseudonyms that identity facts link are one
// person.
func (d *Deps) exposed(ctx context.Context, s *selection) (*exposures, error) {
	e := newExposures()
	byCohort := make(map[string]*trail.Exposed)
	err := s.read.ActsExposed(ctx, s.acts, func(x *trail.Exposed) error {
		if id := cohortOf(x); id != "" {
			byCohort[id] = x
			e.cohorts[id] = &touched{person: x.Person, events: x.Events, windows: 1}
			return nil
		}
		if e.add(x.Person, x, ""); len(e.persons) > maxTraced {
			return tooManyPersons
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = d.Trail.MembersOf(ctx, s.acts.Controller, slices.Sorted(maps.Keys(byCohort)), func(cohort string, person [16]byte) {
		if len(e.persons) <= maxTraced {
			e.cohorts[cohort].listed = true
			e.add(person, byCohort[cohort], cohort)
		}
	})
	if err != nil {
		return nil, err
	}
	if len(e.persons) > maxTraced {
		return nil, tooManyPersons
	}
	same, err := d.Trail.SamePerson(ctx, s.acts.Controller, e.sorted())
	if err != nil {
		return nil, err
	}
	for p, one := range same {
		if x := e.persons[p]; x != nil && p != one {
			delete(e.persons, p)
			e.put(one, x)
		}
	}
	return e, nil
}

// count makes the events of each person exact, each once: those that were found
// in several windows, or by several identifiers, may have been counted again.
func (e *exposures) count(ctx context.Context, read *trail.Reading, acts trail.Acts) error {
	var pseudonyms, ones [][16]byte
	ask := func(p, one [16]byte) { pseudonyms, ones = append(pseudonyms, p), append(ones, one) }
	for one, x := range e.persons {
		if len(x.pseudonyms) > 1 {
			slices.SortFunc(x.pseudonyms, func(a, b [16]byte) int { return bytes.Compare(a[:], b[:]) })
			for _, p := range slices.Compact(x.pseudonyms) {
				ask(p, one)
			}
		}
	}
	for _, c := range e.cohorts {
		if c.windows > 1 {
			ask(c.person, c.person)
		}
	}
	counted := make(map[[16]byte]uint64, len(ones))
	if err := read.ActsOfSome(ctx, acts, pseudonyms, ones, func(one [16]byte, events uint64) { counted[one] = events }); err != nil {
		return err
	}
	for _, c := range e.cohorts {
		if n, again := counted[c.person]; again {
			c.events = n
		}
	}
	for one, x := range e.persons {
		if n, again := counted[one]; again {
			x.events = n
		}
		for _, id := range x.cohorts { // an event of a cohort names nobody else
			x.events += e.cohorts[id].events
		}
	}
	return nil
}

// cohortOf is the cohort that a pseudonym stands for, if it is no person's.
func cohortOf(x *trail.Exposed) string {
	for _, c := range x.Contexts {
		if c.Cohort && c.CohortID != "" {
			return c.CohortID
		}
	}
	return ""
}

var tooManyPersons error = &Fault{"", fmt.Sprintf("more than %d persons are affected", maxTraced), "ask for a shorter time, or for fewer systems at once"}
