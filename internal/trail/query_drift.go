package trail

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/event"
)

// Bounds of the questions on drift.
const (
	maxSightings  = 50_000 // ways in which data were used
	maxPlaceTimes = 2000   // moments at which events are looked for
)

// Sighting is one way in which a controller's data were used: all first
// judgements of processing events that are alike in what stands first here,
// one for each person concerned, duplicates apart.
type Sighting struct {
	Operation    event.Operation
	Purpose      string
	Recipient    string
	Organisation string
	Categories   []string

	Count       uint64
	First, Last time.Time
}

// key is what makes sightings one.
func (s *Sighting) key() string {
	return strconv.Itoa(int(s.Operation)) + "\x00" + s.Purpose + "\x00" + s.Recipient + "\x00" + s.Organisation + "\x00" + strings.Join(s.Categories, "\x00")
}

// driftCounted selects the first judgements of a controller's processing
// events. It uses nothing that the projection matrix does not hold.
const driftCounted = `controller = {controller:String} AND cause = '' AND NOT duplicate AND operation NOT IN ('fact', 'cohort')`

// driftWindow is a time of the events' own, by the millisecond.
const driftWindow = ` AND time >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND time < fromUnixTimestamp64Milli({to:Int64}, 'UTC')`

const sightingsSelect = `
	SELECT operation, purpose, recipient, recipient_organisation, categories, count(), min(time), max(time) FROM trail
	WHERE ` + driftCounted

const sightingsGroup = `
	GROUP BY operation, purpose, recipient, recipient_organisation, categories
	ORDER BY count() DESC, operation, purpose, recipient, recipient_organisation, categories
	LIMIT {limit:UInt32}`

const sightingsWhole = sightingsSelect + ` AND toDate(time) >= toDate({first_day:String}) AND toDate(time) < toDate({last_day:String})` + sightingsGroup

// Sightings lists the ways in which a controller's data were used from one
// moment to another: from is included, to is not, zero is open. Whole days (of
// UTC) are read from the projection matrix, what is left of the first and the
// last from the table by time. complete is false if there were too many ways.
func (db *DB) Sightings(ctx context.Context, controller string, from, to time.Time) (all []Sighting, complete bool, err error) {
	q := PersonQuery{Controller: controller, From: from, To: to}
	params := q.params()
	delete(params, "persons")
	params["limit"] = strconv.Itoa(maxSightings + 1)
	firstDay, lastDay := wholeDays(from, to)
	merged := make(map[string]int)
	complete = true
	add := func(query string, params map[string]string) error {
		n := 0
		err := db.each(ctx, query, params, func(scan func(...any) error) error {
			var s Sighting
			var operation string
			if err := scan(&operation, &s.Purpose, &s.Recipient, &s.Organisation, &s.Categories, &s.Count, &s.First, &s.Last); err != nil {
				return err
			}
			if n++; n > maxSightings {
				complete = false
				return nil
			}
			var err error
			if s.Operation, err = event.ParseOperation(operation); err != nil {
				return err
			}
			i, seen := merged[s.key()]
			if !seen {
				merged[s.key()] = len(all)
				all = append(all, s)
				return nil
			}
			m := &all[i]
			m.Count += s.Count
			m.First, m.Last = earlier(m.First, s.First), later(m.Last, s.Last)
			return nil
		})
		if err != nil {
			return fmt.Errorf("sum up how data were used: %w", err)
		}
		return nil
	}
	part := func(from, to time.Time) error {
		if !from.Before(to) {
			return nil
		}
		p := map[string]string{
			"controller": controller, "limit": params["limit"],
			"from": strconv.FormatInt(from.UnixMilli(), 10), "to": strconv.FormatInt(to.UnixMilli(), 10),
		}
		return add(sightingsSelect+driftWindow+sightingsGroup+windowedSettings, p)
	}
	if !firstDay.Before(lastDay) { // no whole day
		return all, complete, part(from, to)
	}
	params["first_day"], params["last_day"] = firstDay.Format(time.DateOnly), lastDay.Format(time.DateOnly)
	if err := add(sightingsWhole, params); err != nil {
		return nil, false, err
	}
	if !from.IsZero() {
		if err := part(from, firstDay); err != nil {
			return nil, false, err
		}
	}
	if !to.IsZero() {
		if err := part(lastDay, to); err != nil {
			return nil, false, err
		}
	}
	return all, complete, nil
}

// What a day can be in the projection matrix.
var (
	firstDate = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	lastDate  = time.Date(2149, 6, 1, 0, 0, 0, 0, time.UTC)
)

// wholeDays are the days of UTC that lie in a window as a whole.
func wholeDays(from, to time.Time) (first, last time.Time) {
	const day = 24 * time.Hour
	first, last = firstDate, lastDate
	if from.After(first) {
		first = from.UTC().Truncate(day)
		if first.Before(from) {
			first = first.Add(day)
		}
	}
	if !to.IsZero() && to.Before(last) {
		last = to.UTC().Truncate(day)
	}
	return first, last
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// Entity is a recipient without an id of the register: an organisation, or all
// that is known of one; empty throughout where data were handed over and the
// events do not say to whom.
type Entity struct {
	Organisation, Code, Country string
	Count                       uint64
	First, Last                 time.Time
}

// Entities lists the recipients without an id of the register.
func (db *DB) Entities(ctx context.Context, controller string, from, to time.Time) (all []Entity, err error) {
	err = db.each(ctx, `
		SELECT recipient_organisation, recipient_code, recipient_country, count(), min(time), max(time) FROM trail
		WHERE recipient = '' AND (recipient_organisation != '' OR recipient_code != '' OR recipient_country != '' OR operation IN ('transfer', 'disclose'))
			AND operation NOT IN ('erase', 'rectify', 'restrict') AND `+driftCounted+driftWindow+`
		GROUP BY recipient_organisation, recipient_code, recipient_country
		ORDER BY count() DESC, recipient_organisation, recipient_code, recipient_country LIMIT 10000`+windowedSettings,
		driftParams(controller, from, to), func(scan func(...any) error) error {
			var e Entity
			err := scan(&e.Organisation, &e.Code, &e.Country, &e.Count, &e.First, &e.Last)
			all = append(all, e)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("list the recipients that events name otherwise than by id: %w", err)
	}
	return all, nil
}

// Collected is how often data came from a source.
type Collected struct {
	Source      string // empty where it is not stated
	Count       uint64
	First, Last time.Time
}

// Sources lists where collected data came from.
func (db *DB) Sources(ctx context.Context, controller string, from, to time.Time) (all []Collected, err error) {
	err = db.each(ctx, `
		SELECT data_source, count(), min(time), max(time) FROM trail
		WHERE operation = 'collect' AND controller = {controller:String} AND cause = '' AND NOT duplicate`+driftWindow+`
		GROUP BY data_source ORDER BY count() DESC, data_source LIMIT 10000`+windowedSettings,
		driftParams(controller, from, to), func(scan func(...any) error) error {
			var c Collected
			err := scan(&c.Source, &c.Count, &c.First, &c.Last)
			all = append(all, c)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("list the sources of collected data: %w", err)
	}
	return all, nil
}

func driftParams(controller string, from, to time.Time) map[string]string {
	q := PersonQuery{Controller: controller, From: from, To: to}
	p := q.params()
	delete(p, "persons")
	return p
}

// atColumns are what EventsAt reads of a row.
var atColumns = []string{
	"time", "operation", "controller", "purpose", "recipient", "recipient_organisation", "recipient_code", "recipient_country",
	"categories", "data_source", "topic", "partition", "offset",
}

// EventsAt lists processing events of a controller that happened at one of the
// moments given, by time and place, each once, a few a moment: examples for
// what was counted, of which the first and the last moment are known.
func (db *DB) EventsAt(ctx context.Context, controller string, times []time.Time) ([]Row, error) {
	if len(times) == 0 {
		return nil, nil
	}
	millis := make([]int64, len(times))
	for i, t := range times {
		millis[i] = t.UnixMilli()
	}
	slices.Sort(millis)
	millis = slices.Compact(millis)
	millis = millis[:min(len(millis), maxPlaceTimes)]
	var list strings.Builder
	for i, m := range millis { // digits only, so that they may stand in the query, where the index on time can use them
		if i > 0 {
			list.WriteString(", ")
		}
		list.WriteString("fromUnixTimestamp64Milli(toInt64(" + strconv.FormatInt(m, 10) + "), 'UTC')")
	}
	return collect(db.rows(ctx, atColumns, "WHERE "+driftCounted+" AND time IN ("+list.String()+`)
		AND person_index = 0 ORDER BY time, topic, partition, offset LIMIT 20 BY time LIMIT 40000`,
		map[string]string{"controller": controller}, setting("optimize_use_projections", "0"), bounded()))
}
