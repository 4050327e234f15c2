package answer

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

// tellingsWalk goes through the persons of a controller of whom something was asked
// for or done.
type tellingsWalk struct {
	*Deps
	register *register.Register
	names    *names
	req      *TellingsRequest
	answer   *TellingsAnswer
	found    []tracked
	cohorts  map[[16]byte][]trail.Row // rows of cohorts, by their pseudonyms
}

// tracked is a task and its place among all.
type tracked struct {
	TrackedTelling
	place tellingPlace
}

func (d *Deps) tellingsWalk(req *TellingsRequest) (*tellingsWalk, error) {
	r, err := d.controller(req.Controller, "/controller")
	if err != nil {
		return nil, err
	}
	a := &TellingsAnswer{
		Controller: Controller{r.Controller.ID, r.Controller.Name}, Operations: toldOperations,
		Days: cmp.Or(max(req.Days, 0), 30), AskedAt: d.now(), Tasks: []TrackedTelling{},
	}
	for i, op := range req.Operations {
		if !slices.Contains(toldOperations, op) {
			return nil, &Fault{fmt.Sprintf("/operations/%d", i), "nobody is told of that", "write erase, rectify or restrict"}
		}
	}
	if len(req.Operations) > 0 {
		a.Operations = slices.Compact(slices.Sorted(slices.Values(req.Operations)))
	}
	for i, state := range req.States {
		if tellOrder(state) < 0 {
			return nil, &Fault{fmt.Sprintf("/states/%d", i), "there is no such state", "write pending, overdue, told, unanswered, acknowledged or not-told"}
		}
	}
	if a.Period, err = parsePeriod(req.From, req.To, r.Zone); err != nil {
		return nil, err
	}
	return &tellingsWalk{Deps: d, register: r, names: newNames(d.Registers), req: req, answer: a, cohorts: make(map[[16]byte][]trail.Row)}, nil
}

// asker is a person of whom something was asked for or done.
type asker struct {
	id      identity.Pseudonym // the least of its pseudonyms
	persons [][16]byte
	since   map[string]askedOn // by operation
}

// askedOn is when something was asked for or done, and what says so.
type askedOn struct {
	at   time.Time
	from string
}

// later takes the later of two moments; of a request that a fact tells, acts do not
// say when it was made.
func (x askedOn) later(y askedOn) askedOn {
	switch {
	case x.from == "" || y.from == "fact" && x.from == "act", x.from == y.from && y.at.After(x.at):
		return y
	default:
		return x
	}
}

// requests lists the persons with a request in the period, those first whose is the
// oldest.
func (w *tellingsWalk) requests(ctx context.Context) ([]asker, error) {
	said, err := w.said(ctx)
	if err != nil {
		return nil, err
	}
	persons := make([][16]byte, 0, len(said))
	for p := range said {
		persons = append(persons, p)
	}
	same, err := w.Trail.SamePerson(ctx, w.register.Controller.ID, persons)
	if err != nil {
		return nil, err
	}
	one := func(p [16]byte) [16]byte {
		if q, ok := same[p]; ok {
			return q
		}
		return p
	}
	whole := make(map[[16]byte]*asker)
	for p, since := range said {
		a := whole[one(p)]
		if a == nil {
			a = &asker{id: one(p), since: make(map[string]askedOn)}
			whole[one(p)] = a
		}
		for op, at := range since {
			a.since[op] = a.since[op].later(at)
		}
	}
	for p, q := range same {
		if a := whole[q]; a != nil {
			a.persons = append(a.persons, p)
		}
	}
	return w.within(whole), nil
}

// within leaves the requests of the period, and bounds how many there are.
func (w *tellingsWalk) within(whole map[[16]byte]*asker) []asker {
	period := w.answer.Period
	type one struct {
		askedOn
		of        *asker
		operation string
	}
	var all []one
	for _, a := range whole {
		if len(a.persons) == 0 {
			a.persons = [][16]byte{a.id}
		}
		for op, at := range a.since {
			if !at.at.Before(period.From) && (period.To.IsZero() || at.at.Before(period.To)) {
				all = append(all, one{at, a, op})
			}
		}
		a.since = make(map[string]askedOn)
	}
	slices.SortFunc(all, func(x, y one) int {
		return cmp.Or(x.at.Compare(y.at), bytes.Compare(x.of.id[:], y.of.id[:]), strings.Compare(x.operation, y.operation))
	})
	if len(all) > maxRequests {
		w.answer.Cut, all = true, all[:maxRequests]
	}
	var askers []*asker
	for _, x := range all {
		if len(x.of.since) == 0 {
			askers = append(askers, x.of)
		}
		x.of.since[x.operation] = x.askedOn
	}
	list := make([]asker, len(askers))
	for i, a := range askers {
		list[i] = *a
	}
	return list
}

// said is what facts and acts say of each pseudonym, by operation.
func (w *tellingsWalk) said(ctx context.Context) (map[[16]byte]map[string]askedOn, error) {
	said := make(map[[16]byte]map[string]askedOn)
	say := func(p [16]byte, op string, at askedOn) {
		if said[p] == nil {
			if len(said) == trail.MaxAskers {
				w.answer.Cut = true
				return
			}
			said[p] = make(map[string]askedOn)
		}
		said[p][op] = said[p][op].later(at)
	}
	rows := 0
	for row, err := range w.Trail.RequestFacts(ctx, w.register.Controller.ID) {
		if err != nil {
			return nil, err
		}
		rows++
		if row.FactValue == "" {
			continue
		}
		value, err := event.DecodeFacts([]byte(row.FactValue))
		if err != nil {
			return nil, fmt.Errorf("read the fact at %s: %w", Place{row.Topic, row.Partition, row.Offset}.Path(), err)
		}
		for _, r := range value.Requests.Entries {
			for _, op := range w.answer.Operations {
				if r.Type == requestTypes[op] && !r.MadeAt.IsZero() {
					say(row.Person, op, askedOn{r.MadeAt, "fact"})
				}
			}
		}
	}
	acts, err := w.Trail.OwnActs(ctx, w.register.Controller.ID, w.answer.Operations, w.answer.Period.From)
	if err != nil {
		return nil, err
	}
	w.answer.Cut = w.answer.Cut || rows > trail.MaxAskers || len(acts) > trail.MaxAskers
	ofCohort := make(map[string][]*trail.OwnAct)
	var cohorts []string
	for i := range acts {
		act := &acts[i]
		if act.CohortID == "" {
			say(act.Person, act.Operation, askedOn{act.Last, "act"})
			continue
		}
		if ofCohort[act.CohortID] == nil {
			cohorts = append(cohorts, act.CohortID)
		}
		ofCohort[act.CohortID] = append(ofCohort[act.CohortID], act)
	}
	err = w.Trail.MembersOf(ctx, w.register.Controller.ID, cohorts, func(cohort string, person [16]byte) {
		for _, act := range ofCohort[cohort] {
			say(person, act.Operation, askedOn{act.Last, "act"})
		}
	})
	return said, err
}

// work finds the tasks of some persons.
func (w *tellingsWalk) work(ctx context.Context, askers []asker) error {
	controller := w.register.Controller.ID
	var persons [][16]byte
	of := make(map[[16]byte]int)
	for i := range askers {
		for _, p := range askers[i].persons {
			of[p] = i
		}
		persons = append(persons, askers[i].persons...)
	}
	cohorts := make([][][16]byte, len(askers))
	if len(w.cohorts) > keptCohorts {
		clear(w.cohorts)
	}
	ask := persons
	var failed error
	err := w.Trail.CohortsOfSome(ctx, controller, persons, func(person [16]byte, id string) {
		c, err := w.Keys.Cohort(controller, id)
		failed = errors.Join(failed, err)
		if n := of[person]; !slices.Contains(cohorts[n], [16]byte(c)) {
			cohorts[n] = append(cohorts[n], c)
		}
		if _, known := w.cohorts[c]; !known {
			w.cohorts[c] = nil
			ask = append(ask, c)
		}
	})
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	rows := make(map[[16]byte][]trail.Row)
	for row, err := range w.Trail.TellingRows(ctx, controller, ask, askerRows) {
		if err != nil {
			return err
		}
		if _, isCohort := w.cohorts[row.Person]; isCohort {
			w.cohorts[row.Person] = append(w.cohorts[row.Person], row)
		} else {
			rows[row.Person] = append(rows[row.Person], row)
		}
	}
	for i := range askers {
		if err := w.ask(ctx, &askers[i], cohorts[i], rows); err != nil {
			return err
		}
	}
	return nil
}

// ask finds the tasks of one person.
func (w *tellingsWalk) ask(ctx context.Context, a *asker, cohorts [][16]byte, rows map[[16]byte][]trail.Row) error {
	var all []trail.Row
	many := false
	for _, p := range a.persons {
		all, many = append(all, rows[p]...), many || len(rows[p]) >= askerRows
	}
	for _, p := range cohorts {
		all, many = append(all, w.cohorts[p]...), many || len(w.cohorts[p]) >= askerRows
	}
	q := trail.PersonQuery{Controller: w.register.Controller.ID, Persons: slices.Concat(a.persons, cohorts)}
	var uses []trail.Use
	whole := true
	var err error
	if many {
		uses, whole, err = w.Trail.Uses(ctx, q)
	} else {
		uses, all = trail.SumUp(all)
	}
	if err != nil {
		return err
	}
	open := false
	for _, op := range toldOperations {
		since, has := a.since[op]
		if !has {
			continue
		}
		var acts []trail.Row
		cut := false
		if many {
			acts, cut, err = w.actsAbout(ctx, q, op)
		} else {
			acts, cut = actsAmong(all, op)
		}
		if err != nil {
			return err
		}
		w.answer.Cut = w.answer.Cut || cut || !whole
		open = w.track(a, op, since, uses, acts) || open
	}
	if open {
		w.answer.Persons++
	}
	return nil
}

// actsAmong are the acts of one operation among the events of a person.
func actsAmong(events []trail.Row, operation string) (acts []trail.Row, cut bool) {
	for i := range events {
		if row := &events[i]; row.Operation.String() == operation && !row.Duplicate {
			acts = append(acts, *row)
		}
	}
	if n := len(acts) - maxToldActs; n > 0 {
		return acts[n:], true
	}
	return acts, false
}

// track adds the tasks of a request, if one of them is open.
func (w *tellingsWalk) track(a *asker, op string, since askedOn, uses []trail.Use, acts []trail.Row) (open bool) {
	c := &tellClock{since: since.at, due: since.at.In(w.register.Zone).AddDate(0, 0, w.answer.Days), days: w.answer.Days, now: w.answer.AskedAt}
	tasks := c.tasks(w.register, w.names, uses, acts)
	if !slices.ContainsFunc(tasks, func(t Telling) bool { open, _ := t.open(); return open }) {
		return false
	}
	w.answer.Requests++
	for i := range tasks {
		t := tracked{TrackedTelling: TrackedTelling{Pseudonym: a.id.String(), Operation: op, Since: since.at, SinceFrom: since.from, Due: c.due, Telling: tasks[i]}}
		if !t.Told.IsZero() {
			t.Due = c.answerDue(&t.Telling)
		}
		open, overdue := t.open()
		if open {
			w.answer.Open++
		}
		if overdue {
			w.answer.Overdue++
		}
		sum := sha256.Sum256([]byte(t.key))
		t.place = tellingPlace{!open, t.Due.UnixMilli(), a.id, slices.Index(toldOperations, op), binary.BigEndian.Uint64(sum[:])}
		w.found = append(w.found, t)
	}
	return true
}
