package event

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
func Lint(headers []Header, value []byte) []Finding {return nil}
