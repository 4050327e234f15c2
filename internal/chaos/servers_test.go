package chaos

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/embedded"
	"github.com/andmerada/andmerada/internal/embedded/apachekafka"
	"github.com/andmerada/andmerada/internal/embedded/embeddedtest"
)

// engineEnv makes this binary a process with a ClickHouse of its own, on the
// directory that it names: one that can be killed, and whose disk can be full.
const engineEnv = "ANDMERADA_CHAOS_ENGINE_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(engineEnv); dir != "" {
		if err := serveEngine(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	// Most of these tests wait: for a dead member's session to end, for a server
	// to come back. Others can work meanwhile, whatever the number of cores.
	flag.Parse()
	if err := flag.Set("test.parallel", parallel); err != nil {
		panic(err)
	}
	code := embeddedtest.Main(m)
	if err := stopServers(); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// servers are what all tests share: the brokers, and the program under test.
var servers struct {
	sync.Once
	dir     string
	cluster *apachekafka.Cluster
	proxies []*proxy // one before each broker
	program string
	err     error
}

func startServers() {
	s := &servers
	s.dir, s.err = os.MkdirTemp("", "andmerada-chaos-*")
	if s.err != nil {
		return
	}
	built := make(chan error, 1)
	s.program = filepath.Join(s.dir, "andmerada")
	go func() {
		out, err := exec.Command("go", "build", "-o", s.program, "../../cmd/andmerada").CombinedOutput()
		if err != nil {
			err = fmt.Errorf("build the program: %w\n%s", err, out)
		}
		built <- err
	}()
	advertise := func(_ int, addr string) string {
		p, err := startProxy(addr, kafkaRequest)
		if err != nil {
			s.err = errors.Join(s.err, err)
			return ""
		}
		s.proxies = append(s.proxies, p)
		return p.addr()
	}
	var err error
	s.cluster, err = apachekafka.StartCluster(context.Background(), s.dir, brokers, apachekafka.Options{Advertise: advertise})
	s.err = errors.Join(s.err, err, <-built)
}

func stopServers() error {
	var err error
	if servers.cluster != nil {
		err = servers.cluster.Close()
	}
	for _, p := range servers.proxies {
		p.close()
	}
	return errors.Join(err, os.RemoveAll(servers.dir))
}

// kafkaCluster is the brokers that all tests share, started on first use.
func kafkaCluster(t testing.TB) *apachekafka.Cluster {
	t.Helper()
	servers.Do(startServers)
	if servers.err != nil {
		t.Fatal(servers.err)
	}
	return servers.cluster
}

// house is a ClickHouse that a test uses.
type house struct {
	Addr, User, Password string
	database             string
}

// sharedHouse is the engine in this process, with a database of the test's own.
func sharedHouse(t testing.TB) house {
	t.Helper()
	engine := embeddedtest.ClickHouse(t)
	h := house{Addr: engine.Addr(), database: embeddedtest.Database(t)}
	h.User, h.Password = engine.Credentials(embedded.Owner)
	return h
}

// engine is a ClickHouse in a process of its own.
type engine struct {
	house
	cmd   *exec.Cmd
	ended chan error
}

// serveEngine is that process: it ends with its standard input.
func serveEngine(dir string) error {
	e, err := embedded.StartClickHouse(context.Background(), embedded.ClickHouseConfig{Dir: dir, Owner: true})
	if err != nil {
		return err
	}
	h := house{Addr: e.Addr()}
	h.User, h.Password = e.Credentials(embedded.Owner)
	if err := json.NewEncoder(os.Stdout).Encode(h); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	return e.Close()
}

// startEngine starts one on a directory, which may have data, and kills it
// after the test.
func startEngine(t testing.TB, dir string) *engine {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	e := &engine{cmd: exec.Command(self), ended: make(chan error, 1)}
	e.cmd.Env = append(os.Environ(), engineEnv+"="+dir)
	e.cmd.Stderr = os.Stderr
	e.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if _, err := e.cmd.StdinPipe(); err != nil { // open until this process ends
		t.Fatal(err)
	}
	out, err := e.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	startPinned(t, e.cmd)
	t.Cleanup(e.kill)
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &e.house)
	}
	if err != nil {
		t.Fatalf("start an engine: %v", err)
	}
	e.database = embedded.DatabaseName
	return e
}

// startPinned starts a process that is to die with this one. The system sends
// the signal when the thread that started it ends, so it is started by one
// that never does.
func startPinned(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	starterOnce.Do(func() { go starter() })
	done := make(chan error)
	starts <- func() { done <- cmd.Start() }
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// kill ends it by SIGKILL.
func (e *engine) kill() {
	if e.cmd.ProcessState == nil {
		_ = e.cmd.Process.Kill()
		_ = e.cmd.Wait()
	}
}

// eventually waits until something holds, for at most limit.
func eventually(t testing.TB, limit time.Duration, what string, holds func() (bool, string)) {
	t.Helper()
	last := ""
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		ok, state := holds()
		if ok {
			return
		}
		last = state
	}
	t.Fatalf("within %s it did not come about that %s: %s", limit, what, last)
}
