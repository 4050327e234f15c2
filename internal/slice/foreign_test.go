package slice

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/andmerada/andmerada/internal/embedded/apachekafka"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/foreign/clients"
	"github.com/andmerada/andmerada/internal/ingest"
)

// TestApacheKafka: the same past by way of a real Apache Kafka, sent once by
// Andmerada's own emitter and once by a program of others' libraries, in all of
// their modes. Both become the same rows. What else they send goes to the
// quarantine, each with its reason, and stops nothing.
func TestApacheKafka(t *testing.T) {
	t.Parallel()
	past := newPast(t)
	broker := apachekafka.Start(t, apachekafka.Options{Partitions: partitions})

	own := newSlice(t, broker, "own")
	own.emit(past.events)
	own.ingest()
	own.verify(len(past.events), 0)

	foreign := newSlice(t, broker, "foreign")
	half := len(past.events) / 2
	var lines []any
	for _, ev := range past.events[:half] {
		lines = append(lines, eventLine(t, ev))
	}
	spoilt := poison(t)
	for i := range spoilt {
		lines = append(lines, spoilt[i].line())
	}
	for _, ev := range past.events[half:] {
		lines = append(lines, eventLine(t, ev))
	}
	places := foreign.node(lines)
	if len(places) != len(spoilt) {
		t.Fatalf("node says where %d records went, of %d", len(places), len(spoilt))
	}
	want := make(map[place]string)
	for i, at := range places {
		want[at] = spoilt[i].reason
	}
	events := len(past.events) + foreign.kcat(past)
	foreign.ingest()
	foreign.verify(events, len(spoilt)+1) // one of kcat's
	foreign.reasons(want)
	foreign.sameRows(own)
	foreign.holdAgainst(past)
	foreign.answers(past)
}

// eventLine is an event as the program in node takes it: structured, by our own
// encoder; what goes to Kafka is by the libraries of others.
func eventLine(t testing.TB, ev *event.Event) any {
	t.Helper()
	_, value, err := event.EncodeStructured(ev)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{"key": event.PartitionKey(ev), "event": json.RawMessage(value)}
}

// kcatSource is the source of what kcat sends, which is no part of the past.
const kcatSource = "//kcat.example"

// place is where a record is in the topic.
type place struct{ partition, offset int64 }

// node sends lines by the program in node, and returns where the records went
// that it was to send as they stand.
func (s *slice) node(lines []any) (places []place) {
	s.t.Helper()
	var in, out, failed bytes.Buffer
	encode := json.NewEncoder(&in)
	for _, line := range lines {
		if err := encode.Encode(line); err != nil {
			s.t.Fatal(err)
		}
	}
	node := clients.Node(s.t, "node/produce.mjs", s.broker, s.topic)
	node.Stdin, node.Stdout, node.Stderr = &in, &out, &failed
	if err := node.Run(); err != nil {
		s.t.Fatalf("node: %v\n%s", err, &failed)
	}
	for decode := json.NewDecoder(&out); decode.More(); {
		var at struct {
			Partition int64
			Offset    int64 `json:",string"`
		}
		if err := decode.Decode(&at); err != nil {
			s.t.Fatal(err)
		}
		places = append(places, place{at.Partition, at.Offset})
	}
	return places
}

// kcat sends an event in binary mode, compressed with zstd, and something that
// is none. The event is of a person that nobody else is. It returns how many
// events it has sent.
func (s *slice) kcat(p *past) int {
	s.t.Helper()
	send := func(value []byte, args ...string) {
		cmd := clients.Kcat(s.t, append([]string{"-P", "-b", s.broker, "-t", s.topic, "-p", "0", "-z", "zstd", "-X", "request.required.acks=-1"}, args...)...)
		cmd.Stdin = bytes.NewReader(value)
		if out, err := cmd.CombinedOutput(); err != nil {
			s.t.Fatalf("kcat: %v\n%s", err, out)
		}
	}
	headers, value, err := event.EncodeBinary(&event.Event{
		Kind: event.Processing, Operation: event.Access, ID: "kcat-1", Source: kcatSource, Time: p.manifest.End, Controller: "elektrum",
		Persons: []event.Person{{Scheme: "customer-number", Value: "KCAT-1"}}, Actor: event.Actor{ID: "k", Kind: event.ActorService},
		Purpose: "elektrum/billing", Categories: []string{"name"}, Records: 1,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	args := []string{"-k", "kcat"}
	for _, h := range headers {
		args = append(args, "-H", h.Key+"="+string(h.Value))
	}
	send(value, args...)
	send([]byte("this is no event"), "-H", "ce_id=kcat-2", "-H", "ce_source="+kcatSource, "-H", "ce_specversion=1.0", "-H", "ce_type=ee.andmerada.access.v1",
		"-H", "ce_time=2026-01-02T03:04:05Z", "-H", "content-type=application/json")
	return 1
}

// spoilt is a record that is no event, and why.
type spoilt struct {
	reason  string
	headers map[string]string
	value   []byte // nil = null
}

func (p *spoilt) line() any {
	return map[string]any{"key": "spoilt", "headers": p.headers, "value": p.value} // bytes are base64 in JSON
}

// poison is what goes wrong at sources.
func poison(t testing.TB) []spoilt {
	t.Helper()
	binary := map[string]string{
		"ce_specversion": "1.0", "ce_id": "p-1", "ce_source": "//spoilt.example", "ce_type": "ee.andmerada.access.v1",
		"ce_time": "2026-01-02T03:04:05Z", "content-type": "application/json",
	}
	with := func(name, value string) map[string]string {
		changed := make(map[string]string)
		for k, v := range binary {
			changed[k] = v
		}
		changed[name] = value
		return changed
	}
	const good = `{"controller":"elektrum","person":{"scheme":"customer-number","value":"C-1"},"actor":{"id":"a","kind":"human"},"purpose":"elektrum/billing","categories":["name"]}`
	data := func(old, now string) []byte {
		if !strings.Contains(good, old) {
			t.Fatalf("%s is not in the event", old)
		}
		return []byte(strings.Replace(good, old, now, 1))
	}
	structured := map[string]string{"content-type": "application/cloudevents+json; charset=utf-8"}
	return []spoilt{
		{string(event.CodeNotJSON), binary, []byte(good[:60])},
		{string(event.CodeWrongType), binary, data(`"elektrum/billing"`, `42`)},
		{string(event.CodeNotUTF8), binary, data("C-1", "C-\xff")},
		{string(event.CodeTooDeep), binary, data(`["name"]`, strings.Repeat("[", 5000)+strings.Repeat("]", 5000))},
		{string(event.CodeUnknownType), with("ce_type", "com.example.order.v1"), []byte(good)},
		{string(event.CodeUnknownOperation), with("ce_type", "ee.andmerada.peek.v1"), []byte(good)},
		{string(event.CodeBadTime), with("ce_time", "yesterday"), []byte(good)},
		{ingest.ReasonTime, with("ce_time", "2200-01-01T00:00:00Z"), []byte(good)},
		{ingest.ReasonTime, with("ce_time", "1970-01-01T00:00:00Z"), []byte(good)},
		{ingest.ReasonUnknownController, binary, data(`"elektrum"`, `"nobody"`)},
		{ingest.ReasonEmpty, binary, nil},
		{string(event.CodeNotCloudEvent), nil, []byte(`{"hello":"world"}`)},
		{string(event.CodeBatchMode), map[string]string{"content-type": "application/cloudevents-batch+json"}, []byte(`[]`)},
		{string(event.CodeNotJSON), structured, []byte(`{"specversion":"1.0",`)},
		{string(event.CodeMissing), structured, []byte(`{"specversion":"1.0","id":"p-2","source":"//spoilt.example","type":"ee.andmerada.access.v1","time":"2026-01-02T03:04:05Z"}`)},
	}
}

// reasons holds the quarantine against what was to go there; the record of kcat
// is told by its source.
func (s *slice) reasons(want map[place]string) {
	s.t.Helper()
	rows, err := s.conn.Query(s.ctx, "SELECT toInt64(partition), toInt64(offset), reason, source, size FROM quarantine")
	if err != nil {
		s.t.Fatal(err)
	}
	found := 0
	for rows.Next() {
		var at place
		var reason, source string
		var size uint32
		if err := rows.Scan(&at.partition, &at.offset, &reason, &source, &size); err != nil {
			s.t.Fatal(err)
		}
		expected, ok := want[at]
		if !ok && source == kcatSource {
			expected = string(event.CodeNotJSON)
		}
		if reason != expected || size == 0 {
			s.t.Errorf("the record at %v is in quarantine for %q, with %d bytes; it should be %q", at, reason, size, expected)
		}
		found++
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		s.t.Fatal(err)
	}
	if found < len(want) {
		s.t.Errorf("%d records are in quarantine, %d were to go there", found, len(want))
	}
}

// sameRows compares every column of the trail with that of another slice, but
// those that say where in Kafka and when a row was stored; and the cohorts.
func (s *slice) sameRows(other *slice) {
	s.t.Helper()
	const except = "topic, partition, offset, recorded, stored, judged_at, body_hash"
	queries := []string{
		"SELECT concat(source, ' ', event_id, ' ', toString(person_index)), formatRow('JSONEachRow', * EXCEPT (" + except + ")) FROM trail_rows WHERE source != '" + kcatSource + "'",
		"SELECT concat(controller, ' ', cohort_id, ' ', toString(part), ' ', hex(person)), toString(count()) FROM cohort_members GROUP BY controller, cohort_id, part, person",
	}
	for _, query := range queries {
		want, got := other.texts(query), s.texts(query)
		differ := 0
		for key, w := range want {
			if got[key] != w {
				if differ++; differ <= 5 {
					s.t.Errorf("%s\n  is  %s\n  not %s", key, got[key], w)
				}
			}
		}
		if differ > 0 || len(got) != len(want) || len(want) == 0 {
			s.t.Errorf("%d of %d rows differ; there are %d", differ, len(want), len(got))
		}
		s.t.Logf("%d rows are the same", len(want))
	}
}

func (s *slice) texts(query string) map[string]string {
	s.t.Helper()
	rows, err := s.conn.Query(s.ctx, query)
	if err != nil {
		s.t.Fatal(err)
	}
	all := make(map[string]string)
	for rows.Next() {
		var key, text string
		if err := rows.Scan(&key, &text); err != nil {
			s.t.Fatal(err)
		}
		if _, twice := all[key]; twice {
			s.t.Errorf("%s is there twice", key)
		}
		all[key] = text
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		s.t.Fatal(err)
	}
	return all
}
