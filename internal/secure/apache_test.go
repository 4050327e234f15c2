package secure

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/andmerada/andmerada/internal/embedded/apachekafka"
	"github.com/andmerada/andmerada/internal/secure/securetest"
)

// TestApacheKafka logs in to the real broker, by TLS and with a certificate.
func TestApacheKafka(t *testing.T) {
	t.Parallel()
	ca := securetest.NewCA(t)
	server, client := ca.Issue(t, time.Hour, "127.0.0.1"), ca.Issue(t, time.Hour)
	const password = "correct0horse"
	open, addr := apachekafka.StartSecure(t, apachekafka.Options{Secure: &apachekafka.Secure{KeyStore: server.Both, CA: ca.File, User: testUser, Password: password}})
	files := Files{CA: ca.File, Cert: client.Cert, Key: client.Key}

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	made, err := (&kafka.Client{Addr: kafka.TCP(open), Transport: newKafka(t, nil, nil)}).CreateTopics(ctx, &kafka.CreateTopicsRequest{
		Topics: []kafka.TopicConfig{{Topic: "events", NumPartitions: 1, ReplicationFactor: 1}},
	})
	if err != nil || made.Errors["events"] != nil {
		t.Fatal(err, made)
	}
	t.Run("logged in", func(t *testing.T) { // before the topic is written to by another
		for _, m := range mechanisms {
			t.Run(m, func(t *testing.T) { writeAndRead(t, newKafka(t, dialer(t, files), login(m, password)), addr) })
		}
	})
	for _, c := range []struct {
		name  string
		addr  string
		files *Files
		login *Login
		want  string
	}{
		{"wrong password, PLAIN", addr, &files, login(Plain, "wrong"), `as "andmerada" by PLAIN: the user or the password is wrong`},
		{"wrong password, SCRAM-SHA-256", addr, &files, login(ScramSHA256, "wrong"), "the user or the password is wrong"},
		{"wrong password, SCRAM-SHA-512", addr, &files, login(ScramSHA512, "wrong"), "the user or the password is wrong"},
		{"no login", addr, &files, nil, "set kafka.sasl"},
		{"no certificate", addr, &Files{CA: ca.File}, login(ScramSHA512, password), "set kafka.tls.cert_file and key_file"},
		{"plain TCP", addr, nil, login(ScramSHA512, password), "set kafka.tls"},
		{"TLS to a port without", open, &files, login(ScramSHA512, password), "may not speak TLS"},
		{"login to a port without", open, nil, login(ScramSHA512, password), "remove kafka.sasl"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var d *Dialer
			if c.files != nil {
				d = dialer(t, *c.files)
			}
			if err := ask(t, newKafka(t, d, c.login), c.addr); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v; it should say %q", err, c.want)
			}
		})
	}
}
