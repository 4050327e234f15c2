package slice

import (
	"strings"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/history"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/register"
)

// tally is what one recipient received of a person's data.
type tally struct {
	Count, ByCohort            int
	First, Last                string
	Allowed, Review, Violation int
	Categories                 map[string]int
	Purposes                   map[string]int
}

// Names of what is no other recipient.
const (
	toThemselves = "(to the person)"
	byController = "(by the controller itself)"
)

// received walks over all events for one person, with nothing of the code that
// is tested but the normal form of identifiers: who got what, by name.
func (p *past) received(req answer.Request) map[string]tally {
	type identifier struct{ scheme, value string }
	of := func(who event.Person) identifier {
		return identifier{who.Scheme, identity.Normalise(who.Scheme, who.Value)}
	}
	mine := map[identifier]bool{of(event.Person(req.Person)): true}
	names := func(list []event.Person) bool {
		for _, who := range list {
			if mine[of(who)] {
				return true
			}
		}
		return false
	}
	for grew := true; grew; { // linked identifiers, and those linked to them
		grew = false
		for _, ev := range p.events {
			if ev.Controller != req.Controller || ev.Fact.Name != event.IdentityFact || !names(ev.Persons) {
				continue
			}
			for _, who := range ev.Persons {
				if !mine[of(who)] {
					mine[of(who)], grew = true, true
				}
			}
		}
	}
	cohorts := make(map[string]bool)
	for _, ev := range p.events {
		if ev.Kind == event.CohortPart && ev.Controller == req.Controller && names(ev.Cohort.Members) {
			cohorts[ev.Cohort.ID] = true
		}
	}
	all := make(map[string]tally)
	for _, ev := range p.events {
		if ev.Kind != event.Processing || ev.Controller != req.Controller || !names(ev.Persons) && !cohorts[ev.Cohort.ID] {
			continue
		}
		name := p.recipient(ev)
		t, ok := all[name]
		at := ev.Time.Format(time.RFC3339Nano)
		if !ok {
			t = tally{First: at, Categories: make(map[string]int), Purposes: make(map[string]int)}
		}
		t.Last = at // events are in the order of time
		t.Count++
		if ev.Cohort.ID != "" {
			t.ByCohort++
		}
		switch p.expected(ev) {
		case register.Violation:
			t.Violation++
		case register.Review:
			t.Review++
		default:
			t.Allowed++
		}
		for _, c := range ev.Categories {
			t.Categories[c]++
		}
		t.Purposes[ev.Purpose]++
		all[name] = t
	}
	return all
}

// recipient is who received the data of an event, as a person would read it: a
// legal entity of the register by the register's name, any other by its own,
// and where only a class is stated, that class.
func (p *past) recipient(ev *event.Event) string {
	to := ev.Recipient
	if to.ID == event.DataSubject {
		return toThemselves
	}
	reg, err := p.registers.For(ev.Controller, ev.Time)
	if err != nil {
		return err.Error()
	}
	entry, declared := reg.Recipient(to.ID)
	switch {
	case declared && entry.Named:
		return entry.Name.In("en")
	case to.Organisation != "":
		return to.Organisation
	case declared:
		return entry.Name.In("en")
	case to.ID != "":
		return to.ID
	case ev.Operation.HandsOver():
		return "Recipient not stated"
	default:
		return byController
	}
}

// expected is the verdict that the manifest says an event must come to.
func (p *past) expected(ev *event.Event) register.Outcome {
	for _, list := range [][]*history.Entry{p.manifest.Violations, p.manifest.Silences} {
		for _, e := range list {
			if e.Source == ev.Source && e.ID == ev.ID {
				return e.Verdict
			}
		}
	}
	return register.Allowed
}

// ofAnswer is an answer in the form of the walk's.
func ofAnswer(t testing.TB, a *answer.RecipientsAnswer) map[string]tally {
	t.Helper()
	all := make(map[string]tally)
	add := func(name string, s *answer.Summary) {
		if _, twice := all[name]; twice {
			t.Errorf("%q is in the answer twice", name)
		}
		one := tally{
			Count: int(s.Count), ByCohort: int(s.ByCohort),
			First: s.First.UTC().Format(time.RFC3339Nano), Last: s.Last.UTC().Format(time.RFC3339Nano),
			Allowed: int(s.Verdicts.Allowed), Review: int(s.Verdicts.Review), Violation: int(s.Verdicts.Violation),
			Categories: make(map[string]int), Purposes: make(map[string]int),
		}
		for _, c := range s.Categories {
			one.Categories[c.ID] = int(c.Count)
		}
		for _, u := range s.Purposes {
			one.Purposes[u.ID] = int(u.Count)
		}
		all[name] = one
	}
	for i := range a.Recipients {
		r := &a.Recipients[i]
		name, _, _ := strings.Cut(r.Name, ", in ") // not stated, but for the country
		add(name, &r.Summary)
	}
	if a.ToPerson != nil {
		add(toThemselves, a.ToPerson)
	}
	if a.Internal != nil {
		add(byController, a.Internal)
	}
	if a.Duplicates != 0 || !a.Complete {
		t.Errorf("%d duplicates, complete: %v", a.Duplicates, a.Complete)
	}
	return all
}
