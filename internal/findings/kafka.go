package findings

import (
	"context"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
)

// Topic is a Kafka topic that findings are written to, in CloudEvents' binary
// mode (CloudEvents Kafka protocol binding §3.2).
type Topic struct{ writer *kafka.Writer }

// NewTopic makes a writer to a topic; it connects when it first writes, by way
// of the transport: for TLS and SASL. nil is plain TCP. The transport should be
// the topic's own: one remembers a topic that was missing.
func NewTopic(brokers []string, topic string, transport kafka.RoundTripper) *Topic {
	if transport == nil {
		transport = &kafka.Transport{}
	}
	return &Topic{&kafka.Writer{
		Addr: kafka.TCP(brokers...), Topic: topic,
		Balancer:     kafka.Murmur2Balancer{}, // as Java clients: one person's findings stay in one partition
		RequiredAcks: kafka.RequireAll, BatchTimeout: 5 * time.Millisecond,
		Transport: transport,
	}}
}

// Name is "kafka" and the topic.
func (t *Topic) Name() string { return "kafka " + t.writer.Topic }

// Publish writes the messages and returns when all in-sync replicas have them.
func (t *Topic) Publish(ctx context.Context, messages []Message) error {
	records := make([]kafka.Message, len(messages))
	for i, m := range messages {
		e := &m.Event
		records[i] = kafka.Message{Key: []byte(m.Key), Value: e.Data(), Headers: []kafka.Header{
			{Key: "ce_specversion", Value: []byte(e.SpecVersion())},
			{Key: "ce_id", Value: []byte(e.ID())},
			{Key: "ce_source", Value: []byte(e.Source())},
			{Key: "ce_type", Value: []byte(e.Type())},
			{Key: "ce_subject", Value: []byte(e.Subject())},
			{Key: "ce_time", Value: []byte(e.Time().UTC().Format(time.RFC3339Nano))},
			{Key: "content-type", Value: []byte(e.DataContentType())},
		}}
	}
	if err := t.writer.WriteMessages(ctx, records...); err != nil {
		return fmt.Errorf("write to the topic %q: %w", t.writer.Topic, err)
	}
	return nil
}

// Close closes the connections.
func (t *Topic) Close() error {
	if err := t.writer.Close(); err != nil {
		return fmt.Errorf("close the topic %q: %w", t.writer.Topic, err)
	}
	return nil
}
