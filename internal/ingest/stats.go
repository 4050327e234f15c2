package ingest

import (
	"cmp"
	"maps"
	"slices"
	"sync"

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
}

func newStats() *stats {
	return &stats{
		partitions: make(map[topicPartition]*progress),
		total:      Stats{Verdicts: make(map[string]uint64), Quarantined: make(map[string]uint64)},
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
		t.Partitions = append(t.Partitions, p.PartitionStats)
		if p.State != Released {
			t.Lag += p.Lag
		}
	}
	slices.SortFunc(t.Partitions, func(a, b PartitionStats) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return t
}

func (p *progress) set(state State, err error) {
	p.of.mu.Lock()
	defer p.of.mu.Unlock()
	p.State, p.Error = state, ""
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
	p.Lag = max(0, p.end-p.Next)
}

// ends notes where the log ends.
func (p *progress) ends(end int64) {
	p.of.mu.Lock()
	defer p.of.mu.Unlock()
	p.end = end
	p.Lag = max(0, p.end-max(0, p.Next))
}

// add counts a batch that is stored.
func (p *progress) add(b *batch) {
	p.of.mu.Lock()
	defer p.of.mu.Unlock()
	p.Next = b.next
	p.Lag = max(0, p.end-p.Next)
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
