package report

import (
	"strings"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"github.com/andmerada/andmerada/internal/answer"
)

// writer makes one report: it knows the language, the names and the calendar.
type writer struct {
	*catalogue
	names      *Names
	doc        *Document
	controller answer.Controller
	zone       *time.Location
	toTheDay   bool // no time of day is told
}

// newWriter begins a report; zone is the IANA name of the controller's.
func (n *Names) newWriter(lang string, controller answer.Controller, zone string, made time.Time) *writer {
	c := catalogues[lang]
	if c == nil {
		c = catalogues[Fallback]
	}
	w := &writer{catalogue: c, names: n, controller: controller, zone: time.UTC}
	if r := n.register(controller.ID); zone == "" && r != nil {
		zone = r.Zone.String()
	}
	if z, err := time.LoadLocation(zone); err == nil && zone != "" {
		w.zone = z
	}
	w.doc = &Document{Language: c.Language, Made: made.UTC(), of: func(page, pages int) string { return c.say("page", "page", page, "pages", pages) }}
	return w
}

func (w *writer) pair(key, value string) Pair { return Pair{w.say(key), value} }

func (w *writer) made() Pair {
	t := w.doc.Made.In(w.zone)
	return w.pair("made", w.say("made-at", "day", w.day(t), "clock", w.clock(t), "zone", w.zone.String()))
}

func (w *writer) period(p answer.Period) Pair {
	from, to := "", w.day(w.doc.Made.In(w.zone))
	if !p.From.IsZero() {
		from = w.day(p.From.In(w.zone))
	}
	if !p.To.IsZero() {
		to = w.day(p.To.Add(-time.Second).In(w.zone)) // the end is not included
	}
	switch {
	case from == "" && p.To.IsZero():
		return w.pair("period", w.say("period.all", "to", to))
	case from == "":
		return w.pair("period", w.say("period.until", "to", to))
	}
	return w.pair("period", w.say("period.between", "from", from, "to", to))
}

// asOf says as of when the record is told of, where that is not now.
func (w *writer) asOf(p answer.Period) Pair {
	if p.AsOf.IsZero() {
		return Pair{}
	}
	t := p.AsOf.In(w.zone)
	return w.pair("as-of", w.say("as-of-at", "day", w.day(t), "clock", w.clock(t), "zone", w.zone.String()))
}

// person are the lines of the head that say whose data it is about.
func (w *writer) person(s answer.Subject) []Pair {
	scheme := s.Scheme
	if w.has("scheme." + scheme) {
		scheme = w.say("scheme." + scheme)
	}
	return []Pair{w.pair("asked-by", w.say("covers", "scheme", scheme, "n", s.Identifiers)), w.pair("pseudonym", s.Pseudonym)}
}

// Recipients is the report of who received a person's data (GDPR Art. 15(1)(c)).
func (n *Names) Recipients(lang string, a *answer.RecipientsAnswer) *Document {
	w := n.newWriter(lang, a.Controller, a.Period.Zone, a.AskedAt)
	w.toTheDay = a.Precision != ""
	d := w.doc
	d.Title, d.Subtitle = w.say("person.title"), a.Controller.Name
	d.facts(append([]Pair{w.pair("controller", a.Controller.Name)}, append(w.person(a.Person), w.period(a.Period), w.asOf(a.Period), w.made())...)...)
	w.short(a)
	if len(a.Recipients) > 0 {
		d.heading(1, w.say("person.recipients"))
		for i := range a.Recipients {
			w.recipient(&a.Recipients[i])
		}
	}
	if s := a.ToPerson; s != nil {
		d.heading(1, w.say("person.you"))
		w.summary(s, "sent", "")
	}
	if s := a.Internal; s != nil {
		d.heading(1, w.say("person.own", "controller", a.Controller.Name))
		w.summary(s, "own", "")
	}
	w.decisions(a.Decisions)
	w.sources(a.Sources)
	w.retention(a.Retention)
	w.cohorts(a.Cohorts)
	if len(a.Timeline.Events) > 0 {
		d.heading(1, w.say("person.newest"))
		w.entries(a.Timeline.Events, true)
	}
	d.heading(1, w.say("person.left-out"))
	d.say(w.say("person.actors"))
	w.restrictions(&a.View)
	d.heading(1, w.say("person.complete"))
	if !a.Complete {
		d.tone(Alarm, w.say("complete.partly"))
	}
	w.complete(a.Completeness, true)
	w.limits(a)
	w.rights(a.Rights)
	return d
}

// moment is when something was done, as exactly as may be told.
func (w *writer) moment(t time.Time) string {
	if w.toTheDay {
		return w.catalogue.short(t)
	}
	return w.minute(t)
}

// restrictions say what the answer leaves out, and on what ground.
func (w *writer) restrictions(v *answer.View) {
	for i := range v.Restrictions {
		r := &v.Restrictions[i]
		switch says := r.In(w.Language); {
		case !r.Applied:
		case r.Count != nil && *r.Count > 0:
			w.doc.say(w.say("restriction.count", "says", says, "ground", r.Ground, "n", *r.Count))
		default:
			w.doc.say(w.say("restriction", "says", says, "ground", r.Ground))
		}
	}
}

// named is how many recipients are named in a sentence.
const named = 6

func (w *writer) short(a *answer.RecipientsAnswer) {
	d := w.doc
	d.heading(1, w.say("person.short"))
	who := a.Controller.Name
	w.asked(a)
	var names []string
	for i := range a.Recipients {
		names = append(names, w.recipientName(&a.Recipients[i]))
	}
	switch {
	case len(names) == 0:
		d.tone(Lead, w.say("person.none", "controller", who))
	case len(names) <= named:
		d.tone(Lead, w.say("person.some", "controller", who, "n", len(names), "names", w.join(names)))
	default:
		d.tone(Lead, w.say("person.many", "controller", who, "n", len(names)))
	}
	if a.Events == 0 {
		d.say(w.say("person.nothing"))
		return
	}
	parts := []string{w.say("person.events", "n", a.Events)}
	if a.Verdicts.Violation+a.Verdicts.Review == 0 {
		parts = append(parts, w.say("person.clean"))
	}
	if n := a.Verdicts.Review; n > 0 {
		parts = append(parts, w.say("person.reviews", "n", n))
	}
	if a.Changed > 0 {
		parts = append(parts, w.say("person.changed", "n", a.Changed))
	}
	d.say(strings.Join(parts, " "))
	if n := a.Verdicts.Violation; n > 0 {
		d.tone(Alarm, w.say("person.violations", "n", n))
	}
}

// recipientName is what a recipient is called: its own name, or the register's
// in the language.
func (w *writer) recipientName(r *answer.Recipient) string {
	switch {
	case r.Kind == "not-stated":
		return w.say("recipient.not-stated")
	case r.Declared && r.RegisterName == "":
		return w.names.recipient(w.catalogue, w.controller.ID, r.ID, r.Name)
	}
	return r.Name
}

func (w *writer) recipient(r *answer.Recipient) {
	d := w.doc
	name := w.recipientName(r)
	d.heading(2, upper(name))
	w.summary(&r.Summary, "gave", name)
	var parts []string
	switch {
	case r.Kind == "not-stated":
		parts = append(parts, w.say("recipient.unknown"))
	case !r.Declared:
		parts = append(parts, w.say("recipient.undeclared"))
	case r.RegisterName != "":
		parts = append(parts, w.say("recipient.declared-as", "name", w.names.recipient(w.catalogue, w.controller.ID, r.ID, r.RegisterName), "clauses", strings.Join(r.Clauses, ", ")))
	case r.LegalEntity:
		parts = append(parts, w.say("recipient.declared", "clauses", strings.Join(r.Clauses, ", ")))
	default:
		parts = append(parts, w.say("recipient.class"))
	}
	if r.Code != "" {
		parts = append(parts, w.say("recipient.code", "code", r.Code))
	}
	if len(r.Countries) > 0 {
		parts = append(parts, w.say("recipient.country", "countries", w.countries(r.Countries)))
	}
	if t := r.ThirdCountry; t != nil {
		parts = append(parts, w.third(t)...)
	}
	d.say(strings.Join(parts, " "))
}

// countries names countries in the language.
func (w *writer) countries(codes []string) string {
	names := display.Regions(language.Make(w.Language))
	var all []string
	for _, code := range codes {
		region, err := language.ParseRegion(code)
		if err != nil {
			all = append(all, code)
			continue
		}
		all = append(all, names.Name(region))
	}
	return strings.Join(all, ", ")
}

// summary says in sentences how often, which data, what for and whether it was
// as promised; verb is the key of the first sentence.
func (w *writer) summary(s *answer.Summary, verb, recipient string) {
	d := w.doc
	var data []string
	for _, c := range s.Categories {
		data = append(data, w.names.category(w.catalogue, w.controller.ID, c.ID, c.Name))
	}
	if len(data) == 0 {
		data = []string{w.say("act.none")}
	}
	first, last := s.First.In(w.zone), s.Last.In(w.zone)
	args := []any{"controller", w.controller.Name, "recipient", recipient, "data", things(data), "n", s.Count, "on", w.on(first), "first", w.day(first), "last", w.day(last)}
	key := verb + ".often"
	if s.Count == 1 {
		key = verb + ".once"
	}
	said := w.say(key, args...)
	if s.ByCohort > 0 {
		said += " " + w.say("cohort", "n", s.ByCohort)
	}
	d.say(said)
	var purposes []string
	for _, p := range s.Purposes {
		purposes = append(purposes, w.purpose(&p))
	}
	if len(purposes) == 1 {
		d.say(purposes[0])
	} else {
		d.list(purposes)
	}
	w.judged(s)
}

func (w *writer) purpose(p *answer.PurposeUse) string {
	name := w.names.purpose(w.catalogue, w.controller.ID, p.ID, p.Name)
	if !p.Declared {
		return w.say("purpose.undeclared", "purpose", name)
	}
	var bases []string
	for _, b := range p.Basis {
		bases = append(bases, w.basis(b))
	}
	basis := strings.Join(bases, "; ")
	if basis == "" {
		basis = w.say("basis.none")
	}
	if len(p.Clauses) == 0 {
		return w.say("purpose.bare", "purpose", name, "basis", basis)
	}
	return w.say("purpose", "purpose", name, "basis", basis, "clauses", strings.Join(p.Clauses, ", "))
}

func (w *writer) basis(id string) string {
	if w.has("basis." + id) {
		return w.say("basis." + id)
	}
	return id
}

// judged says what of it was not as promised, and by which rules.
func (w *writer) judged(s *answer.Summary) {
	if s.Verdicts.Review+s.Verdicts.Violation == 0 {
		w.doc.say(w.say("judged.allowed"))
		return
	}
	rules := func(verdict string) string {
		var all []string
		for i := range s.Rules {
			if s.Rules[i].Verdict == verdict {
				all = append(all, w.rule(&s.Rules[i].Rule))
			}
		}
		return strings.Join(all, "; ")
	}
	if n := s.Verdicts.Violation; n > 0 {
		w.doc.tone(Alarm, w.say("judged.violation", "n", n, "rules", rules("violation")))
	}
	if n := s.Verdicts.Review; n > 0 {
		w.doc.say(w.say("judged.review", "n", n, "rules", rules("review")))
	}
}

func (w *writer) rule(r *answer.Rule) string {
	title := w.names.rule(w.catalogue, r.ID, r.Title)
	if len(r.Clauses) == 0 {
		return w.say("rule.bare", "title", title)
	}
	return w.say("rule", "title", title, "clauses", strings.Join(r.Clauses, ", "))
}

// complete says how far the record may be believed; aboutYou where the report
// goes to the person.
func (w *writer) complete(c answer.Completeness, aboutYou bool) {
	var parts []string
	if !c.Recorded.IsZero() {
		t := c.Recorded.In(w.zone)
		key := "complete.newest"
		if w.toTheDay {
			key = "complete.newest-day"
		}
		parts = append(parts, w.say(key, "on", w.on(t), "clock", w.clock(t), "zone", w.zone.String()))
	}
	parts = append(parts, w.say("complete.only"))
	switch {
	case c.Quarantined == 0:
		parts = append(parts, w.say("complete.clean"))
	case aboutYou:
		parts = append(parts, w.say("complete.quarantined", "n", c.Quarantined))
	default:
		parts = append(parts, w.say("complete.quarantined-all", "n", c.Quarantined))
	}
	w.doc.say(strings.Join(parts, " "))
}
