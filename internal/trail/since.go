package trail

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Since says from which offset on to [DB.Verify] what each of the partitions got
// since t: the beginning of the range that was in hand then, as its rows may have
// come any time later; 0 where the journal had nothing before t. It reads the end
// of the journal only.
func (db *DB) Since(ctx context.Context, topic string, partitions []int32, t time.Time) (map[int32]int64, error) {
	from := make(map[int32]int64, len(partitions))
	for _, partition := range partitions {
		var rows []JournalEntry
		// A void range is two rows, and there are no more of these than there were
		// rebalances: of a hundred rows one counts.
		err := db.each(ctx, `SELECT first, last, attempt, withdrawn FROM journal
			WHERE topic = {topic:String} AND partition = {partition:UInt32} AND written_at < fromUnixTimestamp64Milli({before:Int64}, 'UTC')
			ORDER BY first DESC, attempt DESC LIMIT 100`, map[string]string{
			"topic": topic, "partition": strconv.Itoa(int(partition)), "before": strconv.FormatInt(t.UnixMilli(), 10),
		}, func(scan func(...any) error) error {
			var first, last uint64
			e := JournalEntry{Range: Range{Topic: topic, Partition: partition}}
			err := scan(&first, &last, &e.Attempt, &e.Withdrawn)
			e.First, e.Last = int64(first), int64(last)
			rows = append(rows, e)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("ask the journal of %s:%d what was in hand at %s: %w", topic, partition, t.UTC().Format(time.RFC3339), err)
		}
		live := slices.DeleteFunc(latest(rows), func(e JournalEntry) bool { return e.Withdrawn })
		from[partition] = 0
		if len(live) > 0 {
			last := live[len(live)-1].Range
			rival := slices.IndexFunc(live, func(e JournalEntry) bool { return e.overlaps(last) }) // at the latest itself
			from[partition] = live[rival].First
		}
	}
	return from, nil
}
