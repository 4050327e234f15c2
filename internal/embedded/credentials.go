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
	// Writer owns the databases: it migrates, inserts, reads and deletes in
	// "andmerada" and in databases whose name starts with "andmerada_"
	// (tests), and reads the system tables.
	Writer User = "andmerada_writer"
	// Reader reads "andmerada" and the "andmerada_" databases, under limits;
	// nothing else.
	Reader User = "andmerada_reader"
	// Cases inserts into cases and case_persons, the tables of what an answer may
	// keep; nothing else, and reads nothing.
	Cases User = "andmerada_cases"
)

// credentialsFile is in the engine's directory, 0600.
const credentialsFile = "credentials.json"

// credentials are the users' passwords.
type credentials map[User]string

// readCredentials reads the passwords from dir; on the first start it makes
// them, and later those of users that an older program did not have.
func readCredentials(dir string) (credentials, error) {
	path := filepath.Join(dir, credentialsFile)
	text, err := os.ReadFile(path) //nolint:gosec // The directory is the operator's choice.
	if errors.Is(err, os.ErrNotExist) {
		c := credentials{Writer: rand.Text(), Reader: rand.Text(), Cases: rand.Text()}
		return c, c.write(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read ClickHouse credentials: %w", err)
	}
	var c credentials
	if err := json.Unmarshal(text, &c); err != nil || c[Writer] == "" || c[Reader] == "" {
		// err isn't shown: it might quote the file.
		return nil, fmt.Errorf("read ClickHouse credentials %q: it isn't an object with passwords of %s and %s; remove it, and new ones are made at the next start",
			path, Writer, Reader)
	}
	if c[Cases] == "" {
		c[Cases] = rand.Text()
		return c, c.write(path)
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
