package condition

import (
	"fmt"
	"time"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"

	"github.com/andmerada/andmerada/internal/event"
)

func (c *compiler) dates(a, b ast.Expr, holds func(a, b event.Date) bool) (truthOf, error) {
	one, err := c.date(a)
	if err != nil {
		return nil, err
	}
	other, err := c.date(b)
	if err != nil {
		return nil, err
	}
	return func(s *Scope) truth {
		x, y, fault := both(one(s), other(s))
		if fault.is != no {
			return fault
		}
		return truth{is: is(holds(x, y))}
	}, nil
}

// compare compiles <, <=, > and >= of whole numbers.
func (c *compiler) compare(x ast.Expr, operator string, a, b ast.Expr) (truthOf, error) {
	if c.kindOf(a) != "int" || c.kindOf(b) != "int" {
		return nil, c.refuse(x, "only whole numbers are smaller or greater; dates have before, after, on_or_before and on_or_after")
	}
	one, err := c.number(a)
	if err != nil {
		return nil, err
	}
	other, err := c.number(b)
	if err != nil {
		return nil, err
	}
	holds := map[string]func(x, y int) bool{
		operators.Less:          func(x, y int) bool { return x < y },
		operators.LessEquals:    func(x, y int) bool { return x <= y },
		operators.Greater:       func(x, y int) bool { return x > y },
		operators.GreaterEquals: func(x, y int) bool { return x >= y },
	}[operator]
	return func(s *Scope) truth {
		v, w := one(s), other(s)
		switch {
		case v.state == hasValue && w.state == hasValue:
			return truth{is: is(holds(v.v, w.v))}
		case v.state == notKnown || w.state == notKnown:
			return truth{unknown, v.missing.And(w.missing)}
		default:
			return truth{is: failed}
		}
	}, nil
}

// within compiles within(categories, list).
func (c *compiler) within(categories, list ast.Expr) (truthOf, error) {
	all, err := c.strings(categories)
	if err != nil {
		return nil, err
	}
	of, err := c.strings(list)
	if err != nil {
		return nil, err
	}
	contains := c.vocabulary.Contains
	return func(s *Scope) truth {
		l := of(s)
		for _, category := range all(s) {
			if !contains(l, category) {
				return truth{is: no}
			}
		}
		return truth{is: yes}
	}, nil
}

var countryMissing = MissingNamed(missingCountry)

func (c *compiler) inEEA(country, on ast.Expr) (truthOf, error) {
	where, err := c.text(country)
	if err != nil {
		return nil, err
	}
	when, err := c.date(on)
	if err != nil {
		return nil, err
	}
	return func(s *Scope) truth {
		v, day := where(s), when(s)
		switch {
		case v.state == notKnown || day.state == notKnown:
			return truth{unknown, v.missing.And(day.missing)}
		case v.state != hasValue || day.state != hasValue:
			return truth{is: failed}
		}
		t := inEEA(v.v, day.v)
		if t == unknown {
			return truth{unknown, countryMissing}
		}
		return truth{is: t}
	}, nil
}

func (c *compiler) elapsed(x ast.Expr, args []ast.Expr) (truthOf, error) {
	text, _ := literal(args[0])
	p, err := parsePeriod(text)
	if err != nil {
		return nil, c.refuse(x, err.Error())
	}
	return c.dates(args[1], args[2], func(from, on event.Date) bool { return c.vocabulary.elapsed(p, from, on) })
}

// stated compiles facts.unclear(name) and facts.known(name), which ask what is
// said of a fact rather than what it is.
func (c *compiler) stated(x ast.Expr, function string, arg ast.Expr) (truthOf, error) {
	name, ok := literal(arg)
	if !ok {
		return nil, c.refuse(x, fmt.Sprintf("facts.%s takes the name of a fact, as a text", function))
	}
	field, ok := event.FieldNamed(name)
	if !ok {
		return nil, c.refuse(x, fmt.Sprintf("there is no fact %q; %s", name, event.DidYouMean(name, variableNames())))
	}
	want := event.Unknown
	if function == "known" {
		want = event.Known
	}
	return func(s *Scope) truth { return truth{is: is(s.Fact(field.Field).State == want)} }, nil
}

// list compiles a function of one of the four lists of facts. The last
// argument is the moment: conditions know of one, the event's.
func (c *compiler) list(x ast.Expr, function string, target ast.Expr, args []ast.Expr) (truthOf, error) {
	if c.variable(args[len(args)-1]) != "event.time" {
		return nil, c.refuse(x, "the moment is event.time")
	}
	about, err := c.text(args[0])
	if err != nil {
		return nil, err
	}
	ask := func(known func(*event.Facts) bool, list, entry string, holds func(s *Scope, about string, t time.Time) tri) (truthOf, error) {
		listMissing, entryMissing := MissingNamed(list), MissingNamed(entry)
		return func(s *Scope) truth {
			if !known(s.facts) {
				return truth{unknown, listMissing}
			}
			v := about(s)
			if v.state != hasValue {
				return truthFrom(v, nil)
			}
			t := holds(s, v.v, s.Event.Time)
			if t == unknown {
				return truth{unknown, entryMissing}
			}
			return truth{is: t}
		}, nil
	}
	consents := func(holds func(s *Scope, terms *ConsentTerms, about string, t time.Time) tri) func(s *Scope, about string, t time.Time) tri {
		if text, ok := literal(args[0]); ok || len(c.vocabulary.Consents) == 0 {
			terms := c.vocabulary.Consents[text]
			return func(s *Scope, about string, t time.Time) tri { return holds(s, &terms, about, t) }
		}
		all := c.vocabulary.Consents
		return func(s *Scope, about string, t time.Time) tri {
			terms := all[about]
			return holds(s, &terms, about, t)
		}
	}
	anyConsents := func(f *event.Facts) bool { return f.Consents.Known }
	anyOptOuts := func(f *event.Facts) bool { return f.OptOuts.Known }
	switch list := c.variable(target); list + "." + function {
	case "consent.active":
		return ask(anyConsents, list, list, consents(active))
	case "consent.withdrawn":
		return ask(anyConsents, list, list, consents(withdrawn))
	case "consent.evidenced":
		return ask(anyConsents, list, missingRegistered, consents(evidenced))
	case "objection.made":
		outcome, ok := literal(args[1])
		if !ok {
			return nil, c.refuse(x, "the outcome is a text: 'pending', 'upheld' or 'rejected'")
		}
		return ask(func(f *event.Facts) bool { return f.Objections.Known }, list, list,
			func(s *Scope, purpose string, t time.Time) tri { return objected(s, purpose, outcome, t) })
	case "opt_out.made":
		return ask(anyOptOuts, list, list, prohibited)
	case "opt_out.made_by":
		who, err := c.text(args[1])
		if err != nil {
			return nil, err
		}
		return ask(anyOptOuts, list, list, func(s *Scope, scope string, t time.Time) tri { return prohibitedBy(s, scope, who(s), t) })
	case "request.made":
		return ask(always, list, list, requested)
	case "request.handled":
		return ask(always, list, missingHandled, handled)
	}
	return nil, c.refuse(x, fmt.Sprintf("%q is not for conditions", function))
}

// always: that nothing is said of requests means that there are none on record.
func always(*event.Facts) bool { return true }
