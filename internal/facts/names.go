package facts

import (
	"strings"
	"sync"
	"sync/atomic"

	"github.com/andmerada/andmerada/internal/event"
)

// dictionary numbers the strings that facts repeat: controllers, purposes,
// employees, recipients, texts. It only grows. 0 is the empty string.
type dictionary struct {
	mu    sync.RWMutex
	ids   map[string]uint32
	texts atomic.Pointer[[]string] // by number; what is published never changes
}

// id is the number of a string, a new one if need be. Only writers ask.
func (d *dictionary) id(text string) uint32 {
	d.mu.RLock()
	id, ok := d.ids[text]
	d.mu.RUnlock()
	if ok {
		return id
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if id, ok := d.ids[text]; ok {
		return id
	}
	text = strings.Clone(text) // not the event that it was part of
	texts := *d.texts.Load()
	id = uint32(len(texts))
	d.ids[text] = id
	texts = append(texts, text)
	d.texts.Store(&texts)
	return id
}

// text is the string of a number that a published record names.
func (d *dictionary) text(id uint32) string { return (*d.texts.Load())[id] }

// place is a partition that facts were learnt from.
type place struct {
	topic     string
	partition int32

	mu   sync.Mutex // held by who learns a fact of this partition
	next int64      // no fact at or after this offset was learnt
}

type placeKey struct {
	topic     string
	partition int32
}

// places numbers the partitions.
type places struct {
	mu  sync.RWMutex
	ids map[placeKey]uint32
	all atomic.Pointer[[]*place]
}

func (ps *places) at(o Order) (*place, uint32) {
	key := placeKey{o.Topic, o.Partition}
	ps.mu.RLock()
	id, ok := ps.ids[key]
	ps.mu.RUnlock()
	if ok {
		return ps.place(id), id
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if id, ok := ps.ids[key]; ok {
		return ps.place(id), id
	}
	key.topic = strings.Clone(key.topic)
	p := &place{topic: key.topic, partition: key.partition}
	all := *ps.all.Load()
	id = uint32(len(all))
	ps.ids[key] = id
	all = append(all, p)
	ps.all.Store(&all)
	return p, id
}

func (ps *places) place(id uint32) *place { return (*ps.all.Load())[id] }

// kind numbers the names that a fact can have.
type kind uint8

var kinds = func() map[string]kind {
	m := make(map[string]kind)
	for i, name := range event.FactNames() {
		m[name] = kind(i)
	}
	return m
}()

var identityKind = kinds[event.IdentityFact]

// kindCount is an upper bound of the kinds: a set of them is 64 bits, and a
// record's first byte has six bits for its kind.
const kindCount = 64
