package embedded

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// connect connects to the child's engine as a user.
func (c *child) connect(t *testing.T, user User) driver.Conn {
	t.Helper()
	conn, err := clickhouse.Open(&clickhouse.Options{
		Addr: []string{c.said.Addr},
		Auth: clickhouse.Auth{Database: DatabaseName, Username: string(user), Password: c.said.Passwords[user]},
	})
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func do(t *testing.T, conn driver.Conn, query string) {
	t.Helper()
	if err := conn.Exec(t.Context(), query); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

func number(t *testing.T, conn driver.Conn, query string) (n uint64) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// startClickHouse is a child with an engine that runs.
func startClickHouse(t *testing.T, dir string) *child {
	t.Helper()
	c := startChild(t, "clickhouse", dir)
	if c.said.Error != "" {
		t.Fatal(c.said.Error)
	}
	return c
}

// Data, passwords and the engine's logs live through a stop and through a
// kill.
func TestClickHouseRestart(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "house")
	c := startClickHouse(t, dir)
	t.Logf("first start took %s", c.said.Took)
	conn := c.connect(t, Owner)
	do(t, conn, "CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n")
	do(t, conn, "INSERT INTO t SELECT number FROM numbers(1000)")
	do(t, conn, "SYSTEM FLUSH LOGS")
	logged := number(t, conn, "SELECT count() FROM system.query_log")
	if logged == 0 {
		t.Error("query_log is empty")
	}
	passwords := c.said.Passwords
	said := c.close(t) // With the connection open: nothing may depend on clients.
	t.Logf("close took %s", said.Took)
	_ = conn.Close() // The engine has hung up on it.

	for i, end := range []func(*child){func(c *child) { c.kill(t) }, func(c *child) { c.close(t) }, func(c *child) { c.close(t) }} {
		c := startClickHouse(t, dir)
		t.Logf("start %d took %s", i+2, c.said.Took)
		if c.said.Passwords[Writer] != passwords[Writer] || c.said.Passwords[Reader] != passwords[Reader] {
			t.Error("passwords differ after a restart")
		}
		conn := c.connect(t, Owner)
		if n, want := number(t, conn, "SELECT sum(n) FROM t"), uint64(999*1000/2*(1+i)); n != want {
			t.Errorf("start %d: sum %d, want %d", i+2, n, want)
		}
		do(t, conn, "INSERT INTO t SELECT number FROM numbers(1000)")
		do(t, conn, "SYSTEM FLUSH LOGS") // Hangs if the system database isn't a persistent one.
		if n := number(t, conn, "SELECT count() FROM system.query_log"); n <= logged {
			t.Errorf("start %d: query_log has %d rows, had %d", i+2, n, logged)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		end(c)
	}
	info, err := os.Stat(filepath.Join(dir, credentialsFile))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("credentials are %v, want 0600", info.Mode())
	}
}

// get sends an HTTP request to the child's engine, on a connection that stays
// open until the test's end, and returns the answer.
func (c *child) get(t *testing.T, query url.Values) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+c.said.HTTPAddr+"/?"+query.Encode(), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// A stop doesn't wait for clients, and doesn't take the process with it,
// whatever they do: the engine by itself would end the process.
func TestClickHouseStopsUnderClients(t *testing.T) {
	t.Parallel()
	c := startClickHouse(t, t.TempDir())
	if answer := c.get(t, url.Values{"user": {string(Reader)}, "password": {c.said.Passwords[Reader]}, "query": {"SELECT 1"}}); answer != "1\n" {
		t.Errorf("HTTP says %q, want 1", answer)
	}
	long := c.connect(t, Owner)
	ended := make(chan error, 1)
	go func() {
		ended <- long.Exec(t.Context(), "SELECT sum(sipHash64(number)) FROM numbers(1000000000000) FORMAT Null")
	}()
	watcher := c.connect(t, Owner)
	for number(t, watcher, "SELECT count() FROM system.processes WHERE query LIKE 'SELECT sum(sip%'") == 0 {
	}

	said := c.close(t) // Fails if the process ended before it said so.
	if err := <-ended; err == nil {
		t.Error("the long query came to an end")
	}
	if c.said.Panics != 1 || said.Panics != 1 {
		t.Errorf("nil dereferences recovered: %d while it ran and %d after, want 1 and 1", c.said.Panics, said.Panics)
	}
	_, _ = watcher.Close(), long.Close() // The engine has hung up on them.
}

// The errors of a start say what's wrong and what to do.
func TestClickHouseStartErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := startClickHouse(t, dir)
	if !strings.Contains(c.said.Used, "only once") {
		t.Errorf("second start in one process: %q", c.said.Used)
	}
	second := startChild(t, "clickhouse", dir)
	if !second.said.InUse || !strings.Contains(second.said.Error, "stop the other process") {
		t.Errorf("second process on the directory: %+v", second.said)
	}
	if n := number(t, c.connect(t, Reader), "SELECT toUInt64(7)"); n != 7 {
		t.Errorf("the first says %d, want 7", n)
	}
	c.close(t)

	if err := os.WriteFile(filepath.Join(dir, credentialsFile), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	damaged := startChild(t, "clickhouse", dir)
	if !strings.Contains(damaged.said.Error, "remove it, and new ones are made") {
		t.Errorf("damaged credentials: %q", damaged.said.Error)
	}
	if _, err := StartClickHouse(t.Context(), ClickHouseConfig{Dir: dir, Library: filepath.Join(dir, "none.so")}); !errors.Is(err, ErrNoLibrary) || !strings.Contains(err.Error(), "make engine") {
		t.Errorf("no library: %v", err)
	}
}

// The end of an engine that nobody closed is told.
func TestClickHouseDies(t *testing.T) {
	t.Parallel()
	c := startChild(t, "clickhouse-dies", t.TempDir())
	if c.said.Error != "" {
		t.Fatal(c.said.Error)
	}
	if said := c.next(t); !strings.Contains(said.Error, "ended by itself") {
		t.Errorf("Done said %q", said.Error)
	}
	c.close(t)
}

func TestFindLibrary(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv(LibraryVariable, "")
	if path, err := FindLibrary(); !errors.Is(err, ErrNoLibrary) || !strings.Contains(err.Error(), "make engine") {
		t.Errorf("nowhere: %q, %v", path, err)
	}
	cached := filepath.Join(cache, "andmerada", "libchdb-"+LibraryVersion+".so")
	if err := errors.Join(os.Mkdir(filepath.Dir(cached), 0o700), os.WriteFile(cached, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if path, err := FindLibrary(); err != nil || path != cached {
		t.Errorf("in the cache: %q, %v, want %q", path, err, cached)
	}
	t.Setenv(LibraryVariable, filepath.Join(cache, "none"))
	if path, err := FindLibrary(); !errors.Is(err, ErrNoLibrary) || !strings.Contains(err.Error(), LibraryVariable) {
		t.Errorf("named and not there: %q, %v", path, err)
	}
	t.Setenv(LibraryVariable, cache)
	if path, err := FindLibrary(); err == nil || !strings.Contains(err.Error(), "not a file") {
		t.Errorf("named and a directory: %q, %v", path, err)
	}
}
