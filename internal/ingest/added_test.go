package ingest

import (
	"context"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/embedded/embeddedtest"
)

// TestPartitionAddedBeforeTheWatch: a partition that is added after the group has
// assigned the others, and before the generation's watch first looks, is noticed.
func TestPartitionAddedBeforeTheWatch(t *testing.T) {
	t.Parallel()
	w := &world{t: t, broker: embeddedtest.Kafka(t, 2).Addr(), topic: "events", log: newWorldLog(t)}
	w.createTopic(w.topic, 2)
	b := kafkaBus(t, w)
	source := b.source()
	defer source.close()
	watch := &partitionWatch{broker: source.(*broker)}
	if watch.look(t.Context()) {
		t.Error("what is seen first is taken for new")
	}
	if watch.look(t.Context()) {
		t.Error("what stays as it is is taken for new")
	}
	b.add()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	watch.run(ctx) // returns when there is a new one
	if ctx.Err() != nil {
		t.Error("the new partition is not noticed")
	}
	if watch.look(t.Context()) {
		t.Error("what was noticed is taken for new again")
	}
}
