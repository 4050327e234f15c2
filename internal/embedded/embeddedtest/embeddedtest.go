// Package embeddedtest gives tests the embedded Kafka and ClickHouse.
//
// A process can start the engine of ClickHouse only once, so the tests of a
// package share it and each has a database of its own. Such a package needs
//
//	func TestMain(m *testing.M) { os.Exit(embeddedtest.Main(m)) }
//
// which stops the engine and removes its directory after the last test.
package embeddedtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/andmerada/andmerada/internal/embedded"
)

// engine is the process's ClickHouse. It's global, as the library's state is.
var engine struct {
	sync.Mutex
	runsMain bool
	started  bool
	dir      string
	house    *embedded.ClickHouse
	err      error
}

// Main runs the tests of a package and then stops the engine, if one of them
// has used it, and removes its directory. It returns the exit code.
func Main(m *testing.M) int {
	engine.Lock()
	engine.runsMain = true
	engine.Unlock()
	code := m.Run()
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, "embeddedtest:", err)
		if code == 0 {
			code = 1
		}
	}
	return code
}

func stop() error {
	engine.Lock()
	defer engine.Unlock()
	if !engine.started {
		return nil
	}
	var err error
	if engine.house != nil {
		err = engine.house.Close()
	}
	return errors.Join(err, os.RemoveAll(engine.dir))
}

// ClickHouse returns the process's engine, started on first use in a temporary
// directory. Its durability is that of production; the data go with the
// process. The test fails if the engine's library isn't there (`make engine`)
// or the package has no TestMain as above.
func ClickHouse(t testing.TB) *embedded.ClickHouse {
	t.Helper()
	engine.Lock()
	defer engine.Unlock()
	if !engine.runsMain {
		t.Fatal("embeddedtest: this package needs `func TestMain(m *testing.M) { os.Exit(embeddedtest.Main(m)) }`, which removes the engine's directory")
	}
	if !engine.started {
		engine.started = true
		engine.dir, engine.err = os.MkdirTemp("", "andmerada-clickhouse-*")
		if engine.err == nil {
			// Not the test's context: the engine outlives the test.
			engine.house, engine.err = embedded.StartClickHouse(context.Background(), embedded.ClickHouseConfig{Dir: engine.dir, Owner: true})
		}
	}
	if engine.err != nil {
		t.Fatalf("embeddedtest: %v", engine.err)
	}
	return engine.house
}

// Database makes an empty database with a name of its own in [ClickHouse],
// drops it after the test and returns its name. Owner owns it and Reader
// reads it.
func Database(t testing.TB) string {
	t.Helper()
	house := ClickHouse(t)
	name := embedded.DatabaseName + "_test_" + strings.ToLower(rand.Text()[:12])
	do := func(ctx context.Context, query string) error {
		user, password := house.Credentials(embedded.Owner)
		conn, err := clickhouse.Open(&clickhouse.Options{
			Addr: []string{house.Addr()},
			Auth: clickhouse.Auth{Username: user, Password: password},
		})
		if err != nil {
			return fmt.Errorf("connect to the engine: %w", err)
		}
		return errors.Join(conn.Exec(ctx, query), conn.Close())
	}
	if err := do(t.Context(), "CREATE DATABASE "+name+" ENGINE = Atomic"); err != nil {
		t.Fatalf("embeddedtest: make database: %v", err)
	}
	t.Cleanup(func() {
		// The test's context has ended by now.
		if err := do(context.Background(), "DROP DATABASE "+name+" SYNC"); err != nil {
			t.Errorf("embeddedtest: drop database: %v", err)
		}
	})
	return name
}

// Kafka starts a broker of the test's own, in memory, and stops it after the
// test. Topics made without a number of partitions get the given one; 0 is
// [embedded.DefaultPartitions].
func Kafka(t testing.TB, partitions int32) *embedded.Kafka {
	t.Helper()
	kafka, err := embedded.StartKafka(t.Context(), embedded.KafkaConfig{Partitions: partitions})
	if err != nil {
		t.Fatalf("embeddedtest: %v", err)
	}
	t.Cleanup(func() {
		if err := kafka.Close(); err != nil {
			t.Errorf("embeddedtest: %v", err)
		}
	})
	return kafka
}
