package condition

import "github.com/andmerada/andmerada/internal/event"

// tri is a truth value that knows not to know; failed is a condition that
// cannot be evaluated, such as a date of null before another date.
type tri uint8

const (
	no tri = iota
	yes
	unknown
	failed
)

func triOf(v event.Value) tri {
	if v.State != event.Known {
		return unknown
	}
	return is(v.Bool)
}

func is(b bool) tri {
	if b {
		return yes
	}
	return no
}

// or, and and not are Kleene's.
func (t tri) or(u tri) tri {
	switch {
	case t == yes || u == yes:
		return yes
	case t == unknown || u == unknown:
		return unknown
	default:
		return no
	}
}

func (t tri) and(u tri) tri { return t.not().or(u.not()).not() }

func (t tri) not() tri {
	switch t {
	case yes:
		return no
	case no:
		return yes
	default:
		return t
	}
}

// truth is the value of a condition, or of a part of one.
type truth struct {
	is      tri
	missing Missing // where it is unknown
}

// value is the value of a part of a condition that is no truth value.
type value[T any] struct {
	v       T
	state   state
	missing Missing // where it is unknown
}

// state says what there is of a value.
type state uint8

const (
	hasValue state = iota
	null
	notKnown
	impossible
)

func knownValue[T any](v T) value[T] { return value[T]{v: v} }

// instead is what a function gives for an argument that has no value: unknown
// for the unknown, and a failure for null, which || and && swallow where the
// other side decides, as "ended_on == null || …" does.
func instead[T, U any](v value[T]) value[U] {
	if v.state == notKnown {
		return value[U]{state: notKnown, missing: v.missing}
	}
	return value[U]{state: impossible}
}

// The functions of a part of a condition.
type (
	truthOf   = func(s *Scope) truth
	textOf    = func(s *Scope) value[string]
	dateOf    = func(s *Scope) value[event.Date]
	numberOf  = func(s *Scope) value[int]
	stringsOf = func(s *Scope) []string
)

// truthFrom is the truth of a question about a value: unknown for the unknown,
// a failure for null.
func truthFrom[T any](v value[T], ask func(T) tri) truth {
	switch v.state {
	case hasValue:
		return truth{is: ask(v.v)}
	case notKnown:
		return truth{unknown, v.missing}
	default:
		return truth{is: failed}
	}
}
