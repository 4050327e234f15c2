package event

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// AppendJSON appends the facts as a JSON object in canonical form: only what is
// stated, names in a fixed order, times in UTC. [DecodeFacts] reads it back to
// the same facts.
func (f *Facts) AppendJSON(dst []byte) []byte {
	w := writer{b: dst, start: len(dst)}
	w.open('{')
	for i := range topFacts {
		if top := &topFacts[i]; f.states(top) {
			w.member(top.name)
			w.fact(f, top)
		}
	}
	w.close('}')
	return w.b
}

// states says whether anything is stated under that name.
func (f *Facts) states(top *topFact) bool {
	switch top.list {
	case consentList:
		return f.Consents.Known
	case objectionList:
		return f.Objections.Known
	case optOutList:
		return f.OptOuts.Known
	case requestList:
		return f.Requests.Known
	}
	for _, field := range top.fields {
		if f.stated&(1<<field) != 0 {
			return true
		}
	}
	return false
}

// writer appends JSON. It puts the commas.
type writer struct {
	b     []byte
	start int
}

func (w *writer) comma() {
	if n := len(w.b); n > w.start {
		switch w.b[n-1] {
		case '{', '[', ':', ',':
		default:
			w.b = append(w.b, ',')
		}
	}
}

func (w *writer) open(c byte)        { w.comma(); w.b = append(w.b, c) }
func (w *writer) close(c byte)       { w.b = append(w.b, c) }
func (w *writer) raw(s string)       { w.comma(); w.b = append(w.b, s...) }
func (w *writer) uint(n uint64)      { w.comma(); w.b = strconv.AppendUint(w.b, n, 10) }
func (w *writer) member(name string) { w.text(name); w.b = append(w.b, ':') }

// text appends a string. Bytes that are not UTF-8 become U+FFFD: nothing that
// was decoded has any.
func (w *writer) text(s string) {
	w.comma()
	w.b, _ = jsontext.AppendQuote(w.b, s)
}

// opt appends a member, if there is a value.
func (w *writer) opt(name, value string) {
	if value != "" {
		w.member(name)
		w.text(value)
	}
}

func (w *writer) optUint(name string, n uint64) {
	if n != 0 {
		w.member(name)
		w.uint(n)
	}
}

func (w *writer) optTime(name string, t time.Time) {
	if !t.IsZero() {
		w.member(name)
		w.text(t.UTC().Format(time.RFC3339Nano))
	}
}

func (w *writer) optValue(name string, v Value, t FieldType) {
	if v.State != Absent {
		w.member(name)
		w.value(v, t)
	}
}

func (w *writer) value(v Value, t FieldType) {
	switch {
	case v.State == Null:
		w.raw("null")
	case v.State != Known:
		w.text(unknownWord)
	case t == Bool:
		w.raw(strconv.FormatBool(v.Bool))
	case t == Day:
		w.text(v.Day.String())
	default:
		w.text(v.Text)
	}
}

// fact appends the value under one name of a facts object.
func (w *writer) fact(f *Facts, top *topFact) {
	switch top.list {
	case consentList:
		writeList(w, f.Consents, w.consent)
	case objectionList:
		writeList(w, f.Objections, func(e *Objection) {
			w.opt("purpose", e.Purpose)
			w.optTime("made_at", e.MadeAt)
			w.opt("outcome", e.Outcome)
		})
	case optOutList:
		writeList(w, f.OptOuts, func(e *OptOut) {
			w.opt("scope", e.Scope)
			w.opt("made_by", e.MadeBy)
			w.optTime("made_at", e.MadeAt)
		})
	case requestList:
		writeList(w, f.Requests, func(e *Request) {
			w.opt("type", e.Type)
			w.optTime("made_at", e.MadeAt)
			w.optValue("handled", e.Handled, Bool)
		})
	default:
		if !top.record {
			w.value(f.values[top.fields[0]], vocabulary[top.fields[0]].Type)
			return
		}
		w.open('{')
		for i, field := range top.fields {
			w.optValue(top.members[i], f.values[field], vocabulary[field].Type)
		}
		w.close('}')
	}
}

func (w *writer) consent(c *Consent) {
	w.opt("purpose", c.Purpose)
	w.optTime("given_at", c.GivenAt)
	w.opt("given_by", c.GivenBy)
	w.opt("form", c.Form)
	w.optValue("registered_in_crm", c.RegisteredCRM, Bool)
	w.optTime("withdrawn_at", c.WithdrawnAt)
	w.opt("withdrawal_form", c.WithdrawalForm)
	w.opt("withdrawn_by", c.WithdrawnBy)
}

// writeList appends the entries; each begins with its controller.
func writeList[T Consent | Objection | OptOut | Request](w *writer, list List[T], members func(*T)) {
	w.open('[')
	for i := range list.Entries {
		w.open('{')
		w.opt("controller", controllerOf(&list.Entries[i]))
		members(&list.Entries[i])
		w.close('}')
	}
	w.close(']')
}

func controllerOf(entry any) string {
	switch e := entry.(type) {
	case *Consent:
		return e.Controller
	case *Objection:
		return e.Controller
	case *OptOut:
		return e.Controller
	case *Request:
		return e.Controller
	default:
		return ""
	}
}
