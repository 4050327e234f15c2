package event

import (
	"fmt"
	"slices"

	"github.com/hamba/avro/v2"
)

// step reads one value of the writer's and puts it where it belongs.
type step func(r *reader)

// compile resolves a writer's schema against one of ours. Where they do not
// match, the plan is the fault.
func compile(writer avro.Schema, own *target) (p plan) {
	c := compiler{skips: make(map[avro.NamedSchema]*skip)}
	p.read = c.value(deref(writer), own)
	if p.fault = c.fault; p.fault != nil {
		p.read = nil
	}
	return p
}

// compiler makes the plan of one schema. The first thing that does not match
// ends it.
type compiler struct {
	fault *Fault
	steps int
	skips map[avro.NamedSchema]*skip

	values map[avro.NamedSchema]*skip // what stands for JSON
}

// fail notes that a part of the writer's schema cannot be resolved to ours.
func (c *compiler) fail(own *target, got, want string) step {
	if c.fault == nil {
		c.fault = &Fault{
			Code: CodeSchemaMismatch, Got: got + " for " + own.path, Want: want,
			Mend: "write with schemas/avro, or with a schema that can be resolved to it",
		}
	}
	return nil
}

// more counts the parts of a plan: schemas that refer to themselves again and
// again would make it endless.
func (c *compiler) more(own *target) bool {
	if c.steps++; c.steps > maxPlanSteps {
		c.fail(own, "a schema of too many parts", "a simpler one")
	}
	return c.fault == nil
}

// value resolves one value.
func (c *compiler) value(w avro.Schema, own *target) step {
	if !c.more(own) {
		return nil
	}
	if own.off {
		return c.skip(w).read
	}
	if union, ok := w.(*avro.UnionSchema); ok {
		return c.union(union, own)
	}
	if w.Type() == avro.Null {
		return nothing
	}
	if len(own.branches) == 0 {
		return c.single(w, own)
	}
	for _, exact := range []bool{true, false} { // the same name first
		for _, b := range own.branches {
			if (!exact || sameName(w, b.schema)) && c.fits(w, b, len(own.branches) > 1) {
				return c.single(w, b)
			}
		}
	}
	return c.fail(own, kindOf(w), kindOf(own.schema))
}

// nothing is null: it says nothing, as in JSON. Whether something must be
// there is seen in the end.
func nothing(*reader) {}

// union takes each branch of the writer's apart. A branch that is not ours is a
// fault only where it is written.
func (c *compiler) union(w *avro.UnionSchema, own *target) step {
	steps := make([]step, len(w.Types()))
	any := false
	for i, b := range w.Types() {
		b = deref(b)
		attempt := compiler{steps: c.steps, skips: c.skips}
		steps[i] = attempt.value(b, own)
		c.steps = attempt.steps
		if attempt.fault != nil {
			got, want := kindOf(b), kindOf(own.schema)
			steps[i] = func(r *reader) { r.fail(CodeWrongType, got, want, "") }
			continue
		}
		any = any || b.Type() != avro.Null
	}
	if !any || c.steps > maxPlanSteps {
		return c.fail(own, kindOf(w), kindOf(own.schema))
	}
	return func(r *reader) {
		n := r.long()
		if uint64(n) >= uint64(len(steps)) {
			r.noBranch(len(steps))
			return
		}
		if r.fault == nil {
			steps[n](r)
		}
	}
}

func (r *reader) noBranch(n int) {
	if r.fault == nil {
		r.broken(fmt.Sprintf("a branch that is none of the %d of its union", n))
	}
}

// fits says whether a type can be read as one of ours. An enum among several
// branches must have its name: any symbol would do otherwise.
func (c *compiler) fits(w avro.Schema, own *target, several bool) bool {
	switch own.schema.Type() {
	case avro.String:
		return w.Type() == avro.String || w.Type() == avro.Bytes || w.Type() == avro.Enum
	case avro.Long:
		return w.Type() == avro.Long || w.Type() == avro.Int
	case avro.Enum:
		return w.Type() == avro.Enum && (!several || sameName(w, own.schema)) || w.Type() == avro.String && !several
	default:
		return w.Type() == own.schema.Type()
	}
}

// single resolves types that are no unions.
func (c *compiler) single(w avro.Schema, own *target) step {
	if !c.fits(w, own, false) {
		return c.fail(own, kindOf(w), kindOf(own.schema))
	}
	switch own.schema.(type) {
	case *avro.RecordSchema:
		return c.record(w.(*avro.RecordSchema), own)
	case *avro.ArraySchema:
		return c.array(w.(*avro.ArraySchema), own)
	case *avro.EnumSchema:
		return c.enum(w, own)
	}
	switch own.schema.Type() {
	case avro.String:
		return c.text(w, own)
	case avro.Boolean:
		put := own.flag
		return func(r *reader) {
			if v := r.flag(); r.fault == nil {
				put(r, v)
			}
		}
	default:
		return c.number(w, own)
	}
}

func (c *compiler) text(w avro.Schema, own *target) step {
	put := own.text
	if e, ok := w.(*avro.EnumSchema); ok { // a word is a text
		symbols := make([][]byte, len(e.Symbols()))
		for i, s := range e.Symbols() {
			symbols[i] = []byte(s)
		}
		return func(r *reader) {
			if n := r.symbol(len(symbols)); r.fault == nil {
				put(r, symbols[n])
			}
		}
	}
	return func(r *reader) {
		if b := r.chunk(); b != nil {
			put(r, b)
		}
	}
}

// number resolves ints and longs. Times in another unit are converted; times
// without a zone, and times of day, are none of ours.
func (c *compiler) number(w avro.Schema, own *target) step {
	put, read := own.long, (*reader).long
	if w.Type() == avro.Int {
		read = (*reader).int
	}
	divide := int64(1)
	switch have, want := logicalType(w), logicalType(own.schema); {
	case have == "" || have == want:
	case want == "timestamp-millis" && have == "timestamp-micros":
		divide = 1e3
	case want == "timestamp-millis" && have == "timestamp-nanos":
		divide = 1e6
	case want != "" || have == "date" || have == "time-millis":
		return c.fail(own, kindOf(w), kindOf(own.schema))
	}
	return func(r *reader) {
		n := read(r)
		if r.fault != nil {
			return
		}
		if divide > 1 {
			n = floorDiv(n, divide)
		}
		put(r, n)
	}
}

func floorDiv(n, by int64) int64 {
	q := n / by
	if n%by < 0 {
		q--
	}
	return q
}

// enum resolves symbols by name. One that we do not have is our default.
func (c *compiler) enum(w avro.Schema, own *target) step {
	ours := own.schema.(*avro.EnumSchema)
	e, ok := w.(*avro.EnumSchema)
	if !ok { // the symbol as a text
		return func(r *reader) {
			b := r.clip(r.chunk(), MaxID)
			if s := r.choiceOf(b, ours.Symbols()); s != "" {
				own.word(s)(r)
			}
		}
	}
	steps := make([]step, len(e.Symbols()))
	for i, s := range e.Symbols() {
		if !slices.Contains(ours.Symbols(), s) {
			s = ours.Default()
		}
		steps[i] = own.word(s)
	}
	return func(r *reader) {
		if n := r.symbol(len(steps)); r.fault == nil {
			steps[n](r)
		}
	}
}

// symbol reads the number of one of n symbols.
func (r *reader) symbol(n int) int {
	i := r.long()
	if uint64(i) >= uint64(n) {
		if r.fault == nil {
			r.broken(fmt.Sprintf("a symbol that is none of the %d of its enum", n))
		}
		return 0
	}
	return int(i)
}

// record resolves fields by name, then by alias: ours for what the writer calls
// otherwise, and the writer's for what it has renamed since.
func (c *compiler) record(w *avro.RecordSchema, own *target) step {
	of := make(map[int]*targetField, len(own.fields)) // by the place of the writer's field
	for i := range own.fields {
		f := &own.fields[i]
		at := fieldFor(w, f, of)
		switch {
		case at >= 0:
			of[at] = f
		case f.must:
			return c.fail(own, fmt.Sprintf("%s without the field %s", kindOf(w), f.name), "a field "+f.name)
		}
	}
	p := &recordPlan{open: own.open, end: own.end, fields: make([]fieldPlan, 0, len(w.Fields()))}
	for i, wf := range w.Fields() {
		if f := of[i]; f != nil {
			p.fields = append(p.fields, fieldPlan{name: f.name, optional: nullFirst(wf.Type()), read: c.value(deref(wf.Type()), f.target)})
		} else if s := c.skip(deref(wf.Type())); !s.nothing {
			p.fields = append(p.fields, fieldPlan{name: wf.Name(), read: s.read})
		}
		if c.fault != nil {
			return nil
		}
	}
	return p.read
}

// nullFirst says whether a type is a union that begins with null.
func nullFirst(w avro.Schema) bool {
	u, ok := w.(*avro.UnionSchema)
	return ok && len(u.Types()) > 0 && u.Types()[0].Type() == avro.Null
}

// fieldFor is the place of the writer's field that is the same as ours, -1 if
// there is none.
func fieldFor(w *avro.RecordSchema, own *targetField, taken map[int]*targetField) int {
	find := func(same func(f *avro.Field) bool) int {
		for i, f := range w.Fields() {
			if taken[i] == nil && same(f) {
				return i
			}
		}
		return -1
	}
	if at := find(func(f *avro.Field) bool { return f.Name() == own.name }); at >= 0 {
		return at
	}
	if at := find(func(f *avro.Field) bool { return slices.Contains(own.aliases, f.Name()) }); at >= 0 {
		return at
	}
	return find(func(f *avro.Field) bool { return slices.Contains(f.Aliases(), own.name) })
}

// recordPlan reads a record, field by field.
type recordPlan struct {
	open, end func(*reader)
	fields    []fieldPlan
}

type fieldPlan struct {
	name     string
	optional bool // a zero byte is null, the first branch of its union, and says nothing
	read     step
}

func (p *recordPlan) read(r *reader) {
	if p.open != nil {
		p.open(r)
	}
	for i := range p.fields {
		f := &p.fields[i]
		if f.optional && r.pos < len(r.in) && r.in[r.pos] == 0 {
			r.pos++
			continue
		}
		if f.read(r); r.fault != nil {
			r.fault.Pointer = "/" + f.name + r.fault.Pointer
			return
		}
	}
	if p.end != nil {
		p.end(r)
	}
}

func (c *compiler) array(w *avro.ArraySchema, own *target) step {
	item := c.value(deref(w.Items()), own.items)
	open, next, end := own.open, own.next, own.end
	return func(r *reader) {
		if open != nil {
			open(r)
		}
		for n := 0; ; {
			count, _ := r.block()
			if count == 0 {
				break
			}
			for ; count > 0 && r.fault == nil; count-- {
				if !next(r, n) {
					return
				}
				if item(r); r.fault != nil {
					r.fault.Pointer = fmt.Sprintf("/%d%s", n, r.fault.Pointer)
				}
				n++
			}
		}
		if r.fault == nil && end != nil {
			end(r)
		}
	}
}

// kindOf names a type for who reads a fault.
func kindOf(s avro.Schema) string {
	s = deref(s)
	if n, ok := s.(avro.NamedSchema); ok {
		return string(s.Type()) + " " + cutText(n.Name())
	}
	if l := logicalType(s); l != "" {
		return string(s.Type()) + " (" + cutText(l) + ")"
	}
	if u, ok := s.(*avro.UnionSchema); ok {
		text := "a union of "
		for i, b := range u.Types() {
			if i > 0 {
				text += ", "
			}
			text += kindOf(b)
		}
		return cutText(text)
	}
	return string(s.Type())
}
