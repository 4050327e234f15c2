package ingest

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/andmerada/andmerada/internal/embedded"
	"github.com/andmerada/andmerada/internal/embedded/embeddedtest"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/trail"
)

// flow sends ordinary events until stopped, and returns how many.
func (w *world) flow(every time.Duration) (stop func() int) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	sent := 0
	wg.Go(func() {
		for ctx.Err() == nil {
			var messages []kafka.Message
			for range 50 {
				messages = append(messages, message(w.t, billing(sent)))
				sent++
			}
			w.send(messages...)
			time.Sleep(every)
		}
	})
	once := sync.OnceValue(func() int {
		cancel()
		wg.Wait()
		return sent
	})
	w.t.Cleanup(func() { once() })
	return once
}

// owned is how many partitions an ingest holds.
func owned(i *Ingest) (n int) {
	for _, p := range i.Stats().Partitions {
		if p.State == Running {
			n++
		}
	}
	return n
}

func TestMembersComeAndGo(t *testing.T) {
	t.Parallel()
	membersComeAndGo(t, newWorld(t, 4))
}

func membersComeAndGo(t *testing.T, w *world) {
	member := func() (*Ingest, func()) {
		cfg := w.config()
		cfg.Facts = facts.New()
		cfg.Transport = &kafka.Transport{}
		return w.start(cfg)
	}
	// Whatever happens, what is committed never falls.
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() {
		highest := make(map[int32]int64)
		for ctx.Err() == nil {
			for p, offset := range w.committed("ingest-test") {
				if offset < highest[p] {
					t.Errorf("partition %d: the group's offset fell from %d to %d", p, highest[p], offset)
				}
				highest[p] = max(highest[p], offset)
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
	stopFlow := w.flow(5 * time.Millisecond)
	shared := func(members ...*Ingest) {
		t.Helper()
		w.eventually("the members share the partitions", func() (bool, string) {
			total, state := 0, ""
			for _, m := range members {
				n := owned(m)
				if n == 0 {
					return false, "one has none"
				}
				total += n
				state += fmt.Sprint(n, " ")
			}
			return total == 4, state
		})
	}
	a, stopA := member()
	shared(a)
	b, stopB := member()
	shared(a, b)
	stopA()
	shared(b)
	c, _ := member()
	shared(b, c)
	d, stopD := member()
	shared(b, c, d)
	stopB()
	stopD()
	shared(c)
	sent := stopFlow()
	w.waitCommitted("ingest-test")
	cancel()
	watching.Wait()
	var rows int64
	for _, p := range w.verify().Partitions {
		rows += p.Rows
	}
	if rows != int64(sent) {
		t.Errorf("%d rows, %d sent", rows, sent)
	}
	t.Logf("%d events, by member %d, %d, %d, %d", sent, a.Stats().Events, b.Stats().Events, c.Stats().Events, d.Stats().Events)
}

// proxy passes connections on to ClickHouse, until they are cut.
type proxy struct {
	listener net.Listener
	to       string
	down     atomic.Bool

	mu    sync.Mutex
	conns []*passed
	outs  []net.Conn
}

// passed is a connection through the proxy.
type passed struct {
	in, out net.Conn
	sent    atomic.Int64 // bytes from the client
}

// greeted is more than a client sends before its first query. The embedded
// engine ends the whole process where a client is gone while they greet, or
// resets its connection, so that none is cut before, and the engine's side of
// a cut one stays open, and is read, until the test ends.
const greeted = 1000

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, to: to}
	t.Cleanup(func() {
		_ = l.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, out := range p.outs {
			_ = out.Close()
		}
	})
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			if p.down.Load() {
				_ = in.Close()
				continue
			}
			out, err := net.Dial("tcp", p.to)
			if err != nil {
				_ = in.Close()
				continue
			}
			c := &passed{in: in, out: out}
			p.mu.Lock()
			p.conns, p.outs = append(p.conns, c), append(p.outs, out)
			p.mu.Unlock()
			go func() {
				_, _ = io.Copy(c.in, c.out)
				_ = c.in.Close()
				_, _ = io.Copy(io.Discard, c.out)
			}()
			go func() { _, _ = io.Copy(c, c.in) }()
		}
	}()
	return p
}

// Write passes on what the client sends.
func (c *passed) Write(b []byte) (int, error) {
	c.sent.Add(int64(len(b)))
	return c.out.Write(b)
}

// cut breaks the connections, in the middle of whatever goes over them.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns = slices.DeleteFunc(p.conns, func(c *passed) bool {
		if c.sent.Load() < greeted {
			return false
		}
		_ = c.in.Close()
		return true
	})
}

func TestClickHouseGoesAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	house := embeddedtest.ClickHouse(t)
	p := newProxy(t, house.Addr())
	user, password := house.Credentials(embedded.Owner)
	db, err := trail.Open(t.Context(), trail.Config{Addr: p.listener.Addr().String(), Database: w.database, User: user, Password: password, Timeout: 5 * time.Second, Tries: 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	cfg := w.config()
	cfg.Trail, cfg.Logger = db, nil
	i, stop := w.start(cfg)
	stopFlow := w.flow(2 * time.Millisecond)
	for range 20 { // breaks in the middle of inserts
		time.Sleep(60 * time.Millisecond)
		p.cut()
	}
	p.down.Store(true)
	p.cut()
	w.eventually("it is seen that ClickHouse is away", func() (bool, string) {
		p.cut()
		s := i.Stats()
		return s.Partitions[0].State == Stalled && s.Partitions[1].State == Stalled && s.Lag > 0, fmt.Sprintf("%+v", s)
	})
	before := i.Stats().Lag
	w.eventually("the lag is seen to grow", func() (bool, string) {
		s := i.Stats()
		return s.Lag > before+100, fmt.Sprintf("%+v", s)
	})
	p.down.Store(false)
	sent := stopFlow()
	w.waitCommitted("ingest-test")
	if s := i.Stats(); s.Lag != 0 || owned(i) != 2 {
		t.Errorf("afterwards: %+v", s)
	}
	stop()
	var rows int64
	for _, p := range w.verify().Partitions {
		rows += p.Rows
	}
	if rows != int64(sent) {
		t.Errorf("%d rows, %d sent", rows, sent)
	}
}

// TestDoneAgainItIsTheSame takes the rows of a range away after they were
// written and has the journal's range done again.
func TestDoneAgainItIsTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	var messages []kafka.Message
	for _, it := range stream(t, 7, 200) {
		if it.gap == "" {
			m := kafka.Message{Key: it.Key, Value: it.Value}
			for _, h := range it.Headers {
				m.Headers = append(m.Headers, kafka.Header(h))
			}
			messages = append(messages, m)
		}
	}
	w.send(messages...)
	cfg := w.config()
	cfg.Limits.Age = time.Hour // one batch, from a first one that goes at once
	hash := func() (h, stored string) {
		conn := w.conn()
		defer conn.Close()
		if err := conn.QueryRow(t.Context(), "SELECT toString(groupBitXor(cityHash64(*))), toString(max(stored)) FROM trail").Scan(&h, &stored); err != nil {
			t.Fatal(err)
		}
		return h, stored
	}
	_, stop := w.start(cfg)
	w.waitCommitted("ingest-test")
	stop()
	first, stored := hash()
	before := w.verify()

	conn := w.conn()
	defer conn.Close()
	if err := conn.Exec(t.Context(), "TRUNCATE TABLE trail SYNC"); err != nil {
		t.Fatal(err)
	}
	if next, pending, err := w.trail.Position(t.Context(), w.topic, 0); err != nil || pending == nil || next != pending.First {
		t.Fatalf("the stream went in several batches: next %d, pending %v, %v", next, pending, err)
	}
	again := w.config()
	again.Now = func() time.Time { return time.Now().Add(24 * time.Hour) } // another day
	again.Limits.Rows = 10                                                 // other limits
	i, stop := w.start(again)
	w.eventually("the range is done again", func() (bool, string) {
		s := i.Stats()
		return s.Events == uint64(len(messages)), fmt.Sprintf("%+v", s)
	})
	stop()
	after := w.verify()
	if second, storedAgain := hash(); second != first || storedAgain != stored {
		t.Errorf("the rows are others: stored %s, then %s", stored, storedAgain)
	}
	if !slices.EqualFunc(before.Partitions, after.Partitions, func(a, b trail.PartitionReport) bool { return a.Rows == b.Rows && a.Quarantine == b.Quarantine }) {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

func TestPartitionsThatAreAddedAreRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.send(message(t, billing(1)))
	i, _ := w.start(w.config())
	w.waitCommitted("ingest-test")
	res, err := w.client().CreatePartitions(t.Context(), &kafka.CreatePartitionsRequest{Topics: []kafka.TopicPartitionsConfig{{Name: w.topic, Count: 3}}})
	if err != nil || res.Errors[w.topic] != nil {
		t.Fatal(err, res)
	}
	w.eventually("the new partitions are assigned", func() (bool, string) { return owned(i) == 3, fmt.Sprint(owned(i)) })
	for n := range 100 {
		w.send(message(t, billing(2+n)))
	}
	w.waitCommitted("ingest-test")
	w.verify()
}

func TestLateFactsAreLearntFromTheTrailAsTheyWereSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	var messages []kafka.Message
	for n := range 200 {
		ev := billing(n)
		ev.Kind, ev.Operation, ev.Purpose, ev.Categories, ev.Actor, ev.Records = event.FactEvent, 0, "", nil, event.Actor{}, 0
		switch n % 4 {
		case 0:
			ev.Fact = event.Fact{Name: "breach", ValidFrom: ev.Time}
			ev.Fact.Value.Set(event.BreachExists, event.BoolValue(true))
		case 1:
			ev.Fact = event.Fact{Name: "objection", ValidFrom: ev.Time, Value: event.Facts{Objections: event.List[event.Objection]{Known: true, Entries: []event.Objection{{Controller: "elektrum", Purpose: "elektrum/billing", MadeAt: ev.Time}}}}}
		case 2:
			ev.Fact = event.Fact{Name: event.IdentityFact, ValidFrom: ev.Time}
			ev.Persons = append(ev.Persons, event.Person{Scheme: "email", Value: fmt.Sprintf("c%d@example.ee", n)})
		case 3:
			ev.Fact = event.Fact{Name: "employee", ValidFrom: ev.Time, AboutActor: "u-7"}
			ev.Fact.Value.Set(event.EmployeeTrained, event.BoolValue(n%8 == 3))
			ev.Persons = nil
		}
		messages = append(messages, message(t, ev))
	}
	w.send(messages...)
	cfg := w.config()
	w.start(cfg)
	w.waitCommitted("ingest-test")
	loaded := facts.New()
	for range 2 { // twice: it changes nothing
		if err := LearnFacts(loaded, w.trail.Facts(t.Context(), w.topic)); err != nil {
			t.Fatal(err)
		}
	}
	if loaded.Len() != cfg.Facts.Len() || loaded.Len() != 150 {
		t.Errorf("%d facts were learnt by judging, %d from the trail", cfg.Facts.Len(), loaded.Len())
	}
	for n := range 200 {
		p, err := w.keys.Pseudonym("elektrum", "customer-number", fmt.Sprintf("C-%d", n))
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []time.Duration{-2 * time.Hour, 0} {
			when := time.Now().Add(at)
			one, other := cfg.Facts.AsOf("elektrum", p, "u-7", "", when), loaded.AsOf("elektrum", p, "u-7", "", when)
			if a, b := string(one.AppendJSON(nil)), string(other.AppendJSON(nil)); a != b {
				t.Fatalf("C-%d: judging knows %s, the trail %s", n, a, b)
			}
		}
		if a, b := len(cfg.Facts.Linked("elektrum", p)), len(loaded.Linked("elektrum", p)); a != b || (n%4 == 2) != (a == 2) {
			t.Fatalf("C-%d is linked to %d, from the trail to %d", n, a, b)
		}
	}
}
