package report

import (
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
)

// Activities is the register of processing activities (GDPR Art. 30(1)), each
// controller's under a heading of its own where there are several.
func (n *Names) Activities(lang string, a *answer.ActivitiesAnswer, made time.Time) *Document {
	w := n.newWriter(lang, answer.Controller{}, "", made)
	d := w.doc
	d.Title = w.say("activities.title")
	if len(a.Controllers) == 0 {
		d.tone(Lead, w.say("activities.none"))
	}
	for i := range a.Controllers {
		c := &a.Controllers[i]
		w = n.newWriter(lang, c.Controller, c.Period.Zone, made)
		w.doc = d
		if len(a.Controllers) == 1 {
			d.Subtitle = c.Controller.Name
			w.activities(c, 1)
		} else {
			d.heading(1, c.Controller.Name)
			w.activities(c, 2)
		}
	}
	d.heading(1, w.say("person.complete"))
	w.complete(a.Completeness, false)
	return d
}

// activities are those of one controller; level is that of their headings.
func (w *writer) activities(c *answer.ActivityRegister, level int) {
	d := w.doc
	country := ""
	if c.Country != "" {
		country = w.countries([]string{c.Country})
	}
	facts := []Pair{
		w.pair("controller", c.Controller.Name), w.pair("col.country", country), w.pair("contact", c.Contact), w.pair("authority", c.Authority),
		w.pair("activities.processors", strings.Join(c.Processors, "\n")), w.period(c.Period), w.made(),
	}
	d.facts(facts...)
	if len(c.Activities) == 0 {
		d.tone(Lead, w.say("activities.none"))
	} else {
		d.tone(Lead, w.say("activities.sum", "n", len(c.Activities), "u", c.Undeclared, "s", c.Unseen))
	}
	if !c.Complete {
		d.say(w.say("complete.partly"))
	}
	for i := range c.Activities {
		w.activity(&c.Activities[i], level)
	}
	d.heading(level, w.say("activities.security"))
	var measures []string
	for i := range c.Security {
		measures = append(measures, upper(w.rule(&c.Security[i])))
	}
	if len(measures) == 0 {
		d.say(w.say("breach.to-write"))
	}
	d.list(measures)
}

// activity is the processing for one purpose.
func (w *writer) activity(p *answer.Activity, level int) {
	d := w.doc
	name := w.say("activities.no-purpose")
	if p.Purpose.ID != "" {
		name = w.names.purpose(w.catalogue, w.controller.ID, p.Purpose.ID, p.Purpose.Name)
	}
	if name != p.Purpose.ID {
		name = upper(name)
	}
	d.heading(level, name)
	if p.Mark == answer.ActivityUndeclared {
		d.tone(Alarm, w.say("activities.undeclared"))
	}
	var bases []string
	for _, b := range p.Basis {
		bases = append(bases, w.basis(b))
	}
	if len(bases) == 0 && p.Mark != answer.ActivityUndeclared {
		bases = []string{w.say("basis.none")}
	}
	condition := p.Condition
	if condition != "" && w.Language != Fallback { // registers say it in English
		condition = w.say("untranslated", "text", condition, "language", Fallback)
	}
	facts := []Pair{
		w.pair("col.basis", strings.Join(bases, "\n")), w.pair("activities.notice", strings.Join(p.Clauses, ", ")), w.pair("activities.condition", condition),
		w.pair("activities.seen", w.seen(&p.Sighted)), w.pair("activities.persons", w.say("breach.to-write")),
	}
	for _, mark := range []string{answer.ActivityBoth, answer.ActivityUndeclared, answer.ActivityUnseen} {
		var data []string
		for i := range p.Categories {
			if c := &p.Categories[i]; c.Mark == mark {
				data = append(data, w.names.category(w.catalogue, w.controller.ID, c.ID, c.Name))
			}
		}
		facts = append(facts, Pair{w.say("activities.data." + mark), things(data)})
	}
	var kept []string
	for i := range p.Retention {
		r := &p.Retention[i]
		rule := upper(w.rule(&r.Rule))
		if length := w.length(r.Length); length != "" {
			rule = w.say("retention.for", "rule", rule, "length", length)
		}
		kept = append(kept, rule)
	}
	if len(kept) == 0 {
		kept = []string{w.say("activities.no-retention")}
	}
	d.facts(append(facts, w.pair("activities.kept", strings.Join(kept, "\n")))...)
	w.activityRecipients(p.Recipients)
}

// seen is how often something was seen, and when.
func (w *writer) seen(s *answer.Sighted) string {
	if s.Count == 0 {
		return w.say("activities.never")
	}
	if first, last := w.day(s.First.In(w.zone)), w.day(s.Last.In(w.zone)); first == last {
		return w.say("activities.once", "n", s.Count, "day", first)
	}
	return w.say("activities.often", "n", s.Count, "first", w.day(s.First.In(w.zone)), "last", w.day(s.Last.In(w.zone)))
}

func (w *writer) activityRecipients(recipients []answer.ActivityRecipient) {
	d := w.doc
	if len(recipients) == 0 {
		d.say(w.say("activities.no-recipients"))
		return
	}
	var rows [][]Cell
	var third []string
	for i := range recipients {
		r := &recipients[i]
		name := w.names.recipient(w.catalogue, w.controller.ID, r.ID, r.Name)
		countries := "–"
		if len(r.Countries) > 0 {
			countries = w.countries(r.Countries)
		}
		rows = append(rows, []Cell{text(name), text(countries), text(w.say("activities.mark." + r.Mark)), w.figure(r.Count), text(w.maybe(r.Last))})
		if r.ThirdCountry {
			says := w.say("activities.third", "recipient", name, "countries", countries)
			if notice := strings.Join(r.Safeguards, "; "); notice != "" || r.Geography != "" {
				if notice == "" {
					notice = r.Geography
				}
				if w.Language != Fallback {
					notice = w.say("untranslated", "text", notice, "language", Fallback)
				}
				says += " " + w.say("third.notice", "text", notice)
			}
			third = append(third, says)
		}
	}
	d.table("recipients", []string{w.say("col.recipient"), w.say("col.country"), w.say("activities.declared"), w.say("activities.times"), w.say("col.last")}, []float64{42, 20, 24, 11, 15}, rows)
	d.list(third)
}
