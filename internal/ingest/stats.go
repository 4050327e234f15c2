package ingest

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/andmerada/andmerada/internal/verdict"
)

// State is what a partition is doing.
type State string

// The states of a partition.
const (
	Running  State = "running"
	Stalled  State = "stalled"  // something fails; it tries again
	Released State = "released" // it is not this process's any more
)

// Stats is how far an ingest has come, counted since it was made.
type Stats struct {
	Partitions  []PartitionStats  `json:"partitions"`
	Events      uint64            `json:"events"`      // records read, in the trail or the quarantine
	Rows        uint64            `json:"rows"`        // rows written, of all tables
	Batches     uint64            `json:"batches"`     // inserts
	Verdicts    map[string]uint64 `json:"verdicts"`    // rows by verdict
	Quarantined map[string]uint64 `json:"quarantined"` // records by reason
	Lag         int64             `json:"lag"`         // of all partitions that are held
	Generation  int32             `json:"generation"`  // of the consumer group, as long as this is a member; -1 before and after
	Held        int64             `json:"held"`        // bytes of events that were fetched and are not yet stored
}

// PartitionStats is how far one partition has come.
type PartitionStats struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	State     State  `json:"state"`
	Error     string `json:"error,omitempty"` // why it is stalled
	Next      int64  `json:"next"`            // the offset after the last that is stored; -1 = not known yet
	Committed int64  `json:"committed"`       // to Kafka
	Lag       int64  `json:"lag"`             // offsets that are in Kafka and not yet stored

	// Behind is how long the event that comes next has waited, 0 if none waits:
	// since Kafka had it or, where none has been stored since this began to
	// wait, since it was known of.
	Behind time.Duration `json:"behind"`

	Moved time.Time `json:"moved"` // when it last began, stored something or changed its state
}

// Stats tells how far it has come. It is safe to ask at any time.
func (i *Ingest) Stats() Stats { return i.stats.snapshot() }

type stats struct {
	mu         sync.Mutex
	partitions map[topicPartition]*progress
	total      Stats
}

// progress is that of one partition.
type progress struct {
	of  *stats
	end int64 // of the log, as last seen
	PartitionStats
	since time.Time // from when Behind counts; zero if nothing waits
	held  int64     // bytes fetched since the session began and not yet stored
}

func newStats() *stats {
	return &stats{
		partitions: make(map[topicPartition]*progress),
		total:      Stats{Verdicts: make(map[string]uint64), Quarantined: make(map[string]uint64), Generation: -1},
	}
}

func (s *stats) partition(topic string, id int32) *progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := topicPartition{topic, id}
	p := s.partitions[at]
	if p == nil {
		p = &progress{of: s, PartitionStats: PartitionStats{Topic: topic, Partition: id, Next: -1}}
		s.partitions[at] = p
	}
	return p
}

func (s *stats) snapshot() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.total
	t.Verdicts, t.Quarantined = maps.Clone(t.Verdicts), maps.Clone(t.Quarantined)
	for _, p := range s.partitions {
		ps := p.PartitionStats
		if p.State != Released {
			t.Lag += p.Lag
			t.Held += p.held
			if !p.since.IsZero() {
				ps.Behind = max(0, time.Since(p.since))
			}
		}
		t.Partitions = append(t.Partitions, ps)
	}
	slices.SortFunc(t.Partitions, func(a, b PartitionStats) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return t
}

func (p *progress) set(state State, err error) {
	p.of.mu.Lock()
	defer p.of.mu.Unlock()
	p.State, p.Error, p.Moved = state, "", time.Now()
	if err != nil {
		p.Error = err.Error()
	}
}

func (p *progress) stored() int64 {
	p.of.mu.Lock()
	defer p.of.mu.Unlock()
	return p.Next
}

func (p *progress) commit(next int64) {
	p.of.mu.Lock()
	defer p.of.mu.Unlock()
	p.Committed = next
}

// begin notes where a session goes on.
func (p *progress) begin(next int64) {
	p.of.mu.Lock()
	defer p.of.mu.Unlock()
	p.Next = next
	p.held, p.Moved = 0, time.Now()
	p.waits()
}

// waits counts what waits, and notes since when.
func (p *progress) waits() {
	p.Lag = max(0, p.end-max(0, p.Next))
	switch {
	case p.Lag == 0:
		p.since = time.Time{}
	case p.since.IsZero():
		p.since = time.Now()
	}
}

// hold notes bytes that were fetched.
func (p *progress) hold(bytes int) {
	p.of.mu.Lock()
	defer p.of.mu.Unlock()
	p.held += int64(bytes)
}

// joined notes that this is a member of the group, and left that it is not.
func (s *stats) joined(generation int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total.Generation = generation
}

func (s *stats) left() { s.joined(-1) }

// ends notes where the log ends.
func (p *progress) ends(end int64) {
	p.of.mu.Lock()
	defer p.of.mu.Unlock()
	p.end = end
	p.waits()
}

// add counts a batch that is stored.
func (p *progress) add(b *batch) {
	p.of.mu.Lock()
	defer p.of.mu.Unlock()
	p.Next = b.next
	p.Moved = time.Now()
	p.held = max(0, p.held-int64(b.bytes))
	if n := len(b.told.recorded); n > 0 { // what comes next is hardly older
		p.since = b.told.recorded[n-1].time()
	}
	p.waits()
	t := &p.of.total
	t.Events += b.events
	t.Rows += uint64(b.rows)
	t.Batches++
	for o := verdict.Allowed; o <= verdict.Violation; o++ {
		if n := b.verdicts[o]; n > 0 {
			t.Verdicts[o.String()] += n
		}
	}
	for reason, n := range b.quarantined {
		t.Quarantined[reason] += n
	}
}
