package replay

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
	"github.com/andmerada/andmerada/internal/verdict"
)

// maxChanges is how many changes are told apart. Purposes and names of
// organisations come from outside: a source may make up a new one each time.
const maxChanges = 10_000

// tally counts what one worker has judged.
type tally struct {
	facts    *facts.Store
	examples int

	verdicts, duplicates uint64
	first, last          time.Time
	regrounded           uint64
	pending              Pending
	changes              map[changeKey]*change
}

// changeKey is what verdicts that change alike have in common.
type changeKey struct {
	before, after           register.Outcome
	rest                    bool // one of too many: the following is left empty
	controller              string
	purpose, recipient      string
	rulesBefore, rulesAfter string // ids, a space between
}

// change is how many verdicts change alike, and whose.
type change struct {
	Count
	persons  map[identity.Pseudonym]struct{}
	cohorts  map[cohort]struct{}
	examples []Example // newest first
}

// cohort is named by its controller and its id.
type cohort struct{ controller, id string }

func newTally(q *Question) *tally {
	return &tally{facts: q.Facts, examples: q.Examples, changes: make(map[changeKey]*change)}
}

func newChange() *change {
	return &change{persons: make(map[identity.Pseudonym]struct{}), cohorts: make(map[cohort]struct{})}
}

// add counts a row that is judged: before under the register in force, after
// under the draft.
func (t *tally) add(row *trail.Row, before, after *verdict.Verdict) {
	t.verdicts++
	if row.Duplicate {
		t.duplicates++
	}
	t.first, t.last = span(t.first, t.last, row.Time, row.Time)
	switch {
	case row.Verdict != before.Outcome:
		t.pending.Verdicts++
	case !slices.Equal(row.Rules, before.Rules) || !slices.Equal(row.Unknown, before.Unknown):
		t.pending.Regrounded++
	}
	if before.Outcome == after.Outcome {
		if !slices.Equal(before.Rules, after.Rules) || !slices.Equal(before.Unknown, after.Unknown) {
			t.regrounded++
		}
		return
	}
	c := t.change(row, before, after)
	c.Verdicts++
	if row.Duplicate {
		c.Duplicates++
	}
	c.First, c.Last = span(c.First, c.Last, row.Time, row.Time)
	switch {
	case row.Cohort:
		c.cohorts[cohort{row.Controller, row.CohortID}] = struct{}{}
	case row.Person != [16]byte{}:
		c.persons[representative(t.facts, row.Controller, row.Person)] = struct{}{}
	}
	if t.examples > 0 && (len(c.examples) < t.examples || !row.Time.Before(c.examples[len(c.examples)-1].Time)) {
		c.example(Example{
			Topic: row.Topic, Partition: row.Partition, Offset: row.Offset, Index: row.PersonIndex, Source: row.Source, Time: row.Time,
			Operation: row.Operation.String(), missing: slices.Clone(after.Unknown),
		}, t.examples)
	}
}

func (t *tally) change(row *trail.Row, before, after *verdict.Verdict) *change {
	key := changeKey{
		before: before.Outcome, after: after.Outcome, controller: row.Controller, purpose: row.Purpose, recipient: row.Recipient,
		rulesBefore: strings.Join(before.Rules, " "), rulesAfter: strings.Join(after.Rules, " "),
	}
	if key.recipient == "" {
		key.recipient = row.RecipientOrganisation
	}
	c := t.changes[key]
	if c == nil && len(t.changes) >= maxChanges {
		key = changeKey{before: key.before, after: key.after, rest: true}
		c = t.changes[key]
	}
	if c == nil {
		c = newChange()
		t.changes[key] = c
	}
	return c
}

// merge adds what another worker counted.
func (t *tally) merge(other *tally) {
	t.verdicts += other.verdicts
	t.duplicates += other.duplicates
	t.first, t.last = span(t.first, t.last, other.first, other.last)
	t.regrounded += other.regrounded
	t.pending.Verdicts += other.pending.Verdicts
	t.pending.Regrounded += other.pending.Regrounded
	for key, c := range other.changes {
		if t.changes[key] == nil {
			t.changes[key] = newChange()
		}
		t.changes[key].merge(c, t.examples)
	}
}

// cohorts puts the members in the place of their cohorts.
func (t *tally) cohorts(ctx context.Context, db *trail.DB) error {
	ids := make(map[string]map[string][]*change) // by controller and cohort
	for _, c := range t.changes {
		for of := range c.cohorts {
			if ids[of.controller] == nil {
				ids[of.controller] = make(map[string][]*change)
			}
			ids[of.controller][of.id] = append(ids[of.controller][of.id], c)
		}
	}
	for controller, changes := range ids {
		names := slices.Sorted(maps.Keys(changes))
		err := db.MembersOf(ctx, controller, names, func(cohort string, person [16]byte) {
			who := representative(t.facts, controller, person)
			for _, c := range changes[cohort] {
				c.persons[who] = struct{}{}
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// representative is one pseudonym for all that are linked to one.
func representative(store *facts.Store, controller string, who identity.Pseudonym) identity.Pseudonym {
	for _, p := range store.Linked(controller, who) {
		if slices.Compare(p[:], who[:]) < 0 {
			who = p
		}
	}
	return who
}

// merge adds another change, with up to so many examples.
func (c *change) merge(other *change, examples int) {
	c.Verdicts += other.Verdicts
	c.Duplicates += other.Duplicates
	c.First, c.Last = span(c.First, c.Last, other.First, other.Last)
	maps.Copy(c.persons, other.persons)
	maps.Copy(c.cohorts, other.cohorts)
	for _, e := range other.examples {
		c.example(e, examples)
	}
}

// example keeps an example, if it is among the newest.
func (c *change) example(e Example, limit int) {
	at, _ := slices.BinarySearchFunc(c.examples, e, func(a, b Example) int { return a.compare(&b) })
	if at >= limit {
		return
	}
	c.examples = slices.Insert(c.examples, at, e)
	c.examples = c.examples[:min(len(c.examples), limit)]
}

func (c *change) count() Count {
	n := c.Count
	n.Persons = uint64(len(c.persons))
	return n
}

// span is the time from the first to the last, of which zero is none.
func span(first, last, first2, last2 time.Time) (time.Time, time.Time) {
	if first.IsZero() || !first2.IsZero() && first2.Before(first) {
		first = first2
	}
	if last2.After(last) {
		last = last2
	}
	return first, last
}
