package verdict

import (
	"slices"
	"sync"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/register/condition"
)

// Evaluator is the version of this evaluator. It grows whenever the same
// register, event and facts could be judged otherwise than before.
const Evaluator uint16 = 2

// Outcome is what became of an event.
type Outcome = register.Outcome

// The outcomes of an event; the higher beats the lower.
const (
	Allowed   = register.Allowed
	Review    = register.Review
	Violation = register.Violation
)

// Verdict is what the register makes of an event.
type Verdict struct {
	Outcome         Outcome
	Rules           []string // ids of the rules that decided: those whose own outcome is the verdict's; none where nothing spoke
	Unknown         []string // facts for want of which a rule could not be told, sorted
	RegisterVersion string
	Evaluator       uint16
}

// Judge judges one processing event by the register in force at its time and
// the facts true then. It is safe for concurrent use.
func Judge(r *register.Register, ev *event.Event, facts *event.Facts) (v Verdict) {
	v.Judge(r, ev, facts)
	return v
}

// Judge makes v the verdict on an event, as the function Judge does. The room
// of v's lists is used again: one Verdict for one event after the other costs no
// allocation.
func (v *Verdict) Judge(r *register.Register, ev *event.Event, facts *event.Facts) {
	j := judges.Get().(*judge)
	j.v = v
	j.start(r, ev, facts)
	j.run()
	judges.Put(j)
}

var judges = sync.Pool{New: func() any { return new(judge) }}

// judge is one judgement under way.
type judge struct {
	r         *register.Register
	ev        *event.Event
	facts     *event.Facts
	purpose   *register.Purpose   // nil = not in the register
	recipient *register.Recipient // nil = not in the register
	of        register.CategorySet
	scope     condition.Scope
	uncovered []string

	v       *Verdict // as far as the rules have spoken
	missing condition.Missing

	explain bool         // keep what each rule came to
	results []ruleResult // only to explain
	tested  []RequirementResult
}

// ruleResult is what one rule came to.
type ruleResult struct {
	id       string
	rule     *register.Rule // nil = a general rule
	general  *generalRule
	outcome  Outcome
	missing  condition.Missing // for want of which it is a review
	decision *register.Decision
	tested   []RequirementResult
}

func (j *judge) start(r *register.Register, ev *event.Event, facts *event.Facts) {
	j.r, j.ev, j.facts = r, ev, facts
	j.uncovered, j.missing = j.uncovered[:0], condition.Missing{}
	*j.v = Verdict{Outcome: Allowed, Rules: j.v.Rules[:0], Unknown: j.v.Unknown[:0], RegisterVersion: r.Version, Evaluator: Evaluator}
	j.purpose, _ = r.Purpose(ev.Purpose)
	j.recipient = nil
	if ev.Recipient.ID != "" {
		j.recipient, _ = r.Recipient(ev.Recipient.ID)
	}
	j.of = r.Vocab.SetOf(ev.Categories)
	s := &j.scope
	s.Event, s.Zone = ev, r.Zone
	s.PurposeDeclared, s.PurposeOpenEnded, s.PurposeBasis, s.CatchAllTakes = j.purpose != nil, false, nil, nil
	if j.purpose != nil {
		if !j.purpose.Covers(&j.of) {
			j.uncovered = r.Uncovered(j.uncovered, j.purpose, ev.Categories)
		}
		s.PurposeOpenEnded, s.PurposeBasis, s.CatchAllTakes = j.purpose.OpenEnded, j.purpose.LegalBasis, j.purpose.CatchAllTakes
	}
	s.Uncovered = j.uncovered
	switch {
	case ev.Recipient.IsZero():
		s.Recipient = condition.RecipientNotStated
	case j.recipient != nil || ev.Recipient.ID == event.DataSubject:
		s.Recipient = condition.RecipientDeclared
	default:
		s.Recipient = condition.RecipientUndeclared
	}
	s.Use(facts)
}

func (j *judge) run() {
	general := generalRules[:]
	_, _, asked := j.ev.Question()
	switch {
	case asked:
		general = generalRules[len(generalRules)-1:]
	case j.ev.Operation == event.Erase, j.ev.Operation == event.Rectify, j.ev.Operation == event.Restrict:
		general = nil // only a rule that names these is about them
	}
	for i := range general {
		g := &general[i]
		outcome, missing := g.judge(j)
		outcome, decision := j.settle(outcome, j.r.Settling(g.ID))
		j.take(g.ID, outcome, missing, decision, true)
		if j.explain {
			j.results = append(j.results, ruleResult{id: g.ID, general: g, outcome: outcome, missing: missing, decision: decision})
		}
	}
	var about []*register.Rule
	if !asked {
		about = j.r.About(j.ev.Operation, j.purpose, j.recipient, j.ev.Recipient.ID == event.DataSubject)
	}
	for _, rule := range about {
		if !rule.SelectsCategories(&j.of) {
			continue
		}
		outcome, missing := j.rule(rule)
		outcome, decision := j.settle(outcome, rule.Decisions)
		j.take(rule.ID, outcome, missing, decision, false)
		if j.explain {
			j.results = append(j.results, ruleResult{id: rule.ID, rule: rule, outcome: outcome, missing: missing, decision: decision, tested: slices.Clone(j.tested)})
		}
	}
	j.v.Unknown = j.missing.Append(j.v.Unknown)
	// An event that no rule speaks of, for a purpose of the register, is allowed:
	// the purpose itself permits it.
	switch {
	case len(j.v.Rules) > 0:
	case asked:
		j.v.Rules = append(j.v.Rules, ruleQuestion)
	case j.purpose != nil:
		j.v.Rules = append(j.v.Rules, ruleDeclaredPurpose)
	}
}

// take sums the verdict up: the worst outcome, and the rules that came to it.
// That a general rule allows an event says nothing of its own.
func (j *judge) take(rule string, outcome Outcome, missing condition.Missing, decision *register.Decision, general bool) {
	v := j.v
	if outcome < v.Outcome {
		return
	}
	if outcome > v.Outcome {
		v.Outcome, v.Rules, j.missing = outcome, v.Rules[:0], condition.Missing{}
	}
	if outcome == Review {
		j.missing = j.missing.And(missing)
	}
	if !general || outcome != Allowed || decision != nil {
		v.Rules = append(v.Rules, rule)
	}
	if decision != nil && !slices.Contains(v.Rules, decision.ID) {
		v.Rules = append(v.Rules, decision.ID)
	}
}

// settle applies the first decision that is about a rule's review.
func (j *judge) settle(outcome Outcome, decisions []*register.Decision) (Outcome, *register.Decision) {
	if outcome != Review {
		return outcome, nil
	}
	for _, d := range decisions {
		if !d.Selects(j.ev, &j.of, j.scope.Date()) {
			continue
		}
		if d.When != nil {
			if truth, _ := d.When.Eval(&j.scope); truth != condition.True {
				continue
			}
		}
		return d.Outcome, d
	}
	return outcome, nil
}

// rule asks one rule of the register. Its outcome is the worst of what its
// requirements come to.
func (j *judge) rule(rule *register.Rule) (outcome Outcome, missing condition.Missing) {
	j.tested = j.tested[:0]
	if rule.When != nil {
		switch truth, missing := rule.When.Eval(&j.scope); truth {
		case condition.False:
			return register.NotApplicable, missing
		case condition.Unknown:
			return Review, missing
		}
	}
	for i := range rule.Requirements {
		req := &rule.Requirements[i]
		if j.absent(req.SkipIfAbsent) {
			if j.explain {
				j.tested = append(j.tested, RequirementResult{requirement: req, Says: req.Says, Skipped: true})
			}
			continue
		}
		came, truth, lacks, because := j.requirement(rule, req)
		outcome = max(outcome, came)
		if came >= Review {
			missing = missing.And(lacks)
		}
		if j.explain {
			j.tested = append(j.tested, RequirementResult{
				requirement: req, Says: req.Says, Truth: truth.String(), Outcome: came, Missing: lacks.Append(nil), Because: because,
			})
		}
	}
	return outcome, missing
}

func (j *judge) absent(fields []event.Field) bool {
	for _, f := range fields {
		if j.scope.Fact(f).State == event.Absent {
			return true
		}
	}
	return false
}

func (j *judge) requirement(rule *register.Rule, req *register.CompiledRequirement) (o Outcome, t condition.Truth, missing condition.Missing, because string) {
	t, missing = req.That.Eval(&j.scope)
	switch t {
	case condition.True:
		return rule.MetOutcome, t, missing, ""
	case condition.Unknown:
		return req.UnknownOutcome, t, missing, ""
	}
	for i := range req.Exceptions {
		e := &req.Exceptions[i]
		if holds, _ := e.When.Eval(&j.scope); holds == condition.True {
			return e.Outcome, t, missing, e.Because
		}
	}
	return req.UnmetOutcome, t, missing, ""
}
