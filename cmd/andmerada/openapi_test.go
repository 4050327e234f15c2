package main

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// TestOpenAPIIsCurrent: what clients code against is what the server says.
func TestOpenAPIIsCurrent(t *testing.T) {
	t.Parallel()
	committed, err := os.ReadFile("../../schemas/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd := newRootCommand()
	cmd.SetArgs([]string{"openapi"})
	cmd.SetOut(&out)
	if err := cmd.Execute(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), committed) {
		t.Error("schemas/openapi.yaml is not what the server says: make generate")
	}
}

// described is what the test below reads of a description.
type described struct {
	Paths map[string]map[string]struct {
		OperationID string `json:"operationId"`
		Parameters  []struct {
			Name     string `json:"name"`
			Required bool   `json:"required"`
			Example  any    `json:"example"`
		} `json:"parameters"`
		RequestBody struct {
			Content map[string]media `json:"content"`
		} `json:"requestBody"`
		Responses map[string]struct {
			Content map[string]media `json:"content"`
		} `json:"responses"`
	} `json:"paths"`
}

type media struct {
	Example any `json:"example"`
	Schema  struct {
		Format string `json:"format"`
	} `json:"schema"`
}

// TestOpenAPIExamples: each operation has an example of what is asked and of what
// is answered, and each is what its schema says, to a validator by others.
func TestOpenAPIExamples(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../schemas/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if text, err = yaml.YAMLToJSON(text); err != nil {
		t.Fatal(err)
	}
	whole, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var doc described
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("urn:openapi", whole); err != nil {
		t.Fatal(err)
	}
	n := 0
	check := func(where string, example any, pointer ...string) {
		t.Helper()
		for i, token := range pointer {
			pointer[i] = url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(token))
		}
		schema, err := c.Compile("urn:openapi#/" + strings.Join(pointer, "/"))
		if err != nil {
			t.Fatal(err)
		}
		// Read as the validator reads numbers.
		again, err := json.Marshal(example)
		if err != nil {
			t.Fatal(err)
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(again))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(value); err != nil {
			t.Errorf("%s: %v", where, err)
		}
		n++
	}
	for path, item := range doc.Paths {
		for method, op := range item {
			asked := false
			for _, p := range op.Parameters {
				asked = asked || p.Example != nil
				if p.Required && p.Example == nil {
					t.Errorf("%s has no example of %s", op.OperationID, p.Name)
				}
			}
			for kind, content := range op.RequestBody.Content {
				asked = true
				if content.Example == nil {
					if content.Schema.Format != "binary" {
						t.Errorf("%s has no example of what is asked as %s", op.OperationID, kind)
					}
					continue
				}
				check(op.OperationID+" asks", content.Example, "paths", path, method, "requestBody", "content", kind, "schema")
			}
			if !asked {
				t.Errorf("%s has no example of what is asked", op.OperationID)
			}
			for status, response := range op.Responses {
				content, is := response.Content["application/json"]
				if !strings.HasPrefix(status, "2") || !is {
					continue
				}
				if content.Example == nil {
					t.Errorf("%s has no example of what it answers", op.OperationID)
					continue
				}
				check(op.OperationID+" answers", content.Example, "paths", path, method, "responses", status, "content", "application/json", "schema")
			}
		}
	}
	if n < 30 {
		t.Errorf("only %d examples", n)
	}
}
