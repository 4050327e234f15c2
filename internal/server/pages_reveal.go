package server

import (
	"context"
	"net/http"
	"strings"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/answer"
)

// ListedReveal is a request to be told who acted.
type ListedReveal struct {
	Reveal

	Event    string `json:"event" doc:"Place of the event whose actor is asked for."`
	By       string `json:"by" doc:"Who has asked."`
	Mine     bool   `json:"mine" doc:"Whoever asks for this list has asked."`
	Approved string `json:"approved_by,omitempty" doc:"Who has approved it."`
}

// RevealsList is what was asked for, and how far it has come.
type RevealsList struct {
	Controller string         `json:"controller"`
	Reveals    []ListedReveal `json:"reveals" doc:"Of the last 7 days, newest first: to the role dpo all, to others their own."`
}

type revealsInput struct {
	Controller string `query:"controller" required:"true" minLength:"1" maxLength:"200" example:"elektrum" doc:"Short name of the controller."`
}

// revealsOf lists what may be seen of reveals: all, by who may approve, else
// one's own.
func (s *server) revealsOf(ctx context.Context, d answer.Deps, in *revealsInput) (*RevealsList, error) {
	all, err := answer.Reveals(ctx, d, in.Controller)
	if err != nil {
		return nil, err
	}
	who := access.From(ctx)
	_, denied := access.Allow(who, access.RevealApprove, access.Scope{Controller: in.Controller})
	list := &RevealsList{Controller: in.Controller, Reveals: []ListedReveal{}}
	for i := range all {
		r := &all[i]
		if denied != nil && r.By != who.ID {
			continue
		}
		one := ListedReveal{
			Reveal: Reveal{Status: "pending", Controller: in.Controller, ID: r.ID, Requested: r.At, Reason: r.Reason}, Event: r.Path(), By: r.By, Mine: r.By == who.ID && !who.Open, Approved: r.Second,
		}
		if r.Second != "" {
			one.Status = "approved"
		}
		list.Reveals = append(list.Reveals, one)
	}
	return list, nil
}

// revealsPage lists what was asked for, with the form to ask.
func (s *server) revealsPage(w http.ResponseWriter, r *http.Request) {
	f := s.frame(r, "Who acted", "/reveals")
	of := s.ofController(r, access.Reveals)
	if may := f.of(access.Reveals); of.controller == "" && len(may) > 0 {
		of.controller = may[0].ID
	}
	list, err := ask(r.Context(), s, access.Reveals, of, func(d answer.Deps) (*RevealsList, error) {
		return s.revealsOf(r.Context(), d, &revealsInput{of.controller})
	}, nil)
	if err != nil {
		s.failedPage(w, r, err)
		return
	}
	place := r.URL.Query().Get("event")
	if _, err := answer.ParsePlace(place); err != nil {
		place = ""
	}
	_, denied := access.Allow(f.Who, access.RevealApprove, access.Scope{Controller: of.controller})
	s.render(w, r, http.StatusOK, revealsView(f, list, place, denied == nil && !f.Who.Open, s.RevealApproval, s.zone(of.controller)))
}

// revealForm answers a step of a reveal that a form has sent.
func (s *server) revealForm(q access.Question, of func(*http.Request) about, answerTo func(*http.Request, context.Context, answer.Deps) (*revealed, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			s.fault(w, r, http.StatusBadRequest, &answer.Fault{Problem: "The form could not be read", Mend: "send it again"})
			return
		}
		a, err := ask(r.Context(), s, q, of(r), func(d answer.Deps) (*revealed, error) { return answerTo(r, r.Context(), d) }, (*revealed).told)
		if err != nil {
			s.failedPage(w, r, err)
			return
		}
		s.render(w, r, http.StatusOK, revealView(s.frame(r, "Who acted", "/reveals"), a.Reveal))
	}
}

// written is the reason that a form of a reveal has: it must have one.
func written(r *http.Request) (string, error) {
	reason := strings.TrimSpace(r.PostForm.Get("reason"))
	if reason == "" {
		return "", &answer.Fault{Problem: "the reason is missing", Mend: "go back and say why, as by the number of a case"}
	}
	return reason, nil
}

// revealPages adds the pages by which one is told who acted.
func (s *server) revealPages(mux *http.ServeMux) {
	q, answerTo := access.Reveal, s.revealNow
	if s.RevealApproval {
		q, answerTo = access.RevealRequest, s.revealLater
	}
	later := func(*http.Request) about { return about{later: true, reasoned: true} }
	known := func(r *http.Request) about { return about{controller: r.PathValue("controller"), reasoned: true} }
	mux.HandleFunc("GET /reveals", s.revealsPage)
	mux.HandleFunc("POST /reveals", s.revealForm(q, later, func(r *http.Request, ctx context.Context, d answer.Deps) (*revealed, error) {
		reason, err := written(r)
		if err != nil {
			return nil, err
		}
		named := strings.TrimSpace(r.PostForm.Get("event"))
		if named == "" {
			return nil, &answer.Fault{Problem: "no event is named", Mend: "go back and write its place, as its page says it"}
		}
		place, err := answer.ParsePlace(named)
		if err != nil {
			return nil, err
		}
		return answerTo(ctx, d, &body[RevealRequest]{RevealRequest{Topic: place.Topic, Partition: place.Partition, Offset: place.Offset, Reason: reason}})
	}))
	mux.HandleFunc("POST /reveals/{controller}/{id}", s.revealForm(access.Reveal, known, func(r *http.Request, ctx context.Context, d answer.Deps) (*revealed, error) {
		return s.revealApproved(ctx, d, &revealID{r.PathValue("controller"), r.PathValue("id")})
	}))
	mux.HandleFunc("POST /reveals/{controller}/{id}/approval", s.revealForm(access.RevealApprove, known, func(r *http.Request, ctx context.Context, d answer.Deps) (*revealed, error) {
		reason, err := written(r)
		if err != nil {
			return nil, err
		}
		in := &revealApproval{Controller: r.PathValue("controller"), ID: r.PathValue("id")}
		in.Body.Reason = reason
		return s.revealApprove(ctx, d, in)
	}))
}
