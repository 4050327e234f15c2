package foreign

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/segmentio/kafka-go"

	"github.com/andmerada/andmerada/deploy/registers"
	"github.com/andmerada/andmerada/internal/embedded"
	"github.com/andmerada/andmerada/internal/embedded/embeddedtest"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/ingest"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/schemaregistry"
	"github.com/andmerada/andmerada/internal/secure"
	"github.com/andmerada/andmerada/internal/trail"
)

// certificates is how long those are valid that are made here.
const certificates = time.Hour

// world is a trail, and ingest that writes into it what comes by some topics.
// Each topic has one partition, so that what is sent first is judged first.
type world struct {
	*shared

	t      *testing.T
	trail  *trail.DB
	conn   driver.Conn // of the test's own, to see what is stored
	topics []string
	group  string
}

func newWorld(t *testing.T, topics ...string) *world {
	t.Helper()
	w := &world{shared: start(t), t: t, topics: topics, group: "group-" + topics[0]}
	database, house := embeddedtest.Database(t), embeddedtest.ClickHouse(t)
	user, password := house.Credentials(embedded.Owner)
	var err error
	if w.trail, err = trail.Open(t.Context(), trail.Config{Addr: house.Addr(), Database: database, User: user, Password: password}); err != nil {
		t.Fatal(err)
	}
	w.conn, err = clickhouse.Open(&clickhouse.Options{Addr: []string{house.Addr()}, Auth: clickhouse.Auth{Database: database, Username: user, Password: password}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(w.conn.Close(), w.trail.Close()); err != nil {
			t.Error(err)
		}
	})
	var make []kafka.TopicConfig
	for _, topic := range topics {
		make = append(make, kafka.TopicConfig{Topic: topic, NumPartitions: 1, ReplicationFactor: 1})
	}
	client := kafka.Client{Addr: kafka.TCP(w.broker)}
	made, err := client.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{Topics: make})
	if err != nil {
		t.Fatalf("create topics: %v", err)
	}
	for topic, err := range made.Errors {
		if err != nil {
			t.Fatalf("create topic %s: %v", topic, err)
		}
	}
	w.eventually("the topics are there", func() bool {
		meta, err := client.Metadata(t.Context(), &kafka.MetadataRequest{Topics: topics})
		if err != nil || len(meta.Topics) != len(topics) {
			return false
		}
		for _, topic := range meta.Topics {
			if topic.Error != nil || len(topic.Partitions) != 1 {
				return false
			}
		}
		return true
	})
	return w
}

// schemas is a client of the registry, by TLS as a production system has it.
func (w *world) schemas(c schemaregistry.Config) *schemaregistry.Client {
	w.t.Helper()
	dialer, err := secure.NewDialer("registry", secure.Files{CA: w.ca})
	if err != nil {
		w.t.Fatal(err)
	}
	c.URLs, c.DialTLS = []string{w.registry.Secure}, dialer.DialContext
	client, err := schemaregistry.New(c)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(client.Close)
	return client
}

// ingest runs until stop is called.
func (w *world) ingest(client *schemaregistry.Client) (stop func()) {
	w.t.Helper()
	set, err := register.Load(registers.FS)
	if err != nil {
		w.t.Fatal(err)
	}
	secret, err := identity.ParseSecret(strings.Repeat("a7", identity.SecretSize))
	if err != nil {
		w.t.Fatal(err)
	}
	keys, err := identity.New(secret)
	if err != nil {
		w.t.Fatal(err)
	}
	i, err := ingest.New(ingest.Config{
		Brokers: []string{w.broker}, Topics: w.topics, Group: w.group,
		Trail: w.trail, Registers: func() *register.Set { return set }, Keys: keys, Facts: facts.New(), Schemas: client,
		Logger: slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
		Limits: ingest.Limits{Age: 100 * time.Millisecond, Backoff: time.Second},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- i.Run(ctx) }()
	return func() {
		w.t.Helper()
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("ingest ended: %v", err)
		}
	}
}

// await waits until the group has committed so many records of a topic.
func (w *world) await(topic string, records int) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("%d records of %s are ingested", records, topic), func() bool {
		return w.committed(topic) >= int64(records)
	})
}

func (w *world) committed(topic string) int64 {
	o, err := ingest.Committed(w.t.Context(), nil, []string{w.broker}, topic, w.group)
	if err != nil {
		return 0 // as long as there is no group
	}
	return o.Committed[0]
}

func (w *world) eventually(what string, holds func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if holds() {
			return
		}
	}
	w.t.Fatalf("it never came about that %s", what)
}

// verify asks the oracle about a topic, as `andmerada verify` does.
func (w *world) verify(topic string, events, quarantined int64) {
	w.t.Helper()
	o, err := ingest.Committed(w.t.Context(), nil, []string{w.broker}, topic, w.group)
	if err != nil {
		w.t.Fatal(err)
	}
	report, err := w.trail.Verify(w.t.Context(), topic, o.End, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	p := report.Partitions[0]
	if !report.OK() || p.Trail != events || p.Quarantine != quarantined {
		w.t.Errorf("%s: %d events and %d records in quarantine are wanted; the oracle says:\n%s", topic, events, quarantined, report)
	}
}

// rows are the rows of a topic, by event and person: every column but those that
// say where and when, and the hash of the bytes.
func (w *world) rows(topic string) map[string]string {
	w.t.Helper()
	const except = "topic, partition, offset, recorded, stored, judged_at, body_hash"
	all := w.texts("SELECT concat(source, ' ', event_id, ' ', toString(person_index)), formatRow('JSONEachRow', * EXCEPT ("+except+")) FROM trail_rows WHERE topic = $1", topic)
	for key, row := range w.texts("SELECT concat('member ', cohort_id, ' ', toString(part), ' ', hex(person)), toString(count()) FROM cohort_members WHERE topic = $1 GROUP BY controller, cohort_id, part, person", topic) {
		all[key] = row
	}
	return all
}

func (w *world) texts(query string, args ...any) map[string]string {
	w.t.Helper()
	rows, err := w.conn.Query(w.t.Context(), query, args...)
	if err != nil {
		w.t.Fatal(err)
	}
	all := make(map[string]string)
	for rows.Next() {
		var key, text string
		if err := rows.Scan(&key, &text); err != nil {
			w.t.Fatal(err)
		}
		if _, twice := all[key]; twice {
			w.t.Errorf("%s is there twice", key)
		}
		all[key] = text
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		w.t.Fatal(err)
	}
	return all
}

// same holds the rows of one topic against those of another.
func (w *world) same(want, got map[string]string, topic string) {
	w.t.Helper()
	differ := 0
	for _, key := range keys(want) {
		if got[key] != want[key] {
			if differ++; differ <= 5 {
				w.t.Errorf("%s: %s\n  is  %s\n  not %s", topic, key, got[key], want[key])
			}
		}
	}
	if differ > 0 || len(got) != len(want) || len(want) == 0 {
		w.t.Errorf("%s: %d of %d rows differ; there are %d", topic, differ, len(want), len(got))
	}
}

// quarantine is why each record of a topic is there, by offset.
func (w *world) quarantine(topic string) map[string]string {
	w.t.Helper()
	return w.texts("SELECT toString(offset), reason FROM quarantine WHERE topic = $1", topic)
}

// run runs a program of another language on lines of events.
func run(t *testing.T, cmd *exec.Cmd, in []byte) {
	t.Helper()
	var said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &said, &said
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, &said)
	}
}
