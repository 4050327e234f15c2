package quarantine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/segmentio/kafka-go"
	"pgregory.net/rapid"

	"github.com/andmerada/andmerada/deploy/registers"
	"github.com/andmerada/andmerada/internal/embedded"
	"github.com/andmerada/andmerada/internal/embedded/embeddedtest"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/ingest"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

func TestMain(m *testing.M) {
	if text := os.Getenv(killEnv); text != "" {
		victim(text)
	}
	os.Exit(embeddedtest.Main(m))
}

const topic = "events"

// world is a broker, a trail and an ingest whose registers can be replaced.
type world struct {
	t         *testing.T
	cfg       Config
	store     trail.Config
	registers atomic.Pointer[register.Set]
}

func newWorld(t *testing.T, change ...func(*ingest.Limits)) *world {
	t.Helper()
	limits := ingest.Limits{Age: 20 * time.Millisecond, RecentIDs: 1000, Session: 6 * time.Second, Backoff: time.Second}
	for _, f := range change {
		f(&limits)
	}
	w := &world{t: t}
	broker := embeddedtest.Kafka(t, 1).Addr()
	house := embeddedtest.ClickHouse(t)
	user, password := house.Credentials(embedded.Owner)
	w.store = trail.Config{Addr: house.Addr(), Database: embeddedtest.Database(t), User: user, Password: password, Timeout: 20 * time.Second}
	db, err := trail.Open(t.Context(), w.store)
	if err != nil {
		t.Fatal(err)
	}
	w.cfg = Config{Brokers: []string{broker}, Topic: topic, Trail: db, Keys: keysOf(t, "5a")}
	client := &kafka.Client{Addr: kafka.TCP(broker)}
	if _, err := client.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{
		Topic: topic, NumPartitions: 1, ReplicationFactor: 1, ConfigEntries: []kafka.ConfigEntry{{ConfigName: "max.message.bytes", ConfigValue: "20000000"}},
	}}}); err != nil {
		t.Fatal(err)
	}
	in, err := ingest.New(ingest.Config{
		Brokers: w.cfg.Brokers, Topics: []string{topic}, Trail: db, Registers: w.registers.Load, Keys: w.cfg.Keys, Facts: facts.New(),
		Limits: limits,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.load("elektrum")
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- in.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, db.Close()); err != nil {
			t.Error(err)
		}
	})
	return w
}

func keysOf(t *testing.T, b string) *identity.Keys {
	t.Helper()
	secret, err := identity.ParseSecret(strings.Repeat(b, identity.SecretSize))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := identity.New(secret)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// load puts all registers in force, or those without one controller's.
func (w *world) load(without string) {
	w.t.Helper()
	files := fstest.MapFS{}
	err := fs.WalkDir(registers.FS, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || without != "" && strings.Contains(name, without) {
			return err
		}
		data, err := fs.ReadFile(registers.FS, name)
		files[name] = &fstest.MapFile{Data: data}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	set, err := register.Load(files)
	if err != nil {
		w.t.Fatal(err)
	}
	w.registers.Store(set)
}

func billing(t *testing.T, id string) kafka.Message {
	t.Helper()
	ev := &event.Event{
		Kind: event.Processing, ID: id, Source: "crm", Time: time.Now().Add(-time.Hour).UTC(),
		Controller: "elektrum", Operation: event.Access, Purpose: "elektrum/billing", Categories: []string{"name"},
		Persons: []event.Person{{Scheme: "customer-number", Value: "EL-1"}}, Actor: event.Actor{ID: "a", Kind: event.ActorHuman},
	}
	ev.Type = ev.TypeName()
	headers, value, err := event.EncodeBinary(ev)
	if err != nil {
		t.Fatal(err)
	}
	return message(&ingest.Record{Key: []byte(event.PartitionKey(ev)), Value: value, Headers: headers})
}

func (w *world) send(messages ...kafka.Message) {
	w.t.Helper()
	writer := &kafka.Writer{Addr: kafka.TCP(w.cfg.Brokers...), Topic: topic, BatchBytes: 20_000_000, BatchTimeout: time.Millisecond}
	if err := errors.Join(writer.WriteMessages(w.t.Context(), messages...), writer.Close()); err != nil {
		w.t.Fatal(err)
	}
}

// settled waits until so many offsets are stored, and gives the ids in the
// trail and the counts of the quarantine by reason.
func (w *world) settled(offsets int) (ids []string, reasons map[string]uint64) {
	w.t.Helper()
	for deadline := time.Now().Add(90 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		ids, reasons = nil, make(map[string]uint64)
		total := 0
		list, err := w.cfg.Trail.QuarantineReasons(w.t.Context(), trail.QuarantineFilter{})
		if err != nil {
			w.t.Fatal(err)
		}
		for _, r := range list {
			reasons[r.Reason] = r.Count
			total += int(r.Count)
		}
		for offset := range int64(offsets) {
			rows, err := w.cfg.Trail.Event(w.t.Context(), topic, 0, offset)
			if err != nil {
				w.t.Fatal(err)
			}
			for _, row := range rows {
				ids = append(ids, fmt.Sprintf("%s %t", row.EventID, row.Duplicate))
			}
		}
		if total+len(ids) >= offsets {
			return ids, reasons
		}
	}
	w.t.Fatalf("%d offsets are not stored: %v, %v", offsets, ids, reasons)
	return nil, nil
}

func (w *world) replay(f trail.QuarantineFilter, change func(*Config)) Result {
	w.t.Helper()
	cfg := w.cfg
	cfg.Select = f
	if change != nil {
		change(&cfg)
	}
	res, err := Replay(w.t.Context(), cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	if res.Selected != res.Sent+res.Skipped+res.TooLarge+res.Unopened+res.Refused {
		w.t.Errorf("the counts do not add up: %+v", res)
	}
	return res
}

func TestReplayAfterTheMend(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	again := func(c *Config) { c.Again = true }
	poison := kafka.Message{Value: []byte("{\x1b[31m not json"), Headers: []kafka.Header{{Key: "ce_source", Value: []byte("meters")}}}
	large := kafka.Message{Key: []byte("k"), Value: []byte(strings.Repeat(" ", MaxRecord+1))}
	w.send(billing(t, "e-1"), poison, billing(t, "e-2"), large)
	if ids, reasons := w.settled(4); len(ids) != 0 || reasons[ingest.ReasonUnknownController] != 2 || len(reasons) != 3 {
		t.Fatalf("trail %v, quarantine %v", ids, reasons)
	}

	// Listed, and shown whole to who has the secret.
	list, err := w.cfg.Trail.QuarantineReasons(t.Context(), trail.QuarantineFilter{Source: "crm"})
	if err != nil || len(list) != 1 || list[0].Count != 2 || list[0].Sources[0] != "crm" || PlaceText(list[0].Example) != "events/0/2" || list[0].First.IsZero() {
		t.Fatalf("%+v, %v", list, err)
	}
	at := identity.Place{Topic: topic, Offset: 1}
	sealed, err := w.cfg.Trail.QuarantineSealed(t.Context(), []identity.Place{at})
	if err != nil {
		t.Fatal(err)
	}
	if rec, err := Open(w.cfg.Keys, sealed[at], at); err != nil || string(rec.Value) != string(poison.Value) || rec.Headers[0].Key != "ce_source" {
		t.Errorf("%+v, %v", rec, err)
	}
	if _, err := Open(keysOf(t, "5b"), sealed[at], at); !errors.Is(err, identity.ErrSealed) {
		t.Errorf("another secret opens it: %v", err)
	}

	// Nothing is mended yet: the copies come back, and are no new records.
	byReason := trail.QuarantineFilter{Reason: ingest.ReasonUnknownController}
	if res := w.replay(byReason, func(c *Config) { c.DryRun = true }); res.Sent != 2 {
		t.Errorf("dry run: %+v", res)
	}
	if res := w.replay(byReason, nil); res.Sent != 2 || res.Selected != 2 || !res.OK() {
		t.Errorf("%+v", res)
	}
	if ids, reasons := w.settled(6); len(ids) != 0 || reasons[ingest.ReasonUnknownController] != 4 {
		t.Fatalf("trail %v, quarantine %v", ids, reasons)
	}
	if res := w.replay(byReason, nil); res.Sent != 0 || res.Skipped != 4 {
		t.Errorf("replayed twice: %+v", res)
	}

	// The register is added: they land, once.
	w.load("")
	if res := w.replay(byReason, again); res.Sent != 2 || res.Skipped != 2 {
		t.Errorf("again: %+v", res)
	}
	ids, _ := w.settled(8)
	if got := strings.Join(ids, ", "); got != "e-1 false, e-2 false" {
		t.Errorf("the trail has %s", got)
	}
	if res := w.replay(byReason, again); res.Sent != 0 || res.Skipped != 4 {
		t.Errorf("what has landed is sent again: %+v", res)
	}

	// By source and by place; what cannot be sent is said.
	if res := w.replay(trail.QuarantineFilter{Source: "meters"}, func(c *Config) { c.Keys = keysOf(t, "5b") }); res.Unopened != 1 || res.OK() {
		t.Errorf("%+v", res)
	}
	res := w.replay(trail.QuarantineFilter{Places: []identity.Place{{Topic: topic, Offset: 3}, at}}, nil)
	if res.TooLarge != 1 || res.Sent != 1 || res.OK() || len(res.Problems) != 1 || !strings.HasPrefix(res.Problems[0], "events/0/3: ") {
		t.Errorf("%+v", res)
	}
	page, err := w.cfg.Trail.Quarantined(t.Context(), trail.QuarantineFilter{Places: []identity.Place{at}}, nil, 10)
	if err != nil || len(page) != 1 || page[0].Sends != 1 || page[0].Detail == "" {
		t.Errorf("%+v, %v", page, err)
	}
	if _, err := Replay(t.Context(), Config{Trail: w.cfg.Trail, Keys: w.cfg.Keys, DryRun: true, Select: trail.QuarantineFilter{Reason: "no-such"}}); !errors.Is(err, ErrNone) {
		t.Errorf("%v", err)
	}
}

// Kafka away: what was not acknowledged is refused now and due the next time.
func TestReplayRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.send(billing(t, "e-1"))
	w.settled(1)
	crm := trail.QuarantineFilter{Source: "crm"}
	if res := w.replay(crm, func(c *Config) { c.Topic = "no such topic" }); res.Refused != 1 || res.OK() {
		t.Fatalf("%+v", res)
	}
	lease := w.cfg.Trail.NewLease(leaseTask)
	if ok, err := lease.Take(t.Context(), time.Minute); err != nil || !ok {
		t.Fatal(ok, err)
	}
	cfg := w.cfg
	cfg.Select = crm
	if _, err := Replay(t.Context(), cfg); !errors.Is(err, ErrBusy) {
		t.Errorf("two at once: %v", err)
	}
	if err := lease.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.load("")
	if res := w.replay(crm, nil); res.Sent != 1 {
		t.Errorf("%+v", res)
	}
	if ids, _ := w.settled(2); len(ids) != 1 {
		t.Errorf("the trail has %v", ids)
	}
}

// Of a source that sends too much poison the quarantine has the places alone:
// replay reads the records from Kafka.
func TestReplayOfWhatKafkaAloneHas(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(l *ingest.Limits) { l.Quarantine = 1 })
	w.send(billing(t, "e-1"), billing(t, "e-2"))
	w.settled(2)
	at := identity.Place{Topic: topic, Offset: 1}
	page, err := w.cfg.Trail.Quarantined(t.Context(), trail.QuarantineFilter{Places: []identity.Place{at}}, nil, 10)
	if err != nil || len(page) != 1 || !strings.Contains(page[0].Detail, "Kafka alone") {
		t.Fatalf("%+v, %v", page, err)
	}
	sealed, err := w.cfg.Trail.QuarantineSealed(t.Context(), []identity.Place{at})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(w.cfg.Keys, sealed[at], at); !errors.Is(err, ErrElsewhere) {
		t.Errorf("its bytes are kept: %v", err)
	}
	w.load("")
	if res := w.replay(trail.QuarantineFilter{Source: "crm"}, nil); res.Sent != 2 || !res.OK() {
		t.Errorf("%+v", res)
	}
	ids, _ := w.settled(4)
	if got := strings.Join(ids, ", "); got != "e-1 false, e-2 false" {
		t.Errorf("the trail has %s", got)
	}
	// What Kafka has deleted, and a record of another topic of that name, are not sent.
	r := &replayer{Config: w.cfg}
	gone := page[0]
	gone.Place.Offset = 1000
	if _, err := r.open(t.Context(), &gone, nil); !errors.Is(err, ingest.ErrGone) {
		t.Errorf("what Kafka does not have: %v", err)
	}
	other := page[0]
	other.Place.Offset = 0
	if _, err := r.open(t.Context(), &other, nil); err == nil || !strings.Contains(err.Error(), "another record") {
		t.Errorf("a record that is another: %v", err)
	}
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "a", "a/1", "/1/1", "a/-1/1", "a/1/-1", "a/1/x", "a/b/1/1", "a/4294967295/1", "a/1/9223372036854775808"} {
		if p, err := ParsePlace(bad); !errors.Is(err, ErrPlace) {
			t.Errorf("%q: %v, %v", bad, p, err)
		}
	}
	for _, bad := range []string{"", "a/1/2", "a/1/2-1", "a/1/-2", "a/1/1-", "a/1/1-x", "a/1/x-1", "/1/1-2", "a/1/1-9223372036854775808"} {
		if r, err := ParseRange(bad); !errors.Is(err, ErrPlace) {
			t.Errorf("%q: %v, %v", bad, r, err)
		}
	}
	if r, err := ParseRange("a-b/1/17-17"); err != nil || r != (trail.Range{Topic: "a-b", Partition: 1, First: 17, Last: 17}) {
		t.Errorf("%v, %v", r, err)
	}
	rapid.Check(t, func(t *rapid.T) {
		p := identity.Place{Topic: rapid.StringMatching(`[a-zA-Z0-9._-]{1,249}`).Draw(t, "topic"), Partition: rapid.Int32Min(0).Draw(t, "partition"), Offset: rapid.Int64Min(0).Draw(t, "offset")}
		if got, err := ParsePlace(PlaceText(p)); err != nil || got != p {
			t.Fatalf("%v read back as %v, %v", p, got, err)
		}
		// A copy of a copy is the same bytes.
		r := ingest.Record{Value: []byte("v"), Headers: []event.Header{{Key: rapid.String().Draw(t, "name")}}}
		mark(&r, p)
		before := r.Hash()
		mark(&r, p)
		if r.Hash() != before {
			t.Fatal("marking twice changes the copy")
		}
	})
}
