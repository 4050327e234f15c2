package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

const topic = "andmerada.test"

func writer(addr string) *kafka.Writer {
	return &kafka.Writer{
		Addr: kafka.TCP(addr), Topic: topic, RequiredAcks: kafka.RequireAll,
		BatchSize: 10, BatchTimeout: time.Millisecond, MaxAttempts: 1,
	}
}

func groupReader(addr string) *kafka.Reader {
	return kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{addr}, GroupID: "g", Topic: topic, StartOffset: kafka.FirstOffset,
		JoinGroupBackoff: 50 * time.Millisecond, MaxWait: 100 * time.Millisecond,
	})
}

func messages(from, to int) []kafka.Message {
	var m []kafka.Message
	for i := from; i < to; i++ {
		m = append(m, kafka.Message{Key: []byte(strconv.Itoa(i)), Value: []byte("value " + strconv.Itoa(i))})
	}
	return m
}

// write writes messages, as soon as the topic is made.
func write(ctx context.Context, w *kafka.Writer, m []kafka.Message) error {
	for {
		err := w.WriteMessages(ctx, m...)
		if !errors.Is(err, kafka.UnknownTopicOrPartition) {
			return err
		}
	}
}

// take reads and commits n messages in the group, and returns their keys.
func take(ctx context.Context, t *testing.T, addr string, n int) map[string]bool {
	t.Helper()
	r := groupReader(addr)
	keys := make(map[string]bool)
	for len(keys) < n {
		m, err := r.ReadMessage(ctx)
		if err != nil {
			t.Fatalf("after %d messages: %v", len(keys), err)
		}
		if want := "value " + string(m.Key); string(m.Value) != want {
			t.Fatalf("message %s is %q", m.Key, m.Value)
		}
		keys[string(m.Key)] = true
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return keys
}

func startKafka(t *testing.T, dir string) *Kafka {
	t.Helper()
	k, err := StartKafka(t.Context(), KafkaConfig{Dir: dir, Partitions: 2})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Messages and committed offsets live through a restart, on another port.
func TestKafkaRestart(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	dir := filepath.Join(t.TempDir(), "kafka")
	k := startKafka(t, dir)
	first := k.Addr()
	for range 2 { // The second finds it made.
		if err := k.CreateTopic(ctx, topic, 0); err != nil {
			t.Fatal(err)
		}
	}
	w := writer(first)
	if err := errors.Join(write(ctx, w, messages(0, 100)), w.Close()); err != nil {
		t.Fatal(err)
	}
	before := take(ctx, t, first, 40)
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if err := k.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}

	// The old port is taken, so that the new one differs.
	taken, err := new(net.ListenConfig).Listen(ctx, "tcp", first)
	if err != nil {
		t.Fatal(err)
	}
	k = startKafka(t, dir)
	w = writer(k.Addr())
	if err := errors.Join(write(ctx, w, messages(100, 110)), w.Close()); err != nil {
		t.Fatal(err)
	}
	after := take(ctx, t, k.Addr(), 70)
	for i := range 110 {
		key := strconv.Itoa(i)
		if before[key] == after[key] {
			t.Errorf("message %d: read before the restart %t, after it %t; want one of them", i, before[key], after[key])
		}
	}
	if err := errors.Join(taken.Close(), k.Close()); err != nil {
		t.Fatal(err)
	}
}

// What was acknowledged is there after a kill in the midst of writing.
func TestKafkaKill(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	dir := filepath.Join(t.TempDir(), "kafka")
	var acked, tried int
	var committed map[string]bool
	for round := range 2 {
		c := startChild(t, "kafka", dir)
		if c.said.Error != "" {
			t.Fatal(c.said.Error)
		}
		w := writer(c.said.Addr)
		if err := write(ctx, w, messages(tried, tried+10)); err != nil {
			t.Fatal(err)
		}
		acked, tried = acked+10, tried+10
		if round == 0 { // Some are committed when the kill comes.
			committed = take(ctx, t, c.said.Addr, 5)
		}
		killed := make(chan struct{})
		for from := tried; ; from += 10 {
			if from == tried+500 {
				go func() {
					defer close(killed)
					c.kill(t)
				}()
			}
			if err := w.WriteMessages(ctx, messages(from, from+10)...); err != nil {
				acked, tried = acked+from-tried, from+10
				break // Killed: this batch was not acknowledged, and may or may not be there.
			}
		}
		<-killed
		_ = w.Close() // Nobody listens.
	}

	k := startKafka(t, dir)
	r := groupReader(k.Addr())
	got := make(map[string]bool)
	for len(got) < acked-len(committed) {
		m, err := r.ReadMessage(ctx)
		if err != nil {
			t.Fatalf("%d of %d acknowledged messages are there: %v", len(got), acked, err)
		}
		if got[string(m.Key)] || committed[string(m.Key)] {
			t.Fatalf("message %s came again", m.Key)
		}
		got[string(m.Key)] = true
	}
	t.Logf("%d acknowledged, %d tried, two kills: all there", acked, tried)
	if err := errors.Join(r.Close(), k.Close()); err != nil {
		t.Fatal(err)
	}
}

// A broker in memory makes topics by itself, with the partitions asked for; one
// with a directory does not, as they would not outlive a kill.
func TestKafkaPartitions(t *testing.T) {
	t.Parallel()
	k, err := StartKafka(t.Context(), KafkaConfig{Partitions: 3})
	if err != nil {
		t.Fatal(err)
	}
	w := writer(k.Addr())
	w.AllowAutoTopicCreation = true
	if err := errors.Join(write(t.Context(), w, messages(0, 1)), w.Close()); err != nil {
		t.Fatal(err)
	}
	conn, err := kafka.DialContext(t.Context(), "tcp", k.Addr())
	if err != nil {
		t.Fatal(err)
	}
	partitions, err := conn.ReadPartitions(topic)
	if err := errors.Join(err, conn.Close(), k.Close()); err != nil {
		t.Fatal(err)
	}
	if len(partitions) != 3 {
		t.Errorf("%d partitions, want 3", len(partitions))
	}

	k = startKafka(t, t.TempDir())
	w = writer(k.Addr())
	w.AllowAutoTopicCreation = true
	if err := w.WriteMessages(t.Context(), messages(0, 1)...); !errors.Is(err, kafka.UnknownTopicOrPartition) {
		t.Errorf("topic that nobody made: %v, want %v", err, kafka.UnknownTopicOrPartition)
	}
	if err := errors.Join(w.Close(), k.Close()); err != nil {
		t.Fatal(err)
	}
}

// The errors of a start say what's wrong and what to do.
func TestKafkaStartErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	k := startKafka(t, dir)
	if _, err := StartKafka(t.Context(), KafkaConfig{Dir: dir}); !errors.Is(err, ErrDirInUse) || !strings.Contains(err.Error(), "stop the other process") {
		t.Errorf("directory in use: %v", err)
	}
	_, port, err := net.SplitHostPort(k.Addr())
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	free := t.TempDir()
	if _, err := StartKafka(t.Context(), KafkaConfig{Dir: free, Port: n}); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("port %d", n)) || !strings.Contains(err.Error(), "choose another port") {
		t.Errorf("port in use: %v", err)
	}
	if err := startKafka(t, free).Close(); err != nil { // The failed start has freed it.
		t.Errorf("after the failed start: %v", err)
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "data", "meta.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := StartKafka(t.Context(), KafkaConfig{Dir: dir}); err == nil || !strings.Contains(err.Error(), "move the directory away") {
		t.Errorf("damaged directory: %v", err)
	}
}
