package event

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// reader reads one JSON text, member by member, without building a tree. The
// first fault stops it, unless it collects: then it goes on past all but
// faults of syntax. Methods do nothing once it has stopped.
type reader struct {
	dec    jsontext.Decoder
	buf    bytes.Buffer
	src    []byte
	base   string // pointer of what dec reads: "" = the CloudEvent, "/data" = its data
	fault  *Fault // why it stopped
	unq    []byte // the last string that had escapes
	intern [1 << internBits]string

	collect bool
	faults  []*Fault
	unread  []unreadMember

	quick quick
	wire  // what reads Avro
}

// unreadMember is a member that nothing reads.
type unreadMember struct {
	pointer, name string
	known         []string
}

var readers = sync.Pool{New: func() any { return new(reader) }}

func newReader() *reader {
	r := readers.Get().(*reader)
	r.fault, r.faults, r.unread, r.collect = nil, nil, nil, false
	r.quick.on, r.quick.used = false, false
	r.reset()
	return r
}

// free gives the reader back. It must not hold on to a person's data.
func (r *reader) free() {
	r.buf, r.src = bytes.Buffer{}, nil
	r.quick.free()
	clear(r.unq[:cap(r.unq)])
	if cap(r.unq) > 1<<16 {
		r.unq = nil
	}
	readers.Put(r)
}

// begin makes the reader read src, which is at pointer base of the event.
func (r *reader) begin(src []byte, base string) {
	r.src, r.base = src, base
	if r.quick.on {
		if !r.quick.begin(src) {
			r.stop(gaveUp)
		}
		return
	}
	r.buf = *bytes.NewBuffer(src)
	r.dec.Reset(&r.buf) // refuses duplicate names and invalid UTF-8
}

// end checks that nothing follows the value that was read.
func (r *reader) end() {
	if r.fault != nil {
		return
	}
	if r.quick.on {
		if r.quick.pos < len(r.src) {
			r.stop(gaveUp)
		}
		return
	}
	if _, err := r.dec.ReadToken(); !errors.Is(err, io.EOF) {
		r.stop(&Fault{Code: CodeNotJSON, Pointer: r.base, Got: "more after the JSON value", Want: "one JSON value"})
	}
}

// stop ends reading, collecting or not.
func (r *reader) stop(f *Fault) {
	if r.fault == nil {
		r.fault = f
	}
}

// fail notes a fault of what was read last.
func (r *reader) fail(code Code, got, want, mend string) {
	r.failAt(r.pointer(), code, got, want, mend)
}

func (r *reader) failAt(pointer string, code Code, got, want, mend string) {
	f := &Fault{Code: code, Pointer: pointer, Got: got, Want: want, Mend: mend}
	if r.collect {
		r.faults = append(r.faults, f)
		return
	}
	r.stop(f)
}

// pointer is that of what was read last.
func (r *reader) pointer() string {
	if r.avro {
		return "" // put together on the way up
	}
	if r.quick.on {
		return "" // said when it is read again
	}
	return r.base + maskPointer(string(r.dec.StackPointer()))
}

// maskPointer puts "…" for each name that is not ours below a person or the
// members of a cohort: someone may have used an identifier as a name.
func maskPointer(p string) string {
	tokens := strings.Split(p, "/")
	below := false
	for i, token := range tokens {
		switch {
		case token == "person" || token == "members":
			below = true
		case len(token) > MaxName:
			tokens[i] = "…"
		case below && token != "scheme" && token != "value" && (len(token) > 5 || strings.Trim(token, "0123456789") != ""):
			tokens[i] = "…"
		}
	}
	return strings.Join(tokens, "/")
}

// syntax stops at an error of the JSON itself.
func (r *reader) syntax(err error) {
	f := &Fault{Code: CodeNotJSON, Want: "JSON (RFC 8259)"}
	var at *jsontext.SyntacticError
	offset := len(r.src)
	if errors.As(err, &at) {
		offset = int(at.ByteOffset)
		f.Pointer = r.base + maskPointer(string(at.JSONPointer))
	}
	f.Offset = offset
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		f.Code, f.Got, f.Want = CodeDuplicate, "the same name twice in one object", "each name once"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		f.Got = fmt.Sprintf("the end of the text after %d bytes", len(r.src))
	case !utf8.Valid(r.src):
		f.Code, f.Got, f.Want = CodeNotUTF8, "bytes that are not UTF-8", "UTF-8"
	case strings.Contains(err.Error(), "surrogate"):
		f.Code, f.Got, f.Want = CodeNotUTF8, "half of a surrogate pair", "whole characters"
	case strings.Contains(err.Error(), "in string") && offset < len(r.src) && r.src[offset] < ' ':
		f.Code, f.Got, f.Want = CodeControlCharacter, "a control character in a string", "text without control characters"
	default:
		f.Got = fmt.Sprintf("text that is not JSON at byte %d", offset)
	}
	r.stop(f)
}

// raw is the next value as it stands; nil once stopped. It is valid as long as
// the text that is read.
func (r *reader) raw() jsontext.Value {
	if r.fault != nil {
		return nil
	}
	if r.quick.on {
		v, ok := r.quick.value()
		if !ok {
			r.stop(gaveUp)
			return nil
		}
		return v
	}
	v, err := r.dec.ReadValue()
	if err != nil {
		r.syntax(err)
		return nil
	}
	return v
}

// kind is that of the next value, 0 once stopped.
func (r *reader) kind() jsontext.Kind {
	if r.fault != nil {
		return 0
	}
	if r.quick.on {
		return r.quick.kind()
	}
	return r.dec.PeekKind()
}

// null reads a null, if that is next: a member that is null is one that is not
// stated.
func (r *reader) null() bool {
	if r.kind() != 'n' {
		return false
	}
	r.raw()
	return true
}

// wrongType reads a value past and says what should have stood there.
func (r *reader) wrongType(want, mend string) {
	if v := r.raw(); v != nil {
		r.fail(CodeWrongType, typeOf(v), want, mend)
	}
}

// typeOf describes a value without showing it.
func typeOf(v jsontext.Value) string {
	switch v.Kind() {
	case 'n':
		return "null"
	case 't', 'f':
		return "true or false"
	case '0':
		return "a number"
	case '"':
		return fmt.Sprintf("a string of %d bytes", len(v)-2)
	case '[':
		return "an array"
	default:
		return "an object"
	}
}

// object reads an object: each is called with each name and must read the
// value. The name is valid until then.
func (r *reader) object(want string, each func(name []byte)) bool {
	if k := r.kind(); k != '{' {
		r.wrongType(want, "")
		return false
	}
	if r.quick.on {
		return r.quickObject(each)
	}
	r.token()
	for r.kind() != '}' {
		name := r.raw()
		if name == nil {
			return false
		}
		each(r.unquote(name))
		if r.fault != nil {
			return false
		}
	}
	r.token()
	return r.fault == nil
}

// array reads an array of at most limit values.
func (r *reader) array(want string, limit int, mend string, each func()) {
	if r.kind() != '[' {
		r.wrongType(want, "")
		return
	}
	if r.quick.on {
		r.quickArray(limit, each)
		return
	}
	r.token()
	for n := 0; r.kind() != ']'; n++ {
		if n < limit {
			each()
		} else {
			r.raw()
		}
		if r.fault != nil { // also where the text ends early
			return
		}
		if n == limit {
			p := r.pointer()
			r.failAt(p[:strings.LastIndexByte(p, '/')], CodeTooMany, fmt.Sprintf("more than %d", limit), fmt.Sprintf("at most %d", limit), mend)
		}
	}
	r.token()
}

func (r *reader) token() {
	if r.fault != nil {
		return
	}
	if _, err := r.dec.ReadToken(); err != nil {
		r.syntax(err)
	}
}

// unquote is what a JSON string says; valid until the next call.
func (r *reader) unquote(v jsontext.Value) []byte {
	if bytes.IndexByte(v, '\\') < 0 {
		return v[1 : len(v)-1]
	}
	var err error
	if r.unq, err = jsontext.AppendUnquote(r.unq[:0], v); err != nil {
		r.syntax(err)
		return nil
	}
	return r.unq
}

// unknown reads a member past that is none of those known.
func (r *reader) unknown(name []byte, known []string) {
	if !r.collect {
		r.raw()
		return
	}
	n := string(name)
	r.raw()
	if r.fault == nil {
		r.unread = append(r.unread, unreadMember{pointer: r.pointer(), name: n, known: known})
	}
}

// oneOf is "one of a, b, c".
func oneOf(words []string) string { return "one of " + strings.Join(words, ", ") }

// shown is a value that is not about a person, quoted and cut.
func shown(b []byte) string {
	if len(b) > 64 {
		return strconv.Quote(string(b[:64])) + "…"
	}
	return strconv.Quote(string(b))
}
