package answer

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

// OverviewRequest asks what stands out.
type OverviewRequest struct {
	Controller string // "" = all
	Days       int    // how many, 30 if zero, at most 366, up to the newest day that has events
}

// Overview is what stands out: how much happened, what contradicts a notice,
// and what waits for a person to look. Events are counted once for each person
// concerned, by the first verdict on them; days are of UTC.
type Overview struct {
	Controllers  []ControllerCount `json:"controllers"`
	First        string            `json:"first" doc:"First day, UTC."`
	Last         string            `json:"last" doc:"Last day, UTC."`
	Days         []Day             `json:"days" doc:"Every day of the period, oldest first."`
	Verdicts     Verdicts          `json:"verdicts"`
	Duplicates   uint64            `json:"duplicates"`
	Violations   []Entry           `json:"violations" doc:"Newest first."`
	Queue        []Queued          `json:"queue" doc:"Reviews by what is missing, most first."`
	Completeness Completeness      `json:"completeness"`
}

// ControllerCount counts a controller's events by verdict.
type ControllerCount struct {
	Controller
	Verdicts
}

// Day counts the events of a day by verdict.
type Day struct {
	Day string `json:"day" example:"2026-01-31"`
	Verdicts
}

// Total is all events of the day.
func (v Verdicts) Total() uint64 { return v.Allowed + v.Review + v.Violation }

// Queued is what waits for a review.
type Queued struct {
	Controller string    `json:"controller"`
	Fact       string    `json:"fact" doc:"Fact that was missing; empty where the notice itself is silent or open."`
	Name       string    `json:"name"`
	Count      uint64    `json:"count"`
	Last       time.Time `json:"last"`
	Rules      []RuleUse `json:"rules"`
}

const newestViolations = 15

// OverviewOf answers what stands out in the trail.
func OverviewOf(ctx context.Context, d Deps, req OverviewRequest) (*Overview, error) {
	if err := d.inHouse(); err != nil {
		return nil, err
	}
	if req.Controller != "" {
		if _, err := d.controller(req.Controller, "/controller"); err != nil {
			return nil, err
		}
	}
	// Until the end of today; if nothing was done lately, until the last day on
	// which something was.
	today := d.now().UTC().Truncate(24 * time.Hour)
	w := trail.Window{From: today.AddDate(-10, 0, 0), To: today.AddDate(0, 0, 1), Controller: req.Controller}
	newest, err := d.Trail.NewestDay(ctx, w)
	if err != nil {
		return nil, err
	}
	if !newest.IsZero() {
		w.To = newest.UTC().AddDate(0, 0, 1)
	}
	w.From = w.To.AddDate(0, 0, -min(cmp.Or(max(req.Days, 0), 30), 366))
	days, err := d.Trail.Days(ctx, w)
	if err != nil {
		return nil, err
	}
	n := newNames(d.Registers)
	o := &Overview{First: w.From.Format(time.DateOnly), Last: w.To.AddDate(0, 0, -1).Format(time.DateOnly), Violations: []Entry{}, Queue: []Queued{}}
	o.count(d, w, days)
	violations, err := d.Trail.Newest(ctx, w, register.Violation.String(), newestViolations)
	if err != nil {
		return nil, err
	}
	for i := range violations {
		o.Violations = append(o.Violations, d.entry(n, &violations[i]))
	}
	queue, err := d.Trail.ReviewQueue(ctx, w)
	if err != nil {
		return nil, err
	}
	for i := range queue {
		o.Queue = append(o.Queue, queued(n, &queue[i]))
	}
	o.Completeness, err = d.completeness(ctx)
	return o, err
}

func (o *Overview) count(d Deps, w trail.Window, days []trail.DayCount) {
	index := make(map[string]int)
	for day := w.From; day.Before(w.To); day = day.AddDate(0, 0, 1) {
		index[day.Format(time.DateOnly)] = len(o.Days)
		o.Days = append(o.Days, Day{Day: day.Format(time.DateOnly)})
	}
	controllers := make(map[string]*ControllerCount)
	for _, r := range slices.Backward(d.Registers.All()) {
		if w.Controller == "" || w.Controller == r.Controller.ID {
			controllers[r.Controller.ID] = &ControllerCount{Controller: Controller{r.Controller.ID, r.Controller.Name}}
		}
	}
	for _, c := range days {
		i, ok := index[c.Day.Format(time.DateOnly)]
		switch {
		case !ok:
			continue
		case c.Duplicate:
			o.Duplicates += c.Count
			continue
		}
		o.Days[i].add(c.Verdict, c.Count)
		o.Verdicts.add(c.Verdict, c.Count)
		if controllers[c.Controller] == nil {
			controllers[c.Controller] = &ControllerCount{Controller: Controller{c.Controller, c.Controller}}
		}
		controllers[c.Controller].add(c.Verdict, c.Count)
	}
	o.Controllers = []ControllerCount{}
	for _, c := range controllers {
		o.Controllers = append(o.Controllers, *c)
	}
	slices.SortFunc(o.Controllers, func(a, b ControllerCount) int { return cmp.Compare(a.ID, b.ID) })
}

func queued(n *names, q *trail.QueueEntry) Queued {
	out := Queued{Controller: q.Controller, Fact: q.Fact, Name: factName(q.Fact), Count: q.Count, Last: q.Last, Rules: []RuleUse{}}
	if q.Fact == "" {
		out.Name = "nothing is missing: the notice itself is silent or open"
	}
	for _, c := range counted(q.Rules, func(id string) string { return id }) {
		out.Rules = append(out.Rules, RuleUse{Rule: n.rule(q.Version, c.ID), Verdict: register.Review.String(), Count: c.Count})
	}
	return out
}
