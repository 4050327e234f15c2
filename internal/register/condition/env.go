package condition

import (
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"

	"github.com/andmerada/andmerada/internal/event"
)

// MaxLength bounds a condition, in bytes.
const MaxLength = 2000

// Env is the language of the conditions of one register. CEL reads and checks
// a condition; what it then is to do is compiled into functions of Go, which
// evaluate it some ten times faster than CEL's own interpreter and without
// allocating.
type Env struct {
	cel        *cel.Env
	vocabulary Vocabulary
}

// Vocabulary is what the language knows of the register that it is for.
type Vocabulary struct {
	Contains func(list []string, category string) bool // whether a list takes in a category
	Lists    map[string][]string                       // the register's named lists of categories
	Consents map[string]ConsentTerms                   // what the register says of single consents, by full id
	// TsUS: periods are counted as Estonian civil law does (tsiviilseadustiku
	// üldosa seadus §135(1), §136(2), §137(1)).
	TsUS bool
}

// ConsentTerms is what a notice says of a consent: who can give and withdraw
// it, nil for anyone, and in which forms it is withdrawn, nil for any.
type ConsentTerms struct{ GivenBy, WithdrawnBy, WithdrawalForms []string }

// NewEnv makes the language.
func NewEnv(v Vocabulary) (*Env, error) {
	shared, err := sharedEnv()
	if err != nil {
		return nil, fmt.Errorf("make the language of conditions: %w", err)
	}
	return &Env{shared, v}, nil
}

// Condition is a compiled condition. It is safe for concurrent use.
type Condition struct {
	Expr     string
	Uses     []string // the variables it reads, in order of appearance
	Literals []string // the strings in it, in order of appearance
	Compared []Comparison
	Lists    []string // the named lists it reads
	Stated   []string // the facts of which it asks what is said of them
	eval     truthOf
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
	native := checked.NativeRep()
	c := &Condition{Expr: expr}
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
	compiler := &compiler{ast: native, vocabulary: &e.vocabulary}
	var err error
	if c.eval, err = compiler.truth(native.Expr()); err != nil {
		return nil, err
	}
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
		if s, ok := literal(args[0]); ok {
			c.Lists = append(c.Lists, s)
		}
	case "unclear", "known":
		if s, ok := literal(args[0]); ok {
			c.Stated = append(c.Stated, s)
		}
	case "_==_", "_!=_":
		for i, a := range args {
			if s, ok := literal(args[1-i]); ok {
				c.Compared = append(c.Compared, Comparison{nameOf(a), s})
			}
		}
	}
}

// literal is the text of a string literal.
func literal(x ast.Expr) (text string, ok bool) {
	if x.Kind() != ast.LiteralKind {
		return "", false
	}
	s, ok := x.AsLiteral().(types.String)
	return string(s), ok
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
			name, _, _ = strings.Cut(name, "'")
			msg = strings.TrimSpace(fmt.Sprintf("unknown name %q; %s", name, event.DidYouMean(name, variableNames())))
			msg = strings.TrimSuffix(msg, ";")
		}
		parts = append(parts, fmt.Sprintf("column %d: %s", e.Location.Column()+1, msg))
	}
	return strings.Join(parts, "; ")
}
