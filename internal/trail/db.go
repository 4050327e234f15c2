package trail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"syscall"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Config says where the trail is and who asks. The zero value of everything
// but Addr and Database has a meaning.
type Config struct {
	Addr     string // host:port of the native protocol
	Database string // made if it is missing, unless ReadOnly
	User     string // "default" if empty
	Password string

	// CasesUser is who writes cases, where User may not: one who may insert into
	// cases and case_persons is enough. Where it is empty, User does, unless ReadOnly.
	CasesUser, CasesPassword string

	// MigrationsUser is who makes the database and its tables and brings them up to
	// date, so that User need not have the right to. It is asked for nothing else, and
	// not at all where there is nothing to do. Where it is empty, User does.
	MigrationsUser, MigrationsPassword string

	// Dial connects to ClickHouse: for TLS. nil is plain TCP.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)

	// ReadOnly opens the trail for questions only: nothing is created or
	// migrated, and a schema that is behind is an error.
	ReadOnly bool

	// Timeout bounds one insert or one query of the writer, 60 s if zero. It
	// holds also when the caller's context ends earlier: an insert that was
	// begun is waited for, so that its outcome is known.
	Timeout time.Duration

	// Tries is how often Insert tries one table before it gives up with
	// ErrUnclear, 8 if zero; between tries it waits from 50 ms up to 5 s.
	Tries int

	// ReachFor is how long what [DB.Reach], [DB.LostIn], [DB.UnreadIn] and
	// [DB.Referring] said holds. It stands below every answer, and costs as much as
	// a person's. 0 = it is asked each time.
	ReachFor time.Duration

	Logger *slog.Logger // discards if nil
}

// DB is an open trail. It is safe for concurrent use.
type DB struct {
	cfg      Config
	log      *slog.Logger
	queries  driver.Conn
	pool     *pool
	cases    *pool // that cases are written by; nil if none can be
	contexts *contexts
	reached  lately[struct{}, Reach]
	lost     lately[Span, lostIn]
	unread   lately[unreadOf, unreadIn]
	referred lately[referredTo, *History]
	few      int    // see fewFirst
	tables   tables // where ranges go: ClickHouse, but in tests of the protocol
	hooks    hooks
}

// Open connects and brings the schema up to date. It refuses a schema that is
// newer than this program or that was altered ([ErrSchema]).
func Open(ctx context.Context, cfg Config) (*DB, error) {
	if cfg.User == "" {
		cfg.User = "default"
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = time.Minute
	}
	if cfg.Tries <= 0 {
		cfg.Tries = 8
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Addr == "" || cfg.Database == "" {
		return nil, errors.New("open trail: the address and the database of ClickHouse must be given")
	}
	if err := findDatabase(ctx, cfg); err != nil {
		if cfg.Dial == nil && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)) {
			err = fmt.Errorf("%w; if the port wants TLS, set clickhouse.tls", err)
		}
		return nil, fmt.Errorf("open trail at %s: %w", cfg.Addr, err)
	}
	queries, err := connect(cfg, cfg.Database)
	if err != nil {
		return nil, fmt.Errorf("open trail at %s: %w", cfg.Addr, err)
	}
	db := &DB{cfg: cfg, log: cfg.Logger, queries: queries, pool: newPool(cfg), contexts: newContexts(), few: maxFew}
	switch {
	case cfg.CasesUser != "":
		writer := cfg
		writer.User, writer.Password = cfg.CasesUser, cfg.CasesPassword
		db.cases = newPool(writer)
	case !cfg.ReadOnly:
		db.cases = db.pool
	}
	db.tables = watched{clickhouseTables{db}}
	if err := db.migrate(ctx, migrations); err != nil {
		return nil, errors.Join(fmt.Errorf("open trail at %s, database %q: %w", cfg.Addr, cfg.Database, err), db.Close())
	}
	return db, nil
}

// Close closes all connections. An insert that is under way fails with an
// unclear outcome, which the next Position settles.
func (db *DB) Close() error {
	err := errors.Join(db.queries.Close(), db.pool.close())
	if db.cases != nil && db.cases != db.pool {
		err = errors.Join(err, db.cases.close())
	}
	return err
}

// Ping asks whether ClickHouse answers.
func (db *DB) Ping(ctx context.Context) error {
	if err := db.queries.Ping(ctx); err != nil {
		return fmt.Errorf("ping ClickHouse: %w", err)
	}
	return nil
}

// conn is for questions: queries go through a pool of their own, so that many
// of them do not stand in the writer's way. Whole rows of the trail are read
// by way of [DB.rows], which is faster.
func (db *DB) conn() driver.Conn { return db.queries }

func connect(cfg Config, database string) (driver.Conn, error) {
	o := &clickhouse.Options{
		Addr:                 []string{cfg.Addr},
		Auth:                 clickhouse.Auth{Database: database, Username: cfg.User, Password: cfg.Password},
		ClientInfo:           clickhouse.ClientInfo{Products: []struct{ Name, Version string }{{Name: "andmerada"}}},
		Compression:          &clickhouse.Compression{Method: clickhouse.CompressionLZ4},
		DialTimeout:          10 * time.Second,
		ReadTimeout:          cfg.Timeout,
		MaxOpenConns:         16,
		MaxIdleConns:         4,
		FreeBufOnConnRelease: true,
	}
	if cfg.Dial != nil {
		o.DialContext = func(ctx context.Context, addr string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, o.DialTimeout)
			defer cancel()
			return cfg.Dial(ctx, "tcp", addr)
		}
	}
	return clickhouse.Open(o)
}

// findDatabase makes the database if it is missing. It asks without naming it
// in the connection: a login to a database that is not there ends the embedded
// engine (26.7) with its whole process.
func findDatabase(ctx context.Context, cfg Config) (err error) {
	c, err := connect(cfg, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	var exists uint8
	if err := c.QueryRow(ctx, "EXISTS DATABASE {name:Identifier}", clickhouse.Named("name", cfg.Database)).Scan(&exists); err != nil {
		return fmt.Errorf("look for database %q: %w", cfg.Database, err)
	}
	switch {
	case exists != 0:
		return nil
	case cfg.ReadOnly:
		return fmt.Errorf("%w: database %q is not there: run `andmerada migrate`, or start `andmerada ingest`, which makes it, too", ErrSchema, cfg.Database)
	}
	maker, err := connect(cfg.migrations(), "")
	if err != nil {
		return err
	}
	if err := maker.Exec(ctx, "CREATE DATABASE IF NOT EXISTS {name:Identifier}", clickhouse.Named("name", cfg.Database)); err != nil {
		return errors.Join(mayNot(fmt.Errorf("create database %q: %w", cfg.Database, err)), maker.Close())
	}
	return maker.Close()
}

// isException says whether ClickHouse answered with that error.
func isException(err error, code proto.Error) bool {
	var exception *clickhouse.Exception
	return errors.As(err, &exception) && exception.Code == int32(code)
}

// pool keeps native connections for inserts and for reading whole rows. A
// connection serves one at a time and is thrown away after any error: what is
// still to come on it is not known.
type pool struct {
	options ch.Options
	idle    chan *ch.Client
}

const idleConnections = 8

func newPool(cfg Config) *pool {
	p := &pool{
		idle: make(chan *ch.Client, idleConnections),
		options: ch.Options{
			Address:    cfg.Addr,
			Database:   cfg.Database,
			User:       cfg.User,
			Password:   cfg.Password,
			ClientName: "andmerada",
			// To compress a block ch-go holds it whole, twice, for each connection, and
			// keeps that memory; as it is, it goes out from the columns.
			Compression: ch.CompressionDisabled,
			DialTimeout: 10 * time.Second,
			ReadTimeout: ch.NoTimeout, // every query carries a deadline
		},
	}
	if cfg.Dial != nil {
		p.options.Dialer = dialer(cfg.Dial)
	}
	return p
}

// dialer is [Config.Dial] as ch-go wants it.
type dialer func(ctx context.Context, network, addr string) (net.Conn, error)

// DialContext dials.
func (d dialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	return d(ctx, network, addr)
}

// do runs one query on a connection of the pool. A connection that went stale
// while it was idle is noticed only by its failing, which is an unclear
// outcome to an insert and is settled as any other.
func (p *pool) do(ctx context.Context, q ch.Query) error {
	var c *ch.Client
	select {
	case c = <-p.idle:
	default:
		var err error
		if c, err = ch.Dial(ctx, p.options); err != nil {
			return fmt.Errorf("connect to ClickHouse: %w", err)
		}
	}
	if err := c.Do(ctx, q); err != nil {
		if closeErr := c.Close(); closeErr != nil && !errors.Is(closeErr, ch.ErrClosed) {
			return errors.Join(err, closeErr)
		}
		return err
	}
	select {
	case p.idle <- c:
		return nil
	default:
		return c.Close()
	}
}

func (p *pool) close() error {
	var errs []error
	for {
		select {
		case c := <-p.idle:
			if err := c.Close(); err != nil && !errors.Is(err, ch.ErrClosed) {
				errs = append(errs, err)
			}
		default:
			return errors.Join(errs...)
		}
	}
}
