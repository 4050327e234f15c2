package trail

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go/proto"

	"github.com/andmerada/andmerada/internal/identity"
)

// QuarantineFilter selects records of the quarantine; what is zero selects all.
type QuarantineFilter struct {
	Reason string
	Source string
	Since  time.Time        // stored then or later
	Until  time.Time        // stored before
	Range  *Range           // at these offsets; nil is any
	Places []identity.Place // these and no others; nil is any, at most [MaxQuarantinePlaces]
}

// MaxQuarantinePlaces bounds the places of a [QuarantineFilter], and a page.
const MaxQuarantinePlaces = 1000

func (f *QuarantineFilter) where(params map[string]string) string {
	where := "1"
	if f.Reason != "" {
		where += " AND reason = {reason:String}"
		params["reason"] = f.Reason
	}
	if f.Source != "" {
		where += " AND source = {source:String}"
		params["source"] = f.Source
	}
	if !f.Since.IsZero() {
		where += " AND stored >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')"
		params["since"] = strconv.FormatInt(f.Since.UnixMilli(), 10)
	}
	if !f.Until.IsZero() {
		where += " AND stored < fromUnixTimestamp64Milli({until:Int64}, 'UTC')"
		params["until"] = strconv.FormatInt(f.Until.UnixMilli(), 10)
	}
	if f.Range != nil {
		where += " AND topic = {topic:String} AND partition = {partition:UInt32} AND offset BETWEEN {first:UInt64} AND {last:UInt64}"
		params["topic"], params["partition"] = f.Range.Topic, strconv.Itoa(int(f.Range.Partition))
		params["first"], params["last"] = strconv.FormatInt(f.Range.First, 10), strconv.FormatInt(f.Range.Last, 10)
	}
	if f.Places != nil {
		where += " AND " + atPlaces
		quarantinePlaces(params, f.Places)
	}
	return where
}

// atPlaces holds of rows at the places of placesParams, or of quarantinePlaces.
const atPlaces = `(topic, partition, offset) IN
	(
		SELECT unhex(place.1), place.2, place.3
		FROM (SELECT arrayJoin(arrayZip({topics:Array(String)}, {partitions:Array(UInt32)}, {offsets:Array(UInt64)})) AS place)
	)`

func quarantinePlaces(params map[string]string, places []identity.Place) {
	var topics, partitions, offsets []string
	for _, p := range places {
		topics = append(topics, "'"+hex.EncodeToString([]byte(p.Topic))+"'")
		partitions = append(partitions, strconv.Itoa(int(p.Partition)))
		offsets = append(offsets, strconv.FormatInt(p.Offset, 10))
	}
	for name, list := range map[string][]string{"topics": topics, "partitions": partitions, "offsets": offsets} {
		params[name] = "[" + strings.Join(list, ",") + "]"
	}
}

// QuarantineReason is what the quarantine holds for one reason.
type QuarantineReason struct {
	Reason      string
	Count       uint64
	Replayed    uint64    // of these, records that were sent again
	LastHour    uint64    // of Count, those of the last hour
	First, Last time.Time // when they were stored
	Sources     []string  // at most 20; "" where the source could not be read
	SourceCount uint64
	Example     identity.Place // the newest
}

// QuarantineReasons sums up the quarantine by reason, the most frequent first.
func (db *DB) QuarantineReasons(ctx context.Context, f QuarantineFilter) (all []QuarantineReason, err error) {
	params := make(map[string]string)
	err = db.each(ctx, `
		SELECT reason, count(),
			countIf((topic, partition, offset) IN (SELECT topic, partition, offset FROM quarantine_replay WHERE acknowledged)),
			countIf(stored >= now64(3, 'UTC') - INTERVAL 1 HOUR), min(stored), max(stored), arraySort(groupUniqArray(20)(toString(source))), uniqExact(source),
			argMax(toString(topic), (stored, topic, partition, offset)), argMax(partition, (stored, topic, partition, offset)), argMax(offset, (stored, topic, partition, offset))
		FROM quarantine WHERE `+f.where(params)+`
		GROUP BY reason ORDER BY count() DESC, reason LIMIT 1000`, params, func(scan func(...any) error) error {
		var r QuarantineReason
		var partition uint32
		var offset uint64
		if err := scan(&r.Reason, &r.Count, &r.Replayed, &r.LastHour, &r.First, &r.Last, &r.Sources, &r.SourceCount, &r.Example.Topic, &partition, &offset); err != nil {
			return err
		}
		r.Example.Partition, r.Example.Offset = int32(partition), int64(offset)
		all = append(all, r)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("sum up the quarantine: %w", err)
	}
	return all, nil
}

// Quarantined is a record of the quarantine without its bytes, and what is
// known of its replays.
type Quarantined struct {
	identity.Place
	QuarantineRow
	Stored time.Time

	// Root is the record that this one is a copy of: of itself if it is none.
	Root identity.Place
	// Sends are how often Root was sent again and acknowledged by Kafka, and
	// Returned how many of its copies are in the quarantine.
	Sends, Returned uint64
	LastSent        time.Time
	// Sent are the hashes of the copies that Kafka has acknowledged, and Mended
	// who sent the last that was not as it had been, and why.
	Sent   [][16]byte
	Mended Mended
}

// Mended says who has mended a record, and why.
type Mended struct{ By, Why string }

// Quarantined lists the records that a filter selects, by topic, partition and
// offset, those after a place if one is given, at most n.
func (db *DB) Quarantined(ctx context.Context, f QuarantineFilter, after *identity.Place, n int) (all []Quarantined, err error) {
	params := map[string]string{"n": strconv.Itoa(min(n, MaxQuarantinePlaces))}
	where := f.where(params)
	if after != nil {
		where += " AND (topic, partition, offset) > ({after_topic:String}, {after_partition:UInt32}, {after_offset:UInt64})"
		params["after_topic"], params["after_partition"], params["after_offset"] = after.Topic, strconv.Itoa(int(after.Partition)), strconv.FormatInt(after.Offset, 10)
	}
	err = db.each(ctx, `
		SELECT topic, partition, offset, recorded, stored, reason, pointer, detail, source, hex(body_hash), size FROM quarantine
		WHERE `+where+` ORDER BY topic, partition, offset LIMIT {n:UInt32}`, params, func(scan func(...any) error) error {
		var q Quarantined
		var partition uint32
		var offset uint64
		var hash string
		if err := scan(&q.Topic, &partition, &offset, &q.Recorded, &q.Stored, &q.Reason, &q.Pointer, &q.Detail, &q.Source, &hash, &q.Size); err != nil {
			return err
		}
		q.Partition, q.Place.Offset, q.QuarantineRow.Offset = int32(partition), int64(offset), int64(offset)
		if q.BodyHash, err = unhex16(hash); err != nil {
			return err
		}
		q.Root = q.Place
		all = append(all, q)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the quarantine: %w", err)
	}
	if len(all) == 0 {
		return nil, nil
	}
	if err := db.replays(ctx, all); err != nil {
		return nil, fmt.Errorf("read what was replayed: %w", err)
	}
	return all, nil
}

func unhex16(s string) (b [16]byte, err error) {
	_, err = hex.Decode(b[:], []byte(s[:min(len(s), 2*len(b))]))
	return b, err
}

// replays fills in what is known of the replays of records or of what they are
// copies of.
func (db *DB) replays(ctx context.Context, all []Quarantined) error {
	type replay struct {
		root     identity.Place
		sent     [][16]byte
		mended   Mended
		sends    uint64
		last     time.Time
		returned uint64
	}
	var places []identity.Place
	var hashes [][16]byte
	for i := range all {
		places, hashes = append(places, all[i].Place), append(hashes, all[i].BodyHash)
	}
	params := map[string]string{"hashes": hexArray(hashes)}
	quarantinePlaces(params, places)
	byPlace, byHash := make(map[identity.Place]*replay), make(map[[16]byte]*replay)
	var copies [][16]byte
	// A row of the copy's hash names the record; all rows of that record count, of
	// other copies too: as it was, and as somebody mended it.
	err := db.each(ctx, `
		SELECT topic, partition, offset, groupUniqArray(hex(copy_hash)), groupUniqArrayIf(hex(copy_hash), acknowledged),
			uniqExactIf(attempt, acknowledged), max(replayed_at), argMax(mended_by, (mended_by != '', replayed_at)), argMax(mended_why, (mended_by != '', replayed_at))
		FROM quarantine_replay
		WHERE `+atPlaces+` OR (topic, partition, offset) IN
		(
			SELECT topic, partition, offset FROM quarantine_replay
			WHERE copy_hash IN (SELECT toFixedString(unhex(arrayJoin({hashes:Array(String)})), 16))
		)
		GROUP BY topic, partition, offset`, params, func(scan func(...any) error) error {
		var r replay
		var partition uint32
		var offset uint64
		var hashes, sent []string
		if err := scan(&r.root.Topic, &partition, &offset, &hashes, &sent, &r.sends, &r.last, &r.mended.By, &r.mended.Why); err != nil {
			return err
		}
		r.root.Partition, r.root.Offset = int32(partition), int64(offset)
		byPlace[r.root] = &r
		for _, text := range hashes {
			h, err := unhex16(text)
			if err != nil {
				return err
			}
			byHash[h] = &r
			copies = append(copies, h)
			if slices.Contains(sent, text) {
				r.sent = append(r.sent, h)
			}
		}
		return nil
	})
	if err != nil || len(copies) == 0 {
		return err
	}
	err = db.each(ctx, `
		SELECT hex(body_hash), count() FROM quarantine
		WHERE body_hash IN (SELECT toFixedString(unhex(arrayJoin({hashes:Array(String)})), 16)) GROUP BY body_hash`,
		map[string]string{"hashes": hexArray(copies)}, func(scan func(...any) error) error {
			var hash string
			var n uint64
			if err := scan(&hash, &n); err != nil {
				return err
			}
			key, err := unhex16(hash)
			if r := byHash[key]; err == nil && r != nil {
				r.returned += n
			}
			return err
		})
	if err != nil {
		return err
	}
	for i := range all {
		q := &all[i]
		r := byHash[q.BodyHash]
		if r == nil {
			r = byPlace[q.Place]
		}
		if r != nil {
			q.Root, q.Sends, q.Returned, q.LastSent, q.Sent, q.Mended = r.root, r.sends, r.returned, r.last, r.sent, r.mended
		}
	}
	return nil
}

// QuarantineSealed reads the sealed bytes of records, by place. They are as
// large as what came from Kafka: ask for few at a time.
func (db *DB) QuarantineSealed(ctx context.Context, places []identity.Place) (map[identity.Place][]byte, error) {
	params := make(map[string]string)
	quarantinePlaces(params, places)
	all := make(map[identity.Place][]byte, len(places))
	err := db.each(ctx, `SELECT topic, partition, offset, sealed FROM quarantine WHERE `+atPlaces, params, func(scan func(...any) error) error {
		var p identity.Place
		var partition uint32
		var offset uint64
		var sealed string
		if err := scan(&p.Topic, &partition, &offset, &sealed); err != nil {
			return err
		}
		p.Partition, p.Offset = int32(partition), int64(offset)
		all[p] = []byte(sealed)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read sealed records: %w", err)
	}
	return all, nil
}

// QuarantineReplay says that a record is, or was, sent again.
type QuarantineReplay struct {
	identity.Place
	Attempt  uint32   // from 1
	CopyHash [16]byte // what the copy's body hash will be
	Mended   Mended   // zero = the copy is as the record was
}

// RememberReplays writes that records are about to be sent again, or, after
// Kafka has acknowledged them, that they were. Written twice, it is there once.
func (db *DB) RememberReplays(ctx context.Context, replays []QuarantineReplay, acknowledged bool) error {
	if len(replays) == 0 {
		return nil
	}
	topic := newLowCard()
	var by, why proto.ColStr
	var partition, attempt proto.ColUInt32
	var offset proto.ColUInt64
	var done proto.ColBool
	var hashes proto.ColFixedStr16
	var at millis
	now, id := time.Now(), sha256.New()
	for i := range replays {
		r := &replays[i]
		topic.Append(r.Topic)
		partition.Append(uint32(r.Partition))
		offset.Append(uint64(r.Offset))
		attempt.Append(r.Attempt)
		done.Append(acknowledged)
		hashes.Append(r.CopyHash)
		at.append(now)
		by.Append(r.Mended.By)
		why.Append(r.Mended.Why)
		fmt.Fprintf(id, "%d %x %d/%d/%s\n", r.Attempt, r.CopyHash, r.Partition, r.Offset, r.Topic)
	}
	token := fmt.Sprintf("quarantine-replay:%t:%x", acknowledged, id.Sum(nil))
	if err := db.send(ctx, "quarantine_replay", token, []column{
		{"topic", topic},
		{"partition", &partition},
		{"offset", &offset},
		{"attempt", &attempt},
		{"acknowledged", &done},
		{"copy_hash", &hashes},
		{"replayed_at", &at},
		{"mended_by", &by},
		{"mended_why", &why},
	}); err != nil {
		return fmt.Errorf("remember what is replayed: %w", err)
	}
	return nil
}
