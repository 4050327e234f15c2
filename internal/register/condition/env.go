package condition

import (
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/andmerada/andmerada/internal/event"
)

// MaxLength bounds a condition, in bytes.
const MaxLength = 2000

// Env is the language of the conditions of one register.
type Env struct{ cel *cel.Env }

// Vocabulary is what the language knows of the register that it is for.
type Vocabulary struct {
	Contains func(list []string, category string) bool // whether a list takes in a category
	Lists    map[string][]string                       // the register's named lists of categories
	// TsUS: periods are counted as Estonian civil law does (tsiviilseadustiku
	// üldosa seadus §135(1), §136(2), §137(1)).
	TsUS bool
}

// NewEnv makes the language.
func NewEnv(v Vocabulary) (*Env, error) {
	opts := []cel.EnvOption{
		cel.ClearMacros(), // no loops
		cel.Variable("consent", consentsType),
		cel.Variable("objection", objectionType),
		cel.Variable("opt_out", optOutsType),
		cel.Variable("request", requestsType),
	}
	for _, v := range scopeVariables {
		opts = append(opts, cel.Variable(v.name, v.typ))
	}
	for _, f := range event.Vocabulary() {
		opts = append(opts, cel.Variable(f.Name, celType(f.Type)))
	}
	env, err := cel.NewEnv(append(opts, functions(v)...)...)
	if err != nil {
		return nil, fmt.Errorf("make the language of conditions: %w", err)
	}
	return &Env{env}, nil
}

func celType(t event.FieldType) *cel.Type {
	switch t {
	case event.Bool:
		return cel.BoolType
	case event.Day:
		return dateType
	default:
		return cel.StringType
	}
}

// Condition is a compiled condition. It is safe for concurrent use.
type Condition struct {
	Expr     string
	Uses     []string // the variables it reads, in order of appearance
	Literals []string // the strings in it, in order of appearance
	Compared []Comparison
	Lists    []string // the named lists it reads
	Stated   []string // the facts of which it asks what is said of them
	prg      cel.Program
}

// Comparison is a variable and a string that it is compared with.
type Comparison struct{ Name, With string }

// Compile checks names and types. The error's text points at the place.
func (e *Env) Compile(expr string) (*Condition, error) {
	if len(expr) > MaxLength {
		return nil, fmt.Errorf("condition of %d bytes: at most %d", len(expr), MaxLength)
	}
	checked, iss := e.cel.Compile(expr)
	if iss.Err() != nil {
		return nil, fmt.Errorf("%s", explain(iss))
	}
	if checked.OutputType() != cel.BoolType {
		return nil, fmt.Errorf("condition gives %s: it must give true or false", checked.OutputType())
	}
	prg, err := e.cel.Program(checked, cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, fmt.Errorf("condition: %w", err)
	}
	c := &Condition{Expr: expr, prg: prg}
	native := checked.NativeRep()
	ast.PostOrderVisit(native.Expr(), ast.NewExprVisitor(func(x ast.Expr) {
		if x.Kind() == ast.LiteralKind {
			if s, ok := x.AsLiteral().(types.String); ok && !slices.Contains(c.Literals, string(s)) {
				c.Literals = append(c.Literals, string(s))
			}
		}
		c.noteCall(x)
		if r, ok := native.ReferenceMap()[x.ID()]; ok && r.Name != "" && len(r.OverloadIDs) == 0 && !slices.Contains(c.Uses, r.Name) {
			c.Uses = append(c.Uses, r.Name)
		}
	}))
	return c, nil
}

// noteCall keeps what a check of the register needs to know of a call.
func (c *Condition) noteCall(x ast.Expr) {
	if x.Kind() != ast.CallKind {
		return
	}
	call := x.AsCall()
	switch args := call.Args(); call.FunctionName() {
	case "listed":
		if s, ok := args[0].AsLiteral().(types.String); ok {
			c.Lists = append(c.Lists, string(s))
		}
	case "unclear", "known":
		if s, ok := args[0].AsLiteral().(types.String); ok {
			c.Stated = append(c.Stated, string(s))
		}
	case "_==_", "_!=_":
		for i, a := range args {
			if s, ok := args[1-i].AsLiteral().(types.String); ok {
				c.Compared = append(c.Compared, Comparison{nameOf(a), string(s)})
			}
		}
	}
}

// nameOf is the dotted name that an expression spells, or "".
func nameOf(x ast.Expr) string {
	switch x.Kind() {
	case ast.IdentKind:
		return x.AsIdent()
	case ast.SelectKind:
		return nameOf(x.AsSelect().Operand()) + "." + x.AsSelect().FieldName()
	}
	return ""
}

// explain shortens CEL's report to the message and its column, and names the
// nearest variable where one is misspelt.
func explain(iss *cel.Issues) string {
	var parts []string
	for _, e := range iss.Errors() {
		msg := strings.TrimSuffix(e.Message, " (in container '')")
		if name, ok := strings.CutPrefix(msg, "undeclared reference to '"); ok {
			name = strings.TrimSuffix(name, "'")
			msg = fmt.Sprintf("unknown name %q", name)
		}
		parts = append(parts, fmt.Sprintf("column %d: %s", e.Location.Column()+1, msg))
	}
	return strings.Join(parts, "; ")
}

func functions(v Vocabulary) []cel.EnvOption {
	ts, str := cel.TimestampType, cel.StringType
	strs := cel.ListType(str)
	dateBinary := func(name string, f func(a, b event.Date) bool) cel.EnvOption {
		return cel.Function(name, cel.Overload(name+"_date_date", []*cel.Type{dateType, dateType}, cel.BoolType,
			cel.BinaryBinding(func(a, b ref.Val) ref.Val {
				return dates(a, b, func(x, y event.Date) ref.Val { return types.Bool(f(x, y)) })
			})))
	}
	dateShift := func(name string, f func(event.Date, int) event.Date) cel.EnvOption {
		return cel.Function(name, cel.Overload(name+"_date_int", []*cel.Type{dateType, cel.IntType}, dateType,
			cel.BinaryBinding(func(a, n ref.Val) ref.Val {
				d, ok := a.(opaque[event.Date])
				if !ok {
					return noDate(a)
				}
				return dateVal(f(d.v, int(n.(types.Int))))
			})))
	}
	member := func(name string, of *cel.Type, args []*cel.Type, f func(args []ref.Val) ref.Val) cel.EnvOption {
		return cel.Function(name, cel.MemberOverload(of.DeclaredTypeName()+"_"+name, append([]*cel.Type{of}, args...), cel.BoolType,
			cel.FunctionBinding(func(args ...ref.Val) ref.Val { return f(args) })))
	}
	return []cel.EnvOption{
		dateBinary("before", func(a, b event.Date) bool { return a < b }),
		dateBinary("on_or_before", func(a, b event.Date) bool { return a <= b }),
		dateBinary("after", func(a, b event.Date) bool { return a > b }),
		dateBinary("on_or_after", func(a, b event.Date) bool { return a >= b }),
		dateShift("add_years", event.Date.AddYears),
		dateShift("add_months", event.Date.AddMonths),
		cel.Function("days_between", cel.Overload("days_between_date_date", []*cel.Type{dateType, dateType}, cel.IntType,
			cel.BinaryBinding(func(a, b ref.Val) ref.Val {
				return dates(a, b, func(x, y event.Date) ref.Val { return types.Int(x.DaysUntil(y)) })
			}))),
		cel.Function("elapsed", cel.Overload("elapsed_string_date_date", []*cel.Type{str, dateType, dateType}, cel.BoolType,
			cel.FunctionBinding(func(a ...ref.Val) ref.Val {
				p, err := parsePeriod(text(a[0]))
				if err != nil {
					return types.NewErr("%s", err.Error())
				}
				return dates(a[1], a[2], func(from, on event.Date) ref.Val { return types.Bool(v.elapsed(p, from, on)) })
			}))),
		cel.Function("in_eea", cel.Overload("in_eea_string_date", []*cel.Type{str, dateType}, cel.BoolType,
			cel.BinaryBinding(func(c, d ref.Val) ref.Val {
				day, ok := d.(opaque[event.Date])
				if !ok {
					return noDate(d)
				}
				return inEEA(text(c), day.v).val("country")
			}))),
		cel.Function("within", cel.Overload("within_list_list", []*cel.Type{strs, strs}, cel.BoolType,
			cel.BinaryBinding(func(categories, list ref.Val) ref.Val {
				l := stringsOf(list)
				for _, c := range stringsOf(categories) {
					if !v.Contains(l, c) {
						return types.False
					}
				}
				return types.True
			}))),
		cel.Function("listed", cel.Overload("listed_string", []*cel.Type{str}, strs,
			cel.UnaryBinding(func(name ref.Val) ref.Val {
				return types.DefaultTypeAdapter.NativeToValue(v.Lists[text(name)])
			}))),
		member("unclear", factsType, []*cel.Type{str}, func(a []ref.Val) ref.Val {
			f, ok := event.FieldNamed(text(a[1]))
			return types.Bool(ok && a[0].(opaque[*Scope]).v.facts.Get(f.Field).State == event.Unknown)
		}),
		member("known", factsType, []*cel.Type{str}, func(a []ref.Val) ref.Val {
			f, ok := event.FieldNamed(text(a[1]))
			return types.Bool(ok && a[0].(opaque[*Scope]).v.facts.Get(f.Field).State == event.Known)
		}),
		member("active", consentsType, []*cel.Type{str, ts}, func(a []ref.Val) ref.Val {
			return a[0].(opaque[*consents]).v.active(text(a[1]), at(a[2])).val("consent")
		}),
		member("withdrawn", consentsType, []*cel.Type{str, ts}, func(a []ref.Val) ref.Val {
			return a[0].(opaque[*consents]).v.withdrawn(text(a[1]), at(a[2])).val("consent")
		}),
		member("evidenced", consentsType, []*cel.Type{str, ts}, func(a []ref.Val) ref.Val {
			return a[0].(opaque[*consents]).v.evidenced(text(a[1]), at(a[2])).val("consent.registered_in_crm")
		}),
		cel.Function("made",
			cel.MemberOverload("objections_made", []*cel.Type{objectionType, str, str, ts}, cel.BoolType,
				cel.FunctionBinding(func(a ...ref.Val) ref.Val {
					return a[0].(opaque[*objections]).v.made(text(a[1]), text(a[2]), at(a[3])).val("objection")
				})),
			cel.MemberOverload("opt_outs_made", []*cel.Type{optOutsType, str, ts}, cel.BoolType,
				cel.FunctionBinding(func(a ...ref.Val) ref.Val {
					return a[0].(opaque[*optOuts]).v.made(text(a[1]), at(a[2])).val("opt_out")
				})),
			cel.MemberOverload("requests_made", []*cel.Type{requestsType, str, ts}, cel.BoolType,
				cel.FunctionBinding(func(a ...ref.Val) ref.Val {
					return a[0].(opaque[*requests]).v.made(text(a[1]), at(a[2])).val("request")
				}))),
		member("handled", requestsType, []*cel.Type{str, ts}, func(a []ref.Val) ref.Val {
			return a[0].(opaque[*requests]).v.handled(text(a[1]), at(a[2])).val("request.handled")
		}),
	}
}

func dates(a, b ref.Val, f func(x, y event.Date) ref.Val) ref.Val {
	x, ok := a.(opaque[event.Date])
	if !ok {
		return noDate(a)
	}
	y, ok := b.(opaque[event.Date])
	if !ok {
		return noDate(b)
	}
	return f(x.v, y.v)
}

// noDate is what a function of dates gives for null: an error, which || and &&
// swallow where the other side decides, as "ended_on == null || …" does.
func noDate(v ref.Val) ref.Val { return types.NewErr("no date: %v", v.Type()) }

func stringsOf(v ref.Val) []string {
	if l, ok := v.Value().([]string); ok {
		return l
	}
	l := v.(traits.Lister)
	n := int(l.Size().(types.Int))
	out := make([]string, n)
	for i := range n {
		out[i] = text(l.Get(types.Int(i)))
	}
	return out
}

// The European Economic Area: the EU member states, and Iceland, Liechtenstein
// and Norway (EEA Agreement, Art. 126).
const eea = " AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK IS LI NO "

// The United Kingdom left on 31 January 2020; until the transition period
// ended on 31 December 2020 Union law applied there, so those days need a look.
var (
	gbLeft          = event.NewDate(2020, 2, 1)
	gbTransitionEnd = event.NewDate(2021, 1, 1)
)

// InEEA says whether a country (ISO 3166-1 alpha-2) belonged to the European
// Economic Area on a day, where that can be told.
func InEEA(country string, on event.Date) (in, known bool) {
	t := inEEA(country, on)
	return t == yes, t != unknown
}

func inEEA(country string, on event.Date) tri {
	country = strings.ToUpper(country)
	if country == "GB" || country == "UK" {
		switch {
		case on < gbLeft:
			return yes
		case on < gbTransitionEnd:
			return unknown
		default:
			return no
		}
	}
	if len(country) == 2 && strings.Contains(eea, " "+country+" ") {
		return yes
	}
	return no
}
