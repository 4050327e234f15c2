package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
	fetchapi "github.com/segmentio/kafka-go/protocol/fetch"
)

// everything is the until of a fetch without an end.
const everything = math.MaxInt64 - 1

// fetcher reads one partition of Kafka. It sends the requests itself, as
// kafka-go's Client keeps back which transactions were aborted; the transport
// checks each batch's CRC.
type fetcher struct {
	client    *kafka.Client
	topic     string
	partition int32
	maxBytes  int
	wait      time.Duration // how long a broker waits for records
	progress  *progress
	metrics   *metrics
}

// brokers is the address that any of the brokers can be reached at.
func brokers(list []string) net.Addr { return kafka.TCP(list...) }

// offsets are where the partition's log begins and ends.
func (f *fetcher) offsets(ctx context.Context) (first, end int64, err error) {
	res, err := f.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{
		Topics: map[string][]kafka.OffsetRequest{f.topic: {kafka.FirstOffsetOf(int(f.partition)), kafka.LastOffsetOf(int(f.partition))}},
	})
	if err != nil {
		return 0, 0, fmt.Errorf("ask Kafka for the offsets of %s:%d: %w", f.topic, f.partition, err)
	}
	for _, p := range res.Topics[f.topic] {
		if p.Partition == int(f.partition) {
			if p.Error != nil {
				return 0, 0, fmt.Errorf("ask Kafka for the offsets of %s:%d: %w", f.topic, f.partition, p.Error)
			}
			return p.FirstOffset, p.LastOffset, nil
		}
	}
	return 0, 0, fmt.Errorf("ask Kafka for the offsets of %s:%d: it does not answer for the partition", f.topic, f.partition)
}

// fetch fills c from offset c.next on. It may bring nothing.
func (f *fetcher) fetch(ctx context.Context, c *chunk, until int64) error {
	ctx, cancel := context.WithTimeout(ctx, f.wait+30*time.Second)
	defer cancel()
	m, err := f.client.Transport.RoundTrip(ctx, f.client.Addr, &fetchapi.Request{
		ReplicaID:      -1,
		MaxWaitTime:    int32(f.wait.Milliseconds()),
		MinBytes:       1,
		MaxBytes:       int32(f.maxBytes),
		IsolationLevel: int8(kafka.ReadCommitted),
		SessionID:      -1,
		SessionEpoch:   -1,
		Topics: []fetchapi.RequestTopic{{
			Topic: f.topic,
			Partitions: []fetchapi.RequestPartition{{
				Partition: f.partition, CurrentLeaderEpoch: -1, FetchOffset: c.next, LogStartOffset: -1, PartitionMaxBytes: int32(f.maxBytes),
			}},
		}},
	})
	if err != nil {
		return fmt.Errorf("fetch %s:%d at %d: %w", f.topic, f.partition, c.next, err)
	}
	res, ok := m.(*fetchapi.Response)
	if !ok || len(res.Topics) == 0 || len(res.Topics[0].Partitions) == 0 {
		code := int16(0)
		if ok {
			code = res.ErrorCode
		}
		return fmt.Errorf("fetch %s:%d at %d: the answer is not about the partition (code %d)", f.topic, f.partition, c.next, code)
	}
	p := &res.Topics[0].Partitions[0]
	if p.ErrorCode != 0 {
		return fmt.Errorf("fetch %s:%d at %d: %w", f.topic, f.partition, c.next, kafka.Error(p.ErrorCode))
	}
	if p.RecordSet.Records != nil {
		if err := c.walk(p.RecordSet.Records, p.AbortedTransactions, until); err != nil {
			return fmt.Errorf("fetch %s:%d at %d: %w", f.topic, f.partition, c.next, err)
		}
	}
	end := p.HighWatermark
	if p.LastStableOffset > 0 { // beyond it no transaction has ended: there is nothing to be had
		end = min(end, p.LastStableOffset)
	}
	f.progress.ends(end)
	c.behind = c.next < end
	return nil
}

// run fetches from next on, up to and with until, into chunks from free, and
// hands them on in order.
func (f *fetcher) run(ctx context.Context, next, until int64, free <-chan *chunk, out chan<- *chunk) error {
	for next <= until {
		var c *chunk
		select {
		case c = <-free:
		case <-ctx.Done():
			return ctx.Err()
		}
		c.reset(next)
		began := time.Now()
		if err := f.fetch(ctx, c, until); err != nil {
			if errors.Is(err, kafka.OffsetOutOfRange) {
				return fmt.Errorf("%w: %w", errOutOfRange, err)
			}
			return err
		}
		if len(c.items) > 0 {
			f.metrics.stage(ctx, "fetch", time.Since(began))
		}
		next = c.next
		select {
		case out <- c:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// errOutOfRange says that the log begins after, or ends before, the position.
// Beginning anew tells which.
var errOutOfRange = errors.New("the log has changed")

// waitTopics waits until all topics exist: a group that joins for a topic that
// does not would rejoin without end.
func (i *Ingest) waitTopics(ctx context.Context) error {
	wait := newBackoff(i.cfg.Limits.Backoff)
	for {
		missing, err := i.missingTopics(ctx)
		if err == nil && len(missing) == 0 {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			i.log.WarnContext(ctx, "cannot reach Kafka, trying again", slog.Any("error", err))
		} else {
			i.log.WarnContext(ctx, "waiting for topics to be made", slog.String("topics", strings.Join(missing, ",")))
		}
		if err := wait.sleep(ctx); err != nil {
			return err
		}
	}
}

func (i *Ingest) missingTopics(ctx context.Context) (missing []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	res, err := i.client.Metadata(ctx, &kafka.MetadataRequest{Topics: i.cfg.Topics})
	if err != nil {
		return nil, fmt.Errorf("ask Kafka for its topics: %w", err)
	}
	there := make(map[string]bool)
	for _, t := range res.Topics {
		there[t.Name] = t.Error == nil && len(t.Partitions) > 0
	}
	for _, t := range i.cfg.Topics {
		if !there[t] {
			missing = append(missing, t)
		}
	}
	return missing, nil
}

// backoff waits longer each time.
type backoff struct{ next, longest time.Duration }

func newBackoff(longest time.Duration) *backoff {
	return &backoff{next: min(100*time.Millisecond, longest), longest: longest}
}

func (b *backoff) sleep(ctx context.Context) error {
	t := time.NewTimer(b.next)
	defer t.Stop()
	b.next = min(2*b.next, b.longest)
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
