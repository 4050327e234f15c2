package trail

import (
	"context"
	"iter"
)

// Found streams what stands out in a topic: each first verdict that is not
// allowed, with the event's source and id and the rules that it rests on. Other
// fields of the rows are zero.
func (db *DB) Found(ctx context.Context, topic string) iter.Seq2[Row, error] {
	return db.rows(ctx, []string{"source", "event_id", "controller", "verdict", "rules", "topic", "partition", "offset"},
		"WHERE topic = {topic:String} AND verdict IN ('review', 'violation') AND cause = '' AND NOT duplicate",
		map[string]string{"topic": topic})
}
