package answer

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/andmerada/andmerada/internal/trail"
)

// frozen is a case that is to be kept.
type frozen struct {
	to      *trail.DB
	id      trail.Case
	persons []trail.CasePerson
}

// Keep writes the case that was asked for, if one was. It is for after the
// question is in the trail: a case that nobody is said to have asked for must not
// be there.
func (a *BreachAnswer) Keep(ctx context.Context) error {
	if a.frozen == nil {
		return nil
	}
	return a.frozen.to.FreezeCase(ctx, &a.frozen.id, a.frozen.persons)
}

// freeze makes the case of an answer.
func (b *tracing) freeze(a *BreachAnswer, aware time.Time) error {
	request, err := json.Marshal(b.req)
	if err != nil {
		return err
	}
	var id [8]byte
	if _, err := rand.Read(id[:]); err != nil {
		return err
	}
	// The id names the day, so that a person can speak of it.
	c := trail.Case{
		ID: b.now().UTC().Format("20060102-") + hex.EncodeToString(id[:]), Controller: a.Controller.ID, Name: b.req.Freeze, Request: request,
		AwareAt: aware, FrozenAt: b.now().UTC().Truncate(time.Millisecond),
	}
	a.Case = &CaseReference{ID: c.ID, Name: c.Name, Persons: uint64(len(b.affected.persons)), AwareAt: aware, FrozenAt: c.FrozenAt}
	whole := *a
	whole.Events = nil
	if c.Answer, err = json.Marshal(whole); err != nil {
		return err
	}
	persons := make([]trail.CasePerson, 0, len(b.affected.persons))
	for _, p := range b.affected.sorted() {
		x := b.affected.persons[p]
		persons = append(persons, trail.CasePerson{Person: p, First: x.first, Last: x.last, Events: x.events, Categories: sortedKeys(x.categories)})
	}
	a.frozen = &frozen{b.Trail, c, persons}
	return nil
}
