package trail

import (
	"context"
	"iter"
)

// Whole streams everything that the trail says of the events at places, in order:
// of each person's row the first judgement, then those given later. Ask for at
// most 1000 places at once.
func (db *DB) Whole(ctx context.Context, places []Judged) iter.Seq2[Row, error] {
	return db.rows(ctx, nil, placesWhere+" ORDER BY topic, partition, offset, person_index, judged_at, cause", placesParams(places), noProjections(), bounded())
}
