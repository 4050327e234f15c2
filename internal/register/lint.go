package register

import (
	"fmt"
	"slices"
	"strings"

	"github.com/andmerada/andmerada/internal/event"
)

// CodeUndeclared is the code of a finding on something that the register does
// not declare: the event is taken, and its verdict will say so.
const CodeUndeclared event.Code = "undeclared"

// Lint finds what an event names that the register does not know, before it is
// sent: each may be what has happened, or a slip of the pen.
func (r *Register) Lint(ev *event.Event) []event.Finding {
	var findings []event.Finding
	add := func(pointer, problem, want, mend string) {
		findings = append(findings, event.Finding{
			Pointer: pointer, Code: CodeUndeclared, Severity: event.SeverityWarning, Problem: problem, Want: want, Mend: mend,
		})
	}
	known := func(id string, ids []string) string {
		full := make([]string, len(ids))
		for i := range ids {
			full[i] = r.FullID(ids[i])
		}
		return event.DidYouMean(id, full)
	}
	if ev.Kind != event.Processing {
		return nil
	}
	if _, ok := r.purposes[ev.Purpose]; !ok {
		var ids []string
		for _, p := range r.Purposes {
			ids = append(ids, p.ID)
		}
		add("/data/purpose", fmt.Sprintf("%s declares no purpose %q", r.Controller.Name, ev.Purpose), "a purpose of the register", known(ev.Purpose, ids))
	}
	var categories []string
	for id := range r.Vocab.byID {
		categories = append(categories, id)
	}
	slices.Sort(categories)
	for i, c := range ev.Categories {
		if _, ok := r.Vocab.byID[c]; !ok {
			add(fmt.Sprintf("/data/categories/%d", i), fmt.Sprintf("there is no category %q", c), "a category of the vocabulary", event.DidYouMean(c, categories))
		}
	}
	if id := ev.Recipient.ID; id != "" && id != event.DataSubject {
		if _, ok := r.recipients[id]; !ok {
			add("/data/recipient/id", fmt.Sprintf("%s declares no recipient %q", r.Controller.Name, id),
				"a recipient of the register, or an organisation with code and country", known(id, r.recipientIDs()))
		}
	}
	if ev.DataSource != "" && !slices.ContainsFunc(r.Sources, func(s DataSource) bool { return r.FullID(s.ID) == ev.DataSource }) {
		var ids []string
		for _, s := range r.Sources {
			ids = append(ids, s.ID)
		}
		add("/data/data_source", fmt.Sprintf("%s declares no source %q", r.Controller.Name, ev.DataSource), "a source of the register", known(ev.DataSource, ids))
	}
	if b := ev.Basis.Kind; b != "" && !slices.Contains(Bases, b) {
		add("/data/basis/kind", fmt.Sprintf("%q is no legal basis", b), "one of "+strings.Join(Bases, ", "), event.DidYouMean(b, Bases))
	}
	return findings
}

func (r *Register) recipientIDs() []string {
	var ids []string
	for _, e := range r.Recipients {
		ids = append(ids, e.ID)
	}
	return ids
}
