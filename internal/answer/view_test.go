package answer_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/answer/answertest"
)

// see asks everything that a person may ask, in a view, and gives it as text.
func see(t *testing.T, d answer.Deps, whom string) (recipients *answer.RecipientsAnswer, text string) {
	t.Helper()
	ask := answer.Request{Controller: answertest.Controller, Person: answer.Person{Scheme: "email", Value: answertest.Email}, For: whom}
	recipients, err := answer.Recipients(t.Context(), d, answer.RecipientsRequest{Request: ask})
	if err != nil {
		t.Fatal(err)
	}
	told, err := answer.ToldOn(t.Context(), d, answer.ToldRequest{Controller: ask.Controller, Person: ask.Person, For: whom})
	if err != nil {
		t.Fatal(err)
	}
	all := []any{recipients, told}
	for page := (answer.TimelineRequest{Request: ask, Limit: 2}); ; {
		a, err := answer.TimelineOf(t.Context(), d, page)
		if err != nil {
			t.Fatal(err)
		}
		if all = append(all, a); len(a.Events) > 2 || a.Next != "" && len(a.Events) < 2 {
			t.Errorf("a page of %d events, and next %q", len(a.Events), a.Next)
		}
		if page.Cursor = a.Next; page.Cursor == "" {
			break
		}
	}
	b, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return recipients, string(b)
}

func TestPersonSeesNoHiddenAuthority(t *testing.T) {
	t.Parallel()
	d := answertest.Plant(t)
	answertest.PlantAuthorities(t, d)
	d.Profiles = answertest.Strict(t)
	record := ""
	d.Restricted = func(r string) { record = r }

	full, text := see(t, d, "")
	for _, name := range answertest.Hidden[:4] {
		if !strings.Contains(text, name) {
			t.Errorf("in house, %q is not seen", name)
		}
	}
	if record != "" {
		t.Errorf("in house, nothing is left out, and recorded was %q", record)
	}
	counts := make(map[string]uint64)
	for _, r := range full.Restrictions {
		if r.Applied || r.What != answer.RestrictTimes && r.Count == nil {
			t.Errorf("in house: restriction %+v", r)
		}
		if r.Count != nil {
			counts[r.ID] = *r.Count
		}
	}
	if counts["xx/police"] != 7 || counts["xx/recipients"] != 1 || full.For != "" || full.Profile != "xx" || full.Precision != "" {
		t.Errorf("in house: restrictions %v, %+v", counts, full.View)
	}

	for _, agent := range []bool{false, true} {
		d.ForPerson = agent
		whom := "person"
		if agent {
			whom = "" // an agent need not ask for it, and cannot ask for more
		}
		a, text := see(t, d, whom)
		for _, name := range answertest.Hidden {
			if strings.Contains(text, name) {
				t.Errorf("agent %v: the person sees %q in %s", agent, name, text)
			}
		}
		if !strings.Contains(text, "Town police") {
			t.Errorf("agent %v: the ground does not hold any more, and the person does not see it", agent)
		}
		for _, clock := range []string{":17:00", "T08:", "T09:", "T15:", ".17"} {
			if strings.Contains(strings.ReplaceAll(text, `"asked_at":"`+d.Now().Format(time.RFC3339), ""), clock) {
				t.Errorf("agent %v: a time of day, %q, is in %s", agent, clock, text)
			}
		}
		if a.Events != full.Events-8 || a.For != "person" || a.Precision != "day" || a.Person.Cohorts != 0 {
			t.Errorf("agent %v: %d events of %d, %+v", agent, a.Events, full.Events, a.View)
		}
		if len(a.Restrictions) != 3 || a.Restrictions[0].Count != nil || !a.Restrictions[0].Applied || a.Restrictions[0].Ground != "§ 2" || *a.Restrictions[1].Count != 1 {
			t.Errorf("agent %v: %+v", agent, a.Restrictions)
		}
		if want := "restricted; xx/police 7 (§ 2); xx/recipients 1 (§ 3); xx/times (a judgement)"; record != want {
			t.Errorf("agent %v: recorded %q, want %q", agent, record, want)
		}
	}
}

// Whoever nothing is hidden from is told the same as those from whom something
// is.
func TestPersonCannotTellWhetherSomethingIsHidden(t *testing.T) {
	t.Parallel()
	d := answertest.Plant(t)
	d.Profiles, d.ForPerson = answertest.Strict(t, "recipients"), true
	_, before := see(t, d, "")
	answertest.PlantAuthorities(t, d)
	a, _ := see(t, d, "")
	restrictions, err := json.Marshal(a.Restrictions)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(before, string(restrictions)) {
		t.Errorf("other restrictions: %s", restrictions)
	}
}

func TestPersonAsksByTheDay(t *testing.T) {
	t.Parallel()
	d := answertest.Plant(t)
	d.Profiles = answertest.Strict(t)
	ask := answer.Request{Controller: answertest.Controller, Person: answer.Person{Scheme: "email", Value: answertest.Email}, For: "person"}
	ask.From = "2026-03-10T08:00:00+02:00"
	var fault *answer.Fault
	if _, err := answer.Recipients(t.Context(), d, answer.RecipientsRequest{Request: ask}); !isFault(err, &fault) || fault.Pointer != "/from" {
		t.Errorf("from a time of day on: %v", err)
	}
	ask.From = ""
	page, err := answer.TimelineOf(t.Context(), d, answer.TimelineRequest{Request: ask, Limit: 1})
	if err != nil || page.Next == "" {
		t.Fatal(page, err)
	}
	other := answer.TimelineRequest{Request: ask, Cursor: page.Next}
	other.Person = answer.Person{Scheme: "customer-number", Value: answertest.Other}
	if _, err := answer.TimelineOf(t.Context(), d, other); !isFault(err, &fault) || fault.Pointer != "/cursor" {
		t.Errorf("another's cursor: %v", err)
	}
	ask.For = "everybody"
	if _, err := answer.Recipients(t.Context(), d, answer.RecipientsRequest{Request: ask}); !isFault(err, &fault) || fault.Pointer != "/for" {
		t.Errorf("for everybody: %v", err)
	}
	ask.For, d.Profiles = "person", nil
	if _, err := answer.Recipients(t.Context(), d, answer.RecipientsRequest{Request: ask}); err == nil {
		t.Error("without profiles, a person was answered")
	}
}

// What is not for the person is not answered to it, whoever has let it ask.
func TestInHouse(t *testing.T) {
	t.Parallel()
	d := answertest.Plant(t)
	d.ForPerson = true
	acts := answer.ActsRequest{Controller: answertest.Controller}
	for name, ask := range map[string]func() error{
		"access": func() error {
			_, err := answer.Access(t.Context(), d, answer.AccessRequest{ActsRequest: acts})
			return err
		},
		"lineage": func() error {
			_, err := answer.Lineage(t.Context(), d, answer.LineageRequest{ActsRequest: acts})
			return err
		},
		"breach": func() error {
			_, err := answer.Breach(t.Context(), d, answer.BreachRequest{Windows: []answer.Window{{ActsRequest: acts}}})
			return err
		},
		"recipient": func() error {
			_, err := answer.RecipientOf(t.Context(), d, answer.RecipientRequest{Controller: answertest.Controller, Recipient: "acme/bank"})
			return err
		},
		"event": func() error {
			_, err := answer.Event(t.Context(), d, answer.EventRequest{Place: answer.Place{Topic: answertest.Topic, Offset: 2}, Person: -1})
			return err
		},
		"facts": func() error {
			_, err := answer.Facts(t.Context(), d, answer.FactsRequest{Controller: answertest.Controller, Recipient: "acme/bank"})
			return err
		},
		"overview": func() error { _, err := answer.OverviewOf(t.Context(), d, answer.OverviewRequest{}); return err },
	} {
		if ask() == nil {
			t.Errorf("%s is answered to the person", name)
		}
	}
}

func isFault(err error, fault **answer.Fault) bool { return errors.As(err, fault) }

// Whether an authority received something is not said to the person: not that it did,
// and not that it never did.
func TestPersonIsNotToldWhetherAnAuthorityReceived(t *testing.T) {
	t.Parallel()
	d := answertest.Plant(t)
	d.Profiles = answertest.Strict(t, "times")
	ask := func(whom string, set func(*answer.RecipientsRequest)) *answer.RecipientsAnswer {
		t.Helper()
		req := recipientsOf("email", answertest.Email)
		req.For = whom
		set(&req)
		a, err := answer.Recipients(t.Context(), d, req)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	entity := func(name string) func(*answer.RecipientsRequest) {
		return func(r *answer.RecipientsRequest) { r.Entity = name }
	}
	cases := map[string]struct {
		set            func(*answer.RecipientsRequest)
		inHouse, after string // in house once the authorities have received, and for the person
	}{
		"withheld by name":        {entity("Secret  Service, north"), answer.ReceivedYes, answer.ReceivedUntold},
		"by code":                 {entity("90000"), answer.ReceivedYes, answer.ReceivedUntold},
		"by the code's name":      {entity("Some board"), answer.ReceivedYes, answer.ReceivedUntold},
		"by the ground":           {entity("A court"), answer.ReceivedYes, answer.ReceivedUntold},
		"by no ground any more":   {entity(answertest.Shown), answer.ReceivedYes, answer.ReceivedUntold},
		"withheld, and never":     {entity("Secret Service, south"), answer.ReceivedNo, answer.ReceivedUntold},
		"whom no register knows":  {entity("Nobody OÜ"), answer.ReceivedNo, answer.ReceivedUntold},
		"a bank of the register":  {func(r *answer.RecipientsRequest) { r.Recipient = "acme/bank" }, answer.ReceivedYes, answer.ReceivedYes},
		"by its name":             {entity("Acme Bank AS"), answer.ReceivedYes, answer.ReceivedYes},
		"the bank, before it all": {func(r *answer.RecipientsRequest) { r.Recipient, r.To = "acme/bank", "2025-01-01" }, answer.ReceivedNo, answer.ReceivedNo},
	}
	told := func(c func(*answer.RecipientsRequest)) string {
		a := ask("person", c)
		if a.Limits.Systems != nil {
			t.Errorf("the person is told of systems: %+v", a.Limits.Systems)
		}
		b, err := json.Marshal(a.Asked)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	before := make(map[string]string)
	for name, c := range cases {
		before[name] = told(c.set)
	}
	answertest.PlantAuthorities(t, d)
	for name, c := range cases {
		if x := ask("", c.set).Asked; x.Received != c.inHouse || x.Apart {
			t.Errorf("%s: in house %+v", name, x)
		}
		x := ask("person", c.set).Asked
		if x.Received != c.after || x.Whole || x.Apart != (c.after != answer.ReceivedUntold) || x.Received == answer.ReceivedUntold && (x.Count > 0 || x.Unnamed > 0) {
			t.Errorf("%s: the person is told %+v", name, x)
		}
		if after := told(c.set); after != before[name] {
			t.Errorf("%s: the person is told %s, and was told %s before", name, after, before[name])
		}
	}
	// An id that is in no register is as untold as that of an authority.
	if x := ask("person", func(r *answer.RecipientsRequest) { r.Recipient = "acme/police" }).Asked; x.Received != answer.ReceivedUntold {
		t.Errorf("an unknown id: %+v", x)
	}
}
