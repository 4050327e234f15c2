// Package apachekafka runs a real Apache Kafka broker for tests: what the
// embedded one (kfake) can't be trusted to tell, above all how consumer groups
// and transactions behave.
//
// It needs Java 17 or newer. The first use on a machine fetches the broker's
// jars with Maven (mvn) into the user's cache directory.
package apachekafka

import (
	"context"
	_ "embed" // The files below.
	"errors"
	"fmt"
	"testing"
	"text/template"
	"time"

	"github.com/segmentio/kafka-go"
)

// Version is the version of Apache Kafka. It belongs with pom.xml.
const Version = "4.4.0"

// Options say how the broker is to be.
type Options struct {
	// Partitions are those of a topic made without a number of its own; 0 is 4.
	Partitions int
	// Secure, if set, opens a second port, by TLS and with a login: see
	// [StartSecure].
	Secure *Secure
	// Advertise, if set, opens another port of each broker, for clients that
	// come by way of a proxy: it is told that port's address and returns the
	// proxy's, which the broker tells to those clients.
	Advertise func(broker int, addr string) (proxy string)
}

// Secure is what a port by TLS needs. All files are PEM.
type Secure struct {
	KeyStore string // file with the broker's key (PKCS 8) and certificate, for 127.0.0.1
	CA       string // file with the CA that clients' certificates must be signed by
	// User and Password can log in by PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512;
	// letters and digits only.
	User, Password string
}

var (
	//go:embed pom.xml
	pom []byte
	//go:embed log4j2.yaml
	logging []byte
	//go:embed server.properties.tmpl
	propertiesText string

	properties = template.Must(template.New("server.properties").Parse(propertiesText))
)

// startLimit is how long the broker gets to be ready: about 4 s on an idle
// machine.
const startLimit = 2 * time.Minute

// Start starts a single broker (KRaft, broker and controller in one) with
// empty storage, waits until it's ready, for consumer groups too, and returns its address, host:port on
// 127.0.0.1. It's stopped after the test, and by the system if the test's
// process dies. The test fails if java or mvn is missing.
func Start(t testing.TB, options Options) (addr string) {
	t.Helper()
	return single(t, options).addr
}

// StartSecure starts a broker as [Start] does, and returns the address of the
// port that wants TLS, a client's certificate and a login, too.
func StartSecure(t testing.TB, options Options) (addr, secure string) {
	t.Helper()
	b := single(t, options)
	return b.addr, b.secure
}

func single(t testing.TB, options Options) *broker {
	t.Helper()
	c, err := StartCluster(t.Context(), t.TempDir(), 1, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c.brokers[0]
}

// waitCoordinators waits until the broker coordinates consumer groups. On a
// new one the topic of their offsets is made when the first group asks, and
// until it's loaded clients get errors that kafka-go's Reader hands on.
func waitCoordinators(ctx context.Context, addr string) error {
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	client := kafka.Client{Addr: kafka.TCP(addr), Transport: transport}
	// One group for each of the topic's four partitions (server.properties):
	// it's on the one that Java's hash of its name says, which for a single
	// letter is its code.
	for _, group := range []string{"a", "b", "c", "d"} {
		for {
			answer, err := client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{"none": {0}}})
			if err == nil {
				err = answer.Error
			}
			if err == nil {
				for _, partition := range answer.Topics["none"] {
					err = errors.Join(err, partition.Error)
				}
			}
			if err == nil {
				break
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("wait for the coordinator of consumer groups: %w", errors.Join(context.Cause(ctx), err))
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	return nil
}
