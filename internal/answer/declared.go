package answer

import (
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

// DeclaredBy lists what registers declare, as [DriftOf] sees it: who holds the
// trail against this list finds the same to be declared.
func DeclaredBy(set *register.Set) (all []trail.Declared) {
	for _, r := range set.All() {
		add := func(kind, id, name string, clauses []string) {
			all = append(all, trail.Declared{Controller: r.Controller.ID, Version: r.Version, Kind: kind, ID: id, Name: name, Clauses: clauses})
		}
		for _, rule := range r.AllRules() {
			add("rule", rule.ID, rule.Title, rule.Clauses)
		}
		for i := range r.Purposes {
			p := &r.Purposes[i]
			add("purpose", r.FullID(p.ID), p.Name.In(language), p.Clauses)
		}
		for i := range r.Recipients {
			e := &r.Recipients[i]
			add("recipient", r.FullID(e.ID), e.Name.In(language), e.Clauses)
		}
		d := newDeclared(r)
		for _, id := range r.Vocab.IDs() {
			if d.category(id) {
				add("category", id, r.CategoryName(id, language), nil)
			}
		}
	}
	return all
}
