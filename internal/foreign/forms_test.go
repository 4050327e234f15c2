package foreign

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/compress"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/andmerada/andmerada/internal/emit"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/foreign/clients"
	"github.com/andmerada/andmerada/internal/schemaregistry"
)

// TestFormsAreOne: the same events, sent by other people's libraries in other
// languages in each form that there is, become the same rows as those that
// `andmerada emit` sends.
func TestFormsAreOne(t *testing.T) {
	const own = "own"
	programs := map[string]func(t *testing.T, w *world, topic string, all []sent){
		own:                 emitted,
		"python-binary":     python("send.py", "binary", "none"),
		"python-structured": python("send.py", "structured", "zstd"),
		"node-binary":       node("binary", "none"),
		"node-structured":   node("structured", "gzip"),
		"kcat-binary":       kcatBinary,
		"kcat-gzip":         kcat("gzip"),
		"kcat-snappy":       kcat("snappy"),
		"kcat-lz4":          kcat("lz4"),
		"kcat-zstd":         kcat("zstd"),
		"avro-confluent":    avro("confluent"),
		"avro-framed":       avro("framed"),
		"avro-plain":        avro("plain"),
		"avro-structured":   avro("structured"),
		"avro-nested":       avro("nested"),
	}
	topics := keys(programs)
	all := events(t)
	w := newWorld(t, topics...)
	stop := w.ingest(w.schemas(schemaregistry.Config{}))
	t.Run("send", func(t *testing.T) {
		for _, topic := range topics {
			t.Run(topic, func(t *testing.T) {
				t.Parallel()
				programs[topic](t, w, topic, all)
			})
		}
	})
	if t.Failed() {
		stop()
		return
	}
	for _, topic := range topics {
		w.await(topic, len(all))
	}
	stop()
	want := w.rows(own)
	for topic, codec := range map[string]compress.Compression{
		own: compress.None, "python-structured": compress.Zstd, "node-structured": compress.Gzip, "kcat-binary": compress.None,
		"kcat-gzip": compress.Gzip, "kcat-snappy": compress.Snappy, "kcat-lz4": compress.Lz4, "kcat-zstd": compress.Zstd,
	} {
		w.compressed(topic, codec)
	}
	for _, topic := range topics {
		w.verify(topic, int64(len(all)), 0)
		if reasons := w.quarantine(topic); len(reasons) > 0 {
			t.Errorf("%s: in quarantine: %v", topic, reasons)
		}
		w.same(want, w.rows(topic), topic)
	}
	t.Logf("%d events in %d forms: %d rows each", len(all), len(topics), len(want))
}

// emitted is what Andmerada's own emitter sends, which the rest is held against.
func emitted(t *testing.T, w *world, topic string, all []sent) {
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	e, err := emit.New(emit.Config{Brokers: []string{w.broker}, Topic: topic, Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range all {
		if err := e.Emit(t.Context(), one.event); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

func python(program string, args ...string) func(*testing.T, *world, string, []sent) {
	return func(t *testing.T, w *world, topic string, all []sent) {
		run(t, clients.Python(t, "programs/"+program, append([]string{w.broker, topic}, args...)...), lines(all))
	}
}

func avro(form string) func(*testing.T, *world, string, []sent) {
	return func(t *testing.T, w *world, topic string, all []sent) {
		run(t, clients.Python(t, "programs/avro.py", w.broker, topic, form, w.registry.URL, "../../schemas/avro"), lines(all))
	}
}

func node(mode, codec string) func(*testing.T, *world, string, []sent) {
	return func(t *testing.T, w *world, topic string, all []sent) {
		run(t, clients.Node(t, "programs/send.mjs", w.broker, topic, mode, codec), lines(all))
	}
}

// kcat sends all lines in structured mode, compressed.
func kcat(codec string) func(*testing.T, *world, string, []sent) {
	return func(t *testing.T, w *world, topic string, all []sent) {
		var keyed bytes.Buffer
		for _, one := range all {
			fmt.Fprintf(&keyed, "%s|%s\n", event.PartitionKey(one.event), one.line)
		}
		run(t, clients.Shell(t, []string{"kcat"}, "programs/kcat.sh", w.broker, topic, codec), keyed.Bytes())
	}
}

// kcatBinary runs once for each event, as its headers are arguments. They are
// by our own encoder, since kcat knows nothing of CloudEvents.
func kcatBinary(t *testing.T, w *world, topic string, all []sent) {
	for _, one := range all {
		headers, value, err := event.EncodeBinary(one.event)
		if err != nil {
			t.Fatal(err)
		}
		args := []string{"-P", "-b", w.broker, "-t", topic, "-k", event.PartitionKey(one.event)}
		for _, h := range headers {
			args = append(args, "-H", h.Key+"="+string(h.Value))
		}
		run(t, clients.Kcat(t, args...), value)
	}
}

// compressed holds that the first batch of a topic came by that codec. Else the
// forms would be fewer than they seem.
func (w *world) compressed(topic string, codec compress.Compression) {
	w.t.Helper()
	if r := w.first(topic); r == nil || compress.Compression(r.Attrs.CompressionType()) != codec {
		w.t.Errorf("%s: the first batch is not compressed by codec %d", topic, codec)
	}
}

// first is the first record of a topic; nil if there is none yet.
func (w *world) first(topic string) *kgo.Record {
	w.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(w.broker), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}))
	if err != nil {
		w.t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(w.t.Context(), 2*time.Second)
	defer cancel()
	if all := client.PollFetches(ctx).Records(); len(all) > 0 {
		return all[0]
	}
	return nil
}
