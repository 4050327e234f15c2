package schemas_test

import (
	"io/fs"
	"path"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/andmerada/andmerada/schemas"
)

// TestAsyncAPI checks the form that AsyncAPI 3.0 asks for and that every
// reference leads somewhere.
func TestAsyncAPI(t *testing.T) {
	t.Parallel()
	text, err := fs.ReadFile(schemas.FS, "asyncapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var doc object
	if err := yaml.UnmarshalWithOptions(text, &doc, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	info, _ := doc["info"].(object)
	if doc["asyncapi"] != "3.0.0" || info["title"] == nil || info["version"] == nil {
		t.Errorf("asyncapi %v, info %v", doc["asyncapi"], info)
	}
	for name, op := range doc["operations"].(object) {
		if action := op.(object)["action"]; action != "send" && action != "receive" {
			t.Errorf("operation %s has the action %v", name, action)
		}
	}
	// Each form in which an event may come is there.
	messages := doc["components"].(object)["messages"].(object)
	for _, name := range []string{"processing", "fact", "cohort"} {
		for suffix, content := range map[string]string{"": "application/cloudevents+json", "Avro": "application/avro"} {
			if m, _ := messages[name+suffix].(object); m["contentType"] != content {
				t.Errorf("the message %s%s is of type %v", name, suffix, m["contentType"])
			}
		}
	}
	if m, _ := messages["eventAvro"].(object); m["contentType"] != "application/cloudevents+avro" {
		t.Errorf("a whole event in Avro is of type %v", m["contentType"])
	}
	references := 0
	var walk func(node any)
	walk = func(node any) {
		switch node := node.(type) {
		case object:
			if ref, ok := node["$ref"].(string); ok {
				references++
				if !resolves(doc, ref) {
					t.Errorf("%s leads nowhere", ref)
				}
			}
			for _, child := range node {
				walk(child)
			}
		case []any:
			for _, child := range node {
				walk(child)
			}
		}
	}
	walk(doc)
	if references < 25 {
		t.Errorf("only %d references seen", references)
	}
}

func resolves(doc object, ref string) bool {
	pointer, local := strings.CutPrefix(ref, "#/")
	if !local {
		_, err := fs.Stat(schemas.FS, path.Clean(ref))
		return err == nil
	}
	var node any = doc
	for token := range strings.SplitSeq(pointer, "/") {
		m, ok := node.(object)
		if !ok || m[token] == nil {
			return false
		}
		node = m[token]
	}
	return true
}
