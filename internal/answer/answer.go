// Package answer holds the questions as functions: who received a person's
// data, what was done and when, how one verdict came about, and what stands out
// in all of it.
//
// An answer is a plain value with JSON tags: the API gives it as it is, and the
// pages and the command line draw it. It never holds an identifier of a person
// in clear, only the pseudonym; and it says how far the trail goes, so that
// "nobody else" can be believed as far as it may be.
package answer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/profile"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
	"github.com/andmerada/andmerada/internal/unusual"
)

// Deps is what answers are made from. All of it but Facts and Unusual is needed.
type Deps struct {
	Trail     *trail.DB
	Registers *register.Set
	Keys      *identity.Keys

	// Facts is what was known of a person when the event at that place was
	// judged; nil where it cannot be told, and verdicts are then not explained.
	Facts func(at facts.Order, controller string, person identity.Pseudonym, actor, recipient string, t time.Time) event.Facts

	// Unusual are the rules on unusual access; those that come with Andmerada if nil.
	Unusual *unusual.Rules

	Now func() time.Time

	// Profiles say what an answer for the person itself leaves out.
	Profiles *profile.Set
	// ForPerson says that whoever asks is the person itself, or its agent: every
	// answer is then for the person, whatever the request says.
	ForPerson bool
	// Asker is who asks, by the id under which its questions are recorded; empty
	// where nobody in particular does.
	Asker string
	// Restricted, if set, is told what an answer for the person left out, before
	// the answer is given: it is kept with the question.
	Restricted func(record string)
}

// Bounds of a question, in bytes.
const (
	maxControllerName = 200
	maxScheme         = 64
	maxIdentifier     = 512
)

// Person is whom a question is about, by one of the identifiers that a system
// knows the person by.
type Person struct {
	Scheme string `json:"scheme" minLength:"1" maxLength:"64" example:"customer-number" doc:"Scheme of the identifier: customer-number, personal-code, email, metering-point, phone, or pseudonym."`
	Value  string `json:"value" minLength:"1" maxLength:"512" doc:"The identifier. It is keyed at once, and neither stored nor logged."`
}

// Request is a question about a person. A day is one in the controller's time
// zone; both ends of a period are included.
type Request struct {
	Controller string `json:"controller" minLength:"1" maxLength:"200" example:"elektrum" doc:"Short name of the controller, as in its register."`
	Person     Person `json:"person"`
	From       string `json:"from,omitempty" maxLength:"40" example:"2026-01-01" doc:"First day, or an RFC 3339 time. Left out: from the beginning."`
	To         string `json:"to,omitempty" maxLength:"40" example:"2026-12-31" doc:"Last day, included, or an RFC 3339 time, not included. Left out: until now."`
	AsOf       string `json:"as_of,omitempty" maxLength:"40" example:"2026-06-30" doc:"The answer as the trail stood at the end of this day, or at this RFC 3339 time: what was stored, or judged, later does not count. Left out: as it stands now."`
	For        string `json:"for,omitempty" enum:"person" doc:"person: the answer as the person itself may have it, without what the law leaves out. Whoever asks as the person, or its agent, is always answered so."`
}

// Fault is a question that cannot be answered as it is put. It never holds
// what was given, which may be an identifier.
type Fault struct {
	Pointer string // JSON pointer to the member of the request that is wrong
	Problem string
	Mend    string
}

// Error is the problem and how to mend it.
func (f *Fault) Error() string {
	s := f.Problem
	if f.Mend != "" {
		s += ": " + f.Mend
	}
	return s
}

// ErrNotFound says that there is nothing at the place that was asked for.
var ErrNotFound = errors.New("there is no such event in the trail")

// Controller is who decided on the processing (GDPR Art. 4(7)).
type Controller struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Subject is the person as an answer names it.
type Subject struct {
	Scheme      string `json:"scheme" doc:"Scheme of the identifier that was asked by."`
	Pseudonym   string `json:"pseudonym" doc:"Keyed pseudonym of that identifier."`
	Identifiers int    `json:"identifiers" doc:"How many identifiers of this person the answer covers, this one included."`
	Cohorts     int    `json:"cohorts,omitempty" doc:"How many cohorts the person is a member of; left out for the person itself, as there may be some of which it must not be told."`
}

// Period is the time that an answer covers.
type Period struct {
	From time.Time `json:"from,omitzero" doc:"Included. Left out: from the beginning."`
	To   time.Time `json:"to,omitzero" doc:"Not included. Left out: no end."`
	AsOf time.Time `json:"as_of,omitzero" exact:"true" doc:"The trail as it stood then: what was stored, or judged, later does not count. Left out: as it stands now."`
	Zone string    `json:"zone" doc:"Time zone of the controller's calendar."`
}

// subject is a question about a person, understood.
type subject struct {
	register *register.Register
	query    trail.PersonQuery
	history  *trail.History // all of it: what is left out is in query.Only
	names    *names
	period   Period
	person   Subject

	view  *view
	shown View     // what is said of it
	left  []uint64 // how many events each restriction leaves out
}

func (d *Deps) now() time.Time { return d.Now() }

// controller finds the newest register of a controller.
func (d *Deps) controller(id, pointer string) (*register.Register, error) {
	if len(id) <= maxControllerName {
		for _, r := range d.Registers.All() {
			if r.Controller.ID == id {
				return r, nil
			}
		}
	}
	// What was given may be anything, an identifier in the wrong place too.
	return nil, &Fault{pointer, "no register of this controller is loaded", fmt.Sprintf("write one of %q", d.Registers.Controllers())}
}

// subject understands a question: whose pseudonyms it is about, linked ones and
// cohorts included.
func (d *Deps) subject(ctx context.Context, req Request) (*subject, error) {
	r, err := d.controller(req.Controller, "/controller")
	if err != nil {
		return nil, err
	}
	s := &subject{register: r, names: newNames(d.Registers)}
	if s.view, err = d.viewOf(&req, r); err != nil {
		return nil, err
	}
	if s.period, err = parsePeriod(req.From, req.To, r.Zone); err != nil {
		return nil, err
	}
	if s.period.AsOf, err = d.parseAsOf(req.AsOf, r.Zone); err != nil {
		return nil, err
	}
	switch {
	case req.Person.Scheme == "" || len(req.Person.Scheme) > maxScheme:
		return nil, &Fault{"/person/scheme", "the scheme of the identifier is missing or too long", "write customer-number, personal-code, email, metering-point, phone or pseudonym"}
	case req.Person.Value == "" || len(req.Person.Value) > maxIdentifier:
		return nil, &Fault{"/person/value", "the identifier is missing or too long", "write it as the controller's systems know it"}
	}
	p, err := d.Keys.Pseudonym(req.Controller, req.Person.Scheme, req.Person.Value)
	if err != nil {
		// The error names the scheme, which may be an identifier in the wrong place.
		return nil, &Fault{"/person/value", "this is no identifier of that scheme", "write it as the controller's systems know it; a pseudonym has 32 hexadecimal digits"}
	}
	s.query = trail.PersonQuery{Controller: req.Controller, Persons: [][16]byte{p}, From: s.period.From, To: s.period.To, AsOf: s.period.AsOf}
	history, linked, cohorts, err := d.linked(ctx, s.query)
	if err != nil {
		return nil, err
	}
	s.person = Subject{Scheme: req.Person.Scheme, Pseudonym: p.String(), Identifiers: len(linked), Cohorts: len(cohorts)}
	asCohorts, err := d.cohortPseudonyms(req.Controller, cohorts)
	if err != nil {
		return nil, err
	}
	s.query.Persons, s.history = slices.Concat(linked, asCohorts), history
	if err := history.Add(ctx, asCohorts); err != nil {
		return nil, err
	}
	if s.shown = s.view.says(s); s.view.person {
		s.query.Only, err = d.look(ctx, s)
	}
	return s, err
}

// linked reads the history of a person under all its pseudonyms, and lists these
// and the cohorts of any of them. Few persons have more than one, so that the
// cohorts of the first are asked for beside.
func (d *Deps) linked(ctx context.Context, q trail.PersonQuery) (history *trail.History, all [][16]byte, cohorts []string, err error) {
	g, asking := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		if history, err = d.Trail.HistoryOf(asking, q); err != nil {
			return err
		}
		all, err = history.Link(asking)
		return err
	})
	g.Go(func() (err error) {
		cohorts, err = d.Trail.CohortsOf(asking, q)
		return err
	})
	if err := g.Wait(); err != nil || len(all) == 1 {
		return history, all, cohorts, err
	}
	q.Persons = all
	cohorts, err = d.Trail.CohortsOf(ctx, q)
	return history, all, cohorts, err
}

// cohortPseudonyms are the pseudonyms under which acts on whole cohorts are stored.
func (d *Deps) cohortPseudonyms(controller string, ids []string) ([][16]byte, error) {
	all := make([][16]byte, len(ids))
	for i, id := range ids {
		c, err := d.Keys.Cohort(controller, id)
		if err != nil {
			return nil, err
		}
		all[i] = c
	}
	return all, nil
}

// parseAsOf reads a moment up to which the trail counts, zero for now: of a day
// its end, and of today what there has been of it.
func (d *Deps) parseAsOf(text string, zone *time.Location) (time.Time, error) {
	t, err := parseTime(text, zone, 0, "/as_of")
	if err != nil || t.IsZero() {
		return t, err
	}
	now := d.now()
	if t.After(now) {
		return t, &Fault{"/as_of", "how the trail will stand cannot be told", "write a moment that has been, or leave it out"}
	}
	if _, err := time.Parse(time.DateOnly, text); err == nil {
		if t = t.AddDate(0, 0, 1).Add(-time.Millisecond); t.After(now) {
			t = now
		}
	}
	return t.Truncate(time.Millisecond), nil
}

func (s *subject) controller() Controller {
	return Controller{s.register.Controller.ID, s.register.Controller.Name}
}

// parsePeriod reads the days of a question, or its times.
func parsePeriod(from, to string, zone *time.Location) (p Period, err error) {
	p.Zone = zone.String()
	if p.From, err = parseTime(from, zone, 0, "/from"); err != nil {
		return p, err
	}
	if p.To, err = parseTime(to, zone, 1, "/to"); err != nil {
		return p, err
	}
	if !p.To.IsZero() && !p.From.Before(p.To) {
		return p, &Fault{"/to", "the period ends before it begins", "write a day that is not before the first"}
	}
	return p, nil
}

// parseTime reads a day in the zone, moved by days, or an RFC 3339 time.
func parseTime(text string, zone *time.Location, days int, pointer string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := readTime(text, zone, days, pointer)
	if err == nil && (t.Year() < firstYear || t.Year() > lastYear) {
		return time.Time{}, &Fault{pointer, "this is no time that data could be of", fmt.Sprintf("write a year from %d to %d, or leave it out", firstYear, lastYear)}
	}
	return t, err
}

// Years that are taken: others lead to times that cannot be written as RFC 3339,
// or stored.
const firstYear, lastYear = 1900, 2299

func readTime(text string, zone *time.Location, days int, pointer string) (time.Time, error) {
	if t, err := time.ParseInLocation(time.DateOnly, text, zone); err == nil {
		return t.AddDate(0, 0, days), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, &Fault{pointer, "this is neither a day nor a time", "write 2026-01-31, or 2026-01-31T12:00:00Z"}
	}
	return t, nil
}
