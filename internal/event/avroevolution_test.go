package event_test

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/avro"

	"github.com/andmerada/andmerada/internal/event"
)

type object = map[string]any

// fullEvent has a value in every part of a processing event.
func fullEvent(t testing.TB) *event.Event {
	t.Helper()
	ev, err := event.DecodeKafka(benchHeaders, []byte(benchData))
	if err != nil {
		t.Fatal(err)
	}
	ev.Statements.Consents = event.List[event.Consent]{Known: true, Entries: []event.Consent{{
		Controller: "elektrum", Purpose: "p", GivenAt: time.UnixMilli(1700000000123).UTC(), Form: "oral", RegisteredCRM: event.BoolValue(true),
	}}}
	ev.Channel, ev.DataSource, ev.Basis.Reference = "email", "elektrum/crm", "§4.10"
	ev.Recipient = event.Recipient{ID: "r", Organisation: "Õ", Code: "123", Country: "EE"}
	return ev
}

// generic is the data of an event as maps, by our own schema.
func generic(t testing.TB, ev *event.Event) object {
	t.Helper()
	data, err := event.EncodeAvro(ev)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	rest, err := parse(t, event.AvroSchema(ev.Kind)).Decode(data, &v, avro.TaggedUnions())
	if err != nil || len(rest) > 0 {
		t.Fatal(err, rest)
	}
	return v.(object)
}

func parse(t testing.TB, text string) *avro.Schema {
	t.Helper()
	s, err := avro.Parse(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return s
}

func encodeBy(t testing.TB, schema string, v any) []byte {
	t.Helper()
	data, err := parse(t, schema).Encode(v)
	if err != nil {
		t.Fatalf("%v\n%s", err, schema)
	}
	return data
}

// twmb reads data by another library.
type twmb struct{ reader, resolved *avro.Schema }

// byTwmb resolves a writer's schema with another library.
func byTwmb(t testing.TB, kind event.Kind, writer string) twmb {
	t.Helper()
	reader := parse(t, event.AvroSchema(kind))
	resolved, err := avro.Resolve(parse(t, writer), reader)
	if err != nil {
		return twmb{}
	}
	return twmb{reader: reader, resolved: resolved}
}

// read gives a datum as one by our own schema; nil if it is refused.
func (b twmb) read(t testing.TB, datum []byte) []byte {
	t.Helper()
	if b.resolved == nil {
		return nil
	}
	var v any
	rest, err := b.resolved.Decode(datum, &v, avro.TaggedUnions())
	if err != nil || len(rest) > 0 {
		return nil
	}
	out, err := b.reader.Encode(v)
	if err != nil {
		t.Fatalf("%v\n%v", err, v)
	}
	return out
}

func frame(id uint32, datum []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, id), datum...)
}

// headersOf are those of an event in binary mode.
func headersOf(t testing.TB, ev *event.Event) []event.Header {
	t.Helper()
	headers, _, err := event.EncodeConfluent(ev, 1)
	if err != nil {
		t.Fatal(err)
	}
	return headers
}

func decodeBy(d *event.Decoder, headers []event.Header, value []byte) (*event.Event, *event.Fault) {
	ev := new(event.Event)
	err := d.Decode(ev, headers, value)
	if err == nil {
		return ev, nil
	}
	var fault *event.Fault
	if !errors.As(err, &fault) {
		panic(err)
	}
	return nil, fault
}

// shape is our own schema as JSON, to be changed.
func shape(t testing.TB, kind event.Kind) object {
	t.Helper()
	var s object
	if err := json.Unmarshal([]byte(event.AvroSchema(kind)), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// renameTags renames the branches of unions as in another namespace.
func renameTags(v object) {
	for key, inner := range v {
		if name, ours := strings.CutPrefix(key, "ee.andmerada.v1."); ours {
			delete(v, key)
			if other := map[string]string{"Actor": "Who", "Recipient": "Whom"}[name]; other != "" {
				name = other
			}
			v["com.acme."+name] = inner
		}
		if inner, ok := inner.(object); ok {
			renameTags(inner)
		}
	}
}

func field(s object, name string) object {
	for _, f := range s["fields"].([]any) {
		if f.(object)["name"] == name {
			return f.(object)
		}
	}
	panic("no field " + name)
}

func drop(s object, names ...string) {
	s["fields"] = slices.DeleteFunc(s["fields"].([]any), func(f any) bool { return slices.Contains(names, f.(object)["name"].(string)) })
}

func insert(s object, at int, name string, typ any) {
	s["fields"] = slices.Insert(s["fields"].([]any), at, any(object{"name": name, "type": typ}))
}

func fromJSON(text string) (v any) {
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		panic(err)
	}
	return v
}

// record is the record type of a field that may be null.
func record(f object) object { return f["type"].([]any)[1].(object) }

// TestEvolution reads what older, newer and foreign writers' schemas make, and
// holds it against what another library makes of it.
func TestEvolution(t *testing.T) {
	t.Parallel()
	nothing := func(*event.Event) {}
	tests := []struct {
		name   string
		change func(s, v object)
		want   func(ev *event.Event) // what differs from the event as written
		code   event.Code
		at     string
		alone  bool // the other library has no such rule
	}{
		{name: "the same", want: nothing},
		{name: "field dropped", change: func(s, v object) { drop(s, "reason", "statements") }, want: func(ev *event.Event) { ev.Reason, ev.Statements = "", event.Facts{} }},
		{name: "list dropped", change: func(s, v object) { drop(s, "fields") }, want: func(ev *event.Event) { ev.Fields = nil }},
		{name: "operation dropped", change: func(s, v object) { drop(s, "operation") }, want: nothing},
		{name: "required field dropped", change: func(s, v object) { drop(s, "purpose") }, code: event.CodeSchemaMismatch, at: "/data"},
		{name: "persons dropped", change: func(s, v object) { drop(s, "person") }, code: event.CodeMissing, at: "/data/person"},
		{name: "fields added", change: func(s, v object) {
			insert(s, 0, "a", "string")
			insert(s, 3, "b", fromJSON(`{"type":"map","values":{"type":"array","items":["null","long","double"]}}`))
			insert(s, 5, "c", fromJSON(`{"type":"record","name":"Tree","fields":[{"name":"next","type":["null","Tree"]},{"name":"x","type":"float"}]}`))
			insert(s, 7, "d", fromJSON(`{"type":"fixed","name":"F","size":7}`))
			insert(s, 9, "e", fromJSON(`{"type":"enum","name":"E","symbols":["A","B"]}`))
			s["fields"] = append(s["fields"].([]any), object{"name": "z", "type": "bytes"})
			v["a"], v["b"] = "x", object{"k": []any{nil, object{"long": int64(1) << 40}, object{"double": 1.5}}, "l": []any{}}
			v["c"] = object{"next": object{"Tree": object{"next": nil, "x": float32(1)}}, "x": float32(2)}
			v["d"], v["e"], v["z"] = []byte("1234567"), "B", []byte{0, 1}
		}, want: nothing},
		{name: "arrays of nothing added", change: func(s, v object) {
			insert(s, 0, "a", fromJSON(`{"type":"array","items":"null"}`))
			insert(s, 0, "b", fromJSON(`{"type":"array","items":{"type":"record","name":"Empty","fields":[]}}`))
			v["a"], v["b"] = []any{nil, nil, nil}, []any{object{}, object{}}
		}, want: nothing},
		{name: "other order", change: func(s, v object) { slices.Reverse(s["fields"].([]any)) }, want: nothing},
		{name: "renamed by the writer", change: func(s, v object) {
			f := field(s, "purpose")
			f["name"], f["aliases"] = "ziel", []any{"purpose"}
			v["ziel"] = v["purpose"]
		}, want: nothing, alone: true},
		{name: "renamed without alias", change: func(s, v object) {
			field(s, "purpose")["name"] = "ziel"
			v["ziel"] = v["purpose"]
		}, code: event.CodeSchemaMismatch, at: "/data"},
		{name: "int for long", change: func(s, v object) {
			field(s, "records")["type"] = fromJSON(`["null","int"]`)
			v["records"] = object{"int": int32(1)}
		}, want: nothing},
		{name: "bytes for string", change: func(s, v object) {
			field(s, "purpose")["type"] = "bytes"
			v["purpose"] = []byte(v["purpose"].(string))
			field(s, "categories")["type"] = fromJSON(`{"type":"array","items":"bytes"}`)
			var list []any
			for _, c := range v["categories"].([]any) {
				list = append(list, []byte(c.(string)))
			}
			v["categories"] = list
			delete(field(s, "categories"), "default")
		}, want: nothing},
		{name: "string for long", change: func(s, v object) { field(s, "records")["type"] = fromJSON(`["null","string"]`) }, code: event.CodeSchemaMismatch, at: "/data"},
		{name: "long for string", change: func(s, v object) { field(s, "purpose")["type"] = "long"; v["purpose"] = int64(1) }, code: event.CodeSchemaMismatch, at: "/data"},
		{name: "double for long", change: func(s, v object) {
			field(s, "records")["type"] = "double"
			delete(field(s, "records"), "default")
			v["records"] = 1.0
		}, code: event.CodeSchemaMismatch, at: "/data"},
		{name: "what may be null is there", change: func(s, v object) {
			field(s, "reason")["type"] = "string"
			delete(field(s, "reason"), "default")
			v["reason"] = "why"
		}, want: func(ev *event.Event) { ev.Reason = "why" }},
		{name: "what must be there may be null", change: func(s, v object) {
			field(s, "purpose")["type"] = fromJSON(`["null","string"]`)
			v["purpose"] = object{"string": "p/q"}
		}, want: func(ev *event.Event) { ev.Purpose = "p/q" }, alone: true},
		{name: "what must be there is null", change: func(s, v object) {
			field(s, "purpose")["type"] = fromJSON(`["null","string"]`)
			v["purpose"] = nil
		}, code: event.CodeMissing, at: "/data/purpose"},
		{name: "null last", change: func(s, v object) {
			field(s, "reason")["type"] = fromJSON(`["string","null"]`)
			delete(field(s, "reason"), "default")
		}, want: nothing},
		{name: "more branches", change: func(s, v object) { field(s, "reason")["type"] = fromJSON(`["null","int","string","boolean"]`) }, want: nothing, alone: true},
		{name: "a branch that is not ours", change: func(s, v object) {
			field(s, "reason")["type"] = fromJSON(`["null","int","string"]`)
			v["reason"] = object{"int": int32(7)}
		}, code: event.CodeWrongType, at: "/data/reason"},
		{name: "new symbol", change: func(s, v object) {
			e := field(s, "operation")["type"].(object)
			e["symbols"] = append([]any{"teleport"}, e["symbols"].([]any)...)
			v["operation"] = "teleport"
		}, want: nothing},
		{name: "fewer symbols, in another order", change: func(s, v object) {
			e := field(s, "operation")["type"].(object)
			e["symbols"] = []any{"disclose", "unspecified"}
			v["operation"] = "disclose"
		}, want: nothing},
		{name: "another operation than the type's", change: func(s, v object) { v["operation"] = "erase" }, code: event.CodeBadValue, at: "/data/operation"},
		{name: "new symbol of the actor's kind", change: func(s, v object) {
			e := record(field(record(field(s, "actor")), "kind"))
			e["symbols"] = append(e["symbols"].([]any), "robot")
			v["actor"].(object)["ee.andmerada.v1.Actor"].(object)["kind"] = object{"ee.andmerada.v1.ActorKind": "robot"}
		}, want: func(ev *event.Event) { ev.Actor.Kind = event.ActorUnstated }},
		{name: "a string for an enum", change: func(s, v object) {
			field(record(field(s, "actor")), "kind")["type"] = fromJSON(`["null","string"]`)
			v["actor"].(object)["ee.andmerada.v1.Actor"].(object)["kind"] = object{"string": "human"}
		}, want: nothing, alone: true},
		{name: "an enum for a string", change: func(s, v object) {
			field(s, "channel")["type"] = fromJSON(`["null",{"type":"enum","name":"Channel","symbols":["fax","email"]}]`)
			v["channel"] = object{"ee.andmerada.v1.Channel": "email"}
		}, want: nothing, alone: true},
		{name: "times in microseconds", change: func(s, v object) {
			consent := record(field(record(field(s, "statements")), "consent"))["items"].(object)
			field(consent, "given_at")["type"] = fromJSON(`["null",{"type":"long","logicalType":"timestamp-micros"}]`)
			entry := v["statements"].(object)["ee.andmerada.v1.Facts"].(object)["consent"].(object)["array"].([]any)[0].(object)
			entry["given_at"] = object{"long": int64(1700000000123456)}
		}, want: nothing, alone: true},
		{name: "times without a zone", change: func(s, v object) {
			consent := record(field(record(field(s, "statements")), "consent"))["items"].(object)
			field(consent, "given_at")["type"] = fromJSON(`["null",{"type":"long","logicalType":"local-timestamp-millis"}]`)
		}, code: event.CodeSchemaMismatch, at: "/data", alone: true},
		{name: "other names", change: func(s, v object) {
			s["name"], s["namespace"] = "AccessLog", "com.acme"
			record(field(s, "actor"))["name"], record(field(s, "recipient"))["name"] = "Who", "Whom"
			renameTags(v)
			drop(s, "statements")
		}, want: func(ev *event.Event) { ev.Statements = event.Facts{} }, alone: true},
		{name: "few facts", change: func(s, v object) {
			facts := record(field(s, "statements"))
			facts["fields"] = []any{field(facts, "consent"), field(facts, "necessity"), object{"name": "moon_phase", "type": "int"}}
			v["statements"].(object)["ee.andmerada.v1.Facts"].(object)["moon_phase"] = int32(3)
		}, want: func(ev *event.Event) {
			for f := range ev.Statements.Stated() {
				if f != event.Necessity {
					ev.Statements.Set(f, event.Value{})
				}
			}
		}},
		{name: "a plain boolean for a fact", change: func(s, v object) {
			facts := record(field(s, "statements"))
			facts["fields"] = []any{object{"name": "necessity", "type": "boolean"}}
			v["statements"] = object{"ee.andmerada.v1.Facts": object{"necessity": true}}
		}, want: func(ev *event.Event) {
			ev.Statements = event.Facts{}
			ev.Statements.Set(event.Necessity, event.BoolValue(true))
		}},
		{name: "a fact of another type", change: func(s, v object) {
			facts := record(field(s, "statements"))
			facts["fields"] = []any{object{"name": "necessity", "type": "string"}}
			v["statements"] = object{"ee.andmerada.v1.Facts": object{"necessity": "yes"}}
		}, code: event.CodeSchemaMismatch, at: "/data"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ev := fullEvent(t)
			s, v := shape(t, event.Processing), generic(t, ev)
			if test.change != nil {
				test.change(s, v)
			}
			text, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			if test.at == "/data" && test.code == event.CodeSchemaMismatch { // the schema alone decides
				schemaOnly(t, string(text), test.alone)
				return
			}
			datum := encodeBy(t, string(text), v)
			decoder, headers := registry(t, string(text)), headersOf(t, ev)
			got, fault := decodeBy(decoder, headers, frame(1, datum))
			if test.code != "" {
				if fault == nil || fault.Code != test.code || fault.Pointer != test.at {
					t.Fatalf("got %v, want %s at %s", fault, test.code, test.at)
				}
			} else {
				if fault != nil {
					t.Fatal(fault)
				}
				test.want(ev)
				if !reflect.DeepEqual(got, ev) {
					t.Errorf("\ngot  %+v\nwant %+v", got, ev)
				}
			}
			if !test.alone {
				agree(t, decoder, headers, event.Processing, string(text), datum)
			}
			for n := range len(datum) {
				if _, fault := decodeBy(decoder, headers, frame(1, datum[:n])); fault == nil {
					t.Fatalf("the first %d of %d bytes are accepted", n, len(datum))
				}
			}
			if _, fault := decodeBy(decoder, headers, frame(1, append(datum, 0))); fault == nil {
				t.Error("a byte more is accepted")
			}
		})
	}
}

// schemaOnly holds that a schema is refused, by the other library as well.
func schemaOnly(t *testing.T, text string, alone bool) {
	t.Helper()
	_, fault := decodeBy(registry(t, text), headersOf(t, fullEvent(t)), frame(1, nil))
	if fault == nil || fault.Code != event.CodeSchemaMismatch || fault.Pointer != "/data" {
		t.Errorf("got %v", fault)
	}
	if _, err := avro.Resolve(parse(t, text), parse(t, event.AvroSchema(event.Processing))); err == nil && !alone {
		t.Error("the other library resolves it")
	}
}

// agree holds that both libraries make the same of a datum: what the other one
// makes of it is read by our own schema, without any resolution.
func agree(t testing.TB, d *event.Decoder, headers []event.Header, kind event.Kind, writer string, datum []byte) {
	t.Helper()
	got, fault := decodeBy(d, headers, frame(1, datum))
	other := byTwmb(t, kind, writer).read(t, datum)
	if other == nil {
		if fault == nil {
			t.Fatalf("the other library refuses what is taken here: %x\n%+v", datum, got)
		}
		return
	}
	plain := append(slices.Clone(headers), event.Header{Key: "ce_dataschema", Value: []byte(event.SchemaURN(kind))})
	want, refused := decodeBy(new(event.Decoder), plain, other)
	switch {
	case (fault == nil) != (refused == nil):
		t.Fatalf("resolved: %v, by our own schema: %v\n%x\n%x", fault, refused, datum, other)
	case fault == nil && !reflect.DeepEqual(got, want):
		t.Fatalf("%x\ngot  %+v\nwant %+v", datum, got, want)
	}
}

// TestOurOwnEvolution: what we may change in our own schemas, while sources
// still write by the ones they have.
func TestOurOwnEvolution(t *testing.T) {
	t.Parallel()
	tests := map[string]func(older, newer, v object){
		"renamed with alias": func(older, newer, v object) {
			field(older, "purpose")["name"] = "goal"
			v["goal"] = v["purpose"]
			field(newer, "purpose")["aliases"] = []any{"goal"}
		},
		"added with default": func(_, newer, _ object) {
			newer["fields"] = append(newer["fields"].([]any), object{"name": "new", "type": []any{"null", "string"}, "default": nil})
		},
		"dropped": func(_, newer, _ object) { drop(newer, "reason", "statements") },
		"symbol dropped": func(_, newer, _ object) {
			field(newer, "operation")["type"].(object)["symbols"] = []any{"unspecified", "access"}
		},
		"int made long": func(older, _, v object) {
			field(older, "records")["type"] = fromJSON(`["null","int"]`)
			v["records"] = object{"int": int32(1)}
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ev := fullEvent(t)
			older, newer, v := shape(t, event.Processing), shape(t, event.Processing), generic(t, ev)
			change(older, newer, v)
			text := func(s object) string {
				b, err := json.Marshal(s)
				if err != nil {
					t.Fatal(err)
				}
				return string(b)
			}
			s, err := event.SchemaAgainst(text(older), event.Processing, text(newer))
			if err != nil {
				t.Fatal(err)
			}
			d := &event.Decoder{Schema: func(uint32) (*event.Schema, error) { return s, nil }}
			got, fault := decodeBy(d, headersOf(t, ev), frame(1, encodeBy(t, text(older), v)))
			if fault != nil {
				t.Fatal(fault)
			}
			if name == "dropped" {
				ev.Reason, ev.Statements = "", event.Facts{}
			}
			if !reflect.DeepEqual(got, ev) {
				t.Errorf("\ngot  %+v\nwant %+v", got, ev)
			}
		})
	}
}

// TestEveryFieldHasAPlace: a field of our schemas that nothing took would be
// lost in silence.
func TestEveryFieldHasAPlace(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, p := range event.Sinks() {
		known[p] = true
	}
	paths := event.TargetPaths()
	for _, p := range paths {
		if !known[p] {
			t.Errorf("nothing takes %s", p)
		}
	}
	if len(paths) < 150 {
		t.Errorf("only %d fields seen", len(paths))
	}
}
