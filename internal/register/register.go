package register

import (
	"fmt"
	"slices"
	"strings"
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
	recipients map[string]*Recipient
	settling   map[string][]*Decision // by general rule
	plans      plans
	text       []byte         // of the file
	decided    []DecisionFile // beside it
}

// Files are the files that the register was compiled from, by name, such that
// [Load] of a directory of these gives a register of the same version. Nobody may
// change what is in them.
func (r *Register) Files() map[string][]byte {
	files := map[string][]byte{CategoriesFile: r.Vocab.data, r.File: r.text}
	for _, d := range r.decided {
		files[d.Name] = d.Data
	}
	return files
}

// Purpose is a purpose of the register, with what its lists amount to.
type Purpose struct {
	*PurposeSource
	FullID  string   // "elektrum/billing"
	Covered []string // all categories its lists name, its companion's among them
	// CatchAllTakes are the categories that its catch-all may take in.
	CatchAllTakes []string

	index   int // among the purposes, from 1
	covered CategorySet
}

// Recipient is a recipient of the register.
type Recipient struct {
	*RecipientEntry
	index int // among the recipients, after what is not declared
}

// Rule is a rule or retention period, compiled.
type Rule struct {
	*RuleSource
	Selection
	Requirements []CompiledRequirement
	MetOutcome   Outcome
	// Retention says that it is a retention period.
	Retention bool
	// Decisions settle its reviews.
	Decisions []*Decision
}

// Selection is a selector, compiled.
type Selection struct {
	When *condition.Condition // nil = always

	operations uint32 // bit set by event.Operation
	purposes   []string
	recipients []string
	byCategory bool // only events with one of these categories
	categories CategorySet
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
func (r *Register) Recipient(id string) (*Recipient, bool) {
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
		if i, ok := r.Vocab.index[c]; !ok || !p.covered.has(i) {
			dst = append(dst, c)
		}
	}
	return dst
}

// Covers says whether all of the categories are in the purpose's lists.
func (p *Purpose) Covers(of *CategorySet) bool {
	return !of.unknown && of.words.without(p.covered.words)
}
