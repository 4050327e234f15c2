package embeddedtest_test

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/segmentio/kafka-go"

	"github.com/andmerada/andmerada/internal/embedded"
	"github.com/andmerada/andmerada/internal/embedded/embeddedtest"
)

func TestMain(m *testing.M) { os.Exit(embeddedtest.Main(m)) }

func connect(t *testing.T, user embedded.User, database string) clickhouse.Conn {
	t.Helper()
	house := embeddedtest.ClickHouse(t)
	name, password := house.Credentials(user)
	conn, err := clickhouse.Open(&clickhouse.Options{
		Addr: []string{house.Addr()},
		Auth: clickhouse.Auth{Database: database, Username: name, Password: password},
	})
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// Tests share the engine, and each has a database of its own while it runs.
func TestDatabase(t *testing.T) {
	t.Parallel()
	names := make(map[string]bool)
	t.Run("users", func(t *testing.T) {
		for range 2 {
			name := embeddedtest.Database(t)
			names[name] = true
			writer, reader := connect(t, embedded.Owner, name), connect(t, embedded.Reader, name)
			var n uint64
			err := errors.Join(
				writer.Exec(t.Context(), "CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n"),
				writer.Exec(t.Context(), "INSERT INTO t VALUES (1)"),
				reader.QueryRow(t.Context(), "SELECT count() FROM t").Scan(&n),
				writer.Close(), reader.Close())
			if err != nil {
				t.Fatal(err)
			}
			if n != 1 {
				t.Errorf("%d rows, want 1", n)
			}
		}
	})
	if len(names) != 2 {
		t.Errorf("databases %v, want two", names)
	}
	for name := range names {
		conn := connect(t, embedded.Owner, name)
		var gone *clickhouse.Exception
		if err := conn.Ping(t.Context()); !errors.As(err, &gone) || gone.Code != 81 {
			t.Errorf("%s after its test: %v, want that it does not exist", name, err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Each test has a broker of its own, gone after it.
func TestKafka(t *testing.T) {
	t.Parallel()
	var addr string
	t.Run("broker", func(t *testing.T) {
		k := embeddedtest.Kafka(t, 3)
		addr = k.Addr()
		if err := k.CreateTopic(t.Context(), "t", 0); err != nil {
			t.Fatal(err)
		}
		conn, err := kafka.DialContext(t.Context(), "tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		partitions, err := conn.ReadPartitions("t")
		if err := errors.Join(err, conn.Close()); err != nil {
			t.Fatal(err)
		}
		if len(partitions) != 3 {
			t.Errorf("%d partitions, want 3", len(partitions))
		}
	})
	if conn, err := kafka.DialContext(context.Background(), "tcp", addr); err == nil {
		t.Errorf("the broker still listens on %s after its test", addr)
		_ = conn.Close()
	}
}
