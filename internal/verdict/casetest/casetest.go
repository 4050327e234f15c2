// Package casetest runs worked cases against registers: an event, the facts
// known about it, the verdict that the notice implies and the rules that it
// rests on. A DPO writes them to pin down how a notice is to be read; they are
// the register's own test suite.
package casetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/verdict"
)

// MaxFileSize bounds a file of cases, in bytes.
const MaxFileSize = 8 << 20

// File is a file of cases.
type File struct {
	Cases []Case `yaml:"cases"`
}

// Case is one worked case.
type Case struct {
	ID         string         `yaml:"id"`
	Controller string         `yaml:"controller"`
	Event      Event          `yaml:"event"`
	Facts      map[string]any `yaml:"facts"`   // by the names of the vocabulary; a fact left out is absent
	Verdict    string         `yaml:"verdict"` // allowed, violation, review
	Clauses    []string       `yaml:"clauses"`
	Rules      []string       `yaml:"rules"` // that the verdict rests on
	Why        string         `yaml:"why"`
	// AltVerdict is the verdict under another way of counting; it is not run.
	AltVerdict map[string]any `yaml:"alt_verdict"`
}

// Event is the event of a case, in short.
type Event struct {
	Time       string   `yaml:"time"` // RFC 3339
	Actor      string   `yaml:"actor"`
	Operation  string   `yaml:"operation"`
	Purpose    string   `yaml:"purpose"`
	Categories []string `yaml:"categories"`
	Recipient  string   `yaml:"recipient"` // id, or the name of an organisation; null = none stated
	Source     string   `yaml:"source"`    // where collected data come from
	Channel    string   `yaml:"channel"`
}

// Result is what became of a case.
type Result struct {
	ID      string `json:"id"`
	Verdict string `json:"verdict"`
	// Rules are the rules that had something to say; the case's own are among
	// them where it passed.
	Rules           []string `json:"rules"`
	Decided         []string `json:"decided"` // those of them whose outcome is the verdict
	Clauses         []string `json:"clauses"`
	UnknownFacts    []string `json:"unknown_facts"`
	Expected        string   `json:"expected,omitempty"`
	Passed          bool     `json:"passed"`
	Problem         string   `json:"problem,omitempty"` // why it did not pass
	RegisterVersion string   `json:"register_version,omitempty"`
	Evaluator       uint16   `json:"evaluator,omitempty"`

	Explanation *verdict.Explanation `json:"-"`
}

// Read reads a file of cases.
func Read(r io.Reader) ([]Case, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("read cases: %w", err)
	}
	if len(data) > MaxFileSize {
		return nil, fmt.Errorf("read cases: more than %d bytes: split the file", MaxFileSize)
	}
	var f File
	if err := yaml.UnmarshalWithOptions(data, &f, yaml.DisallowUnknownField()); err != nil {
		return nil, fmt.Errorf("read cases: %w", err)
	}
	if len(f.Cases) == 0 {
		return nil, errors.New("read cases: the file has none; expected a list under \"cases:\"")
	}
	return f.Cases, nil
}

// Run judges a case and holds the verdict against the expected one. The rules
// of the case must have spoken, and where the verdict is not allowed one of
// them must have decided: a right verdict for a wrong reason does not pass.
func Run(registers *register.Set, c *Case) Result {
	res := Result{ID: c.ID, Expected: c.Verdict, Rules: []string{}, Decided: []string{}, Clauses: []string{}, UnknownFacts: []string{}}
	x, err := Judge(registers, c)
	if err != nil {
		res.Problem = err.Error()
		return res
	}
	res.Explanation = x
	res.Verdict = x.Outcome.String()
	res.Rules = append(res.Rules, x.Applied()...)
	res.Decided = append(res.Decided, x.Verdict.Rules...)
	res.Clauses = append(res.Clauses, x.Clauses...)
	res.UnknownFacts = append(res.UnknownFacts, x.Unknown...)
	res.RegisterVersion, res.Evaluator = x.RegisterVersion, x.Evaluator
	res.Problem = problem(c, &res)
	res.Passed = res.Problem == ""
	return res
}

func problem(c *Case, res *Result) string {
	if res.Verdict != c.Verdict {
		return fmt.Sprintf("the verdict is %s by %s, expected %s", res.Verdict, strings.Join(res.Decided, ", "), c.Verdict)
	}
	decided := len(c.Rules) == 0 || c.Verdict == verdict.Allowed.String()
	for _, rule := range c.Rules {
		if !slices.Contains(res.Rules, rule) {
			return fmt.Sprintf("rule %s had nothing to say; those that had: %s", rule, strings.Join(res.Rules, ", "))
		}
		decided = decided || slices.Contains(res.Decided, rule)
	}
	if !decided {
		return fmt.Sprintf("the verdict rests on %s, and on none of %s", strings.Join(res.Decided, ", "), strings.Join(c.Rules, ", "))
	}
	return ""
}

// Judge judges the event of a case by the register in force at its time.
func Judge(registers *register.Set, c *Case) (*verdict.Explanation, error) {
	r, ev, facts, err := Question(registers, c)
	if errors.Is(err, register.ErrNotInForce) {
		return beforeFirst(registers, c), nil
	}
	if err != nil {
		return nil, err
	}
	x := verdict.Explain(r, ev, &facts)
	return &x, nil
}

// beforeFirst explains the verdict on an event from before the controller's
// first register: a review, by the rule that says from when it is in force.
func beforeFirst(registers *register.Set, c *Case) *verdict.Explanation {
	x := new(verdict.Explanation)
	x.Outcome, x.Evaluator = verdict.Review, verdict.Evaluator
	title, says, _ := verdict.General(verdict.NotInForce)
	x.Rules = []verdict.RuleExplanation{{ID: verdict.NotInForce, Title: title, Says: says, Outcome: verdict.Review, Decided: true, General: true}}
	if first, ok := registers.First(c.Controller); ok {
		x.Clauses = first.InForce.Clauses
		for _, rule := range first.AllRules() {
			if rule.Kind == "timing" {
				x.Rules = append(x.Rules, verdict.RuleExplanation{ID: rule.ID, Title: rule.Title, Says: rule.Says, Clauses: rule.Clauses, Outcome: verdict.Review, Decided: true})
			}
		}
	}
	for _, rule := range x.Rules {
		x.Verdict.Rules = append(x.Verdict.Rules, rule.ID)
	}
	return x
}

// Question is a case as the evaluator is asked it.
func Question(registers *register.Set, c *Case) (r *register.Register, ev *event.Event, facts event.Facts, err error) {
	at, err := time.Parse(time.RFC3339, c.Event.Time)
	if err != nil {
		return nil, nil, facts, fmt.Errorf("event.time %q is no RFC 3339 time", c.Event.Time)
	}
	r, err = registers.For(c.Controller, at)
	if err != nil {
		return nil, nil, facts, fmt.Errorf("controller %q: %w; there are registers of %s", c.Controller, err, strings.Join(registers.Controllers(), ", "))
	}
	op, err := event.ParseOperation(c.Event.Operation)
	if err != nil {
		return nil, nil, facts, fmt.Errorf("event.operation: %w", err)
	}
	stated, err := json.Marshal(c.Facts)
	if err != nil {
		return nil, nil, facts, fmt.Errorf("facts: %w", err)
	}
	if c.Facts == nil {
		stated = []byte("{}")
	}
	facts, err = event.DecodeFactsIn(stated, r.Zone)
	if err != nil {
		return nil, nil, facts, fmt.Errorf("facts: %w", err)
	}
	ev = &event.Event{
		Kind: event.Processing, Time: at, Controller: c.Controller, Operation: op, Purpose: c.Event.Purpose,
		Categories: c.Event.Categories, DataSource: c.Event.Source, Channel: c.Event.Channel,
		Actor: event.Actor{ID: c.Event.Actor},
	}
	switch {
	case c.Event.Recipient == event.DataSubject || strings.Contains(c.Event.Recipient, "/"):
		ev.Recipient.ID = c.Event.Recipient
	default:
		ev.Recipient.Organisation = c.Event.Recipient
	}
	return r, ev, facts, nil
}
