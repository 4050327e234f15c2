package schemas_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"path"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/schemas"
)

// entryPoint is the schema file of a CloudEvents type.
func entryPoint(ceType string) string {
	middle := strings.TrimSuffix(strings.TrimPrefix(ceType, event.TypePrefix), event.TypeSuffix)
	kind, isFact := strings.CutPrefix(middle, "fact.")
	switch {
	case isFact:
		return "json/fact/" + kind + ".schema.json"
	case ceType == event.CohortType:
		return "json/cohort.schema.json"
	default:
		return "json/processing.schema.json"
	}
}

func compile(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	err := fs.WalkDir(schemas.FS, "json", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(schemas.FS, file)
		if err != nil {
			return err
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			return err
		}
		return c.AddResource("mem:///"+file, doc)
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("mem:///" + name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func examples(t *testing.T, pattern string) map[string][]byte {
	t.Helper()
	names, err := fs.Glob(schemas.FS, pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("no examples %s: %v", pattern, err)
	}
	all := map[string][]byte{}
	for _, name := range names {
		if all[name], err = fs.ReadFile(schemas.FS, name); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func validate(t *testing.T, text []byte, schema string) error {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return compile(t, schema).Validate(doc)
}

func TestValidExamples(t *testing.T) {
	t.Parallel()
	for name, text := range examples(t, "examples/*.json") {
		t.Run(path.Base(name), func(t *testing.T) {
			t.Parallel()
			ev, err := event.DecodeKafka(nil, text)
			if err != nil {
				t.Fatal(err)
			}
			if err := validate(t, text, entryPoint(ev.Type)); err != nil {
				t.Error(err)
			}
			if ev.Kind == event.FactEvent {
				if err := validate(t, text, "json/fact.schema.json"); err != nil {
					t.Error(err)
				}
			}
			for _, f := range event.Lint(nil, text) {
				t.Errorf("lint: %+v", f)
			}
		})
	}
}

func TestInvalidExamples(t *testing.T) {
	t.Parallel()
	for name, text := range examples(t, "examples/invalid/*.json") {
		t.Run(path.Base(name), func(t *testing.T) {
			t.Parallel()
			want, _, _ := strings.Cut(path.Base(name), ".")
			_, err := event.DecodeKafka(nil, text)
			var fault *event.Fault
			if !errors.As(err, &fault) || string(fault.Code) != want {
				t.Errorf("got %v, want a fault %s", err, want)
			}
			var said struct{ Type string }
			if err := json.Unmarshal(text, &said); err != nil {
				t.Fatal(err)
			}
			if validate(t, text, entryPoint(said.Type)) == nil {
				t.Error("the JSON Schema takes it")
			}
			found := false
			for _, f := range event.Lint(nil, text) {
				found = found || string(f.Code) == want && f.Severity == event.SeverityError && f.Line > 0
			}
			if !found {
				t.Errorf("lint does not find %s: %+v", want, event.Lint(nil, text))
			}
		})
	}
}

func TestEveryTypeHasItsSchema(t *testing.T) {
	t.Parallel()
	for _, ceType := range event.Types() {
		if _, err := fs.Stat(schemas.FS, entryPoint(ceType)); err != nil {
			t.Errorf("%s: %v", ceType, err)
		}
	}
}
