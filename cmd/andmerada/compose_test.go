package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/andmerada/andmerada/internal/ingest"
)

// TestConfigurationsAreRead reads the configurations that are handed out as
// the program does: a key that it does not know, or one that it lacks, is an
// error. That they fit docker-compose.yml is held by internal/project.
func TestConfigurationsAreRead(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"andmerada.yaml", "compose/ingest.yaml", "compose/intake.yaml", "compose/migrate.yaml", "compose/server.yaml"} {
		c, err := readConfig(filepath.Join("../../deploy", file))
		if err != nil {
			t.Error(err)
			continue
		}
		if c.Kafka.Topic != ingest.DefaultTopic || c.Kafka.Group != ingest.DefaultGroup || c.ClickHouse.Database != "andmerada" {
			t.Errorf("%s: topic %q, group %q, database %q", file, c.Kafka.Topic, c.Kafka.Group, c.ClickHouse.Database)
		}
	}
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	data, err := os.ReadFile("../../deploy/andmerada.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(bad, []byte(strings.Replace(string(data), "secret_file:", "secretfile:", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readConfig(bad); err == nil || !strings.Contains(err.Error(), "secretfile") {
		t.Errorf("a misspelt key: err = %v", err)
	}
}

// The one who migrates is named to whoever writes, and to nobody else.
func TestMigrationsUserIsRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	read := func(migrations string) (*config, error) {
		file := filepath.Join(dir, "andmerada.yaml")
		text := "kafka: {brokers: [k]}\nsecret_file: s\nclickhouse:\n  addr: c\n  user: writer\n  password_file: writer\n  migrations: " + migrations + "\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return readConfig(file)
	}
	for _, name := range []string{"writer", "maker"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("of-"+name+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := read("{user: maker, password_file: maker}")
	if err != nil {
		t.Fatal(err)
	}
	for _, readOnly := range []bool{false, true} {
		got, err := c.trail(readOnly)
		if err != nil {
			t.Fatal(err)
		}
		want := [4]string{"writer", "of-writer", "maker", "of-maker"}
		if readOnly {
			want[2], want[3] = "", ""
		}
		if is := [4]string{got.User, got.Password, got.MigrationsUser, got.MigrationsPassword}; is != want {
			t.Errorf("read only %v: %q, want %q", readOnly, is, want)
		}
	}
	if _, err := read("{password_file: maker}"); err == nil || !strings.Contains(err.Error(), "clickhouse.migrations.user") {
		t.Errorf("without a user: %v", err)
	}
}

// documented are lines of documents that call the program, in an indented block
// or a code span.
var documented = regexp.MustCompile("(?m)(?:^ {4}(?:.*\\| )?|`|exec (?:server|intake) )(?:bin/)?andmerada ([a-z][^`\n|]*)")

// TestDocumentedCommandsExist holds that every command and flag that the
// documents name is one of the program.
func TestDocumentedCommandsExist(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, file := range append(files, "../../README.md", "../../CONTRIBUTING.md", "../../CHANGELOG.md", "../../docker-compose.yml", "../../deploy/andmerada.yaml") {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range documented.FindAllStringSubmatch(string(data), -1) {
			n++
			line, _, _ := strings.Cut(m[1], "   ") // what follows is an explanation
			words := strings.Fields(line)
			cmd, _, err := newRootCommand().Find(words)
			if err != nil || !cmd.Runnable() {
				t.Errorf("%s: andmerada %s: there is no such command", file, line)
				continue
			}
			for _, word := range words {
				name, isFlag := strings.CutPrefix(word, "--")
				name, _, _ = strings.Cut(name, "=")
				if isFlag && cmd.Flags().Lookup(name) == nil && name != "help" {
					t.Errorf("%s: andmerada %s: there is no flag --%s; there are:\n%s", file, line, name, cmd.Flags().FlagUsages())
				}
			}
		}
	}
	if n < 15 {
		t.Errorf("the documents call the program %d times only", n)
	}
}

// TestComposeCommandsExist holds that docker-compose.yml starts the program with
// commands and flags that it has.
func TestComposeCommandsExist(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^ +command: \[([a-z].*)\]$`).FindAllStringSubmatch(string(data), -1)
	if len(found) != 4 {
		t.Fatalf("docker-compose.yml starts the program %d times", len(found))
	}
	for _, m := range found {
		words := strings.Split(strings.ReplaceAll(m[1], `"`, ""), ", ")
		cmd, rest, err := newRootCommand().Find(words)
		if err != nil || !cmd.Runnable() {
			t.Errorf("%v: there is no such command", words)
			continue
		}
		if err := cmd.ParseFlags(rest); err != nil {
			t.Errorf("%v: %v", words, err)
		}
	}
}
