package answer

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/trail"
)

// CasesAnswer lists frozen cases, newest first.
type CasesAnswer struct {
	Cases []CaseReference `json:"cases"`
}

// Cases lists the breach traces that were frozen, of a controller or of all.
func Cases(ctx context.Context, d Deps, controller string) (*CasesAnswer, error) {
	if controller != "" {
		if _, err := d.controller(controller, "/controller"); err != nil {
			return nil, err
		}
	}
	all, err := d.Trail.Cases(ctx, controller)
	if err != nil {
		return nil, err
	}
	a := &CasesAnswer{Cases: []CaseReference{}}
	for _, c := range all {
		a.Cases = append(a.Cases, CaseReference{ID: c.ID, Name: c.Name, Persons: c.Persons, AwareAt: c.AwareAt, FrozenAt: c.FrozenAt})
	}
	return a, nil
}

// CaseRequest asks for a frozen case and a page of its persons.
type CaseRequest struct {
	ID     string
	Cursor string // where the page before ended
	Limit  int
}

// CaseAnswer is a frozen case.
type CaseAnswer struct {
	CaseReference
	Controller Controller       `json:"controller"`
	Question   json.RawMessage  `json:"question" doc:"What was asked when it was frozen."`
	Answer     json.RawMessage  `json:"answer" doc:"What was answered then."`
	Affected   []AffectedPerson `json:"affected" doc:"The persons, in order of their pseudonyms."`
	Next       string           `json:"next,omitempty" doc:"Cursor of the next page; left out on the last."`
}

// AffectedPerson is one whom a case affects.
type AffectedPerson struct {
	Pseudonym  string    `json:"pseudonym" doc:"Of a person known by several identifiers, the least of its pseudonyms."`
	First      time.Time `json:"first"`
	Last       time.Time `json:"last"`
	Events     uint64    `json:"events"`
	Categories []string  `json:"categories"`
}

// casePage reads a page of a case's persons; next is after whom the next one
// begins, zero after the last.
func (d *Deps) casePage(ctx context.Context, id string, after [16]byte, n int) (persons []trail.CasePerson, next [16]byte, err error) {
	err = d.Trail.PersonsOfCase(ctx, id, after, n+1, func(p trail.CasePerson) error {
		persons = append(persons, p)
		return nil
	})
	if err == nil && len(persons) > n {
		persons, next = persons[:n], persons[n-1].Person
	}
	return persons, next, err
}

func affectedOf(p *trail.CasePerson) AffectedPerson {
	one := AffectedPerson{hex.EncodeToString(p.Person[:]), p.First, p.Last, p.Events, p.Categories}
	if one.Categories == nil {
		one.Categories = []string{}
	}
	return one
}

// CaseOf gives a frozen case.
func CaseOf(ctx context.Context, d Deps, req CaseRequest) (*CaseAnswer, error) {
	c, err := d.Trail.CaseOf(ctx, req.ID)
	if errors.Is(err, trail.ErrNoCase) {
		return nil, fmt.Errorf("%w: no case has this id", ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	a := &CaseAnswer{
		CaseReference: CaseReference{ID: c.ID, Name: c.Name, Persons: c.Persons, AwareAt: c.AwareAt, FrozenAt: c.FrozenAt},
		Controller:    Controller{c.Controller, c.Controller}, Question: c.Request, Answer: c.Answer, Affected: []AffectedPerson{},
	}
	if r, err := d.controller(c.Controller, ""); err == nil {
		a.Controller.Name = r.Controller.Name
	}
	after, err := d.personCursor(c.ID, req.Cursor)
	if err != nil {
		return nil, err
	}
	persons, next, err := d.casePage(ctx, c.ID, after, max(req.Limit, 1))
	if err != nil {
		return nil, err
	}
	for i := range persons {
		a.Affected = append(a.Affected, affectedOf(&persons[i]))
	}
	if next != ([16]byte{}) {
		a.Next = d.cursorAfter(c.ID, next)
	}
	return a, nil
}

// cursorAfter is the place after a person in a list of persons. A cursor is in
// addresses, where no pseudonym may be, so that it is encrypted; it is good for
// that list only.
func (d *Deps) cursorAfter(list string, person [16]byte) string {
	return base64.RawURLEncoding.EncodeToString(d.Keys.Seal(nil, person[:], identity.Place{Topic: "persons/" + list}))
}

// personCursor is the person after whom a page begins; zero where it begins with
// the first.
func (d *Deps) personCursor(list, cursor string) (person [16]byte, err error) {
	if cursor == "" {
		return person, nil
	}
	sealed, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil {
		sealed, err = d.Keys.Open(sealed, identity.Place{Topic: "persons/" + list})
	}
	if err != nil || len(sealed) != len(person) {
		return person, &Fault{"/cursor", "this cursor was not given by an answer", "take the field next of the page before"}
	}
	copy(person[:], sealed)
	return person, nil
}
