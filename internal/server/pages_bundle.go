package server

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/answer"
)

// bundleKinds are the questions whose evidence can be had, by their names.
var bundleKinds = []option{
	{"recipients", "Who received a person's data"},
	{"timeline", "What was done with a person's data"},
	{"told", "Who was told (Art. 19)"},
	{"access", "Who accessed what"},
	{"recipient", "What a recipient received"},
	{"breach", "Whom a breach affects"},
}

// bundleOptions are those that whoever asks may ask.
func bundleOptions(f frame) []option {
	return slices.DeleteFunc(slices.Clone(bundleKinds), func(o option) bool { return !f.may(within[o.Value]) })
}

// bundlePage gives the evidence for an answer as a file.
func (s *server) bundlePage() asking[[]byte] {
	return asking[[]byte]{
		server: s, question: access.Bundle, path: "/bundle", title: "The evidence for an answer", answered: "The evidence for an answer",
		fields: []string{"controller", "question", "scheme", "from", "to", "as_of", "for", "operation", "recipient", "entity", "actors", "system", "purpose", "category", "reason"},
		linked: []string{"controller", "question"}, draw: bundleForm,
		field: actsField,
		read: func(r *http.Request, f *form) (about, func(context.Context, answer.Deps) ([]byte, error), error) {
			q, err := s.bundled(r, f)
			if err != nil {
				return about{}, nil, err
			}
			var of about
			of.controller, of.person = q.About()
			of.named, of.urgent = q.NamesActors(), q.Breach != nil
			return of, func(ctx context.Context, d answer.Deps) ([]byte, error) {
				data, err := s.bundle(ctx, d, q, of)
				return data, ofBundle(err, f.Get("question"))
			}, nil
		},
		send: func(w http.ResponseWriter, data []byte) {
			w.Header().Set("Content-Type", "application/zip")
			w.Header().Set("Content-Disposition", `attachment; filename="answer.zip"`)
			if _, err := w.Write(data); err != nil {
				return // the client has gone
			}
		},
	}
}

// bundled is the question that was filled in; fields that are none of its own are
// not looked at.
func (s *server) bundled(r *http.Request, f *form) (q answer.Question, err error) {
	acts := f.acts()
	acts.Operations = nil
	acts.From, acts.To = s.moment(acts.Controller, acts.From), s.moment(acts.Controller, acts.To)
	person := answer.Person{Scheme: f.Get("scheme"), Value: r.PostForm.Get("identifier")}
	req := answer.Request{Controller: acts.Controller, Person: person, From: acts.From, To: acts.To, AsOf: f.Get("as_of"), For: f.Get("for")}
	switch f.Get("question") {
	case "recipients":
		q.Recipients = &answer.RecipientsRequest{Request: req}
	case "timeline":
		q.Timeline = &answer.TimelineRequest{Request: req}
	case "told":
		q.Told = &answer.ToldRequest{Controller: acts.Controller, Person: person, Operation: f.Get("operation"), For: req.For}
	case "recipient":
		q.Recipient = &answer.RecipientRequest{Controller: acts.Controller, Recipient: f.Get("recipient"), Entity: f.Get("entity"), From: acts.From, To: acts.To}
	case "access":
		acts.Entities = f.one("entity")
		q.Access = &answer.AccessRequest{ActsRequest: acts}
	case "breach":
		acts.Entities = f.one("entity")
		q.Breach = &answer.BreachRequest{Windows: []answer.Window{{ActsRequest: acts}}}
	default:
		return q, &answer.Fault{Pointer: "/question", Problem: "it is not said which question", Mend: "choose one"}
	}
	return q, nil
}

// ofBundle is an error with the pointer into the question itself, which in a
// bundle is a member of its kind.
func ofBundle(err error, kind string) error {
	fault := new(answer.Fault)
	if !errors.As(err, &fault) {
		return err
	}
	at := *fault
	for _, above := range []string{"/" + kind + "/", "/windows/0/"} {
		if rest, found := strings.CutPrefix(at.Pointer, above); found {
			at.Pointer = "/" + rest
		}
	}
	return &at
}
