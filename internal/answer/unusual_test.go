package answer_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/answer/answertest"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/unusual"
)

// TestUnusualIsCut: of more hits than can be listed those that matter most are,
// and the answer says that it is not all.
func TestUnusualIsCut(t *testing.T) {
	t.Parallel()
	d := answertest.Plant(t)
	rules, err := unusual.Parse("rules.yaml", []byte(`
andmerada: unusual/v1
history_days: 30
operations: [access]
rules:
  - {id: ANY, kind: volume, severity: low, title: t, why: w, per: day, minimum: 1, deviations: 1, own_days: 1, percentile: 99, peers: 1, always: 1}
  - {id: TWO, kind: volume, severity: high, title: t, why: w, per: day, minimum: 2, deviations: 1, own_days: 1, percentile: 99, peers: 1, always: 2}
`))
	if err != nil {
		t.Fatal(err)
	}
	d.Unusual = rules
	var events []*event.Event
	add := func(actor, day, person int) {
		p, err := d.Keys.Pseudonym(answertest.Controller, "customer-number", fmt.Sprintf("C-%d", person))
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, &event.Event{
			ID: fmt.Sprintf("x-%d", len(events)), Source: "/acme/crm", Time: answertest.Start.AddDate(0, 0, -day), Controller: answertest.Controller, Operation: event.Access,
			Purpose: "acme/billing", Categories: []string{"name"}, Persons: []event.Person{{Scheme: event.PseudonymScheme, Value: p.String()}},
			Actor: event.Actor{ID: fmt.Sprintf("clerk-%d", actor), Kind: event.ActorHuman, Role: "clerk"},
		})
	}
	for actor := range 40 {
		for day := range 30 {
			add(actor, day, day)
		}
	}
	add(7, 29, 99) // the oldest day, and yet the first hit
	answertest.Store(t, d, answertest.Planted, events...)
	a, err := answer.Unusual(t.Context(), d, answer.UnusualRequest{Controller: answertest.Controller})
	if err != nil {
		t.Fatal(err)
	}
	if a.Found != 1201 || len(a.Hits) != 1000 || a.Complete || len(a.Cut) != 1 || !strings.Contains(a.Cut[0], "the first 1000 of 1201 hits") {
		t.Errorf("%d found, %d listed, complete %t, cut %q", a.Found, len(a.Hits), a.Complete, a.Cut)
	}
	if h := a.Hits[0]; h.Rule != "TWO" || h.Numbers.Persons != 2 || h.Example == nil {
		t.Errorf("first is %+v", h)
	}
	if a.Actors != 40 || a.Events != 1201 || a.Rules[0].Hits != 1200 || a.Rules[1].Hits != 1 {
		t.Errorf("%d actors, %d events, rules %+v", a.Actors, a.Events, a.Rules)
	}
}

func TestUnusualFaults(t *testing.T) {
	t.Parallel()
	d := answertest.Plant(t)
	for _, c := range []struct {
		req     answer.UnusualRequest
		pointer string
	}{
		{answer.UnusualRequest{Controller: "nobody"}, "/controller"},
		{answer.UnusualRequest{Controller: "acme", From: "soon"}, "/from"},
		{answer.UnusualRequest{Controller: "acme", To: "soon"}, "/to"},
		{answer.UnusualRequest{Controller: "acme", From: "2026-03-02", To: "2026-03-01"}, "/to"},
		{answer.UnusualRequest{Controller: "acme", From: "2025-03-01", To: "2026-03-02"}, "/from"},
		{answer.UnusualRequest{Controller: "acme", Rules: []string{"U-01", "U-99"}}, "/rules/1"},
	} {
		_, err := answer.Unusual(t.Context(), d, c.req)
		var fault *answer.Fault
		if !errors.As(err, &fault) || fault.Pointer != c.pointer {
			t.Errorf("%+v: %v", c.req, err)
		}
	}
	a, err := answer.Unusual(t.Context(), d, answer.UnusualRequest{Controller: "acme", From: "2025-03-02", To: "2026-03-02T23:59:59+02:00"})
	if err != nil {
		t.Fatal(err)
	}
	if got := a.Period.To.Sub(a.Period.From); got != 366*24*time.Hour {
		t.Errorf("a year of days is %s", got)
	}
}
