package trail

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Find looks for the places of an event by its source and id: the first that
// arrived and its duplicates. No index serves it, so that it reads one column
// of the whole table: it is for a developer's question, not for a loop.
func (db *DB) Find(ctx context.Context, source, id string) (places []Place, err error) {
	err = db.each(ctx, `
		SELECT time, topic, partition, offset FROM trail
		WHERE context IN (SELECT id FROM contexts WHERE source = {source:String}) AND event_id = {id:String} AND person_index = 0 AND cause = ''
		ORDER BY duplicate, recorded, topic, partition, offset LIMIT 100`+windowedSettings,
		map[string]string{"source": source, "id": id}, func(scan func(...any) error) error {
			var p Place
			var partition uint32
			var offset uint64
			if err := scan(&p.Time, &p.Topic, &partition, &offset); err != nil {
				return err
			}
			p.Partition, p.Offset = int32(partition), int64(offset)
			places = append(places, p)
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("look for an event by its id: %w", err)
	}
	return places, nil
}

// Reach says how far the trail goes, and what is not in it.
type Reach struct {
	Partitions  []PartitionReach
	Quarantined uint64 // records that could not be understood; whom they are about is not known
	Gaps        uint64 // offsets that are recorded to hold no event
}

// PartitionReach is how far the trail goes in one Kafka partition.
type PartitionReach struct {
	Topic     string
	Partition int32
	Offset    int64     // the last that became an event
	Recorded  time.Time // timestamp of its Kafka record
	Stored    time.Time // when it was stored
}

// Reach reads the newest row of each partition that the journal knows, as it
// stood at a moment; the zero time is now. As of now it may be Config.ReachFor
// old: an answer then claims less than it could.
func (db *DB) Reach(ctx context.Context, asOf time.Time) (Reach, error) {
	r, err := db.reached.of(ctx, struct{}{}, asOf, db.cfg.ReachFor, func(ctx context.Context) (Reach, error) { return db.reach(ctx, asOf) })
	r.Partitions = slices.Clone(r.Partitions)
	return r, err
}

func (db *DB) reach(ctx context.Context, asOf time.Time) (Reach, error) {
	var r Reach
	at := map[string]string{"as_of": strconv.FormatInt(openTo.UnixMilli(), 10)}
	if !asOf.IsZero() {
		at["as_of"] = strconv.FormatInt(asOf.UnixMilli(), 10)
	}
	// The journal has the bound, so that the newest row is found at once however
	// much came after that moment.
	err := db.each(ctx, `
		SELECT topic, partition, max(last) FROM journal
		WHERE NOT withdrawn AND trail_rows > 0 AND stored <= fromUnixTimestamp64Milli({as_of:Int64}, 'UTC')
		GROUP BY topic, partition ORDER BY topic, partition LIMIT 1000`, at,
		func(scan func(...any) error) error {
			var p PartitionReach
			var partition uint32
			var last uint64
			if err := scan(&p.Topic, &partition, &last); err != nil {
				return err
			}
			p.Partition, p.Offset = int32(partition), int64(last)
			r.Partitions = append(r.Partitions, p)
			return nil
		})
	if err != nil {
		return Reach{}, fmt.Errorf("list the partitions of the trail: %w", err)
	}
	there := r.Partitions[:0]
	for _, p := range r.Partitions {
		found := false
		err := db.each(ctx, `
			SELECT offset, recorded, stored FROM trail
			WHERE topic = {topic:String} AND partition = {partition:UInt32} AND offset <= {last:UInt64} AND cause = ''
				AND stored <= fromUnixTimestamp64Milli({as_of:Int64}, 'UTC')
			ORDER BY topic DESC, partition DESC, offset DESC LIMIT 1 SETTINGS optimize_use_projections = 0, max_threads = 1`,
			map[string]string{"topic": p.Topic, "partition": strconv.Itoa(int(p.Partition)), "last": strconv.FormatInt(p.Offset, 10), "as_of": at["as_of"]},
			func(scan func(...any) error) error {
				var offset uint64
				found = true
				err := scan(&offset, &p.Recorded, &p.Stored)
				p.Offset = int64(offset)
				return err
			})
		if err != nil {
			return Reach{}, fmt.Errorf("read how far partition %d of %s goes: %w", p.Partition, p.Topic, err)
		}
		if found {
			there = append(there, p)
		}
	}
	r.Partitions = there
	err = db.each(ctx, `
		SELECT
			(SELECT count() FROM quarantine WHERE stored <= fromUnixTimestamp64Milli({as_of:Int64}, 'UTC')),
			(SELECT toUInt64(sum(last - first + 1)) FROM gaps WHERE noticed <= fromUnixTimestamp64Milli({as_of:Int64}, 'UTC'))`, at,
		func(scan func(...any) error) error { return scan(&r.Quarantined, &r.Gaps) })
	if err != nil {
		return Reach{}, fmt.Errorf("count the quarantine and the gaps: %w", err)
	}
	return r, nil
}
