package event

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// DecodeKafka reads a CloudEvent from a Kafka message (CloudEvents 1.0, Kafka
// protocol binding): in binary mode, which is told by its ce_ headers, or in
// structured mode, told by the content type application/cloudevents+json or, with
// no headers at all, by the value being a JSON object with a specversion.
// Unknown members and extension attributes are ignored. The error is a
// *[Fault]. The event keeps nothing of headers and value.
func DecodeKafka(headers []Header, value []byte) (*Event, error) {
	ev := new(Event)
	if err := DecodeKafkaInto(ev, headers, value); err != nil {
		return nil, err
	}
	return ev, nil
}

// DecodeKafkaInto is [DecodeKafka] for those who use an Event again and again:
// it is large. What it held before is overwritten, in part even where the error
// is not nil; slices and strings in it are new.
func DecodeKafkaInto(ev *Event, headers []Header, value []byte) error {
	return new(Decoder).Decode(ev, headers, value)
}

// attributes are what the ce_ headers, or the members of a structured event,
// say beside the data.
type attributes struct {
	spec, id, source, typ, time, contentType bool // seen

	avro   bool   // by datacontenttype
	schema string // dataschema
}

// message reads a Kafka message in whatever mode it is.
func (r *reader) message(ev *Event, headers []Header, value []byte) {
	if len(value) > MaxValue {
		r.stop(tooLarge(value, ""))
		return
	}
	if len(headers) > MaxHeaders {
		r.stop(&Fault{Code: CodeTooMany, Got: fmt.Sprintf("%d headers", len(headers)), Want: fmt.Sprintf("at most %d", MaxHeaders)})
		return
	}
	binary, contentType := false, ""
	for i := range headers {
		switch key := headers[i].Key; {
		case isCE(key):
			binary = true
		case strings.EqualFold(key, "content-type"):
			contentType = constant(headers[i].Value)
		}
	}
	switch media := mediaType(contentType); {
	case strings.HasPrefix(media, "application/cloudevents-batch"):
		r.stop(&Fault{Code: CodeBatchMode, Pointer: "", Got: "a batch of events", Want: "one event a message", Mend: "batch mode: send one event a message"})
	case media == structuredJSON:
		r.structured(ev, value)
	case media == structuredAvro:
		r.structuredAvro(ev, value)
	case strings.HasPrefix(media, "application/cloudevents"):
		r.stop(&Fault{Code: CodeContentType, Got: shown([]byte(media)), Want: "application/cloudevents+json, or application/cloudevents+avro"})
	case binary:
		r.binary(ev, headers, contentType, value)
	case framed(value):
		r.structuredAvro(ev, value)
	default:
		r.structured(ev, value)
	}
}

const plainJSON = "application/json"

// constant is the text of a content type; the usual ones cost nothing.
func constant(b []byte) string {
	switch string(b) {
	case plainJSON:
		return plainJSON
	case plainAvro:
		return plainAvro
	case structuredJSON:
		return structuredJSON
	case structuredAvro:
		return structuredAvro
	default:
		return string(b)
	}
}

// The content types of structured mode.
const (
	structuredJSON = "application/cloudevents+json"
	structuredAvro = "application/cloudevents+avro"
)

// isCE says whether a header is an attribute in binary mode.
func isCE(key string) bool {
	return len(key) > 3 && (key[:3] == "ce_" || strings.EqualFold(key[:3], "ce_"))
}

// mediaType is a content type without its parameters, in small letters.
func mediaType(contentType string) string {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(media))
}

// precheck looks at the size and the nesting of a JSON text before it is read.
func precheck(value []byte, pointer string) *Fault {
	switch {
	case len(value) > MaxValue:
		return tooLarge(value, pointer)
	case bytes.HasPrefix(value, []byte("\ufeff")):
		return &Fault{Code: CodeNotJSON, Pointer: pointer, Got: "a byte order mark", Want: "JSON without one (RFC 8259 §8.1)"}
	case bytes.Count(value, []byte{'{'})+bytes.Count(value, []byte{'['}) > MaxDepth && depth(value) > MaxDepth:
		return &Fault{Code: CodeTooDeep, Pointer: pointer, Got: "deeper nesting", Want: fmt.Sprintf("at most %d levels", MaxDepth)}
	}
	return nil
}

func tooLarge(value []byte, pointer string) *Fault {
	return &Fault{
		Code: CodeTooLarge, Pointer: pointer, Got: fmt.Sprintf("%d bytes", len(value)), Want: fmt.Sprintf("at most %d bytes", MaxValue),
		Mend: "name fewer persons, or a cohort; never put contents into an event",
	}
}

// depth is how deep a text nests, if it is JSON.
func depth(value []byte) int {
	deepest, now := 0, 0
	for i := 0; i < len(value); i++ {
		switch value[i] {
		case '{', '[':
			now++
			deepest = max(deepest, now)
		case '}', ']':
			now--
		case '"':
			for i++; i < len(value) && value[i] != '"'; i++ {
				if value[i] == '\\' {
					i++
				}
			}
		}
	}
	return deepest
}

// binary reads an event whose attributes are headers and whose value is the
// data.
func (r *reader) binary(ev *Event, headers []Header, contentType string, value []byte) {
	var seen attributes
	for i := range headers {
		if key := headers[i].Key; isCE(key) {
			name := key[3:]
			pointer, ok := attributePointer(name)
			if !ok {
				name = strings.ToLower(name)
				pointer, ok = attributePointer(name)
			}
			if ok {
				r.attribute(ev, &seen, pointer, headers[i].Value)
			} else {
				r.extension(name)
			}
		} else if strings.EqualFold(key, "traceparent") && ev.TraceParent == "" {
			ev.TraceParent = r.traceParent(headers[i].Value)
		}
		if r.fault != nil {
			return
		}
	}
	r.checkAttributes(ev, &seen)
	unstated := !seen.contentType && isUnstated(mediaType(contentType)) && framed(value)
	if !seen.contentType && !unstated {
		r.dataType(&seen, contentType, "/datacontenttype")
	}
	switch {
	case r.fault != nil || ev.Kind == 0:
	case len(value) == 0:
		r.failAt("/data", CodeMissing, "no value", "the event's data", "")
	case seen.avro || unstated:
		r.avroData(ev, value, seen.schema)
	default:
		r.jsonData(ev, value)
	}
}

// jsonData reads data that are a JSON text.
func (r *reader) jsonData(ev *Event, data []byte) {
	if fault := precheck(data, "/data"); fault != nil {
		r.stop(fault)
		return
	}
	r.begin(data, "/data")
	r.data(ev)
	r.end()
}

// attributePointer is the pointer of an attribute that is read.
func attributePointer(name string) (pointer string, ok bool) {
	switch name {
	case "specversion":
		return "/specversion", true
	case "id":
		return "/id", true
	case "source":
		return "/source", true
	case "type":
		return "/type", true
	case "time":
		return "/time", true
	case "datacontenttype":
		return "/datacontenttype", true
	case "dataschema":
		return "/dataschema", true
	case "sequence":
		return "/sequence", true
	case "traceparent":
		return "/traceparent", true
	default:
		return "", false
	}
}

// attribute reads one attribute, by its pointer, from its text.
func (r *reader) attribute(ev *Event, seen *attributes, pointer string, value []byte) {
	if pointer == "/dataschema" {
		if _, own := ownSchemas[string(value)]; own {
			seen.schema = string(value)
		}
		return // any other says nothing here
	}
	switch {
	case len(value) > MaxID:
		r.failAt(pointer, CodeTooLong, fmt.Sprintf("%d bytes", len(value)), fmt.Sprintf("at most %d bytes", MaxID), "")
		return
	case isPlain(value):
	case !utf8.Valid(value):
		r.failAt(pointer, CodeNotUTF8, "bytes that are not UTF-8", "UTF-8", "")
		return
	case hasControl(value):
		r.failAt(pointer, CodeControlCharacter, "a control character", "text without control characters", "")
		return
	}
	value = bytes.TrimSpace(value)
	switch pointer {
	case "/specversion":
		if r.first(&seen.spec, pointer) && string(value) != "1.0" {
			r.failAt(pointer, CodeNotCloudEvent, shown(value), `specversion "1.0"`, "")
		}
	case "/id":
		if r.first(&seen.id, pointer) {
			ev.ID = r.string(value)
		}
	case "/source":
		if r.first(&seen.source, pointer) {
			ev.Source = r.shared(value)
		}
	case "/type":
		if r.first(&seen.typ, pointer) {
			r.setType(ev, value, pointer)
		}
	case "/time":
		if r.first(&seen.time, pointer) {
			var ok bool
			if ev.Time, ok = parseTime(value); !ok {
				r.failAt(pointer, CodeBadTime, shown(value), "an RFC 3339 time with its offset, like 2024-06-10T09:59:59+03:00", "")
			}
		}
	case "/datacontenttype":
		if r.first(&seen.contentType, pointer) {
			r.dataType(seen, string(value), pointer)
		}
	case "/sequence":
		n, err := strconv.ParseUint(string(value), 10, 64)
		if err != nil {
			r.failAt(pointer, CodeBadValue, shown(value), "the source's counter: a whole number", "")
		}
		ev.Sequence = n
	case "/traceparent":
		ev.TraceParent = r.traceParent(value)
	}
}

// first says whether an attribute has not been seen before.
func (r *reader) first(seen *bool, pointer string) bool {
	if *seen {
		r.failAt(pointer, CodeDuplicate, "the same attribute twice", "each attribute once", "")
		return false
	}
	*seen = true
	return true
}

// extension notes an attribute that nothing reads, if it may be a misspelt one.
func (r *reader) extension(name string) {
	switch name {
	case "subject", "partitionkey", "tracestate":
	default:
		if r.collect && r.fault == nil && nearest(name, attributeNames) != "" {
			r.unread = append(r.unread, unreadMember{pointer: "/" + name, name: name, known: attributeNames})
		}
	}
}

var attributeNames = []string{"specversion", "id", "source", "type", "time", "datacontenttype", "sequence", "traceparent", "data", "data_base64"}

// dataType refuses data that are neither JSON nor Avro.
func (r *reader) dataType(seen *attributes, contentType, pointer string) {
	switch media := mediaType(contentType); {
	case isAvro(media):
		seen.avro = true
	case media == "", media == plainJSON, media == "text/json", strings.HasSuffix(media, "+json"):
	default:
		r.failAt(pointer, CodeContentType, shown([]byte(media)), "application/json, or application/avro", "")
	}
}

// checkAttributes reports the required attributes that are not there.
func (r *reader) checkAttributes(ev *Event, seen *attributes) {
	if r.fault != nil {
		return
	}
	if !seen.spec {
		r.failAt("/specversion", CodeNotCloudEvent, "", `specversion "1.0"`, "")
	}
	miss := func(there bool, pointer, want string) {
		if !there {
			r.failAt(pointer, CodeMissing, "", want, "")
		}
	}
	miss(ev.ID != "", "/id", "an id that is unique within the source")
	miss(ev.Source != "", "/source", "the system that sends the event")
	miss(seen.typ, "/type", "ee.andmerada.<operation>.v1")
	miss(seen.time, "/time", "when it happened (RFC 3339)")
}

// traceParent is a W3C trace context, "" if it is none: a broken one is
// ignored, as its specification asks (§3.2.2).
func (r *reader) traceParent(value []byte) string {
	if len(value) != 55 || value[2] != '-' || value[35] != '-' || value[52] != '-' {
		return ""
	}
	for i, c := range value {
		if i != 2 && i != 35 && i != 52 && (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return ""
		}
	}
	return r.string(value)
}
