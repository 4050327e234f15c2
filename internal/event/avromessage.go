package event

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// Decoder reads messages in every form, Avro included. The zero value knows no
// schema registry.
type Decoder struct {
	// Schema finds the schema that has an id in the registry. What it returns as
	// an error, Decode does; a *[Fault] says that the message cannot be read.
	Schema func(id uint32) (*Schema, error)
}

// Decode is [DecodeKafkaInto], and reads Confluent's wire format as well: a
// zero byte, four bytes of the schema's id, and the Avro data, or a whole
// CloudEvent by the CloudEvents Avro format.
func (d *Decoder) Decode(ev *Event, headers []Header, value []byte) error {
	r := newReader()
	defer r.free()
	*ev = Event{}
	r.schemas = d.Schema
	r.quick.on = true
	r.message(ev, headers, value)
	if r.quick.on = false; r.quick.used && r.fault != nil { // read again, for what is wrong
		r.fault = nil
		r.reset()
		r.schemas = d.Schema
		*ev = Event{}
		r.message(ev, headers, value)
	}
	switch {
	case r.unready != nil:
		return r.unready
	case r.fault != nil:
		return r.fault
	default:
		return nil
	}
}

// framed says whether a value is in Confluent's wire format, as far as one can
// see: no JSON begins with a zero byte.
func framed(value []byte) bool { return len(value) >= frame && value[0] == 0 }

// frame is how many bytes stand before the data.
const frame = 5

// isAvro says whether data of a content type are Avro.
func isAvro(media string) bool {
	switch media {
	case "application/avro", "avro/binary", "application/x-avro", "application/vnd.confluent.avro", "application/vnd.apache.avro", "application/x-avro-binary":
		return true
	default:
		return strings.HasSuffix(media, "+avro") || strings.HasPrefix(media, "application/vnd.apache.avro+")
	}
}

// isUnstated says whether a content type says nothing of what the data are.
func isUnstated(media string) bool {
	return media == "" || media == "application/octet-stream" || media == "binary/octet-stream"
}

// schemaOf finds the schema of a framed value; nil once stopped.
func (r *reader) schemaOf(value []byte, pointer string) *Schema {
	id := binary.BigEndian.Uint32(value[1:])
	if r.schemas == nil {
		r.stop(&Fault{
			Code: CodeSchemaUnknown, Pointer: pointer, Got: fmt.Sprintf("the schema with id %d", id), Want: "a schema registry to ask for it",
			Mend: "name the registry in the configuration (registry.urls)",
		})
		return nil
	}
	s, err := r.schemas(id)
	if err == nil {
		return s
	}
	if fault, ok := err.(*Fault); ok { //nolint:errorlint // one that is wrapped is not final
		f := *fault
		f.Pointer = pointer
		r.stop(&f)
		return nil
	}
	r.unready = err
	r.stop(&Fault{Code: CodeSchemaUnknown, Pointer: pointer})
	return nil
}

// avroData reads the data of an event whose type is known: in Confluent's wire
// format, or plain where dataschema names a schema of ours.
func (r *reader) avroData(ev *Event, data []byte, dataSchema string) {
	r.collect = false
	var s *Schema
	switch own, known := ownSchemas[dataSchema]; {
	case known && own == ev.Kind:
		s = readOwn()[own]
	case known:
		r.stop(&Fault{Code: CodeSchemaMismatch, Pointer: "/dataschema", Got: shown([]byte(dataSchema)), Want: SchemaURN(ev.Kind) + ", as the event's type says"})
		return
	case framed(data):
		if s = r.schemaOf(data, "/data"); s == nil {
			return
		}
		data = data[frame:]
	default:
		r.stop(&Fault{
			Code: CodeSchemaUnknown, Pointer: "/dataschema", Got: "Avro data that do not say by which schema",
			Want: "Confluent's wire format, or " + SchemaURN(ev.Kind) + " as dataschema", Mend: "write with a serializer of a schema registry",
		})
		return
	}
	p := &s.data[ev.Kind]
	if p.fault != nil {
		f := *p.fault
		f.Pointer = "/data"
		r.stop(&f)
		return
	}
	r.beginAvro(ev, data)
	p.read(r)
	r.endAvro("/data")
}

// SchemaURN names our own schema of a kind of event, for the CloudEvents
// attribute dataschema of plain Avro data.
func SchemaURN(kind Kind) string {
	return "urn:andmerada:avro:" + readerNames[kind] + ":1"
}

// ownSchemas are the schemas by which plain Avro data can be read.
var ownSchemas = map[string]Kind{
	SchemaURN(Processing): Processing, SchemaURN(FactEvent): FactEvent, SchemaURN(CohortPart): CohortPart,
}
