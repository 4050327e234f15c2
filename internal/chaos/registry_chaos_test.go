//go:build chaos

package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/andmerada/andmerada/internal/embedded/apicurio"
	"github.com/andmerada/andmerada/internal/event"
)

// TestSchemaRegistry: the registry is away, slow, and without the schema.
// Schemas that are kept are unaffected; those that are not are waited for, or
// their events quarantined where it says that there is none; partitions without
// Avro go on. Fault 17.
func TestSchemaRegistry(t *testing.T) {
	t.Parallel()
	registry, err := apicurio.Start(t.TempDir(), apicurio.Options{})
	for try := 0; err != nil && strings.Contains(err.Error(), "in use by another process") && try < 3; try++ { // its port, since it was chosen
		registry, err = apicurio.Start(t.TempDir(), apicurio.Options{})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := registry.Close(); err != nil {
			t.Error(err)
		}
	})
	first, second := registerSchema(t, registry.URL, "one", ""), registerSchema(t, registry.URL, "two", "another, with the same fields")
	if first == second {
		t.Fatal("the registry takes both schemas for one")
	}
	address, err := url.Parse(registry.URL)
	if err != nil {
		t.Fatal(err)
	}
	link := newProxy(t, address.Host)
	address.Host = link.addr()
	w := newWorld(t, options{partitions: 2, registry: address.String()})

	link.down()
	p := w.start()
	w.sendAvro(1, first, 500)
	w.sendJSON(0, 500)
	w.partitionCaughtUp(0)
	eventually(t, time.Minute, "the stall is seen", func() (bool, string) { return p.stalled() == 1, p.tail(3) })
	if n := w.number("SELECT count() FROM quarantine"); n != 0 {
		t.Errorf("%d events are in the quarantine because the registry is away", n)
	}
	link.up()
	w.partitionCaughtUp(1)

	link.down() // the schema is kept by now
	w.sendAvro(1, first, 500)
	w.partitionCaughtUp(1)
	link.up()

	link.limit(200) // a schema of some KB takes longer than a request may
	w.sendAvro(1, second, 500)
	w.sendJSON(0, 500)
	w.partitionCaughtUp(0)
	time.Sleep(10 * time.Second)
	link.limit(0)
	w.partitionCaughtUp(1)

	w.sendPoisonTo(1, append([]byte{0, 0x7f, 0, 0, 1}, "\x02a"...), "schema-unknown", binaryMode("content-type", "application/avro")...)
	w.sendAvro(1, first, 500)
	w.caughtUp(time.Minute, p)
	w.holds()
	p.withinMemory()
	p.stop()
}

// registerSchema registers our own schema, with another word on it, under a
// subject, and returns its id.
func registerSchema(t *testing.T, base, subject, doc string) uint32 {
	t.Helper()
	var schema map[string]any
	if err := json.Unmarshal([]byte(event.AvroSchema(event.Processing)), &schema); err != nil {
		t.Fatal(err)
	}
	schema["doc"] = doc
	text, err := json.Marshal(schema)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(map[string]string{"schema": string(text)})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/subjects/"+subject+"/versions", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/vnd.schemaregistry.v1+json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("register a schema: %s: %s %v", res.Status, answer, err)
	}
	var made struct{ ID uint32 }
	if err := json.Unmarshal(answer, &made); err != nil {
		t.Fatal(err)
	}
	return made.ID
}

// sendAvro writes n events in Confluent's wire format to a partition.
func (w *world) sendAvro(partition int32, schema uint32, n int) {
	w.t.Helper()
	w.sendTo(partition, n, func(ev *event.Event) ([]event.Header, []byte, error) { return event.EncodeConfluent(ev, schema) })
}

// sendJSON writes n events as JSON to a partition.
func (w *world) sendJSON(partition int32, n int) {
	w.t.Helper()
	w.sendTo(partition, n, event.EncodeBinary)
}

func (w *world) sendTo(partition int32, n int, encode func(*event.Event) ([]event.Header, []byte, error)) {
	w.t.Helper()
	client := w.byHand()
	for range n {
		key := int(partition)
		ev := made(key, w.ledger.sequence(key), 0)
		headers, value, err := encode(ev)
		if err != nil {
			w.t.Fatal(err)
		}
		r := &kgo.Record{Topic: w.topic, Partition: partition, Key: []byte(event.PartitionKey(ev)), Value: value, Context: context.WithValue(context.Background(), idOf{}, ev.ID)}
		for _, h := range headers {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		client.Produce(context.Background(), r, w.note)
	}
	if err := client.Flush(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// partitionCaughtUp waits until all of a partition is committed.
func (w *world) partitionCaughtUp(partition int32) {
	w.t.Helper()
	eventually(w.t, time.Minute, fmt.Sprintf("all of partition %d is committed", partition), func() (bool, string) {
		o, err := w.offsets()
		if err != nil {
			return false, err.Error()
		}
		return o.Committed[partition] == o.End[partition], fmt.Sprint(*o)
	})
}
