package embedded

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	_ "embed" // The templates.
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

var (
	//go:embed config.xml.tmpl
	configText string
	//go:embed users.xml.tmpl
	usersText string

	configTemplate = template.Must(template.New("config.xml").Funcs(templateFuncs).Parse(configText))
	usersTemplate  = template.Must(template.New("users.xml").Funcs(templateFuncs).Parse(usersText))
)

var templateFuncs = template.FuncMap{
	"xml": func(s string) (string, error) {
		var b bytes.Buffer
		err := xml.EscapeText(&b, []byte(s))
		return b.String(), err
	},
	"sha256": func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return hex.EncodeToString(sum[:])
	},
}

// startFile and fifoName are in the engine's directory: the queries that the
// engine begins with, and the pipe that keeps it alive.
const (
	startFile = "start.sql"
	fifoName  = "alive"
)

// startQueries are what the engine does before it serves others.
var startQueries = []string{
	"CREATE DATABASE IF NOT EXISTS " + DatabaseName + " ENGINE = Atomic",
	"SYSTEM START LISTEN TCP",
	"SYSTEM START LISTEN HTTP",
}

// writeConfig writes config.xml, users.xml and the first queries into dir and, before the first
// start, the definition of the database system.
func writeConfig(dir string, config ClickHouseConfig, users credentials) error {
	limit := config.MaxMemoryBytes
	if limit == 0 {
		limit = DefaultMaxMemoryBytes
	}
	values := struct {
		Dir                                          string
		MaxMemoryBytes, QueryMemoryBytes, SpillBytes uint64
		Owner, Writer, Migrations, Reader, Cases     User
		Passwords                                    credentials
		HasOwner                                     bool
		Database                                     string
		StartQueries                                 int
		Databases                                    []string
		KafkaConsumers, MessageBrokers               int
	}{
		Dir:            dir,
		MaxMemoryBytes: limit, QueryMemoryBytes: limit / 2, SpillBytes: limit / 4,
		Owner: Owner, Writer: Writer, Migrations: Migrations, Reader: Reader, Cases: Cases,
		Passwords: users, HasOwner: config.Owner,
		Database: DatabaseName, StartQueries: len(startQueries),
		Databases:      []string{DatabaseName},
		KafkaConsumers: config.KafkaConsumers, MessageBrokers: max(1, config.KafkaConsumers),
	}
	if config.Owner {
		values.Databases = append(values.Databases, DatabaseName+"_*") // a prefix
	}
	for _, t := range []*template.Template{configTemplate, usersTemplate} {
		var b bytes.Buffer
		if err := t.Execute(&b, values); err != nil {
			return fmt.Errorf("write %s: %w", t.Name(), err)
		}
		if err := writeFile(filepath.Join(dir, t.Name()), b.Bytes()); err != nil {
			return err
		}
	}
	if err := writeFile(filepath.Join(dir, startFile), []byte(strings.Join(startQueries, ";\n")+";\n")); err != nil {
		return err
	}
	return seedSystem(filepath.Join(dir, "data", "metadata"))
}

// seedSystem defines the database system as a persistent one. Left to itself
// the engine makes it in memory, and query_log and part_log, whose data are on
// disk, break at the second start: it then tries for ever to make them anew.
func seedSystem(metadata string) error {
	path := filepath.Join(metadata, "system.sql")
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(metadata, 0o700); err != nil {
		return fmt.Errorf("make the engine's metadata directory: %w", err)
	}
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		return fmt.Errorf("make a UUID: %w", err)
	}
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80 // Version 4, RFC 9562.
	return writeFile(path, fmt.Appendf(nil, "ATTACH DATABASE system UUID '%x-%x-%x-%x-%x' ENGINE = Atomic\n",
		id[:4], id[4:6], id[6:8], id[8:10], id[10:]))
}
