package intake

import "sync"

// ledger knows what Kafka has acknowledged and what is on its way, by source and
// id, so that a repeated event is not written again. What it knows is bounded:
// beyond that, and after a restart, ingest flags a repetition as a duplicate.
type ledger struct {
	mu    sync.Mutex
	known map[[16]byte][16]byte // acknowledged: digest of source and id to that of the content
	ring  [][16]byte            // keys of known in the order in which they came
	next  int                   // the slot of ring to be used next
	ways  map[[16]byte]*flight
}

// flight is one event on its way to Kafka.
type flight struct {
	key, content [16]byte
	done         chan struct{} // closed at the end
	err          error         // nil = acknowledged; to be read after done
}

func newLedger(window int) *ledger {
	return &ledger{known: make(map[[16]byte][16]byte), ring: make([][16]byte, 0, window), ways: make(map[[16]byte]*flight)}
}

// admission is what is to be done with the items of one request.
type admission struct {
	conflicts []int     // indexes of items whose id has another content; nothing else is set then
	fresh     []int     // indexes of items to be written …
	flights   []*flight // … and how they do, in the same order
	joined    []*flight // of items that another request is writing
	repeated  int       // items that need not be written, those of joined among them
}

// admit looks all items up at once. If none conflicts, the fresh ones are on
// their way from now on, and [ledger.land] must be called for each.
func (l *ledger) admit(items []*item) (a admission) {
	l.mu.Lock()
	defer l.mu.Unlock()
	batch := make(map[[16]byte][16]byte, len(items))
	for i, it := range items {
		content, known := l.known[it.key]
		f, flying := l.ways[it.key]
		earlier, here := batch[it.key]
		switch {
		case known:
		case flying:
			content = f.content
		case here:
			content = earlier
		default:
			batch[it.key] = it.content
			a.fresh = append(a.fresh, i)
			continue
		}
		if content != it.content {
			a.conflicts = append(a.conflicts, i)
			continue
		}
		a.repeated++
		if !known && flying {
			a.joined = append(a.joined, f)
		}
	}
	if a.conflicts != nil {
		return admission{conflicts: a.conflicts}
	}
	for _, i := range a.fresh {
		f := &flight{key: items[i].key, content: items[i].content, done: make(chan struct{})}
		l.ways[f.key] = f
		a.flights = append(a.flights, f)
	}
	return a
}

// land ends a flight.
func (l *ledger) land(f *flight, err error) {
	l.mu.Lock()
	delete(l.ways, f.key)
	if err == nil {
		l.remember(f)
	}
	l.mu.Unlock()
	f.err = err
	close(f.done)
}

func (l *ledger) remember(f *flight) {
	if cap(l.ring) == 0 {
		return
	}
	if len(l.ring) < cap(l.ring) {
		l.ring = append(l.ring, f.key)
	} else {
		delete(l.known, l.ring[l.next])
		l.ring[l.next] = f.key
		l.next = (l.next + 1) % len(l.ring)
	}
	l.known[f.key] = f.content
}

// size is how many acknowledged events it knows.
func (l *ledger) size() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.known)
}
