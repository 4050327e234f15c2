package ingest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"testing"

	"github.com/segmentio/kafka-go/protocol"
	fetchapi "github.com/segmentio/kafka-go/protocol/fetch"

	"github.com/andmerada/andmerada/internal/frugaltest"
)

// Where the parts of a record batch stand on the wire, in bytes (Kafka protocol,
// record batch). The checksum covers what comes after it and nothing before.
const (
	wireCRC   = 17
	wireAfter = wireCRC + 4
	wireLeast = 61 // of a batch without records
)

// wireBatch is a batch of records as it comes from a broker.
func wireBatch(base, producer int64, attributes protocol.Attributes, values ...string) []byte {
	var records []byte
	for i, v := range values {
		r := []byte{0}
		r = binary.AppendVarint(r, 0)
		r = binary.AppendVarint(r, int64(i))
		r = binary.AppendVarint(r, -1)
		r = binary.AppendVarint(r, int64(len(v)))
		r = append(append(r, v...), 0)
		records = append(binary.AppendVarint(records, int64(len(r))), r...)
	}
	return sealBatch(base, producer, attributes, len(values), records)
}

func sealBatch(base, producer int64, attributes protocol.Attributes, n int, records []byte) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(base))
	b = binary.BigEndian.AppendUint32(b, uint32(wireLeast-12+len(records)))
	b = append(b, 0, 0, 0, 0, 2, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(attributes))
	b = binary.BigEndian.AppendUint32(b, uint32(n-1))
	b = append(b, make([]byte, 16)...)
	b = binary.BigEndian.AppendUint64(b, uint64(producer))
	b = append(b, 0, 0, 0, 0, 0, 0)
	b = append(binary.BigEndian.AppendUint32(b, uint32(n)), records...)
	binary.BigEndian.PutUint32(b[wireCRC:], crc32.Checksum(b[wireAfter:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

func wireMarker(base, producer int64, kind byte) []byte {
	r := []byte{0, 0, 0}
	r = append(binary.AppendVarint(r, 4), 0, 0, 0, kind)
	r = append(binary.AppendVarint(r, 6), make([]byte, 6)...)
	r = append(r, 0)
	return sealBatch(base, producer, protocol.Transactional|protocol.Control, 1, append(binary.AppendVarint(nil, int64(len(r))), r...))
}

// FuzzWalk holds what a fetch must give whatever batches a broker sends, whole
// or with bytes that its disk has changed: an error, or every offset once and in
// order, up to where it was asked, for no more memory than they take. What stands
// before an error is good.
func FuzzWalk(f *testing.F) {
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	f.Add(int64(5), int64(100), int64(0), int64(5), join(wireBatch(5, -1, 0, "v5", "v6"), wireBatch(9, -1, 0, "v9")))
	f.Add(int64(5), int64(6), int64(9), int64(5), wireBatch(3, -1, 0, "v3", "v4", "v5", "v6", "v7"))
	f.Add(int64(5), int64(100), int64(0), int64(5), join(wireBatch(5, 1, protocol.Transactional, "v5"), wireMarker(6, 1, 0), wireBatch(7, 1, protocol.Transactional, "v7"), wireMarker(8, 1, 1)))
	f.Add(int64(5), int64(100), int64(0), int64(1<<40), wireBatch(5, -1, protocol.Attributes(1), "not gzip"))
	f.Add(int64(5), int64(100), int64(7), int64(5), wireBatch(1<<62, -1, 0, "far"))
	f.Add(int64(0), int64(100), int64(0), int64(0), wireBatch(-5, -1, 0, "negative"))
	f.Add(int64(0), int64(100), int64(0), int64(0), wireBatch(0, -1, 0))
	whole := wireBatch(5, -1, 0, "v5")
	f.Add(int64(5), int64(100), int64(0), int64(5), whole[:len(whole)-1])
	for _, at := range []int{0, 8, 11, 16, wireCRC, wireAfter, wireLeast - 4, wireLeast} {
		changed := bytes.Clone(whole)
		changed[at] ^= 0x81
		f.Add(int64(5), int64(100), int64(0), int64(5), changed)
	}
	f.Add(int64(5), int64(100), int64(0), int64(5), []byte{0})
	f.Fuzz(func(t *testing.T, from, until, high, aborted int64, wire []byte) {
		if from < 0 || until < from || until > everything || high < 0 {
			t.Skip("no fetch asks that")
		}
		c := new(chunk)
		c.reset(from)
		c.high = high
		var err error
		// As a page holds what comes, and a batch's buffers are used again.
		frugaltest.Run(t, len(wire), 400, 2<<20, func() { err = c.wire(wire, aborted, until) })
		want := from
		for i := range c.items {
			it := &c.items[i]
			if it.Offset != want {
				t.Fatalf("offset %d after %d", it.Offset, want-1)
			}
			want = it.Offset + 1
			if it.gap != "" {
				want = it.last + 1
			}
			if want <= it.Offset {
				t.Fatalf("a gap from %d to %d", it.Offset, it.last)
			}
		}
		if c.next != want || c.next > until+1 {
			t.Fatalf("next is %d after %d, until %d: %v", c.next, want-1, until, err)
		}
	})
}

// wire walks through a record set as the transport reads it.
func (c *chunk) wire(wire []byte, aborted, until int64) error {
	framed := append(binary.BigEndian.AppendUint32(nil, uint32(len(wire))), wire...)
	var set recordSet
	if n, err := set.ReadFrom(bytes.NewReader(framed)); err != nil || n != int64(len(framed)) {
		return fmt.Errorf("%d of %d bytes read: %w", n, len(framed), err)
	}
	if set.failed != nil || len(set.batches) == 0 {
		return set.failed
	}
	return c.walk(&protocol.RecordStream{Records: set.batches}, []fetchapi.ResponseTransaction{{ProducerID: 1, FirstOffset: aborted}}, until)
}

// What the fuzzer makes batches of is what the transport takes for such.
func TestWire(t *testing.T) {
	t.Parallel()
	for want, wire := range map[string][]byte{
		"5 6": wireBatch(5, -1, 0, "v5", "v6"),
		"5-5:aborted-transaction 6-6:transaction-marker 7": bytes.Join([][]byte{wireBatch(5, 1, protocol.Transactional, "v5"), wireMarker(6, 1, 0), wireBatch(7, 1, protocol.Transactional, "v7")}, nil),
	} {
		c := new(chunk)
		c.reset(5)
		if err := c.wire(wire, 5, everything); err != nil || c.text() != want {
			t.Errorf("%s, want %s: %v", c.text(), want, err)
		}
	}
}

// TestBrokenBatchTakesNoneWithIt: one bit of a stored batch is another, in its
// length too, which no checksum covers. What stands before it is read, it and what
// comes after it is not, and the process lives.
func TestBrokenBatchTakesNoneWithIt(t *testing.T) {
	t.Parallel()
	good, bad, after := wireBatch(5, -1, 0, "v5", "v6"), wireBatch(7, -1, 0, "v7"), wireBatch(8, -1, 0, "v8")
	for at := range bad {
		for bit := range 8 {
			if at < 8 || at >= 12 && at < 16 {
				continue // where it begins, which TestOffsetsBeyondTheLogAreNoHole is about, and the leader's epoch
			}
			changed := bytes.Clone(bad)
			changed[at] ^= 1 << bit
			c := new(chunk)
			c.reset(5)
			if err := c.wire(bytes.Join([][]byte{good, changed, after}, nil), 5, everything); err != nil || c.text() != "5 6" {
				t.Errorf("byte %d, bit %d: %s, %v", at, bit, c.text(), err)
			}
			c.reset(7)
			err := c.wire(bytes.Join([][]byte{changed, after}, nil), 5, everything)
			if cut := at < 12 && changed[8]&0x80 == 0 && err == nil; c.text() != "" || !cut && !errors.Is(err, errUnreadable) {
				t.Errorf("byte %d, bit %d: %s, %v", at, bit, c.text(), err)
			}
		}
	}
}
