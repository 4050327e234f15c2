package schemas_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hamba/avro/v2"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/schemas"
)

func avroSchema(t *testing.T, name string) *avro.RecordSchema {
	t.Helper()
	text, err := fs.ReadFile(schemas.FS, "avro/"+name+".avsc")
	if err != nil {
		t.Fatal(err)
	}
	s, err := avro.ParseWithCache(string(text), "", &avro.SchemaCache{})
	if err != nil {
		t.Fatal(err)
	}
	return s.(*avro.RecordSchema)
}

// TestExamplesRoundTripThroughAvro writes each example's data as Avro and reads
// it back to the same JSON.
func TestExamplesRoundTripThroughAvro(t *testing.T) {
	t.Parallel()
	for name, text := range examples(t, "examples/*.json") {
		t.Run(path.Base(name), func(t *testing.T) {
			t.Parallel()
			ev, err := event.DecodeKafka(nil, text)
			if err != nil {
				t.Fatal(err)
			}
			canonical, err := event.Encode(ev)
			if err != nil {
				t.Fatal(err)
			}
			var want object
			if err := json.Unmarshal(canonical, &want); err != nil {
				t.Fatal(err)
			}
			schema := avroSchema(t, map[event.Kind]string{event.Processing: "processing", event.FactEvent: "fact", event.CohortPart: "cohort"}[ev.Kind])
			bytes, err := avro.Marshal(schema, toAvro(t, schema, withType(ev, want)))
			if err != nil {
				t.Fatal(err)
			}
			// The decoder that reads what sources send makes the same event of it.
			headers, _, err := event.EncodeBinary(ev)
			if err != nil {
				t.Fatal(err)
			}
			headers[len(headers)-1].Value = []byte("application/avro")
			headers = append(headers, event.Header{Key: "ce_dataschema", Value: []byte(event.SchemaURN(ev.Kind))})
			if read, err := event.DecodeKafka(headers, bytes); err != nil || !reflect.DeepEqual(read, ev) {
				t.Errorf("%v\ngot  %+v\nwant %+v", err, read, ev)
			}
			var generic object
			if err := avro.Unmarshal(schema, bytes, &generic); err != nil {
				t.Fatal(err)
			}
			got := withoutType(t, ev, fromAvro(t, schema, generic).(object))
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %v\nwant %v", got, want)
			}
		})
	}
}

// withType puts into the data what is in the CloudEvents type: the operation,
// and the kind of fact as the name of the value.
func withType(ev *event.Event, data object) object {
	data = maps.Clone(data)
	switch {
	case ev.Kind == event.Processing:
		data["operation"] = ev.Operation.String()
	case data["value"] != nil || ev.Fact.Name != event.IdentityFact && ev.Kind == event.FactEvent:
		data["value"] = object{ev.Fact.Name: data["value"]}
	}
	return data
}

func withoutType(t *testing.T, ev *event.Event, data object) object {
	t.Helper()
	if ev.Kind == event.Processing && data["operation"] != ev.Operation.String() {
		t.Errorf("operation %v", data["operation"])
	}
	delete(data, "operation")
	if value, ok := data["value"].(object); ok {
		data["value"] = value[ev.Fact.Name]
	}
	return data
}

func deref(s avro.Schema) avro.Schema {
	if ref, ok := s.(*avro.RefSchema); ok {
		return ref.Schema()
	}
	return s
}

func logical(s avro.Schema) avro.LogicalType {
	if p, ok := s.(*avro.PrimitiveSchema); ok && p.Logical() != nil {
		return p.Logical().Type()
	}
	return ""
}

// branch is the name that a type has in a union.
func branch(s avro.Schema) string {
	s = deref(s)
	if named, ok := s.(avro.NamedSchema); ok {
		return named.FullName()
	}
	if l := logical(s); l != "" {
		return string(s.Type()) + "." + string(l)
	}
	return string(s.Type())
}

func toAvro(t *testing.T, s avro.Schema, v any) any {
	t.Helper()
	s = deref(s)
	switch s := s.(type) {
	case *avro.RecordSchema:
		out, in := object{}, maps.Clone(v.(object))
		for _, f := range s.Fields() {
			value, there := in[f.Name()]
			out[f.Name()] = fieldToAvro(t, f, value, there)
			delete(in, f.Name())
		}
		if len(in) > 0 {
			t.Fatalf("the Avro record %s has no field for %v", s.Name(), slices.Collect(maps.Keys(in)))
		}
		return out
	case *avro.ArraySchema:
		list, ok := v.([]any)
		if !ok {
			list = []any{v} // one person
		}
		out := []any{}
		for _, e := range list {
			out = append(out, toAvro(t, s.Items(), e))
		}
		return out
	}
	switch {
	case logical(s) != "":
		layout := map[avro.LogicalType]string{avro.Date: time.DateOnly, avro.TimestampMillis: time.RFC3339Nano}[logical(s)]
		at, err := time.Parse(layout, v.(string))
		if err != nil {
			t.Fatal(err)
		}
		return at
	case s.Type() == avro.Long:
		return int64(v.(float64))
	case s.Type() == avro.Int:
		return int(v.(float64))
	}
	return v
}

func fieldToAvro(t *testing.T, f *avro.Field, v any, there bool) any {
	t.Helper()
	union, ok := f.Type().(*avro.UnionSchema)
	if !ok {
		if !there {
			return []any{}
		}
		return toAvro(t, f.Type(), v)
	}
	if !there {
		return object(nil) // the null branch
	}
	types := union.Types()
	if state := deref(types[1]); strings.HasSuffix(branch(state), ".FactState") && (v == nil || v == "unknown") {
		if v == nil {
			v = "none"
		}
		return object{branch(state): v}
	}
	last := types[len(types)-1]
	return object{branch(last): toAvro(t, last, v)}
}

func fromAvro(t *testing.T, s avro.Schema, v any) any {
	t.Helper()
	s = deref(s)
	switch s := s.(type) {
	case *avro.RecordSchema:
		out, in := object{}, v.(object)
		for _, f := range s.Fields() {
			value := in[f.Name()]
			if union, ok := f.Type().(*avro.UnionSchema); ok {
				if value == nil {
					continue
				}
				kind := union.Types()[len(union.Types())-1]
				if m, ok := value.(object); ok && len(m) == 1 {
					for _, candidate := range union.Types() {
						if inner, there := m[branch(candidate)]; there {
							kind, value = candidate, inner
							break
						}
					}
				}
				if strings.HasSuffix(branch(kind), ".FactState") {
					out[f.Name()] = map[any]any{"none": nil, "unknown": "unknown"}[value]
					continue
				}
				out[f.Name()] = fromAvro(t, kind, value)
				continue
			}
			converted := fromAvro(t, f.Type(), value)
			if list, ok := converted.([]any); ok && len(list) == 0 {
				continue
			} else if ok && len(list) == 1 && f.Name() == "person" {
				converted = list[0]
			}
			out[f.Name()] = converted
		}
		return out
	case *avro.ArraySchema:
		out := []any{}
		for _, e := range v.([]any) {
			out = append(out, fromAvro(t, s.Items(), e))
		}
		return out
	}
	switch v := v.(type) {
	case time.Time:
		if logical(s) == avro.Date {
			return v.UTC().Format(time.DateOnly)
		}
		return v.UTC().Format(time.RFC3339Nano)
	case int64:
		return float64(v)
	case int:
		return float64(v)
	}
	return v
}

// TestFieldsAgree holds the names of JSON Schema and Avro against each other.
func TestFieldsAgree(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"processing", "fact", "cohort"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inAvro, inJSON := map[string]bool{}, map[string]bool{}
			avroPaths(avroSchema(t, name), "", inAvro)
			if name == "fact" {
				for _, fact := range event.FactNames() {
					paths := map[string]bool{}
					jsonPaths(t, "json/fact/"+strings.ReplaceAll(fact, "_", "-")+".schema.json", "/$defs/data", "", paths)
					for p := range paths {
						if rest, ok := strings.CutPrefix(p, "/value"); ok {
							p = "/value/" + fact + rest
							inJSON["/value"] = true
						}
						inJSON[p] = true
					}
				}
			} else {
				jsonPaths(t, "json/"+name+".schema.json", "/$defs/data", "", inJSON)
			}
			delete(inAvro, "/operation") // in the CloudEvents type
			for p := range inAvro {
				if !inJSON[p] {
					t.Errorf("%s is in Avro alone", p)
				}
			}
			for p := range inJSON {
				if !inAvro[p] && path.Base(p) != "note" {
					t.Errorf("%s is in JSON Schema alone", p)
				}
			}
			if len(inJSON) < 6 {
				t.Errorf("only %d fields found", len(inJSON))
			}
		})
	}
}

func avroPaths(s avro.Schema, at string, out map[string]bool) {
	switch s := deref(s).(type) {
	case *avro.RecordSchema:
		for _, f := range s.Fields() {
			out[at+"/"+f.Name()] = true
			avroPaths(f.Type(), at+"/"+f.Name(), out)
		}
	case *avro.ArraySchema:
		avroPaths(s.Items(), at, out)
	case *avro.UnionSchema:
		for _, kind := range s.Types() {
			avroPaths(kind, at, out)
		}
	}
}

// jsonPaths lists the members that a schema names, following references.
func jsonPaths(t *testing.T, file, pointer, at string, out map[string]bool) {
	t.Helper()
	text, err := fs.ReadFile(schemas.FS, file)
	if err != nil {
		t.Fatal(err)
	}
	var node any
	if err := json.Unmarshal(text, &node); err != nil {
		t.Fatal(err)
	}
	for _, token := range strings.Split(pointer, "/")[1:] {
		node = node.(object)[token]
	}
	var walk func(node any, at string)
	walk = func(node any, at string) {
		m, ok := node.(object)
		if !ok {
			return
		}
		if ref, ok := m["$ref"].(string); ok {
			other, fragment, _ := strings.Cut(ref, "#")
			target := file
			if other != "" {
				target = path.Join(path.Dir(file), other)
			}
			jsonPaths(t, target, fragment, at, out)
		}
		if properties, ok := m["properties"].(object); ok {
			for name, p := range properties {
				out[at+"/"+name] = true
				walk(p, at+"/"+name)
			}
		}
		for _, part := range []string{"then", "else", "items"} {
			walk(m[part], at)
		}
	}
	if node == nil {
		t.Fatal(fmt.Errorf("%s has no %s", file, pointer))
	}
	walk(node, at)
}

// TestEnumsHaveAStandIn: a reader with an older schema takes a symbol that it
// does not know for the default.
func TestEnumsHaveAStandIn(t *testing.T) {
	t.Parallel()
	n := 0
	for _, name := range []string{"processing", "fact", "cohort"} {
		var walk func(s avro.Schema)
		walk = func(s avro.Schema) {
			switch s := s.(type) {
			case *avro.RecordSchema:
				for _, f := range s.Fields() {
					if u, ok := f.Type().(*avro.UnionSchema); ok && (u.Types()[0].Type() != avro.Null || !f.HasDefault()) {
						t.Errorf("%s: %s has no null default", name, f.Name())
					}
					walk(f.Type())
				}
			case *avro.ArraySchema:
				walk(s.Items())
			case *avro.UnionSchema:
				for _, kind := range s.Types() {
					walk(kind)
				}
			case *avro.EnumSchema:
				n++
				if !s.HasDefault() {
					t.Errorf("%s: enum %s has no default symbol", name, s.Name())
				}
			}
		}
		walk(avroSchema(t, name))
	}
	if n < 4 {
		t.Errorf("only %d enums seen", n)
	}
}
