package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	fetchapi "github.com/segmentio/kafka-go/protocol/fetch"
)

// broker is Kafka.
type broker struct {
	cfg    *Config
	client *kafka.Client
}

var _ source = (*broker)(nil)

func newBroker(cfg *Config) *broker {
	return &broker{cfg: cfg, client: &kafka.Client{Addr: brokers(cfg.Brokers), Transport: cfg.Transport}}
}

// brokers is the address that any of the brokers can be reached at.
func brokers(list []string) net.Addr { return kafka.TCP(list...) }

func (b *broker) close() { b.cfg.Transport.CloseIdleConnections() }

func (b *broker) missing(ctx context.Context) (missing []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	res, err := b.client.Metadata(ctx, &kafka.MetadataRequest{Topics: b.cfg.Topics})
	if err != nil {
		return nil, fmt.Errorf("ask Kafka for its topics: %w", err)
	}
	there := make(map[string]bool)
	for _, t := range res.Topics {
		there[t.Name] = t.Error == nil && len(t.Partitions) > 0
	}
	for _, t := range b.cfg.Topics {
		if !there[t] {
			missing = append(missing, t)
		}
	}
	return missing, nil
}

func (b *broker) join() (group, error) {
	l := &b.cfg.Limits
	watch := &partitionWatch{broker: b}
	watch.look(context.Background())
	g, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID:                b.cfg.Group,
		Brokers:           b.cfg.Brokers,
		Dialer:            b.cfg.Dialer,
		Topics:            b.cfg.Topics,
		HeartbeatInterval: min(time.Second, l.Session/6),
		SessionTimeout:    l.Session,
		RebalanceTimeout:  l.Rebalance,
		JoinGroupBackoff:  500 * time.Millisecond,
		StartOffset:       kafka.FirstOffset,
		ErrorLogger: kafka.LoggerFunc(func(format string, args ...any) {
			b.cfg.Logger.Debug("consumer group", slog.String("message", fmt.Sprintf(format, args...)))
		}),
	})
	if err != nil {
		return nil, fmt.Errorf("join group %q: %w", b.cfg.Group, err)
	}
	return brokerGroup{g, watch}, nil
}

func (b *broker) log(topic string, partition int32, maxBytes int) partitionLog {
	return newBrokerLog(b.client, topic, partition, maxBytes, b.cfg.Limits.Age)
}

type brokerGroup struct {
	*kafka.ConsumerGroup
	watch *partitionWatch
}

func (g brokerGroup) next(ctx context.Context) (generation, error) {
	gen, err := g.Next(ctx)
	if err != nil {
		return nil, err
	}
	gen.Start(g.watch.run)
	return brokerGeneration{gen}, nil
}

func (g brokerGroup) leave() error { return g.Close() }

type brokerGeneration struct{ *kafka.Generation }

func (g brokerGeneration) id() int32                     { return g.ID }
func (g brokerGeneration) start(f func(context.Context)) { g.Start(f) }

func (g brokerGeneration) assigned() (all []assignment) {
	for topic, partitions := range g.Assignments {
		for _, p := range partitions {
			all = append(all, assignment{topic: topic, partition: int32(p.ID), committed: max(-1, p.Offset)})
		}
	}
	return all
}

func (g brokerGeneration) commit(topic string, partition int32, next int64) error {
	return g.CommitOffsets(map[string]map[int]int64{topic: {int(partition): next}})
}

// brokerLog reads one partition of Kafka. It sends the requests itself, as
// kafka-go's Client keeps back which transactions were aborted; each
// batch's CRC is checked as it is read ([recordSet]).
type brokerLog struct {
	client    *kafka.Client
	topic     string
	partition int32
	maxBytes  int
	ask       int           // what is asked for, at most maxBytes: records of a batch come compressed
	wait      time.Duration // how long a broker waits for records
}

func newBrokerLog(client *kafka.Client, topic string, partition int32, maxBytes int, wait time.Duration) *brokerLog {
	return &brokerLog{client: client, topic: topic, partition: partition, maxBytes: maxBytes, ask: max(min(leastAsked, maxBytes), maxBytes/firstAsked), wait: wait}
}

// Bounds of what is asked for: the least, and what part of maxBytes it is at first,
// when nobody knows yet what it unpacks to.
const (
	leastAsked = 64 << 10
	firstAsked = 8
)

// unpacked learns from what a fetch took to hold, and from whether there was more.
// The broker counts bytes as they are stored. Compressed, events are often a tenth
// of themselves, and a batch of a few takes as much as one of many. What is held
// must stay within maxBytes.
func (l *brokerLog) unpacked(held int, more bool) {
	switch {
	case held > l.maxBytes+l.maxBytes/4:
		l.ask = max(min(leastAsked, l.maxBytes), int(int64(l.ask)*int64(l.maxBytes)/int64(held)))
	case more && held <= l.maxBytes/2:
		l.ask = min(l.maxBytes, 2*l.ask)
	}
}

func (l *brokerLog) offsets(ctx context.Context) (first, end int64, err error) {
	res, err := l.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{
		Topics: map[string][]kafka.OffsetRequest{l.topic: {kafka.FirstOffsetOf(int(l.partition)), kafka.LastOffsetOf(int(l.partition))}},
	})
	if err != nil {
		return 0, 0, fmt.Errorf("ask Kafka for the offsets of %s:%d: %w", l.topic, l.partition, err)
	}
	for _, p := range res.Topics[l.topic] {
		if p.Partition == int(l.partition) {
			if p.Error != nil {
				return 0, 0, fmt.Errorf("ask Kafka for the offsets of %s:%d: %w", l.topic, l.partition, p.Error)
			}
			return p.FirstOffset, p.LastOffset, nil
		}
	}
	return 0, 0, fmt.Errorf("ask Kafka for the offsets of %s:%d: it does not answer for the partition", l.topic, l.partition)
}

func (l *brokerLog) fetch(ctx context.Context, c *chunk, until int64) (end int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, l.wait+30*time.Second)
	defer cancel()
	at := c.next
	failed := func(err error) error {
		return fmt.Errorf("fetch %s:%d at %d: %w", l.topic, l.partition, at, err)
	}
	m, err := l.client.Transport.RoundTrip(ctx, l.client.Addr, &fetchapi.Request{
		ReplicaID:      -1,
		MaxWaitTime:    int32(l.wait.Milliseconds()),
		MinBytes:       1,
		MaxBytes:       int32(l.ask),
		IsolationLevel: int8(kafka.ReadCommitted),
		SessionID:      -1,
		SessionEpoch:   -1,
		Topics: []fetchapi.RequestTopic{{
			Topic: l.topic,
			Partitions: []fetchapi.RequestPartition{{
				Partition: l.partition, CurrentLeaderEpoch: -1, FetchOffset: at, LogStartOffset: -1, PartitionMaxBytes: int32(l.ask),
			}},
		}},
	})
	if err != nil {
		return 0, failed(err)
	}
	res, ok := m.(*fetchResponse)
	if !ok || len(res.Topics) == 0 || len(res.Topics[0].Partitions) == 0 {
		code := int16(0)
		if ok {
			code = res.ErrorCode
		}
		return 0, failed(fmt.Errorf("the answer is not about the partition (code %d)", code))
	}
	p := &res.Topics[0].Partitions[0]
	if p.ErrorCode != 0 {
		if err := kafka.Error(p.ErrorCode); !errors.Is(err, kafka.OffsetOutOfRange) {
			return 0, failed(err)
		}
		return 0, failed(errOutOfRange)
	}
	if p.RecordSet.failed != nil {
		return 0, failed(p.RecordSet.failed)
	}
	if len(p.RecordSet.batches) > 0 {
		c.high = p.HighWatermark
		if err := c.walk(&protocol.RecordStream{Records: p.RecordSet.batches}, p.AbortedTransactions, until); err != nil {
			return 0, failed(err)
		}
	}
	end = p.HighWatermark
	if p.LastStableOffset > 0 { // beyond it no transaction has ended: there is nothing to be had
		end = min(end, p.LastStableOffset)
	}
	l.unpacked(c.held, c.next < end)
	return end, nil
}

// ErrGone says that Kafka has no record at a place any more.
var ErrGone = errors.New("no more in Kafka")

// Read reads one record from Kafka, by way of the transport; nil is plain TCP. It
// fails with [ErrGone] where there is none.
func Read(ctx context.Context, transport kafka.RoundTripper, addrs []string, topic string, partition int32, offset int64) (*Record, error) {
	if transport == nil {
		transport = kafka.DefaultTransport
	}
	l := newBrokerLog(&kafka.Client{Addr: brokers(addrs), Transport: transport}, topic, partition, 1<<20, time.Second)
	var c chunk
	c.reset(offset)
	_, err := l.fetch(ctx, &c, offset)
	switch {
	case err != nil && !errors.Is(err, errOutOfRange):
		return nil, err
	case err != nil, len(c.items) != 1, c.items[0].gap != "":
		return nil, fmt.Errorf("read %s:%d:%d: %w", topic, partition, offset, ErrGone)
	}
	return &c.items[0].Record, nil
}
