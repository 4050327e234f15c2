package server

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/answer"
)

type body[T any] struct{ Body T }

type eventInput struct {
	Topic     string `path:"topic" maxLength:"249"`
	Partition int32  `path:"partition" minimum:"0"`
	Offset    int64  `path:"offset" minimum:"0"`
	Person    int    `query:"person" default:"-1" minimum:"-1" maximum:"65535" doc:"Whose verdict to explain, by index; -1: the worst."`
}

type overviewInput struct {
	Controller string `query:"controller" maxLength:"200" doc:"Short name of the controller; all if left out."`
	Days       int    `query:"days" default:"30" minimum:"1" maximum:"366"`
}

type driftInput struct {
	Controller string `query:"controller" maxLength:"200" doc:"Short name of the controller; all if left out."`
	From       string `query:"from" maxLength:"40" doc:"First day of the controller's calendar, or an RFC 3339 time. Left out: from the beginning."`
	To         string `query:"to" maxLength:"40" doc:"Last day, included, or an RFC 3339 time, not included. Left out: until now."`
}

type dutiesInput struct {
	Controller string `query:"controller" maxLength:"200" doc:"Short name of the controller; all if left out."`
	At         string `query:"at" maxLength:"40" doc:"As of the end of this day of the controller's calendar, or an RFC 3339 time. Left out: now."`
	Within     int    `query:"within" default:"30" minimum:"0" maximum:"3660" doc:"What is due in so many days is due."`
	Cases      int    `query:"cases" default:"20" minimum:"-1" maximum:"1000" doc:"How many cases of each sort to name; -1: none. Counts are always exact."`
}

// api adds the API to the mux, its description at /openapi.yaml.
func (s *server) api(mux *http.ServeMux) huma.API {
	cfg := huma.DefaultConfig("Andmerada", s.Version)
	cfg.Info.Description = "What happened to a person's data, who received it, and was that what the company had promised? Identifiers of persons are in the body of a request only."
	cfg.DocsPath, cfg.SchemasPath = "", ""
	cfg.CreateHooks = nil // no $schema in answers
	cfg.Formats = map[string]huma.Format{"application/json": plainJSON, "json": plainJSON}
	cfg.Transformers = append(cfg.Transformers, discreet)
	api := humago.New(mux, cfg)

	security(api)

	post := func(id, path, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Method: http.MethodPost, Path: path, Summary: summary, MaxBodyBytes: maxBody, Errors: []int{400, 413, 415, 422, 500, 504}}
	}
	get := func(id, path, summary string, errors ...int) huma.Operation {
		return huma.Operation{OperationID: id, Method: http.MethodGet, Path: path, Summary: summary, Errors: append(errors, 422, 500, 504)}
	}
	operation(api, s, access.Recipients, post("answer-recipients", "/v1/answers/recipients", "Who received a person's data"),
		func(in *body[answer.RecipientsRequest]) about { return ofPerson(&in.Body.Request) },
		func(ctx context.Context, d answer.Deps, in *body[answer.RecipientsRequest]) (*answer.RecipientsAnswer, error) {
			return answer.Recipients(ctx, d, in.Body)
		}, nil)
	listing(api, s, access.Timeline, post("answer-timeline", "/v1/answers/timeline", "What was done with a person's data, page by page"),
		func(in *body[answer.TimelineRequest]) about { return ofPerson(&in.Body.Request) },
		func(ctx context.Context, d answer.Deps, in *body[answer.TimelineRequest]) (*answer.TimelineAnswer, error) {
			return answer.TimelineOf(ctx, d, in.Body)
		},
		func(ctx context.Context, d answer.Deps, in *body[answer.TimelineRequest], cursor string) (listed, error) {
			req := in.Body
			req.Cursor, req.Limit = cmp.Or(cursor, req.Cursor), streamPage
			a, err := answer.TimelineOf(ctx, d, req)
			if err != nil {
				return listed{}, err
			}
			return listed{a.Timeline, a.View}, nil
		})
	operation(api, s, access.Event, get("get-event", "/v1/events/{topic}/{partition}/{offset}", "One event in full, and how its verdict came about", 404),
		func(*eventInput) about { return about{later: true} },
		func(ctx context.Context, d answer.Deps, in *eventInput) (*answer.EventAnswer, error) {
			return answer.Event(ctx, d, answer.EventRequest{Place: answer.Place{Topic: in.Topic, Partition: in.Partition, Offset: in.Offset}, Person: in.Person})
		}, ofEvent)
	operation(api, s, access.Overview, get("get-overview", "/v1/overview", "Events a day, newest violations, what waits for a review"),
		func(in *overviewInput) about { return about{controller: in.Controller} },
		func(ctx context.Context, d answer.Deps, in *overviewInput) (*answer.Overview, error) {
			return answer.OverviewOf(ctx, d, answer.OverviewRequest{Controller: in.Controller, Days: in.Days})
		}, nil)
	operation(api, s, access.Drift, get("get-drift", "/v1/drift", "What is done and not declared, and what is declared and not seen"),
		func(in *driftInput) about { return about{controller: in.Controller} },
		func(ctx context.Context, d answer.Deps, in *driftInput) (*answer.DriftAnswer, error) {
			return answer.DriftOf(ctx, d, answer.DriftRequest{Controller: in.Controller, From: in.From, To: in.To})
		}, nil)
	operation(api, s, access.Activities, get("get-activities", "/v1/activities", "The register of processing activities (GDPR Art. 30), with what was really done"),
		func(in *driftInput) about { return about{controller: in.Controller} },
		func(ctx context.Context, d answer.Deps, in *driftInput) (*answer.ActivitiesAnswer, error) {
			return answer.Activities(ctx, d, answer.DriftRequest{Controller: in.Controller, From: in.From, To: in.To})
		}, nil)
	duties := get("get-duties", "/v1/duties", "What is due or overdue: erasing, answering, stopping, agreements")
	duties.Description = "It reads all facts of the controller. Where that takes longer than an answer may, ask one controller at a time, or use the command `andmerada answer duties`."
	operation(api, s, access.Duties, duties,
		func(in *dutiesInput) about { return about{controller: in.Controller} },
		func(ctx context.Context, d answer.Deps, in *dutiesInput) (*answer.DutiesAnswer, error) {
			return answer.DutiesOf(ctx, d, answer.DutiesRequest{Controller: in.Controller, At: in.At, Within: in.Within, Cases: in.Cases})
		}, nil)
	s.reveals(api, post, get)
	s.actsAPI(api)
	s.bundlesAPI(api)
	if detail := api.OpenAPI().Components.Schemas.Map()["ErrorDetail"]; detail != nil {
		delete(detail.Properties, "value")
		if location := detail.Properties["location"]; location != nil {
			location.Description = "JSON pointer to the member of the body that is wrong, or the name of the parameter."
			location.Examples = []any{"/person/value"}
		}
	}
	describeAbsent(api.OpenAPI())
	describeReports(api.OpenAPI())
	describeExamples(api.OpenAPI())
	for _, describe := range s.Describe {
		describe(api.OpenAPI())
	}
	return api
}

// OpenAPI is the description of the API, as YAML, with what describe adds.
func OpenAPI(version string, describe ...func(*huma.OpenAPI)) ([]byte, error) {
	s := &server{Config: Config{Version: version, Describe: describe}}
	return s.api(http.NewServeMux()).OpenAPI().YAML()
}

// problem is what the API says of an error (RFC 9457).
func (s *server) problem(ctx context.Context, err error) error {
	status, fault := s.failed(ctx, err)
	if fault.Pointer == "" {
		return huma.NewError(status, fault.Error())
	}
	return huma.NewError(status, "the question cannot be answered as it is put", &huma.ErrorDetail{Location: fault.Pointer, Message: fault.Error()})
}

// problem answers outside of any operation of the API (RFC 9457).
func problem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	writeJSON(w, status, &huma.ErrorModel{Status: status, Title: http.StatusText(status), Detail: detail})
}

// elsewhere is the page for addresses that are no other's.
const elsewhere = "GET /"

// operations answers what is sent to the API and is no operation of it as the API
// does: the mux would give a page, or name the methods of pages.
func operations(mux *http.ServeMux) http.Handler {
	is := func(r *http.Request) bool {
		_, pattern := mux.Handler(r)
		return pattern != "" && pattern != elsewhere
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isAPI(r) || is(r) {
			mux.ServeHTTP(w, r)
			return
		}
		var methods []string
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
			other := r.Clone(r.Context())
			if other.Method = method; is(other) {
				methods = append(methods, method)
			}
		}
		if methods == nil {
			problem(w, http.StatusNotFound, "there is no such operation: /openapi.yaml describes those that there are")
			return
		}
		w.Header().Set("Allow", strings.Join(methods, ", "))
		problem(w, http.StatusMethodNotAllowed, "this operation has another method: "+strings.Join(methods, ", "))
	})
}

// plainJSON is JSON in which < and > are escaped: what events and questions say is
// no page, whatever shows it.
var plainJSON = huma.Format{
	Marshal:   func(w io.Writer, v any) error { return json.NewEncoder(w).Encode(v) },
	Unmarshal: readJSON,
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		return // the client has gone
	}
}

// members are the names that a question's body can have: a part of a location
// that is none of them was made up by the client, and may be an identifier.
var members = map[string]bool{
	"controller": true, "person": true, "scheme": true, "value": true, "from": true, "to": true, "cursor": true, "limit": true, "topic": true, "partition": true, "offset": true, "reason": true,
	"windows": true, "set": true, "onward": true, "until": true, "aware_at": true, "freeze": true, "consequences": true, "measures": true, "by": true, "operations": true, "actors": true, "roles": true,
	"organisations": true, "systems": true, "purposes": true, "recipients": true, "entities": true, "countries": true, "categories": true, "data_sources": true,
	"verdicts": true, "rules": true, "recipient": true, "entity": true, "receipts": true, "event": true, "depth": true, "fold": true, "operation": true,
	"timeline": true, "told": true, "states": true, "access": true, "breach": true,
	"since": true, "for": true, "days": true, "actor": true, "at": true, "known_at": true, "as_of": true,
}

// discreet takes out of an error (RFC 9457) what the client sent, as the
// library gives it back whole, and makes its location a JSON pointer.
func discreet(_ huma.Context, _ string, v any) (any, error) {
	problem, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	for _, e := range problem.Errors {
		e.Value = nil
		location, isBody := strings.CutPrefix(e.Location, "body")
		switch {
		case !isBody:
		case location == "":
			e.Location, e.Message = "", "the body is not a JSON object of the form that /openapi.yaml describes"
		default:
			e.Location = ""
			for part := range strings.SplitSeq(strings.TrimPrefix(location, "."), ".") {
				if !members[part] {
					break
				}
				e.Location += "/" + part
			}
		}
	}
	return problem, nil
}
