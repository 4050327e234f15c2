package event

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// AvroSchema is our own Avro schema of that kind of event: the one by which
// [EncodeAvro] writes, to be registered in a schema registry.
func AvroSchema(kind Kind) string {
	if kind < Processing || kind > CohortPart {
		return ""
	}
	return ownSchema(kind)
}

// EncodeAvro is the event's data in Avro's binary encoding, by [AvroSchema].
func EncodeAvro(ev *Event) ([]byte, error) {
	var w avroWriter
	if err := w.data(ev); err != nil {
		return nil, fmt.Errorf("encode event as Avro: %w", err)
	}
	return w.b, nil
}

// EncodeConfluent is the event as a Kafka message in binary mode, the data in
// Confluent's wire format. id is that of [AvroSchema] in the registry.
func EncodeConfluent(ev *Event, id uint32) (headers []Header, value []byte, err error) {
	w := avroWriter{b: append(make([]byte, 0, 512), 0)}
	w.b = binary.BigEndian.AppendUint32(w.b, id)
	if err := w.data(ev); err != nil {
		return nil, nil, fmt.Errorf("encode event as Avro: %w", err)
	}
	headers = make([]Header, 0, 9)
	add := func(key, value string) { headers = append(headers, Header{Key: key, Value: []byte(value)}) }
	add("ce_specversion", "1.0")
	eachAttribute(ev, func(name, value string) { add("ce_"+name, value) })
	add("content-type", plainAvro)
	own := Decoder{Schema: func(uint32) (*Schema, error) { return readOwn()[ev.Kind], nil }}
	return headers, w.b, recheckBy(&own, headers, w.b)
}

// EncodeAvroStructured is the event as a Kafka message that is one Avro value
// (CloudEvents Avro format 1.0), its data plain Avro by our own schema, which
// the attribute dataschema names.
func EncodeAvroStructured(ev *Event) (headers []Header, value []byte, err error) {
	data, err := EncodeAvro(ev)
	if err != nil {
		return nil, nil, err
	}
	var attributes avroWriter
	n := int64(0)
	add := func(name, value string) {
		n++
		attributes.text(name)
		attributes.long(3) // of null, boolean, int, string, bytes
		attributes.text(value)
	}
	add("specversion", "1.0")
	eachAttribute(ev, add)
	add("datacontenttype", plainAvro)
	add("dataschema", SchemaURN(ev.Kind))
	w := avroWriter{b: make([]byte, 0, len(attributes.b)+len(data)+8)}
	w.long(n)
	w.b = append(w.b, attributes.b...)
	w.long(0)
	w.long(0) // of data's branches the first: bytes
	w.text(string(data))
	headers = []Header{{Key: "content-type", Value: []byte(structuredAvro)}}
	return headers, w.b, recheckBy(new(Decoder), headers, w.b)
}

const plainAvro = "application/avro"

// avroWriter appends Avro's binary encoding, in the order of our own schemas.
type avroWriter struct{ b []byte }

func (w *avroWriter) long(n int64) { w.b = binary.AppendVarint(w.b, n) }

func (w *avroWriter) text(s string) {
	w.long(int64(len(s)))
	w.b = append(w.b, s...)
}

func (w *avroWriter) flag(v bool) {
	if v {
		w.b = append(w.b, 1)
		return
	}
	w.b = append(w.b, 0)
}

// branch begins the value of a union with null, and says whether there is one.
func (w *avroWriter) branch(there bool) bool {
	if there {
		w.long(1)
	} else {
		w.long(0)
	}
	return there
}

func (w *avroWriter) opt(s string) {
	if w.branch(s != "") {
		w.text(s)
	}
}

func (w *avroWriter) optUint(n uint64) {
	if w.branch(n != 0) {
		w.long(int64(n))
	}
}

func (w *avroWriter) optTime(t time.Time) {
	if w.branch(!t.IsZero()) {
		w.long(t.UnixMilli())
	}
}

func (w *avroWriter) texts(list []string) { items(w, list, func(s *string) { w.text(*s) }) }

func (w *avroWriter) persons(list []Person) {
	items(w, list, func(p *Person) {
		w.text(p.Scheme)
		w.text(p.Value)
	})
}

// items writes an array as one block.
func items[T any](w *avroWriter, list []T, one func(*T)) {
	if len(list) > 0 {
		w.long(int64(len(list)))
		for i := range list {
			one(&list[i])
		}
	}
	w.long(0)
}

func (w *avroWriter) data(ev *Event) error {
	switch ev.Kind {
	case Processing:
		w.processing(ev)
	case FactEvent:
		return w.fact(ev)
	case CohortPart:
		w.text(ev.Controller)
		c := &ev.Cohort
		w.text(c.ID)
		w.optUint(c.Size)
		w.optUint(uint64(c.Part))
		w.optUint(uint64(c.Parts))
		w.persons(c.Members)
	default:
		return errors.New("the event has no kind")
	}
	return nil
}

func (w *avroWriter) processing(ev *Event) {
	w.long(int64(ev.Operation)) // 0 is unspecified
	w.text(ev.Controller)
	w.persons(ev.Persons)
	if w.branch(ev.Cohort.ID != "") {
		w.text(ev.Cohort.ID)
		w.optUint(ev.Cohort.Size)
	}
	if a := &ev.Actor; w.branch(*a != Actor{}) {
		w.opt(a.ID)
		if w.branch(a.Kind != ActorUnstated) {
			w.long(int64(a.Kind)) // 0 is unspecified
		}
		w.opt(a.Role)
		w.opt(a.Organisation)
		w.opt(a.OnBehalfOf)
	}
	w.text(ev.Purpose)
	w.texts(ev.Categories)
	w.texts(ev.Fields)
	w.optUint(ev.Records)
	if to := &ev.Recipient; w.branch(!to.IsZero()) {
		w.opt(to.ID)
		w.opt(to.Organisation)
		w.opt(to.Code)
		w.opt(to.Country)
	}
	w.opt(ev.DataSource)
	if b := &ev.Basis; w.branch(*b != Basis{}) {
		w.opt(b.Kind)
		w.opt(b.Reference)
	}
	w.opt(ev.Reason)
	w.opt(ev.Channel)
	if w.branch(!ev.Statements.IsZero()) {
		w.facts(&ev.Statements)
	}
}

func (w *avroWriter) fact(ev *Event) error {
	if ev.Fact.Name != IdentityFact && topFactsByName[ev.Fact.Name] == nil {
		return fmt.Errorf("there is no fact %q", ev.Fact.Name)
	}
	w.text(ev.Controller)
	w.persons(ev.Persons)
	if w.branch(ev.Fact.Name != IdentityFact) {
		w.facts(&ev.Fact.Value)
	}
	w.optTime(ev.Fact.ValidFrom)
	if w.branch(ev.Fact.AboutActor != "" || ev.Fact.AboutOrg != "") {
		w.opt(ev.Fact.AboutActor)
		w.opt(ev.Fact.AboutOrg)
	}
	return nil
}

// facts writes a record of facts, in the order of the vocabulary.
func (w *avroWriter) facts(f *Facts) {
	for i := range topFacts {
		top := &topFacts[i]
		if !top.record && top.list == noList {
			w.value(f.values[top.fields[0]], vocabulary[top.fields[0]].Type)
			continue
		}
		if !w.branch(f.states(top)) {
			continue
		}
		switch top.list {
		case consentList:
			items(w, f.Consents.Entries, w.consent)
		case objectionList:
			items(w, f.Objections.Entries, func(e *Objection) {
				w.opt(e.Controller)
				w.opt(e.Purpose)
				w.optTime(e.MadeAt)
				w.opt(e.Outcome)
			})
		case optOutList:
			items(w, f.OptOuts.Entries, func(e *OptOut) {
				w.opt(e.Controller)
				w.opt(e.Scope)
				w.opt(e.MadeBy)
				w.optTime(e.MadeAt)
			})
		case requestList:
			items(w, f.Requests.Entries, func(e *Request) {
				w.opt(e.Controller)
				w.opt(e.Type)
				w.optTime(e.MadeAt)
				w.value(e.Handled, Bool)
			})
		default:
			for _, field := range top.fields {
				w.value(f.values[field], vocabulary[field].Type)
			}
		}
	}
}

func (w *avroWriter) consent(c *Consent) {
	w.opt(c.Controller)
	w.opt(c.Purpose)
	w.optTime(c.GivenAt)
	w.opt(c.GivenBy)
	w.opt(c.Form)
	w.value(c.RegisteredCRM, Bool)
	w.optTime(c.WithdrawnAt)
	w.opt(c.WithdrawalForm)
	w.opt(c.WithdrawnBy)
}

// value writes a fact: of null, how far it is known, and its type.
func (w *avroWriter) value(v Value, t FieldType) {
	switch v.State {
	case Absent:
		w.long(0)
	case Unknown:
		w.long(1)
		w.long(0)
	case Null:
		w.long(1)
		w.long(1)
	default:
		w.long(2)
		switch t {
		case Bool:
			w.flag(v.Bool)
		case Day:
			w.long(int64(v.Day))
		default:
			w.text(v.Text)
		}
	}
}
