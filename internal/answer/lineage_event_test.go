package answer_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/answer/answertest"
	"github.com/andmerada/andmerada/internal/event"
)

const (
	followed  = "00112233445566778899aabbccddeeff"
	bystander = "ffeeddccbbaa99887766554433221100"
)

// teller makes processing events, of one person unless they are changed, by the hour.
type teller struct{ all []*event.Event }

func (l *teller) act(hour int, system string, operation event.Operation, change func(*event.Event)) int64 {
	e := &event.Event{
		ID: fmt.Sprint("l-", len(l.all)), Source: system, Kind: event.Processing, Operation: operation, Controller: answertest.Controller,
		Time: answertest.Start.AddDate(0, 0, 2).Add(time.Duration(hour) * time.Hour), Purpose: "acme/billing", Categories: []string{"phone"},
		Persons: []event.Person{{Scheme: event.PseudonymScheme, Value: followed}},
	}
	if change != nil {
		change(e)
	}
	l.all = append(l.all, e)
	return answertest.Planted + int64(len(l.all)) - 1
}

func at(offset int64) *answer.Place {
	return &answer.Place{Topic: answertest.Topic, Offset: offset}
}

func passages(list []answer.Passage) []string {
	all := []string{}
	for _, p := range list {
		line := fmt.Sprint(p.Step, " ", p.System, " ", p.Operation, " by ", p.By)
		if p.To != nil {
			line += " to " + p.To.Name
		}
		all = append(all, fmt.Sprint(line, " x", p.Events))
	}
	slices.Sort(all)
	return all
}

// Before an event stands what its data can have come from, after it where they
// went; neither has other categories, persons or times.
func TestLineageOfEvent(t *testing.T) {
	t.Parallel()
	d := answertest.Plant(t)
	var l teller
	bank, post, court := event.Recipient{ID: "acme/bank"}, event.Recipient{Organisation: "Post24 OÜ", Code: "123", Country: "EE"}, event.Recipient{Organisation: "A court", Country: "EE"}
	to := func(r event.Recipient) func(*event.Event) { return func(e *event.Event) { e.Recipient = r } }
	by := func(name string, r event.Recipient) func(*event.Event) {
		return func(e *event.Event) {
			e.Actor, e.Recipient = event.Actor{Kind: event.ActorPartner, Organisation: name}, r
		}
	}
	l.act(1, "//web", event.Collect, func(e *event.Event) { e.DataSource = "acme/web-form" })
	l.act(2, "//crm", event.Record, nil)
	l.act(2, "//crm", event.Record, nil)
	l.act(2, "//crm", event.Use, func(e *event.Event) { e.Categories = []string{"name"} })
	l.act(2, "//crm", event.Use, func(e *event.Event) { e.Persons[0].Value = bystander })
	l.act(2, "//crm", event.Erase, nil)
	l.act(2, "//crm", event.Disclose, to(court)) // went away, and is no source
	l.act(2, "//shop", event.Use, nil)           // another system
	l.act(3, "//broker", event.Transfer, by("Broker AS", event.Recipient{Organisation: "ACME OÜ"}))
	use := l.act(5, "//crm", event.Use, nil)
	l.act(5, "//crm", event.Use, func(e *event.Event) { e.Persons[0].Value = bystander })
	given := l.act(6, "//crm", event.Transfer, to(bank))
	l.act(7, "//crm", event.Disclose, to(post))
	l.act(7, "//crm", event.Disclose, func(e *event.Event) { e.Recipient, e.Categories = court, []string{"name"} })
	l.act(4, "//bank", event.Disclose, by("Acme Bank AS", court)) // before it had them
	l.act(8, "//bank", event.Disclose, by("Acme Bank AS", post))
	l.act(9, "//post", event.Transfer, by("Post24 OÜ", court))
	billed := l.act(10, "//crm", event.Send, to(event.Recipient{ID: event.DataSubject}))
	l.act(11, "//crm", event.Disclose, to(court))
	answertest.Store(t, d, answertest.Planted, l.all...)
	ask := func(req answer.LineageRequest) *answer.LineageAnswer {
		t.Helper()
		req.Controller = answertest.Controller
		a, err := answer.Lineage(t.Context(), d, req)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	earlier := []string{"1 //broker transfer by Broker AS to ACME OÜ x1", "1 //crm record by Acme OÜ x2", "1 //web collect by Acme OÜ x1"}
	onward := []string{"1 //bank disclose by Acme Bank AS to Post24 OÜ x1", "2 //post transfer by Post24 OÜ to A court x1"}
	for name, c := range map[string]struct {
		req           answer.LineageRequest
		before, after []string
	}{
		"of a use": {
			answer.LineageRequest{Event: at(use)},
			earlier,
			[]string{
				"1 //crm disclose by Acme OÜ to A court x1", "1 //crm disclose by Acme OÜ to Post24 OÜ x1", "1 //crm send by Acme OÜ to the person x1", "1 //crm transfer by Acme OÜ to Acme Bank AS x1",
				"2 //bank disclose by Acme Bank AS to Post24 OÜ x1", "2 //post transfer by Post24 OÜ to A court x1",
			},
		},
		"of a transfer":    {answer.LineageRequest{Event: at(given)}, append([]string{earlier[0], earlier[1], "1 //crm use by Acme OÜ x1"}, earlier[2]), onward},
		"that it was sent": {answer.LineageRequest{Event: at(billed), ActsRequest: answer.ActsRequest{From: l.all[use-answertest.Planted].Time.Format(time.RFC3339)}}, []string{"1 //crm use by Acme OÜ x1"}, []string{}},
		"until then": {
			answer.LineageRequest{Event: at(given), ActsRequest: answer.ActsRequest{To: l.all[given-answertest.Planted].Time.Format(time.RFC3339)}},
			append([]string{earlier[0], earlier[1], "1 //crm use by Acme OÜ x1"}, earlier[2]),
			[]string{},
		},
	} {
		a := ask(c.req)
		if before, after := passages(a.Before), passages(a.After); !slices.Equal(before, c.before) || !slices.Equal(after, c.after) || !a.Complete || a.Pseudonyms != 1 {
			t.Errorf("%s:\nbefore %q\nwant   %q\nafter %q\nwant  %q", name, before, c.before, after, c.after)
		}
		if a.Events != uint64(1+eventsOf(a.Before)+eventsOf(a.After)) {
			t.Errorf("%s: %d events", name, a.Events)
		}
	}
	a := ask(answer.LineageRequest{Event: at(given), Fold: 1})
	if len(a.Before) != 2 || a.Before[0].Events != 2 || a.Before[1].Folded != 3 || a.Before[1].Events != 3 || len(a.After) != 2 {
		t.Errorf("folded: %+v, %+v", a.Before, a.After)
	}
	edges := make(map[string]bool)
	for _, e := range ask(answer.LineageRequest{Event: at(given)}).Edges {
		edges[e.From+" > "+e.To] = true
	}
	for _, want := range []string{"data-source:acme/web-form > system://web", "system://crm > purpose:acme/billing", "purpose:acme/billing > recipient:acme/bank", "recipient:acme/bank > onward:Post24 OÜ"} {
		if !edges[want] {
			t.Errorf("the graph lacks %s: %v", want, edges)
		}
	}
}

func eventsOf(list []answer.Passage) (n int) {
	for _, p := range list {
		n += int(p.Events)
	}
	return n
}

// An event of several persons, or of a cohort, is followed for all of them, by
// whatever identifier they are known.
func TestLineageOfEventOfMany(t *testing.T) {
	t.Parallel()
	d := answertest.Plant(t)
	other, err := d.Keys.Pseudonym(answertest.Controller, "customer-number", answertest.Other)
	if err != nil {
		t.Fatal(err)
	}
	linked, err := d.Keys.Pseudonym(answertest.Controller, "customer-number", answertest.Customer)
	if err != nil {
		t.Fatal(err)
	}
	var l teller
	l.act(-48, "/acme/crm", event.Record, func(e *event.Event) { e.Persons[0].Value = other.String() })
	l.act(-47, "/acme/crm", event.Profile, func(e *event.Event) { e.Persons[0].Value = linked.String() })
	l.act(-46, "/acme/crm", event.Combine, func(e *event.Event) { e.Cohort = event.Cohort{ID: "june", Size: 2} })
	l.act(-46, "/acme/crm", event.Decide, nil) // of somebody else
	l.act(-1, "//courier", event.Disclose, func(e *event.Event) {
		e.Persons[0].Value, e.Recipient, e.Actor.Organisation = other.String(), event.Recipient{Organisation: "A neighbour"}, "acme/couriers"
	})
	answertest.Store(t, d, answertest.Planted, l.all...)
	for offset, want := range map[int64]struct {
		persons       int
		before, after []string
	}{
		5: {2, []string{}, []string{"1 /acme/crm transfer by Acme OÜ to Acme Bank AS x1"}},
		7: {
			2,
			[]string{"1 /acme/crm combine by Acme OÜ x1", "1 /acme/crm profile by Acme OÜ x1", "1 /acme/crm record by Acme OÜ x1"},
			[]string{"1 //courier disclose by acme/couriers to A neighbour x1"},
		},
	} {
		a, err := answer.Lineage(t.Context(), d, answer.LineageRequest{ActsRequest: answer.ActsRequest{Controller: answertest.Controller}, Event: at(offset)})
		if err != nil {
			t.Fatal(err)
		}
		if before, after := passages(a.Before), passages(a.After); a.Pseudonyms != want.persons || !slices.Equal(before, want.before) || !slices.Equal(after, want.after) {
			t.Errorf("event %d: %d persons, before %q, after %q; want %+v", offset, a.Pseudonyms, before, after, want)
		}
	}
}

// What is none of the controller's is not there, be it unknown or another's; and
// what cannot be followed says why.
func TestLineageOfNoEvent(t *testing.T) {
	t.Parallel()
	d := answertest.Plant(t)
	var l teller
	theirs := l.act(1, "//their", event.Use, func(e *event.Event) { e.Controller = "zeta" })
	fine := l.act(2, "//crm", event.Use, nil)
	answertest.Store(t, d, answertest.Planted, l.all...)
	ask := func(req answer.LineageRequest) error {
		req.Controller = answertest.Controller
		_, err := answer.Lineage(t.Context(), d, req)
		return err
	}
	for name, place := range map[string]*answer.Place{
		"unknown": at(1 << 40), "another topic": {Topic: "x"}, "no offset": at(-1), "no partition": {Topic: answertest.Topic, Partition: -1}, "quarantined": at(10), "another's": at(theirs),
	} {
		if err := ask(answer.LineageRequest{Event: place}); !errors.Is(err, answer.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, c := range map[string]struct {
		req     answer.LineageRequest
		pointer string
	}{
		"a fact":             {answer.LineageRequest{Event: at(0)}, "/event"},
		"a list of members":  {answer.LineageRequest{Event: at(6)}, "/event"},
		"a person beside it": {answer.LineageRequest{Event: at(fine), Person: &answer.Person{Scheme: "email", Value: "x"}}, "/person"},
		"a purpose":          {answer.LineageRequest{Event: at(fine), ActsRequest: answer.ActsRequest{Purposes: []string{"acme/billing"}}}, "/purposes"},
		"no time":            {answer.LineageRequest{Event: at(fine), ActsRequest: answer.ActsRequest{From: "x"}}, "/from"},
	} {
		var fault *answer.Fault
		if err := ask(c.req); !errors.As(err, &fault) || fault.Pointer != c.pointer {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := ask(answer.LineageRequest{Event: at(fine)}); err != nil {
		t.Errorf("its own: %v", err)
	}
}
