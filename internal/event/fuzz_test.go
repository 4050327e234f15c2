package event_test

import (
	"bytes"
	"errors"
	"io/fs"
	"reflect"
	"strings"
	"testing"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/frugaltest"
	"github.com/andmerada/andmerada/schemas"
)

var codes = func() map[event.Code]bool {
	m := map[event.Code]bool{}
	for _, c := range event.Codes() {
		m[c] = true
	}
	return m
}()

// FuzzDecodeKafka holds that every message is an event or a coded fault, that
// an event can be written and read back the same, and that Lint agrees.
func FuzzDecodeKafka(f *testing.F) {
	names, err := fs.Glob(schemas.FS, "examples/*.json")
	if err != nil {
		f.Fatal(err)
	}
	invalid, err := fs.Glob(schemas.FS, "examples/invalid/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range append(names, invalid...) {
		text, err := fs.ReadFile(schemas.FS, name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add("", "", "", "", text)
		if ev, err := event.DecodeKafka(nil, text); err == nil {
			data, err := event.Encode(ev)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(ev.Type, "2024-06-10T09:59:59.123456789+03:00", "application/json; charset=utf-8", "7", data)
		}
	}
	// What is made once, the schemas of the program's own, is not the input's.
	if _, err := event.DecodeKafka(nil, []byte{0, 0, 0, 0, 1, 0}); err == nil {
		f.Fatal("a schema was known by its number alone")
	}
	f.Add("ee.andmerada.access.v1", "2024-06-10T09:59:59Z", "", "", []byte(strings.Repeat("[", 100_000)))
	f.Add("", "", "application/cloudevents+json", "", []byte(`{"specversion":"1.0","data_base64":"e30=","x":1e999999,"y":"\ud800"}`))
	f.Add("", "", "application/cloudevents-batch+json", "", []byte("\ufeff[]"))
	f.Fuzz(func(t *testing.T, ceType, at, contentType, sequence string, value []byte) {
		var headers []event.Header
		if ceType != "" {
			headers = append(headers, header("CE_type", ceType), header("ce_time", at), header("ce_id", "1"), header("ce_source", "s"), header("ce_specversion", "1.0"))
		}
		if sequence != "" {
			headers = append(headers, header("ce_sequence", sequence))
		}
		if contentType != "" {
			headers = append(headers, header("content-type", contentType))
		}
		before := bytes.Clone(value)
		var ev *event.Event
		var err error
		size := len(value) + len(ceType) + len(at) + len(contentType) + len(sequence)
		frugaltest.Run(t, size, decodePerByte, decodeBase, func() { ev, err = event.DecodeKafka(headers, value) })
		if !bytes.Equal(before, value) {
			t.Fatal("the value was changed")
		}
		failed := false
		for _, finding := range event.Lint(headers, value) {
			failed = failed || finding.Severity == event.SeverityError
		}
		if failed != (err != nil) {
			t.Fatalf("lint finds errors: %v, the decoder: %v", failed, err)
		}
		if err != nil {
			var fault *event.Fault
			if !errors.As(err, &fault) || !codes[fault.Code] {
				t.Fatalf("not a coded fault: %v", err)
			}
			return
		}
		if ev.Time.IsZero() || ev.Controller == "" || ev.TypeName() != ev.Type {
			t.Fatalf("half an event: %+v", ev)
		}
		for _, encode := range []func(*event.Event) ([]event.Header, []byte, error){event.EncodeBinary, event.EncodeStructured} {
			h, v, err := encode(ev)
			if err != nil {
				t.Fatalf("cannot be written: %v\n%+v", err, ev)
			}
			again, err := event.DecodeKafka(h, v)
			if err != nil || !reflect.DeepEqual(again, ev) {
				t.Fatalf("read back differently: %v\n%+v\n%+v", err, ev, again)
			}
		}
	})
}

// FuzzDecodeFacts holds the same for facts.
func FuzzDecodeFacts(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"note":[]}`, `{"breach":{"exists":true,"kind":"payment","date":"2024-01-15","ended_on":null}}`, `{"necessity":"unknown"}`,
		`{"consent":[{"controller":"c","purpose":"p","given_at":"2023-05-02T09:00:00+03:00","withdrawn_at":null,"registered_in_crm":null}]}`,
		`{"opt_out":[],"request":{"type":"erasure","handled":false},"objection":"unknown"}`, `{"contract_end":"2024-06-10T22:30:00Z"}`, `{"addressee":"\u0000"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var facts event.Facts
		var err error
		frugaltest.Run(t, len(text), decodePerByte, decodeBase, func() { facts, err = event.DecodeFacts(text) })
		if err != nil {
			var fault *event.Fault
			if !errors.As(err, &fault) || !codes[fault.Code] {
				t.Fatalf("not a coded fault: %v", err)
			}
			return
		}
		again, err := event.DecodeFacts(facts.AppendJSON(nil))
		if err != nil || !reflect.DeepEqual(facts, again) {
			t.Fatalf("read back differently: %v\n%s\n%s", err, facts.AppendJSON(nil), again.AppendJSON(nil))
		}
	})
}
