package apachekafka_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/andmerada/andmerada/internal/embedded/apachekafka"
)

// A message that was produced comes back, and a topic has the partitions that
// were asked for.
func TestProduceAndConsume(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var addr string
	t.Run("broker", func(t *testing.T) {
		addr = apachekafka.Start(t, apachekafka.Options{Partitions: 3})
		writer := &kafka.Writer{Addr: kafka.TCP(addr), Topic: "t", AllowAutoTopicCreation: true, BatchTimeout: time.Millisecond, RequiredAcks: kafka.RequireAll}
		for {
			err := writer.WriteMessages(ctx, kafka.Message{Key: []byte("k"), Value: []byte("v")})
			if err == nil {
				break
			}
			if !errors.Is(err, kafka.UnknownTopicOrPartition) && !errors.Is(err, kafka.LeaderNotAvailable) {
				t.Fatal(err) // Those two: the topic is being made.
			}
		}
		if err := writer.Close(); err != nil {
			t.Fatal(err)
		}
		conn, err := kafka.DialContext(ctx, "tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		partitions, err := conn.ReadPartitions("t")
		if err := errors.Join(err, conn.Close()); err != nil {
			t.Fatal(err)
		}
		if len(partitions) != 3 {
			t.Errorf("topic has %d partitions, want 3", len(partitions))
		}
		reader := kafka.NewReader(kafka.ReaderConfig{
			Brokers: []string{addr}, GroupID: "g", Topic: "t",
			StartOffset: kafka.FirstOffset, JoinGroupBackoff: 50 * time.Millisecond,
		})
		message, err := reader.ReadMessage(ctx)
		if err := errors.Join(err, reader.Close()); err != nil {
			t.Fatal(err)
		}
		if string(message.Key) != "k" || string(message.Value) != "v" {
			t.Errorf("read %q = %q, want k = v", message.Key, message.Value)
		}
	})
	// After its test the broker is gone.
	if conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr); err == nil {
		t.Errorf("the broker still listens on %s after its test", addr)
		_ = conn.Close()
	}
}
