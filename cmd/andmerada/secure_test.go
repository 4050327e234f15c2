package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/andmerada/andmerada/internal/embedded"
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

// secured is a broker and a ClickHouse that take TLS with a certificate only,
// and the text of a configuration that reaches them. Files are named as they
// are seen from the configuration's directory.
type secured struct {
	dir, kafka, clickhouse, user, database string
}

const securedPassword = "correct horse"

func newSecured(t testing.TB) *secured {
	t.Helper()
	ca := securetest.NewCA(t)
	server, client := ca.Issue(t, time.Hour, "127.0.0.1", "servers.example.org"), ca.Issue(t, time.Hour)
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "andmerada.events", "findings"), kfake.TLS(securetest.Server(server, ca)),
		kfake.EnableSASL(), kfake.Superuser(secure.ScramSHA512, "andmerada", securedPassword))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	house := embeddedtest.ClickHouse(t)
	user, password := house.Credentials(embedded.Writer)
	s := &secured{
		dir: t.TempDir(), kafka: cluster.ListenAddrs()[0], clickhouse: tlsProxy(t, securetest.Server(server, ca), house.Addr()),
		user: user, database: embeddedtest.Database(t),
	}
	for name, from := range map[string]string{"ca.pem": ca.File, "cert.pem": client.Cert, "key.pem": client.Key} {
		if err := os.Rename(from, filepath.Join(s.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"kafka-password": securedPassword, "clickhouse-password": password} {
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
secret_file: pseudonyms
findings: {topic: findings}
`, s.kafka, s.clickhouse, s.database, s.user))
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

// TestSecured sends an event, judges and stores it, tells its finding, and
// proves the trail, all by TLS with certificates and a login.
func TestSecured(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	file := s.config(t)
	identifier := filepath.Join(s.dir, "identifier")
	if err := os.WriteFile(identifier, []byte("EL-100017"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := command(t.Context(), "emit", "--config", file, "--operation", "transfer", "--controller", "elektrum", "--purpose", "elektrum/nothing-declared",
		"--category", "name", "--recipient", "elektrum/elektrilevi", "--source", "//billing.example", "--scheme", "customer-number", "--identifier", identifier); err != nil {
		t.Fatal(err, out)
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
	s := newSecured(t)
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

// migrate makes the tables.
func migrate(ctx context.Context, c *config) error {
	db, err := openTrail(ctx, c, false)
	if err != nil {
		return err
	}
	return db.Close()
}
