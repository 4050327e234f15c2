package condition

import (
	"fmt"
	"slices"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/andmerada/andmerada/internal/event"
)

// compiler makes functions of a condition that CEL has checked. Where CEL
// allows what no register needs, it refuses: the language is what is compiled
// here, no more.
type compiler struct {
	ast        *ast.AST
	vocabulary *Vocabulary
}

func (c *compiler) refuse(x ast.Expr, what string) error {
	at := c.ast.SourceInfo().GetStartLocation(x.ID())
	return fmt.Errorf("column %d: %s", at.Column()+1, what)
}

// variable is the name of the variable that an expression stands for, or "".
func (c *compiler) variable(x ast.Expr) string {
	if r, ok := c.ast.ReferenceMap()[x.ID()]; ok && len(r.OverloadIDs) == 0 {
		return r.Name
	}
	return ""
}

// truth compiles an expression of type bool.
func (c *compiler) truth(x ast.Expr) (truthOf, error) {
	if name := c.variable(x); name != "" {
		if f, ok := truthVariables[name]; ok {
			return f, nil
		}
		return truthFact(name), nil
	}
	switch x.Kind() {
	case ast.LiteralKind:
		v := truth{is: is(x.AsLiteral() == types.True)}
		return func(*Scope) truth { return v }, nil
	case ast.CallKind:
		return c.truthCall(x)
	}
	return nil, c.refuse(x, "a condition cannot have this here")
}

func (c *compiler) truthCall(x ast.Expr) (truthOf, error) {
	call := x.AsCall()
	args := call.Args()
	switch name := call.FunctionName(); name {
	case operators.LogicalAnd, operators.LogicalOr:
		return c.junction(name, args)
	case operators.LogicalNot:
		a, err := c.truth(args[0])
		if err != nil {
			return nil, err
		}
		return func(s *Scope) truth { v := a(s); return truth{v.is.not(), v.missing} }, nil
	case operators.Conditional:
		return c.conditional(args)
	case operators.Equals:
		return c.equal(x, args[0], args[1])
	case operators.NotEquals:
		same, err := c.equal(x, args[0], args[1])
		if err != nil {
			return nil, err
		}
		return func(s *Scope) truth { v := same(s); return truth{v.is.not(), v.missing} }, nil
	case operators.In:
		return c.in(args[0], args[1])
	case operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		return c.compare(x, name, args[0], args[1])
	case "within":
		return c.within(args[0], args[1])
	case "in_eea":
		return c.inEEA(args[0], args[1])
	case "elapsed":
		return c.elapsed(x, args)
	case "unclear", "known":
		return c.stated(x, name, args[0])
	case "active", "withdrawn", "evidenced", "made", "made_by", "handled":
		return c.list(x, name, call.Target(), args)
	default:
		if before, ok := dateComparisons[name]; ok {
			return c.dates(args[0], args[1], before)
		}
		return nil, c.refuse(x, fmt.Sprintf("%q is not for conditions", name))
	}
}

// junction is && or ||, by Kleene: one side that decides is enough, whatever
// the other. Of unknown and failed the unknown stands.
func (c *compiler) junction(name string, args []ast.Expr) (truthOf, error) {
	a, err := c.truth(args[0])
	if err != nil {
		return nil, err
	}
	b, err := c.truth(args[1])
	if err != nil {
		return nil, err
	}
	decides := no
	if name == operators.LogicalOr {
		decides = yes
	}
	return func(s *Scope) truth {
		left := a(s)
		if left.is == decides {
			return left
		}
		right := b(s)
		switch {
		case right.is == decides:
			return right
		case left.is == unknown && right.is == unknown:
			return truth{unknown, left.missing.And(right.missing)}
		case left.is == unknown:
			return left
		case right.is == unknown:
			return right
		case left.is == failed:
			return left
		default:
			return right
		}
	}, nil
}

func (c *compiler) conditional(args []ast.Expr) (truthOf, error) {
	var parts [3]truthOf
	for i := range parts {
		var err error
		if parts[i], err = c.truth(args[i]); err != nil {
			return nil, err
		}
	}
	return func(s *Scope) truth {
		switch v := parts[0](s); v.is {
		case yes:
			return parts[1](s)
		case no:
			return parts[2](s)
		default:
			return v
		}
	}, nil
}

// kindOf is what an expression gives: "bool", "string", "date", "int", "list",
// "null", or another type that is not compared.
func (c *compiler) kindOf(x ast.Expr) string {
	switch t := c.ast.GetType(x.ID()); t.Kind() {
	case types.BoolKind:
		return "bool"
	case types.StringKind:
		return "string"
	case types.IntKind:
		return "int"
	case types.ListKind:
		return "list"
	case types.NullTypeKind:
		return "null"
	default:
		return t.DeclaredTypeName()
	}
}

// equal compiles a == b. Null equals null, and nothing else; an unknown side
// makes the whole unknown.
func (c *compiler) equal(x, a, b ast.Expr) (truthOf, error) {
	if c.kindOf(a) == "null" {
		a, b = b, a
	}
	switch c.kindOf(a) {
	case "string":
		if same, ok := c.operationIs(a, b); ok {
			return same, nil
		}
		return equalValues(c, a, b, c.text)
	case "date":
		return equalValues(c, a, b, c.date)
	case "int":
		return equalValues(c, a, b, c.number)
	case "bool":
		return equalValues(c, a, b, c.bool)
	case "list":
		one, err := c.strings(a)
		if err != nil {
			return nil, err
		}
		other, err := c.strings(b)
		if err != nil {
			return nil, err
		}
		return func(s *Scope) truth { return truth{is: is(slices.Equal(one(s), other(s)))} }, nil
	default:
		return nil, c.refuse(x, "these cannot be compared")
	}
}

func equalValues[T comparable](c *compiler, a, b ast.Expr, compile func(ast.Expr) (func(*Scope) value[T], error)) (truthOf, error) {
	one, err := compile(a)
	if err != nil {
		return nil, err
	}
	if c.kindOf(b) == "null" {
		return func(s *Scope) truth {
			v := one(s)
			if v.state == null {
				return truth{is: yes}
			}
			return truthFrom(v, func(T) tri { return no })
		}, nil
	}
	other, err := compile(b)
	if err != nil {
		return nil, err
	}
	return func(s *Scope) truth {
		v, w := one(s), other(s)
		switch {
		case v.state == notKnown || w.state == notKnown:
			return truth{unknown, v.missing.And(w.missing)}
		case v.state == impossible || w.state == impossible:
			return truth{is: failed}
		default:
			return truth{is: is(v.state == w.state && v.v == w.v)}
		}
	}, nil
}

// bool is an expression of type bool as a value, to be compared.
func (c *compiler) bool(x ast.Expr) (func(*Scope) value[bool], error) {
	f, err := c.truth(x)
	if err != nil {
		return nil, err
	}
	if name := c.variable(x); name != "" {
		if field, ok := event.FieldNamed(name); ok { // which may be null
			return factValue(field.Field, func(v *event.Value) bool { return v.Bool }), nil
		}
	}
	return func(s *Scope) value[bool] {
		switch v := f(s); v.is {
		case unknown:
			return value[bool]{state: notKnown, missing: v.missing}
		case failed:
			return value[bool]{state: impossible}
		default:
			return knownValue(v.is == yes)
		}
	}, nil
}

// operationIs compares numbers where event.operation is held against a name.
func (c *compiler) operationIs(a, b ast.Expr) (truthOf, bool) {
	if _, ok := literal(a); ok {
		a, b = b, a
	}
	name, ok := literal(b)
	if !ok || c.variable(a) != "event.operation" {
		return nil, false
	}
	op, err := event.ParseOperation(name)
	if err != nil {
		return nil, false // never true: the general way says so
	}
	return func(s *Scope) truth { return truth{is: is(s.Event.Operation == op)} }, true
}

func (c *compiler) in(element, list ast.Expr) (truthOf, error) {
	one, err := c.text(element)
	if err != nil {
		return nil, err
	}
	of, err := c.strings(list)
	if err != nil {
		return nil, err
	}
	return func(s *Scope) truth {
		v := one(s)
		if v.state == null {
			return truth{is: no}
		}
		return truthFrom(v, func(text string) tri { return is(slices.Contains(of(s), text)) })
	}, nil
}
