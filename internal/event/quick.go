package event

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// quick reads JSON that is as it should be, in one go over its bytes, at a
// third of what a decoder costs that can say of everything what is wrong with
// it. At whatever is wrong, or only unusual, it gives up, and the message is
// read again by that decoder. So all that it takes, the decoder must take and
// read the same; FuzzQuick holds it to that.
type quick struct {
	on    bool // it is tried
	used  bool // by this message
	src   []byte
	pos   int      // of the next value, past any white space
	plain bool     // the last string was
	names [][]byte // of all objects that are open, to refuse one that comes twice
}

// gaveUp stands for a fault that the decoder will find, or not.
var gaveUp = new(Fault)

func (q *quick) begin(src []byte) (ok bool) {
	q.used, q.src, q.pos, q.names = true, src, 0, q.names[:0]
	q.space()
	return utf8.Valid(src)
}

// free lets go of the text.
func (q *quick) free() {
	clear(q.names[:cap(q.names)])
	if q.src = nil; cap(q.names) > 1<<10 {
		q.names = nil
	}
}

// space goes on past white space.
func (q *quick) space() {
	for q.pos < len(q.src) {
		switch q.src[q.pos] {
		case ' ', '\n', '\t', '\r':
			q.pos++
		default:
			return
		}
	}
}

// next is the byte that is next, 0 at the end.
func (q *quick) next() byte {
	if q.pos < len(q.src) {
		return q.src[q.pos]
	}
	return 0
}

// kind is what the next value is.
func (q *quick) kind() jsontext.Kind {
	c := q.next()
	if c == '-' || c-'0' < 10 {
		return '0'
	}
	return jsontext.Kind(c)
}

// value is the next value as it stands; ok is false where it gives up.
func (q *quick) value() (v []byte, ok bool) {
	start := q.pos
	switch q.next() {
	case '"':
		ok = q.text()
	case 't':
		ok = q.word("true")
	case 'f':
		ok = q.word("false")
	case 'n':
		ok = q.word("null")
	case '{':
		ok = q.members(func([]byte) bool { _, ok := q.value(); return ok })
		return trimmed(q.src[start:q.pos]), ok
	case '[':
		ok = q.items(func() bool { _, ok := q.value(); return ok })
		return trimmed(q.src[start:q.pos]), ok
	default:
		ok = q.number()
	}
	v = q.src[start:q.pos]
	q.space()
	return v, ok
}

// trimmed is a value without the white space after it.
func trimmed(v []byte) []byte {
	for len(v) > 0 && v[len(v)-1] <= ' ' {
		v = v[:len(v)-1]
	}
	return v
}

// text goes past a string, and notes whether it is plain: printable ASCII
// without an escape. Eight bytes are looked at in one go: a byte of mask is set
// where the first byte stands that ends a plain run. (The bytes behind it may
// be set for nothing, by what is borrowed.)
func (q *quick) text() bool {
	const each, high = 0x0101010101010101, 0x8080808080808080
	src, i := q.src, q.pos+1
	q.plain = true
	for {
		if i+8 <= len(src) {
			x := binary.LittleEndian.Uint64(src[i:])
			mask := (x | (x + each) | (x - ' '*each) | ((x ^ '"'*each) - each) | ((x ^ '\\'*each) - each)) & high
			if mask == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(mask) / 8
		}
		if i >= len(src) {
			return false
		}
		switch c := src[i]; {
		case c == '"':
			q.pos = i + 1
			return true
		case c == '\\':
			q.plain = false
			return q.escaped(i)
		case c < ' ':
			return false
		case c >= 0x7f:
			q.plain = false
		}
		i++
	}
}

// escaped goes on with a string that has an escape at i.
func (q *quick) escaped(i int) bool {
	start := q.pos
	for ; i < len(q.src); i++ {
		switch c := q.src[i]; {
		case c == '"':
			q.pos = i + 1
			_, err := jsontext.AppendUnquote(nil, q.src[start:q.pos])
			return err == nil
		case c == '\\':
			i++
		case c < ' ':
			return false
		}
	}
	return false
}

func (q *quick) word(w string) bool {
	if len(q.src)-q.pos < len(w) || string(q.src[q.pos:q.pos+len(w)]) != w {
		return false
	}
	q.pos += len(w)
	return true
}

// number goes past a whole number; others are rare.
func (q *quick) number() bool {
	start := q.pos
	for q.next()-'0' < 10 {
		q.pos++
	}
	n := q.pos - start
	if n == 0 || n > 1 && q.src[start] == '0' {
		return false
	}
	switch q.next() {
	case '.', 'e', 'E':
		return false
	}
	return true
}

// members goes through an object; each must read the value.
func (q *quick) members(each func(name []byte) bool) bool {
	open := len(q.names)
	q.pos++
	q.space()
	if q.next() == '}' {
		q.pos++
		q.space()
		return true
	}
	for {
		start := q.pos
		if q.next() != '"' || !q.text() || !q.plain {
			return false
		}
		name := q.src[start+1 : q.pos-1]
		if len(q.names)-open >= maxQuickNames {
			return false // comparing each with each takes too long
		}
		for _, other := range q.names[open:] {
			if string(other) == string(name) {
				return false
			}
		}
		q.names = append(q.names, name)
		q.space()
		if q.next() != ':' {
			return false
		}
		q.pos++
		q.space()
		if !each(name) {
			return false
		}
		switch q.next() {
		case ',':
			q.pos++
			q.space()
		case '}':
			q.pos++
			q.space()
			q.names = q.names[:open]
			return true
		default:
			return false
		}
	}
}

const maxQuickNames = 64

// items goes through an array; each must read the value.
func (q *quick) items(each func() bool) bool {
	q.pos++
	q.space()
	if q.next() == ']' {
		q.pos++
		q.space()
		return true
	}
	for {
		if !each() {
			return false
		}
		switch q.next() {
		case ',':
			q.pos++
			q.space()
			if q.next() == ']' {
				return false
			}
		case ']':
			q.pos++
			q.space()
			return true
		default:
			return false
		}
	}
}

// quickObject is object.
func (r *reader) quickObject(each func(name []byte)) bool {
	if !r.quick.members(func(name []byte) bool { each(name); return r.fault == nil }) {
		r.stop(gaveUp)
	}
	return r.fault == nil
}

// quickArray is array.
func (r *reader) quickArray(limit int, each func()) {
	n := 0
	if !r.quick.items(func() bool { n++; each(); return r.fault == nil && n <= limit }) {
		r.stop(gaveUp)
	}
}
