package apachekafka

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// fetch returns the directory of the broker's jars, andmerada/kafka-VERSION/libs
// in the user's cache directory. If it isn't there, it's fetched with Maven.
// Test processes that run at the same time wait for the one that fetches.
func fetch() (libs string, err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache directory: %w", err)
	}
	home := filepath.Join(cache, "andmerada", "kafka-"+Version)
	libs = filepath.Join(home, "libs")
	if _, err := os.Stat(libs); err == nil {
		return libs, nil // Whole: it gets its name when it is.
	}
	if err := os.MkdirAll(filepath.Dir(home), 0o755); err != nil { //nolint:gosec // As the other caches there: no secrets.
		return "", fmt.Errorf("make the cache directory: %w", err)
	}
	lock, err := os.OpenFile(home+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return "", fmt.Errorf("lock the cache directory: %w", err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }() // Frees the lock.
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", fmt.Errorf("lock the cache directory: %w", err)
	}
	if _, err := os.Stat(libs); err == nil {
		return libs, nil // Another process fetched it while this one waited.
	}

	work, err := os.MkdirTemp(filepath.Dir(home), ".kafka-*")
	if err != nil {
		return "", fmt.Errorf("make a directory for Kafka's jars: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	if err := os.WriteFile(filepath.Join(work, "pom.xml"), pom, 0o600); err != nil {
		return "", fmt.Errorf("write pom.xml: %w", err)
	}
	got := filepath.Join(work, "kafka")
	maven := exec.Command("mvn", "-B", "-q", "dependency:copy-dependencies", //nolint:gosec,noctx // Fixed arguments; the test's own limit ends it.
		"-DoutputDirectory="+filepath.Join(got, "libs"), "-DincludeScope=runtime")
	maven.Dir = work
	if out, err := maven.CombinedOutput(); err != nil {
		return "", fmt.Errorf("fetch Apache Kafka %s with mvn (Debian: apt-get install maven; a repository must be reachable): %w\n%s", Version, err, out)
	}
	if err := os.Rename(got, home); err != nil {
		return "", fmt.Errorf("keep Kafka's jars: %w", err)
	}
	return libs, nil
}
