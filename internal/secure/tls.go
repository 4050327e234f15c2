package secure

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Files are what TLS needs, in PEM. The zero value trusts the CAs of the system
// and shows no certificate.
type Files struct {
	CA         string // certificates of the CAs that are trusted, and no others; those of the system if empty
	Cert       string // the client's certificate, with the CAs between it and the root; none if empty
	Key        string // the key of Cert
	ServerName string // the name that the server's certificate must have; that of its address if empty
}

// handshakeLimit is how long a server may take from TCP's connection to the end
// of TLS's handshake, if the caller's context does not end earlier.
const handshakeLimit = 10 * time.Second

// refusalLimit is how long a write that found the connection closed waits for
// the alert that tells why; it is there already, or never comes.
const refusalLimit = time.Second

// Dialer makes connections by TLS. It is safe for concurrent use.
type Dialer struct {
	server string // "kafka" or "clickhouse": the section of the configuration
	files  Files
}

// NewDialer reads the files once, so that what is wrong with them is known at
// the start. The server is the section of the configuration that errors name:
// "kafka" or "clickhouse".
func NewDialer(server string, files Files) (*Dialer, error) {
	d := &Dialer{server: server, files: files}
	_, err := d.config()
	return d, err
}

// config reads the files.
func (d *Dialer) config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: d.files.ServerName}
	if d.files.CA != "" {
		pem, err := os.ReadFile(d.files.CA)
		if err != nil {
			return nil, fmt.Errorf("read %s.tls.ca_file: %w", d.server, err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s.tls.ca_file %s has no certificate in PEM (-----BEGIN CERTIFICATE-----): put the CA's there", d.server, d.files.CA)
		}
	}
	if (d.files.Cert == "") != (d.files.Key == "") {
		return nil, fmt.Errorf("%s.tls has only one of cert_file and key_file: give both, or neither if the server wants no certificate", d.server)
	}
	if d.files.Cert != "" {
		pair, err := tls.LoadX509KeyPair(d.files.Cert, d.files.Key)
		if err != nil {
			return nil, fmt.Errorf("read %s.tls.cert_file %s and key_file %s, which must belong together: %w", d.server, d.files.Cert, d.files.Key, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// DialContext connects and does the handshake. What comes back verified the
// server. A server may still refuse the client's certificate after that
// (TLS 1.3, RFC 8446 §4.4.2): the first read then says so.
func (d *Dialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := d.config()
	if err != nil {
		return nil, err
	}
	if c.ServerName == "" {
		if c.ServerName, _, err = net.SplitHostPort(addr); err != nil {
			return nil, fmt.Errorf("connect to %s at %s: %w", d.server, addr, err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeLimit)
	defer cancel()
	raw, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	client := &conn{Conn: tls.Client(raw, c), dialer: d, config: c, addr: addr, reading: make(chan struct{}, 1)}
	if err := client.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(client.explain(err), ignoreClosed(raw.Close()))
	}
	return client, nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// conn is a connection that explains why the server ended it.
type conn struct {
	*tls.Conn

	dialer *Dialer
	config *tls.Config
	addr   string

	reading chan struct{}         // holds one while somebody reads
	heard   atomic.Bool           // something was read: the server has taken the certificate
	ended   atomic.Pointer[error] // by an alert of the server, explained
}

// Read reads, and explains the server's refusal of the client's certificate.
func (c *conn) Read(b []byte) (int, error) {
	c.reading <- struct{}{}
	defer func() { <-c.reading }()
	return c.read(b)
}

func (c *conn) read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.heard.Store(true)
	}
	if err != nil && isRemote(err) {
		err = c.explain(err)
		c.ended.Store(&err)
	}
	return n, err
}

// Write writes. In TLS 1.3 the refusal comes after the handshake, so a write may
// find the connection closed with the refusal still to be read, or already read
// by who reads beside: then the refusal is why it cannot be written.
func (c *conn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, net.ErrClosed) {
		if refused := c.refusal(); refused != nil {
			err = refused
		}
	}
	return n, err
}

// refusal is the alert by which the server ended a connection that is closed;
// nil if it sent none.
func (c *conn) refusal() error {
	select {
	case c.reading <- struct{}{}:
		if c.ended.Load() == nil && !c.heard.Load() && c.SetReadDeadline(time.Now().Add(refusalLimit)) == nil {
			_, _ = c.read(make([]byte, 1))
		}
		<-c.reading
	case <-time.After(refusalLimit):
	}
	if ended := c.ended.Load(); ended != nil {
		return *ended
	}
	return nil
}

// SyscallConn lets clickhouse-go see whether an idle connection was closed.
func (c *conn) SyscallConn() (syscall.RawConn, error) {
	raw, ok := c.NetConn().(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return raw.SyscallConn()
}

// isRemote says whether the server ended TLS with an alert.
func isRemote(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error"
}

// explain adds the cause and the mend to an error of TLS.
func (c *conn) explain(err error) error {
	server, files := c.dialer.server, &c.dialer.files
	trusted := "the CAs of this system: set " + server + ".tls.ca_file to the certificate of the CA that signed it"
	if files.CA != "" {
		trusted = fmt.Sprintf("those in %s.tls.ca_file %s: put there the certificate of the CA that signed it", server, files.CA)
	}
	var (
		authority x509.UnknownAuthorityError
		invalid   x509.CertificateInvalidError
		name      x509.HostnameError
		header    tls.RecordHeaderError
		mend      string
	)
	switch {
	case errors.As(err, &authority):
		mend = "the server's certificate is signed by none of " + trusted
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		mend = fmt.Sprintf("the server's certificate is valid from %s to %s: renew it there, or set this machine's clock",
			invalid.Cert.NotBefore.UTC().Format(time.RFC3339), invalid.Cert.NotAfter.UTC().Format(time.RFC3339))
	case errors.As(err, &name):
		mend = fmt.Sprintf("the server's certificate is not for the name %s: address the server by a name in it, or set %s.tls.server_name to one",
			c.config.ServerName, server)
	case errors.As(err, &header):
		mend = fmt.Sprintf("the port does not speak TLS: name the one that does, or remove %s.tls", server)
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		mend = fmt.Sprintf("the server closed the connection at the handshake: the port may not speak TLS: name the one that does, or remove %s.tls", server)
	case errors.Is(err, context.DeadlineExceeded):
		mend = fmt.Sprintf("the server did not answer the handshake in time: the port may not speak TLS (name the one that does, or remove %s.tls), or the server hangs", server)
	case isRemote(err):
		mend = c.refused(err)
	default:
		return fmt.Errorf("connect to %s at %s by TLS: %w", server, c.addr, err)
	}
	return fmt.Errorf("connect to %s at %s by TLS: %s (%w)", server, c.addr, mend, err)
}

// refused explains an alert of the server.
func (c *conn) refused(err error) string {
	server, files := c.dialer.server, &c.dialer.files
	switch {
	case strings.Contains(err.Error(), "version"):
		return "the server does not speak TLS 1.2 or newer: allow it there"
	case files.Cert == "":
		return fmt.Sprintf("the server refuses a client without certificate: set %s.tls.cert_file and key_file", server)
	}
	leaf := c.config.Certificates[0].Leaf
	if now := time.Now(); now.After(leaf.NotAfter) || now.Before(leaf.NotBefore) {
		return fmt.Sprintf("the server refuses the client's certificate %s.tls.cert_file %s, which is valid from %s to %s: renew it",
			server, files.Cert, leaf.NotBefore.UTC().Format(time.RFC3339), leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	return fmt.Sprintf("the server refuses the client's certificate %s.tls.cert_file %s: it must be signed by a CA that the server trusts, and be for client authentication",
		server, files.Cert)
}
