package trail

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
)

// ActsList lists the selected events, newest first, at most n, those before the
// given place if there is one: each once, however many persons it is about, with
// the worst of its verdicts.
func (db *DB) ActsList(ctx context.Context, a Acts, before *Place, n int) ([]Row, error) {
	params, err := a.params()
	if err != nil {
		return nil, err
	}
	where := "1"
	if before != nil {
		where = `time <= fromUnixTimestamp64Milli({before_time:Int64}, 'UTC')
			AND (time, topic, partition, offset) < (fromUnixTimestamp64Milli({before_time:Int64}, 'UTC'), {before_topic:String}, {before_partition:UInt32}, {before_offset:UInt64})`
		beforeParams(params, before)
	}
	params["n"] = strconv.Itoa(min(max(n, 1), maxPage))
	columns := strings.Join(quoted(PersonColumns), ", ")
	var rows []Row
	err = db.fewFirst(a, func(a Acts) (err error) {
		rows, err = collect(db.rowsWith(ctx, a.withPersons, PersonColumns, "(SELECT "+columns+" FROM "+a.standing(columns)+" WHERE "+where+`)
		ORDER BY time DESC, topic DESC, partition DESC, offset DESC, verdict DESC, person_index
		LIMIT 1 BY topic, partition, offset
		LIMIT {n:UInt32}`, params, append(a.settings(), bounded())...))
		return err
	})
	return rows, err
}

// ActsIDs streams the source, the id, the time and the records of the selected
// events, each event once, in order of source and id.
func (db *DB) ActsIDs(ctx context.Context, a Acts, f func(source, id string, at time.Time, records uint64) error) error {
	params, err := a.params()
	if err != nil {
		return err
	}
	source := newWords(make(shared))
	var id proto.ColStr
	var at millis
	var records proto.ColUInt64
	err = db.fewFirst(a, func(a Acts) error {
		return db.pool.do(ctx, ch.Query{
			Body: `SELECT c.source AS source, t.event_id AS id, min(t.time) AS at, max(t.records) AS n
			FROM ` + a.standing("event_id, context, time, verdict, records") + ` AS t ANY LEFT JOIN contexts AS c ON t.context = c.id
			GROUP BY source, id ORDER BY source, id`,
			Parameters: parameters(params),
			Settings:   append(a.byTime(), setting("max_execution_time", "60")),
			Result:     proto.Results{{Name: "source", Data: source}, {Name: "id", Data: &id}, {Name: "at", Data: &at}, {Name: "n", Data: &records}},
			OnResult: func(_ context.Context, block proto.Block) error {
				for i := range block.Rows {
					if err := f(source.Row(i), id.Row(i), at.at(i), records[i]); err != nil {
						return err
					}
				}
				return nil
			},
		})
	})
	if err != nil {
		return fmt.Errorf("list the ids of events: %w", err)
	}
	return nil
}

// maxActors bounds how many actors are looked through.
const maxActors = 200_000

// ActorsIn lists the ids of who acted for a controller in the time of a
// selection; whole is false if there were more.
func (db *DB) ActorsIn(ctx context.Context, a Acts) (ids []string, whole bool, err error) {
	in := Acts{Controller: a.Controller, From: a.From, To: a.To, Persons: a.Persons}
	params, err := in.params()
	if err != nil {
		return nil, false, err
	}
	var actor proto.ColStr
	err = db.pool.do(ctx, ch.Query{
		Body:       "SELECT DISTINCT CAST(actor, 'String') AS id FROM trail WHERE " + in.rowConditions() + " LIMIT " + strconv.Itoa(maxActors+1),
		Parameters: parameters(params),
		Settings:   append(in.settings(), bounded()),
		Result:     proto.Results{{Name: "id", Data: &actor}},
		OnResult: func(_ context.Context, block proto.Block) error {
			for i := range block.Rows {
				ids = append(ids, actor.Row(i))
			}
			return nil
		},
	})
	if err != nil {
		return nil, false, fmt.Errorf("list who acted: %w", err)
	}
	return ids[:min(len(ids), maxActors)], len(ids) <= maxActors, nil
}
