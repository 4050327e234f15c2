package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/andmerada/andmerada/internal/embedded"
	"github.com/andmerada/andmerada/internal/embedded/apachekafka"
	"github.com/andmerada/andmerada/internal/embedded/embeddedtest"
	"github.com/andmerada/andmerada/internal/secure"
	"github.com/andmerada/andmerada/internal/secure/securetest"
	"github.com/andmerada/andmerada/internal/trail"
)

// tlsProxy ends TLS before a server that has none, and returns its address.
func tlsProxy(t testing.TB, config *tls.Config, server string) string {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			outside, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer outside.Close()
				if outside.(*tls.Conn).Handshake() != nil { // or a client that is refused would still reach the server
					return
				}
				inside, err := net.Dial("tcp", server)
				if err != nil {
					return
				}
				defer inside.Close()
				go func() {
					_, _ = io.Copy(inside, outside)
					_ = inside.Close()
				}()
				_, _ = io.Copy(outside, inside)
			}()
		}
	}()
	return l.Addr().String()
}

// secured is a broker, a ClickHouse and a schema registry that take TLS with a
// certificate only, and the text of a configuration that reaches them. Files are
// named as they are seen from the configuration's directory.
type secured struct {
	dir, kafka, clickhouse, registry, user, database string
}

const securedPassword = "correct0horse"

// securedBroker starts a broker that wants a certificate and a login, with the
// topics, and returns its address.
type securedBroker func(t testing.TB, ca *securetest.CA, server securetest.Pair) string

func embeddedBroker(t testing.TB, ca *securetest.CA, server securetest.Pair) string {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "andmerada.events", "findings"), kfake.TLS(securetest.Server(server, ca)),
		kfake.EnableSASL(), kfake.Superuser(secure.ScramSHA512, "andmerada", securedPassword))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster.ListenAddrs()[0]
}

func apacheBroker(t testing.TB, ca *securetest.CA, server securetest.Pair) string {
	t.Helper()
	open, addr := apachekafka.StartSecure(t, apachekafka.Options{Secure: &apachekafka.Secure{KeyStore: server.Both, CA: ca.File, User: "andmerada", Password: securedPassword}})
	var topics []kafka.TopicConfig
	for _, name := range []string{"andmerada.events", "findings"} {
		topics = append(topics, kafka.TopicConfig{Topic: name, NumPartitions: 2, ReplicationFactor: 1})
	}
	made, err := (&kafka.Client{Addr: kafka.TCP(open), Transport: &kafka.Transport{}}).CreateTopics(t.Context(), &kafka.CreateTopicsRequest{Topics: topics})
	if err != nil || made.Errors["andmerada.events"] != nil || made.Errors["findings"] != nil {
		t.Fatal(err, made)
	}
	return addr
}

// securedRegistry is a schema registry that wants a certificate and a password. It
// takes any schema, and gives back what it took.
func securedRegistry(t testing.TB, config *tls.Config) string {
	t.Helper()
	var mu sync.Mutex
	var taken []string
	mux := http.NewServeMux()
	mux.HandleFunc("POST /subjects/{subject}/versions", func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Schema string }
		if json.NewDecoder(r.Body).Decode(&body) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		taken = append(taken, body.Schema)
		fmt.Fprintf(w, `{"id":%d}`, len(taken))
	})
	mux.HandleFunc("GET /schemas/ids/{id}", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		id, err := strconv.Atoi(r.PathValue("id"))
		if err != nil || id < 1 || id > len(taken) {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"error_code":40403}`)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"schema": taken[id-1]})
	})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, ok := r.BasicAuth(); !ok || user != "andmerada" || password != securedPassword {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	server.TLS = config
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // of clients that are refused
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}

func newSecured(t testing.TB, broker securedBroker) *secured {
	t.Helper()
	ca := securetest.NewCA(t)
	server, client := ca.Issue(t, time.Hour, "127.0.0.1", "servers.example.org"), ca.Issue(t, time.Hour)
	house := embeddedtest.ClickHouse(t)
	user, password := house.Credentials(embedded.Owner)
	s := &secured{
		dir: t.TempDir(), kafka: broker(t, ca, server), clickhouse: tlsProxy(t, securetest.Server(server, ca), house.Addr()),
		registry: securedRegistry(t, securetest.Server(server, ca)), user: user, database: embeddedtest.Database(t),
	}
	for name, from := range map[string]string{"ca.pem": ca.File, "cert.pem": client.Cert, "key.pem": client.Key} {
		if err := os.Rename(from, filepath.Join(s.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"kafka-password": securedPassword, "registry-password": securedPassword, "clickhouse-password": password} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// config writes a configuration, changed as told, and returns its file.
func (s *secured) config(t testing.TB, change ...string) string {
	t.Helper()
	text := strings.NewReplacer(change...).Replace(fmt.Sprintf(`kafka:
  brokers: [%q]
  topic: andmerada.events
  tls: {ca_file: ca.pem, cert_file: cert.pem, key_file: key.pem}
  sasl: {mechanism: SCRAM-SHA-512, user: andmerada, password_file: kafka-password}
clickhouse:
  addr: %q
  database: %s
  user: %s
  password_file: clickhouse-password
  tls:
    ca_file: ca.pem
    cert_file: cert.pem
    key_file: key.pem
    server_name: servers.example.org
registry:
  urls: [%q]
  user: andmerada
  password_file: registry-password
  tls: {ca_file: ca.pem, cert_file: cert.pem, key_file: key.pem, server_name: servers.example.org}
secret_file: pseudonyms
findings: {topic: findings}
`, s.kafka, s.clickhouse, s.database, s.user, s.registry))
	file, err := os.CreateTemp(s.dir, "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return file.Name()
}

// command runs a command in this process and returns what it printed.
func command(ctx context.Context, args ...string) (string, error) {
	var out strings.Builder
	root := newRootCommand()
	root.SetArgs(args)
	root.SetOut(&out)
	root.SetErr(&out)
	err := root.ExecuteContext(ctx)
	return out.String(), err
}

// emit sends an event in Avro, whose schema it registers first.
func (s *secured) emit(t testing.TB, file string) error {
	t.Helper()
	identifier := filepath.Join(s.dir, "identifier")
	if err := os.WriteFile(identifier, []byte("EL-100017"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := command(t.Context(), "emit", "--config", file, "--format", "avro", "--operation", "transfer", "--controller", "elektrum", "--purpose", "elektrum/nothing-declared",
		"--category", "name", "--recipient", "elektrum/elektrilevi", "--source", "//billing.example", "--scheme", "customer-number", "--identifier", identifier)
	return err
}

// TestSecured sends an event in Avro, whose schema ingest asks the registry for,
// judges and stores it, tells its finding, and proves the trail, all by TLS with
// certificates, and with logins; on the embedded Kafka and on Apache's.
func TestSecured(t *testing.T) {
	t.Parallel()
	for name, broker := range map[string]securedBroker{"embedded": embeddedBroker, "Apache": apacheBroker} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			secureWay(t, newSecured(t, broker))
		})
	}
}

func secureWay(t *testing.T, s *secured) {
	file := s.config(t)
	if err := s.emit(t, file); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ingested := make(chan error, 1)
	go func() {
		_, err := command(ctx, "ingest", "--config", file)
		ingested <- err
	}()
	defer func() {
		stop()
		if err := <-ingested; err != nil {
			t.Errorf("ingest: %v", err)
		}
	}()

	// The finding is the last thing that comes of an event.
	c, err := findConfig(file)
	if err != nil {
		t.Fatal(err)
	}
	brokers, err := c.kafka()
	if err != nil {
		t.Fatal(err)
	}
	defer brokers.CloseIdleConnections()
	r := kafka.NewReader(kafka.ReaderConfig{
		Brokers: c.Kafka.Brokers, Topic: "findings", GroupID: "reader", Dialer: brokers.Dialer(), StartOffset: kafka.FirstOffset, MaxWait: 100 * time.Millisecond,
	})
	wait, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if m, err := r.ReadMessage(wait); err != nil || !strings.Contains(string(m.Value), "nothing-declared") {
		t.Errorf("no finding by TLS: %s, %v", m.Value, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	for { // until its offset is committed
		out, err := command(wait, "verify", "--config", file, "--json")
		var report trail.Report
		if err == nil {
			err = json.Unmarshal([]byte(out), &report)
		}
		var stored, committed int64
		for _, p := range report.Partitions {
			stored, committed = stored+p.Trail, committed+p.Committed
		}
		if err == nil && stored == 1 && committed == 1 {
			break
		}
		if wait.Err() != nil {
			t.Fatalf("verify: %v\n%s", err, out)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// TestSecuredMistakes holds mistakes in a configuration against what commands
// say about them.
func TestSecuredMistakes(t *testing.T) {
	t.Parallel()
	s := newSecured(t, embeddedBroker)
	other := securetest.NewCA(t)
	house := embeddedtest.ClickHouse(t)
	for _, c := range []struct {
		name   string
		change []string
		want   string
	}{
		{"none", nil, ""},
		{"CA of ClickHouse", []string{"    ca_file: ca.pem", "    ca_file: " + other.File}, "signed by none of those in clickhouse.tls.ca_file"},
		{"name of ClickHouse", []string{"servers.example.org", "other.example.org"}, "set clickhouse.tls.server_name"},
		{"no certificate for ClickHouse", []string{"    cert_file: cert.pem\n    key_file: key.pem\n", ""}, "set clickhouse.tls.cert_file and key_file"},
		{"ClickHouse's port without TLS", []string{s.clickhouse, house.Addr()}, "clickhouse.tls"},
		{"no TLS for ClickHouse", []string{"  tls:\n    ca_file: ca.pem\n    cert_file: cert.pem\n    key_file: key.pem\n    server_name: servers.example.org\n", ""}, "set clickhouse.tls"},
		{"CA of Kafka", []string{"{ca_file: ca.pem", "{ca_file: " + other.File}, "signed by none of those in kafka.tls.ca_file"},
		{"password of Kafka", []string{"kafka-password", "clickhouse-password"}, "the password of kafka.sasl"},
		{"mechanism", []string{"SCRAM-SHA-512", "PLAINTEXT"}, "use PLAIN, SCRAM-SHA-256, SCRAM-SHA-512"},
		{"TLS without content", []string{"tls: {ca_file: ca.pem, cert_file: cert.pem, key_file: key.pem}", "tls:"}, "kafka.tls has nothing below it"},
		{"a way around", []string{"{ca_file: ca.pem", "{insecure: true, ca_file: ca.pem"}, "unknown field"},
		{"a file that is not there", []string{"{ca_file: ca.pem", "{ca_file: none.pem"}, filepath.Join(s.dir, "none.pem")},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			file := s.config(t, c.change...)
			cfg, err := findConfig(file)
			if err == nil {
				err = migrate(t.Context(), cfg) // verify reads only
			}
			if err == nil {
				_, err = command(t.Context(), "verify", "--config", file)
			}
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("the error is %v; it should say %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), securedPassword) {
				t.Errorf("the error has the password: %v", err)
			}
		})
	}
}

// TestSecuredRegistryMistakes is the same of the registry, which an event in Avro
// needs.
func TestSecuredRegistryMistakes(t *testing.T) {
	t.Parallel()
	s := newSecured(t, embeddedBroker)
	other := securetest.NewCA(t)
	const tlsOf = "{ca_file: ca.pem, cert_file: cert.pem, key_file: key.pem, server_name: servers.example.org}"
	for _, c := range []struct {
		name   string
		change []string
		want   string
	}{
		{"none", nil, ""},
		{"password", []string{"registry-password", "clickhouse-password"}, "look at registry.user and password_file"},
		{"no login", []string{"  user: andmerada\n  password_file: registry-password\n", ""}, "look at registry.user and password_file"},
		{"CA", []string{tlsOf, strings.Replace(tlsOf, "ca.pem", other.File, 1)}, "signed by none of those in registry.tls.ca_file"},
		{"no certificate", []string{tlsOf, "{ca_file: ca.pem, server_name: servers.example.org}"}, "set registry.tls.cert_file and key_file"},
		{"a name that is not its own", []string{tlsOf, strings.Replace(tlsOf, "servers.", "other.", 1)}, "set registry.tls.server_name"},
		{"plain HTTP", []string{"https://", "http://"}, "a password is sent by https only"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := s.emit(t, s.config(t, c.change...))
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("the error is %v; it should say %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), securedPassword) {
				t.Errorf("the error has the password: %v", err)
			}
		})
	}
}

// migrate makes the tables.
func migrate(ctx context.Context, c *config) error {
	db, err := openTrail(ctx, c, false)
	if err != nil {
		return err
	}
	return db.Close()
}
