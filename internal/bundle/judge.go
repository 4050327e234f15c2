package bundle

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/replay"
	"github.com/andmerada/andmerada/internal/verdict"
)

// store makes a store of the facts of the bundle.
func (c *checking) store() (*facts.Store, error) {
	s := facts.New()
	for all := c.facts; len(all) > 0; {
		n := 1
		for n < len(all) && all[n].Place.Place == all[0].Place.Place {
			n++
		}
		f := &all[0]
		fact := event.Fact{Name: f.Fact, ValidFrom: f.ValidFrom, AboutActor: f.Actor, AboutOrg: f.Recipient}
		if len(f.Value) > 0 {
			var err error
			if fact.Value, err = event.DecodeFacts(f.Value); err != nil {
				return nil, fmt.Errorf("the fact at %s: %w", f.Path(), err)
			}
		}
		var persons []identity.Pseudonym
		for i := range all[:n] {
			p, err := readPseudonym(all[i].Pseudonym)
			if err != nil {
				return nil, fmt.Errorf("the fact at %s: %w", f.Path(), err)
			}
			if p != [16]byte{} {
				persons = append(persons, p)
			}
		}
		s.Learn(f.Controller, persons, &fact, orderOf(f.Place, f.Recorded))
		all = all[n:]
	}
	return s, nil
}

func orderOf(p Place, recorded time.Time) facts.Order {
	return facts.Order{Recorded: recorded, Topic: p.Topic, Partition: p.Partition, Offset: p.Offset}
}

// judge gives the verdicts that stand again: by the registers and the facts of the
// bundle.
func (c *checking) judge() {
	store, err := c.store()
	if err != nil {
		c.problem(factsFile, "%v", err)
		return
	}
	why := make(map[string]int)
	for i := range c.events {
		e := &c.events[i]
		v := c.stands[e.Place]
		r, ok := c.registers.Version(v.Register)
		switch {
		case slices.Contains(v.Rules, verdict.NotInForce) && v.Register == "":
			why["no register was in force at the time"]++
			continue
		case !ok:
			why["the register that judged them is not in the bundle"]++
			continue
		case v.Evaluator != verdict.Evaluator:
			why[fmt.Sprintf("version %d of the rules of judging was used, and this program has %d", v.Evaluator, verdict.Evaluator)]++
			continue
		}
		row, err := e.row(v)
		if err != nil {
			c.problem(eventsFile, "%v", err)
			continue
		}
		ev, err := replay.Event(row)
		if err != nil {
			c.problem(eventsFile, "the event at %s cannot be judged: %v", e.Path(), err)
			continue
		}
		same := false
		for _, known := range []event.Facts{
			// What was known when the event came; when it was judged; and what is known
			// of that time now.
			store.AsSeen(orderOf(e.Place, e.Recorded), e.Controller, row.Person, row.Actor, row.Recipient, e.Time),
			store.AsKnown(v.JudgedAt, e.Controller, row.Person, row.Actor, row.Recipient, e.Time),
			store.AsOf(e.Controller, row.Person, row.Actor, row.Recipient, e.Time),
		} {
			known.Overlay(&ev.Statements)
			again := verdict.Judge(r, ev, &known)
			same = same || again.Outcome == row.Verdict && slices.Equal(again.Rules, row.Rules) && slices.Equal(again.Unknown, row.Unknown)
		}
		if !same {
			c.problem(verdictsFile, "the verdict on the event at %s, %s by %v, does not follow from the register and the facts", e.Path(), v.Verdict, v.Rules)
			continue
		}
		c.Judged++
	}
	for _, reason := range slices.Sorted(maps.Keys(why)) {
		c.NotJudged += why[reason]
		c.note("%d verdicts could not be given again: %s.", why[reason], reason)
	}
}
