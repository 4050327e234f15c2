package ingest

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"unsafe"

	"github.com/segmentio/kafka-go/protocol"
	fetchapi "github.com/segmentio/kafka-go/protocol/fetch"

	"github.com/andmerada/andmerada/internal/event"
)

// Reasons of gaps: why offsets hold no event.
const (
	GapDeleted     = "deleted"             // the log begins after them: retention, or DeleteRecords
	GapCompacted   = "compacted"           // the log has no record there: compaction took it
	GapTransaction = "transaction-marker"  // a commit or abort marker of Kafka's
	GapAborted     = "aborted-transaction" // a record that its producer took back
)

// item is a record, or a gap from its offset on to last.
type item struct {
	Record
	gap  string // "" = a record
	last int64
}

// chunk is what one fetch brought, in order and without holes. Its memory is
// used again.
type chunk struct {
	items []item
	next  int64 // the offset after the last item
	bytes int
	held  int // about what it took to fetch it, with what the records lie in

	high   int64 // the log's end when it was fetched; 0 = not known
	behind bool  // there was more in the log when it was fetched
	failed error // why nothing comes after it
	when   interval

	buf     []byte
	headers []event.Header
}

// maxKept is how large a buffer may be to be used again: one huge record must
// not hold memory for ever.
const maxKept = 16 << 20

func (c *chunk) reset(next int64) {
	clear(c.items)
	clear(c.headers)
	c.items, c.headers, c.buf = c.items[:0], c.headers[:0], c.buf[:0]
	if cap(c.buf) > maxKept {
		c.buf = nil
	}
	c.next, c.bytes, c.held, c.high, c.behind, c.failed, c.when = next, 0, 0, 0, false, nil, interval{}
}

// gapTo adds a gap from next up to and without offset end.
func (c *chunk) gapTo(end int64, reason string) {
	if end <= c.next {
		return
	}
	if n := len(c.items); n > 0 && c.items[n-1].gap == reason {
		c.items[n-1].last = end - 1
	} else {
		c.items = append(c.items, item{Record: Record{Offset: c.next}, gap: reason, last: end - 1})
	}
	c.next = end
}

// copyOf reads a record's key or value.
func (c *chunk) copyOf(b protocol.Bytes) ([]byte, error) {
	if b == nil {
		return nil, nil
	}
	defer b.Close()
	n, start := b.Len(), len(c.buf)
	// What lies in an older array when this one grows stays valid there.
	c.buf = slices.Grow(c.buf, n)[:start+n]
	part := c.buf[start : start+n : start+n]
	if _, err := io.ReadFull(b, part); err != nil {
		return nil, fmt.Errorf("read a record: %w", err)
	}
	c.bytes += n
	c.held += n
	return part, nil
}

func (c *chunk) add(r *protocol.Record) error {
	key, err := c.copyOf(r.Key)
	if err != nil {
		return errors.Join(err, closeBytes(r.Value))
	}
	value, err := c.copyOf(r.Value)
	if err != nil {
		return err
	}
	start := len(c.headers)
	for _, h := range r.Headers {
		c.headers = append(c.headers, event.Header(h))
		c.bytes += len(h.Key) + len(h.Value)
		c.held += len(h.Key) + len(h.Value)
	}
	c.items = append(c.items, item{Record: Record{
		Offset: r.Offset, Time: r.Time, Key: key, Value: value, Headers: c.headers[start:len(c.headers):len(c.headers)],
	}})
	c.next = r.Offset + 1
	c.held += perItem + len(r.Headers)*perHeader
	return nil
}

// What records lie in, in bytes: an item, a header's two slices, and the page that
// the transport unpacks a batch into, however small that is.
const (
	perItem   = int(unsafe.Sizeof(item{}))
	perHeader = int(unsafe.Sizeof(event.Header{}))
	perBatch  = 64 << 10
)

func closeBytes(b protocol.Bytes) error {
	if b == nil {
		return nil
	}
	return b.Close()
}

// walk goes through what a fetch returned from offset c.next on, up to and with
// until. Brokers return whole batches, so that records before and after are
// passed over. Markers, and offsets that are not there, become gaps: a reader
// that only took records would stand still before a marker at the end.
func (c *chunk) walk(records protocol.RecordReader, aborted []fetchapi.ResponseTransaction, until int64) error {
	batches := []protocol.RecordReader{records}
	if stream, ok := records.(*protocol.RecordStream); ok {
		batches = stream.Records
	}
	taken := newAborts(aborted)
	began := c.next
	c.held += len(batches) * perBatch
	for _, batch := range batches {
		if err := c.batch(batch, taken, until); err != nil {
			return err
		}
	}
	if c.next == began && len(batches) > 0 && c.next <= until {
		if _, empty := records.(*protocol.RecordStream); empty {
			// The broker has a batch here, and no record of it from here on is
			// left: how far it reaches isn't told, so step over one offset.
			c.gapTo(c.next+1, GapCompacted)
		}
	}
	return nil
}

func (c *chunk) batch(batch protocol.RecordReader, taken aborts, until int64) error {
	reason := ""
	var marker *protocol.ControlBatch
	switch b := batch.(type) {
	case *protocol.ControlBatch:
		marker, reason = b, GapTransaction
	case *protocol.RecordBatch:
		if b.Attributes.Transactional() && taken.has(b.ProducerID, b.BaseOffset) {
			reason = GapAborted
		}
	}
	for {
		r, err := batch.ReadRecord()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read a batch of records: %w", err)
		}
		if c.high > 0 && r.Offset >= c.high {
			// The checksum does not cover where a batch begins. Taken for a hole,
			// all up to there would be passed over.
			return errors.Join(fmt.Errorf("%w: a record has offset %d, and the log ends at %d", errUnreadable, r.Offset, c.high), closeBytes(r.Key), closeBytes(r.Value))
		}
		skip := r.Offset < c.next || r.Offset > until
		if r.Offset >= c.next {
			c.gapTo(min(r.Offset, until+1), GapCompacted)
		}
		switch {
		case marker != nil:
			control, err := protocol.ReadControlRecord(r)
			if err != nil {
				return fmt.Errorf("read a transaction's marker: %w", err)
			}
			if control.Type == abortMarker {
				taken.end(marker.ProducerID, r.Offset)
			}
		case skip || reason != "":
			if err := errors.Join(closeBytes(r.Key), closeBytes(r.Value)); err != nil {
				return fmt.Errorf("pass over a record: %w", err)
			}
		default:
			if err := c.add(r); err != nil {
				return err
			}
			continue
		}
		if !skip {
			c.gapTo(r.Offset+1, reason)
		}
	}
}

// abortMarker is the type of a control record that ends a transaction as
// aborted (Kafka protocol, control records).
const abortMarker = 0

// aborts are the aborted transactions of a fetch: for each producer where they
// begin, in order. Each lasts until its abort marker.
type aborts map[int64][]int64

func newAborts(list []fetchapi.ResponseTransaction) aborts {
	a := make(aborts, len(list))
	for _, t := range list {
		a[t.ProducerID] = append(a[t.ProducerID], t.FirstOffset)
	}
	for _, firsts := range a {
		slices.Sort(firsts)
	}
	return a
}

func (a aborts) has(producer, offset int64) bool {
	firsts := a[producer]
	return len(firsts) > 0 && firsts[0] <= offset
}

// end takes an abort marker: of the transaction that began before it, which need
// not be one of those that the fetch is about.
func (a aborts) end(producer, marker int64) {
	if firsts := a[producer]; len(firsts) > 0 && firsts[0] < marker {
		a[producer] = firsts[1:]
	}
}
