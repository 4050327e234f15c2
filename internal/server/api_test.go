package server

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
)

// Each operation has an example, and where it has a body, one that the API's
// own description takes.
func TestEveryOperationHasAnExample(t *testing.T) {
	t.Parallel()
	s := &server{Config: Config{Version: "test"}}
	api := s.api(http.NewServeMux())
	all := apiOperations(api.OpenAPI())
	if len(all) < 15 {
		t.Fatalf("%d operations", len(all))
	}
	for _, o := range all {
		item := api.OpenAPI().Paths[o.Path]
		op := item.Post
		if o.Method == http.MethodGet {
			op = item.Get
		}
		if ok := op.Responses["200"]; ok != nil && ok.Content["application/json"] != nil && len(o.Answer) == 0 {
			t.Errorf("%s does not say what it answers", o.ID)
		}
		if o.Summary == "" || !strings.Contains(o.Example, "curl") || strings.Contains(o.Example, "{topic}") {
			t.Errorf("%s: %+v", o.ID, o)
		}
		_, after, found := strings.Cut(o.Example, "--data '")
		if o.Method != http.MethodPost {
			continue
		}
		text, _, _ := strings.Cut(after, "' \\\n")
		if !found || !json.Valid([]byte(text)) || text == "null" {
			t.Errorf("%s: %s", o.ID, o.Example)
			continue
		}
		var value any
		if err := json.Unmarshal([]byte(text), &value); err != nil {
			t.Fatal(err)
		}
		if errs := invalid(api, op, value); len(errs) > 0 {
			t.Errorf("%s: %v in %s", o.ID, errs, text)
		}
	}
}

func invalid(api huma.API, op *huma.Operation, value any) []error {
	var result huma.ValidateResult
	huma.Validate(api.OpenAPI().Components.Schemas, op.RequestBody.Content["application/json"].Schema, huma.NewPathBuffer(nil, 0), huma.ModeWriteToServer, value, &result)
	return result.Errors
}
