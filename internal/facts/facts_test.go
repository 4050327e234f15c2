package facts

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/identity"
)

// day is a moment of a test's calendar.
func day(n int) time.Time { return time.Date(2024, 1, 1, 12, 0, 0, 0, time.UTC).AddDate(0, 0, n) }

func at(offset int64) Order {
	return Order{Recorded: day(int(offset)), Topic: "events", Offset: offset}
}

func person(b byte) identity.Pseudonym { return identity.Pseudonym{b} }

// fact makes a fact of its JSON, as the trail keeps it.
func fact(t testing.TB, name, value string, from time.Time) *event.Fact {
	t.Helper()
	v, err := event.DecodeFacts([]byte(value))
	if err != nil {
		t.Fatalf("%s: %v", value, err)
	}
	return &event.Fact{Name: name, Value: v, ValidFrom: from}
}

func show(f event.Facts) string { return string(f.AppendJSON(nil)) }

func consent(purpose string, given int, withdrawn int) event.Consent {
	c := event.Consent{Controller: "acme", Purpose: purpose, GivenAt: day(given)}
	if withdrawn >= 0 {
		c.WithdrawnAt = day(withdrawn)
	}
	return c
}

func consents(from int, entries ...event.Consent) *event.Fact {
	return &event.Fact{Name: "consent", Value: event.Facts{Consents: event.List[event.Consent]{Known: true, Entries: entries}}, ValidFrom: day(from)}
}

func TestKindsFit(t *testing.T) {
	t.Parallel()
	if n := len(event.FactNames()); n > kindCount {
		t.Fatalf("%d names of facts, room for %d", n, kindCount)
	}
}

func TestScalarsAsOf(t *testing.T) {
	t.Parallel()
	s := New()
	p := []identity.Pseudonym{person(1)}
	learn := func(offset int64, name, value string, from int) {
		s.Learn("acme", p, fact(t, name, value, day(from)), at(offset))
	}
	learn(5, "breach", `{"breach":{"exists":true,"kind":"payment"}}`, 10)
	learn(6, "breach", `{"breach":{"exists":false}}`, 20)
	learn(7, "breach", `{"breach":{"exists":true,"kind":"other"}}`, 5) // late
	learn(8, "contract_end", `{"contract_end":null}`, 10)
	learn(9, "contract_end", `{"contract_end":"2024-03-01"}`, 10) // corrected
	learn(3, "subject_role", `{"subject_role":"user"}`, 10)
	learn(2, "subject_role", `{"subject_role":"client"}`, 10) // recorded earlier, learnt later
	for _, c := range []struct {
		at   time.Time
		want string
	}{
		{day(4), `{}`},
		{day(5).Add(-time.Millisecond), `{}`},
		{day(5), `{"breach":{"exists":true,"kind":"other"}}`},
		{day(10), `{"breach":{"exists":true,"kind":"payment"},"contract_end":"2024-03-01","subject_role":"user"}`},
		{day(25), `{"breach":{"exists":false},"contract_end":"2024-03-01","subject_role":"user"}`},
	} {
		if got := show(s.AsOf("acme", p[0], "", "", c.at)); got != c.want {
			t.Errorf("at %s: %s, want %s", c.at, got, c.want)
		}
	}
	for _, nobody := range []event.Facts{
		s.AsOf("other", p[0], "", "", day(25)), s.AsOf("acme", person(2), "", "", day(25)), s.AsOf("acme", identity.Pseudonym{}, "", "", day(25)),
	} {
		if !nobody.IsZero() {
			t.Errorf("facts of another: %s", show(nobody))
		}
	}
}

func TestConsentsAsOf(t *testing.T) {
	t.Parallel()
	type learnt struct {
		fact *event.Fact
		at   int64
	}
	json := func(cs ...event.Consent) string {
		if cs == nil {
			cs = []event.Consent{}
		}
		return show(event.Facts{Consents: event.List[event.Consent]{Known: true, Entries: cs}})
	}
	for name, c := range map[string]struct {
		learn []learnt
		at    int
		want  string
	}{
		"nothing said":                     {nil, 5, `{}`},
		"none given":                       {[]learnt{{consents(3), 1}}, 5, json()},
		"not yet said":                     {[]learnt{{consents(6), 1}}, 5, `{}`},
		"given":                            {[]learnt{{consents(3, consent("p", 3, -1)), 1}}, 5, json(consent("p", 3, -1))},
		"given, told later":                {[]learnt{{consents(9, consent("p", 3, -1)), 1}}, 5, json(consent("p", 3, -1))},
		"given later":                      {[]learnt{{consents(3, consent("p", 3, -1), consent("p", 6, -1)), 1}}, 5, json(consent("p", 3, -1))},
		"withdrawn by the same entry":      {[]learnt{{consents(3, consent("p", 3, -1)), 1}, {consents(4, consent("p", 3, 4)), 2}}, 5, json(consent("p", 3, 4))},
		"withdrawn later":                  {[]learnt{{consents(3, consent("p", 3, -1)), 1}, {consents(8, consent("p", 3, 8)), 2}}, 5, json(consent("p", 3, -1))},
		"withdrawn, without its giving":    {[]learnt{{consents(3, consent("p", 3, -1)), 1}, {consents(4, consent("p", 4, 4)), 2}}, 5, json(consent("p", 3, 4))},
		"the withdrawal learnt first":      {[]learnt{{consents(4, consent("p", 4, 4)), 1}, {consents(3, consent("p", 3, -1)), 2}}, 5, json(consent("p", 3, 4))},
		"withdrawal of another purpose":    {[]learnt{{consents(3, consent("p", 3, -1)), 1}, {consents(4, consent("q", 4, 4)), 2}}, 5, json(consent("p", 3, -1), consent("q", 4, 4))},
		"given again after the withdrawal": {[]learnt{{consents(3, consent("p", 3, -1)), 1}, {consents(4, consent("p", 4, 4)), 2}, {consents(5, consent("p", 5, -1)), 3}}, 5, json(consent("p", 3, 4), consent("p", 5, -1))},
		"two withdrawals: the first ends":  {[]learnt{{consents(3, consent("p", 3, -1)), 1}, {consents(5, consent("p", 5, 5)), 2}, {consents(4, consent("p", 4, 4)), 3}}, 5, json(consent("p", 3, 4))},
		"withdrawal lies ahead":            {[]learnt{{consents(3, consent("p", 3, -1)), 1}, {consents(7, consent("p", 7, 7)), 2}}, 5, json(consent("p", 3, -1))},
	} {
		s := New()
		for _, l := range c.learn {
			s.Learn("acme", []identity.Pseudonym{person(1)}, l.fact, at(l.at))
		}
		if got := show(s.AsOf("acme", person(1), "", "", day(c.at))); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestWhatChangesLaterIsNotToldEarlier(t *testing.T) {
	t.Parallel()
	s := New()
	p := []identity.Pseudonym{person(1)}
	s.Learn("acme", p, fact(t, "objection", `{"objection":[{"controller":"acme","purpose":"p","made_at":"2024-01-03T12:00:00Z","outcome":"upheld"}]}`, day(9)), at(1))
	s.Learn("acme", p, fact(t, "request", `{"request":[{"controller":"acme","type":"erasure","made_at":"2024-01-03T12:00:00Z","handled":true}]}`, day(9)), at(2))
	for _, c := range []struct {
		at   int
		want string
	}{
		{1, `{}`},
		{5, `{"objection":[{"controller":"acme","purpose":"p","made_at":"2024-01-03T12:00:00Z"}],"request":[{"controller":"acme","type":"erasure","made_at":"2024-01-03T12:00:00Z","handled":"unknown"}]}`},
		{9, `{"objection":[{"controller":"acme","purpose":"p","made_at":"2024-01-03T12:00:00Z","outcome":"upheld"}],"request":[{"controller":"acme","type":"erasure","made_at":"2024-01-03T12:00:00Z","handled":true}]}`},
	} {
		if got := show(s.AsOf("acme", p[0], "", "", day(c.at))); got != c.want {
			t.Errorf("day %d: %s, want %s", c.at, got, c.want)
		}
	}
}

func TestEmployeesRecipientsAndQualifiedFacts(t *testing.T) {
	t.Parallel()
	s := New()
	about := func(f *event.Fact, actor, org string) *event.Fact {
		f.AboutActor, f.AboutOrg = actor, org
		return f
	}
	s.Learn("acme", nil, about(fact(t, "employee", `{"employee":{"trained":true}}`, day(1)), "anna", ""), at(1))
	s.Learn("acme", nil, about(fact(t, "processor", `{"processor":{"contract":true}}`, day(1)), "", "acme/post"), at(2))
	s.Learn("acme", []identity.Pseudonym{person(1)}, about(fact(t, "transfer", `{"transfer":{"safeguards":"scc"}}`, day(1)), "", "acme/post"), at(3))
	for _, c := range []struct {
		p         byte
		actor, to string
		want      string
	}{
		{1, "", "", `{}`},
		{1, "anna", "", `{"employee":{"trained":true}}`},
		{1, "acme/post", "anna", `{}`},
		{1, "anna", "acme/post", `{"processor":{"contract":true},"transfer":{"safeguards":"scc"},"employee":{"trained":true}}`},
		{2, "", "acme/post", `{"processor":{"contract":true}}`},
	} {
		if got := show(s.AsOf("acme", person(c.p), c.actor, c.to, day(2))); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestIdentityLinks(t *testing.T) {
	t.Parallel()
	s := New()
	role := func(v string) *event.Fact { return fact(t, "subject_role", `{"subject_role":"`+v+`"}`, day(1)) }
	s.Learn("acme", []identity.Pseudonym{person(3)}, role("user"), at(1))
	identityOf := func(offset int64, ps ...identity.Pseudonym) {
		s.Learn("acme", ps, &event.Fact{Name: event.IdentityFact, ValidFrom: day(1)}, at(offset))
	}
	identityOf(2, person(1), person(2))
	identityOf(3, person(3), person(4))
	if got := show(s.AsOf("acme", person(1), "", "", day(2))); got != `{}` {
		t.Errorf("before the link: %s", got)
	}
	identityOf(4, person(2), person(3), person(2))
	for b := byte(1); b <= 4; b++ {
		if got := show(s.AsOf("acme", person(b), "", "", day(2))); got != `{"subject_role":"user"}` {
			t.Errorf("person %d: %s", b, got)
		}
		linked := slices.Clone(s.Linked("acme", person(b)))
		slices.SortFunc(linked, func(a, b identity.Pseudonym) int { return int(a[0]) - int(b[0]) })
		if want := []identity.Pseudonym{person(1), person(2), person(3), person(4)}; !slices.Equal(linked, want) {
			t.Errorf("person %d is linked to %v", b, linked)
		}
	}
	if got := s.Linked("other", person(1)); len(got) != 1 || got[0] != person(1) {
		t.Errorf("links reach into another controller: %v", got)
	}
	// One fact under two identifiers of one person is one fact.
	s.Learn("acme", []identity.Pseudonym{person(1), person(4)}, consents(2, consent("p", 2, 2)), at(5))
	if got := s.AsOf("acme", person(2), "", "", day(3)); len(got.Consents.Entries) != 1 {
		t.Errorf("one withdrawal is there %d times", len(got.Consents.Entries))
	}
}

func TestAsSeenLeavesOutWhatItsPartitionSaysLater(t *testing.T) {
	t.Parallel()
	s := New()
	p := []identity.Pseudonym{person(1)}
	s.Learn("acme", p, fact(t, "necessity", `{"necessity":true}`, day(1)), at(10))
	elsewhere := at(10)
	elsewhere.Partition = 1
	s.Learn("acme", p, fact(t, "proportionality", `{"proportionality":true}`, day(1)), elsewhere)
	for offset, want := range map[int64]string{
		9:  `{"proportionality":true}`,
		10: `{"proportionality":true}`,
		11: `{"necessity":true,"proportionality":true}`,
	} {
		if got := show(s.AsSeen(at(offset), "acme", p[0], "", "", day(2))); got != want {
			t.Errorf("seen at %d: %s, want %s", offset, got, want)
		}
	}
}

// history is facts about one person, each valid from a moment of its own.
type history []struct {
	fact *event.Fact
	at   Order
}

// drawHistory draws facts; none has anything in it that was before its own
// validity. If distinct, no two are valid from the same moment.
func drawHistory(t *rapid.T, distinct bool) (h history) {
	n := rapid.IntRange(0, 12).Draw(t, "facts")
	moments := rapid.Permutation([]int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}).Draw(t, "moments")
	purpose := rapid.SampledFrom([]string{"p", "q"})
	for i := range n {
		from := moments[i]
		if !distinct {
			from = rapid.IntRange(1, 6).Draw(t, "from")
		}
		f := &event.Fact{ValidFrom: day(from)}
		later := rapid.IntRange(from, 14)
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 0:
			f.Name = "necessity"
			f.Value.Set(event.Necessity, event.BoolValue(rapid.Bool().Draw(t, "v")))
		case 1:
			f.Name = "breach"
			f.Value.Set(event.BreachExists, event.BoolValue(rapid.Bool().Draw(t, "v")))
			if rapid.Bool().Draw(t, "dated") {
				f.Value.Set(event.BreachDate, event.DayValue(event.Date(from)))
			}
		case 2:
			c := consent(purpose.Draw(t, "purpose"), later.Draw(t, "given"), -1)
			if rapid.Bool().Draw(t, "withdrawal") {
				c.WithdrawnAt = c.GivenAt.AddDate(0, 0, rapid.IntRange(0, 3).Draw(t, "after"))
			}
			f = consents(from, c)
		case 3:
			f.Name = "objection"
			o := event.Objection{Controller: "acme", Purpose: purpose.Draw(t, "purpose"), MadeAt: day(later.Draw(t, "made")), Outcome: rapid.SampledFrom([]string{"", "upheld", "rejected"}).Draw(t, "outcome")}
			f.Value.Objections = event.List[event.Objection]{Known: true, Entries: []event.Objection{o}}
		case 4:
			f.Name = "request"
			r := event.Request{Controller: "acme", Type: "erasure", MadeAt: day(later.Draw(t, "made")), Handled: event.BoolValue(rapid.Bool().Draw(t, "handled"))}
			f.Value.Requests = event.List[event.Request]{Known: true, Entries: []event.Request{r}}
		}
		h = append(h, struct {
			fact *event.Fact
			at   Order
		}{f, at(int64(i))})
	}
	return h
}

func (h history) learn(keep func(from time.Time) bool) *Store {
	s := New()
	for _, f := range h {
		if keep == nil || keep(f.fact.ValidFrom) {
			s.Learn("acme", []identity.Pseudonym{person(1)}, f.fact, f.at)
		}
	}
	return s
}

func TestOrderOfLearningDoesNotMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := drawHistory(t, false)
		one, other := h.learn(nil), rapid.Permutation(h)
		shuffled := other.Draw(t, "shuffled")
		two := shuffled.learn(nil)
		for _, f := range shuffled { // and again: nothing changes
			two.Learn("acme", []identity.Pseudonym{person(1)}, f.fact, f.at)
		}
		for d := range 15 {
			if a, b := show(one.AsOf("acme", person(1), "", "", day(d))), show(two.AsOf("acme", person(1), "", "", day(d))); a != b {
				t.Fatalf("day %d: %s\nshuffled: %s", d, a, b)
			}
		}
		if one.Len() != len(h) || two.Len() != len(h) {
			t.Fatalf("%d facts, %d and %d kept", len(h), one.Len(), two.Len())
		}
	})
}

func TestLaterFactsChangeNothingEarlier(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := drawHistory(t, true)
		all := h.learn(nil)
		for d := range 15 {
			then := h.learn(func(from time.Time) bool { return !from.After(day(d)) })
			if a, b := show(all.AsOf("acme", person(1), "", "", day(d))), show(then.AsOf("acme", person(1), "", "", day(d))); a != b {
				t.Fatalf("day %d: %s\nwithout later facts: %s", d, a, b)
			}
		}
	})
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	s := New()
	necessity := fact(t, "necessity", `{"necessity":true}`, day(1))
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 500 {
				a, b := person(byte(rand.IntN(50))+1), person(byte(rand.IntN(50))+1)
				place := Order{Topic: fmt.Sprint(g), Offset: int64(i)}
				s.Learn("acme", []identity.Pseudonym{a}, necessity, place)
				if i%10 == 0 {
					s.Learn("acme", []identity.Pseudonym{a, b}, &event.Fact{Name: event.IdentityFact}, place)
				}
				if f := s.AsOf("acme", a, "", "", day(2)); f.Get(event.Necessity).State != event.Known {
					t.Error("a fact that was learnt is not there")
					return
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkAsOf(b *testing.B) {
	s := New()
	for i := range 100_000 {
		p := identity.Pseudonym{byte(i), byte(i >> 8), byte(i >> 16)}
		s.Learn("acme", []identity.Pseudonym{p}, consents(1, consent("p", 1, -1)), at(int64(i)))
	}
	for name, p := range map[string]identity.Pseudonym{"consent": {1}, "nothing": {0, 0, 9}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.AsOf("acme", p, "anna", "acme/post", day(3))
			}
		})
	}
}

// More entries than are looked through one by one, stated three times: of each the
// latest statement stands, as before.
func TestManyEntriesStatedAgain(t *testing.T) {
	t.Parallel()
	const entries = 3 * few
	s, p := New(), numbered(1)
	for n, outcome := range []string{"pending", "rejected", "upheld"} {
		f := event.Fact{Name: "objection", ValidFrom: day(3 + n)}
		f.Value.Objections.Known = true
		for i := range entries {
			f.Value.Objections.Entries = append(f.Value.Objections.Entries, event.Objection{Controller: "acme", Purpose: fmt.Sprintf("p%d", (i*7+n)%entries), MadeAt: day(1), Outcome: outcome})
		}
		s.Learn("acme", []identity.Pseudonym{p}, &f, at(int64(n)))
	}
	for n, outcome := range []string{"", "pending", "rejected", "upheld", "upheld"} {
		f := s.AsOf("acme", p, "", "", day(2+n))
		if len(f.Objections.Entries) != entries {
			t.Fatalf("day %d: %d entries", 2+n, len(f.Objections.Entries))
		}
		seen := make(map[string]bool)
		for _, o := range f.Objections.Entries {
			if o.Outcome != outcome || seen[o.Purpose] {
				t.Errorf("day %d: %+v, want the outcome %q, once", 2+n, o, outcome)
			}
			seen[o.Purpose] = true
		}
	}
}
