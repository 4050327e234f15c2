package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/andmerada/andmerada/internal/embedded/embeddedtest"
	"github.com/andmerada/andmerada/internal/history"
)

var update = flag.Bool("update", false, "rewrite the golden parts of the scripts")

func TestMain(m *testing.M) {
	testscript.Main(tests{m}, map[string]func(){
		"andmerada": func() { os.Exit(run(os.Args[1:])) }, // a process of its own each time
	})
}

// tests stops the engine that tests in this process have used.
type tests struct{ m *testing.M }

// Run runs them.
func (t tests) Run() int { return embeddedtest.Main(t.m) }

// TestScripts runs the command as a user would, in the scripts of
// testdata/script.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", UpdateScripts: *update, RequireUniqueNames: true,
		// The engine's library lies in the user's cache, which a script does not have.
		Setup: func(env *testscript.Env) error {
			home, err := os.UserHomeDir()
			env.Setenv("TESTHOME", home)
			return err
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"eventually": eventually,
			"planted":    planted,
			"violation":  violation,
		},
	})
}

// eventually runs a command until it succeeds: "eventually andmerada verify".
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: eventually command args…")
	}
	deadline := time.Now().Add(2 * time.Minute)
	for {
		err := ts.Exec(args[0], args[1:]...)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%v: still fails: %v", args, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// planted writes the identifier of the person with many recipients, whom a
// demo's manifest names, to a file: "planted d/manifest.json id.txt".
func planted(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: planted manifest file")
	}
	var m history.Manifest
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &m))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(m.Try.ManyRecipients.Identifier+"\n"), 0o600))
}

// violation writes a shell script that asks for the violation that a demo's
// manifest names.
func violation(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: violation manifest file")
	}
	var m history.Manifest
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &m))
	script := fmt.Sprintf("exec andmerada answer event --source %s --id %s\n", m.Try.Violation.Source, m.Try.Violation.ID)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(script), 0o600))
}
