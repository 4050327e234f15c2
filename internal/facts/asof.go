package facts

import (
	"math/bits"
	"slices"
	"time"

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
func (s *Store) AsOf(controller string, p identity.Pseudonym, actor, recipient string, t time.Time) (f event.Facts) {
	r := s.readers.Get().(*Reader)
	defer s.readers.Put(r)
	r.AsOf(&f, controller, p, actor, recipient, t)
	return f
}

// AsSeen is AsOf for the event at a place in Kafka: what its own partition says
// only after it is left out, so that judging a range of a partition again finds
// what it found the first time.
func (s *Store) AsSeen(at Order, controller string, p identity.Pseudonym, actor, recipient string, t time.Time) (f event.Facts) {
	r := s.readers.Get().(*Reader)
	defer s.readers.Put(r)
	r.AsSeen(&f, at, controller, p, actor, recipient, t)
	return f
}

// AsKnown is AsOf by what Kafka had recorded until known, that moment included:
// what one could have said of t then. The zero time leaves nothing out.
func (s *Store) AsKnown(known time.Time, controller string, p identity.Pseudonym, actor, recipient string, t time.Time) (f event.Facts) {
	r := s.readers.Get().(*Reader)
	defer s.readers.Put(r)
	r.AsKnown(&f, known, controller, p, actor, recipient, t)
	return f
}

// Linked lists the pseudonyms of the person that p stands for, p among them.
func (s *Store) Linked(controller string, p identity.Pseudonym) []identity.Pseudonym {
	r := s.readers.Get().(*Reader)
	defer s.readers.Put(r)
	r.begin(controller, "", "", time.Time{})
	r.person(p)
	return slices.Clone(r.persons)
}

// Reader recalls facts into memory that is used again and again: once it has
// seen what is usual, it allocates nothing. It is for one goroutine at a time;
// many may read one store at the same time.
//
// Its methods are those of [Store], but that they overwrite facts of the
// caller, the entries of its lists included. Nothing else may hold these.
type Reader struct {
	store *Store

	controller, actor, recipient string
	t                            time.Time
	millis                       int64
	hash                         uint64 // of the controller
	before                       Order  // what its partition says from there on is left out; no topic = nothing is
	known                        int64  // what was recorded after is left out,
	all                          bool   // unless all that is known counts

	persons []identity.Pseudonym        // of the person, those not looked at yet last
	seen    map[identity.Pseudonym]bool // persons, where they are many

	have       uint64              // kinds that latest has
	latest     [kindCount]standing // of each scalar fact and record, valid at t
	consents   list[event.Consent]
	objections list[event.Objection]
	optOuts    list[event.OptOut]
	requests   list[event.Request]

	withdrawals []statement[event.Consent]
}

// standing is the latest fact of a kind, and where its value is.
type standing struct {
	record
	value cursor
}

// Reader makes a reader of the store.
func (s *Store) Reader() *Reader { return &Reader{store: s} }

// AsOf is [Store.AsOf] into f.
func (r *Reader) AsOf(f *event.Facts, controller string, p identity.Pseudonym, actor, recipient string, t time.Time) {
	r.begin(controller, actor, recipient, t)
	r.into(f, p)
}

// AsSeen is [Store.AsSeen] into f.
func (r *Reader) AsSeen(f *event.Facts, at Order, controller string, p identity.Pseudonym, actor, recipient string, t time.Time) {
	r.begin(controller, actor, recipient, t)
	r.before = at
	r.into(f, p)
}

// AsKnown is [Store.AsKnown] into f.
func (r *Reader) AsKnown(f *event.Facts, known time.Time, controller string, p identity.Pseudonym, actor, recipient string, t time.Time) {
	r.begin(controller, actor, recipient, t)
	if !known.IsZero() {
		r.known, r.all = known.UnixMilli(), false
	}
	r.into(f, p)
}

func (r *Reader) begin(controller, actor, recipient string, t time.Time) {
	r.controller, r.actor, r.recipient, r.t, r.millis = controller, actor, recipient, t, t.UnixMilli()
	r.hash = r.store.hashOf(controller)
	r.before, r.all, r.have = Order{}, true, 0
	r.persons = r.persons[:0]
	r.consents.reset()
	r.objections.reset()
	r.optOuts.reset()
	r.requests.reset()
	r.withdrawals = r.withdrawals[:0]
}

// into gathers the facts and states them.
func (r *Reader) into(f *event.Facts, p identity.Pseudonym) {
	f.Reset()
	if r.actor != "" {
		r.gather(&subject{sort: anActor, controller: r.controller, name: r.actor})
	}
	if r.recipient != "" {
		r.gather(&subject{sort: aRecipient, controller: r.controller, name: r.recipient})
	}
	if !p.IsZero() {
		r.person(p)
	}
	for rest := r.have; rest != 0; rest &= rest - 1 {
		l := &r.latest[bits.TrailingZeros64(rest)]
		v := reader{cursor: l.value, names: &r.store.names, controller: r.controller, from: l.from}
		for range v.uvarint() / 8 {
			f.Set(v.scalar())
		}
	}
	r.consentsInto(&f.Consents)
	listInto(r, &f.Objections, &r.objections, func(o *event.Objection) { o.Outcome = "" })
	listInto(r, &f.OptOuts, &r.optOuts, func(*event.OptOut) {})
	listInto(r, &f.Requests, &r.requests, func(q *event.Request) { q.Handled = event.Value{State: event.Unknown} })
}

// person gathers what is known of a person under all its pseudonyms.
func (r *Reader) person(p identity.Pseudonym) {
	r.persons = append(r.persons, p)
	for i := 0; i < len(r.persons); i++ {
		r.gather(&subject{controller: r.controller, person: r.persons[i]})
	}
	if len(r.seen) > 0 {
		r.seen = nil
	}
}

// also notes another pseudonym of the person.
func (r *Reader) also(p identity.Pseudonym) {
	const few = 32
	switch {
	case len(r.persons) < few:
		if slices.Contains(r.persons, p) {
			return
		}
	case len(r.seen) == 0:
		r.seen = make(map[identity.Pseudonym]bool)
		for _, known := range r.persons {
			r.seen[known] = true
		}
		fallthrough
	default:
		if r.seen[p] {
			return
		}
		r.seen[p] = true
	}
	r.persons = append(r.persons, p)
}

// gather takes the facts about one subject.
func (r *Reader) gather(who *subject) {
	v, b, ok := r.store.find(who, r.hash)
	for ok {
		for b.records.at < int(b.end) {
			r.fact(b.records.record())
		}
		if ok = b.older != 0; ok {
			b = v.at(b.older)
		}
	}
}

// fact takes one fact, unless it is not to count.
func (r *Reader) fact(fact record, value cursor) {
	s := r.store
	if !r.all && fact.recorded > r.known || r.before.Topic != "" && fact.offset >= r.before.Offset && r.inItsPartition(fact.place) {
		return
	}
	if fact.kind == identityKind {
		r.also(value.pseudonym())
		return
	}
	if fact.actor != 0 && s.names.text(fact.actor) != r.actor || fact.recipient != 0 && s.names.text(fact.recipient) != r.recipient {
		return
	}
	v := reader{cursor: value, names: &s.names, controller: r.controller, from: fact.from}
	form, valid := v.uvarint(), fact.from <= r.millis
	switch n := int(form / 8); form % 8 {
	case ofScalars:
		if !valid {
			return
		}
		l := &r.latest[fact.kind]
		if r.have&(1<<fact.kind) == 0 || compare(s, &l.record, &fact) < 0 {
			r.have |= 1 << fact.kind
			*l = standing{fact, value}
		}
	case ofConsents:
		r.consents.known = r.consents.known || valid
		for range n {
			var c event.Consent
			v.consent(&c)
			r.consent(&fact, &c)
		}
	case ofObjections:
		r.objections.known = r.objections.known || valid
		for range n {
			var o event.Objection
			o.Outcome = v.opt(v.entry(&o.Controller, &o.Purpose, &o.MadeAt) & 1)
			r.objections.state(r, &fact, key{o.Controller, o.Purpose, o.MadeAt}, &o)
		}
	case ofOptOuts:
		r.optOuts.known = r.optOuts.known || valid
		for range n {
			var o event.OptOut
			o.MadeBy = v.opt(v.entry(&o.Controller, &o.Scope, &o.MadeAt) & 1)
			r.optOuts.state(r, &fact, key{o.Controller, o.Scope, o.MadeAt}, &o)
		}
	case ofRequests:
		r.requests.known = r.requests.known || valid
		for range n {
			var q event.Request
			q.Handled = yesNoOf(v.entry(&q.Controller, &q.Type, &q.MadeAt))
			r.requests.state(r, &fact, key{q.Controller, q.Type, q.MadeAt}, &q)
		}
	}
}

// inItsPartition says whether the place is in the partition of r.before.
func (r *Reader) inItsPartition(id uint32) bool {
	p := r.store.places.place(id)
	return p.partition == r.before.Partition && p.topic == r.before.Topic
}
