package condition

import (
	"fmt"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/andmerada/andmerada/internal/event"
)

// factValue reads a fact; nothing being said of it is what the vocabulary says
// it is, and unknown where it says nothing.
func factValue[T any](field event.Field, of func(*event.Value) T) func(*Scope) value[T] {
	info := field.Info()
	absent, missing := info.Absent, MissingNamed(info.Name)
	return func(s *Scope) value[T] {
		v := s.Fact(field)
		if v.State == event.Absent {
			v = &absent
		}
		switch v.State {
		case event.Known:
			return value[T]{v: of(v)}
		case event.Null:
			return value[T]{state: null}
		default:
			return value[T]{state: notKnown, missing: missing}
		}
	}
}

// truthFact reads a fact of type bool.
func truthFact(name string) truthOf {
	field, _ := event.FieldNamed(name)
	read := factValue(field.Field, func(v *event.Value) tri { return is(v.Bool) })
	return func(s *Scope) truth {
		return truthFrom(read(s), func(t tri) tri { return t })
	}
}

// text compiles an expression of type string.
func (c *compiler) text(x ast.Expr) (textOf, error) {
	if text, ok := literal(x); ok {
		return func(*Scope) value[string] { return knownValue(text) }, nil
	}
	name := c.variable(x)
	if read, ok := textVariables[name]; ok {
		return func(s *Scope) value[string] { return knownValue(read(s)) }, nil
	}
	if field, ok := event.FieldNamed(name); ok && field.Type == event.Text {
		return factValue(field.Field, func(v *event.Value) string { return v.Text }), nil
	}
	return nil, c.refuse(x, "write a text or the name of one here")
}

// date compiles an expression of type date.
func (c *compiler) date(x ast.Expr) (dateOf, error) {
	name := c.variable(x)
	if name == "event.date" {
		return func(s *Scope) value[event.Date] { return knownValue(s.Date()) }, nil
	}
	if field, ok := event.FieldNamed(name); ok && field.Type == event.Day {
		return factValue(field.Field, func(v *event.Value) event.Date { return v.Day }), nil
	}
	if x.Kind() != ast.CallKind {
		return nil, c.refuse(x, "write the name of a date here")
	}
	call := x.AsCall()
	switch args := call.Args(); call.FunctionName() {
	case "date":
		text, _ := literal(args[0])
		d, err := event.ParseDate(text)
		if err != nil {
			return nil, c.refuse(x, err.Error())
		}
		return func(*Scope) value[event.Date] { return knownValue(d) }, nil
	case "add_years":
		return c.shift(args, event.Date.AddYears)
	case "add_months":
		return c.shift(args, event.Date.AddMonths)
	}
	return nil, c.refuse(x, "this is no date")
}

func (c *compiler) shift(args []ast.Expr, by func(event.Date, int) event.Date) (dateOf, error) {
	d, err := c.date(args[0])
	if err != nil {
		return nil, err
	}
	n, ok := number(args[1])
	if !ok || n < -maxShift || n > maxShift {
		return nil, c.refuse(args[1], fmt.Sprintf("write a whole number up to %d", maxShift))
	}
	return func(s *Scope) value[event.Date] {
		v := d(s)
		if v.state != hasValue {
			return instead[event.Date, event.Date](v)
		}
		return knownValue(by(v.v, n))
	}, nil
}

// maxShift bounds how many years or months a date is moved.
const maxShift = 1200

// number is the value of an integer literal.
func number(x ast.Expr) (n int, ok bool) {
	sign := 1
	if x.Kind() == ast.CallKind && x.AsCall().FunctionName() == operators.Negate {
		x, sign = x.AsCall().Args()[0], -1
	}
	if x.Kind() != ast.LiteralKind {
		return 0, false
	}
	i, ok := x.AsLiteral().(types.Int)
	return sign * int(i), ok
}

// number compiles an expression of type int.
func (c *compiler) number(x ast.Expr) (numberOf, error) {
	if n, ok := number(x); ok {
		return func(*Scope) value[int] { return knownValue(n) }, nil
	}
	if x.Kind() != ast.CallKind || x.AsCall().FunctionName() != "days_between" {
		return nil, c.refuse(x, "write a number or days_between(…) here")
	}
	a, err := c.date(x.AsCall().Args()[0])
	if err != nil {
		return nil, err
	}
	b, err := c.date(x.AsCall().Args()[1])
	if err != nil {
		return nil, err
	}
	return func(s *Scope) value[int] {
		from, to, fault := both(a(s), b(s))
		if fault.is != no {
			return value[int]{state: stateOf(fault), missing: fault.missing}
		}
		return knownValue(from.DaysUntil(to))
	}, nil
}

// both is two dates, or why there are not two.
func both(a, b value[event.Date]) (x, y event.Date, fault truth) {
	switch {
	case a.state == hasValue && b.state == hasValue:
		return a.v, b.v, truth{}
	case a.state == notKnown || b.state == notKnown:
		return 0, 0, truth{unknown, a.missing.And(b.missing)}
	default:
		return 0, 0, truth{is: failed}
	}
}

func stateOf(fault truth) state {
	if fault.is == unknown {
		return notKnown
	}
	return impossible
}

// strings compiles an expression of type list(string).
func (c *compiler) strings(x ast.Expr) (stringsOf, error) {
	if read, ok := listVariables[c.variable(x)]; ok {
		return read, nil
	}
	switch x.Kind() {
	case ast.ListKind:
		var list []string
		for _, e := range x.AsList().Elements() {
			text, ok := literal(e)
			if !ok {
				return nil, c.refuse(e, "a list holds texts only")
			}
			list = append(list, text)
		}
		return func(*Scope) []string { return list }, nil
	case ast.CallKind:
		if x.AsCall().FunctionName() == "listed" {
			name, ok := literal(x.AsCall().Args()[0])
			if !ok {
				return nil, c.refuse(x, "listed takes the list's id, as a text")
			}
			list := c.vocabulary.Lists[name]
			return func(*Scope) []string { return list }, nil
		}
	}
	return nil, c.refuse(x, "write a list here")
}
