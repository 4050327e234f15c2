package answer

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/duties"
	"github.com/andmerada/andmerada/internal/register"
)

// DutiesRequest asks what is to be done by when.
type DutiesRequest struct {
	Controller string // "" = all
	At         string // a day of the controller's calendar, whose end is meant, or an RFC 3339 time; "" = now
	Within     int    // days: what is due in that time is due; at most 3660
	Cases      int    // how many cases of each sort to name, 20 if zero, at most 1000; negative: none
}

// DutiesAnswer is what is to be done by when.
type DutiesAnswer struct {
	Controllers  []Duties     `json:"controllers"`
	Completeness Completeness `json:"completeness"`
}

// Found says whether anything is overdue, or happened that should not have.
func (a *DutiesAnswer) Found() bool {
	for i := range a.Controllers {
		if slices.ContainsFunc(a.Controllers[i].Duties, func(g DutyGroup) bool { return g.State != string(duties.Due) }) {
			return true
		}
	}
	return false
}

// Duties are those of one controller, as of a moment.
type Duties struct {
	Controller Controller     `json:"controller"`
	At         time.Time      `json:"at"`
	Zone       string         `json:"zone" doc:"Time zone of the controller's calendar, by which days count."`
	Within     int            `json:"within" doc:"What is due in so many days is due."`
	Register   *RegisterInUse `json:"register,omitempty" doc:"In force at the moment; left out if none was."`
	Persons    uint64         `json:"persons" doc:"Persons, and cohorts as such, of whom there is a fact or an act that a duty can rest on; linked identifiers are one person."`
	Duties     []DutyGroup    `json:"duties"`
	Untold     []UntoldPeriod `json:"untold" doc:"Retention periods by which no duty can be told."`
}

// DutyGroup is duties of one kind by one rule. The counts are exact; cases are
// named up to a bound, those with the earliest day first.
type DutyGroup struct {
	Kind    string       `json:"kind" enum:"erase,erased-early,answer,stop,agreement"`
	State   string       `json:"state" enum:"due,overdue,happened"`
	Verdict string       `json:"verdict" enum:"review,violation" doc:"violation: it is so; review: it is so unless what is not known says otherwise."`
	Rule    Rule         `json:"rule"`
	Count   uint64       `json:"count"`
	Acts    uint64       `json:"acts" doc:"Events that these duties are about, where they are about any."`
	Months  []MonthCount `json:"months" doc:"By the month of the last day."`
	Missing []Counted    `json:"missing" doc:"What is not known, or of an agreement not so, by how many duties want it."`
	Cases   []DutyCase   `json:"cases"`
}

// MonthCount counts the duties of a month.
type MonthCount struct {
	Month string `json:"month" example:"2026-03"`
	Count uint64 `json:"count"`
}

// DutyCase is one duty.
type DutyCase struct {
	Pseudonym string    `json:"pseudonym,omitempty" doc:"Of the person; with scheme pseudonym, questions about the person take it. Left out where it is about a recipient."`
	About     Named     `json:"about" doc:"What it is about: the fact that the period runs from, the request, the purpose or the recipient."`
	Since     string    `json:"since" example:"2024-02-29" doc:"Day that the period runs from."`
	Due       string    `json:"due" example:"2026-02-28" doc:"Last day in time; of what was erased too early, the first day on which it might have been."`
	Missing   []string  `json:"missing"`
	Acts      uint64    `json:"acts,omitempty"`
	Last      time.Time `json:"last,omitzero" doc:"Of the acts."`
	Example   *Place    `json:"example,omitempty"`
}

// UntoldPeriod is a retention period by which no duty can be told, and why.
type UntoldPeriod struct {
	Rule   Rule   `json:"rule"`
	Length string `json:"length"`
	Why    string `json:"why"`
}

const (
	defaultCases = 20
	maxCases     = 1000
	maxWithin    = 3660
)

// DutiesOf answers what is to be done by when. It reads all facts of the
// controller, person by person, so that it is a question for a job or a
// patient person.
func DutiesOf(ctx context.Context, d Deps, req DutiesRequest) (*DutiesAnswer, error) {
	ids := d.Registers.Controllers()
	if req.Controller != "" {
		if _, err := d.controller(req.Controller, "/controller"); err != nil {
			return nil, err
		}
		ids = []string{req.Controller}
	}
	if req.Within < 0 || req.Within > maxWithin {
		return nil, &Fault{"/within", "the days are less than none or more than ten years", "write a number from 0 to 3660"}
	}
	a := &DutiesAnswer{Controllers: []Duties{}}
	for _, id := range ids {
		one, err := d.duties(ctx, id, req)
		if err != nil {
			return nil, err
		}
		a.Controllers = append(a.Controllers, *one)
	}
	var err error
	a.Completeness, err = d.completeness(ctx)
	return a, err
}

func (d *Deps) duties(ctx context.Context, id string, req DutiesRequest) (*Duties, error) {
	newest, err := d.controller(id, "/controller")
	if err != nil {
		return nil, err
	}
	at := d.now()
	if req.At != "" {
		if at, err = parseTime(req.At, newest.Zone, 1, "/at"); err != nil {
			return nil, err
		}
		if len(req.At) == len(time.DateOnly) { // the day's last moment
			at = at.Add(-time.Millisecond)
		}
	}
	out := &Duties{Controller: Controller{id, newest.Controller.Name}, At: at, Zone: newest.Zone.String(), Within: req.Within, Duties: []DutyGroup{}, Untold: []UntoldPeriod{}}
	r, err := d.Registers.For(id, at)
	if err != nil { // the controller is known: none was in force
		return out, nil //nolint:nilerr // there are no duties before the first register
	}
	out.Register = &RegisterInUse{r.Version, r.Notice.Title, r.From}
	limit := min(cmp.Or(max(req.Cases, 0), defaultCases), maxCases)
	if req.Cases < 0 {
		limit = 0
	}
	w := &dutyWalk{Deps: d, book: duties.NewBook(r, at, req.Within), at: at, groups: make(map[dutyKey]*dutyGroup), limit: limit}
	if err := w.walk(ctx); err != nil {
		return nil, err
	}
	if err := w.agreements(ctx); err != nil {
		return nil, err
	}
	n := newNames(d.Registers)
	out.Persons = w.persons
	for key, g := range w.groups {
		g.cut(limit)
		out.Duties = append(out.Duties, g.answer(n, r, key))
	}
	kinds := duties.Kinds()
	states := []string{string(duties.Overdue), string(duties.Happened), string(duties.Due)}
	slices.SortFunc(out.Duties, func(a, b DutyGroup) int {
		return cmp.Or(slices.Index(states, a.State)-slices.Index(states, b.State), slices.Index(kinds, duties.Kind(a.Kind))-slices.Index(kinds, duties.Kind(b.Kind)),
			cmp.Compare(rank(b.Verdict), rank(a.Verdict)), cmp.Compare(b.Count, a.Count), strings.Compare(a.Rule.ID, b.Rule.ID))
	})
	for _, u := range w.book.Untold() {
		out.Untold = append(out.Untold, UntoldPeriod{n.rule(r.Version, u.Rule), u.Length, u.Why})
	}
	return out, nil
}

// dutyKey tells sorts of duties apart.
type dutyKey struct {
	kind    duties.Kind
	state   duties.State
	rule    string
	outcome register.Outcome
}

// dutyGroup gathers the duties of a sort.
type dutyGroup struct {
	count, acts uint64
	months      map[string]uint64
	missing     map[string]uint64
	cases       []duties.Duty
}

func (g *dutyGroup) add(d *duties.Duty, limit int) {
	g.count++
	g.acts += d.Count
	g.months[d.Due.String()[:len("2006-01")]]++
	for _, m := range d.Missing {
		g.missing[m]++
	}
	if limit == 0 {
		return
	}
	g.cases = append(g.cases, *d)
	if len(g.cases) >= 2*limit+64 { // cut only now and then
		g.cut(limit)
	}
}

// cut leaves the cases with the earliest days.
func (g *dutyGroup) cut(limit int) {
	slices.SortFunc(g.cases, func(a, b duties.Duty) int {
		return cmp.Or(cmp.Compare(a.Due, b.Due), slices.Compare(a.Person[:], b.Person[:]), strings.Compare(a.About, b.About), cmp.Compare(a.Since, b.Since))
	})
	g.cases = g.cases[:min(len(g.cases), limit)]
}

func (g *dutyGroup) answer(n *names, r *register.Register, key dutyKey) DutyGroup {
	out := DutyGroup{
		Kind: string(key.kind), State: string(key.state), Verdict: key.outcome.String(), Rule: dutyRule(n, r, key.rule),
		Count: g.count, Acts: g.acts, Months: []MonthCount{}, Missing: counted(g.missing, factName), Cases: []DutyCase{},
	}
	for month, count := range g.months {
		out.Months = append(out.Months, MonthCount{month, count})
	}
	slices.SortFunc(out.Months, func(a, b MonthCount) int { return strings.Compare(a.Month, b.Month) })
	for i := range g.cases {
		d := &g.cases[i]
		c := DutyCase{About: Named{d.About, aboutName(n, r, d)}, Since: d.Since.String(), Due: d.Due.String(), Missing: orEmpty(d.Missing), Acts: d.Count, Last: d.Last}
		if !d.Person.IsZero() {
			c.Pseudonym = d.Person.String()
		}
		if len(d.Acts) > 0 {
			p := Place(d.Acts[0])
			c.Example = &p
		}
		out.Cases = append(out.Cases, c)
	}
	return out
}

// aboutName is what a duty is about, in words.
func aboutName(n *names, r *register.Register, d *duties.Duty) string {
	switch d.Kind {
	case duties.Erase:
		return factName(d.About)
	case duties.ErasedEarly, duties.Stop:
		return n.purpose(r.Version, d.About)
	case duties.Agreement:
		if e, ok := r.Recipient(d.About); ok {
			return e.Name.In(language)
		}
	}
	return d.About
}

// dutyRule is a rule of the register, or an article of the law.
func dutyRule(n *names, r *register.Register, id string) Rule {
	switch id {
	case duties.ArticleRequests:
		return Rule{ID: id, Title: "Requests are answered within a month", Says: "The controller tells the person what it has done about a request within one month of receiving it.", Clauses: []string{id}}
	case duties.ArticleConsent:
		return Rule{ID: id, Title: "A withdrawn consent ends the use", Says: "Once a consent is withdrawn, data are no longer used on its ground.", Clauses: []string{id}}
	case duties.ArticleAgreement:
		return Rule{ID: id, Title: "A processor is bound by a contract", Says: "A processor acts under a contract that binds it, and its people to secrecy.", Clauses: []string{id}}
	}
	return n.rule(r.Version, id)
}
