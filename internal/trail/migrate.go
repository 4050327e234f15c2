package trail

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// The migrations are run by the few lines below rather than by goose or
// golang-migrate. Neither checks that what was run is what the file now says,
// neither can lock on ClickHouse, so that two processes that start together
// both run everything, and both go by way of database/sql. What makes it safe
// here: every statement can be run again without harm (a test holds it), and a
// version is recorded only after all of its statements.

//go:embed migrations/*.sql
var migrationFiles embed.FS

var migrations fs.FS = migrationFiles

// ErrSchema says that the schema in ClickHouse is not one that this program
// can work with; the error's text says why and what to do.
var ErrSchema = errors.New("the trail's schema does not fit this program")

// SchemaVersion is the version that this program writes.
const SchemaVersion = 8

// tokenVersion is part of every deduplication token of ingest. It grows only
// when what a range becomes in its tables changes: a range that was begun
// before an upgrade goes on under the same token.
const tokenVersion = 1

type migration struct {
	version    uint32
	name       string
	checksum   string
	statements []string
}

// migrations is how to connect as the one who migrates.
func (cfg Config) migrations() Config {
	if cfg.MigrationsUser != "" {
		cfg.User, cfg.Password = cfg.MigrationsUser, cfg.MigrationsPassword
	}
	return cfg
}

// mayNot says what helps where ClickHouse does not let a user change the schema.
func mayNot(err error) error {
	if isException(err, proto.ErrAccessDenied) {
		return fmt.Errorf("%w; run `andmerada migrate` before, name a user who may (clickhouse.migrations), or give this one the right", err)
	}
	return err
}

// migrate brings the schema up to date, or says why it must not. Whoever writes
// finds out what is missing, and whoever migrates is asked only if something is.
func (db *DB) migrate(ctx context.Context, files fs.FS) (err error) {
	want, err := readMigrations(files)
	if err != nil {
		return err
	}
	have, err := db.recordedMigrations(ctx)
	if err != nil {
		return err
	}
	for version := range have {
		if version > uint32(len(want)) {
			return fmt.Errorf("%w: it has version %d, this program knows versions up to %d: use a newer program",
				ErrSchema, version, len(want))
		}
	}
	var migrator driver.Conn
	defer func() {
		if migrator != nil {
			err = errors.Join(err, migrator.Close())
		}
	}()
	for _, m := range want {
		recorded, done := have[m.version]
		switch {
		case done && slices.Equal(recorded, []string{m.checksum}):
			continue
		case done:
			return fmt.Errorf("%w: version %d was made by another text than this program's %s (checksum %s, not %s): use the program that made it, or restore the file",
				ErrSchema, m.version, m.name, strings.Join(recorded, " and "), m.checksum)
		case db.cfg.ReadOnly:
			return fmt.Errorf("%w: it lacks version %d (%s): run `andmerada migrate` of this version, or start its ingest, which brings it up to date, too",
				ErrSchema, m.version, m.name)
		}
		if migrator == nil {
			if migrator, err = db.migrator(ctx); err != nil {
				return err
			}
		}
		if err := db.apply(ctx, migrator, m); err != nil {
			return mayNot(err)
		}
	}
	return nil
}

// migrator connects as the one who migrates, and sees that versions can be recorded.
func (db *DB) migrator(ctx context.Context) (driver.Conn, error) {
	conn, err := connect(db.cfg.migrations(), db.cfg.Database)
	if err != nil {
		return nil, err
	}
	if err := conn.Exec(ctx, `CREATE TABLE IF NOT EXISTS schema_version
		(version UInt32, name String, checksum String, applied DateTime64(3, 'UTC'))
		ENGINE = MergeTree ORDER BY version
		SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1`); err != nil {
		return nil, errors.Join(mayNot(fmt.Errorf("create table schema_version: %w", err)), conn.Close())
	}
	return conn, nil
}

// recordedMigrations reads which versions were run, and from what text.
func (db *DB) recordedMigrations(ctx context.Context) (have map[uint32][]string, err error) {
	rows, err := db.conn().Query(ctx, "SELECT version, groupUniqArray(checksum) FROM schema_version GROUP BY version")
	if isException(err, proto.ErrUnknownTable) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read table schema_version: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	have = make(map[uint32][]string)
	for rows.Next() {
		var version uint32
		var checksums []string
		if err := rows.Scan(&version, &checksums); err != nil {
			return nil, fmt.Errorf("read table schema_version: %w", err)
		}
		slices.Sort(checksums)
		have[version] = checksums
	}
	return have, rows.Err()
}

// apply runs the statements of one version and records it. A crash between two
// of them leaves the version unrecorded: the next start runs all of it again.
func (db *DB) apply(ctx context.Context, conn driver.Conn, m migration) error {
	for i, statement := range m.statements {
		if err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("migration %s, statement %d: %w", m.name, i+1, err)
		}
	}
	// Two processes may both come here; the token keeps one row, and two would
	// do no harm.
	token := clickhouse.WithSettings(clickhouse.Settings{"insert_deduplication_token": fmt.Sprintf("schema:%d:%s", m.version, m.checksum)})
	if err := conn.Exec(clickhouse.Context(ctx, token),
		"INSERT INTO schema_version SELECT {version:UInt32}, {name:String}, {checksum:String}, now64(3, 'UTC')",
		clickhouse.Named("version", strconv.Itoa(int(m.version))), clickhouse.Named("name", m.name), clickhouse.Named("checksum", m.checksum)); err != nil {
		return fmt.Errorf("record migration %s: %w", m.name, err)
	}
	db.log.InfoContext(ctx, "migrated the trail", slog.Uint64("version", uint64(m.version)), slog.String("migration", m.name))
	return nil
}

// readMigrations reads files named NNNN_what.sql, numbered from 1 without a gap.
func readMigrations(files fs.FS) ([]migration, error) {
	names, err := fs.Glob(files, "migrations/*.sql") // sorted
	if err != nil {
		return nil, fmt.Errorf("list migrations: %w", err)
	}
	all := make([]migration, 0, len(names))
	for i, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("read migration: %w", err)
		}
		base := path.Base(name)
		number, _, _ := strings.Cut(base, "_")
		version, err := strconv.ParseUint(number, 10, 32)
		if err != nil || version != uint64(i+1) {
			return nil, fmt.Errorf("migration %s: the name must begin with the number %04d", base, i+1)
		}
		sum := sha256.Sum256(text)
		all = append(all, migration{
			version:    uint32(version),
			name:       base,
			checksum:   hex.EncodeToString(sum[:8]),
			statements: splitStatements(string(text)),
		})
	}
	return all, nil
}

// splitStatements cuts a file at the semicolons that end a line, and leaves
// out comments that have a line of their own.
func splitStatements(text string) []string {
	var statements []string
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "--") {
			continue
		}
		if end, ok := strings.CutSuffix(strings.TrimRight(line, " \t\r\n"), ";"); ok {
			b.WriteString(end)
			statements = append(statements, strings.TrimSpace(b.String()))
			b.Reset()
			continue
		}
		b.WriteString(line)
	}
	if rest := strings.TrimSpace(b.String()); rest != "" {
		statements = append(statements, rest)
	}
	return statements
}
