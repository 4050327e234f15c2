package facts

import (
	"time"
	"unique"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/identity"
)

// AsOf is what was true at t of a person (under any linked pseudonym), of the
// employee who acts and of the recipient; "" and the zero pseudonym are
// nobody.
//
// Of a scalar fact or a record the latest that is valid from t or before
// stands, whole. The entries of the lists are told apart by what they are
// about and when they were given or made; of two that are the same the one
// valid later stands, and an entry counts since its own time even where its
// source told of it later. A consent entry withdrawn no later than it was given
// is a withdrawal without its consent: it ends each open consent to the
// purpose. Entries say their own times, so that a withdrawal after t may be
// among them.
func (s *Store) AsOf(controller string, p identity.Pseudonym, actor, recipient string, t time.Time) event.Facts {
	return s.asOf(controller, p, actor, recipient, t, nil)
}

// AsSeen is AsOf for the event at a place in Kafka: what its own partition says
// only after it is left out, so that judging a range of a partition again finds
// what it found the first time.
func (s *Store) AsSeen(at Order, controller string, p identity.Pseudonym, actor, recipient string, t time.Time) event.Facts {
	o := newOrder(at)
	return s.asOf(controller, p, actor, recipient, t, &o)
}

func (s *Store) asOf(controller string, p identity.Pseudonym, actor, recipient string, t time.Time, before *order) (f event.Facts) {
	if s.facts.Load() == 0 {
		return f
	}
	who := unique.Make(controller)
	g := gather{actor: actor, recipient: recipient, t: t, millis: t.UnixMilli(), before: before}
	if actor != "" {
		g.add(s.known(subject{controller: who, name: actorName(actor)}))
	}
	if recipient != "" {
		g.add(s.known(subject{controller: who, name: recipientName(recipient)}))
	}
	if !p.IsZero() {
		if linked := s.linked(who, p); linked != nil {
			for _, m := range linked {
				g.add(s.known(subject{controller: who, person: m}))
			}
		} else {
			g.add(s.known(subject{controller: who, person: p}))
		}
	}
	g.into(&f)
	return f
}

// gather collects facts about several subjects for one moment.
type gather struct {
	actor, recipient string
	t                time.Time
	millis           int64
	before           *order

	any        bool
	latest     [kindCount]*entry // of each scalar fact and record, valid at t
	consents   list[event.Consent]
	objections list[event.Objection]
	optOuts    list[event.OptOut]
	requests   list[event.Request]
}

func (g *gather) add(entries []entry) {
	for i := range entries {
		e := &entries[i]
		switch {
		case e.actor != "" && e.actor != g.actor || e.recipient != "" && e.recipient != g.recipient:
			continue
		case g.before != nil && e.order.topic == g.before.topic && e.order.partition == g.before.partition && e.order.offset >= g.before.offset:
			continue
		}
		g.any = true
		switch value := e.value.(type) {
		case []event.Consent:
			g.consents.add(e, value, g.millis)
		case []event.Objection:
			g.objections.add(e, value, g.millis)
		case []event.OptOut:
			g.optOuts.add(e, value, g.millis)
		case []event.Request:
			g.requests.add(e, value, g.millis)
		default:
			if e.from <= g.millis && (g.latest[e.kind] == nil || compareEntries(g.latest[e.kind], e) < 0) {
				g.latest[e.kind] = e
			}
		}
	}
}

func (g *gather) into(f *event.Facts) {
	if !g.any {
		return
	}
	for _, e := range g.latest {
		if e != nil {
			for _, s := range e.value.([]scalar) {
				f.Set(s.field, s.value)
			}
		}
	}
	f.Consents = g.consentsAt()
	f.Objections = g.objections.at(g.t, objectionKey, func(o *event.Objection) { o.Outcome = "" })
	f.OptOuts = g.optOuts.at(g.t, optOutKey, func(*event.OptOut) {})
	f.Requests = g.requests.at(g.t, requestKey, func(r *event.Request) { r.Handled = event.Value{State: event.Unknown} })
}
