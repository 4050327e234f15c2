package secure

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

// The mechanisms of SASL by which a client can log in to Kafka.
const (
	Plain       = "PLAIN"         // RFC 4616: sends the password, so by TLS only
	ScramSHA256 = "SCRAM-SHA-256" // RFC 7677
	ScramSHA512 = "SCRAM-SHA-512"
)

var mechanisms = []string{Plain, ScramSHA256, ScramSHA512}

// Login is how and as whom a client logs in to Kafka (SASL).
type Login struct {
	Mechanism string
	User      string
	// Password is asked for each connection, so that it can be changed.
	Password func() (string, error)
}

// Kafka reaches brokers, by TLS and with a login or without: it is a transport
// of kafka-go that explains errors. Its Dialer is for consumer groups.
type Kafka struct {
	transport *kafka.Transport
	dialer    *kafka.Dialer
	login     *Login
	tls       bool
	answered  atomic.Bool // something came back without an error
}

// NewKafka is without TLS if tls is nil, and without a login if login is nil.
func NewKafka(tls *Dialer, login *Login) (*Kafka, error) {
	const clientID = "andmerada"
	k := &Kafka{
		transport: &kafka.Transport{ClientID: clientID},
		dialer:    &kafka.Dialer{ClientID: clientID, Timeout: handshakeLimit, DualStack: true},
		login:     login,
		tls:       tls != nil,
	}
	if tls != nil {
		k.transport.Dial, k.dialer.DialFunc = tls.DialContext, tls.DialContext
		k.transport.DialTimeout = handshakeLimit
	}
	if login == nil {
		return k, nil
	}
	switch {
	case !slices.Contains(mechanisms, login.Mechanism):
		return nil, fmt.Errorf("kafka.sasl.mechanism %q is not known: use %s", login.Mechanism, strings.Join(mechanisms, ", "))
	case login.User == "":
		return nil, errors.New("kafka.sasl lacks the user")
	case login.Mechanism == Plain && tls == nil:
		return nil, errors.New("kafka.sasl.mechanism PLAIN sends the password as it is: set kafka.tls as well, or use SCRAM-SHA-512")
	}
	m := mechanism{login}
	if _, _, err := m.Start(context.Background()); err != nil { // what is wrong with the password's file is known at the start
		return nil, err
	}
	k.transport.SASL, k.dialer.SASLMechanism = m, m
	return k, nil
}

// Dialer makes connections of a consumer group.
func (k *Kafka) Dialer() *kafka.Dialer { return k.dialer }

// CloseIdleConnections closes what is open and unused.
func (k *Kafka) CloseIdleConnections() { k.transport.CloseIdleConnections() }

// RoundTrip sends a request and waits for its answer.
func (k *Kafka) RoundTrip(ctx context.Context, addr net.Addr, req kafka.Request) (kafka.Response, error) {
	res, err := k.transport.RoundTrip(ctx, addr, req)
	if err != nil {
		return res, k.explain(err)
	}
	k.answered.Store(true)
	return res, nil
}

func (k *Kafka) explain(err error) error {
	switch {
	case k.login != nil && errors.Is(err, kafka.SASLAuthenticationFailed):
		return fmt.Errorf("log in to Kafka as %q by %s: the user or the password is wrong: compare kafka.sasl with what the brokers know (%w)",
			k.login.User, k.login.Mechanism, err)
	case k.login != nil && errors.Is(err, kafka.UnsupportedSASLMechanism):
		return fmt.Errorf("log in to Kafka by %s: the brokers do not offer it: set kafka.sasl.mechanism to one that they do (%w)", k.login.Mechanism, err)
	case k.login != nil && errors.Is(err, kafka.IllegalSASLState):
		return fmt.Errorf("log in to Kafka: the port takes no login: name the one that does, or remove kafka.sasl (%w)", err)
	case !k.answered.Load() && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)):
		return fmt.Errorf("a broker closed the connection: %s (%w)", k.closed(), err)
	}
	return err
}

// closed says why a broker may have closed a connection on which it has never
// answered.
func (k *Kafka) closed() string {
	switch {
	case k.login != nil && k.tls:
		return "it may not know the user or the password of kafka.sasl"
	case k.login != nil:
		return "it may not know the user or the password of kafka.sasl, or want TLS: set kafka.tls"
	case k.tls:
		return "it may want a login: set kafka.sasl"
	default:
		return "it may want TLS or a login: set kafka.tls or kafka.sasl"
	}
}

// mechanism logs in with the password that the file has now.
type mechanism struct{ login *Login }

// Name is the name by which Kafka knows it.
func (m mechanism) Name() string { return m.login.Mechanism }

// Start begins a login.
func (m mechanism) Start(ctx context.Context) (sasl.StateMachine, []byte, error) {
	password, err := m.login.Password()
	if err != nil {
		return nil, nil, err
	}
	if password == "" {
		return nil, nil, errors.New("the password of kafka.sasl is empty: put it into the file that kafka.sasl.password_file names")
	}
	if m.login.Mechanism == Plain {
		return plain.Mechanism{Username: m.login.User, Password: password}.Start(ctx)
	}
	algorithm := scram.SHA256
	if m.login.Mechanism == ScramSHA512 {
		algorithm = scram.SHA512
	}
	scram, err := scram.Mechanism(algorithm, m.login.User, password)
	if err != nil {
		return nil, nil, fmt.Errorf("prepare the login to Kafka: %w; the user or the password has a character that SCRAM does not allow (RFC 4013)", err)
	}
	return scram.Start(ctx)
}
