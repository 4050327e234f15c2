package trail

import (
	"context"
	"fmt"
)

// countQueries count the rows of one range, by table. Verdicts given later
// (cause) are rows of their own at the same offset and are not counted.
var countQueries = map[string]string{
	"trail":          "SELECT count() FROM trail WHERE topic = {topic:String} AND partition = {partition:UInt32} AND offset BETWEEN {first:UInt64} AND {last:UInt64} AND cause = ''",
	"quarantine":     "SELECT count() FROM quarantine WHERE topic = {topic:String} AND partition = {partition:UInt32} AND offset BETWEEN {first:UInt64} AND {last:UInt64}",
	"cohort_members": "SELECT count() FROM cohort_members WHERE topic = {topic:String} AND partition = {partition:UInt32} AND offset BETWEEN {first:UInt64} AND {last:UInt64}",
	"gaps":           "SELECT count() FROM gaps WHERE topic = {topic:String} AND partition = {partition:UInt32} AND first BETWEEN {first:UInt64} AND {last:UInt64}",
}

// count counts the rows of a range in one table.
func (db *DB) count(ctx context.Context, table string, r Range) (n uint64, err error) {
	ctx, cancel := db.detach(ctx)
	defer cancel()
	if err := db.conn().QueryRow(ctx, countQueries[table], r.params()...).Scan(&n); err != nil {
		return 0, fmt.Errorf("count the rows of range %s in %s: %w", r, table, err)
	}
	return n, nil
}

// countRange counts the rows of a range in all tables.
func (db *DB) countRange(ctx context.Context, r Range) (n rowCounts, err error) {
	ctx, cancel := db.detach(ctx)
	defer cancel()
	query := "SELECT (" + countQueries["trail"] + "), (" + countQueries["quarantine"] + "), (" +
		countQueries["cohort_members"] + "), (" + countQueries["gaps"] + ")"
	if err := db.conn().QueryRow(ctx, query, r.params()...).Scan(&n.trail, &n.quarantine, &n.members, &n.gaps); err != nil {
		return rowCounts{}, fmt.Errorf("count the rows of range %s: %w", r, err)
	}
	return n, nil
}
