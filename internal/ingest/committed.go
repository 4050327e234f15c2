package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
)

// Offsets are where a consumer group stands in a topic, by partition.
type Offsets struct {
	First     map[int32]int64 // the first offset that the log still has
	Committed map[int32]int64 // the next offset to be read; First where nothing is committed
	End       map[int32]int64 // the offset that the next message will have
}

// Lag is how many messages are still to be read.
func (o *Offsets) Lag() (n int64) {
	for p, end := range o.End {
		n += end - o.Committed[p]
	}
	return n
}

// Committed asks Kafka where the group stands, by way of the transport; nil is
// plain TCP.
func Committed(ctx context.Context, transport kafka.RoundTripper, brokers []string, topic, group string) (*Offsets, error) {
	client := &kafka.Client{Addr: kafka.TCP(brokers...), Timeout: 15 * time.Second, Transport: transport}
	meta, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return nil, fmt.Errorf("ask Kafka for the partitions of %q: %w", topic, err)
	}
	if len(meta.Topics) != 1 {
		return nil, fmt.Errorf("ask Kafka for the partitions of %q: it names %d topics", topic, len(meta.Topics))
	}
	if meta.Topics[0].Error != nil {
		return nil, fmt.Errorf("ask Kafka for the partitions of %q: %w", topic, meta.Topics[0].Error)
	}
	var partitions []int
	var wanted []kafka.OffsetRequest
	for _, p := range meta.Topics[0].Partitions {
		partitions = append(partitions, p.ID)
		wanted = append(wanted, kafka.FirstOffsetOf(p.ID), kafka.LastOffsetOf(p.ID))
	}
	listed, err := client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: wanted}})
	if err != nil {
		return nil, fmt.Errorf("ask Kafka for the ends of %q: %w", topic, err)
	}
	fetched, err := client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: partitions}})
	if err != nil {
		return nil, fmt.Errorf("ask Kafka where group %q stands in %q: %w", group, topic, err)
	}
	if fetched.Error != nil && !errors.Is(fetched.Error, kafka.GroupIdNotFound) { // nobody has joined it yet: nothing is committed
		return nil, fmt.Errorf("ask Kafka where group %q stands in %q: %w", group, topic, fetched.Error)
	}
	o := &Offsets{First: make(map[int32]int64), Committed: make(map[int32]int64), End: make(map[int32]int64)}
	for _, p := range listed.Topics[topic] {
		if p.Error != nil {
			return nil, fmt.Errorf("ask Kafka for the ends of %q, partition %d: %w", topic, p.Partition, p.Error)
		}
		id := int32(p.Partition)
		o.First[id], o.Committed[id], o.End[id] = p.FirstOffset, p.FirstOffset, p.LastOffset
	}
	for _, p := range fetched.Topics[topic] {
		if p.Error != nil {
			return nil, fmt.Errorf("ask Kafka where group %q stands in %q, partition %d: %w", group, topic, p.Partition, p.Error)
		}
		if p.CommittedOffset >= 0 { // -1 = nothing is committed
			o.Committed[int32(p.Partition)] = p.CommittedOffset
		}
	}
	return o, nil
}
