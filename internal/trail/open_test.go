package trail

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/andmerada/andmerada/internal/embedded"
)

var (
	engine    *embedded.ClickHouse
	databases atomic.Int64
)

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "trail")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		engine, err = embedded.StartClickHouse(context.Background(), embedded.ClickHouseConfig{Dir: dir})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer engine.Close()
		return m.Run()
	}())
}

// testConfig is a database of the test's own on the embedded engine.
func testConfig(t testing.TB) Config {
	t.Helper()
	user, password := engine.Credentials(embedded.Writer)
	cfg := Config{
		Addr:     engine.Addr(),
		Database: fmt.Sprintf("andmerada_%d", databases.Add(1)),
		User:     user,
		Password: password,
		Timeout:  20 * time.Second,
		Logger:   slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	t.Cleanup(func() {
		c, err := connect(cfg, "")
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		if err := c.Exec(context.Background(), "DROP DATABASE IF EXISTS {name:Identifier} SYNC", clickhouse.Named("name", cfg.Database)); err != nil {
			t.Error(err)
		}
	})
	return cfg
}

func openTest(t testing.TB, cfg Config) *DB {
	t.Helper()
	db, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func mustExec(t *testing.T, db *DB, query string, args ...any) {
	t.Helper()
	if err := db.conn().Exec(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

func mustCount(t *testing.T, db *DB, query string, args ...any) uint64 {
	t.Helper()
	var n uint64
	if err := db.conn().QueryRow(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func wantContains(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error %q does not say %q", err, p)
		}
	}
}
