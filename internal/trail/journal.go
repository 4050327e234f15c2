package trail

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// Range is a run of offsets of one Kafka partition, both ends included.
type Range struct {
	Topic       string
	Partition   int32
	First, Last int64
}

// String is the range as the deduplication tokens name it.
func (r Range) String() string {
	return fmt.Sprintf("%s:%d:%d-%d", r.Topic, r.Partition, r.First, r.Last)
}

func (r Range) overlaps(o Range) bool { return r.First <= o.Last && o.First <= r.Last }

// params binds the range's parts for a query.
func (r Range) params() []any {
	return []any{
		clickhouse.Named("topic", r.Topic),
		clickhouse.Named("partition", strconv.Itoa(int(r.Partition))),
		clickhouse.Named("first", strconv.FormatInt(r.First, 10)),
		clickhouse.Named("last", strconv.FormatInt(r.Last, 10)),
	}
}

// JournalEntry says what was about to be written for a range: which date all
// of its rows carry and how many there are for each table.
type JournalEntry struct {
	Range
	Attempt        uint32    // from 1; another one when the range became another: its blocks have other tokens
	Stored         time.Time // the date of all rows, which picks the table partition
	TrailRows      uint64
	QuarantineRows uint64
	MemberRows     uint64
	GapRows        uint64
	BodyHash       [16]byte // of the events' bytes and of where each offset went
	Withdrawn      bool     // nothing was or will be sent under this attempt
	WrittenAt      time.Time

	writer uint64 // drawn anew for each Insert: tells one's own entry from another's
	order  uint64 // grows with each entry that the journal takes
}

func (e *JournalEntry) rows() rowCounts {
	return rowCounts{trail: e.TrailRows, quarantine: e.QuarantineRows, members: e.MemberRows, gaps: e.GapRows}
}

// rowCounts counts rows by table.
type rowCounts struct{ trail, quarantine, members, gaps uint64 }

func (n rowCounts) String() string {
	return fmt.Sprintf("trail %d, quarantine %d, members %d, gaps %d", n.trail, n.quarantine, n.members, n.gaps)
}

// Position says where to go on with a partition: at offset next, or, if
// pending is not nil, by doing exactly that range again, with its Stored date
// (next is then its first offset). next is -1 if nothing is known of the
// partition. What the journal and the tables say goes before whatever offset
// Kafka has for the group: a process may have died between the insert and the
// commit.
//
// An error that is [ErrStateUnknown] needs a person to look: part of a range
// is there.
func (db *DB) Position(ctx context.Context, topic string, partition int32) (next int64, pending *JournalEntry, err error) {
	// Writers go on only when a range is complete, so that only the end of the
	// journal can be unfinished.
	rows, err := db.tables.journal(ctx, journalEnd, Range{Topic: topic, Partition: partition})
	if err != nil {
		return 0, nil, err
	}
	live := latest(rows)
	live = slices.DeleteFunc(live, func(e JournalEntry) bool { return e.Withdrawn })
	if len(live) == 0 {
		return -1, nil, nil
	}
	last := live[len(live)-1]
	rivals := slices.DeleteFunc(live, func(e JournalEntry) bool { return !e.overlaps(last.Range) })
	if len(rivals) > 1 {
		if last, err = db.settle(ctx, rivals); err != nil {
			return 0, nil, err
		}
	}
	have, err := db.tables.countRange(ctx, last.Range)
	if err != nil {
		return 0, nil, err
	}
	want := last.rows()
	if have == want {
		return last.Last + 1, nil, nil
	}
	if err := partial(&last, have); err != nil {
		return 0, nil, err
	}
	return last.First, &last, nil
}

// settle tells which of several overlapping entries counts, and withdraws the
// others. Each writer sends only if it saw no other entry after its own was in
// the journal, so at most one of them was ever sent: the one that the journal
// took first, as the writers of all others have seen that. Once one is complete
// it counts. The rows of a longer range make a shorter one within it look
// complete, too, so that of the complete ones the one that reaches furthest
// does. If none is, the first is to be done again: should its block still be on
// its way, it bears the same token.
func (db *DB) settle(ctx context.Context, rivals []JournalEntry) (JournalEntry, error) {
	best := -1
	for i, e := range rivals {
		have, err := db.tables.countRange(ctx, e.Range)
		if err != nil {
			return JournalEntry{}, err
		}
		if have == e.rows() && (best < 0 || e.Last > rivals[best].Last) {
			best = i
		}
	}
	if best < 0 {
		slices.SortFunc(rivals, func(a, b JournalEntry) int { return cmp.Compare(a.order, b.order) })
		if best = 0; rivals[0].order == rivals[1].order {
			return JournalEntry{}, fmt.Errorf("%w: the journal has the overlapping ranges %s and %s, neither complete: two processes wrote one partition; when no other ingest runs, add a row with withdrawn = true for the one without rows",
				ErrStateUnknown, rivals[0].Range, rivals[1].Range)
		}
		db.log.WarnContext(ctx, "two processes began to write one partition; the range that was begun first is done again", slog.String("range", rivals[0].String()))
	}
	for i, other := range rivals {
		if i == best {
			continue
		}
		if err := db.withdraw(ctx, other); err != nil {
			return JournalEntry{}, err
		}
	}
	return rivals[best], nil
}

// declare puts an entry into the journal and reads back what stands there for
// its offsets. It returns the entry that holds for the range, which may be
// another writer's or an earlier try's: then fresh is false, and some of its
// rows may be in the tables already.
func (db *DB) declare(ctx context.Context, e JournalEntry) (current JournalEntry, fresh bool, err error) {
	var lost int // acknowledged, and yet not there
	for try := 0; try < db.cfg.Tries; try++ {
		if err := db.pause(ctx, try, err); err != nil {
			return JournalEntry{}, false, err
		}
		token := e.token("journal") + "#" + strconv.Itoa(int(e.Attempt))
		if lost > 0 {
			token += "~" + strconv.Itoa(lost)
		}
		sendErr := db.sendJournal(ctx, e, token)
		var rows []JournalEntry
		rows, err = db.tables.journal(ctx, journalOverlap, e.Range)
		if err != nil {
			err = errors.Join(sendErr, err)
			continue
		}
		entries := latest(rows)
		own := slices.IndexFunc(entries, func(o JournalEntry) bool { return o.Range == e.Range })
		if own < 0 || entries[own].Attempt < e.Attempt {
			if sendErr == nil { // dropped by a log that outlived its part
				lost++
			}
			err = sendErr
			continue
		}
		current = entries[own]
		if current.Withdrawn {
			e.Attempt, lost = current.Attempt+1, 0
			continue
		}
		fresh = current.writer == e.writer
		for i, other := range entries {
			if i == own || other.Withdrawn {
				continue
			}
			err := fmt.Errorf("%w: range %s overlaps %s in the journal, another process writes this partition", ErrStateUnknown, e.Range, other.Range)
			if fresh {
				err = errors.Join(err, db.withdraw(ctx, current))
			}
			return JournalEntry{}, false, err
		}
		return current, fresh, nil
	}
	return JournalEntry{}, false, fmt.Errorf("journal range %s: %w: gave up after %d tries: %w", e.Range, ErrUnclear, db.cfg.Tries, err)
}

// withdraw notes that an entry is void, and reads back that it is: a token may be
// known although what came under it is lost, and then the partition would stand
// still for as long as it is.
func (db *DB) withdraw(ctx context.Context, e JournalEntry) error {
	e.Withdrawn = true
	first := fmt.Sprintf("%s#%d-withdrawn", e.token("journal"), e.Attempt)
	token := first
	for lost := 1; lost <= db.cfg.Tries; lost++ {
		err := db.sendJournal(ctx, e, token)
		if err != nil { // the same token: at most one row comes of both
			err = db.sendJournal(ctx, e, token)
		}
		if err != nil {
			return fmt.Errorf("withdraw range %s from the journal: %w", e.Range, err)
		}
		rows, err := db.tables.journal(ctx, journalOverlap, e.Range)
		if err != nil {
			return fmt.Errorf("see that range %s is withdrawn from the journal: %w", e.Range, err)
		}
		if slices.ContainsFunc(latest(rows), func(o JournalEntry) bool {
			return o.Range == e.Range && (o.Withdrawn || o.Attempt > e.Attempt)
		}) {
			return nil
		}
		token = first + "~" + strconv.Itoa(lost)
	}
	return fmt.Errorf("withdraw range %s from the journal: %w: it is not there after %d tries", e.Range, ErrUnclear, db.cfg.Tries)
}

// token names what goes into one table for one range.
func (e *JournalEntry) token(table string) string {
	return fmt.Sprintf("%s-v%d:%s", table, tokenVersion, e.Range)
}

// sendJournal writes one row of the journal.
func (db *DB) sendJournal(ctx context.Context, e JournalEntry, token string) error {
	b := newJournalBlock()
	e.WrittenAt = time.Now()
	b.append(&e)
	return db.send(ctx, "journal", token, b.columns)
}

// latest reduces rows of the journal to the newest attempt of each range,
// withdrawn if a row says so, in order of the offsets.
func latest(rows []JournalEntry) []JournalEntry {
	slices.SortFunc(rows, func(a, b JournalEntry) int {
		withdrawn := func(e JournalEntry) int {
			if e.Withdrawn {
				return 1
			}
			return 0
		}
		return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.Last, b.Last),
			cmp.Compare(b.Attempt, a.Attempt), cmp.Compare(withdrawn(b), withdrawn(a)), cmp.Compare(a.order, b.order))
	})
	return slices.CompactFunc(rows, func(a, b JournalEntry) bool { return a.Range == b.Range })
}
