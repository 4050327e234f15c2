package event

import (
	"encoding/binary"
	"math/bits"
)

// internBits is how many texts that are the same in many events are kept, as a
// power of two.
const internBits = 9

// shared is a text that is the same in many events, kept once.
func (r *reader) shared(b []byte) string {
	if len(b) > 64 {
		return string(b)
	}
	slot := &r.intern[slotOf(b)]
	if *slot != string(b) {
		*slot = string(b)
	}
	return *slot
}

// slotOf is the place that a text is kept at: by its length, its beginning, its
// middle and its end. Who makes two fall on one place gains nothing: the later
// is kept.
func slotOf(b []byte) uint64 {
	const odd = 0x9e3779b97f4a7c15
	x := uint64(len(b))
	if n := len(b); n >= 8 {
		x ^= binary.LittleEndian.Uint64(b) * odd
		x ^= bits.RotateLeft64(binary.LittleEndian.Uint64(b[n/2-4:])*odd, 21)
		x ^= bits.RotateLeft64(binary.LittleEndian.Uint64(b[n-8:])*odd, 42)
	} else {
		for _, c := range b {
			x = x<<8 ^ uint64(c) ^ x>>56
		}
	}
	return x * odd >> (64 - internBits)
}
