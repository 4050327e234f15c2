package trail

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/ch-go"
)

// Bounds of merging what lies still.
const (
	fewParts   = 4              // so many parts of a quarter are left as they are, if all but one are small
	smallShare = 20             // small is a twentieth of the quarter, all of them together
	mergeGrace = 24 * time.Hour // after a quarter's end: ranges that were begun in it are written by then
	mergeLimit = 2 * time.Hour  // of one quarter
)

// MergeClosed merges the quarters that are over and lie in more than one part worth
// it, each into one, and says how many it has merged. ClickHouse's own merges stop at some tens of
// parts a year, and a person is looked for in every one: a millisecond or two
// each. It costs about 3 µs of ClickHouse's CPU a row, once. A crash, of either
// side, leaves the parts as they were.
//
// Two that do it at once do no harm, but do it twice: see [Lease].
func (db *DB) MergeClosed(ctx context.Context) (merged int, err error) {
	type quarter struct{ table, partition string }
	var all []quarter
	err = db.each(ctx, `SELECT table, partition_id FROM system.parts
		WHERE active AND database = currentDatabase() AND table IN ('trail', 'cohort_members')
			AND toDate(partition) < toStartOfQuarter(now('UTC') - {grace:UInt32})
		GROUP BY table, partition_id HAVING count() > {few:UInt32} OR (sum(rows) - max(rows)) * {share:UInt32} > sum(rows) ORDER BY table, partition_id`,
		map[string]string{"grace": fmt.Sprint(int(mergeGrace.Seconds())), "few": fmt.Sprint(fewParts), "share": fmt.Sprint(smallShare)}, func(scan func(...any) error) error {
			var q quarter
			err := scan(&q.table, &q.partition)
			all = append(all, q)
			return err
		})
	if err != nil {
		return 0, fmt.Errorf("look for quarters to merge: %w", err)
	}
	for _, q := range all {
		if !isPartitionID(q.partition) {
			return merged, errors.New("merge a quarter: ClickHouse's id of it is not one")
		}
		if err := db.mergeQuarter(ctx, q.table, q.partition); err != nil {
			return merged, fmt.Errorf("merge quarter %s of table %s: %w", q.partition, q.table, err)
		}
		merged++
	}
	return merged, nil
}

func (db *DB) mergeQuarter(ctx context.Context, table, partition string) error {
	ctx, cancel := context.WithTimeout(ctx, mergeLimit)
	defer cancel()
	return db.pool.do(ctx, ch.Query{Body: "OPTIMIZE TABLE " + table + " PARTITION ID '" + partition + "' FINAL"})
}

// isPartitionID says whether it is what ClickHouse calls a quarter, as 20260401.
func isPartitionID(s string) bool {
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(s) == len("20260401")
}
