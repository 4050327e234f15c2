package duties

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
)

// Period is a retention period that duties are told by.
type Period struct {
	Rule    *register.Rule
	Start   event.Field // the fact whose day it runs from
	Floor   bool        // data are kept until it is over
	Ceiling bool        // and no longer

	length Length
	late   bool          // its last day belongs to it: erasing is in time from the day after
	probes []probe       // acts that its rule speaks of
	reads  []event.Field // facts that its rule's conditions name
}

type probe struct {
	purpose    string
	categories []string
}

// Length is a length of time by the calendar.
type Length struct{ Years, Months, Days int }

var isoDuration = regexp.MustCompile(`^P(?:(\d{1,4})Y)?(?:(\d{1,4})M)?(?:(\d{1,4})W)?(?:(\d{1,5})D)?$`)

// ParseLength reads an ISO 8601 duration of whole years, months, weeks and days.
func ParseLength(s string) (l Length, err error) {
	m := isoDuration.FindStringSubmatch(s)
	if m == nil || s == "P" {
		return l, fmt.Errorf("%q is no length of time: write P30D, P6M or P5Y", s)
	}
	n := func(i int) int {
		v, _ := strconv.Atoi(m[i]) // digits only, or nothing
		return v
	}
	return Length{n(1), n(2), 7*n(3) + n(4)}, nil
}

// After is the corresponding day: the same day of the month so much later, or
// that month's last.
func (l Length) After(d event.Date) event.Date {
	return d.AddMonths(12*l.Years+l.Months) + event.Date(l.Days)
}

// starters are the facts that a retention period can run from. Those that can
// be null are a state, of which the latest word stands; each day of another is
// an occasion of its own.
var starters = []event.Field{
	event.ContractEnd, event.RelationshipEnd, event.FinancialYearEnd, event.CommunicationEnd, event.RecordedOn, event.OfferDate, event.DocumentDate,
	event.BreachEndedOn, event.BreachDate,
}

// newPeriod makes a period of a retention rule, or says why none can be made.
func newPeriod(r *register.Register, rule *register.Rule) (p *Period, why string) {
	if rule.NotJudged != "" {
		return nil, rule.NotJudged
	}
	p = &Period{Rule: rule, late: r.PeriodConvention == "tsys"}
	switch rule.Period.Meaning {
	case "floor":
		p.Floor = true
	case "ceiling":
		p.Ceiling = true
	case "floor-and-ceiling":
		p.Floor, p.Ceiling = true, true
	default:
		return nil, fmt.Sprintf("it has no first or last day: its meaning is %q", rule.Period.Meaning)
	}
	var err error
	if p.length, err = ParseLength(rule.Period.Length); err != nil {
		return nil, "the notice gives no length in days, months or years"
	}
	start, ok := startOf(rule)
	if !ok {
		return nil, "its conditions name no single fact that it runs from"
	}
	p.Start = start
	p.probes = probesOf(r, rule)
	for _, info := range event.Vocabulary() {
		if names(rule, info.Field) {
			p.reads = append(p.reads, info.Field)
		}
	}
	return p, ""
}

// startOf is the one fact that a rule's conditions count from.
func startOf(rule *register.Rule) (start event.Field, ok bool) {
	for _, f := range starters {
		if !names(rule, f) {
			continue
		}
		if ok {
			return 0, false
		}
		start, ok = f, true
	}
	return start, ok
}

// names says whether one of a rule's conditions names a fact.
func names(rule *register.Rule, f event.Field) bool {
	word := regexp.MustCompile(`(^|[^\w.])` + regexp.QuoteMeta(f.String()) + `($|[^\w.])`)
	for i := range rule.Requirements {
		q := rule.Requirements[i].Requirement
		if word.MatchString(q.That) || slices.ContainsFunc(q.Except, func(x register.Exception) bool { return word.MatchString(x.When) }) {
			return true
		}
	}
	return word.MatchString(rule.Applies.When)
}

// probesOf are acts of keeping data that a rule speaks of: one a purpose.
func probesOf(r *register.Register, rule *register.Rule) (all []probe) {
	for i := range r.Purposes {
		p, ok := r.Purpose(r.FullID(r.Purposes[i].ID))
		if !ok || !slices.Contains(r.About(event.Retain, p, nil, false), rule) {
			continue
		}
		if set := r.Vocab.SetOf(nil); rule.SelectsCategories(&set) {
			all = append(all, probe{purpose: p.FullID, categories: p.Covered[:min(1, len(p.Covered))]})
			continue
		}
		candidates := append(slices.Clone(p.Covered), rule.Applies.Categories...)
		for _, c := range candidates {
			if set := r.Vocab.SetOf([]string{c}); !strings.HasPrefix(c, "@") && rule.SelectsCategories(&set) {
				all = append(all, probe{p.FullID, []string{c}})
				break
			}
		}
	}
	return all
}

// LastDay is the last day on which data may be held, where the period is a
// ceiling: the corresponding day is inside it, however periods are counted.
func (p *Period) LastDay(start event.Date) event.Date { return p.length.After(start) }

// FirstDay is the first day on which data may be erased, where the period is a
// floor: the corresponding day, or, by Estonian civil law (TsÜS §136(2)), of
// which it is the last day of the period, the day after.
func (p *Period) FirstDay(start event.Date) event.Date {
	if p.late {
		return p.length.After(start) + 1
	}
	return p.length.After(start)
}

// about says whether an act is one that the period's rule speaks of.
func (p *Period) about(r *register.Register, a *Act) bool {
	purpose, ok := r.Purpose(a.Purpose)
	if !ok {
		return false
	}
	set := r.Vocab.SetOf(a.Categories)
	return p.Rule.SelectsCategories(&set) && slices.Contains(r.About(a.Operation, purpose, nil, false), p.Rule)
}

// starts are the days that the period runs from, for this person.
func (p *Period) starts(who *Person, now *event.Facts, at time.Time) (days []event.Date) {
	if p.Start.Info().Nullable {
		if v := now.Get(p.Start); v.State == event.Known {
			days = append(days, v.Day)
		}
		return days
	}
	for i := range who.Facts {
		f := &who.Facts[i].Fact
		if v := f.Value.Get(p.Start); v.State == event.Known && !f.ValidFrom.After(at) {
			days = append(days, v.Day)
		}
	}
	slices.Sort(days)
	return slices.Compact(days)
}
