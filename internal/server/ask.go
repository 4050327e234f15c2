package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/answer"
)

// reasonHeader is where a request to the API says why.
const reasonHeader = "Andmerada-Reason"

// about is what a question is about, as it was put.
type about struct {
	controller string // "" = all of them
	person     answer.Person
	later      bool // the controller comes to light with the answer only
	reasoned   bool // the reason is in the body, and comes with the answer
	named      bool // actors are named by id: the answer tells whose their masks are
	urgent     bool // that waits for nobody's approval
}

// told is what an answer turned out to be about.
type told struct {
	controller string // "" = as it was asked
	persons    uint64

	matter, reference, reason string // see [access.Asked]

	keep func(context.Context) error // what is written once the question is recorded; nothing if nil
}

// operation adds a question to the API. Who may ask it stands in the table of
// package access; that it is recorded before it is answered needs no thought.
// of says what is asked about; concerns, if not nil, what the answer is about.
func operation[I, T any](api huma.API, s *server, q access.Question, op huma.Operation, of func(*I) about,
	answerTo func(context.Context, answer.Deps, *I) (T, error), concerns func(T) told,
) {
	op = s.question(q, op, !of(new(I)).reasoned)
	huma.Register(api, op, func(ctx context.Context, in *I) (*body[T], error) {
		a, err := ask(ctx, s, q, of(in), func(d answer.Deps) (T, error) { return answerTo(ctx, d, in) }, concerns)
		if err != nil {
			return nil, s.problem(ctx, err)
		}
		return &body[T]{a}, nil
	})
}

// question describes an operation that is a question: what it may be refused for,
// and where the reason is given.
func (*server) question(q access.Question, op huma.Operation, reason bool) huma.Operation {
	maxReason := 3 * 1024
	if reason {
		op.Parameters = append(op.Parameters, &huma.Param{
			Name: reasonHeader, In: "header", Example: "request 2026-113",
			Description: "Why you ask, in words that say nothing of the person; kept with the question. What is not ASCII is percent-encoded.",
			Schema:      &huma.Schema{Type: huma.TypeString, MaxLength: &maxReason},
		})
	}
	op.Errors = append(op.Errors, http.StatusUnauthorized, http.StatusForbidden, http.StatusServiceUnavailable)
	op.Extensions = map[string]any{"x-question": string(q)}
	return op
}

// ask answers a question, if whoever asks may, and once it is in the trail. It
// is the only way to an answer.
func ask[T any](ctx context.Context, s *server, q access.Question, of about, answerTo func(answer.Deps) (T, error), concerns func(T) told) (a T, err error) {
	var none T
	who, deps, reason := access.From(ctx), s.answers(), reasonOf(ctx)
	scope := access.Scope{Controller: of.controller}
	asked := access.Asked{Who: who, Question: q, Reason: reason}
	deps.Restricted = func(record string) { asked.Reference = record }
	if of.person.Value != "" {
		// What is no identifier of its scheme is for the answer to say.
		if scope.Person, err = deps.Keys.Pseudonym(of.controller, of.person.Scheme, of.person.Value); err == nil {
			asked.Person, asked.Persons = scope.Person, 1
		}
	}
	if of.later {
		if len(who.Controllers(q)) > 0 {
			scope.Controller = who.Controllers(q)[0]
		}
		if scope.Controller == access.Everyone {
			scope.Controller = ""
		}
	}
	if asked.As, err = access.Allow(who, q, scope); err != nil {
		return none, err
	}
	if err := s.checkReason(of, reason); err != nil {
		return none, err
	}
	if err := s.checkNamed(who, of, scope, reason); err != nil {
		return none, err
	}
	s.noted(ctx, q, of.controller)
	_, report := ctx.Value(forPersonKey{}).(bool)
	deps.ForPerson = asked.As == access.Agent || report
	if !who.Open && who.Self == nil {
		deps.Asker = who.ID
	}
	if a, err = answerTo(deps); err != nil {
		return none, ofTheirs(err, who.Controllers(q))
	}
	var about told
	if concerns != nil {
		about = concerns(a)
		asked.Persons = max(asked.Persons, about.persons)
		asked.Matter, asked.Reference = about.matter, cmp.Or(about.reference, asked.Reference)
		if of.reasoned {
			asked.Reason = about.reason
			if err := s.checkReason(of, asked.Reason); err != nil {
				return none, err
			}
		}
		if of.later {
			scope.Controller = about.controller
			if asked.As, err = access.Allow(who, q, scope); err != nil {
				return none, answer.ErrNotFound // that there is something is none of their business
			}
		}
	}
	asked.Controllers = []string{scope.Controller}
	if scope.Controller == "" {
		asked.Controllers = deps.Registers.Controllers()
	}
	if err := s.Recorder.Record(ctx, &asked); err != nil {
		return none, err
	}
	if of.named { // it is a reveal as well, and so found among those
		asked.Question = access.Reveal
		if err := s.Recorder.Record(ctx, &asked); err != nil {
			return none, err
		}
	}
	if about.keep != nil {
		if err := about.keep(ctx); err != nil {
			return none, err
		}
	}
	return a, nil
}

// ofTheirs is an error that names no controllers but those about whom may be
// asked: which others there are is none of the asker's business.
func ofTheirs(err error, theirs []string) error {
	fault := new(answer.Fault)
	if !errors.As(err, &fault) || !strings.HasSuffix(fault.Pointer, "/controller") || slices.Contains(theirs, access.Everyone) {
		return err
	}
	return &answer.Fault{Pointer: fault.Pointer, Problem: fault.Problem, Mend: fmt.Sprintf("you may ask about %q", theirs)}
}

// checkNamed holds a question that names actors by id to what a reveal needs.
// The trace of a breach waits for nobody: whose account was stolen is known then,
// and 72 hours run.
func (s *server) checkNamed(who *access.Principal, of about, scope access.Scope, reason string) error {
	if !of.named {
		return nil
	}
	if _, err := access.Allow(who, access.Reveal, scope); err != nil {
		return err
	}
	switch {
	case s.RevealApproval && !of.urgent:
		return &answer.Fault{Pointer: "/actors", Problem: "an actor is named by id, and who acted is told here only once another dpo has approved it", Mend: "name the mask that answers show, or ask for a reveal of one event"}
	case reason == "":
		return &answer.Fault{Pointer: reasonPointer, Problem: "the reason is missing, and an actor is named by id", Mend: "say why, in the field, or in the header " + reasonHeader + "; or name the mask that answers show"}
	}
	return nil
}

// checkReason holds the reason against what the operator wants of it.
func (s *server) checkReason(of about, reason string) error {
	if err := access.CheckReason(reason, of.person.Value); err != nil {
		return &answer.Fault{Pointer: reasonPointer, Problem: err.Error(), Mend: "write why you ask, as a case number for one"}
	}
	if s.ReasonNeeded && reason == "" && of.person.Scheme != "" {
		return &answer.Fault{Pointer: reasonPointer, Problem: "the reason is missing", Mend: "say why you look this person up, in the field, or in the header " + reasonHeader}
	}
	return nil
}

// reasonPointer stands for the header, which is no part of the body.
const reasonPointer = "/reason"

type reasonKey struct{}

// forPersonKey marks a request whose answer goes to the person, whoever asks.
type forPersonKey struct{}

// withReason is a context with the reason of a request to the API. What cannot
// be decoded is kept as it is, for checkReason to refuse or not.
func withReason(ctx context.Context, header string) context.Context {
	if text, err := url.PathUnescape(header); err == nil {
		header = text
	}
	return context.WithValue(ctx, reasonKey{}, header)
}

func reasonOf(ctx context.Context) string {
	reason, _ := ctx.Value(reasonKey{}).(string)
	return reason
}

// ofPerson is a question about a person.
func ofPerson(r *answer.Request) about { return about{controller: r.Controller, person: r.Person} }

// ofController is what a page asks about where its form leaves the controller
// open: all of them, or the first of those that the asker may ask about.
func (s *server) ofController(r *http.Request, q access.Question) about {
	controller := r.URL.Query().Get("controller")
	if theirs := access.From(r.Context()).Controllers(q); controller == "" && len(theirs) > 0 && !slices.Contains(theirs, access.Everyone) {
		controller = theirs[0]
	}
	return about{controller: controller}
}

// ofEvent says what one event was about.
func ofEvent(a *answer.EventAnswer) told {
	persons := make(map[int]bool)
	for _, p := range a.Persons {
		if p.Pseudonym != "" {
			persons[int(p.Index)] = true
		}
	}
	return told{controller: a.Controller, persons: uint64(len(persons))}
}

// ofBreach says how many a breach affects, and what is to be kept of it.
func ofBreach(a *answer.BreachAnswer) told {
	return told{persons: uint64(a.Persons), keep: a.Keep}
}

// ofLineage says whose data were followed from an event: how many pseudonyms.
func ofLineage(a *answer.LineageAnswer) told { return told{persons: uint64(a.Pseudonyms)} }
