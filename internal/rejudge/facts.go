package rejudge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/trail"
)

func comparePartitions(a, b trail.Partition) int {
	return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
}

// facts follows the facts of each partition up to where it is ready.
func (f *Follower) facts(ctx context.Context, ready map[trail.Partition]int64) (err error) {
	if f.position == nil {
		if f.position, err = f.trail.Followed(ctx, trail.FactsTask); err != nil {
			return err
		}
	}
	f.stats.behind(ready, f.position)
	for _, p := range slices.SortedFunc(maps.Keys(ready), comparePartitions) {
		saved := f.position[p]
		for f.position[p] < ready[p] {
			if err := f.hold(ctx); err != nil {
				return err
			}
			next, seen, err := f.batch(ctx, p, f.position[p], ready[p])
			if err != nil {
				return fmt.Errorf("follow the facts of partition %d of %s from offset %d: %w", p.Partition, p.Topic, f.position[p], err)
			}
			f.position[p] = next
			// A partition without facts is not worth a row each time.
			if seen > 0 || next-saved >= saveEvery {
				if err := f.trail.SaveFollowed(ctx, trail.FactsTask, p, next); err != nil {
					return err
				}
				saved = next
			}
			f.stats.behind(ready, f.position)
		}
	}
	return nil
}

// saveEvery is after how many offsets a position is saved without work done.
const saveEvery = 100_000

// batch follows the facts of a partition from an offset on, a batch of them,
// and says where the next begins.
func (f *Follower) batch(ctx context.Context, p trail.Partition, from, to int64) (next int64, seen int, err error) {
	var rows []trail.Row
	for row, err := range f.trail.FactsBetween(ctx, p, from, to, f.cfg.Limits.Facts) {
		if err != nil {
			return 0, 0, err
		}
		rows = append(rows, row)
	}
	next = to
	if len(rows) == f.cfg.Limits.Facts { // cut: the last event may not be whole
		last := rows[len(rows)-1]
		if int(last.PersonIndex)+1 < int(last.Of) {
			rows = slices.DeleteFunc(rows, func(r trail.Row) bool { return r.Offset == last.Offset })
			next = last.Offset
		} else {
			next = last.Offset + 1
		}
	}
	byController := make(map[string]*touches)
	for i := range rows {
		r := &rows[i]
		if r.Duplicate {
			continue
		}
		t := byController[r.Controller]
		if t == nil {
			t = new(touches)
			byController[r.Controller] = t
		}
		if err := t.add(r); err != nil {
			return 0, 0, fmt.Errorf("the fact at offset %d: %w", r.Offset, err)
		}
	}
	for _, controller := range slices.Sorted(maps.Keys(byController)) {
		t := byController[controller]
		if err := f.persons(ctx, controller, p, t.persons); err != nil {
			return 0, 0, err
		}
		if err := f.names(ctx, controller, p, t.names); err != nil {
			return 0, 0, err
		}
	}
	f.stats.facts.Add(int64(len(rows)))
	return next, len(rows), nil
}

// touches is whose events the facts of a batch can matter for.
type touches struct {
	persons, names []trail.Touch
}

func (t *touches) add(r *trail.Row) error {
	touch := trail.Touch{Person: r.Person, Offset: r.Offset}
	if r.Fact == event.IdentityFact {
		// Facts of the one now count for all events of the other.
		if r.Person != [16]byte{} {
			t.persons = append(t.persons, touch)
		}
		return nil
	}
	value, err := event.DecodeFacts([]byte(cmp.Or(r.FactValue, "{}")))
	if err != nil {
		return err
	}
	touch.Since = earliest(&value, r.FactValidFrom)
	if name := aboutName(r); name != "" {
		touch.Person, touch.Name = [16]byte{}, name
		if n := len(t.names); n == 0 || t.names[n-1] != touch { // once, however many persons it names
			t.names = append(t.names, touch)
		}
		return nil
	}
	if r.Person != [16]byte{} {
		t.persons = append(t.persons, touch)
	}
	return nil
}

// aboutName says which employee ("a" and the id) or recipient ("r" and the id)
// a fact is about, whoever the person is; "" if it is about persons. It is as
// [facts.Store.Learn] has it.
func aboutName(r *trail.Row) string {
	switch {
	case r.Fact == "employee" && r.Actor != "":
		return "a" + r.Actor
	case (r.Fact == "processor" || r.Fact == "recipient_info") && r.Recipient != "":
		return "r" + r.Recipient
	case r.Person != [16]byte{}:
		return ""
	case r.Recipient != "":
		return "r" + r.Recipient
	case r.Actor != "":
		return "a" + r.Actor
	}
	return ""
}

// earliest is the first moment for which a fact may matter: since when it is
// true, or a time of its own that one of its entries says. An entry counts
// since then even where it was told of later.
func earliest(f *event.Facts, validFrom time.Time) time.Time {
	first := validFrom
	say := func(t time.Time, needed bool) {
		if (needed || !t.IsZero()) && t.Before(first) {
			first = t
		}
	}
	for i := range f.Consents.Entries {
		say(f.Consents.Entries[i].GivenAt, true)
		say(f.Consents.Entries[i].WithdrawnAt, false)
	}
	for i := range f.Objections.Entries {
		say(f.Objections.Entries[i].MadeAt, true)
	}
	for i := range f.OptOuts.Entries {
		say(f.OptOuts.Entries[i].MadeAt, true)
	}
	for i := range f.Requests.Entries {
		say(f.Requests.Entries[i].MadeAt, true)
	}
	return first
}

// Bounds of one query.
const (
	personsAtOnce = 1000   // persons that one query asks for
	keysAtOnce    = 50_000 // events that one query lists
)

// persons judges again the events that facts about persons touch, be it under
// another of a person's pseudonyms.
func (f *Follower) persons(ctx context.Context, controller string, p trail.Partition, direct []trail.Touch) error {
	for part := range slices.Chunk(direct, personsAtOnce) {
		who := make([][16]byte, len(part))
		for i := range part {
			who[i] = part[i].Person
		}
		links, err := f.linked(ctx, controller, who)
		if err != nil {
			return err
		}
		all := make([]trail.Touch, 0, len(part))
		for _, t := range part {
			for _, person := range links.of(t.Person) {
				t.Person = person
				all = append(all, t)
			}
		}
		var after *trail.Touched
		for {
			touched, err := f.trail.Touched(ctx, controller, p, all, after, keysAtOnce)
			if err != nil {
				return err
			}
			for page := range slices.Chunk(touched, f.cfg.Limits.Events) {
				if err := f.touched(ctx, controller, p, page); err != nil {
					return err
				}
			}
			if len(touched) < keysAtOnce {
				break
			}
			after = &touched[len(touched)-1]
		}
	}
	return nil
}

// names judges again the events that facts about employees and recipients
// touch.
func (f *Follower) names(ctx context.Context, controller string, p trail.Partition, touches []trail.Touch) error {
	if len(touches) == 0 {
		return nil
	}
	byName := make(map[string][]trail.Touch)
	for _, t := range touches {
		byName[t.Name] = append(byName[t.Name], t)
	}
	var after *trail.Judged
	for {
		var page []trail.Touched
		n := 0
		for row, err := range f.trail.TouchedByName(ctx, controller, touches, after, f.cfg.Limits.Events) {
			if err != nil {
				return err
			}
			n++
			at := trail.Judged{Partition: trail.Partition{Topic: row.Topic, Partition: row.Partition}, Offset: row.Offset, Index: row.PersonIndex}
			after = &at
			var offsets []uint64
			for _, name := range [2]string{"a" + row.Actor, "r" + row.Recipient} {
				for _, t := range byName[name] {
					if !row.Time.Before(t.Since) && (at.Partition != p || at.Offset < t.Offset) {
						offsets = append(offsets, uint64(t.Offset))
					}
				}
			}
			if len(offsets) > 0 {
				page = append(page, trail.Touched{Judged: at, Person: row.Person, Offsets: offsets})
			}
		}
		if err := f.touched(ctx, controller, p, page); err != nil {
			return err
		}
		if n < f.cfg.Limits.Events {
			return nil
		}
	}
}

// touched judges a page of events again that facts of a partition touch.
func (f *Follower) touched(ctx context.Context, controller string, p trail.Partition, page []trail.Touched) error {
	if len(page) == 0 {
		return nil
	}
	if err := f.hold(ctx); err != nil {
		return err
	}
	touching := make(map[trail.Judged][]uint64, len(page))
	places := make([]trail.Judged, len(page))
	for i := range page {
		touching[page[i].Judged] = page[i].Offsets
		places[i] = page[i].Judged
	}
	slices.SortFunc(places, compareJudged)
	// The time is taken before anything that the verdict rests on is read: of
	// two verdicts the later one knew what the earlier one knew.
	now, err := f.trail.Now(ctx)
	if err != nil {
		return err
	}
	var rows []trail.Row
	for row, err := range f.trail.Current(ctx, places) {
		if err != nil {
			return err
		}
		if touching[row.Judged()] != nil {
			rows = append(rows, row)
		}
	}
	if len(rows) < len(page) {
		return errors.New("events that were touched are no longer in the trail")
	}
	return f.judge(ctx, f.cfg.Registers(), controller, rows, now, func(row *trail.Row, known *known, owedTo func(trail.Judged) bool) string {
		offsets := touching[row.Judged()]
		slices.Sort(offsets)
		fact := decisive(p, offsets, known.late(row), owedTo)
		return trail.CauseFact(fact.Partition, fact.Offset)
	})
}

// tried is how many facts are tried for whether a changed verdict is owed to
// them, of those that touch the event in this batch and of others.
const tried = 8

// decisive picks the fact that a changed verdict is owed to: of those that
// touch the event the first without which it would be another. If there is
// none, it may be one that the trail has already and that the follower has not
// come to yet; else it is the last, of several that changed it together.
func decisive(p trail.Partition, offsets []uint64, others []trail.Judged, owedTo func(trail.Judged) bool) trail.Judged {
	fact := func(offset uint64) trail.Judged { return trail.Judged{Partition: p, Offset: int64(offset)} }
	for _, o := range offsets[:min(len(offsets), tried)] {
		if owedTo(fact(o)) {
			return fact(o)
		}
	}
	for _, o := range others[:min(len(others), tried)] {
		if owedTo(o) {
			return o
		}
	}
	return fact(offsets[len(offsets)-1])
}

func compareJudged(a, b trail.Judged) int {
	return cmp.Or(comparePartitions(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Index, b.Index))
}
