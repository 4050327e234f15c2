package trail

import "github.com/ClickHouse/ch-go/proto"

// contextColumn is the column context of the trail: for each row which of the
// block's contexts is its own.
//
// For writing, it knows the contexts of former blocks by their encoding, so that
// the one of a row costs a look into a map. For reading, the ids of a block are
// made contexts by [DB.resolve].
type contextColumn struct {
	known   map[string]*knownContext
	scratch []byte
	block   uint32          // counts the blocks, from 1
	ids     []*knownContext // of this block, in the order in which they came
	text    int             // bytes of their encodings
	keys    []uint32        // of each row: which of ids

	raw      proto.ColLowCardinalityRaw // as it travels
	index    proto.ColFixedStr16
	resolved []*Context // of a block that was read: of each of index
}

type knownContext struct {
	id      ContextID
	encoded string
	block   uint32 // the last that it was in
	at      uint32 // where in that block's ids
}

// maxKnownContexts bounds what a column remembers between blocks: a source that
// makes a new context of every event costs time and not memory.
const maxKnownContexts = 1 << 14

func newContextColumn() *contextColumn {
	c := &contextColumn{known: make(map[string]*knownContext), block: 1}
	c.raw.Index = &c.index
	return c
}

// append adds the context of a row.
func (c *contextColumn) append(r *Row) {
	c.scratch = appendContext(c.scratch[:0], r)
	k := c.known[string(c.scratch)]
	if k == nil {
		encoded := string(c.scratch)
		k = &knownContext{id: contextID(encoded), encoded: encoded}
		c.known[encoded] = k
	}
	if k.block != c.block {
		k.block, k.at = c.block, uint32(len(c.ids))
		c.ids = append(c.ids, k)
		c.text += len(k.encoded)
	}
	c.keys = append(c.keys, k.at)
}

// Type is the column's type.
func (c *contextColumn) Type() proto.ColumnType { return c.raw.Type() }

// Rows is how many rows there are.
func (c *contextColumn) Rows() int { return len(c.keys) }

// Reset empties the column; it still knows the contexts.
func (c *contextColumn) Reset() {
	if len(c.known) > maxKnownContexts {
		clear(c.known)
	}
	c.block++
	c.ids, c.keys, c.text, c.resolved = c.ids[:0], c.keys[:0], 0, nil
	c.raw.Reset()
}

// Prepare makes of the rows what travels.
func (c *contextColumn) Prepare() error {
	if len(c.keys) == 0 {
		return nil
	}
	c.raw.Reset()
	for _, k := range c.ids {
		c.index.Append(k.id)
	}
	packKeys(&c.raw, c.keys, len(c.ids))
	return nil
}

// EncodeState writes what comes before the column.
func (c *contextColumn) EncodeState(b *proto.Buffer) { c.raw.EncodeState(b) }

// EncodeColumn writes the column.
func (c *contextColumn) EncodeColumn(b *proto.Buffer) { c.raw.EncodeColumn(b) }

// WriteColumn writes the column.
func (c *contextColumn) WriteColumn(w *proto.Writer) { c.raw.WriteColumn(w) }

// DecodeState reads what comes before the column.
func (c *contextColumn) DecodeState(r *proto.Reader) error { return c.raw.DecodeState(r) }

// DecodeColumn reads a block, and looks that every row's context is there.
func (c *contextColumn) DecodeColumn(r *proto.Reader, rows int) error {
	c.keys, c.resolved = c.keys[:0], nil
	if rows == 0 {
		return nil
	}
	if err := c.raw.DecodeColumn(r, rows); err != nil {
		return err
	}
	var err error
	c.keys, err = unpackKeys(c.keys, &c.raw, rows, len(c.index))
	return err
}

// at is the context of row i of a block that was read and resolved; nil where
// the column was not read.
func (c *contextColumn) at(i int) *Context {
	if len(c.resolved) == 0 {
		return nil
	}
	return c.resolved[c.keys[i]]
}
