package embedded

import (
	"encoding/xml"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// deployedUsers are those of docker-compose.yml.
const deployedUsers = "../../deploy/compose/clickhouse-users.xml"

// grantsIn are the rights that a file gives, by user and sorted.
func grantsIn(t *testing.T, file string) map[User][]string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all struct {
		Users struct {
			Each []struct {
				XMLName xml.Name
				Grants  []string `xml:"grants>query"`
			} `xml:",any"`
		} `xml:"users"`
	}
	if err := xml.Unmarshal(data, &all); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	by := make(map[User][]string)
	for _, u := range all.Users.Each {
		slices.Sort(u.Grants)
		by[User(u.XMLName.Local)] = u.Grants
	}
	return by
}

// TestDeployedRights holds that users of the same name may do the same here, where
// tests and the demo show that it is enough and not too much, and on servers. What
// the embedded ones may do with the databases of tests comes on top.
func TestDeployedRights(t *testing.T) {
	t.Parallel()
	users := []User{Writer, Migrations, Reader, Cases}
	deployed := grantsIn(t, deployedUsers)
	for _, config := range []ClickHouseConfig{{}, {Owner: true}} {
		dir := t.TempDir()
		with := users
		if config.Owner {
			with = append(slices.Clone(users), Owner)
		}
		passwords, err := readCredentials(dir, with)
		if err != nil {
			t.Fatal(err)
		}
		if err := writeConfig(dir, config, passwords); err != nil {
			t.Fatal(err)
		}
		here := grantsIn(t, filepath.Join(dir, "users.xml"))
		if _, there := here[Owner]; there != config.Owner || len(here) != len(with)+1 { // and default
			t.Errorf("%+v: users %v", config, here)
		}
		for _, user := range users {
			own := slices.DeleteFunc(slices.Clone(here[user]), func(grant string) bool {
				return config.Owner && strings.HasSuffix(grant, " ON "+DatabaseName+"_*.*")
			})
			if !slices.Equal(own, deployed[user]) || len(own) == 0 {
				t.Errorf("%s may, here:\n%s\nand on servers:\n%s", user, strings.Join(own, "\n"), strings.Join(deployed[user], "\n"))
			}
		}
	}
	// A right that names no table is one to each of them, those of cases and of later versions too.
	broad := regexp.MustCompile(`\b(INSERT|DELETE|UPDATE|TRUNCATE|ALL|ALTER( TABLE)?)( ON|,).*\*|\*\.\*`)
	for user, grants := range deployed {
		for _, grant := range grants {
			if broad.MatchString(grant) {
				t.Errorf("%s: %s", user, grant)
			}
		}
	}
}

// Each user may do what it's for, and no more. Nobody else gets anywhere.
func TestClickHouseRights(t *testing.T) {
	t.Parallel()
	c := startClickHouse(t, t.TempDir())
	owner, writer, migrations, reader, cases := c.connect(t, Owner), c.connect(t, Writer), c.connect(t, Migrations), c.connect(t, Reader), c.connect(t, Cases)
	defer func() {
		if err := errors.Join(owner.Close(), writer.Close(), migrations.Close(), reader.Close(), cases.Close()); err != nil {
			t.Error(err)
		}
		c.close(t)
	}()
	do(t, owner, "CREATE TABLE t (n UInt64, x UInt64, PROJECTION p INDEX x TYPE basic) ENGINE = MergeTree ORDER BY n PARTITION BY n % 2")
	do(t, owner, "INSERT INTO t VALUES (1, 1)")
	do(t, owner, "INSERT INTO t VALUES (2, 2)")
	do(t, owner, "CREATE TABLE cases (n UInt64) ENGINE = MergeTree ORDER BY n")
	do(t, owner, "CREATE TABLE case_persons (n UInt64) ENGINE = MergeTree ORDER BY n")
	do(t, owner, "CREATE TABLE trail (n UInt64) ENGINE = MergeTree ORDER BY n PARTITION BY n % 2")
	do(t, owner, "CREATE TABLE schema_version (n UInt64) ENGINE = MergeTree ORDER BY n")
	do(t, owner, "CREATE DATABASE andmerada_other")
	do(t, owner, "CREATE TABLE andmerada_other.t (n UInt64) ENGINE = MergeTree ORDER BY n")
	do(t, owner, "SYSTEM FLUSH LOGS") // Makes query_log.
	const denied, limited = "code: 497", "code: 452"
	for _, test := range []struct {
		who   driver.Conn
		name  string
		query string
		want  string // Of the error; "" is none.
	}{
		{owner, "owner", "CREATE DATABASE andmerada_x", ""},
		{owner, "owner", "CREATE TABLE andmerada_x.t (n UInt64) ENGINE = ReplacingMergeTree ORDER BY n", ""},
		{owner, "owner", "CREATE TABLE andmerada_x.sum (n UInt64, c UInt64) ENGINE = SummingMergeTree ORDER BY n", ""},
		{owner, "owner", "CREATE MATERIALIZED VIEW andmerada_x.v TO andmerada_x.sum AS SELECT n, count() AS c FROM andmerada_x.t GROUP BY n", ""},
		{owner, "owner", "INSERT INTO andmerada_x.t VALUES (1)", ""},
		{owner, "owner", "ALTER TABLE andmerada_x.t ADD COLUMN s String", ""},
		{owner, "owner", "ALTER TABLE t MATERIALIZE PROJECTION p", ""},
		{owner, "owner", "ALTER TABLE t DROP PARTITION 0", ""},
		{owner, "owner", "ALTER TABLE t MODIFY SETTING non_replicated_deduplication_window = 100", ""},
		{owner, "owner", "OPTIMIZE TABLE andmerada_x.t FINAL", ""},
		{owner, "owner", "DELETE FROM andmerada_x.t WHERE n = 1", ""},
		{owner, "owner", "RENAME TABLE andmerada_x.sum TO andmerada_x.sum2", ""},
		{owner, "owner", "SYSTEM STOP MERGES andmerada_x.t", ""},
		{owner, "owner", "SELECT count() FROM system.parts", ""},
		{owner, "owner", "SELECT count() FROM system.mutations", ""},
		{owner, "owner", "DROP DATABASE andmerada_x SYNC", ""},
		{owner, "owner", "CREATE DATABASE other", denied},
		{owner, "owner", "CREATE USER u", denied},
		{owner, "owner", "SELECT * FROM file('/etc/passwd', LineAsString)", denied},
		{owner, "owner", "SELECT * FROM url('http://127.0.0.1:1/', LineAsString)", denied},
		{owner, "owner", "CREATE TABLE f (s String) ENGINE = File(LineAsString, '/etc/passwd')", denied},
		{owner, "owner", "SYSTEM STOP LISTEN TCP", denied},

		{writer, "writer", "INSERT INTO trail SETTINGS insert_deduplication_token = 'x' VALUES (1)", ""},
		{writer, "writer", "SELECT n FROM trail", ""},
		{writer, "writer", "OPTIMIZE TABLE trail PARTITION ID '1' FINAL", ""},
		{writer, "writer", "CREATE TABLE trail_trial AS trail", ""},
		{writer, "writer", "INSERT INTO trail_trial VALUES (1)", ""},
		{writer, "writer", "EXCHANGE TABLES trail AND trail_trial", denied},
		{writer, "writer", "RENAME TABLE trail_trial TO trail_other", denied},
		{writer, "writer", "ALTER TABLE trail_trial ADD COLUMN s String", denied},
		{writer, "writer", "DROP TABLE trail_trial SYNC", ""},
		{writer, "writer", "SELECT count() FROM system.parts", ""},
		{writer, "writer", "SELECT count() FROM system.disks", ""},
		{writer, "writer", "ALTER TABLE trail ADD COLUMN s String", denied},
		{writer, "writer", "ALTER TABLE trail DELETE WHERE 1", denied},
		{writer, "writer", "ALTER TABLE trail UPDATE n = 2 WHERE 1", denied},
		{writer, "writer", "ALTER TABLE trail DROP PARTITION 1", denied},
		{writer, "writer", "ALTER TABLE trail MODIFY SETTING non_replicated_deduplication_window = 1", denied},
		{writer, "writer", "DELETE FROM trail WHERE 1", denied},
		{writer, "writer", "TRUNCATE TABLE trail", denied},
		{writer, "writer", "DROP TABLE trail", denied},
		{writer, "writer", "DETACH TABLE trail", denied},
		{writer, "writer", "RENAME TABLE trail TO trail_other", denied},
		{writer, "writer", "CREATE TABLE u (n UInt64) ENGINE = MergeTree ORDER BY n", denied},
		{writer, "writer", "CREATE OR REPLACE TABLE trail (n UInt64) ENGINE = MergeTree ORDER BY n", denied},
		{writer, "writer", "CREATE TABLE trail_trial (n UInt64) ENGINE = Memory", denied},
		{writer, "writer", "INSERT INTO schema_version VALUES (1)", denied},
		{writer, "writer", "INSERT INTO cases VALUES (1)", denied},
		{writer, "writer", "OPTIMIZE TABLE schema_version", denied},
		{writer, "writer", "TRUNCATE DATABASE andmerada", denied},
		{writer, "writer", "DROP DATABASE andmerada", denied},
		{writer, "writer", "SYSTEM STOP MERGES trail", denied},
		{writer, "writer", "SELECT n FROM andmerada_other.t", denied},
		{writer, "writer", "SELECT query FROM system.query_log", denied},
		{writer, "writer", "SELECT name FROM system.users", denied},
		{writer, "writer", "SELECT * FROM file('/etc/passwd', LineAsString)", denied},
		{writer, "writer", "SELECT * FROM url('http://127.0.0.1:1/', LineAsString)", denied},

		{migrations, "migrations", "CREATE DATABASE IF NOT EXISTS andmerada", ""},
		{migrations, "migrations", "CREATE TABLE m (n UInt64) ENGINE = ReplacingMergeTree ORDER BY n", ""},
		{migrations, "migrations", "ALTER TABLE m ADD COLUMN s String", ""},
		{migrations, "migrations", "ALTER TABLE m MODIFY COLUMN s LowCardinality(String)", ""},
		{migrations, "migrations", "ALTER TABLE m ADD INDEX i n TYPE minmax", ""},
		{migrations, "migrations", "ALTER TABLE m DROP COLUMN s", ""},
		{migrations, "migrations", "ALTER TABLE trail MODIFY SETTING non_replicated_deduplication_window = 100", ""},
		{migrations, "migrations", "ALTER TABLE trail ADD PROJECTION p (SELECT n ORDER BY n)", ""},
		{migrations, "migrations", "ALTER TABLE trail DROP PROJECTION p", ""},
		{migrations, "migrations", "CREATE VIEW v AS SELECT n FROM trail", ""},
		{migrations, "migrations", "DROP VIEW v", ""},
		{migrations, "migrations", "DROP TABLE m", ""},
		{migrations, "migrations", "INSERT INTO schema_version VALUES (1)", ""},
		{migrations, "migrations", "INSERT INTO trail VALUES (1)", denied},
		{migrations, "migrations", "SELECT n FROM cases", denied},
		{migrations, "migrations", "ALTER TABLE trail DELETE WHERE 1", denied},
		{migrations, "migrations", "ALTER TABLE trail UPDATE n = 2 WHERE 1", denied},
		{migrations, "migrations", "DELETE FROM trail WHERE 1", denied},
		{migrations, "migrations", "TRUNCATE TABLE trail", denied},
		{migrations, "migrations", "DROP DATABASE andmerada", denied},
		{migrations, "migrations", "CREATE DATABASE other", denied},
		{migrations, "migrations", "SELECT n FROM andmerada_other.t", denied},
		{migrations, "migrations", "CREATE TABLE f (s String) ENGINE = File(LineAsString, '/etc/passwd')", denied},
		{migrations, "migrations", "SELECT * FROM file('/etc/passwd', LineAsString)", denied},
		{migrations, "migrations", "SELECT name FROM system.users", denied},

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
		{Writer, c.said.Passwords[Writer], "andmerada_other", "SELECT n FROM t", "81", "497"},
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
