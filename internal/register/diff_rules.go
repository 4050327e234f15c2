package register

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

func (d *differ) rules(group, list string, a, b []RuleSource) {
	path := func(r *RuleSource) string { return list + "[" + r.ID + "]" }
	what := "rule"
	if group == DiffRetention {
		what = "retention period"
	}
	each(a, b, func(r *RuleSource) string { return r.ID }, func(a, b *RuleSource) { d.rule(group, path(b), what, a, b) },
		func(r *RuleSource) {
			d.add(group, path(r), fmt.Sprintf("a new %s, %s %s: %s", what, r.ID, quoted(r.Title), oneLine(r.Says)))
		},
		func(r *RuleSource) {
			d.remove(group, path(r), fmt.Sprintf("a %s no longer holds, %s %s: %s", what, r.ID, quoted(r.Title), oneLine(r.Says)))
		})
}

func (d *differ) rule(group, path, what string, a, b *RuleSource) {
	name := fmt.Sprintf("%s %s", b.ID, quoted(b.Title))
	if a.Period != nil && b.Period != nil {
		d.period(path, name, a.Period, b.Period)
	}
	d.change(group, path+".requires", a.requirements(), b.requirements(),
		fmt.Sprintf("a %s changed, %s: what it requires now: %s", what, name, cmp.Or(b.required(), "nothing")))
	d.change(group, path+".applies", d.a.selectorText(&a.Applies), d.b.selectorText(&b.Applies),
		fmt.Sprintf("a %s changed, %s: what it is about now: %s", what, name, cmp.Or(d.b.selectorText(&b.Applies), "everything")))
	for _, o := range []struct{ key, when, a, b, byDefault string }{
		{"met", "it is kept", a.Met, b.Met, Allowed.String()},
		{"unmet", "it is not kept", a.Unmet, b.Unmet, Violation.String()},
		{"unknown", "that cannot be told", a.Unknown, b.Unknown, Review.String()},
	} {
		before, after := cmp.Or(o.a, o.byDefault), cmp.Or(o.b, o.byDefault)
		d.change(group, path+"."+o.key, before, after,
			fmt.Sprintf("a %s changed, %s: where %s the verdict is now %s instead of %s", what, name, o.when, after, before))
	}
	judged, says := (a.NotJudged == "") == (b.NotJudged == ""), "events are now judged by it"
	if b.NotJudged != "" {
		says = "no event is judged by it any longer: " + oneLine(b.NotJudged)
	}
	if !judged {
		d.change(group, path+".not_judged", oneLine(a.NotJudged), oneLine(b.NotJudged), fmt.Sprintf("%s: %s", name, says))
	}
	d.change(group, path+".status", a.Status, b.Status, fmt.Sprintf("%s is now %s in the notice rather than %s", name, b.Status, a.Status))
}

func (d *differ) period(path, name string, a, b *Period) {
	d.words(DiffRetention, path+".period.length", a.Length, b.Length, fmt.Sprintf("%s: kept for %s", name, instead(Duration(b.Length), Duration(a.Length))))
	d.words(DiffRetention, path+".period.from", a.From, b.From, fmt.Sprintf("%s: the period now starts with: %s", name, instead(oneLine(b.From), oneLine(a.From))))
	d.change(DiffRetention, path+".period.meaning", a.Meaning, b.Meaning,
		fmt.Sprintf("%s: the period is now %s", name, instead(periodMeaning(b.Meaning), periodMeaning(a.Meaning))))
	d.members(DiffRetention, path+".period.exceptions", a.Exceptions, b.Exceptions,
		func(s string) string { return fmt.Sprintf("%s: a new exception: %s", name, s) },
		func(s string) string { return fmt.Sprintf("%s: no longer an exception: %s", name, s) })
}

// periodMeaning says what a kind of period allows.
func periodMeaning(meaning string) string {
	words := map[string]string{
		"floor": "a least time, which may be longer", "ceiling": "a longest time, which may be shorter", "floor-and-ceiling": "neither shorter nor longer",
	}
	return cmp.Or(words[meaning], meaning)
}

// Duration gives an ISO 8601 duration of one unit in words: "3 years". Any
// other text is given as it is.
func Duration(length string) string {
	length = oneLine(length)
	rest, ok := strings.CutPrefix(length, "P")
	if !ok || len(rest) < 2 {
		return length
	}
	unit, ok := map[byte]string{'Y': "year", 'M': "month", 'W': "week", 'D': "day"}[rest[len(rest)-1]]
	n, err := strconv.Atoi(rest[:len(rest)-1])
	if !ok || err != nil || n < 0 {
		return length
	}
	if n != 1 {
		unit += "s"
	}
	return fmt.Sprintf("%d %s", n, unit)
}

// requirements is all that decides on what a rule requires; not its wording.
func (r *RuleSource) requirements() string {
	all := make([]string, len(r.Requires))
	for i := range r.Requires {
		q := &r.Requires[i]
		parts := []string{oneLine(q.That)}
		if q.Unmet != "" {
			parts = append(parts, "unmet: "+q.Unmet)
		}
		if q.Unknown != "" {
			parts = append(parts, "unknown: "+q.Unknown)
		}
		if len(q.SkipIfAbsent) > 0 {
			parts = append(parts, "skip if absent: "+sorted(q.SkipIfAbsent))
		}
		for _, e := range q.Except { // the first that holds counts, so their order matters
			parts = append(parts, fmt.Sprintf("except %s: %s", oneLine(e.When), e.Verdict))
		}
		all[i] = strings.Join(parts, "; ")
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// required is what a rule requires, for people.
func (r *RuleSource) required() string {
	var says []string
	for i := range r.Requires {
		q := &r.Requires[i]
		text := oneLine(q.Says)
		for _, e := range q.Except {
			text += fmt.Sprintf(" (%s where %s)", e.Verdict, oneLine(e.Because))
		}
		says = append(says, text)
	}
	return strings.Join(says, "; and ")
}

// selectorText is what a selector selects, the same for all that select alike.
func (r *Register) selectorText(s *Selector) string {
	var parts []string
	part := func(name string, list []string) {
		if len(list) > 0 {
			parts = append(parts, name+" "+sorted(list))
		}
	}
	part("operations", s.Operations)
	part("purposes", s.Purposes)
	part("recipients", s.Recipients)
	var categories []string
	for _, c := range s.Categories {
		name, isList := strings.CutPrefix(c, "@")
		if !isList {
			categories = append(categories, c)
			continue
		}
		for i := range r.CategoryLists {
			if r.CategoryLists[i].ID == name {
				categories = append(categories, r.CategoryLists[i].Categories...)
			}
		}
	}
	part("data", categories)
	if s.When != "" {
		parts = append(parts, "when "+oneLine(s.When))
	}
	return strings.Join(parts, "; ")
}

// decisions compares what has been decided where the notice leaves it open.
func (d *differ) decisions() {
	id := func(x **Decision) string { return (*x).ID }
	settles := func(x *Decision) string {
		text := fmt.Sprintf("reviews by %s are settled as %s%s", sorted(x.Settles), x.Verdict, ifAny(oneLine(x.Title), ": "))
		if len(x.Ambiguity) > 0 {
			text += " (ambiguity " + sorted(x.Ambiguity) + ")"
		}
		return text
	}
	each(d.a.Decisions, d.b.Decisions, id, func(pa, pb **Decision) {
		a, b := *pa, *pb
		path := "decisions[" + b.ID + "]"
		for _, f := range []struct{ key, says, a, b string }{
			{"settles", "settles reviews by", sorted(a.Settles), sorted(b.Settles)},
			{"verdict", "settles them as", a.Verdict, b.Verdict},
			{"applies", "is about", d.a.selectorText(&a.Applies), d.b.selectorText(&b.Applies)},
			{"from", "is for events from", a.From, b.From},
			{"until", "is for events until", a.Until, b.Until},
		} {
			d.change(DiffRules, path+"."+f.key, f.a, f.b, fmt.Sprintf("the decision %s now %s: %s", b.ID, f.says, cmp.Or(f.b, "all")))
		}
	}, func(x **Decision) {
		d.add(DiffRules, "decisions["+(*x).ID+"]", fmt.Sprintf("the decision %s of %s: %s", (*x).ID, (*x).DecidedOn, settles(*x)))
	}, func(x **Decision) {
		d.remove(DiffRules, "decisions["+(*x).ID+"]", fmt.Sprintf("the decision %s no longer counts: %s", (*x).ID, settles(*x)))
	})
}
