package identity

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// SecretSize is how many random bytes a secret must have at least.
const SecretSize = 32

// maxSecretFile bounds what is read of a secret's file.
const maxSecretFile = 4096

// Secret is what all keys are derived from. It prints as "(secret)".
type Secret struct{ bytes []byte }

// String hides the secret, whatever prints it.
func (Secret) String() string { return "(secret)" }

// GoString hides the secret from %#v.
func (Secret) GoString() string { return "(secret)" }

// ParseSecret reads a secret of at least [SecretSize] bytes, written in
// hexadecimal or base64; space around it is ignored.
func ParseSecret(text string) (Secret, error) {
	text = strings.TrimSpace(text)
	b, err := hex.DecodeString(text)
	if err != nil {
		b, err = base64.StdEncoding.DecodeString(text)
	}
	if err != nil {
		b, err = base64.RawURLEncoding.DecodeString(text)
	}
	switch {
	case err != nil:
		return Secret{}, errors.New("the secret is neither hexadecimal nor base64; make one with `openssl rand -hex 32`")
	case len(b) < SecretSize:
		return Secret{}, fmt.Errorf("the secret has %d bytes, it needs at least %d; make one with `openssl rand -hex 32`", len(b), SecretSize)
	}
	return Secret{b}, nil
}

// LoadOrCreateSecret reads the secret from a file, or draws one and writes the
// file if there is none; created says which. A file that others than its owner
// and group may read, or its group may write, is refused. (The group may read:
// that is how Kubernetes mounts a secret for a user that is not root.)
func LoadOrCreateSecret(path string) (secret Secret, created bool, err error) {
	secret, err = LoadSecret(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return secret, false, err
	}
	if err := createSecret(path); err != nil {
		if !errors.Is(err, fs.ErrExist) {
			return Secret{}, false, fmt.Errorf("create secret %q: %w", path, err)
		}
		secret, err = LoadSecret(path) // another process was first
		return secret, false, err
	}
	secret, err = LoadSecret(path)
	return secret, true, err
}

// LoadSecret reads the secret from a file that must be there, with the checks
// of [LoadOrCreateSecret]. It is for who asks questions: a secret made anew
// would find nobody.
func LoadSecret(path string) (_ Secret, err error) {
	f, err := os.Open(path)
	if err != nil {
		return Secret{}, fmt.Errorf("read secret: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return Secret{}, fmt.Errorf("read secret %q: %w", path, err)
	}
	if !info.Mode().IsRegular() {
		return Secret{}, fmt.Errorf("read secret %q: it is not a file", path)
	}
	if mode := info.Mode().Perm(); mode&0o037 != 0 {
		return Secret{}, fmt.Errorf("read secret %q: others may read or change it (mode %04o); run `chmod 600 %s`, and if others had access, make a new one", path, mode, path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSecretFile))
	if err != nil {
		return Secret{}, fmt.Errorf("read secret %q: %w", path, err)
	}
	secret, err := ParseSecret(string(text))
	if err != nil {
		return Secret{}, fmt.Errorf("read secret %q: %w", path, err)
	}
	return secret, nil
}

// createSecret writes a new secret. The file appears under its name only when
// it is whole and on disk: a crash before leaves at most a file of another
// name, and of two processes that try, one gets fs.ErrExist.
func createSecret(path string) (err error) {
	dir := filepath.Dir(path)
	// CreateTemp opens with O_EXCL and mode 0600.
	f, err := os.CreateTemp(dir, ".secret-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	b := make([]byte, SecretSize)
	rand.Read(b) // never fails (crypto/rand)
	_, err = f.WriteString(hex.EncodeToString(b) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil { // unlike a rename, never replaces
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
