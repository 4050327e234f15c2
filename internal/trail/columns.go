package trail

import (
	"fmt"
	"time"

	"github.com/ClickHouse/ch-go/proto"
)

// column is one named column of a block, to be written or read.
type column struct {
	name string
	data proto.Column
}

func resetColumns(columns []column) {
	for _, c := range columns {
		c.data.Reset()
	}
}

func inputOf(columns []column) proto.Input {
	in := make(proto.Input, len(columns))
	for i, c := range columns {
		in[i] = proto.InputColumn{Name: c.name, Data: c.data}
	}
	return in
}

func resultsOf(columns []column) proto.Results {
	out := make(proto.Results, len(columns))
	for i, c := range columns {
		out[i] = proto.ResultColumn{Name: c.name, Data: c.data}
	}
	return out
}

// namesOf lists the columns for a SELECT or an INSERT, quoted: "offset" and
// others are words of SQL.
func namesOf(columns []column) string {
	b := make([]byte, 0, 16*len(columns))
	for i, c := range columns {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(b, '`')
		b = append(b, c.name...)
		b = append(b, '`')
	}
	return string(b)
}

// lowCard is a LowCardinality(String) column: the distinct words of a block, and
// for each row which of them. Words that are appended are referred to, not
// copied, until the next Reset.
type lowCard struct {
	words  map[string]uint32
	list   []string
	text   int // bytes of the words
	keys   []uint32
	shared shared // keeps one string of each word that is read; nil: each block has its own

	raw   proto.ColLowCardinalityRaw // as it travels
	index proto.ColStr
}

func newLowCard() *lowCard {
	c := &lowCard{words: make(map[string]uint32)}
	c.raw.Index = &c.index
	return c
}

// newWords is a column for reading whose words are shared with others.
func newWords(s shared) *lowCard {
	c := newLowCard()
	c.shared = s
	return c
}

// Append adds a row. Most rows have the word of the row before.
func (c *lowCard) Append(v string) {
	if n := len(c.keys); n > 0 && c.list[c.keys[n-1]] == v {
		c.keys = append(c.keys, c.keys[n-1])
		return
	}
	k, ok := c.words[v]
	if !ok {
		k = uint32(len(c.list))
		c.words[v] = k
		c.list = append(c.list, v)
		c.text += len(v)
	}
	c.keys = append(c.keys, k)
}

// Row is the word of row i. Of a block that was read, a server may have sent many
// more words than there are rows: only those asked for are made strings.
func (c *lowCard) Row(i int) string {
	if len(c.list) == 0 {
		return c.index.Row(int(c.keys[i]))
	}
	return c.list[c.keys[i]]
}

// fill makes the column n rows of v.
func (c *lowCard) fill(n int, v string) {
	c.Reset()
	for range n {
		c.Append(v)
	}
}

// Type is the column's type.
func (c *lowCard) Type() proto.ColumnType { return c.raw.Type() }

// Rows is how many rows there are.
func (c *lowCard) Rows() int { return len(c.keys) }

// Reset empties the column.
func (c *lowCard) Reset() {
	clear(c.words)
	clear(c.list)
	c.list, c.keys, c.text = c.list[:0], c.keys[:0], 0
	c.raw.Reset()
}

// Prepare makes of the rows what travels.
func (c *lowCard) Prepare() error {
	c.raw.Reset()
	for _, w := range c.list {
		c.index.Append(w)
	}
	packKeys(&c.raw, c.keys, len(c.list))
	return nil
}

// packKeys writes keys below n in as few bytes as they need.
func packKeys(raw *proto.ColLowCardinalityRaw, keys []uint32, n int) {
	switch {
	case n <= 1<<8:
		raw.Key = proto.KeyUInt8
		for _, k := range keys {
			raw.Keys8 = append(raw.Keys8, uint8(k))
		}
	case n <= 1<<16:
		raw.Key = proto.KeyUInt16
		for _, k := range keys {
			raw.Keys16 = append(raw.Keys16, uint16(k))
		}
	default:
		raw.Key = proto.KeyUInt32
		raw.Keys32 = append(raw.Keys32, keys...)
	}
}

// EncodeState writes what comes before the column.
func (c *lowCard) EncodeState(b *proto.Buffer) { c.raw.EncodeState(b) }

// EncodeColumn writes the column.
func (c *lowCard) EncodeColumn(b *proto.Buffer) { c.raw.EncodeColumn(b) }

// WriteColumn writes the column.
func (c *lowCard) WriteColumn(w *proto.Writer) { c.raw.WriteColumn(w) }

// DecodeState reads what comes before the column.
func (c *lowCard) DecodeState(r *proto.Reader) error { return c.raw.DecodeState(r) }

// DecodeColumn reads a block, and looks that every row's word is there.
func (c *lowCard) DecodeColumn(r *proto.Reader, rows int) (err error) {
	c.list, c.keys = c.list[:0], c.keys[:0]
	if rows == 0 {
		return nil
	}
	if err := c.raw.DecodeColumn(r, rows); err != nil {
		return err
	}
	if c.shared != nil {
		for i := range c.index.Pos {
			c.list = append(c.list, c.shared.text(c.index.RowBytes(i)))
		}
	}
	c.keys, err = unpackKeys(c.keys, &c.raw, rows, len(c.index.Pos))
	return err
}

// unpackKeys reads a key below n for each of the rows.
func unpackKeys(keys []uint32, raw *proto.ColLowCardinalityRaw, rows, n int) ([]uint32, error) {
	if have := raw.Rows(); have != rows {
		return nil, fmt.Errorf("%d keys for %d rows", have, rows)
	}
	add := func(k uint64) error {
		if k >= uint64(n) {
			return fmt.Errorf("key %d of %d words", k, n)
		}
		keys = append(keys, uint32(k))
		return nil
	}
	for i := range rows {
		var err error
		switch raw.Key {
		case proto.KeyUInt8:
			err = add(uint64(raw.Keys8[i]))
		case proto.KeyUInt16:
			err = add(uint64(raw.Keys16[i]))
		case proto.KeyUInt32:
			err = add(uint64(raw.Keys32[i]))
		default:
			err = add(raw.Keys64[i])
		}
		if err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// millis is a DateTime64(3, 'UTC') column. The library's own conversion goes
// by way of nanoseconds, which end in 2262; events come from 2299, too.
type millis struct {
	proto.ColDateTime64
}

func (c *millis) append(t time.Time) { c.AppendRaw(rawMillis(t)) }

func (c *millis) fill(n int, t time.Time) {
	c.Data = c.Data[:0]
	for range n {
		c.AppendRaw(rawMillis(t))
	}
}

func (c *millis) at(i int) time.Time {
	if c.Data[i] == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(c.Data[i])).UTC()
}

func rawMillis(t time.Time) proto.DateTime64 {
	if t.IsZero() {
		return 0
	}
	return proto.DateTime64(t.UnixMilli())
}

// enum8 is an Enum8 column by its numbers: the names are the table's, learned
// when the server tells the column's type.
type enum8 struct {
	proto.ColEnum8
	typ proto.ColumnType
}

// Infer takes over the table's type.
func (c *enum8) Infer(t proto.ColumnType) error {
	c.typ = t
	return nil
}

// Type is the table's type, once known.
func (c *enum8) Type() proto.ColumnType {
	if c.typ == "" {
		return c.ColEnum8.Type()
	}
	return c.typ
}

func fill[C ~[]T, T any](c *C, n int, v T) {
	*c = (*c)[:0]
	for range n {
		*c = append(*c, v)
	}
}

// pad makes columns that are not read n rows of their zero value.
func pad(columns []column, n int) {
	for _, c := range columns {
		switch data := c.data.(type) {
		case *lowCard:
			data.fill(n, "")
		case *proto.ColStr:
			data.Buf = data.Buf[:0]
			fill(&data.Pos, n, proto.Position{})
		case *contextColumn:
			data.Reset()
		case *millis:
			data.fill(n, time.Time{})
		case *enum8:
			fill(&data.ColEnum8, n, 0)
		case *proto.ColBool:
			fill(data, n, false)
		case *proto.ColUInt16:
			fill(data, n, 0)
		case *proto.ColUInt32:
			fill(data, n, 0)
		case *proto.ColUInt64:
			fill(data, n, 0)
		case *proto.ColFixedStr8:
			fill(data, n, [8]byte{})
		case *proto.ColFixedStr16:
			fill(data, n, [16]byte{})
		default:
			panic(fmt.Sprintf("column %s has a type that pad does not know", c.name))
		}
	}
}
