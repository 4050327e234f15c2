package register

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register/condition"
)

// Register is a declared register that checks, compiled for judging. It never
// changes and is safe for concurrent use.
type Register struct {
	Source
	// Version is the register's identity: a hash over the file and the category
	// vocabulary it was compiled with. Two registers of one version judge alike.
	Version string
	File    string
	Zone    *time.Location
	From    time.Time // in force since this instant; zero = undated, whenever
	Vocab   *Vocabulary
	// Decisions settle reviews of its rules; they are a part of its version.
	Decisions []*Decision

	rules      []*Rule
	purposes   map[string]*Purpose
	recipients map[string]*RecipientEntry
	plans      sync.Map // planKey → []*Rule
}

// Purpose is a purpose of the register, with what its lists amount to.
type Purpose struct {
	*PurposeSource
	FullID  string   // "elektrum/billing"
	Covered []string // all categories its lists name, its companion's among them
	// CatchAllTakes are the categories that its catch-all may take in.
	CatchAllTakes []string
}

// Rule is a rule or retention period, compiled.
type Rule struct {
	*RuleSource
	Selection
	Requirements []CompiledRequirement
	MetOutcome   Outcome
	// Retention says that it is a retention period.
	Retention bool
}

// Selection is a selector, compiled.
type Selection struct {
	When *condition.Condition // nil = always

	operations uint32 // bit set by event.Operation
	purposes   []string
	recipients []string
	categories []string
}

// CompiledRequirement is one condition of a rule, compiled.
type CompiledRequirement struct {
	*Requirement
	That           *condition.Condition
	UnmetOutcome   Outcome
	UnknownOutcome Outcome
	SkipIfAbsent   []event.Field
	Exceptions     []CompiledException
}

// CompiledException is another outcome for a requirement that is not met.
type CompiledException struct {
	*Exception
	When    *condition.Condition
	Outcome Outcome
}

// MarshalJSON gives the register as its file says it, with its version.
func (r *Register) MarshalJSON() ([]byte, error) {
	asYAML, err := yaml.Marshal(struct {
		Version string `yaml:"version"`
		File    string `yaml:"file"`
		Source  `yaml:",inline"`
	}{r.Version, r.File, r.Source})
	if err != nil {
		return nil, fmt.Errorf("write register %q: %w", r.File, err)
	}
	asJSON, err := yaml.YAMLToJSON(asYAML)
	if err != nil {
		return nil, fmt.Errorf("write register %q: %w", r.File, err)
	}
	return asJSON, nil
}

// Closed says whether a list of the notice is exhaustive.
const (
	closedList = "closed"
	openList   = "open"
)

// PurposesClosed says that the notice's list of purposes is exhaustive.
func (r *Register) PurposesClosed() bool { return r.Lists.Purposes == closedList }

// RecipientsClosed says that the notice's list of recipients is exhaustive.
func (r *Register) RecipientsClosed() bool { return r.Lists.Recipients == closedList }

// Purpose finds a purpose by its full id.
func (r *Register) Purpose(id string) (*Purpose, bool) { p, ok := r.purposes[id]; return p, ok }

// Recipient finds a recipient by its full id.
func (r *Register) Recipient(id string) (*RecipientEntry, bool) {
	e, ok := r.recipients[id]
	return e, ok
}

// AllRules lists the rules, then the retention periods, in the file's order.
func (r *Register) AllRules() []*Rule { return slices.Clone(r.rules) }

// Rule finds a rule or retention period by its id.
func (r *Register) Rule(id string) (*Rule, bool) {
	for _, rule := range r.rules {
		if rule.ID == id {
			return rule, true
		}
	}
	return nil, false
}

// FullID puts the controller before an id of the register.
func (r *Register) FullID(id string) string { return r.Controller.ID + "/" + id }

// Own says whether an id is of this register's controller.
func (r *Register) Own(id string) bool { return strings.HasPrefix(id, r.Controller.ID+"/") }

// Accepts says whether data may go to the recipient for that purpose, as far
// as the list of recipients says.
func (e *RecipientEntry) Accepts(purposeID string) bool {
	_, slug, _ := strings.Cut(purposeID, "/")
	return slices.Contains(e.Purposes, allPurposes) || slices.Contains(e.Purposes, slug)
}

const allPurposes = "all"

// Uncovered appends to dst the categories that are outside the purpose's lists.
func (r *Register) Uncovered(dst []string, p *Purpose, categories []string) []string {
	for _, c := range categories {
		if !r.Vocab.covers(p.Covered, c) {
			dst = append(dst, c)
		}
	}
	return dst
}

// planKey is what decides which rules can be about an event, but for its
// categories and the rule's own condition. Ids that the register does not know
// are left empty, so that the number of plans is bounded.
type planKey struct {
	op                 event.Operation
	purpose, recipient string
}

// About lists the rules that may be about the event: those whose operations,
// purposes and recipients select it. Whether their categories and conditions
// do as well, [Selection.SelectsCategories] and When say.
func (r *Register) About(ev *event.Event) []*Rule {
	key := planKey{op: ev.Operation}
	if _, ok := r.purposes[ev.Purpose]; ok {
		key.purpose = ev.Purpose
	}
	if _, ok := r.recipients[ev.Recipient.ID]; ok || ev.Recipient.ID == event.DataSubject {
		key.recipient = ev.Recipient.ID
	}
	if plan, ok := r.plans.Load(key); ok {
		return plan.([]*Rule)
	}
	var plan []*Rule
	for _, rule := range r.rules {
		if rule.NotJudged == "" && rule.operations&(1<<key.op) != 0 &&
			(rule.purposes == nil || slices.Contains(rule.purposes, key.purpose)) &&
			(rule.recipients == nil || slices.Contains(rule.recipients, key.recipient)) {
			plan = append(plan, rule)
		}
	}
	r.plans.Store(key, plan)
	return plan
}

// SelectsCategories says whether one of the event's categories is among those
// that it is about.
func (s *Selection) SelectsCategories(v *Vocabulary, categories []string) bool {
	if s.categories == nil {
		return true
	}
	for _, c := range categories {
		if v.Contains(s.categories, c) {
			return true
		}
	}
	return false
}
