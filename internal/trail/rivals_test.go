package trail

import (
	"errors"
	"strconv"
	"testing"
	"time"
)

// Two processes write the same range at once, each in the belief that it owns the
// partition. At any step of the one, the other writes all of it; and the tokens of
// some tables are void: noted, and without rows. It is there once.
func TestInsertSameRangeAtOnce(t *testing.T) {
	t.Parallel()
	errPulled := errors.New("pulled")
	r := testRange(0, 30)
	for _, lost := range []string{"", "insert gaps", "insert quarantine", "insert cohort_members", "insert trail"} {
		for at := range 20 {
			m := NewMemory()
			cfg := Config{Timeout: 10 * time.Second, Tries: 8}
			other := m.Open(cfg, func(string) Fault { return Fault{} })
			step, dropped := 0, false
			one := m.Open(cfg, func(what string) Fault {
				if step++; step == at {
					if err := other.Insert(t.Context(), r, storedAt, mixedBlocks(r)); err != nil {
						t.Errorf("the other, at step %d, %s: %v", at, what, err)
					}
				}
				if what == lost && !dropped {
					dropped = true
					return Fault{Err: errPulled, Lost: true}
				}
				return Fault{}
			})
			if err := one.Insert(t.Context(), r, storedAt, mixedBlocks(r)); err != nil {
				t.Errorf("%q is lost, the other at step %d: %v", lost, at, err)
			}
			want, held := mixedBlocks(r).rows(), m.Held(Partition{r.Topic, r.Partition})
			got := rowCounts{uint64(len(held.Trail)), uint64(len(held.Quarantine)), uint64(len(held.Members)), uint64(len(held.Gaps))}
			if got != want {
				t.Errorf("%q is lost, the other at step %d: %s are there, want %s", lost, at, got, want)
			}
		}
	}
}

// TestInsertSameRangeOnEach is the same on ClickHouse too, at some steps.
func TestInsertSameRangeOnEach(t *testing.T) {
	t.Parallel()
	for _, at := range []int{1, 3, 8} { // journaled; a table has its rows; before the last
		t.Run(strconv.Itoa(at), func(t *testing.T) {
			t.Parallel()
			onEachStore(t, func(t *testing.T, s *store) { sameRange(t, s, at, "") })
		})
	}
	t.Run("a token is void", func(t *testing.T) {
		t.Parallel()
		onEachStore(t, func(t *testing.T, s *store) { sameRange(t, s, 9, "trail") })
	})
}

func sameRange(t *testing.T, s *store, at int, lost string) {
	r := testRange(0, 30)
	one, other := s.open(), s.open()
	step, dropped := 0, false
	meet := func() {
		if step++; step-1 == at {
			if err := other.Insert(t.Context(), r, storedAt, mixedBlocks(r)); err != nil {
				t.Errorf("the other, at step %d: %v", at, err)
			}
		}
	}
	one.hooks.before = func(string) error { meet(); return nil }
	one.hooks.after = func(table string) error {
		if table == lost && !dropped && step <= at { // before the other's are there
			dropped = true
			s.lose(table)
			return errPulled
		}
		meet()
		return nil
	}
	if err := one.Insert(t.Context(), r, storedAt, mixedBlocks(r)); err != nil {
		t.Errorf("%q is lost, the other at step %d: %v", lost, at, err)
	}
	if step <= at {
		if err := other.Insert(t.Context(), r, storedAt, mixedBlocks(r)); err != nil {
			t.Error(err)
		}
	}
	s.verify(t, 0, 31)
}
