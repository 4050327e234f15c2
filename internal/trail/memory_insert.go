package trail

import (
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
)

// insert takes a block in, unless its token is known.
func (m *Memory) insert(table, token string, columns map[string][]byte, lost bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	take := map[string]func(map[string][]byte) (add func(), stored time.Time, err error){
		"contexts": m.takeContexts, "journal": m.takeJournal, "trail": m.takeTrail,
		"quarantine": m.takeQuarantine, "cohort_members": m.takeMembers, "gaps": m.takeGaps,
	}[table]
	if take == nil {
		return fmt.Errorf("table %s is not kept in memory", table)
	}
	add, stored, err := take(columns)
	if err != nil {
		return fmt.Errorf("insert into %s: %w", table, err)
	}
	if token != "" {
		// A table's partition is by date, and tokens are told apart within it.
		token += " " + stored.Format(time.DateOnly)
		known := m.tokens[table]
		if slices.Contains(known, token) {
			return nil
		}
		window := m.Window
		if window == 0 {
			window = 1000
		}
		known = append(known, token)
		m.tokens[table] = known[max(0, len(known)-window):]
	}
	if !lost {
		add()
	}
	return nil
}

// rowsIn is how many rows a column of fixed width has.
func rowsIn(columns map[string][]byte, name string, width int) int { return len(columns[name]) / width }

func (m *Memory) of(topic string, partition uint32) *Held {
	p := Partition{topic, int32(partition)}
	if m.held[p] == nil {
		m.held[p] = new(Held)
	}
	return m.held[p]
}

func (m *Memory) takeContexts(columns map[string][]byte) (func(), time.Time, error) {
	b := newContextBlock()
	n := rowsIn(columns, "id", 16)
	err := unwire(b.columns, columns, n)
	return func() {
		for i := range n {
			id, what := b.at(i)
			m.contexts[id] = what
		}
	}, time.Time{}, err
}

func (m *Memory) takeTrail(columns map[string][]byte) (func(), time.Time, error) {
	b := NewBlock()
	n := rowsIn(columns, "offset", 8)
	if err := unwire(b.columns, columns, n); err != nil {
		return nil, time.Time{}, err
	}
	for _, id := range b.context.index {
		what := m.contexts[ContextID(id)]
		if what == nil {
			return nil, time.Time{}, fmt.Errorf("context %x is not there before the rows that refer to it", id)
		}
		b.context.resolved = append(b.context.resolved, what)
	}
	if err := m.refused(b); err != nil {
		return nil, time.Time{}, err
	}
	return func() {
		for i := range n {
			r := b.row(i)
			h := m.of(r.Topic, uint32(r.Partition))
			h.Trail = append(h.Trail, r)
		}
	}, b.stored.at(0), nil
}

func (m *Memory) takeQuarantine(columns map[string][]byte) (func(), time.Time, error) {
	b := NewQuarantineBlock()
	n := rowsIn(columns, "offset", 8)
	if err := unwire(b.columns, columns, n); err != nil {
		return nil, time.Time{}, err
	}
	return func() {
		for i := range n {
			h := m.of(b.topic.Row(i), b.partition[i])
			h.Quarantine = append(h.Quarantine, b.row(i))
		}
	}, b.stored.at(0), nil
}

func (m *Memory) takeMembers(columns map[string][]byte) (func(), time.Time, error) {
	b := NewMemberBlock()
	n := rowsIn(columns, "offset", 8)
	if err := unwire(b.columns, columns, n); err != nil {
		return nil, time.Time{}, err
	}
	return func() {
		for i := range n {
			h := m.of(b.topic.Row(i), b.partition[i])
			h.Members = append(h.Members, b.row(i))
		}
	}, b.stored.at(0), nil
}

func (m *Memory) takeGaps(columns map[string][]byte) (func(), time.Time, error) {
	b := NewGapBlock()
	n := rowsIn(columns, "first", 8)
	if err := unwire(b.columns, columns, n); err != nil {
		return nil, time.Time{}, err
	}
	return func() {
		for i := range n {
			h := m.of(b.topic.Row(i), b.partition[i])
			h.Gaps = append(h.Gaps, b.row(i))
		}
	}, b.noticed.at(0), nil
}

func (m *Memory) takeJournal(columns map[string][]byte) (func(), time.Time, error) {
	b := newJournalBlock()
	if err := unwire(b.columns, columns, 1); err != nil {
		return nil, time.Time{}, err
	}
	return func() { m.entries = append(m.entries, b.at(0)) }, time.Time{}, nil
}

// refused is ClickHouse's answer to a block with an event that it does not take.
func (m *Memory) refused(b *Block) error {
	for i := range b.Rows() {
		if m.Refuse != nil && m.Refuse(b.eventID.Row(i)) {
			return &ch.Exception{Code: proto.ErrViolatedConstraint, Name: "DB::Exception", Message: "Column values: event_id = " + b.eventID.Row(i)}
		}
	}
	return nil
}

func (m *Memory) refuse(columns map[string][]byte) error {
	b := NewBlock()
	if err := unwire(b.columns, columns, rowsIn(columns, "offset", 8)); err != nil {
		return err
	}
	return m.refused(b)
}
