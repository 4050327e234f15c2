package server

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/answer"
)

// RevealRequest asks to be told who acted in an event.
type RevealRequest struct {
	Topic     string `json:"topic" minLength:"1" maxLength:"200" example:"andmerada.events"`
	Partition int32  `json:"partition" minimum:"0"`
	Offset    int64  `json:"offset" minimum:"0"`
	Reason    string `json:"reason" minLength:"1" maxLength:"1024" example:"case 2026-113" doc:"Why; kept with the question, and shown to whoever approves it."`
}

// Reveal is who acted, or how far it has come with being told that.
type Reveal struct {
	Status     string    `json:"status" enum:"granted,pending,approved" doc:"pending: another person with the role dpo must approve it first. approved: whoever has asked may now be told."`
	Controller string    `json:"controller,omitempty"`
	ID         string    `json:"id,omitempty" doc:"Of a request that needs approval."`
	Requested  time.Time `json:"requested,omitzero"`
	Reason     string    `json:"reason,omitempty" doc:"As the request says."`
	ActorID    string    `json:"actor_id,omitempty" doc:"Who acted, as the source names it."`
	OnBehalfOf string    `json:"actor_on_behalf_of,omitempty"`
}

type revealID struct {
	Controller string `path:"controller" maxLength:"200" example:"elektrum"`
	ID         string `path:"id" maxLength:"64"`
}

type revealApproval struct {
	Controller string `path:"controller" maxLength:"200" example:"elektrum"`
	ID         string `path:"id" maxLength:"64"`
	Body       struct {
		Reason string `json:"reason" minLength:"1" maxLength:"1024" example:"seen, case 2026-113" doc:"Why it is approved."`
	}
}

// errPending says that nobody has approved a reveal yet.
var errPending = errors.New("nobody has approved this yet")

// revealed is an answer with what only the record of its question needs.
type revealed struct {
	*Reveal
	matter, reference, reason string
}

// told gives the record what it needs.
func (r *revealed) told() told {
	return told{controller: r.Controller, matter: r.matter, reference: r.reference, reason: r.reason}
}

// reveals adds to the API by which one is told who acted.
func (s *server) reveals(api huma.API, post func(id, path, summary string) huma.Operation, get func(id, path, summary string, errors ...int) huma.Operation) {
	request := post("request-reveal", "/v1/reveals", "Who acted in an event: with a reason, and where the operator wants it another person's approval")
	request.Description = "Where no approval is needed the answer is there at once. Where it is, another person with the role dpo approves it within 7 days, and whoever has asked fetches it within 7 days."
	request.Errors = append(request.Errors, http.StatusNotFound)
	q, answerTo := access.Reveal, s.revealNow
	if s.RevealApproval {
		q, answerTo = access.RevealRequest, s.revealLater
	}
	operation(api, s, q, request, func(*body[RevealRequest]) about { return about{later: true, reasoned: true} }, answerTo, (*revealed).told)

	operation(api, s, access.Reveals, get("list-reveals", "/v1/reveals", "What reveals were asked for, and which wait for an approval"),
		func(in *revealsInput) about { return about{controller: in.Controller} }, s.revealsOf, nil)

	approve := post("approve-reveal", "/v1/reveals/{controller}/{id}/approval", "Approve that another be told who acted")
	approve.Errors = append(approve.Errors, http.StatusNotFound)
	operation(api, s, access.RevealApprove, approve, func(in *revealApproval) about { return about{controller: in.Controller, reasoned: true} }, s.revealApprove, (*revealed).told)

	operation(api, s, access.Reveal, get("get-reveal", "/v1/reveals/{controller}/{id}", "Who acted, once it is approved: for whoever has asked", 404, 409),
		func(in *revealID) about { return about{controller: in.Controller, reasoned: true} }, s.revealApproved, (*revealed).told)
}

func (s *server) revealNow(ctx context.Context, d answer.Deps, in *body[RevealRequest]) (*revealed, error) {
	at := answer.Place{Topic: in.Body.Topic, Partition: in.Body.Partition, Offset: in.Body.Offset}
	return s.reveal(ctx, d, at, "", in.Body.Reason)
}

// reveal is who acted; id is that of a request that was approved. That it was
// asked, and why, is recorded by the caller before it is told.
func (s *server) reveal(ctx context.Context, d answer.Deps, at answer.Place, id, reason string) (*revealed, error) {
	a, err := answer.Event(ctx, d, answer.EventRequest{Place: at, Person: -1, Reveal: true})
	if err != nil {
		return nil, err
	}
	reference, err := answer.RevealTold(d, a.Controller, id, access.From(ctx).ID, at)
	if err != nil {
		return nil, err
	}
	return &revealed{Reveal: &Reveal{Status: "granted", Controller: a.Controller, ID: id, ActorID: a.ActorID, OnBehalfOf: a.OnBehalfOf}, reference: reference, reason: reason}, nil
}

func (s *server) revealLater(ctx context.Context, d answer.Deps, in *body[RevealRequest]) (*revealed, error) {
	at := answer.Place{Topic: in.Body.Topic, Partition: in.Body.Partition, Offset: in.Body.Offset}
	a, err := answer.Event(ctx, d, answer.EventRequest{Place: at, Person: -1})
	if err != nil {
		return nil, err
	}
	id, reference, err := answer.NewReveal(d, a.Controller, access.From(ctx).ID, at)
	if err != nil {
		return nil, err
	}
	return &revealed{Reveal: &Reveal{Status: "pending", Controller: a.Controller, ID: id}, matter: id, reference: reference, reason: in.Body.Reason}, nil
}

func (s *server) revealApprove(ctx context.Context, d answer.Deps, in *revealApproval) (*revealed, error) {
	state, err := answer.RevealOf(ctx, d, in.Controller, in.ID)
	if err != nil {
		return nil, err
	}
	who := access.From(ctx)
	if who.ID == state.By || who.Open {
		return nil, &access.Denied{Lacks: "whoever asks does not approve it", Mend: "another person with the role dpo must, logged in as that person"}
	}
	reference, err := answer.RevealApproved(d, in.Controller, in.ID, who.ID)
	if err != nil {
		return nil, err
	}
	return &revealed{
		Reveal: &Reveal{Status: "approved", Controller: in.Controller, ID: in.ID, Requested: state.At, Reason: state.Reason},
		matter: in.ID, reference: reference, reason: in.Body.Reason,
	}, nil
}

func (s *server) revealApproved(ctx context.Context, d answer.Deps, in *revealID) (*revealed, error) {
	state, err := answer.RevealOf(ctx, d, in.Controller, in.ID)
	switch {
	case err != nil:
		return nil, err
	case state.By != access.From(ctx).ID:
		return nil, answer.ErrNotFound // another's request is none of their business
	case state.Second == "":
		return nil, errPending
	}
	r, err := s.reveal(ctx, d, state.Place, in.ID, state.Reason)
	if err != nil {
		return nil, err
	}
	if r.Controller != in.Controller {
		return nil, answer.ErrNotFound
	}
	return r, nil
}
