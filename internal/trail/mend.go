package trail

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// present are the offsets of a range that are in the tables, by table.
type present struct {
	trail, quarantine, members map[int64]bool
	gaps                       []OffsetRange // in order
}

// anywhere says whether an offset is accounted for.
func (p *present) anywhere(offset int64) bool {
	return p.trail[offset] || p.quarantine[offset] || slices.ContainsFunc(p.gaps, func(g OffsetRange) bool { return g.First <= offset && offset <= g.Last })
}

// mend journals a range anew that became something else than the journal says:
// Kafka deleted or compacted part of it after it was begun, ClickHouse has
// refused an event of it, or a program that reads events differently took over.
// What is in the tables stays; only what is missing goes out, under the tokens
// of a further attempt, so that each offset ends in one place. No block of the
// old attempt may then be on its way any more: it waits for that, unless the
// caller knows that ClickHouse has refused it.
//
// A crash after it leaves an attempt that is not complete, which is mended in
// its turn.
func (db *DB) mend(ctx context.Context, old, entry JournalEntry, b *Blocks) (JournalEntry, *Blocks, rowCounts, error) {
	none := rowCounts{}
	if age := time.Since(old.WrittenAt); age < 2*db.cfg.Timeout && b.Refused == 0 {
		return old, nil, none, fmt.Errorf("%w: the journal has it with other contents since %s (%s; now %s); another process may still be writing it",
			ErrUnclear, age.Round(time.Millisecond), old.rows(), entry.rows())
	}
	there, err := db.tables.present(ctx, old.Range)
	if err != nil {
		return old, nil, none, err
	}
	have, err := db.tables.countRange(ctx, old.Range)
	if err != nil {
		return old, nil, none, err
	}
	rest, err := b.without(there)
	if err != nil {
		return old, nil, none, err
	}
	add := rest.rows()
	entry.Attempt, entry.Stored = old.Attempt+1, old.Stored
	entry.TrailRows, entry.QuarantineRows = have.trail+add.trail, have.quarantine+add.quarantine
	entry.MemberRows, entry.GapRows = have.members+add.members, have.gaps+add.gaps
	current, _, err := db.declare(ctx, entry)
	if err != nil {
		return old, nil, none, err
	}
	if current.BodyHash != entry.BodyHash || current.rows() != entry.rows() {
		return old, nil, none, fmt.Errorf("%w: another process journals the same range with other contents", ErrUnclear)
	}
	db.log.WarnContext(ctx, "a range that was begun has become another; what is missing of it is added", slog.String("range", old.String()),
		slog.Uint64("attempt", uint64(current.Attempt)), slog.String("was", old.rows().String()), slog.String("there", have.String()), slog.String("added", add.String()))
	return current, rest, have, nil
}

// without is what blocks have beyond what is there: an offset that is in some
// table stays where it is.
func (b *Blocks) without(there *present) (*Blocks, error) {
	rest := NewBlocks()
	var err error
	if rest.Trail, err = b.Trail.pick(func(offset int64) bool { return !there.anywhere(offset) }); err != nil {
		return nil, err
	}
	for i := range b.Quarantine.Rows() {
		if row := b.Quarantine.row(i); !there.anywhere(row.Offset) {
			rest.Quarantine.Append(&row)
		}
	}
	for i := range b.Members.Rows() {
		if row := b.Members.row(i); !there.members[row.Offset] && (there.trail[row.Offset] || !there.anywhere(row.Offset)) {
			rest.Members.Append(&row)
		}
	}
	for i := range b.Gaps.Rows() {
		gap := b.Gaps.row(i)
		for first := gap.First; first <= gap.Last; first++ {
			if there.anywhere(first) {
				continue
			}
			last := first
			for last < gap.Last && !there.anywhere(last+1) {
				last++
			}
			rest.Gaps.Append(Gap{First: first, Last: last, Reason: gap.Reason})
			first = last
		}
	}
	return rest, nil
}

// pick is a block of the rows of the offsets that are wanted.
func (b *Block) pick(want func(offset int64) bool) (*Block, error) {
	picked := NewBlock()
	c := b.context
	c.resolved = c.resolved[:0]
	for _, k := range c.ids {
		what, err := parseContext(k.encoded)
		if err != nil {
			return nil, err
		}
		c.resolved = append(c.resolved, what)
	}
	b.stored.fill(b.Rows(), time.Time{}) // row reads them; the range's come later
	b.stamp(Range{}, time.Time{})
	for i := range b.Rows() {
		if want(int64(b.offset[i])) {
			row := b.row(i)
			picked.Append(&row)
		}
	}
	return picked, nil
}
