package apachekafka

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/andmerada/andmerada/internal/embedded/java"
)

// broker is one broker: its addresses, its directory, and the Java process that
// runs on it, if one does.
type broker struct {
	addr, secure, proxied string

	libs, dir string

	java *java.Process // nil = was never started
}

// Data is the directory of its logs.
func (b *broker) Data() string { return filepath.Join(b.dir, "data") }

func (b *broker) config() string    { return filepath.Join(b.dir, "server.properties") }
func (b *broker) logConfig() string { return filepath.Join(b.dir, "log4j2.yaml") }

// configure writes what the broker reads at its start.
func (b *broker) configure(s settings) error {
	var text bytes.Buffer
	if err := properties.Execute(&text, s); err != nil {
		return fmt.Errorf("write server.properties: %w", err)
	}
	if err := errors.Join(os.WriteFile(b.config(), text.Bytes(), 0o600), os.WriteFile(b.logConfig(), logging, 0o600)); err != nil {
		return fmt.Errorf("write the broker's configuration: %w", err)
	}
	return nil
}

// args are java's for a class of the broker's.
func (b *broker) args(class string, args ...string) []string {
	return append([]string{"-Xmx256m", "-Dlog4j2.configurationFile=" + b.logConfig(), "-cp", filepath.Join(b.libs, "*"), class}, args...)
}

// format makes empty storage.
func (b *broker) format(s *Secure) error {
	// Any cluster id does, in the form that Kafka wants: 16 bytes in base64.
	args := []string{"format", "-t", "YW5kbWVyYWRhLXRlc3RzLQ", "-c", b.config()}
	if s != nil {
		for _, mechanism := range []string{"SCRAM-SHA-256", "SCRAM-SHA-512"} {
			args = append(args, "--add-scram", fmt.Sprintf("%s=[name=%s,password=%s]", mechanism, s.User, s.Password))
		}
	}
	if err := java.Run(b.args("kafka.tools.StorageTool", args...)...); err != nil {
		return fmt.Errorf("format the broker's storage: %w", err)
	}
	return nil
}

// launch starts the broker on the storage that it has and waits until it's
// ready.
func (b *broker) launch() (err error) {
	if b.java, err = java.Start("Kafka Server started", b.args("kafka.Kafka", b.config())...); err != nil {
		return fmt.Errorf("start the broker: %w", err)
	}
	return nil
}

// end does something to the broker, if it was started.
func (b *broker) end(how func(*java.Process) error) error {
	if b.java == nil {
		return nil
	}
	return how(b.java)
}
