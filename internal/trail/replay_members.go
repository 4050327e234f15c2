package trail

import (
	"context"
	"fmt"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
)

// maxCohorts is how many cohorts one query asks for.
const maxCohorts = 1000

// MembersOf reads who belongs to cohorts of a controller. A member may come
// more than once, in a listing that was sent again.
func (db *DB) MembersOf(ctx context.Context, controller string, cohorts []string, f func(cohort string, person [16]byte)) error {
	for len(cohorts) > 0 {
		n := min(maxCohorts, len(cohorts))
		cohort := newWords(make(shared))
		var person proto.ColFixedStr16
		q := ch.Query{
			Body: `SELECT cohort_id, person FROM cohort_members
				WHERE controller = {controller:String} AND has({cohorts:Array(String)}, cohort_id)`,
			Parameters: parameters(map[string]string{"controller": controller, "cohorts": textArray(cohorts[:n])}),
			Result:     proto.Results{{Name: "cohort_id", Data: cohort}, {Name: "person", Data: &person}},
			OnResult: func(_ context.Context, block proto.Block) error {
				for i := range block.Rows {
					f(cohort.Row(i), person[i])
				}
				return nil
			},
		}
		if err := db.pool.do(ctx, q); err != nil {
			return fmt.Errorf("read the members of %d cohorts: %w", n, err)
		}
		cohorts = cohorts[n:]
	}
	return nil
}

// parameters are a query's parameters as they travel.
func parameters(values map[string]string) []proto.Parameter {
	list := make([]proto.Parameter, 0, len(values))
	for name, value := range values {
		list = append(list, proto.Parameter{Key: name, Value: "'" + quoteParameter.Replace(escapeParameter.Replace(value)) + "'"})
	}
	return list
}
