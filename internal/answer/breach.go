package answer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

// BreachRequest asks whom a breach affects: which events were in the wrong
// hands, in one window or in several.
type BreachRequest struct {
	Windows      []Window `json:"windows" minItems:"1" maxItems:"20" doc:"Which events: of all windows one controller. The first stands for itself; each further one joins, cuts down or is taken away."`
	Onward       int      `json:"onward,omitempty" minimum:"0" maximum:"3" doc:"How many steps to follow where these persons' data went next; none if left out."`
	Until        string   `json:"until,omitempty" maxLength:"40" doc:"Until when to follow. Left out: until now."`
	AwareAt      string   `json:"aware_at,omitempty" maxLength:"40" example:"2026-05-02T09:00:00+03:00" doc:"When the controller became aware of the breach: the 72 hours of Art. 33(1) run from then."`
	Consequences string   `json:"consequences,omitempty" maxLength:"4000" doc:"Likely consequences (Art. 33(3)(c)), in the controller's words; kept with the case."`
	Measures     string   `json:"measures,omitempty" maxLength:"4000" doc:"Measures taken or proposed (Art. 33(3)(d)), in the controller's words; kept with the case."`
	Freeze       string   `json:"freeze,omitempty" maxLength:"200" doc:"Keep the persons found as a case of this name, to notify them and to compare."`
}

// Window is one selection of events, and how it is put together with those
// before it.
type Window struct {
	Set string `json:"set,omitempty" enum:"union,intersection,difference" doc:"union: also these persons. intersection: only persons who are in both. difference: not these persons. Left out: union."`
	ActsRequest
}

// BreachAnswer says whom a breach affects (GDPR Art. 33, 34).
type BreachAnswer struct {
	Controller Controller `json:"controller"`
	AskedAt    time.Time  `json:"asked_at"`
	Windows    []Period   `json:"windows"`

	Persons    int            `json:"persons" doc:"How many persons are affected, exactly: members of cohorts are counted, and a person known by several identifiers is one."`
	Cohorts    int            `json:"cohorts" doc:"Cohorts that were touched as a whole; their members are among the persons."`
	Unlisted   int            `json:"cohorts_unlisted" doc:"Of these, those whose members are not in the trail: how many persons they are is not known."`
	Total      Total          `json:"total" doc:"The events of the windows that are not taken away, as far as they are about a person affected: each once, however many windows it is in."`
	Nobody     uint64         `json:"events_about_nobody" doc:"Events of these windows that name no person, and are in no other count: whose data they touched is not known."`
	Categories []CategoryHit  `json:"categories" doc:"Categories of data, by how many persons."`
	Ways       []Share        `json:"ways" doc:"By whom, through which system and for what stated purpose: the queries that did it."`
	WaysCut    bool           `json:"ways_cut" doc:"True: there are more ways than these, which have most events."`
	Events     []Entry        `json:"events" doc:"The newest 50 of the events."`
	Steps      []Step         `json:"onward" doc:"Where these persons' data went next, step by step."`
	StepsCut   bool           `json:"onward_cut" doc:"True: there are more steps than these, the nearest and those that concern most persons."`
	Notice     BreachNotice   `json:"notice" doc:"What a notification to the authority asks for (Art. 33(3)), as far as the trail knows it."`
	Case       *CaseReference `json:"case,omitempty"`

	Completeness Completeness `json:"completeness"`

	frozen *frozen // what is to be kept; nil if nothing is
}

// CategoryHit is a category of data and how many persons' it was.
type CategoryHit struct {
	Named
	Group   string `json:"group,omitempty" doc:"Group of the category in the register's list: identity, contact, payment…"`
	Special string `json:"special,omitempty" enum:"origin,politics,beliefs,trade-union,genetic,biometric,health,sex-life,offences,national-identifier" doc:"Special category of GDPR Art. 9(1), data on offences (Art. 10), or a national identification number (Art. 87)."`
	Persons int    `json:"persons"`
}

// Step is where persons' data went next.
type Step struct {
	Depth      int       `json:"depth" doc:"1: from the controller's systems; 2: from those who had it in step 1, as far as this trail sees their acts."`
	From       string    `json:"from"`
	To         string    `json:"to" doc:"Id or name of the recipient."`
	Name       string    `json:"name"`
	Country    string    `json:"country,omitempty"`
	Purpose    Named     `json:"purpose"`
	Operation  string    `json:"operation"`
	Events     uint64    `json:"events"`
	Persons    int       `json:"persons" doc:"How many of the persons affected, exactly."`
	Categories []Named   `json:"categories"`
	First      time.Time `json:"first"`
	Last       time.Time `json:"last"`
}

// BreachNotice holds the particulars of a notification (Art. 33(3)). What the
// trail cannot know is left empty, to be written by the controller.
type BreachNotice struct {
	AwareAt         time.Time    `json:"aware_at,omitzero"`
	Deadline        time.Time    `json:"deadline,omitzero" doc:"72 hours after the controller became aware (Art. 33(1))."`
	HoursLeft       float64      `json:"hours_left,omitempty" doc:"Negative when the deadline has passed: the notification then gives the reasons for the delay."`
	Nature          string       `json:"nature" doc:"(a) What happened, as far as the trail shows it."`
	PersonsAffected int          `json:"persons_affected" doc:"(a) Data subjects concerned."`
	RecordsAffected uint64       `json:"records_affected" doc:"(a) Personal data records concerned: as stated by the events, one for each event that states none."`
	Special         []SpecialHit `json:"special,omitempty" doc:"(a) Special categories of data concerned (Art. 9, 10), and national identification numbers (Art. 87), by how many persons."`
	Contact         string       `json:"contact" doc:"(b) Where more can be learned: as the register says."`
	Authority       string       `json:"authority" doc:"Supervisory authority, as the register says."`
	Consequences    string       `json:"consequences" doc:"(c) Likely consequences: as the request says."`
	Measures        string       `json:"measures" doc:"(d) Measures taken or proposed: as the request says."`
}

// SpecialHit is a special kind of data and how many persons' it was.
type SpecialHit struct {
	Kind    string `json:"kind" enum:"origin,politics,beliefs,trade-union,genetic,biometric,health,sex-life,offences,national-identifier"`
	Persons int    `json:"persons"`
}

// CaseReference names a frozen case.
type CaseReference struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Persons  uint64    `json:"persons"`
	AwareAt  time.Time `json:"aware_at,omitzero"`
	FrozenAt time.Time `json:"frozen_at"`
}

// notifyWithin is the time of Art. 33(1).
const notifyWithin = 72 * time.Hour

// Breach answers whom a breach affects, and where their data went on to. A case
// that is to be kept is not written yet: [BreachAnswer.Keep] does it, once the
// question is recorded.
func Breach(ctx context.Context, d Deps, req BreachRequest) (*BreachAnswer, error) {
	if len(req.Windows) == 0 {
		return nil, &Fault{"/windows", "there is no window", "say which events: a controller, from when to when, and an actor, a system or a recipient"}
	}
	if req.Freeze != "" && !d.Trail.KeepsCases() {
		return nil, &Fault{"/freeze", "no case can be kept here, as nobody is named who may write one", "name a user of ClickHouse who may in the configuration (clickhouse.cases), or leave freeze out and keep the answer"}
	}
	b := &tracing{Deps: d, req: &req}
	if err := b.understand(ctx); err != nil {
		return nil, err
	}
	if err := b.windows(ctx); err != nil {
		return nil, err
	}
	a := &BreachAnswer{
		Controller: b.first().controller(), AskedAt: d.now(), Persons: len(b.affected.persons), Cohorts: len(b.affected.cohorts), Categories: b.categories(), Steps: []Step{},
	}
	for _, s := range b.selections {
		a.Windows = append(a.Windows, s.period)
	}
	for _, c := range b.affected.cohorts {
		if !c.listed {
			a.Unlisted++
		}
	}
	if err := b.sum(ctx, a); err != nil {
		return nil, err
	}
	if req.Onward > 0 {
		var err error
		if a.Steps, a.StepsCut, err = b.onward(ctx); err != nil {
			return nil, err
		}
	}
	var err error
	if a.Completeness, err = d.completeness(ctx); err != nil {
		return nil, err
	}
	if req.Freeze != "" {
		if err := b.freeze(a, b.aware); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// tracing is a breach being traced.
type tracing struct {
	Deps
	req          *BreachRequest
	selections   []*selection
	aware, until time.Time
	affected     *exposures
	acts         trail.Acts // the events of the breach
}

// maxWays bounds the ways and events of an answer.
const maxWays, maxBreachEvents = 200, 50

func (b *tracing) first() *selection { return b.selections[0] }

// understand reads the request.
func (b *tracing) understand(ctx context.Context) (err error) {
	for i := range b.req.Windows {
		w := &b.req.Windows[i]
		at := fmt.Sprintf("/windows/%d", i)
		s, err := b.selection(ctx, &w.ActsRequest)
		if err != nil {
			return within(at, err)
		}
		if w.Controller != b.req.Windows[0].Controller {
			return &Fault{at + "/controller", "the windows are of different controllers", "trace each controller by itself: their pseudonyms have nothing in common"}
		}
		if !slices.Contains([]string{"", union, intersection, difference}, w.Set) {
			return &Fault{at + "/set", "there is no such way to put windows together", "write union, intersection or difference"}
		}
		if len(b.selections) > 0 {
			s.read = b.first().read // the windows are counted together, too
		}
		b.selections = append(b.selections, s)
	}
	if b.aware, err = parseTime(b.req.AwareAt, b.first().register.Zone, 0, "/aware_at"); err != nil {
		return err
	}
	b.until, err = parseTime(b.req.Until, b.first().register.Zone, 1, "/until")
	return err
}

// The ways to put windows together.
const union, intersection, difference = "union", "intersection", "difference"

// windows finds the persons affected, and which events are those of the breach:
// all of the windows that are not taken away that are about one of them.
func (b *tracing) windows(ctx context.Context) error {
	found := newExposures() // in all windows that are not taken away
	affected := make(map[[16]byte]bool)
	var counted []trail.Acts
	some := false // whether only some of those found are affected
	for i, s := range b.selections {
		in, err := b.exposed(ctx, s)
		if err != nil {
			return within(fmt.Sprintf("/windows/%d", i), err)
		}
		switch set := b.req.Windows[i].Set; {
		case i > 0 && set == difference:
			maps.DeleteFunc(affected, func(p [16]byte, _ bool) bool { return in.persons[p] != nil })
			some = true
			continue
		case i > 0 && set == intersection:
			maps.DeleteFunc(affected, func(p [16]byte, _ bool) bool { return in.persons[p] == nil })
			some = true
		default:
			for p := range in.persons {
				affected[p] = true
			}
		}
		counted = append(counted, s.acts)
		if found.join(in); len(found.persons) > maxTraced {
			return tooManyPersons
		}
	}
	b.acts = counted[0]
	b.acts.Or = counted[1:]
	b.acts.About = trail.AboutSomeone
	b.affected = found
	if some {
		b.acts.Among = b.affected.only(affected)
	}
	return b.affected.count(ctx, b.first().read, b.acts)
}

// sum counts the events of the breach.
func (b *tracing) sum(ctx context.Context, a *BreachAnswer) error {
	s := *b.first()
	s.acts = b.acts
	by := []trail.Dimension{trail.ByActor, trail.BySource, trail.ByPurpose}
	counted, err := s.read.ActsByEach(ctx, s.acts, nil, by)
	if err != nil {
		return err
	}
	var records uint64
	if all := counted[0].Tallies; len(all) > 0 {
		a.Total, records = totalOf(&all[0]), all[0].AtLeast
	}
	a.Ways = b.shares(&s, counted[1].Tallies, by...)
	if len(a.Ways) > maxWays {
		a.Ways, a.WaysCut = a.Ways[:maxWays], true
	}
	page, err := b.page(ctx, &s, "", maxBreachEvents)
	if err != nil {
		return err
	}
	a.Events = page.Events
	nobody := s.acts
	nobody.About, nobody.Among = trail.AboutNobody, nil
	all, _, err := s.read.ActsBy(ctx, nobody)
	if err != nil {
		return err
	}
	if len(all) > 0 {
		a.Nobody = all[0].Events
	}
	a.Notice = b.notice(a, records)
	return nil
}

// within puts a fault under a part of the request.
func within(pointer string, err error) error {
	var f *Fault
	if errors.As(err, &f) {
		return &Fault{pointer + f.Pointer, f.Problem, f.Mend}
	}
	return err
}

func (b *tracing) categories() []CategoryHit {
	counts := make(map[string]int)
	for _, x := range b.affected.persons {
		for id := range x.categories {
			counts[id]++
		}
	}
	s := b.selections[0]
	all := []CategoryHit{}
	for id, n := range counts {
		all = append(all, CategoryHit{Named{id, s.names.category(s.register.Version, id)}, s.register.CategoryGroup(id), s.register.CategorySpecial(id), n})
	}
	slices.SortFunc(all, func(x, y CategoryHit) int { return cmp.Or(cmp.Compare(y.Persons, x.Persons), cmp.Compare(x.ID, y.ID)) })
	return all
}

// special counts the persons whose data of a special kind was touched.
func (b *tracing) special() (hits []SpecialHit) {
	r := b.first().register
	kinds, counts := make(map[string]string), make(map[string]int)
	for _, x := range b.affected.persons {
		theirs := make(map[string]bool)
		for id := range x.categories {
			kind, known := kinds[id]
			if !known {
				kind = r.CategorySpecial(id)
				kinds[id] = kind
			}
			if kind != "" {
				theirs[kind] = true
			}
		}
		for kind := range theirs {
			counts[kind]++
		}
	}
	for _, kind := range register.Specials {
		if counts[kind] > 0 {
			hits = append(hits, SpecialHit{kind, counts[kind]})
		}
	}
	return hits
}

func (b *tracing) notice(a *BreachAnswer, records uint64) BreachNotice {
	r := b.selections[0].register
	n := BreachNotice{
		AwareAt: b.aware, PersonsAffected: a.Persons, RecordsAffected: records, Contact: r.Controller.Contact, Authority: r.Controller.Authority,
		Special: b.special(), Consequences: b.req.Consequences, Measures: b.req.Measures,
		Nature: fmt.Sprintf("%d events from %s to %s touched data of %d persons in %d categories.",
			a.Total.Events, a.Total.First.In(r.Zone).Format(time.RFC3339), a.Total.Last.In(r.Zone).Format(time.RFC3339), a.Persons, len(a.Categories)),
	}
	if a.Total.Events == 0 {
		n.Nature = "No event of the trail is in these windows."
	}
	if !b.aware.IsZero() {
		n.Deadline = b.aware.Add(notifyWithin)
		n.HoursLeft = float64(n.Deadline.Sub(a.AskedAt).Round(time.Minute)) / float64(time.Hour)
	}
	return n
}

func sortedKeys(set map[string]bool) []string {
	all := make([]string, 0, len(set))
	for k := range set {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}
