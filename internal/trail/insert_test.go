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
	for _, step := range []string{"journal", "gaps", "quarantine", "cohort_members", "trail"} {
		for _, applied := range []bool{false, true} {
			for _, process := range []string{"same", "again", "new"} {
				t.Run(fmt.Sprintf("%s/applied=%v/%s", step, applied, process), func(t *testing.T) {
					t.Parallel()
					cfg := testConfig(t)
					db := openTest(t, cfg)
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
						other := openTest(t, cfg)
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
							if n := mustCount(t, db, "SELECT (SELECT count() FROM trail WHERE stored != '2026-03-31 23:59:59.999') + (SELECT count() FROM quarantine WHERE stored != '2026-03-31 23:59:59.999')"); n != 0 {
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
					wantVerified(t, db, 0, r.Last+1)
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
			db := openTest(t, testConfig(t))
			r := testRange(0, 20)
			lost := false
			db.hooks.after = func(s string) error {
				if s != step || lost {
					return nil
				}
				lost = true
				mustExec(t, db, "ALTER TABLE "+step+" DELETE WHERE 1 SETTINGS mutations_sync = 2")
				return errPulled
			}
			if err := db.Insert(t.Context(), r, storedAt, mixedBlocks(r)); err != nil {
				t.Fatal(err)
			}
			if n := mustCount(t, db, "SELECT max(attempt)::UInt64 FROM journal"); n != 2 {
				t.Errorf("%d attempts in the journal, want 2", n)
			}
			wantVerified(t, db, 0, 21)
			if err := db.Insert(t.Context(), r, storedAt, mixedBlocks(r)); err != nil {
				t.Fatal(err)
			}
			wantVerified(t, db, 0, 21)
		})
	}
}

func TestInsertPartial(t *testing.T) {
	t.Parallel()
	db := openTest(t, testConfig(t))
	r := testRange(0, 20)
	db.hooks.after = func(s string) error {
		if s != "trail" {
			return nil
		}
		mustExec(t, db, "ALTER TABLE trail DELETE WHERE offset = 7 SETTINGS mutations_sync = 2")
		return errPulled
	}
	if err := db.Insert(t.Context(), r, storedAt, mixedBlocks(r)); !errors.Is(err, ErrStateUnknown) {
		t.Errorf("insert: want ErrStateUnknown, got %v", err)
	}
	if _, _, err := db.Position(t.Context(), r.Topic, r.Partition); !errors.Is(err, ErrStateUnknown) {
		t.Errorf("position: want ErrStateUnknown, got %v", err)
	}
}

// Two processes believe that they own the partition and cut it differently:
// whoever comes second stops, and what it journaled does not stand in the way.
func TestInsertOverlap(t *testing.T) {
	t.Parallel()
	for _, dies := range []bool{false, true} { // before it could withdraw
		t.Run(fmt.Sprint("dies=", dies), func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(t)
			a, b := openTest(t, cfg), openTest(t, cfg)
			ra, rb := testRange(0, 20), testRange(10, 30)
			journaled := 0
			b.hooks.before = func(s string) error {
				if s == "journal" {
					journaled++
				}
				if dies && journaled > 1 {
					return errPulled
				}
				return nil
			}
			var second error
			a.hooks.before = func(s string) error { // a has journaled and read back
				if s == "quarantine" && second == nil {
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
			if n := mustCount(t, a, "SELECT countIf(withdrawn) FROM journal"); (n == 0) != dies {
				t.Errorf("%d withdrawn", n)
			}
			c := openTest(t, cfg)
			next, pending, err := c.Position(t.Context(), ra.Topic, ra.Partition)
			if err != nil || next != 21 || pending != nil {
				t.Fatalf("next %d, pending %v, %v", next, pending, err)
			}
			rest := testRange(21, 30)
			if err := c.Insert(t.Context(), rest, storedAt, mixedBlocks(rest)); err != nil {
				t.Fatal(err)
			}
			wantVerified(t, a, 0, 31)
		})
	}
}

// A newer program that reads events differently takes over in mid-range.
func TestInsertOtherContents(t *testing.T) {
	t.Parallel()
	for _, written := range []bool{false, true} {
		t.Run(fmt.Sprint("written=", written), func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(t)
			db := openTest(t, cfg)
			r := testRange(0, 20)
			ctx, stop := context.WithCancel(t.Context())
			db.hooks.before = func(s string) error {
				if (s == "gaps" && !written) || s == "quarantine" {
					stop()
					return errPulled
				}
				return nil
			}
			if err := db.Insert(ctx, r, storedAt, mixedBlocks(r)); !errors.Is(err, ErrUnclear) {
				t.Fatalf("want ErrUnclear, got %v", err)
			}
			cfg.Timeout = time.Minute
			other := openTest(t, cfg)
			b := NewBlocks()
			for o := r.First; o <= r.Last; o++ {
				row := fullRow(o)
				b.Trail.Append(&row)
			}
			err := other.Insert(t.Context(), r, storedAt, b)
			if written {
				if !errors.Is(err, ErrStateUnknown) {
					t.Fatalf("want ErrStateUnknown, got %v", err)
				}
				return
			}
			if !errors.Is(err, ErrUnclear) {
				t.Fatalf("while the old may be on its way: want ErrUnclear, got %v", err)
			}
			mustExec(t, db, "ALTER TABLE journal UPDATE written_at = written_at - INTERVAL 1 HOUR WHERE 1 SETTINGS mutations_sync = 2")
			if err := other.Insert(t.Context(), r, storedAt, b); err != nil {
				t.Fatal(err)
			}
			wantVerified(t, db, 0, 21)
		})
	}
}

func TestInsertRefusesIncompleteBlocks(t *testing.T) {
	t.Parallel()
	db := openTest(t, testConfig(t))
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
