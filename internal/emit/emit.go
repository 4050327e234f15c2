// Package emit writes events to Kafka as a source system would, and reads them
// from files. What ingest would refuse is refused here, before it is sent.
package emit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/segmentio/kafka-go"

	"github.com/andmerada/andmerada/internal/event"
)

// Config says where and how to write.
type Config struct {
	Brokers     []string // host:port of one or more brokers
	Topic       string
	Structured  bool   // the whole event as value, instead of attributes as headers
	Compression string // "", "gzip", "snappy", "lz4" or "zstd"
	// Now is the time of an event that states none; time.Now if nil.
	Now func() time.Time
	// Linger is how long a batch that is not full waits for more; 5 ms if 0.
	Linger time.Duration
	// Transport, if set, dials the brokers: for TLS and SASL.
	Transport kafka.RoundTripper
}

// Writer writes events to one topic. It may be used by several goroutines.
type Writer struct {
	kafka  *kafka.Writer
	encode func(*event.Event) ([]event.Header, []byte, error)
	now    func() time.Time
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
	w := &Writer{encode: event.EncodeBinary, now: c.Now}
	if c.Structured {
		w.encode = event.EncodeStructured
	}
	if w.now == nil {
		w.now = time.Now
	}
	if c.Linger == 0 {
		c.Linger = 5 * time.Millisecond
	}
	w.kafka = &kafka.Writer{
		Addr:         kafka.TCP(c.Brokers...),
		Topic:        c.Topic,
		Balancer:     kafka.Murmur2Balancer{}, // as Java clients: one person's events from different systems stay in one partition
		RequiredAcks: kafka.RequireAll,
		BatchSize:    5000,
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
		m, err := w.message(ev)
		if err != nil {
			return fmt.Errorf("emit event %d of %d: %w", i+1, len(events), err)
		}
		messages[i] = m
	}
	err := w.kafka.WriteMessages(ctx, messages...)
	if err == nil {
		return nil
	}
	return unconfirmed(err, len(events))
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

func (w *Writer) message(ev *event.Event) (kafka.Message, error) {
	headers, value, err := w.encode(ev)
	if err != nil {
		return kafka.Message{}, err
	}
	m := kafka.Message{Value: value, Headers: make([]kafka.Header, len(headers))}
	if key := event.PartitionKey(ev); key != "" {
		m.Key = []byte(key)
	}
	for i, h := range headers {
		m.Headers[i] = kafka.Header(h)
	}
	return m, nil
}

// Close waits for what is under way and closes the connections.
func (w *Writer) Close() error {
	if err := w.kafka.Close(); err != nil {
		return fmt.Errorf("emit: close: %w", err)
	}
	return nil
}
