package condition

import (
	"sync"

	"cel.dev/cel-go/cel"

	"github.com/andmerada/andmerada/internal/event"
)

// The types that CEL does not have: a calendar date, the four lists of facts,
// and what is said of facts at all. They are opaque: only the functions of this
// package take them, so that a date is never compared with an instant by
// mistake.
var (
	dateType      = cel.OpaqueType("date")
	consentsType  = cel.OpaqueType("consents")
	objectionType = cel.OpaqueType("objections")
	optOutsType   = cel.OpaqueType("opt_outs")
	requestsType  = cel.OpaqueType("requests")
	factsType     = cel.OpaqueType("facts")
)

// sharedEnv declares the language to CEL, which is to check names and types
// only. It is the same for every register.
var sharedEnv = sync.OnceValues(func() (*cel.Env, error) {
	ts, str, strs := cel.TimestampType, cel.StringType, cel.ListType(cel.StringType)
	opts := []cel.EnvOption{
		cel.ClearMacros(), // no loops
		cel.Variable("consent", consentsType),
		cel.Variable("objection", objectionType),
		cel.Variable("opt_out", optOutsType),
		cel.Variable("request", requestsType),
		cel.Variable("facts", factsType),
		cel.Variable("event.time", ts),
		cel.Variable("event.date", dateType),
	}
	for name := range textVariables {
		opts = append(opts, cel.Variable(name, str))
	}
	for name := range truthVariables {
		opts = append(opts, cel.Variable(name, cel.BoolType))
	}
	for name := range listVariables {
		opts = append(opts, cel.Variable(name, strs))
	}
	for _, f := range event.Vocabulary() {
		opts = append(opts, cel.Variable(f.Name, celType(f.Type)))
	}
	function := func(name string, result *cel.Type, args ...*cel.Type) {
		opts = append(opts, cel.Function(name, cel.Overload(name, args, result)))
	}
	member := func(name string, of *cel.Type, args ...*cel.Type) {
		opts = append(opts, cel.Function(name, cel.MemberOverload(of.DeclaredTypeName()+"_"+name, append([]*cel.Type{of}, args...), cel.BoolType)))
	}
	for name := range dateComparisons {
		function(name, cel.BoolType, dateType, dateType)
	}
	function("add_years", dateType, dateType, cel.IntType)
	function("add_months", dateType, dateType, cel.IntType)
	function("date", dateType, str)
	function("days_between", cel.IntType, dateType, dateType)
	function("elapsed", cel.BoolType, str, dateType, dateType)
	function("in_eea", cel.BoolType, str, dateType)
	function("within", cel.BoolType, strs, strs)
	function("listed", strs, str)
	member("unclear", factsType, str)
	member("known", factsType, str)
	member("active", consentsType, str, ts)
	member("withdrawn", consentsType, str, ts)
	member("evidenced", consentsType, str, ts)
	member("made", objectionType, str, str, ts)
	member("made", optOutsType, str, ts)
	member("made_by", optOutsType, str, str, ts)
	member("made", requestsType, str, ts)
	member("handled", requestsType, str, ts)
	return cel.NewEnv(opts...)
})

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

// variableNames lists all variables, for those who misspell one.
func variableNames() []string {
	names := []string{"consent", "objection", "opt_out", "request", "facts", "event.time", "event.date"}
	for name := range textVariables {
		names = append(names, name)
	}
	for name := range truthVariables {
		names = append(names, name)
	}
	for name := range listVariables {
		names = append(names, name)
	}
	for _, f := range event.Vocabulary() {
		names = append(names, f.Name)
	}
	return names
}

// The variables that are not facts.
var (
	textVariables = map[string]func(s *Scope) string{
		"event.operation":   func(s *Scope) string { return s.Event.Operation.String() },
		"event.purpose":     func(s *Scope) string { return s.Event.Purpose },
		"event.recipient":   func(s *Scope) string { return s.Event.Recipient.ID },
		"event.data_source": func(s *Scope) string { return s.Event.DataSource },
		"event.basis":       func(s *Scope) string { return s.Event.Basis.Kind },
	}
	truthVariables = map[string]truthOf{
		"purpose.open_ended": func(s *Scope) truth { return truth{is: is(s.PurposeOpenEnded)} },
		"purpose.declared":   func(s *Scope) truth { return truth{is: is(s.PurposeDeclared)} },
		"recipient.declared": func(s *Scope) truth {
			if s.Recipient == RecipientNotStated {
				return truth{unknown, recipientMissing}
			}
			return truth{is: is(s.Recipient == RecipientDeclared)}
		},
	}
	listVariables = map[string]stringsOf{
		"event.categories":        func(s *Scope) []string { return s.Event.Categories },
		"event.uncovered":         func(s *Scope) []string { return s.Uncovered },
		"purpose.catch_all_takes": func(s *Scope) []string { return s.CatchAllTakes },
		"purpose.basis":           func(s *Scope) []string { return s.PurposeBasis },
	}
	dateComparisons = map[string]func(a, b event.Date) bool{
		"before":       func(a, b event.Date) bool { return a < b },
		"on_or_before": func(a, b event.Date) bool { return a <= b },
		"after":        func(a, b event.Date) bool { return a > b },
		"on_or_after":  func(a, b event.Date) bool { return a >= b },
	}
)

var recipientMissing = MissingNamed("recipient")
