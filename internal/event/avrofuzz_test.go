package event_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/frugaltest"
)

// fuzzSchemas are writers' schemas of all sorts: our own, one that has more
// than we read, and whole CloudEvents.
func fuzzSchemas(t testing.TB) []string {
	t.Helper()
	s := shape(t, event.Processing)
	insert(s, 2, "a", fromJSON(`{"type":"map","values":{"type":"array","items":["null","long",{"type":"array","items":"null"}]}}`))
	insert(s, 4, "c", fromJSON(`{"type":"record","name":"Tree","fields":[{"name":"next","type":["null","Tree"]},{"name":"x","type":"boolean"}]}`))
	insert(s, 6, "e", fromJSON(`{"type":"enum","name":"E","symbols":["A","B"]}`))
	field(s, "purpose")["type"] = "bytes"
	field(s, "reason")["type"] = "string"
	delete(field(s, "reason"), "default")
	field(s, "operation")["type"].(object)["symbols"] = []any{"disclose", "teleport", "unspecified"}
	drop(s, "channel")
	other, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return []string{
		event.AvroSchema(event.Processing), event.AvroSchema(event.FactEvent), event.AvroSchema(event.CohortPart), string(other), cloudEventSchema(t),
	}
}

// FuzzDecodeAvro holds that every datum is an event or a coded fault, that an
// event can be written and read back the same, that Lint agrees, and that
// another library makes the same of it.
func FuzzDecodeAvro(f *testing.F) {
	texts := fuzzSchemas(f)
	own := registry(f, texts...)
	kinds := []event.Kind{event.Processing, event.FactEvent, event.CohortPart, event.Processing}
	var others []twmb
	for i, kind := range kinds {
		others = append(others, byTwmb(f, kind, texts[i]))
	}
	full := fullEvent(f)
	datum, err := event.EncodeAvro(full)
	if err != nil {
		f.Fatal(err)
	}
	_, structured, err := event.EncodeAvroStructured(full)
	if err != nil {
		f.Fatal(err)
	}
	v := generic(f, full)
	v["a"], v["c"], v["e"], v["reason"], v["purpose"] = object{"k": []any{nil, object{"array": []any{nil}}}}, object{"next": nil, "x": true}, "B", "why", []byte("p")
	f.Add(uint8(0), full.Type, datum)
	f.Add(uint8(3), full.Type, encodeBy(f, texts[3], v))
	f.Add(uint8(4), full.Type, structured)
	f.Add(uint8(4), full.Type, envelopeOf(f, full, "", "", object{"map": object{"controller": object{"double": 1e300}}}))
	f.Add(uint8(4), full.Type, envelopeOf(f, full, "application/avro", "", object{"bytes": frame(1, datum)}))
	f.Add(uint8(1), "ee.andmerada.fact.necessity.v1", []byte("\x02c\x02\x02s\x02v\x00\x00\x00\x00"))
	f.Add(uint8(2), event.CohortType, []byte("\x02c\x02i\x00\x00\x00\x02\x02s\x02v\x00"))
	for _, n := range huge {
		f.Add(uint8(3), full.Type, append([]byte("\x00\x02c"), n...))
		f.Add(uint8(4), full.Type, n)
	}
	f.Fuzz(func(t *testing.T, which uint8, ceType string, datum []byte) {
		which %= uint8(len(texts))
		var headers []event.Header
		value := frame(uint32(which)+1, datum)
		if int(which) < len(kinds) {
			headers = []event.Header{header("ce_type", ceType), header("ce_time", "2024-06-10T09:59:59Z"), header("ce_id", "1"), header("ce_source", "s"), header("ce_specversion", "1.0")}
		}
		before := bytes.Clone(value)
		var ev *event.Event
		var fault *event.Fault
		frugaltest.Run(t, len(value)+len(ceType), decodePerByte, decodeBase, func() { ev, fault = decodeBy(own, headers, value) })
		if !bytes.Equal(before, value) {
			t.Fatal("the value was changed")
		}
		if fault != nil && (!codes[fault.Code] || fault.Error() == "") {
			t.Fatalf("not a coded fault: %v", fault)
		}
		if int(which) < len(kinds) && headers != nil && strings.HasPrefix(ceType, event.TypePrefix) {
			compare(t, own, headers, kinds[which], which == 3, others[which].read(t, datum), ev, fault)
		}
		if fault != nil {
			return
		}
		if ev.Time.IsZero() || ev.Controller == "" || ev.TypeName() != ev.Type {
			t.Fatalf("half an event: %+v", ev)
		}
		for name, encode := range map[string]func(*event.Event) ([]event.Header, []byte, error){
			"JSON": event.EncodeBinary, "Avro": event.EncodeAvroStructured,
		} {
			h, v, err := encode(ev)
			if err != nil {
				t.Fatalf("%s: cannot be written: %v\n%+v", name, err, ev)
			}
			again, fault := decodeBy(own, h, v)
			if fault != nil || !reflect.DeepEqual(again, ev) {
				t.Fatalf("%s: read back differently: %v\n%+v\n%+v", name, fault, ev, again)
			}
		}
	})
}

// compare holds a datum against what another library makes of it. What is
// allowed only here, or said by the type, is passed over.
func compare(t *testing.T, own *event.Decoder, headers []event.Header, kind event.Kind, reordered bool, other []byte, ev *event.Event, fault *event.Fault) {
	t.Helper()
	if other == nil {
		if fault == nil {
			t.Fatalf("the other library refuses what is taken here: %+v", ev)
		}
		return
	}
	plain := slices.Concat(headers, []event.Header{header("content-type", "application/avro"), header("ce_dataschema", event.SchemaURN(kind))})
	want, refused := decodeBy(own, plain, other)
	switch {
	case refused != nil && refused.Code == event.CodeSchemaMismatch, fault != nil && fault.Code == event.CodeSchemaMismatch: // a type of another kind
	case fault != nil && fault.Code == event.CodeTooDeep:
	case (fault == nil) != (refused == nil):
		t.Fatalf("resolved: %v, by our own schema: %v\n%x", fault, refused, other)
	case fault != nil && (fault.Code != refused.Code || fault.Pointer != refused.Pointer):
		if reordered { // read in another order: another fault may come first
			return
		}
		t.Fatalf("resolved: %v, by our own schema: %v\n%x", fault, refused, other)
	case fault == nil && !reflect.DeepEqual(ev, want):
		t.Fatalf("\ngot  %+v\nwant %+v", ev, want)
	}
}

// What reading a schema may allocate: it is compiled against each of ours, once.
const (
	schemaBase    = 4 << 20
	schemaPerByte = 2000
)

// FuzzParseSchema holds that no schema breaks the program, or takes it long.
func FuzzParseSchema(f *testing.F) {
	texts := fuzzSchemas(f)
	for _, text := range texts {
		f.Add(text)
	}
	f.Add(`{"type":"record","name":"R","fields":[{"name":"r","type":"R"},{"name":"controller","type":["null",{"type":"enum","name":"E","symbols":["a"],"default":"a"}]}]}`)
	f.Add(`[{"type":"fixed","name":"F","size":1},"F","null"]`)
	datum := []byte("\x00\x02c\x02\x02s\x02v\x00\x00\x00\x00\x02\x02p\x02\x02k\x00\x00\x00")
	f.Fuzz(func(t *testing.T, text string) {
		var s *event.Schema
		var err error
		frugaltest.Run(t, len(text), schemaPerByte, schemaBase, func() { s, err = event.ParseSchema(text) })
		if err != nil {
			var fault *event.Fault
			if !asFault(err, &fault) || !codes[fault.Code] {
				t.Fatalf("not a coded fault: %v", err)
			}
			return
		}
		d := &event.Decoder{Schema: func(uint32) (*event.Schema, error) { return s, nil }}
		decodeBy(d, nil, frame(1, datum))
		for _, name := range []string{"ee.andmerada.use.v1", "ee.andmerada.fact.breach.v1", event.CohortType} {
			headers := []event.Header{header("ce_type", name), header("ce_time", "2024-06-10T09:59:59Z"), header("ce_id", "1"), header("ce_source", "s"), header("ce_specversion", "1.0")}
			decodeBy(d, headers, frame(1, datum))
		}
	})
}
