package answer

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

// Verdicts counts events by verdict.
type Verdicts struct {
	Allowed   uint64 `json:"allowed"`
	Review    uint64 `json:"review"`
	Violation uint64 `json:"violation"`
}

func (v *Verdicts) add(verdict string, n uint64) {
	switch verdict {
	case register.Allowed.String():
		v.Allowed += n
	case register.Review.String():
		v.Review += n
	case register.Violation.String():
		v.Violation += n
	}
}

// Worst is the worst verdict there was.
func (v Verdicts) Worst() string {
	switch {
	case v.Violation > 0:
		return register.Violation.String()
	case v.Review > 0:
		return register.Review.String()
	default:
		return register.Allowed.String()
	}
}

// PurposeUse is how often data was used for one purpose, and on what ground.
type PurposeUse struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	Declared    bool      `json:"declared" doc:"The register declares this purpose."`
	Count       uint64    `json:"count"`
	Basis       []string  `json:"basis" doc:"Legal bases that the register declares (GDPR Art. 6(1)). Empty: the notice states none."`
	BasisStatus string    `json:"basis_status,omitempty" enum:"stated,inferred,not-stated,document-level"`
	Clauses     []string  `json:"clauses"`
	Stated      []Counted `json:"stated" doc:"Legal bases that the events themselves stated."`
}

// RuleUse is a rule that decided, and how often.
type RuleUse struct {
	Rule
	Verdict string `json:"verdict" enum:"allowed,review,violation"`
	Count   uint64 `json:"count"`
}

// Summary sums up events that have a recipient in common.
type Summary struct {
	Verdict    string       `json:"verdict" enum:"allowed,review,violation" doc:"The worst verdict of all."`
	First      time.Time    `json:"first"`
	Last       time.Time    `json:"last"`
	Count      uint64       `json:"count" doc:"Events; those that arrived twice count once."`
	Changed    uint64       `json:"changed" doc:"How many of these were judged again later, with another verdict, which is the one that counts."`
	ByCohort   uint64       `json:"by_cohort" doc:"How many of these concerned a cohort that the person is a member of."`
	Verdicts   Verdicts     `json:"verdicts"`
	Operations []Counted    `json:"operations"`
	Categories []Counted    `json:"categories"`
	Purposes   []PurposeUse `json:"purposes"`
	Rules      []RuleUse    `json:"rules" doc:"Rules that decided, worst first."`
	Unknown    []Counted    `json:"unknown" doc:"Facts for want of which a review is needed."`
}

// Recipient is a legal entity that received data (GDPR Art. 4(9), 15(1)(c)).
type Recipient struct {
	ID           string   `json:"id,omitempty" doc:"Id in the register."`
	Name         string   `json:"name"`
	Code         string   `json:"code,omitempty" doc:"Registration code of the legal entity."`
	Countries    []string `json:"countries" doc:"ISO 3166-1 alpha-2, as the events and the register say."`
	Kind         string   `json:"kind" doc:"Kind in the register; undeclared where the register does not name it, not-stated where the events do not say who received the data."`
	Declared     bool     `json:"declared"`
	LegalEntity  bool     `json:"legal_entity" doc:"False: the events name only a class of recipients, not who of it received the data."`
	Clauses      []string `json:"clauses" doc:"Where the notice declares this recipient."`
	RegisterName string   `json:"register_name,omitempty" doc:"What the register calls the class that this legal entity is declared as."`

	ThirdCountry *ThirdCountry `json:"third_country,omitempty" doc:"Left out where nothing says that it is outside the EEA."`
	Summary

	key, version string // of whom it is, and of the register that names it
}

// RecipientsAnswer says who received a person's data.
type RecipientsAnswer struct {
	Controller Controller `json:"controller"`
	Person     Subject    `json:"person"`
	Period     Period     `json:"period"`
	AskedAt    time.Time  `json:"asked_at" exact:"true"`
	View
	Events       uint64          `json:"events"`
	Duplicates   uint64          `json:"duplicates" doc:"Events that arrived twice, counted only here."`
	Verdicts     Verdicts        `json:"verdicts" doc:"By the verdict that stands."`
	Changed      uint64          `json:"changed" doc:"Events whose verdict is not the first one: they were judged again."`
	Recipients   []Recipient     `json:"recipients" doc:"Others who received data, worst verdict first."`
	ToPerson     *Summary        `json:"to_person,omitempty" doc:"What went to the person itself."`
	Internal     *Summary        `json:"internal,omitempty" doc:"Use by the controller itself, without a recipient; and notices of an erasure, a rectification or a restriction, by which a recipient is given no data."`
	Asked        *AskedRecipient `json:"asked,omitempty" doc:"Whether the recipient that was asked about ever received data in the period."`
	Decisions    []Decision      `json:"decisions" doc:"Profiling and automated decision-making (Art. 15(1)(h))."`
	Sources      []SourceUse     `json:"sources" doc:"Where the data came from (Art. 15(1)(g)): those that events state, most first, then those that the register names besides."`
	Retention    []RetentionUse  `json:"retention" doc:"For how long the register says that data of these purposes are kept (Art. 15(1)(d))."`
	Cohorts      []CohortUse     `json:"cohorts" doc:"Groups whose data were used together, this person's among them."`
	Rights       Rights          `json:"rights" doc:"To whom the person can turn (Art. 15(1)(e), (f))."`
	Complete     bool            `json:"complete" doc:"False: there were too many ways of use to sum all up. Ask for a shorter period."`
	Timeline     Timeline        `json:"timeline" doc:"The newest events."`
	Completeness Completeness    `json:"completeness"`
	Limits       *Limits         `json:"limits,omitempty" doc:"What stands against taking the trail of the period for whole."`
}

// Recipients answers who received a person's data, when, how often, for what,
// on what ground, and whether it was what the controller had declared.
func Recipients(ctx context.Context, d Deps, req RecipientsRequest) (*RecipientsAnswer, error) {
	s, err := d.subject(ctx, req.Request)
	if err != nil {
		return nil, err
	}
	asked, err := s.askedRecipient(d.Registers, &req)
	if err != nil {
		return nil, err
	}
	a := &RecipientsAnswer{Controller: s.controller(), Person: s.person, Period: s.period, AskedAt: d.now(), Recipients: []Recipient{}, Asked: asked}
	var uses []trail.Use
	g, asking := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		uses, a.Complete, err = s.history.Uses(asking, s.query.Only)
		return err
	})
	g.Go(func() (err error) {
		a.Timeline, err = d.timeline(asking, s, nil, defaultPage)
		return err
	})
	g.Go(func() (err error) {
		a.Completeness, err = d.completenessAsOf(asking, s.period.AsOf)
		return err
	})
	g.Go(func() (err error) {
		a.Limits, err = d.limits(asking, s.query.Controller, s.period, s.view.tellsSystems() && (req.Systems || asked != nil))
		return err
	})
	g.Go(func() error { return d.would(asking, s) })
	if err := g.Wait(); err != nil {
		return nil, err
	}
	a.sum(s.names, uses)
	r, err := d.Registers.For(s.query.Controller, s.period.end(a.AskedAt))
	if err != nil { // none was in force yet
		r = s.register
	}
	a.more(s.names, r, uses)
	a.Sources = slices.DeleteFunc(a.Sources, func(x SourceUse) bool { return x.Count == 0 && s.view.untold(x.ID) })
	if asked != nil {
		if err := asked.tell(s, uses, a.Complete, a.Limits); err != nil {
			return nil, err
		}
	}
	if err := d.thirdCountries(ctx, s, a, uses); err != nil {
		return nil, err
	}
	s.see(a, &a.View)
	return a, nil
}

// sum sums ways of use up by whom the data went to.
func (a *RecipientsAnswer) sum(n *names, uses []trail.Use) {
	groups := make(map[string]*group)
	var order []string
	for i := range uses {
		u := &uses[i]
		if u.Duplicate {
			a.Duplicates += u.Count
			continue
		}
		a.Events += u.Count
		a.Changed += u.Changed
		a.Verdicts.add(u.Verdict, u.Count)
		key := entityKey(n, u)
		g := groups[key]
		if g == nil {
			g = newGroup(n)
			groups[key] = g
			order = append(order, key)
		}
		g.add(u)
	}
	for _, key := range order {
		g := groups[key]
		switch key {
		case keyInternal:
			a.Internal = g.summary()
		case keyPerson:
			a.ToPerson = g.summary()
		default:
			r := g.recipient()
			r.key = key
			a.Recipients = append(a.Recipients, r)
		}
	}
	slices.SortStableFunc(a.Recipients, func(x, y Recipient) int {
		return cmp.Or(cmp.Compare(rank(y.Verdict), rank(x.Verdict)), cmp.Compare(y.Count, x.Count), strings.Compare(x.Name, y.Name))
	})
}

func rank(verdict string) register.Outcome {
	o, _ := register.ParseOutcome(verdict)
	return o
}

// Keys of what is no other recipient.
const (
	keyInternal = ""
	keyPerson   = event.DataSubject
)

// entityKey says which legal entity an event's recipient is: one of the
// register by its id; any other by its code and country, else by its name. An
// id that stands for a class counts only where no organisation is named. Who is
// only told of an erasure, a rectification or a restriction receives nothing by it.
func entityKey(n *names, u *trail.Use) string {
	switch {
	case u.Recipient == event.DataSubject:
		return keyPerson
	case isNotice(u.Operation):
		return keyInternal
	}
	named := false
	if r := n.register(u.RegisterVersion); r != nil {
		if e, ok := r.Recipient(u.Recipient); ok {
			named = e.Named
		}
	}
	switch {
	case named, u.Recipient != "" && u.Organisation == "" && u.Code == "":
		return "id " + u.Recipient
	case u.Code != "":
		return "code " + u.Country + " " + u.Code
	case u.Organisation != "":
		return "name " + u.Country + " " + strings.ToLower(u.Organisation)
	case u.Country != "":
		return "country " + u.Country
	case u.Operation == event.Transfer.String(), u.Operation == event.Disclose.String():
		return "not stated"
	default:
		return keyInternal
	}
}

// group gathers the uses of one recipient.
type group struct {
	names      *names
	newest     *trail.Use // whose register and spelling name the recipient
	sum        Summary
	countries  []string
	operations map[string]uint64
	categories map[string]uint64
	unknown    map[string]uint64
	purposes   map[string]*purposeGroup
	rules      map[ruleKey]*RuleUse
}

type purposeGroup struct {
	version string
	count   uint64
	stated  map[string]uint64
	last    time.Time
}

type ruleKey struct{ id, verdict string }

func newGroup(n *names) *group {
	return &group{
		names: n, operations: make(map[string]uint64), categories: make(map[string]uint64), unknown: make(map[string]uint64),
		purposes: make(map[string]*purposeGroup), rules: make(map[ruleKey]*RuleUse),
	}
}

func (g *group) add(u *trail.Use) {
	if g.newest == nil || u.Last.After(g.newest.Last) {
		g.newest = u
	}
	if g.sum.First.IsZero() || u.First.Before(g.sum.First) {
		g.sum.First = u.First
	}
	if u.Last.After(g.sum.Last) {
		g.sum.Last = u.Last
	}
	g.sum.Count += u.Count
	g.sum.Changed += u.Changed
	if u.Cohort {
		g.sum.ByCohort += u.Count
	}
	g.sum.Verdicts.add(u.Verdict, u.Count)
	if u.Country != "" && !slices.Contains(g.countries, u.Country) {
		g.countries = append(g.countries, u.Country)
	}
	g.operations[u.Operation] += u.Count
	sumInto(g.categories, u.Categories)
	sumInto(g.unknown, u.Unknown)
	p := g.purposes[u.Purpose]
	if p == nil {
		p = &purposeGroup{stated: make(map[string]uint64)}
		g.purposes[u.Purpose] = p
	}
	p.count += u.Count
	if !u.Last.Before(p.last) {
		p.version, p.last = u.RegisterVersion, u.Last
	}
	if u.Basis != "" {
		p.stated[u.Basis] += u.Count
	}
	for id, n := range u.Rules {
		key := ruleKey{id, u.Verdict}
		if g.rules[key] == nil {
			g.rules[key] = &RuleUse{Rule: g.names.rule(u.RegisterVersion, id), Verdict: u.Verdict}
		}
		g.rules[key].Count += n
	}
}

func sumInto(to, from map[string]uint64) {
	for id, n := range from {
		to[id] += n
	}
}

func (g *group) summary() *Summary {
	s := g.sum
	s.Verdict = s.Verdicts.Worst()
	s.Operations = counted(g.operations, func(id string) string { return id })
	s.Categories = counted(g.categories, func(id string) string { return g.names.category(g.newest.RegisterVersion, id) })
	s.Unknown = counted(g.unknown, factName)
	s.Purposes = []PurposeUse{}
	for id, p := range g.purposes {
		use := PurposeUse{ID: id, Name: g.names.purpose(p.version, id), Count: p.count, Basis: []string{}, Clauses: []string{}, Stated: counted(p.stated, BasisName)}
		if r := g.names.register(p.version); r != nil {
			if declared, ok := r.Purpose(id); ok {
				use.Declared, use.BasisStatus, use.Clauses = true, declared.BasisStatus, declared.Clauses
				use.Basis = append(use.Basis, declared.LegalBasis...)
			}
		}
		s.Purposes = append(s.Purposes, use)
	}
	slices.SortFunc(s.Purposes, func(a, b PurposeUse) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.ID, b.ID))
	})
	s.Rules = []RuleUse{}
	for _, u := range g.rules {
		s.Rules = append(s.Rules, *u)
	}
	slices.SortFunc(s.Rules, func(a, b RuleUse) int {
		return cmp.Or(cmp.Compare(rank(b.Verdict), rank(a.Verdict)), cmp.Compare(b.Count, a.Count), strings.Compare(a.ID, b.ID))
	})
	return &s
}

func (g *group) recipient() Recipient {
	u := g.newest
	r := Recipient{
		version: u.RegisterVersion,
		ID:      u.Recipient, Code: u.Code, Countries: g.countries, Kind: "undeclared", Clauses: []string{},
		LegalEntity: u.Organisation != "" || u.Code != "", Summary: *g.summary(),
	}
	switch {
	case u.Organisation != "" || u.Recipient != "" || u.Code != "":
		r.Name = cmp.Or(u.Organisation, u.Recipient, u.Code)
	case u.Country != "":
		r.Name, r.Kind = "Recipient not stated, in "+u.Country, "not-stated"
	default:
		r.Name, r.Kind = "Recipient not stated", "not-stated"
	}
	if reg := g.names.register(u.RegisterVersion); reg != nil {
		if e, ok := reg.Recipient(u.Recipient); ok {
			r.Kind, r.Declared, r.Clauses = e.Kind, true, e.Clauses
			r.LegalEntity = r.LegalEntity || e.Named
			switch name := e.Name.In(language); {
			case e.Named || u.Organisation == "":
				r.Name = name
			default:
				r.RegisterName = name
			}
			if e.Country != "" && !slices.Contains(r.Countries, e.Country) {
				r.Countries = append(r.Countries, e.Country)
			}
		}
	}
	if r.Countries == nil {
		r.Countries = []string{}
	}
	slices.Sort(r.Countries)
	return r
}
