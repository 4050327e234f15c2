package answer

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
	"github.com/andmerada/andmerada/internal/unusual"
)

// UnusualRequest asks which accesses by employees were out of the ordinary.
type UnusualRequest struct {
	Controller string   `json:"controller" minLength:"1" maxLength:"200" example:"elektrum" doc:"Short name of the controller, as in its register."`
	From       string   `json:"from,omitempty" maxLength:"40" example:"2026-05-01" doc:"First day of the controller's calendar; of an RFC 3339 time its day. Left out: 90 days before the last."`
	To         string   `json:"to,omitempty" maxLength:"40" example:"2026-05-31" doc:"Last day, included; of an RFC 3339 time its day. Left out: today."`
	Rules      []string `json:"rules,omitempty" maxItems:"200" doc:"Ids of the rules that are asked by. Left out: all that are on for the controller."`
}

// UnusualAnswer says which accesses a person has to look at.
type UnusualAnswer struct {
	Controller   Controller    `json:"controller"`
	Period       Period        `json:"period" doc:"Whole days of the controller's calendar."`
	AskedAt      time.Time     `json:"asked_at"`
	HabitsFrom   time.Time     `json:"habits_from,omitzero" doc:"Since when habits were learnt from what was done; left out where no rule asks for that."`
	Actors       int           `json:"actors" doc:"Actors who acted in the period, each once for each of their roles."`
	Events       uint64        `json:"events" doc:"Their acts in the period that were looked at."`
	Rules        []UnusualRule `json:"rules" doc:"All rules, as in their file."`
	Found        int           `json:"found" doc:"Hits of all rules."`
	Hits         []UnusualHit  `json:"hits" doc:"What matters most first, then the newest; 1000 at most."`
	Complete     bool          `json:"complete" doc:"False: there was more than could be looked at; cut says what."`
	Cut          []string      `json:"cut" doc:"What was left out, in words."`
	Completeness Completeness  `json:"completeness"`
}

// UnusualRule is one rule, and how often it hit.
type UnusualRule struct {
	ID       string           `json:"id"`
	Kind     unusual.Kind     `json:"kind" enum:"own-record,relation,colleague,public-figure,no-relationship,volume,hour,new-use"`
	Severity unusual.Severity `json:"severity" enum:"high,medium,low"`
	Title    string           `json:"title"`
	Why      string           `json:"why" doc:"Why a hit is worth a look."`
	On       bool             `json:"on" doc:"False: the rule was not asked by."`
	Hits     int              `json:"hits"`
}

// UnusualHit is one thing that a person has to look at. It is no accusation.
type UnusualHit struct {
	Rule      string           `json:"rule"`
	Kind      unusual.Kind     `json:"kind" enum:"own-record,relation,colleague,public-figure,no-relationship,volume,hour,new-use"`
	Severity  unusual.Severity `json:"severity" enum:"high,medium,low"`
	Title     string           `json:"title"`
	Says      string           `json:"says" doc:"The hit in a sentence, with its numbers."`
	Actor     string           `json:"actor" doc:"Mask of who acted."`
	Role      string           `json:"role" doc:"In which was acted; empty where it is not stated."`
	Pseudonym string           `json:"pseudonym,omitempty" doc:"Whose record it was, where the hit is about one person: of the person's pseudonyms the least."`
	Use       *Named           `json:"use,omitempty" doc:"The purpose or category that is new."`
	Of        string           `json:"of,omitempty" enum:"purpose,category" doc:"Which of the two it is."`
	Day       string           `json:"day" format:"date" doc:"Of the first act, in the controller's calendar."`
	First     time.Time        `json:"first"`
	Last      time.Time        `json:"last" doc:"Of a hit on a day's volume or hours, the first act too."`
	Events    uint64           `json:"events"`
	Numbers   unusual.Numbers  `json:"numbers" doc:"What the hit rests on. A number that the kind does not have, or that is 0, is left out."`
	Example   *Place           `json:"example,omitempty" doc:"Where the first of the events stands."`
}

// ActOn says whether there is something that a person has to look at.
func (a *UnusualAnswer) ActOn() bool { return a.Found > 0 }

// Bounds of one question.
const (
	unusualPeriod = 90        // days, where no first one is given
	maxUnusual    = 366       // days
	maxHits       = 1000      // listed
	maxHabits     = 1_000_000 // actors' days
	habitChunk    = 31        // days read at once
)

// Unusual answers which accesses by employees were out of the ordinary, by rules.
func Unusual(ctx context.Context, d Deps, req UnusualRequest) (*UnusualAnswer, error) {
	if err := d.inHouse(); err != nil {
		return nil, err
	}
	w, err := d.unusual(req)
	if err != nil {
		return nil, err
	}
	if err := w.habits(ctx); err != nil {
		return nil, err
	}
	if err := w.byFacts(ctx); err != nil {
		return nil, err
	}
	if err := w.list(ctx); err != nil {
		return nil, err
	}
	w.answer.Complete = len(w.answer.Cut) == 0
	w.answer.Completeness, err = d.completeness(ctx)
	return &w.answer, err
}

// unusualWalk is an answer in the making.
type unusualWalk struct {
	*Deps
	register *register.Register
	all      *unusual.Rules
	rules    []*unusual.Rule // that are asked by
	from, to event.Date      // to is not among them
	humans   trail.Humans    // of the period
	hits     []unusual.Hit
	answer   UnusualAnswer
}

// unusual understands the question.
func (d *Deps) unusual(req UnusualRequest) (*unusualWalk, error) {
	r, err := d.controller(req.Controller, "/controller")
	if err != nil {
		return nil, err
	}
	w := &unusualWalk{Deps: d, register: r, all: d.Unusual}
	if w.all == nil {
		w.all = unusual.Default()
	}
	now := d.now()
	from, err := parseTime(req.From, r.Zone, 0, "/from")
	if err != nil {
		return nil, err
	}
	to, err := parseTime(req.To, r.Zone, 0, "/to")
	if err != nil {
		return nil, err
	}
	if to.IsZero() {
		to = now
	}
	w.to = event.DateOf(to, r.Zone) + 1
	w.from = w.to - unusualPeriod
	if !from.IsZero() {
		w.from = event.DateOf(from, r.Zone)
	}
	switch {
	case w.from >= w.to:
		return nil, &Fault{"/to", "the period ends before it begins", "write a day that is not before the first"}
	case w.to-w.from > maxUnusual:
		return nil, &Fault{"/from", fmt.Sprintf("the period is longer than %d days", maxUnusual), "ask for a year at most"}
	}
	known := w.all.For(req.Controller)
	for i, id := range req.Rules {
		if !slices.ContainsFunc(w.all.Rules, func(r unusual.Rule) bool { return r.ID == id }) {
			return nil, &Fault{fmt.Sprintf("/rules/%d", i), "there is no such rule", fmt.Sprintf("write ids of the file of rules, as %s", w.all.Rules[0].ID)}
		}
	}
	for _, r := range known {
		if len(req.Rules) == 0 || slices.Contains(req.Rules, r.ID) {
			w.rules = append(w.rules, r)
		}
	}
	w.humans = trail.Humans{Controller: req.Controller, From: w.midnight(w.from), To: w.midnight(w.to), Operations: w.all.Operations, WithoutRoles: w.all.WithoutRoles}
	w.answer = UnusualAnswer{
		Controller: Controller{r.Controller.ID, r.Controller.Name}, Period: Period{From: w.humans.From, To: w.humans.To, Zone: r.Zone.String()},
		AskedAt: now, Rules: []UnusualRule{}, Hits: []UnusualHit{}, Cut: []string{},
	}
	return w, nil
}

// midnight is when a date begins in the controller's calendar.
func (w *unusualWalk) midnight(d event.Date) time.Time {
	y, m, day := time.Unix(int64(d)*24*60*60, 0).UTC().Date()
	return time.Date(y, m, day, 0, 0, 0, 0, w.register.Zone)
}

func (w *unusualWalk) dateOf(t time.Time) event.Date { return event.DateOf(t, w.register.Zone) }

func (w *unusualWalk) cut(what string) { w.answer.Cut = append(w.answer.Cut, what) }

// of are the rules of a kind.
func (w *unusualWalk) of(kinds ...unusual.Kind) (all []*unusual.Rule) {
	for _, r := range w.rules {
		if slices.Contains(kinds, r.Kind) {
			all = append(all, r)
		}
	}
	return all
}

// habits finds the hits that rest on what actors did before.
func (w *unusualWalk) habits(ctx context.Context) error {
	volumes, hours, uses := w.of(unusual.Volume), w.of(unusual.Hour), w.of(unusual.NewUse)
	since := w.from
	if len(volumes)+len(hours)+len(uses) > 0 {
		since -= event.Date(w.all.HistoryDays)
	}
	h := unusual.NewHabits(w.all.HistoryDays)
	since, err := w.days(ctx, h, since)
	if err != nil {
		return err
	}
	if len(volumes)+len(hours)+len(uses) == 0 {
		return nil
	}
	w.answer.HabitsFrom = w.midnight(since)
	for _, r := range volumes {
		w.hits = append(w.hits, h.Volumes(r, w.from, w.to)...)
	}
	for _, r := range hours {
		w.hits = append(w.hits, h.Hours(r, w.from, w.to)...)
	}
	read := make(map[string]bool)
	for _, r := range uses {
		if !read[r.Of] {
			read[r.Of] = true
			humans := w.humans
			humans.From = w.midnight(since)
			complete, err := w.Trail.HabitUses(ctx, humans, map[string]trail.Dimension{"purpose": trail.ByPurpose, "category": trail.ByCategory}[r.Of], func(u *trail.HabitUse) {
				h.AddUse(r.Of, unusual.Who{Actor: u.Actor, Role: u.Role}, unusual.Use{Value: u.Value, Events: u.Events, First: u.First, Last: u.Last})
			})
			if err != nil {
				return err
			}
			if !complete {
				w.cut("not every " + r.Of + " of every actor was looked at: there are too many")
			}
		}
		w.hits = append(w.hits, h.NewUses(r, w.humans.From, w.dateOf)...)
	}
	return nil
}

// days reads what was done day by day, the newest first, so that what is left
// out where there is too much is the oldest. It returns the first day read.
func (w *unusualWalk) days(ctx context.Context, h *unusual.Habits, since event.Date) (event.Date, error) {
	actors := make(map[unusual.Who]bool)
	for end := w.to; end > since; {
		begin := max(since, end-habitChunk)
		humans := w.humans
		humans.From, humans.To = w.midnight(begin), w.midnight(end)
		complete, err := w.Trail.HabitDays(ctx, humans, w.register.Zone.String(), func(d *trail.HabitDay) {
			who := unusual.Who{Actor: d.Actor, Role: d.Role}
			day := unusual.Day{Date: d.Date, Events: clip(d.Events), Persons: clip(d.Persons), Hours: d.Active, First: d.First.UnixMilli()}
			for hour, n := range d.Hours {
				if clip(n) > day.Top {
					day.Top, day.TopHour = clip(n), uint8(hour)
				}
			}
			h.Add(who, day)
			if d.Date >= w.from {
				actors[who] = true
				w.answer.Events += d.Events
			}
		})
		if err != nil {
			return 0, err
		}
		w.answer.Actors = len(actors)
		end = begin
		if !complete || h.Len() > maxHabits && begin > since {
			since = begin
			what := "habits are learnt since " + begin.String() + " only: there is too much to read"
			if begin > w.from {
				what = "only what was done since " + begin.String() + " was looked at: there is too much to read"
			}
			w.cut(what)
		}
	}
	return since, nil
}

// clip keeps a count in 32 bits: more is too many in any case.
func clip(n uint64) uint32 { return uint32(min(n, 1<<32-1)) }

// list puts the hits into the answer.
func (w *unusualWalk) list(ctx context.Context) error {
	a := &w.answer
	perRule := make(map[string]int)
	for i := range w.hits {
		perRule[w.hits[i].Rule.ID]++
	}
	for i := range w.all.Rules {
		r := &w.all.Rules[i]
		a.Rules = append(a.Rules, UnusualRule{ID: r.ID, Kind: r.Kind, Severity: r.Severity, Title: r.Title, Why: r.Why, On: slices.Contains(w.rules, r), Hits: perRule[r.ID]})
	}
	unusual.Sort(w.hits)
	a.Found = len(w.hits)
	hits := w.hits[:min(len(w.hits), maxHits)]
	if len(hits) < a.Found {
		w.cut(fmt.Sprintf("the first %d of %d hits are listed", len(hits), a.Found))
	}
	names := newNames(w.Registers)
	times := make([]time.Time, 0, len(hits))
	for i := range hits {
		times = append(times, hits[i].First)
	}
	rows, err := w.Trail.EventsAt(ctx, a.Controller.ID, times)
	if err != nil {
		return err
	}
	for i := range hits {
		h := &hits[i]
		hit := UnusualHit{
			Rule: h.Rule.ID, Kind: h.Rule.Kind, Severity: h.Rule.Severity, Title: h.Rule.Title, Actor: w.Mask(a.Controller.ID, h.Actor), Role: h.Role,
			Day: h.Date.String(), First: h.First, Last: h.Last, Events: h.Events, Numbers: h.Numbers,
		}
		if p := identity.Pseudonym(h.Person); !p.IsZero() {
			hit.Pseudonym = p.String()
		}
		name := ""
		if h.Use != "" {
			name = names.purpose(w.register.Version, h.Use)
			if h.Rule.Of == "category" {
				name = names.category(w.register.Version, h.Use)
			}
			hit.Use, hit.Of = &Named{h.Use, name}, h.Rule.Of
		}
		hit.Says = h.Says(cmp.Or(name, "no purpose"))
		for k := range rows {
			if rows[k].Actor == h.Actor && rows[k].Time.Equal(h.First) {
				hit.Example = &Place{rows[k].Topic, rows[k].Partition, rows[k].Offset}
				break
			}
		}
		a.Hits = append(a.Hits, hit)
	}
	return nil
}
