package model

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

// alike are acts that are told as one.
type alike struct {
	step        int
	by          string
	row         *trail.Row // one of them
	events      map[int64]bool
	first, last time.Time
	worst       register.Outcome
}

// passages gathers acts that are alike.
func (h *History) passages(step int, rows []*trail.Row) (all []*alike) {
	for _, r := range rows {
		n := slices.IndexFunc(all, func(x *alike) bool {
			o := x.row
			return o.DataSource == r.DataSource && o.Source == r.Source && o.Purpose == r.Purpose && o.Recipient == r.Recipient && o.RecipientOrganisation == r.RecipientOrganisation &&
				o.RecipientCountry == r.RecipientCountry && o.ActorOrganisation == r.ActorOrganisation && o.Operation == r.Operation
		})
		if n < 0 {
			n = len(all)
			all = append(all, &alike{step: step, by: cmp.Or(r.ActorOrganisation, h.register.Controller.Name), row: r, events: make(map[int64]bool), first: r.Time, last: r.Time})
		}
		x := all[n]
		x.events[r.Offset] = true
		if r.Time.Before(x.first) {
			x.first = r.Time
		}
		if r.Time.After(x.last) {
			x.last = r.Time
		}
		x.worst = max(x.worst, r.Verdict)
	}
	return all
}

// called are the names of a recipient, in small letters.
func (h *History) called(r *trail.Row) (names []string) {
	for _, name := range []string{r.Recipient, r.RecipientOrganisation, map[bool]string{true: "Acme Bank AS"}[r.Recipient == h.Controller+"/bank"]} {
		if name != "" {
			names = append(names, strings.ToLower(name))
		}
	}
	return names
}

func handsOn(r *trail.Row) bool {
	return r.Operation == event.Transfer || r.Operation == event.Disclose || r.Operation == event.Send
}

// around are the acts on the persons of an event, in its categories, as their
// verdicts stand.
func (h *History) around(of []*act) (rows []*trail.Row) {
	var who [][16]byte
	for _, a := range of {
		persons := [][16]byte{a.Person}
		if a.Cohort {
			persons = h.cohorts[a.CohortID]
			who = append(who, a.Person)
		}
		for _, p := range persons {
			if p != ([16]byte{}) {
				who = append(who, h.linked(p, openEnd)...)
			}
		}
	}
	for id, members := range h.cohorts {
		if slices.ContainsFunc(members, func(m [16]byte) bool { return slices.Contains(who, m) }) {
			c, _ := h.keys.Cohort(h.Controller, id)
			who = append(who, c)
		}
	}
	categories := of[0].Categories
	for i := range h.acts {
		r := h.acts[i].stands()
		if !r.Duplicate && slices.Contains(who, r.Person) && (len(categories) == 0 || slices.ContainsFunc(r.Categories, func(c string) bool { return slices.Contains(categories, c) })) {
			rows = append(rows, r)
		}
	}
	return rows
}

// before are the acts that an event's data can have come from.
func (h *History) before(e *trail.Row, rows []*trail.Row) []*alike {
	acting := []string{strings.ToLower(e.ActorOrganisation), strings.ToLower(e.ActorOnBehalfOf)}
	if e.ActorOrganisation == "" && e.ActorOnBehalfOf == "" {
		acting = []string{strings.ToLower(h.register.Controller.Name), h.Controller}
	}
	isActing := func(name string) bool { return name != "" && slices.Contains(acting, name) }
	var found []*trail.Row
	for _, r := range rows {
		if !r.Time.Before(e.Time) || r.Operation == event.Erase || r.Operation == event.Restrict {
			continue
		}
		given := handsOn(r) && slices.ContainsFunc(h.called(r), isActing)
		same := !handsOn(r) && r.Source == e.Source
		collected := r.Operation == event.Collect && isActing(strings.ToLower(cmp.Or(r.ActorOrganisation, h.register.Controller.Name)))
		if given || same || collected {
			found = append(found, r)
		}
	}
	return h.passages(1, found)
}

// after is where an event's data went, step by step.
func (h *History) after(e *trail.Row, rows []*trail.Row) (all []*alike) {
	type holder struct {
		names []string // none: the controller
		since time.Time
	}
	start := holder{since: e.Time}
	for _, name := range []string{e.ActorOrganisation, e.ActorOnBehalfOf} {
		if name != "" {
			start.names = append(start.names, strings.ToLower(name))
		}
	}
	if handsOn(e) && e.Recipient == event.DataSubject {
		return nil
	}
	if names := h.called(e); handsOn(e) && len(names) > 0 {
		start.names = names
	}
	followed := slices.Clone(start.names)
	from := []holder{start}
	for step := 1; step <= 3; step++ {
		var on []holder
		for _, x := range from {
			var found []*trail.Row
			var given []string
			for _, r := range rows {
				mine := len(x.names) == 0 || slices.Contains(x.names, strings.ToLower(r.ActorOrganisation)) && r.ActorOrganisation != "" ||
					slices.Contains(x.names, strings.ToLower(r.ActorOnBehalfOf)) && r.ActorOnBehalfOf != ""
				if handsOn(r) && !r.Time.Before(x.since) && mine {
					found = append(found, r)
					given = append(given, h.called(r)...)
				}
			}
			if len(x.names) == 0 { // what a recipient did with data that it was given is not the controller's
				found = slices.DeleteFunc(found, func(r *trail.Row) bool {
					return r.ActorOrganisation != "" && slices.Contains(given, strings.ToLower(r.ActorOrganisation))
				})
			}
			for _, p := range h.passages(step, found) {
				all = append(all, p)
				names := h.called(p.row)
				if len(names) == 0 || p.row.Recipient == event.DataSubject || slices.Contains(followed, names[0]) {
					continue
				}
				followed = append(followed, names[0])
				on = append(on, holder{names, p.first})
			}
		}
		from = on
	}
	return all
}

// aboutSomebody are the rows of an event on persons that are known.
func (h *History) aboutSomebody() (of []*act) {
	for len(of) == 0 {
		at := h.acts[h.r.IntN(len(h.acts))].Offset
		for i := range h.acts {
			if a := &h.acts[i]; a.Offset == at && a.Person != ([16]byte{}) {
				of = append(of, a)
			}
		}
	}
	return of
}

// checkEventLineage asks what came before an event and after it. Most have nothing
// before them: one that has something is looked for.
func (h *History) checkEventLineage(t testing.TB, way Way) {
	t.Helper()
	of := h.aboutSomebody()
	for range 5 {
		if len(h.before(&of[0].Row, h.around(of))) > 0 {
			break
		}
		of = h.aboutSomebody()
	}
	e := &of[0].Row
	a := ask[answer.LineageAnswer](t, way, Lineage, answer.LineageRequest{
		ActsRequest: answer.ActsRequest{Controller: h.Controller}, Event: &answer.Place{Topic: Topic, Partition: Partition, Offset: e.Offset}, Fold: 200,
	})
	rows := h.around(of)
	for name, x := range map[string]struct {
		got  []answer.Passage
		want []*alike
	}{"before": {a.Before, h.before(e, rows)}, "after": {a.After, h.after(e, rows)}} {
		line := func(step int, system, operation, purpose, source, by, to, country string, events int, first, last time.Time, verdict string) string {
			return fmt.Sprint(step, " ", system, " ", operation, " ", purpose, " ", source, " by ", by, " to ", to, " ", country, " ", events, " ", first.UTC(), " ", last.UTC(), " ", verdict)
		}
		var got, want []string
		for i := range x.got {
			p := &x.got[i]
			source, to := "", ""
			if p.DataSource != nil {
				source = p.DataSource.ID
			}
			if p.To != nil {
				to = cmp.Or(p.To.ID, p.To.Name)
			}
			got = append(got, line(p.Step, p.System, p.Operation, p.Purpose.ID, source, p.By, to, p.Country, int(p.Events), p.First, p.Last, p.Verdict))
		}
		for _, p := range x.want {
			r := p.row
			want = append(want, line(p.step, r.Source, r.Operation.String(), r.Purpose, r.DataSource, p.by, cmp.Or(r.Recipient, r.RecipientOrganisation), r.RecipientCountry, len(p.events), p.first, p.last, p.worst.String()))
			h.saw(fmt.Sprint(name, " an event, step ", p.step))
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) || !a.Complete || a.AsWhole {
			t.Errorf("%s event %d by %q of %q at %v: %q, want %q", name, e.Offset, e.ActorOrganisation, e.Categories, e.Time, got, want)
		}
	}
}
