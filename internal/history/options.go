package history

import (
	"fmt"
	"time"
)

// Options say how much past to make up. The zero value is the demo's.
type Options struct {
	Seed    uint64
	Events  int // 200,000 if 0; more where the persons' lives need more
	Persons int // 5,000 if 0; at least MinPersons
	// End is the day on which the history stops (that day is not in it); it
	// covers the two years before. 1 July 2026 if zero.
	End time.Time
	// CohortPart is how many members one event of a cohort lists: 2,000 if 0,
	// at most [event.MaxMembers].
	CohortPart int
}

// MinPersons is the least number of persons: so many are needed for each
// planted story to have a person of its own.
const MinPersons = 400

const (
	defaultEvents  = 200_000
	defaultPersons = 5_000
	defaultPart    = 2_000
	maxPart        = 10_000 // event.MaxMembers
	years          = 2
)

var defaultEnd = time.Date(2026, time.July, 1, 0, 0, 0, 0, time.UTC)

func (o Options) complete() (Options, error) {
	if o.Events == 0 {
		o.Events = defaultEvents
	}
	if o.Persons == 0 {
		o.Persons = defaultPersons
	}
	if o.CohortPart == 0 {
		o.CohortPart = defaultPart
	}
	if o.End.IsZero() {
		o.End = defaultEnd
	}
	switch {
	case o.Persons < MinPersons:
		return o, fmt.Errorf("history: %d persons are too few for what is planted: at least %d", o.Persons, MinPersons)
	case o.Events < 0:
		return o, fmt.Errorf("history: %d events", o.Events)
	case o.CohortPart < 1 || o.CohortPart > maxPart:
		return o, fmt.Errorf("history: %d members in a part of a cohort: between 1 and %d", o.CohortPart, maxPart)
	}
	return o, nil
}
