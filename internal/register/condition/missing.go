package condition

import (
	"math/bits"
	"slices"

	"github.com/andmerada/andmerada/internal/event"
)

// Missing is a set of names of what is not known: facts, and what an event
// leaves out. It is a value of two words, so that the verdict on an event can
// gather it without allocating.
type Missing [2]uint64

// What may be missing beside the facts of the vocabulary and the four lists.
const (
	missingCondition  = "condition" // the register is at fault: a condition could not be evaluated
	missingCountry    = "country"
	missingRegistered = "consent.registered_in_crm"
	missingHandled    = "request.handled"
)

// missingNames are all names that a Missing can hold, sorted.
var missingNames = func() []string {
	names := []string{
		"consent", "objection", "opt_out", "request", "purpose", "recipient",
		missingCondition, missingCountry, missingRegistered, missingHandled,
	}
	for _, f := range event.Vocabulary() {
		names = append(names, f.Name)
	}
	slices.Sort(names)
	if len(names) > 64*len(Missing{}) {
		panic("more facts than a Missing holds")
	}
	return names
}()

// MissingNamed is the set of that one name; it panics if there is none such.
func MissingNamed(name string) (m Missing) {
	i, ok := slices.BinarySearch(missingNames, name)
	if !ok {
		panic("nothing called " + name + " can be missing")
	}
	m[i/64] = 1 << (i % 64)
	return m
}

// And is the union of both sets: this and that is missing.
func (m Missing) And(n Missing) Missing { return Missing{m[0] | n[0], m[1] | n[1]} }

// None says that nothing is missing.
func (m Missing) None() bool { return m == Missing{} }

// Append appends the names to dst, sorted.
func (m Missing) Append(dst []string) []string {
	for w, word := range m {
		for ; word != 0; word &= word - 1 {
			dst = append(dst, missingNames[64*w+bits.TrailingZeros64(word)])
		}
	}
	return dst
}
