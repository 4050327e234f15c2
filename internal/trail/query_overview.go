package trail

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bounds of the overview.
const (
	maxDays   = 100_000 // rows of days x controllers x verdicts
	maxQueue  = 100
	maxNewest = 200
)

// Window is a time of the events' own, and whose they are.
type Window struct {
	From, To   time.Time // From included, To not; whole days in UTC
	Controller string    // "" = all
}

func (w Window) params() map[string]string {
	return map[string]string{
		"controller": w.Controller,
		"from":       w.From.UTC().Format(time.DateOnly),
		"to":         w.To.UTC().Format(time.DateOnly),
		"from_time":  strconv.FormatInt(w.From.UnixMilli(), 10),
		"to_time":    strconv.FormatInt(w.To.UnixMilli(), 10),
	}
}

// counted selects the first judgements of processing events. It uses nothing
// that the projection matrix does not hold.
const counted = `cause = '' AND operation NOT IN ('fact', 'cohort') AND ({controller:String} = '' OR controller = {controller:String})`

// windowed is counted in a time window, read by the index on time: with a
// projection in reach, ClickHouse (26.7) may read that instead, and more rows.
const (
	windowed         = counted + ` AND NOT duplicate AND time >= fromUnixTimestamp64Milli({from_time:Int64}, 'UTC') AND time < fromUnixTimestamp64Milli({to_time:Int64}, 'UTC')`
	windowedSettings = ` SETTINGS optimize_use_projections = 0`
)

// DayCount is how many processing events there were on a day, one for each
// person concerned.
type DayCount struct {
	Day        time.Time // midnight, UTC
	Controller string
	Verdict    string
	Duplicate  bool
	Count      uint64
}

// Days counts the processing events of a window by day, controller and
// verdict. It reads the projection matrix.
func (db *DB) Days(ctx context.Context, w Window) (days []DayCount, err error) {
	err = db.each(ctx, `
		SELECT toDate(time) AS day, controller, verdict, duplicate, count() FROM trail
		WHERE day >= toDate({from:String}) AND day < toDate({to:String}) AND `+counted+`
		GROUP BY day, controller, verdict, duplicate
		ORDER BY day, controller, verdict, duplicate LIMIT `+strconv.Itoa(maxDays), w.params(), func(scan func(...any) error) error {
		var d DayCount
		if err := scan(&d.Day, &d.Controller, &d.Verdict, &d.Duplicate, &d.Count); err != nil {
			return err
		}
		days = append(days, d)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("count the events a day: %w", err)
	}
	return days, nil
}

// NewestDay is the last day before w.To on which something was done, zero if
// there is none from w.From on. It reads the projection matrix.
func (db *DB) NewestDay(ctx context.Context, w Window) (day time.Time, err error) {
	var n uint64
	err = db.each(ctx, `
		SELECT max(day), count() FROM
		(
			SELECT toDate(time) AS day, count() FROM trail
			WHERE day >= toDate({from:String}) AND day < toDate({to:String}) AND `+counted+`
			GROUP BY day
		)`, w.params(), func(scan func(...any) error) error { return scan(&day, &n) })
	if err != nil {
		return time.Time{}, fmt.Errorf("look for the newest events: %w", err)
	}
	if n == 0 {
		return time.Time{}, nil
	}
	return day, nil
}

// newestColumns are what Newest reads of a row.
var newestColumns = []string{
	"time", "operation", "controller", "source", "purpose", "recipient", "recipient_organisation", "recipient_code", "recipient_country",
	"categories", "cohort", "of", "verdict", "rules", "unknown", "register_version", "topic", "partition", "offset",
}

// Newest lists the newest events of a verdict, at most n, newest first, each
// once however many persons it concerns. The projection matrix says since when
// to look, so that the window that is read is as small as can be.
func (db *DB) Newest(ctx context.Context, w Window, verdict string, n int) ([]Row, error) {
	n = min(max(n, 1), maxNewest)
	params := w.params()
	params["verdict"] = verdict
	var since time.Time
	var have uint64
	err := db.each(ctx, `
		SELECT toDate(time) AS day, count() FROM trail
		WHERE day >= toDate({from:String}) AND day < toDate({to:String}) AND `+counted+` AND verdict = {verdict:String} AND NOT duplicate
		GROUP BY day ORDER BY day DESC LIMIT 4000`, params, func(scan func(...any) error) error {
		var day time.Time
		var count uint64
		if err := scan(&day, &count); err != nil {
			return err
		}
		// Rows are counted, and an event may be a hundred of them.
		if have < uint64(n) {
			since, have = day, have+(count+maxOf-1)/maxOf
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for the days of the newest events: %w", err)
	}
	if have == 0 {
		return nil, nil
	}
	if since.After(w.From) {
		params["from_time"] = strconv.FormatInt(since.UnixMilli(), 10)
	}
	return collect(db.rows(ctx, newestColumns, `
		WHERE `+windowed+` AND verdict = {verdict:String}
		ORDER BY time DESC, topic DESC, partition DESC, offset DESC
		LIMIT 1 BY topic, partition, offset LIMIT `+strconv.Itoa(n), params, setting("optimize_use_projections", "0"), bounded()))
}

// maxOf is how many persons an event names at most.
const maxOf = 100

// QueueEntry is what waits for a person to look: reviews for want of one fact,
// or by what the notice leaves open.
type QueueEntry struct {
	Controller string
	Fact       string // that was missing; "" = none was: the notice itself is silent or open
	Count      uint64 // of events, one for each person concerned
	Last       time.Time
	Rules      map[string]uint64 // by rule that decided
	Version    string            // of the newest one's register
}

// ReviewQueue counts the reviews of a window by the fact that was missing, most
// first. It reads the projection matrix.
func (db *DB) ReviewQueue(ctx context.Context, w Window) (queue []QueueEntry, err error) {
	var controllers []string
	var counts []uint64
	var lasts []time.Time
	var ids []ContextID
	err = db.each(ctx, `
		SELECT controller, context, count(), max(time) FROM trail
		WHERE toDate(time) >= toDate({from:String}) AND toDate(time) < toDate({to:String}) AND `+counted+` AND verdict = 'review' AND NOT duplicate
		GROUP BY controller, context LIMIT 100000`, w.params(), func(scan func(...any) error) error {
		var controller, id string
		var count uint64
		var last time.Time
		if err := scan(&controller, &id, &count, &last); err != nil {
			return err
		}
		controllers, counts, lasts = append(controllers, controller), append(counts, count), append(lasts, last)
		ids = append(ids, ContextID([]byte(id)))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the review queue: %w", err)
	}
	contexts, err := db.contextsOf(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("read the review queue: %w", err)
	}
	at := make(map[[2]string]int)
	for i, c := range contexts {
		for _, fact := range missingFacts(c) {
			key := [2]string{controllers[i], fact}
			n, seen := at[key]
			if !seen {
				n = len(queue)
				at[key] = n
				queue = append(queue, QueueEntry{Controller: key[0], Fact: fact, Rules: make(map[string]uint64)})
			}
			q := &queue[n]
			q.Count += counts[i]
			if !lasts[i].Before(q.Last) {
				q.Last, q.Version = lasts[i], c.RegisterVersion
			}
			for _, rule := range c.Rules {
				q.Rules[rule] += counts[i]
			}
		}
	}
	slices.SortFunc(queue, func(a, b QueueEntry) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Controller, b.Controller), strings.Compare(a.Fact, b.Fact))
	})
	return queue[:min(len(queue), maxQueue)], nil
}

// missingFacts are the facts for want of which there was a review; one empty
// name if there was none.
func missingFacts(c *Context) []string {
	if len(c.Unknown) == 0 {
		return []string{""}
	}
	return c.Unknown
}
