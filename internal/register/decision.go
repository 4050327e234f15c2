package register

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/andmerada/andmerada/internal/event"
)

// DecisionFile is a decision file as it was read.
type DecisionFile struct {
	Name string
	Data []byte
}

// Decision is a decision, compiled.
type Decision struct {
	*DecisionSource
	Selection
	Outcome Outcome

	from, until event.Date
}

// On says whether the decision is for events of that day.
func (d *Decision) On(day event.Date) bool { return d.from <= day && day <= d.until }

// GeneralRules are the rules that hold for every register, by id; a decision
// may settle their reviews as well.
var GeneralRules = []string{"X-01", "X-02", "X-03", "X-04"}

// readDecisions reads the decisions on the registers of one controller, by name.
func readDecisions(fsys fs.FS, controller string) ([]DecisionFile, error) {
	names, err := fs.Glob(fsys, controller+"/decisions/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("look for decisions: %w", err)
	}
	slices.Sort(names)
	files := make([]DecisionFile, len(names))
	for i, name := range names {
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("read decision %q: %w", name, err)
		}
		files[i] = DecisionFile{name, data}
	}
	return files, nil
}

// decisions checks and compiles the decisions. One that settles a rule which
// this register does not have is at fault: it would silently settle nothing.
func (c *checker) decisions(files []DecisionFile) {
	first := make(map[string]string)
	for _, file := range files {
		src := new(DecisionSource)
		doc, findings := decodeYAML(file.Name, file.Data, src)
		if findings != nil {
			c.findings = append(c.findings, findings...)
			continue
		}
		dc := &checker{r: c.r, doc: doc, env: c.env}
		dc.decision(src, first)
		c.findings = append(c.findings, dc.findings...)
	}
}

func (c *checker) decision(src *DecisionSource, first map[string]string) {
	c.oneOf("andmerada", src.Format, DecisionFormat)
	if src.ID == "" || strings.ContainsAny(src.ID, " /@\t\n") {
		c.report("id", fmt.Sprintf("%q is no id", src.ID), "write a short one, such as \"ACME-D1\"")
	}
	if other, twice := first[src.ID]; twice {
		c.report("id", fmt.Sprintf("%q is the id of another decision", src.ID), "the other is in "+other)
	}
	first[src.ID] = c.doc.file
	if _, taken := c.r.Rule(src.ID); taken {
		c.report("id", fmt.Sprintf("%q is the id of a rule", src.ID), "a verdict names both: give the decision an id of its own")
	}
	c.oneOf("controller", src.Controller, c.r.Controller.ID)
	c.required("title", src.Title)
	c.required("decided_by", src.DecidedBy)
	c.required("because", src.Because)
	d := &Decision{DecisionSource: src, from: c.day("from", src.From, minDate), until: c.day("until", src.Until, maxDate)}
	if src.DecidedOn == "" {
		c.report("decided_on", "is missing", "write the day on which it was decided")
	}
	c.day("decided_on", src.DecidedOn, 0)
	if d.from > d.until {
		c.report("until", "lies before from", "")
	}
	if src.Verdict != Allowed.String() && src.Verdict != Violation.String() {
		c.report("verdict", fmt.Sprintf("%q settles nothing", src.Verdict), "write allowed or violation")
	}
	d.Outcome, _ = ParseOutcome(src.Verdict)
	if len(src.Settles) == 0 {
		c.report("settles", "is empty", "name the rules whose review it settles")
	}
	known := slices.Clone(GeneralRules)
	for _, r := range c.r.rules {
		known = append(known, r.ID)
	}
	for i, id := range src.Settles {
		if !slices.Contains(known, id) {
			c.report(fmt.Sprintf("settles[%d]", i), fmt.Sprintf("there is no rule %q", id), event.DidYouMean(id, known))
		}
	}
	for i, id := range src.Ambiguity {
		c.ambiguity(fmt.Sprintf("ambiguities[%d]", i), id)
	}
	if c.env == nil {
		return // the register itself does not check
	}
	d.Selection = c.selection("applies", &src.Applies)
	c.r.Decisions = append(c.r.Decisions, d)
	for _, id := range src.Settles {
		if rule, ok := c.r.Rule(id); ok {
			rule.Decisions = append(rule.Decisions, d)
		} else {
			c.r.settling[id] = append(c.r.settling[id], d)
		}
	}
}

// The first and the last day that a bound that is left out stands for.
const (
	minDate event.Date = -1 << 31
	maxDate event.Date = 1<<31 - 1
)

func (c *checker) day(path, text string, byDefault event.Date) event.Date {
	if text == "" {
		return byDefault
	}
	d, err := event.ParseDate(text)
	if err != nil {
		c.report(path, err.Error(), "write a date such as \"2026-03-01\"")
	}
	return d
}

// Decision finds a decision by its id.
func (r *Register) Decision(id string) (*Decision, bool) {
	for _, d := range r.Decisions {
		if d.ID == id {
			return d, true
		}
	}
	return nil, false
}

// Selects says whether the decision is about an event with these categories on
// that day; its condition apart.
func (d *Decision) Selects(ev *event.Event, of *CategorySet, day event.Date) bool {
	return d.On(day) && d.selects(ev.Operation, ev.Purpose, ev.Recipient.ID) && d.SelectsCategories(of)
}

// Settling lists the decisions that settle reviews of a general rule.
func (r *Register) Settling(general string) []*Decision { return r.settling[general] }
