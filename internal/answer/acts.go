package answer

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

// ActsRequest selects processing events of a controller. Of each list an event
// has to have one; a list that is left out asks for nothing. Facts, and events
// that arrived twice, are never among them.
type ActsRequest struct {
	Controller    string   `json:"controller" minLength:"1" maxLength:"200" example:"elektrum" doc:"Short name of the controller, as in its register."`
	From          string   `json:"from,omitempty" maxLength:"40" example:"2026-05-02T02:10:00+03:00" doc:"First day of the controller's calendar, or an RFC 3339 time. Left out: from the beginning."`
	To            string   `json:"to,omitempty" maxLength:"40" example:"2026-05-02T05:40:00+03:00" doc:"Last day, included, or an RFC 3339 time, not included. Left out: until now."`
	Operations    []string `json:"operations,omitempty" maxItems:"20" example:"access" doc:"access, use, transfer…"`
	Actors        []string `json:"actors,omitempty" maxItems:"1000" doc:"Who acted: masks as answers show them, or ids: an employee's user name, a service account, a credential. Ids need a reason, which is kept, as whoever asks learns whose a mask is; where a reveal needs an approval, only a breach is asked for by id."`
	Roles         []string `json:"roles,omitempty" maxItems:"1000" doc:"Roles in which was acted."`
	Organisations []string `json:"organisations,omitempty" maxItems:"1000" doc:"Organisations who acted, or on whose behalf."`
	Systems       []string `json:"systems,omitempty" maxItems:"1000" doc:"Systems that did it: the source of the event."`
	Purposes      []string `json:"purposes,omitempty" maxItems:"1000"`
	Recipients    []string `json:"recipients,omitempty" maxItems:"1000" doc:"Ids of the register."`
	Entities      []string `json:"entities,omitempty" maxItems:"1000" doc:"Registration codes or names of recipients, as the events say."`
	Countries     []string `json:"countries,omitempty" maxItems:"250" doc:"Countries of recipients, as the events say (ISO 3166-1 alpha-2)."`
	Categories    []string `json:"categories,omitempty" maxItems:"1000"`
	DataSources   []string `json:"data_sources,omitempty" maxItems:"1000" doc:"Where collected data came from."`
	Verdicts      []string `json:"verdicts,omitempty" maxItems:"3" doc:"allowed, review, violation: the verdict that stands."`
	Rules         []string `json:"rules,omitempty" maxItems:"1000" doc:"Ids of rules that decided."`
}

// selection is a request for events, understood.
type selection struct {
	register *register.Register
	names    *names
	period   Period
	acts     trail.Acts
	read     *trail.Reading // of acts, for all of the answer
}

const maxText = 500 // bytes of one value of a list

// selection understands which events are asked for.
func (d *Deps) selection(ctx context.Context, req *ActsRequest) (*selection, error) {
	if err := d.inHouse(); err != nil {
		return nil, err
	}
	r, err := d.controller(req.Controller, "/controller")
	if err != nil {
		return nil, err
	}
	s := &selection{register: r, names: newNames(d.Registers), read: d.Trail.Reading()}
	if s.period, err = parsePeriod(req.From, req.To, r.Zone); err != nil {
		return nil, err
	}
	for i, op := range req.Operations {
		if _, err := event.ParseOperation(op); err != nil {
			return nil, &Fault{fmt.Sprintf("/operations/%d", i), "there is no such operation", "write access, use, profile, decide, combine, collect, record, send, transfer, disclose, retain, erase, rectify or restrict"}
		}
	}
	for i, v := range req.Verdicts {
		if o, err := register.ParseOutcome(v); err != nil || o == register.NotApplicable {
			return nil, &Fault{fmt.Sprintf("/verdicts/%d", i), "there is no such verdict", "write allowed, review or violation"}
		}
	}
	s.acts = trail.Acts{
		Controller: req.Controller, From: s.period.From, To: s.period.To, Operations: req.Operations, Actors: req.Actors, Roles: req.Roles,
		Organisations: req.Organisations, Sources: req.Systems, Purposes: req.Purposes, Recipients: req.Recipients, Entities: req.Entities, Countries: req.Countries,
		Categories: req.Categories, DataSources: req.DataSources, Verdicts: req.Verdicts, Rules: req.Rules,
	}
	for name, list := range map[string][]string{
		"actors": req.Actors, "roles": req.Roles, "organisations": req.Organisations, "systems": req.Systems, "purposes": req.Purposes, "recipients": req.Recipients,
		"entities": req.Entities, "countries": req.Countries, "categories": req.Categories, "data_sources": req.DataSources, "rules": req.Rules,
	} {
		if len(list) > 1000 {
			return nil, &Fault{"/" + name, "there are more than 1000", "ask in parts"}
		}
		for i, v := range list {
			if len(v) > maxText {
				return nil, &Fault{fmt.Sprintf("/%s/%d", name, i), fmt.Sprintf("it is longer than %d bytes", maxText), "write it as the events do"}
			}
		}
	}
	return s, d.unmask(ctx, s)
}

func (s *selection) controller() Controller {
	return Controller{s.register.Controller.ID, s.register.Controller.Name}
}

// Total counts events.
type Total struct {
	Events   uint64    `json:"events" doc:"Each once, however many persons it is about."`
	Records  uint64    `json:"records" doc:"Records touched, as the events state; those that state none count none."`
	First    time.Time `json:"first,omitzero"`
	Last     time.Time `json:"last,omitzero"`
	Verdicts Verdicts  `json:"verdicts" doc:"One for each event and person, or cohort: the verdict that stands."`
}

func totalOf(t *trail.Tally) Total {
	return Total{Events: t.Events, Records: t.Records, First: t.First, Last: t.Last, Verdicts: Verdicts{t.Allowed, t.Review, t.Violation}}
}

// totalIn is that of a count without dimensions.
func totalIn(t trail.Tallies) Total {
	if len(t.Tallies) == 0 {
		return Total{}
	}
	return totalOf(&t.Tallies[0])
}

// Share is a part of the events: those that are alike in what was asked by.
type Share struct {
	Keys       []Named `json:"keys" doc:"What these events have in common, one for each of by."`
	Pseudonyms uint64  `json:"pseudonyms" doc:"Different pseudonyms of persons; a cohort counts as one."`
	Total
}

// shares are what was counted by dimensions.
func (d *Deps) shares(s *selection, tallies []trail.Tally, by ...trail.Dimension) []Share {
	all := make([]Share, len(tallies))
	for i := range tallies {
		t := &tallies[i]
		keys := make([]Named, len(by))
		for k := range by {
			keys[k] = Named{t.Keys[k], s.keyName(by[k], t.Keys[k])}
			if by[k] == trail.ByActor {
				masked := d.Mask(s.register.Controller.ID, t.Keys[k])
				keys[k] = Named{masked, masked}
			}
		}
		all[i] = Share{Keys: keys, Pseudonyms: t.Persons, Total: totalOf(t)}
	}
	return all
}

// keyName is what a value of a dimension is called, in the controller's newest
// register.
func (s *selection) keyName(by trail.Dimension, id string) string {
	version := s.register.Version
	switch by {
	case trail.ByPurpose:
		return s.names.purpose(version, id)
	case trail.ByCategory:
		return s.names.category(version, id)
	case trail.ByBasis:
		return BasisName(id)
	case trail.ByRule:
		return s.names.rule(version, id).Title
	case trail.ByRecipient:
		return s.recipientName(id)
	default:
		return id
	}
}

func (s *selection) recipientName(id string) string {
	if id == event.DataSubject {
		return "the person"
	}
	if e, ok := s.register.Recipient(id); ok {
		return e.Name.In(language)
	}
	return cmp.Or(id, "no recipient of the register")
}

// page lists selected events, newest first.
func (d *Deps) page(ctx context.Context, s *selection, cursorText string, limit int) (Timeline, error) {
	before, err := parseCursor(cursorText)
	if err != nil {
		return Timeline{}, err
	}
	n := min(cmp.Or(max(limit, 0), defaultPage), maxPage)
	rows, err := s.read.ActsList(ctx, s.acts, before, n+1)
	if err != nil {
		return Timeline{}, err
	}
	t := Timeline{Events: []Entry{}}
	if len(rows) > n {
		rows = rows[:n]
		t.Next = cursor(&rows[n-1])
	}
	for i := range rows {
		t.Events = append(t.Events, d.entry(s.names, &rows[i]))
	}
	return t, nil
}

// dimensionsOf reads what to count by.
func dimensionsOf(by []string) ([]trail.Dimension, error) {
	all := trail.Dimensions()
	found := make([]trail.Dimension, len(by))
	for i, name := range by {
		name = cmp.Or(map[string]string{"system": "source"}[name], name)
		if !slices.Contains(all, trail.Dimension(name)) {
			return nil, &Fault{fmt.Sprintf("/by/%d", i), "events are not counted by that", "write actor, role, organisation, system, operation, purpose, recipient, entity, country, category, basis, rule, verdict, day or hour"}
		}
		found[i] = trail.Dimension(name)
	}
	return found, nil
}

// AccessRequest asks who did what: which events, counted by what, and a page of
// them.
type AccessRequest struct {
	ActsRequest
	By     []string `json:"by,omitempty" maxItems:"3" example:"actor" doc:"What to count by, up to three of actor, role, organisation, system, operation, purpose, recipient, entity, country, category, basis, rule, verdict, day, hour. Left out: actor."`
	Cursor string   `json:"cursor,omitempty" maxLength:"600" doc:"Where the page before ended (its field next). Left out: the newest events."`
	Limit  int      `json:"limit,omitempty" minimum:"0" maximum:"500" doc:"How many events to list, 50 if left out."`
}

// AccessAnswer says who did what with persons' data.
type AccessAnswer struct {
	Controller Controller `json:"controller"`
	Period     Period     `json:"period"`
	AskedAt    time.Time  `json:"asked_at"`
	Total
	By           []string     `json:"by"`
	Shares       []Share      `json:"shares" doc:"Those with most events first."`
	Complete     bool         `json:"complete" doc:"False: there are more shares than can be listed."`
	Timeline     Timeline     `json:"timeline" doc:"A page of the events, newest first."`
	Completeness Completeness `json:"completeness"`
}

// Access answers who accessed, used or handed on what.
func Access(ctx context.Context, d Deps, req AccessRequest) (*AccessAnswer, error) {
	if len(req.By) == 0 {
		req.By = []string{"actor"}
	}
	if len(req.By) > 3 {
		return nil, &Fault{"/by", "events are counted by at most three things", "leave one out"}
	}
	by, err := dimensionsOf(req.By)
	if err != nil {
		return nil, err
	}
	s, err := d.selection(ctx, &req.ActsRequest)
	if err != nil {
		return nil, err
	}
	a := &AccessAnswer{Controller: s.controller(), Period: s.period, AskedAt: d.now(), By: req.By}
	counted, err := s.read.ActsByEach(ctx, s.acts, nil, by)
	if err != nil {
		return nil, err
	}
	a.Total, a.Shares, a.Complete = totalIn(counted[0]), d.shares(s, counted[1].Tallies, by...), counted[1].Complete
	if a.Timeline, err = d.page(ctx, s, req.Cursor, req.Limit); err != nil {
		return nil, err
	}
	a.Completeness, err = d.completeness(ctx)
	return a, err
}

// pointerTo points to a member of an item of a list of the request.
func pointerTo(list string, i int, member string) string {
	p := fmt.Sprintf("%s/%d", list, i)
	if member != "" {
		p += "/" + member
	}
	return p
}
