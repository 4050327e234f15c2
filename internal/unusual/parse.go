package unusual

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/andmerada/andmerada/internal/event"
)

// Bounds of a file.
const (
	maxFile        = 256 << 10 // bytes
	maxRules       = 200
	maxHistoryDays = 366
)

// source is a file as it is written.
type source struct {
	Format       string   `yaml:"andmerada"`
	HistoryDays  int      `yaml:"history_days"`
	Operations   []string `yaml:"operations"`
	WithoutRoles []string `yaml:"without_roles"`
	Rules        []Rule   `yaml:"rules"`
}

// Finding is a fault of a file, and how to mend it.
type Finding struct {
	File         string
	Line, Column int    // from 1
	Where        string // "rules[3].minimum"
	Problem      string
	Mend         string
}

// String is "file:line:column: where: problem; mend".
func (f Finding) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d:%d: ", f.File, max(f.Line, 1), max(f.Column, 1))
	if f.Where != "" {
		b.WriteString(f.Where + ": ")
	}
	b.WriteString(f.Problem)
	if f.Mend != "" {
		b.WriteString("; " + f.Mend)
	}
	return b.String()
}

// FindingsError is a file that does not check.
type FindingsError struct{ Findings []Finding }

// Error gives one line a finding.
func (e *FindingsError) Error() string {
	lines := make([]string, len(e.Findings))
	for i, f := range e.Findings {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// Parse reads a file strictly; name is what it is called in the error, a
// [*FindingsError] with all that is wrong.
func Parse(name string, data []byte) (*Rules, error) {
	c := &checking{name: name}
	if len(data) > maxFile {
		c.find("", fmt.Sprintf("the file has %d bytes, more than %d", len(data), maxFile), "split it")
		return nil, &FindingsError{c.findings}
	}
	file, err := parser.ParseBytes(data, 0)
	if err == nil && (len(file.Docs) != 1 || file.Docs[0].Body == nil) {
		c.find("", fmt.Sprintf("%d documents in the file", len(file.Docs)), "a file holds exactly one")
		return nil, &FindingsError{c.findings}
	}
	var s source
	if err == nil {
		c.file = file
		err = yaml.NodeToValue(file.Docs[0].Body, &s, yaml.Strict())
	}
	if err != nil {
		c.findings = append(c.findings, syntaxFinding(name, err))
		return nil, &FindingsError{c.findings}
	}
	c.check(&s)
	slices.SortFunc(c.findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), strings.Compare(a.Where, b.Where))
	})
	if len(c.findings) > 0 {
		return nil, &FindingsError{c.findings}
	}
	return &Rules{HistoryDays: s.HistoryDays, Operations: s.Operations, WithoutRoles: s.WithoutRoles, Rules: s.Rules}, nil
}

// syntaxFinding takes the place out of an error of the YAML package.
func syntaxFinding(name string, err error) Finding {
	f := Finding{File: name, Problem: err.Error()}
	var withToken yaml.Error
	if errors.As(err, &withToken) {
		f.Problem = withToken.GetMessage()
		if t := withToken.GetToken(); t != nil {
			f.Line, f.Column = t.Position.Line, t.Position.Column
		}
	}
	return f
}

// checking is a file being checked.
type checking struct {
	name     string
	file     *ast.File
	findings []Finding
}

func (c *checking) find(where, problem, mend string) {
	f := Finding{File: c.name, Where: where, Problem: problem, Mend: mend}
	f.Line, f.Column = c.place(where)
	c.findings = append(c.findings, f)
}

// place is where a value stands, or the nearest around it.
func (c *checking) place(where string) (line, column int) {
	for c.file != nil && where != "" {
		if p, err := yaml.PathString("$." + where); err == nil {
			if n, err := p.FilterFile(c.file); err == nil && n.GetToken() != nil {
				at := n.GetToken().Position
				if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 {
					at = m.Values[0].Key.GetToken().Position
				}
				return at.Line, at.Column
			}
		}
		cut := strings.LastIndexAny(where, ".[")
		if cut < 0 {
			break
		}
		where = where[:cut]
	}
	return 1, 1
}

// has says whether a key is written at all.
func (c *checking) has(where string) bool {
	p, err := yaml.PathString("$." + where)
	if err != nil {
		return false
	}
	n, err := p.FilterFile(c.file)
	return err == nil && n != nil
}

func (c *checking) check(s *source) {
	if s.Format != Format {
		c.find("andmerada", "this is no file of rules on unusual access", "begin it with andmerada: "+Format)
	}
	c.within("history_days", s.HistoryDays, 1, maxHistoryDays)
	if len(s.Operations) == 0 {
		c.find("operations", "no operation is looked at", "write [access]")
	}
	for i, op := range s.Operations {
		if _, err := event.ParseOperation(op); err != nil {
			c.find(fmt.Sprintf("operations[%d]", i), fmt.Sprintf("there is no operation %q", op), "write access, use, transfer…")
		}
	}
	if len(s.Rules) == 0 || len(s.Rules) > maxRules {
		c.find("rules", fmt.Sprintf("there are %d rules", len(s.Rules)), fmt.Sprintf("write 1 to %d", maxRules))
		return
	}
	seen := make(map[string]int)
	for i := range s.Rules {
		r, at := &s.Rules[i], fmt.Sprintf("rules[%d]", i)
		if first, twice := seen[r.ID]; twice {
			c.find(at+".id", fmt.Sprintf("the rule %q is there twice", r.ID), fmt.Sprintf("rules[%d] has that id too", first))
		}
		seen[r.ID] = i
		c.rule(r, at)
	}
}

var ruleID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// common are the keys that every rule may have, of beside what its kind has.
var common = []string{"id", "kind", "severity", "title", "why", "off", "off_for", "only_for"}

// keys are those that the rules of a kind must have, beside the common ones.
var keys = map[Kind][]string{
	OwnRecord: {"unless_reason"}, Relation: {"relations", "unless_reason"}, Colleague: {"unless_reason"}, PublicEye: {"unless_reason"},
	NoRelationship: {"unless_reason", "after_days", "when_unknown"},
	Volume:         {"per", "minimum", "deviations", "own_days", "percentile", "peers", "always"},
	Hour:           {"around", "own_days", "own_at_most", "peers", "peers_at_most"},
	NewUse:         {"of", "own_days", "peers", "peers_at_most"},
}

var kinds = []Kind{OwnRecord, Relation, Colleague, PublicEye, NoRelationship, Volume, Hour, NewUse}

func (c *checking) rule(r *Rule, at string) {
	if !ruleID.MatchString(r.ID) {
		c.find(at+".id", fmt.Sprintf("%q is no id", r.ID), "write letters, digits, - and . only, like U-01")
	}
	if r.Title == "" || r.Why == "" {
		c.find(at, "a rule needs a title and why it is worth a look", "write title: and why:")
	}
	if !slices.Contains(severities, r.Severity) {
		c.find(at+".severity", fmt.Sprintf("there is no severity %q", r.Severity), "write high, medium or low")
	}
	needs, known := keys[r.Kind]
	if !known {
		var names []string
		for _, k := range kinds {
			names = append(names, string(k))
		}
		c.find(at+".kind", fmt.Sprintf("there is no kind %q", r.Kind), "write one of "+strings.Join(names, ", "))
		return
	}
	for _, key := range ruleKeys {
		there := c.has(at + "." + key)
		switch {
		case slices.Contains(common, key):
		case there && !slices.Contains(needs, key):
			c.find(at+"."+key, "rules of the kind "+string(r.Kind)+" have no "+key, "leave it out; they have "+strings.Join(needs, ", "))
		case !there && slices.Contains(needs, key):
			c.find(at, "it lacks "+key, "rules of the kind "+string(r.Kind)+" have "+strings.Join(needs, ", "))
		}
	}
	for key, of := range map[string]struct{ n, least, most int }{
		"after_days": {r.AfterDays, 0, 3660}, "minimum": {r.Minimum, 1, 1_000_000}, "deviations": {r.Deviations, 1, 1000}, "percentile": {r.Percentile, 1, 100},
		"always": {r.Always, 0, 1_000_000_000}, "around": {r.Around, 0, 11}, "own_days": {r.OwnDays, 1, maxHistoryDays}, "own_at_most": {r.OwnAtMost, 0, maxHistoryDays},
		"peers": {r.Peers, 1, 1_000_000}, "peers_at_most": {r.PeersAtMost, 0, 100},
	} {
		if slices.Contains(needs, key) && c.has(at+"."+key) {
			c.within(at+"."+key, of.n, of.least, of.most)
		}
	}
	c.words(r, at)
}

// words checks what is one of a few words.
func (c *checking) words(r *Rule, at string) {
	one := func(key, value string, words ...string) {
		if !slices.Contains(words, value) {
			c.find(at+"."+key, fmt.Sprintf("%q is none of these", value), "write "+strings.Join(words, " or "))
		}
	}
	switch r.Kind {
	case Volume:
		one("per", r.Per, "day", "hour")
	case NewUse:
		one("of", r.Of, "purpose", "category")
	case Relation:
		if len(r.Relations) == 0 {
			c.find(at+".relations", "no relation is named", "write [family, household, acquaintance]")
		}
		for i, relation := range r.Relations {
			one(fmt.Sprintf("relations[%d]", i), relation, "family", "household", "acquaintance")
		}
	}
}

func (c *checking) within(where string, n, least, most int) {
	if n < least || n > most {
		c.find(where, fmt.Sprintf("%d is out of range", n), fmt.Sprintf("write a number from %d to %d", least, most))
	}
}

// ruleKeys are all keys of a rule.
var ruleKeys = func() (all []string) {
	all = append(all, common...)
	for _, kind := range kinds {
		for _, key := range keys[kind] {
			if !slices.Contains(all, key) {
				all = append(all, key)
			}
		}
	}
	return all
}()
