package answer

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

// ToldRequest asks whether all who hold a person's data were told of its
// erasure, rectification or restriction (GDPR Art. 19).
type ToldRequest struct {
	Controller string `json:"controller" minLength:"1" maxLength:"200" example:"elektrum"`
	Person     Person `json:"person"`
	Operation  string `json:"operation,omitempty" enum:"erase,rectify,restrict" doc:"What is to be told on. Left out: erase."`
	Since      string `json:"since,omitempty" maxLength:"40" example:"2026-03-01" doc:"When it was asked for or done: a day, or an RFC 3339 time. Left out: when the person asked for it, as far as a fact says so, else when the controller did it."`
	For        string `json:"for,omitempty" enum:"person" doc:"person: the answer as the person itself may have it, without what the law leaves out."`
	Days       int    `json:"days,omitempty" minimum:"0" maximum:"365" doc:"Within how many days recipients are to be told and to have answered; 30 if left out (Art. 12(3): one month)."`
}

// States of a recipient who is to be told.
const (
	TellPending      = "pending"      // not told yet, and there is time
	TellOverdue      = "overdue"      // not told, and the time is over
	TellTold         = "told"         // told, and has not answered
	TellUnanswered   = "unanswered"   // told, and the time to answer is over
	TellAcknowledged = "acknowledged" // told, and says that it is done
	TellExempt       = "not-told"     // the person itself, or nobody who could be told: the events do not name who it is
)

// ToldAnswer says who is to be told, who was, and who has answered.
type ToldAnswer struct {
	Controller Controller `json:"controller"`
	Person     Subject    `json:"person"`
	Operation  string     `json:"operation"`
	Since      time.Time  `json:"since,omitzero" doc:"Since when recipients are to be told; left out where nothing says that it was asked for or done."`
	SinceFrom  string     `json:"since_from" enum:"request,fact,act,none" doc:"What says so: the question, a fact of the person's request, the controller's own act."`
	Due        time.Time  `json:"due,omitzero"`
	AskedAt    time.Time  `json:"asked_at" exact:"true"`
	View
	Tasks   []Telling `json:"tasks" doc:"One for each recipient who received data before, those overdue first."`
	Open    int       `json:"open" doc:"How many are pending, overdue, told or unanswered."`
	Overdue int       `json:"overdue" doc:"How many are overdue or unanswered."`
	Cut     bool      `json:"cut" doc:"True: more was done with this person's data than was looked at: a recipient, a notice or an answer may be missing."`
	Completeness
}

// Telling is what is to be told to one recipient, and what has come of it.
type Telling struct {
	ID           string    `json:"id,omitempty"`
	Name         string    `json:"name"`
	Code         string    `json:"code,omitempty"`
	State        string    `json:"state" enum:"pending,overdue,told,unanswered,acknowledged,not-told"`
	Received     uint64    `json:"received" doc:"How often it received data of this person before."`
	Last         time.Time `json:"last"`
	Categories   []Counted `json:"categories"`
	Told         time.Time `json:"told,omitzero"`
	ToldBy       *Place    `json:"told_by,omitempty" doc:"The event that says so: an act of that operation with this recipient."`
	Acknowledged time.Time `json:"acknowledged,omitzero"`
	AnsweredBy   *Place    `json:"answered_by,omitempty" doc:"The event that says so: an act of that operation by this recipient, as partner."`

	key string // who it is, among those of one person
}

// ToldOn answers who is to be told, who was and who has answered. A notice is an
// act of the operation (erase, rectify, restrict) whose recipient is told; an
// acknowledgement is one that the recipient does itself, as a partner.
func ToldOn(ctx context.Context, d Deps, req ToldRequest) (*ToldAnswer, error) {
	req.Operation = cmp.Or(req.Operation, event.Erase.String())
	if !slices.Contains(toldOperations, req.Operation) {
		return nil, &Fault{"/operation", "nobody is told of that", "write erase, rectify or restrict"}
	}
	s, err := d.subject(ctx, Request{Controller: req.Controller, Person: req.Person, For: req.For})
	if err != nil {
		return nil, err
	}
	a := &ToldAnswer{Controller: s.controller(), Person: s.person, Operation: req.Operation, SinceFrom: "none", AskedAt: d.now(), Tasks: []Telling{}}
	acts, cut, err := d.actsOf(ctx, s, req.Operation)
	if err != nil {
		return nil, err
	}
	if err := a.since(ctx, &d, s, &req, acts); err != nil {
		return nil, err
	}
	days := cmp.Or(req.Days, 30)
	if !a.Since.IsZero() {
		a.Due = a.Since.In(s.register.Zone).AddDate(0, 0, days)
	}
	uses, whole, err := s.history.Uses(ctx, s.query.Only)
	if err != nil {
		return nil, err
	}
	a.Cut = cut || !whole
	a.Tasks = a.clock(days).tasks(s.register, s.names, uses, acts)
	for i := range a.Tasks {
		open, overdue := a.Tasks[i].open()
		if open {
			a.Open++
		}
		if overdue {
			a.Overdue++
		}
	}
	if a.Completeness, err = d.completeness(ctx); err != nil {
		return nil, err
	}
	if err := d.would(ctx, s); err != nil {
		return nil, err
	}
	s.see(a, &a.View)
	return a, nil
}

func tellOrder(state string) int {
	return slices.Index([]string{TellOverdue, TellUnanswered, TellPending, TellTold, TellExempt, TellAcknowledged}, state)
}

// maxToldActs bounds the acts of one operation that are looked at.
const maxToldActs = 2000

// actsOf lists the person's acts of one operation that may be shown, oldest first;
// cut says that there are older ones.
func (d *Deps) actsOf(ctx context.Context, s *subject, operation string) (acts []trail.Row, cut bool, err error) {
	acts, cut, err = d.actsAbout(ctx, s.query, operation)
	return slices.DeleteFunc(acts, func(row trail.Row) bool { return !s.view.shows(&row) }), cut, err
}

// actsAbout lists the acts of one operation on a person's data, oldest first.
func (d *Deps) actsAbout(ctx context.Context, q trail.PersonQuery, operation string) (acts []trail.Row, cut bool, err error) {
	var before *trail.Place
	for {
		rows, err := d.Trail.ActsList(ctx, trail.Acts{Controller: q.Controller, Operations: []string{operation}, Persons: q.Persons}, before, maxPage)
		if err != nil {
			return nil, false, err
		}
		if cut = len(acts)+len(rows) > maxToldActs; cut {
			break
		}
		acts = append(acts, rows...)
		if len(rows) < maxPage {
			break
		}
		last := &rows[len(rows)-1]
		before = &trail.Place{Time: last.Time, Topic: last.Topic, Partition: last.Partition, Offset: last.Offset}
	}
	slices.Reverse(acts)
	return acts, cut, nil
}

// requestTypes are the kinds of request that ask for an operation.
var requestTypes = map[string]string{"erase": "erasure", "rectify": "rectification", "restrict": "restriction"}

// since finds out from when on recipients are to be told.
func (a *ToldAnswer) since(ctx context.Context, d *Deps, s *subject, req *ToldRequest, acts []trail.Row) error {
	if req.Since != "" {
		at, err := parseTime(req.Since, s.register.Zone, 0, "/since")
		a.Since, a.SinceFrom = at, "request"
		return err
	}
	rows, err := d.Trail.FactsAbout(ctx, trail.FactsQuery{Controller: s.query.Controller, Persons: s.query.Persons[:s.person.Identifiers]})
	if err != nil {
		return err
	}
	for i := range rows {
		if rows[i].Fact != "request" || rows[i].Duplicate || rows[i].FactValue == "" {
			continue
		}
		value, err := event.DecodeFacts([]byte(rows[i].FactValue))
		if err != nil {
			return err
		}
		for _, r := range value.Requests.Entries {
			if r.Type == requestTypes[req.Operation] && r.MadeAt.After(a.Since) {
				a.Since, a.SinceFrom = r.MadeAt, "fact"
			}
		}
	}
	if !a.Since.IsZero() {
		return nil
	}
	for i := range acts {
		if own := &acts[i]; ownAct(own) {
			a.Since, a.SinceFrom = own.Time, "act"
		}
	}
	return nil
}

// ownAct says whether the controller itself did it, rather than told somebody or
// was told that it was done.
func ownAct(row *trail.Row) bool {
	return row.Recipient == "" && row.RecipientOrganisation == "" && row.RecipientCode == "" && row.ActorKind != event.ActorPartner
}

// tellClock is by when recipients are to be told, and to have answered.
type tellClock struct {
	since, due time.Time
	days       int
	now        time.Time
}

func (a *ToldAnswer) clock(days int) *tellClock { return &tellClock{a.Since, a.Due, days, a.AskedAt} }

// tasks are the recipients of what a person's data were used for, and what has
// come of telling each by the acts of the operation, oldest first.
func (c *tellClock) tasks(reg *register.Register, n *names, uses []trail.Use, acts []trail.Row) []Telling {
	groups := make(map[string]*group)
	for i := range uses {
		u := &uses[i]
		op, err := event.ParseOperation(u.Operation)
		if err != nil || u.Duplicate || !op.HandsOver() {
			continue
		}
		key := entityKey(n, u)
		if key == keyPerson || key == keyInternal {
			continue
		}
		if groups[key] == nil {
			groups[key] = newGroup(n)
		}
		groups[key].add(u)
	}
	tasks := []Telling{}
	for key, g := range groups {
		r := g.recipient()
		if e, ok := reg.Recipient(r.ID); ok && e.Named { // also where the event was judged by no register
			r.LegalEntity, r.Name = true, e.Name.In(language)
		}
		t := c.telling(&r, acts)
		t.key = key
		tasks = append(tasks, t)
	}
	slices.SortFunc(tasks, func(x, y Telling) int {
		return cmp.Or(cmp.Compare(tellOrder(x.State), tellOrder(y.State)), strings.Compare(x.Name, y.Name), strings.Compare(x.key, y.key))
	})
	return tasks
}

// telling looks what has come of telling one recipient.
func (c *tellClock) telling(r *Recipient, acts []trail.Row) Telling {
	t := Telling{ID: r.ID, Name: r.Name, Code: r.Code, Last: r.Last, Categories: r.Categories, State: TellPending, Received: r.Count}
	for i := range acts {
		row := &acts[i]
		if row.Time.Before(c.since) {
			continue
		}
		place := &Place{row.Topic, row.Partition, row.Offset}
		switch {
		case t.Told.IsZero() && r.is(row.Recipient, row.RecipientOrganisation, row.RecipientCode):
			t.Told, t.ToldBy = row.Time, place
		case !t.Told.IsZero() && t.Acknowledged.IsZero() && row.ActorKind == event.ActorPartner && (r.is(row.Actor, row.ActorOrganisation, "") || r.is("", row.ActorOnBehalfOf, "")):
			t.Acknowledged, t.AnsweredBy = row.Time, place
		}
	}
	switch {
	case !r.LegalEntity:
		t.State = TellExempt
	case !t.Acknowledged.IsZero():
		t.State = TellAcknowledged
	case !t.Told.IsZero() && c.now.After(c.answerDue(&t)):
		t.State = TellUnanswered
	case !t.Told.IsZero():
		t.State = TellTold
	case !c.due.IsZero() && c.now.After(c.due):
		t.State = TellOverdue
	}
	return t
}

// answerDue is by when a recipient that was told is to have answered.
func (c *tellClock) answerDue(t *Telling) time.Time { return t.Told.AddDate(0, 0, c.days) }

// open says whether something is still to come: that the recipient be told, or
// that it answer; and whether the time for it is over.
func (t *Telling) open() (open, overdue bool) {
	switch t.State {
	case TellOverdue, TellUnanswered:
		return true, true
	case TellPending, TellTold:
		return true, false
	}
	return false, false
}

// is says whether something names this recipient.
func (r *Recipient) is(id, name, code string) bool {
	return id != "" && id == r.ID || code != "" && code == r.Code || name != "" && (strings.EqualFold(name, r.Name) || strings.EqualFold(name, r.RegisterName) || name == r.ID)
}
