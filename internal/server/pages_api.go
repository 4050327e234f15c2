package server

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/andmerada/andmerada/internal/access"
)

// apiOperation is an operation of the API, as its page draws it.
type apiOperation struct {
	ID, Method, Path, Summary, Description string
	Parameters, Body, Answer               []apiField
	Example                                string // how to call it
	Statuses                               []string
}

// apiField is a parameter, or a member of a JSON object, by its path in it.
type apiField struct {
	Name, Kind, Text string
	Required         bool
}

// apiPage describes the API, to anybody.
func (s *server) apiPage(w http.ResponseWriter, r *http.Request) {
	if who, err := s.Access.Who(w, r); err == nil {
		r = r.WithContext(access.With(r.Context(), who)) // for what is offered beside it
	}
	s.render(w, r, http.StatusOK, apiView(s.frame(r, "API", "/api"), s.description.Info, apiOperations(s.description)))
}

// apiOperations are those of a description, in the order of their addresses.
func apiOperations(d *huma.OpenAPI) (all []apiOperation) {
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		item := d.Paths[path]
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op != nil {
				all = append(all, describe(d.Components.Schemas, op, path))
			}
		}
	}
	return all
}

func describe(schemas huma.Registry, op *huma.Operation, path string) apiOperation {
	o := apiOperation{ID: op.OperationID, Method: op.Method, Path: path, Summary: op.Summary, Description: op.Description}
	address := path
	var query []string
	for _, p := range op.Parameters {
		text := p.Description
		if p.Schema != nil && text == "" {
			text = p.Schema.Description
		}
		o.Parameters = append(o.Parameters, apiField{p.Name, p.In, text, p.Required})
		example := p.Example
		if example == nil && p.Schema != nil {
			example = exampleOf(schemas, p.Schema, 0)
		}
		switch {
		case p.In == "path":
			address = strings.ReplaceAll(address, "{"+p.Name+"}", fmt.Sprint(example))
		case p.In == "query" && p.Required:
			query = append(query, p.Name+"="+fmt.Sprint(example))
		}
	}
	if len(query) > 0 {
		address += "?" + strings.Join(query, "&")
	}
	o.Example = "curl -H \"Authorization: Bearer $TOKEN\""
	if op.RequestBody != nil && len(op.RequestBody.Content) > 0 {
		kind := slices.Sorted(maps.Keys(op.RequestBody.Content))[0]
		content := op.RequestBody.Content[kind]
		example := content.Example
		if content.Schema != nil {
			o.Body = fieldsOf(schemas, content.Schema, "", 0)
			if example == nil {
				example = exampleOf(schemas, content.Schema, 0)
			}
		}
		text, err := json.MarshalIndent(example, "", "  ")
		if err != nil {
			text = []byte("{}")
		}
		o.Example += " -H 'Content-Type: " + kind + "' \\\n  --data '" + string(text) + "'"
	}
	if op.Method != http.MethodGet && op.RequestBody == nil {
		o.Example += " -X " + op.Method
	}
	o.Example += " \\\n  http://localhost:8080" + address
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		response := op.Responses[status]
		o.Statuses = append(o.Statuses, status+" "+response.Description)
		if content := response.Content["application/json"]; content != nil && strings.HasPrefix(status, "2") {
			o.Answer = fieldsOf(schemas, content.Schema, "", 0)
		}
	}
	return o
}

// maxNested is how deep members of members are listed.
const maxNested = 3

func resolved(schemas huma.Registry, s *huma.Schema) *huma.Schema {
	for s != nil && s.Ref != "" {
		s = schemas.SchemaFromRef(s.Ref)
	}
	return s
}

// fieldsOf lists the members of an object, and theirs.
func fieldsOf(schemas huma.Registry, s *huma.Schema, prefix string, depth int) (all []apiField) {
	if s = resolved(schemas, s); s == nil || depth >= maxNested {
		return nil
	}
	if s.Items != nil {
		return fieldsOf(schemas, s.Items, prefix, depth)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		member := s.Properties[name]
		inner := resolved(schemas, member)
		if inner == nil {
			continue
		}
		text := member.Description
		if text == "" {
			text = inner.Description
		}
		kind, path := inner.Type, prefix+name
		if inner.Items != nil {
			path += "[]"
			if item := resolved(schemas, inner.Items); item != nil {
				kind = "list of " + item.Type
			}
		}
		if inner.Format != "" {
			kind += ", " + inner.Format
		}
		if len(inner.Enum) > 0 {
			values := make([]string, len(inner.Enum))
			for i, v := range inner.Enum {
				values[i] = fmt.Sprint(v)
			}
			kind = "one of " + strings.Join(values, ", ")
		}
		all = append(all, apiField{path, kind, text, slices.Contains(s.Required, name)})
		all = append(all, fieldsOf(schemas, member, path+".", depth+1)...)
	}
	return all
}

// exampleOf is a value of the schema: its own example, or what of it is
// required and what has an example.
func exampleOf(schemas huma.Registry, s *huma.Schema, depth int) any {
	if s = resolved(schemas, s); s == nil || depth > 6 {
		return nil
	}
	switch {
	case len(s.Examples) > 0:
		return s.Examples[0]
	case s.Default != nil:
		return s.Default
	case len(s.Enum) > 0:
		return s.Enum[0]
	case s.Type == "object" || len(s.Properties) > 0:
		object := make(map[string]any)
		for name, member := range s.Properties {
			inner := resolved(schemas, member)
			if slices.Contains(s.Required, name) || inner != nil && len(inner.Examples) > 0 {
				object[name] = exampleOf(schemas, member, depth+1)
			}
		}
		if names := slices.Sorted(maps.Keys(s.Properties)); len(object) == 0 && len(names) > 0 { // one of several is to be there
			object[names[0]] = exampleOf(schemas, s.Properties[names[0]], depth+1)
		}
		return object
	case s.Items != nil:
		return []any{exampleOf(schemas, s.Items, depth+1)}
	case s.Type == "integer" || s.Type == "number":
		return 0
	case s.Type == "boolean":
		return false
	default:
		return "text"
	}
}
