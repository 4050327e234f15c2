package trail

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go"
)

// Judged is one verdict's place: one event as far as it concerns one person.
type Judged struct {
	Partition
	Offset int64
	Index  uint16 // Row.PersonIndex
}

// Judged is the place of the row's verdict.
func (r *Row) Judged() Judged {
	return Judged{Partition: Partition{r.Topic, r.Partition}, Offset: r.Offset, Index: r.PersonIndex}
}

// Touch says which events of a person a fact may matter for: those from a
// moment on that are not behind the fact in its own partition; these were
// judged knowing it.
type Touch struct {
	Person [16]byte
	Name   string // instead of a person: "a" and an employee's id, "r" and a recipient's
	Since  time.Time
	Offset int64 // of the fact
}

// Touched is an event that facts touch.
type Touched struct {
	Judged
	Person  [16]byte
	Offsets []uint64 // of the facts, up to 16 of them; none where there was no telling
}

// earliestOf is the earliest moment that one of the touches is about.
func earliestOf(touches []Touch) time.Time {
	earliest := openTo
	for i := range touches {
		if touches[i].Since.Before(earliest) {
			earliest = touches[i].Since
		}
	}
	return bounded1900(earliest)
}

func bounded1900(t time.Time) time.Time {
	if t.Before(openFrom) {
		return openFrom
	}
	return t
}

// touchedQuery joins the events of some persons with the facts about them. It
// reads the projection by_person.
const touchedQuery = `
	SELECT e.person, e.topic, e.partition, e.offset, e.person_index, groupUniqArray(16)(f.fact_offset)
	FROM
	(
		SELECT person, time, topic, partition, offset, person_index FROM trail
		WHERE person IN (SELECT toFixedString(unhex(arrayJoin({persons:Array(String)})), 16)) AND controller = {controller:String}
			AND time >= fromUnixTimestamp64Milli({earliest:Int64}, 'UTC')
			AND operation NOT IN ('fact', 'cohort') AND cause = ''
	) AS e
	INNER JOIN
	(
		SELECT toFixedString(unhex(touch.1), 16) AS person, fromUnixTimestamp64Milli(touch.2, 'UTC') AS since, touch.3 AS fact_offset
		FROM (SELECT arrayJoin(arrayZip({persons:Array(String)}, {since:Array(Int64)}, {facts:Array(UInt64)})) AS touch)
	) AS f ON e.person = f.person
	WHERE e.time >= f.since AND (e.topic != {topic:String} OR e.partition != {partition:UInt32} OR e.offset < f.fact_offset)
		AND (e.person, e.topic, e.partition, e.offset, e.person_index) > (toFixedString(unhex({after_person:String}), 16), {after_topic:String}, {after_partition:UInt32}, {after_offset:Int64}, {after_index:UInt16})
	GROUP BY e.person, e.topic, e.partition, e.offset, e.person_index
	ORDER BY e.person, e.topic, e.partition, e.offset, e.person_index
	LIMIT {n:UInt64}` + personSettings

// Touched lists the events that facts of one partition touch by the persons
// that they are about, at most n, in order of person and place, those after a
// given one if there is one. Most facts touch nothing: the answer is then
// empty, and costs this one query for thousands of facts.
func (db *DB) Touched(ctx context.Context, controller string, from Partition, touches []Touch, after *Touched, n int) (touched []Touched, err error) {
	var persons, since, facts strings.Builder
	for i := range touches {
		if i > 0 {
			persons.WriteByte(',')
			since.WriteByte(',')
			facts.WriteByte(',')
		}
		persons.WriteString("'" + hex.EncodeToString(touches[i].Person[:]) + "'")
		since.WriteString(strconv.FormatInt(bounded1900(touches[i].Since).UnixMilli(), 10))
		facts.WriteString(strconv.FormatInt(touches[i].Offset, 10))
	}
	last := Touched{Judged: Judged{Offset: -1}}
	if after != nil {
		last = *after
	}
	params := map[string]string{
		"controller": controller, "topic": from.Topic, "partition": strconv.Itoa(int(from.Partition)),
		"persons": "[" + persons.String() + "]", "since": "[" + since.String() + "]", "facts": "[" + facts.String() + "]",
		"earliest":     strconv.FormatInt(earliestOf(touches).UnixMilli(), 10),
		"after_person": hex.EncodeToString(last.Person[:]), "after_topic": last.Topic, "after_partition": strconv.Itoa(int(last.Partition.Partition)),
		"after_offset": strconv.FormatInt(last.Offset, 10), "after_index": strconv.Itoa(int(last.Index)), "n": strconv.Itoa(n),
	}
	err = db.patiently(ctx, touchedQuery, params, func(scan func(...any) error) error {
		var t Touched
		var who string
		var partition uint32
		var offset uint64
		if err := scan(&who, &t.Topic, &partition, &offset, &t.Index, &t.Offsets); err != nil {
			return err
		}
		copy(t.Person[:], who)
		t.Partition.Partition, t.Offset = int32(partition), int64(offset)
		touched = append(touched, t)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for the events that facts touch: %w", err)
	}
	return touched, nil
}

// namedColumns are what TouchedByName reads.
var namedColumns = []string{"person", "person_index", "time", "actor", "recipient", "topic", "partition", "offset"}

// TouchedByName streams the events of a controller that name one of some
// employees or recipients, from a moment on, in order of place, at most n,
// those after a given one if there is one. It reads by time: no projection
// serves it. Which fact touches which event is the caller's to tell.
func (db *DB) TouchedByName(ctx context.Context, controller string, touches []Touch, after *Judged, n int) iter.Seq2[Row, error] {
	var actors, recipients []string
	for _, t := range touches {
		name := hex.EncodeToString([]byte(t.Name[1:]))
		if t.Name[0] == 'a' {
			actors = append(actors, name)
		} else {
			recipients = append(recipients, name)
		}
	}
	last := Judged{Offset: -1}
	if after != nil {
		last = *after
	}
	return db.rows(ctx, namedColumns, `
		WHERE (topic, partition, offset, person_index) > ({after_topic:String}, {after_partition:UInt32}, {after_offset:Int64}, {after_index:UInt16})
			AND topic >= {after_topic:String}
			AND time >= fromUnixTimestamp64Milli({earliest:Int64}, 'UTC') AND controller = {controller:String}
			AND operation NOT IN ('fact', 'cohort') AND cause = ''
			AND (actor IN (SELECT unhex(arrayJoin({actors:Array(String)})))
				OR context IN (SELECT id FROM contexts WHERE recipient IN (SELECT unhex(arrayJoin({recipients:Array(String)})))))
		ORDER BY topic, partition, offset, person_index LIMIT {n:UInt64}`, map[string]string{
		"controller": controller, "earliest": strconv.FormatInt(earliestOf(touches).UnixMilli(), 10),
		"actors": quoteHex(actors), "recipients": quoteHex(recipients), "n": strconv.Itoa(n),
		"after_topic": last.Topic, "after_partition": strconv.Itoa(int(last.Partition.Partition)),
		"after_offset": strconv.FormatInt(last.Offset, 10), "after_index": strconv.Itoa(int(last.Index)),
	}, noProjections())
}

func quoteHex(names []string) string {
	if len(names) == 0 {
		return "[]"
	}
	return "['" + strings.Join(names, "','") + "']"
}

// FactsOf streams the facts about persons, in order of place, from the
// projection by_person: whatever they say, identities too, and without the
// time of their record, which it does not have; see [DB.Recorded].
func (db *DB) FactsOf(ctx context.Context, controller string, persons [][16]byte) iter.Seq2[Row, error] {
	return db.rows(ctx, personFactColumns, `
		WHERE person IN (SELECT toFixedString(unhex(arrayJoin({persons:Array(String)})), 16)) AND controller = {controller:String}
			AND operation = 'fact' AND NOT duplicate
		ORDER BY topic, partition, offset, person_index`, map[string]string{"controller": controller, "persons": hexArray(persons)},
		byPerson()...)
}

var personFactColumns = []string{
	"time", "controller", "person", "person_index", "actor", "recipient", "fact", "fact_value", "fact_valid_from", "topic", "partition", "offset",
}

// At streams the rows at places in order, first judgements alone, with the
// columns given.
func (db *DB) at(ctx context.Context, only []string, places []Judged) iter.Seq2[Row, error] {
	return db.rows(ctx, only, placesWhere+" AND cause = '' ORDER BY topic, partition, offset, person_index", placesParams(places), noProjections())
}

// Recorded streams when the events at places were recorded, and of facts what
// they are about.
func (db *DB) Recorded(ctx context.Context, places []Judged) iter.Seq2[Row, error] {
	return db.at(ctx, []string{"recorded", "time", "person_index", "operation", "fact", "fact_valid_from", "topic", "partition", "offset"}, places)
}

// Current streams the events at places whole, each person's row once, with the
// verdict that holds now: the latest.
func (db *DB) Current(ctx context.Context, places []Judged) iter.Seq2[Row, error] {
	return db.rows(ctx, nil, placesWhere+currentOrder, placesParams(places), noProjections())
}

const currentOrder = `
	ORDER BY topic, partition, offset, person_index, judged_at DESC, cause DESC
	LIMIT 1 BY topic, partition, offset, person_index`

// Outdated streams the events of a controller and a period between two offsets
// of a partition, whole, with the verdict that holds now, where that was given
// under another register than the version named; all of them if all is set.
func (db *DB) Outdated(ctx context.Context, p Partition, from, to int64, controller, version string, since, until time.Time, all bool) iter.Seq2[Row, error] {
	if until.IsZero() {
		until = openTo
	}
	params := offsetParams(p, from, to, 0)
	params["controller"], params["version"], params["all"] = controller, version, strconv.FormatBool(all)
	params["since"] = strconv.FormatInt(bounded1900(since).UnixMilli(), 10)
	params["until"] = strconv.FormatInt(until.UnixMilli(), 10)
	return db.rowsOf(ctx, nil, `(SELECT * FROM trail `+offsetWhere+`
			AND controller = {controller:String} AND operation NOT IN ('fact', 'cohort')
			AND time >= fromUnixTimestamp64Milli({since:Int64}, 'UTC') AND time < fromUnixTimestamp64Milli({until:Int64}, 'UTC')`+currentOrder+`
		) WHERE {all:Bool} OR context IN (SELECT id FROM contexts WHERE register_version != {version:String})`, params, noProjections())
}

// Judgement is a register version that events of a controller were judged
// under, and the times of the first and the last of them.
type Judgement struct {
	Controller, Version string
	First, Last         time.Time
}

// Judgements lists under which versions the events between two offsets of a
// partition were judged, first and later verdicts alike: a cheap look that
// says for most that none is outdated.
func (db *DB) Judgements(ctx context.Context, p Partition, from, to int64) (all []Judgement, err error) {
	params := offsetParams(p, from, to, 0)
	delete(params, "n")
	var ids []ContextID
	var found []Judgement
	err = db.patiently(ctx, `SELECT controller, context, toUnixTimestamp64Milli(min(time)), toUnixTimestamp64Milli(max(time)) FROM trail `+offsetWhere+` AND operation NOT IN ('fact', 'cohort')
		GROUP BY controller, context SETTINGS optimize_use_projections = 0`, params, func(scan func(...any) error) error {
		var j Judgement
		var id string
		var first, last int64 // the library's own conversion ends in 2262
		if err := scan(&j.Controller, &id, &first, &last); err != nil {
			return err
		}
		j.First, j.Last = time.UnixMilli(first).UTC(), time.UnixMilli(last).UTC()
		found, ids = append(found, j), append(ids, ContextID([]byte(id)))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the registers that events were judged by: %w", err)
	}
	contexts, err := db.contextsOf(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("list the registers that events were judged by: %w", err)
	}
	at := make(map[[2]string]int)
	for i, j := range found {
		j.Version = contexts[i].RegisterVersion
		n, seen := at[[2]string{j.Controller, j.Version}]
		if !seen {
			at[[2]string{j.Controller, j.Version}] = len(all)
			all = append(all, j)
			continue
		}
		all[n].First, all[n].Last = earlier(all[n].First, j.First), later(all[n].Last, j.Last)
	}
	return all, nil
}

const placesWhere = `
	WHERE ` + atPlaces

func placesParams(places []Judged) map[string]string {
	var topics, partitions, offsets strings.Builder
	for i, p := range places {
		if i > 0 {
			if p.Partition == places[i-1].Partition && p.Offset == places[i-1].Offset {
				continue // another person of the same event
			}
			topics.WriteByte(',')
			partitions.WriteByte(',')
			offsets.WriteByte(',')
		}
		topics.WriteString("'" + hex.EncodeToString([]byte(p.Topic)) + "'")
		partitions.WriteString(strconv.Itoa(int(p.Partition.Partition)))
		offsets.WriteString(strconv.FormatInt(p.Offset, 10))
	}
	return map[string]string{"topics": "[" + topics.String() + "]", "partitions": "[" + partitions.String() + "]", "offsets": "[" + offsets.String() + "]"}
}

func noProjections() ch.Setting { return setting("optimize_use_projections", "0") }

// patiently is each for the follower's queries: nobody waits for these.
func (db *DB) patiently(ctx context.Context, query string, params map[string]string, f func(scan func(...any) error) error) (err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	rows, err := db.conn().Query(ctx, strings.TrimSpace(query), named(params)...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// patience bounds one query of the follower.
const patience = 10 * time.Minute
