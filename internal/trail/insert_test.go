package trail

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

var errPulled = errors.New("the plug was pulled")

// TestInsertFailures fails each step before it is done ("failed") and after it
// was ("applied"), and goes on by the same call, or by another process that
// asks Position. After each there is nothing missing and nothing doubled.
func TestInsertFailures(t *testing.T) {
	t.Parallel()
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			insertFailures(t, open)
		})
	}
}

func insertFailures(t *testing.T, newStore func(*testing.T) *store) {
	for _, step := range []string{"journal", "gaps", "quarantine", "cohort_members", "trail"} {
		for _, applied := range []bool{false, true} {
			for _, process := range []string{"same", "again", "new"} {
				t.Run(fmt.Sprintf("%s/applied=%v/%s", step, applied, process), func(t *testing.T) {
					t.Parallel()
					s := newStore(t)
					db := s.open()
					before, r := testRange(0, 9), testRange(10, 25)
					if err := db.Insert(t.Context(), before, storedAt, mixedBlocks(before)); err != nil {
						t.Fatal(err)
					}
					ctx, stop := context.WithCancel(t.Context())
					defer stop()
					failures := 0
					fail := func(s string) error {
						if s != step || failures > 0 {
							return nil
						}
						failures++
						if process != "same" {
							stop() // so that Insert gives up
						}
						return errPulled
					}
					if applied {
						db.hooks.after = fail
					} else {
						db.hooks.before = fail
					}
					err := db.Insert(ctx, r, storedAt, mixedBlocks(r))
					if failures != 1 {
						t.Fatalf("failed %d times", failures)
					}
					switch process {
					case "same":
						if err != nil {
							t.Fatal(err)
						}
					case "again":
						if err == nil && step != "trail" && step != "journal" {
							t.Fatal("Insert did not say that it gave up")
						}
						if err := db.Insert(t.Context(), r, storedAt, mixedBlocks(r)); err != nil {
							t.Fatal(err)
						}
					case "new":
						other := s.open()
						next, pending, err := other.Position(t.Context(), r.Topic, r.Partition)
						if err != nil {
							t.Fatal(err)
						}
						switch {
						case pending != nil:
							if pending.Range != r || !pending.Stored.Equal(storedAt) || next != r.First {
								t.Fatalf("pending %+v, next %d", pending, next)
							}
							// The date of a new process is another quarter's.
							err = other.Insert(t.Context(), pending.Range, storedAt.Add(time.Hour), mixedBlocks(pending.Range))
							if n := s.strays(storedAt); n != 0 {
								t.Errorf("%d rows do not have the journal's date", n)
							}
						case next == r.First:
							err = other.Insert(t.Context(), r, storedAt.Add(time.Hour), mixedBlocks(r))
						case next != r.Last+1:
							t.Fatalf("next %d", next)
						}
						if err != nil {
							t.Fatal(err)
						}
					}
					next, pending, err := db.Position(t.Context(), r.Topic, r.Partition)
					if err != nil || next != r.Last+1 || pending != nil {
						t.Errorf("in the end next is %d, pending %v, %v", next, pending, err)
					}
					s.verify(t, 0, r.Last+1)
				})
			}
		}
	}
}

// A server that dies between noting the token and renaming the part
// acknowledges the next try and has no rows.
func TestInsertSuccessorToken(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"quarantine", "trail"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			onEachStore(t, func(t *testing.T, s *store) {
				db := s.open()
				r := testRange(0, 20)
				lost := false
				db.hooks.after = func(at string) error {
					if at != step || lost {
						return nil
					}
					lost = true
					s.lose(step)
					return errPulled
				}
				if err := db.Insert(t.Context(), r, storedAt, mixedBlocks(r)); err != nil {
					t.Fatal(err)
				}
				if n, _ := journaled(t, db, r); n != 1 {
					t.Errorf("%d attempts in the journal: a void token is no other range", n)
				}
				s.verify(t, 0, 21)
				if err := db.Insert(t.Context(), r, storedAt, mixedBlocks(r)); err != nil {
					t.Fatal(err)
				}
				s.verify(t, 0, 21)
			})
		})
	}
}

func TestInsertPartial(t *testing.T) {
	t.Parallel()
	onEachStore(t, func(t *testing.T, s *store) {
		db := s.open()
		r := testRange(0, 20)
		db.hooks.after = func(step string) error {
			if step != "trail" {
				return nil
			}
			s.lose("trail", 7)
			return errPulled
		}
		if err := db.Insert(t.Context(), r, storedAt, mixedBlocks(r)); !errors.Is(err, ErrStateUnknown) {
			t.Errorf("insert: want ErrStateUnknown, got %v", err)
		}
		if _, _, err := db.Position(t.Context(), r.Topic, r.Partition); !errors.Is(err, ErrStateUnknown) {
			t.Errorf("position: want ErrStateUnknown, got %v", err)
		}
	})
}

// TestInsertTokensForgotten: ranges come again when nobody remembers their tokens.
func TestInsertTokensForgotten(t *testing.T) {
	t.Parallel()
	onEachStore(t, func(t *testing.T, s *store) {
		db := s.open()
		s.forget()
		var all []Range
		for first := int64(0); first < 100; first += 20 {
			all = append(all, testRange(first, first+19))
		}
		insert := func(r Range) {
			t.Helper()
			if err := db.Insert(t.Context(), r, storedAt, mixedBlocks(r)); err != nil {
				t.Fatal(err)
			}
		}
		for _, r := range all {
			insert(r)
		}
		insert(all[0])
		insert(all[3])
		// One whose trail alone is lost, as by a server that died, is there again.
		for offset := all[1].First; offset <= all[1].Last; offset++ {
			s.lose("trail", offset)
		}
		insert(all[1])
		s.verify(t, 0, 100)
	})
}

// Two processes begin to write one partition and die before a row is there. The
// one that was first in the journal may have sent its rows: that range is done
// again, whatever it is, however the journal has been merged since.
func TestInsertOverlapBothDie(t *testing.T) {
	t.Parallel()
	for _, ranges := range [][2]Range{{testRange(0, 30), testRange(0, 20)}, {testRange(0, 20), testRange(0, 30)}} {
		t.Run(ranges[0].String(), func(t *testing.T) {
			t.Parallel()
			onEachStore(t, func(t *testing.T, s *store) { bothDie(t, s, ranges) })
		})
	}
}

func bothDie(t *testing.T, s *store, ranges [2]Range) {
	a, b := s.open(), s.open()
	journaled := 0
	b.hooks.before = func(string) error {
		if journaled++; journaled > 1 {
			return errPulled // before it could withdraw
		}
		return nil
	}
	var second error
	a.hooks.before = func(s string) error {
		if s == "journal" {
			return nil
		}
		if second == nil {
			second = b.Insert(t.Context(), ranges[1], storedAt, mixedBlocks(ranges[1]))
		}
		return errPulled
	}
	if err := a.Insert(t.Context(), ranges[0], storedAt, mixedBlocks(ranges[0])); !errors.Is(err, ErrUnclear) {
		t.Fatalf("the first: want ErrUnclear, got %v", err)
	}
	if !errors.Is(second, ErrStateUnknown) {
		t.Fatalf("the second: want ErrStateUnknown, got %v", second)
	}
	c := s.open()
	s.merge()
	_, pending, err := c.Position(t.Context(), ranges[0].Topic, ranges[0].Partition)
	if err != nil || pending == nil || pending.Range != ranges[0] {
		t.Fatalf("want %s, got %v, %v", ranges[0], pending, err)
	}
	if err := c.Insert(t.Context(), pending.Range, pending.Stored, mixedBlocks(pending.Range)); err != nil {
		t.Fatal(err)
	}
	s.verify(t, 0, ranges[0].Last+1)
}

// Two processes believe that they own the partition and cut it differently:
// whoever comes second stops, and what it journaled does not stand in the way.
func TestInsertOverlap(t *testing.T) {
	t.Parallel()
	for _, dies := range []bool{false, true} { // before it could withdraw
		t.Run(fmt.Sprint("dies=", dies), func(t *testing.T) {
			t.Parallel()
			onEachStore(t, func(t *testing.T, s *store) { overlap(t, s, dies) })
		})
	}
}

func overlap(t *testing.T, s *store, dies bool) {
	a, b := s.open(), s.open()
	ra, rb := testRange(0, 20), testRange(10, 30)
	written := 0
	b.hooks.before = func(step string) error {
		if step == "journal" {
			written++
		}
		if dies && written > 1 {
			return errPulled
		}
		return nil
	}
	var second error
	a.hooks.before = func(step string) error { // a has journaled and read back
		if step == "quarantine" && second == nil {
			second = b.Insert(t.Context(), rb, storedAt, mixedBlocks(rb))
		}
		return nil
	}
	if err := a.Insert(t.Context(), ra, storedAt, mixedBlocks(ra)); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(second, ErrStateUnknown) {
		t.Fatalf("the second: want ErrStateUnknown, got %v", second)
	}
	if _, n := journaled(t, a, rb); (n == 0) != dies {
		t.Errorf("%d withdrawn", n)
	}
	c := s.open()
	next, pending, err := c.Position(t.Context(), ra.Topic, ra.Partition)
	if err != nil || next != 21 || pending != nil {
		t.Fatalf("next %d, pending %v, %v", next, pending, err)
	}
	rest := testRange(21, 30)
	if err := c.Insert(t.Context(), rest, storedAt, mixedBlocks(rest)); err != nil {
		t.Fatal(err)
	}
	s.verify(t, 0, 31)
}

// A newer program that reads events differently takes over in mid-range.
func TestInsertOtherContents(t *testing.T) {
	t.Parallel()
	for _, written := range []bool{false, true} {
		t.Run(fmt.Sprint("written=", written), func(t *testing.T) {
			t.Parallel()
			onEachStore(t, func(t *testing.T, s *store) { otherContents(t, s, written) })
		})
	}
}

func otherContents(t *testing.T, s *store, written bool) {
	db := s.open()
	r := testRange(0, 20)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	db.hooks.before = func(step string) error {
		if (step == "gaps" && !written) || step == "quarantine" {
			stop()
			return errPulled
		}
		return nil
	}
	if err := db.Insert(ctx, r, storedAt, mixedBlocks(r)); !errors.Is(err, ErrUnclear) {
		t.Fatalf("want ErrUnclear, got %v", err)
	}
	other := s.open(func(cfg *Config) { cfg.Timeout = time.Minute })
	b := NewBlocks()
	for o := r.First; o <= r.Last; o++ {
		row := fullRow(o)
		b.Trail.Append(&row)
	}
	err := other.Insert(t.Context(), r, storedAt, b)
	if !errors.Is(err, ErrUnclear) {
		t.Fatalf("while the old may be on its way: want ErrUnclear, got %v", err)
	}
	s.age()
	if err := other.Insert(t.Context(), r, storedAt, b); err != nil {
		t.Fatal(err)
	}
	s.verify(t, 0, 21)
	// What the old program has written stays.
	kept, have := int64(0), int64(0)
	if written {
		kept = 2
	}
	there, err := db.tables.present(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range there.gaps {
		have += g.Last - g.First + 1
	}
	if have != kept {
		t.Errorf("%d offsets are in gaps, want %d", have, kept)
	}
}

func TestInsertRefusesIncompleteBlocks(t *testing.T) {
	t.Parallel()
	onEachStore(t, refusesIncomplete)
}

func refusesIncomplete(t *testing.T, s *store) {
	db := s.open()
	row := func(offsets ...int64) *Blocks {
		b := NewBlocks()
		for _, o := range offsets {
			r := fullRow(o)
			b.Trail.Append(&r)
		}
		return b
	}
	both := row(1, 2, 3)
	both.Quarantine.Append(&QuarantineRow{Offset: 2})
	gap := row(1, 2)
	gap.Gaps.Append(Gap{First: 3, Last: 4})
	for name, b := range map[string]*Blocks{"hole": row(1, 3), "order": row(2, 1, 3), "outside": row(1, 2, 3, 4), "two places": both, "long gap": gap, "empty": row()} {
		if err := db.Insert(t.Context(), testRange(1, 3), storedAt, b); err == nil || errors.Is(err, ErrUnclear) {
			t.Errorf("%s: %v", name, err)
		}
	}
	next, pending, err := db.Position(t.Context(), "andmerada.events", 3)
	if next != -1 || pending != nil || err != nil {
		t.Errorf("something was journaled: %d, %v, %v", next, pending, err)
	}
}
