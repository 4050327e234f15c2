package ingest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/andmerada/andmerada/internal/embedded/embeddedtest"
)

// bus is a topic and its group, as the suite of what a source promises needs them:
// of memory, of the embedded Kafka, or of Apache's.
type bus struct {
	topic    string
	source   func() source // that of a process
	missing  []string      // what source.missing says of a topic that is there and one that is not; nil = not asked
	add      func()        // a partition
	cut      func(offset int64)
	produce  func(offset int64, n int) // to partition 0, whose log ends at offset
	transact func(offset int64, n int, commit bool)
}

// TestSource holds the Kafka in memory, by which the schedules are run, to what the
// embedded one does; Apache's: TestOnApacheKafka.
func TestSource(t *testing.T) {
	t.Parallel()
	t.Run("memory", func(t *testing.T) { t.Parallel(); sourceSuite(t, memoryBus) })
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		sourceSuite(t, func(t *testing.T, partitions int32) *bus {
			w := &world{t: t, broker: embeddedtest.Kafka(t, partitions).Addr(), topic: "events", log: newWorldLog(t)}
			w.createTopic(w.topic, partitions)
			return kafkaBus(t, w)
		})
	})
}

func sourceSuite(t *testing.T, open func(t *testing.T, partitions int32) *bus) {
	t.Run("log", func(t *testing.T) { sourceLog(t, open(t, 1)) })
	t.Run("transactions", func(t *testing.T) { sourceTransactions(t, open(t, 1)) })
	t.Run("group", func(t *testing.T) { sourceGroup(t, open(t, 2)) })
}

func memoryBus(_ *testing.T, partitions int32) *bus {
	m := newMemory(int(partitions), rand.New(rand.NewPCG(1, 2)))
	m.commits = func(int32, int64) {}
	records := func(offset int64, n int) (all []Record) {
		for i := range int64(n) {
			all = append(all, Record{Offset: i, Key: []byte("k"), Value: fmt.Append(nil, "v", offset+i)})
		}
		return all
	}
	return &bus{
		topic: "events",
		source: func() source {
			return &memorySource{kafka: m, cfg: Limits{Age: 50 * time.Millisecond}, fault: func(string) fault { return fault{} }}
		},
		add: func() { m.add(1) },
		cut: func(offset int64) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.logs[0].first = offset
		},
		produce: func(offset int64, n int) {
			m.append(0, int64(n), memoryBatch{producer: -1, records: records(offset, n)})
		},
		transact: func(offset int64, n int, commit bool) {
			m.append(0, int64(n), memoryBatch{producer: 7, aborted: !commit, records: records(offset, n)})
			m.append(0, 1, memoryBatch{producer: 7, control: map[bool]byte{true: 'c', false: 'a'}[commit]})
		},
	}
}

// kafkaBus is one of a broker.
func kafkaBus(t *testing.T, w *world) *bus {
	cfg := func(topics ...string) *Config {
		c := Config{Brokers: []string{w.broker}, Topics: topics, Group: "suite-" + w.topic, Transport: &kafka.Transport{}, Dialer: &kafka.Dialer{Timeout: 10 * time.Second}, Logger: w.log}
		c.Limits = Limits{Age: 50 * time.Millisecond, Session: 6 * time.Second, Rebalance: 10 * time.Second}
		return &c
	}
	client := func(opts ...kgo.Opt) *kgo.Client {
		c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(w.broker), kgo.DefaultProduceTopic(w.topic), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c
	}
	plain := client()
	send := func(c *kgo.Client, offset int64, n int) {
		var records []*kgo.Record
		for i := range int64(n) {
			records = append(records, &kgo.Record{Key: []byte("k"), Value: fmt.Append(nil, "v", offset+i)})
		}
		if err := c.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	partitions := w.partitions()
	missing, err := newBroker(cfg(w.topic, "not-there")).missing(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return &bus{
		topic: w.topic, source: func() source { return newBroker(cfg(w.topic)) }, missing: missing,
		add: func() {
			partitions++
			res, err := w.client().CreatePartitions(t.Context(), &kafka.CreatePartitionsRequest{Topics: []kafka.TopicPartitionsConfig{{Name: w.topic, Count: int32(partitions)}}})
			if err != nil || res.Errors[w.topic] != nil {
				t.Fatal(err, res)
			}
		},
		cut: func(offset int64) {
			req, rt := kmsg.NewPtrDeleteRecordsRequest(), kmsg.NewDeleteRecordsRequestTopic()
			rt.Topic, rt.Partitions = w.topic, []kmsg.DeleteRecordsRequestTopicPartition{{Partition: 0, Offset: offset}}
			req.Topics, req.TimeoutMillis = []kmsg.DeleteRecordsRequestTopic{rt}, 5000
			if res, err := req.RequestWith(t.Context(), plain); err != nil || res.Topics[0].Partitions[0].ErrorCode != 0 {
				t.Fatalf("delete records: %+v, %v", res, err)
			}
		},
		produce: func(offset int64, n int) { send(plain, offset, n) },
		transact: func(offset int64, n int, commit bool) {
			c := client(kgo.TransactionalID(fmt.Sprint("suite-", w.topic, offset)))
			if err := c.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			send(c, offset, n)
			if err := c.EndTransaction(t.Context(), kgo.TransactionEndTry(commit)); err != nil {
				t.Fatal(err)
			}
			// Apache's says so before its marker is in the log.
			for deadline := time.Now().Add(time.Minute); w.ends()[0] <= offset+int64(n); time.Sleep(10 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("the transaction's marker does not come")
				}
			}
		},
	}
}

// partitions is how many the topic has.
func (w *world) partitions() int {
	w.t.Helper()
	meta, err := w.client().Metadata(w.t.Context(), &kafka.MetadataRequest{Topics: []string{w.topic}})
	if err != nil || len(meta.Topics) != 1 {
		w.t.Fatal(meta, err)
	}
	return len(meta.Topics[0].Partitions)
}

// readAll fetches from an offset on, up to until or the log's end.
func readAll(t *testing.T, l partitionLog, from, until int64) string {
	t.Helper()
	var parts []string
	c := new(chunk)
	for next := from; next <= until; {
		c.reset(next)
		end, err := l.fetch(t.Context(), c, until)
		if err != nil {
			t.Fatal(err)
		}
		if text := c.text(); text != "" {
			parts = append(parts, text)
		}
		if c.next < next || c.next > until+1 {
			t.Fatalf("next is %d after %d, until %d", c.next, next, until)
		}
		if next = c.next; next >= end {
			break
		}
	}
	return strings.Join(parts, " ")
}

func sourceLog(t *testing.T, b *bus) {
	s := b.source()
	defer s.close()
	if missing, err := s.missing(t.Context()); err != nil || len(missing) != 0 {
		t.Errorf("missing: %v, %v", missing, err)
	}
	if b.missing != nil && !slices.Equal(b.missing, []string{"not-there"}) {
		t.Errorf("missing: %v", b.missing)
	}
	l := s.log(b.topic, 0, 1<<20)
	offsets := func(first, end int64) {
		t.Helper()
		if f, e, err := l.offsets(t.Context()); err != nil || f != first || e != end {
			t.Errorf("the log is from %d to %d, %v; want %d to %d", f, e, err, first, end)
		}
	}
	outside := func(from int64) {
		t.Helper()
		c := new(chunk)
		c.reset(from)
		if _, err := l.fetch(t.Context(), c, everything); !errors.Is(err, errOutOfRange) || len(c.items) != 0 || c.next != from {
			t.Errorf("a fetch at %d: %v, %s", from, err, c.text())
		}
	}
	read := func(from, until int64, want string) {
		t.Helper()
		if got := readAll(t, l, from, until); got != want {
			t.Errorf("from %d until %d: %q, want %q", from, until, got, want)
		}
	}
	offsets(0, 0)
	read(0, everything, "")
	b.produce(0, 3)
	b.produce(3, 2)
	offsets(0, 5)
	read(0, everything, "0 1 2 3 4")
	read(1, 3, "1 2 3")
	read(4, 4, "4")
	read(5, everything, "")
	outside(6)
	b.cut(2)
	offsets(2, 5)
	outside(0)
	read(2, everything, "2 3 4")
	b.cut(5)
	offsets(5, 5)
	outside(4)
	read(5, everything, "")
}

func sourceTransactions(t *testing.T, b *bus) {
	s := b.source()
	defer s.close()
	b.produce(0, 2)
	b.transact(2, 2, false)
	b.transact(5, 2, true)
	b.produce(8, 1)
	b.transact(9, 1, false)
	l := s.log(b.topic, 0, 1<<20)
	if _, end, err := l.offsets(t.Context()); err != nil || end != 11 {
		t.Errorf("the log ends at %d, %v", end, err)
	}
	for from, want := range map[int64]string{
		0: "0 1 2-3:aborted-transaction 4-4:transaction-marker 5 6 7-7:transaction-marker 8 9-9:aborted-transaction 10-10:transaction-marker",
		3: "3-3:aborted-transaction 4-4:transaction-marker 5 6 7-7:transaction-marker 8 9-9:aborted-transaction 10-10:transaction-marker",
		6: "6 7-7:transaction-marker 8 9-9:aborted-transaction 10-10:transaction-marker", 10: "10-10:transaction-marker",
	} {
		if got := readAll(t, l, from, everything); got != want {
			t.Errorf("from %d:\n%s\n%s", from, got, want)
		}
	}
	if got := readAll(t, l, 0, 3); got != "0 1 2-3:aborted-transaction" {
		t.Errorf("until 3: %s", got)
	}
}

// member is a process in the group: what it is assigned runs until it is taken away.
type member struct {
	t     *testing.T
	group group
	gens  chan generation
	ended chan int32 // generations of which all that was started has ended
	stop  context.CancelFunc
	done  chan struct{}
}

func newMember(t *testing.T, s source) *member {
	t.Helper()
	g, err := s.join()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	m := &member{t: t, group: g, gens: make(chan generation, 100), ended: make(chan int32, 100), stop: stop, done: make(chan struct{})}
	go func() {
		defer close(m.done)
		for {
			gen, err := g.next(ctx)
			switch {
			case ctx.Err() != nil:
				return
			case err != nil:
				continue
			}
			gen.start(func(ctx context.Context) {
				<-ctx.Done()
				m.ended <- gen.id()
			})
			m.gens <- gen
		}
	}()
	return m
}

// has waits for a generation that assigns so many partitions.
func (m *member) has(n int) generation {
	m.t.Helper()
	for limit := time.After(time.Minute); ; {
		select {
		case gen := <-m.gens:
			if len(gen.assigned()) == n {
				return gen
			}
		case <-limit:
			m.t.Fatalf("there is no generation with %d partitions", n)
		}
	}
}

func (m *member) leave() {
	m.t.Helper()
	m.stop()
	if err := m.group.leave(); err != nil {
		m.t.Error(err)
	}
	<-m.done
}

func committed(gen generation, partition int32) int64 {
	for _, a := range gen.assigned() {
		if a.partition == partition {
			return a.committed
		}
	}
	return -2
}

func sourceGroup(t *testing.T, b *bus) {
	b.produce(0, 5)
	one := b.source()
	defer one.close()
	first := newMember(t, one)
	alone := first.has(2)
	if committed(alone, 0) != -1 || committed(alone, 1) != -1 {
		t.Errorf("at first %+v is assigned", alone.assigned())
	}
	if err := alone.commit(b.topic, 0, 3); err != nil {
		t.Fatal(err)
	}
	// Another joins: what was started of the old generation ends before the next
	// begins, and the old one may commit no more.
	two := b.source()
	defer two.close()
	second := newMember(t, two)
	var shared []generation
	for _, m := range []*member{first, second} {
		for limit := time.After(time.Minute); ; {
			var gen generation
			select {
			case gen = <-m.gens:
			case <-limit:
				t.Fatal("the group does not rebalance")
			}
			if gen.id() > alone.id() {
				shared = append(shared, gen)
				break
			}
		}
	}
	select {
	case id := <-first.ended:
		if id != alone.id() {
			t.Errorf("generation %d has ended before %d", id, alone.id())
		}
	default:
		t.Error("the next generation has begun before the last has ended")
	}
	var all []int32
	for _, gen := range shared {
		for _, a := range gen.assigned() {
			all = append(all, a.partition)
			if want := map[int32]int64{0: 3, 1: -1}[a.partition]; a.committed != want {
				t.Errorf("partition %d is committed up to %d, not %d", a.partition, a.committed, want)
			}
		}
	}
	slices.Sort(all)
	if shared[0].id() == shared[1].id() && !slices.Equal(all, []int32{0, 1}) {
		t.Errorf("partitions %v are assigned", all)
	}
	if err := alone.commit(b.topic, 0, 1); err == nil {
		t.Error("a generation that is over may commit")
	}
	second.leave()
	again := first.has(2)
	if committed(again, 0) != 3 {
		t.Errorf("the offset fell to %d", committed(again, 0))
	}
	b.add()
	if more := first.has(3); committed(more, 2) != -1 || committed(more, 0) != 3 {
		t.Errorf("with a new partition %+v is assigned", more.assigned())
	}
	first.leave()
}
