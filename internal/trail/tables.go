package trail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/ClickHouse/ch-go"
)

// tables are what the protocol of a range ([DB.Insert], [DB.Position]) needs of
// the place where the rows are kept: ClickHouse, or [Memory].
type tables interface {
	// insert puts a block into a table, whole or not at all, and only if none
	// came under the token before. After an error either may be so.
	insert(ctx context.Context, table, token string, columns []column) error

	// count counts the rows of a range in one table, countRange in all.
	count(ctx context.Context, table string, r Range) (uint64, error)
	countRange(ctx context.Context, r Range) (rowCounts, error)

	// present tells which offsets of a range are where.
	present(ctx context.Context, r Range) (*present, error)

	// trial makes a place where blocks of the trail can be tried, and says how to
	// be rid of it.
	trial(ctx context.Context) (try func(columns []column) error, done func(), err error)

	// journal reads part of the journal of the range's partition, in any order.
	journal(ctx context.Context, part journalPart, r Range) ([]JournalEntry, error)
}

// journalPart says which of a partition's entries are asked for.
type journalPart int

const (
	journalEnd     journalPart = iota // the hundred that begin last
	journalOverlap                    // those that share an offset with the range
)

var journalWhere = map[journalPart]string{
	journalEnd:     "WHERE topic = {topic:String} AND partition = {partition:UInt32} ORDER BY first DESC, attempt DESC LIMIT 100",
	journalOverlap: "WHERE topic = {topic:String} AND partition = {partition:UInt32} AND first <= {last:UInt64} AND last >= {first:UInt64}",
}

// clickhouseTables are the tables in ClickHouse.
type clickhouseTables struct{ *DB }

func (c clickhouseTables) insert(ctx context.Context, table, token string, columns []column) error {
	return c.pool.insert(ctx, table, token, columns)
}

func (p *pool) insert(ctx context.Context, table, token string, columns []column) error {
	return p.do(ctx, ch.Query{
		Body:  "INSERT INTO " + table + " (" + namesOf(columns) + ") VALUES",
		Input: inputOf(columns),
		Settings: []ch.Setting{
			{Key: "insert_deduplication_token", Value: token, Important: true},
			{Key: "insert_deduplicate", Value: "1", Important: true},
			{Key: "async_insert", Value: "0", Important: true},
			// Of an insert whose sender has died, the rest may come from the network when
			// another has written the range and its token is forgotten: it comes too late.
			{Key: "receive_timeout", Value: strconv.Itoa(insertSilence), Important: true},
		},
	})
}

// countQueries count the rows of one range, by table. Verdicts given later
// (cause) are rows of their own at the same offset and are not counted.
var countQueries = map[string]string{
	"trail":          "SELECT count() FROM trail WHERE topic = {topic:String} AND partition = {partition:UInt32} AND offset BETWEEN {first:UInt64} AND {last:UInt64} AND cause = ''",
	"quarantine":     "SELECT count() FROM quarantine WHERE topic = {topic:String} AND partition = {partition:UInt32} AND offset BETWEEN {first:UInt64} AND {last:UInt64}",
	"cohort_members": "SELECT count() FROM cohort_members WHERE topic = {topic:String} AND partition = {partition:UInt32} AND offset BETWEEN {first:UInt64} AND {last:UInt64}",
	"gaps":           "SELECT count() FROM gaps WHERE topic = {topic:String} AND partition = {partition:UInt32} AND first BETWEEN {first:UInt64} AND {last:UInt64}",
}

func (c clickhouseTables) count(ctx context.Context, table string, r Range) (n uint64, err error) {
	ctx, cancel := c.detach(ctx)
	defer cancel()
	if err := c.conn().QueryRow(ctx, countQueries[table], r.params()...).Scan(&n); err != nil {
		return 0, fmt.Errorf("count the rows of range %s in %s: %w", r, table, err)
	}
	return n, nil
}

func (c clickhouseTables) countRange(ctx context.Context, r Range) (n rowCounts, err error) {
	ctx, cancel := c.detach(ctx)
	defer cancel()
	query := "SELECT (" + countQueries["trail"] + "), (" + countQueries["quarantine"] + "), (" +
		countQueries["cohort_members"] + "), (" + countQueries["gaps"] + ")"
	if err := c.conn().QueryRow(ctx, query, r.params()...).Scan(&n.trail, &n.quarantine, &n.members, &n.gaps); err != nil {
		return rowCounts{}, fmt.Errorf("count the rows of range %s: %w", r, err)
	}
	return n, nil
}

func (c clickhouseTables) journal(ctx context.Context, part journalPart, r Range) (entries []JournalEntry, err error) {
	ctx, cancel := c.detach(ctx)
	defer cancel()
	rows, err := c.conn().Query(ctx, `SELECT first, last, attempt, stored, trail_rows, quarantine_rows, member_rows, gap_rows,
		body_hash, withdrawn, writer, written_at, _block_number FROM journal `+journalWhere[part], r.params()...)
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		e := JournalEntry{Range: r}
		var first, last uint64
		var bodyHash string
		if err := rows.Scan(&first, &last, &e.Attempt, &e.Stored, &e.TrailRows, &e.QuarantineRows, &e.MemberRows, &e.GapRows,
			&bodyHash, &e.Withdrawn, &e.writer, &e.WrittenAt, &e.order); err != nil {
			return nil, fmt.Errorf("read the journal: %w", err)
		}
		e.First, e.Last = int64(first), int64(last)
		copy(e.BodyHash[:], bodyHash)
		entries = append(entries, e)
	}
	return entries, rows.Err()
}

func (c clickhouseTables) present(ctx context.Context, r Range) (*present, error) {
	p := &present{trail: make(map[int64]bool), quarantine: make(map[int64]bool), members: make(map[int64]bool)}
	const within = " WHERE topic = {topic:String} AND partition = {partition:UInt32} AND "
	read := func(query string, add func(first, last int64)) (err error) {
		rows, err := c.conn().Query(ctx, query, r.params()...)
		if err != nil {
			return fmt.Errorf("look for the rows of range %s: %w", r, err)
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		for rows.Next() {
			var first, last uint64
			if err := rows.Scan(&first, &last); err != nil {
				return fmt.Errorf("look for the rows of range %s: %w", r, err)
			}
			add(int64(first), int64(last))
		}
		return rows.Err()
	}
	ctx, cancel := c.detach(ctx)
	defer cancel()
	const offsets = "offset BETWEEN {first:UInt64} AND {last:UInt64}"
	return p, errors.Join(
		read("SELECT DISTINCT offset, offset FROM trail"+within+offsets+" AND cause = ''", func(o, _ int64) { p.trail[o] = true }),
		read("SELECT offset, offset FROM quarantine"+within+offsets, func(o, _ int64) { p.quarantine[o] = true }),
		read("SELECT DISTINCT offset, offset FROM cohort_members"+within+offsets, func(o, _ int64) { p.members[o] = true }),
		read("SELECT first, last FROM gaps"+within+"first <= {last:UInt64} AND last >= {first:UInt64}", func(first, last int64) { p.gaps = append(p.gaps, OffsetRange{first, last}) }),
	)
}

// trialTable is made like the trail, with its constraints and all that is
// computed for a row.
const trialTable = "trail_trial"

func (c clickhouseTables) trial(ctx context.Context) (func([]column) error, func(), error) {
	drop := func() error {
		ctx, cancel := c.detach(ctx)
		defer cancel()
		return c.conn().Exec(ctx, "DROP TABLE IF EXISTS "+trialTable+" SYNC")
	}
	if err := drop(); err != nil {
		return nil, nil, fmt.Errorf("make table %s: %w", trialTable, err)
	}
	if err := c.conn().Exec(ctx, "CREATE TABLE "+trialTable+" AS trail"); err != nil {
		return nil, nil, fmt.Errorf("make table %s: %w", trialTable, err)
	}
	try := func(columns []column) error {
		ctx, cancel := c.detach(ctx)
		defer cancel()
		return c.insert(ctx, trialTable, "", columns)
	}
	return try, func() {
		if err := drop(); err != nil {
			c.log.WarnContext(ctx, "the table for trials is left over; drop it", slog.String("table", trialTable), slog.Any("error", err))
		}
	}, nil
}

// insertSilence is how many seconds ClickHouse waits for the rest of an insert.
// By itself it waits for 300, in which a thousand other blocks may make it
// forget the token.
const insertSilence = 60
