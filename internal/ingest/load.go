package ingest

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/trail"
)

// LearnFacts fills a store with facts that the trail has, in the order in
// which [trail.DB.Facts] gives them. Learning a fact again changes nothing.
func LearnFacts(store *facts.Store, rows iter.Seq2[trail.Row, error]) error {
	var first trail.Row // of the event whose rows are being gathered
	var persons []identity.Pseudonym
	var f event.Fact
	learn := func() {
		if f.Name != "" {
			store.Learn(first.Controller, persons, &f, facts.Order{Recorded: first.Recorded, Topic: first.Topic, Partition: first.Partition, Offset: first.Offset})
		}
	}
	for row, err := range rows {
		if err != nil {
			return fmt.Errorf("learn facts from the trail: %w", err)
		}
		if row.Duplicate {
			continue
		}
		if f.Name == "" || row.Offset != first.Offset || row.Partition != first.Partition || row.Topic != first.Topic {
			learn()
			first, persons = row, nil
			f = event.Fact{Name: row.Fact, ValidFrom: row.FactValidFrom, AboutActor: row.Actor, AboutOrg: row.Recipient}
			if row.FactValue != "" {
				if f.Value, err = event.DecodeFacts([]byte(row.FactValue)); err != nil {
					return fmt.Errorf("learn facts from the trail: the fact at %s:%d:%d: %w", row.Topic, row.Partition, row.Offset, err)
				}
			}
		}
		if row.Person != [16]byte{} {
			persons = append(persons, row.Person)
		}
	}
	learn()
	return nil
}

// loader keeps the store of facts as full as judging needs it: before a
// partition goes on at an offset, every fact that the trail has from before it
// is known, whichever process had the partition then.
type loader struct {
	trail Trail
	facts *facts.Store

	// One reads at a time. Whoever waits for it must be able to leave: a rebalance
	// waits for every partition.
	reading chan struct{}

	mu    sync.Mutex
	began map[string]time.Time     // by topic: when the facts were last read
	known map[topicPartition]int64 // up to where a partition's facts were learnt here
	when  map[topicPartition]time.Time
}

type topicPartition struct {
	topic     string
	partition int32
}

func newLoader(db Trail, store *facts.Store) *loader {
	return &loader{trail: db, facts: store, reading: make(chan struct{}, 1), began: make(map[string]time.Time), known: make(map[topicPartition]int64), when: make(map[topicPartition]time.Time)}
}

// ensure reads the facts of a topic unless those of the partition before next
// are known, or they were read since asked: after the trail said next.
func (l *loader) ensure(ctx context.Context, topic string, partition int32, next int64, asked time.Time) error {
	at := topicPartition{topic, partition}
	have := func() (known, read bool) {
		l.mu.Lock()
		defer l.mu.Unlock()
		return next <= l.known[at], l.began[topic].After(asked)
	}
	if known, _ := have(); known {
		return nil
	}
	select {
	case l.reading <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-l.reading }()
	if _, read := have(); !read {
		began := time.Now()
		if err := LearnFacts(l.facts, l.trail.Facts(ctx, topic)); err != nil {
			return err
		}
		l.mu.Lock()
		l.began[topic] = began
		l.mu.Unlock()
	}
	l.learnt(topic, partition, next)
	return nil
}

// others learns the facts of all partitions as they come into the trail, those
// of other processes among them: what one says of a person may be stated in
// another partition, under another of the person's identifiers. Learning one's
// own again changes nothing.
func (l *loader) others(ctx context.Context, topics []string, log *slog.Logger) {
	next := make(map[trail.Partition]int64)
	tick := time.NewTicker(learnEvery)
	defer tick.Stop()
	for begun := false; ; begun = true {
		if err := l.learnOthers(ctx, topics, next, begun); err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "learning facts of other partitions failed, trying again", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// learnEvery is how often facts of other processes are learnt: well below the
// time after which a fact's events are looked at again (rejudge.Limits.Settle).
const learnEvery = time.Second

// learnOthers goes on where it was the last time. What was there before it
// began is learnt when a partition is assigned.
func (l *loader) learnOthers(ctx context.Context, topics []string, next map[trail.Partition]int64, begun bool) error {
	partitions, err := l.trail.Partitions(ctx)
	if err != nil {
		return err
	}
	for _, p := range partitions {
		if !slices.Contains(topics, p.Topic) {
			continue
		}
		// A partition that is being written here is learnt by judging: asking how
		// far it has come costs ClickHouse more than a tenth of writing it.
		if learnt, own := l.own(p); own {
			next[p] = max(next[p], learnt)
			continue
		}
		complete, err := l.trail.Complete(ctx, p)
		if err != nil {
			return err
		}
		from, known := next[p]
		if (known || begun) && from < complete {
			if err := LearnFacts(l.facts, l.trail.FactsBetween(ctx, p, from, complete, math.MaxInt64)); err != nil {
				return err
			}
		}
		next[p] = complete
	}
	return nil
}

// learnt notes that the facts of a partition before next were learnt by judging.
func (l *loader) learnt(topic string, partition int32, next int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := topicPartition{topic, partition}
	l.known[at] = max(l.known[at], next)
	l.when[at] = time.Now()
}

// ownFor is how long after its last batch a partition is taken for one that this
// process holds.
const ownFor = 3 * learnEvery

// own says whether this process is at work at a partition, and up to where it
// has learnt the facts there.
func (l *loader) own(p trail.Partition) (next int64, own bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := topicPartition{p.Topic, p.Partition}
	return l.known[at], time.Since(l.when[at]) < ownFor
}
