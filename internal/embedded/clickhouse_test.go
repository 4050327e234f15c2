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
	conn := c.connect(t, Writer)
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
		conn := c.connect(t, Writer)
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

// Each user may do what it's for, and no more. Nobody else gets anywhere.
func TestClickHouseRights(t *testing.T) {
	t.Parallel()
	c := startClickHouse(t, t.TempDir())
	writer, reader, cases := c.connect(t, Writer), c.connect(t, Reader), c.connect(t, Cases)
	defer func() {
		if err := errors.Join(writer.Close(), reader.Close(), cases.Close()); err != nil {
			t.Error(err)
		}
		c.close(t)
	}()
	do(t, writer, "CREATE TABLE t (n UInt64, x UInt64, PROJECTION p INDEX x TYPE basic) ENGINE = MergeTree ORDER BY n PARTITION BY n % 2")
	do(t, writer, "INSERT INTO t VALUES (1, 1)")
	do(t, writer, "INSERT INTO t VALUES (2, 2)")
	do(t, writer, "CREATE TABLE cases (n UInt64) ENGINE = MergeTree ORDER BY n")
	do(t, writer, "CREATE TABLE case_persons (n UInt64) ENGINE = MergeTree ORDER BY n")
	do(t, writer, "SYSTEM FLUSH LOGS") // Makes query_log.
	const denied, limited = "code: 497", "code: 452"
	for _, test := range []struct {
		who   driver.Conn
		name  string
		query string
		want  string // Of the error; "" is none.
	}{
		{writer, "writer", "CREATE DATABASE andmerada_x", ""},
		{writer, "writer", "CREATE TABLE andmerada_x.t (n UInt64) ENGINE = ReplacingMergeTree ORDER BY n", ""},
		{writer, "writer", "CREATE TABLE andmerada_x.sum (n UInt64, c UInt64) ENGINE = SummingMergeTree ORDER BY n", ""},
		{writer, "writer", "CREATE MATERIALIZED VIEW andmerada_x.v TO andmerada_x.sum AS SELECT n, count() AS c FROM andmerada_x.t GROUP BY n", ""},
		{writer, "writer", "INSERT INTO andmerada_x.t VALUES (1)", ""},
		{writer, "writer", "ALTER TABLE andmerada_x.t ADD COLUMN s String", ""},
		{writer, "writer", "ALTER TABLE t MATERIALIZE PROJECTION p", ""},
		{writer, "writer", "ALTER TABLE t DROP PARTITION 0", ""},
		{writer, "writer", "ALTER TABLE t MODIFY SETTING non_replicated_deduplication_window = 100", ""},
		{writer, "writer", "OPTIMIZE TABLE andmerada_x.t FINAL", ""},
		{writer, "writer", "DELETE FROM andmerada_x.t WHERE n = 1", ""},
		{writer, "writer", "RENAME TABLE andmerada_x.sum TO andmerada_x.sum2", ""},
		{writer, "writer", "SYSTEM STOP MERGES andmerada_x.t", ""},
		{writer, "writer", "SELECT count() FROM system.parts", ""},
		{writer, "writer", "SELECT count() FROM system.mutations", ""},
		{writer, "writer", "DROP DATABASE andmerada_x SYNC", ""},
		{writer, "writer", "CREATE DATABASE other", denied},
		{writer, "writer", "CREATE USER u", denied},
		{writer, "writer", "SELECT * FROM file('/etc/passwd', LineAsString)", denied},
		{writer, "writer", "SELECT * FROM url('http://127.0.0.1:1/', LineAsString)", denied},
		{writer, "writer", "CREATE TABLE f (s String) ENGINE = File(LineAsString, '/etc/passwd')", denied},
		{writer, "writer", "SYSTEM STOP LISTEN TCP", denied},

		{reader, "reader", "SELECT n FROM t", ""},
		{reader, "reader", "SELECT n FROM t SETTINGS max_execution_time = 5, max_threads = 1", ""},
		{reader, "reader", "INSERT INTO t VALUES (3, 3)", denied},
		{reader, "reader", "CREATE TABLE u (n UInt64) ENGINE = Memory", denied},
		{reader, "reader", "ALTER TABLE t DELETE WHERE n = 1", denied},
		{reader, "reader", "DROP TABLE t", denied},
		{reader, "reader", "TRUNCATE TABLE t", denied},
		{reader, "reader", "SELECT * FROM file('/etc/passwd', LineAsString)", denied},
		{reader, "reader", "SELECT * FROM url('http://127.0.0.1:1/', LineAsString)", denied},
		{reader, "reader", "SELECT * FROM remote('127.0.0.1', 'system', 'one')", denied},
		{reader, "reader", "SELECT query FROM system.query_log", denied},
		{reader, "reader", "SELECT name FROM system.users", denied},
		{reader, "reader", "SELECT n FROM t SETTINGS max_execution_time = 0", limited},
		{reader, "reader", "SELECT n FROM t SETTINGS max_rows_to_read = 0", limited},
		{reader, "reader", "SELECT n FROM t SETTINGS max_result_rows = 0", limited},
		{reader, "reader", "SELECT n FROM t SETTINGS max_memory_usage = 0", limited},
		{reader, "reader", "SET readonly = 0", "code: 164"},

		{cases, "cases", "INSERT INTO cases VALUES (1)", ""},
		{cases, "cases", "INSERT INTO case_persons SETTINGS insert_deduplication_token = 'x' VALUES (1)", ""},
		{cases, "cases", "INSERT INTO t VALUES (3, 3)", denied},
		{cases, "cases", "SELECT n FROM cases", denied},
		{cases, "cases", "SELECT n FROM t", denied},
		{cases, "cases", "INSERT INTO cases SELECT n FROM t", denied},
		{cases, "cases", "INSERT INTO cases SELECT length(line) FROM file('/etc/passwd', LineAsString)", denied},
		{cases, "cases", "ALTER TABLE cases DELETE WHERE 1", denied},
		{cases, "cases", "TRUNCATE TABLE cases", denied},
		{cases, "cases", "DROP TABLE cases", denied},
		{cases, "cases", "CREATE TABLE u (n UInt64) ENGINE = Memory", denied},
		{cases, "cases", "SELECT name FROM system.users", denied},
		{cases, "cases", "INSERT INTO cases SETTINGS max_execution_time = 0 VALUES (1)", limited},
	} {
		err := test.who.Exec(t.Context(), test.query)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %s: error %v, want %q", test.name, test.query, err, test.want)
		}
	}
	if n := number(t, reader, "SELECT count() FROM t"); n != 1 {
		t.Errorf("t has %d rows, want the one that's left", n)
	}

	// Who isn't let in does no harm: not by the native protocol, where the
	// engine itself would end the process, and not by HTTP.
	for _, test := range []struct {
		user     User
		password string
		database string
		query    string
		native   string // The error's code.
		http     string
	}{
		{Reader, "wrong", DatabaseName, "SELECT 1", "516", "516"},
		{"nobody", "", DatabaseName, "SELECT 1", "516", "516"},
		{Writer, c.said.Passwords[Writer], "nowhere", "SELECT 1", "81", "81"},
		// The engine has this user, without a password.
		{"default", "", DatabaseName, "SELECT n FROM t", "516", "497"},
		{"default", "", DatabaseName, "SELECT * FROM file('/etc/passwd', LineAsString)", "516", "497"},
		{"default", "", DatabaseName, "SYSTEM STOP LISTEN TCP", "516", "201"},
		{"default", "", DatabaseName, "CREATE DATABASE IF NOT EXISTS andmerada", "516", "201"},
	} {
		conn, err := clickhouse.Open(&clickhouse.Options{
			Addr: []string{c.said.Addr},
			Auth: clickhouse.Auth{Database: test.database, Username: string(test.user), Password: test.password},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Ping(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "code: "+test.native+",") {
			t.Errorf("%s in %s, native: error %v, want code %s", test.user, test.database, err, test.native)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		answer := c.get(t, url.Values{"user": {string(test.user)}, "password": {test.password}, "database": {test.database}, "query": {test.query}})
		if !strings.HasPrefix(answer, "Code: "+test.http+".") {
			t.Errorf("%s in %s, HTTP, %s: %q, want code %s", test.user, test.database, test.query, answer, test.http)
		}
	}
	if n := number(t, reader, "SELECT count() FROM t"); n != 1 {
		t.Errorf("t has %d rows after all that, want 1", n)
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
	long := c.connect(t, Writer)
	ended := make(chan error, 1)
	go func() {
		ended <- long.Exec(t.Context(), "SELECT sum(sipHash64(number)) FROM numbers(1000000000000) FORMAT Null")
	}()
	watcher := c.connect(t, Writer)
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
