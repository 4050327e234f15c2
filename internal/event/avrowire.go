package event

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"
	"unicode/utf8"
	"unsafe"
)

// wire is the part of a reader that reads Avro's binary encoding (Avro 1.12,
// "Binary Encoding"). Every length is held against the bytes that are left
// before anything is made of it, and every loop takes at least a byte a turn.
type wire struct {
	avro  bool   // pointers are put together on the way up from a fault
	in    []byte // the datum
	pos   int    // how far it is read
	size  int    // of the whole
	depth int    // of what is being skipped

	ev       *Event
	hasValue bool // of a fact
	at       place
	options  factsOptions
	envelope *envelope
	json     writer // data that stand for JSON

	schemas func(id uint32) (*Schema, error)
	unready error // of schemas: it is not known whether the message can be read

	arena
}

// place is where in the event values go that may stand in several.
type place struct {
	person    *Person
	facts     *Facts
	consent   *Consent
	objection *Objection
	optOut    *OptOut
	request   *Request
}

func (w *wire) reset() {
	*w = wire{arena: w.arena}
}

// broken stops at bytes that are not what the schema says.
func (r *reader) broken(got string) {
	r.stop(&Fault{
		Code: CodeNotAvro, Got: got, Want: "Avro's binary encoding of the writer's schema", Offset: r.pos,
		Mend: "write with the schema that the message names, and nothing before or after the value",
	})
	r.in, r.pos = nil, 0
}

// beginAvro makes the reader read a datum.
func (r *reader) beginAvro(ev *Event, datum []byte) {
	r.avro, r.ev, r.in, r.pos, r.size, r.depth = true, ev, datum, 0, len(datum), 0
}

// endAvro checks that nothing follows, and says where in the event what was
// read stands.
func (r *reader) endAvro(base string) {
	if r.fault == nil && r.left() > 0 {
		r.broken(fmt.Sprintf("%d bytes more after the value", r.left()))
	}
	r.avro = false
	if r.fault != nil {
		r.fault.Pointer = base + r.fault.Pointer
	}
}

// left is how many bytes are left.
func (r *reader) left() int { return len(r.in) - r.pos }

// long reads an int or a long.
func (r *reader) long() int64 {
	if r.pos < len(r.in) && r.in[r.pos] < 0x80 {
		u := int64(r.in[r.pos])
		r.pos++
		return u>>1 ^ -(u & 1)
	}
	return r.longer()
}

func (r *reader) longer() int64 {
	u, n := binary.Uvarint(r.in[r.pos:])
	switch {
	case n == 0:
		r.short()
		return 0
	case n < 0:
		r.broken("a number of more than 64 bits")
		return 0
	}
	r.pos += n
	return int64(u>>1) ^ -int64(u&1)
}

func (r *reader) short() {
	if r.fault == nil {
		r.broken(fmt.Sprintf("the end of the value after %d bytes", r.size))
	}
}

// int reads an int.
func (r *reader) int() int64 {
	n := r.long()
	if n != int64(int32(n)) {
		r.broken("an int of more than 32 bits")
		return 0
	}
	return n
}

// flag reads a boolean.
func (r *reader) flag() bool {
	if r.pos >= len(r.in) {
		r.short()
		return false
	}
	b := r.in[r.pos]
	if b > 1 {
		r.broken("a boolean that is neither 0 nor 1")
		return false
	}
	r.pos++
	return b == 1
}

// take reads n bytes; nil once stopped. They are valid as long as the datum.
func (r *reader) take(n int64) []byte {
	if n < 0 || n > int64(r.left()) {
		if n < 0 {
			r.broken("a negative length")
		} else {
			r.short()
		}
		return nil
	}
	end := r.pos + int(n)
	b := r.in[r.pos:end:end]
	r.pos = end
	return b
}

// chunk reads a string or bytes; nil once stopped.
func (r *reader) chunk() []byte {
	if r.pos < len(r.in) {
		if n := r.in[r.pos]; n < 0x80 && n&1 == 0 { // of less than 64 bytes
			if end := r.pos + 1 + int(n>>1); end <= len(r.in) {
				b := r.in[r.pos+1 : end : end]
				r.pos = end
				return b
			}
		}
	}
	return r.take(r.long())
}

// block reads the head of a block of an array or a map: how many items there
// are, 0 at the end, and of how many bytes (-1 = not said).
func (r *reader) block() (count, size int64) {
	count, size = r.long(), -1
	if count < 0 {
		if count == math.MinInt64 {
			r.broken("a block of too many items")
			return 0, 0
		}
		count = -count
		if size = r.long(); size < 0 || size > int64(r.left()) {
			if r.fault == nil {
				r.broken("a block that is longer than the value")
			}
			return 0, 0
		}
	}
	return count, size
}

// clip makes a text of what was read: UTF-8, trimmed, of at most limit bytes;
// nil if it is none.
func (r *reader) clip(b []byte, limit int) []byte {
	if b == nil {
		return nil
	}
	if len(b) <= limit && isPlain(b) {
		return b
	}
	if len(b) <= limit && !utf8.Valid(b) {
		r.fail(CodeNotUTF8, "bytes that are not UTF-8", "UTF-8", "")
		return nil
	}
	return r.clean(b, limit)
}

// isPlain says whether a text is of ASCII's visible characters, with spaces
// inside at most: nothing is to be looked at in it, or trimmed.
func isPlain(b []byte) bool {
	rest := b
	for ; len(rest) >= 8; rest = rest[8:] {
		const each = 0x0101010101010101
		x := binary.LittleEndian.Uint64(rest)
		if (x|(x+each)|(x-each*' '))&(each<<7) != 0 { // a byte of 0x80 on, DEL, or below a space
			return false
		}
	}
	for _, c := range rest {
		if c < ' ' || c >= 0x7f {
			return false
		}
	}
	return len(b) == 0 || b[0] != ' ' && b[len(b)-1] != ' '
}

// millis is a time by milliseconds since 1970, in the bounds of parseTime.
func (r *reader) millis(ms int64) time.Time {
	const first, last = -62135596800000, 253402300799999 // the years 1 to 9999
	if ms <= first || ms > last {
		r.fail(CodeBadTime, "a time beyond the calendar", "milliseconds since 1970-01-01T00:00:00Z", "")
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// days is a date by days since 1970, in the bounds of what can be written.
func (r *reader) days(n int64) Value {
	const first, last = -719528, 2932896 // the years 0 to 9999
	if n < first || n > last {
		r.fail(CodeBadTime, "a date beyond the calendar", "days since 1970-01-01", "")
		return Value{}
	}
	return DayValue(Date(n))
}

// arena holds the texts and lists of events. What it gives out is never
// written again: it hands on small parts of larger pieces, so that an event
// costs no allocation of its own. An event that is kept keeps its pieces.
type arena struct {
	text    []byte
	persons []Person
	names   []string
}

const arenaText, arenaPersons, arenaNames = 8 << 10, 128, 512

// string is a text of its own.
func (a *arena) string(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if len(b) > arenaText/16 {
		return string(b)
	}
	if len(a.text)+len(b) > cap(a.text) {
		a.text = make([]byte, 0, arenaText)
	}
	n := len(a.text)
	a.text = append(a.text, b...)
	return unsafe.String(&a.text[n], len(b)) // never written again
}

// push appends to a list for which room is taken from free. Only one such list
// is made at a time, and keep ends it.
func push[T any](free *[]T, list []T, piece int, item T) []T {
	if len(list) == 0 {
		if cap(*free)-len(*free) < 4 {
			*free = make([]T, 0, piece)
		}
		list = (*free)[len(*free):len(*free)]
	}
	return append(list, item)
}

// keep notes the room that a list has taken, unless it has grown out of it.
func keep[T any](free *[]T, list []T) []T {
	if n := len(*free); len(list) > 0 && n < cap(*free) && &(*free)[:n+1][n] == &list[0] {
		*free = (*free)[:n+len(list)]
	}
	return slices.Clip(list)
}
