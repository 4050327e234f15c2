package answer_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/answer/answertest"
	"github.com/andmerada/andmerada/internal/event"
)

// Three recipients hold a person's data, which the controller then erases: the
// bank is told and answers, Post24 is told and does not, Elsewhere is not told.
func TestToldOn(t *testing.T) {
	t.Parallel()
	d := answertest.Plant(t)
	const who = "00112233445566778899aabbccddeeff"
	erased := answertest.Start.Add(24 * time.Hour)
	n := 0
	act := func(operation event.Operation, day int, to event.Recipient, by event.Actor) *event.Event {
		n++
		return &event.Event{
			ID: fmt.Sprint("told-", n), Source: "//crm", Kind: event.Processing, Operation: operation, Controller: answertest.Controller, Time: erased.AddDate(0, 0, day),
			Persons: []event.Person{{Scheme: event.PseudonymScheme, Value: who}}, Purpose: "acme/billing", Recipient: to, Actor: by,
		}
	}
	bank := event.Recipient{ID: "acme/bank"}
	post := event.Recipient{Organisation: "Post24 OÜ", Code: "12345678", Country: "EE"}
	elsewhere := event.Recipient{Organisation: "Elsewhere AS", Code: "87654321", Country: "EE"}
	clerk := event.Actor{ID: "u-1", Kind: event.ActorHuman}
	answertest.Store(t, d, answertest.Planted,
		act(event.Transfer, -3, bank, clerk),
		act(event.Disclose, -3, post, clerk),
		act(event.Disclose, -2, elsewhere, clerk),
		act(event.Erase, -1, elsewhere, clerk), // before it was asked for: told of another erasure
		act(event.Erase, 0, event.Recipient{}, clerk),
		act(event.Erase, 1, bank, clerk),
		act(event.Erase, 2, post, clerk),
		act(event.Erase, 5, event.Recipient{}, event.Actor{ID: "acme/bank", Kind: event.ActorPartner}),
	)
	ask := func(day int, req answer.ToldRequest) *answer.ToldAnswer {
		t.Helper()
		d.Now = func() time.Time { return erased.AddDate(0, 0, day) }
		req.Controller, req.Person = answertest.Controller, answer.Person{Scheme: event.PseudonymScheme, Value: who}
		a, err := answer.ToldOn(t.Context(), d, req)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	states := func(a *answer.ToldAnswer) map[string]string {
		all := make(map[string]string)
		for _, task := range a.Tasks {
			if task.ID != "" {
				all[task.ID] = task.State
			} else {
				all[task.Name] = task.State
			}
		}
		return all
	}
	for _, c := range []struct {
		day, open, overdue    int
		bank, post, elsewhere string
	}{
		{6, 2, 0, answer.TellAcknowledged, answer.TellTold, answer.TellPending},
		{31, 2, 1, answer.TellAcknowledged, answer.TellTold, answer.TellOverdue},
		{40, 2, 2, answer.TellAcknowledged, answer.TellUnanswered, answer.TellOverdue},
	} {
		a := ask(c.day, answer.ToldRequest{})
		got := states(a)
		if a.SinceFrom != "act" || !a.Since.Equal(erased) || a.Open != c.open || a.Overdue != c.overdue ||
			len(got) != 3 || got["acme/bank"] != c.bank || got["Post24 OÜ"] != c.post || got["Elsewhere AS"] != c.elsewhere {
			t.Errorf("after %d days: since %s by %s, %d open, %d overdue, %v", c.day, a.Since, a.SinceFrom, a.Open, a.Overdue, got)
		}
		if len(a.Tasks) > 0 && c.overdue > 0 && a.Tasks[0].State != answer.TellOverdue {
			t.Errorf("after %d days what is overdue does not come first: %v", c.day, a.Tasks[0].State)
		}
	}
	if a := ask(6, answer.ToldRequest{Days: 3}); a.Overdue != 2 {
		t.Errorf("within three days: %d overdue", a.Overdue)
	}
	if a := ask(6, answer.ToldRequest{Since: erased.AddDate(0, 0, -2).Format(time.DateOnly)}); states(a)["Elsewhere AS"] != answer.TellTold {
		t.Errorf("since before the first erasure: %v", states(a))
	}
	if a := ask(40, answer.ToldRequest{Operation: "rectify"}); a.SinceFrom != "none" || a.Overdue != 0 {
		t.Errorf("of a rectification that nobody asked for: %s, %d overdue", a.SinceFrom, a.Overdue)
	}
	var f *answer.Fault
	if _, err := answer.ToldOn(t.Context(), d, answer.ToldRequest{Controller: answertest.Controller, Operation: "collect"}); !errors.As(err, &f) || f.Pointer != "/operation" {
		t.Errorf("told of collecting: %v", err)
	}
}
