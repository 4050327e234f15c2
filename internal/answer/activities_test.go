package answer_test

import (
	"testing"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/answer/answertest"
)

// Declared and seen stand side by side, and where they part ways is marked.
func TestActivities(t *testing.T) {
	t.Parallel()
	d := answertest.PlantForReader(t)
	a, err := answer.Activities(t.Context(), d, answer.DriftRequest{Controller: answertest.Controller})
	if err != nil {
		t.Fatal(err)
	}
	drift, err := answer.DriftOf(t.Context(), d, answer.DriftRequest{Controller: answertest.Controller})
	if err != nil {
		t.Fatal(err)
	}
	c := &a.Controllers[0]
	if len(a.Controllers) != 1 || !c.Complete || c.Undeclared != len(drift.Controllers[0].Undeclared) || c.Unseen != len(drift.Controllers[0].Unseen) || len(c.Registers) != 1 {
		t.Errorf("%+v", c)
	}
	purposes := make(map[string]*answer.Activity)
	events := uint64(0)
	for i := range c.Activities {
		purposes[c.Activities[i].Purpose.ID] = &c.Activities[i]
		events += c.Activities[i].Count
	}
	if events != drift.Controllers[0].Events {
		t.Errorf("%d events, drift has %d", events, drift.Controllers[0].Events)
	}
	gossip, billing := purposes["acme/gossip"], purposes["acme/billing"]
	if gossip == nil || gossip.Mark != answer.ActivityUndeclared || gossip.Count != 1 || billing == nil || billing.Mark != answer.ActivityBoth || billing.Count != 8 {
		t.Fatalf("gossip %+v, billing %+v", gossip, billing)
	}
	type seen struct {
		mark  string
		count uint64
		third bool
	}
	recipients := make(map[string]seen)
	for _, r := range billing.Recipients {
		recipients[r.ID] = seen{r.Mark, r.Count, r.ThirdCountry}
	}
	for id, want := range map[string]seen{
		"acme/bank": {answer.ActivityBoth, 2, false}, "acme/couriers": {answer.ActivityBoth, 1, false},
		"Post24 OÜ": {answer.ActivityUndeclared, 1, false}, "Elsewhere AS": {answer.ActivityUndeclared, 1, false},
	} {
		if recipients[id] != want {
			t.Errorf("%s: %+v, want %+v", id, recipients[id], want)
		}
	}
	for _, x := range billing.Categories {
		if x.ID == "name" && (x.Mark != answer.ActivityBoth || x.Count == 0) {
			t.Errorf("%+v", x)
		}
	}
	later, err := answer.Activities(t.Context(), d, answer.DriftRequest{From: "2027-01-01"})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range later.Controllers[0].Activities {
		if x.Mark != answer.ActivityUnseen || x.Count != 0 {
			t.Errorf("nothing was done then: %+v", x)
		}
	}
	if _, err := answer.Activities(t.Context(), d, answer.DriftRequest{Controller: "nobody"}); err == nil {
		t.Error("another controller was answered for")
	}
}
