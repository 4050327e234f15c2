package facts

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/event"
)

// list is all that was ever stated of the entries of one list.
type list[T any] struct {
	known      bool
	statements []statement[T]
}

// statement is one entry, as one fact stated it.
type statement[T any] struct {
	*entry
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

func (l *list[T]) add(e *entry, values []T, millis int64) {
	l.known = l.known || e.from <= millis
	for _, v := range values {
		l.statements = append(l.statements, statement[T]{e, v})
	}
}

// at is the list as of t: of each entry the latest statement valid then. An
// entry that is older than all that is stated of it counts as first stated,
// but early takes out what may have become true of it only since.
func (l *list[T]) at(t time.Time, keyOf func(*T) key, early func(*T)) (result event.List[T]) {
	result.Known = l.known
	if len(l.statements) == 0 {
		return result
	}
	millis := t.UnixMilli()
	slices.SortFunc(l.statements, func(a, b statement[T]) int {
		return cmp.Or(keyOf(&a.value).compare(keyOf(&b.value)), compareEntries(a.entry, b.entry))
	})
	for first := 0; first < len(l.statements); {
		k := keyOf(&l.statements[first].value)
		stands, next := first, first
		for ; next < len(l.statements) && keyOf(&l.statements[next].value).compare(k) == 0; next++ {
			if l.statements[next].from <= millis {
				stands = next
			}
		}
		if !k.at.After(t) {
			v := l.statements[stands].value
			if l.statements[stands].from > millis {
				early(&v)
			}
			result.Known = true
			result.Entries = append(result.Entries, v)
		}
		first = next
	}
	return result
}

// consentsAt is the list of consents, each ended by the first withdrawal after
// it, be it its own or one that names only the purpose.
func (g *gather) consentsAt() event.List[event.Consent] {
	var withdrawals []statement[event.Consent]
	l := &g.consents
	l.statements = slices.DeleteFunc(l.statements, func(s statement[event.Consent]) bool {
		alone := !s.value.WithdrawnAt.IsZero() && !s.value.WithdrawnAt.After(s.value.GivenAt)
		if alone && (s.from <= g.millis || !s.value.WithdrawnAt.After(g.t)) {
			withdrawals = append(withdrawals, s)
		}
		return alone
	})
	result := l.at(g.t, consentKey, func(*event.Consent) {})
	slices.SortFunc(withdrawals, func(a, b statement[event.Consent]) int {
		return cmp.Or(a.value.WithdrawnAt.Compare(b.value.WithdrawnAt), compareEntries(a.entry, b.entry))
	})
	// A fact that names a person twice is learnt under both pseudonyms.
	withdrawals = slices.CompactFunc(withdrawals, func(a, b statement[event.Consent]) bool {
		return a.order.same(b.order) && a.value == b.value
	})
	consents := len(result.Entries)
	for _, w := range withdrawals {
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
	return result
}
