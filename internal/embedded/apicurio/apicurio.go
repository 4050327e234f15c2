// Package apicurio runs a real schema registry for tests: Apicurio Registry,
// which has the REST API of Confluent's.
//
// It needs Java 17 or newer. The first use on a machine fetches it with Maven
// (mvn) into the user's cache directory.
package apicurio

import (
	_ "embed" // The file below.
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/andmerada/andmerada/internal/embedded/cached"
	"github.com/andmerada/andmerada/internal/embedded/freeport"
	"github.com/andmerada/andmerada/internal/embedded/java"
)

// Version is that of the registry, the last that runs on Java 17. It belongs
// with pom.xml.
const Version = "2.6.13.Final"

//go:embed pom.xml
var pom []byte

// Options say how the registry is to be.
type Options struct {
	// Cert and Key, if set, open a second port by https. They are files in PEM.
	Cert, Key string
}

// Registry is a registry on loopback. It keeps what it has in a file, so that it
// is there again after [Registry.Kill] and [Registry.Restart].
type Registry struct {
	// URL is the base address of Confluent's API, Secure that by https, "" if
	// there is none.
	URL, Secure string

	args []string
	java *java.Process
}

// Start starts an empty registry that keeps its data below dir, and waits until
// it answers. The caller closes it; the system kills it if this process dies.
func Start(dir string, options Options) (*Registry, error) {
	home, err := fetch()
	if err != nil {
		return nil, fmt.Errorf("apicurio: %w", err)
	}
	ports, err := freeport.Take(2)
	if err != nil {
		return nil, fmt.Errorf("apicurio: %w", err)
	}
	const api = "/apis/ccompat/v7"
	r := &Registry{URL: fmt.Sprintf("http://127.0.0.1:%d%s", ports[0], api)}
	r.args = []string{
		"-Xmx256m", "-Dquarkus.http.host=127.0.0.1", fmt.Sprintf("-Dquarkus.http.port=%d", ports[0]),
		// Written when it's acknowledged, and not some half a second later.
		"-Dquarkus.datasource.jdbc.url=jdbc:h2:file:" + filepath.Join(dir, "registry") + ";WRITE_DELAY=0",
		"-Dquarkus.datasource.jdbc.initial-size=2", "-Dquarkus.datasource.jdbc.min-size=2",
	}
	if options.Cert != "" {
		r.Secure = fmt.Sprintf("https://127.0.0.1:%d%s", ports[1], api)
		r.args = append(r.args, fmt.Sprintf("-Dquarkus.http.ssl-port=%d", ports[1]),
			"-Dquarkus.http.ssl.certificate.files="+options.Cert, "-Dquarkus.http.ssl.certificate.key-files="+options.Key)
	}
	r.args = append(r.args, "-jar", filepath.Join(home, "apicurio-registry-app-"+Version+"-runner.jar"))
	if err := r.Restart(); err != nil {
		return nil, err
	}
	return r, nil
}

// Restart starts a registry that was killed, with what it had.
func (r *Registry) Restart() (err error) {
	if r.java, err = java.Start("Listening on: http", r.args...); err != nil {
		return fmt.Errorf("apicurio: %w", err)
	}
	return nil
}

// Close ends the registry and waits until it has ended.
func (r *Registry) Close() error { return about(r.java.Stop()) }

// Kill ends the registry by SIGKILL.
func (r *Registry) Kill() error { return about(r.java.Kill()) }

// Pause lets the registry accept connections and answer nothing until [Registry.Resume].
func (r *Registry) Pause() error { return about(r.java.Pause()) }

// Resume lets it go on.
func (r *Registry) Resume() error { return about(r.java.Resume()) }

func about(err error) error {
	if err != nil {
		return fmt.Errorf("apicurio: %w", err)
	}
	return nil
}

// fetch returns the directory of the program.
func fetch() (string, error) {
	return cached.Dir("apicurio-"+Version, func(dir string) (err error) {
		work, err := os.MkdirTemp(filepath.Dir(dir), ".apicurio-archive-*")
		if err != nil {
			return fmt.Errorf("make a directory for the archive: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
		if err := os.WriteFile(filepath.Join(work, "pom.xml"), pom, 0o600); err != nil {
			return fmt.Errorf("write pom.xml: %w", err)
		}
		maven := exec.Command("mvn", "-B", "-q", "dependency:copy-dependencies", "-DoutputDirectory="+work, "-DincludeScope=runtime") //nolint:gosec,noctx // Fixed arguments; the test's own limit ends it.
		maven.Dir = work
		if out, err := maven.CombinedOutput(); err != nil {
			return fmt.Errorf("fetch Apicurio Registry %s with mvn (Debian: apt-get install maven; a repository must be reachable): %w\n%s", Version, err, out)
		}
		archive := filepath.Join(work, "apicurio-registry-app-"+Version+"-all.tar.gz")
		if out, err := exec.Command("tar", "-xzf", archive, "-C", dir).CombinedOutput(); err != nil { //nolint:gosec,noctx // As above.
			return fmt.Errorf("unpack Apicurio Registry %s: %w\n%s", Version, err, out)
		}
		return nil
	})
}
