package trail

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/ClickHouse/ch-go/proto"
)

// Memory keeps ranges as ClickHouse does, tokens and all, and fails when it is
// told to. It is for tests of what goes on between Kafka and the trail: the
// protocol is the real one, the blocks are read back from their bytes.
type Memory struct {
	Window int                       // how many tokens each table remembers; 0 = 1000, as the tables in ClickHouse
	Refuse func(eventID string) bool // events that the trail does not take

	mu       sync.Mutex
	contexts map[ContextID]*Context
	entries  []JournalEntry
	held     map[Partition]*Held
	tokens   map[string][]string // by table, oldest first
}

// Held is all that a partition's offsets became, as it was inserted, in no order.
type Held struct {
	Trail      []Row
	Quarantine []QuarantineRow
	Members    []Member
	Gaps       []Gap
}

// Fault is how one step on a [Memory] goes wrong. The zero value is a step that
// goes well.
type Fault struct {
	Pause   time.Duration // the process stands still before it
	Err     error         // what the caller is told
	Applied bool          // it was done nevertheless
	Late    time.Duration // with Err: it is done that long after
	Lost    bool          // with Err: the token is noted, the rows are not there
}

// MemoryDB is the trail as one process sees a [Memory].
type MemoryDB struct {
	*DB
	memory *Memory
	fault  func(step string) Fault
}

// NewMemory is an empty trail.
func NewMemory() *Memory {
	return &Memory{contexts: make(map[ContextID]*Context), held: make(map[Partition]*Held), tokens: make(map[string][]string)}
}

// Open opens the trail for one process; of cfg only Timeout, Tries and Logger
// count. fault is asked before each step: "insert" and the table, "count",
// "journal", or "read".
func (m *Memory) Open(cfg Config, fault func(step string) Fault) *MemoryDB {
	cfg.Timeout, cfg.Tries = cmp.Or(cfg.Timeout, time.Minute), cmp.Or(cfg.Tries, 8)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	db := &MemoryDB{memory: m, fault: fault, DB: &DB{cfg: cfg, log: cfg.Logger, contexts: newContexts()}}
	db.tables = db
	return db
}

// Held is what the tables have of a partition.
func (m *Memory) Held(p Partition) Held {
	m.mu.Lock()
	defer m.mu.Unlock()
	if h := m.held[p]; h != nil {
		return Held{slices.Clone(h.Trail), slices.Clone(h.Quarantine), slices.Clone(h.Members), slices.Clone(h.Gaps)}
	}
	return Held{}
}

// step lets a step go wrong; do is what it does.
func (db *MemoryDB) step(ctx context.Context, name string, do func(lost bool) error) error {
	f := db.fault(name)
	if f.Pause > 0 {
		time.Sleep(f.Pause)
	}
	if f.Err == nil {
		if err := ctx.Err(); err != nil {
			return err
		}
		return do(false)
	}
	switch {
	case f.Applied, f.Lost:
		return errors.Join(f.Err, do(f.Lost))
	case f.Late > 0:
		time.AfterFunc(f.Late, func() { _ = do(false) }) // nobody hears whether it is refused
	}
	return f.Err
}

// read lets a reading go wrong; take takes what there is. Unlike what is
// written, nothing of it happens after it has failed: nobody is there to see it.
func (db *MemoryDB) read(ctx context.Context, name string, take func()) error {
	f := db.fault(name)
	if f.Pause > 0 {
		time.Sleep(f.Pause)
	}
	if f.Err != nil {
		return f.Err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	take()
	return nil
}

func (db *MemoryDB) insert(ctx context.Context, table, token string, columns []column) error {
	copied, err := wire(columns)
	if err != nil {
		return err
	}
	return db.step(ctx, "insert "+table, func(lost bool) error { return db.memory.insert(table, token, copied, lost) })
}

func (db *MemoryDB) count(ctx context.Context, table string, r Range) (n uint64, err error) {
	err = db.read(ctx, "count", func() {
		c := db.memory.count(r)
		n = map[string]uint64{"trail": c.trail, "quarantine": c.quarantine, "cohort_members": c.members, "gaps": c.gaps}[table]
	})
	return n, err
}

func (db *MemoryDB) countRange(ctx context.Context, r Range) (n rowCounts, err error) {
	err = db.read(ctx, "count", func() { n = db.memory.count(r) })
	return n, err
}

func (db *MemoryDB) journal(ctx context.Context, part journalPart, r Range) (entries []JournalEntry, err error) {
	err = db.read(ctx, "journal", func() {
		db.memory.mu.Lock()
		defer db.memory.mu.Unlock()
		for i, e := range db.memory.entries {
			e.order = uint64(i)
			if e.Topic == r.Topic && e.Partition == r.Partition && (part == journalEnd || e.overlaps(r)) {
				entries = append(entries, e)
			}
		}
	})
	if part == journalEnd && err == nil {
		slices.SortFunc(entries, func(a, b JournalEntry) int {
			return cmp.Or(cmp.Compare(b.First, a.First), cmp.Compare(b.Attempt, a.Attempt))
		})
		entries = entries[:min(100, len(entries))]
	}
	return entries, err
}

func (db *MemoryDB) present(ctx context.Context, r Range) (*present, error) {
	p := &present{trail: make(map[int64]bool), quarantine: make(map[int64]bool), members: make(map[int64]bool)}
	return p, db.read(ctx, "count", func() {
		held := db.memory.Held(Partition{r.Topic, r.Partition})
		for i := range held.Trail {
			p.trail[held.Trail[i].Offset] = true
		}
		for i := range held.Quarantine {
			p.quarantine[held.Quarantine[i].Offset] = true
		}
		for i := range held.Members {
			p.members[held.Members[i].Offset] = true
		}
		for _, g := range held.Gaps {
			p.gaps = append(p.gaps, OffsetRange{g.First, g.Last})
		}
	})
}

func (db *MemoryDB) trial(ctx context.Context) (func([]column) error, func(), error) {
	return func(columns []column) error {
		copied, err := wire(columns)
		if err != nil {
			return err
		}
		return db.step(ctx, "trial", func(bool) error { return db.memory.refuse(copied) })
	}, func() {}, nil
}

// RecentIDs is as [DB.RecentIDs].
func (db *MemoryDB) RecentIDs(ctx context.Context, topic string, partition int32, n int) (hashes [][16]byte, err error) {
	err = db.read(ctx, "read", func() {
		rows := db.memory.rows(Partition{topic, partition}, func(r *Row) bool { return r.PersonIndex == 0 })
		for _, r := range rows[max(0, len(rows)-n):] {
			hashes = append(hashes, EventHash(r.Source, r.EventID))
		}
	})
	return hashes, err
}

// Facts is as [DB.Facts].
func (db *MemoryDB) Facts(ctx context.Context, topic string) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		partitions, err := db.Partitions(ctx)
		if err != nil {
			yield(Row{}, err)
			return
		}
		for _, p := range partitions {
			if p.Topic != topic {
				continue
			}
			for row, err := range db.FactsBetween(ctx, p, 0, 1<<62, 1<<40) {
				if !yield(row, err) {
					return
				}
			}
		}
	}
}

// FactsBetween is as [DB.FactsBetween].
func (db *MemoryDB) FactsBetween(ctx context.Context, p Partition, from, to int64, n int) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		var rows []Row
		if err := db.read(ctx, "read", func() {
			rows = db.memory.rows(p, func(r *Row) bool { return r.Operation == OperationFact && r.Offset >= from && r.Offset < to })
		}); err != nil {
			yield(Row{}, err)
			return
		}
		for i := range rows[:min(n, len(rows))] {
			if !yield(rows[i], nil) {
				return
			}
		}
	}
}

// Partitions is as [DB.Partitions].
func (db *MemoryDB) Partitions(ctx context.Context) (all []Partition, err error) {
	err = db.read(ctx, "read", func() {
		db.memory.mu.Lock()
		defer db.memory.mu.Unlock()
		for _, e := range db.memory.entries {
			if p := (Partition{e.Topic, e.Partition}); !e.Withdrawn && !slices.Contains(all, p) {
				all = append(all, p)
			}
		}
	})
	slices.SortFunc(all, func(a, b Partition) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return all, err
}

// rows are those of a partition's trail that match, in order.
func (m *Memory) rows(p Partition, match func(*Row) bool) (rows []Row) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if h := m.held[p]; h != nil {
		for i := range h.Trail {
			if match(&h.Trail[i]) {
				rows = append(rows, h.Trail[i])
			}
		}
	}
	slices.SortStableFunc(rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.PersonIndex, b.PersonIndex))
	})
	return rows
}

func (m *Memory) count(r Range) (n rowCounts) {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := m.held[Partition{r.Topic, r.Partition}]
	if h == nil {
		return n
	}
	within := func(offset int64) uint64 {
		if offset >= r.First && offset <= r.Last {
			return 1
		}
		return 0
	}
	for i := range h.Trail {
		n.trail += within(h.Trail[i].Offset)
	}
	for i := range h.Quarantine {
		n.quarantine += within(h.Quarantine[i].Offset)
	}
	for i := range h.Members {
		n.members += within(h.Members[i].Offset)
	}
	for i := range h.Gaps {
		n.gaps += within(h.Gaps[i].First)
	}
	return n
}

// wire is columns as they come out of their bytes.
func wire(columns []column) (map[string][]byte, error) {
	out := make(map[string][]byte, len(columns))
	for _, c := range columns {
		if p, ok := c.data.(proto.Preparable); ok {
			if err := p.Prepare(); err != nil {
				return nil, fmt.Errorf("prepare column %s: %w", c.name, err)
			}
		}
		var b proto.Buffer
		if s, ok := c.data.(proto.StateEncoder); ok {
			s.EncodeState(&b)
		}
		c.data.EncodeColumn(&b)
		out[c.name] = b.Buf
	}
	return out, nil
}

// unwire reads rows into columns.
func unwire(columns []column, from map[string][]byte, rows int) error {
	var all []byte
	for _, c := range columns {
		all = append(all, from[c.name]...)
	}
	r := proto.NewReader(bytes.NewReader(all))
	for _, c := range columns {
		if s, ok := c.data.(proto.StateDecoder); ok {
			if err := s.DecodeState(r); err != nil {
				return fmt.Errorf("column %s: %w", c.name, err)
			}
		}
		if err := c.data.DecodeColumn(r, rows); err != nil {
			return fmt.Errorf("column %s: %w", c.name, err)
		}
	}
	return nil
}
