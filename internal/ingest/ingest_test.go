package ingest

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/andmerada/andmerada/deploy/registers"
	"github.com/andmerada/andmerada/internal/embedded"
	"github.com/andmerada/andmerada/internal/embedded/embeddedtest"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(killEnv); dir != "" {
		if err := victim(dir, os.Getenv(killLast) == "true"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(embeddedtest.Main(m))
}

// world is a broker, a trail and what ingest needs beside them.
type world struct {
	t      testing.TB
	broker string // address
	trail  *trail.DB
	keys   *identity.Keys
	regs   *register.Set
	topic  string
	log    *slog.Logger

	database string
}

func newWorld(t testing.TB, partitions int32) *world {
	t.Helper()
	return newWorldOn(t, embeddedtest.Kafka(t, partitions).Addr(), "events", partitions)
}

// newWorldOn is a world with a topic of its own on some broker.
func newWorldOn(t testing.TB, broker, topic string, partitions int32) *world {
	t.Helper()
	w := &world{t: t, broker: broker, topic: topic, log: newWorldLog(t), database: embeddedtest.Database(t)}
	house := embeddedtest.ClickHouse(t)
	user, password := house.Credentials(embedded.Owner)
	var err error
	w.trail, err = trail.Open(t.Context(), trail.Config{Addr: house.Addr(), Database: w.database, User: user, Password: password, Logger: w.log, Timeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.trail.Close(); err != nil {
			t.Error(err)
		}
	})
	w.keys, w.regs = testKeys(t), testRegisters(t)
	w.createTopic(w.topic, partitions)
	return w
}

func newWorldLog(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

func testKeys(t testing.TB) *identity.Keys {
	t.Helper()
	secret, err := identity.ParseSecret(strings.Repeat("5a", identity.SecretSize))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := identity.New(secret)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func testRegisters(t testing.TB) *register.Set {
	t.Helper()
	set, err := register.Load(registers.FS)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func (w *world) client() *kafka.Client { return &kafka.Client{Addr: kafka.TCP(w.broker)} }

func (w *world) createTopic(name string, partitions int32) {
	w.t.Helper()
	res, err := w.client().CreateTopics(w.t.Context(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{
		Topic: name, NumPartitions: int(partitions), ReplicationFactor: 1,
		ConfigEntries: []kafka.ConfigEntry{{ConfigName: "max.message.bytes", ConfigValue: "20000000"}},
	}}})
	if err == nil {
		err = res.Errors[name]
	}
	if err != nil {
		w.t.Fatalf("create topic: %v", err)
	}
}

// config is an ingest of this world, quick to join and small in memory.
func (w *world) config() Config {
	return Config{
		Brokers: []string{w.broker}, Topics: []string{w.topic}, Group: "ingest-test",
		Trail: w.trail, Registers: func() *register.Set { return w.regs }, Keys: w.keys, Facts: facts.New(),
		Logger: w.log, Limits: Limits{Age: 20 * time.Millisecond, RecentIDs: 100_000, Session: 6 * time.Second, Backoff: time.Second},
	}
}

// start runs an ingest until the test ends or stop is called.
func (w *world) start(cfg Config) (i *Ingest, stop func()) {
	w.t.Helper()
	i, err := New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- i.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			if err != nil {
				w.t.Errorf("ingest ended: %v", err)
			}
		case <-time.After(time.Minute):
			w.t.Error("ingest does not stop")
		}
	}
	w.t.Cleanup(stop)
	return i, stop
}

// message is an event as a source sends it.
func message(t testing.TB, ev *event.Event) kafka.Message {
	t.Helper()
	headers, value, err := event.EncodeBinary(ev)
	if err != nil {
		t.Fatal(err)
	}
	m := kafka.Message{Key: []byte(event.PartitionKey(ev)), Value: value}
	for _, h := range headers {
		m.Headers = append(m.Headers, kafka.Header(h))
	}
	return m
}

func (w *world) send(messages ...kafka.Message) {
	w.t.Helper()
	writer := &kafka.Writer{Addr: kafka.TCP(w.broker), Topic: w.topic, Balancer: &kafka.Hash{}, BatchSize: 1000, BatchBytes: 20_000_000, BatchTimeout: 5 * time.Millisecond, RequiredAcks: kafka.RequireAll}
	if err := writer.WriteMessages(w.t.Context(), messages...); err != nil {
		w.t.Fatalf("send: %v", err)
	}
	if err := writer.Close(); err != nil {
		w.t.Fatal(err)
	}
}

// ends are the ends of the topic's partitions.
func (w *world) ends() map[int32]int64 {
	w.t.Helper()
	client := w.client()
	meta, err := client.Metadata(w.t.Context(), &kafka.MetadataRequest{Topics: []string{w.topic}})
	if err != nil {
		w.t.Fatal(err)
	}
	var ask []kafka.OffsetRequest
	for _, p := range meta.Topics[0].Partitions {
		ask = append(ask, kafka.LastOffsetOf(p.ID))
	}
	res, err := client.ListOffsets(w.t.Context(), &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{w.topic: ask}})
	if err != nil {
		w.t.Fatal(err)
	}
	ends := make(map[int32]int64)
	for _, p := range res.Topics[w.topic] {
		ends[int32(p.Partition)] = p.LastOffset
	}
	return ends
}

// committed are the offsets that the group has committed; 0 for none.
func (w *world) committed(group string) map[int32]int64 {
	w.t.Helper()
	var partitions []int
	for p := range w.ends() {
		partitions = append(partitions, int(p))
	}
	res, err := w.client().OffsetFetch(w.t.Context(), &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{w.topic: partitions}})
	if err != nil {
		w.t.Fatal(err)
	}
	offsets := make(map[int32]int64)
	for _, p := range res.Topics[w.topic] {
		offsets[int32(p.Partition)] = max(0, p.CommittedOffset)
	}
	return offsets
}

// waitCommitted waits until the group has committed all there is.
func (w *world) waitCommitted(group string) {
	w.t.Helper()
	w.eventually("all is committed", func() (bool, string) {
		committed, ends := w.committed(group), w.ends()
		for p, end := range ends {
			if committed[p] != end {
				return false, fmt.Sprintf("committed %v, ends %v", committed, ends)
			}
		}
		return true, ""
	})
}

func (w *world) eventually(what string, holds func() (bool, string)) {
	w.t.Helper()
	last := ""
	for deadline := time.Now().Add(90 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		ok, state := holds()
		if ok {
			return
		}
		last = state
	}
	w.t.Fatalf("it never came about that %s: %s", what, last)
}

// verify asks the oracle about all that the topic holds.
func (w *world) verify() trail.Report {
	w.t.Helper()
	report, err := w.trail.Verify(w.t.Context(), w.topic, w.ends(), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if !report.OK() {
		w.t.Errorf("the oracle:\n%s", report)
	}
	return report
}

// billing is an ordinary event: an employee looks at a customer's bills.
func billing(n int) *event.Event {
	return &event.Event{
		Kind: event.Processing, ID: fmt.Sprintf("b-%d", n), Source: "crm", Time: time.Now().Add(-time.Hour).UTC().Truncate(time.Millisecond),
		Controller: "elektrum", Operation: event.Access, Purpose: "elektrum/billing", Categories: []string{"name"},
		Persons: []event.Person{{Scheme: "customer-number", Value: fmt.Sprintf("C-%d", n%997)}},
		Actor:   event.Actor{ID: "u-7", Kind: event.ActorHuman, Role: "clerk"}, Records: 1,
	}
}

func TestEventsArrive(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3)
	var messages []kafka.Message
	for n := range 2000 {
		messages = append(messages, message(t, billing(n)))
	}
	w.send(messages...)
	i, stop := w.start(w.config())
	w.waitCommitted("ingest-test")
	report := w.verify()
	var rows int64
	for _, p := range report.Partitions {
		rows += p.Rows
	}
	if rows != 2000 {
		t.Errorf("%d rows, sent 2000", rows)
	}
	s := i.Stats()
	if s.Events != 2000 || s.Lag != 0 || len(s.Quarantined) != 0 || s.Verdicts["allowed"]+s.Verdicts["review"]+s.Verdicts["violation"] != 2000 {
		t.Errorf("stats: %+v", s)
	}
	t.Logf("%+v", s)
	stop()
}
