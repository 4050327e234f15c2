package answer

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/trail"
	"github.com/andmerada/andmerada/internal/unusual"
)

// Bounds of what is read of facts and single acts.
const (
	maxRelations   = 100_000 // facts on relations and public figures
	maxEnded       = 300_000 // persons whose contracts have ended
	maxSingle      = 200_000 // acts on persons of whom something is known
	maxUnknown     = 50_000  // acts on anybody, where unknown persons count
	personsAtOnce  = 2_000   // whose facts are in memory at once
	maxFactsAtOnce = 200_000
)

// relationFacts are those that rules on the person's own standing rest on,
// businessFacts those that say whether there is open business.
var (
	relationFacts = []string{"actor_relation", "public_figure"}
	businessFacts = []string{"contract_end", "relationship_end", "contract_in_force", "debt_or_dispute", "request"}

	relationKinds = []unusual.Kind{unusual.OwnRecord, unusual.Relation, unusual.Colleague, unusual.PublicEye}
)

// byFacts finds the hits that rest on what is known of the person.
func (w *unusualWalk) byFacts(ctx context.Context) error {
	found := unusual.NewByFacts(w.rules)
	if len(w.of(relationKinds...)) > 0 {
		if err := w.relations(ctx, found); err != nil {
			return err
		}
	}
	if rules := w.of(unusual.NoRelationship); len(rules) > 0 {
		if err := w.business(ctx, found, rules); err != nil {
			return err
		}
	}
	w.hits = append(w.hits, found.Hits()...)
	return nil
}

// persons are pseudonyms that belong to persons: by each the one that stands for
// all that are linked.
type persons map[[16]byte][16]byte

func (p persons) one(id [16]byte) [16]byte {
	if one, linked := p[id]; linked {
		return one
	}
	return id
}

// all are some pseudonyms and all that are linked to them.
func (p persons) all(some [][16]byte) [][16]byte {
	all := slices.Clone(some)
	for id := range p {
		all = append(all, id)
	}
	slices.SortFunc(all, func(a, b [16]byte) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(all)
}

// learn puts the facts of persons into a store, each under the pseudonym that
// stands for its person.
func (w *unusualWalk) learn(store *facts.Store, who persons, rows []trail.Row) error {
	for i := range rows {
		row := &rows[i]
		place := Place{row.Topic, row.Partition, row.Offset}
		f := event.Fact{Name: row.Fact, ValidFrom: row.FactValidFrom, AboutActor: row.Actor, AboutOrg: row.Recipient}
		var err error
		if f.Value, err = event.DecodeFacts([]byte(row.FactValue)); err != nil {
			return fmt.Errorf("read the fact at %s: %w", place.Path(), err)
		}
		store.Learn(row.Controller, []identity.Pseudonym{who.one(row.Person)}, &f, facts.Order{Topic: row.Topic, Partition: row.Partition, Offset: row.Offset})
	}
	return nil
}

// relations finds accesses to the actors' own records, those of relations and
// colleagues, and to persons in the public eye.
func (w *unusualWalk) relations(ctx context.Context, found *unusual.ByFacts) error {
	controller := w.answer.Controller.ID
	rows, complete, err := w.Trail.FactsOfKinds(ctx, controller, relationFacts, nil, maxRelations)
	if err != nil {
		return err
	}
	if !complete {
		w.cut(fmt.Sprintf("of the facts on relations and persons in the public eye, the first %d were looked at", maxRelations))
	}
	if len(rows) == 0 {
		return nil
	}
	named := make([][16]byte, len(rows))
	for i := range rows {
		named[i] = rows[i].Person
	}
	linked, err := w.Trail.SamePerson(ctx, controller, persons(nil).all(named))
	if err != nil {
		return err
	}
	who := persons(linked)
	store := facts.New()
	if err := w.learn(store, who, rows); err != nil {
		return err
	}
	employees := make(map[[16]byte][]string) // actors whom facts name together with a person
	for i := range rows {
		if one := who.one(rows[i].Person); rows[i].Actor != "" && !slices.Contains(employees[one], rows[i].Actor) {
			employees[one] = append(employees[one], rows[i].Actor)
		}
	}
	humans := w.humans
	humans.Questions = true
	acts, complete, err := w.Trail.HumanActs(ctx, humans, who.all(named), false, maxSingle)
	if err != nil {
		return err
	}
	if !complete {
		w.cut(fmt.Sprintf("of the accesses to persons in the public eye, employees and their relations, the newest %d were looked at", maxSingle))
	}
	slices.Reverse(acts)
	reader := store.Reader()
	var known, other event.Facts
	for i := range acts {
		act := w.act(&acts[i], who)
		reader.AsOf(&known, controller, act.Person, act.Actor, "", act.Time)
		act.Known = &known
		for _, employee := range employees[act.Person] {
			if employee != act.Actor && !act.Employee {
				reader.AsOf(&other, controller, act.Person, employee, "", act.Time)
				act.Employee = other.Ref(event.ActorRelation).State == event.Known && other.Ref(event.ActorRelation).Text == "self"
			}
		}
		found.Add(&act, relationKinds...)
	}
	return nil
}

func (w *unusualWalk) act(a *trail.HumanAct, who persons) unusual.Act {
	return unusual.Act{
		Who: unusual.Who{Actor: a.Actor, Role: a.Role}, Person: who.one(a.Person), Time: a.Time, Date: w.dateOf(a.Time), Reasoned: a.Reasoned,
	}
}

// business finds accesses to persons with whom there is no open business.
func (w *unusualWalk) business(ctx context.Context, found *unusual.ByFacts, rules []*unusual.Rule) error {
	controller := w.answer.Controller.ID
	unknown := slices.ContainsFunc(rules, func(r *unusual.Rule) bool { return r.WhenUnknown })
	unreasoned := !slices.ContainsFunc(rules, func(r *unusual.Rule) bool { return !r.UnlessReason })
	var some [][16]byte // whose accesses are looked at; nil = anybody's
	who := persons{}
	if !unknown {
		ended, complete, err := w.Trail.EndedPersons(ctx, controller, maxEnded)
		if err != nil {
			return err
		}
		if !complete {
			w.cut(fmt.Sprintf("%d persons whose contract has ended were looked at, and not all", maxEnded))
		}
		if len(ended) == 0 {
			return nil
		}
		if who, err = w.Trail.SamePerson(ctx, controller, ended); err != nil {
			return err
		}
		some = who.all(ended)
	}
	limit := maxSingle
	if unknown {
		limit = maxUnknown
	}
	acts, complete, err := w.Trail.HumanActs(ctx, w.humans, some, unreasoned, limit)
	if err != nil {
		return err
	}
	if !complete {
		w.cut(fmt.Sprintf("of the accesses to persons without open business, the newest %d were looked at", limit))
	}
	if unknown {
		var acted [][16]byte
		for i := range acts {
			acted = append(acted, acts[i].Person)
		}
		if who, err = w.Trail.SamePerson(ctx, controller, persons(nil).all(acted)); err != nil {
			return err
		}
	}
	slices.Reverse(acts)
	return w.businessOf(ctx, found, who, acts)
}

// businessOf looks at acts by what is known of the persons, some at once.
func (w *unusualWalk) businessOf(ctx context.Context, found *unusual.ByFacts, who persons, acts []trail.HumanAct) error {
	byPerson := make(map[[16]byte][]unusual.Act)
	var order [][16]byte
	for i := range acts {
		act := w.act(&acts[i], who)
		if byPerson[act.Person] == nil {
			order = append(order, act.Person)
		}
		byPerson[act.Person] = append(byPerson[act.Person], act)
	}
	ids := make(map[[16]byte][][16]byte) // all pseudonyms of those acted on
	for id, one := range who {
		if byPerson[one] != nil && id != one {
			ids[one] = append(ids[one], id)
		}
	}
	for len(order) > 0 {
		var asked [][16]byte
		n := 0
		for n < len(order) && len(asked) < personsAtOnce {
			asked = append(append(asked, order[n]), ids[order[n]]...)
			n++
		}
		rows, complete, err := w.Trail.FactsOfKinds(ctx, w.answer.Controller.ID, businessFacts, asked, maxFactsAtOnce)
		if err != nil {
			return err
		}
		if !complete {
			w.cut(fmt.Sprintf("of %d persons not all facts were looked at: there are too many", n))
		}
		store := facts.New()
		if err := w.learn(store, who, rows); err != nil {
			return err
		}
		reader := store.Reader()
		var known event.Facts
		for _, person := range order[:n] {
			for _, act := range byPerson[person] {
				reader.AsOf(&known, w.answer.Controller.ID, person, act.Actor, "", act.Time)
				act.Known = &known
				found.Add(&act, unusual.NoRelationship)
			}
		}
		order = order[n:]
	}
	return nil
}
