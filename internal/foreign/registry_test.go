package foreign

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/foreign/clients"
	"github.com/andmerada/andmerada/internal/schemaregistry"
	"github.com/andmerada/andmerada/internal/secure"
	"github.com/andmerada/andmerada/internal/secure/securetest"
)

// TestRegistryFails: while the registry is away, what is known of it serves;
// what needs more of it waits, in its order, and holds up no other partition.
// When it is back all of that arrives. What it does not have goes to quarantine.
func TestRegistryFails(t *testing.T) {
	const topic, other, unread = "registry", "registry-other", "registry-unread"
	w := newWorld(t, topic, other, unread)
	w.topics = []string{topic, other}
	acts := acts(t)
	writer := newWriter(t, w)
	sent := map[string]int{}
	send := func(topic, version string) {
		t.Helper()
		i := sent[topic]
		line, _ := act(t, topic, version, acts[i%len(acts)], fmt.Sprintf("%s-%d", topic, i))
		writer.send(line)
		sent[topic]++
	}
	quick := schemaregistry.Config{Timeout: time.Second, Rest: 100 * time.Millisecond, Missing: 100 * time.Millisecond}
	stop := w.ingest(w.schemas(quick))
	send(topic, "first")
	w.await(topic, 1)
	send(other, "first")
	w.await(other, 1)
	send(unread, "added") // registers it, and ingest has not seen it
	newer := w.schemaOf(unread)
	if got := w.ask(http.MethodGet, fmt.Sprintf("/schemas/ids/%d", newer)); !strings.Contains(got, "ticket") {
		t.Fatalf("schema %d is not the newer one: %s", newer, got)
	}

	// It hangs.
	if err := w.registry.Pause(); err != nil {
		t.Fatal(err)
	}
	send(topic, "first")
	w.await(topic, 2)
	send(topic, "added")
	send(topic, "first")
	for range 5 {
		send(other, "first")
	}
	w.await(other, 6)
	if n := w.committed(topic); n != 2 {
		t.Errorf("%d records are done while the registry does not say what the third is", n)
	}
	// It dies, and is there again.
	if err := w.registry.Kill(); err != nil {
		t.Fatal(err)
	}
	send(other, "first")
	w.await(other, 7)
	if n := w.committed(topic); n != 2 {
		t.Errorf("%d records are done while there is no registry", n)
	}
	if err := w.registry.Restart(); err != nil {
		t.Fatal(err)
	}
	w.await(topic, 4)

	// An id that it does not have, and one whose schema is not to be resolved.
	none := fmt.Sprint(sent[topic])
	headers, value, err := event.EncodeConfluent(acts[0].event, 987654)
	if err != nil {
		t.Fatal(err)
	}
	message := kafka.Message{Value: value}
	for _, h := range headers {
		message.Headers = append(message.Headers, kafka.Header{Key: h.Key, Value: h.Value})
	}
	w.write(topic, message)
	sent[topic]++
	w.await(topic, sent[topic])
	mismatch := fmt.Sprint(sent[topic])
	send(topic, "mismatched")
	w.await(topic, sent[topic])

	// A schema that is deleted serves those who know it, and nobody else.
	for _, how := range []string{"", "?permanent=true"} {
		w.ask(http.MethodDelete, "/subjects/ee.andmerada.v1.Processing"+how)
	}
	if got := w.ask(http.MethodGet, fmt.Sprintf("/schemas/ids/%d", newer)); !strings.Contains(got, "40403") {
		t.Fatalf("the schema was to be deleted: %s", got)
	}
	send(topic, "added")
	w.await(topic, sent[topic])
	stop()
	stop = w.ingest(w.schemas(quick))
	lost := fmt.Sprint(sent[topic])
	send(topic, "added")
	w.await(topic, sent[topic])
	writer.close()
	stop()

	want := map[string]string{none: string(event.CodeSchemaUnknown), mismatch: string(event.CodeSchemaMismatch), lost: string(event.CodeSchemaUnknown)}
	if reasons := w.quarantine(topic); !maps.Equal(reasons, want) {
		t.Errorf("in quarantine by offset: %v; wanted %v", reasons, want)
	}
	w.verify(topic, int64(sent[topic]-len(want)), int64(len(want)))
	w.verify(other, int64(sent[other]), 0)
}

// TestRegistryIsVerified: a registry whose certificate is by another CA is not
// asked for anything. That is no fault of an event, which waits.
func TestRegistryIsVerified(t *testing.T) {
	s := start(t)
	dialer, err := secure.NewDialer("registry", secure.Files{CA: securetest.NewCA(t).File})
	if err != nil {
		t.Fatal(err)
	}
	client, err := schemaregistry.New(schemaregistry.Config{URLs: []string{s.registry.Secure}, DialTLS: dialer.DialContext})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	_, err = client.Schema(t.Context(), 1)
	var fault *event.Fault
	if err == nil || errors.As(err, &fault) || !strings.Contains(err.Error(), "registry.tls.ca_file") {
		t.Errorf("the error is %v; it should name registry.tls.ca_file", err)
	}
}

// writer is programs/evolve.py, which sends a line when it gets it.
type writer struct {
	t    *testing.T
	in   io.WriteCloser
	cmd  *exec.Cmd
	said strings.Builder
}

func newWriter(t *testing.T, w *world) *writer {
	t.Helper()
	p := &writer{t: t, cmd: clients.Python(t, "programs/evolve.py", w.broker, w.registry.URL, "../../schemas/avro")}
	p.cmd.Stdout, p.cmd.Stderr = &p.said, &p.said
	var err error
	if p.in, err = p.cmd.StdinPipe(); err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *writer) send(line []byte) {
	p.t.Helper()
	if _, err := p.in.Write(line); err != nil {
		p.t.Fatalf("%v\n%s", errors.Join(err, p.cmd.Wait()), &p.said)
	}
}

func (p *writer) close() {
	p.t.Helper()
	if err := errors.Join(p.in.Close(), p.cmd.Wait()); err != nil {
		p.t.Fatalf("%v\n%s", err, &p.said)
	}
}

// write sends a record as it stands.
func (w *world) write(topic string, m kafka.Message) {
	w.t.Helper()
	to := &kafka.Writer{Addr: kafka.TCP(w.broker), Topic: topic, RequiredAcks: kafka.RequireAll, BatchTimeout: time.Millisecond}
	if err := errors.Join(to.WriteMessages(w.t.Context(), m), to.Close()); err != nil {
		w.t.Fatal(err)
	}
}

// schemaOf is the id of the schema of a topic's first record, once it is there.
func (w *world) schemaOf(topic string) (id uint32) {
	w.t.Helper()
	w.eventually("there is a record in "+topic, func() bool {
		record := w.first(topic)
		if record == nil {
			return false
		}
		if len(record.Value) < 5 || record.Value[0] != 0 {
			w.t.Fatalf("%x is not in Confluent's wire format", record.Value)
		}
		id = binary.BigEndian.Uint32(record.Value[1:])
		return true
	})
	return id
}

// ask asks the registry, and returns what it answers.
func (w *world) ask(method, path string) string {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.registry.URL+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}
