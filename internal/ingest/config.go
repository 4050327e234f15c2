package ingest

import (
	"errors"
	"log/slog"
	"time"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

// DefaultTopic and DefaultGroup are the names used where none is configured.
const (
	DefaultTopic = "andmerada.events"
	DefaultGroup = "andmerada-ingest"
)

// GCPercent is the garbage collector's setting (GOGC) that suits a process that
// runs ingest: what an event needs is gone when its rows are built, so that
// collecting less often costs some tens of MB and saves a tenth of the CPU.
const GCPercent = 300

// Transport sends requests to brokers: a [kafka.Transport], or one with TLS and
// a login.
type Transport interface {
	kafka.RoundTripper
	CloseIdleConnections()
}

// Config says what to read and where to put it. Trail, Registers, Keys and
// Facts are required.
type Config struct {
	Brokers []string // host:port of one or more brokers
	Topics  []string // DefaultTopic if empty
	Group   string   // DefaultGroup if empty

	// Transport and Dialer reach the brokers: for TLS and SASL both must be
	// set up. nil is plain TCP.
	Transport Transport
	Dialer    *kafka.Dialer

	Trail     *trail.DB
	Registers func() *register.Set // asked for each batch, so that registers can be replaced
	Keys      *identity.Keys
	Facts     *facts.Store

	Logger *slog.Logger     // discards if nil
	Now    func() time.Time // time.Now if nil; for the stored date alone
	Meter  metric.MeterProvider
	Tracer trace.TracerProvider

	Limits Limits
}

// Limits bound what is held in memory and how long things wait. The zero value
// of each is its default.
type Limits struct {
	Rows  int           // rows of one batch, 50,000; a batch ends with the event that reaches it
	Bytes int           // bytes of the events of one batch, 32 MiB
	Age   time.Duration // how often a partition is written while little comes in, 500 ms

	FetchBytes int // bytes of one fetch, 4 MiB; a larger record still comes, alone
	RecentIDs  int // of how many events a partition knows duplicates, 1,000,000

	Session   time.Duration // without a heartbeat for so long a member is out of the group, 10 s
	Rebalance time.Duration // how long the group waits for a member to let go, 30 s
	Drain     time.Duration // how long an insert may go on when it should stop, 10 s; below Rebalance
	Backoff   time.Duration // the longest wait between tries, 10 s
}

func (c *Config) fill() error {
	switch {
	case len(c.Brokers) == 0:
		return errors.New("ingest: no Kafka broker is configured")
	case c.Trail == nil || c.Registers == nil || c.Keys == nil || c.Facts == nil:
		return errors.New("ingest: the trail, the registers, the keys and the facts must be given")
	}
	if len(c.Topics) == 0 {
		c.Topics = []string{DefaultTopic}
	}
	if c.Group == "" {
		c.Group = DefaultGroup
	}
	if c.Transport == nil {
		c.Transport = &kafka.Transport{ClientID: "andmerada"}
	}
	if c.Dialer == nil {
		c.Dialer = &kafka.Dialer{ClientID: "andmerada", Timeout: 10 * time.Second, DualStack: true}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Meter == nil {
		c.Meter = metricnoop.NewMeterProvider()
	}
	if c.Tracer == nil {
		c.Tracer = tracenoop.NewTracerProvider()
	}
	return c.Limits.fill()
}

func (l *Limits) fill() error {
	byDefault(&l.Rows, 50_000)
	byDefault(&l.Bytes, 32<<20)
	byDefault(&l.Age, 500*time.Millisecond)
	byDefault(&l.FetchBytes, 4<<20)
	byDefault(&l.RecentIDs, 1_000_000)
	byDefault(&l.Session, 10*time.Second)
	byDefault(&l.Rebalance, 30*time.Second)
	byDefault(&l.Drain, 10*time.Second)
	byDefault(&l.Backoff, 10*time.Second)
	switch {
	case l.Rows > trail.MaxRows/2:
		return errors.New("ingest: a batch may have at most 500,000 rows: set a lower limit of rows")
	case l.Session < 6*time.Second:
		return errors.New("ingest: Kafka takes no session timeout below 6 s: set a longer one")
	case l.Drain >= l.Rebalance:
		return errors.New("ingest: the time to drain must be below the time of a rebalance, or the group throws a member out that is still writing")
	}
	return nil
}

func byDefault[T int | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}
