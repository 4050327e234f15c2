package model

import (
	"testing"

	"github.com/andmerada/andmerada/internal/answer"
)

// checkComparison keeps two cases, and asks how they differ in whom they affect.
func (h *History) checkComparison(t testing.TB, way Way) {
	t.Helper()
	var ids []string
	var affected []map[[16]byte]bool
	for _, operation := range []string{pick(h.r, "access", "profile"), pick(h.r, "use", "decide")} {
		req := answer.BreachRequest{Freeze: "to compare", Windows: []answer.Window{{ActsRequest: answer.ActsRequest{Controller: h.Controller, Operations: []string{operation}}}}}
		ids = append(ids, ask[answer.BreachAnswer](t, way, Breach, req).Case.ID)
		persons, _ := h.breach(&req)
		affected = append(affected, persons)
	}
	c := ask[answer.CaseComparison](t, way, Comparison, ComparisonRequest{ids[0], ids[1]})
	var both, gone, added int
	for p := range affected[0] {
		if affected[1][p] {
			both++
		} else {
			gone++
		}
	}
	for p := range affected[1] {
		if !affected[0][p] {
			added++
		}
	}
	if c.Both != both || c.Only1 != gone || c.Only2 != added || c.First.ID != ids[0] || c.Second.ID != ids[1] {
		t.Errorf("compared: %+v, want %d in both, %d gone, %d new", c, both, gone, added)
	}
	for what, n := range map[string]int{"compared both": both, "compared gone": gone, "compared new": added} {
		if n > 0 {
			h.saw(what)
		}
	}
}
