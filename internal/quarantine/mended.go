package quarantine

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/ingest"
)

// Mended is what somebody has made of a record that cannot be understood. It is
// sent in its place; the record itself stays in the quarantine as it was.
type Mended struct {
	By, Why string // who has mended it, and why; kept with the replay, in clear

	record ingest.Record
}

// structured is the content type of a mended record.
const structured = "application/cloudevents+json"

// Mend makes a record of an event as one JSON object (structured mode). One that
// ingest would not understand either is refused with its [event.Fault].
func Mend(value []byte, by, why string) (*Mended, error) {
	value = bytes.TrimSpace(value)
	headers := []event.Header{{Key: "content-type", Value: []byte(structured)}}
	ev, err := event.DecodeKafka(headers, value)
	switch {
	case by == "" || why == "":
		return nil, errors.New("say who has mended the record, and why")
	case err != nil:
		return nil, fmt.Errorf("the mended record: %w", err)
	case len(value) > MaxRecord:
		return nil, fmt.Errorf("the mended record has %d bytes, and at most %d can be sent", len(value), MaxRecord)
	}
	m := &Mended{By: by, Why: why, record: ingest.Record{Value: value, Headers: headers}}
	if key := event.PartitionKey(ev); key != "" {
		m.record.Key = []byte(key)
	}
	return m, nil
}

// copyOf is the record as it is sent in place of the one at root: the same bytes
// each time.
func (m *Mended) copyOf(root identity.Place) *ingest.Record {
	r := m.record
	mark(&r, root)
	return &r
}
