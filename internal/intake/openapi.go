package intake

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// Describe adds the intake to the description of an API.
func Describe(api *huma.OpenAPI) {
	accepted := api.Components.Schemas.Schema(reflect.TypeFor[Accepted](), true, "IntakeAccepted")
	refused := api.Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "IntakeProblem")
	answer := func(says string, example Accepted) *huma.Response {
		return &huma.Response{Description: says, Content: map[string]*huma.MediaType{"application/json": {Schema: accepted, Example: example}}}
	}
	failure := func(says string, again bool) *huma.Response {
		r := &huma.Response{Description: says, Content: map[string]*huma.MediaType{"application/problem+json": {Schema: refused}}}
		if again {
			r.Headers = map[string]*huma.Param{"Retry-After": {Description: "Seconds until it may be sent again.", Schema: &huma.Schema{Type: huma.TypeInteger}}}
		}
		return r
	}
	unprocessable := failure("Ingest would not understand it. Nothing was written.", false)
	unprocessable.Content["application/problem+json"].Example = Problem{
		Type: "urn:andmerada:intake:missing", Title: "Unprocessable Entity", Status: 422, Code: "missing",
		Detail: "Ingest would not understand it. Mend the event and send it again. Nothing of the batch was written.",
		Errors: []Fault{{Item: 3, Code: "missing", Pointer: "/data/purpose", Want: "a purpose of the register"}},
	}
	one := map[string]any{
		"specversion": "1.0", "id": "np-2024-05-02-000317", "source": "/netpro/billing", "type": "ee.andmerada.transfer.v1", "time": "2024-05-02T10:00:00+03:00",
		"data": map[string]any{
			"controller": "netpro", "person": map[string]any{"scheme": "customer-number", "value": "100200300"},
			"purpose": "netpro/payment-execution", "categories": []string{"payment-execution-data"}, "recipient": map[string]any{"id": "netpro/maksekeskus"},
		},
	}
	binary := func(says string) *huma.Schema {
		return &huma.Schema{Type: huma.TypeString, Format: "binary", Description: says}
	}
	event := &huma.Schema{Type: huma.TypeObject, Description: "A CloudEvent 1.0, as docs/events.md and schemas/json describe it."}
	if api.Components.SecuritySchemes == nil {
		api.Components.SecuritySchemes = map[string]*huma.SecurityScheme{}
	}
	api.Components.SecuritySchemes["intake"] = &huma.SecurityScheme{Type: "http", Scheme: "bearer", Description: "A token of a source: andmerada intake token new."}
	api.AddOperation(&huma.Operation{
		OperationID: "post-events", Method: "POST", Path: Path, Summary: "Take events, and answer when Kafka has acknowledged them",
		Description: "CloudEvents HTTP protocol binding: structured, batched or binary mode (attributes as Ce- headers, data as the body). Idempotent on source and id. Only where the server has an intake.\n\n" +
			"Avro comes in binary mode, as `application/avro`, `avro/binary`, `application/vnd.confluent.avro` or `application/…+avro`: in Confluent's wire format (a zero byte, the id of the registry's schema in four bytes, the data), " +
			"or plain, with `Ce-Dataschema` one of `urn:andmerada:avro:processing:1`, `urn:andmerada:avro:fact:1` and `urn:andmerada:avro:cohort:1`, which are schemas/avro. " +
			"A whole event comes in the CloudEvents Avro format, `application/cloudevents+avro`, one at a time: batches are JSON. Avro is kept as it comes, and is checked as JSON is; a schema that the registry is asked for and does not have is refused.",
		Security: []map[string][]string{{"intake": {}}},
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			"application/cloudevents+json":       {Schema: event, Example: one},
			"application/cloudevents-batch+json": {Schema: &huma.Schema{Type: huma.TypeArray, Items: event}, Example: []any{one}},
			"application/json":                   {Schema: &huma.Schema{Type: huma.TypeObject, Description: "The data, in binary mode."}, Example: one["data"]},
			"application/cloudevents+avro":       {Schema: binary("A whole event in the CloudEvents Avro format 1.0, by schemas/avro/cloudevent.avsc.")},
			"application/avro":                   {Schema: binary("The data, in binary mode: in Confluent's wire format, or plain by schemas/avro, as Ce-Dataschema says.")},
		}},
		Responses: map[string]*huma.Response{
			"200": answer("All had been accepted before.", Accepted{Repeated: 1}),
			"202": answer("Kafka has acknowledged them.", Accepted{Accepted: 1}),
			"400": failure("The body cannot be read.", false),
			"401": failure("There is no token, or one that is not known.", false),
			"403": failure("A source or a controller is not the token's.", false),
			"408": failure("The body came too slowly.", false),
			"409": failure("The same source and id were accepted with other content.", false),
			"413": failure("Too large, or too many events.", false),
			"415": failure("The content type, or its encoding, is not known.", false),
			"422": unprocessable,
			"429": failure("More events a second than the source may send.", true),
			"503": failure("Too much at once, or Kafka has not acknowledged. Send the same again.", true),
		},
	})
}
