package report

import (
	"strconv"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/unusual"
)

// Unusual is the report of accesses that were out of the ordinary.
func (n *Names) Unusual(lang string, a *answer.UnusualAnswer) *Document {
	w := n.newWriter(lang, a.Controller, a.Period.Zone, a.AskedAt)
	d := w.doc
	d.Title, d.Subtitle = w.say("unusual.title"), a.Controller.Name
	facts := []Pair{w.pair("controller", a.Controller.Name), w.period(a.Period), w.pair("unusual.events", w.number(a.Events)), w.pair("unusual.actors", w.number(uint64(a.Actors)))}
	if !a.HabitsFrom.IsZero() {
		facts = append(facts, w.pair("unusual.habits", w.day(a.HabitsFrom.In(w.zone))))
	}
	d.facts(append(facts, w.made())...)
	if a.Found == 0 {
		d.tone(Lead, w.say("unusual.none"))
	} else {
		d.tone(Alarm, w.say("unusual.found", "n", a.Found))
		d.say(w.say("unusual.no-accusation"))
		if !a.Complete {
			d.say(w.say("complete.partly"))
		}
		d.heading(1, w.say("unusual.hits"))
		var rows [][]Cell
		for i := range a.Hits {
			h := &a.Hits[i]
			actor := h.Actor
			if h.Role != "" {
				actor += ", " + h.Role
			}
			rows = append(rows, []Cell{
				text(w.say("unusual.kind."+string(h.Kind)) + " (" + h.Rule + ")"), text(w.say("unusual.severity." + string(h.Severity))),
				text(w.unusual(h)), text(actor), text(w.minute(h.First.In(w.zone))),
			})
		}
		d.table("hits", []string{w.say("unusual.what"), w.say("unusual.severity"), w.say("unusual.why"), w.say("col.actor"), w.say("col.first")}, []float64{24, 13, 42, 24, 17}, rows)
		d.tone(Quiet, w.say("access.masked"))
	}
	if a.Found == 0 && !a.Complete {
		d.say(w.say("complete.partly"))
	}
	d.heading(1, w.say("unusual.rules"))
	var rows [][]Cell
	for i := range a.Rules {
		r := &a.Rules[i]
		hits := w.figure(uint64(r.Hits))
		if !r.On {
			hits = text("–")
		}
		rows = append(rows, []Cell{text(r.ID), text(w.say("unusual.kind." + string(r.Kind))), text(w.say("unusual.severity." + string(r.Severity))), hits})
	}
	d.table("rules", []string{w.say("col.id"), w.say("unusual.what"), w.say("unusual.severity"), w.say("unusual.number")}, []float64{14, 60, 22, 14}, rows)
	d.heading(1, w.say("person.complete"))
	w.complete(a.Completeness, false)
	return d
}

// unusual is a hit in sentences, with the numbers that it rests on.
func (w *writer) unusual(h *answer.UnusualHit) string {
	n := &h.Numbers
	var all []string
	say := func(key string, args ...any) { all = append(all, w.say("unusual.says."+key, args...)) }
	switch h.Kind {
	case unusual.Volume:
		if len(n.Hours) > 0 {
			say("hour", "p", n.Persons, "clock", w.clocks(n.Hours))
		} else {
			say("day", "p", n.Persons)
		}
		if n.OwnDays > 0 {
			say("own", "m", w.decimal(n.OwnMedian), "n", n.OwnDays)
		}
		if n.Peers > 0 {
			say("peers", "p", n.Percentile, "v", n.PeerValue, "n", n.Peers)
		}
	case unusual.Hour:
		say("clock", "clocks", w.clocks(n.Hours), "a", n.OwnAtHour, "n", n.OwnDays)
		if n.Peers > 0 {
			say("clock-peers", "a", n.PeersAlike, "n", n.PeerDays)
		}
	case unusual.NewUse:
		if h.Use != nil {
			say(h.Of, "name", w.value(h.Of, *h.Use))
		}
		say("use-own", "e", h.Events, "n", n.OwnDays)
		if n.Peers > 0 {
			say("use-peers", "a", n.PeersAlike, "n", n.Peers)
		}
	default:
		say("acts", "e", h.Events, "d", n.Days)
		if n.Relation != "" {
			say("relation." + n.Relation)
		}
		if n.Ended != "" {
			day := n.Ended
			if t, err := time.ParseInLocation(time.DateOnly, n.Ended, w.zone); err == nil {
				day = w.day(t)
			}
			say("ended", "day", day, "n", n.EndedDays)
		}
		if h.Pseudonym != "" {
			say("person", "pseudonym", h.Pseudonym)
		}
	}
	return strings.Join(all, " ")
}

// decimal is a number as the language writes one.
func (w *writer) decimal(f float64) string {
	return strings.ReplaceAll(strconv.FormatFloat(f, 'f', -1, 64), ".", w.Decimal)
}

// clocks are hours of the day.
func (w *writer) clocks(hours []int) string {
	all := make([]string, len(hours))
	for i, h := range hours {
		all[i] = w.clock(time.Date(2000, 1, 1, h, 0, 0, 0, time.UTC))
	}
	return strings.Join(all, ", ")
}
