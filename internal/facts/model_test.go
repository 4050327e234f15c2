package facts

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/identity"
)

// told is one call of Learn.
type told struct {
	controller string
	persons    []identity.Pseudonym
	fact       event.Fact
	at         Order
}

// model is the store as obvious as can be: all that was told, looked through
// anew for each question.
type model []told

// question is what AsOf, AsSeen and AsKnown are asked.
type question struct {
	controller       string
	person           identity.Pseudonym
	actor, recipient string
	t                time.Time
	seen             *Order
	known            time.Time
}

// heard are the facts that count for a question, each place once.
func (m model) heard(q question) (all []told) {
	for _, f := range m {
		switch {
		case f.controller != q.controller, !q.known.IsZero() && f.at.Recorded.After(q.known):
		case q.seen != nil && f.at.Topic == q.seen.Topic && f.at.Partition == q.seen.Partition && f.at.Offset >= q.seen.Offset:
		case slices.ContainsFunc(all, func(g told) bool {
			return g.at.Topic == f.at.Topic && g.at.Partition == f.at.Partition && g.at.Offset == f.at.Offset
		}):
		default:
			all = append(all, f)
		}
	}
	slices.SortFunc(all, func(a, b told) int {
		return cmp.Or(a.fact.ValidFrom.Compare(b.fact.ValidFrom), a.at.Recorded.Compare(b.at.Recorded), strings.Compare(a.at.Topic, b.at.Topic),
			cmp.Compare(a.at.Partition, b.at.Partition), cmp.Compare(a.at.Offset, b.at.Offset))
	})
	return all
}

// linked is the person's pseudonyms, by joining until nothing more joins.
func linked(all []told, p identity.Pseudonym) map[identity.Pseudonym]bool {
	same := map[identity.Pseudonym]bool{p: true}
	for before := 0; before < len(same); {
		before = len(same)
		for _, f := range all {
			if f.fact.Name == event.IdentityFact && slices.ContainsFunc(f.persons, func(p identity.Pseudonym) bool { return same[p] }) {
				for _, other := range f.persons {
					same[other] = true
				}
			}
		}
	}
	return same
}

// about says whether a fact is about whom is asked.
func (f told) about(q question, same map[identity.Pseudonym]bool) bool {
	actor, org := f.fact.AboutActor, f.fact.AboutOrg
	switch ofRecipient := f.fact.Name == "processor" || f.fact.Name == "recipient_info"; {
	case f.fact.Name == event.IdentityFact:
		return false
	case f.fact.Name == "employee" && actor != "":
		return actor == q.actor
	case ofRecipient && org != "":
		return org == q.recipient
	case len(f.persons) > 0 && !slices.ContainsFunc(f.persons, func(p identity.Pseudonym) bool { return same[p] && !q.person.IsZero() }):
		return false
	case len(f.persons) == 0 && actor == "" && org == "":
		return false
	}
	return (actor == "" || actor == q.actor) && (org == "" || org == q.recipient)
}

func (m model) ask(q question) (f event.Facts) {
	all := m.heard(q)
	same := linked(all, q.person)
	latest := make(map[string]event.Facts)
	type withdrawal struct {
		event.Consent
		counts bool
	}
	var withdrawals []withdrawal
	for _, fact := range all { // the one that stands is the last
		if !fact.about(q, same) {
			continue
		}
		v, valid := fact.fact.Value, !fact.fact.ValidFrom.After(q.t)
		if c := v.Consents; c.Known {
			f.Consents.Known = f.Consents.Known || valid
			for _, e := range c.Entries {
				if !e.WithdrawnAt.IsZero() && !e.WithdrawnAt.After(e.GivenAt) {
					withdrawals = append(withdrawals, withdrawal{e, valid || !e.WithdrawnAt.After(q.t)})
				} else {
					state(&f.Consents.Entries, e, valid, func(x event.Consent) any { return [3]any{x.Controller, x.Purpose, x.GivenAt} }, e)
				}
			}
		} else if o := v.Objections; o.Known {
			f.Objections.Known = f.Objections.Known || valid
			for _, e := range o.Entries {
				early := e
				early.Outcome = ""
				state(&f.Objections.Entries, e, valid, func(x event.Objection) any { return [3]any{x.Controller, x.Purpose, x.MadeAt} }, early)
			}
		} else if o := v.OptOuts; o.Known {
			f.OptOuts.Known = f.OptOuts.Known || valid
			for _, e := range o.Entries {
				state(&f.OptOuts.Entries, e, valid, func(x event.OptOut) any { return [3]any{x.Controller, x.Scope, x.MadeAt} }, e)
			}
		} else if r := v.Requests; r.Known {
			f.Requests.Known = f.Requests.Known || valid
			for _, e := range r.Entries {
				early := e
				early.Handled = event.Value{State: event.Unknown}
				state(&f.Requests.Entries, e, valid, func(x event.Request) any { return [3]any{x.Controller, x.Type, x.MadeAt} }, early)
			}
		} else if valid {
			latest[fact.fact.Name] = v
		}
	}
	for _, name := range event.FactNames() {
		if v, ok := latest[name]; ok {
			f.Overlay(&v)
		}
	}
	until(&f.Consents, q.t, func(e event.Consent) (string, time.Time) { return e.Controller + " " + e.Purpose, e.GivenAt })
	until(&f.Objections, q.t, func(e event.Objection) (string, time.Time) { return e.Controller + " " + e.Purpose, e.MadeAt })
	until(&f.OptOuts, q.t, func(e event.OptOut) (string, time.Time) { return e.Controller + " " + e.Scope, e.MadeAt })
	until(&f.Requests, q.t, func(e event.Request) (string, time.Time) { return e.Controller + " " + e.Type, e.MadeAt })
	slices.SortStableFunc(withdrawals, func(a, b withdrawal) int { return a.WithdrawnAt.Compare(b.WithdrawnAt) })
	given := len(f.Consents.Entries)
	for _, w := range withdrawals {
		if !w.counts {
			continue
		}
		f.Consents.Known = true
		ended := false
		for i := range f.Consents.Entries[:given] {
			c := &f.Consents.Entries[i]
			if c.Controller == w.Controller && c.Purpose == w.Purpose && !c.GivenAt.After(w.WithdrawnAt) {
				ended = true
				if c.WithdrawnAt.IsZero() || c.WithdrawnAt.After(w.WithdrawnAt) {
					c.WithdrawnAt, c.WithdrawalForm, c.WithdrawnBy = w.WithdrawnAt, w.WithdrawalForm, w.WithdrawnBy
				}
			}
		}
		if !ended {
			w.GivenAt = w.WithdrawnAt
			f.Consents.Entries = append(f.Consents.Entries, w.Consent)
		}
	}
	return f
}

// state puts an entry in the place of an older one that is the same. Of
// entries that are not yet valid, which come after those that are, the first
// counts, and only where there is none that is; then it is as early says.
func state[T any](list *[]T, e T, valid bool, key func(T) any, early T) {
	i := slices.IndexFunc(*list, func(x T) bool { return key(x) == key(e) })
	switch {
	case i < 0 && valid:
		*list = append(*list, e)
	case i < 0:
		*list = append(*list, early)
	case valid:
		(*list)[i] = e
	}
}

// until drops the entries of after t, and sorts the others.
func until[T any](list *event.List[T], t time.Time, key func(T) (string, time.Time)) {
	list.Entries = slices.DeleteFunc(list.Entries, func(e T) bool { _, at := key(e); return at.After(t) })
	slices.SortFunc(list.Entries, func(a, b T) int {
		ka, ta := key(a)
		kb, tb := key(b)
		return cmp.Or(strings.Compare(ka, kb), ta.Compare(tb))
	})
	list.Known = list.Known || len(list.Entries) > 0
}

// drawTold draws facts of every sort about few persons, so that they meet:
// late and early ones, of several partitions, by several identifiers, and some
// places twice.
func drawTold(t *rapid.T) (m model) {
	persons := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) identity.Pseudonym { return person(byte(rapid.IntRange(1, 6).Draw(t, "p"))) }), 0, 3)
	name := rapid.SampledFrom([]string{"", "x", "y"})
	next := make(map[int32]int64)
	for range rapid.IntRange(0, 30).Draw(t, "facts") {
		one := drawHistory(t, false)
		if len(one) == 0 || rapid.IntRange(0, 9).Draw(t, "sort") == 0 {
			one = history{{fact: &event.Fact{Name: event.IdentityFact, ValidFrom: day(rapid.IntRange(0, 14).Draw(t, "from"))}}}
		}
		f := told{controller: rapid.SampledFrom([]string{"acme", "acme", "acme", "other"}).Draw(t, "controller"), persons: persons.Draw(t, "persons"), fact: *one[0].fact}
		if f.fact.Name == "necessity" {
			f.fact.Name = rapid.SampledFrom([]string{"necessity", "employee", "processor", "transfer"}).Draw(t, "name")
			f.fact.Value.Set(event.SourceOfData, event.TextValue(fmt.Sprint(len(m))))
		}
		f.fact.AboutActor, f.fact.AboutOrg = name.Draw(t, "actor"), name.Draw(t, "org")
		partition := int32(rapid.IntRange(0, 1).Draw(t, "partition"))
		f.at = Order{Recorded: day(rapid.IntRange(0, 20).Draw(t, "recorded")), Topic: "events", Partition: partition, Offset: next[partition]}
		next[partition]++
		m = append(m, f)
	}
	return m
}

func (m model) store() *Store {
	s := New()
	for i := range m {
		s.Learn(m[i].controller, m[i].persons, &m[i].fact, m[i].at)
	}
	return s
}

func drawQuestion(t *rapid.T) question {
	name := rapid.SampledFrom([]string{"", "x", "y"})
	return question{
		controller: rapid.SampledFrom([]string{"acme", "acme", "other"}).Draw(t, "asked controller"),
		person:     person(byte(rapid.IntRange(0, 6).Draw(t, "asked person"))), actor: name.Draw(t, "asked actor"), recipient: name.Draw(t, "asked recipient"),
		t: day(rapid.IntRange(0, 15).Draw(t, "asked day")),
	}
}

func TestAsTheModelSays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := drawTold(t)
		learnt := slices.Clone(m) // some twice, in any order
		for range rapid.IntRange(0, 3).Draw(t, "twice") {
			if len(m) > 0 {
				learnt = append(learnt, rapid.SampledFrom(m).Draw(t, "again"))
			}
		}
		s := rapid.Permutation(learnt).Draw(t, "order").store()
		r := s.Reader()
		var f event.Facts
		for range 20 {
			q := drawQuestion(t)
			r.AsOf(&f, q.controller, q.person, q.actor, q.recipient, q.t)
			if got, want := show(f), show(m.ask(q)); got != want {
				t.Fatalf("as of %+v:\n%s, want\n%s", q, got, want)
			}
			if again := show(s.AsKnown(day(1e6), q.controller, q.person, q.actor, q.recipient, q.t)); again != show(f) {
				t.Fatalf("all that is ever known of %+v:\n%s, want\n%s", q, again, show(f))
			}
			q.seen = &Order{Topic: "events", Partition: int32(rapid.IntRange(0, 1).Draw(t, "seen in")), Offset: int64(rapid.IntRange(0, 15).Draw(t, "seen at"))}
			r.AsSeen(&f, *q.seen, q.controller, q.person, q.actor, q.recipient, q.t)
			if got, want := show(f), show(m.ask(q)); got != want {
				t.Fatalf("as seen at %+v: %+v:\n%s, want\n%s", *q.seen, q, got, want)
			}
			q.seen, q.known = nil, day(rapid.IntRange(0, 20).Draw(t, "known"))
			r.AsKnown(&f, q.known, q.controller, q.person, q.actor, q.recipient, q.t)
			if got, want := show(f), show(m.ask(q)); got != want {
				t.Fatalf("as known %+v:\n%s, want\n%s", q, got, want)
			}
		}
	})
}

func TestIrrelevantFactsChangeNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m, q := drawTold(t), drawQuestion(t)
		s := m.store()
		before := show(s.AsOf(q.controller, q.person, q.actor, q.recipient, q.t))
		for i, f := range drawTold(t) { // of others, who are as many
			for j := range f.persons {
				f.persons[j][1] = 1
			}
			f.fact.AboutActor, f.fact.AboutOrg, f.at.Topic = "z", "z", "elsewhere"
			f.at.Offset = int64(i)
			s.Learn(f.controller, f.persons, &f.fact, f.at)
		}
		if after := show(s.AsOf(q.controller, q.person, q.actor, q.recipient, q.t)); after != before {
			t.Fatalf("%+v: %s, before %s", q, after, before)
		}
	})
}

// TestManyFactsOfOne holds a subject whose facts fill many blocks, among others
// that make the shards anew.
func TestManyFactsOfOne(t *testing.T) {
	t.Parallel()
	s := crowd(t, 3000)
	const n = 2000
	for i := range n {
		s.Learn("acme", []identity.Pseudonym{numbered(0)}, fact(t, "contract_end", fmt.Sprintf(`{"contract_end":"%d-01-01"}`, 2000+i%1000), day(10+i)), Order{Topic: "late", Offset: int64(n - i)})
		s.Learn("acme", []identity.Pseudonym{numbered(1), numbered(2)}, &event.Fact{Name: event.IdentityFact}, Order{Topic: "late", Offset: int64(n + i + 1)})
		s.Learn("acme", []identity.Pseudonym{numbered(3), numbered(1_000_000 + i)}, &event.Fact{Name: event.IdentityFact}, Order{Topic: "late", Offset: int64(2*n + i + 1)})
	}
	size := s.Size()
	for i := range n {
		f := s.AsOf("acme", numbered(0), "", "", day(10+i))
		if got, want := f.Get(event.ContractEnd).Day.String(), fmt.Sprintf("%d-01-01", 2000+i%1000); got != want || f.Get(event.RelationshipEnd).State != event.Null {
			t.Fatalf("fact %d: %s, want %s", i, got, want)
		}
		s.Learn("acme", []identity.Pseudonym{numbered(0)}, fact(t, "necessity", `{"necessity":true}`, day(0)), Order{Topic: "late", Offset: int64(n - i)})
	}
	if got := len(s.Linked("acme", numbered(1_000_000))); got != n+2 && got != n+1 {
		t.Errorf("linked to %d", got)
	}
	if got := s.Size(); got != size || got.Facts != s.Len() {
		t.Errorf("learnt again, it is %+v, was %+v", got, size)
	}
	for i := range 3000 {
		if f := s.AsOf("acme", numbered(i), "", "", day(5)); f.Get(event.RelationshipEnd).State != event.Null {
			t.Fatalf("person %d: %s", i, show(f))
		}
	}
}
