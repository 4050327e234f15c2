package event_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/schemas"
)

func asFault(err error, fault **event.Fault) bool { return errors.As(err, fault) }

// without is the headers but for one.
func without(headers []event.Header, key string) []event.Header {
	return slices.DeleteFunc(slices.Clone(headers), func(h event.Header) bool { return h.Key == key })
}

func cloudEventSchema(t testing.TB) string {
	t.Helper()
	text, err := schemas.FS.ReadFile("avro/cloudevent.avsc")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// envelopeOf is an event as a value of the CloudEvents Avro format.
func envelopeOf(t testing.TB, ev *event.Event, contentType, dataSchema string, data any) []byte {
	t.Helper()
	attributes := object{
		"specversion": object{"string": "1.0"}, "id": object{"string": ev.ID}, "source": object{"string": ev.Source}, "type": object{"string": ev.Type},
		"time": object{"string": ev.Time.Format("2006-01-02T15:04:05.999999999Z07:00")}, "sequence": object{"int": int32(ev.Sequence)},
		"traceparent": object{"string": ev.TraceParent}, "subject": nil, "replayed": object{"boolean": true}, "blob": object{"bytes": []byte{0xff}},
	}
	if contentType != "" {
		attributes["datacontenttype"] = object{"string": contentType}
	}
	if dataSchema != "" {
		attributes["dataschema"] = object{"string": dataSchema}
	}
	return encodeBy(t, cloudEventSchema(t), object{"attribute": attributes, "data": data})
}

// TestForms reads one event in every form in which it may come.
func TestForms(t *testing.T) {
	t.Parallel()
	ev, err := event.DecodeKafka(benchHeaders, []byte(benchData))
	if err != nil {
		t.Fatal(err)
	}
	headers, framed, err := event.EncodeConfluent(ev, 1)
	if err != nil {
		t.Fatal(err)
	}
	datum := framed[5:]
	bare := without(headers, "content-type")
	typed := func(media string) []event.Header { return append(slices.Clone(bare), header("content-type", media)) }
	named := func(schema string, more ...event.Header) []event.Header {
		return append(append(typed("application/avro"), header("ce_dataschema", schema)), more...)
	}
	avroFormat := []event.Header{header("content-type", "application/cloudevents+avro; charset=binary")}
	asJSON, err := event.Encode(ev)
	if err != nil {
		t.Fatal(err)
	}
	urn := event.SchemaURN(event.Processing)
	tests := []struct {
		name    string
		headers []event.Header
		value   []byte
		code    event.Code // "" = the event
		at      string
	}{
		{name: "Confluent", headers: headers, value: framed},
		{name: "Confluent, no content type", headers: bare, value: framed},
		{name: "Confluent, octets", headers: typed("application/octet-stream"), value: framed},
		{name: "Confluent, vendor's type", headers: typed("application/vnd.confluent.avro"), value: framed},
		{name: "Confluent, suffix", headers: typed("application/vnd.acme.access+avro; version=1"), value: framed},
		{name: "Confluent, avro/binary", headers: typed("Avro/Binary"), value: framed},
		{name: "Confluent, ce_datacontenttype", headers: append(slices.Clone(bare), header("ce_datacontenttype", "application/avro")), value: framed},
		{name: "Confluent, somebody's dataschema", headers: append(slices.Clone(headers), header("ce_dataschema", "http://registry.example/schemas/ids/1"+strings.Repeat("x", 300))), value: framed},
		{name: "Confluent, said to be JSON", headers: typed("application/json"), value: framed, code: event.CodeNotUTF8, at: "/data"},
		{name: "Confluent, id unknown", headers: headers, value: frame(99, datum), code: event.CodeSchemaUnknown, at: "/data"},
		{name: "Confluent, schema of another kind", headers: headers, value: frame(3, datum), code: event.CodeSchemaMismatch, at: "/data"},
		{name: "Confluent, cut short", headers: headers, value: framed[:5], code: event.CodeNotAvro, at: "/data/operation"},
		{name: "frame cut short", headers: headers, value: framed[:4], code: event.CodeSchemaUnknown, at: "/dataschema"},
		{name: "plain", headers: named(urn), value: datum},
		{name: "plain, of another kind", headers: named(event.SchemaURN(event.CohortPart)), value: datum, code: event.CodeSchemaMismatch, at: "/dataschema"},
		{name: "plain, a later version", headers: named("urn:andmerada:avro:processing:2"), value: datum, code: event.CodeSchemaUnknown, at: "/dataschema"},
		{name: "plain, by no schema", headers: typed("application/avro"), value: datum, code: event.CodeSchemaUnknown, at: "/dataschema"},
		{name: "plain, empty", headers: named(urn), value: nil, code: event.CodeMissing, at: "/data"},
		{name: "structured, JSON as bytes", headers: avroFormat, value: envelopeOf(t, ev, "application/json", "", object{"bytes": asJSON})},
		{name: "structured, JSON as string", headers: avroFormat, value: envelopeOf(t, ev, "", "", object{"string": string(asJSON)})},
		{name: "structured, JSON as maps, said to be Avro", headers: avroFormat, value: envelopeOf(t, ev, "application/avro", "", object{"map": object{}}), code: event.CodeContentType, at: "/datacontenttype"},
		{name: "structured, Avro", headers: avroFormat, value: envelopeOf(t, ev, "application/avro", urn, object{"bytes": datum})},
		{name: "structured, Confluent inside", headers: avroFormat, value: envelopeOf(t, ev, "application/avro", "", object{"bytes": framed})},
		{name: "structured, Confluent inside, no type", headers: avroFormat, value: envelopeOf(t, ev, "", "", object{"bytes": framed})},
		{name: "structured, Avro by no schema", headers: avroFormat, value: envelopeOf(t, ev, "application/avro", "", object{"bytes": datum}), code: event.CodeSchemaUnknown, at: "/dataschema"},
		{name: "structured, no data", headers: avroFormat, value: envelopeOf(t, ev, "application/avro", urn, nil), code: event.CodeMissing, at: "/data"},
		{name: "structured, data true", headers: avroFormat, value: envelopeOf(t, ev, "", "", object{"boolean": true}), code: event.CodeWrongType, at: "/data"},
		{name: "structured, XML", headers: avroFormat, value: envelopeOf(t, ev, "text/xml", "", object{"string": "<x/>"}), code: event.CodeContentType, at: "/datacontenttype"},
		{name: "structured, framed", headers: avroFormat, value: frame(4, envelopeOf(t, ev, "application/json", "", object{"bytes": asJSON}))},
		{name: "whole event framed", value: frame(4, envelopeOf(t, ev, "application/avro", urn, object{"bytes": datum}))},
		{name: "whole event framed, data framed", value: frame(4, envelopeOf(t, ev, "application/avro", "", object{"bytes": framed}))},
		{name: "framed data alone", value: framed, code: event.CodeNotCloudEvent, at: ""},
		{name: "bytes more", headers: avroFormat, value: append(envelopeOf(t, ev, "application/json", "", object{"bytes": asJSON}), 0), code: event.CodeNotAvro, at: ""},
		{name: "not the format", headers: avroFormat, value: []byte("{}"), code: event.CodeNotAvro, at: ""},
		{name: "batch", headers: []event.Header{header("content-type", "application/cloudevents-batch+json")}, value: []byte("[]"), code: event.CodeBatchMode, at: ""},
	}
	own := registry(t, event.AvroSchema(event.Processing), event.AvroSchema(event.FactEvent), event.AvroSchema(event.CohortPart), cloudEventSchema(t))
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, fault := decodeBy(own, test.headers, test.value)
			switch {
			case test.code != "":
				if fault == nil || fault.Code != test.code || fault.Pointer != test.at {
					t.Errorf("got %v, want %s at %q", fault, test.code, test.at)
				}
				return
			case fault != nil:
				t.Error(fault)
			case !reflect.DeepEqual(got, ev):
				t.Errorf("\ngot  %+v\nwant %+v", got, ev)
			}
			for n := range len(test.value) {
				if _, fault := decodeBy(own, test.headers, test.value[:n]); fault == nil {
					t.Fatalf("the first %d of %d bytes are accepted", n, len(test.value))
				}
			}
		})
	}
}

// TestLintOfAvro: what is taken has no errors, what is not has its fault.
func TestLintOfAvro(t *testing.T) {
	t.Parallel()
	headers, value, err := event.EncodeAvroStructured(fullEvent(t))
	if err != nil {
		t.Fatal(err)
	}
	if findings := event.Lint(headers, value); hasError(findings) {
		t.Errorf("%v", findings)
	}
	findings := event.Lint(headers, value[:len(value)-1])
	if !hasError(findings) || findings[0].Code != event.CodeNotAvro {
		t.Errorf("%v", findings)
	}
}

// TestDataAsMaps: the CloudEvents Avro format can write JSON objects as maps.
func TestDataAsMaps(t *testing.T) {
	t.Parallel()
	text := func(s string) object { return object{"string": s} }
	data := object{"map": object{
		"controller": text("elektrum"), "valid_from": text("2024-01-15T00:00:00Z"), "note": nil,
		"person": object{"io.cloudevents.CloudEventData": object{"value": object{"scheme": text("customer-number"), "value": text("1\"2\n")}}},
		"value":  object{"io.cloudevents.CloudEventData": object{"value": object{"exists": object{"boolean": true}, "date": text("2024-01-15")}}},
		"count":  object{"double": 7.0},
	}}
	ev := &event.Event{
		Kind: event.FactEvent, ID: "1", Source: "s", Type: "ee.andmerada.fact.breach.v1", Time: fullEvent(t).Time, Sequence: 7, Controller: "elektrum",
		Persons: []event.Person{{Scheme: "customer-number", Value: "1\"2\u00e4"}},
	}
	ev.Fact.Name = "breach"
	person := data["map"].(object)["person"].(object)["io.cloudevents.CloudEventData"].(object)["value"].(object)
	headers := []event.Header{header("content-type", "application/cloudevents+avro")}
	_, fault := decodeBy(new(event.Decoder), headers, envelopeOf(t, ev, "application/json", "", data))
	if fault == nil || fault.Code != event.CodeControlCharacter || fault.Pointer != "/data/person/value" {
		t.Errorf("got %v", fault)
	}
	person["value"] = text("1\"2\u00e4")
	ev.Fact.ValidFrom = time.Date(2024, 1, 15, 0, 0, 0, 0, time.UTC)
	ev.Fact.Value.Set(event.BreachExists, event.BoolValue(true))
	ev.Fact.Value.Set(event.BreachDate, event.DayValue(event.NewDate(2024, 1, 15)))
	got, fault := decodeBy(new(event.Decoder), headers, envelopeOf(t, ev, "application/json", "", data))
	if fault != nil {
		t.Fatal(fault)
	}
	if !reflect.DeepEqual(got, ev) {
		t.Errorf("\ngot  %+v\nwant %+v", got, ev)
	}
}
