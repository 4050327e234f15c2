package ingest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"pgregory.net/rapid"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/frugaltest"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

// rowsOf keeps what a judge hands on.
type rowsOf struct {
	rows    []trail.Row
	members []trail.Member
	refused []trail.QuarantineRow
}

func (r *rowsOf) trail(row *trail.Row)   { r.rows = append(r.rows, *row) }
func (r *rowsOf) member(m *trail.Member) { r.members = append(r.members, *m) }
func (r *rowsOf) quarantine(q *trail.QuarantineRow) {
	c := *q
	c.Sealed = nil // its nonce differs each time
	r.refused = append(r.refused, c)
}

func recordOf(m kafka.Message, offset int64) *Record {
	r := &Record{Offset: offset, Time: time.Now(), Key: m.Key, Value: m.Value}
	for _, h := range m.Headers {
		r.Headers = append(r.Headers, event.Header(h))
	}
	return r
}

// stream is n records of all sorts, with gaps between.
func stream(t testing.TB, seed uint64, n int) (items []item) {
	r := rand.New(rand.NewPCG(seed, 1))
	var offset int64
	for i := range n {
		if r.IntN(10) == 0 {
			first := offset
			offset += 1 + r.Int64N(5)
			items = append(items, item{Record: Record{Offset: first}, gap: []string{GapCompacted, GapTransaction}[r.IntN(2)], last: offset - 1})
			continue
		}
		ev := mixed(r, 10*r.IntN(100)+r.IntN(10)) // in any order: facts come late, too
		ev.ID, ev.Persons[0].Value = fmt.Sprint(i), fmt.Sprint("C-", r.IntN(3))
		m := message(t, ev)
		switch r.IntN(12) {
		case 0:
			m.Value = nil
		case 1:
			m.Value = m.Value[:len(m.Value)-1]
		case 2: // twice
			rec := recordOf(m, offset)
			rec.Time = ev.Time.Add(time.Second)
			items = append(items, item{Record: *rec})
			offset++
		case 3:
			m = message(t, &event.Event{
				Kind: event.CohortPart, ID: fmt.Sprint("c", i), Source: "crm", Time: ev.Time, Controller: "elektrum",
				Cohort: event.Cohort{ID: "c", Part: 1, Parts: 1, Members: []event.Person{{Scheme: "email", Value: "a@b.ee"}, {Scheme: "email", Value: "c@d.ee"}}},
			})
		}
		rec := recordOf(m, offset)
		rec.Time = ev.Time.Add(time.Second)
		items = append(items, item{Record: *rec})
		offset++
	}
	return items
}

// TestCuttingChangesNothing judges one stream in whatever chunks and with
// whatever limits, and once more as the journal would have it done again: the
// rows are the same, and so are the ranges' bounds.
func TestCuttingChangesNothing(t *testing.T) {
	t.Parallel()
	keys, regs := testKeys(t), testRegisters(t)
	stored := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	judgeAll := func(items []item, store *facts.Store) rowsOf {
		var all rowsOf
		j := &judge{topic: "t", registers: regs, keys: keys, facts: store, recent: newRecent(1000), log: newWorldLog(t)}
		for i := range items {
			if items[i].gap == "" {
				if err := j.record(&items[i].Record, stored, &all); err != nil {
					t.Fatal(err)
				}
			}
		}
		return all
	}
	rapid.Check(t, func(rt *rapid.T) {
		items := stream(t, rapid.Uint64().Draw(rt, "seed"), rapid.IntRange(1, 60).Draw(rt, "records"))
		store := facts.New()
		want := judgeAll(items, store)
		// Facts that were learnt before change nothing either.
		if again := judgeAll(items, store); !reflect.DeepEqual(again, want) {
			rt.Fatal("judging again gives other rows")
		}

		limits := Limits{Rows: rapid.IntRange(1, 30).Draw(rt, "rows"), Bytes: rapid.IntRange(1, 20_000).Draw(rt, "bytes"), Age: time.Duration(rapid.IntRange(0, 1).Draw(rt, "age")) * time.Hour}
		batches := func(items []item, exact bool) (got []cut) {
			first, last := items[0].Offset, items[len(items)-1].Offset
			if it := items[len(items)-1]; it.gap != "" {
				last = it.last
			}
			b := &batcher{
				limits: limits, now: func() time.Time { return stored }, registers: func() *register.Set { return regs }, metrics: noMetrics(t),
				exact: exact, until: last, stored: stored,
				judge: &judge{topic: "t", keys: keys, facts: facts.New(), recent: newRecent(1000), log: newWorldLog(t)},
			}
			chunks := chunksOf(items, func(n int) int { return rapid.IntRange(1, n).Draw(rt, "chunk") })
			in, done, free, out := make(chan *chunk), make(chan *chunk, len(chunks)), make(chan *batch, 1), make(chan *batch)
			free <- newBatch()
			go func() {
				for _, c := range chunks {
					in <- c
				}
			}()
			ended := make(chan error, 1)
			go func() { ended <- b.run(rt.Context(), first, in, done, free, out) }()
			for b := range out {
				b.endGap()
				got = append(got, cut{b.first, b.next - 1, b.blocks.Trail.Rows(), b.blocks.Quarantine.Rows(), b.blocks.Members.Rows(), b.blocks.Gaps.Rows()})
				free <- b
			}
			if err := <-ended; err != nil {
				rt.Fatal(err)
			}
			return got
		}
		next := int64(0)
		var sum cut
		for _, b := range batches(items, false) {
			if b.first != next || b.last < b.first {
				rt.Fatalf("a batch %+v after offset %d", b, next)
			}
			if b.rows > limits.Rows { // an event of these has one row of the trail
				rt.Fatalf("a batch of %d rows, limit %d", b.rows, limits.Rows)
			}
			next = b.last + 1
			sum.rows, sum.refused, sum.members = sum.rows+b.rows, sum.refused+b.refused, sum.members+b.members
			// A crash: the journal has the range, and it is done again.
			if again := batches(within(items, b.first, b.last), true); len(again) != 1 || again[0] != b {
				rt.Fatalf("%+v done again is %+v", b, again)
			}
		}
		if last := items[len(items)-1]; next != max(last.Offset, last.last)+1 {
			rt.Fatalf("batches end at %d, the stream at %+v", next-1, last)
		}
		if sum.rows != len(want.rows) || sum.refused != len(want.refused) || sum.members != len(want.members) {
			rt.Fatalf("%+v; want %d, %d, %d", sum, len(want.rows), len(want.refused), len(want.members))
		}
	})
}

// cut is a batch: its range, and how many rows it has of each table.
type cut struct {
	first, last                  int64
	rows, refused, members, gaps int
}

// within is the part of a stream that a range covers.
func within(items []item, first, last int64) (part []item) {
	for _, it := range items {
		if it.gap == "" {
			it.last = it.Offset
		}
		if it.last < first || it.Offset > last {
			continue
		}
		if it.gap == "" {
			it.last = 0
		} else {
			it.Offset, it.last = max(it.Offset, first), min(it.last, last)
		}
		part = append(part, it)
	}
	return part
}

// chunksOf cuts items into chunks; a gap may be cut, too, as two fetches may
// show it.
func chunksOf(items []item, cut func(n int) int) (chunks []*chunk) {
	for len(items) > 0 {
		n := cut(len(items))
		c := &chunk{items: slices.Clone(items[:n])}
		last := &c.items[n-1]
		items = items[n:]
		if last.gap != "" && last.last > last.Offset {
			rest := *last
			rest.Offset++
			last.last = last.Offset
			items = append([]item{rest}, items...)
		}
		c.next = last.Offset + 1
		chunks = append(chunks, c)
	}
	if last := chunks[len(chunks)-1]; last.items[len(last.items)-1].gap != "" {
		last.next = last.items[len(last.items)-1].last + 1
	}
	return chunks
}

func noMetrics(t testing.TB) *metrics {
	t.Helper()
	m, err := newMetrics(metricnoop.NewMeterProvider().Meter(""), newStats(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestRecordReadsBack(t *testing.T) {
	t.Parallel()
	maybe := rapid.Custom(func(t *rapid.T) []byte {
		if rapid.Bool().Draw(t, "null") {
			return nil
		}
		return append([]byte{}, rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")...)
	})
	rapid.Check(t, func(t *rapid.T) {
		r := Record{Key: maybe.Draw(t, "key"), Value: maybe.Draw(t, "value")}
		for range rapid.IntRange(0, 4).Draw(t, "headers") {
			r.Headers = append(r.Headers, event.Header{Key: rapid.String().Draw(t, "name"), Value: maybe.Draw(t, "header")})
		}
		b := r.Append(nil)
		got, err := ParseRecord(b)
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Fatalf("%+v read back as %+v, %v", r, got, err)
		}
		if len(b) > 3 {
			if _, err := ParseRecord(b[:len(b)-1]); err == nil && !bytes.Equal(b[len(b)-1:], nil) {
				t.Fatal("a record that was cut short is read")
			}
		}
	})
}

func FuzzParseRecord(f *testing.F) {
	f.Add([]byte{0, 0, 0})
	f.Add((&Record{Key: []byte("k"), Value: []byte("v"), Headers: []event.Header{{Key: "a", Value: []byte("b")}}}).Append(nil))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, b []byte) {
		var r Record
		var err error
		frugaltest.Run(t, len(b), 64, 64<<10, func() { r, err = ParseRecord(b) })
		if err != nil {
			return
		}
		again, err := ParseRecord(r.Append(nil))
		if err != nil || !reflect.DeepEqual(r, again) {
			t.Fatalf("%+v read back as %+v, %v", r, again, err)
		}
	})
}

func TestRecentForgetsTheOldest(t *testing.T) {
	t.Parallel()
	r := newRecent(3)
	add := func(n byte) bool { return r.add([16]byte{n}) }
	for n := byte(1); n <= 3; n++ {
		if add(n) {
			t.Errorf("%d is known", n)
		}
	}
	if !add(1) || !add(3) {
		t.Error("an event among the newest is not known")
	}
	if add(4) || add(1) {
		t.Error("the oldest is not forgotten")
	}
	if !add(3) || !add(4) || r.used != 3 || len(r.ring) != 3 {
		t.Errorf("%d known", r.used)
	}
}

// TestRecentIsAMap holds the table against a map and a list, with hashes whose homes
// collide: at the table's end, and among those that are forgotten.
func TestRecentIsAMap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 900).Draw(t, "limit")
		crowd := rapid.Uint64Range(1, 1<<12).Draw(t, "crowd")
		r, known, order := newRecent(limit), make(map[uint64]bool), []uint64(nil)
		for range rapid.IntRange(1, 3000).Draw(t, "events") {
			// A few homes only, some of them the last ones, with what wraps around.
			h := max(1, (rapid.Uint64Range(0, 3).Draw(t, "home")-2)<<54|rapid.Uint64Range(0, crowd).Draw(t, "hash"))
			var hash [16]byte
			binary.LittleEndian.PutUint64(hash[:], h)
			if twice := r.add(hash); twice != known[h] {
				t.Fatalf("%x is known: %t, want %t", h, twice, known[h])
			}
			if known[h] {
				continue
			}
			known[h] = true
			if order = append(order, h); len(order) > limit {
				delete(known, order[0])
				order = order[1:]
			}
		}
		if r.used != len(known) {
			t.Fatalf("%d are used of the table, %d are known", r.used, len(known))
		}
	})
}

// TestSharesAddUp: however many partitions there are, what they hold together is
// bounded, and few of them are not held back.
func TestSharesAddUp(t *testing.T) {
	t.Parallel()
	var l Limits
	if err := l.fill(); err != nil {
		t.Fatal(err)
	}
	for n := range 200 {
		one, batches := l.share(n)
		if held := n * (batches*one.Bytes + 2*one.FetchBytes); held > l.Memory {
			t.Errorf("%d partitions hold %d bytes", n, held)
		}
		if one.Bytes < 256<<10 || one.FetchBytes < 128<<10 || n <= 4 && (one.Bytes < 30<<20 || one.FetchBytes != l.FetchBytes) || (batches == 2) != (n <= 2) {
			t.Errorf("%d partitions: %+v, %d batches", n, one, batches)
		}
	}
}
