package ingest

import "encoding/binary"

// recent knows the newest events of a partition by a hash of source and id, to
// flag what a producer has sent twice. It forgets the oldest. With 64 bits the
// odds that a new event among a million known is taken for a duplicate are
// one in 2^44.
type recent struct {
	known map[uint64]struct{}
	ring  []uint64
	next  int
	limit int
}

func newRecent(limit int) *recent {
	return &recent{known: make(map[uint64]struct{}), limit: limit}
}

// add notes an event and says whether it is known.
func (r *recent) add(hash [16]byte) bool {
	h := binary.LittleEndian.Uint64(hash[:])
	if _, twice := r.known[h]; twice {
		return true
	}
	r.known[h] = struct{}{}
	if len(r.ring) < r.limit {
		r.ring = append(r.ring, h)
		return false
	}
	delete(r.known, r.ring[r.next])
	r.ring[r.next] = h
	r.next = (r.next + 1) % r.limit
	return false
}
