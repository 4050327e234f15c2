package replay

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/register"
)

// Result is which verdicts a draft would change. A verdict is one on an event
// and a person; one event about three persons has three.
type Result struct {
	Drafts  []Draft   `json:"drafts"`
	AsDated bool      `json:"as_dated" doc:"Each register of the draft was held against the events of its own time only."`
	From    time.Time `json:"from,omitzero"`
	To      time.Time `json:"to,omitzero"`

	Verdicts   uint64    `json:"verdicts" doc:"Given again, once for each event and person."`
	Duplicates uint64    `json:"duplicates" doc:"Of these, on events that came a second time."`
	First      time.Time `json:"first,omitzero" doc:"Time of the first of the events."`
	Last       time.Time `json:"last,omitzero"`

	Changed     Count        `json:"changed" doc:"Verdicts that the draft would change."`
	Transitions []Transition `json:"transitions"`
	Changes     []Change     `json:"changes" doc:"By purpose, recipient and the rules that decide, most verdicts first."`
	LeftOut     uint64       `json:"left_out,omitempty" doc:"Verdicts in changes that are not told apart, as there are too many."`
	Regrounded  uint64       `json:"regrounded" doc:"Verdicts that stay, on the ground of other rules or for want of other facts."`
	Pending     Pending      `json:"pending"`
}

// Draft is one register that was tried.
type Draft struct {
	Controller string `json:"controller"`
	File       string `json:"file"`
	Version    string `json:"version"`
	InForce    string `json:"in_force,omitempty" doc:"Since when it says it is in force; left out if undated."`
}

// Count is how many verdicts, on how many persons, and when the events were.
type Count struct {
	Verdicts   uint64    `json:"verdicts"`
	Duplicates uint64    `json:"duplicates,omitempty"`
	Persons    uint64    `json:"persons" doc:"Distinct, members of cohorts included, each person once whatever its identifiers."`
	First      time.Time `json:"first,omitzero"`
	Last       time.Time `json:"last,omitzero"`
}

// Transition is a change from one verdict to another.
type Transition struct {
	Before register.Outcome `json:"before"`
	After  register.Outcome `json:"after"`
	Count
}

// Change is verdicts that change alike.
type Change struct {
	Transition
	Controller  string    `json:"controller"`
	Purpose     string    `json:"purpose,omitempty"`
	Recipient   string    `json:"recipient,omitempty" doc:"Id of the register, or the name of an organisation that it does not have."`
	RulesBefore []Rule    `json:"rules_before" doc:"On which the verdict rests under the register in force."`
	RulesAfter  []Rule    `json:"rules_after" doc:"On which it rests under the draft."`
	Missing     []string  `json:"missing,omitempty" doc:"Facts for want of which it is a review under the draft, in the first of the examples."`
	Examples    []Example `json:"examples" doc:"The newest."`
}

// Rule is a rule that decided, and where the notice says so.
type Rule struct {
	ID      string   `json:"id"`
	Clauses []string `json:"clauses"`
}

// Example is where one of the events is.
type Example struct {
	Topic     string    `json:"topic"`
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	Index     uint16    `json:"person" doc:"Which of the event's persons."`
	Source    string    `json:"source"`
	Time      time.Time `json:"time"`
	Operation string    `json:"operation"`
	missing   []string
}

// compare puts the newer first.
func (e *Example) compare(f *Example) int {
	return cmp.Or(f.Time.Compare(e.Time), strings.Compare(e.Topic, f.Topic), cmp.Compare(e.Partition, f.Partition),
		cmp.Compare(e.Offset, f.Offset), cmp.Compare(e.Index, f.Index))
}

// Pending is what does not come of the draft: verdicts that are stored
// otherwise than the register in force gives them now, as facts were learnt
// since or the register was replaced, and that judging again will put right.
type Pending struct {
	Verdicts   uint64 `json:"verdicts" doc:"That would be another under the register in force."`
	Regrounded uint64 `json:"regrounded" doc:"That would rest on other rules, or lack other facts."`
}

// result makes a result of all that was counted.
func (t *trial) result(all *tally) *Result {
	r := &Result{
		AsDated: t.AsDated, From: t.From, To: t.To, Verdicts: all.verdicts, Duplicates: all.duplicates, First: all.first, Last: all.last,
		Regrounded: all.regrounded, Pending: all.pending, Drafts: []Draft{}, Transitions: []Transition{}, Changes: []Change{},
	}
	for _, d := range t.Draft.All() {
		if slices.Contains(t.controllers, d.Controller.ID) && (t.AsDated || t.drafts[d.Controller.ID] == d) {
			r.Drafts = append(r.Drafts, Draft{d.Controller.ID, d.File, d.Version, d.InForce.From})
		}
	}
	type step struct{ before, after register.Outcome }
	sum := newChange()
	steps := make(map[step]*change)
	for key, c := range all.changes {
		s := step{key.before, key.after}
		if steps[s] == nil {
			steps[s] = newChange()
		}
		steps[s].merge(c, 0)
		sum.merge(c, 0)
		if key.rest {
			r.LeftOut += c.Verdicts
			continue
		}
		r.Changes = append(r.Changes, t.change(&key, c))
	}
	r.Changed = sum.count()
	for s, c := range steps {
		r.Transitions = append(r.Transitions, Transition{s.before, s.after, c.count()})
	}
	slices.SortFunc(r.Transitions, func(a, b Transition) int {
		return cmp.Or(cmp.Compare(b.After, a.After), cmp.Compare(a.Before, b.Before))
	})
	slices.SortFunc(r.Changes, func(a, b Change) int {
		return cmp.Or(cmp.Compare(b.Verdicts, a.Verdicts), cmp.Compare(b.After, a.After), cmp.Compare(a.Before, b.Before),
			strings.Compare(a.Controller, b.Controller), strings.Compare(a.Purpose, b.Purpose), strings.Compare(a.Recipient, b.Recipient),
			slices.CompareFunc(a.RulesBefore, b.RulesBefore, compareRules), slices.CompareFunc(a.RulesAfter, b.RulesAfter, compareRules))
	})
	return r
}

func compareRules(a, b Rule) int { return strings.Compare(a.ID, b.ID) }

func (t *trial) change(key *changeKey, c *change) Change {
	out := Change{
		Transition: Transition{key.before, key.after, c.count()},
		Controller: key.controller, Purpose: key.purpose, Recipient: key.recipient, Examples: c.examples,
	}
	if out.Examples == nil {
		out.Examples = []Example{}
	} else {
		out.Missing = c.examples[0].missing
	}
	out.RulesBefore = t.rules(key.rulesBefore, inForce(t.Current, key.controller, c.Last))
	out.RulesAfter = t.rules(key.rulesAfter, t.draft(key.controller, c.Last))
	return out
}

// rules finds the clauses of the rules that decided: none for a general rule,
// which stands in no notice.
func (t *trial) rules(joined string, r *register.Register) []Rule {
	list := []Rule{}
	for id := range strings.FieldsSeq(joined) {
		rule := Rule{ID: id, Clauses: []string{}}
		if r != nil {
			if known, ok := r.Rule(id); ok && known.Clauses != nil {
				rule.Clauses = known.Clauses
			}
		}
		list = append(list, rule)
	}
	return list
}
