package event

import "github.com/hamba/avro/v2"

// skip reads a value past that nothing of ours is made of.
type skip struct {
	nothing bool // it takes no bytes: null, a record of such, a fixed of none
	read    step
}

// skip makes the plan for reading past a type. Named types are made once:
// a schema may name itself.
func (c *compiler) skip(w avro.Schema) *skip {
	named, _ := w.(avro.NamedSchema)
	if named != nil {
		if s := c.skips[named]; s != nil {
			return s
		}
	}
	s := new(skip)
	if named != nil {
		// While it is being made it stands for itself, and takes bytes: a value
		// that holds itself without end has none that could be written.
		c.skips[named] = s
		s.read = func(r *reader) { r.broken("a value without end") }
	}
	if c.steps++; c.steps > maxPlanSteps {
		if c.fault == nil {
			c.fault = &Fault{Code: CodeSchemaMismatch, Got: "a schema of too many parts", Want: "a simpler one"}
		}
		s.read = nothing
		return s
	}
	switch w := w.(type) {
	case *avro.RecordSchema:
		c.skipRecord(s, w)
	case *avro.ArraySchema:
		s.read = skipBlocks(c.skip(deref(w.Items())), false)
	case *avro.MapSchema:
		s.read = skipBlocks(c.skip(deref(w.Values())), true)
	case *avro.UnionSchema:
		branches := make([]*skip, len(w.Types()))
		for i, b := range w.Types() {
			branches[i] = c.skip(deref(b))
		}
		s.read = func(r *reader) {
			n := r.long()
			if uint64(n) >= uint64(len(branches)) {
				r.noBranch(len(branches))
				return
			}
			if r.fault == nil {
				branches[n].deeper(r)
			}
		}
	case *avro.EnumSchema:
		n := len(w.Symbols())
		s.read = func(r *reader) { r.symbol(n) }
	case *avro.FixedSchema:
		n := int64(w.Size())
		s.nothing = n == 0
		s.read = func(r *reader) { r.take(n) }
	default:
		c.skipPrimitive(s, w.Type())
	}
	return s
}

func (c *compiler) skipRecord(s *skip, w *avro.RecordSchema) {
	var fields []*skip
	for _, f := range w.Fields() {
		if field := c.skip(deref(f.Type())); !field.nothing {
			fields = append(fields, field)
		}
	}
	s.nothing = len(fields) == 0
	s.read = func(r *reader) {
		for _, f := range fields {
			if f.deeper(r); r.fault != nil {
				return
			}
		}
	}
}

func (c *compiler) skipPrimitive(s *skip, t avro.Type) {
	switch t {
	case avro.Null:
		s.nothing, s.read = true, nothing
	case avro.Boolean:
		s.read = func(r *reader) { r.flag() }
	case avro.Int:
		s.read = func(r *reader) { r.int() }
	case avro.Long:
		s.read = func(r *reader) { r.long() }
	case avro.Float:
		s.read = func(r *reader) { r.take(4) }
	case avro.Double:
		s.read = func(r *reader) { r.take(8) }
	default: // bytes and string: what is not read need not be text
		s.read = func(r *reader) { r.chunk() }
	}
}

// deeper reads past what is inside something that is read past.
func (s *skip) deeper(r *reader) {
	if r.depth++; r.depth > MaxDepth {
		r.stop(&Fault{Code: CodeTooDeep, Got: "deeper nesting", Want: "at most 32 levels"})
		r.in, r.pos = nil, 0
		return
	}
	s.read(r)
	r.depth--
}

// skipBlocks reads past an array, or a map. Items that take no bytes are not
// counted out: their number may be any. Of the others there cannot be more than
// there are bytes, so that the loop ends soon.
func skipBlocks(item *skip, keys bool) step {
	return func(r *reader) {
		for {
			count, size := r.block()
			switch {
			case count == 0 || r.fault != nil:
				return
			case size >= 0:
				r.take(size)
				continue
			case item.nothing && !keys:
				continue
			case count > int64(r.left()):
				r.short()
				return
			}
			for ; count > 0; count-- {
				if keys {
					r.chunk()
				}
				if r.fault == nil {
					item.deeper(r)
				}
				if r.fault != nil {
					return
				}
			}
		}
	}
}
