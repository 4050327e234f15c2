package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/andmerada/andmerada/internal/embedded/freeport"
)

// DatabaseName is the database that a start creates (engine Atomic).
const DatabaseName = "andmerada"

// DefaultMaxMemoryBytes is the engine's memory limit unless the configuration
// says otherwise.
const DefaultMaxMemoryBytes = 1 << 30

// ErrEngineUsed says that this process runs an engine already, or has run one.
// The library has global state that a stop doesn't take down: one start a
// process. (A second one fails with "EventNotifier is initialized twice".)
var ErrEngineUsed = errors.New("this process runs an embedded ClickHouse already, or has run one, and can only once: start another process, or share the first (tests: package embeddedtest)")

// ClickHouseConfig says how to run ClickHouse inside the process.
type ClickHouseConfig struct {
	// Dir holds the data, the credentials and the engine's log. It's created
	// if need be. Required.
	Dir string
	// TCPPort and HTTPPort are for the native and the HTTP protocol, on
	// 127.0.0.1; 0 is any free one.
	TCPPort, HTTPPort int
	// Library is the path of libchdb.so; "" is what [FindLibrary] finds.
	Library string
	// MaxMemoryBytes bounds what the engine allocates; 0 is
	// [DefaultMaxMemoryBytes]. One query gets at most half of it.
	MaxMemoryBytes uint64
	// Owner adds the user [Owner], and lets [Reader] and [Cases] into the databases
	// that it makes.
	Owner bool
	// KafkaConsumers, if not 0, lets [Owner] make tables of the engine Kafka,
	// with so many consumers at work at once. Andmerada needs none: it is for
	// `make bench`, which compares ingest with them.
	KafkaConsumers int
	// Logger is told of start and stop; nil is silence.
	Logger *slog.Logger
}

// ClickHouse is the running engine.
type ClickHouse struct {
	tcp, http   string
	door        *door
	ports       [2]int // The engine's own, native (behind the door) and HTTP.
	credentials credentials
	fifo        *os.File
	lock        *dirLock
	log         *slog.Logger
	closing     atomic.Bool
	done        chan error
	ended       chan struct{} // Closed when the engine's queries ended, after text is set.
	text        string        // The engine's last error, or "".
	closed      chan struct{} // Closed when Close is through, after closeErr is set.
	closeErr    error
}

// used is set from the engine's start on.
var used atomic.Bool

// How long the engine gets to be ready or to stop. Both are well below a
// second on an idle machine with little data.
const (
	startLimit = 2 * time.Minute
	stopLimit  = time.Minute
)

// StartClickHouse starts the engine on a directory and returns when it
// answers. The database [DatabaseName] exists then. If another process runs on
// the directory, the error is [ErrDirInUse]; if the library is missing,
// [ErrNoLibrary]; if this process has started one before, [ErrEngineUsed].
func StartClickHouse(ctx context.Context, config ClickHouseConfig) (_ *ClickHouse, err error) {
	if config.Dir == "" {
		return nil, errors.New("start the embedded ClickHouse: no directory given")
	}
	path, err := findLibrary(config.Library)
	if err != nil {
		return nil, err
	}
	if !used.CompareAndSwap(false, true) {
		return nil, ErrEngineUsed
	}
	dir, lock, err := lockDir(config.Dir)
	if err != nil {
		used.Store(false)
		return nil, fmt.Errorf("start the embedded ClickHouse: %w", err)
	}
	c := &ClickHouse{
		lock: lock, log: config.Logger,
		done: make(chan error, 1), ended: make(chan struct{}), closed: make(chan struct{}),
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	args, err := c.prepare(dir, config)
	var engine *engine
	if err == nil {
		engine, err = loadEngine(path)
	}
	if err != nil {
		used.Store(false)
		return nil, errors.Join(fmt.Errorf("start the embedded ClickHouse: %w", err), c.unprepare())
	}

	began := time.Now()
	go func() {
		c.text = engine.run(args)
		close(c.ended)
	}()
	if err := c.waitReady(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start the embedded ClickHouse in %q: %w", dir, err), c.Close())
	}
	c.door.serve()
	go c.watch(dir)
	c.log.InfoContext(ctx, "embedded ClickHouse runs", slog.String("dir", dir), slog.String("native", c.tcp), slog.String("http", c.http), slog.Duration("took", time.Since(began)))
	return c, nil
}

func findLibrary(named string) (string, error) {
	if named != "" {
		return library(named, "as configured")
	}
	return FindLibrary()
}

// prepare writes what the engine reads at its start, and returns its command
// line.
func (c *ClickHouse) prepare(dir string, config ClickHouseConfig) ([]string, error) {
	if strings.ContainsAny(dir, `'\`) {
		return nil, fmt.Errorf("the directory's path %q has a quote or a backslash in it; choose another", dir)
	}
	var err error
	users := []User{Writer, Migrations, Reader, Cases}
	if config.Owner {
		users = append(users, Owner)
	}
	if c.credentials, err = readCredentials(dir, users); err != nil {
		return nil, err
	}
	if err := writeConfig(dir, config, c.credentials); err != nil {
		return nil, err
	}
	if err := c.listen(config); err != nil {
		return nil, err
	}

	// The engine lives as long as there may be queries for it. It reads them
	// from a file and then from a pipe that nobody writes to, until Close (or
	// this process's end) closes it. Open for reading too, so that neither side
	// waits for the other.
	fifo := filepath.Join(dir, fifoName)
	if err := os.Remove(fifo); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove the old pipe: %w", err)
	}
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		return nil, fmt.Errorf("make the pipe %q: %w; the directory must be on a file system that knows named pipes", fifo, err)
	}
	if c.fifo, err = os.OpenFile(fifo, os.O_RDWR, 0); err != nil { // Close-on-exec, as os opens all.
		return nil, fmt.Errorf("open the pipe: %w", err)
	}
	return []string{
		"--config-file=" + filepath.Join(dir, "config.xml"),
		"--path=" + filepath.Join(dir, "data"),
		"--log-level=warning",
		"--listen_host=127.0.0.1",
		"--tcp_port=" + strconv.Itoa(c.ports[0]),
		"--http_port=" + strconv.Itoa(c.ports[1]),
		"--queries-file", filepath.Join(dir, startFile), fifo,
	}, nil
}

// unprepare takes back what prepare and lockDir have opened.
func (c *ClickHouse) unprepare() error {
	var err error
	if c.fifo != nil {
		err = c.fifo.Close()
	}
	if c.door != nil {
		err = errors.Join(err, c.door.close())
	}
	return errors.Join(err, c.lock.release())
}

// listen opens the door and chooses the engine's ports. A given port that is
// taken is an error here, where its cause can be said.
func (c *ClickHouse) listen(config ClickHouseConfig) error {
	listener, err := listenOn(config.TCPPort)
	if err != nil {
		return err
	}
	c.door = &door{listener: listener, check: c.checkGreeting}
	if config.HTTPPort != 0 {
		probe, err := listenOn(config.HTTPPort)
		if err != nil {
			return err
		}
		if err := probe.Close(); err != nil {
			return fmt.Errorf("listen on port %d: %w", config.HTTPPort, err)
		}
	}
	free, err := freeport.Take(2)
	if err != nil {
		return err
	}
	c.ports = [2]int{free[0], cmp.Or(config.HTTPPort, free[1])}
	c.door.engine = net.JoinHostPort("127.0.0.1", strconv.Itoa(c.ports[0]))
	c.tcp = listener.Addr().String()
	c.http = net.JoinHostPort("127.0.0.1", strconv.Itoa(c.ports[1]))
	return nil
}

func listenOn(port int) (net.Listener, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("listen on port %d: %w; stop what listens there, or choose another port", port, err)
	}
	return listener, nil
}

// waitReady waits until the engine answers on both protocols.
func (c *ClickHouse) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("it was not ready within %s", startLimit))
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-c.ended:
			return errors.New(c.why())
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
		// The HTTP listener is the last to start: when it answers, all is there.
		if _, err := c.get(ctx, Writer, "/ping"); err == nil {
			return nil
		}
	}
}

// why is the engine's last error, with what to do about it.
func (c *ClickHouse) why() string {
	switch {
	case c.text == "":
		return "the engine ended without an error; its log is clickhouse.log in its directory"
	case strings.Contains(c.text, "Address already in use"):
		return c.text + "; another process took the port: choose another one, or start again"
	default:
		return c.text + "; the engine's log is clickhouse.log in its directory"
	}
}

// watch reports the engine's end, unless Close brought it about.
func (c *ClickHouse) watch(dir string) {
	<-c.ended
	if !c.closing.Load() {
		err := fmt.Errorf("the embedded ClickHouse in %q ended by itself: %s", dir, c.why())
		c.log.Error("embedded ClickHouse ended by itself", slog.Any("error", err))
		c.done <- err
	}
	close(c.done)
}

// Addr is the address of the native protocol, host:port.
func (c *ClickHouse) Addr() string { return c.tcp }

// HTTPAddr is the address of the HTTP protocol, host:port.
func (c *ClickHouse) HTTPAddr() string { return c.http }

// Credentials are the name and the password of a user, to connect with. An
// unknown user has none: both are "".
func (c *ClickHouse) Credentials(user User) (name, password string) {
	password, ok := c.credentials[user]
	if !ok {
		return "", ""
	}
	return string(user), password
}

// Done yields an error if the engine ends by itself, and is closed when it has
// ended, be it by Close.
func (c *ClickHouse) Done() <-chan error { return c.done }

// Close stops the engine and waits until it has: running queries are
// cancelled, what was acknowledged is on disk. It can be called again and by
// several goroutines; each gets the same answer.
func (c *ClickHouse) Close() error {
	if c.closing.Swap(true) {
		<-c.closed
		return c.closeErr
	}
	defer close(c.closed)
	told := false // An end before this one: the start or Done says why.
	select {
	case <-c.ended:
		told = true
	default:
	}
	// Then the engine reads the pipe's end, and knows that no query follows.
	err := errors.Join(c.door.close(), c.fifo.Close())
	if waitErr := c.waitEnded(); waitErr != nil {
		// The lock stays: the engine may still write.
		c.closeErr = errors.Join(err, waitErr)
		return c.closeErr
	}
	if c.text != "" && !told {
		err = errors.Join(err, fmt.Errorf("stop the embedded ClickHouse: %s", c.why()))
	}
	c.closeErr = errors.Join(err, c.lock.release())
	c.log.Info("embedded ClickHouse stopped")
	return c.closeErr
}

// waitEnded waits until the engine has stopped, and hangs up on its clients.
func (c *ClickHouse) waitEnded() error {
	limit := time.NewTimer(stopLimit)
	defer limit.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-c.ended:
			return nil
		case <-limit.C:
			return fmt.Errorf("stop the embedded ClickHouse: it still runs after %s; end the process, its data stay whole", stopLimit)
		case <-tick.C:
			// Again and again: a client may connect until the listeners close.
			if err := hangUp(c.ports); err != nil {
				c.log.Warn("embedded ClickHouse has open connections", slog.Any("error", err))
			}
		}
	}
}
