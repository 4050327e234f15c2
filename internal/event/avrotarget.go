package event

import (
	"slices"
	"strings"

	"github.com/hamba/avro/v2"
)

// target is a part of one of our own schemas: what it is, and where a value
// goes. Which part of an event that is stands in the tables of avrosinks.go.
type target struct {
	path     string // "processing.actor.kind"; items of an array have "[]" at the end
	schema   avro.Schema
	optional bool      // null may stand there and says nothing
	branches []*target // of a union, without null; all else is empty then

	fields []targetField // of a record
	items  *target       // of an array

	sink
}

type targetField struct {
	name    string
	aliases []string
	must    bool // there is no default
	*target
}

// sink is where the values of one part go. Which of these there are depends on
// the type of the part.
type sink struct {
	text func(r *reader, b []byte)          // string
	long func(r *reader, n int64)           // int, long
	flag func(r *reader, v bool)            // boolean
	word func(symbol string) func(*reader)  // enum
	open func(r *reader)                    // record, array: before it
	next func(r *reader, n int) (more bool) // array: before each item, n = how many there were
	end  func(r *reader)                    // record, array: after it, where nothing is wrong
	off  bool                               // read past
}

func newTarget(s avro.Schema, path string, must bool) *target {
	t := &target{path: path, schema: deref(s), optional: !must}
	if t.sink = sinks[path]; t.off {
		return t
	}
	switch s := t.schema.(type) {
	case *avro.UnionSchema:
		for _, b := range s.Types() {
			if b.Type() == avro.Null {
				t.optional = true
				continue
			}
			t.branches = append(t.branches, newTarget(b, path, true))
		}
	case *avro.RecordSchema:
		for _, f := range s.Fields() {
			t.fields = append(t.fields, targetField{
				name: f.Name(), aliases: f.Aliases(), must: !f.HasDefault(), target: newTarget(f.Type(), path+"."+f.Name(), true),
			})
		}
	case *avro.ArraySchema:
		t.items = newTarget(s.Items(), path+"[]", true)
	}
	return t
}

// deref is the schema that a name stands for.
func deref(s avro.Schema) avro.Schema {
	if ref, ok := s.(*avro.RefSchema); ok {
		return ref.Schema()
	}
	return s
}

// logicalType is the logical type of an int or a long, also one that the parser
// does not know.
func logicalType(s avro.Schema) string {
	p, ok := s.(*avro.PrimitiveSchema)
	if !ok {
		return ""
	}
	if l := p.Logical(); l != nil {
		return string(l.Type())
	}
	l, _ := p.Prop("logicalType").(string)
	return l
}

// sameName says whether two named types have the same name, the namespace
// apart, or one has the other's as an alias.
func sameName(a, b avro.Schema) bool {
	x, ok := a.(avro.NamedSchema)
	y, also := b.(avro.NamedSchema)
	if !ok || !also {
		return false
	}
	if x.Name() == y.Name() {
		return true
	}
	last := func(s string) string { return s[strings.LastIndexByte(s, '.')+1:] }
	return slices.ContainsFunc(x.Aliases(), func(s string) bool { return last(s) == y.Name() }) ||
		slices.ContainsFunc(y.Aliases(), func(s string) bool { return last(s) == x.Name() })
}
