// Package model makes up histories and answers questions about them slowly and
// obviously, by going through a plain list of what happened. It is for tests: a
// history is put into a trail, each question is asked in some [Way], by function,
// over HTTP or at the command line, and every figure of the answer must be the
// model's.
//
// What it knows: recipients, decisions, sources and cohorts of a person, as of any
// moment; the timeline in house and as the person may see it, with withheld
// recipients; whether one recipient ever received data, and silent systems; acts
// counted and listed; persons of a breach, sets of windows, steps onward and kept
// cases; what a recipient received, and its receipts; lineage; unusual access;
// who is to be told of an erasure, of one person and of all; the register of
// processing activities; what came before one event and after it; cases compared; what
// was known of a person; requests that wait for an answer, and agreements that lack.
// Events from before a register was in force are among the histories, as are links
// between identifiers, cohorts, duplicates, and verdicts given again, by chance or
// since the registers have changed.
package model

import (
	"bytes"
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

// act is an event as far as it concerns one pseudonym, with every verdict given
// on it, first to last.
type act struct {
	trail.Row
	later []trail.Row
}

// stands is the row with the verdict that stands.
func (a *act) stands() *trail.Row { return a.stood(openEnd) }

// stood is the row with the verdict that stood at a moment; nil if the event was
// not there yet.
func (a *act) stood(at time.Time) *trail.Row {
	if a.JudgedAt.After(at) {
		return nil
	}
	row := &a.Row
	for i := range a.later {
		if !a.later[i].JudgedAt.After(at) {
			row = &a.later[i]
		}
	}
	return row
}

// told is a fact as it was told.
type told struct {
	name, actor string
	person      [16]byte
	value       event.Facts
	from        time.Time
	recorded    time.Time
	source      string
	offset      int64
	duplicate   bool
}

// openEnd is after all that is in a history.
var openEnd = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// link is an identity fact, and when it came to be known.
type link struct {
	persons      [][16]byte
	at, recorded time.Time
	source       string
	offset       int64
}

// History is all that happened to one controller's persons, as a plain list. It
// answers every question slowly and obviously.
type History struct {
	// Controller is whose history it is.
	Controller string

	r         *rand.Rand
	keys      *identity.Keys
	batch     *Batch
	files     map[string]string // of the directory of registers
	registers *register.Set
	register  *register.Register // the newest
	partners  bool               // recipients act, too
	judged    bool               // verdicts are those of the registers, and none by chance
	changed   time.Time          // when the registers changed; zero: they have not

	identifiers []answer.Person       // all that are known
	links       []link                // identity facts
	cohorts     map[string][][16]byte // members
	acts        []act
	facts       []told                 // about persons, but for links
	copies      []told                 // facts that had arrived before
	asked       []asked                // of what recipients are to be told
	told        map[string][]time.Time // by system, when what it told of happened
}

// Start is about when histories begin: on the first of their days.
var Start = time.Date(2026, 1, 5, 6, 0, 0, 0, time.UTC)

// one is the least of the pseudonyms that are one person.
func (h *History) one(p [16]byte) [16]byte {
	return slices.MinFunc(h.linked(p, openEnd), func(a, b [16]byte) int { return bytes.Compare(a[:], b[:]) })
}

// linked are all pseudonyms of the person of one, as far as was known at a moment.
func (h *History) linked(p [16]byte, asOf time.Time) [][16]byte {
	return h.linkedBy(p, func(l *link) bool { return !l.at.After(asOf) })
}

// linkedBy are all pseudonyms of the person of one, by some of the links.
func (h *History) linkedBy(p [16]byte, counts func(*link) bool) [][16]byte {
	all := [][16]byte{p}
	for grown := true; grown; {
		grown = false
		for i := range h.links {
			if l := &h.links[i]; counts(l) && (slices.Contains(all, l.persons[0]) || slices.Contains(all, l.persons[1])) {
				for _, q := range l.persons {
					if !slices.Contains(all, q) {
						all, grown = append(all, q), true
					}
				}
			}
		}
	}
	return all
}

// of are the acts about a person, as the trail stood at a moment: each event once,
// by the worse of its verdicts.
func (h *History) of(p [16]byte, asOf time.Time) []*trail.Row {
	who := h.linked(p, asOf)
	for id, members := range h.cohorts {
		if slices.ContainsFunc(members, func(m [16]byte) bool { return slices.Contains(who, m) }) {
			c, _ := h.keys.Cohort(h.Controller, id)
			who = append(who, c)
		}
	}
	byPlace := make(map[int64]*trail.Row)
	for i := range h.acts {
		row := h.acts[i].stood(asOf)
		if row != nil && slices.Contains(who, row.Person) && (byPlace[row.Offset] == nil || byPlace[row.Offset].Verdict < row.Verdict) {
			byPlace[row.Offset] = row
		}
	}
	rows := slices.Collect(maps.Values(byPlace))
	slices.SortFunc(rows, func(a, b *trail.Row) int { return cmp.Or(b.Time.Compare(a.Time), cmp.Compare(b.Offset, a.Offset)) })
	return rows
}

// selected are the rows that a request selects.
func (h *History) selected(q *answer.ActsRequest) (rows []*trail.Row) {
	any := func(list []string, values ...string) bool {
		return len(list) == 0 || slices.ContainsFunc(values, func(v string) bool { return slices.Contains(list, v) })
	}
	from, to := parse(q.From), parse(q.To)
	for i := range h.acts {
		r := h.acts[i].stands()
		if r.Duplicate || r.Time.Before(from) || !to.IsZero() && !r.Time.Before(to) || !any(q.Operations, r.Operation.String()) || !any(q.Actors, r.Actor, h.mask(r.Actor)) ||
			!any(q.Roles, r.ActorRole) || !any(q.Systems, r.Source) || !any(q.Purposes, r.Purpose) || !any(q.Recipients, r.Recipient) ||
			!any(q.Entities, r.RecipientCode, r.RecipientOrganisation) || !any(q.Categories, r.Categories...) || !any(q.Verdicts, r.Verdict.String()) || !any(q.Rules, r.Rules...) {
			continue
		}
		rows = append(rows, r)
	}
	return rows
}

// saw counts something that a check is about: what never occurs in any history is
// not checked.
func (h *History) saw(what string) { h.batch.saw(what) }

func parse(text string) time.Time {
	if text == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

// persons are those whom rows are about, and in which categories.
func (h *History) persons(rows []*trail.Row) map[[16]byte]map[string]bool {
	all := make(map[[16]byte]map[string]bool)
	for _, r := range rows {
		who := [][16]byte{r.Person}
		if r.Cohort {
			who = h.cohorts[r.CohortID]
		}
		for _, p := range who {
			if p == ([16]byte{}) {
				continue
			}
			one := h.one(p)
			if all[one] == nil {
				all[one] = make(map[string]bool)
			}
			for _, c := range r.Categories {
				all[one][c] = true
			}
		}
	}
	return all
}

func (h *History) mask(actor string) string {
	return (&answer.Deps{Keys: h.keys}).Mask(h.Controller, actor)
}
