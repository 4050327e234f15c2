package project

import (
	"go/ast"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/andmerada/andmerada/internal/event"
)

// run runs a program in a directory of the project and returns what it prints.
func run(t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	}
	return string(out)
}

var target = regexp.MustCompile(`(?m)^([a-z][a-z-]*):`)

func targets(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, m := range target.FindAllStringSubmatch(read(t, "Makefile"), -1) {
		names = append(names, m[1])
	}
	return names
}

func TestMakeHelpListsEveryTarget(t *testing.T) {
	t.Parallel()
	help := run(t, root, "make", "--silent", "help")
	for _, m := range regexp.MustCompile(`(?m)^([a-z][a-z-]*):.*?## (.*)$`).FindAllStringSubmatch(read(t, "Makefile"), -1) {
		if !regexp.MustCompile(`(?m)^ +` + m[1] + ` +` + regexp.QuoteMeta(m[2]) + `$`).MatchString(help) {
			t.Errorf("`make help` does not list %s", m[1])
		}
	}
	for _, name := range targets(t) {
		if !strings.Contains(help, " "+name+" ") {
			t.Errorf("the target %s has no help: write it after ##", name)
		}
	}
}

func TestDocumentedTargetsExist(t *testing.T) {
	t.Parallel()
	have := targets(t)
	for _, must := range []string{"make demo", "make test"} {
		if !regexp.MustCompile(`(?m)^    ` + must + `\b`).MatchString(read(t, "README.md")) {
			t.Errorf("README.md does not show %q", must)
		}
	}
	for _, name := range append(markdown(t), ".ci/run") {
		text := read(t, name)
		if name == ".ci/run" {
			text = regexp.MustCompile(`(?m)^`).ReplaceAllString(text, "    ")
		}
		for _, m := range regexp.MustCompile("(?m)(?:^ {4}|`)make ([a-z][a-z-]*)").FindAllStringSubmatch(text, -1) {
			if !slices.Contains(have, m[1]) {
				t.Errorf("%s says `make %s`, which the Makefile does not have", name, m[1])
			}
		}
	}
}

// markdown lists the documents.
func markdown(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, name := range files(t) {
		if path.Ext(name) == ".md" && !strings.Contains(name, "testdata/") {
			found = append(found, name)
		}
	}
	return found
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	// A path of the project in a code span: a known directory or file first, and
	// nothing that is a pattern or stands for something else.
	pathSpan = regexp.MustCompile("`((?:cmd|internal|docs|deploy|schemas|dashboards|\\.ci)(?:/[\\w.-]+)+/?)`")
)

func TestDocumentsPointSomewhere(t *testing.T) {
	t.Parallel()
	for _, name := range markdown(t) {
		text := read(t, name)
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			file, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			to := name
			if file != "" {
				to = path.Join(path.Dir(name), file)
				if _, err := os.Stat(filepath.Join(root, to)); err != nil {
					t.Errorf("%s: the link to %s leads nowhere", name, m[1])
					continue
				}
			}
			if anchor != "" && !slices.Contains(anchors(read(t, to)), anchor) {
				t.Errorf("%s: %s has no heading %q", name, to, anchor)
			}
		}
		for _, m := range pathSpan.FindAllStringSubmatch(text, -1) {
			if strings.HasPrefix(m[1], "deploy/compose/secrets/") { // made by deploy/compose/prepare
				continue
			}
			if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
				t.Errorf("%s names %s, which does not exist", name, m[1])
			}
		}
	}
	for _, name := range markdown(t) {
		if path.Dir(name) == "docs" && name != "docs/README.md" && !strings.Contains(read(t, "docs/README.md"), "]("+path.Base(name)+")") {
			t.Errorf("docs/README.md does not list %s", name)
		}
	}
}

// anchors are the names by which headings are linked to.
func anchors(text string) []string {
	var names []string
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		names = append(names, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, m[1]))
	}
	return names
}

// TestReasonsAreDocumented holds that docs/events.md explains every reason for
// which a message can go into the quarantine, or offsets be a gap, and no other.
func TestReasonsAreDocumented(t *testing.T) {
	t.Parallel()
	var want []string
	for _, code := range event.Codes() {
		want = append(want, string(code))
	}
	for _, f := range goFiles(t) {
		if f.dir != "internal/ingest" || f.isTest() {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			s, ok := n.(*ast.ValueSpec)
			if !ok || len(s.Names) != 1 || len(s.Values) != 1 || !strings.HasPrefix(s.Names[0].Name, "Reason") && !strings.HasPrefix(s.Names[0].Name, "Gap") {
				return true
			}
			if lit, ok := s.Values[0].(*ast.BasicLit); ok {
				text, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Fatal(err)
				}
				want = append(want, text)
			}
			return true
		})
	}
	_, tables, _ := strings.Cut(read(t, "docs/events.md"), "\n## Quarantine\n")
	var have []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z0-9-]+)` \\|").FindAllStringSubmatch(tables, -1) {
		have = append(have, m[1])
	}
	slices.Sort(want)
	slices.Sort(have)
	for _, code := range want {
		if !slices.Contains(have, code) {
			t.Errorf("docs/events.md has no row on %q", code)
		}
	}
	for _, code := range have {
		if !slices.Contains(want, code) {
			t.Errorf("docs/events.md has a row on %q, which nothing says", code)
		}
	}
}

// TestDocumentedEventsAreGood holds that whoever copies an event from the
// documentation has a good one.
func TestDocumentedEventsAreGood(t *testing.T) {
	t.Parallel()
	n := 0
	for _, name := range markdown(t) {
		for _, m := range regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(read(t, name), -1) {
			if !strings.Contains(m[1], `"specversion"`) {
				continue
			}
			n++
			for _, f := range event.Lint(nil, []byte(m[1])) {
				t.Errorf("%s: an event in it: %s", name, f)
			}
		}
	}
	if n < 3 {
		t.Errorf("the documents have %d events only", n)
	}
}
