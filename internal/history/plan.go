package history

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
)

// people makes up the persons: two in three are clients of Elektrum, nearly
// half of Netpro, and some of both.
func (r *run) people() {
	for n := range r.Persons {
		mail, code := email(n, r.rng), personalCode(n, r.rng)
		for i, b := range r.books {
			if k := n % 20; i == 0 && k >= 13 || i == 1 && k < 11 {
				continue
			}
			c := &customer{b: b, email: mail, code: code, from: 1, until: r.days}
			serial := len(b.customers) + 1
			c.number = fmt.Sprintf(b.number, serial)
			c.contract = fmt.Sprintf("%d-%05d", 2015+r.rng.IntN(9), serial)
			if i == 0 {
				c.point = meteringPoint(serial)
			}
			if serial > 1 && r.rng.IntN(5) == 0 { // joins later
				c.since = 20 + r.rng.IntN(r.days-80)
				c.from = c.since + 1
			}
			c.invoiceDay, c.invoicePhase = 1+r.rng.IntN(5), r.rng.IntN(12)
			c.elering = i == 0 && r.rng.IntN(3) == 0
			b.customers = append(b.customers, c)
		}
	}
	customers := 0
	for _, b := range r.books {
		customers += len(b.customers)
		for _, c := range b.customers[1:] { // the first is the person to try
			if c.since == 0 {
				b.victims = append(b.victims, c)
			}
		}
		r.rng.Shuffle(len(b.victims), func(i, j int) { b.victims[i], b.victims[j] = b.victims[j], b.victims[i] })
	}
	// Invoices are every month, every quarter or once a year, so that they are
	// two fifths of all that happens, or less.
	each := 0.4 * float64(r.Events) / float64(customers)
	often, seldom := 1, 3
	share := (each - 8) / 16
	if each < 8 {
		often, seldom, share = 3, 12, (each-2)/6
	}
	for _, b := range r.books {
		for _, c := range b.customers {
			if c.invoiceEvery = seldom; r.rng.Float64() < share {
				c.invoiceEvery = often
			}
		}
	}
}

// victim is the next person to whom a story may happen; nil if there is none left.
func (b *book) victim() *customer {
	if len(b.victims) == 0 {
		return nil
	}
	c := b.victims[0]
	b.victims = b.victims[1:]
	return c
}

// stories plans what befalls single persons: first what is planted, then lives.
func (r *run) stories() error {
	for _, b := range r.books {
		star := b.customers[0]
		for i := range b.stories {
			s := &b.stories[i]
			for n := range r.instances(s) {
				c := b.victim()
				if n == 0 && s.kind == tryManyRecipients {
					c = star
				}
				if c == nil {
					return fmt.Errorf("history: %d persons are too few for the stories of %s", r.Persons, b.id)
				}
				r.story(b, s, c, r.rng)
			}
		}
		for i := range b.stories {
			s := &b.stories[i]
			for range int(s.share * float64(len(b.customers))) {
				if c := b.victim(); c != nil {
					r.story(b, s, c, r.rng)
				}
			}
			if s.share > 0 && s.mixes && !s.ends {
				r.story(b, s, star, r.rng)
			}
		}
		r.starring(b, star)
	}
	return nil
}

// instances is how often a planted story happens.
func (r *run) instances(s *story) int {
	few := min(max(r.Events/40_000, 2), 8)
	switch s.verdict {
	case 0:
		return 0
	case register.Review:
		return 2 * few
	case register.Allowed:
		return 2
	default:
		return few
	}
}

// starring gives the person to try each deed that hands data over, three times.
func (r *run) starring(b *book, star *customer) {
	for i := range b.everyday {
		e := &b.everyday[i]
		if !e.op.HandsOver() || e.consent || e.elering {
			continue
		}
		for range 3 {
			day := 30 + r.rng.IntN(r.days-40)
			r.plan(day, item{at: r.at(day, r.timeOf(e.when), r.rng.Uint64()), c: star, do: b.works[&e.deed], m: &moment{c: star, zone: r.zone}, pick: r.rng.Uint64()})
		}
	}
}

// story plans one story of one person.
func (r *run) story(b *book, s *story, c *customer, rng *rand.Rand) {
	final := s.steps[len(s.steps)-1]
	last := r.lastDay(s, final.day, rng)
	first := last - final.day
	c.aside = c.aside || !s.mixes
	c.former = c.former || s.former
	if s.former {
		c.until = 0
	}
	if s.ends {
		c.until = first
	}
	var group *cohort
	for i := range s.steps {
		st := &s.steps[i]
		day := max(first+st.day, 0)
		m := &moment{c: c, zone: r.zone, first: r.first + event.Date(first), last: r.first + event.Date(last)}
		it := item{c: c, m: m, pick: rng.Uint64()}
		morning := time.Duration(8*60+i) * time.Minute
		if st.do == nil {
			if day == 0 { // after all that the systems know of all persons
				morning = time.Duration(5*60+40+i) * time.Minute
			}
			it.at, it.tell, it.value, it.from = r.at(day, morning+10*time.Minute, it.pick), st.tell, st.value, b.source(b.facts)
			r.plan(day, it)
			continue
		}
		it.do = b.works[st.do]
		it.at = r.at(day, time.Duration(9*60+i*20)*time.Minute+time.Duration(rng.IntN(1000))*time.Second, it.pick)
		if i == len(s.steps)-1 && s.verdict != 0 {
			it.entry = &Entry{Source: it.do.source, Controller: b.id, Kind: s.kind, Verdict: s.verdict, Rules: s.rules, Why: s.why}
			if s.cohort > 0 {
				group = r.group(b, it.do.from, fmt.Sprintf("%s-%06x", s.kind, it.pick>>40), it.at.Add(-10*time.Minute), m, r.neighbours(b, c, day, s.cohort), day)
				it.cohort = group
			} else {
				it.entry.person = c.named(schemeNumber)
			}
			r.manifest.add(it.entry)
		}
		r.plan(day, it)
	}
}

// lastDay chooses the day of a story's last step: a working day, late enough
// that the story has begun.
func (r *run) lastDay(s *story, length int, rng *rand.Rand) int {
	if length < 0 {
		length = 0
	}
	if s.spring {
		days := slices.DeleteFunc(r.summerTime(), func(day int) bool { return day+length >= r.days })
		return days[rng.IntN(len(days))] + 1 + rng.IntN(length-2)
	}
	earliest := 30 + length
	for {
		last := earliest + rng.IntN(r.days-earliest-20)
		_, m, d := r.date(last)
		// Around leap days a year before a year after is another day.
		leap := m == time.February && d >= 28 || m == time.March && d == 1
		if r.workday(last) && !leap {
			return last
		}
	}
}

// neighbours gathers n clients of the day, the one in question first.
func (r *run) neighbours(b *book, c *customer, day, n int) func() []event.Person {
	return func() []event.Person {
		members := []event.Person{c.named(schemeNumber)}
		for _, other := range b.customers {
			if len(members) < n && other != c && !other.aside && other.from <= day && day < other.until {
				members = append(members, other.named(schemeNumber))
			}
		}
		return members
	}
}

// group plans the listing of a cohort.
func (r *run) group(b *book, system, id string, at time.Time, m *moment, gather func() []event.Person, day int) *cohort {
	c := &cohort{id: id, gather: gather, size: len(gather())}
	c.parts = (c.size + r.CohortPart - 1) / r.CohortPart
	for part := range c.parts {
		r.plan(day, item{at: at.Add(time.Duration(part) * time.Second), from: b.source(system), m: m, cohort: c, part: part + 1})
	}
	r.manifest.Totals.Cohorts++
	return c
}

// monthlyCohorts plans the bulk transfers, on the fifth of each month.
func (r *run) monthlyCohorts() {
	for _, b := range r.books {
		for i := range b.cohorts {
			sc := &b.cohorts[i]
			for day := 1; day < r.days; day++ {
				y, month, d := r.date(day)
				if d != 5+i {
					continue
				}
				gather := func() []event.Person {
					var members []event.Person
					for n, c := range b.customers {
						in := n == 0 || float64(mix(uint64(n)^uint64(i)<<40)%1000) < 1000*sc.share
						if in && !c.aside && c.from <= day && day < c.until {
							members = append(members, c.named(schemeNumber))
						}
					}
					return members
				}
				m := &moment{c: b.customers[0], zone: r.zone}
				at := r.at(day, 2*time.Hour, r.rng.Uint64())
				c := r.group(b, sc.from, fmt.Sprintf("%s-%04d-%02d", sc.name, y, month), at, m, gather, day)
				r.plan(day, item{at: at.Add(5 * time.Minute), do: b.works[&sc.deed], m: m, cohort: c, pick: r.rng.Uint64()})
			}
		}
	}
}
