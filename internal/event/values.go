package event

import (
	"bytes"
	"fmt"
	"strconv"
)

// bytes reads a string of at most limit bytes, trimmed; nil if there is none.
// It is valid until the next read.
func (r *reader) bytes(want string, limit int) []byte {
	if r.kind() != '"' {
		r.wrongType(want, "")
		return nil
	}
	v := r.raw()
	if v == nil {
		return nil
	}
	if r.quick.on && r.quick.plain && len(v)-2 <= limit {
		if b := v[1 : len(v)-1]; len(b) == 0 || b[0] != ' ' && b[len(b)-1] != ' ' {
			return b
		}
	}
	return r.clean(r.unquote(v), limit)
}

// clean is a text of at most limit bytes, trimmed; nil if it is none. b is
// UTF-8.
func (r *reader) clean(b []byte, limit int) []byte {
	if len(b) > limit {
		r.fail(CodeTooLong, fmt.Sprintf("%d bytes", len(b)), fmt.Sprintf("at most %d bytes", limit), "")
		return nil
	}
	if hasControl(b) {
		r.fail(CodeControlCharacter, "a control character", "text without control characters", "")
		return nil
	}
	if b = bytes.TrimSpace(b); b == nil {
		b = []byte{} // an empty string is not none
	}
	return b
}

// hasControl says whether b, which is UTF-8, has a character of the class Cc.
func hasControl(b []byte) bool {
	for i, c := range b {
		if c < ' ' || c == 0x7f || c == 0xc2 && i+1 < len(b) && b[i+1] < 0xa0 {
			return true
		}
	}
	return false
}

// text reads a string that differs from event to event; null is none.
func (r *reader) text(want string, limit int) string {
	if r.null() {
		return ""
	}
	return r.string(r.bytes(want, limit))
}

// name reads a string that is the same in many events: it is kept once. Not
// for anything that identifies a person.
func (r *reader) name(want string, limit int) string {
	if r.null() {
		return ""
	}
	return r.shared(r.bytes(want, limit))
}

// names reads a list of such strings.
func (r *reader) names(want string, limit, count int) []string {
	if r.null() {
		return nil
	}
	var list []string
	r.array("an array of strings", count, "", func() {
		b := r.bytes(want, limit)
		if b == nil {
			return
		}
		if len(b) == 0 {
			r.fail(CodeBadValue, "an empty string", want, "")
			return
		}
		list = push(&r.arena.names, list, arenaNames, r.shared(b))
	})
	return keep(&r.arena.names, list)
}

// choice reads one of a few words; null is none.
func (r *reader) choice(words []string) string {
	if r.null() {
		return ""
	}
	if r.kind() != '"' {
		r.wrongType(oneOf(words), "")
		return ""
	}
	return r.choiceOf(r.bytes("", MaxID), words)
}

func (r *reader) choiceOf(b []byte, words []string) string {
	if b == nil {
		return ""
	}
	for _, w := range words {
		if string(b) == w {
			return w
		}
	}
	r.fail(CodeBadValue, shown(b), oneOf(words), DidYouMean(string(b), words))
	return ""
}

// uint reads a whole number; null is 0.
func (r *reader) uint(limit uint64) uint64 {
	if r.null() {
		return 0
	}
	if r.kind() != '0' {
		r.wrongType("a whole number", "")
		return 0
	}
	v := r.raw()
	if v == nil {
		return 0
	}
	n, err := strconv.ParseUint(string(v), 10, 64)
	if err != nil || n > limit {
		r.fail(CodeBadValue, shown(v), fmt.Sprintf("a whole number from 0 to %d", limit), "")
		return 0
	}
	return n
}
