package trail

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/andmerada/andmerada/internal/event"
)

// maxTogether is how many rows of a person are read in one go. Nearly every
// person has fewer; of the others the database sums up.
const maxTogether = 3000

// History is what is stored of a person. To find a person's rows in each part of
// the table, column by column, is nearly all that a question about it costs, so
// that they are read once, where they are few, and all that is asked of them is
// answered from memory. Of many rows the database is asked each time.
type History struct {
	db    *DB
	query PersonQuery // Only is nil: what is left out of an answer is known when the rows are
	most  int
	rows  []Row
	ids   []ContextID // of the contexts of rows
	facts []Judged    // of the identity facts, those that were followed first
	read  int         // rows, of whatever kind
	few   bool        // rows are all there are
}

// HistoryOf reads what is stored under pseudonyms.
func (db *DB) HistoryOf(ctx context.Context, q PersonQuery) (*History, error) {
	return db.historyOf(ctx, q, maxTogether)
}

func (db *DB) historyOf(ctx context.Context, q PersonQuery, most int) (*History, error) {
	h := &History{db: db, query: q, most: most, few: true}
	h.query.Only = nil
	return h, h.add(ctx, q.Persons)
}

// Link reads what is stored under the pseudonyms that identity facts make one with
// those that are there, as [DB.Linked] finds them, and lists all of them, those
// that were there first.
func (h *History) Link(ctx context.Context) ([][16]byte, error) {
	for followed, round := 0, 0; h.few && followed < len(h.facts) && round < maxLinkRounds; round++ {
		found, err := h.db.namedAt(ctx, h.query.Controller, h.facts[followed:])
		if err != nil {
			return nil, fmt.Errorf("look for linked pseudonyms: %w", err)
		}
		followed = len(h.facts)
		found = slices.DeleteFunc(found, func(p [16]byte) bool { return p == [16]byte{} || slices.Contains(h.query.Persons, p) })
		if err := h.Add(ctx, found); err != nil {
			return nil, err
		}
	}
	if h.few {
		return slices.Clone(h.query.Persons), nil
	}
	all, err := h.db.Linked(ctx, h.query)
	if err != nil {
		return nil, err
	}
	h.query.Persons = all
	return slices.Clone(all), nil
}

// Add reads what is stored under further pseudonyms of the person: those linked
// with the first, and those of its cohorts.
func (h *History) Add(ctx context.Context, persons [][16]byte) error {
	h.query.Persons = slices.Concat(h.query.Persons, persons)
	if !h.few || len(persons) == 0 {
		return nil
	}
	return h.add(ctx, persons)
}

func (h *History) add(ctx context.Context, persons [][16]byte) error {
	if err := h.query.check(); err != nil {
		return err
	}
	q := h.query
	q.Persons = persons
	// Each further condition costs a tenth of the plan: what is of another time, or
	// not about the person's data, is left out here.
	where, params := q.whose()
	params["most"] = strconv.Itoa(h.most - h.read + 1)
	rows, err := h.db.historyRows(ctx, factsAndHistory, q.Controller, "trail "+where+q.asOf()+" LIMIT {most:UInt32}", params)
	if err != nil {
		return fmt.Errorf("read the person's events: %w", err)
	}
	if h.read += len(rows); h.read > h.most {
		h.few, h.rows, h.ids, h.facts = false, nil, nil, nil
		return nil
	}
	from, to := q.bounds()
	var encoded []byte
	for i := range rows {
		switch r := &rows[i]; {
		case r.Operation == OperationFact:
			if r.Fact == event.IdentityFact && !r.Duplicate {
				h.facts = append(h.facts, Judged{Partition: Partition{r.Topic, r.Partition}, Offset: r.Offset})
			}
		case r.Operation == OperationCohort || r.Time.UnixMilli() < from || r.Time.UnixMilli() >= to:
		default:
			encoded = appendContext(encoded[:0], r)
			h.rows, h.ids = append(h.rows, *r), append(h.ids, contextID(string(encoded)))
		}
	}
	return nil
}

// asked is the question whose answer the database gives.
func (h *History) asked(only []Part) PersonQuery {
	q := h.query
	q.Only = only
	return q
}

// standing are the rows of some parts, nil for all: each event once, in the order
// of time, with the verdict that stands.
func (h *History) standing(only []Part) []Row {
	if only == nil {
		return standing(slices.Clone(h.rows))
	}
	is := oneOf(only)
	var left []Row
	for i := range h.rows {
		if is(&h.rows[i], h.ids[i]) {
			left = append(left, h.rows[i])
		}
	}
	return standing(left)
}

// Uses sums up what was done, as [DB.Uses] does, in some parts of the history, nil
// for all of it.
func (h *History) Uses(ctx context.Context, only []Part) (uses []Use, complete bool, err error) {
	if !h.few {
		return h.db.Uses(ctx, h.asked(only))
	}
	return usesOf(h.standing(only)), true, nil
}

// Timeline lists what was done, as [DB.Timeline] does, in some parts of the
// history, nil for all of it.
func (h *History) Timeline(ctx context.Context, only []Part, before *Place, n int) ([]Row, error) {
	if !h.few {
		return h.db.Timeline(ctx, h.asked(only), before, n)
	}
	return newestOf(beforePlace(h.standing(only), before), n), nil
}

// Contexts finds the contexts of the events, as [DB.ContextsFor] does.
func (h *History) Contexts(ctx context.Context) (map[ContextID]*Context, error) {
	if !h.few {
		return h.db.ContextsFor(ctx, h.query)
	}
	return h.db.contextsByID(ctx, h.ids)
}

// Count counts the events in lists of parts, as [DB.CountParts] does.
func (h *History) Count(ctx context.Context, of ...[]Part) ([]uint64, error) {
	if !h.few {
		return h.db.CountParts(ctx, h.query, of...)
	}
	counts := make([]uint64, len(of))
	for i, parts := range of {
		is := func(*Row, ContextID) bool { return true }
		if parts != nil {
			is = oneOf(parts)
		}
		places := make(map[Place]bool)
		for n := range h.rows {
			if r := &h.rows[n]; !r.Duplicate && is(r, h.ids[n]) {
				places[r.at()] = true
			}
		}
		counts[i] = uint64(len(places))
	}
	return counts, nil
}

// oneOf says of a row what condition says in SQL: whether it is in one of the parts.
func oneOf(parts []Part) func(*Row, ContextID) bool {
	of := make(map[ContextID][]*Part)
	for i := range parts {
		for _, id := range parts[i].Contexts {
			of[id] = append(of[id], &parts[i])
		}
	}
	return func(r *Row, id ContextID) bool {
		return slices.ContainsFunc(of[id], func(p *Part) bool {
			return (p.Since.IsZero() || r.Time.UnixMilli() >= later(p.Since, openFrom).UnixMilli()) &&
				!slices.ContainsFunc(p.Except, func(e Except) bool { return e.takes(r.BasisReference) })
		})
	}
}

// takes says whether an event that refers to something is taken out.
func (e *Except) takes(reference string) bool {
	if slices.Contains(e.But, reference) {
		return false
	}
	lower := strings.ToLower(reference)
	return e.Begins == nil || slices.ContainsFunc(e.Begins, func(b string) bool { return strings.HasPrefix(lower, b) })
}
