package trail

import (
	"fmt"
	"slices"

	"github.com/ClickHouse/ch-go/proto"
)

// shared keeps one string for each distinct text that is read, so that reading
// allocates only what is new and equal texts compare by their address. It is
// for one goroutine.
type shared map[string]string

// maxShared bounds it: texts are bounded, their number is not.
const maxShared = 1 << 16

func (s shared) text(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if v, ok := s[string(b)]; ok {
		return v
	}
	if len(s) >= maxShared {
		clear(s)
	}
	v := string(b)
	s[v] = v
	return v
}

// words is a LowCardinality(String) column for reading, as it travels: the
// distinct words of a block and, for each row, which of them.
type words struct {
	proto.ColLowCardinalityRaw
	index  proto.ColStr
	shared shared
	list   []string
}

func newWords(s shared) *words {
	w := &words{shared: s}
	w.Index = &w.index
	return w
}

// DecodeColumn reads a block, and looks that every row's word is there.
func (w *words) DecodeColumn(r *proto.Reader, rows int) error {
	if err := w.ColLowCardinalityRaw.DecodeColumn(r, rows); err != nil {
		return err
	}
	if n := w.Keys().Rows(); n != rows {
		return fmt.Errorf("%d keys for %d rows", n, rows)
	}
	w.list = w.list[:0]
	for i := range w.index.Pos {
		w.list = append(w.list, w.shared.text(w.index.RowBytes(i)))
	}
	highest := uint64(0)
	switch w.Key {
	case proto.KeyUInt8:
		highest = highestOf(w.Keys8)
	case proto.KeyUInt16:
		highest = highestOf(w.Keys16)
	case proto.KeyUInt32:
		highest = highestOf(w.Keys32)
	default:
		highest = highestOf(w.Keys64)
	}
	if rows > 0 && highest >= uint64(len(w.list)) {
		return fmt.Errorf("key %d of %d words", highest, len(w.list))
	}
	return nil
}

func highestOf[T ~[]E, E uint8 | uint16 | uint32 | uint64](keys T) uint64 {
	if len(keys) == 0 {
		return 0
	}
	return uint64(slices.Max(keys))
}

func (w *words) at(i int) string {
	switch w.Key {
	case proto.KeyUInt8:
		return w.list[w.Keys8[i]]
	case proto.KeyUInt16:
		return w.list[w.Keys16[i]]
	case proto.KeyUInt32:
		return w.list[w.Keys32[i]]
	default:
		return w.list[w.Keys64[i]]
	}
}

// wordLists is an Array(LowCardinality(String)) column for reading.
type wordLists struct {
	ends  proto.ColUInt64
	words *words
	all   []string // of the block's rows, one after the other
}

func newWordLists(s shared) *wordLists { return &wordLists{words: newWords(s)} }

// Type is the column's type.
func (l *wordLists) Type() proto.ColumnType { return proto.ColumnTypeArray.Sub(l.words.Type()) }

// Rows is how many lists there are.
func (l *wordLists) Rows() int { return len(l.ends) }

// Reset empties the column.
func (l *wordLists) Reset() {
	l.ends.Reset()
	l.words.Reset()
	l.all = l.all[:0]
}

// DecodeState reads what comes before the words.
func (l *wordLists) DecodeState(r *proto.Reader) error { return l.words.DecodeState(r) }

// DecodeColumn reads a block.
func (l *wordLists) DecodeColumn(r *proto.Reader, rows int) error {
	if err := l.ends.DecodeColumn(r, rows); err != nil {
		return err
	}
	if !slices.IsSorted(l.ends) {
		return fmt.Errorf("lists that end before they begin")
	}
	total := 0
	if rows > 0 {
		total = int(l.ends[rows-1])
	}
	if err := l.words.DecodeColumn(r, total); err != nil {
		return err
	}
	l.all = slices.Grow(l.all[:0], total)
	for i := range total {
		l.all = append(l.all, l.words.at(i))
	}
	return nil
}

// at is list i, until the next block; nil if it is empty.
func (l *wordLists) at(i int) []string {
	first := uint64(0)
	if i > 0 {
		first = l.ends[i-1]
	}
	if first == l.ends[i] {
		return nil
	}
	return l.all[first:l.ends[i]:l.ends[i]]
}
