package event_test

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/andmerada/andmerada/internal/event"
)

// registry is schemas by their id, as a registry has them.
func registry(t testing.TB, texts ...string) *event.Decoder {
	t.Helper()
	all := map[uint32]*event.Schema{}
	for i, text := range texts {
		s, err := event.ParseSchema(text)
		if err != nil {
			t.Fatal(err)
		}
		all[uint32(i+1)] = s
	}
	return &event.Decoder{Schema: func(id uint32) (*event.Schema, error) {
		if s := all[id]; s != nil {
			return s, nil
		}
		return nil, &event.Fault{Code: event.CodeSchemaUnknown, Got: "an id that the registry does not have"}
	}}
}

// ownRegistry has our own schemas, by the number of the kind.
func ownRegistry(t testing.TB) *event.Decoder {
	t.Helper()
	return registry(t, event.AvroSchema(event.Processing), event.AvroSchema(event.FactEvent), event.AvroSchema(event.CohortPart))
}

// TestAvroReadsBackAsWritten holds that both forms give the event that was
// written.
func TestAvroReadsBackAsWritten(t *testing.T) {
	t.Parallel()
	own := ownRegistry(t)
	rapid.Check(t, func(t *rapid.T) {
		ev := genEvent().Draw(t, "event")
		for name, encode := range map[string]func(*event.Event) ([]event.Header, []byte, error){
			"confluent": func(ev *event.Event) ([]event.Header, []byte, error) {
				return event.EncodeConfluent(ev, uint32(ev.Kind))
			},
			"structured": event.EncodeAvroStructured,
		} {
			headers, value, err := encode(ev)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got := new(event.Event)
			if err := own.Decode(got, headers, value); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if !reflect.DeepEqual(got, ev) {
				t.Fatalf("%s:\ngot  %+v\nwant %+v", name, got, ev)
			}
		}
	})
}

func BenchmarkDecodeAvro(b *testing.B) {
	ev, err := event.DecodeKafka(benchHeaders, []byte(benchData))
	if err != nil {
		b.Fatal(err)
	}
	headers, framed, err := event.EncodeConfluent(ev, 1)
	if err != nil {
		b.Fatal(err)
	}
	structured, value, err := event.EncodeAvroStructured(ev)
	if err != nil {
		b.Fatal(err)
	}
	decoder := ownRegistry(b)
	for name, message := range map[string]struct {
		headers []event.Header
		value   []byte
	}{"confluent": {headers, framed}, "structured": {structured, value}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(message.value)))
			got := new(event.Event)
			for b.Loop() {
				if err := decoder.Decode(got, message.headers, message.value); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
