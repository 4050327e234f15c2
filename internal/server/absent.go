package server

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// describeAbsent says of each member of a question that need not be there that it
// may be null as well, which is as if it were left out. Of objects the library
// can describe no such thing: see [readJSON].
func describeAbsent(api *huma.OpenAPI) {
	schemas := api.Components.Schemas
	seen := make(map[*huma.Schema]bool)
	var walk func(*huma.Schema)
	walk = func(s *huma.Schema) {
		if s == nil {
			return
		}
		if s.Ref != "" {
			s = schemas.SchemaFromRef(s.Ref)
		}
		if s == nil || seen[s] {
			return
		}
		seen[s] = true
		required := make(map[string]bool)
		for _, name := range s.Required {
			required[name] = true
		}
		for name, member := range s.Properties {
			walk(member)
			if required[name] || member.Ref != "" || member.Nullable || member.Type == "" || strings.HasPrefix(name, "$") {
				continue
			}
			member.Nullable = true
			if len(member.Enum) > 0 {
				member.Enum = append(member.Enum, nil)
			}
		}
		walk(s.Items)
	}
	for _, path := range api.Paths {
		if path.Post == nil || path.Post.RequestBody == nil {
			continue
		}
		if form := path.Post.RequestBody.Content["application/json"]; form != nil {
			walk(form.Schema)
		}
	}
}

// objects are the members of questions that are objects and need not be there.
var objects = []string{"person", "event"}

var errNull = errors.New("a member that is an object is null: leave it out")

// readJSON reads a body. The library takes null for what is left out, and has
// described objects as never null, so that it is refused here.
func readJSON(data []byte, v any) error {
	if err := json.Unmarshal(data, v); err != nil {
		return err
	}
	if parsed, ok := v.(*any); ok {
		members, _ := (*parsed).(map[string]any)
		for _, name := range objects {
			if value, there := members[name]; there && value == nil {
				return errNull
			}
		}
	}
	return nil
}
