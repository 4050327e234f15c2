package rejudge

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

// TestLateWithdrawal: withdrawn on day 5, told of on day 8: what was sent on
// day 6 was against the notice, what was sent on day 4 was not.
func TestLateWithdrawal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ingest := facts.New()
	w.fact(0, day(1), consent(day(1), trail.Row{}.Time, day(1)), ingest, person(1))
	for _, d := range []int{2, 4, 6, 7} {
		w.act(0, day(d), trail.Row{Operation: event.Send, Recipient: event.DataSubject, Time: day(d)}, ingest, person(1))
	}
	w.insert()
	if n := w.once(); n != 0 {
		t.Errorf("%d verdicts were written before anything came late", n)
	}
	w.fact(0, day(8), consent(day(1), day(5), day(5)), ingest, person(1))
	w.act(0, day(9), trail.Row{Operation: event.Send, Recipient: event.DataSubject, Time: day(9)}, ingest, person(1))
	w.insert()
	if n := w.once(); n != 2 {
		t.Errorf("%d verdicts were written, want those of days 6 and 7", n)
	}
	w.check()
	rows := w.verdicts(0, 3) // day 6
	if len(rows) != 2 {
		t.Fatalf("%d verdicts on the event of day 6", len(rows))
	}
	first, second := rows[0], rows[1]
	if first.Verdict != register.Allowed || first.Cause != "" || second.Verdict != register.Violation || !slices.Contains(second.Rules, "acme/A-2") && !slices.Contains(second.Rules, "A-2") {
		t.Errorf("first %v %q, then %v by %v %q", first.Verdict, first.Cause, second.Verdict, second.Rules, second.Cause)
	}
	if place, _ := trail.ParseCause(second.Cause); place == nil || place.Offset != 5 || place.Partition != 0 || place.Topic != topic {
		t.Errorf("the cause is %q", second.Cause)
	}
	// The row is the event's again but for what the verdict is.
	second.Verdict, second.Rules, second.Unknown, second.Cause, second.JudgedAt = first.Verdict, first.Rules, first.Unknown, first.Cause, first.JudgedAt
	if !sameRow(first, second) {
		t.Errorf("the second row\n%+v\nis not that of the event\n%+v", second, first)
	}
	if n := w.once(); n != 0 {
		t.Errorf("%d verdicts were written again", n)
	}
}

func sameRow(a, b trail.Row) bool {
	x, y := a, b
	for _, r := range []*trail.Row{&x, &y} {
		r.Rules, r.Unknown, r.Categories, r.Fields = nil, nil, nil, nil
	}
	return slices.Equal(a.Categories, b.Categories) && slices.Equal(a.Fields, b.Fields) && slices.Equal(a.Rules, b.Rules) && rowString(x) == rowString(y)
}

// TestOtherSubjects: facts about employees and recipients, links between
// persons, and events of several persons.
func TestOtherSubjects(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	nothing := facts.New()
	storage := event.Fact{Name: "processor", AboutOrg: "acme/bank", ValidFrom: day(0)}
	storage.Value.Set(event.ProcessorStorageCountry, event.TextValue("EE"))
	trained := event.Fact{Name: "employee", AboutActor: "u17", ValidFrom: day(3)}
	trained.Value.Set(event.EmployeeTrained, event.BoolValue(true))
	access := trail.Row{Operation: event.Access, Actor: "u17", Time: day(2)}
	w.act(0, day(2), access, nothing, person(1))                                                                       // 0: before the training
	access.Time = day(4)                                                                                               //
	w.act(0, day(4), access, nothing, person(1))                                                                       // 1: after it
	w.act(0, day(4), trail.Row{Operation: event.Transfer, Recipient: "acme/bank", Time: day(4)}, nothing)              // 2: about nobody
	w.act(0, day(5), trail.Row{Operation: event.Send, Recipient: event.DataSubject, Time: day(5)}, nothing, person(2)) // 3
	w.act(0, day(5), trail.Row{Operation: event.Send, Recipient: event.DataSubject, Time: day(5)}, nothing, person(3), person(4), person(2))
	w.fact(1, day(6), storage, nil)
	w.fact(1, day(6), trained, nil)
	w.fact(2, day(7), consent(day(1), trail.Row{}.Time, day(1)), nil, person(5)) // of person 2 by another name
	w.insert()
	if n := w.once(); n != 2 {
		t.Errorf("%d verdicts were written, want those of 1 and 2", n)
	}
	w.check()
	w.fact(2, day(8), event.Fact{Name: event.IdentityFact, ValidFrom: day(8)}, nil, person(5), person(2))
	w.insert()
	if n := w.once(); n != 2 {
		t.Errorf("%d verdicts were written for a link, want one on each of 3 and 4", n)
	}
	w.check()
	for _, r := range w.verdicts(0, 4) {
		if again := r.Cause != ""; again != (r.PersonIndex == 2 && r.Verdict == register.Allowed) && again {
			t.Errorf("person %d has %v by %q", r.PersonIndex, r.Verdict, r.Cause)
		}
	}
}

// TestSameMoment: of two facts about the same moment the one recorded later
// stands, in whichever partition it is.
func TestSameMoment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.act(0, day(6), trail.Row{Operation: event.Send, Recipient: event.DataSubject, Time: day(6)}, facts.New(), person(1))
	w.fact(1, day(9), consent(day(1), time.Time{}, day(1)), nil, person(1))
	w.fact(2, day(8), consent(day(1), day(5), day(1)), nil, person(1))
	w.insert()
	w.once()
	w.check()
	if rows := w.verdicts(0, 0); rows[len(rows)-1].Verdict != register.Allowed {
		t.Errorf("the verdict that stands is %v", rows[len(rows)-1].Verdict)
	}
}

// TestSideBySide: several processes, each a follower, and each verdict once.
func TestSideBySide(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	nothing := facts.New()
	const n = 600
	for i := range n {
		w.act(int32(i%3), day(6), trail.Row{Operation: event.Send, Recipient: event.DataSubject, Time: day(6)}, nothing, person(i))
	}
	for i := range n {
		w.fact(int32(i%3), day(9), consent(day(1), time.Time{}, day(1)), nil, person(i))
	}
	w.insert()
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var changed atomic.Int64
	for range 4 {
		f := w.follower()
		f.cfg.Limits.Facts, f.cfg.Limits.Events, f.cfg.Limits.Interval, f.cfg.Limits.Settle = 30, 30, 10*time.Millisecond, 20*time.Millisecond
		wg.Go(func() {
			if err := f.Run(ctx); err != nil {
				t.Error(err)
			}
			changed.Add(f.Stats().Changed)
		})
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		next, err := w.db.Followed(t.Context(), trail.FactsTask)
		if err != nil {
			t.Fatal(err)
		}
		if next[trail.Partition{Topic: topic, Partition: 2}] == w.ends[2] {
			break
		}
	}
	stop()
	wg.Wait()
	if changed.Load() != n {
		t.Errorf("%d verdicts were written, want %d", changed.Load(), n)
	}
	w.check()
}

// TestCause: a verdict is judged by all facts, and is owed to the one that made
// it another, be it that the follower has not come to that one yet.
func TestCause(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ingest := facts.New()
	w.fact(0, day(1), consent(day(1), time.Time{}, day(1)), ingest, person(1))
	w.act(0, day(6), trail.Row{Operation: event.Send, Recipient: event.DataSubject, Time: day(6)}, ingest, person(1))
	w.fact(0, day(7), consent(day(1), day(7), day(7)), nil, person(1)) // 2: touches the event, and changes nothing
	w.fact(0, day(8), consent(day(3), day(8), day(8)), nil, person(1)) // 3: the same
	w.fact(0, day(9), consent(day(5), day(5), day(5)), nil, person(1)) // 4: a withdrawal before it
	w.insert()
	f := w.follower()
	f.cfg.Limits.Facts = 2
	if err := f.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.check()
	rows := w.verdicts(0, 1)
	if len(rows) != 2 || rows[1].Verdict != register.Violation || rows[1].Cause != trail.CauseFact(trail.Partition{Topic: topic}, 4) {
		t.Errorf("verdicts %+v", rows[1:])
	}
}

// TestRegisters: another register judges all anew, and writes what is other.
func TestRegisters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	nothing := facts.New()
	old := w.registers.All()[0].Version
	for i := range 300 {
		op := event.Use
		if i%3 == 0 {
			op = event.Access
		}
		w.act(int32(i%2), day(i), trail.Row{Operation: op, Actor: "u17", Time: day(i)}, nothing, person(i))
	}
	w.insert()
	if n := w.once(); n != 0 {
		t.Errorf("%d verdicts were written under the same register", n)
	}
	original := w.registers
	w.setRegister(func(text string) string { return replaceOnce(t, text, "operations: [access]", "operations: [erase]") })
	if n := w.once(); n != 100 {
		t.Errorf("%d verdicts were written, want 100", n)
	}
	w.check()
	rows := w.verdicts(0, 0)
	if version := w.registers.All()[0].Version; len(rows) != 2 || rows[0].RegisterVersion != old || rows[1].RegisterVersion != version || rows[1].Cause != trail.CauseRegister(version) {
		t.Errorf("verdicts %v", rows)
	}
	if n := w.once(); n != 0 {
		t.Errorf("%d verdicts were written again", n)
	}
	// An ingest that does not know of the change yet.
	changed := w.registers
	w.registers = original
	w.act(0, day(1), trail.Row{Operation: event.Access, Actor: "u17", Time: day(1)}, nothing, person(1))
	w.insert()
	w.registers = changed
	if n := w.once(); n != 1 {
		t.Errorf("%d verdicts were written for an event judged under the former register, want 1", n)
	}
	// And back: a third verdict.
	w.registers = original
	if n := w.once(); n != 101 {
		t.Errorf("%d verdicts were written on the way back, want 101", n)
	}
	w.check()
	w.registers = changed
	if n := w.once(); n != 101 {
		t.Errorf("%d verdicts were written on the way forth again, want 101", n)
	}
	w.check()
	// What is damaged is mended by a check of all.
	f := w.follower()
	if err := f.Check(t.Context(), "acme"); err != nil || f.Stats().Changed != 0 || f.Stats().Events != 301 {
		t.Errorf("a check: %v, %+v", err, f.Stats())
	}
	if err := f.Check(t.Context(), "nobody"); err == nil {
		t.Error("a check of nobody's events")
	}
}

// TestNotInForce: registers that begin later, or earlier.
func TestNotInForce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.act(0, day(2), trail.Row{Operation: event.Use, Time: day(2)}, facts.New(), person(1))
	w.insert()
	w.setRegister(func(text string) string { return replaceOnce(t, text, `from: "2024-01-01"`, `from: "2027-01-01"`) })
	if n := w.once(); n != 1 {
		t.Errorf("%d verdicts were written where no register is in force any more, want 1", n)
	}
	w.check()
	if rows := w.verdicts(0, 0); rows[1].Cause != "register none" || rows[1].RegisterVersion != "" {
		t.Errorf("%+v", rows[1])
	}
	w.setRegister(func(text string) string { return text })
	if n := w.once(); n != 1 {
		t.Errorf("%d verdicts were written where a register is in force again, want 1", n)
	}
	w.check()
}

// TestOneAtATime: whoever has the lease works, and who gives it up hands it on.
func TestOneAtATime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fact(0, day(1), consent(day(1), trail.Row{}.Time, day(1)), nil, person(1))
	w.insert()
	a, b := w.follower(), w.follower()
	if err := a.hold(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.round(t.Context(), true); err == nil || err.Error() != ErrHeld.Error() {
		t.Errorf("two have the lease: %v", err)
	}
	if err := a.lease.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.Once(t.Context()); err != nil {
		t.Error(err)
	}
}
