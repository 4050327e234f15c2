package trail

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestRefusedEvents has ClickHouse refuse two events of a range by a constraint:
// the caller learns which, without what is in them, and the range goes in with
// these in the quarantine.
func TestRefusedEvents(t *testing.T) {
	t.Parallel()
	onEachStore(t, refusedEvents)
}

func refusedEvents(t *testing.T, s *store) {
	db := s.open()
	r := testRange(0, 25)
	s.refuse(3, 12)
	err := db.Insert(t.Context(), r, storedAt, mixedBlocks(r))
	var refused *RefusedError
	if !errors.As(err, &refused) || !slices.Equal(refused.Offsets, []int64{3, 12}) || refused.Code != 469 || refused.Name == "" {
		t.Fatalf("%v", err)
	}
	if strings.Contains(err.Error(), "Column values") {
		t.Errorf("the error quotes what is in the event: %v", err)
	}
	next, pending, err := db.Position(t.Context(), r.Topic, r.Partition)
	if err != nil || pending == nil || next != 0 {
		t.Fatalf("position %d, %v, %v", next, pending, err)
	}
	without := func() *Blocks {
		all := mixedBlocks(r)
		b := NewBlocks()
		var err error
		if b.Trail, err = all.Trail.pick(func(offset int64) bool { return offset != 3 && offset != 12 }); err != nil {
			t.Fatal(err)
		}
		b.Members, b.Gaps = all.Members, all.Gaps
		old := all.Quarantine.row(0)
		b.Quarantine.Append(&old)
		for _, offset := range refused.Offsets {
			b.Quarantine.Append(&QuarantineRow{Offset: offset, Recorded: storedAt, Reason: "rejected-by-store", BodyHash: [16]byte{byte(offset)}, Sealed: []byte{1}, Size: 1})
		}
		b.Refused = 2
		return b
	}
	// It is cut off between the quarantine and the trail, and done again.
	pulled := false
	db.hooks.before = func(step string) error {
		if step == "trail" && !pulled {
			pulled = true
			return &RefusedError{} // any error that is given up at once
		}
		return nil
	}
	for range 2 {
		if err = db.Insert(t.Context(), r, storedAt.Add(time.Hour), without()); err == nil {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	next, pending, err = db.Position(t.Context(), r.Topic, r.Partition)
	if err != nil || next != 26 || pending != nil {
		t.Errorf("position %d, %v, %v", next, pending, err)
	}
	s.verify(t, 0, 26)
	there, err := db.tables.present(t.Context(), r)
	if err != nil || len(there.quarantine) != 3 || !there.quarantine[3] || !there.quarantine[12] {
		t.Errorf("the refused events are not in the quarantine: %v, %v", there, err)
	}
	if n := s.strays(storedAt); n != 0 {
		t.Errorf("%d rows have another date than the journal", n)
	}
	if s.leftover != nil && s.leftover() {
		t.Error("the table for trials is left over")
	}
}

// TestATableThatRefusesAllIsNoMatterOfEvents: the stream does not end up in the
// quarantine because somebody has altered the table.
func TestATableThatRefusesAllIsNoMatterOfEvents(t *testing.T) {
	t.Parallel()
	db := openTest(t, testConfig(t))
	r := testRange(0, 200)
	mustExec(t, db, "ALTER TABLE trail ADD CONSTRAINT added CHECK controller = 'nobody'")
	err := db.Insert(t.Context(), r, storedAt, mixedBlocks(r))
	var refused *RefusedError
	if errors.As(err, &refused) || !errors.Is(err, ErrUnclear) || !strings.Contains(err.Error(), "the table") {
		t.Errorf("%v", err)
	}
}

// TestRangesThatBecomeOthers: a range was begun, and then Kafka deleted what it
// held. What is in the tables stays, and nothing is in two places.
func TestRangesThatBecomeOthers(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"gaps", "quarantine", "cohort_members", "trail"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			onEachStore(t, func(t *testing.T, s *store) { becomesOther(t, s, step) })
		})
	}
}

func becomesOther(t *testing.T, s *store, step string) {
	db := s.open(func(cfg *Config) { cfg.Timeout, cfg.Tries = 2*time.Second, 1 })
	r := testRange(0, 25)
	db.hooks.before = func(at string) error {
		if at == step {
			return errPulled
		}
		return nil
	}
	if err := db.Insert(t.Context(), r, storedAt, mixedBlocks(r)); !errors.Is(err, ErrUnclear) {
		t.Fatal(err)
	}
	db.hooks.before = nil
	gone := NewBlocks()
	gone.Gaps.Append(Gap{First: 0, Last: 25, Reason: "deleted"})
	err := db.Insert(t.Context(), r, storedAt, gone)
	if step != "trail" && !errors.Is(err, ErrUnclear) {
		t.Errorf("it does not wait for what may be on its way: %v", err)
	}
	for deadline := time.Now().Add(time.Minute); err != nil && time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		err = db.Insert(t.Context(), r, storedAt, gone)
	}
	if err != nil {
		t.Fatal(err)
	}
	if next, pending, err := db.Position(t.Context(), r.Topic, r.Partition); err != nil || next != 26 || pending != nil {
		t.Errorf("position %d, %v, %v", next, pending, err)
	}
	s.verify(t, 0, 26)
}
