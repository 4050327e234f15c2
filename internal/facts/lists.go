package facts

import (
	"cmp"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/event"
)

// compare orders facts by since when they are true, then by when they were
// recorded, then by their place.
func compare(s *Store, a, b *record) int {
	if c := cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.recorded, b.recorded)); c != 0 {
		return c
	}
	if a.place != b.place {
		p, q := s.places.place(a.place), s.places.place(b.place)
		return cmp.Or(strings.Compare(p.topic, q.topic), cmp.Compare(p.partition, q.partition))
	}
	return cmp.Compare(a.offset, b.offset)
}

// list is all that was ever stated of the entries of one list.
type list[T any] struct {
	known      bool
	statements []statement[T]
}

// statement is one entry, as one fact stated it.
type statement[T any] struct {
	record
	value T
}

// key tells the entries of a list apart: whose, what about, since when.
type key struct {
	controller, about string
	at                time.Time
}

func (k key) compare(l key) int {
	return cmp.Or(strings.Compare(k.controller, l.controller), strings.Compare(k.about, l.about), k.at.Compare(l.at))
}

func consentKey(c *event.Consent) key     { return key{c.Controller, c.Purpose, c.GivenAt} }
func objectionKey(o *event.Objection) key { return key{o.Controller, o.Purpose, o.MadeAt} }
func optOutKey(o *event.OptOut) key       { return key{o.Controller, o.Scope, o.MadeAt} }
func requestKey(r *event.Request) key     { return key{r.Controller, r.Type, r.MadeAt} }

func (l *list[T]) reset() { l.known, l.statements = false, l.statements[:0] }

// add takes the n entries of a fact, each to be filled by the caller.
func (l *list[T]) add(r *Reader, fact *record, n int) iter.Seq[*T] {
	l.known = l.known || fact.from <= r.millis
	return func(yield func(*T) bool) {
		for range n {
			l.statements = append(l.statements, statement[T]{record: *fact})
			if !yield(&l.statements[len(l.statements)-1].value) {
				return
			}
		}
	}
}

// listInto is the list as of r.t: of each entry the latest statement valid
// then. An entry that is older than all that is stated of it counts as first
// stated, but early takes out what may have become true of it only since.
func listInto[T any](r *Reader, result *event.List[T], l *list[T], keyOf func(*T) key, early func(*T)) {
	result.Known = l.known
	if len(l.statements) == 0 {
		return
	}
	if len(l.statements) > 1 {
		slices.SortFunc(l.statements, func(a, b statement[T]) int {
			return cmp.Or(keyOf(&a.value).compare(keyOf(&b.value)), compare(r.store, &a.record, &b.record))
		})
	}
	for first := 0; first < len(l.statements); {
		k := keyOf(&l.statements[first].value)
		stands, next := first, first
		for ; next < len(l.statements) && keyOf(&l.statements[next].value).compare(k) == 0; next++ {
			if l.statements[next].from <= r.millis {
				stands = next
			}
		}
		if !k.at.After(r.t) {
			result.Known = true
			result.Entries = append(result.Entries, l.statements[stands].value)
			if l.statements[stands].from > r.millis {
				early(&result.Entries[len(result.Entries)-1])
			}
		}
		first = next
	}
}

// consentsInto is the list of consents, each ended by the first withdrawal
// after it, be it its own or one that names only the purpose.
func (r *Reader) consentsInto(result *event.List[event.Consent]) {
	r.withdrawals = r.withdrawals[:0]
	given := r.consents.statements[:0]
	for i := range r.consents.statements {
		s := &r.consents.statements[i]
		if s.value.WithdrawnAt.IsZero() || s.value.WithdrawnAt.After(s.value.GivenAt) {
			given = append(given, *s)
		} else if s.from <= r.millis || !s.value.WithdrawnAt.After(r.t) {
			r.withdrawals = append(r.withdrawals, *s)
		}
	}
	r.consents.statements = given
	listInto(r, result, &r.consents, consentKey, func(*event.Consent) {})
	if len(r.withdrawals) == 0 {
		return
	}
	slices.SortFunc(r.withdrawals, func(a, b statement[event.Consent]) int {
		return cmp.Or(a.value.WithdrawnAt.Compare(b.value.WithdrawnAt), compare(r.store, &a.record, &b.record))
	})
	// A fact that names a person twice is learnt under both pseudonyms.
	r.withdrawals = slices.CompactFunc(r.withdrawals, func(a, b statement[event.Consent]) bool {
		return a.place == b.place && a.offset == b.offset && a.value == b.value
	})
	consents := len(result.Entries)
	for _, w := range r.withdrawals {
		result.Known = true
		ended := false
		for i := range result.Entries[:consents] {
			c := &result.Entries[i]
			if c.Controller != w.value.Controller || c.Purpose != w.value.Purpose || c.GivenAt.After(w.value.WithdrawnAt) {
				continue
			}
			ended = true
			if c.WithdrawnAt.IsZero() || c.WithdrawnAt.After(w.value.WithdrawnAt) {
				c.WithdrawnAt, c.WithdrawalForm, c.WithdrawnBy = w.value.WithdrawnAt, w.value.WithdrawalForm, w.value.WithdrawnBy
			}
		}
		if !ended { // its consent is not on record, and yet it was withdrawn
			w.value.GivenAt = w.value.WithdrawnAt
			result.Entries = append(result.Entries, w.value)
		}
	}
}
