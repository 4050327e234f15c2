package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// LibraryVersion is the version of the engine that this package was tried
// with and `make engine` fetches. It belongs with the checksum in
// .ci/fetch-engine.
const LibraryVersion = "26.7.3"

// LibraryVariable is the environment variable that names the engine's library
// and goes before all other places.
const LibraryVariable = "ANDMERADA_CLICKHOUSE_LIBRARY"

// ErrNoLibrary says that the engine's library is in none of the places where
// [FindLibrary] looks.
var ErrNoLibrary = errors.New("the embedded ClickHouse engine is not on this machine")

// FindLibrary returns the absolute path of the engine's library: the file that
// [LibraryVariable] names; else libchdb.so in the executable's directory or in
// ../lib of it; else andmerada/libchdb-VERSION.so in the user's cache
// directory ([os.UserCacheDir]), where `make engine` puts it.
func FindLibrary() (string, error) {
	if named := os.Getenv(LibraryVariable); named != "" {
		return library(named, "as "+LibraryVariable+" says")
	}
	var places []string
	if exe, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(exe); err == nil {
			exe = real
		}
		dir := filepath.Dir(exe)
		places = append(places, filepath.Join(dir, "..", "lib", "libchdb.so"), filepath.Join(dir, "libchdb.so"))
	}
	if cache, err := os.UserCacheDir(); err == nil {
		places = append(places, filepath.Join(cache, "andmerada", "libchdb-"+LibraryVersion+".so"))
	}
	for _, place := range places {
		if info, err := os.Stat(place); err == nil && info.Mode().IsRegular() {
			return filepath.Abs(place)
		}
	}
	return "", fmt.Errorf("%w (looked for %s): run `make engine`, which fetches it once, or name the library in %s",
		ErrNoLibrary, strings.Join(places, ", "), LibraryVariable)
}

// library checks a path that someone chose; why says who.
func library(path, why string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "", fmt.Errorf("%w: there is no %q (%s); correct it, or remove it and run `make engine`", ErrNoLibrary, path, why)
	case err != nil:
		return "", fmt.Errorf("look at the ClickHouse library %q (%s): %w", path, why, err)
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("the ClickHouse library %q (%s) is not a file; name libchdb.so itself", path, why)
	}
	return filepath.Abs(path)
}
