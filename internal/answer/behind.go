package answer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

// Question is one question, such that what stands behind its answer can be shown:
// exactly one of its members is set.
type Question struct {
	Recipients *RecipientsRequest `json:"recipients,omitempty" doc:"Who received a person's data."`
	Timeline   *TimelineRequest   `json:"timeline,omitempty" doc:"What was done with a person's data."`
	Told       *ToldRequest       `json:"told,omitempty" doc:"Who was told of an erasure, a rectification or a restriction."`
	Access     *AccessRequest     `json:"access,omitempty" doc:"Who accessed what."`
	Recipient  *RecipientRequest  `json:"recipient,omitempty" doc:"What one recipient received."`
	Breach     *BreachRequest     `json:"breach,omitempty" doc:"Whom a breach affects."`
}

// Kind names the question as its operation and its command do: recipients,
// timeline, told, access, recipient or breach. A fault says that there is none, or
// more than one.
func (q *Question) Kind() (string, error) {
	var kinds []string
	for kind, set := range map[string]bool{
		"recipients": q.Recipients != nil, "timeline": q.Timeline != nil, "told": q.Told != nil,
		"access": q.Access != nil, "recipient": q.Recipient != nil, "breach": q.Breach != nil,
	} {
		if set {
			kinds = append(kinds, kind)
		}
	}
	if len(kinds) != 1 {
		return "", &Fault{"", "there is not exactly one question", "ask one of recipients, timeline, told, access, recipient and breach"}
	}
	return kinds[0], nil
}

// About is whose data the question is about: the controller, and the person
// where it names one.
func (q *Question) About() (controller string, person Person) {
	switch {
	case q.Recipients != nil:
		return q.Recipients.Controller, q.Recipients.Person
	case q.Timeline != nil:
		return q.Timeline.Controller, q.Timeline.Person
	case q.Told != nil:
		return q.Told.Controller, q.Told.Person
	case q.Access != nil:
		return q.Access.Controller, Person{}
	case q.Recipient != nil:
		return q.Recipient.Controller, Person{}
	case q.Breach != nil && len(q.Breach.Windows) > 0:
		return q.Breach.Windows[0].Controller, Person{}
	}
	return "", Person{}
}

// Evidence is an answer with what it was counted from.
type Evidence struct {
	Kind   string
	Answer any
	// Rows are those of the events, as far as they are about whom was asked: of each
	// the first judgement, then those given later.
	Rows []trail.Row
	// Windows says of an event in which windows of a breach it is.
	Windows map[Place][]int
	// Facts are those by which the events are judged, one row for each person.
	Facts []trail.Row
	// Registers are those by which the events were judged; Missing are versions
	// that are not loaded any more.
	Registers    []*register.Register
	Missing      []string
	Completeness Completeness
	Limits       *Limits // of the period that was asked about
	Verified     []trail.Report
}

// MaxBehind is of how many events the evidence for one answer can consist.
const MaxBehind = 20_000

// Behind answers a question and gathers what stands behind the answer.
func Behind(ctx context.Context, d Deps, q Question) (*Evidence, error) {
	kind, err := q.Kind()
	if err != nil {
		return nil, err
	}
	g := &gathering{Deps: d, found: &Evidence{Kind: kind, Windows: make(map[Place][]int)}, places: make(map[Place]bool)}
	if err := g.ask(ctx, &q); err != nil {
		return nil, within("/"+kind, err)
	}
	if err := g.whole(ctx); err != nil {
		return nil, within("/"+kind, err)
	}
	return g.found, nil
}

// ask answers, and finds the events.
func (g *gathering) ask(ctx context.Context, q *Question) (err error) {
	answered := func(a any, err error, then func() error) error {
		if err != nil {
			return err
		}
		g.found.Answer = a
		return then()
	}
	switch {
	case q.Recipients != nil:
		a, err := Recipients(ctx, g.Deps, *q.Recipients)
		return answered(a, err, func() error { return g.person(ctx, q.Recipients.Request) })
	case q.Timeline != nil:
		a, err := TimelineOf(ctx, g.Deps, *q.Timeline)
		return answered(a, err, func() error { return g.person(ctx, q.Timeline.Request) })
	case q.Told != nil:
		a, err := ToldOn(ctx, g.Deps, *q.Told)
		return answered(a, err, func() error {
			return g.person(ctx, Request{Controller: q.Told.Controller, Person: q.Told.Person, For: q.Told.For})
		})
	case q.Access != nil:
		a, err := Access(ctx, g.Deps, *q.Access)
		return answered(a, err, func() error { return g.acts(ctx, &q.Access.ActsRequest, -1) })
	case q.Recipient != nil:
		if len(q.Recipient.Receipts) > 0 {
			return &Fault{"/receipts", "receipts are no part of the evidence", "leave them out; reconcile them by the question itself"}
		}
		a, err := RecipientOf(ctx, g.Deps, *q.Recipient)
		return answered(a, err, func() error { return g.acts(ctx, q.Recipient.acts(), -1) })
	default:
		if q.Breach.Freeze != "" {
			return &Fault{"/freeze", "a case cannot be kept and bundled at once", "keep the case first, then ask for the bundle without freeze"}
		}
		a, err := Breach(ctx, g.Deps, *q.Breach)
		return answered(a, err, func() error {
			for i := range q.Breach.Windows {
				if err := g.acts(ctx, &q.Breach.Windows[i].ActsRequest, i); err != nil {
					return within(fmt.Sprintf("/windows/%d", i), err)
				}
			}
			return nil
		})
	}
}

// acts is what a recipient's view selects.
func (r *RecipientRequest) acts() *ActsRequest {
	acts := &ActsRequest{Controller: r.Controller, From: r.From, To: r.To, Operations: handedOver}
	if r.Recipient != "" {
		acts.Recipients = []string{r.Recipient}
	} else {
		acts.Entities = []string{r.Entity}
	}
	return acts
}

// gathering is evidence being gathered.
type gathering struct {
	Deps
	found      *Evidence
	controller string
	period     Period // of all that was asked about; what was judged after its AsOf is no part of it
	places     map[Place]bool
	persons    [][16]byte // whose rows belong to it; nil = all
	own        [][16]byte // of these, those that facts may be of
	view       *view      // how the person is asked about; nil = nobody is
	verdicts   [][]string // of which windows' rows are wanted; see keeps
	rules      [][]string
}

// person finds the events of a person.
func (g *gathering) person(ctx context.Context, req Request) error {
	s, err := g.subject(ctx, req)
	if err != nil {
		return err
	}
	if s.view.toTheDay() {
		return &Fault{"/for", "the evidence holds the time of day of each event, which the person is not told here", `leave "for" out; the person gets the answer itself, or its report`}
	}
	g.view, g.period = s.view, s.period
	g.controller, g.persons, g.own = req.Controller, s.query.Persons, s.query.Persons[:s.person.Identifiers]
	return g.pages(-1, func(before *trail.Place, n int) ([]trail.Row, error) {
		return s.history.Timeline(ctx, s.query.Only, before, n)
	})
}

// acts finds the events of a selection.
func (g *gathering) acts(ctx context.Context, req *ActsRequest, window int) error {
	s, err := g.selection(ctx, req)
	if err != nil {
		return err
	}
	g.controller, g.period = req.Controller, g.period.with(s.period, window <= 0)
	g.verdicts, g.rules = append(g.verdicts, req.Verdicts), append(g.rules, req.Rules)
	return g.pages(window, func(before *trail.Place, n int) ([]trail.Row, error) { return g.Trail.ActsList(ctx, s.acts, before, n) })
}

// with is the period from the beginning of either to the end of either.
func (p Period) with(other Period, first bool) Period {
	switch {
	case first:
		return other
	case other.From.Before(p.From):
		p.From = other.From
	}
	if other.To.IsZero() || !p.To.IsZero() && other.To.After(p.To) {
		p.To = other.To
	}
	return p
}

// behindPage is how many places are read at once.
const behindPage = 1000

func (g *gathering) pages(window int, read func(before *trail.Place, n int) ([]trail.Row, error)) error {
	var before *trail.Place
	for {
		rows, err := read(before, behindPage)
		if err != nil {
			return err
		}
		for i := range rows {
			p := Place{rows[i].Topic, rows[i].Partition, rows[i].Offset}
			g.places[p] = true
			if window >= 0 {
				g.found.Windows[p] = append(g.found.Windows[p], window)
			}
		}
		if len(g.places) > MaxBehind {
			return &Fault{"", fmt.Sprintf("more than %d events stand behind the answer", MaxBehind), "ask for a shorter period, or for less at once"}
		}
		if len(rows) < behindPage {
			return nil
		}
		last := &rows[len(rows)-1]
		before = &trail.Place{Time: last.Time, Topic: last.Topic, Partition: last.Partition, Offset: last.Offset}
	}
}

// whole reads the events in full, and all that they were judged by.
func (g *gathering) whole(ctx context.Context) (err error) {
	if err := g.read(ctx, slices.SortedFunc(maps.Keys(g.places), comparePlaces), func(row *trail.Row) {
		if (g.persons == nil || slices.Contains(g.persons, row.Person)) && (g.period.AsOf.IsZero() || !row.JudgedAt.After(g.period.AsOf)) {
			if g.view != nil && g.view.person && row.Source == event.AnswersSource {
				row.BasisReference = "" // it says what answers have left out
			}
			g.found.Rows = append(g.found.Rows, *row)
		}
	}); err != nil {
		return err
	}
	g.found.Rows = g.keep(g.found.Rows)
	if g.found.Facts, err = g.factsBehind(ctx); err != nil {
		return err
	}
	versions := make(map[string]bool)
	for i := range g.found.Rows {
		versions[g.found.Rows[i].RegisterVersion] = true
	}
	for _, v := range slices.Sorted(maps.Keys(versions)) {
		switch r, ok := g.Registers.Version(v); {
		case ok:
			g.found.Registers = append(g.found.Registers, r)
		case v != "":
			g.found.Missing = append(g.found.Missing, v)
		}
	}
	if g.found.Completeness, err = g.completenessAsOf(ctx, g.period.AsOf); err != nil {
		return err
	}
	if g.found.Limits, err = g.limits(ctx, g.controller, g.period, g.view.tellsSystems()); err != nil {
		return err
	}
	g.found.Verified, err = g.verified(ctx, g.period.AsOf)
	return err
}

func comparePlaces(a, b Place) int {
	return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
}

func (g *gathering) read(ctx context.Context, places []Place, f func(*trail.Row)) error {
	for part := range slices.Chunk(places, behindPage) {
		asked := make([]trail.Judged, len(part))
		for i, p := range part {
			asked[i] = trail.Judged{Partition: trail.Partition{Topic: p.Topic, Partition: p.Partition}, Offset: p.Offset}
		}
		for row, err := range g.Trail.Whole(ctx, asked) {
			if err != nil {
				return err
			}
			f(&row)
		}
	}
	return nil
}

// keep leaves the rows that a selection by verdict or rule has selected: such a
// one selects by the verdict that stands, and each person's by itself.
func (g *gathering) keep(rows []trail.Row) []trail.Row {
	if len(g.verdicts) == 0 {
		return rows
	}
	kept := rows[:0]
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && rows[n].Offset == rows[0].Offset && rows[n].Partition == rows[0].Partition && rows[n].Topic == rows[0].Topic {
			n++
		}
		latest := make(map[uint16]*trail.Row)
		for i := range rows[:n] {
			latest[rows[i].PersonIndex] = &rows[i]
		}
		wanted := make(map[uint16]bool)
		for index, row := range latest {
			for w := range g.verdicts {
				wanted[index] = wanted[index] ||
					(len(g.verdicts[w]) == 0 || slices.Contains(g.verdicts[w], row.Verdict.String())) &&
						(len(g.rules[w]) == 0 || slices.ContainsFunc(row.Rules, func(id string) bool { return slices.Contains(g.rules[w], id) }))
			}
		}
		for i := range rows[:n] {
			if wanted[rows[i].PersonIndex] {
				kept = append(kept, rows[i])
			}
		}
		rows = rows[n:]
	}
	return kept
}

// verified proves of each topic, up to where the trail went at a moment, that nothing is
// missing and nothing is there twice.
func (d *Deps) verified(ctx context.Context, asOf time.Time) ([]trail.Report, error) {
	reach, err := d.Trail.Reach(ctx, asOf)
	if err != nil {
		return nil, err
	}
	through := make(map[string]map[int32]int64)
	for _, p := range reach.Partitions {
		if through[p.Topic] == nil {
			through[p.Topic] = make(map[int32]int64)
		}
		through[p.Topic][p.Partition] = p.Offset + 1
	}
	var all []trail.Report
	var errs []error
	for _, topic := range slices.Sorted(maps.Keys(through)) {
		report, err := d.Trail.Verify(ctx, topic, through[topic], nil)
		all, errs = append(all, report), append(errs, err)
	}
	return all, errors.Join(errs...)
}

// Recount sums ways of use up as [Recipients] does those of the trail, for
// whoever has the events themselves: only what is counted is in the answer.
func Recount(set *register.Set, uses []trail.Use) *RecipientsAnswer {
	a := &RecipientsAnswer{Recipients: []Recipient{}}
	n := newNames(set)
	a.sum(n, uses)
	a.more(n, new(register.Register), uses)
	return a
}

// AccessPage is a page of the events of [Access], without what is counted.
func AccessPage(ctx context.Context, d Deps, req AccessRequest) (Timeline, error) {
	s, err := d.selection(ctx, &req.ActsRequest)
	if err != nil {
		return Timeline{}, err
	}
	return d.page(ctx, s, req.Cursor, req.Limit)
}
