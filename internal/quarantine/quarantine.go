// Package quarantine opens records of the quarantine and sends them to the
// event topic again, so that they take the same path once the source's data, a
// register or the program has been mended.
//
// A record is sent again once. That it will be is noted in ClickHouse before,
// that Kafka has acknowledged it after. A crash between the two leaves unknown
// whether the copy is in the topic: the next replay sends it again, and ingest
// flags the second of two events with the same source and id as a duplicate.
package quarantine

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/ingest"
	"github.com/andmerada/andmerada/internal/trail"
)

// ReplayHeader is the header of a copy: the place of the record it is a copy
// of, as topic/partition/offset.
const ReplayHeader = "andmerada_replay_of"

// MaxRecord is the largest record that is sent again, in bytes of key, value
// and headers: what a broker takes unless told otherwise, less what Kafka adds.
// A larger value than [event.MaxValue] would be refused by ingest anyway.
const MaxRecord = 1<<20 - 4096

// ErrPlace says that a text is not a place.
var ErrPlace = errors.New("a place is TOPIC/PARTITION/OFFSET, like andmerada.events/0/17")

// PlaceText writes a place as topic/partition/offset.
func PlaceText(p identity.Place) string {
	return fmt.Sprintf("%s/%d/%d", p.Topic, p.Partition, p.Offset)
}

// ParsePlace reads topic/partition/offset, or fails with [ErrPlace].
func ParsePlace(s string) (p identity.Place, err error) {
	parts := strings.Split(s, "/") // a topic's name has no slash
	if len(parts) != 3 || parts[0] == "" || len(s) > 400 {
		return p, ErrPlace
	}
	partition, err1 := strconv.ParseUint(parts[1], 10, 32)
	offset, err2 := strconv.ParseUint(parts[2], 10, 63)
	if err1 != nil || err2 != nil || partition > math.MaxInt32 {
		return p, ErrPlace
	}
	return identity.Place{Topic: parts[0], Partition: int32(partition), Offset: int64(offset)}, nil
}

// ParseRange reads topic/partition/first-last, both ends included, or fails with
// [ErrPlace].
func ParseRange(s string) (r trail.Range, err error) {
	text, last, found := cutLast(s, "-")
	p, err := ParsePlace(text)
	if err != nil || !found {
		return r, ErrPlace
	}
	end, err := strconv.ParseUint(last, 10, 63)
	if err != nil || int64(end) < p.Offset {
		return r, ErrPlace
	}
	return trail.Range{Topic: p.Topic, Partition: p.Partition, First: p.Offset, Last: int64(end)}, nil
}

// cutLast cuts at the last sep: a topic's name may have one too.
func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// ErrElsewhere says that the quarantine has only a record's place and hash.
var ErrElsewhere = errors.New("its bytes are in Kafka alone, at that place, until Kafka deletes them")

// Open unseals a record. It fails with [identity.ErrSealed] if another secret
// sealed it.
func Open(keys *identity.Keys, sealed []byte, at identity.Place) (ingest.Record, error) {
	if len(sealed) == 0 {
		return ingest.Record{}, fmt.Errorf("%s: %w", PlaceText(at), ErrElsewhere)
	}
	body, err := keys.Open(sealed, at)
	if err != nil {
		return ingest.Record{}, fmt.Errorf("%s: %w", PlaceText(at), err)
	}
	r, err := ingest.ParseRecord(body)
	if err != nil {
		return ingest.Record{}, fmt.Errorf("%s: %w", PlaceText(at), err)
	}
	r.Offset = at.Offset
	return r, nil
}

// mark makes a record a copy of the one at root: its bytes as they were and
// one header more, the last. A copy of a copy is the same bytes again.
func mark(r *ingest.Record, root identity.Place) {
	headers := make([]event.Header, 0, len(r.Headers)+1)
	for _, h := range r.Headers {
		if h.Key != ReplayHeader {
			headers = append(headers, h)
		}
	}
	headers = append(headers, event.Header{Key: ReplayHeader, Value: []byte(PlaceText(root))})
	r.Headers = headers
}
