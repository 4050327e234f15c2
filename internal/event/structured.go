package event

import (
	"bytes"
	"encoding/base64"
)

// structured reads an event that is one JSON object.
func (r *reader) structured(ev *Event, value []byte) {
	if fault := precheck(value, ""); fault != nil {
		r.stop(fault)
		return
	}
	r.begin(value, "")
	if r.kind() != '{' {
		if len(value) > 0 {
			r.raw() // it may not be JSON at all
		}
		r.stop(&Fault{Code: CodeNotCloudEvent, Got: "no ce_ headers and no JSON object", Want: "a CloudEvent in binary or structured mode"})
		return
	}
	var seen attributes
	var data, data64 []byte
	decoded := false
	whole := r.object("a CloudEvent", func(name []byte) {
		switch string(name) {
		case "data":
			// In one pass where what it depends on stands before it.
			if ev.Kind != 0 && seen.time && r.kind() == '{' {
				r.data(ev)
				decoded = true
			} else {
				data = r.raw()
			}
		case "data_base64":
			if !r.null() {
				data64 = bytes.Clone(r.bytes("base64", MaxValue))
			}
		default:
			if pointer, ok := attributePointer(string(name)); ok {
				r.member(ev, &seen, pointer)
				return
			}
			if r.collect {
				r.extension(string(name))
			}
			r.raw()
		}
	})
	r.end()
	if !whole || r.fault != nil {
		return
	}
	if !seen.spec && !seen.typ && !decoded {
		r.stop(&Fault{Code: CodeNotCloudEvent, Pointer: "/specversion", Got: "a JSON object without specversion, and no ce_ headers", Want: "a CloudEvent in binary or structured mode"})
		return
	}
	r.checkAttributes(ev, &seen)
	if data64 != nil {
		raw, err := base64.StdEncoding.DecodeString(string(data64))
		if err != nil {
			r.failAt("/data_base64", CodeBadValue, "text that is not base64", "base64 (RFC 4648 §4)", "")
			return
		}
		data = raw
	}
	switch {
	case r.fault != nil || ev.Kind == 0:
	case seen.avro && data64 != nil:
		r.avroData(ev, data, seen.schema)
	case seen.avro:
		r.failAt("/datacontenttype", CodeContentType, "Avro", "application/json for data that are written as JSON", "put Avro into data_base64")
	case decoded:
	case data == nil || string(data) == "null":
		r.failAt("/data", CodeMissing, "", "the event's data", "")
	default:
		r.jsonData(ev, data)
	}
}

// member reads a context attribute of a structured event: a string, or a
// number or boolean of an extension.
func (r *reader) member(ev *Event, seen *attributes, pointer string) {
	switch r.kind() {
	case 'n':
		r.raw()
	case '"':
		v := r.raw()
		if v == nil {
			return
		}
		r.attribute(ev, seen, pointer, r.unquote(v))
	case '0':
		if pointer == "/sequence" {
			r.attribute(ev, seen, pointer, r.raw())
			return
		}
		r.wrongType("a string", "")
	default:
		r.wrongType("a string", "")
	}
}
