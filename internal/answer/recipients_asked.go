package answer

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

// RecipientsRequest asks who received a person's data, and may name one recipient:
// whether that one ever did is then told.
type RecipientsRequest struct {
	Request
	Recipient string `json:"recipient,omitempty" maxLength:"400" example:"elektrum/creditinfo-eesti" doc:"Id of a recipient in the register: has it ever received this person's data in the period?"`
	Entity    string `json:"entity,omitempty" maxLength:"400" example:"Creditinfo Eesti AS" doc:"Instead of its id, the registration code or name of a recipient, as events say."`
	Systems   bool   `json:"systems,omitempty" doc:"Say also when each system was heard last, and which were silent in the period. It is said by itself where a recipient is asked about. It costs more than the rest of the answer."`
}

// AskedRecipient is whether one recipient received a person's data in the period.
type AskedRecipient struct {
	ID       string    `json:"id,omitempty"`
	Name     string    `json:"name"`
	Declared bool      `json:"declared" doc:"The register names this recipient."`
	Clauses  []string  `json:"clauses"`
	Received string    `json:"received" enum:"yes,no,untold" doc:"no: as far as the trail goes, the data were never disclosed to this recipient in the period. untold: the person must not be told of some authorities, and this is one, or may be one; so it is said, and nothing is counted, whether or not it received data."`
	Apart    bool      `json:"apart,omitempty" doc:"What the restrictions leave out of an answer for the person is not counted: something that was disclosed may be among it."`
	Count    uint64    `json:"count"`
	First    time.Time `json:"first,omitzero"`
	Last     time.Time `json:"last,omitzero"`
	Unnamed  uint64    `json:"unnamed" doc:"How often data went, in the period, to a recipient that the events name by its class only, or not at all: that it was this one is not ruled out."`
	Whole    bool      `json:"whole" doc:"Nothing is known that stands against taking the trail of the period for whole: no gap, no record that was not understood, no silent system, nothing left out of the sum, and no recipient unnamed. What no system reports cannot be known."`

	entity string
	called []string // names of a legal entity
}

// Whether a recipient received data.
const (
	ReceivedYes    = "yes"
	ReceivedNo     = "no"
	ReceivedUntold = "untold"
)

// askedRecipient understands which recipient is asked about; nil if none is.
func (s *subject) askedRecipient(set *register.Set, req *RecipientsRequest) (*AskedRecipient, error) {
	switch {
	case req.Recipient == "" && req.Entity == "":
		return nil, nil
	case req.Recipient != "" && req.Entity != "":
		return nil, &Fault{"/entity", "the recipient is named twice", "leave out recipient or entity"}
	case len(req.Recipient) > maxRecipient:
		return nil, &Fault{"/recipient", "this is no id of a recipient", "write one of the register, or its code or name as entity"}
	case len(req.Entity) > maxRecipient:
		return nil, &Fault{"/entity", "this is no name of a recipient", "write its registration code or name"}
	}
	a := &AskedRecipient{ID: req.Recipient, Name: cmp.Or(req.Entity, req.Recipient), Clauses: []string{}, entity: req.Entity}
	if a.ID == event.DataSubject {
		return nil, &Fault{"/recipient", "the person itself is no recipient", "write the id of another"}
	}
	for _, r := range set.All() { // of each controller the newest first
		if r.Controller.ID == s.register.Controller.ID {
			a.find(r)
		}
	}
	return a, nil
}

// find looks for the recipient in a register: by its id, or a legal entity by its
// name. Events may have either.
func (a *AskedRecipient) find(r *register.Register) {
	for i := range r.Recipients {
		e := &r.Recipients[i]
		id := r.FullID(e.ID)
		named := slices.ContainsFunc(slices.Collect(maps.Values(e.Name)), func(name string) bool { return a.entity != "" && strings.EqualFold(name, a.entity) })
		if id != a.ID && (!e.Named || !named) {
			continue
		}
		if e.Named {
			a.called = slices.AppendSeq(a.called, maps.Values(e.Name))
		}
		if !a.Declared {
			a.ID, a.Name, a.Declared, a.Clauses = id, e.Name.In(language), true, orEmpty(e.Clauses)
		}
	}
}

// maxRecipient bounds what names a recipient, in bytes.
const maxRecipient = 400

// is says whether an event's recipient is the one that is asked about.
func (a *AskedRecipient) is(u *trail.Use) bool {
	if a.ID != "" && u.Recipient == a.ID || a.entity != "" && u.Code == a.entity {
		return true
	}
	return u.Organisation != "" && slices.ContainsFunc(append(a.called, a.entity), func(name string) bool { return strings.EqualFold(u.Organisation, name) })
}

// tell says whether the recipient received data, and what stands against believing
// it; of one of whom the person must not be told, always the same.
func (a *AskedRecipient) tell(s *subject, uses []trail.Use, complete bool, l *Limits) error {
	if s.view.untold(a.ID, append(slices.Clone(a.called), a.entity)...) {
		a.Received = ReceivedUntold
		return nil
	}
	a.Apart = s.view.leavesOut(s.period.From)
	if err := a.sum(s.names, uses); err != nil {
		return err
	}
	a.judge(complete, l)
	return nil
}

// sum finds what the recipient received. An id that neither a register nor an event
// knows is a slip, not somebody who never received anything.
func (a *AskedRecipient) sum(n *names, uses []trail.Use) error {
	seen := false
	for i := range uses {
		u := &uses[i]
		if a.is(u) {
			seen = true
			if u.Duplicate || isNotice(u.Operation) {
				continue
			}
			if a.Count == 0 || u.First.Before(a.First) {
				a.First = u.First
			}
			if u.Last.After(a.Last) {
				a.Last = u.Last
			}
			a.Count += u.Count
		} else if !u.Duplicate && !isNotice(u.Operation) && unnamed(n, u) {
			a.Unnamed += u.Count
		}
	}
	if a.Received = ReceivedNo; a.Count > 0 {
		a.Received = ReceivedYes
	}
	if a.ID != "" && !a.Declared && !seen {
		return &Fault{"/recipient", "no register of the controller knows this recipient, nor does an event about this person", "write an id of the register, or the code or name of the recipient as entity"}
	}
	return nil
}

// isNotice says that an event with a recipient tells it of an erasure, a
// rectification or a restriction (GDPR Art. 19), and gives it no data.
func isNotice(operation string) bool {
	return slices.Contains([]string{event.Erase.String(), event.Rectify.String(), event.Restrict.String()}, operation)
}

// unnamed says that data went to somebody of whom it is not known who it was.
func unnamed(n *names, u *trail.Use) bool {
	if u.Recipient == event.DataSubject || u.Organisation != "" || u.Code != "" {
		return false
	}
	if u.Recipient == "" {
		return u.Country != "" || u.Operation == event.Transfer.String() || u.Operation == event.Disclose.String()
	}
	if r := n.register(u.RegisterVersion); r != nil {
		e, ok := r.Recipient(u.Recipient)
		return ok && !e.Named
	}
	// It was judged by none, or by one that is there no more: what another says of
	// that id is better than to take a class for somebody.
	for _, r := range n.set.All() {
		if e, ok := r.Recipient(u.Recipient); ok {
			return !e.Named
		}
	}
	return false
}

// judge says whether anything stands against believing it.
func (a *AskedRecipient) judge(complete bool, l *Limits) {
	silent := l.Systems == nil || l.Systems.Silent > 0
	a.Whole = complete && !a.Apart && !silent && a.Unnamed == 0 && len(l.Gaps) == 0 && !l.MoreGaps && !slices.ContainsFunc(l.Unread, func(u Unread) bool { return u.Replayed < u.Count }) && !l.MoreUnread
}

// end is the last moment that an answer is about.
func (p Period) end(now time.Time) time.Time {
	end := now
	for _, t := range []time.Time{p.To, p.AsOf} {
		if !t.IsZero() && t.Before(end) {
			end = t
		}
	}
	return cmp.Or(end, now)
}
