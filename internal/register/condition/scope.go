package condition

import (
	"time"

	"github.com/andmerada/andmerada/internal/event"
)

// Scope is what one evaluation can see. Fill the exported fields, then call
// Use; a Scope may be used again for the next event.
type Scope struct {
	Event *event.Event
	Zone  *time.Location // the controller's

	PurposeOpenEnded bool     // the purpose's list of categories is open
	PurposeBasis     []string // legal bases the purpose rests on
	Uncovered        []string // the event's categories outside the purpose's list
	PurposeDeclared  bool     // the purpose is in the register
	CatchAllTakes    []string // categories that the purpose's catch-all may take in
	Recipient        RecipientState

	facts *event.Facts
	day   event.Date
	dated bool // day has been told

	channel event.Value
}

// RecipientState is what the register knows of the event's recipient.
type RecipientState uint8

// The states of a recipient.
const (
	RecipientNotStated RecipientState = iota // the event names none
	RecipientUndeclared
	RecipientDeclared // in the register; or the person itself
)

// Use makes the scope ready for the event and facts it has been given.
func (s *Scope) Use(facts *event.Facts) {
	s.facts, s.dated = facts, false
}

// Date is the event's day by the controller's calendar. It is told when it is
// first asked for: most events are judged without.
func (s *Scope) Date() event.Date {
	if !s.dated {
		s.day, s.dated = event.DateOf(s.Event.Time, s.Zone), true
	}
	return s.day
}

// Fact is what is said of a scalar fact. The channel is the event's own where
// nothing else is said of it.
func (s *Scope) Fact(field event.Field) *event.Value {
	v := s.facts.Ref(field)
	if field == event.Channel && v.State == event.Absent && s.Event.Channel != "" {
		s.channel = event.TextValue(s.Event.Channel)
		return &s.channel
	}
	return v
}

// Truth is what became of a condition.
type Truth uint8

// The three values.
const (
	False Truth = iota
	True
	Unknown
)

// String is "true", "false" or "unknown".
func (t Truth) String() string { return [...]string{"false", "true", "unknown"}[t] }

// Eval evaluates the condition. Missing names the facts for want of which it
// is unknown. A condition that fails to evaluate is unknown for want of
// "condition": the register is at fault, and a person must look.
func (c *Condition) Eval(s *Scope) (Truth, Missing) {
	switch v := c.eval(s); v.is {
	case no:
		return False, Missing{}
	case yes:
		return True, Missing{}
	case unknown:
		return Unknown, v.missing
	default:
		return Unknown, conditionMissing
	}
}

var conditionMissing = MissingNamed(missingCondition)
