package register

import (
	"fmt"

	"github.com/andmerada/andmerada/internal/event"
)

// Reference is an entry of the register and the clauses that it rests on.
type Reference struct {
	Kind    string // controller, in-force, definition, category, category-list, consent, purpose, recipient, not-recipient, source, rule, retention, right
	ID      string
	Name    string // in English, as far as there is one
	Clauses []string
	path    string
}

// References lists all entries that rest on a clause, in the file's order.
func (r *Register) References() []Reference {
	var refs []Reference
	add := func(kind, id, name, path string, clauses []string) {
		refs = append(refs, Reference{kind, id, name, clauses, path})
	}
	at := func(list string, i int) string { return fmt.Sprintf("%s[%d]", list, i) }
	add("controller", r.Controller.ID, r.Controller.Name, "controller", r.Controller.Clauses)
	add("in-force", r.InForce.From, "in force", "in_force", r.InForce.Clauses)
	for i := range r.Definitions {
		d := &r.Definitions[i]
		add("definition", d.Term, d.Name.In("en"), at("definitions", i), d.Clauses)
	}
	for i := range r.Categories {
		add("category", r.Categories[i].ID, r.CategoryName(r.Categories[i].ID, "en"), at("categories", i), r.Categories[i].Clauses)
	}
	for i := range r.CategoryLists {
		add("category-list", r.CategoryLists[i].ID, r.CategoryLists[i].Note, at("category_lists", i), r.CategoryLists[i].Clauses)
	}
	for i := range r.Consents {
		add("consent", r.Consents[i].ID, r.Consents[i].Name.In("en"), at("consents", i), r.Consents[i].Clauses)
	}
	for i := range r.Purposes {
		add("purpose", r.Purposes[i].ID, r.Purposes[i].Name.In("en"), at("purposes", i), r.Purposes[i].Clauses)
	}
	for i := range r.Recipients {
		add("recipient", r.Recipients[i].ID, r.Recipients[i].Name.In("en"), at("recipients", i), r.Recipients[i].Clauses)
	}
	for i := range r.NotRecipients {
		add("not-recipient", r.NotRecipients[i].Name, r.NotRecipients[i].Why, at("not_recipients", i), r.NotRecipients[i].Clauses)
	}
	for i := range r.Sources {
		add("source", r.Sources[i].ID, r.Sources[i].Name.In("en"), at("sources", i), r.Sources[i].Clauses)
	}
	for i := range r.Rules {
		add("rule", r.Rules[i].ID, r.Rules[i].Title, at("rules", i), r.Rules[i].Clauses)
	}
	for i := range r.Retention {
		add("retention", r.Retention[i].ID, r.Retention[i].Title, at("retention", i), r.Retention[i].Clauses)
	}
	for i := range r.Rights {
		add("right", r.Rights[i].ID, r.Rights[i].Name.In("en"), at("rights", i), r.Rights[i].Clauses)
	}
	return refs
}

// clauseIndex checks the list of clauses: that every entry names clauses of it,
// and that every clause is named by an entry or says why it bears on none.
func (c *checker) clauseIndex() {
	index := c.r.Clauses
	if len(index) == 0 {
		return
	}
	c.unique("clauses", len(index), func(i int) string { return index[i].ID })
	named := make(map[string]bool, len(index))
	ids := make([]string, len(index))
	for i := range index {
		path := fmt.Sprintf("clauses[%d]", i)
		ids[i] = index[i].ID
		named[index[i].ID] = false
		c.required(path+".says", index[i].Says)
		c.required(path+".begins", index[i].Begins)
		if index[i].Line < 1 || i > 0 && index[i].Line < index[i-1].Line {
			c.report(path+".line", fmt.Sprintf("line %d does not follow that of the clause before", index[i].Line), "list the clauses in the notice's order")
		}
	}
	known := func(path string, clauses []string, counts bool) {
		for i, id := range clauses {
			if _, ok := named[id]; !ok {
				c.report(fmt.Sprintf("%s.clauses[%d]", path, i), fmt.Sprintf("there is no clause %q", id), event.DidYouMean(id, ids))
			} else if counts {
				named[id] = true
			}
		}
	}
	for _, ref := range c.r.References() {
		known(ref.path, ref.Clauses, true)
	}
	for i := range c.r.Ambiguities {
		known(fmt.Sprintf("ambiguities[%d]", i), c.r.Ambiguities[i].Clauses, false)
	}
	for i := range index {
		path := fmt.Sprintf("clauses[%d]", i)
		switch cl := &index[i]; {
		case !named[cl.ID] && cl.NoBearing == "":
			c.report(path, fmt.Sprintf("nothing in the register rests on clause %s", cl.ID), "name it where it belongs, or say in no_bearing why it has none")
		case named[cl.ID] && cl.NoBearing != "":
			c.warn(path+".no_bearing", fmt.Sprintf("clause %s is named by an entry all the same", cl.ID), "take one of the two out")
		}
	}
}
