package report

import (
	"cmp"
	"math"
	"strings"

	"github.com/andmerada/andmerada/internal/answer"
)

// Breach is the report of a breach: what a notification to the supervisory
// authority asks for (GDPR Art. 33(3)), as far as the trail knows it.
func (n *Names) Breach(lang string, a *answer.BreachAnswer) *Document {
	zone := ""
	if len(a.Windows) > 0 {
		zone = a.Windows[0].Zone
	}
	w := n.newWriter(lang, a.Controller, zone, a.AskedAt)
	d := w.doc
	d.Title, d.Subtitle = w.say("breach.title"), w.say("breach.subtitle", "controller", a.Controller.Name)
	var windows []string
	for _, p := range a.Windows {
		windows = append(windows, w.period(p).Value)
	}
	d.facts(w.pair("controller", a.Controller.Name), w.pair("breach.windows", strings.Join(windows, "\n")), w.pair("breach.persons", w.number(uint64(a.Notice.PersonsAffected))),
		w.pair("breach.records", w.number(a.Notice.RecordsAffected)), w.made())
	if a.Case != nil {
		d.say(w.say("breach.case", "id", a.Case.ID, "name", a.Case.Name))
	}
	w.hours(a)
	w.nature(a)
	d.heading(1, w.say("breach.contact"))
	d.facts(w.pair("contact", a.Notice.Contact), w.pair("authority", a.Notice.Authority))
	for _, part := range [][2]string{{"breach.consequences", a.Notice.Consequences}, {"breach.measures", a.Notice.Measures}} {
		d.heading(1, w.say(part[0]))
		d.say(cmp.Or(part[1], w.say("breach.to-write")))
	}
	if len(a.Ways) > 0 {
		d.heading(1, w.say("breach.ways"))
		w.shares("ways", []string{"actor", "source", "purpose"}, a.Ways)
		if a.WaysCut {
			d.say(w.say("breach.cut"))
		}
		d.tone(Quiet, w.say("access.masked"))
	}
	w.onward(a)
	if len(a.Events) > 0 {
		d.heading(1, w.say("breach.events"))
		w.entries(a.Events, false)
	}
	d.heading(1, w.say("person.complete"))
	w.complete(a.Completeness, false)
	return d
}

// hours is the clock of Art. 33(1).
func (w *writer) hours(a *answer.BreachAnswer) {
	d := w.doc
	d.heading(1, w.say("breach.clock"))
	if a.Notice.Deadline.IsZero() {
		d.say(w.say("breach.unaware"))
		return
	}
	hours := uint64(math.Floor(math.Abs(a.Notice.HoursLeft)))
	at := w.minute(a.AskedAt.In(w.zone))
	if a.Notice.HoursLeft >= 0 {
		d.tone(Lead, w.say("breach.left", "h", hours, "at", at))
	} else {
		d.tone(Alarm, w.say("breach.late", "h", hours, "at", at))
	}
	d.facts(w.pair("breach.aware", w.minute(a.Notice.AwareAt.In(w.zone))), w.pair("breach.deadline", w.minute(a.Notice.Deadline.In(w.zone))))
}

func (w *writer) nature(a *answer.BreachAnswer) {
	d := w.doc
	d.heading(1, w.say("breach.nature"))
	if a.Total.Events == 0 {
		d.say(w.say("breach.nothing"))
	} else {
		w.touched(a)
	}
	if a.Unlisted > 0 {
		d.say(w.say("breach.unlisted", "n", a.Unlisted))
	}
	if a.Nobody > 0 {
		d.say(w.say("breach.nobody", "n", a.Nobody))
	}
}

// touched says how many persons' data was touched, and which.
func (w *writer) touched(a *answer.BreachAnswer) {
	d := w.doc
	d.tone(Lead, w.say("breach.what", "e", a.Total.Events, "p", a.Persons, "first", w.minute(a.Total.First.In(w.zone)), "last", w.minute(a.Total.Last.In(w.zone))))
	if a.Cohorts > 0 {
		d.say(w.say("breach.cohorts", "n", a.Cohorts))
	}
	if len(a.Categories) == 0 {
		return
	}
	for _, s := range a.Notice.Special {
		d.say(w.say("breach.special", "kind", w.say("special."+s.Kind), "n", s.Persons))
	}
	d.heading(2, w.say("breach.categories"))
	var rows [][]Cell
	for i := range a.Categories {
		c := &a.Categories[i]
		rows = append(rows, []Cell{text(w.names.category(w.catalogue, w.controller.ID, c.ID, c.Name)), w.figure(uint64(c.Persons))})
	}
	d.table("categories", []string{w.say("col.category"), w.say("col.persons")}, []float64{80, 20}, rows)
}

func (w *writer) onward(a *answer.BreachAnswer) {
	d := w.doc
	d.heading(1, w.say("breach.onward"))
	if len(a.Steps) == 0 {
		d.say(w.say("breach.onward-none"))
		return
	}
	var rows [][]Cell
	for i := range a.Steps {
		s := &a.Steps[i]
		to := cmp.Or(s.Name, s.To)
		if s.Country != "" {
			to += ", " + w.countries([]string{s.Country})
		}
		rows = append(rows, []Cell{
			w.figure(uint64(s.Depth)), text(s.From), text(to), text(w.names.purpose(w.catalogue, w.controller.ID, s.Purpose.ID, s.Purpose.Name)),
			w.figure(uint64(s.Persons)), w.figure(s.Events), text(w.short1(s.First)),
		})
	}
	d.table("onward", []string{w.say("col.step"), w.say("col.from"), w.say("col.to"), w.say("col.purpose"), w.say("col.persons"), w.say("col.events"), w.say("col.first")},
		[]float64{8, 22, 24, 28, 12, 14, 14}, rows)
	if a.StepsCut {
		d.say(w.say("breach.cut"))
	}
}
