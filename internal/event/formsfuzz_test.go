package event_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/frugaltest"
	"github.com/andmerada/andmerada/schemas"
)

// What decoding may allocate: an event is large whatever it is read from, and
// each byte of input may become an entry of a list, which a bound ends.
const (
	decodeBase    = 512 << 10
	decodePerByte = 64
)

// headersText writes headers as a fuzzer changes them best: each on a line of
// its own, its name and its value apart by a colon.
func headersText(headers []event.Header) string {
	var b strings.Builder
	for _, h := range headers {
		b.WriteString(h.Key + ":" + string(h.Value) + "\n")
	}
	return b.String()
}

func textHeaders(text string) (headers []event.Header) {
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		headers = append(headers, header(name, value))
	}
	return headers
}

// hostileValues are what has broken other decoders, as values in whatever form.
func hostileValues() map[string][]byte {
	all := map[string][]byte{
		"nothing": {}, "a frame cut short": {0, 0, 0, 1}, "no magic": {1, 0, 0, 0, 1, 0}, "an id that is not there": frame(99, []byte{0}), "the last id": frame(1<<32-1, nil),
		"six bytes": frame(6, []byte{0xfe}), "a byte order mark": []byte("\ufeff{}"), "NUL": []byte("{\"id\":\"a\x00b\"}"), "bad UTF-8": []byte("{\"id\":\"\xff\xfe\"}"),
		"half a surrogate": []byte(`{"id":"\ud800"}`), "deep arrays": []byte(strings.Repeat("[", 5000)), "deep objects": []byte(strings.Repeat(`{"a":`, 5000)),
		"a large number": []byte(`{"sequence":1e999999}`), "a batch": []byte(`[{"specversion":"1.0"}]`), "many members": []byte("{" + strings.Repeat(`"a":1,`, 5000) + `"b":2}`),
		"empty entries": []byte(`{"specversion":"1.0","type":"ee.andmerada.use.v1","data":{"statements":{"consent":[` + strings.Repeat("{},", 5000) + `{}]}}}`),
	}
	for name, n := range huge {
		all["bomb "+name], all["bomb in a frame "+name] = n, frame(6, n)
	}
	return all
}

// FuzzDecodeForms holds, for any headers and any value, by a decoder that knows
// schemas, that the message is an event or a coded fault, that this costs no
// more than its size allows, and that headers and value are left as they were.
func FuzzDecodeForms(f *testing.F) {
	// By id: our own three, another's, the CloudEvents format, and one with a
	// list that nothing reads before all others.
	decoder := registry(f, append(fuzzSchemas(f), withField(f, `{"type":"array","items":"string"}`))...)
	ev := fullEvent(f)
	datum, err := event.EncodeAvro(ev)
	if err != nil {
		f.Fatal(err)
	}
	plain := headersOf(f, ev)
	attributes := slices.DeleteFunc(slices.Clone(plain), func(h event.Header) bool { return strings.EqualFold(h.Key, "content-type") })
	own := slices.Concat(attributes, []event.Header{header("content-type", "application/avro"), header("ce_dataschema", event.SchemaURN(event.Processing))})
	add := func(headers []event.Header, value []byte) { f.Add(headersText(headers), value) }
	for _, encode := range []func(*event.Event) ([]event.Header, []byte, error){
		event.EncodeBinary, event.EncodeStructured, event.EncodeAvroStructured,
		func(ev *event.Event) ([]event.Header, []byte, error) { return event.EncodeConfluent(ev, 1) },
	} {
		headers, value, err := encode(ev)
		if err != nil {
			f.Fatal(err)
		}
		add(headers, value)
		add(headers, value[:len(value)/2])
	}
	add(own, datum)
	add(nil, frame(5, envelopeOf(f, ev, "application/avro", "", object{"bytes": frame(1, datum)})))
	add([]event.Header{header("content-type", "application/cloudevents-batch+json")}, []byte("[]"))
	names, err := fs.Glob(schemas.FS, "examples/invalid/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(schemas.FS, name)
		if err != nil {
			f.Fatal(err)
		}
		add(nil, text)
	}
	f.Fuzz(func(t *testing.T, text string, value []byte) { checkForms(t, decoder, textHeaders(text), value) })
}

func checkForms(t *testing.T, decoder *event.Decoder, headers []event.Header, value []byte) {
	t.Helper()
	size := len(value)
	for _, h := range headers {
		size += len(h.Key) + len(h.Value)
	}
	before, beforeHeaders := bytes.Clone(value), headersText(headers)
	ev := new(event.Event)
	var err error
	frugaltest.Run(t, size, decodePerByte, decodeBase, func() { err = decoder.Decode(ev, headers, value) })
	if !bytes.Equal(before, value) || beforeHeaders != headersText(headers) {
		t.Fatal("the message was changed")
	}
	if err != nil {
		var fault *event.Fault
		if !errors.As(err, &fault) || !codes[fault.Code] || fault.Error() == "" || len(fault.Error()) > 4000 {
			t.Fatalf("not a coded fault: %v", err)
		}
		return
	}
	if ev.Time.IsZero() || ev.Controller == "" || ev.ID == "" || ev.Source == "" || ev.TypeName() != ev.Type {
		t.Fatalf("half an event: %+v", ev)
	}
	h, v, err := event.EncodeBinary(ev)
	if err != nil {
		t.Fatalf("cannot be written: %v\n%+v", err, ev)
	}
	again := new(event.Event)
	if err := decoder.Decode(again, h, v); err != nil || !reflect.DeepEqual(again, ev) {
		t.Fatalf("read back differently: %v\n%+v\n%+v", err, ev, again)
	}
}

// TestHostileForms holds the same of what has broken other decoders, under
// every content type. Not parallel: it measures.
func TestHostileForms(t *testing.T) {
	decoder := registry(t, append(fuzzSchemas(t), withField(t, `{"type":"array","items":"string"}`))...)
	ev := fullEvent(t)
	datum, err := event.EncodeAvro(ev)
	if err != nil {
		t.Fatal(err)
	}
	attributes := slices.DeleteFunc(headersOf(t, ev), func(h event.Header) bool { return strings.EqualFold(h.Key, "content-type") })
	values := hostileValues()
	for n := range datum { // cut short at each byte
		values["Avro "+string(binary.AppendUvarint(nil, uint64(n)))] = frame(1, datum[:n])
	}
	for _, value := range values {
		for _, media := range []string{"", "application/json", "application/avro", "application/cloudevents+json", "application/cloudevents+avro", "application/cloudevents-batch+json", "\xff"} {
			for _, some := range [][]event.Header{nil, attributes, append(slices.Clone(attributes), header("ce_dataschema", event.SchemaURN(event.Processing)))} {
				headers := append(slices.Clone(some), header("content-type", media))
				checkForms(t, decoder, headers, value)
				if err := decoder.Decode(new(event.Event), headers, value); err == nil {
					t.Errorf("%q as %q is an event", value, media)
				}
			}
		}
	}
	many := make([]event.Header, 100_000)
	checkForms(t, decoder, many, []byte("{}"))
	if !json.Valid(values["half a surrogate"]) {
		t.Error("it is to be JSON")
	}
}
