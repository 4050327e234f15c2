package server

import (
	"context"
	"net/http"
	"strconv"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/answer"
)

// person is whom the form is about; zero if it names nobody.
func personOf(r *http.Request, f *form) answer.Person {
	p := answer.Person{Scheme: f.Get("scheme"), Value: r.PostForm.Get("identifier")}
	if p.Value == "" {
		return answer.Person{}
	}
	return p
}

var toldOptions = []option{{"erase", "Erasure (Art. 17)"}, {"rectify", "Rectification (Art. 16)"}, {"restrict", "Restriction (Art. 18)"}}

func (s *server) toldPage() asking[*answer.ToldAnswer] {
	return asking[*answer.ToldAnswer]{
		server: s, question: access.Told, path: "/told", title: "Was everybody told?", answered: "Who is to be told, and who was",
		fields: []string{"controller", "scheme", "operation", "since", "days", "for", "reason"}, linked: []string{"controller", "operation"},
		draw: toldForm, show: toldView,
		read: func(r *http.Request, f *form) (about, func(context.Context, answer.Deps) (*answer.ToldAnswer, error), error) {
			req := answer.ToldRequest{
				Controller: f.Get("controller"), Person: answer.Person{Scheme: f.Get("scheme"), Value: r.PostForm.Get("identifier")}, Operation: f.Get("operation"), Since: f.Get("since"), For: f.Get("for"),
			}
			var err error
			if req.Days, err = daysOf(f); err != nil {
				return about{}, nil, err
			}
			return about{controller: req.Controller, person: req.Person}, func(ctx context.Context, d answer.Deps) (*answer.ToldAnswer, error) {
				return answer.ToldOn(ctx, d, req)
			}, nil
		},
	}
}

// tellMark is a state with a sign of its own, and the colour that goes with it.
func tellMark(state string) (class, text string) {
	switch state {
	case answer.TellOverdue:
		return "v-violation", "✕ overdue: not told"
	case answer.TellUnanswered:
		return "v-violation", "✕ overdue: no answer"
	case answer.TellPending:
		return "v-review", "? to be told"
	case answer.TellTold:
		return "v-review", "? told, no answer yet"
	case answer.TellAcknowledged:
		return "v-allowed", "✓ told, and done"
	default:
		return "v-none", "– nobody to tell"
	}
}

func sinceText(a *answer.ToldAnswer, when string) string {
	switch a.SinceFrom {
	case "request":
		return when + ", as you say"
	case "fact":
		return when + ", when the person asked for it"
	case "act":
		return when + ", when the controller did it"
	default:
		return "Nothing in the trail says that it was asked for or done: say since when, and what is overdue can be told."
	}
}

func operationName(op string) string {
	for _, o := range toldOptions {
		if o.Value == op {
			return o.Label
		}
	}
	return op
}

// tellStates are the states that the page of all tasks can be cut down to.
var tellStates = []option{
	{answer.TellOverdue, "Overdue: not told"},
	{answer.TellUnanswered, "Overdue: no answer"},
	{answer.TellPending, "To be told"},
	{answer.TellTold, "Told, no answer yet"},
	{answer.TellAcknowledged, "Told, and done"},
	{answer.TellExempt, "Nobody to tell"},
}

func (s *server) tellingsPage() asking[*answer.TellingsAnswer] {
	return asking[*answer.TellingsAnswer]{
		server: s, question: access.Tellings, path: "/tellings", title: "Who is still to be told?", answered: "Who is still to be told",
		fields: []string{"controller", "operations", "from", "to", "days", "states", "reason", "cursor"}, linked: []string{"controller", "operations", "from", "to"},
		draw: tellingsForm, show: tellingsView, concerns: ofTellings,
		read: func(_ *http.Request, f *form) (about, func(context.Context, answer.Deps) (*answer.TellingsAnswer, error), error) {
			days, err := daysOf(f)
			if err != nil {
				return about{}, nil, err
			}
			req := answer.TellingsRequest{
				Controller: f.Get("controller"), Operations: f.one("operations"), From: f.Get("from"), To: f.Get("to"), Days: days, States: f.one("states"), Cursor: f.Get("cursor"), Limit: maxShares,
			}
			return about{controller: req.Controller}, func(ctx context.Context, d answer.Deps) (*answer.TellingsAnswer, error) {
				return answer.Tellings(ctx, d, req, nil)
			}, nil
		},
	}
}

// ofTellings says how many persons are on a page of tasks.
func ofTellings(a *answer.TellingsAnswer) told {
	persons := make(map[string]bool)
	for i := range a.Tasks {
		persons[a.Tasks[i].Pseudonym] = true
	}
	return told{controller: a.Controller.ID, persons: uint64(len(persons))}
}

// daysOf is within how many days recipients are to be told; 0 if it was left out.
func daysOf(f *form) (days int, err error) {
	if f.Get("days") == "" {
		return 0, nil
	}
	if days, err = strconv.Atoi(f.Get("days")); err != nil || days < 1 || days > 365 {
		return 0, &answer.Fault{Pointer: "/days", Problem: "this is no number of days", Mend: "write a number from 1 to 365"}
	}
	return days, nil
}

func (s *server) factsPage() asking[*answer.FactsAnswer] {
	return asking[*answer.FactsAnswer]{
		server: s, question: access.Facts, path: "/facts", title: "What is known of somebody?", answered: "What is known",
		fields: []string{"controller", "scheme", "actor", "recipient", "at", "known_at", "reason"}, linked: []string{"controller", "recipient"},
		draw: factsForm, show: factsView,
		read: func(r *http.Request, f *form) (about, func(context.Context, answer.Deps) (*answer.FactsAnswer, error), error) {
			controller := f.Get("controller")
			req := answer.FactsRequest{
				Controller: controller, Person: personOf(r, f), Actor: f.Get("actor"), Recipient: f.Get("recipient"),
				At: s.moment(controller, f.Get("at")), KnownAt: s.moment(controller, f.Get("known_at")),
			}
			return about{controller: controller, person: req.Person}, func(ctx context.Context, d answer.Deps) (*answer.FactsAnswer, error) {
				return answer.Facts(ctx, d, req)
			}, nil
		},
	}
}

func factStatus(status string) string {
	switch status {
	case answer.FactHeld:
		return "✓ holds"
	case answer.FactLater:
		return "– true only later"
	case answer.FactUnknown:
		return "– known only later"
	case answer.FactDuplicate:
		return "– arrived twice"
	}
	return status
}
