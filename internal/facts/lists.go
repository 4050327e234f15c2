package facts

import (
	"cmp"
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

// list is what was stated of the entries of one list: of each entry what stands, and
// more only where there are many.
type list[T any] struct {
	known      bool
	statements []statement[T]
}

// statement is one entry, as one fact stated it.
type statement[T any] struct {
	record
	key   key
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

func (l *list[T]) reset() { l.known, l.statements = false, l.statements[:0] }

// few is among how many statements one of the same entry is looked for.
const few = 32

// state takes what a fact states of one entry. Sources that tell all they know every
// night state the same again and again: what does not stand is let go at once, so
// that recalling costs no more than reading it.
func (l *list[T]) state(r *Reader, fact *record, k key, value *T) {
	for i := range l.statements[:min(len(l.statements), few)] {
		s := &l.statements[i]
		if s.key.compare(k) != 0 {
			continue
		}
		if r.replaces(fact, &s.record) {
			*s = statement[T]{*fact, k, *value}
		}
		return
	}
	l.statements = append(l.statements, statement[T]{*fact, k, *value})
}

// replaces says whether of two statements of one entry the second to be looked at
// stands: the latest that is valid does, or else the first.
func (r *Reader) replaces(next, stands *record) bool {
	c := compare(r.store, stands, next)
	if next.from <= r.millis {
		return stands.from > r.millis || c <= 0
	}
	return stands.from > r.millis && c > 0
}

// listInto is the list as of r.t: of each entry the latest statement valid
// then. An entry that is older than all that is stated of it counts as first
// stated, but early takes out what may have become true of it only since.
func listInto[T any](r *Reader, result *event.List[T], l *list[T], early func(*T)) {
	result.Known = l.known
	if len(l.statements) == 0 {
		return
	}
	if len(l.statements) > 1 {
		slices.SortStableFunc(l.statements, func(a, b statement[T]) int { return a.key.compare(b.key) })
	}
	for first := 0; first < len(l.statements); {
		k := l.statements[first].key
		stands, next := first, first
		for ; next < len(l.statements) && l.statements[next].key.compare(k) == 0; next++ {
			if r.replaces(&l.statements[next].record, &l.statements[stands].record) {
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

// consent takes what a fact states of a consent, or of the withdrawal of one.
func (r *Reader) consent(fact *record, c *event.Consent) {
	if c.WithdrawnAt.IsZero() || c.WithdrawnAt.After(c.GivenAt) {
		r.consents.state(r, fact, key{c.Controller, c.Purpose, c.GivenAt}, c)
	} else if fact.from <= r.millis || !c.WithdrawnAt.After(r.t) {
		r.withdrawals = append(r.withdrawals, statement[event.Consent]{record: *fact, value: *c})
	}
}

// consentsInto is the list of consents, each ended by the first withdrawal
// after it, be it its own or one that names only the purpose.
func (r *Reader) consentsInto(result *event.List[event.Consent]) {
	listInto(r, result, &r.consents, func(*event.Consent) {})
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
