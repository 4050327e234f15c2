package report

import (
	"cmp"
	"encoding/json"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
)

// Timeline is the report of what was done with a person's data.
func (n *Names) Timeline(lang string, a *answer.TimelineAnswer, made time.Time) *Document {
	w := n.newWriter(lang, a.Controller, a.Period.Zone, made)
	w.toTheDay = a.Precision != ""
	d := w.doc
	d.Title, d.Subtitle = w.say("timeline.title"), a.Controller.Name
	d.facts(append([]Pair{w.pair("controller", a.Controller.Name)}, append(w.person(a.Person), w.period(a.Period), w.asOf(a.Period), w.made())...)...)
	if len(a.Events) == 0 {
		d.tone(Lead, w.say("timeline.none"))
	} else {
		d.tone(Lead, w.say("timeline.count", "n", len(a.Events)))
		w.entries(a.Events, true)
		if a.Next != "" {
			d.say(w.say("timeline.more"))
		}
	}
	d.heading(1, w.say("person.left-out"))
	d.say(w.say("person.actors"))
	w.restrictions(&a.View)
	w.rights(a.Rights)
	return d
}

// Access is the report of who accessed, used or handed on what.
func (n *Names) Access(lang string, a *answer.AccessAnswer) *Document {
	w := n.newWriter(lang, a.Controller, a.Period.Zone, a.AskedAt)
	d := w.doc
	d.Title, d.Subtitle = w.say("access.title"), a.Controller.Name
	d.facts(w.pair("controller", a.Controller.Name), w.period(a.Period), w.made())
	if a.Events == 0 {
		d.tone(Lead, w.say("access.nothing"))
	} else {
		d.tone(Lead, w.say("access.sum", "n", a.Events, "first", w.day(a.First.In(w.zone)), "last", w.day(a.Last.In(w.zone))))
		w.verdicts(a.Verdicts)
		d.heading(1, w.say("access.shares"))
		w.shares("shares", a.By, a.Shares)
		if !a.Complete {
			d.say(w.say("complete.partly"))
		}
		d.tone(Quiet, w.say("access.masked"))
		if len(a.Timeline.Events) > 0 {
			d.heading(1, w.say("access.events"))
			w.entries(a.Timeline.Events, false)
		}
	}
	d.heading(1, w.say("person.complete"))
	w.complete(a.Completeness, false)
	return d
}

func (w *writer) verdicts(v answer.Verdicts) {
	w.doc.say(w.say("of.verdicts", "a", v.Allowed, "r", v.Review, "v", v.Violation))
}

func (w *writer) figure(n uint64) Cell { return Cell{w.number(n), true} }

// shares is a table of events counted by dimensions.
func (w *writer) shares(name string, by []string, shares []answer.Share) {
	var head []string
	var widths []float64
	for _, dimension := range by {
		key := "col." + dimension
		if dimension == "source" {
			key = "col.system"
		}
		head, widths = append(head, w.say(key)), append(widths, 20)
	}
	head = append(head, w.say("col.events"), w.say("col.pseudonyms"), w.say("col.first"), w.say("col.last"))
	widths = append(widths, 11, 15, 13, 13)
	judged := len(by) < 3 // more columns than the page has room for
	if judged {
		head, widths = append(head, w.say("col.review"), w.say("col.violation")), append(widths, 14, 14)
	}
	var rows [][]Cell
	for i := range shares {
		s := &shares[i]
		var row []Cell
		for k, key := range s.Keys {
			dimension := ""
			if k < len(by) {
				dimension = by[k]
			}
			row = append(row, text(w.value(dimension, key)))
		}
		row = append(row, w.figure(s.Events), w.figure(s.Pseudonyms), text(w.short1(s.First)), text(w.short1(s.Last)))
		if judged {
			row = append(row, w.figure(s.Verdicts.Review), w.figure(s.Verdicts.Violation))
		}
		rows = append(rows, row)
	}
	w.doc.table(name, head, widths, rows)
}

func (w *writer) short1(t time.Time) string { return w.catalogue.short(t.In(w.zone)) }

// value is what a value of a dimension is called.
func (w *writer) value(dimension string, v answer.Named) string {
	if v.ID == "" {
		return "–"
	}
	c := w.catalogue
	switch dimension {
	case "purpose":
		return w.names.purpose(c, w.controller.ID, v.ID, v.Name)
	case "recipient":
		return w.names.recipient(c, w.controller.ID, v.ID, cmp.Or(v.Name, v.ID))
	case "category":
		return w.names.category(c, w.controller.ID, v.ID, v.Name)
	case "basis":
		return w.basis(v.ID)
	case "operation":
		return w.operation(v.ID)
	case "rule":
		return v.ID + " " + w.names.rule(c, v.ID, v.Name)
	case "country":
		return w.countries([]string{v.ID})
	case "verdict":
		if w.has("verdict." + v.ID) {
			return w.say("verdict." + v.ID)
		}
	}
	return cmp.Or(v.Name, v.ID)
}

// Recipient is the report of what one recipient received.
func (n *Names) Recipient(lang string, a *answer.RecipientAnswer) *Document {
	w := n.newWriter(lang, a.Controller, a.Period.Zone, a.AskedAt)
	d := w.doc
	name := a.Recipient.Name
	if a.Declared {
		name = n.recipient(w.catalogue, a.Controller.ID, a.Recipient.ID, name)
	}
	d.Title, d.Subtitle = w.say("of.title", "recipient", name), a.Controller.Name
	d.facts(w.pair("controller", a.Controller.Name), w.period(a.Period), w.made())
	if a.Events == 0 {
		d.tone(Lead, w.say("of.nothing", "recipient", name, "controller", a.Controller.Name))
	} else {
		d.tone(Lead, w.say("of.sum", "recipient", name, "controller", a.Controller.Name, "p", a.Persons, "e", a.Events, "first", w.day(a.First.In(w.zone)), "last", w.day(a.Last.In(w.zone))))
	}
	if a.Declared {
		d.say(w.say("of.declared", "clauses", strings.Join(a.Clauses, ", ")))
	} else {
		d.tone(Alarm, w.say("of.undeclared"))
	}
	if a.Events > 0 {
		w.verdicts(a.Verdicts)
	}
	for _, part := range []struct {
		key, by string
		shares  []answer.Share
	}{{"of.purposes", "purpose", a.Purposes}, {"of.categories", "category", a.Categories}, {"of.grounds", "basis", a.Grounds}} {
		if len(part.shares) > 0 {
			d.heading(1, w.say(part.key))
			w.shares(part.by, []string{part.by}, part.shares)
		}
	}
	if len(a.Rules) > 0 {
		d.heading(1, w.say("of.findings"))
		w.rules(a.Rules)
	}
	if len(a.Days) > 0 {
		d.heading(1, w.say("of.volumes"))
		w.volumes(a.Days)
	}
	if r := a.Reconciled; r != nil {
		w.reconciled(r)
	}
	d.heading(1, w.say("person.complete"))
	w.complete(a.Completeness, false)
	return d
}

func (w *writer) rules(rules []answer.RuleUse) {
	var rows [][]Cell
	for i := range rules {
		r := &rules[i]
		rows = append(rows, []Cell{text(r.ID), text(w.rule(&r.Rule)), text(w.say("verdict." + r.Verdict)), w.figure(r.Count)})
	}
	w.doc.table("rules", []string{w.say("col.id"), w.say("col.rule"), w.say("col.verdict"), w.say("col.events")}, []float64{14, 60, 22, 14}, rows)
}

// written is a day of an answer as the language writes it in tables; what is no
// day, as a month, stays as it is.
func (w *writer) written(day string) string {
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return day
	}
	return w.catalogue.short(t)
}

// manyDays is above how many days a report counts by month.
const manyDays = 40

func (w *writer) volumes(days []answer.DayVolume) {
	head := w.say("col.day")
	if len(days) > manyDays {
		head = w.say("col.month")
		var months []answer.DayVolume
		for _, day := range days {
			month := day.Day[:min(7, len(day.Day))]
			if len(months) == 0 || months[len(months)-1].Day != month {
				months = append(months, answer.DayVolume{Day: month})
			}
			m := &months[len(months)-1]
			m.Events += day.Events
			m.Records += day.Records
		}
		days = months
	}
	var rows [][]Cell
	for _, day := range days {
		rows = append(rows, []Cell{text(w.written(day.Day)), w.figure(day.Events), w.figure(day.Records)})
	}
	w.doc.table("volumes", []string{head, w.say("col.events"), w.say("col.records")}, nil, rows)
}

func (w *writer) reconciled(r *answer.Reconciliation) {
	d := w.doc
	d.heading(1, w.say("of.reconciled"))
	if r.Differs() {
		d.tone(Alarm, w.say("of.differs"))
	} else {
		d.tone(Lead, w.say("of.agrees"))
	}
	d.facts(
		w.pair("of.matched", w.number(uint64(r.Matched))), w.pair("of.lost", w.number(uint64(r.SentNotReceivedN))),
		w.pair("of.added", w.number(uint64(r.ReceivedNotSentN))), w.pair("of.twice", w.number(uint64(r.ReceivedTwiceN))), w.pair("of.records", w.number(uint64(r.RecordsDifferN))), w.pair("of.days", w.number(uint64(len(r.DaysThatDiffer)))),
	)
	for _, part := range []struct {
		key    string
		events []answer.EventID
	}{{"of.lost", r.SentNotReceived}, {"of.added", r.ReceivedNotSent}, {"of.twice", r.ReceivedTwice}} {
		if len(part.events) == 0 {
			continue
		}
		d.heading(2, w.say(part.key))
		var rows [][]Cell
		for _, e := range part.events {
			at := ""
			if !e.Time.IsZero() {
				at = w.minute(e.Time.In(w.zone))
			}
			rows = append(rows, []Cell{text(e.ID), text(e.Source), text(at)})
		}
		d.table(part.key, []string{w.say("col.id"), w.say("col.source"), w.say("col.time")}, nil, rows)
	}
	if len(r.RecordsDiffer) > 0 {
		d.heading(2, w.say("of.records"))
		var rows [][]Cell
		for _, e := range r.RecordsDiffer {
			rows = append(rows, []Cell{text(e.ID), w.figure(e.Sent), w.figure(e.Received)})
		}
		d.table("of.records", []string{w.say("col.id"), w.say("col.sent"), w.say("col.received")}, nil, rows)
	}
	if len(r.DaysThatDiffer) > 0 {
		d.heading(2, w.say("of.days"))
		var rows [][]Cell
		for _, day := range r.DaysThatDiffer {
			rows = append(rows, []Cell{text(w.written(day.Day)), w.figure(day.Sent), w.figure(day.Received)})
		}
		d.table("of.days", []string{w.say("col.day"), w.say("col.sent"), w.say("col.received")}, nil, rows)
	}
}

// Told is the report of who was told of an erasure, a rectification or a
// restriction (GDPR Art. 19).
func (n *Names) Told(lang string, a *answer.ToldAnswer) *Document {
	w := n.newWriter(lang, a.Controller, "", a.AskedAt)
	d := w.doc
	w.toTheDay = a.Precision != ""
	d.Title, d.Subtitle = w.say("told.title."+a.Operation), a.Controller.Name
	date := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return w.day(t.In(w.zone))
	}
	head := append([]Pair{w.pair("controller", a.Controller.Name)}, w.person(a.Person)...)
	d.facts(append(head, w.pair("told.since", date(a.Since)), w.pair("told.due", date(a.Due)), w.made())...)
	d.say(w.say("told.law"))
	if a.Since.IsZero() {
		d.say(w.say("told.no-since"))
	}
	switch {
	case len(a.Tasks) == 0:
		d.tone(Lead, w.say("told.none"))
	case a.Open == 0:
		d.tone(Lead, w.say("told.done"))
	case a.Overdue > 0:
		d.tone(Alarm, w.say("told.open", "n", a.Open, "o", a.Overdue))
	default:
		d.tone(Lead, w.say("told.open", "n", a.Open, "o", a.Overdue))
	}
	if len(a.Tasks) > 0 {
		var rows [][]Cell
		for i := range a.Tasks {
			t := &a.Tasks[i]
			name := n.recipient(w.catalogue, a.Controller.ID, t.ID, t.Name)
			if r := n.register(a.Controller.ID); r != nil && t.ID != "" {
				if e, ok := r.Recipient(t.ID); ok && !e.Named {
					name = t.Name // who of the class it is, where the record says
				}
			}
			rows = append(rows, []Cell{text(name), text(w.say("told.state." + t.State)), w.figure(t.Received), text(w.short1(t.Last)), text(w.maybe(t.Told)), text(w.maybe(t.Acknowledged))})
		}
		d.table("told", []string{w.say("col.recipient"), w.say("col.state"), w.say("col.received"), w.say("col.last"), w.say("col.told"), w.say("col.answered")}, []float64{34, 26, 13, 15, 15, 15}, rows)
	}
	w.restrictions(&a.View)
	d.heading(1, w.say("person.complete"))
	w.complete(a.Completeness, false)
	if a.Cut {
		d.tone(Alarm, w.say("told.cut"))
	}
	return d
}

// maybe is a date for a table, or a dash.
func (w *writer) maybe(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return w.short1(t)
}

// Case is the report of a frozen case: what was answered when it was frozen, and
// the persons.
func (n *Names) Case(lang string, a *answer.CaseAnswer) *Document {
	w := n.newWriter(lang, a.Controller, "", a.FrozenAt)
	d := w.doc
	var then answer.BreachAnswer
	if err := json.Unmarshal(a.Answer, &then); err == nil && then.Controller.ID != "" {
		d = n.Breach(lang, &then)
		w.doc = d
		d.heading(1, w.say("case.affected"))
	} else {
		d.facts(w.pair("case.id", a.ID), w.pair("case.frozen", w.minute(a.FrozenAt.In(w.zone))), w.pair("case.persons", w.number(a.Persons)))
		d.heading(1, w.say("case.affected"))
	}
	d.Title, d.Subtitle = w.say("case.title", "name", a.Name), a.Controller.Name
	var rows [][]Cell
	for i := range a.Affected {
		p := &a.Affected[i]
		var data []string
		for _, id := range p.Categories {
			data = append(data, n.category(w.catalogue, a.Controller.ID, id, id))
		}
		rows = append(rows, []Cell{text(p.Pseudonym), w.figure(p.Events), text(w.short1(p.First)), text(w.short1(p.Last)), text(things(data))})
	}
	d.table("affected", []string{w.say("col.pseudonym"), w.say("col.events"), w.say("col.first"), w.say("col.last"), w.say("col.data")}, []float64{37, 10, 13, 13, 40}, rows)
	if a.Next != "" {
		d.say(w.say("case.more"))
	}
	return d
}
