package history

import (
	"time"

	"github.com/andmerada/andmerada/internal/event"
)

// lookUp is an access like any other, which a clerk needs no reason for.
var lookUp = deed{from: "crm", op: event.Access, purpose: contractPlain, agent: agentRole, categories: []string{"contact-address", "phone"}}

// Who does what is unusual, each by number, and how long before the end.
const (
	selfAgent, selfDaysBefore   = 7, 40
	nightAgent, nightDaysBefore = 14, 25
	nightPersons                = 60
	figureDaysBefore            = 33
)

// unusual plans accesses that are allowed, each by itself, and yet worth a look:
// a clerk's to the own record, three clerks' to that of a person in the public
// eye, and many at night. Nothing of it is left to chance, so that all else stays
// as it would be without.
func (r *run) unusual() {
	b := r.books[0]
	clients := r.lookedUp(b)
	if len(clients) < 3+nightPersons {
		return
	}
	tell := func(name string, c *customer, about string, value tells) {
		r.plan(0, item{at: r.at(0, 6*time.Hour, 0), c: c, tell: name, value: value, from: b.source(b.facts), m: &moment{c: c, zone: r.zone}, about: about})
	}
	access := func(agent int, c *customer, before int, at time.Duration) {
		day := r.days - before
		r.plan(day, item{at: r.at(day, at, 0), c: c, do: b.works[&lookUp], m: &moment{c: c, zone: r.zone}, pick: uint64(agent)})
	}
	self, figure := clients[0], clients[1]
	tell("actor_relation", self, agentID(selfAgent), text(event.ActorRelation, "self"))
	access(selfAgent, self, selfDaysBefore, 16*time.Hour)
	access(selfAgent, self, selfDaysBefore-1, 16*time.Hour+5*time.Minute)
	tell("public_figure", figure, "", yes(event.PublicFigure))
	for n := range 3 {
		access(2+9*n, figure, figureDaysBefore-n, 11*time.Hour)
	}
	for n, c := range clients[3 : 3+nightPersons] {
		access(nightAgent, c, nightDaysBefore, 2*time.Hour+10*time.Minute+time.Duration(n)*80*time.Second)
	}
}

// lookedUp are clients throughout whom nothing is planned for.
func (r *run) lookedUp(b *book) (all []*customer) {
	for _, c := range b.customers[1:] {
		if !c.aside && !c.former && c.since == 0 && c.until == r.days {
			all = append(all, c)
		}
	}
	return all
}
