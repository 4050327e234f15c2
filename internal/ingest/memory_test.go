package ingest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go/protocol"
	fetchapi "github.com/segmentio/kafka-go/protocol/fetch"
)

// memory is a Kafka in memory: one topic and one consumer group.
type memory struct {
	mu        sync.Mutex
	logs      []*memoryLog
	committed map[int32]int64
	members   []*memoryGroup
	number    int32 // of the generation
	random    *rand.Rand

	commits func(partition int32, next int64) // called for each that is taken
}

// memoryLog is one partition's log.
type memoryLog struct {
	first, end int64
	batches    []memoryBatch
}

// memoryBatch is as in [protocol.RecordBatch]; last counts what compaction took.
type memoryBatch struct {
	base, last int64
	records    []Record
	producer   int64 // -1 = none, and no transaction
	control    byte  // of a marker: 'c' or 'a'
	aborted    bool
}

// memorySource is how one process sees it.
type memorySource struct {
	kafka *memory
	cfg   Limits
	fault func(step string) fault
	group *memoryGroup
}

// fault is how a step goes wrong: with err it is done nevertheless or not.
type fault struct {
	pause   time.Duration
	err     error
	applied bool
}

func newMemory(partitions int, r *rand.Rand) *memory {
	m := &memory{committed: make(map[int32]int64), random: r}
	m.add(partitions)
	return m
}

// add adds partitions, and has the group notice.
func (m *memory) add(partitions int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for range partitions {
		m.logs = append(m.logs, new(memoryLog))
	}
	m.rebalance()
}

// append appends a batch that begins at the log's end and is n offsets long.
func (m *memory) append(partition int, n int64, b memoryBatch) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.logs[partition]
	b.base, b.last = l.end, l.end+n-1
	for i := range b.records {
		b.records[i].Offset += l.end
	}
	l.end += n
	l.batches = append(l.batches, b)
}

// rebalance deals the partitions out among the members. The one who holds the
// lock is the coordinator.
func (m *memory) rebalance() {
	m.number++
	of := make(map[*memoryGroup][]assignment)
	for p := range m.logs {
		if len(m.members) == 0 {
			break
		}
		g := m.members[m.random.IntN(len(m.members))]
		committed, ok := m.committed[int32(p)]
		if !ok {
			committed = -1
		}
		of[g] = append(of[g], assignment{topic: "events", partition: int32(p), committed: committed})
	}
	for _, g := range m.members {
		ctx, end := context.WithCancel(context.Background())
		if g.end != nil {
			// Each notices in its own time, so that a partition's next owner may begin
			// before the last one has stopped.
			time.AfterFunc(time.Duration(m.random.IntN(3000))*time.Millisecond, g.end)
		}
		g.end = end
		gen := &memoryGeneration{group: g, number: m.number, partitions: of[g], ctx: ctx}
		select {
		case <-g.offered:
		default:
		}
		g.offered <- gen
	}
}

// remove puts a member out of the group; it may not know.
func (m *memory) remove(g *memoryGroup) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if at := slices.Index(m.members, g); at >= 0 {
		m.members = slices.Delete(m.members, at, at+1)
		m.rebalance()
	}
}

func (s *memorySource) step(ctx context.Context, name string, do func() error) error {
	f := s.fault(name)
	if f.pause > 0 {
		time.Sleep(f.pause)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if f.err != nil && !f.applied {
		return f.err
	}
	s.kafka.mu.Lock()
	defer s.kafka.mu.Unlock()
	return errors.Join(do(), f.err)
}

func (s *memorySource) close() {}

func (s *memorySource) missing(ctx context.Context) ([]string, error) {
	return nil, s.step(ctx, "metadata", func() error { return nil })
}

func (s *memorySource) join() (group, error) {
	g := &memoryGroup{source: s, offered: make(chan *memoryGeneration, 1)}
	s.kafka.mu.Lock()
	defer s.kafka.mu.Unlock()
	s.group = g
	return g, nil
}

// joined is the group that was joined, or nil.
func (s *memorySource) joined() *memoryGroup {
	s.kafka.mu.Lock()
	defer s.kafka.mu.Unlock()
	return s.group
}

// memoryGroup is a member.
type memoryGroup struct {
	source  *memorySource
	offered chan *memoryGeneration
	anew    bool   // it has to join again
	end     func() // of the newest generation
	running *memoryGeneration
}

func (g *memoryGroup) next(ctx context.Context) (generation, error) {
	if g.running != nil { // its time is over when the next one is offered, and all of it has ended
		select {
		case <-g.running.ctx.Done():
			g.running.routines.Wait()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	f := g.source.fault("join")
	if f.pause > 0 {
		time.Sleep(f.pause)
	}
	if f.err != nil {
		select { // as a client does before it tries again
		case <-time.After(500 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if !f.applied {
			return nil, f.err
		}
	}
	m := g.source.kafka
	m.mu.Lock()
	if in := slices.Contains(m.members, g); !in || g.anew {
		if !in {
			m.members = append(m.members, g)
		}
		g.anew = false
		m.rebalance()
	}
	m.mu.Unlock()
	select {
	case gen := <-g.offered:
		if f.err != nil { // it has joined, and cannot be told the offsets: its partitions are nobody's
			g.anew = true
			return nil, f.err
		}
		g.running = gen
		return g.running, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (g *memoryGroup) leave() error {
	g.source.kafka.mu.Lock()
	if g.end != nil {
		g.end()
	}
	g.source.kafka.mu.Unlock()
	if g.running != nil {
		g.running.stop()
		g.running.routines.Wait()
	}
	g.source.kafka.remove(g)
	return nil
}

type memoryGeneration struct {
	group      *memoryGroup
	number     int32
	partitions []assignment
	ctx        context.Context
	stops      []context.CancelFunc
	mu         sync.Mutex
	routines   sync.WaitGroup
}

func (g *memoryGeneration) id() int32              { return g.number }
func (g *memoryGeneration) assigned() []assignment { return g.partitions }

func (g *memoryGeneration) start(f func(context.Context)) {
	ctx, stop := context.WithCancel(g.ctx)
	g.mu.Lock()
	g.stops = append(g.stops, stop)
	g.mu.Unlock()
	g.routines.Go(func() { f(ctx) })
}

func (g *memoryGeneration) stop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, stop := range g.stops {
		stop()
	}
}

func (g *memoryGeneration) commit(_ string, partition int32, next int64) error {
	s := g.group.source
	return s.step(context.Background(), "commit", func() error {
		m := s.kafka
		if !slices.Contains(m.members, g.group) || g.number != m.number {
			return errors.New("the generation is not the group's")
		}
		m.committed[partition] = next
		m.commits(partition, next)
		return nil
	})
}

func (s *memorySource) log(_ string, partition int32, _ int) partitionLog {
	return &memoryPartition{source: s, partition: partition}
}

// memoryPartition reads a partition.
type memoryPartition struct {
	source    *memorySource
	partition int32
}

func (p *memoryPartition) offsets(ctx context.Context) (first, end int64, err error) {
	err = p.source.step(ctx, "offsets", func() error {
		l := p.source.kafka.logs[p.partition]
		first, end = l.first, l.end
		return nil
	})
	return first, end, err
}

func (p *memoryPartition) fetch(ctx context.Context, c *chunk, until int64) (end int64, err error) {
	waited := false
	for {
		found := false
		err := p.source.step(ctx, "fetch", func() error {
			l := p.source.kafka.logs[p.partition]
			if c.next < l.first || c.next > l.end {
				return fmt.Errorf("fetch at %d of %d-%d: %w", c.next, l.first, l.end, errOutOfRange)
			}
			end = l.end
			found = c.next < l.end
			c.high = l.end
			return l.read(c, until, 1+p.source.kafka.random.IntN(6))
		})
		if err != nil || found || waited {
			return end, err
		}
		waited = true
		select {
		case <-time.After(p.source.cfg.Age):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// read reads at most n batches.
func (l *memoryLog) read(c *chunk, until int64, n int) error {
	var readers []protocol.RecordReader
	var aborted []fetchapi.ResponseTransaction
	for i := range l.batches {
		b := &l.batches[i]
		if b.last < c.next || n == 0 {
			continue
		}
		n--
		var records []protocol.Record
		for _, r := range b.records {
			rec := protocol.Record{Offset: r.Offset, Time: r.Time, Key: protocol.NewBytes(r.Key), Value: protocol.NewBytes(r.Value)}
			for _, h := range r.Headers {
				rec.Headers = append(rec.Headers, protocol.Header(h))
			}
			records = append(records, rec)
		}
		switch {
		case b.control != 0:
			kind := map[byte]byte{'a': 0, 'c': 1}[b.control]
			readers = append(readers, &protocol.ControlBatch{
				Attributes: protocol.Transactional | protocol.Control, BaseOffset: b.base, ProducerID: b.producer,
				Records: protocol.NewRecordReader(protocol.Record{Offset: b.base, Key: protocol.NewBytes([]byte{0, 0, 0, kind}), Value: protocol.NewBytes(make([]byte, 6))}),
			})
		case b.producer >= 0:
			if b.aborted {
				aborted = append(aborted, fetchapi.ResponseTransaction{ProducerID: b.producer, FirstOffset: b.base})
			}
			readers = append(readers, &protocol.RecordBatch{Attributes: protocol.Transactional, BaseOffset: b.base, ProducerID: b.producer, Records: protocol.NewRecordReader(records...)})
		default:
			readers = append(readers, &protocol.RecordBatch{BaseOffset: b.base, ProducerID: -1, Records: protocol.NewRecordReader(records...)})
		}
	}
	if len(readers) == 0 {
		return nil
	}
	return c.walk(&protocol.RecordStream{Records: readers}, aborted, until)
}
