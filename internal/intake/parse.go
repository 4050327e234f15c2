package intake

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/binding/spec"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/andmerada/andmerada/internal/emit"
	"github.com/andmerada/andmerada/internal/event"
)

// Decode reads an event from a message of Kafka as ingest does. An error that is
// not a *[event.Fault] says that it cannot be told now whether the event is good.
type Decode func(ev *event.Event, headers []event.Header, value []byte) error

// item is one event of a request.
type item struct {
	record             emit.Record
	source, controller string
	key                [16]byte // of source and id
	content            [16]byte // of all that ingest reads of it, but traceparent
	traced             bool     // it states a traceparent
}

// reader is how an event is read.
type reader func(decode Decode, header http.Header, body []byte) (*item, error)

// mode says how a request carries events (CloudEvents HTTP binding §3).
func mode(header http.Header) (read reader, batch, known bool) {
	switch encoding := cehttp.NewMessage(header, nil).ReadEncoding(); {
	case encoding == binding.EncodingBatch:
		return readStructured, true, true
	case encoding == binding.EncodingStructured:
		return readStructured, false, true
	case isAvroFormat(header.Get("Content-Type")):
		return readWhole, false, true
	case encoding == binding.EncodingBinary:
		return readBinary, false, true
	default:
		return nil, false, false
	}
}

// isAvroFormat tells the CloudEvents Avro format, which the library does not
// know.
func isAvroFormat(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(media), "application/cloudevents+avro")
}

// unknownMode says what is wrong with a request in none of the modes.
func unknownMode(header http.Header) *Problem {
	for name := range header {
		if strings.HasPrefix(name, "Ce-") {
			return problem(http.StatusUnprocessableEntity, event.CodeNotCloudEvent, "It is no CloudEvent of version 1.0.",
				Fault{Code: event.CodeNotCloudEvent, Pointer: "/specversion", Want: `specversion "1.0"`, Mend: "Ce-Specversion: 1.0"})
		}
	}
	return problem(http.StatusUnsupportedMediaType, event.CodeContentType,
		"Send Content-Type: application/cloudevents+json for one event, application/cloudevents-batch+json for an array of them, or the event's attributes as ce-… headers.")
}

// readBinary reads an event whose attributes are headers and whose body is the
// data.
func readBinary(decode Decode, header http.Header, body []byte) (*item, error) {
	for name, values := range header {
		if attribute, is := strings.CutPrefix(name, "Ce-"); len(values) > 1 && (is || name == "Content-Type") {
			return nil, &event.Fault{Code: event.CodeDuplicate, Pointer: "/" + strings.ToLower(attribute), Got: "the same header twice", Want: "each attribute once"}
		}
	}
	var w recordWriter
	if err := cehttp.NewMessage(header, io.NopCloser(bytes.NewReader(body))).ReadBinary(context.Background(), &w); err != nil {
		var fault *event.Fault
		if !errors.As(err, &fault) {
			fault = &event.Fault{Code: event.CodeNotCloudEvent, Want: "an event in binary mode (CloudEvents HTTP binding §3.1)"}
		}
		return nil, fault
	}
	w.value = body
	return w.item(decode)
}

// structuredType is the header of an event in structured mode.
var structuredType = []event.Header{{Key: "content-type", Value: []byte("application/cloudevents+json")}}

// readStructured reads an event that is one JSON object, and makes a record in
// binary mode of it. The data stay as they stand in the text. The library's own
// reading is not used here: it fails without saying where, and loses numbers
// beyond 32 bits.
func readStructured(decode Decode, _ http.Header, text []byte) (*item, error) {
	ev := takeEvent()
	err := decode(ev, structuredType, text)
	giveEvent(ev)
	if err != nil {
		return nil, err
	}
	var w recordWriter
	if fault := w.object(text); fault != nil {
		return nil, fault
	}
	return w.item(decode)
}

// readWhole reads an event in a format that is written as it is.
func readWhole(decode Decode, header http.Header, body []byte) (*item, error) {
	w := recordWriter{contentType: header.Get("Content-Type"), value: body}
	it, err := w.item(decode)
	if err == nil {
		it.traced = true // its attributes are all in the value
	}
	return it, err
}

// events are used again: one is some kilobytes, most of them facts that are not
// stated.
var events = sync.Pool{New: func() any { return new(event.Event) }}

func takeEvent() *event.Event { return events.Get().(*event.Event) }

// giveEvent forgets whom the event was about.
func giveEvent(ev *event.Event) {
	*ev = event.Event{}
	events.Put(ev)
}

// recordWriter makes a record in binary mode of attributes and data.
type recordWriter struct {
	headers     []event.Header
	contentType string
	value       []byte
}

var _ binding.BinaryWriter = (*recordWriter)(nil)

// Start begins.
func (w *recordWriter) Start(context.Context) error { return nil }

// End ends.
func (w *recordWriter) End(context.Context) error { return nil }

// SetData leaves the body where it is: the caller has it.
func (w *recordWriter) SetData(io.Reader) error { return nil }

// SetAttribute takes an attribute of the specification.
func (w *recordWriter) SetAttribute(a spec.Attribute, value any) error {
	text, ok := value.(string)
	if !ok {
		return fmt.Errorf("the attribute %s is a %T", a.Name(), value)
	}
	if a.Kind() == spec.DataContentType {
		w.contentType = text // a header of HTTP, not encoded
		return nil
	}
	if fault := w.add(a.Name(), decodeHeader(text)); fault != nil {
		return fault
	}
	return nil
}

// SetExtension takes any other attribute.
func (w *recordWriter) SetExtension(name string, value any) error {
	text, ok := value.(string)
	if !ok {
		return fmt.Errorf("an extension is a %T", value)
	}
	if fault := w.add(name, decodeHeader(text)); fault != nil {
		return fault
	}
	return nil
}

// add refuses names that CloudEvents does not allow (§3.1); other readers of the
// topic would stumble on them.
func (w *recordWriter) add(name, value string) *event.Fault {
	if name == "" || len(name) > event.MaxName || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return &event.Fault{Code: event.CodeBadValue, Got: "an attribute with another name", Want: "names of attributes of lower-case letters and digits (CloudEvents 1.0 §3.1)"}
	}
	if len(w.headers) >= event.MaxHeaders {
		return &event.Fault{Code: event.CodeTooMany, Got: "more attributes", Want: fmt.Sprintf("at most %d", event.MaxHeaders)}
	}
	w.headers = append(w.headers, event.Header{Key: "ce_" + name, Value: []byte(value)})
	return nil
}

// object reads the members of an event in structured mode, which is known to be
// one.
func (w *recordWriter) object(text []byte) *event.Fault {
	dec := jsontext.NewDecoder(bytes.NewBuffer(text))
	broken := func(err error) *event.Fault {
		return &event.Fault{Code: event.CodeNotJSON, Pointer: "", Got: fmt.Sprintf("%T", err), Want: "JSON (RFC 8259)"}
	}
	if _, err := dec.ReadToken(); err != nil {
		return broken(err)
	}
	data := 0
	for dec.PeekKind() == '"' {
		token, err := dec.ReadToken()
		if err != nil {
			return broken(err)
		}
		name := token.String()
		value, err := dec.ReadValue()
		if err != nil {
			return broken(err)
		}
		end := int(dec.InputOffset())
		value = text[end-len(value) : end] // the decoder uses its own again
		attribute := string(value)
		switch value.Kind() {
		case 'n':
			continue // the same as not there (CloudEvents JSON format §2.2)
		case '"':
			plain, err := jsontext.AppendUnquote(nil, value)
			if err != nil {
				return broken(err)
			}
			attribute = string(plain)
		case '{', '[':
			if name != "data" {
				continue // no attribute is that: ingest ignores it too
			}
		}
		switch name {
		case "data":
			data++
			w.value = value
		case "data_base64":
			data++
			if w.value, err = base64.StdEncoding.DecodeString(attribute); err != nil {
				return &event.Fault{Code: event.CodeBadValue, Pointer: "/data_base64", Got: "text that is not base64", Want: "base64 (RFC 4648 §4)"}
			}
		case "datacontenttype":
			w.contentType = attribute
		default:
			if fault := w.add(name, attribute); fault != nil {
				return fault
			}
		}
	}
	if data > 1 {
		return &event.Fault{Code: event.CodeDuplicate, Pointer: "/data_base64", Got: "data and data_base64", Want: "one of them"}
	}
	return nil
}

// order is that in which attributes stand in a record; others follow by name.
var order = []string{"ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_sequence", "ce_traceparent"}

// maxRecord bounds a record: a broker takes a batch of 1 MiB unless told
// otherwise, its frame included.
const maxRecord = event.MaxValue - 4<<10

// item checks the record as ingest will.
func (w *recordWriter) item(decode Decode) (*item, error) {
	rank := func(key string) int {
		if i := slices.Index(order, key); i >= 0 {
			return i
		}
		return len(order)
	}
	slices.SortFunc(w.headers, func(a, b event.Header) int {
		if d := rank(a.Key) - rank(b.Key); d != 0 {
			return d
		}
		return strings.Compare(a.Key, b.Key)
	})
	if w.contentType == "" {
		w.contentType = "application/json"
	}
	w.headers = append(w.headers, event.Header{Key: "content-type", Value: []byte(w.contentType)})
	size := len(w.value)
	for _, h := range w.headers {
		size += len(h.Key) + len(h.Value)
	}
	if size > maxRecord {
		return nil, &event.Fault{Code: event.CodeTooLarge, Got: fmt.Sprintf("%d bytes", size), Want: fmt.Sprintf("at most %d bytes, attributes included", maxRecord), Mend: "name fewer persons, or a cohort"}
	}
	ev := takeEvent()
	defer giveEvent(ev)
	if err := decode(ev, w.headers, w.value); err != nil {
		return nil, err
	}
	content, err := contentOf(ev)
	if err != nil {
		return nil, &event.Fault{Code: event.CodeBadValue, Pointer: "/data", Want: "an event that can be written down again"}
	}
	return &item{
		record: emit.Record{Key: event.PartitionKey(ev), Headers: w.headers, Value: w.value},
		source: ev.Source, controller: ev.Controller, traced: ev.TraceParent != "",
		key: digest(ev.Source, ev.ID), content: content,
	}, nil
}

// trace gives the item the request's trace context if it has none of its own.
func (i *item) trace(parent string) {
	if parent == "" || i.traced {
		return
	}
	at := len(i.record.Headers) - 1 // before the content type, as emit has it
	i.record.Headers = slices.Insert(i.record.Headers, at, event.Header{Key: "ce_traceparent", Value: []byte(parent)})
}

// contentOf is a digest of all that is read of an event. How it was written does
// not matter: a repetition in another mode, or with other spaces, is the same.
func contentOf(ev *event.Event) ([16]byte, error) {
	data, err := event.Encode(ev)
	if err != nil {
		return [16]byte{}, err
	}
	return digest(ev.Type, ev.Time.UTC().Format(time.RFC3339Nano), fmt.Sprint(ev.Sequence), string(data)), nil
}

func digest(parts ...string) [16]byte {
	h := sha256.New()
	for _, p := range parts {
		_, _ = io.WriteString(h, p) // a hash does not fail
		_, _ = h.Write([]byte{0})   // no part holds a NUL
	}
	return [16]byte(h.Sum(nil))
}

// plausible is the decoder that looks at the event's time as ingest does.
func plausible(decode Decode, now func() time.Time) Decode {
	return func(ev *event.Event, headers []event.Header, value []byte) error {
		if err := decode(ev, headers, value); err != nil {
			return err
		}
		fault := &event.Fault{Code: CodeTime, Pointer: "/time", Got: ev.Time.Format(time.RFC3339), Mend: "the clock of the source is wrong, or the unit of its time"}
		switch {
		case ev.Time.Before(earliest):
			fault.Want = "a time since 2000"
		case ev.Time.After(now().Add(ahead)):
			fault.Want = "a time that has come: at most a day ahead"
		default:
			return nil
		}
		return fault
	}
}

// earliest and ahead are those of ingest, with an hour's room for clocks that
// differ.
var earliest = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

const ahead = 23 * time.Hour

// decodeHeader reads the value of an attribute in a header (CloudEvents HTTP
// binding §3.1.3.2): without quotes, then percent-decoded. What is no percent
// encoding stays as it is.
func decodeHeader(value string) string {
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
		var b strings.Builder
		inside := value[1 : len(value)-1]
		for i := 0; i < len(inside); i++ {
			if inside[i] == '\\' && i+1 < len(inside) {
				i++
			}
			b.WriteByte(inside[i])
		}
		value = b.String()
	}
	if !strings.Contains(value, "%") {
		return value
	}
	b := make([]byte, 0, len(value))
	for i := 0; i < len(value); i++ {
		if value[i] == '%' && i+2 < len(value) {
			var c [1]byte
			if _, err := hex.Decode(c[:], []byte(value[i+1:i+3])); err == nil {
				b = append(b, c[0])
				i += 2
				continue
			}
		}
		b = append(b, value[i])
	}
	return string(b)
}

// splitBatch takes the array of a batch apart (CloudEvents JSON format §4). The
// events are parts of the body.
func splitBatch(body []byte, limit int) ([][]byte, *Problem) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	var items [][]byte
	refuse := func(got string) *Problem {
		return refusal([]Fault{{Item: len(items), Code: event.CodeNotJSON, Got: got, Want: "a JSON array of events (CloudEvents JSON format §4)"}}, 2)
	}
	if token, err := dec.ReadToken(); err != nil || token.Kind() != '[' {
		return nil, refuse("no array")
	}
	for dec.PeekKind() != ']' {
		if len(items) == limit {
			return nil, problem(http.StatusRequestEntityTooLarge, event.CodeTooMany, fmt.Sprintf("At most %d events a batch: send several. Nothing was written.", limit))
		}
		value, err := dec.ReadValue()
		if err != nil {
			return nil, refuse(fmt.Sprintf("no JSON at or after byte %d", dec.InputOffset()))
		}
		end := int(dec.InputOffset())
		items = append(items, body[end-len(value):end])
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, refuse("no end")
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, refuse("more after the array")
	}
	return items, nil
}
