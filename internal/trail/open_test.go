package trail

import (
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/embedded"
	"github.com/andmerada/andmerada/internal/embedded/embeddedtest"
)

func TestMain(m *testing.M) { os.Exit(embeddedtest.Main(m)) }

// testConfig is a database of the test's own on the embedded engine.
func testConfig(t testing.TB) Config {
	t.Helper()
	database := embeddedtest.Database(t)
	engine := embeddedtest.ClickHouse(t)
	user, password := engine.Credentials(embedded.Owner)
	return Config{
		Addr:     engine.Addr(),
		Database: database,
		User:     user,
		Password: password,
		Timeout:  20 * time.Second,
		Logger:   slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
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
