package ingest

import (
	"context"
	"errors"
	"iter"
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
	"github.com/andmerada/andmerada/internal/schemaregistry"
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

// Trail is what ingest needs of a [trail.DB]; tests have one in memory.
type Trail interface {
	Position(ctx context.Context, topic string, partition int32) (next int64, pending *trail.JournalEntry, err error)
	Insert(ctx context.Context, r trail.Range, stored time.Time, b *trail.Blocks) error
	RecentIDs(ctx context.Context, topic string, partition int32, n int) ([][16]byte, error)
	Facts(ctx context.Context, topic string) iter.Seq2[trail.Row, error]
	FactsBetween(ctx context.Context, p trail.Partition, from, to int64, n int) iter.Seq2[trail.Row, error]
	Partitions(ctx context.Context) ([]trail.Partition, error)
	Complete(ctx context.Context, p trail.Partition) (int64, error)
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

	Trail     Trail
	Registers func() *register.Set // asked for each batch, so that registers can be replaced
	Keys      *identity.Keys
	Facts     *facts.Store
	Schemas   *schemaregistry.Client // of Avro in Confluent's wire format; nil = there is no registry

	Logger *slog.Logger     // discards if nil
	Now    func() time.Time // time.Now if nil; for the stored date alone
	Meter  metric.MeterProvider
	Tracer trace.TracerProvider

	// Freshness is told, of each batch, how many events could be asked for so many
	// seconds after Kafka had them; nobody is if nil.
	Freshness func(seconds float64, events uint64)
	// Sources are those that the quarantine is counted by; others are "other".
	// What is refused may name any source, and identifiers in its place.
	Sources []string

	Limits Limits

	source source // Kafka, but in tests
}

// Limits bound what is held in memory and how long things wait. The zero value
// of each is its default.
type Limits struct {
	Rows  int           // rows of one batch, 100,000; a batch ends with the event that reaches it
	Bytes int           // bytes that one batch takes in memory, 32 MiB
	Age   time.Duration // how often a partition is written while little comes in, 500 ms

	Memory     int // bytes of events held at a time, 256 MiB: dealt out among the partitions
	FetchBytes int // bytes of one fetch, 4 MiB; a larger record still comes, alone
	RecentIDs  int // of how many events a partition knows duplicates, 1,000,000

	// Quarantine is of how many bytes of one source the quarantine keeps, 256 MiB;
	// after that a 1024th of it a second. The rest Kafka alone has.
	Quarantine int

	Session   time.Duration // without a heartbeat for so long a member is out of the group, 10 s
	Rebalance time.Duration // how long the group waits for a member to let go, 30 s
	Drain     time.Duration // how long an insert may go on when it should stop, 10 s; below Rebalance
	Backoff   time.Duration // the longest wait between tries, 10 s
}

func (c *Config) fill() error {
	switch {
	case len(c.Brokers) == 0 && c.source == nil:
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
	byDefault(&l.Rows, 100_000)
	byDefault(&l.Bytes, 32<<20)
	byDefault(&l.Age, 500*time.Millisecond)
	byDefault(&l.Memory, 256<<20)
	byDefault(&l.FetchBytes, 4<<20)
	byDefault(&l.RecentIDs, 1_000_000)
	byDefault(&l.Quarantine, 256<<20)
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

// share is what one of n partitions may hold, and how many batches at a time. A
// partition that waits for ClickHouse holds all of its batches and chunks, so
// that it is their sum that is bounded. With several partitions there is one to
// judge while another is written: one batch each is enough, and a larger one costs
// ClickHouse half as much to merge.
func (l *Limits) share(n int) (one Limits, batches int) {
	one, batches = *l, 2
	if n > 2 {
		batches = 1
	}
	// Half of it for batches, half for what was fetched: two chunks, and what the
	// transport unpacks meanwhile.
	half := l.Memory / 2 / max(1, n)
	one.Bytes = min(l.Bytes, max(half/batches, 256<<10))
	one.FetchBytes = min(l.FetchBytes, max(half/4, 128<<10))
	return one, batches
}

func byDefault[T int | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}
