package secure

import (
	"crypto/tls"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/secure/securetest"
)

func TestFilesThatCannotBe(t *testing.T) {
	t.Parallel()
	ca := securetest.NewCA(t)
	one, two := ca.Issue(t, time.Hour), ca.Issue(t, time.Hour)
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		files Files
		want  string
	}{
		{"no CA's file", Files{CA: empty + "x"}, "read clickhouse.tls.ca_file"},
		{"empty CA's file", Files{CA: empty}, "has no certificate in PEM"},
		{"no key", Files{Cert: one.Cert}, "only one of cert_file and key_file"},
		{"no certificate", Files{Key: one.Key}, "only one of cert_file and key_file"},
		{"another's key", Files{Cert: one.Cert, Key: two.Key}, "must belong together"},
	} {
		if _, err := NewDialer("clickhouse", c.files); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: the error is %v; it should say %q", c.name, err, c.want)
		}
	}
}

// listen answers each connection as told.
func listen(t testing.TB, answer func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			answer(c)
			_ = c.Close()
		}
	}()
	return l.Addr().String()
}

func TestServersThatCannotBe(t *testing.T) {
	t.Parallel()
	ca := securetest.NewCA(t)
	server := ca.Issue(t, time.Hour, "127.0.0.1")
	for _, c := range []struct {
		name   string
		answer func(net.Conn)
		want   string
	}{
		{"plain text", func(c net.Conn) {
			_, _ = c.Read(make([]byte, 4096))
			_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
		}, "the port does not speak TLS: name the one that does, or remove clickhouse.tls"},
		{"TLS 1.1", func(c net.Conn) {
			old := securetest.Server(server, nil)
			old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
			_ = tls.Server(c, old).Handshake()
		}, "does not speak TLS 1.2 or newer"},
		{"closes", func(c net.Conn) { _, _ = c.Read(make([]byte, 4096)) }, "may not speak TLS"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d, err := NewDialer("clickhouse", Files{CA: ca.File})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := d.DialContext(t.Context(), "tcp", listen(t, c.answer)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v; it should say %q", err, c.want)
			}
		})
	}
}

// TestRefusedBeforeItWrites: a client that reads beside writing has read the
// refusal, and closed, before it writes; its error is the refusal none the less.
func TestRefusedBeforeItWrites(t *testing.T) {
	t.Parallel()
	ca := securetest.NewCA(t)
	server := ca.Issue(t, time.Hour, "127.0.0.1")
	addr := listen(t, func(c net.Conn) { _ = tls.Server(c, securetest.Server(server, ca)).Handshake() })
	d, err := NewDialer("registry", Files{CA: ca.File})
	if err != nil {
		t.Fatal(err)
	}
	c, err := d.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	const want = "set registry.tls.cert_file and key_file"
	if _, err := c.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("read: the error is %v; it should say %q", err, want)
	}
	_ = c.Close()
	if _, err := c.Write([]byte("late")); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("write: the error is %v; it should say %q", err, want)
	}
}
