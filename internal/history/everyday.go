package history

import (
	"time"

	"github.com/andmerada/andmerada/internal/event"
)

// onboarding plans what the systems tell of each person when it is taken in:
// most on the first night, when the systems tell what they know, and the others
// on the day they become clients. Consents are told as they are given and
// withdrawn.
func (r *run) onboarding() {
	for _, b := range r.books {
		facts := b.source(b.facts)
		for i := range b.standing {
			s := &b.standing[i]
			m := &moment{c: b.customers[0], zone: r.zone}
			it := item{at: r.at(0, time.Minute, 0), tell: s.name, value: s.value, from: facts, m: m, about: s.about}
			if s.about != "" {
				it.about = b.reg.FullID(s.about)
				r.plan(0, it)
				continue
			}
			for n := range agents {
				it.about = agentID(n)
				r.plan(0, it)
			}
		}
		for n, c := range b.customers {
			at := r.at(0, 10*time.Minute, uint64(n)).Add((time.Duration(n) * 4 * time.Hour / time.Duration(len(b.customers))).Truncate(time.Millisecond))
			if c.since > 0 {
				at = r.at(c.since, r.timeOf(office), r.rng.Uint64())
			}
			r.takeIn(b, c, at, facts)
		}
	}
}

func (r *run) takeIn(b *book, c *customer, at time.Time, facts string) {
	tell := func(name string, at time.Time, day int, value func(f *event.Facts, m *moment)) {
		r.plan(day, item{at: at, c: c, tell: name, value: value, from: facts, m: &moment{c: c, zone: r.zone}})
	}
	next := func() time.Time { at = at.Add(20 * time.Millisecond); return at }
	tell(event.IdentityFact, next(), c.since, nil)
	if !c.aside && !c.former {
		r.consents(b, c, at)
	}
	first := at
	tell("consent", next(), c.since, func(f *event.Facts, _ *moment) {
		f.Consents.Known = true
		for _, s := range c.consents {
			if !s.given.After(first) {
				f.Consents.Entries = append(f.Consents.Entries, s.entry(b.id, false))
			}
		}
	})
	if c.point == "" {
		tell("objection", next(), c.since, func(f *event.Facts, _ *moment) { f.Objections.Known = true })
	} else if !c.former {
		tell("contract_end", next(), c.since, func(f *event.Facts, _ *moment) { f.Set(event.ContractEnd, event.Value{State: event.Null}) })
	}
	if c.elering && !c.aside {
		tell("elering_access_granted", next(), c.since, func(f *event.Facts, _ *moment) { f.Set(event.EleringAccessGranted, event.BoolValue(true)) })
	}
	for _, s := range c.consents {
		if s.given.After(first) {
			tell("consent", s.given, r.dayOf(s.given), func(f *event.Facts, _ *moment) { s.state(b.id, false, f) })
		}
		if !s.ended.IsZero() {
			tell("consent", s.ended, r.dayOf(s.ended), func(f *event.Facts, _ *moment) { s.state(b.id, true, f) })
		}
	}
}

// consents draws what a client consents to, and when it withdraws it.
func (r *run) consents(b *book, c *customer, taken time.Time) {
	for _, purpose := range b.consents {
		if r.rng.IntN(10) >= 4 {
			continue
		}
		s := span{purpose: b.reg.FullID(purpose), form: "electronic", given: taken.Add(-time.Duration(r.rng.IntN(700*24)) * time.Hour)}
		day := c.since
		if r.rng.IntN(4) == 0 {
			s.form = "oral"
		}
		if c.since > 0 {
			s.given = taken
		}
		if r.rng.IntN(4) == 0 && c.until-c.from > 60 { // later
			day = c.from + r.rng.IntN(c.until-c.from-30)
			s.given = r.at(day, r.timeOf(waking), r.rng.Uint64())
		}
		if r.rng.IntN(6) == 0 && c.until-day > 20 {
			s.ended = r.at(day+5+r.rng.IntN(c.until-day-10), r.timeOf(waking), r.rng.Uint64())
		}
		c.consents = append(c.consents, s)
	}
}

func (s *span) entry(controller string, ended bool) event.Consent {
	c := event.Consent{Controller: controller, Purpose: s.purpose, GivenAt: s.given, Form: s.form, RegisteredCRM: event.BoolValue(true)}
	if ended {
		c.WithdrawnAt, c.WithdrawalForm = s.ended, "reproducible-in-writing"
	}
	return c
}

func (s *span) state(controller string, ended bool, f *event.Facts) {
	f.Consents = event.List[event.Consent]{Known: true, Entries: []event.Consent{s.entry(controller, ended)}}
}

// dayOf is the history's day of an instant.
func (r *run) dayOf(t time.Time) int { return r.first.DaysUntil(event.DateOf(t, r.zone)) }

// eachInvoice visits the clients that are sent an invoice that day.
func (r *run) eachInvoice(day int, visit func(*customer)) {
	if day == 0 {
		return
	}
	y, month, d := r.date(day)
	if d > 5 {
		return
	}
	for _, b := range r.books {
		for _, c := range b.customers {
			if c.invoiceDay == d && (12*y+int(month)+c.invoicePhase)%c.invoiceEvery == 0 && !c.aside && c.from <= day && day < c.until {
				visit(c)
			}
		}
	}
}

func (r *run) invoice(day int, c *customer) item {
	return item{
		at: r.at(day, r.timeOf(night), r.rng.Uint64()), c: c, do: c.b.works[&c.b.invoice],
		m: &moment{c: c, zone: r.zone}, pick: r.rng.Uint64(),
	}
}

// anything draws one everyday event of the day.
func (r *run) anything(day int) item {
	b := r.books[0]
	if r.rng.Float64() >= b.share {
		b = r.books[1]
	}
	weights := b.weights
	if !r.workday(day) {
		weights[office] /= 8
	}
	n := r.rng.IntN(weights[office] + weights[night] + weights[waking])
	when := office
	for n >= weights[when] {
		n -= weights[when]
		when++
	}
	n = r.rng.IntN(b.weights[when])
	var e *everyday
	for _, e = range b.rhythm[when] {
		if n -= e.weight; n < 0 {
			break
		}
	}
	at := r.at(day, r.timeOf(when), r.rng.Uint64())
	c := r.anyone(b, e, day, at)
	if c == nil { // nobody for it was found: one that anybody will do for
		e = b.rhythm[when][0]
		c = r.anyone(b, e, day, at)
	}
	return item{at: at, c: c, do: b.works[&e.deed], m: &moment{c: c, zone: r.zone}, pick: r.rng.Uint64()}
}

// anyone draws a client for whom the deed is in order; nil if none is found.
func (r *run) anyone(b *book, e *everyday, day int, at time.Time) *customer {
	w := b.works[&e.deed]
	for range 60 {
		c := b.customers[r.rng.IntN(len(b.customers))]
		if c.aside || day < c.from || day >= c.until || e.elering && !c.elering || e.consent && !c.consented(w.purposeID, at) {
			continue
		}
		return c
	}
	if !e.consent && !e.elering {
		return b.customers[0] // has been a client all along
	}
	return nil
}
