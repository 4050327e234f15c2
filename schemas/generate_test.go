package schemas_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/andmerada/andmerada/internal/event"
)

var update = flag.Bool("update", false, "write the generated schemas anew")

type object = map[string]any

const dialect = "https://json-schema.org/draft/2020-12/schema"

// lists are the four lists of facts: members in order, with "time" for a time,
// "yesno" for true, false or unknown, "text" for a text, and the words of a
// choice.
var lists = []struct {
	name     string
	members  [][]string
	required []string
}{
	{"consent", [][]string{
		{"controller", "text"},
		{"purpose", "text"},
		{"given_at", "time"},
		{"given_by", "client", "user", "contact-person"},
		{"form", "written", "oral", "electronic"},
		{"registered_in_crm", "yesno"},
		{"withdrawn_at", "time"},
		{"withdrawal_form", "written", "reproducible-in-writing", "oral"},
		{"withdrawn_by", "client", "user", "contact-person"},
	}, []string{"purpose"}},
	{"objection", [][]string{
		{"controller", "text"},
		{"purpose", "text"},
		{"made_at", "time"},
		{"outcome", "pending", "upheld", "rejected"},
	}, []string{"purpose"}},
	{"opt_out", [][]string{
		{"controller", "text"},
		{"scope", "disclosure-for-direct-marketing", "direct-marketing", "market-opinion-research", "electronic-offers"},
		{"made_by", "text"},
		{"made_at", "time"},
	}, []string{"scope"}},
	{"request", [][]string{
		{"controller", "text"},
		{"type", "instalment", "additional-contract", "offer", "erasure", "rectification", "restriction", "access", "decision-review"},
		{"made_at", "time"},
		{"handled", "yesno"},
	}, []string{"type"}},
}

func TestGeneratedSchemasAreUpToDate(t *testing.T) {
	t.Parallel()
	for name, content := range generated(t) {
		got, err := os.ReadFile(name)
		if *update {
			if err := os.WriteFile(name, content, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s differs from what the vocabulary makes; run: go test ./schemas -update", name)
		}
	}
	committed, err := filepath.Glob("json/fact/*.json")
	if err != nil {
		t.Fatal(err)
	}
	if want := len(event.FactNames()); len(committed) != want {
		t.Errorf("json/fact has %d schemas, want one for each of the %d kinds", len(committed), want)
	}
}

func generated(t *testing.T) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	put := func(name string, v any) {
		b, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		b = bytes.ReplaceAll(b, []byte(`\u003c`), []byte("<"))
		b = bytes.ReplaceAll(b, []byte(`\u003e`), []byte(">"))
		files[name] = append(b, '\n')
	}
	put("json/facts.schema.json", factsSchema())
	anyFact := []any{}
	for _, name := range event.FactNames() {
		kind := strings.ReplaceAll(name, "_", "-")
		put("json/fact/"+kind+".schema.json", factSchema(name, kind))
		anyFact = append(anyFact, object{
			"if":   object{"properties": object{"type": object{"const": event.FactPrefix + kind + event.TypeSuffix}}, "required": []string{"type"}},
			"then": object{"$ref": "fact/" + kind + ".schema.json"},
		})
	}
	put("json/fact.schema.json", object{
		"$schema": dialect, "title": "Fact event", "description": "Something is true from a moment on; the kinds are in fact/.",
		"$ref": "common.schema.json#/$defs/envelope", "properties": object{"type": object{"pattern": `^ee\.andmerada\.fact\.[a-z-]+\.v1$`}},
		"allOf": anyFact,
	})
	put("avro/processing.avsc", avroProcessing())
	put("avro/fact.avsc", avroFact())
	put("avro/cohort.avsc", avroCohort())
	return files
}

// group is one name of a facts object: a record of scalar facts or one.
type group struct {
	name   string
	record bool
	fields []event.FieldInfo
}

func groups() []group {
	var all []group
	for _, info := range event.Vocabulary() {
		record, _, isRecord := strings.Cut(info.Name, ".")
		if last := len(all) - 1; isRecord && last >= 0 && all[last].name == record {
			all[last].fields = append(all[last].fields, info)
			continue
		}
		all = append(all, group{name: record, record: isRecord, fields: []event.FieldInfo{info}})
	}
	return all
}

func member(info event.FieldInfo) string {
	if _, m, ok := strings.Cut(info.Name, "."); ok {
		return m
	}
	return info.Name
}

func factsSchema() object {
	defs, properties := object{}, object{"note": true}
	for _, l := range lists {
		members := object{"note": true}
		for _, m := range l.members {
			members[m[0]] = entryMember(m)
		}
		defs["entry-"+l.name] = object{"type": "object", "additionalProperties": false, "required": l.required, "properties": members}
		ref := object{"$ref": "#/$defs/entry-" + l.name}
		defs[l.name] = object{
			"description": "a list of entries; empty says that there are none; one entry may stand without a list",
			"if":          object{"type": "object"}, "then": ref,
			"else": object{"if": object{"type": "array"}, "then": object{"maxItems": event.MaxEntries, "items": ref}, "else": object{"enum": []any{"unknown", nil}}},
		}
		properties[l.name] = object{"$ref": "#/$defs/" + l.name}
	}
	for _, g := range groups() {
		properties[g.name] = object{"$ref": "#/$defs/" + g.name}
		if !g.record {
			defs[g.name] = scalarSchema(g.fields[0])
			continue
		}
		members := object{"note": true}
		for _, info := range g.fields {
			members[member(info)] = scalarSchema(info)
		}
		defs[g.name] = object{
			"if":   object{"type": "object"},
			"then": object{"additionalProperties": false, "properties": members},
			"else": object{"enum": []any{"unknown", nil}},
		}
	}
	return object{
		"$schema": dialect, "title": "Facts", "$defs": defs, "properties": properties, "type": "object", "additionalProperties": false,
		"description": `What is known of a person, a recipient, a contract or an act. "unknown" says that it is not known; a name that is not there says nothing.`,
	}
}

func entryMember(m []string) object {
	switch m[1] {
	case "time":
		return object{"$ref": "common.schema.json#/$defs/time"}
	case "yesno":
		return object{"enum": []any{true, false, "unknown", nil}}
	case "text":
		return object{"type": []string{"string", "null"}, "maxLength": event.MaxName}
	}
	words := []any{}
	for _, w := range m[1:] {
		words = append(words, w)
	}
	return object{"enum": append(words, nil)}
}

func scalarSchema(info event.FieldInfo) object {
	s := object{"description": info.Meaning}
	switch {
	case info.Type == event.Bool:
		s["enum"] = []any{true, false, "unknown", nil}
	case info.Values != nil:
		words := []any{}
		for _, w := range info.Values {
			words = append(words, w)
		}
		s["enum"] = append(words, "unknown", nil)
	case info.Type == event.Day:
		s["type"], s["pattern"] = []string{"string", "null"}, `^(unknown|\d{4}-\d{2}-\d{2}(T.+)?)$`
	default:
		s["type"], s["minLength"], s["maxLength"] = []string{"string", "null"}, 1, event.MaxID
	}
	return s
}

func factSchema(name, kind string) object {
	person := object{"$ref": "../common.schema.json#/$defs/persons"}
	properties := object{
		"controller": object{"$ref": "../common.schema.json#/$defs/controller"},
		"person":     person,
		"valid_from": object{"$ref": "../common.schema.json#/$defs/time", "description": "since when it is true; the event's time if not stated"},
		"about": object{"type": []string{"object", "null"}, "properties": object{
			"actor":     object{"type": []string{"string", "null"}, "maxLength": event.MaxID, "description": "an actor's id"},
			"recipient": object{"type": []string{"string", "null"}, "maxLength": event.MaxName, "description": "a recipient of the register"},
		}},
	}
	required := []string{"controller", "value"}
	switch name {
	case event.IdentityFact:
		required[1] = "person"
		properties["person"] = object{"type": "array", "minItems": 2, "maxItems": event.MaxPersons, "items": object{"$ref": "../common.schema.json#/$defs/person"}}
	case "actor_relation":
		required = append(required, "person", "about")
		properties["about"].(object)["required"] = []string{"actor"}
	case "employee":
		required = append(required, "about")
		properties["about"].(object)["required"] = []string{"actor"}
	case "processor", "recipient_info":
		required = append(required, "about")
		properties["about"].(object)["required"] = []string{"recipient"}
	}
	data := object{"type": "object", "required": required, "properties": properties}
	if name != event.IdentityFact {
		properties["value"] = object{"$ref": "../facts.schema.json#/$defs/" + name}
		data["anyOf"] = []any{object{"required": []string{"person"}}, object{"required": []string{"about"}}}
	}
	return object{
		"$schema": dialect, "title": "Fact event: " + kind, "$ref": "../common.schema.json#/$defs/envelope",
		"properties": object{"type": object{"const": event.FactPrefix + kind + event.TypeSuffix}, "data": object{"$ref": "#/$defs/data"}},
		"$defs":      object{"data": data},
	}
}

const namespace = "ee.andmerada.v1"

func record(name, doc string, fields ...object) object {
	return object{"type": "record", "name": name, "doc": doc, "fields": fields}
}

func field(name string, typ any) object { return object{"name": name, "type": typ} }

// option is a field that may be absent.
func option(name string, types ...any) object {
	return object{"name": name, "type": append([]any{"null"}, types...), "default": nil}
}

func array(name string, items any) object {
	return object{"name": name, "type": object{"type": "array", "items": items}, "default": []any{}}
}

func enum(name, doc, standIn string, symbols ...string) object {
	return object{"type": "enum", "name": name, "doc": doc, "symbols": append([]string{standIn}, symbols...), "default": standIn}
}

var (
	millis = object{"type": "long", "logicalType": "timestamp-millis"}
	day    = object{"type": "int", "logicalType": "date"}
)

func avroPerson() object {
	return record("Person", "One data subject, by one identifier of one scheme.", field("scheme", "string"), field("value", "string"))
}

func camel(name string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(name, "_") {
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return b.String()
}

// avroFacts is the record of all facts. FactState is defined at its first use.
func avroFacts() object {
	var fields []object
	var state any = enum("FactState", "unknown: said not to be known; none: null in JSON, there is none or not yet. Where nothing is said the field is null.", "unknown", "none")
	scalar := func(name string, t event.FieldType) object {
		f := option(name, state, map[event.FieldType]any{event.Bool: "boolean", event.Text: "string", event.Day: day}[t])
		state = "FactState"
		return f
	}
	for _, l := range lists {
		var members []object
		for _, m := range l.members {
			switch m[1] {
			case "time":
				members = append(members, option(m[0], millis))
			case "yesno":
				members = append(members, scalar(m[0], event.Bool))
			default:
				members = append(members, option(m[0], "string"))
			}
		}
		fields = append(fields, option(l.name, object{"type": "array", "items": record(camel(l.name), "", members...)}))
	}
	for _, g := range groups() {
		if !g.record {
			fields = append(fields, scalar(g.name, g.fields[0].Type))
			continue
		}
		var members []object
		for _, info := range g.fields {
			members = append(members, scalar(member(info), info.Type))
		}
		fields = append(fields, option(g.name, record(camel(g.name), "", members...)))
	}
	return record("Facts", "What is known; a field that is null says nothing.", fields...)
}

func avroProcessing() object {
	var operations []string
	for _, op := range event.Operations() {
		operations = append(operations, op.String())
	}
	r := record("Processing", "Data of ee.andmerada.<operation>.v1.",
		object{"name": "operation", "default": "unspecified", "doc": "as in the CloudEvents type, which decides", "type": enum("Operation", "", "unspecified", operations...)},
		field("controller", "string"),
		array("person", avroPerson()),
		option("cohort", record("CohortRef", "", field("id", "string"), option("size", "long"))),
		option("actor", record("Actor", "", option("id", "string"), option("kind", enum("ActorKind", "", "unspecified", "human", "service", "partner")),
			option("role", "string"), option("organisation", "string"), option("on_behalf_of", "string"))),
		field("purpose", "string"),
		array("categories", "string"),
		array("fields", "string"),
		option("records", "long"),
		option("recipient", record("Recipient", "", option("id", "string"), option("organisation", "string"), option("code", "string"), option("country", "string"))),
		option("data_source", "string"),
		option("basis", record("Basis", "", option("kind", "string"), option("reference", "string"))),
		option("reason", "string"),
		option("channel", "string"),
		option("statements", avroFacts()),
	)
	r["namespace"] = namespace
	return r
}

func avroFact() object {
	r := record("Fact", "Data of ee.andmerada.fact.<kind>.v1; value has the one field that the kind names, none for identity.",
		field("controller", "string"),
		array("person", avroPerson()),
		option("value", avroFacts()),
		option("valid_from", millis),
		option("about", record("About", "", option("actor", "string"), option("recipient", "string"))),
	)
	r["namespace"] = namespace
	return r
}

func avroCohort() object {
	r := record("Cohort", "Data of ee.andmerada.cohort.v1.",
		field("controller", "string"),
		field("cohort", record("CohortPart", "", field("id", "string"), option("size", "long"), option("part", "int"), option("parts", "int"))),
		array("members", avroPerson()),
	)
	r["namespace"] = namespace
	return r
}
