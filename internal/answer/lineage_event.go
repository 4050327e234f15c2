package answer

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

// Bounds of what is followed from one event.
const (
	maxMembers    = 1000 // of a cohort, who are followed by themselves
	eventSteps    = 3    // onward
	maxFollowed   = 20   // recipients of one step whose own acts are looked for
	maxPseudonyms = 10_000
)

// eventBy is what tells acts around an event apart.
var eventBy = append(slices.Clone(lineageBy), trail.ByOperation)

const byOperationKey = 7

// around is what comes before one event and after it.
type around struct {
	*Deps
	s     *selection
	a     *LineageAnswer
	row   *trail.Row // the event, by the verdict that stands
	names []string   // of who acted in it; none if it was the controller
	ways  []*trail.Tally
	next  []*trail.Tally // after the event
}

// lineageOfEvent follows the data of one event: before it the acts that they can
// have come from, after it where they went.
func lineageOfEvent(ctx context.Context, d *Deps, req *LineageRequest) (*LineageAnswer, error) {
	if err := onlyEvent(req); err != nil {
		return nil, err
	}
	s, err := d.selection(ctx, &ActsRequest{Controller: req.Controller, From: req.From, To: req.To})
	if err != nil {
		return nil, err
	}
	w := &around{Deps: d, s: s, a: &LineageAnswer{AskedAt: d.now(), Controller: s.controller(), Period: s.period, Complete: true, Before: []Passage{}, After: []Passage{}}}
	if err := w.find(ctx, req.Event); err != nil {
		return nil, err
	}
	if err := w.whom(ctx); err != nil {
		return nil, err
	}
	before, err := w.before(ctx)
	if err != nil {
		return nil, err
	}
	after, err := w.after(ctx)
	if err != nil {
		return nil, err
	}
	fold := cmp.Or(req.Fold, defaultFold)
	w.a.Before, w.a.After = foldPassages(before, fold), foldPassages(after, fold)
	own := slices.Concat(w.ways, []*trail.Tally{w.itself()})
	for _, t := range slices.Concat(own, w.next) {
		w.a.Events += t.Events
	}
	g := newGraph()
	g.draw(s, own, w.next, cmp.Or(req.Depth, lineageDepth), fold)
	w.a.Nodes, w.a.Edges = g.sorted()
	w.a.Completeness, err = d.completeness(ctx)
	return w.a, err
}

// onlyEvent refuses what does not go with an event, which says itself whose data
// it is about, and which.
func onlyEvent(req *LineageRequest) error {
	if req.Person != nil {
		return &Fault{"/person", "an event says itself whose data it is about", "leave the person out, or the event"}
	}
	for name, list := range map[string][]string{
		"operations": req.Operations, "actors": req.Actors, "roles": req.Roles, "organisations": req.Organisations, "systems": req.Systems, "purposes": req.Purposes,
		"recipients": req.Recipients, "entities": req.Entities, "countries": req.Countries, "categories": req.Categories, "data_sources": req.DataSources,
		"verdicts": req.Verdicts, "rules": req.Rules,
	} {
		if len(list) > 0 {
			return &Fault{"/" + name, "what comes before an event and after it is not selected by that", "leave it out, or the event"}
		}
	}
	return nil
}

// find reads the event. One of another controller is not there.
func (w *around) find(ctx context.Context, at *Place) error {
	if len(at.Topic) > 249 || at.Partition < 0 || at.Offset < 0 {
		return ErrNotFound
	}
	rows, err := w.Trail.Event(ctx, at.Topic, at.Partition, at.Offset)
	if err != nil {
		return err
	}
	if len(rows) == 0 || rows[0].Controller != w.s.acts.Controller {
		return ErrNotFound
	}
	_, w.row = standing(rows)
	if w.row.Operation == trail.OperationFact || w.row.Operation == trail.OperationCohort {
		return &Fault{"/event", "the event is a fact or lists a cohort: no data went anywhere by it", "ask about an act"}
	}
	for i := range rows {
		if p := rows[i].Person; p != [16]byte{} && !slices.Contains(w.s.acts.Persons, p) {
			w.s.acts.Persons = append(w.s.acts.Persons, p)
		}
	}
	if len(w.s.acts.Persons) == 0 {
		return &Fault{"/event", "the event is about nobody whose data could be followed", "ask by its system and the time"}
	}
	e := w.entry(w.s.names, w.row)
	w.a.Event, w.a.Pseudonyms = &e, len(w.s.acts.Persons)
	w.s.acts.Categories = w.row.Categories
	for _, name := range []string{w.row.ActorOrganisation, w.row.ActorOnBehalfOf} {
		if strings.EqualFold(name, w.s.register.Controller.Name) {
			w.names = nil
			break
		}
		if name != "" {
			w.names = append(w.names, name)
		}
	}
	return nil
}

var errTooManyPersons = &Fault{"/event", fmt.Sprintf("its persons are known by more than %d pseudonyms", maxPseudonyms), "ask for one of its persons"}

// whom adds to the persons of the event all that is known to be one with them:
// linked pseudonyms, members of its cohort, and cohorts of any of these.
func (w *around) whom(ctx context.Context) error {
	controller, persons := w.s.acts.Controller, slices.Clone(w.s.acts.Persons)
	if w.row.Cohort {
		members := make(map[[16]byte]bool)
		err := w.Trail.MembersOf(ctx, controller, []string{w.row.CohortID}, func(_ string, person [16]byte) {
			if len(members) <= maxMembers {
				members[person] = true
			}
		})
		if err != nil {
			return err
		}
		if len(members) > maxMembers {
			w.a.AsWhole, w.a.Pseudonyms = true, int(w.row.CohortSize)
			return nil
		}
		w.a.Pseudonyms = len(members)
		for p := range members {
			persons = append(persons, p)
		}
	}
	linked, err := w.Trail.Linked(ctx, trail.PersonQuery{Controller: controller, Persons: persons})
	if err != nil {
		return err
	}
	if len(linked) > maxPseudonyms {
		return errTooManyPersons
	}
	cohorts, err := w.Trail.CohortsOf(ctx, trail.PersonQuery{Controller: controller, Persons: linked})
	if err != nil {
		return err
	}
	asCohorts, err := w.cohortPseudonyms(controller, cohorts)
	if err != nil {
		return err
	}
	for _, c := range asCohorts {
		if !slices.Contains(persons, c) {
			linked = append(linked, c)
		}
	}
	if len(linked) > maxPseudonyms {
		return errTooManyPersons
	}
	w.s.acts.Persons = linked
	return nil
}

// itself is the event as a way of its own.
func (w *around) itself() *trail.Tally {
	r := w.row
	t := &trail.Tally{
		Keys:   []string{r.DataSource, r.Source, r.Purpose, r.Recipient, cmp.Or(r.RecipientOrganisation, r.RecipientCode), r.RecipientCountry, r.ActorOrganisation, operationName(r.Operation)},
		Events: 1, First: r.Time, Last: r.Time,
	}
	switch r.Verdict {
	case register.Violation:
		t.Violation = 1
	case register.Review:
		t.Review = 1
	default:
		t.Allowed = 1
	}
	return t
}

// count counts acts alike, in a part of the time that is asked for.
func (w *around) count(ctx context.Context, acts trail.Acts, from, to time.Time) ([]trail.Tally, error) {
	if !from.IsZero() && (acts.From.IsZero() || acts.From.Before(from)) {
		acts.From = from
	}
	if !to.IsZero() && (acts.To.IsZero() || acts.To.After(to)) {
		acts.To = to
	}
	if !acts.To.IsZero() && !acts.From.Before(acts.To) {
		return nil, nil
	}
	found, complete, err := w.Trail.ActsBy(ctx, acts, eventBy...)
	w.a.Complete = w.a.Complete && complete
	return found, err
}

// before finds the acts that the data of the event can have come from: earlier
// ones by the same system, those that handed the data to whoever acted, and those
// by which the same organisation collected them.
func (w *around) before(ctx context.Context) ([]Passage, error) {
	acts := w.s.acts
	for _, op := range event.Operations() {
		if op != event.Erase && op != event.Restrict {
			acts.Operations = append(acts.Operations, op.String())
		}
	}
	found, err := w.count(ctx, acts, time.Time{}, w.row.Time)
	if err != nil {
		return nil, err
	}
	var all []Passage
	for i := range found {
		t := &found[i]
		switch op := t.Keys[byOperationKey]; {
		case isGiven(op) && w.isOne(w.acting(), t.Keys[3], t.Keys[4]):
		case !isGiven(op) && t.Keys[1] == w.row.Source:
		case op == event.Collect.String() && w.isOne(w.acting(), w.by(t)):
		default:
			continue
		}
		w.ways = append(w.ways, t)
		all = append(all, w.passage(t, 1))
	}
	return all, nil
}

// after follows where the data went: from whom the event gave them to or, if it
// gave them to nobody, from who acted; and from recipients whose own acts are in
// this trail, on.
func (w *around) after(ctx context.Context) ([]Passage, error) {
	type holder struct {
		names []string // none for the controller
		since time.Time
	}
	from := []holder{{w.names, w.row.Time}}
	switch r := w.row; {
	case r.Recipient == event.DataSubject && isGiven(r.Operation.String()):
		return nil, nil // the person itself has them
	case isGiven(r.Operation.String()) && (r.Recipient != "" || r.RecipientOrganisation != "" || r.RecipientCode != ""):
		names := w.called(r.Recipient, r.RecipientOrganisation, r.RecipientCode)
		if w.isOne(w.controllerNames(), names...) {
			names = nil
		}
		from[0].names = names
	}
	acts := w.s.acts
	acts.Operations = handedOver
	var all []Passage
	followed := make(map[string]bool)
	for _, name := range from[0].names {
		followed[strings.ToLower(name)] = true
	}
	for step := 1; step <= eventSteps && len(from) > 0; step++ {
		var on []holder
		if len(from) > maxFollowed {
			w.a.Complete, from = false, from[:maxFollowed]
		}
		for _, h := range from {
			acts.Organisations = h.names
			found, err := w.count(ctx, acts, h.since, time.Time{})
			if err != nil {
				return nil, err
			}
			if h.names == nil {
				found = w.controllersOwn(found)
			}
			for i := range found {
				t := &found[i]
				all = append(all, w.passage(t, step))
				w.next = append(w.next, t)
				names := w.called(t.Keys[3], t.Keys[4])
				if len(names) == 0 || t.Keys[3] == event.DataSubject || w.isOne(w.controllerNames(), names...) {
					continue
				}
				key := strings.ToLower(names[0])
				if followed[key] {
					continue
				}
				followed[key] = true
				on = append(on, holder{names, t.First})
			}
		}
		from = on
	}
	return all, nil
}

// controllersOwn are those of the acts that no recipient did: not one who is
// given data by another of them.
func (w *around) controllersOwn(found []trail.Tally) []trail.Tally {
	given := make(map[string]bool)
	for i := range found {
		for _, name := range w.called(found[i].Keys[3], found[i].Keys[4]) {
			given[strings.ToLower(name)] = true
		}
	}
	return slices.DeleteFunc(found, func(t trail.Tally) bool {
		return given[strings.ToLower(t.Keys[6])] && !strings.EqualFold(t.Keys[6], w.s.register.Controller.Name)
	})
}

// isGiven says whether data leave who acts by an operation of that name.
func isGiven(operation string) bool { return slices.Contains(handedOver, operation) }

// by is who acted, by name.
func (w *around) by(t *trail.Tally) string {
	return cmp.Or(t.Keys[6], w.s.register.Controller.Name)
}

// acting is what whoever acted in the event may be called.
func (w *around) acting() []string {
	if w.names == nil {
		return w.controllerNames()
	}
	return w.names
}

func (w *around) controllerNames() []string {
	return []string{w.s.register.Controller.Name, w.s.register.Controller.ID}
}

// called are the names of a recipient: as events have it, and as the register does.
func (w *around) called(id string, others ...string) (all []string) {
	names := append([]string{id}, others...)
	if e, ok := w.s.register.Recipient(id); ok && e.Named {
		for _, name := range e.Name {
			names = append(names, name)
		}
	}
	for _, name := range names {
		if name != "" && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// isOne says whether one of the names is of a recipient, whatever the case of its
// letters.
func (w *around) isOne(names []string, of ...string) bool {
	for _, name := range w.called(of[0], of[1:]...) {
		if slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) }) {
			return true
		}
	}
	return false
}

func (w *around) passage(t *trail.Tally, step int) Passage {
	p := Passage{
		Step: step, System: t.Keys[1], Operation: t.Keys[byOperationKey], Purpose: Named{t.Keys[2], w.s.names.purpose(w.s.register.Version, t.Keys[2])}, By: w.by(t),
		Country: t.Keys[5], Events: t.Events, First: t.First, Last: t.Last, Verdict: Verdicts{t.Allowed, t.Review, t.Violation}.Worst(),
	}
	if t.Keys[0] != "" {
		p.DataSource = &Named{t.Keys[0], w.s.recipientName(t.Keys[0])}
	}
	if id, entity := t.Keys[3], t.Keys[4]; id != "" || entity != "" {
		p.To = &Named{id, cmp.Or(entity, w.s.recipientName(id))}
	}
	return p
}
