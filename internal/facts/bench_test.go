package facts

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/identity"
)

// crowd is a store of what is usual about n persons, one employee and one
// recipient. The facts of one person lie far apart.
func crowd(t testing.TB, n int) *Store {
	s := New()
	offset := int64(0)
	learn := func(f *event.Fact, persons ...identity.Pseudonym) {
		offset++
		s.Learn("acme", persons, f, at(offset))
	}
	trained := fact(t, "employee", `{"employee":{"trained":true}}`, day(1))
	trained.AboutActor = "anna"
	learn(trained)
	processor := fact(t, "processor", `{"processor":{"contract":true,"storage_country":"EE"}}`, day(1))
	processor.AboutOrg = "acme/post"
	learn(processor)
	kinds := []*event.Fact{
		fact(t, "relationship_end", `{"relationship_end":null}`, day(1)),
		fact(t, "contract_end", `{"contract_end":"2025-01-01"}`, day(2)),
		consents(3, consent("p", 3, -1)),
		{Name: event.IdentityFact, ValidFrom: day(3)},
		fact(t, "objection", `{"objection":[{"controller":"acme","purpose":"q","made_at":"2024-01-03T12:00:00Z","outcome":"upheld"}]}`, day(4)),
		fact(t, "opt_out", `{"opt_out":[{"controller":"acme","scope":"direct-marketing","made_at":"2024-01-03T12:00:00Z"}]}`, day(5)),
		fact(t, "request", `{"request":[{"controller":"acme","type":"access","made_at":"2024-01-03T12:00:00Z","handled":true}]}`, day(6)),
	}
	for k, one := range []int{1, 2, 3, 3, 20, 20, 50} { // of how many persons
		for i := range n {
			switch p := numbered(i); {
			case i%one != 0:
			case kinds[k].Name == event.IdentityFact:
				learn(kinds[k], p, numbered(i+n))
			default:
				learn(kinds[k], p)
			}
		}
	}
	return s
}

func numbered(i int) (p identity.Pseudonym) {
	rng := rand.NewPCG(uint64(i), 3)
	binary.LittleEndian.PutUint64(p[:8], rng.Uint64())
	binary.LittleEndian.PutUint64(p[8:], rng.Uint64())
	return p
}

// It counts the allocations of the whole process, so that it runs alone.
func TestReaderAllocatesNothing(t *testing.T) {
	s := crowd(t, 300)
	for i := range 300 { // stated again, as by a source that tells all it knows
		s.Learn("acme", []identity.Pseudonym{numbered(i)}, consents(5, consent("p", 3, -1), consent("q", 4, -1)), at(int64(1e5+i)))
	}
	r := s.Reader()
	var f event.Facts
	i := 0
	recall := func() {
		r.AsSeen(&f, at(1e6), "acme", numbered(i%300), "anna", "acme/post", day(9))
		if i++; f.Get(event.EmployeeTrained) != event.BoolValue(true) || f.Get(event.RelationshipEnd).State != event.Null {
			t.Fatalf("recalled %s", show(f))
		}
	}
	for range 300 { // make room
		recall()
	}
	if n := testing.AllocsPerRun(300, recall); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkReader(b *testing.B) {
	for _, n := range []int{1000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := crowd(b, n)
			r := s.Reader()
			var f event.Facts
			who := make([]identity.Pseudonym, 1<<16)
			for i := range who {
				who[i] = numbered(rand.IntN(n))
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				r.AsOf(&f, "acme", who[i%len(who)], "anna", "acme/post", day(9))
			}
		})
	}
}

// BenchmarkRestated recalls a person of whom a source states the same three consents
// and a request every night.
func BenchmarkRestated(b *testing.B) {
	for _, nights := range []int{1, 30, 365} {
		b.Run(fmt.Sprint(nights), func(b *testing.B) {
			s := New()
			for n := range nights {
				for i, f := range []*event.Fact{
					consents(3+n, consent("p", 3, -1), consent("q", 3, -1), consent("r", 3, 4)),
					fact(b, "request", `{"request":[{"controller":"acme","type":"access","made_at":"2024-01-03T12:00:00Z","handled":true}]}`, day(3+n)),
				} {
					s.Learn("acme", []identity.Pseudonym{numbered(1)}, f, at(int64(2*n+i)))
				}
			}
			r := s.Reader()
			var f event.Facts
			b.ReportAllocs()
			for b.Loop() {
				r.AsOf(&f, "acme", numbered(1), "", "", day(3+nights))
			}
			if len(f.Consents.Entries) != 3 || len(f.Requests.Entries) != 1 {
				b.Fatalf("recalled %s", show(f))
			}
		})
	}
}
