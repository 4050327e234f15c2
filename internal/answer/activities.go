package answer

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

// Marks of what is in the register of processing activities.
const (
	ActivityBoth       = "declared-and-seen"
	ActivityUnseen     = "declared-never-seen"
	ActivityUndeclared = "seen-never-declared"
)

// ActivitiesAnswer is the register of processing activities (GDPR Art. 30(1)).
type ActivitiesAnswer struct {
	Controllers  []ActivityRegister `json:"controllers"`
	Completeness Completeness       `json:"completeness"`
}

// ActivityRegister is that of one controller, drawn from its newest register and
// from what was really done in the period. What the register does not say is left
// empty, for the controller to write.
type ActivityRegister struct {
	Controller Controller      `json:"controller" doc:"(a)"`
	Country    string          `json:"country,omitempty"`
	Contact    string          `json:"contact,omitempty" doc:"(a) Of the controller, or of its data protection officer: as the notice gives it."`
	Authority  string          `json:"authority,omitempty"`
	Processors []string        `json:"processors" doc:"Whom the notice names as acting for the controller throughout."`
	Period     Period          `json:"period"`
	Registers  []RegisterInUse `json:"registers" doc:"In force in the period, oldest first. What is declared is of the last."`
	Activities []Activity      `json:"activities" doc:"(b) One for each purpose: those declared in the notice's order, then those that were only seen, most first."`
	Security   []Rule          `json:"security" doc:"(g) Measures that the notice states (Art. 32(1)); none: it states none."`
	Undeclared int             `json:"undeclared" doc:"How many purposes, recipients and categories were seen and are not declared: see /v1/drift."`
	Unseen     int             `json:"unseen" doc:"How many are declared and were not seen in the period."`
	Complete   bool            `json:"complete" doc:"False where data were used in too many ways to list them all."`
}

// Activity is the processing for one purpose.
type Activity struct {
	Purpose     Named               `json:"purpose"`
	Mark        string              `json:"mark" enum:"declared-and-seen,declared-never-seen,seen-never-declared"`
	Clauses     []string            `json:"clauses"`
	Basis       []string            `json:"basis" doc:"Legal bases that the notice states (Art. 6(1))."`
	BasisStatus string              `json:"basis_status,omitempty"`
	Condition   string              `json:"condition,omitempty" doc:"Under which condition the notice declares it."`
	Persons     string              `json:"persons" doc:"(c) Categories of data subjects: for the controller to write, neither the register nor the events tell them."`
	Categories  []ActivityCategory  `json:"categories" doc:"(c)"`
	Recipients  []ActivityRecipient `json:"recipients" doc:"(d), (e)"`
	Retention   []ActivityRetention `json:"retention" doc:"(f)"`
	Sighted
}

// Sighted is how often something was seen in the period, and when.
type Sighted struct {
	Count uint64    `json:"count" doc:"Events, one for each person or cohort that they concern."`
	First time.Time `json:"first,omitzero"`
	Last  time.Time `json:"last,omitzero"`
}

func (s *Sighted) add(x *trail.Sighting) {
	if s.Count == 0 || x.First.Before(s.First) {
		s.First = x.First
	}
	if x.Last.After(s.Last) {
		s.Last = x.Last
	}
	s.Count += x.Count
}

// ActivityCategory is a category of data.
type ActivityCategory struct {
	Named
	Group string `json:"group,omitempty"`
	Mark  string `json:"mark" enum:"declared-and-seen,declared-never-seen,seen-never-declared"`
	Sighted
}

// ActivityRecipient is to whom data goes.
type ActivityRecipient struct {
	Named
	Kind         string   `json:"kind,omitempty"`
	Mark         string   `json:"mark" enum:"declared-and-seen,declared-never-seen,seen-never-declared"`
	Clauses      []string `json:"clauses"`
	Countries    []string `json:"countries" doc:"ISO 3166-1 alpha-2: that of the register, and those that the events say."`
	ThirdCountry bool     `json:"third_country" doc:"(e) One of these is outside the EEA."`
	Geography    string   `json:"geography,omitempty" doc:"What the notice says of where it is."`
	Safeguards   []string `json:"safeguards" doc:"(e) Conditions that the notice sets."`
	Sighted
}

// ActivityRetention is how long data is kept.
type ActivityRetention struct {
	Rule
	Length string `json:"length" doc:"ISO 8601 duration, or the notice's words."`
	From   string `json:"from" doc:"What it runs from."`
}

// Activities answers with the register of processing activities: what is declared,
// beside what is really done, and where the two part ways.
func Activities(ctx context.Context, d Deps, req DriftRequest) (*ActivitiesAnswer, error) {
	ids := d.Registers.Controllers()
	if req.Controller != "" {
		if _, err := d.controller(req.Controller, "/controller"); err != nil {
			return nil, err
		}
		ids = []string{req.Controller}
	}
	a := &ActivitiesAnswer{Controllers: []ActivityRegister{}}
	for _, id := range ids {
		one, err := d.activities(ctx, id, req)
		if err != nil {
			return nil, err
		}
		a.Controllers = append(a.Controllers, *one)
	}
	var err error
	a.Completeness, err = d.completeness(ctx)
	return a, err
}

func (d *Deps) activities(ctx context.Context, id string, req DriftRequest) (*ActivityRegister, error) {
	seen := make(map[string]*activitySeen)
	drift, err := d.drift(ctx, id, req, func(_ *register.Register, x *trail.Sighting) {
		if seen[x.Purpose] == nil {
			seen[x.Purpose] = newActivitySeen()
		}
		seen[x.Purpose].add(x)
	})
	if err != nil {
		return nil, err
	}
	r, err := d.controller(id, "/controller")
	if err != nil {
		return nil, err
	}
	if n := len(drift.Registers); n > 0 { // the last that was in force
		if last, ok := d.Registers.Version(drift.Registers[n-1].Version); ok {
			r = last
		}
	}
	countries, complete, err := d.countries(ctx, id, drift.Period)
	if err != nil {
		return nil, err
	}
	a := &ActivityRegister{
		Controller: drift.Controller, Country: r.Controller.Country, Contact: r.Controller.Contact, Authority: r.Controller.Authority,
		Processors: orEmpty(r.Controller.Processors), Period: drift.Period, Registers: drift.Registers, Activities: []Activity{}, Security: []Rule{},
		Undeclared: len(drift.Undeclared), Unseen: len(drift.Unseen), Complete: drift.Complete && complete,
	}
	w := &activityWriter{register: r, declared: newDeclared(r), countries: countries}
	for i := range r.Purposes {
		id := r.FullID(r.Purposes[i].ID)
		a.Activities = append(a.Activities, w.activity(id, seen[id]))
		delete(seen, id)
	}
	var others []Activity
	for _, id := range slices.Sorted(maps.Keys(seen)) {
		others = append(others, w.activity(id, seen[id]))
	}
	slices.SortStableFunc(others, func(x, y Activity) int { return cmp.Compare(y.Count, x.Count) })
	a.Activities = append(a.Activities, others...)
	for i := range r.Rules {
		if rule := &r.Rules[i]; strings.Contains(rule.Kind, "security") {
			a.Security = append(a.Security, Rule{ID: rule.ID, Title: rule.Title, Says: rule.Says, Clauses: orEmpty(rule.Clauses)})
		}
	}
	return a, nil
}

// countries are those that events say of recipients, by id or name.
func (d *Deps) countries(ctx context.Context, id string, p Period) (all map[string][]string, complete bool, err error) {
	acts := trail.Acts{Controller: id, From: p.From, To: p.To, Operations: handedOver}
	tallies, complete, err := d.Trail.ActsBy(ctx, acts, trail.ByRecipient, trail.ByEntity, trail.ByCountry)
	if err != nil {
		return nil, false, err
	}
	all = make(map[string][]string)
	for i := range tallies {
		k := tallies[i].Keys
		if who := cmp.Or(k[0], k[1]); k[2] != "" && !slices.Contains(all[who], k[2]) {
			all[who] = append(all[who], k[2])
		}
	}
	return all, complete, nil
}

// activitySeen is what was seen for one purpose.
type activitySeen struct {
	Sighted
	categories map[string]*Sighted
	recipients map[string]*Sighted // by id, else by name
}

func newActivitySeen() *activitySeen {
	return &activitySeen{categories: make(map[string]*Sighted), recipients: make(map[string]*Sighted)}
}

func (s *activitySeen) add(x *trail.Sighting) {
	s.Sighted.add(x)
	count := func(all map[string]*Sighted, id string) {
		if all[id] == nil {
			all[id] = new(Sighted)
		}
		all[id].add(x)
	}
	for _, c := range x.Categories {
		count(s.categories, c)
	}
	if who := cmp.Or(x.Recipient, x.Organisation); who != "" && x.Recipient != event.DataSubject {
		count(s.recipients, who)
	}
}

func mark(declared, seen bool) string {
	switch {
	case declared && seen:
		return ActivityBoth
	case declared:
		return ActivityUnseen
	default:
		return ActivityUndeclared
	}
}

// activityWriter writes activities in the words of one register.
type activityWriter struct {
	register  *register.Register
	declared  *declared
	countries map[string][]string
}

func (w *activityWriter) activity(id string, seen *activitySeen) Activity {
	if seen == nil {
		seen = newActivitySeen()
	}
	r := w.register
	p, declared := r.Purpose(id)
	a := Activity{
		Purpose: Named{id, cmp.Or(id, "no purpose stated")}, Mark: mark(declared, seen.Count > 0), Clauses: []string{}, Basis: []string{},
		Categories: []ActivityCategory{}, Recipients: []ActivityRecipient{}, Retention: []ActivityRetention{}, Sighted: seen.Sighted,
	}
	var covered []string
	if declared {
		a.Purpose.Name, a.Clauses, a.Basis, a.BasisStatus = p.Name.In(language), orEmpty(p.Clauses), orEmpty(p.LegalBasis), p.BasisStatus
		a.Condition = p.Condition
		covered = p.Covered
	}
	for _, c := range covered {
		a.Categories = append(a.Categories, w.category(c, true, seen.categories[c]))
	}
	for _, c := range slices.Sorted(maps.Keys(seen.categories)) {
		if !slices.Contains(covered, c) {
			a.Categories = append(a.Categories, w.category(c, declared && !w.declared.outside(p, c), seen.categories[c]))
		}
	}
	for i := range r.Recipients {
		e := &r.Recipients[i]
		full := r.FullID(e.ID)
		if x := seen.recipients[full]; x != nil || declared && e.Accepts(id) {
			a.Recipients = append(a.Recipients, w.recipient(e, declared && e.Accepts(id), x))
		}
	}
	for _, who := range slices.Sorted(maps.Keys(seen.recipients)) {
		if _, known := r.Recipient(who); !known {
			x := ActivityRecipient{Named: Named{who, who}, Mark: ActivityUndeclared, Clauses: []string{}, Safeguards: []string{}, Sighted: *seen.recipients[who]}
			x.in(w.countries[who])
			a.Recipients = append(a.Recipients, x)
		}
	}
	if declared {
		a.Retention = retentionOf(r, p)
	}
	return a
}

func (w *activityWriter) category(id string, declared bool, seen *Sighted) ActivityCategory {
	c := ActivityCategory{Named: Named{id, w.register.CategoryName(id, language)}, Group: w.register.CategoryGroup(id), Mark: mark(declared, seen != nil)}
	if seen != nil {
		c.Sighted = *seen
	}
	return c
}

func (w *activityWriter) recipient(e *register.RecipientEntry, declared bool, seen *Sighted) ActivityRecipient {
	id := w.register.FullID(e.ID)
	x := ActivityRecipient{
		Named: Named{id, e.Name.In(language)}, Kind: e.Kind, Mark: mark(declared, seen != nil), Clauses: orEmpty(e.Clauses), Geography: e.Geography, Safeguards: orEmpty(e.Conditions),
	}
	if seen != nil {
		x.Sighted = *seen
	}
	countries := slices.Clone(w.countries[id])
	if e.Country != "" && !slices.Contains(countries, e.Country) {
		countries = append(countries, e.Country)
	}
	x.in(countries)
	return x
}

// in says in which countries a recipient is.
func (x *ActivityRecipient) in(countries []string) {
	x.Countries = orEmpty(slices.Sorted(slices.Values(countries)))
	x.ThirdCountry = slices.ContainsFunc(countries, func(c string) bool { return !slices.Contains(eea, c) })
}

// eea are the states of the European Economic Area: what is outside is a third
// country (GDPR chapter V).
var eea = []string{
	"AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IS", "IT", "LI", "LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK",
}

// retentionOf lists the periods of a register for which data of a purpose is kept: those that name
// it, and those that name none.
func retentionOf(r *register.Register, p *register.Purpose) []ActivityRetention {
	all := []ActivityRetention{}
	for i := range r.Retention {
		rule := &r.Retention[i]
		names := rule.Applies.Purposes
		if len(names) > 0 && !slices.Contains(names, p.ID) && !slices.Contains(names, p.FullID) {
			continue
		}
		one := ActivityRetention{Rule: Rule{ID: rule.ID, Title: rule.Title, Says: rule.Says, Clauses: orEmpty(rule.Clauses)}}
		if rule.Period != nil {
			one.Length, one.From = rule.Period.Length, rule.Period.From
		}
		all = append(all, one)
	}
	return all
}
