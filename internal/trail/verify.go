package trail

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// verifyStep is how many offsets one query of Verify looks at: it bounds the
// memory that ClickHouse needs (about 100 bytes an offset), whatever the
// length of the topic.
const verifyStep = 1_000_000

// examples is how many ranges or offsets of each fault a report names.
const examples = 20

// placesQuery reduces a run of offsets [first, last] to one row an offset and
// those to counts. It reads what was inserted, merged or not. Verdicts given
// later (cause) are left out.
const placesQuery = `
WITH places AS
(
	SELECT offset, 1 AS place, of AS rows_of, person_index AS index, if(operation = 'cohort', records, 0) AS members
	FROM trail
	WHERE topic = {topic:String} AND partition = {partition:UInt32} AND offset BETWEEN {first:UInt64} AND {last:UInt64} AND cause = ''
	UNION ALL
	SELECT offset, 2, 0, 0, 0
	FROM quarantine
	WHERE topic = {topic:String} AND partition = {partition:UInt32} AND offset BETWEEN {first:UInt64} AND {last:UInt64}
	UNION ALL
	SELECT arrayJoin(range(greatest(first, {first:UInt64}), least(last, {last:UInt64}) + 1)) AS offset, 3, 0, 0, 0
	FROM gaps
	WHERE topic = {topic:String} AND partition = {partition:UInt32} AND first <= {last:UInt64} AND last >= {first:UInt64}
	UNION ALL
	SELECT offset, 4, 0, 0, count()
	FROM cohort_members
	WHERE topic = {topic:String} AND partition = {partition:UInt32} AND offset BETWEEN {first:UInt64} AND {last:UInt64}
	GROUP BY offset
),
offsets AS
(
	SELECT
		offset,
		countIf(place = 1) AS trail_rows,
		countIf(place = 2) AS quarantined,
		countIf(place = 3) AS gap,
		if(of_max > 1, uniqExactIf(index, place = 1 AND rows_of > 1), toUInt64(trail_rows > 0)) AS indexes,
		minIf(rows_of, place = 1) AS of_min,
		maxIf(rows_of, place = 1) AS of_max,
		maxIf(index, place = 1) AS index_max,
		sumIf(members, place = 1) AS members_said,
		sumIf(members, place = 4) AS members_there,
		trail_rows > 0 OR quarantined > 0 OR gap > 0 AS present,
		quarantined > 1 OR gap > 1 OR (trail_rows > 0) + (quarantined > 0) + (gap > 0) > 1 OR trail_rows > indexes AS doubled,
		-- A listing that ClickHouse refused, or that Kafka deleted while it was being
		-- written, may have members and is no row of the trail.
		trail_rows > 0 AND (of_min != of_max OR indexes != of_max OR index_max + 1 != of_max OR members_said != members_there)
			OR members_there > 0 AND NOT present AS incomplete
	FROM places
	GROUP BY offset
)`

// Verify states the oracle: for each partition of committed, every offset from
// first (0 if it is not in the map) up to and without the committed one is in
// exactly one place, and every event has all of its rows. It reads only counts
// and works at any time, before any merge.
func (db *DB) Verify(ctx context.Context, topic string, committed, first map[int32]int64) (Report, error) {
	report := Report{Topic: topic}
	for _, partition := range slices.Sorted(maps.Keys(committed)) {
		p := PartitionReport{Partition: partition, First: first[partition], Committed: committed[partition]}
		for from := p.First; from < p.Committed; from += verifyStep {
			r := Range{Topic: topic, Partition: partition, First: from, Last: min(from+verifyStep, p.Committed) - 1}
			if err := db.verifyRange(ctx, r, &p); err != nil {
				return Report{}, fmt.Errorf("verify range %s: %w", r, err)
			}
		}
		p.Offsets = max(0, p.Committed-p.First)
		report.Partitions = append(report.Partitions, p)
	}
	return report, nil
}

// verifyRange adds what it finds in one run of offsets to the report.
func (db *DB) verifyRange(ctx context.Context, r Range, p *PartitionReport) error {
	var rows, inTrail, inQuarantine, inGaps, present, doubled, incomplete uint64
	if err := db.verifyQuery(ctx, r, "sum(trail_rows), countIf(trail_rows > 0), countIf(quarantined > 0), countIf(gap > 0), countIf(present), countIf(doubled), countIf(incomplete) FROM offsets").
		Scan(&rows, &inTrail, &inQuarantine, &inGaps, &present, &doubled, &incomplete); err != nil {
		return err
	}
	missing := r.Last - r.First + 1 - int64(present)
	p.Rows += int64(rows)
	p.Trail += int64(inTrail)
	p.Quarantine += int64(inQuarantine)
	p.Gaps += int64(inGaps)
	p.Missing += missing
	p.Doubled += int64(doubled)
	p.Incomplete += int64(incomplete)
	if doubled > 0 || incomplete > 0 {
		var twice, broken []uint64
		if err := db.verifyQuery(ctx, r, fmt.Sprintf("arraySort(groupArrayIf(%d)(offset, doubled)), arraySort(groupArrayIf(%[1]d)(offset, incomplete)) FROM (SELECT * FROM offsets ORDER BY offset)", examples)).
			Scan(&twice, &broken); err != nil {
			return err
		}
		p.DoubledOffsets = addExamples(p.DoubledOffsets, twice)
		p.IncompleteOffsets = addExamples(p.IncompleteOffsets, broken)
	}
	if err := errors.Join(db.verifyAgain(ctx, r, p), db.verifyContexts(ctx, r, p)); err != nil {
		return err
	}
	if missing > 0 && len(p.MissingRanges) < examples {
		return db.missingRanges(ctx, r, p)
	}
	return nil
}

// verifyAgain counts the verdicts given later, which are rows beside the first,
// and finds those whose first is not there. It looks at the offsets of these
// alone.
func (db *DB) verifyAgain(ctx context.Context, r Range, p *PartitionReport) error {
	const within = `topic = {topic:String} AND partition = {partition:UInt32} AND offset BETWEEN {first:UInt64} AND {last:UInt64}`
	var again, unfounded uint64
	var offsets []uint64
	if err := db.conn().QueryRow(ctx, fmt.Sprintf(`
		SELECT sum(later), countIf(firsts = 0), arraySort(groupUniqArrayIf(%d)(offset, firsts = 0))
		FROM
		(
			SELECT offset, countIf(cause != '') AS later, countIf(cause = '') AS firsts
			FROM trail
			WHERE %s AND offset IN (SELECT offset FROM trail WHERE %[2]s AND cause != '')
			GROUP BY offset, person_index
			HAVING later > 0
		) SETTINGS optimize_use_projections = 0`, examples, within), r.params()...).Scan(&again, &unfounded, &offsets); err != nil {
		return err
	}
	p.Again += int64(again)
	p.Unfounded += int64(unfounded)
	p.UnfoundedOffsets = addExamples(p.UnfoundedOffsets, offsets)
	return nil
}

// verifyContexts counts the offsets whose context is not in table contexts, so
// that nobody could say what they are about.
func (db *DB) verifyContexts(ctx context.Context, r Range, p *PartitionReport) error {
	var n uint64
	var offsets []uint64
	if err := db.conn().QueryRow(ctx, fmt.Sprintf(`
		SELECT uniqExact(offset), arraySort(groupUniqArray(%d)(offset)) FROM trail
		WHERE topic = {topic:String} AND partition = {partition:UInt32} AND offset BETWEEN {first:UInt64} AND {last:UInt64}
			AND context NOT IN (SELECT id FROM contexts) SETTINGS optimize_use_projections = 0`, examples), r.params()...).Scan(&n, &offsets); err != nil {
		return err
	}
	p.NoContext += int64(n)
	p.NoContextOffsets = addExamples(p.NoContextOffsets, offsets)
	return nil
}

func (db *DB) verifyQuery(ctx context.Context, r Range, rest string) interface{ Scan(...any) error } {
	return db.conn().QueryRow(ctx, placesQuery+" SELECT "+rest+" SETTINGS optimize_use_projections = 0", r.params()...)
}

// missingRanges finds the holes: between each present offset and the one
// before it, with an offset before the run and one after it as ends.
func (db *DB) missingRanges(ctx context.Context, r Range, p *PartitionReport) (err error) {
	rows, err := db.conn().Query(ctx, placesQuery+`
		SELECT toInt64(previous + 1), toInt64(at - 1)
		FROM
		(
			SELECT at, lagInFrame(at, 1, {first:Int64} - 1) OVER (ORDER BY at ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS previous
			FROM (SELECT toInt64(offset) AS at FROM offsets WHERE present UNION ALL SELECT {last:Int64} + 1)
		)
		WHERE at - previous > 1
		ORDER BY at
		LIMIT {examples:UInt32}
		SETTINGS optimize_use_projections = 0`,
		append(r.params(), clickhouse.Named("examples", strconv.Itoa(examples-len(p.MissingRanges))))...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var hole OffsetRange
		if err := rows.Scan(&hole.First, &hole.Last); err != nil {
			return err
		}
		if n := len(p.MissingRanges); n > 0 && p.MissingRanges[n-1].Last+1 == hole.First {
			p.MissingRanges[n-1].Last = hole.Last // one hole across two runs
			continue
		}
		p.MissingRanges = append(p.MissingRanges, hole)
	}
	return rows.Err()
}

func addExamples(to []int64, offsets []uint64) []int64 {
	for _, o := range offsets {
		if len(to) == examples {
			break
		}
		to = append(to, int64(o))
	}
	return to
}
