package trail

import (
	"cmp"
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

const waysSelect = `
	SELECT operation, context, count(), min(time), max(time) FROM trail
	WHERE ` + driftCounted

const waysGroup = `
	GROUP BY operation, context
	ORDER BY count() DESC, operation, context
	LIMIT {limit:UInt32}`

const waysWhole = ` AND toDate(time) >= toDate({first_day:String}) AND toDate(time) < toDate({last_day:String})`

// way is all first judgements that are alike in operation and context.
type way struct {
	operation   event.Operation
	context     *Context
	count       uint64
	first, last time.Time
}

// ways gives f the ways in which a controller's data were used from one moment
// to another, of those that the condition leaves. Whole days (of UTC) are read
// from the projection matrix, what is left of the first and the last from the
// table by time: the same way may come up to three times. complete is false if
// there were too many.
func (db *DB) ways(ctx context.Context, controller string, from, to time.Time, condition string, f func(w way)) (complete bool, err error) {
	params := driftParams(controller, from, to)
	params["limit"] = strconv.Itoa(maxSightings + 1)
	complete = true
	add := func(query string, params map[string]string) error {
		var found []way
		var ids []ContextID
		err := db.each(ctx, query, params, func(scan func(...any) error) error {
			var w way
			var operation, id string
			if err := scan(&operation, &id, &w.count, &w.first, &w.last); err != nil {
				return err
			}
			if len(found) == maxSightings {
				complete = false
				return nil
			}
			var err error
			w.operation, err = event.ParseOperation(operation)
			found, ids = append(found, w), append(ids, ContextID([]byte(id)))
			return err
		})
		if err != nil {
			return err
		}
		contexts, err := db.contextsOf(ctx, ids)
		if err != nil {
			return err
		}
		for i := range found {
			found[i].context = contexts[i]
			f(found[i])
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
		return add(waysSelect+driftWindow+condition+waysGroup+windowedSettings, p)
	}
	firstDay, lastDay := wholeDays(from, to)
	if !firstDay.Before(lastDay) { // no whole day
		return complete, part(from, to)
	}
	params["first_day"], params["last_day"] = firstDay.Format(time.DateOnly), lastDay.Format(time.DateOnly)
	if err := add(waysSelect+waysWhole+condition+waysGroup, params); err != nil {
		return false, err
	}
	if !from.IsZero() {
		if err := part(from, firstDay); err != nil {
			return false, err
		}
	}
	if !to.IsZero() {
		if err := part(lastDay, to); err != nil {
			return false, err
		}
	}
	return complete, nil
}

// Sightings lists the ways in which a controller's data were used from one
// moment to another: from is included, to is not, zero is open. complete is
// false if there were too many ways.
func (db *DB) Sightings(ctx context.Context, controller string, from, to time.Time) (all []Sighting, complete bool, err error) {
	merged := make(map[string]int)
	complete, err = db.ways(ctx, controller, from, to, "", func(w way) {
		s := Sighting{
			Operation: w.operation, Purpose: w.context.Purpose, Recipient: w.context.Recipient, Organisation: w.context.RecipientOrganisation,
			Categories: w.context.Categories, Count: w.count, First: w.first, Last: w.last,
		}
		n, seen := merged[s.key()]
		if !seen {
			merged[s.key()] = len(all)
			all = append(all, s)
			return
		}
		m := &all[n]
		m.Count += s.Count
		m.First, m.Last = earlier(m.First, s.First), later(m.Last, s.Last)
	})
	if err != nil {
		return nil, false, fmt.Errorf("sum up how data were used: %w", err)
	}
	slices.SortFunc(all, func(a, b Sighting) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.key(), b.key()))
	})
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

// Entities lists the recipients without an id of the register, most often named
// first.
func (db *DB) Entities(ctx context.Context, controller string, from, to time.Time) (all []Entity, err error) {
	at := make(map[Entity]int)
	_, err = db.ways(ctx, controller, from, to, ` AND operation NOT IN ('erase', 'rectify', 'restrict')`, func(w way) {
		key := Entity{Organisation: w.context.RecipientOrganisation, Code: w.context.RecipientCode, Country: w.context.RecipientCountry}
		handedOver := w.operation == event.Transfer || w.operation == event.Disclose
		if w.context.Recipient != "" || key == (Entity{}) && !handedOver {
			return
		}
		n, seen := at[key]
		if !seen {
			n = len(all)
			at[key] = n
			all = append(all, key)
			all[n].First, all[n].Last = w.first, w.last
		}
		e := &all[n]
		e.Count += w.count
		e.First, e.Last = earlier(e.First, w.first), later(e.Last, w.last)
	})
	if err != nil {
		return nil, fmt.Errorf("list the recipients that events name otherwise than by id: %w", err)
	}
	slices.SortFunc(all, func(a, b Entity) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Organisation, b.Organisation), strings.Compare(a.Code, b.Code), strings.Compare(a.Country, b.Country))
	})
	return all[:min(len(all), 10_000)], nil
}

// Collected is how often data came from a source.
type Collected struct {
	Source      string // empty where it is not stated
	Count       uint64
	First, Last time.Time
}

// Sources lists where collected data came from, the most frequent first.
func (db *DB) Sources(ctx context.Context, controller string, from, to time.Time) (all []Collected, err error) {
	at := make(map[string]int)
	_, err = db.ways(ctx, controller, from, to, ` AND operation = 'collect'`, func(w way) {
		source := w.context.DataSource
		n, seen := at[source]
		if !seen {
			n = len(all)
			at[source] = n
			all = append(all, Collected{Source: source, First: w.first, Last: w.last})
		}
		s := &all[n]
		s.Count += w.count
		s.First, s.Last = earlier(s.First, w.first), later(s.Last, w.last)
	})
	if err != nil {
		return nil, fmt.Errorf("list the sources of collected data: %w", err)
	}
	slices.SortFunc(all, func(a, b Collected) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Source, b.Source))
	})
	return all[:min(len(all), 10_000)], nil
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
	"categories", "data_source", "actor", "topic", "partition", "offset",
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
