package verdict

import (
	"slices"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
)

// Explanation is a verdict with the way it came about, rule by rule.
type Explanation struct {
	Verdict
	Purpose   string   // name of the purpose, in English; "" where it is not declared
	Uncovered []string // the event's categories outside the purpose's lists
	Rules     []RuleExplanation
	Clauses   []string // of the rules that spoke, and of the purpose, in that order
}

// RuleExplanation is what one rule made of the event.
type RuleExplanation struct {
	ID           string              `json:"id"`
	Title        string              `json:"title"`
	Says         string              `json:"says"` // in plain words
	Clauses      []string            `json:"clauses,omitempty"`
	Outcome      Outcome             `json:"outcome"`
	Decided      bool                `json:"decided"` // the verdict rests on it
	General      bool                `json:"general,omitempty"`
	Requirements []RequirementResult `json:"requirements,omitempty"`
	Missing      []string            `json:"missing,omitempty"`
	Decision     *SettledBy          `json:"decision,omitempty"` // that settled what had been a review
}

// SettledBy is the controller's own decision that settled a review.
type SettledBy struct {
	ID        string `json:"id"`
	Title     string `json:"title"`
	DecidedOn string `json:"decided_on"`
	Because   string `json:"because"`
}

// RequirementResult is what one requirement of a rule came to.
type RequirementResult struct {
	requirement *register.CompiledRequirement

	Says    string     `json:"says"`
	Truth   string     `json:"truth,omitempty"` // true, false, unknown
	Outcome Outcome    `json:"outcome"`
	Skipped bool       `json:"skipped,omitempty"` // nothing is said of a fact that it would test
	Missing []string   `json:"missing,omitempty"`
	Because string     `json:"because,omitempty"` // why the outcome is another than the rule's
	Facts   []UsedFact `json:"facts,omitempty"`
}

// UsedFact is a fact that a requirement read, and what it was.
type UsedFact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Explain judges as Judge does, and keeps how.
func Explain(r *register.Register, ev *event.Event, facts *event.Facts) Explanation {
	var x Explanation
	j := &judge{explain: true, v: &x.Verdict}
	j.start(r, ev, facts)
	j.run()
	x.Uncovered = slices.Clone(j.uncovered)
	clauses := func(list []string) {
		for _, c := range list {
			if !slices.Contains(x.Clauses, c) {
				x.Clauses = append(x.Clauses, c)
			}
		}
	}
	for _, res := range j.results {
		if res.outcome == register.NotApplicable && len(res.tested) == 0 {
			continue
		}
		e := RuleExplanation{
			ID: res.id, Outcome: res.outcome, Missing: res.lacks(),
			Decided: slices.Contains(x.Verdict.Rules, res.id), Requirements: res.tested,
		}
		if d := res.decision; d != nil {
			e.Decision = &SettledBy{d.ID, d.Title, d.DecidedOn, d.Because}
		}
		if res.general != nil {
			e.Title, e.Says, e.General = res.general.Title, res.general.Says, true
		} else {
			e.Title, e.Says, e.Clauses = res.rule.Title, res.rule.Says, res.rule.Clauses
			if res.outcome != register.NotApplicable {
				clauses(res.rule.Clauses)
			}
			for i := range e.Requirements {
				e.Requirements[i].Facts = j.used(e.Requirements[i].requirement)
			}
		}
		x.Rules = append(x.Rules, e)
	}
	if j.purpose != nil {
		x.Purpose = j.purpose.Name.In("en")
		clauses(j.purpose.Clauses)
	}
	return x
}

// lacks lists what a rule could not tell for want of; nothing, where a decision
// settled it.
func (res *ruleResult) lacks() []string {
	if res.decision != nil {
		return nil
	}
	return res.missing.Append(nil)
}

// Applied lists the rules that had something to say, whatever it was.
func (x *Explanation) Applied() []string {
	var ids []string
	for _, r := range x.Rules {
		if r.Outcome != register.NotApplicable {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// used lists the facts that a requirement read.
func (j *judge) used(req *register.CompiledRequirement) []UsedFact {
	var used []UsedFact
	for _, name := range req.That.Uses {
		if v, ok := factText(j.facts, name); ok {
			used = append(used, UsedFact{name, v})
		}
	}
	return used
}
