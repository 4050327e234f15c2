package answer

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/trail"
)

// FactsRequest asks what is known of a person, an employee or a recipient, or
// of several of these together, as an event that names them would find it.
type FactsRequest struct {
	Controller string `json:"controller" minLength:"1" maxLength:"200" example:"elektrum" doc:"Short name of the controller, as in its register."`
	Person     Person `json:"person,omitzero"`
	Actor      string `json:"actor,omitempty" maxLength:"512" doc:"Id of an employee."`
	Recipient  string `json:"recipient,omitempty" maxLength:"512" doc:"Id of a recipient of the register."`
	At         string `json:"at,omitempty" maxLength:"40" example:"2026-03-01T12:00:00Z" doc:"The moment at which the facts hold: a day, whose beginning counts, or an RFC 3339 time. Left out: now."`
	KnownAt    string `json:"known_at,omitempty" maxLength:"40" doc:"What had been recorded until then, day or time. Left out: all that is known."`
}

// What a fact counts for at the moment that is asked about.
const (
	FactHeld      = "held"          // true by then, and known
	FactLater     = "not-yet-true"  // true only from a later moment on; entries that it lists may be older
	FactUnknown   = "not-yet-known" // recorded only later
	FactDuplicate = "duplicate"     // of an event that had arrived before: it counts once
)

// FactEntry is a fact as a source told it.
type FactEntry struct {
	Name           string    `json:"name" doc:"Name in the vocabulary."`
	Value          []Known   `json:"value" doc:"What it states; nothing for an identity fact."`
	ValidFrom      time.Time `json:"valid_from" doc:"Since when it is true."`
	Recorded       time.Time `json:"recorded" doc:"When Kafka recorded it."`
	Status         string    `json:"status" enum:"held,not-yet-true,not-yet-known,duplicate"`
	AboutActor     string    `json:"about_actor,omitempty" doc:"The employee whom it is about; by a mask where another was asked about."`
	AboutRecipient string    `json:"about_recipient,omitempty"`
	Pseudonyms     []string  `json:"pseudonyms" doc:"The person's pseudonyms that it names."`
	Source         string    `json:"source" doc:"The system that told it."`
	Place
}

// FactsAnswer says what is known.
type FactsAnswer struct {
	Controller   Controller   `json:"controller"`
	Person       *Subject     `json:"person,omitempty"`
	Actor        string       `json:"actor,omitempty"`
	Recipient    string       `json:"recipient,omitempty"`
	At           time.Time    `json:"at"`
	KnownAt      time.Time    `json:"known_at,omitzero"`
	Zone         string       `json:"zone" doc:"Time zone of the controller's calendar."`
	Facts        []FactEntry  `json:"facts" doc:"All that was told, by since when it is true."`
	Stands       []Known      `json:"stands" doc:"What an event of that moment is judged by."`
	Completeness Completeness `json:"completeness"`
}

// Facts answers what was known of someone at a moment, where from, and what of
// it stands.
func Facts(ctx context.Context, d Deps, req FactsRequest) (*FactsAnswer, error) {
	r, err := d.controller(req.Controller, "/controller")
	if err != nil {
		return nil, err
	}
	a := &FactsAnswer{
		Controller: Controller{r.Controller.ID, r.Controller.Name}, Actor: req.Actor, Recipient: req.Recipient,
		At: d.now(), Zone: r.Zone.String(), Facts: []FactEntry{},
	}
	if req.At != "" {
		if a.At, err = parseTime(req.At, r.Zone, 0, "/at"); err != nil {
			return nil, err
		}
	}
	if a.KnownAt, err = parseTime(req.KnownAt, r.Zone, 0, "/known_at"); err != nil {
		return nil, err
	}
	q := trail.FactsQuery{Controller: req.Controller, Actor: req.Actor, Recipient: req.Recipient}
	var who identity.Pseudonym
	if err := d.inHouse(); err != nil {
		return nil, err
	}
	if req.Person != (Person{}) {
		s, err := d.subject(ctx, Request{Controller: req.Controller, Person: req.Person})
		if err != nil {
			return nil, err
		}
		a.Person = &s.person
		// The cohorts come after the person's own: facts are not of these.
		q.Persons = s.query.Persons[:s.person.Identifiers]
		who = q.Persons[0]
	}
	if who.IsZero() && req.Actor == "" && req.Recipient == "" {
		return nil, &Fault{"", "nobody is asked about", "name a person, an actor or a recipient"}
	}
	rows, err := d.Trail.FactsAbout(ctx, q)
	if err != nil {
		return nil, err
	}
	store := facts.New()
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && rows[n].Offset == rows[0].Offset && rows[n].Partition == rows[0].Partition && rows[n].Topic == rows[0].Topic {
			n++
		}
		if err := a.told(store, rows[:n], q.Persons); err != nil {
			return nil, err
		}
		rows = rows[n:]
	}
	for i := range a.Facts {
		if f := &a.Facts[i]; f.AboutActor != req.Actor { // told of a person: who acts is told on a reason only
			f.AboutActor = d.Mask(req.Controller, f.AboutActor)
		}
	}
	slices.SortStableFunc(a.Facts, func(x, y FactEntry) int {
		return cmp.Or(x.ValidFrom.Compare(y.ValidFrom), x.Recorded.Compare(y.Recorded), strings.Compare(x.Topic, y.Topic), cmp.Compare(x.Partition, y.Partition), cmp.Compare(x.Offset, y.Offset))
	})
	known := store.AsKnown(a.KnownAt, req.Controller, who, req.Actor, req.Recipient, a.At)
	if a.Stands, err = knownFacts(&known); err != nil {
		return nil, err
	}
	a.Completeness, err = d.completeness(ctx)
	return a, err
}

// told takes in the rows of one fact, one for each person that it names.
func (a *FactsAnswer) told(store *facts.Store, rows []trail.Row, asked [][16]byte) error {
	row := &rows[0]
	place := Place{row.Topic, row.Partition, row.Offset}
	f := event.Fact{Name: row.Fact, ValidFrom: row.FactValidFrom, AboutActor: row.Actor, AboutOrg: row.Recipient}
	if row.FactValue != "" {
		var err error
		if f.Value, err = event.DecodeFacts([]byte(row.FactValue)); err != nil {
			return fmt.Errorf("read the fact at %s: %w", place.Path(), err)
		}
	}
	e := FactEntry{
		Name: row.Fact, ValidFrom: row.FactValidFrom, Recorded: row.Recorded, Status: FactHeld, AboutActor: row.Actor, AboutRecipient: row.Recipient,
		Pseudonyms: []string{}, Source: row.Source, Place: place,
	}
	var persons []identity.Pseudonym
	for i := range rows {
		p := identity.Pseudonym(rows[i].Person)
		if p.IsZero() {
			continue
		}
		persons = append(persons, p)
		if slices.Contains(asked, rows[i].Person) { // of another person that it names nothing is told
			e.Pseudonyms = append(e.Pseudonyms, p.String())
		}
	}
	switch {
	case row.Duplicate:
		e.Status = FactDuplicate
	case !a.KnownAt.IsZero() && row.Recorded.After(a.KnownAt):
		e.Status = FactUnknown
	case row.FactValidFrom.After(a.At) && row.Fact != event.IdentityFact: // links hold for all times
		e.Status = FactLater
	}
	if !row.Duplicate {
		store.Learn(row.Controller, persons, &f, facts.Order{Recorded: row.Recorded, Topic: row.Topic, Partition: row.Partition, Offset: row.Offset})
	}
	var err error
	e.Value, err = knownFacts(&f.Value)
	a.Facts = append(a.Facts, e)
	return err
}
