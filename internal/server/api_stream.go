package server

import (
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
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

// Bounds of an answer that is streamed.
const (
	streamPage   = 500              // events that are read and sent at once
	streamFor    = 10 * time.Minute // the whole of it
	streamSlowly = 15 * time.Second // how long a client may take to take a page
)

// Forms in which a list of events is streamed.
const (
	ndjsonForm = "application/x-ndjson"
	csvForm    = "text/csv"
)

type acceptKey struct{}

// accepts is what the client would like: one of the forms above, or "" for JSON.
func accepts(header string) string {
	for part := range strings.SplitSeq(header, ",") {
		form, _, _ := strings.Cut(part, ";")
		if form = strings.TrimSpace(form); form == ndjsonForm || form == csvForm {
			return form
		}
	}
	return ""
}

// listed is a page of events, and how they may be shown.
type listed struct {
	answer.Timeline
	answer.View
}

// listing is an operation whose answer holds a page of events, and which gives all
// events, one a line, to whoever accepts NDJSON or CSV. page reads the page of
// events that begins at a cursor.
func listing[I, T any](api huma.API, s *server, q access.Question, op huma.Operation, of func(*I) about,
	answerTo func(context.Context, answer.Deps, *I) (*T, error), page func(ctx context.Context, d answer.Deps, in *I, cursor string) (listed, error),
) {
	op = s.question(q, op, true)
	text := &huma.Schema{Type: huma.TypeString}
	op.Responses = map[string]*huma.Response{"200": {Description: "The answer; or its events, one a line", Content: map[string]*huma.MediaType{
		"application/json": {Schema: api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[T](), true, "")}, ndjsonForm: {Schema: text}, csvForm: {Schema: text},
	}}}
	op.Description += "With `Accept: " + ndjsonForm + "` or `" + csvForm + "` all events come, newest first, one a line, from `cursor` on. NDJSON ends with a line `{\"end\": …}`, or `{\"error\": …}` where it broke off; " +
		"a CSV that breaks off is a connection that breaks off. A client that takes a page of " + strconv.Itoa(streamPage) + " events in more than " + streamSlowly.String() + " is cut off."
	op.Middlewares = append(op.Middlewares, func(ctx huma.Context, next func(huma.Context)) {
		next(huma.WithValue(ctx, acceptKey{}, accepts(ctx.Header("Accept"))))
	})
	huma.Register(api, op, func(ctx context.Context, in *I) (*huma.StreamResponse, error) {
		form, _ := ctx.Value(acceptKey{}).(string)
		if form == "" {
			a, err := ask(ctx, s, q, of(in), func(d answer.Deps) (*T, error) { return answerTo(ctx, d, in) }, nil)
			if err != nil {
				return nil, s.problem(ctx, err)
			}
			return &huma.StreamResponse{Body: func(to huma.Context) {
				to.SetHeader("Content-Type", "application/json")
				if err := json.NewEncoder(to.BodyWriter()).Encode(a); err != nil {
					return // the client has gone
				}
			}}, nil
		}
		var deps answer.Deps
		first, err := ask(ctx, s, q, of(in), func(d answer.Deps) (listed, error) {
			deps = d
			return page(ctx, d, in, "")
		}, nil)
		if err != nil {
			return nil, s.problem(ctx, err)
		}
		return &huma.StreamResponse{Body: func(to huma.Context) {
			to.SetHeader("Content-Type", form)
			s.stream(ctx, to.BodyWriter(), form, first, func(ctx context.Context, cursor string) (listed, error) { return page(ctx, deps, in, cursor) })
		}}, nil
	})
}

// stream writes page after page, and holds one at a time.
func (s *server) stream(ctx context.Context, w io.Writer, form string, page listed, next func(ctx context.Context, cursor string) (listed, error)) {
	// The request's own time is that of an answer in one piece. A client that has
	// gone is found out by writing.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), streamFor)
	defer cancel()
	lines := newLines(w, form)
	lines.view = page.View
	var control *http.ResponseController
	if to, ok := w.(http.ResponseWriter); ok {
		control = http.NewResponseController(to)
	}
	n := 0
	for {
		if control != nil {
			if err := control.SetWriteDeadline(time.Now().Add(cmp.Or(s.patience, streamSlowly))); err != nil && !errors.Is(err, http.ErrNotSupported) {
				return
			}
		}
		for i := range page.Events {
			if lines.event(&page.Events[i]) != nil {
				return // the client has gone, or is too slow
			}
		}
		n += len(page.Events)
		if lines.flush() != nil || control != nil && errors.Is(control.Flush(), http.ErrHandlerTimeout) {
			return
		}
		if page.Next == "" {
			lines.end(n)
			return
		}
		var err error
		if page, err = next(ctx, page.Next); err != nil {
			status, fault := s.failed(ctx, err)
			s.log.WarnContext(ctx, "an answer broke off", slog.Int("events", n))
			lines.fail(status, fault.Error(), n)
			return
		}
	}
}

// lines writes events in one of the forms.
type lines struct {
	json *json.Encoder
	csv  *csv.Writer
	view answer.View
}

func newLines(w io.Writer, form string) *lines {
	if form == ndjsonForm {
		return &lines{json: json.NewEncoder(w)}
	}
	l := &lines{csv: csv.NewWriter(w)}
	if l.csv.Write(entryColumns) != nil {
		return l // the next write fails as well
	}
	return l
}

var entryColumns = []string{
	"time", "operation", "controller", "source", "recipient", "recipient_name", "purpose", "purpose_name", "categories", "actor_kind", "actor_role", "actor_organisation",
	"basis", "reason", "by_cohort", "duplicate", "verdict", "rules", "unknown", "topic", "partition", "offset", "actor", "revealed_at",
}

func (l *lines) event(e *answer.Entry) error {
	if l.json != nil {
		return l.json.Encode(e)
	}
	ids := func(list []answer.Named) string {
		all := make([]string, len(list))
		for i := range list {
			all[i] = list[i].ID
		}
		return strings.Join(all, " ")
	}
	rules := make([]string, len(e.Rules))
	for i := range e.Rules {
		rules[i] = e.Rules[i].ID
	}
	to := answer.Named{}
	if e.Recipient != nil {
		to = *e.Recipient
	}
	row := []string{
		l.moment(e.Time), e.Operation, e.Controller, e.Source, to.ID, to.Name, e.Purpose.ID, e.Purpose.Name, ids(e.Categories), e.ActorKind, e.ActorRole, e.Organisation,
		e.Basis, e.Reason, strconv.FormatBool(e.ByCohort), strconv.FormatBool(e.Duplicate), e.Verdict, strings.Join(rules, " "), ids(e.Unknown),
		e.Topic, fmt.Sprint(e.Partition), fmt.Sprint(e.Offset), e.Actor, "",
	}
	if e.Revealed != nil {
		row[len(row)-1] = l.moment(e.Revealed.At)
	}
	for i, cell := range row { // a spreadsheet would take it for a formula
		if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
			row[i] = "'" + cell
		}
	}
	return l.csv.Write(row)
}

// moment is a time as exactly as it may be told.
func (l *lines) moment(t time.Time) string {
	if l.view.Precision != "" {
		return t.Format(time.DateOnly) // it is in the controller's zone
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func (l *lines) flush() error {
	if l.csv == nil {
		return nil
	}
	l.csv.Flush()
	return l.csv.Error()
}

// end says that all has come.
func (l *lines) end(n int) {
	if l.json == nil {
		return // the end of a response that is whole says so
	}
	end := map[string]any{"events": n}
	if l.view.For != "" {
		end["for"], end["restrictions"] = l.view.For, l.view.Restrictions
	}
	if l.json.Encode(map[string]any{"end": end}) != nil {
		return // the client has gone
	}
}

// fail says that it broke off, so that no client takes a part for all.
func (l *lines) fail(status int, says string, n int) {
	if l.json == nil {
		panic(http.ErrAbortHandler) // a row that says so would be taken for an event
	}
	if l.json.Encode(map[string]any{"error": map[string]any{"status": status, "detail": says, "events": n}}) != nil {
		return // the client has gone
	}
}
