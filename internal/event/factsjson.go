package event

import (
	"slices"
	"strings"
	"time"
)

// DecodeFacts reads a facts object: {"breach":{"exists":true},"consent":[…],
// "necessity":"unknown"}. A date is YYYY-MM-DD, or a time, of which the date
// is taken as it is written. "note" is ignored. The error is a *[Fault].
func DecodeFacts(json []byte) (Facts, error) { return DecodeFactsIn(json, nil) }

// DecodeFactsIn is [DecodeFacts] in a zone: the date of a time is the one in
// loc, and a date where a time is meant is that date's midnight in loc.
func DecodeFactsIn(json []byte, loc *time.Location) (Facts, error) {
	var f Facts
	if fault := precheck(json, ""); fault != nil {
		return f, fault
	}
	r := newReader()
	defer r.free()
	r.begin(json, "")
	r.facts(&f, factsOptions{loc: loc})
	r.end()
	if r.fault != nil {
		return Facts{}, r.fault
	}
	return f, nil
}

// factsOptions say how facts are read: those of a test case may leave out what
// an event must say.
type factsOptions struct {
	loc    *time.Location
	strict bool // an entry must say what it is to
	timed  bool // an entry must say its time
}

// facts reads a facts object.
func (r *reader) facts(f *Facts, o factsOptions) {
	r.object("an object of facts", func(name []byte) {
		if string(name) == "note" {
			r.raw()
			return
		}
		top := topFactsByName[string(name)]
		if top == nil {
			r.unknownFact(string(name), "")
			return
		}
		r.factValue(f, top, o)
	})
}

// unknownFact refuses a name that the vocabulary does not have; record is the
// record that it stands in.
func (r *reader) unknownFact(name, record string) {
	r.raw()
	if r.fault != nil {
		return
	}
	var names []string
	if top := topFactsByName[record]; top != nil {
		names = top.members
	} else {
		for i := range topFacts {
			names = append(names, topFacts[i].name)
		}
	}
	mend := DidYouMean(name, names)
	if outer, inner, dotted := strings.Cut(name, "."); dotted && topFactsByName[outer] != nil {
		mend = `write {"` + outer + `":{"` + inner + `":…}}`
	}
	r.fail(CodeUnknownFact, shown([]byte(name)), "a fact of the vocabulary", mend)
}

// factValue reads the value of one name of a facts object.
func (r *reader) factValue(f *Facts, top *topFact, o factsOptions) {
	switch top.list {
	case consentList:
		readList(r, &f.Consents, func(c *Consent) { r.consent(c, o) })
	case objectionList:
		readList(r, &f.Objections, func(e *Objection) { r.objection(e, o) })
	case optOutList:
		readList(r, &f.OptOuts, func(e *OptOut) { r.optOut(e, o) })
	case requestList:
		readList(r, &f.Requests, func(e *Request) { r.request(e, o) })
	default:
		if !top.record {
			f.Set(top.fields[0], r.scalar(top.fields[0], o.loc))
			return
		}
		if r.saidUnknown() {
			for _, field := range top.fields {
				f.Set(field, Value{State: Unknown})
			}
			return
		}
		r.object("an object", func(name []byte) {
			i := slices.Index(top.members, string(name))
			switch {
			case i >= 0:
				f.Set(top.fields[i], r.scalar(top.fields[i], o.loc))
			case string(name) == "note":
				r.raw()
			default:
				r.unknownFact(string(name), top.name)
			}
		})
	}
}

// saidUnknown reads null or "unknown", if that is next.
func (r *reader) saidUnknown() bool {
	if r.null() {
		return true
	}
	if r.kind() != '"' {
		return false
	}
	b := r.bytes(`an object, an array or "unknown"`, MaxID)
	if b != nil && string(b) != unknownWord {
		r.fail(CodeWrongType, shown(b), `an object, an array or "unknown"`, "")
	}
	return true
}

// unknownWord states that a fact is not known.
const unknownWord = "unknown"

// scalar reads the value of a scalar fact.
func (r *reader) scalar(field Field, loc *time.Location) Value {
	info := &vocabulary[field]
	switch r.kind() {
	case 'n':
		r.raw()
		if info.Nullable {
			return Value{State: Null}
		}
		return Value{State: Unknown}
	case 't', 'f':
		if info.Type != Bool {
			break
		}
		return BoolValue(string(r.raw()) == "true")
	case '"':
		b := r.bytes("", MaxID)
		if b == nil {
			return Value{}
		}
		if string(b) == unknownWord {
			return Value{State: Unknown}
		}
		switch info.Type {
		case Day:
			return r.day(b, loc)
		case Text:
			return r.textFact(b, info)
		default:
			r.fail(CodeWrongType, "a string", `true, false or "unknown"`, "")
			return Value{}
		}
	}
	want := map[FieldType]string{Bool: `true, false or "unknown"`, Text: "a string", Day: "a date (YYYY-MM-DD)"}[info.Type]
	r.wrongType(want, "")
	return Value{}
}

func (r *reader) textFact(b []byte, info *FieldInfo) Value {
	for _, v := range info.Values {
		if string(b) == v {
			return TextValue(v)
		}
	}
	switch {
	case info.Values != nil:
		r.fail(CodeBadValue, shown(b), oneOf(info.Values), DidYouMean(string(b), info.Values))
		return Value{}
	case len(b) == 0:
		r.fail(CodeBadValue, "an empty string", `a text or "unknown"`, "")
		return Value{}
	}
	return TextValue(string(b)) // not shared: it may name a person
}

// day reads a date, or the date of a time.
func (r *reader) day(b []byte, loc *time.Location) Value {
	if len(b) == len(time.DateOnly) {
		if d, err := ParseDate(string(b)); err == nil {
			return DayValue(d)
		}
	} else if t, err := time.Parse(time.RFC3339, string(b)); err == nil {
		if loc == nil {
			loc = t.Location()
		}
		return DayValue(DateOf(t, loc))
	}
	r.fail(CodeBadTime, shown(b), "a date (YYYY-MM-DD)", "")
	return Value{}
}

// parseTime reads an RFC 3339 time, in UTC and cut to the millisecond: that much
// is stored, and an event must be judged again as it was at first. Years that no
// calendar of ours can write again are refused.
func parseTime(b []byte) (time.Time, bool) {
	var t time.Time
	err := t.UnmarshalText(b)
	if err != nil { // it is stricter, and costs less
		t, err = time.Parse(time.RFC3339, string(b))
	}
	t = t.UTC().Truncate(time.Millisecond)
	if err != nil || t.IsZero() || t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}, false
	}
	return t, true
}

// when reads a time; null is none.
func (r *reader) when(loc *time.Location) time.Time {
	const want = "an RFC 3339 time with its offset, like 2024-06-10T09:59:59+03:00"
	if r.null() {
		return time.Time{}
	}
	b := r.bytes(want, MaxID)
	if b == nil {
		return time.Time{}
	}
	if t, ok := parseTime(b); ok {
		return t
	}
	if loc != nil {
		if t, err := time.ParseInLocation(time.DateOnly, string(b), loc); err == nil {
			return t.UTC()
		}
	}
	r.fail(CodeBadTime, shown(b), want, "")
	return time.Time{}
}
