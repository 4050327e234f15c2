package foreign

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/andmerada/andmerada/internal/embedded/apachekafka"
	"github.com/andmerada/andmerada/internal/embedded/apicurio"
	"github.com/andmerada/andmerada/internal/embedded/embeddedtest"
	"github.com/andmerada/andmerada/internal/secure/securetest"
)

func TestMain(m *testing.M) {
	code := embeddedtest.Main(m)
	if err := servers.stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// servers are the broker and the registry that the tests of this package share:
// each takes some seconds to start.
var servers shared

type shared struct {
	once     sync.Once
	err      error
	dir      string
	kafka    *apachekafka.Cluster
	broker   string
	registry *apicurio.Registry

	// Files of the certificate that servers here show, and of the CA that signed it.
	cert, key, ca string
}

func start(t *testing.T) *shared {
	t.Helper()
	servers.once.Do(func() { servers.start(t) })
	if servers.err != nil {
		t.Fatal(servers.err)
	}
	return &servers
}

func (s *shared) start(t *testing.T) {
	if s.dir, s.err = os.MkdirTemp("", "andmerada-foreign-*"); s.err != nil {
		return
	}
	ca := securetest.NewCA(t)
	pair := ca.Issue(t, certificates, "127.0.0.1")
	// They outlast the test that was first.
	for name, file := range map[string]*string{"ca.pem": &ca.File, "cert.pem": &pair.Cert, "key.pem": &pair.Key} {
		text, err := os.ReadFile(*file)
		*file = s.dir + "/" + name
		if s.err = errors.Join(s.err, err, os.WriteFile(*file, text, 0o600)); s.err != nil {
			return
		}
	}
	s.ca, s.cert, s.key = ca.File, pair.Cert, pair.Key
	var both sync.WaitGroup
	var kafkaErr error
	both.Go(func() {
		s.kafka, kafkaErr = apachekafka.StartCluster(context.Background(), s.dir, 1, apachekafka.Options{Partitions: 1})
	})
	s.registry, s.err = apicurio.Start(s.dir, apicurio.Options{Cert: pair.Cert, Key: pair.Key})
	both.Wait()
	if s.err = errors.Join(s.err, kafkaErr); s.err == nil {
		s.broker = s.kafka.Addrs()[0]
	}
}

func (s *shared) stop() (err error) {
	if s.kafka != nil {
		err = s.kafka.Close()
	}
	if s.registry != nil {
		err = errors.Join(err, s.registry.Close())
	}
	if s.dir != "" {
		err = errors.Join(err, os.RemoveAll(s.dir))
	}
	return err
}
