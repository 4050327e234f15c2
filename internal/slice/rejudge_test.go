package slice

import (
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/embedded/embeddedtest"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/history"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/rejudge"
)

// restart is a process that stops and begins again: what was in memory is gone.
func (s *slice) restart() { s.facts = facts.New() }

// rejudge is what `andmerada rejudge --once` does; it says what it did.
func (s *slice) rejudge(limits rejudge.Limits) rejudge.Stats {
	s.t.Helper()
	f, err := rejudge.New(rejudge.Config{
		Trail: s.trail, Registers: func() *register.Set { return s.registers }, Limits: limits,
		Logger: slog.New(slog.NewTextHandler(s.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := f.Once(s.ctx); err != nil {
		s.t.Fatal(err)
	}
	return f.Stats()
}

const offers = "elektrum/profile-based-offers"

var actDay = time.Date(2026, 5, 8, 10, 0, 0, 0, time.UTC) // a Friday

func customer(n int) event.Person {
	return event.Person{Scheme: "customer-number", Value: fmt.Sprintf("C-%06d", n)}
}

func consentFact(n int, given, withdrawn, at time.Time) *event.Event {
	ev := &event.Event{
		Kind: event.FactEvent, ID: fmt.Sprintf("consent-%d-%d", n, at.Unix()), Source: "/elektrum/consents", Time: at,
		Controller: "elektrum", Persons: []event.Person{customer(n)},
		Fact: event.Fact{Name: "consent", ValidFrom: given},
	}
	if !withdrawn.IsZero() {
		ev.Fact.ValidFrom = withdrawn
	}
	ev.Fact.Value.Consents = event.List[event.Consent]{Known: true, Entries: []event.Consent{{
		Controller: "elektrum", Purpose: offers, GivenAt: given, Form: "electronic", WithdrawnAt: withdrawn,
	}}}
	return ev
}

func offer(n int, at time.Time) *event.Event {
	return &event.Event{
		Kind: event.Processing, ID: fmt.Sprintf("offer-%d-%d", n, at.Unix()), Source: "/elektrum/offers", Time: at,
		Controller: "elektrum", Persons: []event.Person{customer(n)}, Operation: event.Send, Purpose: offers,
		Categories: []string{"consumption-profile"}, Recipient: event.Recipient{ID: event.DataSubject}, Channel: "email",
	}
}

// TestLateWithdrawal: withdrawn on Friday at nine, told of on Monday. The offer
// of Friday at ten was allowed by all that was known, and was a violation.
func TestLateWithdrawal(t *testing.T) {
	t.Parallel()
	broker := embeddedtest.Kafka(t, partitions)
	s := newSlice(t, broker.Addr(), "late")
	given := actDay.AddDate(-1, 0, 0)
	s.emit([]*event.Event{consentFact(1, given, time.Time{}, given), offer(1, actDay.AddDate(0, 0, -1)), offer(1, actDay), consentFact(2, given, time.Time{}, given), offer(2, actDay)})
	s.ingest()
	if did := s.rejudge(rejudge.Limits{}); did.Facts != 2 || did.Changed != 0 || did.Events != 0 {
		t.Errorf("before anything came late: %+v", did)
	}
	before := s.standing()
	s.restart()
	s.emit([]*event.Event{consentFact(1, given, actDay.Add(-time.Hour), actDay.AddDate(0, 0, 3))})
	s.ingest()
	if did := s.rejudge(rejudge.Limits{}); did.Changed != 1 {
		t.Errorf("a withdrawal that came late: %+v", did)
	}
	after := s.standing()
	for id, was := range before {
		want := register.Allowed.String()
		if id == fmt.Sprintf("offer-1-%d", actDay.Unix()) {
			want = register.Violation.String()
		}
		if was != register.Allowed.String() || after[id] != want {
			t.Errorf("%s was %s and is %s, want %s", id, was, after[id], want)
		}
	}
	s.restart()
	if did := s.rejudge(rejudge.Limits{}); did.Changed != 0 || did.Facts != 0 {
		t.Errorf("again: %+v", did)
	}
	s.verify(6, 0)
	// The person's answer says it.
	deps := answer.Deps{Trail: s.reader, Registers: s.registers, Keys: s.keys, Now: time.Now}
	a, err := answer.Recipients(t.Context(), deps, answer.RecipientsRequest{Request: answer.Request{Controller: "elektrum", Person: answer.Person{Scheme: customer(1).Scheme, Value: customer(1).Value}}})
	if err != nil {
		t.Fatal(err)
	}
	if a.Changed != 1 || a.Verdicts.Violation != 1 || a.Verdicts.Allowed != 1 {
		t.Errorf("%d changed, %+v", a.Changed, a.Verdicts)
	}
	for _, e := range a.Timeline.Events {
		if changed := e.Time.Equal(actDay); changed != (e.Changed != nil) {
			t.Errorf("the event of %v: %+v", e.Time, e.Changed)
		}
		if c := e.Changed; c != nil && (c.From != "allowed" || c.Fact == nil || c.Fact.Name != "consent" || !strings.Contains(c.Because, "valid since 2026-05-08")) {
			t.Errorf("%+v, %+v", c, c.Fact)
		}
	}
}

// standing is the verdict that stands on each event that is judged, by its id.
func (s *slice) standing() map[string]string {
	s.t.Helper()
	rows, err := s.conn.Query(s.ctx, "SELECT event_id, toString(argMax(verdict, judged_at)) FROM trail WHERE operation NOT IN ('fact', 'cohort') GROUP BY event_id")
	if err != nil {
		s.t.Fatal(err)
	}
	all := make(map[string]string)
	for rows.Next() {
		var id, v string
		if err := rows.Scan(&id, &v); err != nil {
			s.t.Fatal(err)
		}
		all[id] = v
	}
	if err := rows.Err(); err != nil || len(all) == 0 {
		s.t.Fatal(len(all), err)
	}
	return all
}

// TestHistoryStands: judging a whole history again, with all facts that the
// trail has, finds what was found as it came in.
func TestHistoryStands(t *testing.T) {
	t.Parallel()
	past := newPast(t)
	broker := embeddedtest.Kafka(t, partitions)
	s := newSlice(t, broker.Addr(), "history")
	s.emit(past.events)
	s.ingest()
	before := s.standing()
	did := s.rejudge(rejudge.Limits{})
	t.Logf("%+v", did)
	if after := s.standing(); did.Facts == 0 || !maps.Equal(before, after) {
		t.Errorf("%d verdicts are others now", did.Changed)
	}
	s.verify(len(past.events), 0)
}

// TestStorm: 20,000 facts come late at once, each about another person and two
// events of it. What is held in memory does not grow with them. It runs alone, as
// it looks at the heap of the process.
func TestStorm(t *testing.T) {
	broker := embeddedtest.Kafka(t, partitions)
	s := newSlice(t, broker.Addr(), "storm")
	const n = 20_000
	var all []*event.Event
	given := actDay.AddDate(-1, 0, 0)
	for i := range n {
		all = append(all, consentFact(i, given, time.Time{}, given), offer(i, actDay), offer(i, actDay.Add(time.Hour)))
	}
	s.emit(all)
	s.ingest()
	began := time.Now()
	did := s.rejudge(rejudge.Limits{})
	t.Logf("%d facts on time: %v, %+v", n, time.Since(began), did)
	if did.Events != 0 || did.Changed != 0 {
		t.Errorf("facts on time: %+v", did)
	}
	all = all[:0]
	for i := range n {
		all = append(all, consentFact(i, given, actDay.Add(-time.Hour), actDay.AddDate(0, 0, 3)))
	}
	s.emit(all)
	all = nil
	s.ingest()
	s.restart()
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	var peak atomic.Uint64
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for tick := time.NewTicker(50 * time.Millisecond); ; {
			select {
			case <-stop:
				tick.Stop()
				return
			case <-tick.C:
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak.Store(max(peak.Load(), m.HeapAlloc))
			}
		}
	}()
	began = time.Now()
	did = s.rejudge(rejudge.Limits{Facts: 1024, Events: 1024})
	t.Logf("%d facts late: %v, %+v, at most %d MB on the heap, %d before", n, time.Since(began), did, peak.Load()>>20, m.HeapAlloc>>20)
	close(stop)
	<-done
	if peak.Load() > m.HeapAlloc+512<<20 { // a batch, twice over, with what the collector leaves lying
		t.Errorf("%d MB on the heap, %d before", peak.Load()>>20, m.HeapAlloc>>20)
	}
	if did.Changed != 2*n {
		t.Errorf("%d verdicts were written, want %d", did.Changed, 2*n)
	}
	for id, v := range s.standing() {
		if v != register.Violation.String() {
			t.Fatalf("%s is %s", id, v)
		}
	}
	if rows := s.verdicts(); len(rows) != 4*n || !slices.ContainsFunc(rows, func(f history.Found) bool { return f.Outcome == register.Allowed }) {
		t.Errorf("%d verdicts in all, want %d, the first beside the second", len(rows), 4*n)
	}
	s.verify(4*n, 0)
}
