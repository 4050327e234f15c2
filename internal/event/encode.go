package event

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Encode is the event's data as JSON, in canonical form.
func Encode(ev *Event) ([]byte, error) {
	var w writer
	if err := w.data(ev); err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	return w.b, nil
}

// EncodeBinary is the event as a Kafka message in binary mode. An event that
// [DecodeKafka] would not take is an error, a *[Fault].
func EncodeBinary(ev *Event) (headers []Header, value []byte, err error) {
	if value, err = Encode(ev); err != nil {
		return nil, nil, err
	}
	headers = make([]Header, 0, 9)
	add := func(key, value string) {
		if value != "" {
			headers = append(headers, Header{Key: key, Value: []byte(value)})
		}
	}
	add("ce_specversion", "1.0")
	eachAttribute(ev, func(name, value string) { add("ce_"+name, value) })
	add("content-type", plainJSON)
	return headers, value, recheck(headers, value)
}

// EncodeStructured is the event as a Kafka message in structured mode. An event
// that [DecodeKafka] would not take is an error, a *[Fault].
func EncodeStructured(ev *Event) (headers []Header, value []byte, err error) {
	var w writer
	w.open('{')
	w.opt("specversion", "1.0")
	eachAttribute(ev, w.opt)
	w.opt("datacontenttype", plainJSON)
	w.member("data")
	if err := w.data(ev); err != nil {
		return nil, nil, fmt.Errorf("encode event: %w", err)
	}
	w.close('}')
	headers = []Header{{Key: "content-type", Value: []byte("application/cloudevents+json; charset=utf-8")}}
	return headers, w.b, recheck(headers, w.b)
}

// recheck reads back what was written: what ingest would put into quarantine
// must not leave the source.
func recheck(headers []Header, value []byte) error {
	return recheckBy(new(Decoder), headers, value)
}

func recheckBy(d *Decoder, headers []Header, value []byte) error {
	if err := d.Decode(new(Event), headers, value); err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	return nil
}

// eachAttribute gives the context attributes that are stated, beside
// specversion and datacontenttype.
func eachAttribute(ev *Event, give func(name, value string)) {
	give("id", ev.ID)
	give("source", ev.Source)
	give("type", ev.TypeName())
	if !ev.Time.IsZero() {
		give("time", ev.Time.UTC().Format(time.RFC3339Nano))
	}
	if ev.Sequence != 0 {
		give("sequence", strconv.FormatUint(ev.Sequence, 10))
	}
	if ev.TraceParent != "" {
		give("traceparent", ev.TraceParent)
	}
}

// data appends the event's data.
func (w *writer) data(ev *Event) error {
	w.open('{')
	w.opt("controller", ev.Controller)
	w.persons("person", ev.Persons, len(ev.Persons) == 1)
	switch ev.Kind {
	case Processing:
		w.processing(ev)
	case FactEvent:
		if top := topFactsByName[ev.Fact.Name]; top != nil {
			w.member("value")
			w.fact(&ev.Fact.Value, top)
		} else if ev.Fact.Name != IdentityFact {
			return fmt.Errorf("there is no fact %q", ev.Fact.Name)
		}
		w.optTime("valid_from", ev.Fact.ValidFrom)
		if ev.Fact.AboutActor != "" || ev.Fact.AboutOrg != "" {
			w.member("about")
			w.open('{')
			w.opt("actor", ev.Fact.AboutActor)
			w.opt("recipient", ev.Fact.AboutOrg)
			w.close('}')
		}
	case CohortPart:
		w.cohort(&ev.Cohort)
		w.persons("members", ev.Cohort.Members, false)
	default:
		return errors.New("the event has no kind")
	}
	w.close('}')
	return nil
}

func (w *writer) processing(ev *Event) {
	w.cohort(&Cohort{ID: ev.Cohort.ID, Size: ev.Cohort.Size})
	if a := ev.Actor; a != (Actor{}) {
		w.member("actor")
		w.open('{')
		w.opt("id", a.ID)
		if a.Kind >= ActorHuman && a.Kind <= ActorPartner {
			w.opt("kind", actorKinds[a.Kind-ActorHuman])
		}
		w.opt("role", a.Role)
		w.opt("organisation", a.Organisation)
		w.opt("on_behalf_of", a.OnBehalfOf)
		w.close('}')
	}
	w.opt("purpose", ev.Purpose)
	w.texts("categories", ev.Categories)
	w.texts("fields", ev.Fields)
	w.optUint("records", ev.Records)
	if to := ev.Recipient; !to.IsZero() {
		w.member("recipient")
		w.open('{')
		w.opt("id", to.ID)
		w.opt("organisation", to.Organisation)
		w.opt("code", to.Code)
		w.opt("country", to.Country)
		w.close('}')
	}
	w.opt("data_source", ev.DataSource)
	if b := ev.Basis; b != (Basis{}) {
		w.member("basis")
		w.open('{')
		w.opt("kind", b.Kind)
		w.opt("reference", b.Reference)
		w.close('}')
	}
	w.opt("reason", ev.Reason)
	w.opt("channel", ev.Channel)
	if !ev.Statements.IsZero() {
		w.member("statements")
		w.b = ev.Statements.AppendJSON(w.b)
	}
}

func (w *writer) cohort(c *Cohort) {
	if c.ID == "" {
		return
	}
	w.member("cohort")
	w.open('{')
	w.opt("id", c.ID)
	w.optUint("size", c.Size)
	w.optUint("part", uint64(c.Part))
	w.optUint("parts", uint64(c.Parts))
	w.close('}')
}

func (w *writer) persons(name string, list []Person, alone bool) {
	if len(list) == 0 {
		return
	}
	w.member(name)
	if !alone {
		w.open('[')
	}
	for i := range list {
		w.open('{')
		w.opt("scheme", list[i].Scheme)
		w.opt("value", list[i].Value)
		w.close('}')
	}
	if !alone {
		w.close(']')
	}
}

func (w *writer) texts(name string, list []string) {
	if len(list) == 0 {
		return
	}
	w.member(name)
	w.open('[')
	for _, s := range list {
		w.text(s)
	}
	w.close(']')
}

// PartitionKey is the key of the event's Kafka message: 16 hexadecimal digits,
// the same for all events and facts of one person, so that they stay in order.
// It is made of the first person, or the cohort, or else of whom a fact is
// about. "" = none of these.
func PartitionKey(ev *Event) string {
	scheme, value := "", ""
	switch {
	case len(ev.Persons) > 0:
		scheme, value = ev.Persons[0].Scheme, ev.Persons[0].Value
	case ev.Cohort.ID != "":
		scheme, value = "cohort", ev.Cohort.ID
	case ev.Fact.AboutActor != "":
		scheme, value = "actor", ev.Fact.AboutActor
	case ev.Fact.AboutOrg != "":
		scheme, value = "recipient", ev.Fact.AboutOrg
	default:
		return ""
	}
	var text [3 * MaxID]byte
	b := append(text[:0], ev.Controller...)
	b = append(append(b, 0), scheme...)
	b = append(append(b, 0), value...)
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}
