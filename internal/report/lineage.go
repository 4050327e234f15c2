package report

import (
	"cmp"
	"slices"
	"strings"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/event"
)

// Lineage is the report of where data came from and went to: step by step, or
// before one event and after it.
func (n *Names) Lineage(lang string, a *answer.LineageAnswer) *Document {
	w := n.newWriter(lang, a.Controller, a.Period.Zone, a.AskedAt)
	d := w.doc
	d.Title, d.Subtitle = w.say("lineage.title"), a.Controller.Name
	facts := []Pair{w.pair("controller", a.Controller.Name)}
	if a.Person != nil {
		facts = append(facts, w.pair("col.pseudonym", a.Person.Pseudonym))
	}
	if e := a.Event; e != nil {
		facts = append(facts,
			w.pair("lineage.event", upper(w.operation(e.Operation))+", "+w.minute(e.Time.In(w.zone))), w.pair("col.system", e.Source), w.pair("col.purpose", w.entryPurpose(e)),
			w.pair("col.data", w.named(e.Categories)), w.pair("col.pseudonyms", w.number(uint64(a.Pseudonyms))))
	}
	d.facts(append(facts, w.period(a.Period), w.made())...)
	if a.AsWhole {
		d.tone(Alarm, w.say("lineage.as-whole"))
	}
	if a.Event != nil {
		w.passages("lineage.before", a.Before)
		w.passages("lineage.after", a.After)
	} else {
		w.ways(a)
	}
	if !a.Complete {
		d.say(w.say("complete.partly"))
	}
	d.heading(1, w.say("person.complete"))
	w.complete(a.Completeness, false)
	return d
}

// named names categories.
func (w *writer) named(categories []answer.Named) string {
	var all []string
	for _, c := range categories {
		all = append(all, w.names.category(w.catalogue, w.controller.ID, c.ID, c.Name))
	}
	return things(all)
}

// ways is a table of the steps between what data comes from, passes and goes to,
// those with most events first.
func (w *writer) ways(a *answer.LineageAnswer) {
	d := w.doc
	if len(a.Edges) == 0 {
		d.tone(Lead, w.say("lineage.none"))
		return
	}
	d.tone(Lead, w.say("lineage.sum", "n", a.Events))
	d.heading(1, w.say("lineage.ways"))
	names := make(map[string]string)
	for i := range a.Nodes {
		names[a.Nodes[i].ID] = w.node(&a.Nodes[i])
	}
	edges := slices.Clone(a.Edges)
	slices.SortStableFunc(edges, func(x, y answer.LineageEdge) int { return cmp.Compare(y.Events, x.Events) })
	var rows [][]Cell
	for i := range edges {
		e := &edges[i]
		rows = append(rows, []Cell{text(names[e.From]), text(names[e.To]), w.figure(e.Events), text(w.say("verdict." + e.Verdict)), text(w.short1(e.First)), text(w.short1(e.Last))})
	}
	d.table("ways", []string{w.say("col.from"), w.say("col.to"), w.say("col.events"), w.say("lineage.worst"), w.say("col.first"), w.say("col.last")}, []float64{34, 34, 13, 18, 14, 14}, rows)
}

// node is what a node of the graph is, and what it is called.
func (w *writer) node(n *answer.LineageNode) string {
	c, name := w.catalogue, cmp.Or(n.Name, n.Key)
	switch {
	case n.Folded > 0:
		name = w.say("lineage.others", "n", n.Folded)
	case n.Key == "" && n.Kind == answer.NodePurpose:
		name = lower(w.say("activities.no-purpose"))
	case n.Kind == answer.NodePurpose:
		name = w.names.purpose(c, w.controller.ID, n.Key, name)
	case n.Kind == answer.NodeDataSource:
		name = w.names.source(c, w.controller.ID, n.Key, name)
	case n.Kind == answer.NodeCountry:
		name = w.countries([]string{n.Key})
	case n.Key == event.DataSubject:
		name = w.say("act.person")
	case n.Kind == answer.NodeRecipient || n.Kind == answer.NodeOnward:
		name = w.names.recipient(c, w.controller.ID, n.Key, name)
	}
	return w.say("lineage.kind."+n.Kind) + ": " + name
}

// passages are the acts before an event, or after it; key begins what is said of
// them.
func (w *writer) passages(key string, list []answer.Passage) {
	d := w.doc
	d.heading(1, w.say(key))
	if len(list) == 0 {
		d.say(w.say(key + "-none"))
		return
	}
	d.say(w.say(key + "-says"))
	var rows [][]Cell
	for i := range list {
		p := &list[i]
		row := []Cell{w.figure(uint64(p.Step))}
		if p.Folded > 0 {
			row = append(row, text(w.say("lineage.others", "n", p.Folded)), text("–"), text("–"))
		} else {
			row = append(row, text(w.passage(p)), text(p.By), text(p.System))
		}
		rows = append(rows, append(row, w.figure(p.Events), text(w.say("verdict."+p.Verdict)), text(w.short1(p.Last))))
	}
	name := strings.TrimPrefix(key, "lineage.")
	d.table(name, []string{w.say("col.step"), w.say("col.what"), w.say("lineage.by"), w.say("col.system"), w.say("col.events"), w.say("lineage.worst"), w.say("col.last")}, []float64{9, 40, 19, 19, 14, 18, 14}, rows)
}

// passage is what was done, from where and to whom, and what for.
func (w *writer) passage(p *answer.Passage) string {
	c := w.catalogue
	said := upper(w.operation(p.Operation)) + "."
	if p.DataSource != nil {
		said += " " + w.say("lineage.source", "source", w.names.source(c, w.controller.ID, p.DataSource.ID, p.DataSource.Name))
	}
	if p.To != nil {
		to := p.To.Name
		if p.To.ID != "" {
			to = w.entryRecipient(p.To)
		}
		if p.Country != "" {
			to += ", " + w.countries([]string{p.Country})
		}
		said += " " + w.say("act.to", "recipient", to)
	}
	if p.Purpose.ID != "" {
		said += " " + w.say("lineage.purpose", "purpose", w.names.purpose(c, w.controller.ID, p.Purpose.ID, p.Purpose.Name))
	}
	return said
}
