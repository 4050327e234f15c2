package project

import (
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// maxLines is how long a file may be that is written by hand.
const maxLines = 450

func TestFilesAreShort(t *testing.T) {
	t.Parallel()
	for _, f := range goFiles(t) {
		if n := strings.Count(read(t, f.name), "\n"); n > maxLines && !f.isTest() && !f.generated() {
			t.Errorf("%s has %d lines, more than %d: it holds more than one thing", f.name, n, maxLines)
		}
	}
}

func TestEverythingIsDocumented(t *testing.T) {
	t.Parallel()
	documented := make(map[string]bool)
	for _, f := range goFiles(t) {
		if f.isTest() || f.generated() {
			continue
		}
		documented[f.dir] = documented[f.dir] || f.ast.Doc.Text() != ""
		switch name := f.ast.Name.Name; name {
		case "util", "utils", "common", "helper", "helpers", "misc", "shared", "base":
			t.Errorf("%s: package %s: a name says what is in it", f.name, name)
		}
		if f.ast.Name.Name == "main" {
			continue
		}
		for _, decl := range f.ast.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && exportedReceiver(d) && d.Doc.Text() == "" {
					t.Errorf("%s: %s has no doc comment", f.at(d), d.Name.Name)
				}
			case *ast.GenDecl:
				undocumented(t, f, d)
			}
		}
	}
	for dir, yes := range documented {
		if !yes {
			t.Errorf("package %s has no doc comment", dir)
		}
	}
}

// exportedReceiver says whether a function is no method, or one of an exported
// type.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	typ := d.Recv.List[0].Type
	for {
		switch x := typ.(type) {
		case *ast.StarExpr:
			typ = x.X
		case *ast.IndexExpr:
			typ = x.X
		case *ast.IndexListExpr:
			typ = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return false
		}
	}
}

// undocumented reports exported types, constants and variables without a
// comment. In a group, the group's own will do, or one at the end of the line.
func undocumented(t *testing.T, f goFile, d *ast.GenDecl) {
	t.Helper()
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			if s.Name.IsExported() && d.Doc.Text() == "" && s.Doc.Text() == "" {
				t.Errorf("%s: type %s has no doc comment", f.at(s), s.Name.Name)
			}
		case *ast.ValueSpec:
			exported := slices.ContainsFunc(s.Names, func(n *ast.Ident) bool { return n.IsExported() })
			if exported && d.Tok != token.IMPORT && d.Doc.Text() == "" && s.Doc.Text() == "" && s.Comment.Text() == "" {
				t.Errorf("%s: %s has no doc comment", f.at(s), s.Names[0].Name)
			}
		}
	}
}

// forbidden are texts that no file may have. They are put together here, so
// that this file does not have them.
var forbidden = []struct {
	text *regexp.Regexp
	why  string
}{
	{regexp.MustCompile(`(?i)\b(` + strings.Join([]string{
		`(proxy|sum|index)\.golang\.` + `org`, `registry\.npmjs\.` + `org`, `registry\.yarnpkg\.` + `com`, `repo1?\.maven(\.apache)?\.` + `org`, `central\.sonatype\.` + `com`,
		`pypi\.` + `org`, `files\.pythonhosted\.` + `org`, `crates\.` + `io`, `(registry-1\.|hub\.)?docker\.` + `(io|com)/`, `ghcr\.` + `io`, `gcr\.` + `io`, `quay\.` + `io`, `(deb|security)\.debian\.` + `org`,
	}, "|") + `)`), "names the host of a package registry: which one is used is for each machine to say"},
	{regexp.MustCompile(`(^|[^\w.:/-])/(wo` + `rk|ho` + `me/\w|Us` + `ers/\w|ro` + `ot/)`), "names a path of one machine"},
	{regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`), "leaves something undone: do it, or say in the documentation that it is not there"},
}

func TestNoFileNamesWhatIsNotOurs(t *testing.T) {
	t.Parallel()
	for _, name := range files(t) {
		if strings.Contains(name, "testdata/fuzz/") || strings.HasPrefix(path.Base(name), "LICENSE") || path.Base(name) == "govuk.css" {
			continue
		}
		for i, line := range strings.Split(read(t, name), "\n") {
			for _, no := range forbidden {
				if found := no.text.FindString(line); found != "" {
					t.Errorf("%s:%d: %q %s", name, i+1, strings.TrimSpace(found), no.why)
				}
			}
		}
	}
}

// TestLockFilesNameNoPlace holds that lock files fix what is used by version
// and checksum, not where one machine once found it.
func TestLockFilesNameNoPlace(t *testing.T) {
	t.Parallel()
	address := regexp.MustCompile(`https?://[^"\s]+`)
	notAPlace := regexp.MustCompile(`"(url|funding)":`) // whom to pay
	n := 0
	for _, name := range files(t) {
		switch path.Base(name) {
		case "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "go.sum":
		default:
			continue
		}
		n++
		for i, line := range strings.Split(read(t, name), "\n") {
			if found := address.FindString(line); found != "" && !notAPlace.MatchString(line) {
				t.Errorf("%s:%d: %s: make it without (npm: omit-lockfile-registry-resolved)", name, i+1, found)
			}
		}
	}
	if n < 3 {
		t.Errorf("there are %d lock files only", n)
	}
}
