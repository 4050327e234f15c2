package event

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/hamba/avro/v2"
)

// envelope is what a whole CloudEvent in Avro says (CloudEvents Avro format
// 1.0): attributes, and the data as they stand.
type envelope struct {
	seen attributes
	data []byte // nil = none
	json bool   // they came as Avro that stands for JSON, and were written as such
}

// structuredAvro reads an event that is one Avro value: framed, by a schema of
// the registry, or else by that of the CloudEvents Avro format.
func (r *reader) structuredAvro(ev *Event, value []byte) {
	r.collect = false
	s := cloudEventSchema()
	if framed(value) { // plain, a zero byte would begin an event without attributes
		if s = r.schemaOf(value, ""); s == nil {
			return
		}
		value = value[frame:]
	}
	if f := s.envelope.fault; f != nil {
		r.stop(&Fault{Code: f.Code, Got: f.Got, Want: f.Want, Mend: f.Mend})
		return
	}
	var e envelope
	r.envelope = &e
	r.beginAvro(ev, value)
	s.envelope.read(r)
	r.endAvro("")
	r.envelope = nil
	if r.fault != nil {
		return
	}
	r.checkAttributes(ev, &e.seen)
	switch {
	case r.fault != nil:
	case e.data == nil:
		r.failAt("/data", CodeMissing, "", "the event's data", "")
	case e.json && e.seen.avro:
		r.failAt("/datacontenttype", CodeContentType, "Avro", "application/json for data that stand for JSON", "put Avro data into bytes")
	case e.seen.avro, !e.seen.contentType && framed(e.data):
		r.avroData(ev, e.data, e.seen.schema)
	default:
		r.jsonData(ev, e.data)
	}
}

var cloudEventSchema = sync.OnceValue(func() *Schema {
	s, err := ParseSchema(readSchema("cloudevent"))
	if err != nil {
		panic(fmt.Sprintf("our own schema cloudevent: %v", err)) // a test holds it
	}
	return s
})

// compileEnvelope makes the plan for a schema that is like the one of the
// CloudEvents Avro format: a record with a map "attribute" and "data".
func compileEnvelope(writer avro.Schema) plan {
	c := compiler{skips: make(map[avro.NamedSchema]*skip), values: make(map[avro.NamedSchema]*skip)}
	no := plan{fault: &Fault{
		Code: CodeNotCloudEvent, Got: "no ce_ headers, and " + kindOf(writer), Want: "a CloudEvent in binary mode, or by the CloudEvents Avro format",
		Mend: "send the attributes as headers ce_id, ce_source, ce_type, ce_time, ce_specversion",
	}}
	record, ok := deref(writer).(*avro.RecordSchema)
	if !ok {
		return no
	}
	var steps []step
	has := false
	for _, f := range record.Fields() {
		switch t := deref(f.Type()); f.Name() {
		case "attribute":
			m, ok := t.(*avro.MapSchema)
			if !ok {
				return no
			}
			has = true
			steps = append(steps, c.attributes(deref(m.Values())))
		case "data":
			steps = append(steps, c.envelopeData(t))
		default:
			steps = append(steps, c.skip(t).read)
		}
	}
	if !has {
		return no
	}
	if c.fault != nil {
		return plan{fault: c.fault}
	}
	return plan{read: func(r *reader) {
		for _, s := range steps {
			if s(r); r.fault != nil {
				return
			}
		}
	}}
}

// attributes reads the map of the attributes.
func (c *compiler) attributes(values avro.Schema) step {
	branches := []avro.Schema{values}
	union, isUnion := values.(*avro.UnionSchema)
	if isUnion {
		branches = union.Types()
	}
	put := make([]func(r *reader, pointer string), len(branches))
	for i, b := range branches {
		put[i] = attributeValue(deref(b).Type())
	}
	one := func(r *reader) {
		key := r.chunk()
		pointer, _ := attributePointer(string(key))
		n := int64(0)
		if isUnion {
			n = r.long()
		}
		if uint64(n) >= uint64(len(put)) {
			r.noBranch(len(put))
			return
		}
		if r.fault == nil {
			put[n](r, pointer)
		}
	}
	return func(r *reader) {
		for {
			count, _ := r.block()
			if count == 0 {
				return
			}
			for ; count > 0; count-- {
				if one(r); r.fault != nil {
					return
				}
			}
		}
	}
}

// attributeValue reads the value of an attribute, and hands it on as the text
// that stands for it (CloudEvents §3.1). pointer is empty for one that nothing
// reads.
func attributeValue(t avro.Type) func(r *reader, pointer string) {
	put := func(r *reader, pointer string, value []byte) {
		if pointer != "" && r.fault == nil {
			r.attribute(r.ev, &r.envelope.seen, pointer, value)
		}
	}
	switch t {
	case avro.Null:
		return func(*reader, string) {}
	case avro.String, avro.Bytes:
		return func(r *reader, pointer string) { put(r, pointer, r.chunk()) }
	case avro.Int, avro.Long:
		return func(r *reader, pointer string) { put(r, pointer, strconv.AppendInt(nil, r.long(), 10)) }
	case avro.Boolean:
		return func(r *reader, pointer string) { put(r, pointer, strconv.AppendBool(nil, r.flag())) }
	default:
		return func(r *reader, pointer string) {
			r.stop(&Fault{Code: CodeWrongType, Pointer: pointer, Got: string(t), Want: "a string, a boolean, an int or bytes"})
			r.in, r.pos = nil, 0
		}
	}
}

// envelopeData reads the data: bytes and strings as they are, all else as the
// JSON that it stands for.
func (c *compiler) envelopeData(w avro.Schema) step {
	switch w := w.(type) {
	case *avro.NullSchema:
		return nothing
	case *avro.UnionSchema:
		steps := make([]step, len(w.Types()))
		for i, b := range w.Types() {
			steps[i] = c.envelopeData(deref(b))
		}
		return func(r *reader) {
			n := r.long()
			if uint64(n) >= uint64(len(steps)) {
				r.noBranch(len(steps))
				return
			}
			if r.fault == nil {
				steps[n](r)
			}
		}
	}
	if t := w.Type(); t == avro.Bytes || t == avro.String {
		return func(r *reader) { r.envelope.data = r.chunk() }
	}
	value := c.json(w)
	return func(r *reader) {
		r.json = writer{}
		value.read(r)
		r.envelope.data, r.envelope.json = r.json.b, true
		r.json = writer{}
	}
}

// json makes the plan that writes a value as the JSON that it stands for. A
// record with the one field "value" is a JSON value by the format's schema.
func (c *compiler) json(w avro.Schema) *skip {
	named, _ := w.(avro.NamedSchema)
	if named != nil {
		if s := c.values[named]; s != nil {
			return s
		}
	}
	s := new(skip)
	if named != nil {
		c.values[named] = s
	}
	switch w := w.(type) {
	case *avro.RecordSchema:
		if len(w.Fields()) == 1 && w.Fields()[0].Name() == "value" {
			inner := c.json(deref(w.Fields()[0].Type()))
			s.read = inner.deeper
			return s
		}
	case *avro.MapSchema:
		s.read = jsonBlocks(c.json(deref(w.Values())), '{', '}')
	case *avro.ArraySchema:
		s.read = jsonBlocks(c.json(deref(w.Items())), '[', ']')
	case *avro.UnionSchema:
		branches := make([]*skip, len(w.Types()))
		for i, b := range w.Types() {
			branches[i] = c.json(deref(b))
		}
		s.read = func(r *reader) {
			n := r.long()
			if uint64(n) >= uint64(len(branches)) {
				r.noBranch(len(branches))
				return
			}
			if r.fault == nil {
				branches[n].read(r)
			}
		}
	default:
		s.read = jsonPrimitive(w.Type())
	}
	if s.read == nil {
		got := kindOf(w)
		s.read = func(r *reader) {
			r.stop(&Fault{Code: CodeWrongType, Pointer: "/data", Got: got, Want: "what stands for JSON, or bytes"})
			r.in, r.pos = nil, 0
		}
	}
	return s
}

func jsonPrimitive(t avro.Type) step {
	switch t {
	case avro.Null:
		return func(r *reader) { r.json.raw("null") }
	case avro.Boolean:
		return func(r *reader) { r.json.raw(strconv.FormatBool(r.flag())) }
	case avro.Int, avro.Long:
		return func(r *reader) { r.json.raw(strconv.FormatInt(r.long(), 10)) }
	case avro.Double:
		return func(r *reader) {
			b := r.take(8)
			if b == nil {
				return
			}
			f := math.Float64frombits(binary.LittleEndian.Uint64(b))
			if math.IsNaN(f) || math.IsInf(f, 0) {
				r.broken("a number that JSON does not have")
				return
			}
			format := byte('f')
			if math.Abs(f) > maxInteger {
				format = 'g'
			}
			r.json.raw(strconv.FormatFloat(f, format, -1, 64))
		}
	case avro.String:
		return func(r *reader) { r.jsonText(r.chunk()) }
	default:
		return nil
	}
}

// jsonText writes a string; bytes that are not UTF-8 are left for the reader of
// the JSON to refuse.
func (r *reader) jsonText(b []byte) {
	if b == nil {
		return
	}
	r.json.comma()
	quoted, err := jsontext.AppendQuote(r.json.b, b)
	if err != nil {
		r.stop(&Fault{Code: CodeNotUTF8, Pointer: "/data", Got: "bytes that are not UTF-8", Want: "UTF-8"})
		r.in, r.pos = nil, 0
		return
	}
	r.json.b = quoted
}

// jsonBlocks writes a map or an array.
func jsonBlocks(item *skip, first, last byte) step {
	return func(r *reader) {
		r.json.open(first)
		for {
			count, _ := r.block()
			if count == 0 {
				break
			}
			if count > int64(r.left()) { // items that take no bytes are none of JSON's
				r.short()
				return
			}
			for ; count > 0; count-- {
				if first == '{' {
					r.jsonText(r.chunk())
					r.json.b = append(r.json.b, ':')
				}
				if r.fault == nil {
					item.deeper(r)
				}
				if r.fault != nil {
					return
				}
			}
			if len(r.json.b) > MaxValue {
				r.stop(&Fault{Code: CodeTooLarge, Pointer: "/data", Got: "more", Want: fmt.Sprintf("at most %d bytes", MaxValue)})
				r.in, r.pos = nil, 0
				return
			}
		}
		r.json.close(last)
	}
}
