package foreign

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/foreign/clients"
	"github.com/andmerada/andmerada/internal/schemaregistry"
)

// versions are the writers in programs/evolve.py, and what an act of theirs says
// less than one of the first.
var versions = map[string]func(data map[string]any){
	"first":        nil,
	"added":        nil,
	"added_record": nil,
	"dropped": func(data map[string]any) {
		for _, name := range []string{"fields", "data_source", "channel", "statements"} {
			delete(data, name)
		}
	},
	"renamed": nil,
	"promoted": func(data map[string]any) {
		if n, ok := data["records"].(json.Number); ok && len(n) > 9 { // more than an int
			delete(data, "records")
		}
	},
	"demanded":  nil,
	"symbol":    func(data map[string]any) { delete(data["actor"].(map[string]any), "kind") },
	"reordered": nil,
	"micros":    nil,
	"referred":  nil,
}

// act is the line of an act for programs/evolve.py, and the event that it must
// become.
func act(t *testing.T, topic, version string, one sent, id string) (line []byte, want sent) {
	t.Helper()
	says := object(t, one.line)
	says["id"] = id
	line = marshal(t, map[string]any{"topic": topic, "version": version, "event": says})
	says = object(t, marshal(t, says))
	if less := versions[version]; less != nil {
		less(says["data"].(map[string]any))
	}
	want.line = marshal(t, says)
	var err error
	if want.event, err = event.DecodeKafka(nil, want.line); err != nil {
		t.Fatal(err)
	}
	return append(line, '\n'), want
}

// acts are the events that are none of facts and cohorts.
func acts(t *testing.T) (all []sent) {
	t.Helper()
	for _, one := range events(t) {
		if one.event.Kind == event.Processing {
			all = append(all, one)
		}
	}
	return all
}

// TestEvolution: older and newer writers, each with a schema of its own in the
// registry, write into one topic, and what they mean arrives.
func TestEvolution(t *testing.T) {
	const topic, baseline = "evolution", "evolution-own"
	w := newWorld(t, topic, baseline)
	var in bytes.Buffer
	var want []sent
	for i, one := range acts(t) {
		for _, version := range keys(versions) {
			line, expected := act(t, topic, version, one, fmt.Sprintf("%s-%d", version, i))
			in.Write(line)
			want = append(want, expected)
		}
	}
	emitted(t, w, baseline, want)
	run(t, clients.Python(t, "programs/evolve.py", w.broker, w.registry.URL, "../../schemas/avro"), in.Bytes())
	stop := w.ingest(w.schemas(schemaregistry.Config{}))
	for _, topic := range w.topics {
		w.await(topic, len(want))
	}
	stop()
	for _, topic := range w.topics {
		w.verify(topic, int64(len(want)), 0)
	}
	w.same(w.rows(baseline), w.rows(topic), topic)
}
