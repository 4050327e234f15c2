package trail

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/andmerada/andmerada/internal/register"
)

// findingColumns are what a finding tells of an event.
var findingColumns = []string{
	"event_id", "source", "operation", "time", "controller", "person", "person_index", "of", "cohort", "purpose", "recipient", "recipient_organisation",
	"recipient_country", "categories", "verdict", "rules", "unknown", "register_version", "evaluator", "judged_at", "cause", "duplicate", "topic", "partition", "offset",
}

// FindingsBetween streams the first judgements of a partition that are a review
// or a violation, from an offset up to and without another, in order, at most n
// rows. An event's rows follow one another.
func (db *DB) FindingsBetween(ctx context.Context, p Partition, from, to int64, n int) iter.Seq2[Row, error] {
	return db.rows(ctx, findingColumns, offsetWhere+" AND cause = '' AND verdict IN ('review', 'violation')"+offsetOrder, offsetParams(p, from, to, n), noProjections())
}

// VerdictsAgain streams the verdicts, whatever they are, that were given again
// after one moment and up to another, in order.
func (db *DB) VerdictsAgain(ctx context.Context, after, until time.Time) iter.Seq2[Row, error] {
	return db.rows(ctx, findingColumns,
		"WHERE cause != '' AND judged_at > fromUnixTimestamp64Milli({after:Int64}, 'UTC') AND judged_at <= fromUnixTimestamp64Milli({until:Int64}, 'UTC') ORDER BY judged_at, topic, partition, offset, person_index",
		map[string]string{"after": strconv.FormatInt(after.UnixMilli(), 10), "until": strconv.FormatInt(until.UnixMilli(), 10)}, noProjections())
}

// VerdictBefore is the verdict that stood for a row before it was judged again;
// ok is false where there is none.
func (db *DB) VerdictBefore(ctx context.Context, row *Row) (before register.Outcome, ok bool, err error) {
	rows, err := db.Event(ctx, row.Topic, row.Partition, row.Offset)
	if err != nil {
		return 0, false, fmt.Errorf("look for the verdict before: %w", err)
	}
	for i := range rows {
		if r := &rows[i]; r.PersonIndex == row.PersonIndex && (r.Cause == "" || r.JudgedAt.Before(row.JudgedAt)) {
			before, ok = r.Verdict, true // they come in the order in which they were given
		}
	}
	return before, ok, nil
}
