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
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

// Deps is what answers are made from. All of it but Facts is needed.
type Deps struct {
	Trail     *trail.DB
	Registers *register.Set
	Keys      *identity.Keys

	// Facts is what was known of a person when the event at that place was
	// judged; nil where it cannot be told, and verdicts are then not explained.
	Facts func(at facts.Order, controller string, person identity.Pseudonym, actor, recipient string, t time.Time) event.Facts

	Now func() time.Time
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
	Cohorts     int    `json:"cohorts" doc:"How many cohorts the person is a member of."`
}

// Period is the time that an answer covers.
type Period struct {
	From time.Time `json:"from,omitzero" doc:"Included. Left out: from the beginning."`
	To   time.Time `json:"to,omitzero" doc:"Not included. Left out: no end."`
	Zone string    `json:"zone" doc:"Time zone of the controller's calendar."`
}

// subject is a question about a person, understood.
type subject struct {
	register *register.Register
	query    trail.PersonQuery
	names    *names
	period   Period
	person   Subject
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
	s := &subject{register: r, names: newNames(d.Registers), period: Period{Zone: r.Zone.String()}}
	if s.period.From, err = parseTime(req.From, r.Zone, 0, "/from"); err != nil {
		return nil, err
	}
	if s.period.To, err = parseTime(req.To, r.Zone, 1, "/to"); err != nil {
		return nil, err
	}
	if !s.period.To.IsZero() && !s.period.From.Before(s.period.To) {
		return nil, &Fault{"/to", "the period ends before it begins", "write a day that is not before the first"}
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
	linked, err := d.Trail.Linked(ctx, req.Controller, p)
	if err != nil {
		return nil, err
	}
	cohorts, err := d.Trail.CohortsOf(ctx, req.Controller, linked)
	if err != nil {
		return nil, err
	}
	s.person = Subject{Scheme: req.Person.Scheme, Pseudonym: p.String(), Identifiers: len(linked), Cohorts: len(cohorts)}
	for _, id := range cohorts {
		c, err := d.Keys.Cohort(req.Controller, id)
		if err != nil {
			return nil, err
		}
		linked = append(linked, c)
	}
	s.query = trail.PersonQuery{Controller: req.Controller, Persons: linked, From: s.period.From, To: s.period.To}
	return s, nil
}

func (s *subject) controller() Controller {
	return Controller{s.register.Controller.ID, s.register.Controller.Name}
}

// parseTime reads a day in the zone, moved by days, or an RFC 3339 time.
func parseTime(text string, zone *time.Location, days int, pointer string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if t, err := time.ParseInLocation(time.DateOnly, text, zone); err == nil {
		return t.AddDate(0, 0, days), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, &Fault{pointer, "this is neither a day nor a time", "write 2026-01-31, or 2026-01-31T12:00:00Z"}
	}
	return t, nil
}
