package facts

import (
	"encoding/binary"
	"math"
	"sync"
	"sync/atomic"

	"github.com/andmerada/andmerada/internal/identity"
)

// shard holds the facts of a share of the subjects. Writers hold mu; readers
// take no lock but load what is published.
type shard struct {
	shown atomic.Pointer[view]

	mu       sync.Mutex
	used     int // of the view's data
	dead     int // of that, what newer blocks have replaced
	subjects int

	_ [24]byte // a cache line each
}

// view is two pieces of memory without pointers, so that the garbage collector
// passes them by. data is blocks one after the other; table is an open-
// addressing hash table, with 32 bits of hash and 32 of position in a slot,
// that finds the newest block of a subject.
//
// A block is never changed. When a fact is learnt, a block that has it and what
// the old one had is added, and then the slot is made to point at it. When data
// or table are full, a new view has those that count, and the old one stays as
// it was for who reads it.
type view struct {
	table []uint64
	data  []byte
}

// A block begins with
//
//	sort        of the subject; bit 7 says that there is an older block
//	controller  of the dictionary
//	pseudonym or name
//	size        of the records
//	back        how far back the older block begins, if there is one
//
// and the records follow. Numbers are varints, as of encoding/binary.
const hasOlder = 1 << 7

// largest is the size of records from which on a subject's next fact begins a
// new block, so that one with very many is not copied again and again.
const largest = 1024

// block is one that was found.
type block struct {
	begin   uint32
	end     uint32
	older   uint32 // 0 = none
	back    int    // where it says how far back that is
	records cursor // at the first
}

// find is the newest block of the subject whose hash that is.
func (v *view) find(s *Store, hash uint32, who *subject) (b block, ok bool) {
	if v == nil {
		return b, false
	}
	for i := startOf(hash, len(v.table)); ; {
		slot := atomic.LoadUint64(&v.table[i])
		if slot == 0 {
			return b, false
		}
		if uint32(slot>>32) == hash {
			if b, ok = v.about(s, uint32(slot), who); ok {
				return b, true
			}
		}
		if i++; i == len(v.table) {
			i = 0
		}
	}
}

// startOf is where in a table of n slots a hash belongs.
func startOf(hash uint32, n int) int { return int(uint64(hash) * uint64(n) >> 32) }

// about is the block at a position, if it is the subject's: hashes alone may
// agree by accident.
func (v *view) about(s *Store, at uint32, who *subject) (b block, ok bool) {
	c := cursor{v.data, int(at)}
	first := c.byte()
	if sort(first&^hasOlder) != who.sort || s.names.text(uint32(c.uvarint())) != who.controller {
		return b, false
	}
	if who.sort == aPerson {
		if c.pseudonym() != who.person {
			return b, false
		}
	} else if s.names.text(uint32(c.uvarint())) != who.name {
		return b, false
	}
	return c.block(at, first), true
}

// at is the block at a position, whoever it is about.
func (v *view) at(at uint32) block {
	c := cursor{v.data, int(at)}
	first := c.byte()
	c.uvarint()
	if sort(first&^hasOlder) == aPerson {
		c.pseudonym()
	} else {
		c.uvarint()
	}
	return c.block(at, first)
}

// block reads what follows the subject in a block.
func (c *cursor) block(at uint32, first byte) (b block) {
	size := uint32(c.uvarint())
	b.begin = at
	if first&hasOlder != 0 {
		b.back = c.at
		b.older = at - uint32(c.uvarint())
	}
	b.records = *c
	b.end = uint32(c.at) + size
	return b
}

// put adds a record to what is known of the subject; old is its newest block,
// if there is one. The caller holds mu.
func (sh *shard) put(s *Store, hash uint32, who *subject, old block, is bool, body []byte) {
	v := sh.shown.Load()
	if v == nil {
		v = &view{make([]uint64, 8), make([]byte, 256)}
		sh.shown.Store(v)
		sh.used = 1 // no block is at 0
	}
	// A block that is not yet large is replaced by one with the record, too.
	replace := is && int(old.end)-old.records.at < largest
	var records []byte
	if replace {
		records = v.data[old.records.at:old.end]
	}
	// Room for the longest head there is, and a spare slot of the table.
	const head = 64
	need := head + len(records) + len(body)
	if sh.used+need > len(v.data) || !is && (sh.subjects+1)*5 > len(v.table)*4 {
		v = sh.renew(v, need)
		sh.shown.Store(v)
		if is { // it lies elsewhere now
			old, _ = v.find(s, hash, who)
		}
	}
	older := old.begin
	if replace {
		older = old.older
	}
	at := uint32(sh.used)
	b := v.data[at:at] // has room
	b = append(b, byte(who.sort)|byte(flag(older != 0, 7)))
	b = binary.AppendUvarint(b, uint64(s.names.id(who.controller)))
	if who.sort == aPerson {
		b = append(b, who.person[:]...)
	} else {
		b = binary.AppendUvarint(b, uint64(s.names.id(who.name)))
	}
	b = binary.AppendUvarint(b, uint64(len(records)+len(body)))
	if older != 0 {
		b = binary.AppendUvarint(b, uint64(at-older))
	}
	b = append(append(b, records...), body...)
	sh.used += len(b)
	if !is {
		sh.subjects++
	}
	if replace {
		sh.dead += int(old.end - old.begin)
	}
	for i := startOf(hash, len(v.table)); ; { // only writers store slots, and they hold mu
		if v.table[i] == 0 || is && v.table[i] == uint64(hash)<<32|uint64(old.begin) {
			atomic.StoreUint64(&v.table[i], uint64(hash)<<32|uint64(at))
			return
		}
		if i++; i == len(v.table) {
			i = 0
		}
	}
}

// renew makes a view of the blocks that count, with some room: it is one shard
// of many, so that little memory is spare, or there twice.
func (sh *shard) renew(old *view, need int) *view {
	size := sh.used - sh.dead
	size += max(size/5, min(size, 4096), need)
	if size > math.MaxUint32 {
		panic("facts: a shard has more than 4 GiB of facts")
	}
	slots := len(old.table)
	if (sh.subjects+1)*5 > slots*4 {
		slots = slots * 3 / 2
	}
	v := &view{make([]uint64, slots), make([]byte, size)}
	sh.used, sh.dead = 1, 0
	for _, slot := range old.table {
		if slot == 0 {
			continue
		}
		i := startOf(uint32(slot>>32), slots)
		for v.table[i] != 0 {
			if i++; i == slots {
				i = 0
			}
		}
		v.table[i] = slot&^math.MaxUint32 | uint64(sh.move(v, old, uint32(slot)))
	}
	return v
}

// move copies a subject's blocks, the oldest first, and says where the newest
// is.
func (sh *shard) move(v, old *view, newest uint32) (at uint32) {
	b := old.at(newest)
	if b.older == 0 {
		at = uint32(sh.used)
		sh.used += copy(v.data[at:], old.data[b.begin:b.end])
		return at
	}
	chain := []block{b}
	for b.older != 0 {
		b = old.at(b.older)
		chain = append(chain, b)
	}
	var older uint32
	for i := len(chain) - 1; i >= 0; i-- {
		// The blocks of one subject lie together now: the way back is shorter
		// than it was, or as long, and is written in as many bytes.
		b, at = chain[i], uint32(sh.used)
		sh.used += copy(v.data[at:], old.data[b.begin:b.end])
		if older != 0 {
			back := int(at) - int(b.begin)
			putUvarint(v.data[b.back+back:b.records.at+back], uint64(at-older))
		}
		older = at
	}
	return at
}

// putUvarint writes a varint that fills b, with zeros that say nothing where
// it would be shorter.
func putUvarint(b []byte, n uint64) {
	for i := range b {
		b[i] = byte(n) | 0x80
		n >>= 7
	}
	b[len(b)-1] &^= 0x80
}

// has says whether the subject's blocks have the record, by its place; of
// links, to other.
func (v *view) has(b block, r *record, other identity.Pseudonym) bool {
	for {
		for b.records.at < int(b.end) {
			known, value := b.records.record()
			if known.place != r.place || known.offset != r.offset || (known.kind == identityKind) != (r.kind == identityKind) {
				continue
			}
			if known.kind != identityKind || value.pseudonym() == other {
				return true
			}
		}
		if b.older == 0 {
			return false
		}
		b = v.at(b.older)
	}
}
