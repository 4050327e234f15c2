package condition

import (
	"fmt"
	"reflect"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/andmerada/andmerada/internal/event"
)

// The types that CEL does not have: a calendar date, and the four lists of
// facts. They are opaque: only the functions of this package work on them, so
// that a date is never compared with an instant by mistake.
var (
	dateType      = cel.OpaqueType("date")
	consentsType  = cel.OpaqueType("consents")
	objectionType = cel.OpaqueType("objections")
	optOutsType   = cel.OpaqueType("opt_outs")
	requestsType  = cel.OpaqueType("requests")
	factsType     = cel.OpaqueType("facts")
)

// opaque gives a Go value to CEL as a value of one of those types.
type opaque[T any] struct {
	of *cel.Type
	v  T
}

func (o opaque[T]) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("%s is not convertible to %s", o.of, t)
}

func (o opaque[T]) ConvertToType(t ref.Type) ref.Val {
	if t == types.TypeType {
		return o.of
	}
	return types.NewErr("%s is not convertible to %s", o.of, t)
}

func (o opaque[T]) Equal(other ref.Val) ref.Val {
	same, ok := other.(opaque[T])
	return types.Bool(ok && any(same.v) == any(o.v))
}

func (o opaque[T]) Type() ref.Type { return o.of }
func (o opaque[T]) Value() any     { return o.v }

func dateVal(d event.Date) ref.Val { return opaque[event.Date]{dateType, d} }

// The lists are pointers, so that comparing two of them never panics.
type (
	consents   struct{ scope *Scope }
	objections struct{ scope *Scope }
	optOuts    struct{ scope *Scope }
	requests   struct{ scope *Scope }
)

// at is the Go time of a CEL timestamp.
func at(v ref.Val) time.Time { return v.(types.Timestamp).Time }

func text(v ref.Val) string { return string(v.(types.String)) }

// tri is a truth value that knows not to know.
type tri uint8

const (
	no tri = iota
	yes
	unknown
)

func triOf(v event.Value) tri {
	if v.State != event.Known {
		return unknown
	}
	if v.Bool {
		return yes
	}
	return no
}

// val gives a tri to CEL; unknown names what is missing.
func (t tri) val(missing string) ref.Val {
	switch t {
	case yes:
		return types.True
	case no:
		return types.False
	default:
		return types.NewUnknown(1, types.NewAttributeTrail(missing))
	}
}

// own says whether an entry of a list is of the controller that acts: what was
// said to another controller is worth nothing here.
func (s *Scope) own(controller string) bool {
	return controller == "" || controller == s.Event.Controller
}

// active says whether a consent to the purpose was given by t and not
// withdrawn at or before t: only acts done before the withdrawal stand.
func (c *consents) active(purpose string, t time.Time) tri {
	result := no
	for _, e := range c.scope.facts.Consents.Entries {
		if c.to(e, purpose) && !gone(e, t) {
			result = result.or(by(e.GivenAt, t))
		}
	}
	return result
}

// withdrawn says whether a consent to the purpose was withdrawn at or before t
// and no other stands.
func (c *consents) withdrawn(purpose string, t time.Time) tri {
	result := no
	for _, e := range c.scope.facts.Consents.Entries {
		if c.to(e, purpose) && gone(e, t) {
			result = yes
		}
	}
	if result == no {
		return no
	}
	return c.active(purpose, t).not()
}

// evidenced says whether a consent to the purpose that stands at t was given
// in writing or electronically, or is registered in the customer system. Where
// one can be shown, an unregistered oral one beside it does no harm; where none
// stands there is nothing to show.
func (c *consents) evidenced(purpose string, t time.Time) tri {
	shown, stands := no, false
	for _, e := range c.scope.facts.Consents.Entries {
		if !c.to(e, purpose) || gone(e, t) || by(e.GivenAt, t) == no {
			continue
		}
		stands = true
		if e.Form != "oral" {
			return yes
		}
		shown = shown.or(triOf(e.RegisteredCRM))
	}
	if !stands {
		return yes
	}
	return shown
}

func (c *consents) to(e event.Consent, purpose string) bool {
	return c.scope.own(e.Controller) && e.Purpose == purpose
}

// gone says whether a consent was withdrawn at or before t.
func gone(e event.Consent, t time.Time) bool {
	return !e.WithdrawnAt.IsZero() && !t.Before(e.WithdrawnAt)
}

// by says whether something was done by t. When it was done may not be known.
func by(done, t time.Time) tri {
	switch {
	case done.IsZero():
		return unknown
	case done.After(t):
		return no
	default:
		return yes
	}
}

// or and not are Kleene's.
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

func (t tri) not() tri {
	switch t {
	case yes:
		return no
	case no:
		return yes
	default:
		return unknown
	}
}

// made says whether there is an objection to the purpose made by t with that
// outcome. An outcome that is not stated is pending.
func (o *objections) made(purpose, outcome string, t time.Time) tri {
	result := no
	for _, e := range o.scope.facts.Objections.Entries {
		if e.Outcome == "" {
			e.Outcome = "pending"
		}
		if o.scope.own(e.Controller) && (e.Purpose == purpose || e.Purpose == "") && e.Outcome == outcome {
			result = result.or(by(e.MadeAt, t))
		}
	}
	return result
}

// made says whether there is a prohibition of the scope made by t.
func (o *optOuts) made(scope string, t time.Time) tri {
	result := no
	for _, e := range o.scope.facts.OptOuts.Entries {
		if o.scope.own(e.Controller) && e.Scope == scope {
			result = result.or(by(e.MadeAt, t))
		}
	}
	return result
}

// made says whether there is a request of the type made by t.
func (r *requests) made(kind string, t time.Time) tri {
	result := no
	for _, e := range r.scope.facts.Requests.Entries {
		if r.is(e, kind) {
			result = result.or(by(e.MadeAt, t))
		}
	}
	return result
}

// handled says whether every request of the type made by t has been dealt with.
func (r *requests) handled(kind string, t time.Time) tri {
	open := no
	for _, e := range r.scope.facts.Requests.Entries {
		if r.is(e, kind) && by(e.MadeAt, t) != no {
			open = open.or(triOf(e.Handled).not())
		}
	}
	return open.not()
}

func (r *requests) is(e event.Request, kind string) bool {
	return r.scope.own(e.Controller) && e.Type == kind
}
