package intake

import (
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/event"
)

// Codes of what is wrong beside those of [event.Codes].
const (
	CodeUnknownToken      event.Code = "unknown-token"      // none, one that is not known, or one that has expired
	CodeForeignSource     event.Code = "foreign-source"     // the token may not write for this source
	CodeForeignController event.Code = "foreign-controller" // the token may not write for this controller
	CodeConflict          event.Code = "conflict"           // the same source and id with other content
	CodeUnconfirmed       event.Code = "unconfirmed"        // Kafka has not acknowledged it
	CodeBusy              event.Code = "busy"               // too much at once, here
	CodeTooFast           event.Code = "too-fast"           // more events a second than this source may send
	CodeTooSlow           event.Code = "too-slow"           // the request's body did not come in time
	CodeEncoding          event.Code = "content-encoding"   // the body cannot be unpacked
	CodeTime              event.Code = "time-implausible"   // before 2000, or about a day ahead or more
	CodeUnready           event.Code = "unready"            // what is needed to read it cannot be reached: the schema registry
)

// Codes lists every code that an answer can have beside [event.Codes].
func Codes() []event.Code {
	return []event.Code{
		CodeUnknownToken, CodeForeignSource, CodeForeignController, CodeConflict, CodeUnconfirmed, CodeBusy, CodeTooFast, CodeTooSlow, CodeEncoding, CodeTime, CodeUnready,
	}
}

// Fault is what is wrong with one event of a request. It never holds an
// identifier of a person.
type Fault struct {
	Item    int        `json:"item" minimum:"0" doc:"Index of the event in the batch; 0 if it is alone."`
	Code    event.Code `json:"code" doc:"One stable word."`
	Pointer string     `json:"pointer" doc:"JSON pointer (RFC 6901) into the event in its structured form, in binary mode too."`
	Got     string     `json:"got,omitempty" doc:"What is there; only its type or length where an identifier could stand."`
	Want    string     `json:"want,omitempty" doc:"What should be there."`
	Mend    string     `json:"mend,omitempty" doc:"What to write instead."`
}

// Problem is the body of an answer other than 200 and 202 (RFC 9457).
type Problem struct {
	Type    string     `json:"type" doc:"urn:andmerada:intake: and the code."`
	Title   string     `json:"title"`
	Status  int        `json:"status"`
	Code    event.Code `json:"code" doc:"That of the first error, or of the whole request."`
	Detail  string     `json:"detail" doc:"What it means, and what to do."`
	Errors  []Fault    `json:"errors,omitempty" doc:"What is wrong, event by event; 100 at the most."`
	Omitted int        `json:"omitted,omitempty" doc:"How many more errors there are."`

	retryAfter time.Duration // 0 = does not help
}

// Accepted is the body of an answer 200 or 202.
type Accepted struct {
	Accepted int `json:"accepted" doc:"How many events Kafka has acknowledged because of this request."`
	Repeated int `json:"repeated" doc:"How many it had already: they were not written again."`
}

// maxErrors bounds the list in one answer.
const maxErrors = 100

func problem(status int, code event.Code, detail string, faults ...Fault) *Problem {
	p := &Problem{Type: "urn:andmerada:intake:" + string(code), Title: http.StatusText(status), Status: status, Code: code, Detail: detail}
	p.Omitted = max(0, len(faults)-maxErrors)
	p.Errors = faults[:len(faults)-p.Omitted]
	return p
}

// after says when it may be tried again.
func (p *Problem) after(d time.Duration) *Problem {
	p.retryAfter = d
	return p
}

func (p *Problem) write(w http.ResponseWriter) error {
	h := w.Header()
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(p.retryAfter.Seconds()))))
	}
	switch p.Status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="andmerada intake"`)
	case http.StatusUnsupportedMediaType:
		if p.Code == CodeEncoding {
			h.Set("Accept-Encoding", "gzip")
		}
	}
	return writeJSON(w, "application/problem+json", p.Status, p)
}

func writeJSON(w http.ResponseWriter, contentType string, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, err = w.Write(append(body, '\n'))
	return err
}

// refusal is the answer to a request with faults. Its status is that of the
// worst: what no mending of the event helps against comes first.
func refusal(faults []Fault, items int) *Problem {
	slices.SortStableFunc(faults, func(a, b Fault) int { return a.Item - b.Item })
	status, detail := http.StatusUnprocessableEntity, "Ingest would not understand it. Mend the event and send it again."
	has := func(codes ...event.Code) bool {
		return slices.ContainsFunc(faults, func(f Fault) bool { return slices.Contains(codes, f.Code) })
	}
	all := func(code event.Code) bool {
		return !slices.ContainsFunc(faults, func(f Fault) bool { return f.Code != code })
	}
	switch {
	case has(CodeForeignSource, CodeForeignController):
		status, detail = http.StatusForbidden, "The token is not for this source or controller: send with the system's own token, or have its entry extended."
	case all(CodeConflict):
		status, detail = http.StatusConflict, "An event of this source and id, with other content, is accepted already, and stays as it is. Give each event an id of its own; to correct one, send another event."
	case all(event.CodeTooLarge):
		status, detail = http.StatusRequestEntityTooLarge, "The event is too large."
	}
	if items > 1 {
		detail += " Nothing of the batch was written."
	}
	return problem(status, faults[0].Code, detail, faults...)
}

func faultOf(item int, f *event.Fault) Fault {
	return Fault{Item: item, Code: f.Code, Pointer: f.Pointer, Got: f.Got, Want: f.Want, Mend: f.Mend}
}

// oneOf lists what is allowed.
func oneOf(list []string) string {
	const most = 5
	if len(list) > most {
		return strings.Join(list[:most], ", ") + "…"
	}
	return strings.Join(list, ", ")
}
