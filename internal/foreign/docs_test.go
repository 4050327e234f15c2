package foreign

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDocumentedPrograms holds that what docs/events.md shows of other languages
// is what these tests run.
func TestDocumentedPrograms(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(doc), "\n## From other languages\n")
	if !found {
		t.Fatal("docs/events.md says nothing of other languages")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	names, err := filepath.Glob("programs/*")
	if err != nil {
		t.Fatal(err)
	}
	var programs []string
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		programs = append(programs, string(text))
	}
	parts := strings.Split(section, "```")
	blocks := 0
	for i := 1; i < len(parts); i += 2 {
		_, text, _ := strings.Cut(parts[i], "\n") // after the name of the language
		blocks++
		known := false
		for _, program := range programs {
			known = known || strings.Contains(program, text)
		}
		if !known {
			t.Errorf("docs/events.md shows what no program here has:\n%s", text)
		}
	}
	if blocks < 4 {
		t.Errorf("%d programs are shown", blocks)
	}
}
