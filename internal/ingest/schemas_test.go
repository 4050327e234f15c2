package ingest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/schemaregistry"
)

// registryOf is a registry that has our own schema as number 1 and nothing
// else, and answers as status says where that is not 0.
func registryOf(t *testing.T) (client *schemaregistry.Client, status *atomic.Int64, requests *atomic.Int64) {
	t.Helper()
	status, requests = new(atomic.Int64), new(atomic.Int64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		switch s := status.Load(); {
		case s != 0:
			w.WriteHeader(int(s))
		case r.URL.Path == "/schemas/ids/1":
			if err := json.NewEncoder(w).Encode(map[string]string{"schema": event.AvroSchema(event.Processing)}); err != nil {
				t.Error(err)
			}
		default:
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"error_code":40403}`)
		}
	}))
	t.Cleanup(server.Close)
	client, err := schemaregistry.New(schemaregistry.Config{URLs: []string{server.URL}, Rest: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client, status, requests
}

// avroItem is an event as a record in Confluent's wire format.
func avroItem(t *testing.T, offset int64, id uint32) item {
	t.Helper()
	headers, value, err := event.EncodeConfluent(billing(int(offset)), id)
	if err != nil {
		t.Fatal(err)
	}
	return item{Record: Record{Offset: offset, Time: time.Now(), Headers: headers, Value: value}}
}

// TestRegistryAway: what is judged goes out, the record whose schema is not
// known and all after it wait, and none is lost, refused or taken twice.
func TestRegistryAway(t *testing.T) {
	t.Parallel()
	client, status, requests := registryOf(t)
	status.Store(http.StatusInternalServerError)
	limits := &Limits{Rows: 1000, Bytes: 1 << 20, Age: time.Hour, Backoff: 20 * time.Millisecond}
	waits := make(chan error, 100)
	j := &judge{topic: "t", keys: testKeys(t), facts: facts.New(), recent: newRecent(1000), log: newWorldLog(t)}
	j.schemas = schemas{registry: client, met: map[uint32]*event.Schema{}, longest: limits, log: j.log, waiting: func(err error) { waits <- err }}
	j.decoder.Schema = j.schemas.find
	registers := testRegisters(t)
	b := &batcher{
		limits: *limits, now: time.Now, registers: func() *register.Set { return registers }, metrics: noMetrics(t),
		until: 4, judge: j,
	}
	plain := item{Record: *recordOf(message(t, billing(0)), 0)}
	c := &chunk{items: []item{plain, avroItem(t, 1, 1), avroItem(t, 2, 77), avroItem(t, 3, 1), avroItem(t, 4, 77)}, next: 5}
	in, done, free, out := make(chan *chunk, 1), make(chan *chunk, 1), make(chan *batch, 3), make(chan *batch)
	for range 3 {
		free <- newBatch()
	}
	in <- c
	ended := make(chan error, 1)
	go func() { ended <- b.run(t.Context(), 0, in, done, free, out) }()

	first := <-out // before the registry is there
	if first.first != 0 || first.next != 1 || first.rows != 1 {
		t.Fatalf("a batch of %d to %d with %d rows", first.first, first.next, first.rows)
	}
	if err := <-waits; err == nil {
		t.Fatal("nobody is told that it waits")
	}
	select {
	case b := <-out:
		t.Fatalf("a batch of %d to %d while the registry is away", b.first, b.next)
	case <-waits:
	}
	status.Store(0)
	events, next := uint64(0), first.next
	refused := map[string]uint64{}
	for b := range out {
		if b.first != next {
			t.Errorf("a batch begins at %d, not %d", b.first, next)
		}
		next, events = b.next, events+b.events
		for reason, n := range b.quarantined {
			refused[reason] += n
		}
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if next != 5 || events != 4 || len(refused) != 1 || refused[string(event.CodeSchemaUnknown)] != 2 {
		t.Errorf("up to %d, %d events, quarantine %v", next, events, refused)
	}
	for waiting := true; waiting; {
		waiting = <-waits != nil // and is told that it is over
	}
	n := requests.Load()
	var rows rowsOf
	for range 100 { // poison costs the registry nothing
		it := avroItem(t, 9, 77)
		if err := j.record(&it.Record, time.Now(), &rows); err != nil {
			t.Fatal(err)
		}
	}
	if requests.Load() != n || len(rows.refused) != 100 {
		t.Errorf("%d requests more, %d refused", requests.Load()-n, len(rows.refused))
	}
}
