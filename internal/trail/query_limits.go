package trail

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Reasons of gaps in which nothing was lost: Kafka writes such a record itself,
// or the producer took it back.
const (
	GapTransaction = "transaction-marker"
	GapAborted     = "aborted-transaction"
)

// Span is a time of the events' own, as the trail stood at a moment: From is
// included, To is not, AsOf is; zero is open, or now.
type Span struct{ From, To, AsOf time.Time }

func (s Span) params() map[string]string {
	q := PersonQuery{From: s.From, To: s.To, AsOf: s.AsOf}
	p := q.params()
	delete(p, "persons")
	delete(p, "controller")
	if s.AsOf.IsZero() {
		p["as_of"] = strconv.FormatInt(openTo.UnixMilli(), 10)
	}
	return p
}

// Lost is a run of offsets whose records were gone before they could be read.
type Lost struct {
	Topic     string
	Partition int32
	Gap
	Noticed time.Time
}

// maxLost is how many gaps are looked at.
const maxLost = 200

// LostIn lists the gaps in which an event of a time may have been lost, the
// newest first: none that was noticed before it, as an event is never recorded
// before it happened, and none behind a record that came after it. more is true
// where there are too many to look at. It is not known when what is lost was
// recorded, so that a gap may be listed that has nothing to do with the time.
//
// What it says of now may be Config.ReachFor old.
func (db *DB) LostIn(ctx context.Context, s Span) (lost []Lost, more bool, err error) {
	l, err := db.lost.of(ctx, s, s.AsOf, db.cfg.ReachFor, func(ctx context.Context) (l lostIn, err error) {
		l.lost, l.more, err = db.lostIn(ctx, s)
		return l, err
	})
	return l.lost, l.more, err
}

type lostIn struct {
	lost []Lost
	more bool
}

func (db *DB) lostIn(ctx context.Context, s Span) (lost []Lost, more bool, err error) {
	err = db.each(ctx, `
		SELECT topic, partition, first, last, reason, noticed FROM gaps
		WHERE reason NOT IN ('`+GapTransaction+`', '`+GapAborted+`')
			AND noticed >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND noticed <= fromUnixTimestamp64Milli({as_of:Int64}, 'UTC')
		ORDER BY noticed DESC, topic, partition, first LIMIT `+strconv.Itoa(maxLost+1), s.params(), func(scan func(...any) error) error {
		var l Lost
		var partition uint32
		var first, last uint64
		if err := scan(&l.Topic, &partition, &first, &last, &l.Reason, &l.Noticed); err != nil {
			return err
		}
		l.Partition, l.First, l.Last = int32(partition), int64(first), int64(last)
		lost = append(lost, l)
		return nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("list the gaps: %w", err)
	}
	if more = len(lost) > maxLost; more {
		lost = lost[:maxLost]
	}
	if s.To.IsZero() {
		return lost, more, nil
	}
	after, err := db.after(ctx, lost, s.To)
	if err != nil {
		return nil, false, fmt.Errorf("look at what lies before the gaps: %w", err)
	}
	lost = slices.DeleteFunc(lost, func(l Lost) bool { return after[Place{Topic: l.Topic, Partition: l.Partition, Offset: l.First}] })
	return lost, more, nil
}

// after says of which gaps the record before them came at a time or later. Where
// none is there, nothing is said.
func (db *DB) after(ctx context.Context, lost []Lost, t time.Time) (map[Place]bool, error) {
	var topics, partitions, offsets []string
	for i := range lost {
		if l := &lost[i]; l.First > 0 && !l.Noticed.Before(t) {
			topics = append(topics, "'"+hex.EncodeToString([]byte(l.Topic))+"'")
			partitions, offsets = append(partitions, strconv.Itoa(int(l.Partition))), append(offsets, strconv.FormatInt(l.First-1, 10))
		}
	}
	after := make(map[Place]bool)
	if len(topics) == 0 {
		return after, nil
	}
	params := map[string]string{"to": strconv.FormatInt(t.UnixMilli(), 10)}
	for name, list := range map[string][]string{"topics": topics, "partitions": partitions, "offsets": offsets} {
		params[name] = "[" + strings.Join(list, ",") + "]"
	}
	err := db.each(ctx, `
		SELECT DISTINCT topic, partition, offset FROM trail
		WHERE `+atPlaces+` AND recorded >= fromUnixTimestamp64Milli({to:Int64}, 'UTC')
		SETTINGS optimize_use_projections = 0, max_threads = 1`, params, func(scan func(...any) error) error {
		var p Place
		var partition uint32
		var offset uint64
		if err := scan(&p.Topic, &partition, &offset); err != nil {
			return err
		}
		p.Partition, p.Offset = int32(partition), int64(offset)+1
		after[p] = true
		return nil
	})
	return after, err
}

// Unread is what records of one partition could not be understood for one reason.
type Unread struct {
	Topic       string
	Partition   int32
	Reason      string
	Count       uint64
	Replayed    uint64 // of these, records that were sent again once it was mended
	First, Last int64  // offsets
	From, To    time.Time
}

// UnreadIn sums up the records that came in a time and could not be understood,
// the most frequent first, at most n sums, with how many records there are in all.
// When what is in them happened is not known, nor whose it is: which systems they
// come from is not for each controller to know.
//
// What it says of now may be Config.ReachFor old.
func (db *DB) UnreadIn(ctx context.Context, s Span, n int) (all []Unread, records uint64, err error) {
	u, err := db.unread.of(ctx, unreadOf{s, n}, s.AsOf, db.cfg.ReachFor, func(ctx context.Context) (u unreadIn, err error) {
		u.all, u.records, err = db.unreadIn(ctx, s, n)
		return u, err
	})
	return u.all, u.records, err
}

type (
	unreadOf struct {
		Span
		n int
	}
	unreadIn struct {
		all     []Unread
		records uint64
	}
)

func (db *DB) unreadIn(ctx context.Context, s Span, n int) (all []Unread, records uint64, err error) {
	params := s.params()
	params["n"] = strconv.Itoa(n)
	err = db.each(ctx, `
		SELECT topic, partition, reason, count(),
			countIf((topic, partition, offset) IN (SELECT topic, partition, offset FROM quarantine_replay WHERE acknowledged)),
			min(offset), max(offset), min(recorded), max(recorded), sum(count()) OVER ()
		FROM quarantine
		WHERE recorded >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND recorded < fromUnixTimestamp64Milli({to:Int64}, 'UTC')
			AND stored <= fromUnixTimestamp64Milli({as_of:Int64}, 'UTC')
		GROUP BY topic, partition, reason
		ORDER BY count() DESC, topic, partition, reason LIMIT {n:UInt32}`, params, func(scan func(...any) error) error {
		var u Unread
		var partition uint32
		var first, last uint64
		if err := scan(&u.Topic, &partition, &u.Reason, &u.Count, &u.Replayed, &first, &last, &u.From, &u.To, &records); err != nil {
			return err
		}
		u.Partition, u.First, u.Last = int32(partition), int64(first), int64(last)
		all = append(all, u)
		return nil
	})
	if err != nil {
		return nil, 0, fmt.Errorf("sum up what could not be understood: %w", err)
	}
	return all, records, nil
}

// Heard is a system that has told of a controller's data, and when it last did.
type Heard struct {
	Source      string
	Events      uint64 // one for each person or cohort that they concern
	First, Last time.Time
}

// HeardBefore lists the systems that have told of something of a controller before
// the end of a time, facts and members of cohorts included, those first that have
// been silent for the longest. As of now it reads the projection matrix; as of a
// moment the rows, as when they were stored is in no projection.
func (db *DB) HeardBefore(ctx context.Context, controller string, s Span) ([]Heard, error) {
	const group = ` GROUP BY context LIMIT 100000`
	const counted = `SELECT context, count(), min(time), max(time) FROM trail WHERE controller = {controller:String} AND cause = ''`
	at := make(map[string]*Heard)
	add := func(query string, params map[string]string) error {
		params["controller"] = controller
		var found []Heard
		var ids []ContextID
		err := db.each(ctx, query, params, func(scan func(...any) error) error {
			var h Heard
			var id string
			if err := scan(&id, &h.Events, &h.First, &h.Last); err != nil {
				return err
			}
			found, ids = append(found, h), append(ids, ContextID([]byte(id)))
			return nil
		})
		if err != nil {
			return err
		}
		contexts, err := db.contextsOf(ctx, ids)
		if err != nil {
			return err
		}
		for i, c := range contexts {
			f := found[i]
			h := at[c.Source]
			if h == nil {
				h = &Heard{Source: c.Source, First: f.First, Last: f.Last}
				at[c.Source] = h
			}
			h.Events += f.Events
			h.First, h.Last = earlier(h.First, f.First), later(h.Last, f.Last)
		}
		return nil
	}
	span := s.params()
	var err error
	if !s.AsOf.IsZero() {
		err = add(counted+` AND time < fromUnixTimestamp64Milli({to:Int64}, 'UTC') AND stored <= fromUnixTimestamp64Milli({as_of:Int64}, 'UTC')`+group+windowedSettings, span)
	} else {
		first, last := wholeDays(time.Time{}, s.To)
		err = add(counted+waysWhole+group, map[string]string{"first_day": first.Format(time.DateOnly), "last_day": last.Format(time.DateOnly)})
		if err == nil && !s.To.IsZero() && last.Before(s.To) { // what is left of the last day
			span["from"] = strconv.FormatInt(last.UnixMilli(), 10)
			err = add(counted+driftWindow+group+windowedSettings, span)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("look when each system was heard last: %w", err)
	}
	all := make([]Heard, 0, len(at))
	for _, h := range at {
		all = append(all, *h)
	}
	slices.SortFunc(all, func(a, b Heard) int { return cmp.Or(a.Last.Compare(b.Last), strings.Compare(a.Source, b.Source)) })
	return all, nil
}
