package secure

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/andmerada/andmerada/internal/secure/securetest"
)

const (
	testUser     = "andmerada"
	testPassword = "correct horse"
)

// broker starts an in-memory broker and returns its address.
func broker(t testing.TB, options ...kfake.Opt) string {
	t.Helper()
	c, err := kfake.NewCluster(append(options, kfake.NumBrokers(1), kfake.SeedTopics(1, "events"))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.ListenAddrs()[0]
}

func login(mechanism, password string) *Login {
	return &Login{Mechanism: mechanism, User: testUser, Password: func() (string, error) { return password, nil }}
}

func dialer(t testing.TB, files Files) *Dialer {
	t.Helper()
	d, err := NewDialer("kafka", files)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func newKafka(t testing.TB, d *Dialer, l *Login) *Kafka {
	t.Helper()
	k, err := NewKafka(d, l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.CloseIdleConnections)
	return k
}

// writeAndRead writes a message by the transport and reads it as a group by the
// dialer.
func writeAndRead(t testing.TB, k *Kafka, addr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	w := &kafka.Writer{Addr: kafka.TCP(addr), Topic: "events", Transport: k, BatchTimeout: time.Millisecond, RequiredAcks: kafka.RequireAll}
	if err := w.WriteMessages(ctx, kafka.Message{Value: []byte("secret")}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	r := kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{addr}, Topic: "events", GroupID: "g-" + t.Name(), Dialer: k.Dialer(), StartOffset: kafka.FirstOffset, MaxWait: 100 * time.Millisecond,
	})
	m, err := r.ReadMessage(ctx)
	if err != nil || string(m.Value) != "secret" {
		t.Errorf("read %q: %v", m.Value, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// ask asks for the brokers and returns the error.
func ask(t testing.TB, k *Kafka, addr string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, err := (&kafka.Client{Addr: kafka.TCP(addr), Transport: k}).Metadata(ctx, &kafka.MetadataRequest{Topics: []string{"events"}})
	return err
}

func TestKafka(t *testing.T) {
	t.Parallel()
	ca := securetest.NewCA(t)
	server, client := ca.Issue(t, time.Hour, "127.0.0.1"), ca.Issue(t, time.Hour)
	files := Files{CA: ca.File, Cert: client.Cert, Key: client.Key}
	for _, m := range mechanisms {
		t.Run(m, func(t *testing.T) {
			t.Parallel()
			addr := broker(t, kfake.TLS(securetest.Server(server, ca)), kfake.EnableSASL(), kfake.Superuser(m, testUser, testPassword))
			writeAndRead(t, newKafka(t, dialer(t, files), login(m, testPassword)), addr)
		})
	}
	t.Run("TLS without login", func(t *testing.T) {
		t.Parallel()
		writeAndRead(t, newKafka(t, dialer(t, files), nil), broker(t, kfake.TLS(securetest.Server(server, ca))))
	})
	t.Run("login without TLS", func(t *testing.T) {
		t.Parallel()
		addr := broker(t, kfake.EnableSASL(), kfake.Superuser(ScramSHA512, testUser, testPassword))
		writeAndRead(t, newKafka(t, nil, login(ScramSHA512, testPassword)), addr)
	})
	t.Run("neither", func(t *testing.T) {
		t.Parallel()
		writeAndRead(t, newKafka(t, nil, nil), broker(t))
	})
	t.Run("name", func(t *testing.T) {
		t.Parallel()
		named := ca.Issue(t, time.Hour, "kafka.example.org")
		addr := broker(t, kfake.TLS(securetest.Server(named, nil)))
		writeAndRead(t, newKafka(t, dialer(t, Files{CA: ca.File, ServerName: "kafka.example.org"}), nil), addr)
	})
}

// TestErrorsOfKafka holds each mistake against what is said about it. This broker
// hangs up on a wrong password, where Apache Kafka answers (TestApacheKafka).
func TestErrorsOfKafka(t *testing.T) {
	t.Parallel()
	ca, other := securetest.NewCA(t), securetest.NewCA(t)
	server, client := ca.Issue(t, time.Hour, "127.0.0.1"), ca.Issue(t, time.Hour)
	expired, foreign := ca.Issue(t, -time.Minute, "127.0.0.1"), other.Issue(t, time.Hour)
	trusting := Files{CA: ca.File}
	sasl := []kfake.Opt{kfake.EnableSASL(), kfake.Superuser(ScramSHA256, testUser, testPassword), kfake.Superuser(Plain, testUser, testPassword)}
	for _, c := range []struct {
		name   string
		broker []kfake.Opt
		files  *Files
		login  *Login
		want   string
	}{
		{"other CA", []kfake.Opt{kfake.TLS(securetest.Server(server, nil))}, &Files{CA: other.File}, nil, "signed by none of those in kafka.tls.ca_file " + other.File},
		{"CAs of the system", []kfake.Opt{kfake.TLS(securetest.Server(server, nil))}, &Files{}, nil, "set kafka.tls.ca_file to the certificate of the CA"},
		{"expired", []kfake.Opt{kfake.TLS(securetest.Server(expired, nil))}, &trusting, nil, "renew it there, or set this machine's clock"},
		{"other name", []kfake.Opt{kfake.TLS(securetest.Server(client, nil))}, &trusting, nil, "not for the name 127.0.0.1"},
		{"no client certificate", []kfake.Opt{kfake.TLS(securetest.Server(server, ca))}, &trusting, nil, "set kafka.tls.cert_file and key_file"},
		{"foreign client certificate", []kfake.Opt{kfake.TLS(securetest.Server(server, ca))}, &Files{CA: ca.File, Cert: foreign.Cert, Key: foreign.Key}, nil, "must be signed by a CA that the server trusts"},
		{"expired client certificate", []kfake.Opt{kfake.TLS(securetest.Server(server, ca))}, &Files{CA: ca.File, Cert: expired.Cert, Key: expired.Key}, nil, expired.Cert + ", which is valid from"},
		{"port without TLS", nil, &trusting, nil, "may not speak TLS"},
		{"port with TLS", []kfake.Opt{kfake.TLS(securetest.Server(server, nil))}, nil, nil, "set kafka.tls"},
		{"wrong password, PLAIN", append(sasl, kfake.TLS(securetest.Server(server, nil))), &trusting, login(Plain, "wrong"), "the user or the password of kafka.sasl"},
		{"wrong password, SCRAM", append(sasl, kfake.TLS(securetest.Server(server, nil))), &trusting, login(ScramSHA256, "wrong"), "the user or the password of kafka.sasl"},
		{"no login", append(sasl, kfake.TLS(securetest.Server(server, nil))), &trusting, nil, "set kafka.sasl"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var d *Dialer
			if c.files != nil {
				d = dialer(t, *c.files)
			}
			err := ask(t, newKafka(t, d, c.login), broker(t, c.broker...))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v; it should say %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), testPassword) {
				t.Errorf("the error has the password: %v", err)
			}
		})
	}
}

// TestFilesAreReadAgain replaces all certificates and the password while a
// client runs.
func TestFilesAreReadAgain(t *testing.T) {
	t.Parallel()
	before, after := securetest.NewCA(t), securetest.NewCA(t)
	client := before.Issue(t, time.Hour)
	password := testPassword
	k := newKafka(t, dialer(t, Files{CA: before.File, Cert: client.Cert, Key: client.Key}), &Login{
		Mechanism: ScramSHA512, User: testUser, Password: func() (string, error) { return password, nil },
	})
	writeAndRead(t, k, broker(t, kfake.TLS(securetest.Server(before.Issue(t, time.Hour, "127.0.0.1"), before)), kfake.EnableSASL(),
		kfake.Superuser(ScramSHA512, testUser, password)))

	renewed := after.Issue(t, time.Hour)
	for from, to := range map[string]string{after.File: before.File, renewed.Cert: client.Cert, renewed.Key: client.Key} {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	password = "another"
	writeAndRead(t, k, broker(t, kfake.TLS(securetest.Server(after.Issue(t, time.Hour, "127.0.0.1"), after)), kfake.EnableSASL(),
		kfake.Superuser(ScramSHA512, testUser, password)))
}

func TestLoginsThatCannotBe(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		login *Login
		want  string
	}{
		{"mechanism", login("GSSAPI", testPassword), `"GSSAPI" is not known: use PLAIN, SCRAM-SHA-256, SCRAM-SHA-512`},
		{"PLAIN without TLS", login(Plain, testPassword), "set kafka.tls as well"},
		{"no user", &Login{Mechanism: ScramSHA256}, "lacks the user"},
		{"no password", login(ScramSHA256, ""), "kafka.sasl.password_file"},
		{"no file", &Login{Mechanism: ScramSHA256, User: testUser, Password: func() (string, error) { return "", os.ErrNotExist }}, "not exist"},
	} {
		if _, err := NewKafka(nil, c.login); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: the error is %v; it should say %q", c.name, err, c.want)
		}
	}
}
