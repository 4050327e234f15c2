package trail

import (
	"context"
	"errors"
	"iter"
	"reflect"
	"slices"
	"testing"
	"time"
)

// sink is a trail as ingest sees it.
type sink interface {
	Insert(ctx context.Context, r Range, stored time.Time, b *Blocks) error
	Position(ctx context.Context, topic string, partition int32) (int64, *JournalEntry, error)
	Complete(ctx context.Context, p Partition) (int64, error)
	Partitions(ctx context.Context) ([]Partition, error)
	RecentIDs(ctx context.Context, topic string, partition int32, n int) ([][16]byte, error)
	Facts(ctx context.Context, topic string) iter.Seq2[Row, error]
	FactsBetween(ctx context.Context, p Partition, from, to int64, n int) iter.Seq2[Row, error]
}

func noFault(string) Fault { return Fault{} }

// TestTables holds ClickHouse and Memory to the same promises.
func TestTables(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(t *testing.T) (sink, tables){
		"ClickHouse": func(t *testing.T) (sink, tables) { db := openTest(t, testConfig(t)); return db, db.tables },
		"memory":     func(*testing.T) (sink, tables) { db := NewMemory().Open(Config{}, noFault); return db, db.tables },
	} {
		t.Run(name+"/tokens", func(t *testing.T) {
			t.Parallel()
			_, tables := open(t)
			tokens(t, tables)
		})
		t.Run(name+"/ranges", func(t *testing.T) {
			t.Parallel()
			db, tables := open(t)
			ranges(t, db, tables)
		})
	}
}

// tokens: one token is one block, whatever the block, within a date's part of a table.
func tokens(t *testing.T, tables tables) {
	r, other := testRange(0, 9), testRange(10, 19)
	insert := func(token string, r Range, stored time.Time) {
		t.Helper()
		b := mixedBlocks(r)
		b.stamp(r, stored)
		c := newContextBlock()
		for _, k := range b.Trail.context.ids {
			what, err := parseContext(k.encoded)
			if err != nil {
				t.Fatal(err)
			}
			c.append(k.id, what)
			c.stored.append(stored)
		}
		if err := tables.insert(t.Context(), "contexts", "", c.columns); err != nil {
			t.Fatal(err)
		}
		for _, table := range b.tables(rowCounts{}) {
			if err := tables.insert(t.Context(), table.name, token+table.name, table.columns); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := func(what string, r Range, times uint64) {
		t.Helper()
		n := mixedBlocks(r).rows()
		n = rowCounts{n.trail * times, n.quarantine * times, n.members * times, n.gaps * times}
		if have, err := tables.countRange(t.Context(), r); err != nil || have != n {
			t.Errorf("%s: there are %s, want %s, %v", what, have, n, err)
		}
		if have, err := tables.count(t.Context(), "trail", r); err != nil || have != n.trail {
			t.Errorf("%s: trail has %d, want %d, %v", what, have, n.trail, err)
		}
	}
	insert("a", r, storedAt)
	want("a block", r, 1)
	insert("a", r, storedAt)
	want("the same under the same token", r, 1)
	insert("a", other, storedAt)
	want("another under the same token", other, 0)
	insert("b", r, storedAt)
	want("the same under another token", r, 2)
	insert("a", r, storedAt.Add(time.Millisecond))
	want("under the same token in the next quarter", r, 3)
}

// ranges: what was inserted is known, in order.
func ranges(t *testing.T, db sink, tables tables) {
	p := Partition{testRange(0, 0).Topic, testRange(0, 0).Partition}
	position := func(want int64) {
		t.Helper()
		next, pending, err := db.Position(t.Context(), p.Topic, p.Partition)
		if err != nil || next != want || pending != nil {
			t.Errorf("position %d, %v, %v; want %d", next, pending, err, want)
		}
		if complete, err := db.Complete(t.Context(), p); err != nil || complete != max(0, want) {
			t.Errorf("complete before %d, %v; want %d", complete, err, want)
		}
	}
	position(-1)
	if all, err := db.Partitions(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("partitions %v, %v", all, err)
	}
	first, second := testRange(0, 9), testRange(10, 25)
	for _, r := range []Range{first, second, first} {
		if err := db.Insert(t.Context(), r, storedAt, mixedBlocks(r)); err != nil {
			t.Fatal(err)
		}
	}
	position(26)
	if all, err := db.Partitions(t.Context()); err != nil || !slices.Equal(all, []Partition{p}) {
		t.Errorf("partitions %v, %v", all, err)
	}
	if err := db.Insert(t.Context(), testRange(5, 14), storedAt, mixedBlocks(testRange(5, 14))); !errors.Is(err, ErrStateUnknown) {
		t.Errorf("an overlapping range: %v", err)
	}
	position(26)
	for name, c := range map[string]struct {
		part journalPart
		r    Range
		want []int64
	}{
		"the end":             {journalEnd, first, []int64{0, 10, 5, 5}}, // and that one was withdrawn
		"one":                 {journalOverlap, testRange(0, 4), []int64{0}},
		"both":                {journalOverlap, testRange(4, 10), []int64{0, 10, 5, 5}},
		"behind":              {journalOverlap, testRange(26, 30), nil},
		"another partition's": {journalOverlap, Range{Topic: p.Topic, Partition: 9, First: 0, Last: 30}, nil},
	} {
		entries, err := tables.journal(t.Context(), c.part, c.r)
		if err != nil {
			t.Fatal(err)
		}
		var begins []int64
		for _, e := range entries {
			begins = append(begins, e.First)
			if n := mixedBlocks(e.Range).rows(); e.rows() != n || !e.Stored.Equal(storedAt) || e.WrittenAt.IsZero() || e.writer == 0 || e.Attempt != 1 {
				t.Errorf("%s: entry %+v", name, e)
			}
		}
		slices.Sort(begins)
		slices.Sort(c.want)
		if !slices.Equal(begins, c.want) {
			t.Errorf("%s: the journal has entries at %v, want %v", name, begins, c.want)
		}
	}
	var ids [][16]byte
	for _, r := range []Range{first, second} {
		b := mixedBlocks(r).Trail
		for i := range b.Rows() {
			if b.personIndex[i] == 0 {
				ids = append(ids, EventHash("crm", b.eventID.Row(i)))
			}
		}
	}
	if have, err := db.RecentIDs(t.Context(), p.Topic, p.Partition, 100); err != nil || !reflect.DeepEqual(have, ids) {
		t.Errorf("%d recent ids, want %d, %v", len(have), len(ids), err)
	}
	if have, err := db.RecentIDs(t.Context(), p.Topic, p.Partition, 3); err != nil || !reflect.DeepEqual(have, ids[len(ids)-3:]) {
		t.Errorf("the newest recent ids differ: %v", err)
	}
	fact := NewBlocks()
	for offset := range int64(3) {
		row := fullRow(26 + offset)
		row.Operation = OperationFact
		fact.Trail.Append(&row)
	}
	if err := db.Insert(t.Context(), testRange(26, 28), storedAt, fact); err != nil {
		t.Fatal(err)
	}
	// An entry of a process that stood still comes late: the rows of the longer
	// range make it look complete.
	late := newJournalBlock()
	late.append(&JournalEntry{Range: testRange(26, 27), Attempt: 1, Stored: storedAt, TrailRows: 2, WrittenAt: storedAt, writer: 7})
	if err := tables.insert(t.Context(), "journal", "late", late.columns); err != nil {
		t.Fatal(err)
	}
	if next, pending, err := db.Position(t.Context(), p.Topic, p.Partition); err != nil || next != 29 || pending != nil {
		t.Errorf("with a late entry of another: position %d, %v, %v; want 29", next, pending, err)
	}
	position(29)
	look := func(rows iter.Seq2[Row, error]) (offsets []int64) {
		for row, err := range rows {
			if err != nil {
				t.Fatal(err)
			}
			if want := fullRow(row.Offset); row.Recipient != want.Recipient || row.Actor != want.Actor || row.FactValue != want.FactValue || row.Person != want.Person {
				t.Errorf("a fact: %+v", row)
			}
			offsets = append(offsets, row.Offset)
		}
		return offsets
	}
	if have := look(db.Facts(t.Context(), p.Topic)); !slices.Equal(have, []int64{5, 15, 26, 27, 28}) {
		t.Errorf("facts at %v", have)
	}
	if have := look(db.FactsBetween(t.Context(), p, 27, 28, 10)); !slices.Equal(have, []int64{27}) {
		t.Errorf("facts between at %v", have)
	}
	if have := look(db.FactsBetween(t.Context(), p, 0, 28, 1)); !slices.Equal(have, []int64{5}) {
		t.Errorf("the first fact at %v", have)
	}
}
