package server

import (
	"embed"
	"encoding/json"
	"fmt"

	"github.com/danielgtaylor/huma/v2"
)

// exampleFiles hold an example of each operation: what is asked, and what was
// answered to it by a trail that tests plant.
//
//go:embed examples/*.json
var exampleFiles embed.FS

// example is one of an operation: its parameters and body, and the answer.
type example struct {
	Parameters map[string]any  `json:"parameters,omitempty"`
	Request    json.RawMessage `json:"request,omitempty"`
	// Made says that the answer was written by hand: it would need what the planted
	// trail does not hold.
	Made   bool            `json:"made,omitempty"`
	Answer json.RawMessage `json:"answer,omitempty"`
}

func exampleFor(operation string) (e example, err error) {
	data, err := exampleFiles.ReadFile("examples/" + operation + ".json")
	if err == nil {
		err = json.Unmarshal(data, &e)
	}
	if err != nil {
		return e, fmt.Errorf("read the example of %s: %w", operation, err)
	}
	return e, nil
}

// describeExamples gives each operation its example. One that has none stays
// without; a test tells.
func describeExamples(api *huma.OpenAPI) {
	for _, path := range api.Paths {
		for _, op := range []*huma.Operation{path.Get, path.Post} {
			if op == nil {
				continue
			}
			e, err := exampleFor(op.OperationID)
			if err != nil {
				continue
			}
			for _, p := range op.Parameters {
				if value, ok := e.Parameters[p.Name]; ok {
					p.Example = value
				}
			}
			if op.RequestBody != nil && e.Request != nil {
				op.RequestBody.Content["application/json"].Example = e.Request
			}
			if ok := op.Responses["200"]; ok != nil && ok.Content["application/json"] != nil && e.Answer != nil {
				ok.Content["application/json"].Example = e.Answer
			}
		}
	}
}
