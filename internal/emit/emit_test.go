package emit_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	ce "github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/uuid"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/andmerada/andmerada/internal/emit"
	"github.com/andmerada/andmerada/internal/event"
)

const topic = "andmerada.events"

func broker(t testing.TB) string {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(4, topic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.ListenAddrs()[0]
}

func sample(n int) *event.Event {
	return &event.Event{
		Kind: event.Processing, Source: "/elektrum/crm", Controller: "elektrum", Operation: event.Access, Sequence: uint64(n + 1),
		Persons: []event.Person{{Scheme: "customer-number", Value: fmt.Sprint(100000 + n)}},
		Purpose: "elektrum/billing", Categories: []string{"name"}, Reason: "õ and \"quotes\"",
	}
}

// readAll reads n messages from all partitions.
func readAll(t *testing.T, addr string, n int) []kafka.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	client := &kafka.Client{Addr: kafka.TCP(addr)}
	var all []kafka.Message
	for p := range 4 {
		offsets, err := client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: {kafka.LastOffsetOf(p)}}})
		if err != nil {
			t.Fatal(err)
		}
		last := offsets.Topics[topic][0].LastOffset
		r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{addr}, Topic: topic, Partition: p, MaxWait: 100 * time.Millisecond})
		for range last {
			m, err := r.ReadMessage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, m)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(all) != n {
		t.Fatalf("%d messages, want %d", len(all), n)
	}
	return all
}

func headersOf(m kafka.Message) []event.Header {
	var headers []event.Header
	for _, h := range m.Headers {
		headers = append(headers, event.Header(h))
	}
	return headers
}

func TestWhatIsEmittedIsReadBack(t *testing.T) {
	t.Parallel()
	now := time.Date(2024, 2, 29, 12, 0, 0, 5e6, time.FixedZone("", 7200))
	schema, err := event.ParseSchema(event.AvroSchema(event.Processing))
	if err != nil {
		t.Fatal(err)
	}
	decoder := event.Decoder{Schema: func(id uint32) (*event.Schema, error) {
		if id != 7 {
			return nil, fmt.Errorf("asked for %d", id)
		}
		return schema, nil
	}}
	for _, format := range []emit.Format{"", emit.Structured, emit.Avro, emit.AvroStructured} {
		for _, compression := range []string{"", "lz4", "zstd"} {
			t.Run(fmt.Sprintf("%s %s", format, compression), func(t *testing.T) {
				t.Parallel()
				addr := broker(t)
				w, err := emit.New(emit.Config{Brokers: []string{addr}, Topic: topic, Format: format, Compression: compression, Now: func() time.Time { return now }, SchemaID: func(_ context.Context, kind event.Kind) (uint32, error) {
					return 6 + uint32(kind), nil
				}})
				if err != nil {
					t.Fatal(err)
				}
				const n = 200
				sent := map[string]*event.Event{}
				var events []*event.Event
				for i := range n {
					events = append(events, sample(i))
				}
				if err := w.Emit(t.Context(), events...); err != nil {
					t.Fatal(err)
				}
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
				for _, ev := range events {
					if id, err := uuid.Parse(ev.ID); err != nil || id.Version() != 7 {
						t.Fatalf("id %q is not a UUID of version 7", ev.ID)
					}
					if !ev.Time.Equal(now) {
						t.Fatalf("time %v, want %v", ev.Time, now)
					}
					sent[ev.ID] = ev
				}
				if len(sent) != n {
					t.Fatalf("%d different ids of %d", len(sent), n)
				}
				for _, m := range readAll(t, addr, n) {
					got := new(event.Event)
					if err := decoder.Decode(got, headersOf(m), m.Value); err != nil {
						t.Fatal(err)
					}
					if !reflect.DeepEqual(got, sent[got.ID]) {
						t.Fatalf("got %+v, sent %+v", got, sent[got.ID])
					}
					if string(m.Key) != event.PartitionKey(got) || len(m.Key) != 16 {
						t.Fatalf("key %q", m.Key)
					}
					if format == "" || format == emit.Structured { // the SDK knows no Avro
						checkWithSDK(t, m, format == emit.Structured)
					}
				}
			})
		}
	}
}

// checkWithSDK reads a message as the CloudEvents SDK does.
func checkWithSDK(t *testing.T, m kafka.Message, structured bool) {
	t.Helper()
	var e ce.Event
	if structured {
		if err := json.Unmarshal(m.Value, &e); err != nil {
			t.Fatal(err)
		}
	} else {
		e = ce.New()
		set := map[string]func(string){"specversion": e.SetSpecVersion, "id": e.SetID, "source": e.SetSource, "type": e.SetType}
		for _, h := range m.Headers {
			name, isAttribute := strings.CutPrefix(h.Key, "ce_")
			switch {
			case h.Key == "content-type":
				e.SetDataContentType(string(h.Value))
			case name == "time":
				at, err := time.Parse(time.RFC3339Nano, string(h.Value))
				if err != nil {
					t.Fatal(err)
				}
				e.SetTime(at)
			case set[name] != nil:
				set[name](string(h.Value))
			case isAttribute:
				e.SetExtension(name, string(h.Value))
			}
		}
		e.DataEncoded = m.Value
	}
	if err := e.Validate(); err != nil {
		t.Fatalf("the CloudEvents SDK refuses it: %v", err)
	}
	var data struct {
		Controller string
		Person     event.Person
	}
	if err := e.DataAs(&data); err != nil || data.Controller != "elektrum" || data.Person.Value == "" {
		t.Fatalf("the SDK reads %+v: %v", data, err)
	}
	if e.Extensions()["sequence"] == nil {
		t.Fatal("the SDK sees no sequence")
	}
}

func TestWhatTheSDKWritesIsDecoded(t *testing.T) {
	t.Parallel()
	want := sample(7)
	want.ID, want.Time = "sdk-1", time.Date(2024, 6, 10, 6, 59, 59, 0, time.UTC)
	want.Type = want.TypeName()
	data, err := event.Encode(want)
	if err != nil {
		t.Fatal(err)
	}
	for _, base64 := range []bool{false, true} {
		e := ce.New()
		e.SetID(want.ID)
		e.SetSource(want.Source)
		e.SetType(want.Type)
		e.SetTime(want.Time)
		e.SetSubject("a subject")
		e.SetExtension("sequence", "8")
		e.SetExtension("intext", 5)
		e.SetExtension("boolext", true)
		if base64 {
			err = e.SetData("application/json", data)
			e.DataBase64 = true
		} else {
			err = e.SetData("application/json", json.RawMessage(data))
		}
		if err != nil {
			t.Fatal(err)
		}
		value, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(value), "data_base64") != base64 {
			t.Fatalf("not the form that was meant: %s", value)
		}
		got, err := event.DecodeKafka([]event.Header{{Key: "Content-Type", Value: []byte("application/cloudevents+json; charset=UTF-8")}}, value)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

// TestForward writes what a source wrote, byte by byte.
func TestForward(t *testing.T) {
	t.Parallel()
	addr := broker(t)
	w, err := emit.New(emit.Config{Brokers: []string{addr}, Topic: topic})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	if err := w.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	sent := emit.Record{Key: "0123456789abcdef", Headers: []event.Header{{Key: "ce_id", Value: []byte("1")}, {Key: "ce_own", Value: []byte("õ")}}, Value: []byte(`{ "as": "it is" }`)}
	if err := w.Forward(t.Context(), sent); err != nil {
		t.Fatal(err)
	}
	m := readAll(t, addr, 1)[0]
	if got := (emit.Record{Key: string(m.Key), Headers: headersOf(m), Value: m.Value}); !reflect.DeepEqual(got, sent) {
		t.Errorf("got %+v, sent %+v", got, sent)
	}
}

func TestReadyWithoutTopic(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]emit.Config{
		"no such topic": {Brokers: []string{broker(t)}, Topic: "other"}, "nobody there": {Brokers: []string{"127.0.0.1:1"}, Topic: topic},
	} {
		w, err := emit.New(c)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Ready(t.Context()); err == nil {
			t.Errorf("%s: it says that it is ready", name)
		}
		_ = w.Close()
	}
}

func TestNothingIsSentIfOneEventIsAtFault(t *testing.T) {
	t.Parallel()
	addr := broker(t)
	w, err := emit.New(emit.Config{Brokers: []string{addr}, Topic: topic})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	bad := sample(2)
	bad.Purpose = ""
	err = w.Emit(t.Context(), sample(1), bad)
	var fault *event.Fault
	if !errors.As(err, &fault) || fault.Code != event.CodeMissing || !strings.Contains(err.Error(), "event 2 of 2") {
		t.Errorf("got %v", err)
	}
	readAll(t, addr, 0)
}

func TestKafkaAway(t *testing.T) {
	t.Parallel()
	w, err := emit.New(emit.Config{Brokers: []string{"127.0.0.1:1"}, Topic: topic})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	err = w.Emit(ctx, sample(1), sample(2))
	var u *emit.UnconfirmedError
	if !errors.As(err, &u) || len(u.Indexes) != 2 {
		t.Errorf("got %v, want two unconfirmed events", err)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []emit.Config{{}, {Brokers: []string{"x:1"}}, {Topic: topic}, {Brokers: []string{"x:1"}, Topic: topic, Compression: "rar"}} {
		if _, err := emit.New(c); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}

func BenchmarkEmit(b *testing.B) {
	w, err := emit.New(emit.Config{Brokers: []string{broker(b)}, Topic: topic, Compression: "lz4"})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	const n = 20_000
	var events []*event.Event
	for i := range n {
		events = append(events, sample(i))
	}
	for b.Loop() {
		if err := w.Emit(b.Context(), events...); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "events/s")
}
