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

// lowCard is a LowCardinality(String) column.
type lowCard struct {
	*proto.ColLowCardinality[string]
}

func newLowCard() *lowCard {
	return &lowCard{new(proto.ColStr).LowCardinality()}
}

// fill makes the column n rows of v.
func (c *lowCard) fill(n int, v string) {
	c.Reset()
	for range n {
		c.Append(v)
	}
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
		case *proto.ColArr[string]:
			data.Reset()
			fill(&data.Offsets, n, 0)
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
