package report

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/andmerada/andmerada/internal/answer"
)

// asked says whether the recipient that was asked about received anything, and how
// far that can be believed.
func (w *writer) asked(a *answer.RecipientsAnswer) {
	x, d := a.Asked, w.doc
	if x == nil {
		return
	}
	name := x.Name
	if x.Declared {
		name = w.names.recipient(w.catalogue, w.controller.ID, x.ID, x.Name)
	}
	switch x.Received {
	case answer.ReceivedUntold:
		d.tone(Lead, w.say("asked.untold", "recipient", name))
		return
	case answer.ReceivedYes:
		d.tone(Lead, w.say("asked.received", "recipient", upper(name), "n", x.Count, "first", w.day(x.First.In(w.zone)), "last", w.day(x.Last.In(w.zone))))
	default:
		d.tone(Lead, w.say("asked.never", "controller", w.controller.Name, "recipient", name))
	}
	var parts []string
	if x.Apart {
		parts = append(parts, w.say("asked.apart"))
	}
	if x.Unnamed > 0 {
		parts = append(parts, w.say("asked.unnamed", "n", x.Unnamed, "recipient", name))
	}
	if x.Whole {
		parts = append(parts, w.say("asked.whole"))
	} else {
		parts = append(parts, w.say("asked.not-whole", "heading", w.say("person.complete")))
	}
	d.say(strings.Join(parts, " "))
}

// third says what is known of safeguards outside the EEA.
func (w *writer) third(t *answer.ThirdCountry) []string {
	parts := []string{w.say("third", "countries", w.countries(t.Countries))}
	var stated []string
	for _, s := range t.Stated {
		if key := "safeguard." + s.ID; w.has(key) {
			stated = append(stated, w.say(key))
		} else {
			stated = append(stated, s.ID)
		}
	}
	if len(stated) > 0 {
		parts = append(parts, w.say("third.stated", "safeguards", strings.Join(stated, "; ")))
	} else {
		parts = append(parts, w.say("third.unstated"))
	}
	says := strings.Join(t.Conditions, "; ")
	if says == "" {
		says = t.Geography
	}
	if says != "" {
		if w.Language != Fallback { // registers say it in English
			says = w.say("untranslated", "text", says, "language", Fallback)
		}
		parts = append(parts, w.say("third.notice", "text", says))
	}
	return parts
}

// data names categories.
func (w *writer) data(categories []answer.Counted) string {
	var all []string
	for _, c := range categories {
		all = append(all, w.names.category(w.catalogue, w.controller.ID, c.ID, c.Name))
	}
	if len(all) == 0 {
		return w.say("act.none")
	}
	return things(all)
}

func (w *writer) decisions(list []answer.Decision) {
	w.doc.heading(1, w.say("person.decisions"))
	if len(list) == 0 {
		w.doc.say(w.say("person.decisions-none"))
		return
	}
	for i := range list {
		x := &list[i]
		w.doc.say(w.say("decision."+x.Operation, "controller", w.controller.Name, "n", x.Count,
			"first", w.day(x.First.In(w.zone)), "last", w.day(x.Last.In(w.zone)), "data", w.data(x.Factors)) + " " + w.purpose(&x.PurposeUse))
	}
}

// sources says where the data came from: as events state, and as the notice does.
func (w *writer) sources(list []answer.SourceUse) {
	var seen, declared []string
	for i := range list {
		s := &list[i]
		name := w.say("source.not-stated")
		if s.ID != "" {
			name = w.names.source(w.catalogue, w.controller.ID, s.ID, s.Name)
		}
		if s.Count > 0 {
			seen = append(seen, w.say("source.seen", "source", upper(name), "data", w.data(s.Categories), "n", s.Count,
				"first", w.day(s.First.In(w.zone)), "last", w.day(s.Last.In(w.zone))))
		}
		if s.Declared {
			declared = append(declared, upper(name)+clausesIn(s.Clauses))
		}
	}
	d := w.doc
	d.heading(1, w.say("person.sources"))
	if len(seen) > 0 {
		d.say(w.say("person.sources-seen"))
		d.list(seen)
	}
	if len(declared) == 0 {
		d.say(w.say("person.sources-none"))
		return
	}
	d.say(w.say("person.sources-named"))
	d.list(declared)
}

func (w *writer) retention(list []answer.RetentionUse) {
	d := w.doc
	d.heading(1, w.say("person.retention"))
	var items []string
	for i := range list {
		r := &list[i]
		item := upper(w.rule(&r.Rule))
		if length := w.length(r.Length); length != "" {
			item = w.say("retention.for", "rule", item, "length", length)
		}
		items = append(items, item)
	}
	if len(items) == 0 {
		d.say(w.say("retention.none"))
		return
	}
	d.list(items)
}

var duration = regexp.MustCompile(`^P(?:(\d{1,4})Y)?(?:(\d{1,4})M)?(?:(\d{1,4})W)?(?:(\d{1,4})D)?$`)

// length is an ISO 8601 duration in words; empty where it is none.
func (w *writer) length(iso string) string {
	parts := duration.FindStringSubmatch(iso)
	if parts == nil {
		return ""
	}
	var all []string
	for i, noun := range []string{"years", "months", "weeks", "days"} {
		if n, err := strconv.ParseUint(parts[i+1], 10, 16); err == nil {
			all = append(all, w.number(n)+"\u00a0"+w.noun(noun, n))
		}
	}
	return strings.Join(all, " ")
}

func (w *writer) cohorts(list []answer.CohortUse) {
	if len(list) == 0 {
		return
	}
	w.doc.heading(1, w.say("person.cohorts"))
	var items []string
	for i := range list {
		c := &list[i]
		item := w.say("cohort.item", "id", c.ID, "n", c.Count, "first", w.day(c.First.In(w.zone)), "last", w.day(c.Last.In(w.zone)))
		if c.Size > 0 {
			item += " " + w.say("cohort.size", "n", c.Size)
		}
		if len(c.Recipients) > 0 {
			item += " " + w.say("act.to", "recipient", things(c.Recipients))
		}
		items = append(items, item)
	}
	w.doc.list(items)
}

// limits says what stands against taking the record of the period for whole.
func (w *writer) limits(a *answer.RecipientsAnswer) {
	l := a.Limits
	if l == nil {
		return
	}
	var items []string
	for i := range l.Gaps {
		g := &l.Gaps[i]
		items = append(items, w.say("limit.gap", "on", w.on(g.Noticed.In(w.zone)), "n", uint64(g.Last-g.First+1)))
	}
	if l.MoreGaps {
		items = append(items, w.say("limit.more"))
	}
	if l.Systems != nil {
		named := 0
		for i := range l.Systems.Heard {
			if s := &l.Systems.Heard[i]; s.Silent {
				named++
				items = append(items, w.say("limit.silent", "system", s.Source, "on", w.on(s.Last.In(w.zone))))
			}
		}
		switch {
		case named < l.Systems.Silent:
			items = append(items, w.say("limit.more"))
		case named == 0 && !a.Period.From.IsZero():
			items = append(items, w.say("limit.heard"))
		}
	}
	if l.Quarantined > 0 && l.Quarantined < a.Completeness.Quarantined {
		w.doc.say(w.say("limit.unread", "n", l.Quarantined))
	}
	w.doc.list(items)
}

// rights says what the person can do, and to whom to turn.
func (w *writer) rights(r answer.Rights) {
	w.doc.heading(1, w.say("person.rights"))
	who := w.controller.Name
	items := []string{w.say("person.rights-ask", "controller", who)}
	if r.Contact != "" {
		items = append(items, w.say("person.rights-contact", "controller", who, "contact", r.Contact))
	}
	if r.Authority != "" {
		items = append(items, w.say("person.rights-complain", "authority", r.Authority))
	} else {
		items = append(items, w.say("person.rights-anywhere"))
	}
	w.doc.list(items)
}
