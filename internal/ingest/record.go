package ingest

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"

	"github.com/andmerada/andmerada/internal/event"
)

// Record is one Kafka record, whole. A nil Key or Value is Kafka's null.
type Record struct {
	Offset  int64
	Time    time.Time // the record's timestamp, by the broker or the producer as the topic says
	Key     []byte
	Value   []byte
	Headers []event.Header
}

// Append appends the record's key, value and headers in the form in which the
// quarantine seals them and the trail hashes them: each part with its length
// plus one before it (uvarint), 0 for null; then how many headers there are,
// and each one's name and value. It is on disk and never changes.
func (r *Record) Append(dst []byte) []byte {
	dst = appendPart(dst, r.Key)
	dst = appendPart(dst, r.Value)
	dst = binary.AppendUvarint(dst, uint64(len(r.Headers)))
	for i := range r.Headers {
		dst = binary.AppendUvarint(dst, uint64(len(r.Headers[i].Key))+1)
		dst = append(dst, r.Headers[i].Key...)
		dst = appendPart(dst, r.Headers[i].Value)
	}
	return dst
}

func appendPart(dst, part []byte) []byte {
	if part == nil {
		return append(dst, 0)
	}
	dst = binary.AppendUvarint(dst, uint64(len(part))+1)
	return append(dst, part...)
}

// ErrRecord says that bytes are not what [Record.Append] makes.
var ErrRecord = errors.New("the bytes are not a record of the quarantine")

// ParseRecord reads what [Record.Append] made; offset and time are not in it.
// The record refers to b.
func ParseRecord(b []byte) (r Record, err error) {
	next := func() (part []byte) {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size)+1 {
			err, b = ErrRecord, nil
			return nil
		}
		b = b[size:]
		if n == 0 {
			return nil
		}
		part, b = b[:n-1:n-1], b[n-1:]
		return part
	}
	r.Key, r.Value = next(), next()
	count, size := binary.Uvarint(b)
	if err != nil || size <= 0 || count > uint64(len(b)) {
		return Record{}, ErrRecord
	}
	b = b[size:]
	for range count {
		key, value := next(), next()
		r.Headers = append(r.Headers, event.Header{Key: string(key), Value: value})
	}
	if err != nil || len(b) != 0 {
		return Record{}, ErrRecord
	}
	return r, nil
}

// Hash is what the trail and the quarantine hold as the record's body hash.
func (r *Record) Hash() [16]byte { return bodyHash(r.Append(nil)) }

// bodyHash is of the record's bytes as Append writes them: SHA-256, cut to 128
// bits.
func bodyHash(body []byte) [16]byte {
	sum := sha256.Sum256(body)
	return [16]byte(sum[:16])
}
