package answer_test

import (
	"errors"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/answer/answertest"
	"github.com/andmerada/andmerada/internal/event"
)

func TestNeverDisclosed(t *testing.T) {
	t.Parallel()
	d := answertest.Plant(t)
	ask := func(set func(*answer.RecipientsRequest)) (*answer.AskedRecipient, error) {
		req := recipientsOf("email", answertest.Email)
		set(&req)
		a, err := answer.Recipients(t.Context(), d, req)
		if err != nil {
			return nil, err
		}
		return a.Asked, nil
	}
	for name, c := range map[string]struct {
		set                       func(*answer.RecipientsRequest)
		count, unnamed            uint64
		declared, whole, received bool
	}{
		// The cohort's courier is named by its class alone, and a record is in quarantine.
		"the bank":        {func(r *answer.RecipientsRequest) { r.Recipient = "acme/bank" }, 2, 1, true, false, true},
		"by its name":     {func(r *answer.RecipientsRequest) { r.Entity = "ACME BANK AS" }, 2, 1, true, false, true},
		"somebody else's": {func(r *answer.RecipientsRequest) { r.Entity = "Elsewhere AS" }, 0, 1, false, false, false},
		"by code":         {func(r *answer.RecipientsRequest) { r.Entity = "12345678" }, 1, 1, false, false, true},
		"the class":       {func(r *answer.RecipientsRequest) { r.Recipient = "acme/couriers" }, 1, 0, true, false, true},
		"in an hour, all whole": {func(r *answer.RecipientsRequest) {
			r.Recipient, r.From, r.To = "acme/bank", "2026-03-10T09:00:00Z", "2026-03-10T10:00:00Z"
		}, 0, 0, true, true, false},
	} {
		x, err := ask(c.set)
		if err != nil || x.Count != c.count || x.Unnamed != c.unnamed || x.Declared != c.declared || x.Whole != c.whole || x.Received == answer.ReceivedUntold || (x.Received == answer.ReceivedYes) != c.received {
			t.Errorf("%s: %+v, %v; want %+v", name, x, err, c)
		}
	}
	for pointer, set := range map[string]func(*answer.RecipientsRequest){
		"/recipient": func(r *answer.RecipientsRequest) { r.Recipient = "acme/bnak" },
		"/entity":    func(r *answer.RecipientsRequest) { r.Recipient, r.Entity = "acme/bank", "1" },
	} {
		var fault *answer.Fault
		if _, err := ask(set); !errors.As(err, &fault) || fault.Pointer != pointer {
			t.Errorf("%s: %v", pointer, err)
		}
	}
}

func TestOutsideTheEEA(t *testing.T) {
	t.Parallel()
	d := answertest.Plant(t)
	who, err := d.Keys.Pseudonym(answertest.Controller, "email", answertest.Email)
	if err != nil {
		t.Fatal(err)
	}
	var events []*event.Event
	for i, safeguard := range []string{"scc", "", "scc"} {
		ev := &event.Event{
			ID: "us-" + safeguard, Source: "/acme/crm", Time: answertest.Start.Add(time.Duration(20+i) * time.Hour), Controller: answertest.Controller, Operation: event.Transfer,
			Recipient: event.Recipient{Organisation: "Cloud Inc.", Country: "US"}, Persons: []event.Person{{Scheme: event.PseudonymScheme, Value: who.String()}},
		}
		if safeguard != "" {
			ev.Statements.Set(event.TransferSafeguards, event.TextValue(safeguard))
		}
		events = append(events, ev)
	}
	answertest.Store(t, d, answertest.Planted, events...)
	a, err := answer.Recipients(t.Context(), d, recipientsOf("email", answertest.Email))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, r := range a.Recipients {
		if r.ThirdCountry == nil {
			continue
		}
		found++
		if x := r.ThirdCountry; r.Name != "Cloud Inc." || r.Count != 3 || len(x.Countries) != 1 || x.Countries[0] != "US" || len(x.Stated) != 1 || x.Stated[0].ID != "scc" || x.Stated[0].Count != 2 {
			t.Errorf("%s: %+v", r.Name, x)
		}
	}
	if found != 1 {
		t.Errorf("%d recipients are outside the EEA, want 1", found)
	}
}

// TestUnnamedByNoRegister: a class is one also where the event was judged by no
// register that is there.
func TestUnnamedByNoRegister(t *testing.T) {
	t.Parallel()
	d := answertest.Plant(t)
	who, err := d.Keys.Pseudonym(answertest.Controller, "customer-number", answertest.Customer)
	if err != nil {
		t.Fatal(err)
	}
	answertest.Store(t, d, answertest.Planted, &event.Event{
		ID: "x", Source: "/acme/crm", Time: answertest.Start.Add(-24 * time.Hour), Controller: answertest.Controller, Operation: event.Transfer, Purpose: "acme/billing",
		Categories: []string{"name"}, Persons: []event.Person{{Scheme: "pseudonym", Value: who.String()}}, Recipient: event.Recipient{ID: "acme/couriers"},
	})
	a, err := answer.Recipients(t.Context(), d, answer.RecipientsRequest{Request: answer.Request{
		Controller: answertest.Controller, Person: answer.Person{Scheme: "customer-number", Value: answertest.Customer},
		From: answertest.Start.Add(-36 * time.Hour).Format(time.RFC3339), To: answertest.Start.Add(-12 * time.Hour).Format(time.RFC3339),
	}, Recipient: "acme/bank"})
	if err != nil {
		t.Fatal(err)
	}
	if a.Asked.Received != answer.ReceivedNo || a.Asked.Unnamed != 1 || a.Asked.Whole {
		t.Errorf("%+v, want that it went to a class once", a.Asked)
	}
}
