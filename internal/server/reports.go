package server

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/report"
)

// reportsOf are the operations whose answers can be had as reports, with the
// value that each answers.
var reportsOf = map[string]struct {
	path string // a prefix, where it ends with /
	zero func() any
}{
	"answer-recipients": {"/v1/answers/recipients", func() any { return new(answer.RecipientsAnswer) }},
	"answer-timeline":   {"/v1/answers/timeline", func() any { return new(answer.TimelineAnswer) }},
	"answer-access":     {"/v1/answers/access", func() any { return new(answer.AccessAnswer) }},
	"answer-unusual":    {"/v1/answers/unusual", func() any { return new(answer.UnusualAnswer) }},
	"answer-breach":     {"/v1/answers/breach", func() any { return new(answer.BreachAnswer) }},
	"answer-recipient":  {"/v1/answers/recipient", func() any { return new(answer.RecipientAnswer) }},
	"answer-told":       {"/v1/answers/told", func() any { return new(answer.ToldAnswer) }},
	"answer-lineage":    {"/v1/answers/lineage", func() any { return new(answer.LineageAnswer) }},
	"get-activities":    {"/v1/activities", func() any { return new(answer.ActivitiesAnswer) }},
	"get-case":          {"/v1/cases/", func() any { return new(answer.CaseAnswer) }},
}

// reported is the answer that a request would have as a report; nil if none.
func reported(path string) any {
	for _, of := range reportsOf {
		if path == of.path || strings.HasSuffix(of.path, "/") && strings.HasPrefix(path, of.path) && len(path) > len(of.path) {
			return of.zero()
		}
	}
	return nil
}

// reports makes a report of an answer of the API where one is asked for, by
// format=pdf in the query or Accept: application/pdf. It is made of the answer
// that the API gives: there is no other way to one.
func (s *server) reports(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		format := report.Format(query.Get("format"))
		if format == "" && strings.Contains(r.Header.Get("Accept"), report.PDF.MediaType()) {
			format = report.PDF
		}
		a := reported(r.URL.Path)
		if a == nil || s.Names == nil {
			next.ServeHTTP(w, r)
			return
		}
		language := report.Fallback
		switch {
		case query.Has("language") && !report.Known(query.Get("language")):
			problem(w, http.StatusUnprocessableEntity, "there are no reports in that language: write one of "+strings.Join(report.Languages(), ", "))
			return
		case query.Has("format") && format != report.PDF:
			problem(w, http.StatusUnprocessableEntity, "there are no reports in that format: write pdf, or leave it out for JSON")
			return
		case query.Has("language"):
			language = query.Get("language")
		}
		if format != report.PDF {
			next.ServeHTTP(w, r)
			return
		}
		inner := r.Clone(r.Context())
		switch a.(type) {
		case *answer.RecipientsAnswer, *answer.TimelineAnswer: // such a report speaks to the person
			inner = r.Clone(context.WithValue(r.Context(), forPersonKey{}, true))
		}
		inner.Header.Set("Accept", "application/json")
		kept := &keeper{header: make(http.Header), status: http.StatusOK}
		next.ServeHTTP(kept, inner)
		r.Pattern = inner.Pattern // for the log
		if kept.status == http.StatusOK {
			var b bytes.Buffer
			if err := s.writeReport(&b, kept.body.Bytes(), a, language, format); err != nil {
				s.log.ErrorContext(r.Context(), "a report could not be made", slog.Any("error", err))
				problem(w, http.StatusInternalServerError, "the report could not be made, and the cause was logged")
				return
			}
			kept.header.Del("Content-Length")
			kept.header.Set("Content-Type", format.MediaType())
			kept.header.Set("Content-Language", language)
			kept.header.Set("Content-Disposition", `attachment; filename="report.`+string(format)+`"`)
			kept.body = b
		}
		for name, values := range kept.header {
			w.Header()[name] = values
		}
		w.WriteHeader(kept.status)
		if _, err := w.Write(kept.body.Bytes()); err != nil {
			return // the client has gone
		}
	})
}

func (s *server) writeReport(b *bytes.Buffer, body []byte, a any, language string, format report.Format) error {
	if err := json.Unmarshal(body, a); err != nil {
		return err
	}
	now := time.Now
	if s.Answers.Now != nil {
		now = s.Answers.Now
	}
	d, err := s.Names.Report(language, a, now())
	if err != nil {
		return err
	}
	return d.Write(b, format, a)
}

// keeper keeps an answer, to be made a report.
type keeper struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header is that of the answer.
func (k *keeper) Header() http.Header { return k.header }

// WriteHeader keeps the status.
func (k *keeper) WriteHeader(status int) { k.status = status }

// Write keeps a part of the answer.
func (k *keeper) Write(b []byte) (int, error) { return k.body.Write(b) }

// describeReports adds to the API's description that answers can be had as
// reports.
func describeReports(api *huma.OpenAPI) {
	var languages []any
	for _, l := range report.Languages() {
		languages = append(languages, l)
	}
	for _, path := range api.Paths {
		for _, op := range []*huma.Operation{path.Get, path.Post} {
			if op == nil || reportsOf[op.OperationID].zero == nil {
				continue
			}
			op.Parameters = append(op.Parameters,
				&huma.Param{Name: "format", In: "query", Description: "pdf: the answer as a report, tagged for screen readers; Accept: application/pdf asks for the same.", Schema: &huma.Schema{Type: huma.TypeString, Enum: []any{string(report.PDF)}}},
				&huma.Param{Name: "language", In: "query", Description: "Language of a report; en if left out.", Schema: &huma.Schema{Type: huma.TypeString, Enum: languages}},
			)
			if ok := op.Responses["200"]; ok != nil {
				ok.Content[report.PDF.MediaType()] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
			}
		}
	}
}
