package register

import (
	"fmt"
	"slices"
	"strings"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register/condition"
)

func (c *checker) rules() {
	lists := make(map[string][]string)
	for _, l := range c.r.CategoryLists {
		lists[l.ID] = l.Categories
	}
	consents := make(map[string]condition.ConsentTerms)
	for i := range c.r.Consents {
		s := &c.r.Consents[i]
		consents[c.r.FullID(s.ID)] = condition.ConsentTerms{GivenBy: s.GivenBy, WithdrawnBy: s.WithdrawnBy, WithdrawalForms: s.WithdrawalForms}
	}
	env, err := condition.NewEnv(condition.Vocabulary{
		Contains: c.r.Vocab.Contains, Lists: lists, Consents: consents, TsUS: c.r.PeriodConvention == "tsys",
	})
	if err != nil {
		c.report("", err.Error(), "")
		return
	}
	c.env = env
	all := len(c.r.Rules) + len(c.r.Retention)
	if all > maxRules {
		c.report("rules", fmt.Sprintf("%d rules and retention periods, more than %d", all, maxRules), "a notice has some dozens")
		return
	}
	c.unique("rules", len(c.r.Rules), func(i int) string { return c.r.Rules[i].ID })
	c.unique("retention", len(c.r.Retention), func(i int) string { return c.r.Retention[i].ID })
	for i := range c.r.Rules {
		c.rule(fmt.Sprintf("rules[%d]", i), &c.r.Rules[i], false)
	}
	for i := range c.r.Retention {
		c.rule(fmt.Sprintf("retention[%d]", i), &c.r.Retention[i], true)
	}
	c.overlaps()
}

func (c *checker) rule(path string, src *RuleSource, retention bool) {
	rule := &Rule{RuleSource: src, Retention: retention}
	c.required(path+".title", src.Title)
	c.required(path+".kind", src.Kind)
	c.required(path+".says", src.Says)
	c.clauses(path, src.Clauses)
	c.oneOf(path+".status", src.Status, "stated", "inferred")
	for i, id := range src.Ambiguity {
		c.ambiguity(fmt.Sprintf("%s.ambiguities[%d]", path, i), id)
	}
	if retention != (src.Period != nil) {
		c.report(path+".period", "a retention period needs one, a rule must not have one", "move it to the list it belongs to")
	}
	if src.Period != nil {
		c.oneOf(path+".period.meaning", src.Period.Meaning,
			"floor", "ceiling", "floor-and-ceiling", "during", "extension", "window", "statutory", "storage-limitation")
	}
	if (src.NotJudged == "") == (len(src.Requires) == 0) {
		c.report(path, "a rule has requirements, or says in not_judged why no event can be judged by it", "")
	}
	rule.MetOutcome = c.outcome(path+".met", src.Met, Allowed)
	unmet := c.outcome(path+".unmet", src.Unmet, Violation)
	unknown := c.outcome(path+".unknown", src.Unknown, Review)

	rule.Selection = c.selection(path+".applies", &src.Applies)
	for i := range src.Requires {
		rule.Requirements = append(rule.Requirements, c.requirement(fmt.Sprintf("%s.requires[%d]", path, i), &src.Requires[i], unmet, unknown))
	}
	c.r.rules = append(c.r.rules, rule)
}

// selection compiles a selector.
func (c *checker) selection(path string, src *Selector) (s Selection) {
	s.operations = c.operations(path+".operations", src.Operations)
	for i, id := range src.Purposes {
		if c.purposeID(fmt.Sprintf("%s.purposes[%d]", path, i), id) {
			s.purposes = append(s.purposes, c.r.FullID(id))
		}
	}
	for i, id := range src.Recipients {
		full := c.r.FullID(id)
		if id == event.DataSubject {
			full = id
		} else if _, ok := c.r.recipients[full]; !ok {
			c.report(fmt.Sprintf("%s.recipients[%d]", path, i), fmt.Sprintf("there is no recipient %q", id), event.DidYouMean(id, c.recipientIDs()))
		}
		s.recipients = append(s.recipients, full)
	}
	s.byCategory = len(src.Categories) > 0
	s.categories = c.r.Vocab.taken(c.expand(path+".categories", src.Categories), c.r.Vocab.Contains)
	if src.When != "" {
		s.When = c.condition(path+".when", src.When)
	}
	return s
}

func (c *checker) requirement(path string, src *Requirement, unmet, unknown Outcome) CompiledRequirement {
	req := CompiledRequirement{
		Requirement:    src,
		That:           c.condition(path+".that", src.That),
		UnmetOutcome:   c.outcome(path+".unmet", src.Unmet, unmet),
		UnknownOutcome: c.outcome(path+".unknown", src.Unknown, unknown),
	}
	c.required(path+".says", src.Says)
	for i, name := range src.SkipIfAbsent {
		f, ok := event.FieldNamed(name)
		if !ok {
			c.report(fmt.Sprintf("%s.skip_if_absent[%d]", path, i), fmt.Sprintf("there is no fact %q", name), event.DidYouMean(name, factNames()))
			continue
		}
		req.SkipIfAbsent = append(req.SkipIfAbsent, f.Field)
	}
	for i := range src.Except {
		e := &src.Except[i]
		at := fmt.Sprintf("%s.except[%d]", path, i)
		c.required(at+".because", e.Because)
		req.Exceptions = append(req.Exceptions, CompiledException{
			Exception: e, When: c.condition(at+".when", e.When), Outcome: c.outcome(at+".verdict", e.Verdict, Review),
		})
	}
	return req
}

func (c *checker) outcome(path, name string, byDefault Outcome) Outcome {
	if name == "" {
		return byDefault
	}
	o, err := ParseOutcome(name)
	if err != nil {
		c.report(path, err.Error(), "")
	}
	return o
}

// changesData are the operations that only a rule that names them is about.
const changesData = 1<<event.Erase | 1<<event.Rectify | 1<<event.Restrict

func (c *checker) operations(path string, names []string) (set uint32) {
	if len(names) == 0 {
		for _, op := range event.Operations() {
			set |= 1 << op
		}
		return set &^ changesData
	}
	var known []string
	for _, op := range event.Operations() {
		known = append(known, op.String())
	}
	for i, name := range names {
		op, err := event.ParseOperation(name)
		if err != nil {
			c.report(fmt.Sprintf("%s[%d]", path, i), err.Error(), event.DidYouMean(name, known))
			continue
		}
		set |= 1 << op
	}
	return set
}

// condition compiles one, and checks the strings that it compares with: a
// misspelt id would make a rule silently say the opposite.
func (c *checker) condition(path, expr string) *condition.Condition {
	if strings.TrimSpace(expr) == "" {
		c.report(path, "is missing", "write a condition")
		return nil
	}
	compiled, err := c.env.Compile(expr)
	if err != nil {
		c.report(path, err.Error(), "see docs/registers.md for the names and functions a condition may use")
		return nil
	}
	for _, s := range compiled.Literals {
		slug, own := strings.CutPrefix(s, c.r.Controller.ID+"/")
		if !own {
			continue
		}
		if _, ok := c.r.purposes[s]; ok || slices.ContainsFunc(c.r.Consents, func(c ConsentSource) bool { return c.ID == slug }) ||
			slices.ContainsFunc(c.r.Sources, func(d DataSource) bool { return d.ID == slug }) {
			continue
		}
		if _, ok := c.r.recipients[s]; !ok {
			c.report(path, fmt.Sprintf("there is no purpose, consent, recipient or source %q", s), event.DidYouMean(slug, append(c.recipientIDs(), c.purposeIDs()...)))
		}
	}
	for _, l := range compiled.Compared {
		f, ok := event.FieldNamed(l.Name)
		if ok && f.Values != nil {
			c.oneOf(path, l.With, f.Values...)
		}
	}
	for _, l := range compiled.Lists {
		c.categoryList(path, l)
	}
	for _, name := range compiled.Stated {
		if _, ok := event.FieldNamed(name); !ok {
			c.report(path, fmt.Sprintf("there is no fact %q", name), event.DidYouMean(name, factNames()))
		}
	}
	return compiled
}

func (c *checker) ambiguity(path, id string) {
	var ids []string
	for _, a := range c.r.Ambiguities {
		if a.ID == id {
			return
		}
		ids = append(ids, a.ID)
	}
	c.report(path, fmt.Sprintf("there is no ambiguity %q", id), event.DidYouMean(id, ids))
}

func (c *checker) recipientIDs() []string {
	return append(c.r.recipientIDs(), event.DataSubject)
}

func (c *checker) purposeIDs() []string {
	var ids []string
	for _, p := range c.r.Purposes {
		ids = append(ids, p.ID)
	}
	return ids
}

func factNames() []string {
	var names []string
	for _, f := range event.Vocabulary() {
		names = append(names, f.Name)
	}
	return names
}

// overlaps warns of rules that select the same events by the same conditions:
// one of the two is a slip.
func (c *checker) overlaps() {
	seen := make(map[string]string)
	for i := range c.r.Rules {
		rule := &c.r.Rules[i]
		if rule.NotJudged != "" {
			continue
		}
		key := fmt.Sprint(rule.Applies)
		for _, req := range rule.Requires {
			key += "\n" + req.That
		}
		if other, twice := seen[key]; twice {
			c.warn(fmt.Sprintf("rules[%d]", i), fmt.Sprintf("%s selects the same events by the same conditions as %s", rule.ID, other), "keep one of them, with both clauses")
		}
		seen[key] = rule.ID
	}
}
