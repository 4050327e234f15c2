package project

import (
	"go/ast"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/andmerada/andmerada/"

// mayImport says which packages of this module each package may import, tests
// apart. It runs from the pure middle outwards: a line names only packages of
// lines above it, so that no two can need each other. cmd may import anything.
var mayImport = []struct {
	pkg  string
	uses []string
}{
	// The pure middle: no I/O, no clock.
	{"schemas", nil}, // files only
	{"internal/event", []string{"schemas"}},
	{"internal/register/condition", []string{"internal/event"}},
	{"internal/register", []string{"internal/event", "internal/register/condition"}},
	{"internal/verdict", []string{"internal/event", "internal/register/condition", "internal/register"}},
	{"internal/schemaregistry", []string{"internal/event"}}, // I/O, but knows of nothing else
	{"internal/registerexport", []string{"internal/register/condition", "internal/register"}},

	// What is stored and recalled.
	{"internal/identity", nil},
	{"internal/facts", []string{"internal/event", "internal/identity"}},
	{"internal/trail", []string{"internal/event", "internal/identity", "internal/register", "internal/verdict"}},

	{"deploy/unusual", nil}, // a file only
	{"internal/unusual", []string{"internal/event", "deploy/unusual"}},
	{"internal/profile", nil},
	{"internal/duties", []string{"internal/event", "internal/register", "internal/verdict", "internal/identity", "internal/facts"}},

	// Who asks, and that they asked.
	{"internal/emit", []string{"internal/event"}},
	{"internal/access", []string{"internal/event", "internal/identity"}},

	// What is done with it.
	{"internal/replay", []string{
		"internal/event", "internal/register", "internal/verdict", "internal/identity", "internal/facts", "internal/trail",
	}},
	{"internal/rejudge", []string{
		"internal/event", "internal/register", "internal/verdict", "internal/identity", "internal/facts", "internal/trail", "internal/replay",
	}},
	{"internal/findings", []string{"internal/event", "internal/register", "internal/trail"}},
	{"internal/answer", []string{
		"internal/event", "internal/register", "internal/verdict", "internal/identity", "internal/facts", "internal/trail", "internal/profile", "internal/duties", "internal/unusual",
	}},
	{"internal/bundle", []string{
		"internal/event", "internal/register", "internal/verdict", "internal/identity", "internal/facts", "internal/trail", "internal/replay", "internal/answer",
	}},
	{"internal/report", []string{"internal/event", "internal/register", "internal/verdict", "internal/unusual", "internal/answer"}},
	{"internal/ingest", []string{
		"internal/event", "internal/schemaregistry", "internal/register", "internal/verdict", "internal/identity", "internal/facts", "internal/trail",
	}},
	{"internal/quarantine", []string{"internal/event", "internal/register", "internal/identity", "internal/facts", "internal/trail", "internal/ingest"}},
	{"internal/server", []string{"internal/event", "internal/register", "internal/verdict", "internal/identity", "internal/unusual", "internal/access", "internal/answer", "internal/bundle", "internal/report"}},

	// Aside: what a source system has, and what the demo and the tests run on.
	{"deploy/registers", nil}, // files only
	{"deploy/profiles", nil},  // files only
	{"internal/telemetry", nil},
	{"internal/health", nil},
	{"internal/secure", nil},
	{"internal/intake", []string{"internal/event", "internal/emit"}},
	{"internal/history", []string{"internal/event", "internal/register", "internal/verdict", "internal/identity", "internal/facts"}},
	{"internal/embedded/freeport", nil},
	{"internal/embedded", []string{"internal/embedded/freeport"}},
	{"internal/embedded/cached", nil},
	{"internal/embedded/java", nil},
	{"internal/embedded/apachekafka", []string{"internal/embedded/freeport", "internal/embedded/cached", "internal/embedded/java"}},
	{"internal/embedded/apicurio", []string{"internal/embedded/freeport", "internal/embedded/cached", "internal/embedded/java"}},

	// For tests.
	{"internal/frugaltest", nil},
	{"internal/embedded/embeddedtest", []string{"internal/embedded"}},
	{"internal/secure/securetest", nil},
	{"internal/verdict/casetest", []string{"internal/event", "internal/register", "internal/verdict"}},
	{"internal/answer/answertest", []string{
		"internal/event", "internal/register", "internal/verdict", "internal/identity", "internal/facts", "internal/trail", "internal/answer",
		"internal/profile", "deploy/profiles", "internal/embedded", "internal/embedded/embeddedtest",
	}},
	{"internal/answer/model", []string{
		"internal/event", "internal/register", "internal/verdict", "internal/identity", "internal/trail", "internal/unusual", "internal/answer",
	}},
	{"internal/slice", nil},
	{"internal/chaos", nil},
	{"internal/foreign", nil},
	{"internal/foreign/clients", []string{"internal/embedded/cached"}},
	{"internal/project", nil},
}

// aside may be imported by any test.
var aside = []string{
	"deploy/registers", "deploy/profiles", "schemas", "internal/emit", "internal/history", "internal/embedded", "internal/embedded/apachekafka", "internal/embedded/embeddedtest",
	"internal/embedded/apicurio", "internal/embedded/cached", "internal/verdict/casetest", "internal/answer/answertest", "internal/answer/model", "internal/secure/securetest", "internal/frugaltest",
}

// everywhere are tests that are about the whole and may import anything.
var everywhere = []string{"schemas", "internal/slice", "internal/chaos", "internal/foreign", "internal/project", "cmd/andmerada", "cmd/bench"}

// reserved are modules that only the packages named may import: each stands for
// something that one room alone should know. Tests may import them, to see by
// other means than the code's own what it has done.
var reserved = map[string][]string{
	"github.com/ClickHouse/":        {"internal/trail", "internal/embedded", "internal/embedded/embeddedtest", "cmd/bench"},
	"cel.dev/":                      {"internal/register/condition"},
	"github.com/google/cel-go":      nil, // its old name
	"github.com/segmentio/kafka-go": {"internal/ingest", "internal/emit", "internal/findings", "internal/quarantine", "internal/secure", "internal/embedded", "internal/embedded/apachekafka", "cmd/bench"},
	"github.com/twmb/":              {"internal/embedded", "cmd/bench"},
	"github.com/hamba/avro":         {"internal/event"}, // parses schemas; its decoder is not for bytes from outside
	"github.com/sony/gobreaker":     {"internal/schemaregistry"},
	"github.com/ebitengine/purego":  {"internal/embedded"},
	"github.com/coreos/go-oidc":     {"internal/access"},
	"golang.org/x/oauth2":           {"internal/access"},
	"github.com/danielgtaylor/huma": {"internal/server", "internal/intake", "cmd/andmerada"},
	"github.com/a-h/templ":          {"internal/server"},
	"codeberg.org/go-pdf/fpdf":      {"internal/report"},
	"github.com/spf13/cobra":        {"cmd/andmerada"},
	"github.com/prometheus/":        {"internal/telemetry"},
	"go.opentelemetry.io/otel/sdk":  {"internal/telemetry"},
}

func TestImportsPointOneWay(t *testing.T) {
	t.Parallel()
	allowed := make(map[string][]string)
	for _, line := range mayImport {
		for _, use := range line.uses {
			if _, above := allowed[use]; !above {
				t.Errorf("the table of imports lets %s import %s, which does not stand above it", line.pkg, use)
			}
		}
		allowed[line.pkg] = line.uses
	}
	seen := make(map[string]bool)
	for _, f := range goFiles(t) {
		seen[f.dir] = true
		uses, known := allowed[f.dir]
		inCmd := strings.HasPrefix(f.dir, "cmd/")
		if !known && !inCmd {
			t.Errorf("%s: the package %s is not in the table of imports: say there what it may import", f.name, f.dir)
			continue
		}
		for _, spec := range f.ast.Imports {
			full := importPath(t, spec)
			name, ours := strings.CutPrefix(full, module)
			if !ours {
				if !f.isTest() {
					checkReserved(t, f, spec, full)
				}
				continue
			}
			switch {
			case strings.HasPrefix(name, "cmd/"):
				t.Errorf("%s: imports %s: nothing imports a command", f.at(spec), name)
			case inCmd, slices.Contains(uses, name):
			case f.isTest() && (name == f.dir || slices.Contains(aside, name) || slices.Contains(everywhere, f.dir)):
			default:
				t.Errorf("%s: %s may not import %s: imports point from cmd over server, ingest, answer, trail, facts and verdict to register and event",
					f.at(spec), f.dir, name)
			}
		}
	}
	for _, pkg := range slices.Sorted(maps.Keys(allowed)) {
		if !seen[pkg] {
			t.Errorf("the table of imports has %s, which does not exist", pkg)
		}
	}
}

func checkReserved(t *testing.T, f goFile, spec *ast.ImportSpec, full string) {
	t.Helper()
	for prefix, packages := range reserved {
		if strings.HasPrefix(full, prefix) && !slices.Contains(packages, f.dir) {
			t.Errorf("%s: imports %s, which only these may: [%s]", f.at(spec), full, strings.Join(packages, ", "))
		}
	}
}

func importPath(t *testing.T, spec *ast.ImportSpec) string {
	t.Helper()
	p, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		t.Fatalf("import %s: %v", spec.Path.Value, err)
	}
	return p
}

// pure packages can be read, tested and fuzzed without anything running, and
// judging an event again always gives the same.
var pure = []string{"internal/event", "internal/register", "internal/register/condition", "internal/registerexport", "internal/verdict", "internal/duties"}

// impure are packages of the standard library that reach outside. A slash at
// the end means all below it.
var impure = []string{
	"net", "net/", "os", "os/", "syscall", "log", "log/", "database/", "crypto/rand", "math/rand", "math/rand/", "io/ioutil", "runtime/debug", "testing", "flag", "plugin", "expvar",
}

// clock are the functions of package time that look at the clock or wait.
var clock = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

func TestMiddleIsPure(t *testing.T) {
	t.Parallel()
	checked := 0
	for _, f := range goFiles(t) {
		if f.isTest() || !slices.Contains(pure, f.dir) {
			continue
		}
		checked++
		timeName := ""
		for _, spec := range f.ast.Imports {
			name := importPath(t, spec)
			for _, no := range impure {
				if name == no || strings.HasSuffix(no, "/") && strings.HasPrefix(name, no) {
					t.Errorf("%s: imports %s: %s must stay pure", f.at(spec), name, f.dir)
				}
			}
			if name == "time" {
				timeName = "time"
				if spec.Name != nil {
					timeName = spec.Name.Name
				}
			}
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && timeName != "" && x.Name == timeName && slices.Contains(clock, sel.Sel.Name) {
				t.Errorf("%s: time.%s: %s must not look at the clock; let the caller give the time", f.at(n), sel.Sel.Name, f.dir)
			}
			return true
		})
	}
	if checked < 20 {
		t.Errorf("looked at %d files only: have the packages moved?", checked)
	}
}
