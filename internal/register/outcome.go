package register

import "fmt"

// Outcome is what a rule, or all of them together, make of an event. The
// higher outcome beats the lower; the numbers are on disk and never change.
type Outcome uint8

// The outcomes.
const (
	NotApplicable Outcome = iota // the rule has nothing to say of the event
	Allowed                      // the notice permits it
	Review                       // the notice is silent, open or ambiguous, or a needed fact is unknown
	Violation                    // it contradicts the notice
)

var outcomeNames = [...]string{NotApplicable: "not-applicable", Allowed: "allowed", Review: "review", Violation: "violation"}

// String is the outcome's name, as in a register file.
func (o Outcome) String() string {
	if int(o) >= len(outcomeNames) {
		return fmt.Sprintf("outcome(%d)", uint8(o))
	}
	return outcomeNames[o]
}

// ParseOutcome finds the outcome of that name.
func ParseOutcome(name string) (Outcome, error) {
	for o, n := range outcomeNames {
		if n == name {
			return Outcome(o), nil
		}
	}
	return 0, fmt.Errorf("unknown verdict %q: write allowed, review, violation or not-applicable", name)
}

// MarshalText and UnmarshalText write and read the name.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads the name.
func (o *Outcome) UnmarshalText(b []byte) (err error) {
	*o, err = ParseOutcome(string(b))
	return err
}
