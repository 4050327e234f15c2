package ingest

import (
	"context"
	"fmt"
	"maps"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
)

// partitionWatch ends a generation of the group when a topic has got partitions, so
// that the next one assigns them. kafka-go's own watch begins with what it finds
// when the generation has begun: a partition that is added between the assignment
// and that first look is read by nobody until something else ends the generation.
// What is known here was always seen before the assignment, as the watch of one
// generation ends before the next one is assigned.
type partitionWatch struct {
	broker *broker
	known  atomic.Pointer[map[string]int] // how many partitions each topic had when last looked at; nil = never
}

// watchEvery is how often is looked for new partitions.
const watchEvery = 5 * time.Second

// run returns, which ends the generation, when the number of partitions is not the
// known one any more, or when ctx ends. While Kafka does not answer there is
// nothing to be seen.
func (w *partitionWatch) run(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for !w.look(ctx) {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// look counts the partitions, and says whether they are others than before.
func (w *partitionWatch) look(ctx context.Context) (changed bool) {
	counts, err := w.broker.partitions(ctx)
	if err != nil {
		return false
	}
	before := w.known.Swap(&counts)
	return before != nil && !maps.Equal(*before, counts)
}

// partitions is how many partitions each topic has.
func (b *broker) partitions(ctx context.Context) (map[string]int, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	res, err := b.client.Metadata(ctx, &kafka.MetadataRequest{Topics: b.cfg.Topics})
	if err != nil {
		return nil, fmt.Errorf("ask Kafka for its partitions: %w", err)
	}
	counts := make(map[string]int, len(res.Topics))
	for _, t := range res.Topics {
		if t.Error != nil {
			return nil, fmt.Errorf("ask Kafka for the partitions of %q: %w", t.Name, t.Error)
		}
		counts[t.Name] = len(t.Partitions)
	}
	return counts, nil
}
