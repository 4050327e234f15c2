package answer

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/trail"
)

// maxSteps bounds the steps of an answer.
const maxSteps = 2000

// onward follows where the data of those affected went after each was touched
// first: from the controller's systems to recipients, and from those of these
// whose own acts are in this trail, further. A recipient whose acts are not in
// it ends the way.
func (b *tracing) onward(ctx context.Context) (steps []Step, cut bool, err error) {
	s := b.first()
	whom, err := b.whom(ctx)
	if err != nil {
		return nil, false, err
	}
	moves := make(map[moveKey]*move)
	err = b.Trail.OnwardOf(ctx, s.acts.Controller, whom.pseudonyms, whom.since, b.until, func(o *trail.Onward) error {
		to := cmp.Or(o.RecipientCode, o.RecipientName, o.Recipient)
		if o.Recipient == event.DataSubject {
			return nil // it went to the person itself
		}
		key := moveKey{
			from: cmp.Or(o.OnBehalfOf, o.Organisation, s.register.Controller.Name), to: cmp.Or(to, "not stated"),
			country: o.Country, purpose: o.Purpose, operation: o.Operation,
		}
		m := moves[key]
		if m == nil {
			m = &move{recipient: o.Recipient, name: cmp.Or(o.RecipientName, s.recipientName(o.Recipient)), first: o.First, last: o.Last, persons: make(map[[16]byte]bool), categories: make(map[string]bool)}
			moves[key] = m
		}
		m.events += o.Events
		if o.First.Before(m.first) {
			m.first = o.First
		}
		if o.Last.After(m.last) {
			m.last = o.Last
		}
		for _, id := range o.Categories {
			m.categories[id] = true
		}
		for i, p := range o.Persons {
			for _, one := range whom.persons[p] {
				if !o.Lasts[i].Before(b.affected.persons[one].first) {
					m.persons[one] = true
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, false, err
	}
	steps = b.layers(s, moves)
	return steps[:min(len(steps), maxSteps)], len(steps) > maxSteps, nil
}

type moveKey struct{ from, to, country, purpose, operation string }

type move struct {
	recipient, name string
	events          uint64
	first, last     time.Time
	persons         map[[16]byte]bool
	categories      map[string]bool
}

// layers puts moves in order of how far from the controller they begin.
func (b *tracing) layers(s *selection, moves map[moveKey]*move) []Step {
	reached := make(map[string]int) // by any name, in small letters: how far
	depth := make(map[moveKey]int, len(moves))
	for round := 1; round <= b.req.Onward; round++ {
		var found []moveKey
		for key := range moves {
			if depth[key] != 0 {
				continue
			}
			from, known := reached[strings.ToLower(key.from)]
			if round == 1 && !b.isRecipient(moves, key.from) || known && from == round-1 {
				found = append(found, key)
			}
		}
		for _, key := range found {
			depth[key] = round
		}
		for _, key := range found {
			m := moves[key]
			for _, name := range []string{key.to, m.name, m.recipient} {
				if name = strings.ToLower(name); name != "" {
					if _, known := reached[name]; !known {
						reached[name] = round
					}
				}
			}
		}
	}
	steps := []Step{}
	for key, m := range moves {
		if depth[key] == 0 {
			continue
		}
		step := Step{
			Depth: depth[key], From: key.from, To: key.to, Name: m.name, Country: key.country, Purpose: Named{key.purpose, s.names.purpose(s.register.Version, key.purpose)},
			Operation: key.operation, Events: m.events, Persons: len(m.persons), Categories: []Named{}, First: m.first, Last: m.last,
		}
		for _, id := range sortedKeys(m.categories) {
			step.Categories = append(step.Categories, Named{id, s.names.category(s.register.Version, id)})
		}
		steps = append(steps, step)
	}
	slices.SortFunc(steps, func(x, y Step) int {
		return cmp.Or(cmp.Compare(x.Depth, y.Depth), cmp.Compare(y.Persons, x.Persons), strings.Compare(x.From, y.From), strings.Compare(x.To, y.To),
			strings.Compare(x.Purpose.ID, y.Purpose.ID), strings.Compare(x.Operation, y.Operation), strings.Compare(x.Country, y.Country))
	})
	return steps
}

// isRecipient says whether someone is given data by somebody else in one of the
// moves: its own moves then come after.
func (b *tracing) isRecipient(moves map[moveKey]*move, who string) bool {
	for key, m := range moves {
		if (strings.EqualFold(key.to, who) || strings.EqualFold(m.name, who) || strings.EqualFold(m.recipient, who)) && !strings.EqualFold(key.from, who) {
			return true
		}
	}
	return false
}

// whom are all pseudonyms under which events may be about those affected, the
// moment from which on each is followed, and which persons each stands for.
type whom struct {
	pseudonyms [][16]byte
	since      []time.Time
	persons    map[[16]byte][][16]byte
}

func (b *tracing) whom(ctx context.Context) (*whom, error) {
	controller := b.selections[0].acts.Controller
	w := &whom{persons: make(map[[16]byte][][16]byte)}
	stands := func(p, one [16]byte) {
		w.persons[p] = append(w.persons[p], one)
	}
	affected := b.affected.sorted()
	same, err := b.Trail.SamePerson(ctx, controller, affected)
	if err != nil {
		return nil, err
	}
	for _, p := range affected {
		stands(p, p)
	}
	for p, one := range same {
		if p != one && b.affected.persons[one] != nil {
			stands(p, one)
		}
	}
	own := make([][16]byte, 0, len(w.persons))
	for p := range w.persons {
		own = append(own, p)
	}
	cohorts := make(map[string][][16]byte)
	err = b.Trail.Memberships(ctx, controller, own, func(cohort string, person [16]byte) {
		cohorts[cohort] = append(cohorts[cohort], w.persons[person]...)
	})
	if err != nil {
		return nil, err
	}
	for id, members := range cohorts {
		p, err := b.Keys.Cohort(controller, id)
		if err != nil {
			return nil, err
		}
		for _, one := range members {
			stands(p, one)
		}
	}
	for p, ones := range w.persons {
		since := b.affected.persons[ones[0]].first
		for _, one := range ones[1:] {
			if t := b.affected.persons[one].first; t.Before(since) {
				since = t
			}
		}
		w.pseudonyms, w.since = append(w.pseudonyms, p), append(w.since, since)
	}
	return w, nil
}
