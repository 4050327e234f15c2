package rejudge

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/trail"
)

// links is which pseudonyms are one person: each with its person's.
type links map[[16]byte]*[][16]byte

func (l links) of(person [16]byte) [][16]byte {
	if all := l[person]; all != nil {
		return *all
	}
	return [][16]byte{person}
}

func (l links) join(a, b [16]byte) {
	x, y := l[a], l[b]
	switch {
	case a == b || x != nil && x == y:
		return
	case x == nil && y == nil:
		x = &[][16]byte{a, b}
		l[a], l[b] = x, x
		return
	case x == nil:
		*y = append(*y, a)
		l[a] = y
		return
	case y == nil:
		*x = append(*x, b)
		l[b] = x
		return
	}
	if len(*y) > len(*x) {
		x, y = y, x
	}
	for _, m := range *y {
		l[m] = x
	}
	*x = append(*x, *y...)
}

// linked finds all pseudonyms that identity facts make one with those given.
func (f *Follower) linked(ctx context.Context, controller string, persons [][16]byte) (links, error) {
	l := make(links)
	seen := make(map[[16]byte]bool, len(persons))
	frontier := distinct(persons, seen)
	for len(frontier) > 0 {
		var next [][16]byte
		for part := range slices.Chunk(frontier, personsAtOnce) {
			var last trail.Judged
			var first [16]byte
			err := f.trail.Identities(ctx, trail.PersonQuery{Controller: controller, Persons: part}, func(at trail.Judged, person [16]byte) {
				switch {
				case person == [16]byte{}:
					return
				case at != last:
					last, first = at, person
				default:
					l.join(first, person)
				}
				if !seen[person] {
					seen[person] = true
					next = append(next, person)
				}
			})
			if err != nil {
				return nil, err
			}
		}
		frontier = next
	}
	return l, nil
}

func distinct(persons [][16]byte, seen map[[16]byte]bool) (some [][16]byte) {
	for _, p := range persons {
		if p != ([16]byte{}) && !seen[p] {
			seen[p] = true
			some = append(some, p)
		}
	}
	return some
}

// known is the facts that bear upon a page of events.
type known struct {
	controller string
	links      links
	facts      []trail.Row // about persons, in order of place
	named      []trail.Row // about employees and recipients
	values     map[string]*event.Facts
}

// recall reads the facts that bear upon events of one controller: those of
// their persons, under all of their pseudonyms, and those of the employees and
// recipients that they name.
func (f *Follower) recall(ctx context.Context, controller string, rows []trail.Row) (*known, error) {
	persons := make([][16]byte, len(rows))
	names := make(map[string]bool)
	for i := range rows {
		persons[i] = rows[i].Person
		names["a"+rows[i].Actor] = true
		names["r"+rows[i].Recipient] = true
	}
	k := &known{controller: controller, values: make(map[string]*event.Facts)}
	var err error
	if k.links, err = f.linked(ctx, controller, persons); err != nil {
		return nil, err
	}
	seen := make(map[[16]byte]bool, len(persons))
	all := distinct(persons, seen)
	for _, p := range slices.Clone(all) {
		all = append(all, distinct(k.links.of(p), seen)...)
	}
	for part := range slices.Chunk(all, personsAtOnce) {
		for row, err := range f.trail.FactsOf(ctx, controller, part) {
			if err != nil {
				return nil, err
			}
			if row.Fact != event.IdentityFact && aboutName(&row) == "" {
				k.facts = append(k.facts, row)
			}
		}
	}
	if err := f.recorded(ctx, k); err != nil {
		return nil, err
	}
	if err := f.named.read(ctx, f); err != nil {
		return nil, err
	}
	for name := range names {
		if len(name) > 1 {
			k.named = append(k.named, f.named.facts[namedKey{controller, name}]...)
		}
	}
	return k, nil
}

// recorded fills in when facts were recorded, where that settles which of two
// stands: both of one person and name, and about the same moment. It is not
// in the projection that they are read from, and is seldom needed.
func (f *Follower) recorded(ctx context.Context, k *known) error {
	type moment struct {
		person [16]byte // the first of the person's
		fact   string
		from   time.Time
	}
	first := make(map[moment]int, len(k.facts))
	tied := make(map[trail.Judged][]int)
	add := func(i int) {
		at := k.facts[i].Judged()
		at.Index = 0
		if !slices.Contains(tied[at], i) {
			tied[at] = append(tied[at], i)
		}
	}
	for i := range k.facts {
		r := &k.facts[i]
		m := moment{k.links.of(r.Person)[0], r.Fact, r.FactValidFrom}
		j, ok := first[m]
		if !ok {
			first[m] = i
			continue
		}
		if o := &k.facts[j]; o.Offset != r.Offset || o.Partition != r.Partition || o.Topic != r.Topic {
			add(i)
			add(j)
		}
	}
	places := slices.SortedFunc(maps.Keys(tied), compareJudged)
	for part := range slices.Chunk(places, personsAtOnce) {
		for row, err := range f.trail.Recorded(ctx, part) {
			if err != nil {
				return err
			}
			at := row.Judged()
			at.Index = 0
			for _, i := range tied[at] {
				k.facts[i].Recorded = row.Recorded
			}
		}
	}
	return nil
}

// without is the facts that bear upon one event, but for one of them, and
// whether that was among them.
func (k *known) without(row *trail.Row, fact trail.Judged) (some *known, found bool) {
	some = &known{controller: k.controller, links: make(links), values: k.values}
	who := k.links.of(row.Person)
	for _, p := range who[1:] {
		some.links.join(who[0], p)
	}
	keep := func(to *[]trail.Row, r *trail.Row) {
		if r.Offset == fact.Offset && r.Partition == fact.Partition.Partition && r.Topic == fact.Topic {
			found = true
			return
		}
		*to = append(*to, *r)
	}
	for i := range k.facts {
		if slices.Contains(who, k.facts[i].Person) {
			keep(&some.facts, &k.facts[i])
		}
	}
	for i := range k.named {
		if name := aboutName(&k.named[i]); name == "a"+row.Actor || name == "r"+row.Recipient {
			keep(&some.named, &k.named[i])
		}
	}
	return some, found
}

// late lists the facts that bear upon an event and may have come after it was
// judged, the last of each partition first: all but those before it in its own.
func (k *known) late(row *trail.Row) (places []trail.Judged) {
	some, _ := k.without(row, trail.Judged{Offset: -1})
	for _, list := range [][]trail.Row{some.facts, some.named} {
		for i := range list {
			at := list[i].Judged()
			if at.Index = 0; at.Partition != row.Judged().Partition || at.Offset > row.Offset {
				places = append(places, at)
			}
		}
	}
	slices.SortFunc(places, func(a, b trail.Judged) int { return compareJudged(b, a) })
	return slices.Compact(places)
}

// store makes a store of the facts.
func (k *known) store() (*facts.Store, error) {
	s := facts.New()
	linked := make(map[*[][16]byte]bool)
	for _, all := range k.links {
		if !linked[all] {
			linked[all] = true
			persons := make([]identity.Pseudonym, len(*all))
			for i, p := range *all {
				persons[i] = p
			}
			s.Learn(k.controller, persons, &event.Fact{Name: event.IdentityFact}, facts.Order{})
		}
	}
	for _, list := range [][]trail.Row{k.facts, k.named} {
		for i := range list {
			r := &list[i]
			value, err := k.value(r)
			if err != nil {
				return nil, err
			}
			fact := event.Fact{Name: r.Fact, Value: *value, ValidFrom: r.FactValidFrom, AboutActor: r.Actor, AboutOrg: r.Recipient}
			var persons []identity.Pseudonym
			if r.Person != [16]byte{} {
				persons = []identity.Pseudonym{r.Person}
			}
			s.Learn(k.controller, persons, &fact, facts.Order{Recorded: r.Recorded, Topic: r.Topic, Partition: r.Partition, Offset: r.Offset})
		}
	}
	return s, nil
}

// value reads what a fact says, once for each distinct text.
func (k *known) value(r *trail.Row) (*event.Facts, error) {
	if v := k.values[r.FactValue]; v != nil {
		return v, nil
	}
	v := new(event.Facts)
	if r.FactValue != "" {
		var err error
		if *v, err = event.DecodeFacts([]byte(r.FactValue)); err != nil {
			return nil, fmt.Errorf("read the fact at %s/%d/%d: %w", r.Topic, r.Partition, r.Offset, err)
		}
	}
	k.values[r.FactValue] = v
	return v, nil
}

// named keeps the facts about employees and recipients, which any event may
// name: there are few of them, and no projection finds them.
type named struct {
	facts map[namedKey][]trail.Row
	next  map[trail.Partition]int64
}

type namedKey struct{ controller, name string }

// read takes in what has come since.
func (n *named) read(ctx context.Context, f *Follower) error {
	if n.facts == nil {
		n.facts, n.next = make(map[namedKey][]trail.Row), make(map[trail.Partition]int64)
	}
	partitions, err := f.trail.Partitions(ctx)
	if err != nil {
		return err
	}
	for _, p := range partitions {
		for row, err := range f.trail.NamedFacts(ctx, p, n.next[p]) {
			if err != nil {
				return errors.Join(errors.New("read the facts about employees and recipients"), err)
			}
			n.next[p] = row.Offset + 1
			name := aboutName(&row)
			if row.Duplicate || name == "" {
				continue
			}
			key := namedKey{row.Controller, name}
			if list := n.facts[key]; len(list) > 0 && list[len(list)-1].Offset == row.Offset && list[len(list)-1].Judged().Partition == p {
				continue // another person of the same fact
			}
			n.facts[key] = append(n.facts[key], row)
		}
	}
	return nil
}
