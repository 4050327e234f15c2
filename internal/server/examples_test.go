package server

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
)

var update = flag.Bool("update", false, "write the answers of the examples anew")

// TestExamples asks what the example of each operation asks, and holds that it is
// answered as the example says, and as the description says.
func TestExamples(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	s := &server{Config: Config{Version: "test"}}
	api := s.api(http.NewServeMux()).OpenAPI()
	files, err := exampleFiles.ReadDir("examples")
	if err != nil {
		t.Fatal(err)
	}
	unused := make(map[string]bool)
	for _, file := range files {
		unused[strings.TrimSuffix(file.Name(), ".json")] = true
	}
	for path, item := range api.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post} {
			if op == nil {
				continue
			}
			delete(unused, op.OperationID)
			e, err := exampleFor(op.OperationID)
			if err != nil {
				t.Errorf("%v: write what it asks to internal/server/examples, and run this test with -update", err)
				continue
			}
			if !e.Made {
				tryExample(t, f, op, path, &e)
			}
			fits(t, api, op, &e)
		}
	}
	for name := range unused {
		t.Errorf("there is no operation %s for its example", name)
	}
}

// tryExample asks what an example asks.
func tryExample(t *testing.T, f *fixture, op *huma.Operation, path string, e *example) {
	t.Helper()
	query := url.Values{}
	for name, value := range e.Parameters {
		text := fmt.Sprint(value)
		if strings.Contains(path, "{"+name+"}") {
			path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(text))
		} else {
			query.Set(name, text)
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	kind := ""
	if e.Request != nil {
		kind = "application/json"
	}
	res := f.do(op.Method, path, kind, string(e.Request))
	if res.StatusCode != http.StatusOK {
		t.Errorf("%s: %d %s", op.OperationID, res.StatusCode, res.text)
		return
	}
	if res.Header.Get("Content-Type") != "application/json" {
		return // a file
	}
	if *update {
		e.Answer = json.RawMessage(strings.TrimSpace(res.text))
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(e); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join("examples", op.OperationID+".json"), b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got, want := decoded(t, []byte(res.text)), decoded(t, e.Answer); !reflect.DeepEqual(got, want) {
		t.Errorf("%s is answered otherwise than its example says: run this test with -update, and look at what changes: %s", op.OperationID, res.text)
	}
}

// fits holds that an example is what the description says of its operation.
func fits(t *testing.T, api *huma.OpenAPI, op *huma.Operation, e *example) {
	t.Helper()
	check := func(what string, schema *huma.Schema, mode huma.ValidateMode, value any) {
		t.Helper()
		var result huma.ValidateResult
		huma.Validate(api.Components.Schemas, schema, huma.NewPathBuffer(nil, 0), mode, value, &result)
		if len(result.Errors) > 0 {
			t.Errorf("%s: the example's %s is none: %v", op.OperationID, what, result.Errors)
		}
	}
	for _, p := range op.Parameters {
		value, given := e.Parameters[p.Name]
		if given {
			check(p.Name, p.Schema, huma.ModeWriteToServer, value)
		} else if p.Required {
			t.Errorf("%s: the example lacks %s", op.OperationID, p.Name)
		}
	}
	for name := range e.Parameters {
		if !slices.ContainsFunc(op.Parameters, func(p *huma.Param) bool { return p.Name == name }) {
			t.Errorf("%s has no parameter %s", op.OperationID, name)
		}
	}
	if op.RequestBody != nil {
		if e.Request == nil {
			t.Errorf("%s: the example asks nothing", op.OperationID)
		} else {
			check("body", op.RequestBody.Content["application/json"].Schema, huma.ModeWriteToServer, decoded(t, e.Request))
		}
	}
	content := op.Responses["200"].Content["application/json"]
	switch {
	case content == nil: // a file
	case e.Answer == nil:
		t.Errorf("%s: the example has no answer", op.OperationID)
	default:
		check("answer", content.Schema, huma.ModeReadFromServer, decoded(t, e.Answer))
	}
}

func decoded(t *testing.T, text []byte) (value any) {
	t.Helper()
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return value
}
