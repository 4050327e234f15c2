package server

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

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
	cfg.Transformers = append(cfg.Transformers, discreet)
	api := humago.New(mux, cfg)

	post := func(id, path, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Method: http.MethodPost, Path: path, Summary: summary, MaxBodyBytes: maxBody, Errors: []int{400, 413, 415, 422, 500, 504}}
	}
	huma.Register(api, post("answer-recipients", "/v1/answers/recipients", "Who received a person's data"),
		func(ctx context.Context, in *body[answer.Request]) (*body[*answer.RecipientsAnswer], error) {
			s.asked(ctx, "recipients", in.Body.Controller)
			return reply(ctx, s, func() (*answer.RecipientsAnswer, error) { return answer.Recipients(ctx, s.answers(), in.Body) })
		})
	huma.Register(api, post("answer-timeline", "/v1/answers/timeline", "What was done with a person's data, page by page"),
		func(ctx context.Context, in *body[answer.TimelineRequest]) (*body[*answer.TimelineAnswer], error) {
			s.asked(ctx, "timeline", in.Body.Controller)
			return reply(ctx, s, func() (*answer.TimelineAnswer, error) { return answer.TimelineOf(ctx, s.answers(), in.Body) })
		})
	huma.Register(api, huma.Operation{
		OperationID: "get-event", Method: http.MethodGet, Path: "/v1/events/{topic}/{partition}/{offset}",
		Summary: "One event in full, and how its verdict came about", Errors: []int{404, 422, 500, 504},
	}, func(ctx context.Context, in *eventInput) (*body[*answer.EventAnswer], error) {
		s.asked(ctx, "event", "")
		return reply(ctx, s, func() (*answer.EventAnswer, error) {
			return answer.Event(ctx, s.answers(), answer.EventRequest{Place: answer.Place{Topic: in.Topic, Partition: in.Partition, Offset: in.Offset}, Person: in.Person})
		})
	})
	huma.Register(api, huma.Operation{
		OperationID: "get-overview", Method: http.MethodGet, Path: "/v1/overview",
		Summary: "Events a day, newest violations, what waits for a review", Errors: []int{422, 500, 504},
	}, func(ctx context.Context, in *overviewInput) (*body[*answer.Overview], error) {
		s.asked(ctx, "overview", in.Controller)
		return reply(ctx, s, func() (*answer.Overview, error) {
			return answer.OverviewOf(ctx, s.answers(), answer.OverviewRequest{Controller: in.Controller, Days: in.Days})
		})
	})
	huma.Register(api, huma.Operation{
		OperationID: "get-drift", Method: http.MethodGet, Path: "/v1/drift",
		Summary: "What is done and not declared, and what is declared and not seen", Errors: []int{422, 500, 504},
	}, func(ctx context.Context, in *driftInput) (*body[*answer.DriftAnswer], error) {
		s.asked(ctx, "drift", in.Controller)
		return reply(ctx, s, func() (*answer.DriftAnswer, error) {
			return answer.DriftOf(ctx, s.answers(), answer.DriftRequest{Controller: in.Controller, From: in.From, To: in.To})
		})
	})
	huma.Register(api, huma.Operation{
		OperationID: "get-duties", Method: http.MethodGet, Path: "/v1/duties",
		Summary:     "What is due or overdue: erasing, answering, stopping, agreements",
		Description: "It reads all facts of the controller. Where that takes longer than an answer may, ask one controller at a time, or use the command `andmerada register duties`.",
		Errors:      []int{422, 500, 504},
	}, func(ctx context.Context, in *dutiesInput) (*body[*answer.DutiesAnswer], error) {
		s.asked(ctx, "duties", in.Controller)
		return reply(ctx, s, func() (*answer.DutiesAnswer, error) {
			return answer.DutiesOf(ctx, s.answers(), answer.DutiesRequest{Controller: in.Controller, At: in.At, Within: in.Within, Cases: in.Cases})
		})
	})
	if detail := api.OpenAPI().Components.Schemas.Map()["ErrorDetail"]; detail != nil {
		delete(detail.Properties, "value")
		if location := detail.Properties["location"]; location != nil {
			location.Description = "JSON pointer to the member of the body that is wrong, or the name of the parameter."
			location.Examples = []any{"/person/value"}
		}
	}
	return api
}

// OpenAPI is the description of the API, as YAML.
func OpenAPI(version string) ([]byte, error) {
	s := &server{Config: Config{Version: version}}
	return s.api(http.NewServeMux()).OpenAPI().YAML()
}

func reply[T any](ctx context.Context, s *server, ask func() (T, error)) (*body[T], error) {
	a, err := ask()
	if err == nil {
		return &body[T]{a}, nil
	}
	status, fault := s.failed(ctx, err)
	if fault.Pointer == "" {
		return nil, huma.NewError(status, fault.Error())
	}
	return nil, huma.NewError(status, "the question cannot be answered as it is put", &huma.ErrorDetail{Location: fault.Pointer, Message: fault.Error()})
}

// members are the names that a question's body can have: a part of a location
// that is none of them was made up by the client, and may be an identifier.
var members = map[string]bool{"controller": true, "person": true, "scheme": true, "value": true, "from": true, "to": true, "cursor": true, "limit": true}

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
