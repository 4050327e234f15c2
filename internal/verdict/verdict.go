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
const Evaluator uint16 = 1

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
func Judge(r *register.Register, ev *event.Event, facts *event.Facts) Verdict {
	j := judges.Get().(*judge)
	defer judges.Put(j)
	j.start(r, ev, facts)
	j.run()
	return j.verdict()
}

var judges = sync.Pool{New: func() any { return new(judge) }}

// judge is one judgement under way.
type judge struct {
	r       *register.Register
	ev      *event.Event
	facts   *event.Facts
	purpose *register.Purpose // nil = not in the register
	scope   condition.Scope

	results   []ruleResult
	uncovered []string
	explain   bool // keep what each requirement came to
}

// ruleResult is what one rule came to.
type ruleResult struct {
	id      string
	rule    *register.Rule // nil = a general rule
	general *generalRule
	outcome Outcome
	missing []string // facts for want of which it is a review
	tested  []RequirementResult
}

func (j *judge) start(r *register.Register, ev *event.Event, facts *event.Facts) {
	j.r, j.ev, j.facts = r, ev, facts
	j.results, j.uncovered = j.results[:0], j.uncovered[:0]
	j.purpose, _ = r.Purpose(ev.Purpose)
	s := &j.scope
	s.Event, s.Zone, s.Recipient = ev, r.Zone, condition.RecipientNotStated
	s.PurposeDeclared, s.PurposeOpenEnded, s.PurposeBasis, s.CatchAllTakes = j.purpose != nil, false, nil, nil
	if j.purpose != nil {
		j.uncovered = r.Uncovered(j.uncovered, j.purpose, ev.Categories)
		s.PurposeOpenEnded, s.PurposeBasis, s.CatchAllTakes = j.purpose.OpenEnded, j.purpose.LegalBasis, j.purpose.CatchAllTakes
	}
	s.Uncovered = j.uncovered
	switch _, declared := r.Recipient(ev.Recipient.ID); {
	case ev.Recipient.IsZero():
	case declared || ev.Recipient.ID == event.DataSubject:
		s.Recipient = condition.RecipientDeclared
	default:
		s.Recipient = condition.RecipientUndeclared
	}
	s.Use(facts)
}

func (j *judge) run() {
	general := generalRules[:]
	switch j.ev.Operation {
	case event.Erase, event.Rectify, event.Restrict:
		general = nil // only a rule that names these is about them
	}
	for i := range general {
		g := &general[i]
		if res := g.judge(j); res.outcome != register.NotApplicable || j.explain {
			res.id, res.general = g.ID, g
			j.results = append(j.results, res)
		}
	}
	for _, rule := range j.r.About(j.ev) {
		if !rule.SelectsCategories(j.r.Vocab, j.ev.Categories) {
			continue
		}
		if res := j.rule(rule); res.outcome != register.NotApplicable || j.explain {
			j.results = append(j.results, res)
		}
	}
}

// rule asks one rule of the register. Its outcome is the worst of what its
// requirements come to.
func (j *judge) rule(rule *register.Rule) ruleResult {
	res := ruleResult{id: rule.ID, rule: rule}
	if rule.When != nil {
		switch truth, missing := rule.When.Eval(&j.scope); truth {
		case condition.False:
			return res
		case condition.Unknown:
			res.outcome, res.missing = Review, missing
			return res
		}
	}
	tested := false
	for i := range rule.Requirements {
		req := &rule.Requirements[i]
		if j.absent(req.SkipIfAbsent) {
			if j.explain {
				res.tested = append(res.tested, RequirementResult{requirement: req, Says: req.Says, Skipped: true})
			}
			continue
		}
		tested = true
		outcome, truth, missing, because := j.requirement(rule, req)
		res.outcome = max(res.outcome, outcome)
		if outcome >= Review {
			res.missing = append(res.missing, missing...)
		}
		if j.explain {
			res.tested = append(res.tested, RequirementResult{
				requirement: req, Says: req.Says, Truth: truth.String(), Outcome: outcome, Missing: missing, Because: because,
			})
		}
	}
	if !tested {
		res.outcome = register.NotApplicable
	}
	return res
}

func (j *judge) absent(fields []event.Field) bool {
	for _, f := range fields {
		if j.facts.Get(f).State == event.Absent {
			return true
		}
	}
	return false
}

func (j *judge) requirement(rule *register.Rule, req *register.CompiledRequirement) (o Outcome, t condition.Truth, missing []string, because string) {
	t, missing = req.That.Eval(&j.scope)
	switch t {
	case condition.True:
		return rule.MetOutcome, t, nil, ""
	case condition.Unknown:
		return req.UnknownOutcome, t, missing, ""
	}
	for i := range req.Exceptions {
		e := &req.Exceptions[i]
		if holds, _ := e.When.Eval(&j.scope); holds == condition.True {
			return e.Outcome, t, nil, e.Because
		}
	}
	return req.UnmetOutcome, t, nil, ""
}

// verdict sums the results up. An event that no rule speaks of, for a purpose
// of the register, is allowed: the purpose itself permits it.
func (j *judge) verdict() Verdict {
	v := Verdict{Outcome: Allowed, RegisterVersion: j.r.Version, Evaluator: Evaluator}
	for i := range j.results {
		v.Outcome = max(v.Outcome, j.results[i].outcome)
	}
	for i := range j.results {
		res := &j.results[i]
		if res.outcome == v.Outcome && (res.general == nil || v.Outcome != Allowed) {
			v.Rules = append(v.Rules, res.id)
		}
		if v.Outcome == Review && res.outcome == Review {
			v.Unknown = append(v.Unknown, res.missing...)
		}
	}
	if len(v.Unknown) > 1 {
		slices.Sort(v.Unknown)
		v.Unknown = slices.Compact(v.Unknown)
	}
	if len(v.Rules) == 0 && j.purpose != nil {
		v.Rules = append(v.Rules, ruleDeclaredPurpose)
	}
	return v
}
