package trail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
)

var (
	// ErrStateUnknown says that what is in the tables is neither all nor none
	// of a range, or not of this range: stop the partition, reload by way of
	// Position; if that says the same, a person must look.
	ErrStateUnknown = errors.New("the state of the trail is not known")

	// ErrUnclear says that ClickHouse could not be reached for long enough, so
	// that it is not known whether the range is written. Insert may be called
	// again with the same range and rows, by this or by another process.
	ErrUnclear = errors.New("the outcome of the insert is not clear")
)

// MaxRows is how many rows of one table a range may come to: more might be cut
// into several parts, which are several commits.
const MaxRows = 1_000_000

// hooks let tests fail a step before it is done or after it was.
type hooks struct {
	before, after func(step string) error
}

// Insert writes all that a range of offsets became, once. Every offset of the
// range must be in exactly one of the trail, the quarantine and the gaps, in
// rising order; stored is the date of all rows, to the millisecond, unless the
// journal has another for this range, which then holds.
//
// The range is journaled first. Then each table gets its rows as one block,
// which is one part, which is one commit: gaps, quarantine, members, and the
// trail last. After an error nobody knows whether the block is there. So its
// rows are counted; all there: go on; none: the same block goes out under the
// same token, of which ClickHouse takes one. If that is acknowledged and there
// are still no rows, the token was noted by a server that died before it had
// the part, and the block goes out under the next attempt's token, which is
// journaled before. Some but not all rows is [ErrStateUnknown].
//
// A crash anywhere leaves a journal entry without all of its rows, which the
// next Position hands out to be done again.
//
// Insert waits for what it has begun even when ctx ends, for at most
// Config.Timeout; then, and when it has run out of tries, the error is
// [ErrUnclear]. Calling it again with the same arguments is always safe.
func (db *DB) Insert(ctx context.Context, r Range, stored time.Time, b *Blocks) error {
	if err := check(r, b); err != nil {
		return fmt.Errorf("insert range %s: %w", r, err)
	}
	n := b.rows()
	entry := JournalEntry{
		Range: r, Attempt: 1, Stored: stored.UTC().Truncate(time.Millisecond),
		TrailRows: n.trail, QuarantineRows: n.quarantine, MemberRows: n.members, GapRows: n.gaps,
		BodyHash: b.bodyHash(), writer: rand.Uint64(),
	}
	current, fresh, err := db.declare(ctx, entry)
	if err != nil {
		return fmt.Errorf("insert range %s: %w", r, err)
	}
	if current.BodyHash != entry.BodyHash || current.rows() != n {
		if current, err = db.supersede(ctx, current, entry); err != nil {
			return fmt.Errorf("insert range %s: %w", r, err)
		}
	}
	b.stamp(r, current.Stored)
	for _, t := range b.tables() {
		if t.rows == 0 {
			continue
		}
		if current, err = db.write(ctx, current, t, fresh); err != nil {
			return fmt.Errorf("insert range %s into %s: %w", r, t.name, err)
		}
	}
	return nil
}

// table is what goes into one table.
type table struct {
	name    string
	rows    uint64
	columns []column
}

// tables lists the blocks in the order in which they are written.
func (b *Blocks) tables() []table {
	return []table{
		{"gaps", uint64(b.Gaps.Rows()), b.Gaps.columns},
		{"quarantine", uint64(b.Quarantine.Rows()), b.Quarantine.columns},
		{"cohort_members", uint64(b.Members.Rows()), b.Members.columns},
		{"trail", uint64(b.Trail.Rows()), b.Trail.columns},
	}
}

// write puts one block into its table. A fresh range has never been sent, so
// that a first acknowledgement is enough; otherwise the rows are counted first,
// which also helps where the deduplication log was lost (it is never synced)
// or has forgotten the token.
func (db *DB) write(ctx context.Context, e JournalEntry, t table, fresh bool) (JournalEntry, error) {
	unclear, acknowledged := !fresh, false
	var failure error
	for try := 0; try < db.cfg.Tries; try++ {
		if err := db.pause(ctx, try, failure); err != nil {
			return e, err
		}
		if unclear {
			have, err := db.count(ctx, t.name, e.Range)
			switch {
			case err != nil:
				failure = err
				continue
			case have == t.rows:
				return e, nil
			case have != 0:
				return e, fmt.Errorf("%w: %d of %d rows are there", ErrStateUnknown, have, t.rows)
			case acknowledged:
				next := e
				next.Attempt++
				next.writer = rand.Uint64()
				if next, _, err = db.declare(ctx, next); err != nil {
					return e, err
				}
				db.log.WarnContext(ctx, "acknowledged rows are not there, sending them under a new token",
					slog.String("table", t.name), slog.String("range", e.String()), slog.Uint64("attempt", uint64(next.Attempt)))
				e = next
			}
		}
		token := e.token(t.name)
		if e.Attempt > 1 {
			token += "#" + strconv.Itoa(int(e.Attempt))
		}
		if failure = db.send(ctx, t.name, token, t.columns); failure == nil && !unclear {
			return e, nil
		}
		acknowledged = failure == nil
		unclear = true
	}
	return e, fmt.Errorf("%w: gave up after %d tries: %w", ErrUnclear, db.cfg.Tries, failure)
}

// supersede journals a range anew that was journaled with other contents,
// which happens when a program that reads events differently takes over in the
// middle of a range. It may do so only if nothing of the old is in a table and
// nothing can be on its way any more.
func (db *DB) supersede(ctx context.Context, old, entry JournalEntry) (JournalEntry, error) {
	have, err := db.countRange(ctx, old.Range)
	if err != nil {
		return old, err
	}
	if have != (rowCounts{}) {
		return old, fmt.Errorf("%w: the journal has it with other contents (%s; now %s), of which are there: %s: let the program that began the range finish it",
			ErrStateUnknown, old.rows(), entry.rows(), have)
	}
	if age := time.Since(old.WrittenAt); age < 2*db.cfg.Timeout {
		return old, fmt.Errorf("%w: the journal has it with other contents since %s; another process may still be writing it", ErrUnclear, age.Round(time.Millisecond))
	}
	entry.Attempt = old.Attempt + 1
	current, _, err := db.declare(ctx, entry)
	if err == nil && current.BodyHash != entry.BodyHash {
		err = fmt.Errorf("%w: another process journals the same range with other contents", ErrStateUnknown)
	}
	return current, err
}

// send inserts one block under one token. The context's end does not end it:
// an insert that was cut off is an outcome that must be found out.
func (db *DB) send(ctx context.Context, table, token string, columns []column) error {
	if db.hooks.before != nil {
		if err := db.hooks.before(table); err != nil {
			return err
		}
	}
	ctx, cancel := db.detach(ctx)
	defer cancel()
	err := db.pool.do(ctx, ch.Query{
		Body:  "INSERT INTO " + table + " (" + namesOf(columns) + ") VALUES",
		Input: inputOf(columns),
		Settings: []ch.Setting{
			{Key: "insert_deduplication_token", Value: token, Important: true},
			{Key: "insert_deduplicate", Value: "1", Important: true},
			{Key: "async_insert", Value: "0", Important: true},
		},
	})
	if err == nil && db.hooks.after != nil {
		return db.hooks.after(table)
	}
	return err
}

// detach is a context that does not end with ctx, but in time.
func (db *DB) detach(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), db.cfg.Timeout)
}

// pause waits before a further try, for longer each time, and returns an error
// if ctx has ended.
func (db *DB) pause(ctx context.Context, try int, failure error) error {
	if try > 0 && failure != nil {
		db.log.WarnContext(ctx, "writing the trail failed, trying again", slog.Int("try", try), slog.Any("error", failure))
		wait := time.NewTimer(min(50*time.Millisecond<<(try-1), 5*time.Second))
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-ctx.Done():
		}
	}
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrUnclear, errors.Join(err, failure))
	}
	return nil
}

// partial is an error if a table has some but not all of its rows.
func partial(r Range, have, want rowCounts) error {
	for _, n := range [][2]uint64{{have.trail, want.trail}, {have.quarantine, want.quarantine}, {have.members, want.members}, {have.gaps, want.gaps}} {
		if n[0] != 0 && n[0] != n[1] {
			return fmt.Errorf("%w: of range %s the tables have %s; the journal says %s", ErrStateUnknown, r, have, want)
		}
	}
	return nil
}

// check holds blocks against their range before anything is written: each
// offset must be somewhere, once.
func check(r Range, b *Blocks) error {
	if r.Topic == "" || r.Partition < 0 || r.First < 0 || r.Last < r.First {
		return errors.New("this is not a range of offsets")
	}
	for _, t := range b.tables() {
		if t.rows > MaxRows {
			return fmt.Errorf("%d rows for table %s are more than %d: use a shorter range", t.rows, t.name, MaxRows)
		}
	}
	inTrail, err := distinct(r, b.Trail.offset)
	if err != nil {
		return fmt.Errorf("trail: %w", err)
	}
	inQuarantine, err := distinct(r, b.Quarantine.offset)
	if err != nil {
		return fmt.Errorf("quarantine: %w", err)
	}
	if _, err := distinct(r, b.Members.offset); err != nil {
		return fmt.Errorf("members: %w", err)
	}
	inGaps := int64(0)
	for i := range b.Gaps.first {
		first, last := int64(b.Gaps.first[i]), int64(b.Gaps.last[i])
		if first < r.First || last > r.Last || last < first {
			return fmt.Errorf("the gap %d-%d is not within the range", first, last)
		}
		inGaps += last - first + 1
	}
	if total := r.Last - r.First + 1; inTrail+inQuarantine+inGaps != total {
		return fmt.Errorf("it has %d offsets, but %d are in the trail, %d in the quarantine, %d in gaps", total, inTrail, inQuarantine, inGaps)
	}
	return nil
}

// distinct counts different offsets, which must rise and lie within the range.
func distinct(r Range, offsets proto.ColUInt64) (n int64, err error) {
	previous := int64(-1)
	for _, o := range offsets {
		offset := int64(o)
		switch {
		case offset == previous:
			continue
		case offset < previous:
			return 0, fmt.Errorf("offset %d comes after %d", offset, previous)
		case offset < r.First || offset > r.Last:
			return 0, fmt.Errorf("offset %d is not within the range", offset)
		}
		previous = offset
		n++
	}
	return n, nil
}
