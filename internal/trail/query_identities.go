package trail

import (
	"context"
	"fmt"
	"strconv"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
)

// isIdentity holds of the rows of an identity fact: there is one for each
// pseudonym that it names.
const isIdentity = "fact = 'identity' AND NOT duplicate"

// identitiesOf selects which pseudonyms of the table persons identity facts name,
// and where these facts are. It reads the projection identities, to whose letter
// it is written: a controller has few such facts, whatever else it has.
const identitiesOf = `
	SELECT if(` + isIdentity + `, person, toFixedString('', 16)) AS whom,
		if(` + isIdentity + `, topic, '') AS in_topic, if(` + isIdentity + `, partition, 0) AS in_partition, if(` + isIdentity + `, offset, 0) AS at_offset
	FROM trail
	WHERE controller = {controller:String} AND whom IN (SELECT person FROM persons) AND whom != toFixedString('', 16)
	GROUP BY controller, whom, in_topic, in_partition, at_offset`

// identities selects as identitiesOf does what is known as of the question's moment.
func (q *PersonQuery) identities() (found string, params map[string]string) {
	found, params = identitiesOf, map[string]string{"controller": q.Controller}
	if !q.AsOf.IsZero() {
		found += " HAVING min(judged_at) <= fromUnixTimestamp64Milli({as_of:Int64}, 'UTC')"
		params["as_of"] = strconv.FormatInt(q.AsOf.UnixMilli(), 10)
	}
	return "(" + found + ")", params
}

// Identities tells whom the identity facts name that name one of q's persons, fact
// by fact. When the events were does not matter.
func (db *DB) Identities(ctx context.Context, q PersonQuery, f func(at Judged, person [16]byte)) error {
	found, params := q.identities()
	topic := newLowCard()
	var partition proto.ColUInt32
	var offset proto.ColUInt64
	var person proto.ColFixedStr16
	err := db.pool.do(ctx, ch.Query{
		Body: `SELECT topic, partition, offset, person FROM trail
			WHERE (topic, partition, offset) IN (SELECT in_topic, in_partition, at_offset FROM ` + found + ") AND " + isIdentity + `
			ORDER BY topic, partition, offset, person`,
		Parameters:    parameters(params),
		ExternalData:  personsTable(q.Persons, nil),
		ExternalTable: "persons",
		Settings:      []ch.Setting{setting("query_plan_optimize_lazy_materialization", "0"), setting("use_statistics", "0"), setting("max_execution_time", "60")},
		Result:        proto.Results{{Name: "topic", Data: topic}, {Name: "partition", Data: &partition}, {Name: "offset", Data: &offset}, {Name: "person", Data: &person}},
		OnResult: func(_ context.Context, block proto.Block) error {
			for i := range block.Rows {
				f(Judged{Partition: Partition{topic.Row(i), int32(partition[i])}, Offset: int64(offset[i])}, person[i])
			}
			return nil
		},
	})
	if err != nil {
		return fmt.Errorf("look for identity facts: %w", err)
	}
	return nil
}
