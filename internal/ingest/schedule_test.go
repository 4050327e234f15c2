package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

// scheduleSeed runs one schedule, or so many from a seed on: "7", "7+1000".
const scheduleSeed = "ANDMERADA_TEST_SCHEDULE"

const schedules = 500

// TestSchedules runs hundreds of seeded schedules of failures against a Kafka
// and a trail in memory, in a time that does not pass: each step between the
// two, joining the group too, fails before or after it is done, or late; processes
// stand still, are killed and join, and their clocks are an hour wrong; partitions
// move, come, and lose their beginning. After each the oracle finds every offset
// in exactly one place, with its own contents.
//
// What goroutines do at one moment is in no fixed order, so that a seed repeats
// the schedule and nearly the run.
func TestSchedules(t *testing.T) {
	t.Parallel()
	first, n := uint64(time.Now().UnixNano())&0xffffffff, schedules
	if testing.Short() {
		n /= 10
	}
	if s := os.Getenv(scheduleSeed); s != "" {
		n = 1
		if _, err := fmt.Sscanf(s, "%d+%d", &first, &n); err != nil && first == 0 {
			t.Fatal(err)
		}
	}
	t.Logf("%s=%d+%d", scheduleSeed, first, n)
	keys, regs := testKeys(t), testRegisters(t)
	var sum tally
	var mu sync.Mutex
	t.Cleanup(func() { t.Logf("%+v", sum) })
	for seed := first; seed < first+uint64(n); seed++ {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSchedule(t, seed, keys, regs)
				s.run()
				s.oracle()
				mu.Lock()
				defer mu.Unlock()
				sum.add(&s.tally)
			})
			if t.Failed() {
				t.Errorf("repeat it with %s=%d", scheduleSeed, seed)
			}
		})
	}
}

// tally says what the schedules came to.
type tally struct {
	Records, Rows, Quarantined, Gaps, Deleted, Processes, Killed, Faults, Commits int
}

func (t *tally) add(o *tally) {
	t.Records += o.Records
	t.Rows += o.Rows
	t.Quarantined += o.Quarantined
	t.Gaps += o.Gaps
	t.Deleted += o.Deleted
	t.Processes += o.Processes
	t.Killed += o.Killed
	t.Faults += o.Faults
	t.Commits += o.Commits
}

var (
	errFault = errors.New("a fault of the schedule")
	errDead  = errors.New("the process is dead")
)

// schedule is one run.
type schedule struct {
	tally
	t      *testing.T
	keys   *identity.Keys
	regs   *register.Set
	kafka  *memory
	trail  *trail.Memory
	sent   []map[int64]sent // by partition and offset: what is a record
	events int

	zone *time.Location // of the processes

	refused sync.Map // ids of events that the store does not take

	mu      sync.Mutex // of what follows
	random  *rand.Rand
	often   float64 // of faults
	highest map[int32]int64

	processes []*process
}

// sent is a record as it was sent.
type sent struct {
	id      string // "" = poison
	hash    [16]byte
	refused bool // by the store
}

// process is one ingest.
type process struct {
	*Ingest
	dead    atomic.Bool
	killAt  atomic.Int64 // so many steps from now it dies; 0 = it does not
	source  *memorySource
	skew    atomic.Int64 // by how much its clock is wrong
	stop    context.CancelFunc
	stopped chan struct{}
}

func newSchedule(t *testing.T, seed uint64, keys *identity.Keys, regs *register.Set) *schedule {
	// The clock of a bubble begins in the year 2000; the registers later. A month
	// ends, or clocks are put back, or forward.
	begin := []time.Time{time.Date(2026, 5, 31, 23, 58, 0, 0, time.UTC), time.Date(2026, 10, 25, 0, 58, 0, 0, time.UTC), time.Date(2027, 3, 28, 0, 58, 0, 0, time.UTC)}
	time.Sleep(time.Until(begin[seed%3]))
	r := rand.New(rand.NewPCG(seed, 5))
	s := &schedule{t: t, keys: keys, regs: regs, trail: trail.NewMemory(), random: r, highest: make(map[int32]int64)}
	s.kafka = newMemory(1+r.IntN(3), rand.New(rand.NewPCG(seed, 6)))
	s.kafka.commits = s.commits
	s.trail.Refuse = func(id string) bool { _, refused := s.refused.Load(id); return refused }
	var err error
	if s.zone, err = time.LoadLocation("Europe/Tallinn"); err != nil {
		t.Fatal(err)
	}
	s.often = []float64{0, .02, .1, .3}[r.IntN(4)]
	return s
}

// one draws; any goroutine may.
func (s *schedule) one(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.random.IntN(n)
}

// goes says whether a step goes wrong now.
func (s *schedule) goes(p *process) (wrong, kill bool) {
	if p.dead.Load() {
		return true, true
	}
	if p.killAt.Load() > 0 && p.killAt.Add(-1) == 0 {
		p.dead.Store(true)
		return true, true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.random.Float64() < s.often {
		s.Faults++
		return true, false
	}
	return false, false
}

// pause is how long a process that stands still does: now and then longer than
// its membership lasts.
func (s *schedule) pause() time.Duration {
	return []time.Duration{time.Millisecond, 100 * time.Millisecond, 3 * time.Second, time.Minute}[s.one(4)]
}

func (s *schedule) start() {
	p := &process{stopped: make(chan struct{})}
	level := slog.Level(100)
	if os.Getenv(scheduleSeed) != "" {
		level = slog.LevelInfo
	}
	log := slog.New(slog.NewTextHandler(s.t.Output(), &slog.HandlerOptions{Level: level})).With(slog.Int("process", s.Processes))
	db := s.trail.Open(trail.Config{Timeout: 10 * time.Second, Tries: 3, Logger: log}, func(step string) (f trail.Fault) {
		wrong, dead := s.goes(p)
		defer func() { log.Info(step, slog.String("fault", fmt.Sprintf("%+v", f))) }()
		switch {
		case !wrong:
			return trail.Fault{}
		case dead && p.killAt.CompareAndSwap(0, -1): // the step in which it dies
			return trail.Fault{Err: errDead, Applied: s.one(2) == 0}
		case dead:
			return trail.Fault{Err: errDead}
		}
		switch s.one(6) {
		case 0:
			return trail.Fault{Err: errFault}
		case 1:
			return trail.Fault{Err: errFault, Applied: true}
		case 2:
			return trail.Fault{Err: errFault, Late: time.Duration(1+s.one(9000)) * time.Millisecond}
		case 3:
			return trail.Fault{Err: errFault, Lost: true}
		case 4:
			// Done, if within the time that an insert has.
			return trail.Fault{Pause: min(9*time.Second, s.pause()), Err: errFault, Applied: true}
		default:
			return trail.Fault{Pause: s.pause()}
		}
	})
	limits := Limits{Rows: 5 + s.one(60), Age: 100 * time.Millisecond, RecentIDs: 10_000, Backoff: time.Second, Session: 10 * time.Second}
	p.source = &memorySource{kafka: s.kafka, cfg: limits, fault: func(string) fault {
		wrong, dead := s.goes(p)
		switch {
		case !wrong:
			return fault{}
		case dead:
			return fault{err: errDead, applied: p.killAt.CompareAndSwap(0, -1) && s.one(2) == 0}
		}
		return []fault{{err: errFault}, {err: errFault, applied: true}, {pause: s.pause()}, {pause: s.pause(), err: errFault}}[s.one(4)]
	}}
	var err error
	p.Ingest, err = New(Config{
		Trail: db, Registers: func() *register.Set { return s.regs }, Keys: s.keys, Facts: facts.New(), Topics: []string{"events"}, Group: "g",
		Limits: limits, source: p.source,
		Now:    func() time.Time { return time.Now().Add(time.Duration(p.skew.Load())).In(s.zone) },
		Logger: log,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.stop = cancel
	p.skew.Store(int64(s.one(3)-1) * int64(time.Hour))
	s.Processes++
	s.processes = append(s.processes, p)
	go func() {
		defer close(p.stopped)
		if err := p.Run(ctx); err != nil {
			s.t.Errorf("ingest ended: %v", err)
		}
	}()
}

// end ends a process: kindly, or as a kill does, after which nothing that it
// tries has an effect.
func (s *schedule) end(p *process, kindly bool) {
	if !kindly {
		p.dead.Store(true)
		s.Killed++
	}
	p.stop()
	<-p.stopped
	if g := p.source.joined(); g != nil {
		s.kafka.remove(g)
	}
	for i, q := range s.processes {
		if p == q {
			s.processes = append(s.processes[:i], s.processes[i+1:]...)
			break
		}
	}
}

// run does random things for some minutes, and then lets all come to its end.
func (s *schedule) run() {
	s.start()
	for range 8 + s.one(20) {
		s.act()
		time.Sleep(time.Duration(s.one(4000)) * time.Millisecond)
		for _, p := range append([]*process(nil), s.processes...) {
			if p.dead.Load() {
				s.end(p, false)
			}
		}
	}
	s.mu.Lock()
	s.often = 0
	s.mu.Unlock()
	for _, p := range append([]*process(nil), s.processes...) {
		p.killAt.Store(-1)
		if p.dead.Load() {
			s.end(p, false)
		}
	}
	if len(s.processes) == 0 {
		s.start()
	}
	for began := time.Now(); !s.done(); time.Sleep(time.Second) {
		if time.Since(began) > time.Hour {
			for _, p := range s.processes {
				s.t.Errorf("it never comes to its end: %+v", p.Stats())
			}
			break
		}
	}
	for len(s.processes) > 0 {
		s.end(s.processes[0], true)
	}
}

func (s *schedule) done() bool {
	s.kafka.mu.Lock()
	defer s.kafka.mu.Unlock()
	for p, l := range s.kafka.logs {
		if s.kafka.committed[int32(p)] != l.end {
			return false
		}
	}
	return true
}

func (s *schedule) act() {
	switch n := s.one(20); {
	case n < 10:
		s.produce(s.one(len(s.kafka.logs)))
	case n < 12 && len(s.processes) < 3:
		s.start()
	case n < 13 && len(s.processes) > 0:
		s.end(s.processes[s.one(len(s.processes))], true)
	case n < 14 && len(s.processes) > 0:
		s.end(s.processes[s.one(len(s.processes))], false)
	case n < 16 && len(s.processes) > 0:
		s.processes[s.one(len(s.processes))].killAt.CompareAndSwap(0, int64(1+s.one(60)))
	case n < 17: // one that heartbeats no more, and does not know it
		if len(s.processes) > 0 {
			if g := s.processes[s.one(len(s.processes))].source.joined(); g != nil {
				s.kafka.remove(g)
				s.kafka.mu.Lock()
				if g.end != nil {
					time.AfterFunc(time.Duration(s.one(30))*time.Second, g.end)
				}
				s.kafka.mu.Unlock()
			}
		}
	case n < 18:
		s.kafka.mu.Lock()
		l := s.kafka.logs[s.one(len(s.kafka.logs))]
		l.first += int64(s.one(int(l.end-l.first) + 1))
		s.kafka.mu.Unlock()
	case n < 19 && len(s.kafka.logs) < 4:
		s.kafka.add(1)
	case s.one(2) == 0 && len(s.processes) > 0: // a clock is put right, or wrong
		s.processes[s.one(len(s.processes))].skew.Store(int64(s.one(3)-1) * int64(time.Hour))
	default:
		s.kafka.mu.Lock()
		s.kafka.rebalance()
		s.kafka.mu.Unlock()
	}
}

// produce appends batches of all sorts to a partition.
func (s *schedule) produce(partition int) {
	for len(s.sent) <= partition {
		s.sent = append(s.sent, make(map[int64]sent))
	}
	for range 1 + s.one(5) {
		s.kafka.mu.Lock()
		end := s.kafka.logs[partition].end
		s.kafka.mu.Unlock()
		n := int64(1 + s.one(12))
		b := memoryBatch{producer: -1}
		kind := s.one(8)
		for offset := range n {
			if kind == 0 && s.one(2) == 0 {
				continue // compaction took it
			}
			r, what := s.record(partition)
			r.Offset = offset
			b.records = append(b.records, r)
			if kind != 1 {
				s.sent[partition][end+offset] = what
				s.Records++
			}
		}
		if kind == 1 || kind == 2 {
			b.producer, b.aborted = int64(s.one(3)), kind == 1
		}
		s.kafka.append(partition, n, b)
		if b.producer >= 0 {
			s.kafka.append(partition, 1, memoryBatch{producer: b.producer, control: map[bool]byte{true: 'a', false: 'c'}[b.aborted]})
		}
	}
}

// record is an event, a repetition, a fact, a listing, or poison.
func (s *schedule) record(partition int) (Record, sent) {
	s.events++
	ev := billing(s.events)
	ev.ID = fmt.Sprintf("%d-%d", partition, s.events)
	ev.Time = time.Now().Add(-time.Hour).UTC().Truncate(time.Millisecond)
	what := sent{id: ev.ID}
	switch s.one(12) {
	case 0:
		what.id = ""
	case 1:
		ev.Persons = append(ev.Persons, event.Person{Scheme: "email", Value: "a@b.ee"}, event.Person{Scheme: "email", Value: "c@d.ee"})
	case 2:
		*ev = event.Event{
			Kind: event.CohortPart, ID: ev.ID, Source: "crm", Time: ev.Time, Controller: "elektrum",
			Cohort: event.Cohort{ID: "c", Part: 1, Parts: 1, Members: []event.Person{{Scheme: "email", Value: "a@b.ee"}, {Scheme: "email", Value: "c@d.ee"}}},
		}
	case 3:
		ev.Kind, ev.Operation, ev.Purpose, ev.Categories, ev.Actor, ev.Records = event.FactEvent, 0, "", nil, event.Actor{}, 0
		ev.Fact = event.Fact{Name: "breach", ValidFrom: ev.Time}
		ev.Fact.Value.Set(event.BreachExists, event.BoolValue(true))
	}
	m := message(s.t, ev)
	if what.id == "" {
		m.Value = m.Value[:len(m.Value)/2]
	}
	r := *recordOf(m, 0)
	r.Time = time.Now().UTC().Truncate(time.Millisecond)
	what.hash = r.Hash()
	what.refused = what.id != "" && s.one(40) == 0
	if what.refused {
		s.refused.Store(what.id, true)
	}
	return r, what
}
