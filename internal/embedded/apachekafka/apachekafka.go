// Package apachekafka runs a real Apache Kafka broker for tests: what the
// embedded one (kfake) can't be trusted to tell, above all how consumer groups
// and transactions behave.
//
// It needs Java 17 or newer. The first use on a machine fetches the broker's
// jars with Maven (mvn) into the user's cache directory.
package apachekafka

import (
	"bufio"
	"bytes"
	"context"
	_ "embed" // The files below.
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"text/template"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/andmerada/andmerada/internal/embedded/freeport"
)

// Version is the version of Apache Kafka. It belongs with pom.xml.
const Version = "4.4.0"

// Options say how the broker is to be.
type Options struct {
	// Partitions are those of a topic made without a number of its own; 0 is 4.
	Partitions int
	// Secure, if set, opens a second port, by TLS and with a login: see
	// [StartSecure].
	Secure *Secure
}

// Secure is what a port by TLS needs. All files are PEM.
type Secure struct {
	KeyStore string // file with the broker's key (PKCS 8) and certificate, for 127.0.0.1
	CA       string // file with the CA that clients' certificates must be signed by
	// User and Password can log in by PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512;
	// letters and digits only.
	User, Password string
}

var (
	//go:embed pom.xml
	pom []byte
	//go:embed log4j2.yaml
	logging []byte
	//go:embed server.properties.tmpl
	propertiesText string

	properties = template.Must(template.New("server.properties").Parse(propertiesText))
)

// startLimit is how long the broker gets to be ready: about 4 s on an idle
// machine.
const startLimit = 2 * time.Minute

// stopLimit is how long it gets from SIGTERM to its end before it's killed.
const stopLimit = 20 * time.Second

// Start starts a single broker (KRaft, broker and controller in one) with
// empty storage, waits until it's ready, for consumer groups too, and returns its address, host:port on
// 127.0.0.1. It's stopped after the test, and by the system if the test's
// process dies. The test fails if java or mvn is missing.
func Start(t testing.TB, options Options) (addr string) {
	t.Helper()
	return run(t, options).addr
}

// StartSecure starts a broker as [Start] does, and returns the address of the
// port that wants TLS, a client's certificate and a login, too.
func StartSecure(t testing.TB, options Options) (addr, secure string) {
	t.Helper()
	b := run(t, options)
	return b.addr, b.secure
}

func run(t testing.TB, options Options) *broker {
	t.Helper()
	libs, err := fetch()
	if err != nil {
		t.Fatalf("apachekafka: %v", err)
	}
	b, err := start(t.TempDir(), libs, options)
	if err != nil {
		t.Fatalf("apachekafka: %v", err)
	}
	t.Cleanup(func() {
		if err := b.stop(); err != nil {
			t.Errorf("apachekafka: %v", err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	if err := waitCoordinators(ctx, b.addr); err != nil {
		t.Fatalf("apachekafka: %v\n%s", err, &b.log)
	}
	return b
}

// waitCoordinators waits until the broker coordinates consumer groups. On a
// new one the topic of their offsets is made when the first group asks, and
// until it's loaded clients get errors that kafka-go's Reader hands on.
func waitCoordinators(ctx context.Context, addr string) error {
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	client := kafka.Client{Addr: kafka.TCP(addr), Transport: transport}
	// One group for each of the topic's four partitions (server.properties):
	// it's on the one that Java's hash of its name says, which for a single
	// letter is its code.
	for _, group := range []string{"a", "b", "c", "d"} {
		for {
			answer, err := client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{"none": {0}}})
			if err == nil {
				err = answer.Error
			}
			if err == nil {
				for _, partition := range answer.Topics["none"] {
					err = errors.Join(err, partition.Error)
				}
			}
			if err == nil {
				break
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("wait for the coordinator of consumer groups: %w", errors.Join(context.Cause(ctx), err))
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	return nil
}

// broker is the running Java process.
type broker struct {
	addr   string
	secure string
	java   *exec.Cmd
	ended  chan struct{} // Closed when it has ended, after err is set.
	err    error
	log    tail
}

// start formats the storage in dir and starts a broker on it.
func start(dir, libs string, options Options) (*broker, error) {
	if options.Partitions == 0 {
		options.Partitions = 4
	}
	ports, err := freeport.Take(3)
	if err != nil {
		return nil, err
	}
	config, logConfig := filepath.Join(dir, "server.properties"), filepath.Join(dir, "log4j2.yaml")
	var text bytes.Buffer
	if err := properties.Execute(&text, struct {
		Port, ControllerPort, SecurePort, Partitions int
		Data                                         string
		Secure                                       *Secure
	}{ports[0], ports[1], ports[2], options.Partitions, filepath.Join(dir, "data"), options.Secure}); err != nil {
		return nil, fmt.Errorf("write server.properties: %w", err)
	}
	if err := errors.Join(os.WriteFile(config, text.Bytes(), 0o600), os.WriteFile(logConfig, logging, 0o600)); err != nil {
		return nil, fmt.Errorf("write the broker's configuration: %w", err)
	}
	flags := []string{
		"-Xmx256m", "-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-Dlog4j2.configurationFile=" + logConfig, "-cp", filepath.Join(libs, "*"),
	}
	// Any cluster id does, in the form that Kafka wants: 16 bytes in base64.
	tool := append(slices.Clone(flags), "kafka.tools.StorageTool", "format", "-t", "YW5kbWVyYWRhLXRlc3RzLQ", "-c", config)
	if s := options.Secure; s != nil {
		for _, mechanism := range []string{"SCRAM-SHA-256", "SCRAM-SHA-512"} {
			tool = append(tool, "--add-scram", fmt.Sprintf("%s=[name=%s,password=%s]", mechanism, s.User, s.Password))
		}
	}
	format := exec.Command("java", tool...) //nolint:gosec,noctx // Fixed arguments; ends by itself.
	if out, err := format.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("format the broker's storage (is Java 17 or newer installed?): %w\n%s", err, out)
	}

	b := &broker{
		addr:   fmt.Sprintf("127.0.0.1:%d", ports[0]),
		secure: fmt.Sprintf("127.0.0.1:%d", ports[2]),
		java:   exec.Command("java", append(flags, "kafka.Kafka", config)...), //nolint:gosec,noctx // Stopped by stop.
		ended:  make(chan struct{}),
	}
	ready := make(chan struct{})
	read, write := io.Pipe()
	b.java.Stdout, b.java.Stderr = write, write
	b.java.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	go b.follow(read, ready)
	if err := b.run(write); err != nil {
		return nil, err
	}
	select {
	case <-ready:
		return b, nil
	case <-b.ended:
		return nil, fmt.Errorf("the broker ended at its start: %w\n%s", b.err, &b.log)
	case <-time.After(startLimit):
		return nil, errors.Join(fmt.Errorf("the broker was not ready within %s\n%s", startLimit, &b.log), b.stop())
	}
}

// run starts Java and sees to its end.
func (b *broker) run(output *io.PipeWriter) error {
	started := make(chan error)
	go func() {
		// The system sends Pdeathsig when the thread that started the process
		// ends, so the thread is kept for as long as the broker runs.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := b.java.Start()
		started <- err
		if err != nil {
			return
		}
		b.err = b.java.Wait()
		_ = output.Close() // Always nil.
		close(b.ended)
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start java: %w; install Java 17 or newer", errors.Join(err, output.Close()))
	}
	return nil
}

// follow reads the broker's log to its end and closes ready when it says that
// the broker is.
func (b *broker) follow(log io.Reader, ready chan<- struct{}) {
	var once sync.Once
	lines := bufio.NewReader(log)
	for {
		line, err := lines.ReadString('\n')
		b.log.add(line)
		if strings.Contains(line, "Kafka Server started") {
			once.Do(func() { close(ready) })
		}
		if err != nil {
			return
		}
	}
}

// stop ends the broker and waits until it has.
func (b *broker) stop() error {
	if err := b.java.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop the broker: %w", err)
	}
	select {
	case <-b.ended:
	case <-time.After(stopLimit):
		if err := b.java.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("kill the broker: %w", err)
		}
		<-b.ended
	}
	return nil
}

// tail keeps the last lines of a log.
type tail struct {
	mu    sync.Mutex
	lines []string
}

func (l *tail) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	const keep = 100
	if l.lines = append(l.lines, line); len(l.lines) > keep {
		l.lines = l.lines[len(l.lines)-keep:]
	}
}

// String is the lines that are kept.
func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "")
}
