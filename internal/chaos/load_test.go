package chaos

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/ingest"
)

// place is where a record stands.
type place struct {
	partition int32
	offset    int64
}

// ledger is what writers have written, as Kafka acknowledged it.
type ledger struct {
	mu     sync.Mutex
	good   map[place]written
	bad    map[place]string // poison: the reason for which it is to be quarantined; "" = any
	unsure int              // writes of which it is not known whether they are there
	next   map[int]uint64   // by key: the sequence number of its next event
}

// written is an event as it was sent.
type written struct {
	id   string
	hash [16]byte // of the record
}

func newLedger() *ledger {
	return &ledger{good: make(map[place]written), bad: make(map[place]string), next: make(map[int]uint64)}
}

func (l *ledger) sequence(key int) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next[key]++
	return l.next[key]
}

// made is an event whose id says what it must hold: KEY-SEQUENCE-HASH.
func made(key int, sequence uint64, age time.Duration) *event.Event {
	ev := &event.Event{
		Kind: event.Processing, Source: "/chaos/writer", Sequence: sequence, Time: time.Now().Add(-age - time.Hour).UTC().Truncate(time.Millisecond),
		Controller: "elektrum", Operation: event.Access, Purpose: "elektrum/billing", Categories: []string{"name"},
		Persons: []event.Person{{Scheme: "customer-number", Value: "C-" + strconv.Itoa(key)}},
		Actor:   event.Actor{ID: "u-" + strconv.Itoa(key), Kind: event.ActorHuman, Role: "clerk"},
		Records: 1 + rand.Uint64N(1000), Reason: "case " + strconv.FormatUint(rand.Uint64(), 36),
	}
	ev.ID = id(key, sequence, ev.Time, ev.Actor.ID, ev.Reason, ev.Records)
	return ev
}

// id is that of an event with these contents.
func id(key int, sequence uint64, at time.Time, actor, reason string, records uint64) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %d %d %s %s %d", key, sequence, at.UnixMilli(), actor, reason, records))
	return fmt.Sprintf("%d-%d-%s", key, sequence, hex.EncodeToString(sum[:8]))
}

// parseID is the key and the sequence number in an id.
func parseID(id string) (key int, sequence uint64, err error) {
	parts := strings.Split(id, "-")
	if len(parts) != 3 {
		return 0, 0, fmt.Errorf("%q is not an id of these tests", id)
	}
	key, err = strconv.Atoi(parts[0])
	if err != nil {
		return 0, 0, err
	}
	sequence, err = strconv.ParseUint(parts[1], 10, 64)
	return key, sequence, err
}

// record is an event as a source sends it.
func (w *world) record(ev *event.Event) *kgo.Record {
	w.t.Helper()
	headers, value, err := event.EncodeBinary(ev)
	if err != nil {
		w.t.Fatal(err)
	}
	r := &kgo.Record{Topic: w.topic, Key: []byte(event.PartitionKey(ev)), Value: value, Context: context.WithValue(context.Background(), idOf{}, ev.ID)}
	if w.age > 0 {
		r.Timestamp = time.Now().Add(-w.age)
	}
	for _, h := range headers {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	return r
}

// idOf and reasonOf are what a record's context carries to the ledger.
type (
	idOf     struct{}
	reasonOf struct{}
)

// hashOf is the hash that the trail keeps of a record.
func hashOf(r *kgo.Record) [16]byte {
	rec := ingest.Record{Key: r.Key, Value: r.Value}
	for _, h := range r.Headers {
		rec.Headers = append(rec.Headers, event.Header{Key: h.Key, Value: h.Value})
	}
	return rec.Hash()
}

// producer writes with acknowledgement by all in-sync replicas, and idempotent:
// a retry makes no second record.
func (w *world) producer(opts ...kgo.Opt) *kgo.Client {
	w.t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(w.cluster.Addrs()...), kgo.DefaultProduceTopic(w.topic), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)),
		kgo.ProducerBatchMaxBytes(1 << 20), kgo.UnknownTopicRetries(20),
	}, opts...)...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(client.Close)
	return client
}

// note enters an acknowledged record into the ledger.
func (w *world) note(r *kgo.Record, err error) {
	l := w.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	at := place{r.Partition, r.Offset}
	if err != nil {
		l.unsure++
		if !errors.Is(err, context.Canceled) {
			w.t.Errorf("a writer: %v", err)
		}
		return
	}
	if reason, poison := r.Context.Value(reasonOf{}).(string); poison {
		l.bad[at] = reason
		return
	}
	l.good[at] = written{id: r.Context.Value(idOf{}).(string), hash: hashOf(r)}
}

// send writes n events of some keys, and waits until Kafka has them.
func (w *world) send(n, keys int) {
	w.t.Helper()
	client := w.producer()
	for i := range n {
		key := i % keys
		client.Produce(context.Background(), w.record(made(key, w.ledger.sequence(key), w.age)), w.note)
	}
	if err := client.Flush(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

// flow writes events until stopped, so many a second, and then waits until
// Kafka has them.
func (w *world) flow(perSecond, keys int) (stop func()) {
	w.t.Helper()
	client := w.producer()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		const steps = 50 // a second
		tick := time.NewTicker(time.Second / steps)
		defer tick.Stop()
		for n := 0; ; {
			select {
			case <-ctx.Done():
				if err := client.Flush(context.Background()); err != nil {
					w.t.Errorf("a writer: %v", err)
				}
				return
			case <-tick.C:
			}
			for range max(1, perSecond/steps) {
				key := n % keys
				n++
				client.Produce(context.Background(), w.record(made(key, w.ledger.sequence(key), w.age)), w.note)
			}
		}
	}()
	once := sync.OnceFunc(func() { cancel(); <-done })
	w.t.Cleanup(once)
	return once
}

// contents holds the trail and the quarantine against what was written: each
// acknowledged event is one row, unaltered, at its place; nothing else is there;
// and of each key the order is kept.
func (w *world) contents() {
	w.t.Helper()
	l := w.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	faults := faultList{t: w.t}
	rows, err := w.sql.Query(context.Background(), `SELECT toInt32(partition), toInt64(offset), event_id, actor, reason, records, time, sequence, body_hash, duplicate
		FROM trail WHERE cause = '' AND topic = ? ORDER BY partition, offset SETTINGS optimize_use_projections = 0`, w.topic)
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	seen, strange := make(map[place]bool), 0
	last := make(map[string]uint64) // by key and partition
	for rows.Next() {
		var at place
		var eventID, actor, reason, hash string
		var records, sequence uint64
		var when time.Time
		var duplicate bool
		if err := rows.Scan(&at.partition, &at.offset, &eventID, &actor, &reason, &records, &when, &sequence, &hash, &duplicate); err != nil {
			w.t.Fatal(err)
		}
		key, n, err := parseID(eventID)
		switch want, known := l.good[at]; {
		case seen[at]:
			faults.add("%v is there twice", at)
		case err != nil:
			faults.add("%v: %v", at, err)
		case !known:
			strange++
		case want.id != eventID || want.hash != [16]byte([]byte(hash)):
			faults.add("%v holds %s, and %s was written there", at, eventID, want.id)
		case duplicate:
			faults.add("%v is taken for a duplicate", at)
		}
		seen[at] = true
		if n != sequence || id(key, sequence, when, actor, reason, records) != eventID {
			faults.add("%v: the row of %s is altered", at, eventID)
		}
		of := fmt.Sprint(key, at.partition)
		if n <= last[of] {
			faults.add("%v: %s comes after number %d of its key", at, eventID, last[of])
		}
		last[of] = n
	}
	if err := rows.Err(); err != nil {
		w.t.Fatal(err)
	}
	for at, want := range l.good {
		if !seen[at] {
			faults.add("%v, %s, is not there", at, want.id)
		}
	}
	if strange > l.unsure {
		faults.add("%d events are there that nobody knows of; %d writes were unsure", strange, l.unsure)
	}
	w.quarantined(&faults)
	w.t.Logf("%d events in the trail, %d records in the quarantine", len(seen), len(l.bad))
}

// quarantined is the same for the quarantine. The ledger is locked.
func (w *world) quarantined(faults *faultList) {
	w.t.Helper()
	rows, err := w.sql.Query(context.Background(), "SELECT toInt32(partition), toInt64(offset), reason FROM quarantine WHERE topic = ?", w.topic)
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	seen := make(map[place]bool)
	for rows.Next() {
		var at place
		var reason string
		if err := rows.Scan(&at.partition, &at.offset, &reason); err != nil {
			w.t.Fatal(err)
		}
		want, poison := w.ledger.bad[at]
		switch {
		case seen[at]:
			faults.add("%v is in the quarantine twice", at)
		case !poison:
			faults.add("%v is in the quarantine (%s) and was good", at, reason)
		case want != "" && want != reason:
			faults.add("%v is in the quarantine for %s, not for %s", at, reason, want)
		}
		seen[at] = true
	}
	if err := rows.Err(); err != nil {
		w.t.Fatal(err)
	}
	for at, want := range w.ledger.bad {
		if !seen[at] {
			faults.add("%v, poison (%s), is not in the quarantine", at, want)
		}
	}
}

// faultList reports the first faults of many.
type faultList struct {
	t testing.TB
	n int
}

func (f *faultList) add(format string, args ...any) {
	f.t.Helper()
	if f.n++; f.n <= 10 {
		f.t.Errorf(format, args...)
	}
}

// sendPoison writes a value that no event is, which is to be quarantined for
// that reason.
func (w *world) sendPoison(value []byte, reason string, headers ...kgo.RecordHeader) {
	w.t.Helper()
	w.sendPoisonTo(rand.Int32N(int32(w.partitions)), value, reason, headers...)
}

// sendPoisonTo is the same for a partition.
func (w *world) sendPoisonTo(partition int32, value []byte, reason string, headers ...kgo.RecordHeader) {
	w.t.Helper()
	r := &kgo.Record{
		Topic: w.topic, Partition: partition, Value: value, Headers: headers,
		Context: context.WithValue(context.Background(), reasonOf{}, reason),
	}
	w.note(r, w.byHand().ProduceSync(context.Background(), r).FirstErr())
}

// byHand is a producer that sends each record to the partition that it names.
func (w *world) byHand() *kgo.Client {
	if w.manual == nil {
		w.manual = w.producer(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	}
	return w.manual
}
