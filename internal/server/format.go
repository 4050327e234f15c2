package server

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/register"
)

// number writes thousands apart: 12 345, with a narrow space that does not break.
func number(n uint64) string {
	s := strconv.FormatUint(n, 10)
	var b strings.Builder
	for i, c := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteRune('\u202f')
		}
		b.WriteRune(c)
	}
	return b.String()
}

func plural(n uint64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(n) + " " + many
}

func at(t time.Time, zone *time.Location) string {
	if t.IsZero() {
		return "–"
	}
	return t.In(zone).Format("2006-01-02 15:04:05")
}

// moment is a time as exactly as an answer may tell it.
func moment(precision string, t time.Time, zone *time.Location) string {
	if precision == "" || t.IsZero() {
		return at(t, zone)
	}
	return dayOf(t, zone)
}

// groundText is on what ground something is left out, and how much.
func groundText(r *answer.Restriction) string {
	text := "Ground: " + r.Ground + "."
	switch {
	case r.Count == nil:
	case r.Applied:
		text += " Left out: " + plural(*r.Count, "event", "events") + "."
	default:
		text += " That would be " + plural(*r.Count, "event", "events") + "."
	}
	return text
}

func dayOf(t time.Time, zone *time.Location) string { return t.In(zone).Format(time.DateOnly) }

// mark is a verdict with a sign of its own, so that the colour is not the only one.
func mark(verdict string) string {
	switch verdict {
	case "allowed":
		return "✓ allowed"
	case "review":
		return "? review"
	case "violation":
		return "✕ violation"
	case "none":
		return "– not judged"
	case "not-applicable":
		return "– does not apply"
	}
	return verdict
}

func countedNames(list []answer.Counted) string {
	parts := make([]string, len(list))
	for i, c := range list {
		parts[i] = fmt.Sprintf("%s (%s)", c.Name, number(c.Count))
	}
	return strings.Join(parts, ", ")
}

func names(list []answer.Named) string {
	parts := make([]string, len(list))
	for i, c := range list {
		parts[i] = c.Name
	}
	return strings.Join(parts, ", ")
}

func bases(list []string) string {
	parts := make([]string, len(list))
	for i, id := range list {
		parts[i] = answer.BasisName(id)
	}
	return strings.Join(parts, "; ")
}

// deciding are the rules of a verdict that is not allowed: why it is not.
func deciding(rules []answer.RuleUse) (bad, good []answer.RuleUse) {
	for _, r := range rules {
		if r.Verdict == "allowed" {
			good = append(good, r)
		} else {
			bad = append(bad, r)
		}
	}
	return bad, good
}

func anchor(i int) string { return fmt.Sprintf("recipient-%d", i+1) }

// chart is the bars of the events a day, in units of its own.
type chart struct {
	Width int
	Bars  []bar
	Lines []line
	Ticks []tick
}

type bar struct {
	Class               string
	X, Y, Width, Height string
}

type line struct {
	Y     string
	Label string
}

type tick struct{ X, Label string }

const (
	chartHeight = 160 // of the bars
	chartLeft   = 52  // for the numbers
	chartWidth  = 1100
)

func newChart(days []answer.Day) chart {
	c := chart{Width: chartLeft + chartWidth}
	most := uint64(1)
	for _, d := range days {
		most = max(most, d.Total())
	}
	step := niceStep(most)
	top := float64((most + step - 1) / step * step)
	for v := uint64(0); float64(v) <= top; v += step {
		c.Lines = append(c.Lines, line{f(chartHeight + 8 - float64(v)/top*chartHeight), number(v)})
	}
	slot := float64(chartWidth) / float64(max(len(days), 1))
	every := max(1, len(days)/8)
	for i, d := range days {
		x, y := chartLeft+float64(i)*slot, float64(chartHeight+8)
		for _, part := range []struct {
			class string
			n     uint64
		}{{"violation", d.Violation}, {"review", d.Review}, {"allowed", d.Allowed}} {
			if part.n == 0 {
				continue
			}
			h := max(float64(part.n)/top*chartHeight, 1.5) // even one violation is seen
			y -= h
			c.Bars = append(c.Bars, bar{part.class, f(x + slot*.1), f(y), f(slot * .8), f(h)})
		}
		if i%every == 0 {
			c.Ticks = append(c.Ticks, tick{f(x), d.Day[5:]})
		}
	}
	return c
}

func f(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

// niceStep divides most into two to five steps of a round number.
func niceStep(most uint64) uint64 {
	for step := uint64(1); ; step *= 10 {
		for _, m := range []uint64{1, 2, 5} {
			if most <= step*m*4 {
				return step * m
			}
		}
	}
}

var utc = time.UTC

func isAre(n uint64) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// fieldOf is the field of the form that a fault is about.
func fieldOf(fault *answer.Fault) string {
	switch fault.Pointer {
	case "/controller", "/from", "/to", "/as_of", reasonPointer:
		return fault.Pointer[1:]
	case "/person/scheme":
		return "scheme"
	case "/recipient", "/entity":
		return "recipient"
	default:
		return "identifier"
	}
}

func wrong(fault *answer.Fault, field string) bool { return fault != nil && fieldOf(fault) == field }

func describedBy(fault *answer.Fault, field, hint string) string {
	if wrong(fault, field) {
		return strings.TrimSpace(hint + " " + field + "-error")
	}
	return hint
}

// noticeOf is what stands above every page of a server that is open, or does
// not record what is asked.
func noticeOf(f frame) string {
	var notice []string
	if f.Who != nil && f.Who.Open {
		notice = append(notice, "Nobody has to log in here: whoever reaches this address asks as data protection officer.")
	}
	if f.Who != nil && !f.Recording {
		notice = append(notice, "Questions are not recorded here.")
	}
	return strings.Join(notice, " ")
}

func periodText(p answer.Period) string {
	zone := zoneOf(p)
	from, to := "the beginning", "now"
	if !p.From.IsZero() {
		from = at(p.From, zone)
	}
	if !p.To.IsZero() {
		to = "before " + at(p.To, zone)
	}
	text := fmt.Sprintf("from %s to %s (%s)", from, to, p.Zone)
	if !p.AsOf.IsZero() {
		text += ", as the trail stood at " + at(p.AsOf, zone)
	}
	return text
}

func verdictCounts(v answer.Verdicts) string {
	return fmt.Sprintf("%s allowed, %s for review, %s", number(v.Allowed), number(v.Review), plural(v.Violation, "violation", "violations"))
}

func eventsText(a *answer.RecipientsAnswer) string {
	s := number(a.Events) + ": " + verdictCounts(a.Verdicts)
	if a.Changed > 0 {
		s += "; " + plural(a.Changed, "verdict has", "verdicts have") + " changed since the first judgement"
	}
	if a.Duplicates > 0 {
		s += "; " + plural(a.Duplicates, "more arrived twice and is", "more arrived twice and are") + " not counted"
	}
	return s
}

func timesText(s answer.Summary) string {
	text := number(s.Count) + ": " + verdictCounts(s.Verdicts)
	if s.Changed > 0 {
		text += "; " + number(s.Changed) + " of these judged anew"
	}
	if s.ByCohort > 0 {
		text += "; " + number(s.ByCohort) + " of these with a whole cohort"
	}
	return text
}

func orDash(list []string) string {
	if len(list) == 0 {
		return "–"
	}
	return strings.Join(list, ", ")
}

func recipientText(r answer.Recipient) string {
	var parts []string
	switch {
	case r.Kind == "not-stated":
		return "The events do not say who received the data."
	case !r.Declared:
		parts = append(parts, "The register does not declare this recipient.")
	case r.RegisterName != "":
		parts = append(parts, "Declared as one of: "+r.RegisterName+".")
	case !r.LegalEntity:
		parts = append(parts, "The events name only a class of recipients, not who of it received the data.")
	}
	if r.Code != "" {
		parts = append(parts, "Registration code "+r.Code+".")
	}
	return strings.Join(parts, " ")
}

func eventActorText(a *answer.EventAnswer) string {
	text := strings.TrimPrefix(actorText(a.Entry), "–")
	if a.ActorID != a.Actor { // it is told
		text = a.ActorID + " – " + text
	}
	return text
}

func actorText(e answer.Entry) string {
	var parts []string
	for _, p := range []string{e.ActorRole, e.ActorKind} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	s := strings.Join(parts, ", ")
	if e.Organisation != "" {
		s += " of " + e.Organisation
	}
	if e.Actor != "" {
		s = strings.TrimSpace(s + " (" + e.Actor + ")")
	}
	if s == "" {
		return "–"
	}
	return s
}

func eventTitle(a *answer.EventAnswer) string {
	switch {
	case a.Fact != "":
		return "Fact: " + strings.ReplaceAll(a.Fact, "_", " ")
	case a.Operation == "cohort":
		return "Members of a cohort"
	case a.Recipient != nil:
		return a.Operation + " to " + a.Recipient.Name
	}
	return a.Operation
}

// truth is a condition's truth, for people.
func truth(t string) string {
	switch t {
	case "true":
		return "yes"
	case "false":
		return "no"
	case "unknown":
		return "not known"
	}
	return t
}

func inForce(r *register.Register) string {
	if r.From.IsZero() {
		return "whenever (the notice is not dated)"
	}
	return "since " + r.From.Format(time.DateOnly)
}

// covered names the categories of a purpose.
func covered(r *register.Register, purpose string) string {
	p, ok := r.Purpose(r.FullID(purpose))
	if !ok {
		return ""
	}
	parts := make([]string, len(p.Covered))
	for i, id := range p.Covered {
		parts[i] = id
		if c, ok := r.Vocab.Category(id); ok {
			parts[i] = c.Name.In("en")
		}
	}
	return strings.Join(slices.Compact(parts), ", ")
}

// otherwise is what it means that a rule is not met, each verdict once.
func otherwise(rule *register.Rule) []string {
	var all []string
	for i := range rule.Requirements {
		if v := rule.Requirements[i].UnmetOutcome.String(); !slices.Contains(all, v) {
			all = append(all, v)
		}
	}
	return all
}

// sentence begins a text with a capital letter.
func sentence(text string) string {
	r, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(r)) + text[size:]
}
