package server

import (
	"cmp"
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/answer"
)

// maxReceipts is how large a request with a recipient's receipts may be.
const maxReceipts = 16 << 20

type casesInput struct {
	Controller string `query:"controller" maxLength:"200" doc:"Short name of the controller; all if left out."`
}

type caseInput struct {
	ID     string `path:"id" maxLength:"64"`
	Cursor string `query:"cursor" maxLength:"100" doc:"Where the page before ended (its field next). Left out: the first page."`
	Limit  int    `query:"limit" default:"1000" minimum:"1" maximum:"10000" doc:"How many persons."`
}

// actsAPI adds the questions that select events otherwise than by person alone.
func (s *server) actsAPI(api huma.API) {
	post := func(id, path, summary string, limit int64) huma.Operation {
		return huma.Operation{OperationID: id, Method: http.MethodPost, Path: path, Summary: summary, MaxBodyBytes: limit, Errors: []int{400, 404, 413, 415, 422, 500, 504}}
	}
	get := func(id, path, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Method: http.MethodGet, Path: path, Summary: summary, Errors: []int{404, 422, 500, 504}}
	}
	listing(api, s, access.Accesses, post("answer-access", "/v1/answers/access", "Who accessed, used or handed on what", maxBody),
		func(in *body[answer.AccessRequest]) about {
			return about{controller: in.Body.Controller, named: in.Body.NamesActors()}
		},
		func(ctx context.Context, d answer.Deps, in *body[answer.AccessRequest]) (*answer.AccessAnswer, error) {
			return answer.Access(ctx, d, in.Body)
		},
		func(ctx context.Context, d answer.Deps, in *body[answer.AccessRequest], cursor string) (listed, error) {
			req := in.Body
			req.Cursor, req.Limit = cmp.Or(cursor, req.Cursor), streamPage
			t, err := answer.AccessPage(ctx, d, req)
			return listed{Timeline: t}, err
		})
	unusual := post("answer-unusual", "/v1/answers/unusual", "Which accesses by employees were out of the ordinary", maxBody)
	unusual.Description = "By rules that the controller has set: to one's own record, a relation's or a colleague's, to a person in the public eye or one with whom there is no open business, to far more persons than usual, at an unusual hour, for something new. Each hit says the numbers it rests on; a hit is no accusation."
	operation(api, s, access.Unusual, unusual,
		func(in *body[answer.UnusualRequest]) about { return about{controller: in.Body.Controller} },
		func(ctx context.Context, d answer.Deps, in *body[answer.UnusualRequest]) (*answer.UnusualAnswer, error) {
			return answer.Unusual(ctx, d, in.Body)
		}, nil)
	breach := post("answer-breach", "/v1/answers/breach", "Whom a breach affects, and where their data went next", maxBody)
	breach.Description = "Persons are counted exactly: members of cohorts, and each once however many identifiers it has. With freeze, the persons found are kept as a case."
	operation(api, s, access.Breach, breach,
		func(in *body[answer.BreachRequest]) about {
			if len(in.Body.Windows) == 0 {
				return about{}
			}
			return about{controller: in.Body.Windows[0].Controller, named: in.Body.NamesActors(), urgent: true}
		},
		func(ctx context.Context, d answer.Deps, in *body[answer.BreachRequest]) (*answer.BreachAnswer, error) {
			return answer.Breach(ctx, d, in.Body)
		}, ofBreach)
	operation(api, s, access.Breach, get("list-cases", "/v1/cases", "Breach traces that were frozen"),
		func(in *casesInput) about { return about{controller: in.Controller} },
		func(ctx context.Context, d answer.Deps, in *casesInput) (*answer.CasesAnswer, error) {
			return answer.Cases(ctx, d, in.Controller)
		}, nil)
	s.caseAPI(api, get)
	operation(api, s, access.Recipient, post("answer-recipient", "/v1/answers/recipient", "What one recipient received, and whether its receipts agree", maxReceipts),
		func(in *body[answer.RecipientRequest]) about { return about{controller: in.Body.Controller} },
		func(ctx context.Context, d answer.Deps, in *body[answer.RecipientRequest]) (*answer.RecipientAnswer, error) {
			return answer.RecipientOf(ctx, d, in.Body)
		}, func(a *answer.RecipientAnswer) told { return told{persons: uint64(a.Persons)} })
	lineage := post("answer-lineage", "/v1/answers/lineage", "Where data came from and went to", maxBody)
	lineage.Description = "Of all events that are selected, or of a person, as a graph from sources to countries. Of one event: what came before it and after it, of its persons in its categories. An event of another controller is not there."
	operation(api, s, access.Lineage, lineage,
		func(in *body[answer.LineageRequest]) about {
			a := about{controller: in.Body.Controller, named: in.Body.NamesActors()}
			if in.Body.Person != nil {
				a.person = *in.Body.Person
			}
			return a
		},
		func(ctx context.Context, d answer.Deps, in *body[answer.LineageRequest]) (*answer.LineageAnswer, error) {
			return answer.Lineage(ctx, d, in.Body)
		}, ofLineage)
	operation(api, s, access.Told, post("answer-told", "/v1/answers/told", "Who must be told of an erasure, a rectification or a restriction, and who was", maxBody),
		func(in *body[answer.ToldRequest]) about {
			return about{controller: in.Body.Controller, person: in.Body.Person}
		},
		func(ctx context.Context, d answer.Deps, in *body[answer.ToldRequest]) (*answer.ToldAnswer, error) {
			return answer.ToldOn(ctx, d, in.Body)
		}, nil)
	tellings := post("answer-tellings", "/v1/answers/tellings", "Who is still to be told of erasures, rectifications and restrictions, of all persons", maxBody)
	tellings.Description = "One task for each open request and recipient, with the events by which it was told and has answered; those due first. Persons are named by pseudonym. Each page is worked out from all requests of the period."
	operation(api, s, access.Tellings, tellings,
		func(in *body[answer.TellingsRequest]) about { return about{controller: in.Body.Controller} },
		func(ctx context.Context, d answer.Deps, in *body[answer.TellingsRequest]) (*answer.TellingsAnswer, error) {
			return answer.Tellings(ctx, d, in.Body, nil)
		}, ofTellings)
	operation(api, s, access.Facts, post("answer-facts", "/v1/answers/facts", "What was true of a person, an employee or a recipient at a moment", maxBody),
		func(in *body[answer.FactsRequest]) about {
			return about{controller: in.Body.Controller, person: in.Body.Person}
		},
		func(ctx context.Context, d answer.Deps, in *body[answer.FactsRequest]) (*answer.FactsAnswer, error) {
			return answer.Facts(ctx, d, in.Body)
		}, nil)
}
