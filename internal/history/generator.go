package history

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
)

// Generator makes up a history. It is for one goroutine.
type Generator struct {
	registers *register.Set
	options   Options
	manifest  *Manifest
}

// New prepares a history. The registers must be those of Elektrum and Netpro:
// an error names the purpose, recipient or source that is missing.
func New(registers *register.Set, o Options) (*Generator, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	g := &Generator{registers: registers, options: o}
	if _, err := g.run(); err != nil {
		return nil, err
	}
	return g, nil
}

// Generate is New, and its events. The manifest is complete when the events
// have been run through; the pointer is nil only with an error.
func Generate(registers *register.Set, o Options) (iter.Seq[*event.Event], *Manifest, error) {
	g, err := New(registers, o)
	if err != nil {
		return nil, nil, err
	}
	m := new(Manifest)
	return func(yield func(*event.Event) bool) {
		g.Events()(yield)
		if g.manifest != nil {
			*m = *g.manifest
		}
	}, m, nil
}

// Events are the events in the order of time, anew each time it is called. An
// event is the receiver's to keep, but for the slices in it, which events share.
func (g *Generator) Events() iter.Seq[*event.Event] {
	return func(yield func(*event.Event) bool) {
		r, err := g.run()
		if err != nil { // New has run it
			panic(err)
		}
		if r.all(yield) {
			g.manifest = r.manifest
		}
	}
}

// Manifest lists what is in the history. Where the events have not been run
// through before, it does so first.
func (g *Generator) Manifest() *Manifest {
	if g.manifest == nil {
		g.Events()(func(*event.Event) bool { return true })
	}
	return g.manifest
}

// run is one history under way. It holds what is planned of all persons, and
// the events of one day.
type run struct {
	Options
	rng      *rand.Rand
	books    []*book
	zone     *time.Location
	first    event.Date // day 0
	days     int
	agenda   [][]item // by day
	planned  int
	sequence map[string]uint64
	made     uint64 // events
	manifest *Manifest
}

// item is an event to come.
type item struct {
	at     time.Time
	c      *customer
	do     *work
	tell   string // name of a fact
	value  func(f *event.Facts, m *moment)
	from   string // source that tells it
	m      *moment
	about  string // employee or recipient that the fact is about
	pick   uint64 // what is left to chance
	entry  *Entry // that it belongs to
	cohort *cohort
	part   int // of the cohort's listing, from 1; 0 = it is not one
}

// cohort is a group of persons. Its members are gathered when it is listed
// and forgotten when the event that concerns them is made.
type cohort struct {
	id          string
	gather      func() []event.Person
	members     []event.Person
	size, parts int
}

func (g *Generator) run() (*run, error) {
	o := g.options
	r := &run{Options: o, rng: rand.New(rand.NewPCG(o.Seed, 0x616e646d65726164)), sequence: make(map[string]uint64)}
	for _, plan := range []func() *plans{elektrum, netpro} {
		p := plan()
		reg, err := g.registers.For(p.controller, o.End.AddDate(-years, 0, -1))
		if err != nil {
			return nil, fmt.Errorf("history: register of %q: %w", p.controller, err)
		}
		b, err := newBook(p, reg, r.rng)
		if err != nil {
			return nil, err
		}
		r.books = append(r.books, b)
	}
	r.zone = r.books[0].reg.Zone
	end := event.DateOf(o.End, r.zone)
	r.first = end.AddYears(-years)
	r.days = r.first.DaysUntil(end)
	r.agenda = make([][]item, r.days)
	r.manifest = &Manifest{Seed: o.Seed, Start: clock(r.first, 0, r.zone), End: clock(end, 0, r.zone)}
	r.manifest.Totals.start(r.books)
	r.people()
	if err := r.stories(); err != nil {
		return nil, err
	}
	r.onboarding()
	r.unusual()
	for day := range r.days {
		r.eachInvoice(day, func(*customer) { r.planned++ })
	}
	r.monthlyCohorts()
	return r, nil
}

// plan puts an item on the agenda of its day. What belongs to a day before the
// history is told on its first morning.
func (r *run) plan(day int, it item) {
	if day < 0 {
		day = 0
	}
	r.agenda[day] = append(r.agenda[day], it)
	r.planned++
}

// all gives every event; false if it was stopped.
func (r *run) all(yield func(*event.Event) bool) bool {
	weights := r.weights()
	everyday, done := max(0, r.Events-r.planned), 0
	total, sum := 0.0, 0.0
	for _, w := range weights {
		total += w
	}
	for day := range r.days {
		items := r.agenda[day]
		r.agenda[day] = nil
		sum += weights[day]
		for upTo := int(float64(everyday)*sum/total + 0.5); done < upTo; done++ {
			items = append(items, r.anything(day))
		}
		r.eachInvoice(day, func(c *customer) { items = append(items, r.invoice(day, c)) })
		slices.SortStableFunc(items, func(a, b item) int { return a.at.Compare(b.at) })
		for i := range items {
			if !yield(r.event(&items[i])) {
				return false
			}
		}
	}
	r.manifest.finish()
	return true
}

// event makes the event of an item.
func (r *run) event(it *item) *event.Event {
	r.made++
	ev := &event.Event{ID: r.id(r.made), Time: it.at}
	switch {
	case it.do != nil:
		r.processing(ev, it)
	case it.cohort != nil:
		c := it.cohort
		if c.members == nil {
			c.members = c.gather()
		}
		from, to := (it.part-1)*r.CohortPart, min(it.part*r.CohortPart, len(c.members))
		ev.Kind, ev.Type, ev.Source = event.CohortPart, event.CohortType, it.from
		ev.Cohort = event.Cohort{ID: c.id, Size: uint64(c.size), Part: uint32(it.part), Parts: uint32(c.parts), Members: c.members[from:to]}
		ev.Controller = it.m.c.b.id
		r.manifest.Totals.CohortMembers += to - from
	default:
		r.fact(ev, it)
	}
	r.sequence[ev.Source]++
	ev.Sequence = r.sequence[ev.Source]
	r.manifest.count(ev, it)
	return ev
}

func (r *run) fact(ev *event.Event, it *item) {
	b := it.m.c.b
	ev.Kind, ev.Source, ev.Controller = event.FactEvent, it.from, b.id
	ev.Fact = event.Fact{Name: it.tell, ValidFrom: it.at}
	switch {
	case it.tell == event.IdentityFact:
		ev.Persons = append(ev.Persons, it.c.named(schemeNumber), it.c.named(schemeEmail), it.c.named(schemeCode))
		if it.c.point != "" {
			ev.Persons = append(ev.Persons, it.c.named(schemePoint))
		}
	case it.tell == "actor_relation":
		ev.Fact.AboutActor, ev.Persons = it.about, []event.Person{it.c.named(schemeNumber)}
	case it.tell == "employee":
		ev.Fact.AboutActor = it.about
	case it.about != "":
		ev.Fact.AboutOrg = it.about
	default:
		ev.Persons = []event.Person{it.c.named(schemeNumber)}
	}
	ev.Type = ev.TypeName()
	if it.value != nil {
		it.value(&ev.Fact.Value, it.m)
	}
}

func (r *run) processing(ev *event.Event, it *item) {
	w, pick := it.do, it.pick
	draw := func(n int) int { // the low digits of what is left to chance
		d := pick % uint64(n)
		pick /= uint64(n)
		return int(d)
	}
	ev.Kind, ev.Type, ev.Source, ev.Operation = event.Processing, w.typ, w.source, w.op
	ev.Purpose, ev.DataSource, ev.Channel, ev.Reason = w.purposeID, w.dataSource, w.channel, w.reason
	t := &w.variants[draw(len(w.variants))]
	ev.Categories, ev.Fields = t.categories, t.fields
	if ev.Records = w.records; ev.Records == 0 {
		ev.Records = 1
	}
	if len(w.to) > 0 {
		ev.Recipient = w.to[draw(len(w.to))]
	}
	b := it.m.c.b
	ev.Controller = b.id
	if it.cohort != nil {
		ev.Cohort = event.Cohort{ID: it.cohort.id, Size: uint64(it.cohort.size)}
		ev.Records = uint64(it.cohort.size)
		it.cohort.members = nil
	} else {
		ev.Persons = []event.Person{it.c.named(w.scheme)}
	}
	if w.agent == "" {
		ev.Actor = event.Actor{ID: "svc-" + w.from, Kind: event.ActorService, Organisation: b.reg.Controller.Name}
	} else {
		ev.Actor = event.Actor{ID: agentID(draw(agents)), Kind: event.ActorHuman, Role: w.agent}
	}
	if w.basis != "" {
		ev.Basis.Kind = w.basis
		if w.basis == "contract" && it.cohort == nil {
			ev.Basis.Reference = it.c.contract
		}
	}
	if draw(4) == 0 {
		ev.TraceParent = r.trace(r.made)
	}
	for range w.several {
		other := b.customers[draw(len(b.customers))]
		if draw(3) > 0 && other != it.c && !other.aside && !other.former && !slices.Contains(ev.Persons, other.named(w.scheme)) {
			ev.Persons = append(ev.Persons, other.named(w.scheme))
		}
		pick = mix(pick + it.pick)
	}
	if w.states != nil {
		m := it.m
		m.at, m.today, m.to = it.at, event.DateOf(it.at, r.zone), ev.Recipient
		w.states(&ev.Statements, m)
	}
}

const agents = 40

func agentID(n int) string { return "agent-" + strconv.Itoa(n+1) }

// mix is the finalizer of SplitMix64 (Steele, Lea, Flood 2014): every bit of
// the result depends on every bit of x.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// id is the id of the nth event: a UUID of version 8 (RFC 9562 §5.8), made of
// the seed.
func (r *run) id(n uint64) string {
	var u uuid.UUID
	high := mix(r.Seed)
	binary.BigEndian.PutUint64(u[:8], mix(high^n))
	binary.BigEndian.PutUint64(u[8:], mix(high+mix(n)))
	u[6] = u[6]&0x0f | 0x80
	u[8] = u[8]&0x3f | 0x80
	return u.String()
}

// trace is a W3C trace context for the nth event.
func (r *run) trace(n uint64) string {
	var b [24]byte
	for i := range 3 {
		binary.BigEndian.PutUint64(b[8*i:], mix(mix(r.Seed)+3*n+uint64(i)))
	}
	return "00-" + hex.EncodeToString(b[:16]) + "-" + hex.EncodeToString(b[16:]) + "-01"
}
