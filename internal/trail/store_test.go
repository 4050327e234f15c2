package trail

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// store is a place where a trail is kept: ClickHouse, or Memory. What is promised
// of the one is tested of the other as well.
type store struct {
	open     func(change ...func(*Config)) *DB          // as one process sees it
	lose     func(table string, offsets ...int64)       // the rows at these offsets; all if there are none
	age      func()                                     // the journal's entries become an hour older
	refuse   func(offsets ...int64)                     // the trail takes none of these any more
	forget   func()                                     // from now on two tokens of a table are known
	verify   func(t *testing.T, first, committed int64) // all offsets are in one place
	strays   func(stored time.Time) uint64              // rows of another date
	merge    func()
	leftover func() bool // a table for trials is there still; nil = there never is
}

var stores = map[string]func(*testing.T) *store{"ClickHouse": clickhouseStore, "memory": memoryStore}

// onEachStore runs a test on both.
func onEachStore(t *testing.T, f func(t *testing.T, s *store)) {
	t.Helper()
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, open(t))
		})
	}
}

func clickhouseStore(t *testing.T) *store {
	t.Helper()
	cfg := testConfig(t)
	at := func(offsets []int64) string {
		if offsets == nil {
			return "1"
		}
		return "offset IN (" + strings.Trim(strings.ReplaceAll(fmt.Sprint(offsets), " ", ","), "[]") + ")"
	}
	db := openTest(t, cfg)
	return &store{
		open: func(change ...func(*Config)) *DB {
			c := cfg
			for _, f := range change {
				f(&c)
			}
			return openTest(t, c)
		},
		lose: func(table string, offsets ...int64) {
			mustExec(t, db, "ALTER TABLE "+table+" DELETE WHERE "+at(offsets)+" SETTINGS mutations_sync = 2")
		},
		age: func() {
			mustExec(t, db, "ALTER TABLE journal UPDATE written_at = written_at - INTERVAL 1 HOUR WHERE 1 SETTINGS mutations_sync = 2")
		},
		refuse: func(offsets ...int64) {
			mustExec(t, db, "ALTER TABLE trail ADD CONSTRAINT added CHECK NOT ("+at(offsets)+")")
		},
		forget: func() {
			for _, table := range []string{"trail", "quarantine", "cohort_members", "gaps", "journal"} {
				mustExec(t, db, "ALTER TABLE "+table+" MODIFY SETTING non_replicated_deduplication_window = 2")
			}
		},
		verify: func(t *testing.T, first, committed int64) { t.Helper(); wantVerified(t, db, first, committed) },
		strays: func(stored time.Time) uint64 {
			at := fmt.Sprintf("fromUnixTimestamp64Milli(%d, 'UTC')", stored.UnixMilli())
			return mustCount(t, db, "SELECT (SELECT count() FROM trail WHERE stored != "+at+") + (SELECT count() FROM quarantine WHERE stored != "+at+")")
		},
		merge: func() { mustExec(t, db, "OPTIMIZE TABLE journal FINAL") },
		leftover: func() bool {
			return mustCount(t, db, "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'trail_trial'") > 0
		},
	}
}

func memoryStore(t *testing.T) *store {
	t.Helper()
	m := NewMemory()
	p := Partition{testRange(0, 0).Topic, testRange(0, 0).Partition}
	locked := func(f func(h *Held)) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if h := m.held[p]; h != nil {
			f(h)
		}
	}
	return &store{
		open: func(change ...func(*Config)) *DB {
			cfg := Config{Timeout: 20 * time.Second}
			for _, f := range change {
				f(&cfg)
			}
			return m.Open(cfg, noFault).DB
		},
		lose: func(table string, offsets ...int64) {
			gone := func(offset int64) bool { return offsets == nil || slices.Contains(offsets, offset) }
			locked(func(h *Held) {
				switch table {
				case "trail":
					h.Trail = slices.DeleteFunc(h.Trail, func(r Row) bool { return gone(r.Offset) })
				case "quarantine":
					h.Quarantine = slices.DeleteFunc(h.Quarantine, func(r QuarantineRow) bool { return gone(r.Offset) })
				case "cohort_members":
					h.Members = slices.DeleteFunc(h.Members, func(r Member) bool { return gone(r.Offset) })
				case "gaps":
					h.Gaps = slices.DeleteFunc(h.Gaps, func(g Gap) bool { return gone(g.First) })
				}
			})
		},
		age: func() {
			m.mu.Lock()
			defer m.mu.Unlock()
			for i := range m.entries {
				m.entries[i].WrittenAt = m.entries[i].WrittenAt.Add(-time.Hour)
			}
		},
		refuse: func(offsets ...int64) {
			m.Refuse = func(id string) bool {
				return slices.ContainsFunc(offsets, func(o int64) bool { return id == fullRow(o).EventID })
			}
		},
		forget: func() { m.Window = 2 },
		verify: func(t *testing.T, first, committed int64) { t.Helper(); verifyHeld(t, m.Held(p), first, committed) },
		strays: func(stored time.Time) (n uint64) {
			for _, r := range m.Held(p).Trail {
				if !r.Stored.Equal(stored) {
					n++
				}
			}
			return n
		},
		merge: func() {},
	}
}

// verifyHeld is what [DB.Verify] finds, of what is held in memory.
func verifyHeld(t *testing.T, h Held, first, committed int64) {
	t.Helper()
	places := make(map[int64]int) // in how many an offset is
	rows := make(map[int64][]uint16)
	of := make(map[int64]uint16)
	for i := range h.Trail {
		r := &h.Trail[i]
		rows[r.Offset] = append(rows[r.Offset], r.PersonIndex)
		of[r.Offset] = r.Of
	}
	for offset, indexes := range rows {
		places[offset]++
		slices.Sort(indexes)
		if len(indexes) != int(of[offset]) || len(slices.Compact(slices.Clone(indexes))) != len(indexes) {
			t.Errorf("offset %d has persons %v of %d", offset, indexes, of[offset])
		}
	}
	for i := range h.Quarantine {
		places[h.Quarantine[i].Offset]++
	}
	for _, g := range h.Gaps {
		for offset := g.First; offset <= g.Last; offset++ {
			places[offset]++
		}
	}
	for offset := first; offset < committed; offset++ {
		if places[offset] != 1 {
			t.Errorf("offset %d is in %d places", offset, places[offset])
		}
		delete(places, offset)
	}
	for offset := range places {
		t.Errorf("offset %d was not to be written", offset)
	}
}

// journaled is the last attempt at a range, and how many entries were withdrawn.
func journaled(t *testing.T, db *DB, r Range) (attempts uint32, withdrawn int) {
	t.Helper()
	entries, err := db.tables.journal(t.Context(), journalOverlap, r)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		attempts = max(attempts, e.Attempt)
		if e.Withdrawn {
			withdrawn++
		}
	}
	return attempts, withdrawn
}
