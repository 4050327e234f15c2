package trail

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Part is some of a person's events: those of these contexts, from a moment on,
// but for some.
type Part struct {
	Contexts []ContextID
	Since    time.Time // zero = from the beginning
	Except   []Except
}

// Except takes events out of a part by what they refer to.
type Except struct {
	Begins []string // how their basis references begin, in lower case; nil = all events
	But    []string // basis references of those that stay
}

// maxPersonContexts bounds the contexts of one person's events.
const maxPersonContexts = 20_000

// condition is what the rows of parts meet. What it needs goes into params, under
// names that begin with a prefix.
func condition(parts []Part, prefix string, params map[string]string) string {
	all := []string{"0"}
	for i := range parts {
		p, name := &parts[i], prefix+strconv.Itoa(i)
		ids := make([][16]byte, len(p.Contexts))
		for n, id := range p.Contexts {
			ids[n] = id
		}
		params[name+"_contexts"] = hexArray(ids)
		c := "context IN (SELECT toFixedString(unhex(arrayJoin({" + name + "_contexts:Array(String)})), 16))"
		if !p.Since.IsZero() {
			params[name+"_since"] = strconv.FormatInt(later(p.Since, openFrom).UnixMilli(), 10)
			c += " AND time >= fromUnixTimestamp64Milli({" + name + "_since:Int64}, 'UTC')"
		}
		for n, e := range p.Except {
			text := func(what string, list []string) string {
				what = name + "_" + what + strconv.Itoa(n)
				hexed := make([]string, len(list))
				for i, v := range list {
					hexed[i] = hex.EncodeToString([]byte(v))
				}
				params[what] = quoteHex(hexed)
				return "arrayMap(x -> unhex(x), {" + what + ":Array(String)})"
			}
			stays := "has(" + text("but", e.But) + ", basis_reference)"
			if e.Begins != nil {
				stays += " OR NOT arrayExists(b -> startsWith(lowerUTF8(basis_reference), b), " + text("begins", e.Begins) + ")"
			}
			c += " AND (" + stays + ")"
		}
		all = append(all, "("+c+")")
	}
	return "(" + strings.Join(all, " OR ") + ")"
}

// onlyPrefix begins the names of the parameters of PersonQuery.Only.
const onlyPrefix = "only"

// only leaves the events of the parts that are asked for. What it needs is in the
// question's params.
func (q *PersonQuery) only() string {
	if q.Only == nil {
		return ""
	}
	return "\n\t\tAND " + condition(q.Only, onlyPrefix, make(map[string]string))
}

// ContextsFor finds the contexts of a person's events.
func (db *DB) ContextsFor(ctx context.Context, q PersonQuery) (map[ContextID]*Context, error) {
	if err := q.check(); err != nil {
		return nil, err
	}
	params := q.params()
	var ids []ContextID
	err := db.each(ctx, `SELECT DISTINCT context FROM trail`+q.where()+` LIMIT `+strconv.Itoa(maxPersonContexts+1)+personSettings, params, func(scan func(...any) error) error {
		var id string
		if err := scan(&id); err != nil {
			return err
		}
		ids = append(ids, ContextID([]byte(id)))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for the contexts of the person's events: %w", err)
	}
	if len(ids) > maxPersonContexts {
		return nil, fmt.Errorf("%w: its events are of more than %d sorts", ErrTooMany, maxPersonContexts)
	}
	return db.contextsByID(ctx, ids)
}

func (db *DB) contextsByID(ctx context.Context, ids []ContextID) (map[ContextID]*Context, error) {
	found, err := db.contextsOf(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("read the contexts of the person's events: %w", err)
	}
	all := make(map[ContextID]*Context, len(ids))
	for i, id := range ids {
		all[id] = found[i]
	}
	return all, nil
}

// CountParts counts a person's events, each once and none that arrived twice,
// for each of some lists of parts: nil stands for all events.
func (db *DB) CountParts(ctx context.Context, q PersonQuery, of ...[]Part) ([]uint64, error) {
	if err := q.check(); err != nil {
		return nil, err
	}
	params := q.params()
	counts := make([]string, len(of))
	for i, parts := range of {
		c := "1"
		if parts != nil {
			c = condition(parts, "count"+strconv.Itoa(i)+"_", params)
		}
		counts[i] = "uniqExactIf((topic, partition, offset), " + c + ")"
	}
	numbers := make([]uint64, len(of))
	to := make([]any, len(of))
	for i := range numbers {
		to[i] = &numbers[i]
	}
	err := db.each(ctx, "SELECT "+strings.Join(counts, ", ")+" FROM trail"+q.where()+" AND NOT duplicate"+personSettings, params, func(scan func(...any) error) error { return scan(to...) })
	if err != nil {
		return nil, fmt.Errorf("count the person's events: %w", err)
	}
	return numbers, nil
}

// Referring lists the processing events under one pseudonym, newest first, whose
// basis reference begins with one of some words. What [DB.Timeline] fills is
// filled. As it stands now it may be Config.ReachFor old, where there are few.
func (db *DB) Referring(ctx context.Context, q PersonQuery, words []string) ([]Row, error) {
	if len(q.Persons) != 1 {
		return nil, fmt.Errorf("look for what refers to something: under %d pseudonyms, want one", len(q.Persons))
	}
	h, err := db.referred.of(ctx, referredTo{q.Controller, q.Persons[0]}, q.AsOf, db.cfg.ReachFor, func(ctx context.Context) (*History, error) {
		return db.HistoryOf(ctx, PersonQuery{Controller: q.Controller, Persons: q.Persons, AsOf: q.AsOf})
	})
	if err != nil {
		return nil, err
	}
	return h.referring(ctx, q, words)
}

// referring is [DB.Referring], of a part of the history's time.
func (h *History) referring(ctx context.Context, q PersonQuery, words []string) ([]Row, error) {
	if h.few {
		from, to := q.bounds()
		var found []Row
		for i := range h.rows {
			r := &h.rows[i]
			word, _, _ := strings.Cut(r.BasisReference, " ")
			if at := r.Time.UnixMilli(); at >= from && at < to && slices.Contains(words, word) {
				found = append(found, *r)
			}
		}
		return newestOf(standing(found), maxPage), nil
	}
	hexed := make([]string, len(words))
	for i, w := range words {
		hexed[i] = hex.EncodeToString([]byte(w))
	}
	params := q.params()
	params["n"], params["words"] = strconv.Itoa(maxPage), quoteHex(hexed)
	return h.db.historyRows(ctx, historyColumns, q.Controller, timelineFrom(q.where()+" AND has(arrayMap(x -> unhex(x), {words:Array(String)}), splitByChar(' ', basis_reference)[1])"), params)
}

// referredTo is under which pseudonym it was looked for what refers to something.
type referredTo struct {
	controller string
	person     [16]byte
}

// SortedContexts lists the ids of contexts, so that a question is the same
// whenever it is asked.
func SortedContexts(of map[ContextID]*Context) []ContextID {
	return slices.SortedFunc(maps.Keys(of), func(a, b ContextID) int { return slices.Compare(a[:], b[:]) })
}
