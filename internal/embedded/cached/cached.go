// Package cached keeps what tests need and the repository does not hold: the
// jars of servers, the libraries of other languages. It is fetched once on a
// machine, into the user's cache directory.
package cached

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Dir returns the directory of that name, andmerada/NAME in the user's cache
// directory. If it isn't there, fill puts into an empty directory what belongs
// there; it gets its name when fill has succeeded, so that one that is there is
// whole. Processes that want the same name wait for the one that fills it.
func Dir(name string, fill func(dir string) error) (dir string, err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache directory: %w", err)
	}
	dir = filepath.Join(cache, "andmerada", name)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil { //nolint:gosec // As the other caches there: no secrets.
		return "", fmt.Errorf("make the cache directory: %w", err)
	}
	lock, err := os.OpenFile(dir+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return "", fmt.Errorf("lock the cache directory: %w", err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }() // Frees the lock.
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", fmt.Errorf("lock the cache directory: %w", err)
	}
	if _, err := os.Stat(dir); err == nil {
		return dir, nil // Another process filled it while this one waited.
	}
	work, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+"-*")
	if err != nil {
		return "", fmt.Errorf("make a directory in the cache: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	if err := fill(work); err != nil {
		return "", err
	}
	if err := os.Rename(work, dir); err != nil {
		return "", fmt.Errorf("keep what was fetched: %w", err)
	}
	return dir, nil
}

// Sum is a short hash of texts, for a name that changes with them.
func Sum(texts ...[]byte) string {
	sum := sha256.New()
	for _, text := range texts {
		fmt.Fprintf(sum, "%d\n%s", len(text), text)
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}
