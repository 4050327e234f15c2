package facts

import (
	"cmp"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unique"

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

// Store keeps facts. It is safe for concurrent use. Times count to the
// millisecond, as they do in the trail that the store is rebuilt from.
type Store struct {
	shards [64]shard
	seed   maphash.Seed
	facts  atomic.Int64

	linking sync.RWMutex
	links   map[subject]*group
}

// shard holds the facts of a share of the subjects.
type shard struct {
	mu       sync.RWMutex
	subjects map[subject][]entry // append-only, so that readers need no lock to walk it
}

// subject is whom facts are about: a person, or by name an employee or a
// recipient. Facts of two controllers never meet.
type subject struct {
	controller unique.Handle[string]
	person     identity.Pseudonym
	name       string // "a" + actor, "r" + recipient
}

// group is the pseudonyms of one person.
type group struct{ members []identity.Pseudonym }

// entry is one fact, as it was learnt.
type entry struct {
	from             int64 // since when it is true, Unix milliseconds
	order            order
	kind             kind
	actor, recipient string // it holds only together with this employee, this recipient; "" = with any
	value            any    // []scalar, []event.Consent, []event.Objection, []event.OptOut, []event.Request
}

// scalar is one scalar fact of a record.
type scalar struct {
	field event.Field
	value event.Value
}

// order is Order, compact.
type order struct {
	recorded  int64
	offset    int64
	topic     unique.Handle[string]
	partition int32
}

func newOrder(o Order) order {
	return order{recorded: o.Recorded.UnixMilli(), offset: o.Offset, topic: unique.Make(o.Topic), partition: o.Partition}
}

func (o order) same(p order) bool {
	return o.offset == p.offset && o.partition == p.partition && o.topic == p.topic
}

// compareEntries orders facts by since when they are true, then by when they
// were recorded, then by their place.
func compareEntries(a, b *entry) int {
	return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.order.recorded, b.order.recorded),
		strings.Compare(a.order.topic.Value(), b.order.topic.Value()),
		cmp.Compare(a.order.partition, b.order.partition), cmp.Compare(a.order.offset, b.order.offset))
}

// kind numbers the names that a fact can have.
type kind uint8

var kinds = func() map[string]kind {
	m := make(map[string]kind)
	for i, name := range event.FactNames() {
		m[name] = kind(i)
	}
	return m
}()

// kindCount is an upper bound of the kinds.
const kindCount = 64

// New is an empty store.
func New() *Store {
	s := &Store{seed: maphash.MakeSeed(), links: make(map[subject]*group)}
	for i := range s.shards {
		s.shards[i].subjects = make(map[subject][]entry)
	}
	return s
}

// Learn takes a fact in. What a fact about an employee, a processor or a
// recipient says is true of these whoever the person is; any other is about
// the persons, each of them, and about these only together with a named
// employee or recipient. An identity fact makes the persons one. Learning the
// same place in Kafka again changes nothing.
func (s *Store) Learn(controller string, persons []identity.Pseudonym, fact *event.Fact, at Order) {
	who := unique.Make(controller)
	if fact.Name == event.IdentityFact {
		s.link(who, persons)
		return
	}
	k, ok := kinds[fact.Name]
	if !ok {
		return
	}
	e := entry{from: fact.ValidFrom.UnixMilli(), order: newOrder(at), kind: k, value: valueOf(&fact.Value)}
	switch {
	case fact.Name == "employee" && fact.AboutActor != "":
		s.learn(subject{controller: who, name: actorName(fact.AboutActor)}, e)
	case (fact.Name == "processor" || fact.Name == "recipient_info") && fact.AboutOrg != "":
		s.learn(subject{controller: who, name: recipientName(fact.AboutOrg)}, e)
	case len(persons) > 0:
		e.actor, e.recipient = fact.AboutActor, fact.AboutOrg
		for _, p := range persons {
			s.learn(subject{controller: who, person: p}, e)
		}
	case fact.AboutOrg != "":
		e.actor = fact.AboutActor
		s.learn(subject{controller: who, name: recipientName(fact.AboutOrg)}, e)
	case fact.AboutActor != "":
		s.learn(subject{controller: who, name: actorName(fact.AboutActor)}, e)
	}
}

func actorName(id string) string     { return "a" + id }
func recipientName(id string) string { return "r" + id }

// valueOf takes out what a fact states.
func valueOf(f *event.Facts) any {
	switch {
	case f.Consents.Known:
		return f.Consents.Entries
	case f.Objections.Known:
		return f.Objections.Entries
	case f.OptOuts.Known:
		return f.OptOuts.Entries
	case f.Requests.Known:
		return f.Requests.Entries
	}
	var scalars []scalar
	for i := range fields {
		if v := f.Get(fields[i]); v.State != event.Absent {
			scalars = append(scalars, scalar{fields[i], v})
		}
	}
	return slices.Clip(scalars)
}

var fields = func() []event.Field {
	var all []event.Field
	for _, info := range event.Vocabulary() {
		all = append(all, info.Field)
	}
	return all
}()

func (s *Store) shard(who subject) *shard {
	return &s.shards[maphash.Comparable(s.seed, who)%uint64(len(s.shards))]
}

func (s *Store) learn(who subject, e entry) {
	sh := s.shard(who)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	known := sh.subjects[who]
	for i := range known {
		if known[i].order.same(e.order) {
			return
		}
	}
	sh.subjects[who] = append(known, e)
	s.facts.Add(1)
}

// known is what is remembered of a subject. The slice is not changed by later
// learning.
func (s *Store) known(who subject) []entry {
	sh := s.shard(who)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	return sh.subjects[who]
}

// link makes persons one, with all that each was linked to before.
func (s *Store) link(controller unique.Handle[string], persons []identity.Pseudonym) {
	s.linking.Lock()
	defer s.linking.Unlock()
	var whole *group
	for _, p := range persons {
		at := subject{controller: controller, person: p}
		g := s.links[at]
		switch g {
		case nil:
			g = &group{members: []identity.Pseudonym{p}}
			s.links[at] = g
		case whole:
			continue
		}
		if whole == nil {
			whole = g
			continue
		}
		if len(g.members) > len(whole.members) { // the smaller moves: n log n in all
			whole, g = g, whole
		}
		for _, m := range g.members {
			s.links[subject{controller: controller, person: m}] = whole
		}
		// A new slice: Linked hands the old one out.
		whole.members = append(slices.Clip(whole.members), g.members...)
	}
}

// Linked lists the pseudonyms of the person that p stands for, p among them.
// The caller must not change the list.
func (s *Store) Linked(controller string, p identity.Pseudonym) []identity.Pseudonym {
	if g := s.linked(unique.Make(controller), p); g != nil {
		return g
	}
	return []identity.Pseudonym{p}
}

func (s *Store) linked(controller unique.Handle[string], p identity.Pseudonym) []identity.Pseudonym {
	s.linking.RLock()
	defer s.linking.RUnlock()
	if g := s.links[subject{controller: controller, person: p}]; g != nil {
		return g.members
	}
	return nil
}

// Len is how many facts are remembered, one a subject.
func (s *Store) Len() int { return int(s.facts.Load()) }
