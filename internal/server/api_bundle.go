package server

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/bundle"
)

// bundled is a bundle as it is sent.
type bundled struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Body        []byte
}

// within are the questions that a bundle answers: whoever may not ask one may not
// have its bundle either.
var within = map[string]access.Question{
	"recipients": access.Recipients, "timeline": access.Timeline, "told": access.Told,
	"access": access.Accesses, "recipient": access.Recipient, "breach": access.Breach,
}

// bundlesAPI adds the evidence for an answer.
func (s *server) bundlesAPI(api huma.API) {
	op := s.question(access.Bundle, huma.Operation{
		OperationID: "make-bundle", Method: http.MethodPost, Path: "/v1/bundles", Summary: "The evidence for an answer, as a zip file", MaxBodyBytes: maxBody,
		Description: "Exactly one question, as its own operation takes it, is answered; the file holds the answer, the events behind it, the verdicts, the facts and the registers that judged them, and what can be said " +
			"of the trail's completeness. `andmerada bundle check` checks it, offline. Whoever asks must be allowed the question, too.",
		Errors: []int{400, 413, 415, 422, 500, 504},
		Responses: map[string]*huma.Response{"200": {Description: "A zip file", Content: map[string]*huma.MediaType{
			"application/zip": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
		}}},
	}, true)
	huma.Register(api, op, func(ctx context.Context, in *body[answer.Question]) (*bundled, error) {
		var of about
		of.controller, of.person = in.Body.About()
		of.named, of.urgent = in.Body.NamesActors(), in.Body.Breach != nil
		data, err := ask(ctx, s, access.Bundle, of, func(d answer.Deps) ([]byte, error) { return s.bundle(ctx, d, in.Body, of) }, nil)
		if err != nil {
			return nil, s.problem(ctx, err)
		}
		return &bundled{"application/zip", `attachment; filename="answer.zip"`, data}, nil
	})
}

func (s *server) bundle(ctx context.Context, d answer.Deps, q answer.Question, of about) ([]byte, error) {
	kind, err := q.Kind()
	if err != nil {
		return nil, err
	}
	who := access.From(ctx)
	scope := access.Scope{Controller: of.controller}
	if _, err := access.Allow(who, within[kind], scope); err != nil {
		return nil, err
	}
	role, err := access.Allow(who, access.Bundle, scope)
	if err != nil {
		return nil, err
	}
	return bundle.Make(ctx, d, q, bundle.Asking{Role: string(role), Reason: reasonOf(ctx), Version: s.Version})
}
