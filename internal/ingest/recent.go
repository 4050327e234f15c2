package ingest

import (
	"encoding/binary"
	"math/bits"
)

// recent knows the newest events of a partition by a hash of source and id, to
// flag what a producer has sent twice. It forgets the oldest. With 64 bits the
// odds that a new event among a million known is taken for a duplicate are
// one in 2^44.
//
// Its set is a table of open addressing with linear probing: the hashes are
// random as they are, nothing hangs on them, and for each of millions of events
// one line of memory is touched. A Go map takes twice the time and memory.
type recent struct {
	table []uint64 // 0 = free; a power of two, at most 3/4 full
	used  int
	ring  []uint64 // in order of arrival
	next  int      // of the ring: the oldest, once it is full
	limit int
}

func newRecent(limit int) *recent {
	return &recent{table: make([]uint64, 1024), limit: limit}
}

// add notes an event and says whether it is known.
func (r *recent) add(hash [16]byte) bool {
	h := max(1, binary.LittleEndian.Uint64(hash[:]))
	at := r.find(h)
	if r.table[at] == h {
		return true
	}
	r.table[at] = h
	r.used++
	if len(r.ring) < r.limit {
		r.ring = append(r.ring, h)
	} else {
		r.remove(r.ring[r.next])
		r.ring[r.next] = h
		r.next = (r.next + 1) % r.limit
	}
	if r.used > len(r.table)/4*3 {
		r.grow()
	}
	return false
}

// home is where a hash belongs: by its upper bits, in the order of which
// growing walks through memory.
func (r *recent) home(h uint64) int { return int(h >> (64 - bits.Len(uint(len(r.table)-1)))) }

// find is where a hash is, or the free place where it would be.
func (r *recent) find(h uint64) int {
	at := r.home(h)
	for r.table[at] != 0 && r.table[at] != h {
		at = (at + 1) & (len(r.table) - 1)
	}
	return at
}

// remove frees a hash's place, and moves up what lies behind it and could not be
// found any more.
func (r *recent) remove(h uint64) {
	hole, mask := r.find(h), len(r.table)-1
	if r.table[hole] == 0 {
		return
	}
	for at := (hole + 1) & mask; r.table[at] != 0; at = (at + 1) & mask {
		// It may move if its home is not between the hole and where it lies.
		if home := r.home(r.table[at]); (at-home)&mask >= (at-hole)&mask {
			r.table[hole], hole = r.table[at], at
		}
	}
	r.table[hole] = 0
	r.used--
}

func (r *recent) grow() {
	old := r.table
	r.table = make([]uint64, 2*len(old))
	for _, h := range old {
		if h != 0 {
			r.table[r.find(h)] = h
		}
	}
}
