package embedded

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// User is a ClickHouse user of the embedded engine. There are no others that
// can connect.
type User string

const (
	// Writer is of ingest and of whatever else adds to the trail: it inserts into
	// the tables of "andmerada" and reads them, and neither changes nor removes what
	// is there.
	Writer User = "andmerada_writer"
	// Migrations makes the tables of "andmerada" and alters them.
	Migrations User = "andmerada_migrations"
	// Reader reads "andmerada" and the "andmerada_" databases, under limits;
	// nothing else.
	Reader User = "andmerada_reader"
	// Cases inserts into cases and case_persons, the tables of what an answer may
	// keep; nothing else, and reads nothing.
	Cases User = "andmerada_cases"
	// Owner is there only where [ClickHouseConfig] says so, for tests and
	// benchmarks: it does what it wants with "andmerada" and with databases whose
	// name starts with "andmerada_", and reads the system tables.
	Owner User = "andmerada_owner"
)

// credentialsFile is in the engine's directory, 0600.
const credentialsFile = "credentials.json"

// credentials are the users' passwords.
type credentials map[User]string

// readCredentials reads the passwords of users from dir; it makes those that are
// not there: of all on the first start, later of those that an older program did
// not have.
func readCredentials(dir string, users []User) (credentials, error) {
	path := filepath.Join(dir, credentialsFile)
	kept := make(credentials)
	text, err := os.ReadFile(path) //nolint:gosec // The directory is the operator's choice.
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("read ClickHouse credentials: %w", err)
	case json.Unmarshal(text, &kept) != nil || kept[Writer] == "" || kept[Reader] == "":
		// Its error isn't shown: it might quote the file.
		return nil, fmt.Errorf("read ClickHouse credentials %q: it isn't an object with passwords of %s and %s; remove it, and new ones are made at the next start",
			path, Writer, Reader)
	}
	c, made := make(credentials), false
	for _, user := range users {
		if kept[user] == "" {
			kept[user], made = rand.Text(), true
		}
		c[user] = kept[user]
	}
	if made {
		return c, kept.write(path)
	}
	return c, nil
}

func (c credentials) write(path string) error {
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("write ClickHouse credentials: %w", err)
	}
	return writeFile(path, append(text, '\n'))
}

// writeFile writes a file (0600) whole or not at all: after a crash there is
// the old one or the new one.
func writeFile(path string, text []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // CreateTemp makes it 0600.
	if err != nil {
		return fmt.Errorf("write %q: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("write %q: %w", path, err), os.Remove(f.Name()))
		}
	}()
	if _, err := f.Write(text); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Sync(); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
