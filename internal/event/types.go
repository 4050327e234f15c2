package event

import (
	"maps"
	"slices"
	"strings"
)

// IdentityFact is the kind of fact that says that several identifiers are of
// one person. It has no value and stands beside the vocabulary.
const IdentityFact = "identity"

// typeInfo is what a CloudEvents type says.
type typeInfo struct {
	name string // the type itself
	kind Kind
	op   Operation
	fact string // name in the vocabulary
}

var typesByName = func() map[string]typeInfo {
	m := map[string]typeInfo{CohortType: {name: CohortType, kind: CohortPart}}
	for _, op := range Operations() {
		t := TypePrefix + op.String() + TypeSuffix
		m[t] = typeInfo{name: t, kind: Processing, op: op}
	}
	for _, f := range FactNames() {
		t := factType(f)
		m[t] = typeInfo{name: t, kind: FactEvent, fact: f}
	}
	return m
}()

func factType(name string) string {
	return FactPrefix + strings.ReplaceAll(name, "_", "-") + TypeSuffix
}

// Types lists every CloudEvents type that is understood, sorted.
func Types() []string { return slices.Sorted(maps.Keys(typesByName)) }

// FactNames lists the names that a fact event can have: the lists, the records
// and the single facts of the vocabulary, and identity.
func FactNames() []string {
	names := make([]string, 0, len(topFacts)+1)
	for i := range topFacts {
		names = append(names, topFacts[i].name)
	}
	return append(names, IdentityFact)
}

// TypeName is the CloudEvents type that the event's kind, operation or fact
// makes; "" if they make none.
func (ev *Event) TypeName() string {
	switch ev.Kind {
	case Processing:
		return typesByName[TypePrefix+ev.Operation.String()+TypeSuffix].name
	case FactEvent:
		return typesByName[factType(ev.Fact.Name)].name
	case CohortPart:
		return CohortType
	default:
		return ""
	}
}

// setType takes the CloudEvents type apart.
func (r *reader) setType(ev *Event, name []byte, pointer string) {
	info, ok := typesByName[string(name)]
	if ok {
		ev.Type, ev.Kind, ev.Operation, ev.Fact.Name = info.name, info.kind, info.op, info.fact
		return
	}
	s := string(name)
	middle, ours := strings.CutPrefix(s, TypePrefix)
	middle, version := strings.CutSuffix(middle, TypeSuffix)
	fact, isFact := strings.CutPrefix(middle, "fact.")
	switch {
	case !ours || !version || middle == "":
		r.failAt(pointer, CodeUnknownType, shown(name), "ee.andmerada.<operation>.v1, ee.andmerada.fact.<kind>.v1 or "+CohortType, DidYouMean(s, Types()))
	case isFact:
		kinds := FactNames()
		for i := range kinds {
			kinds[i] = strings.ReplaceAll(kinds[i], "_", "-")
		}
		r.failAt(pointer, CodeUnknownFact, shown(name), "a fact of the vocabulary", DidYouMean(fact, kinds))
	default:
		var names []string
		for _, op := range Operations() {
			names = append(names, op.String())
		}
		r.failAt(pointer, CodeUnknownOperation, shown(name), oneOf(names), DidYouMean(middle, names))
	}
}

// topFact is one name of a facts object: a list, a record of scalar facts, or
// a scalar fact.
type topFact struct {
	name    string
	list    listName
	record  bool
	fields  []Field // of a record, in order; one for a scalar
	members []string
}

// listName is one of the four lists.
type listName uint8

const (
	noList listName = iota
	consentList
	objectionList
	optOutList
	requestList
)

// topFacts are the names of a facts object in canonical order: the lists, then
// the scalar facts in the order of their numbers, records together.
var topFacts = func() []topFact {
	tops := []topFact{
		{name: "consent", list: consentList},
		{name: "objection", list: objectionList},
		{name: "opt_out", list: optOutList},
		{name: "request", list: requestList},
	}
	for i := range vocabulary {
		record, member, isRecord := strings.Cut(vocabulary[i].Name, ".")
		last := &tops[len(tops)-1]
		if !isRecord {
			tops = append(tops, topFact{name: record, fields: []Field{Field(i)}})
			continue
		}
		if last.name != record {
			tops = append(tops, topFact{name: record, record: true})
			last = &tops[len(tops)-1]
		}
		last.fields = append(last.fields, Field(i))
		last.members = append(last.members, member)
	}
	return tops
}()

var topFactsByName = func() map[string]*topFact {
	m := make(map[string]*topFact, len(topFacts))
	for i := range topFacts {
		m[topFacts[i].name] = &topFacts[i]
	}
	return m
}()
