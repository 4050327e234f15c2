// Package clients gives tests the libraries of others by which source systems
// send events, in other languages. They are fetched once on a machine, by each
// language's own tool, into the user's cache directory.
package clients

import (
	"bytes"
	"context"
	_ "embed" // The files below.
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/embedded/cached"
)

var (
	//go:embed node/package.json
	packageJSON []byte
	//go:embed node/package-lock.json
	packageLock []byte
	//go:embed node/.npmrc
	npmrc []byte
	//go:embed python/requirements.txt
	requirements []byte
	//go:embed python/constraints.txt
	constraints []byte
	//go:embed schemathesis/requirements.txt
	schemathesisRequirements []byte
	//go:embed schemathesis/constraints.txt
	schemathesisConstraints []byte
)

// limit is how long a program may take, so that one that hangs fails its test and
// not all.
const limit = 5 * time.Minute

// command is one that ends with the test, or at the limit.
func command(t testing.TB, name string, args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return exec.CommandContext(ctx, name, args...) //nolint:gosec // Names and arguments of tests.
}

// Node returns a command that runs a program in Node with kafkajs and the
// CloudEvents SDK. It ends with the test.
func Node(t testing.TB, program string, args ...string) *exec.Cmd {
	t.Helper()
	files := map[string][]byte{"package.json": packageJSON, "package-lock.json": packageLock, ".npmrc": npmrc}
	home, err := cached.Dir("clients-node-"+cached.Sum(packageJSON, packageLock, npmrc), func(dir string) error {
		if err := write(dir, files); err != nil {
			return err
		}
		npm := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts")
		npm.Dir = dir
		if out, err := npm.CombinedOutput(); err != nil {
			return fmt.Errorf("npm ci (Node 20 or newer must be installed, and a registry within reach): %w\n%s", err, out)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// Node looks for modules from the program's own place upwards.
	dir := t.TempDir()
	text, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	if err := write(dir, map[string][]byte{"package.json": packageJSON, filepath.Base(program): text}); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(home, "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	return command(t, "node", append([]string{filepath.Join(dir, filepath.Base(program))}, args...)...)
}

// Python returns a command that runs a program in Python with confluent-kafka,
// its Avro serializer and the CloudEvents SDK. It ends with the test.
func Python(t testing.TB, program string, args ...string) *exec.Cmd {
	t.Helper()
	return python(t, "clients", requirements, constraints, append([]string{program}, args...)...)
}

// Schemathesis returns a command that holds an API against its OpenAPI
// description. It ends with the test.
func Schemathesis(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	return python(t, "schemathesis", schemathesisRequirements, schemathesisConstraints, append([]string{"-m", "schemathesis.cli"}, args...)...)
}

// python returns a command of Python that finds some libraries.
func python(t testing.TB, what string, requirements, constraints []byte, args ...string) *exec.Cmd {
	t.Helper()
	// Libraries are compiled for one version of Python.
	out, err := exec.CommandContext(t.Context(), "python3", "-c", "import sys; print(sys.implementation.cache_tag)").Output()
	if err != nil {
		t.Fatalf("python3: %v: install Python 3.10 or newer", err)
	}
	home, err := cached.Dir(what+"-"+strings.TrimSpace(string(out))+"-"+cached.Sum(requirements, constraints), func(dir string) error {
		return pip(t, dir, requirements, constraints)
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := command(t, "python3", args...)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+home, "PYTHONDONTWRITEBYTECODE=1", "PYTHONUTF8=1")
	return cmd
}

// pip puts the libraries into a directory of their own, which needs no virtual
// environment and leaves the system's Python as it is.
func pip(t testing.TB, dir string, requirements, constraints []byte) error {
	files, err := os.MkdirTemp("", "andmerada-pip-*")
	if err != nil {
		return fmt.Errorf("make a directory for pip: %w", err)
	}
	defer os.RemoveAll(files)
	if err := write(files, map[string][]byte{"requirements.txt": requirements, "constraints.txt": constraints}); err != nil {
		return err
	}
	python, err := withPip(t, files)
	if err != nil {
		return err
	}
	install := exec.CommandContext(t.Context(), python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-warn-conflicts", "--root-user-action=ignore",
		"--target", dir, "--only-binary", ":all:", "-r", filepath.Join(files, "requirements.txt"), "-c", filepath.Join(files, "constraints.txt"))
	if out, err := install.CombinedOutput(); err != nil {
		return fmt.Errorf("pip install (a package index must be within reach): %w\n%s", err, out)
	}
	return nil
}

// withPip is a Python that has pip: Debian's has none of itself, but one in a
// virtual environment does if python3-venv is there.
func withPip(t testing.TB, dir string) (string, error) {
	if err := exec.CommandContext(t.Context(), "python3", "-m", "pip", "--version").Run(); err == nil {
		return "python3", nil
	}
	venv := filepath.Join(dir, "venv")
	out, err := exec.CommandContext(t.Context(), "python3", "-m", "venv", venv).CombinedOutput()
	if err == nil {
		return filepath.Join(venv, "bin", "python3"), nil
	}
	if aptErr := apt(t, "python3-pip"); aptErr != nil {
		return "", fmt.Errorf("python3 has no pip: %w\n%s%w", err, out, aptErr)
	}
	return "/usr/bin/python3", nil // apt's; python3 may be another one's
}

// Kcat returns a command that runs kcat. It ends with the test.
func Kcat(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	need(t, "kcat")
	return command(t, "kcat", args...)
}

// Shell returns a command that runs a program of the shell, which needs others
// of those names. It ends with the test.
func Shell(t testing.TB, needs []string, program string, args ...string) *exec.Cmd {
	t.Helper()
	for _, name := range needs {
		need(t, name)
	}
	return command(t, "sh", append([]string{program}, args...)...)
}

// need sees to it that a program is there whose package in Debian has its name.
func need(t testing.TB, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		if err := apt(t, name); err != nil {
			t.Fatal(err)
		}
	}
}

// installing keeps two tests from calling apt-get at the same time, which the
// second would not survive.
var installing sync.Mutex

// apt installs a package of Debian where that is possible without asking: as
// root. On any other machine whoever runs the tests must do it.
func apt(t testing.TB, name string) error {
	installing.Lock()
	defer installing.Unlock()
	mend := fmt.Errorf("%s is not installed: apt-get install %s", name, name)
	if _, err := exec.LookPath("apt-get"); err != nil || os.Getuid() != 0 {
		return mend
	}
	var said bytes.Buffer
	for _, args := range [][]string{{"update", "-qq"}, {"install", "-qq", "-y", "--no-install-recommends", name}} {
		cmd := exec.CommandContext(t.Context(), "apt-get", append([]string{"-o", "DPkg::Lock::Timeout=300"}, args...)...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		cmd.Stdout, cmd.Stderr = &said, &said
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%w (tried: %w)\n%s", mend, err, &said)
		}
	}
	return nil
}

func write(dir string, files map[string][]byte) error {
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}
