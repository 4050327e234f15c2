package event

import (
	"cmp"
	"slices"
	"strings"
)

// Severity says whether a finding keeps an event out.
type Severity string

// The severities.
const (
	SeverityError   Severity = "error"   // the event goes into quarantine
	SeverityWarning Severity = "warning" // it is taken, but something is lost or was meant otherwise
)

// Finding is one thing to mend in an event. It never holds an identifier of a
// person.
type Finding struct {
	Pointer  string   `json:"pointer"` // into the CloudEvent's structured form
	Code     Code     `json:"code"`
	Problem  string   `json:"problem"`
	Want     string   `json:"want,omitempty"`
	Mend     string   `json:"mend,omitempty"`
	Severity Severity `json:"severity"`
	Line     int      `json:"line,omitempty"`   // in the value, from 1; 0 = not in the value
	Column   int      `json:"column,omitempty"` // in bytes, from 1
}

// String is "error /data/purpose: purpose is missing; want …; mend".
func (f Finding) String() string {
	s := string(f.Severity)
	if f.Pointer != "" {
		s += " " + f.Pointer
	}
	s += ": " + f.Problem
	if f.Want != "" {
		s += "; want " + f.Want
	}
	if f.Mend != "" {
		s += "; " + f.Mend
	}
	return s
}

// Lint finds all that is wrong with a message, not only what [DecodeKafka]
// stumbles over first, and what is doubtful. No finding of severity error means
// that DecodeKafka takes the event. Of Avro it finds the first fault alone.
func Lint(headers []Header, value []byte) []Finding {
	r := newReader()
	defer r.free()
	r.collect = true
	ev := new(Event)
	r.message(ev, headers, value)
	l := linter{}
	for _, f := range r.faults {
		l.fault(f, value)
	}
	if r.fault != nil {
		l.fault(r.fault, value)
	}
	for _, u := range r.unread {
		l.add(Finding{
			Pointer: u.pointer, Code: CodeUnknownMember, Severity: SeverityWarning,
			Problem: "nothing reads this member", Mend: DidYouMean(u.name, u.known),
		})
	}
	binary := slices.ContainsFunc(headers, func(h Header) bool { return isCE(h.Key) })
	if r.fault == nil && ev.Kind != 0 {
		l.advise(ev)
		if r.ev == nil { // Avro has been held against its own schema
			l.schema(ev.Type, headers, value, binary)
		}
	}
	base := ""
	if binary {
		base = "/data"
	}
	locate(l.findings, value, base)
	slices.SortStableFunc(l.findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return l.findings
}

// linter gathers findings, one a place and severity.
type linter struct{ findings []Finding }

func (l *linter) add(f Finding) {
	if !slices.ContainsFunc(l.findings, func(g Finding) bool { return g.Pointer == f.Pointer && g.Severity == f.Severity && g.Pointer != "" }) {
		l.findings = append(l.findings, f)
	}
}

// covered says whether a fault is found already at that place, above or below.
func (l *linter) covered(pointer string) bool {
	return slices.ContainsFunc(l.findings, func(g Finding) bool {
		return g.Severity == SeverityError && (strings.HasPrefix(g.Pointer+"/", pointer+"/") || strings.HasPrefix(pointer+"/", g.Pointer+"/"))
	})
}

func (l *linter) fault(f *Fault, value []byte) {
	finding := Finding{Pointer: f.Pointer, Code: f.Code, Want: f.Want, Mend: f.Mend, Severity: SeverityError}
	name := f.Pointer[strings.LastIndexByte(f.Pointer, '/')+1:]
	if name == "" {
		name = "the message"
	}
	got := f.Got
	switch {
	case f.Code == CodeMissing:
		finding.Problem = name + " is missing"
	case f.Code == CodeUnknownOperation, f.Code == CodeUnknownFact, f.Code == CodeUnknownType:
		finding.Problem = "there is no " + strings.ReplaceAll(strings.TrimPrefix(string(f.Code), "unknown-"), "type", "event type") + " " + got
	case got == "":
		finding.Problem = name + " is not as it must be"
	default:
		finding.Problem = name + ": got " + got
	}
	if f.Offset > 0 {
		finding.Line, finding.Column = lineColumn(value, f.Offset)
	}
	l.add(finding)
}

// advise names what is allowed but makes answers poorer.
func (l *linter) advise(ev *Event) {
	advice := func(there bool, pointer, problem, mend string) {
		if !there {
			l.add(Finding{Pointer: pointer, Code: CodeAdvice, Severity: SeverityWarning, Problem: problem, Mend: mend})
		}
	}
	advice(ev.Sequence != 0, "/sequence", "no sequence: a lost event of this source will not be noticed", "count the source's events and send the count as the extension attribute sequence")
	advice(ev.TraceParent != "", "/traceparent", "no usable traceparent: the event cannot be tied to the request that caused it", "pass on the W3C trace context as the extension attribute traceparent")
	if ev.Kind == Processing {
		advice(ev.Actor.ID != "", "/data/actor", "no actor: who did it will not be known", `write {"actor":{"id":"…","kind":"human|service|partner"}}`)
		advice(!ev.Operation.HandsOver() || !ev.Recipient.IsZero(), "/data/recipient", "no recipient: "+ev.Operation.String()+" hands data over, and it will not be known to whom", `write {"recipient":{"id":"…"}}, or {"organisation":"…","code":"…","country":"…"}`)
	}
}
