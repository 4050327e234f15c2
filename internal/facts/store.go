package facts

import (
	"hash/maphash"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/identity"
)

// Order is where a fact was learnt: its place in Kafka, and when Kafka recorded
// it. Of two facts about the same moment the one recorded later stands.
type Order struct {
	Recorded  time.Time
	Topic     string
	Partition int32
	Offset    int64
}

// Store keeps facts. It is safe for concurrent use: readers take no lock, and
// writers only that of their partition and of the shard they write to. Times
// count to the millisecond, as they do in the trail that the store is rebuilt
// from.
type Store struct {
	seed    maphash.Seed
	shards  [256]shard
	names   dictionary
	places  places
	facts   atomic.Int64
	links   atomic.Int64
	readers sync.Pool
}

// New is an empty store.
func New() *Store {
	s := &Store{seed: maphash.MakeSeed()}
	s.names.ids = map[string]uint32{"": 0}
	s.names.texts.Store(&[]string{""})
	s.places.ids = make(map[placeKey]uint32)
	s.places.all.Store(&[]*place{})
	s.readers.New = func() any { return s.Reader() }
	return s
}

// subject is whom facts are about: a person, or by name an employee or a
// recipient. Facts of two controllers never meet.
type subject struct {
	sort       sort
	controller string
	person     identity.Pseudonym
	name       string
}

// sort says what a subject is; the numbers are in memory only.
type sort uint8

const (
	aPerson sort = iota
	anActor
	aRecipient
)

// hashOf is the controller's part of its subjects' hashes.
func (s *Store) hashOf(controller string) uint64 { return maphash.String(s.seed, controller) }

// hash spreads subjects over shards and tables. It is keyed: a source may
// choose pseudonyms and names.
func (s *Store) hash(who *subject, controller uint64) uint64 {
	var h uint64
	if who.sort == aPerson {
		h = maphash.Bytes(s.seed, who.person[:])
	} else {
		h = maphash.String(s.seed, who.name)
	}
	// Both halves of the product of what is hashed: neither alone tells.
	hi, lo := bits.Mul64(h^controller, 0x9e3779b97f4a7c15+2*uint64(who.sort))
	return hi ^ lo
}

// find is the newest block of a subject, and the view that it lies in.
func (s *Store) find(who *subject, controller uint64) (*view, block, bool) {
	h := s.hash(who, controller)
	v := s.shards[h>>56].shown.Load()
	b, ok := v.find(s, uint32(h), who)
	return v, b, ok
}

// Learn takes a fact in. What a fact about an employee, a processor or a
// recipient says is true of these whoever the person is; any other is about
// the persons, each of them, and about these only together with a named
// employee or recipient. An identity fact makes the persons one. Learning the
// same place in Kafka again changes nothing.
func (s *Store) Learn(controller string, persons []identity.Pseudonym, fact *event.Fact, at Order) {
	k, ok := kinds[fact.Name]
	if !ok {
		return
	}
	p, id := s.places.at(at)
	p.mu.Lock()
	defer p.mu.Unlock()
	l := learning{store: s, hash: s.hashOf(controller), fresh: at.Offset >= p.next}
	p.next = max(p.next, at.Offset+1)

	r := record{kind: k, from: fact.ValidFrom.UnixMilli(), recorded: at.Recorded.UnixMilli(), place: id, offset: at.Offset}
	if k == identityKind {
		l.link(controller, persons, &r)
		return
	}
	switch {
	case fact.Name == "employee" && fact.AboutActor != "":
		l.add(&subject{sort: anActor, controller: controller, name: fact.AboutActor}, &r, &fact.Value)
	case (fact.Name == "processor" || fact.Name == "recipient_info") && fact.AboutOrg != "":
		l.add(&subject{sort: aRecipient, controller: controller, name: fact.AboutOrg}, &r, &fact.Value)
	case len(persons) > 0:
		r.actor, r.recipient = s.names.id(fact.AboutActor), s.names.id(fact.AboutOrg)
		for i, who := range persons {
			if !slices.Contains(persons[:i], who) {
				l.add(&subject{controller: controller, person: who}, &r, &fact.Value)
			}
		}
	case fact.AboutOrg != "":
		r.actor = s.names.id(fact.AboutActor)
		l.add(&subject{sort: aRecipient, controller: controller, name: fact.AboutOrg}, &r, &fact.Value)
	case fact.AboutActor != "":
		l.add(&subject{sort: anActor, controller: controller, name: fact.AboutActor}, &r, &fact.Value)
	}
}

// learning is one fact being learnt.
type learning struct {
	store *Store
	hash  uint64 // of the controller
	fresh bool   // nothing was learnt from this offset on: it cannot be there yet
	body  []byte
	room  [128]byte
}

func (l *learning) add(who *subject, r *record, value *event.Facts) {
	if l.body == nil {
		l.body = sized(r.append(l.room[:0], l.store, who.controller, value))
	}
	if l.put(who, r, identity.Pseudonym{}) {
		l.store.facts.Add(1)
	}
}

// link makes persons one: the first with each of the others, noted with both.
func (l *learning) link(controller string, persons []identity.Pseudonym, r *record) {
	for i, who := range persons {
		if slices.Contains(persons[:i], who) || i == 0 {
			continue
		}
		for _, pair := range [2][2]identity.Pseudonym{{persons[0], who}, {who, persons[0]}} {
			l.body = sized(append(r.append(l.room[:0], l.store, controller, nil), pair[1][:]...))
			if l.put(&subject{controller: controller, person: pair[0]}, r, pair[1]) {
				l.store.links.Add(1)
			}
		}
	}
}

// put writes the record unless it is there.
func (l *learning) put(who *subject, r *record, other identity.Pseudonym) bool {
	h := l.store.hash(who, l.hash)
	sh := &l.store.shards[h>>56]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	v := sh.shown.Load()
	b, is := v.find(l.store, uint32(h), who)
	if is && !l.fresh && v.has(b, r, other) {
		return false
	}
	sh.put(l.store, uint32(h), who, b, is, l.body)
	return true
}

// Len is how many facts are remembered, one a subject.
func (s *Store) Len() int { return int(s.facts.Load()) }

// Size is what a store holds.
type Size struct {
	Facts    int   // one a subject
	Links    int   // of one pseudonym to another, both ways
	Subjects int   // persons' pseudonyms, employees and recipients
	Bytes    int64 // of memory, but for that of names, which are few
}

// Size counts what the store holds.
func (s *Store) Size() Size {
	size := Size{Facts: int(s.facts.Load()), Links: int(s.links.Load())}
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		size.Subjects += sh.subjects
		if v := sh.shown.Load(); v != nil {
			size.Bytes += 8*int64(len(v.table)) + int64(len(v.data))
		}
		sh.mu.Unlock()
	}
	return size
}
