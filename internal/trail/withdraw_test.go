package trail

import (
	"errors"
	"testing"
	"time"
)

// A withdrawal whose token is known and whose row is lost is made again under
// another token: or two ranges that overlap would stand against each other for as
// long as the token is known.
func TestWithdrawalLost(t *testing.T) {
	t.Parallel()
	m := NewMemory()
	lose := 0
	db := m.Open(Config{}, func(step string) Fault {
		if step == "insert journal" && lose > 0 {
			lose--
			return Fault{Err: errors.New("the connection broke"), Lost: true}
		}
		return Fault{}
	})
	entry := func(last int64) JournalEntry {
		return JournalEntry{Range: Range{Topic: "t", First: 5, Last: last}, Attempt: 1, Stored: time.Unix(1e9, 0).UTC(), TrailRows: uint64(last - 4)}
	}
	for _, e := range []JournalEntry{entry(31), entry(22)} {
		if err := db.sendJournal(t.Context(), e, e.token("journal")); err != nil {
			t.Fatal(err)
		}
	}
	lose = 1
	next, pending, err := db.Position(t.Context(), "t", 0)
	if err != nil || next != 5 || pending == nil || pending.Last != 31 || lose != 0 {
		t.Fatalf("next %d, pending %v, %v", next, pending, err)
	}
	if current, _, err := db.declare(t.Context(), *pending); err != nil || current.Last != 31 {
		t.Errorf("the range that was begun first cannot go on: %v, %v", current, err)
	}
}
