package facts

import (
	"encoding/binary"
	"math"
	"sync"
	"sync/atomic"

	"github.com/andmerada/andmerada/internal/identity"
)

// shard holds the facts of a share of the subjects in two pieces of memory
// without pointers, so that the garbage collector passes them by.
//
// data is records one after the other, only ever added to. The records of one
// subject are a chain, the newest first, and the oldest names the subject.
// table finds the newest: an open-addressing hash table of 32 bits of hash and
// 32 bits of position.
//
// Writers hold mu. Readers take no lock: what a slot of the table points at was
// written before the slot was, and is never changed; where table or data are
// made anew, to be larger, the old stay as they were for who reads them.
type shard struct {
	table atomic.Pointer[[]uint64]
	data  atomic.Pointer[[]byte]

	mu       sync.Mutex
	used     int // of data
	subjects int

	_ [24]byte // a cache line each
}

// find is the chain of the subject whose hash that is.
func (sh *shard) find(s *Store, hash uint32, who *subject) (data []byte, newest uint32) {
	t := sh.table.Load()
	if t == nil {
		return nil, 0
	}
	table := *t
	for i := startOf(hash, len(table)); ; {
		slot := atomic.LoadUint64(&table[i])
		if slot == 0 {
			return nil, 0
		}
		if uint32(slot>>32) == hash {
			data := *sh.data.Load() // after the slot: it has what the slot points at
			if isAbout(s, data, uint32(slot), who) {
				return data, uint32(slot)
			}
		}
		if i++; i == len(table) {
			i = 0
		}
	}
}

// startOf is where in a table of n slots a hash belongs.
func startOf(hash uint32, n int) int { return int(uint64(hash) * uint64(n) >> 32) }

// put adds a record to the chain that begins at newest; 0 begins one. The
// caller holds mu.
func (sh *shard) put(s *Store, hash uint32, who *subject, newest uint32, k kind, body []byte) {
	if sh.table.Load() == nil {
		table, data := make([]uint64, 8), make([]byte, 512)
		sh.data.Store(&data)
		sh.table.Store(&table)
		sh.used = 1 // no record is at 0
	}
	var head [48]byte
	h := append(head[:0], byte(k))
	if newest != 0 {
		h = binary.AppendUvarint(h, uint64(uint32(sh.used)-newest))
	} else {
		h[0] |= oldest
		h = append(h, byte(who.sort))
		h = binary.AppendUvarint(h, uint64(s.names.id(who.controller)))
		if who.sort == aPerson {
			h = append(h, who.person[:]...)
		} else {
			h = binary.AppendUvarint(h, uint64(s.names.id(who.name)))
		}
	}
	at := sh.write(h, body)
	if newest == 0 {
		if sh.subjects++; sh.subjects > len(*sh.table.Load())*4/5 {
			sh.grow()
		}
	}
	table, slot := *sh.table.Load(), uint64(hash)<<32|uint64(at)
	for i := startOf(hash, len(table)); ; {
		// Only writers store slots, and they hold mu.
		if table[i] == 0 || newest != 0 && table[i] == uint64(hash)<<32|uint64(newest) {
			atomic.StoreUint64(&table[i], slot)
			return
		}
		if i++; i == len(table) {
			i = 0
		}
	}
}

// write adds bytes to data, which may be made anew a quarter larger: that is
// one shard of many, so that little memory is spare or there twice.
func (sh *shard) write(head, body []byte) (at uint32) {
	data, n := *sh.data.Load(), len(head)+len(body)
	if sh.used+n > len(data) {
		size := max(sh.used+n, sh.used+sh.used/4)
		if size > math.MaxUint32 {
			panic("facts: a shard has more than 4 GiB of facts")
		}
		larger := make([]byte, size)
		copy(larger, data[:sh.used])
		data = larger
		sh.data.Store(&data)
	}
	at = uint32(sh.used)
	copy(data[sh.used:], head)
	copy(data[sh.used+len(head):], body)
	sh.used += n
	return at
}

// grow makes the table anew, half as large again.
func (sh *shard) grow() {
	old := *sh.table.Load()
	table := make([]uint64, len(old)*3/2)
	for _, slot := range old {
		if slot == 0 {
			continue
		}
		i := startOf(uint32(slot>>32), len(table))
		for table[i] != 0 {
			if i++; i == len(table) {
				i = 0
			}
		}
		table[i] = slot
	}
	sh.table.Store(&table)
}

// isAbout says whether the chain is the subject's, which its oldest record
// names: hashes alone may agree by accident.
func isAbout(s *Store, data []byte, newest uint32, who *subject) bool {
	c := chainAt(data, newest)
	for c.next() {
	}
	key := cursor{data, c.key}
	if sort(key.byte()) != who.sort || s.names.text(uint32(key.uvarint())) != who.controller {
		return false
	}
	if who.sort == aPerson {
		return identity.Pseudonym(data[key.at:key.at+len(who.person)]) == who.person
	}
	return s.names.text(uint32(key.uvarint())) == who.name
}

// has says whether the chain has the record, by its place; of links, to other.
func has(data []byte, newest uint32, r *record, other identity.Pseudonym) bool {
	for c := chainAt(data, newest); c.next(); {
		known, body := c.record()
		if known.place != r.place || known.offset != r.offset || (known.kind == identityKind) != (r.kind == identityKind) {
			continue
		}
		if known.kind != identityKind || body.pseudonym() == other {
			return true
		}
	}
	return false
}
