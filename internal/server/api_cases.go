package server

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/answer"
)

type comparisonInput struct {
	ID   string `path:"id" maxLength:"64" doc:"The first case."`
	With string `path:"with" maxLength:"64" doc:"The second case."`
}

// caseAPI adds a case, and how it differs from another, each with its persons as
// a stream to whoever accepts one.
func (s *server) caseAPI(api huma.API, get func(id, path, summary string) huma.Operation) {
	caseOperation(api, s, get("get-case", "/v1/cases/{id}", "A frozen case, and the persons whom it affects, page by page"),
		func(ctx context.Context, d answer.Deps, in *caseInput) (*answer.CaseAnswer, error) {
			return answer.CaseOf(ctx, d, answer.CaseRequest{ID: in.ID, Cursor: in.Cursor, Limit: in.Limit})
		},
		func(a *answer.CaseAnswer) told {
			return told{controller: a.Controller.ID, persons: uint64(len(a.Affected))}
		},
		func(a *answer.CaseAnswer) told { return told{controller: a.Controller.ID, persons: a.Persons} },
		func(ctx context.Context, d answer.Deps, in *caseInput, f func(any, *answer.AffectedPerson, string) error) error {
			return answer.EachPerson(ctx, d, in.ID, func(p *answer.AffectedPerson) error { return f(p, p, "") })
		})
	caseOperation(api, s, get("compare-cases", "/v1/cases/{id}/comparison/{with}", "How two frozen cases differ in whom they affect"),
		func(ctx context.Context, d answer.Deps, in *comparisonInput) (*answer.CaseComparison, error) {
			return answer.CompareCases(ctx, d, in.ID, in.With, nil)
		},
		ofComparison, ofComparison,
		func(ctx context.Context, d answer.Deps, in *comparisonInput, f func(any, *answer.AffectedPerson, string) error) error {
			_, err := answer.CompareCases(ctx, d, in.ID, in.With, func(c *answer.CaseChange) error { return f(c, &c.AffectedPerson, c.Change) })
			return err
		})
}

func ofComparison(c *answer.CaseComparison) told {
	return told{controller: c.Controller.ID, persons: uint64(c.Only1 + c.Only2)}
}

// caseOperation is an operation about a case, whose persons come one a line to whoever
// accepts NDJSON or CSV: concerns says whom the answer is about, and ofAll whom the
// stream is.
func caseOperation[I, T any](api huma.API, s *server, op huma.Operation, answerTo func(context.Context, answer.Deps, *I) (*T, error), concerns, ofAll func(*T) told,
	each func(context.Context, answer.Deps, *I, func(line any, p *answer.AffectedPerson, change string) error) error,
) {
	op = s.question(access.Breach, op, true)
	text := &huma.Schema{Type: huma.TypeString}
	op.Responses = map[string]*huma.Response{"200": {Description: "The answer; or its persons, one a line", Content: map[string]*huma.MediaType{
		"application/json": {Schema: api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[T](), true, "")}, ndjsonForm: {Schema: text}, csvForm: {Schema: text},
	}}}
	op.Description += "With `Accept: " + ndjsonForm + "` or `" + csvForm + "` all persons come, one a line, in order of their pseudonyms. NDJSON ends with a line `{\"end\": …}`, or `{\"error\": …}` where it broke off; " +
		"a CSV that breaks off is a connection that breaks off."
	op.Middlewares = append(op.Middlewares, func(ctx huma.Context, next func(huma.Context)) {
		next(huma.WithValue(ctx, acceptKey{}, accepts(ctx.Header("Accept"))))
	})
	huma.Register(api, op, func(ctx context.Context, in *I) (*huma.StreamResponse, error) {
		form, _ := ctx.Value(acceptKey{}).(string)
		whom := concerns
		if form != "" {
			whom = ofAll
		}
		var deps answer.Deps
		a, err := ask(ctx, s, access.Breach, about{later: true}, func(d answer.Deps) (*T, error) {
			deps = d
			return answerTo(ctx, d, in)
		}, whom)
		if err != nil {
			return nil, s.problem(ctx, err)
		}
		return &huma.StreamResponse{Body: func(to huma.Context) {
			if form == "" {
				to.SetHeader("Content-Type", "application/json")
				if err := json.NewEncoder(to.BodyWriter()).Encode(a); err != nil {
					return // the client has gone
				}
				return
			}
			to.SetHeader("Content-Type", form)
			s.streamPersons(ctx, to.BodyWriter(), form, func(ctx context.Context, f func(any, *answer.AffectedPerson, string) error) error {
				return each(ctx, deps, in, f)
			})
		}}, nil
	})
}

// errGone says that a client takes no more.
var errGone = errors.New("the client has gone, or is too slow")

// streamPersons writes persons as they are read.
func (s *server) streamPersons(ctx context.Context, w io.Writer, form string, each func(context.Context, func(any, *answer.AffectedPerson, string) error) error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), streamFor)
	defer cancel()
	l := &lines{}
	if form == csvForm {
		l.csv = csv.NewWriter(w)
		if l.csv.Write([]string{"change", "pseudonym", "first", "last", "events", "categories"}) != nil {
			return
		}
	} else {
		l.json = json.NewEncoder(w)
	}
	var control *http.ResponseController
	if to, ok := w.(http.ResponseWriter); ok {
		control = http.NewResponseController(to)
	}
	n := 0
	err := each(ctx, func(line any, p *answer.AffectedPerson, change string) error {
		if n%streamPage == 0 && control != nil {
			if err := control.SetWriteDeadline(time.Now().Add(streamSlowly)); err != nil && !errors.Is(err, http.ErrNotSupported) {
				return errGone
			}
		}
		n++
		var err error
		if l.json != nil {
			err = l.json.Encode(line)
		} else {
			err = l.csv.Write([]string{change, p.Pseudonym, p.First.UTC().Format(time.RFC3339Nano), p.Last.UTC().Format(time.RFC3339Nano), strconv.FormatUint(p.Events, 10), strings.Join(p.Categories, " ")})
		}
		if err != nil || n%streamPage == 0 && l.flush() != nil {
			return errGone
		}
		return nil
	})
	switch {
	case errors.Is(err, errGone) || l.flush() != nil:
	case err != nil:
		status, fault := s.failed(ctx, err)
		s.log.WarnContext(ctx, "an answer broke off", slog.Int("persons", n))
		l.fail(status, fault.Error(), n)
	case l.json != nil:
		if l.json.Encode(map[string]any{"end": map[string]int{"persons": n}}) != nil {
			return // the client has gone
		}
	}
}
