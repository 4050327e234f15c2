package project

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// root is the project's directory.
const root = "../.."

// notOurs are directories that git ignores.
var notOurs = []string{".git", ".build", "bin", "data", "node_modules", "deploy/compose/secrets"}

// files lists the project's files by their path from the root, sorted.
func files(t *testing.T) []string {
	t.Helper()
	var all []string
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (slices.Contains(notOurs, name) || d.Name() == "node_modules"):
			return fs.SkipDir
		case d.Type().IsRegular() && name != ".env" && name != ".git": // in a worktree .git is a file
			all = append(all, name)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("list the project's files: %v", err)
	}
	if len(all) < 100 {
		t.Fatalf("found %d files only: is %s the project's root?", len(all), root)
	}
	return all
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		t.Fatalf("read %s: %v", name, err)
	}
	return string(data)
}

// goFile is a Go file that was parsed.
type goFile struct {
	name string // path from the root
	dir  string
	ast  *ast.File
	fset *token.FileSet
}

func (f goFile) isTest() bool { return strings.HasSuffix(f.name, "_test.go") }

func (f goFile) generated() bool { return ast.IsGenerated(f.ast) }

// at says where a node stands.
func (f goFile) at(n ast.Node) string {
	p := f.fset.Position(n.Pos())
	p.Filename = f.name
	return p.String()
}

// goFiles parses every Go file.
func goFiles(t *testing.T) []goFile {
	t.Helper()
	var parsed []goFile
	for _, name := range files(t) {
		if path.Ext(name) != ".go" || slices.Contains(strings.Split(name, "/"), "testdata") {
			continue
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, name, read(t, name), parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatalf("parse %s: %v", name, err)
		}
		parsed = append(parsed, goFile{name: name, dir: path.Dir(name), ast: f, fset: fset})
	}
	return parsed
}
