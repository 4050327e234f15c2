// Package emit writes events to Kafka as a source system would, and reads them
// from files. What ingest would refuse is refused here, before it is sent.
package emit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/segmentio/kafka-go"

	"github.com/andmerada/andmerada/internal/event"
)

// Config says where and how to write.
type Config struct {
	Brokers     []string // host:port of one or more brokers
	Topic       string
	Format      Format // Binary if empty
	Compression string // "", "gzip", "snappy", "lz4" or "zstd"
	// SchemaID is the id, in the schema registry, of our own schema of a kind of
	// event; for Avro alone. It is asked once a kind.
	SchemaID func(ctx context.Context, kind event.Kind) (uint32, error)
	// Now is the time of an event that states none; time.Now if nil.
	Now func() time.Time
	// Linger is how long a batch that is not full waits for more; 5 ms if 0.
	Linger time.Duration
	// Batch is how many events go to a partition at once, 5000 if 0. Room for
	// them all is made for each batch, so few events at a time want a small one.
	Batch int
	// Transport, if set, dials the brokers: for TLS and SASL.
	Transport kafka.RoundTripper
}

// Format is the form of the messages.
type Format string

// The formats.
const (
	Binary         Format = "binary"          // attributes as headers, the data as JSON
	Structured     Format = "structured"      // the whole event as JSON
	Avro           Format = "avro"            // attributes as headers, the data in Confluent's wire format
	AvroStructured Format = "avro-structured" // the whole event by the CloudEvents Avro format
)

// Writer writes events to one topic. It may be used by several goroutines.
type Writer struct {
	kafka  *kafka.Writer
	encode func(context.Context, *event.Event) ([]event.Header, []byte, error)
	now    func() time.Time

	schemaID func(ctx context.Context, kind event.Kind) (uint32, error)
	mu       sync.Mutex
	ids      map[event.Kind]uint32 // that were asked for
}

// New makes a Writer; it connects when it first writes.
func New(c Config) (*Writer, error) {
	if len(c.Brokers) == 0 || c.Topic == "" {
		return nil, errors.New("emit: name at least one broker and a topic")
	}
	var compression kafka.Compression
	if c.Compression != "" {
		if err := compression.UnmarshalText([]byte(c.Compression)); err != nil {
			return nil, fmt.Errorf("emit: compression %q: use gzip, snappy, lz4 or zstd", c.Compression)
		}
	}
	w := &Writer{now: c.Now, schemaID: c.SchemaID, ids: make(map[event.Kind]uint32)}
	switch c.Format {
	case "", Binary:
		w.encode = plainly(event.EncodeBinary)
	case Structured:
		w.encode = plainly(event.EncodeStructured)
	case AvroStructured:
		w.encode = plainly(event.EncodeAvroStructured)
	case Avro:
		if c.SchemaID == nil {
			return nil, errors.New("emit: the format avro needs a schema registry: set registry.urls in the configuration, or use avro-structured")
		}
		w.encode = w.encodeAvro
	default:
		return nil, fmt.Errorf("emit: format %q: use binary, structured, avro or avro-structured", c.Format)
	}
	if w.now == nil {
		w.now = time.Now
	}
	if c.Linger == 0 {
		c.Linger = 5 * time.Millisecond
	}
	if c.Batch == 0 {
		c.Batch = 5000
	}
	w.kafka = &kafka.Writer{
		Addr:         kafka.TCP(c.Brokers...),
		Topic:        c.Topic,
		Balancer:     kafka.Murmur2Balancer{}, // as Java clients: one person's events from different systems stay in one partition
		RequiredAcks: kafka.RequireAll,
		BatchSize:    c.Batch,
		BatchBytes:   1 << 20, // what a broker takes unless told otherwise
		BatchTimeout: c.Linger,
		Compression:  compression,
		Transport:    c.Transport,
	}
	return w, nil
}

// UnconfirmedError says that some events were not acknowledged. Whether they
// are in the log is not known: sent again with the same id, they may be there twice.
type UnconfirmedError struct {
	Indexes []int // of the events given to Emit
	Err     error // of the first of them
}

// Error says how many.
func (e *UnconfirmedError) Error() string {
	return fmt.Sprintf("%d events were not acknowledged by Kafka: %v", len(e.Indexes), e.Err)
}

// Unwrap is the first event's error.
func (e *UnconfirmedError) Unwrap() error { return e.Err }

// Emit writes the events and returns when all in-sync replicas have them. An
// event without id or time is given one: a UUID of version 7, and now. If any
// event would be refused by ingest, none is sent, and the error holds an
// *[event.Fault]. An error of Kafka is an *[UnconfirmedError].
func (w *Writer) Emit(ctx context.Context, events ...*event.Event) error {
	messages := make([]kafka.Message, len(events))
	for i, ev := range events {
		if err := w.complete(ev); err != nil {
			return fmt.Errorf("emit event %d of %d: %w", i+1, len(events), err)
		}
		m, err := w.message(ctx, ev)
		if err != nil {
			return fmt.Errorf("emit event %d of %d: %w", i+1, len(events), err)
		}
		messages[i] = m
	}
	return w.write(ctx, messages)
}

// Record is an event as its source has written it: a message of Kafka.
type Record struct {
	Key     string // see [event.PartitionKey]; "" = any partition
	Headers []event.Header
	Value   []byte
}

// Forward writes records that have been checked elsewhere, byte by byte as they
// are, and returns when all in-sync replicas have them. Records of concurrent
// calls share batches. Value and headers must not change before it returns; if
// the context ends first, they may still be written later. An error of Kafka is an
// *[UnconfirmedError].
func (w *Writer) Forward(ctx context.Context, records ...Record) error {
	messages := make([]kafka.Message, len(records))
	for i := range records {
		messages[i] = messageOf(records[i].Key, records[i].Headers, records[i].Value)
	}
	return w.write(ctx, messages)
}

// Ready says whether the brokers can be reached and have the topic.
func (w *Writer) Ready(ctx context.Context) error {
	client := kafka.Client{Addr: w.kafka.Addr, Transport: w.kafka.Transport}
	// The transport answers for topics from what it remembers.
	if _, err := client.ApiVersions(ctx, &kafka.ApiVersionsRequest{Addr: w.kafka.Addr}); err != nil {
		return fmt.Errorf("emit: reach the brokers: %w", err)
	}
	m, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{w.kafka.Topic}})
	if err != nil {
		return fmt.Errorf("emit: reach the brokers: %w", err)
	}
	for _, t := range m.Topics {
		if t.Error != nil {
			return fmt.Errorf("emit: the topic %s: %w", t.Name, t.Error)
		}
	}
	return nil
}

func (w *Writer) write(ctx context.Context, messages []kafka.Message) error {
	err := w.kafka.WriteMessages(ctx, messages...)
	if err == nil {
		return nil
	}
	return unconfirmed(err, len(messages))
}

// unconfirmed tells which of n events an error of kafka-go is about.
func unconfirmed(err error, n int) error {
	u := &UnconfirmedError{Err: err}
	var each kafka.WriteErrors
	perEvent := errors.As(err, &each) && len(each) == n
	first := true
	for i := range n {
		if perEvent && each[i] == nil {
			continue
		}
		if perEvent && first {
			u.Err, first = each[i], false
		}
		u.Indexes = append(u.Indexes, i)
	}
	return fmt.Errorf("emit: %w", u)
}

// complete fills in what every event has.
func (w *Writer) complete(ev *event.Event) error {
	if ev.ID == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return fmt.Errorf("make an id: %w", err)
		}
		ev.ID = id.String()
	}
	if ev.Time.IsZero() {
		ev.Time = w.now().UTC()
	}
	ev.Type = ev.TypeName()
	return nil
}

// plainly is an encoder that asks nobody.
func plainly(encode func(*event.Event) ([]event.Header, []byte, error)) func(context.Context, *event.Event) ([]event.Header, []byte, error) {
	return func(_ context.Context, ev *event.Event) ([]event.Header, []byte, error) { return encode(ev) }
}

// encodeAvro writes by the schema that the registry has of the event's kind.
func (w *Writer) encodeAvro(ctx context.Context, ev *event.Event) ([]event.Header, []byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	id, known := w.ids[ev.Kind]
	if !known {
		var err error
		if id, err = w.schemaID(ctx, ev.Kind); err != nil {
			return nil, nil, err
		}
		w.ids[ev.Kind] = id
	}
	return event.EncodeConfluent(ev, id)
}

func (w *Writer) message(ctx context.Context, ev *event.Event) (kafka.Message, error) {
	headers, value, err := w.encode(ctx, ev)
	if err != nil {
		return kafka.Message{}, err
	}
	return messageOf(event.PartitionKey(ev), headers, value), nil
}

func messageOf(key string, headers []event.Header, value []byte) kafka.Message {
	m := kafka.Message{Value: value, Headers: make([]kafka.Header, len(headers))}
	if key != "" {
		m.Key = []byte(key)
	}
	for i, h := range headers {
		m.Headers[i] = kafka.Header(h)
	}
	return m
}

// Close waits for what is under way and closes the connections.
func (w *Writer) Close() error {
	if err := w.kafka.Close(); err != nil {
		return fmt.Errorf("emit: close: %w", err)
	}
	return nil
}
