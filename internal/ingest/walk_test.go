package ingest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go/protocol"
	fetchapi "github.com/segmentio/kafka-go/protocol/fetch"
)

// records is a reader of records at those offsets.
func records(offsets ...int64) protocol.RecordReader {
	var list []protocol.Record
	for _, o := range offsets {
		list = append(list, protocol.Record{Offset: o, Key: protocol.NewBytes([]byte("k")), Value: protocol.NewBytes(fmt.Append(nil, "v", o))})
	}
	return protocol.NewRecordReader(list...)
}

func plain(offsets ...int64) protocol.RecordReader {
	return &protocol.RecordBatch{BaseOffset: offsets[0], ProducerID: -1, Records: records(offsets...)}
}

func transactional(producer int64, offsets ...int64) protocol.RecordReader {
	return &protocol.RecordBatch{Attributes: protocol.Transactional, BaseOffset: offsets[0], ProducerID: producer, Records: records(offsets...)}
}

func marker(producer, offset int64, kind byte) protocol.RecordReader {
	return &protocol.ControlBatch{
		Attributes: protocol.Transactional | protocol.Control, BaseOffset: offset, ProducerID: producer,
		Records: protocol.NewRecordReader(protocol.Record{Offset: offset, Key: protocol.NewBytes([]byte{0, 0, 0, kind}), Value: protocol.NewBytes(make([]byte, 6))}),
	}
}

// text shows a chunk: "3 4 5-7:compacted 8".
func (c *chunk) text() string {
	var parts []string
	for i := range c.items {
		it := &c.items[i]
		switch {
		case it.gap != "":
			parts = append(parts, fmt.Sprintf("%d-%d:%s", it.Offset, it.last, it.gap))
		case string(it.Value) != fmt.Sprint("v", it.Offset):
			parts = append(parts, fmt.Sprintf("%d has the value of another: %s", it.Offset, it.Value))
		default:
			parts = append(parts, fmt.Sprint(it.Offset))
		}
	}
	return strings.Join(parts, " ")
}

func TestWalk(t *testing.T) {
	t.Parallel()
	const abort, commit = 0, 1
	for name, c := range map[string]struct {
		from, until int64
		batches     []protocol.RecordReader
		aborted     []fetchapi.ResponseTransaction
		want        string
		next        int64
	}{
		"nothing":                        {5, everything, nil, nil, "", 5},
		"records":                        {5, everything, []protocol.RecordReader{plain(5, 6), plain(7)}, nil, "5 6 7", 8},
		"a batch that begins before":     {5, everything, []protocol.RecordReader{plain(3, 4, 5, 6)}, nil, "5 6", 7},
		"holes":                          {5, everything, []protocol.RecordReader{plain(7), plain(8, 11)}, nil, "5-6:compacted 7 8 9-10:compacted 11", 12},
		"only a marker":                  {5, everything, []protocol.RecordReader{marker(1, 5, commit)}, nil, "5-5:transaction-marker", 6},
		"a marker at the end":            {5, everything, []protocol.RecordReader{transactional(1, 5, 6), marker(1, 7, commit)}, nil, "5 6 7-7:transaction-marker", 8},
		"a batch without what is wanted": {5, everything, []protocol.RecordReader{plain(3, 4)}, nil, "5-5:compacted", 6},
		"until":                          {5, 6, []protocol.RecordReader{plain(5, 6, 7), plain(8)}, nil, "5 6", 7},
		"until, in a hole":               {5, 6, []protocol.RecordReader{plain(5, 9)}, nil, "5 6-6:compacted", 7},
		"until, before a marker":         {5, 6, []protocol.RecordReader{plain(5, 6), marker(1, 7, commit)}, nil, "5 6", 7},
		"aborted":                        {5, everything, []protocol.RecordReader{transactional(1, 5, 6), marker(1, 7, abort), plain(8)}, []fetchapi.ResponseTransaction{{ProducerID: 1, FirstOffset: 5}}, "5-6:aborted-transaction 7-7:transaction-marker 8", 9},
		"aborted, begun before":          {5, everything, []protocol.RecordReader{transactional(1, 5), marker(1, 6, abort)}, []fetchapi.ResponseTransaction{{ProducerID: 1, FirstOffset: 2}}, "5-5:aborted-transaction 6-6:transaction-marker", 7},
		"aborted, between others":        {5, everything, []protocol.RecordReader{transactional(1, 5), transactional(2, 6), plain(7), marker(1, 8, abort), marker(2, 9, commit)}, []fetchapi.ResponseTransaction{{ProducerID: 1, FirstOffset: 5}}, "5-5:aborted-transaction 6 7 8-9:transaction-marker", 10},
		"committed, then aborted, then committed":   {5, everything, []protocol.RecordReader{transactional(1, 5), marker(1, 6, commit), transactional(1, 7), marker(1, 8, abort), transactional(1, 9), marker(1, 10, commit)}, []fetchapi.ResponseTransaction{{ProducerID: 1, FirstOffset: 7}}, "5 6-6:transaction-marker 7-7:aborted-transaction 8-8:transaction-marker 9 10-10:transaction-marker", 11},
		"aborted twice, listed in whatever order":   {5, everything, []protocol.RecordReader{transactional(1, 5), marker(1, 6, abort), transactional(1, 7), marker(1, 8, abort), transactional(1, 9)}, []fetchapi.ResponseTransaction{{ProducerID: 1, FirstOffset: 7}, {ProducerID: 1, FirstOffset: 5}}, "5-5:aborted-transaction 6-6:transaction-marker 7-7:aborted-transaction 8-8:transaction-marker 9", 10},
		"the marker of a transaction before":        {5, everything, []protocol.RecordReader{marker(1, 5, abort), transactional(1, 6), marker(1, 7, abort)}, []fetchapi.ResponseTransaction{{ProducerID: 1, FirstOffset: 6}}, "5-5:transaction-marker 6-6:aborted-transaction 7-7:transaction-marker", 8},
		"not transactional, though of the producer": {5, everything, []protocol.RecordReader{&protocol.RecordBatch{BaseOffset: 5, ProducerID: 1, Records: records(5)}}, []fetchapi.ResponseTransaction{{ProducerID: 1, FirstOffset: 5}}, "5", 6},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var ch chunk
			ch.reset(c.from)
			var from protocol.RecordReader = &protocol.RecordStream{Records: c.batches}
			if err := ch.walk(from, c.aborted, c.until); err != nil {
				t.Fatal(err)
			}
			if got := ch.text(); got != c.want || ch.next != c.next {
				t.Errorf("%q, next %d; want %q, %d", got, ch.next, c.want, c.next)
			}
		})
	}
}

func TestChunksForgetAndShareNothing(t *testing.T) {
	t.Parallel()
	var c chunk
	c.reset(0)
	var offsets []int64
	for o := range int64(1000) { // far more than the buffer has at first: it moves
		offsets = append(offsets, o)
	}
	if err := c.walk(&protocol.RecordStream{Records: []protocol.RecordReader{plain(offsets...)}}, nil, everything); err != nil {
		t.Fatal(err)
	}
	for i := range c.items {
		if string(c.items[i].Value) != fmt.Sprint("v", i) || string(c.items[i].Key) != "k" {
			t.Fatalf("record %d has key %q, value %q", i, c.items[i].Key, c.items[i].Value)
		}
	}
	c.buf = make([]byte, maxKept+1)
	c.reset(7)
	if c.buf != nil || len(c.items) != 0 || c.next != 7 {
		t.Error("a huge buffer is kept")
	}
}

// TestOffsetsBeyondTheLogAreNoHole flips a bit in where a batch begins, which
// its checksum does not cover.
func TestOffsetsBeyondTheLogAreNoHole(t *testing.T) {
	t.Parallel()
	var c chunk
	c.reset(5)
	c.high = 9
	err := c.walk(&protocol.RecordStream{Records: []protocol.RecordReader{plain(5, 6), plain(7 + 1<<20)}}, nil, everything)
	if !errors.Is(err, errUnreadable) || c.text() != "5 6" || c.next != 7 {
		t.Errorf("%v; %q, next %d", err, c.text(), c.next)
	}
}

// TestWhatIsAskedForFollowsWhatItUnpacksTo: events that compress to a tenth are
// held within the limit, and those that do not are fetched in as large parts.
func TestWhatIsAskedForFollowsWhatItUnpacksTo(t *testing.T) {
	t.Parallel()
	const limit = 4 << 20
	for _, ratio := range []int{1, 3, 10, 40} {
		l := newBrokerLog(nil, "", 0, limit, 0)
		for n := range 100 {
			got := l.ask * ratio
			l.unpacked(got, true)
			if n < 10 {
				continue
			}
			if got > limit+limit/4 || got < limit/2 {
				t.Fatalf("of what unpacks to %d times itself, fetch %d held %d bytes", ratio, n, got)
			}
		}
		asked := l.ask
		for range 100 { // a trickle says nothing about what a backlog unpacks to
			l.unpacked(1000, false)
		}
		if l.ask != asked {
			t.Errorf("after a trickle %d bytes are asked for, not %d", l.ask, asked)
		}
	}
}
