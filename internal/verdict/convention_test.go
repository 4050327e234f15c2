package verdict_test

import (
	"bytes"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	registers "github.com/andmerada/andmerada/deploy/registers"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/verdict/casetest"
)

// TestBothConventions: how periods are counted is a setting of the register.
// The cases on a boundary name the verdict by the other way of counting; every
// other case has the same by both.
func TestBothConventions(t *testing.T) {
	t.Parallel()
	set := underTsUS(t)
	turned := 0
	files, err := fs.Glob(os.DirFS("../../deploy/registers"), "*/cases/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile("../../deploy/registers/" + file)
		if err != nil {
			t.Fatal(err)
		}
		cases, err := casetest.Read(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		for i := range cases {
			c := &cases[i]
			if convention, _ := c.AltVerdict["convention"].(string); strings.HasPrefix(convention, "tsys") {
				c.Verdict, _ = c.AltVerdict["verdict"].(string)
				c.Rules = nil // other rules may decide then
				turned++
			}
			if res := casetest.Run(set, c); !res.Passed {
				t.Errorf("%s: %s: %s (%s)", file, c.ID, res.Problem, c.Why)
			}
		}
	}
	if turned < 4 {
		t.Errorf("only %d cases turn with the convention", turned)
	}
}

// underTsUS is the shipped registers, with periods counted as Estonian civil
// law does.
func underTsUS(t *testing.T) *register.Set {
	t.Helper()
	fsys := fstest.MapFS{}
	err := fs.WalkDir(registers.FS, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".yaml") {
			return err
		}
		data, err := fs.ReadFile(registers.FS, name)
		if err != nil {
			return err
		}
		fsys[name] = &fstest.MapFile{Data: bytes.Replace(data, []byte("period_convention: calendar"), []byte("period_convention: tsys"), 1)}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	set, err := register.Load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return set
}
