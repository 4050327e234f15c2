package condition

import (
	"slices"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"

	"github.com/andmerada/andmerada/internal/event"
)

// Scope is what one evaluation can see. Fill the exported fields, then call
// Use; a Scope may be used again for the next event.
type Scope struct {
	Event *event.Event
	Zone  *time.Location // the controller's

	PurposeOpenEnded bool     // the purpose's list of categories is open
	PurposeBasis     []string // legal bases the purpose rests on
	Uncovered        []string // the event's categories outside the purpose's list
	PurposeDeclared  bool     // the purpose is in the register
	CatchAllTakes    []string // categories that the purpose's catch-all may take in
	Recipient        RecipientState

	facts  *event.Facts
	date   ref.Val
	lists  [4]ref.Val
	stated ref.Val
}

// RecipientState is what the register knows of the event's recipient.
type RecipientState uint8

// The states of a recipient.
const (
	RecipientNotStated RecipientState = iota // the event names none
	RecipientUndeclared
	RecipientDeclared // in the register; or the person itself
)

// Use makes the scope ready for the event and facts it has been given. Scopes
// are used again and again: what only points back at the scope is made once.
func (s *Scope) Use(facts *event.Facts) {
	s.facts = facts
	s.date = dateVal(event.DateOf(s.Event.Time, s.Zone))
	if s.stated == nil {
		s.stated = opaque[*Scope]{factsType, s}
		s.lists = [4]ref.Val{
			opaque[*consents]{consentsType, &consents{s}},
			opaque[*objections]{objectionType, &objections{s}},
			opaque[*optOuts]{optOutsType, &optOuts{s}},
			opaque[*requests]{requestsType, &requests{s}},
		}
	}
}

// scopeVariables are the variables that are not facts.
var scopeVariables = []struct {
	name string
	typ  *cel.Type
	get  func(s *Scope) any
}{
	{"event.time", cel.TimestampType, func(s *Scope) any { return types.Timestamp{Time: s.Event.Time} }},
	{"event.date", dateType, func(s *Scope) any { return s.date }},
	{"event.operation", cel.StringType, func(s *Scope) any { return types.String(s.Event.Operation.String()) }},
	{"event.purpose", cel.StringType, func(s *Scope) any { return types.String(s.Event.Purpose) }},
	{"event.categories", cel.ListType(cel.StringType), func(s *Scope) any { return s.Event.Categories }},
	{"event.uncovered", cel.ListType(cel.StringType), func(s *Scope) any { return s.Uncovered }},
	{"event.recipient", cel.StringType, func(s *Scope) any { return types.String(s.Event.Recipient.ID) }},
	{"recipient.declared", cel.BoolType, func(s *Scope) any {
		if s.Recipient == RecipientNotStated {
			return types.NewUnknown(1, types.NewAttributeTrail("recipient"))
		}
		return types.Bool(s.Recipient == RecipientDeclared)
	}},
	{"event.basis", cel.StringType, func(s *Scope) any { return types.String(s.Event.Basis.Kind) }},
	{"purpose.open_ended", cel.BoolType, func(s *Scope) any { return types.Bool(s.PurposeOpenEnded) }},
	{"purpose.declared", cel.BoolType, func(s *Scope) any { return types.Bool(s.PurposeDeclared) }},
	{"purpose.catch_all_takes", cel.ListType(cel.StringType), func(s *Scope) any { return s.CatchAllTakes }},
	{"facts", factsType, func(s *Scope) any { return s.stated }},
	{"purpose.basis", cel.ListType(cel.StringType), func(s *Scope) any { return s.PurposeBasis }},
}

// slot says where a variable's value comes from.
type slot struct {
	kind  uint8 // 0 scope variable, 1 list, 2 fact
	index int
}

const (
	slotScope uint8 = iota
	slotList
	slotFact
)

var listNames = [4]string{"consent", "objection", "opt_out", "request"}

var slots = func() map[string]slot {
	m := make(map[string]slot)
	for i, v := range scopeVariables {
		m[v.name] = slot{slotScope, i}
	}
	for i, n := range listNames {
		m[n] = slot{slotList, i}
	}
	for _, f := range event.Vocabulary() {
		m[f.Name] = slot{slotFact, int(f.Field)}
	}
	return m
}()

// unknowns holds the unknown of each fact, made once: evaluation merges them
// and so ends with the names of the facts that it missed.
var unknowns = func() map[string]ref.Val {
	m := make(map[string]ref.Val)
	for name := range slots {
		m[name] = types.NewUnknown(1, types.NewAttributeTrail(name))
	}
	return m
}()

// ResolveName gives CEL the value of a variable.
func (s *Scope) ResolveName(name string) (any, bool) {
	at, ok := slots[name]
	if !ok {
		return nil, false
	}
	switch at.kind {
	case slotScope:
		return scopeVariables[at.index].get(s), true
	case slotList:
		known := [4]bool{s.facts.Consents.Known, s.facts.Objections.Known, s.facts.OptOuts.Known, true}
		if !known[at.index] {
			return unknowns[name], true
		}
		return s.lists[at.index], true
	}
	field := event.Field(at.index)
	v := s.facts.Get(field)
	if v.State == event.Absent {
		v = field.Info().Absent
	}
	switch v.State {
	case event.Null:
		return types.NullValue, true
	case event.Known:
		switch field.Info().Type {
		case event.Bool:
			return types.Bool(v.Bool), true
		case event.Day:
			return dateVal(v.Day), true
		default:
			return types.String(v.Text), true
		}
	}
	return unknowns[name], true
}

// Parent makes a Scope an activation of CEL; it has none.
func (s *Scope) Parent() interpreter.Activation { return nil }

// Truth is what became of a condition.
type Truth uint8

// The three values.
const (
	False Truth = iota
	True
	Unknown
)

// String is "true", "false" or "unknown".
func (t Truth) String() string { return [...]string{"false", "true", "unknown"}[t] }

// Eval evaluates the condition. Missing names the facts for want of which it
// is unknown. A condition that fails to evaluate is unknown for want of
// "condition": the register is at fault, and a person must look.
func (c *Condition) Eval(s *Scope) (truth Truth, missing []string) {
	out, _, err := c.prg.Eval(s)
	if err != nil {
		return Unknown, []string{"condition"}
	}
	switch v := out.(type) {
	case types.Bool:
		if v {
			return True, nil
		}
		return False, nil
	case *types.Unknown:
		for _, id := range v.IDs() {
			trails, _ := v.GetAttributeTrails(id)
			for _, t := range trails {
				if !slices.Contains(missing, t.Variable()) {
					missing = append(missing, t.Variable())
				}
			}
		}
		slices.Sort(missing)
		return Unknown, missing
	}
	return Unknown, []string{"condition"}
}
