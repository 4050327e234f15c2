package history

import (
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
)

// Manifest lists what has been planted in a history, and counts what is in it.
type Manifest struct {
	Seed   uint64    `json:"seed"`
	Start  time.Time `json:"start"`
	End    time.Time `json:"end"`
	Totals Totals    `json:"totals"`
	// Violations contradict a notice; every other event is none.
	Violations []*Entry `json:"violations"`
	// Silences need a review: the notice is silent, open or ambiguous, or a fact
	// is not known. No other event needs one.
	Silences []*Entry `json:"silences"`
	// NearMisses are allowed, by a day or by a later fact.
	NearMisses []*Entry `json:"near_misses"`
	Try        Try      `json:"try"`
}

// Entry is one event, and the verdict it must come to.
type Entry struct {
	ID         string           `json:"id"`
	Source     string           `json:"source"`
	Time       time.Time        `json:"time"`
	Controller string           `json:"controller"`
	Kind       string           `json:"kind"`
	Verdict    register.Outcome `json:"verdict"`
	Rules      []string         `json:"rules,omitempty"` // that are among those that decide
	Why        string           `json:"why"`

	person event.Person
}

// Totals count a history.
type Totals struct {
	Events        int            `json:"events"` // of all kinds
	Processing    map[string]int `json:"processing"`
	Facts         map[string]int `json:"facts"`
	Persons       map[string]int `json:"persons"`
	Cohorts       int            `json:"cohorts"`
	CohortParts   int            `json:"cohort_parts"`
	CohortMembers int            `json:"cohort_members"`
	Planted       map[string]int `json:"planted"` // by controller and kind
}

// Try are three things to look at.
type Try struct {
	// ManyRecipients is a person whose data many have received, one of them in
	// bulk and one whom the notice does not name.
	ManyRecipients Identified `json:"many_recipients"`
	// Withdrawn is a person who withdrew a consent and was sent a newsletter after.
	Withdrawn Identified `json:"withdrawn"`
	// Violation is one planted event.
	Violation Entry `json:"violation"`
}

// Identified is a made-up person at one controller.
type Identified struct {
	Controller string `json:"controller"`
	Scheme     string `json:"scheme"`
	Identifier string `json:"identifier"`
	Why        string `json:"why"`
}

func (t *Totals) start(books []*book) {
	*t = Totals{Processing: make(map[string]int), Facts: make(map[string]int), Persons: make(map[string]int), Planted: make(map[string]int)}
	for _, b := range books {
		t.Processing[b.id], t.Facts[b.id] = 0, 0
	}
}

func (m *Manifest) add(e *Entry) {
	switch e.Verdict {
	case register.Violation:
		m.Violations = append(m.Violations, e)
	case register.Review:
		m.Silences = append(m.Silences, e)
	default:
		m.NearMisses = append(m.NearMisses, e)
	}
	m.Totals.Planted[e.Controller+"/"+e.Kind]++
}

func (m *Manifest) count(ev *event.Event, it *item) {
	t := &m.Totals
	t.Events++
	switch ev.Kind {
	case event.Processing:
		t.Processing[ev.Controller]++
	case event.FactEvent:
		t.Facts[ev.Controller]++
		if it.tell == event.IdentityFact {
			t.Persons[ev.Controller]++
		}
	case event.CohortPart:
		t.CohortParts++
	}
	if it.entry != nil {
		it.entry.ID, it.entry.Time = ev.ID, ev.Time
	}
}

// finish picks the things to try.
func (m *Manifest) finish() {
	identified := func(kind, why string) (Identified, Entry) {
		for _, e := range m.Violations {
			if e.Kind == kind && e.Controller == elektrumID {
				return Identified{Controller: e.Controller, Scheme: e.person.Scheme, Identifier: e.person.Value, Why: why}, *e
			}
		}
		return Identified{}, Entry{}
	}
	m.Try.ManyRecipients, m.Try.Violation = identified(tryManyRecipients, "many recipients, in bulk transfers too, and one that the notice does not name")
	m.Try.Withdrawn, _ = identified(tryWithdrawn, "newsletters before and after the consent was withdrawn")
}
