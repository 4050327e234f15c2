package model

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/trail"
)

// requestTypes are the types of request that ask for what recipients are to be told of.
var requestTypes = map[string]string{"erase": "erasure", "rectify": "rectification", "restrict": "restriction"}

// isNotice says that a row gives nobody data: it is of what a person may ask for, or
// tells a recipient of it.
func isNotice(r *trail.Row) bool {
	return r.Operation == event.Erase || r.Operation == event.Rectify || r.Operation == event.Restrict
}

// since is since when recipients are to be told: since the latest of the person's
// requests, or else since the controller last did it by itself.
func (h *History) since(p [16]byte, operation string, acts []*trail.Row) (since time.Time, from string) {
	from = "none"
	who := h.linked(p, openEnd)
	for i := range h.facts {
		f := &h.facts[i]
		if f.name != "request" || !slices.Contains(who, f.person) {
			continue
		}
		for _, r := range f.value.Requests.Entries {
			if r.Type == requestTypes[operation] && r.MadeAt.After(since) {
				since, from = r.MadeAt, "fact"
			}
		}
	}
	if from == "fact" {
		return since, from
	}
	for _, r := range acts {
		if r.Recipient == "" && r.RecipientOrganisation == "" && r.ActorKind != event.ActorPartner && r.Time.After(since) {
			since, from = r.Time, "act"
		}
	}
	return since, from
}

// holder is a recipient to whom a person's data were handed, and what has
// come of telling it.
type holder struct {
	task  answer.Telling
	names []string // what it may be called in the answer
	is    func(id, name, code string) bool
	class bool // who of it had them is not known
}

func (h *History) holders(rows []*trail.Row) map[string]*holder {
	all := make(map[string]*holder)
	for _, r := range rows {
		if r.Duplicate || r.Operation != event.Transfer && r.Operation != event.Disclose || r.Recipient == event.DataSubject {
			continue
		}
		key := cmp.Or(r.Recipient, r.RecipientOrganisation)
		x := all[key]
		if x == nil {
			x = &holder{task: answer.Telling{ID: r.Recipient, Code: r.RecipientCode}}
			all[key] = x
		}
		if r.Time.After(x.task.Last) {
			x.task.Last, x.names = r.Time, nil
		}
		if !r.Time.Before(x.task.Last) {
			x.names = append(x.names, cmp.Or(r.RecipientOrganisation, h.named(r)))
		}
		x.task.Received++
		for _, c := range r.Categories {
			x.count(c)
		}
		switch key {
		case h.Controller + "/bank":
			x.names = []string{"Acme Bank AS"}
			x.is = func(id, name, _ string) bool {
				return id == h.Controller+"/bank" || strings.EqualFold(name, "Acme Bank AS")
			}
		case h.Controller + "/couriers":
			x.is, x.class = func(id, _, _ string) bool { return id == h.Controller+"/couriers" }, true
		default:
			x.is = func(_, name, code string) bool {
				return code != "" && code == r.RecipientCode || strings.EqualFold(name, key)
			}
		}
	}
	return all
}

func (x *holder) count(category string) {
	for i := range x.task.Categories {
		if x.task.Categories[i].ID == category {
			x.task.Categories[i].Count++
			return
		}
	}
	x.task.Categories = append(x.task.Categories, answer.Counted{ID: category, Count: 1})
}

// tell finds what has come of telling each holder: rows are those of the person,
// newest first.
func (h *History) tell(rows []*trail.Row, operation string, since time.Time, days int, now time.Time) map[string]*holder {
	all := h.holders(rows)
	zone := h.register.Zone
	for _, x := range all {
		for _, r := range slices.Backward(rows) { // oldest first
			if r.Duplicate || r.Operation.String() != operation || r.Time.Before(since) {
				continue
			}
			place := &answer.Place{Topic: Topic, Partition: Partition, Offset: r.Offset}
			if x.is(r.Recipient, r.RecipientOrganisation, r.RecipientCode) {
				if x.task.ToldBy == nil {
					x.task.Told, x.task.ToldBy = r.Time, place
				}
			} else if x.task.ToldBy != nil && x.task.AnsweredBy == nil && r.ActorKind == event.ActorPartner && (x.is(r.Actor, r.ActorOrganisation, "") || x.is("", r.ActorOnBehalfOf, "")) {
				x.task.Acknowledged, x.task.AnsweredBy = r.Time, place
			}
		}
		switch {
		case x.class:
			x.task.State = answer.TellExempt
		case x.task.AnsweredBy != nil:
			x.task.State = answer.TellAcknowledged
		case x.task.ToldBy != nil && now.After(x.task.Told.AddDate(0, 0, days)):
			x.task.State = answer.TellUnanswered
		case x.task.ToldBy != nil:
			x.task.State = answer.TellTold
		case !since.IsZero() && now.After(since.In(zone).AddDate(0, 0, days)):
			x.task.State = answer.TellOverdue
		default:
			x.task.State = answer.TellPending
		}
	}
	return all
}

// openTasks counts those of which something is still to come, and those of which
// the time for it is over.
func openTasks(all map[string]*holder) (open, overdue int) {
	for _, x := range all {
		switch x.task.State {
		case answer.TellOverdue, answer.TellUnanswered:
			overdue++
			open++
		case answer.TellPending, answer.TellTold:
			open++
		}
	}
	return open, overdue
}

// taskLine is all that is told of a task but the name; times are as the answer may
// tell them.
func taskLine(t *answer.Telling, shown func(time.Time) time.Time) string {
	place := func(p *answer.Place) string {
		if p == nil {
			return "-"
		}
		return fmt.Sprint(p.Topic, "/", p.Partition, "/", p.Offset)
	}
	return fmt.Sprint(t.ID, " ", t.Code, " ", t.State, " ", t.Received, " ", shown(t.Last).UTC(), " ", categoriesOf(t.Categories), " ",
		shown(t.Told).UTC(), " ", place(t.ToldBy), " ", shown(t.Acknowledged).UTC(), " ", place(t.AnsweredBy))
}

// sameTasks holds the tasks of one person against what was found for it.
func sameTasks(got []answer.Telling, want map[string]*holder, shown func(time.Time) time.Time) bool {
	whole := func(at time.Time) time.Time { return at }
	for i := range got {
		t := &got[i]
		x := want[t.ID]
		if t.ID == "" {
			x = want[t.Name]
		}
		if x == nil || !slices.Contains(x.names, t.Name) || taskLine(t, whole) != taskLine(&x.task, shown) {
			return false
		}
	}
	return len(got) == len(want)
}

func describe(all map[string]*holder) (lines []string) {
	for _, key := range slices.Sorted(maps.Keys(all)) {
		lines = append(lines, key+": "+taskLine(&all[key].task, func(at time.Time) time.Time { return at }))
	}
	return lines
}

// someAsked is somebody of whom something was asked for or done, as a rule, and what.
func (h *History) someAsked() (answer.Person, string) {
	if h.r.IntN(6) == 0 {
		return h.identifiers[h.r.IntN(len(h.identifiers))], pick(h.r, "erase", "rectify", "restrict")
	}
	x := h.asked[h.r.IntN(len(h.asked))]
	return x.person, x.operation.String()
}

// checkTold asks who was told of an erasure, in house or for the person.
func (h *History) checkTold(t testing.TB, way Way) {
	t.Helper()
	req := answer.ToldRequest{Controller: h.Controller, Days: pick(h.r, 0, 1, 63, 365, 365), For: pick(h.r, "", "", "person")}
	req.Person, req.Operation = h.someAsked()
	zone := h.register.Zone
	var asked time.Time
	if h.r.IntN(3) == 0 {
		asked = Start.Add(time.Duration(h.r.IntN(96)) * time.Hour)
		req.Since = asked.Format(time.RFC3339)
	}
	a := ask[answer.ToldAnswer](t, way, Told, req)
	p := h.pseudonym(req.Person)
	shown := func(at time.Time) time.Time { return at }
	rows := h.of(p, openEnd)
	if req.For != "" {
		midnight := func(at time.Time) time.Time {
			y, m, d := at.In(zone).Date()
			return time.Date(y, m, d, 0, 0, 0, 0, zone)
		}
		shown = func(at time.Time) time.Time {
			if at.IsZero() {
				return at
			}
			return midnight(at)
		}
		since := midnight(a.AskedAt).AddDate(-2, 0, 0)
		rows = slices.DeleteFunc(rows, func(r *trail.Row) bool { return !shownToPerson(r, since) })
	}
	acts := slices.DeleteFunc(slices.Clone(rows), func(r *trail.Row) bool { return r.Duplicate || r.Operation.String() != req.Operation })
	since, from := h.since(p, req.Operation, acts)
	if req.Since != "" {
		since, from = asked, "request"
	}
	days := cmp.Or(req.Days, 30)
	want := h.tell(rows, req.Operation, since, days, a.AskedAt)
	due := time.Time{}
	if !since.IsZero() {
		due = since.In(zone).AddDate(0, 0, days)
	}
	open, overdue := openTasks(want)
	if !a.Since.Equal(shown(since)) || a.SinceFrom != from || !a.Due.Equal(shown(due)) || a.Open != open || a.Overdue != overdue || a.Cut || a.For != req.For || !sameTasks(a.Tasks, want, shown) {
		t.Errorf("%+v: since %v from %s, due %v, %d open, %d overdue, %+v; want %v from %s, %v, %d, %d, %q",
			req, a.Since, a.SinceFrom, a.Due, a.Open, a.Overdue, a.Tasks, since, from, due, open, overdue, describe(want))
	}
	order := []string{answer.TellOverdue, answer.TellUnanswered, answer.TellPending, answer.TellTold, answer.TellExempt, answer.TellAcknowledged}
	if !slices.IsSortedFunc(a.Tasks, func(x, y answer.Telling) int {
		return cmp.Or(cmp.Compare(slices.Index(order, x.State), slices.Index(order, y.State)), strings.Compare(x.Name, y.Name))
	}) {
		t.Errorf("%+v: out of order: %+v", req, a.Tasks)
	}
	for _, x := range want {
		h.saw("telling " + x.task.State)
	}
	h.saw("told since " + from)
}

// checkTellings asks what is still to be told of all persons.
func (h *History) checkTellings(t testing.TB, way Way) {
	t.Helper()
	req := answer.TellingsRequest{Controller: h.Controller, Days: pick(h.r, 0, 1, 63, 365, 365), Limit: pick(h.r, 1000, 1000, 5)}
	operations := []string{"erase", "rectify", "restrict"}
	if h.r.IntN(3) == 0 {
		req.Operations = []string{"restrict", "erase"}
		operations = []string{"erase", "restrict"}
	}
	from, to := time.Time{}, openEnd
	if h.r.IntN(3) == 0 {
		from = Start.Add(time.Duration(h.r.IntN(60)) * time.Hour)
		to = from.Add(time.Duration(1+h.r.IntN(40)) * time.Hour)
		req.From, req.To = from.Format(time.RFC3339), to.Format(time.RFC3339)
	}
	if h.r.IntN(4) == 0 {
		req.States = []string{answer.TellOverdue, answer.TellPending, answer.TellAcknowledged}
	}
	var a *answer.TellingsAnswer
	var got []answer.TrackedTelling
	for page := req; ; {
		p := ask[answer.TellingsAnswer](t, way, Tellings, page)
		if a == nil {
			a = p
		}
		if p.Next != "" && len(p.Tasks) != req.Limit {
			t.Errorf("%+v: a page of %d", req, len(p.Tasks))
		}
		got = append(got, p.Tasks...)
		if page.Cursor = p.Next; page.Cursor == "" {
			break
		}
	}
	days := cmp.Or(req.Days, 30)
	var requests, persons, open, overdue int
	var want []string
	for p := range h.everyone() {
		wanted := false
		rows := h.of(p, openEnd)
		for _, op := range operations {
			since, by := h.since(p, op, slices.DeleteFunc(slices.Clone(rows), func(r *trail.Row) bool { return r.Duplicate || r.Operation.String() != op }))
			all := h.tell(rows, op, since, days, a.AskedAt)
			o, late := openTasks(all)
			if since.IsZero() || since.Before(from) || !since.Before(to) || o == 0 {
				continue
			}
			requests, open, overdue, wanted = requests+1, open+o, overdue+late, true
			for _, x := range all {
				due := since.In(h.register.Zone).AddDate(0, 0, days)
				if x.task.ToldBy != nil {
					due = x.task.Told.AddDate(0, 0, days)
				}
				if len(req.States) == 0 || slices.Contains(req.States, x.task.State) {
					want = append(want, trackedLine(identity.Pseudonym(p).String(), op, since, by, due, &x.task))
				}
				h.saw("telling " + x.task.State)
			}
		}
		if wanted {
			persons++
		}
	}
	var lines []string
	for i := range got {
		x := &got[i]
		lines = append(lines, trackedLine(x.Pseudonym, x.Operation, x.Since, x.SinceFrom, x.Due, &x.Telling))
	}
	done := func(x *answer.TrackedTelling) int {
		if slices.Contains([]string{answer.TellAcknowledged, answer.TellExempt}, x.State) {
			return 1
		}
		return 0
	}
	if !slices.IsSortedFunc(got, func(x, y answer.TrackedTelling) int {
		return cmp.Or(cmp.Compare(done(&x), done(&y)), x.Due.Compare(y.Due), strings.Compare(x.Pseudonym, y.Pseudonym))
	}) {
		t.Errorf("%+v: out of order: %q", req, lines)
	}
	slices.Sort(lines)
	slices.Sort(want)
	if a.Requests != requests || a.Persons != persons || a.Open != open || a.Overdue != overdue || a.Days != days || a.Cut || !slices.Equal(a.Operations, operations) || !slices.Equal(lines, want) {
		t.Errorf("%+v: %d requests of %d persons, %d open, %d overdue, %q; want %d of %d, %d, %d, %q", req, a.Requests, a.Persons, a.Open, a.Overdue, lines, requests, persons, open, overdue, want)
	}
}

func trackedLine(who, operation string, since time.Time, from string, due time.Time, t *answer.Telling) string {
	return fmt.Sprint(who, " ", operation, " ", since.UTC(), " ", from, " ", due.UTC(), " ", taskLine(t, func(at time.Time) time.Time { return at }))
}

// everyone are all persons, each by the least of its pseudonyms.
func (h *History) everyone() map[[16]byte]bool {
	all := make(map[[16]byte]bool)
	for _, p := range h.identifiers {
		all[h.one(h.pseudonym(p))] = true
	}
	return all
}
