package trail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"time"

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
// The range is journaled first, and the contexts that its rows refer to are put
// where they belong. Then each table gets its rows as one block,
// which is one part, which is one commit: gaps, quarantine, members, and the
// trail last. After an error nobody knows whether the block is there. So its
// rows are counted; all there: go on; none: the same block goes out under the
// same token, of which ClickHouse takes one. If that is acknowledged and there
// are still no rows, the token was noted by a server that died before it had
// the part, and the block goes out under the next attempt's token, which is
// journaled before. Some but not all rows is [ErrStateUnknown].
//
// Events that ClickHouse does not take for what is in them are a
// [*RefusedError]: then call it again with these in the quarantine, and their
// number in b.Refused.
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
	began := time.Now()
	current, fresh, err := db.declare(ctx, entry)
	if err != nil {
		return fmt.Errorf("insert range %s: %w", r, err)
	}
	var base rowCounts // what is there of another attempt and stays
	other := current.BodyHash != entry.BodyHash || current.rows() != n
	if !other && !fresh && current.Attempt > 1 { // it may have been mended, and not to its end
		have, err := db.tables.countRange(ctx, r)
		if err != nil {
			return fmt.Errorf("insert range %s: %w", r, err)
		}
		other = someOf(have, n)
	}
	if other {
		if current, b, base, err = db.mend(ctx, current, entry, b); err != nil {
			return fmt.Errorf("insert range %s: %w", r, err)
		}
	}
	b.stamp(r, current.Stored)
	if err := db.writeContexts(ctx, b.Trail.context); err != nil {
		return fmt.Errorf("insert range %s: %w", r, err)
	}
	for _, t := range b.tables(base) {
		if t.rows == 0 {
			continue
		}
		err = db.write(ctx, current, t, fresh && time.Since(began) < freshFor)
		var refused *refusal
		if errors.As(err, &refused) && t.name == "trail" {
			err = db.isolate(ctx, r, current.Stored, b.Trail, refused)
		}
		if err != nil {
			return fmt.Errorf("insert range %s into %s: %w", r, t.name, err)
		}
	}
	return nil
}

// freshFor is how long after a range was journaled its first blocks go out
// without a look at the table: a process that has stood still for longer may
// find that another has taken over, long enough ago for the tokens to be
// forgotten.
const freshFor = 5 * time.Second

// table is what goes into one table.
type table struct {
	name    string
	base    uint64 // rows that are there, of another attempt
	rows    uint64 // rows to be added
	columns []column
}

// tables lists the blocks in the order in which they are written.
func (b *Blocks) tables(base rowCounts) []table {
	return []table{
		{"gaps", base.gaps, uint64(b.Gaps.Rows()), b.Gaps.columns},
		{"quarantine", base.quarantine, uint64(b.Quarantine.Rows()), b.Quarantine.columns},
		{"cohort_members", base.members, uint64(b.Members.Rows()), b.Members.columns},
		{"trail", base.trail, uint64(b.Trail.Rows()), b.Trail.columns},
	}
}

// write puts one block into its table. A fresh range has never been sent, so
// that a first acknowledgement is enough; otherwise the rows are counted first,
// which also helps where the deduplication log was lost (it is never synced)
// or has forgotten the token.
//
// Two processes may write the same range at once, each in the belief that it owns
// the partition. Both use the same tokens in the same order, each table's by
// itself, and the next one only once the one before is void: so none is there
// twice.
func (db *DB) write(ctx context.Context, e JournalEntry, t table, fresh bool) error {
	token := e.token(t.name)
	if e.Attempt > 1 {
		token += "#" + strconv.Itoa(int(e.Attempt))
	}
	unclear, acknowledged, absent, void := !fresh, false, false, 0
	var failure error
	for try := 0; try < db.cfg.Tries; try++ {
		if err := db.pause(ctx, try, failure); err != nil {
			return err
		}
		if unclear {
			have, err := db.tables.count(ctx, t.name, e.Range)
			switch {
			case err != nil:
				failure = err
				continue
			case have == t.base+t.rows:
				return nil
			case have != t.base:
				return fmt.Errorf("%w: %d of %d rows are there", ErrStateUnknown, have, t.base+t.rows)
			case acknowledged && !absent: // another process's block may be about to appear
				absent, failure = true, errAbsent
				continue
			case acknowledged:
				if void++; void > maxVoid {
					return fmt.Errorf("%w: %d tokens in a row were acknowledged, and no row is there", ErrUnclear, void)
				}
				absent, try = false, 0
				db.log.WarnContext(ctx, "acknowledged rows are not there, sending them under a new token",
					slog.String("table", t.name), slog.String("range", e.String()), slog.Int("void", void))
			}
		}
		under := token
		if void > 0 {
			under += "~" + strconv.Itoa(void)
		}
		failure = db.send(ctx, t.name, under, t.columns)
		var refused *refusal
		if failure == nil && !unclear || errors.As(failure, &refused) {
			return failure
		}
		acknowledged = failure == nil
		unclear = true
	}
	return fmt.Errorf("%w: gave up after %d tries: %w", ErrUnclear, db.cfg.Tries, failure)
}

// maxVoid is how many tokens of a block may be void; each has as many tries.
const maxVoid = 50

var errAbsent = errors.New("acknowledged rows are not there")

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
	err := asRefusal(db.tables.insert(ctx, table, token, columns))
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

// partial is an error if a table has some but not all of its rows, or more. Of
// a range that was mended some may be there: those of another attempt.
func partial(e *JournalEntry, have rowCounts) error {
	want := e.rows()
	if have.trail > want.trail || have.quarantine > want.quarantine || have.members > want.members || have.gaps > want.gaps ||
		e.Attempt == 1 && someOf(have, want) {
		return fmt.Errorf("%w: of range %s the tables have %s; the journal says %s", ErrStateUnknown, e.Range, have, want)
	}
	return nil
}

// someOf says whether a table has some but not all of its rows.
func someOf(have, want rowCounts) bool {
	some := func(have, want uint64) bool { return have != 0 && have != want }
	return some(have.trail, want.trail) || some(have.quarantine, want.quarantine) || some(have.members, want.members) || some(have.gaps, want.gaps)
}

// check holds blocks against their range before anything is written: each
// offset must be somewhere, once.
func check(r Range, b *Blocks) error {
	if r.Topic == "" || r.Partition < 0 || r.First < 0 || r.Last < r.First {
		return errors.New("this is not a range of offsets")
	}
	for _, t := range b.tables(rowCounts{}) {
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
