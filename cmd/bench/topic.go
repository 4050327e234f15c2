package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/andmerada/andmerada/internal/event"
)

// format is how an event is written. (For Avro, the bytes that a registry's
// clients write.)
type format struct {
	name   string
	encode func(*event.Event) (headers []event.Header, value []byte, err error)
}

// In structured mode the value is the whole event, which is what ClickHouse's
// engine and the collector can read.
var jsonFormat = format{"json", event.EncodeStructured}

// topics makes topics and fills them. Those that are kept are there at the next
// time, so that all runs are over the same bytes and none waits for them.
type topics struct {
	broker string
	client *kafka.Client
	dial   *kafka.Transport
	file   string
	kept   map[string]keptTopic
	others []string
}

type keptTopic struct {
	Digest string `json:"digest"` // of its first events
	Events int    `json:"events"`
}

// openTopics reads which topics were kept, and removes all others.
func openTopics(ctx context.Context, broker, file string) (*topics, error) {
	t := &topics{broker: broker, file: file, dial: &kafka.Transport{MetadataTTL: 200 * time.Millisecond}, kept: make(map[string]keptTopic)}
	t.client = &kafka.Client{Addr: kafka.TCP(broker), Transport: t.dial}
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, &t.kept)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return t, fmt.Errorf("read which topics are kept: %w", err)
	}
	all, err := t.client.Metadata(ctx, &kafka.MetadataRequest{})
	if err != nil {
		return t, fmt.Errorf("list the topics: %w", err)
	}
	for _, topic := range all.Topics {
		if _, ok := t.kept[topic.Name]; !ok && !topic.Internal {
			t.others = append(t.others, topic.Name)
		}
	}
	return t, t.remove(ctx, t.others...)
}

func (t *topics) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err := t.remove(ctx, t.others...)
	t.dial.CloseIdleConnections()
	return err
}

func (t *topics) remove(ctx context.Context, names ...string) error {
	if len(names) == 0 {
		return nil
	}
	res, err := t.client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: names})
	if err != nil {
		return fmt.Errorf("remove topics: %w", err)
	}
	for name, err := range res.Errors {
		if err != nil && !errors.Is(err, kafka.UnknownTopicOrPartition) {
			return fmt.Errorf("remove topic %q: %w", name, err)
		}
	}
	t.others = slices.DeleteFunc(t.others, func(one string) bool { return slices.Contains(names, one) })
	return nil
}

// create makes a topic that goes at the end.
func (t *topics) create(ctx context.Context, name string, partitions int) error {
	res, err := t.client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: name, NumPartitions: partitions, ReplicationFactor: 1}}})
	if err == nil {
		err = res.Errors[name]
	}
	if err != nil {
		return fmt.Errorf("make topic %q: %w", name, err)
	}
	t.others = append(t.others, name)
	return nil
}

// ends are where a topic's partitions end.
func (t *topics) ends(ctx context.Context, name string, partitions int) (ends []int64, err error) {
	ask := make([]kafka.OffsetRequest, partitions)
	for i := range ask {
		ask[i] = kafka.LastOffsetOf(i)
	}
	res, err := t.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{name: ask}})
	if err != nil {
		return nil, fmt.Errorf("ask for the offsets of %q: %w", name, err)
	}
	ends = make([]int64, partitions)
	for _, p := range res.Topics[name] {
		if p.Error != nil {
			return nil, fmt.Errorf("ask for the offsets of %q: %w", name, p.Error)
		}
		ends[p.Partition] = p.LastOffset
	}
	return ends, nil
}

// digestOf tells whether events are written as they were before.
const digested = 1000

func digestOf(f format, events iter.Seq[*event.Event]) (string, error) {
	h := sha256.New()
	n := 0
	for ev := range events {
		_, value, err := f.encode(ev)
		if err != nil {
			return "", err
		}
		h.Write(value)
		if n++; n == digested {
			break
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:8]), nil
}

// keep is a topic with those events: that of an earlier time, if it is the same.
func (p *place) keep(ctx context.Context, f format, partitions int, events iter.Seq[*event.Event]) (name string, n int, err error) {
	t := p.topics
	name = fmt.Sprintf("%s-%d-%d-%d", f.name, p.Events, partitions, p.Seed)
	digest, err := digestOf(f, events)
	if err != nil {
		return "", 0, err
	}
	if was, ok := t.kept[name]; ok {
		if ends, err := t.ends(ctx, name, partitions); err == nil && was.Digest == digest && sum(ends) == int64(was.Events) {
			return name, was.Events, nil
		}
		delete(t.kept, name)
		if err := t.save(); err != nil {
			return "", 0, err
		}
		if err := t.remove(ctx, name); err != nil {
			return "", 0, err
		}
	}
	if n, err = p.fill(ctx, name, partitions, f, events); err != nil {
		return "", 0, err
	}
	t.others = slices.DeleteFunc(t.others, func(one string) bool { return one == name })
	t.kept[name] = keptTopic{Digest: digest, Events: n}
	return name, n, t.save()
}

func (t *topics) save() error {
	data, err := json.Marshal(t.kept)
	if err == nil {
		err = os.WriteFile(t.file, data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("note which topics are kept: %w", err)
	}
	return nil
}

func sum(list []int64) (n int64) {
	for _, v := range list {
		n += v
	}
	return n
}

// fill makes a topic and writes events to it.
func (p *place) fill(ctx context.Context, topic string, partitions int, f format, events iter.Seq[*event.Event]) (n int, err error) {
	began := time.Now()
	if err := p.topics.create(ctx, topic, partitions); err != nil {
		return 0, err
	}
	w, err := newWriter(p.broker, topic)
	if err != nil {
		return 0, err
	}
	defer w.client.Close()
	for ev := range events {
		headers, value, err := f.encode(ev)
		if err != nil {
			return n, err
		}
		w.write(ctx, event.PartitionKey(ev), headers, value)
		if n++; n%1000 == 0 && (w.failed() != nil || ctx.Err() != nil) {
			break
		}
	}
	if err := w.flush(ctx); err != nil {
		return n, fmt.Errorf("fill topic %q: %w", topic, err)
	}
	p.say("topic %s: %d events in %s", topic, n, time.Since(began).Round(time.Millisecond))
	return n, nil
}

// writer writes as the fastest of clients do: many at once, none of them twice.
type writer struct {
	client *kgo.Client
	mu     sync.Mutex
	err    error
}

func newWriter(broker, topic string) (*writer, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.DefaultProduceTopic(topic), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.ProducerLinger(5*time.Millisecond), kgo.MaxBufferedRecords(100_000), kgo.MetadataMinAge(100*time.Millisecond))
	if err != nil {
		return nil, fmt.Errorf("connect to Kafka: %w", err)
	}
	return &writer{client: client}, nil
}

func (w *writer) write(ctx context.Context, key string, headers []event.Header, value []byte) {
	r := &kgo.Record{Value: value}
	if key != "" {
		r.Key = []byte(key)
	}
	for _, h := range headers {
		r.Headers = append(r.Headers, kgo.RecordHeader(h))
	}
	w.client.Produce(ctx, r, w.done)
}

func (w *writer) done(_ *kgo.Record, err error) {
	if err != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.err = errors.Join(w.err, err)
	}
}

func (w *writer) failed() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// flush waits until all is acknowledged.
func (w *writer) flush(ctx context.Context) error {
	return errors.Join(w.client.Flush(ctx), w.failed())
}
