package answer

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/identity"
)

// TellingsRequest asks what is still to be told to recipients, of all persons of a
// controller whose data were to be erased, rectified or restricted (GDPR Art. 19).
type TellingsRequest struct {
	Controller string   `json:"controller" minLength:"1" maxLength:"200" example:"elektrum" doc:"Short name of the controller, as in its register."`
	Operations []string `json:"operations,omitempty" maxItems:"3" enum:"erase,rectify,restrict" doc:"What is to be told of. Left out: all three."`
	From       string   `json:"from,omitempty" maxLength:"40" example:"2026-01-01" doc:"First day on which it was asked for or done, or an RFC 3339 time. Left out: from the beginning."`
	To         string   `json:"to,omitempty" maxLength:"40" example:"2026-06-30" doc:"Last day, included, or an RFC 3339 time, not included. Left out: until now."`
	Days       int      `json:"days,omitempty" minimum:"0" maximum:"365" doc:"Within how many days recipients are to be told and to have answered; 30 if left out (Art. 12(3): one month)."`
	States     []string `json:"states,omitempty" maxItems:"6" enum:"pending,overdue,told,unanswered,acknowledged,not-told" doc:"List only tasks in one of these states. Left out: all. What is counted does not depend on it."`
	Cursor     string   `json:"cursor,omitempty" maxLength:"300" doc:"Where the page before ended (its field next). Left out: the first page."`
	Limit      int      `json:"limit,omitempty" minimum:"0" maximum:"1000" doc:"How many tasks; 100 if left out."`
}

// TellingsAnswer lists the tasks of all open requests.
type TellingsAnswer struct {
	Controller Controller       `json:"controller"`
	Operations []string         `json:"operations"`
	Period     Period           `json:"period" doc:"In which it was asked for or done."`
	Days       int              `json:"days" doc:"Within how many days recipients are to be told, and to have answered."`
	AskedAt    time.Time        `json:"asked_at"`
	Requests   int              `json:"requests" doc:"Open requests: those of which a recipient is still to be told, or to answer."`
	Persons    int              `json:"persons" doc:"Persons of whom these are; linked identifiers are one person."`
	Open       int              `json:"open" doc:"How many tasks are pending, overdue, told or unanswered."`
	Overdue    int              `json:"overdue" doc:"How many of these are overdue or unanswered."`
	Tasks      []TrackedTelling `json:"tasks" doc:"One for each open request and recipient: first those still open, by the day on which they are due, so that what is overdue comes first; then those of the same requests that are done."`
	Next       string           `json:"next,omitempty" doc:"Cursor of the next page; left out on the last."`
	Cut        bool             `json:"cut" doc:"True: there are more requests than were looked at, or more was done with a person's data: ask for a shorter period."`
	Completeness
}

// TrackedTelling is what is to be told of one request to one recipient.
type TrackedTelling struct {
	Pseudonym string    `json:"pseudonym" doc:"Of the person, or one of several; with scheme pseudonym, questions about the person take it."`
	Operation string    `json:"operation" enum:"erase,rectify,restrict"`
	Since     time.Time `json:"since" doc:"When it was asked for or done. A later request of the same kind takes the place of an earlier one."`
	SinceFrom string    `json:"since_from" enum:"fact,act" doc:"What says so: a fact of the person's request, or the controller's own act."`
	Due       time.Time `json:"due" doc:"By when it is to be told; where it was told, by when it is to be answered."`
	Telling
}

const (
	defaultTellings = 100
	maxTellings     = 1000
	maxRequests     = 10_000 // that are looked at
	askersTogether  = 200    // persons whose rows are read in one go
	askerRows       = 3000   // of one pseudonym, of which more are summed up by the database
	keptCohorts     = 5000
)

// toldOperations are those of which recipients are to be told.
var toldOperations = []string{event.Erase.String(), event.Rectify.String(), event.Restrict.String()}

// Tellings answers what of all open requests is still to be told to whom. A request
// and what has come of it are those of [ToldOn]: it gives the same tasks for one
// person. each, if not nil, is given the tasks of all pages.
func Tellings(ctx context.Context, d Deps, req TellingsRequest, each func(*TrackedTelling) error) (*TellingsAnswer, error) {
	if err := d.inHouse(); err != nil {
		return nil, err
	}
	w, err := d.tellingsWalk(&req)
	if err != nil {
		return nil, err
	}
	after, err := d.tellingAt(req.Controller, req.Cursor)
	if err != nil {
		return nil, err
	}
	requests, err := w.requests(ctx)
	if err != nil {
		return nil, err
	}
	for len(requests) > 0 {
		n := min(askersTogether, len(requests))
		if err := w.work(ctx, requests[:n]); err != nil {
			return nil, err
		}
		requests = requests[n:]
	}
	a := w.answer
	slices.SortFunc(w.found, func(x, y tracked) int { return x.place.compare(&y.place) })
	n := min(cmp.Or(max(req.Limit, 0), defaultTellings), maxTellings)
	for i := range w.found {
		t := &w.found[i]
		if len(req.States) > 0 && !slices.Contains(req.States, t.State) || after != nil && t.place.compare(after) <= 0 {
			continue
		}
		switch {
		case len(a.Tasks) < n:
			a.Tasks = append(a.Tasks, t.TrackedTelling)
			after = &t.place
		case a.Next == "":
			a.Next = d.Keys.SealText(after.String(), tellingsList+req.Controller)
		}
		if each != nil {
			if err := each(&t.TrackedTelling); err != nil {
				return nil, err
			}
		} else if a.Next != "" {
			break
		}
	}
	a.Completeness, err = d.completeness(ctx)
	return a, err
}

// tellingPlace is where a task stands among all.
type tellingPlace struct {
	done      bool
	due       int64 // Unix time in milliseconds
	person    identity.Pseudonym
	operation int
	recipient uint64 // hash of who it is
}

func (p *tellingPlace) compare(q *tellingPlace) int {
	done := 0
	if p.done != q.done {
		done = -1
		if p.done {
			done = 1
		}
	}
	return cmp.Or(done, cmp.Compare(p.due, q.due), bytes.Compare(p.person[:], q.person[:]), cmp.Compare(p.operation, q.operation), cmp.Compare(p.recipient, q.recipient))
}

const tellingsList = "tellings "

// String is the place as cursors hold it, sealed: it tells a pseudonym.
func (p *tellingPlace) String() string {
	return fmt.Sprintf("%t %d %x %d %d", p.done, p.due, p.person[:], p.operation, p.recipient)
}

// tellingAt is the place of a cursor; nil before the first.
func (d *Deps) tellingAt(controller, cursor string) (*tellingPlace, error) {
	if cursor == "" {
		return nil, nil
	}
	text, err := d.Keys.OpenText(cursor, tellingsList+controller)
	if err != nil {
		return nil, errCursor
	}
	var p tellingPlace
	var person []byte
	if _, err := fmt.Sscanf(text, "%t %d %x %d %d", &p.done, &p.due, &person, &p.operation, &p.recipient); err != nil || len(person) != len(p.person) {
		return nil, errCursor
	}
	copy(p.person[:], person)
	return &p, nil
}
