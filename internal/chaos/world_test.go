package chaos

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/andmerada/andmerada/internal/embedded/apachekafka"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/ingest"
)

// world is a topic, a database, and the configuration by which the program
// knows them.
type world struct {
	t                        testing.TB
	cluster                  *apachekafka.Cluster
	partitions               int
	topic                    string
	group                    string
	house                    house
	link                     *proxy // between the program and ClickHouse
	sql                      driver.Conn
	dir, registers, registry string
	more                     string   // of the configuration
	config                   string   // file, by way of the proxies
	direct                   string   // file, past them
	env                      []string // of the program, beside this process's
	ledger                   *ledger
	manual                   *kgo.Client
	age                      time.Duration // of the records that are written; 0 = they are new
}

// options say how a world is to be.
type options struct {
	partitions int               // 1 if 0
	settings   map[string]string // of the topic
	house      *house            // the shared engine if nil
	registers  string            // directory; those built in if empty
	registry   string            // address of the schema registry; none if empty
	more       string            // of the configuration
}

func newWorld(t testing.TB, o options) *world {
	t.Helper()
	cluster := kafkaCluster(t)
	name := strings.ToLower(rand.Text()[:10])
	w := &world{t: t, cluster: cluster, topic: "events-" + name, group: "group-" + name, ledger: newLedger(), partitions: max(1, o.partitions)}
	if o.house != nil {
		w.house = *o.house
	} else {
		w.house = sharedHouse(t)
	}
	w.link = newProxy(t, w.house.Addr)
	w.sql = w.connect(w.house)
	dir := t.TempDir()
	for file, text := range map[string]string{"secret": strings.Repeat("5a", identity.SecretSize), "password": w.house.Password} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.registers, w.registry, w.dir, w.more = o.registers, o.registry, dir, o.more
	w.configure()
	w.createTopic(w.partitions, o.settings)
	return w
}

// configure writes the configurations.
func (w *world) configure() {
	w.t.Helper()
	write := func(file string, brokers []string, house string) string {
		text := fmt.Sprintf("kafka: { brokers: [%s], topic: %s, group: %s }\nclickhouse: { addr: %q, database: %s, user: %s, password_file: password }\nsecret_file: secret\n",
			strings.Join(quoted(brokers), ", "), w.topic, w.group, house, w.house.database, w.house.User)
		if w.registers != "" {
			text += fmt.Sprintf("registers: %q\n", w.registers)
		}
		if w.registry != "" {
			text += fmt.Sprintf("registry: { urls: [%q] }\n", w.registry)
		}
		text += w.more
		file = filepath.Join(w.dir, file)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			w.t.Fatal(err)
		}
		return file
	}
	w.config = write("proxied.yaml", w.cluster.Proxied(), w.link.addr())
	w.direct = write("direct.yaml", w.cluster.Addrs(), w.house.Addr)
}

func quoted(list []string) (all []string) {
	for _, s := range list {
		all = append(all, fmt.Sprintf("%q", s))
	}
	return all
}

// connect is a connection of the test's own.
func (w *world) connect(h house) driver.Conn {
	w.t.Helper()
	conn, err := clickhouse.Open(&clickhouse.Options{Addr: []string{h.Addr}, Auth: clickhouse.Auth{Database: h.database, Username: h.User, Password: h.Password}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// exec runs a statement.
func (w *world) exec(query string, args ...any) {
	w.t.Helper()
	if err := w.sql.Exec(context.Background(), query, args...); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
}

// number asks for one.
func (w *world) number(query string, args ...any) (n uint64) {
	w.t.Helper()
	if err := w.sql.QueryRow(w.t.Context(), query, args...).Scan(&n); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
	return n
}

func (w *world) client() *kafka.Client {
	return &kafka.Client{Addr: kafka.TCP(w.cluster.Addrs()...), Timeout: 20 * time.Second}
}

func (w *world) createTopic(partitions int, settings map[string]string) {
	w.t.Helper()
	topic := kafka.TopicConfig{Topic: w.topic, NumPartitions: partitions, ReplicationFactor: w.cluster.Len()}
	for name, value := range settings {
		topic.ConfigEntries = append(topic.ConfigEntries, kafka.ConfigEntry{ConfigName: name, ConfigValue: value})
	}
	res, err := w.client().CreateTopics(w.t.Context(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{topic}})
	if err == nil {
		err = res.Errors[w.topic]
	}
	if err != nil && !errors.Is(err, kafka.TopicAlreadyExists) { // the client's second try, where the first took long: the name is drawn anew for each test
		w.t.Fatalf("create topic: %v", err)
	}
	eventually(w.t, time.Minute, "the topic is there", func() (bool, string) {
		o, err := w.offsets()
		return err == nil && len(o.End) == partitions, fmt.Sprint(o, err)
	})
}

// metadata tells of the topic's partitions.
func (w *world) metadata() (*kafka.MetadataResponse, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	transport := new(kafka.Transport) // of its own, which remembers nothing
	defer transport.CloseIdleConnections()
	client := w.client()
	client.Transport = transport
	return client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{w.topic}})
}

// offsets are where the group stands.
func (w *world) offsets() (*ingest.Offsets, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	transport := new(kafka.Transport) // of its own: brokers come and go
	defer transport.CloseIdleConnections()
	return ingest.Committed(ctx, transport, w.cluster.Addrs(), w.topic, w.group)
}

// caughtUp waits until all that Kafka has is committed.
func (w *world) caughtUp(limit time.Duration, by ...*process) {
	w.t.Helper()
	began := time.Now()
	eventually(w.t, limit, "all is stored and committed", func() (bool, string) {
		for _, p := range by {
			p.running()
		}
		o, err := w.offsets()
		if err != nil {
			return false, err.Error()
		}
		return maps.Equal(o.Committed, o.End), fmt.Sprintf("committed %v, ends %v", o.Committed, o.End)
	})
	w.t.Logf("all is stored and committed after %s", time.Since(began).Round(time.Millisecond))
}

// caughtUpTo waits until all that Kafka has now is committed, while more comes.
func (w *world) caughtUpTo(limit time.Duration, by *process) {
	w.t.Helper()
	now, err := w.offsets()
	if err != nil {
		w.t.Fatal(err)
	}
	eventually(w.t, limit, "what was there is stored and committed", func() (bool, string) {
		by.running()
		o, err := w.offsets()
		if err != nil {
			return false, err.Error()
		}
		for p, end := range now.End {
			if o.Committed[p] < end {
				return false, fmt.Sprintf("committed %v, ends were %v", o.Committed, now.End)
			}
		}
		return true, ""
	})
}

// holds ends a test: `andmerada verify` finds nothing missing and nothing twice,
// and the rows are, in content and order, what the writers wrote.
func (w *world) holds() {
	w.t.Helper()
	o, err := w.offsets()
	if err != nil {
		w.t.Fatal(err)
	}
	if !maps.Equal(o.Committed, o.End) {
		w.t.Errorf("committed %v, ends %v", o.Committed, o.End)
	}
	out, status := w.command("verify")
	if status != 0 {
		w.t.Errorf("verify ends with %d:\n%s", status, out)
	}
	w.contents()
}

// watchCommits fails the test if the group's offset ever falls.
func (w *world) watchCommits() (stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		highest := make(map[int32]int64)
		for ctx.Err() == nil {
			if o, err := w.offsets(); err == nil { // where a broker is away there is nothing to see
				for p, offset := range o.Committed {
					if offset < highest[p] {
						w.t.Errorf("partition %d: the group's offset fell from %d to %d", p, highest[p], offset)
					}
					highest[p] = max(highest[p], offset)
				}
			}
			time.Sleep(50 * time.Millisecond)
		}
	}()
	return func() { cancel(); <-done }
}
