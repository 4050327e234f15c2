package verdict_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
)

// state says what is said of a fact; of a name that is none, that something is.
func (q *question) state(name string) event.State {
	info, ok := event.FieldNamed(name)
	if !ok {
		return event.Known
	}
	if v := q.facts.Get(info.Field); v.State != event.Absent || name != "channel" || q.ev.Channel == "" {
		return v.State
	}
	return event.Known
}

// fact is the value of a scalar fact, with what its absence means.
func (q *question) fact(name string) any {
	info, ok := event.FieldNamed(name)
	if !ok {
		panic("no fact " + name)
	}
	v := q.facts.Get(info.Field)
	if v.State == event.Absent {
		v = info.Absent
		if name == "channel" && q.ev.Channel != "" {
			v = event.TextValue(q.ev.Channel)
		}
	}
	switch {
	case v.State == event.Null:
		return nil
	case v.State != event.Known:
		return lacking{name: true}
	case info.Type == event.Bool:
		return v.Bool
	case info.Type == event.Day:
		d, err := time.Parse(time.DateOnly, v.Day.String())
		if err != nil {
			panic(err)
		}
		return d
	default:
		return v.Text
	}
}

func (q *question) value(name string) any {
	switch name {
	case "event.time":
		return "now"
	case "event.date":
		return q.day()
	case "event.operation":
		return q.ev.Operation.String()
	case "event.purpose":
		return q.ev.Purpose
	case "event.recipient":
		return q.ev.Recipient.ID
	case "event.data_source":
		return q.ev.DataSource
	case "event.basis":
		return q.ev.Basis.Kind
	case "event.categories":
		return q.ev.Categories
	case "event.uncovered":
		return q.uncovered()
	case "purpose.declared":
		return q.purpose != nil
	case "purpose.open_ended":
		return q.purpose != nil && q.purpose["open_ended"] == true
	case "purpose.basis":
		return texts(q.purpose["legal_basis"])
	case "purpose.catch_all_takes":
		return q.s.named(q.purpose["catch_all_takes"])
	case "recipient.declared":
		if (q.ev.Recipient == event.Recipient{}) {
			return lacking{"recipient": true}
		}
		return q.ev.Recipient.ID == event.DataSubject || q.recipient() != nil
	}
	return q.fact(name)
}

func (q *question) inEEA(country string) any {
	if country == "GB" {
		switch day := q.day(); {
		case day.Before(time.Date(2020, 2, 1, 0, 0, 0, 0, time.UTC)):
			return true
		case day.Before(time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC)):
			return lacking{"country": true}
		}
	}
	return slices.Contains(strings.Fields("AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK IS LI NO"), country)
}

func (q *question) call(name string, args []any) any {
	if name == "opt_out.made_by" { // for which it matters little who is not known
		return q.list(name, args, func(i int) string { return args[i].(string) })
	}
	// What asks about an unknown is unknown; what asks about null, absurd.
	if l := missingOf(args...); l != nil {
		return l
	}
	for _, a := range args {
		if _, ok := a.(absurd); ok || a == nil {
			return absurd{}
		}
	}
	text := func(i int) string { return args[i].(string) }
	date := func(i int) time.Time { return args[i].(time.Time) }
	switch name {
	case "before":
		return date(0).Before(date(1))
	case "on_or_before":
		return !date(0).After(date(1))
	case "after":
		return date(0).After(date(1))
	case "on_or_after":
		return !date(0).Before(date(1))
	case "date":
		d, err := time.Parse(time.DateOnly, text(0))
		if err != nil {
			panic(err)
		}
		return d
	case "add_years":
		return monthsOn(date(0), 12*args[1].(int))
	case "add_months":
		return monthsOn(date(0), args[1].(int))
	case "days_between":
		return int(date(1).Sub(date(0)).Hours() / 24)
	case "elapsed":
		end := after(date(1), text(0))
		return date(2).After(end) || date(2).Equal(end) && q.s.file["period_convention"] == "calendar"
	case "in_eea":
		return q.inEEA(text(0))
	case "listed":
		return texts(find(q.s.file["category_lists"], text(0))["categories"])
	case "within":
		return !slices.ContainsFunc(args[0].([]string), func(c string) bool { return !q.s.takesIn(args[1].([]string), c) })
	case "facts.known":
		return q.state(text(0)) == event.Known
	case "facts.unclear":
		return q.state(text(0)) == event.Unknown
	}
	return q.list(name, args, text)
}

// list answers the questions about the four lists. Each entry speaks for
// itself: true, false, or not known; one that is true is enough.
func (q *question) list(name string, args []any, text func(int) string) any {
	now := q.ev.Time
	mine := func(controller string) bool { return controller == "" || controller == q.id }
	done := func(t time.Time, lacks string) any {
		if t.IsZero() {
			return lacking{lacks: true}
		}
		return !t.After(now)
	}
	var any_ any = false
	add := func(v any) { any_ = junction(any_, v, true) }
	switch name {
	case "consent.active", "consent.withdrawn", "consent.evidenced":
		if !q.facts.Consents.Known {
			return lacking{"consent": true}
		}
		terms := find(q.s.file["consents"], q.slug(text(0)))
		can := func(key, who string) bool {
			list := texts(terms[key])
			return len(list) == 0 || slices.Contains(list, who) || who == "" && (key == "withdrawal_forms" || slices.Contains(list, "client"))
		}
		var withdrawn any = false
		var standing []event.Consent
		for _, c := range q.facts.Consents.Entries {
			if !mine(c.Controller) || c.Purpose != text(0) || !can("given_by", c.GivenBy) {
				continue
			}
			given := done(c.GivenAt, "consent")
			switch {
			case c.WithdrawnAt.IsZero() || c.WithdrawnAt.After(now) || !can("withdrawn_by", c.WithdrawnBy):
				add(given)
			case can("withdrawal_forms", c.WithdrawalForm):
				withdrawn = true
				continue
			default: // perhaps
				withdrawn = junction(withdrawn, lacking{"consent": true}, true)
				add(junction(given, lacking{"consent": true}, false))
			}
			if given != false {
				standing = append(standing, c)
			}
		}
		switch name {
		case "consent.active":
			return any_
		case "consent.withdrawn":
			stands := any_
			if v, ok := stands.(bool); ok {
				stands = !v
			}
			return junction(withdrawn, stands, false)
		}
		if len(standing) == 0 {
			return true
		}
		any_ = false
		for _, c := range standing {
			switch {
			case c.Form != "oral":
				add(true)
			case c.RegisteredCRM.State == event.Known:
				add(c.RegisteredCRM.Bool)
			default:
				add(lacking{"consent.registered_in_crm": true})
			}
		}
	case "objection.made":
		if !q.facts.Objections.Known {
			return lacking{"objection": true}
		}
		for _, o := range q.facts.Objections.Entries {
			if o.Outcome == "" {
				o.Outcome = "pending"
			}
			if mine(o.Controller) && (o.Purpose == "" || o.Purpose == text(0)) && o.Outcome == text(1) {
				add(done(o.MadeAt, "objection"))
			}
		}
	case "opt_out.made_by":
		if !q.facts.OptOuts.Known {
			return lacking{"opt_out": true}
		}
		for _, o := range q.facts.OptOuts.Entries {
			who, isKnown := args[1].(string)
			switch {
			case !mine(o.Controller) || o.Scope != text(0):
			case o.MadeBy == "" || isKnown && o.MadeBy == who:
				add(done(o.MadeAt, "opt_out"))
			case !isKnown && done(o.MadeAt, "opt_out") != false:
				add(lacking{"opt_out": true})
			}
		}
	case "opt_out.made":
		if !q.facts.OptOuts.Known {
			return lacking{"opt_out": true}
		}
		for _, o := range q.facts.OptOuts.Entries {
			if mine(o.Controller) && o.Scope == text(0) {
				add(done(o.MadeAt, "opt_out"))
			}
		}
	case "request.made":
		for _, r := range q.facts.Requests.Entries {
			if mine(r.Controller) && r.Type == text(0) {
				add(done(r.MadeAt, "request"))
			}
		}
	case "request.handled":
		for _, r := range q.facts.Requests.Entries { // is one of them open?
			if !mine(r.Controller) || r.Type != text(0) || done(r.MadeAt, "") == false {
				continue
			}
			if r.Handled.State == event.Known {
				add(!r.Handled.Bool)
			} else {
				add(lacking{"request.handled": true})
			}
		}
		if v, ok := any_.(bool); ok {
			return !v
		}
	default:
		panic("no function " + name)
	}
	return any_
}

func pick[T any](rng *rand.Rand, from ...T) T { return from[rng.IntN(len(from))] }

// randomEvent is an event of the register, now and then with something that it
// does not know.
func randomEvent(rng *rand.Rand, r *register.Register) *event.Event {
	ev := &event.Event{
		Kind: event.Processing, Controller: r.Controller.ID, Operation: pick(rng, event.Operations()...),
		Time:    time.Unix(1_550_000_000+rng.Int64N(250_000_000), 0),
		Purpose: r.FullID(pick(rng, r.Purposes...).ID),
		Channel: pick(rng, "", "", "email", "post"),
		Basis:   event.Basis{Kind: pick(rng, append(register.Bases, "")...)},
	}
	if rng.IntN(20) == 0 {
		ev.Purpose = pick(rng, "", "nobody/nothing", r.FullID("nothing"))
	}
	switch rng.IntN(10) {
	case 0, 1, 2:
		ev.Recipient.ID = event.DataSubject
	case 3:
		ev.Recipient.ID = pick(rng, "nobody/none", r.FullID("none"))
	case 4:
		ev.Recipient = event.Recipient{Organisation: "Someone OÜ", Country: pick(rng, "EE", "US", "GB", "")}
	case 5, 6, 7:
		ev.Recipient.ID = r.FullID(pick(rng, r.Recipients...).ID)
		ev.Recipient.Country = pick(rng, "", "", "EE", "US")
	}
	if ev.Operation == event.Collect && len(r.Sources) > 0 && rng.IntN(2) == 0 {
		ev.DataSource = pick(rng, r.FullID(pick(rng, r.Sources...).ID), r.FullID("none"))
	}
	p, ok := r.Purpose(ev.Purpose)
	for range rng.IntN(4) {
		switch {
		case ok && len(p.Covered) > 0 && rng.IntN(3) > 0:
			ev.Categories = append(ev.Categories, pick(rng, p.Covered...))
		case rng.IntN(30) == 0:
			ev.Categories = append(ev.Categories, "no-such-category")
		default:
			ev.Categories = append(ev.Categories, pick(rng, r.Categories...).ID)
		}
	}
	return ev
}

func randomFacts(rng *rand.Rand, r *register.Register, ev *event.Event) (f event.Facts) {
	around := func() time.Time {
		switch rng.IntN(12) {
		case 0:
			return ev.Time
		case 1:
			return time.Time{}
		}
		return ev.Time.Add(time.Duration(rng.Int64N(int64(8*365*24*time.Hour)) - int64(7*365*24*time.Hour)))
	}
	anniversary := func() event.Date { // of what periods there are, or near it
		d := event.DateOf(ev.Time, r.Zone) + event.Date(rng.IntN(3)-1)
		return pick(rng, d-30, d.AddMonths(-6), d.AddYears(-2), d.AddYears(-3), d.AddYears(-5), d.AddYears(-7), d, event.NewDate(2020, 2, 29))
	}
	truth := func() event.Value {
		return pick(rng, event.BoolValue(true), event.BoolValue(true), event.BoolValue(false), event.Value{}, event.Value{State: event.Unknown})
	}
	for _, info := range event.Vocabulary() {
		var v event.Value
		switch info.Type {
		case event.Bool:
			v = truth()
		case event.Day:
			v = event.DayValue(anniversary())
		default:
			values := info.Values
			if values == nil {
				values = []string{"EE", "NO", "US", "GB", r.Controller.Name, "electricity", "billing"}
			}
			v = event.TextValue(pick(rng, values...))
		}
		switch {
		case rng.IntN(6) == 0:
			v = event.Value{}
		case rng.IntN(12) == 0:
			v = event.Value{State: event.Unknown}
		case info.Nullable && rng.IntN(3) == 0:
			v = event.Value{State: event.Null}
		}
		f.Set(info.Field, v)
	}
	controller := func() string { return pick(rng, "", r.Controller.ID, "someone-else") }
	purpose := func() string {
		if len(r.Consents) > 0 && rng.IntN(2) == 0 {
			return r.FullID(pick(rng, r.Consents...).ID)
		}
		return pick(rng, ev.Purpose, ev.Purpose, r.FullID(pick(rng, r.Purposes...).ID))
	}
	f.Consents.Known, f.Objections.Known, f.OptOuts.Known, f.Requests.Known = rng.IntN(5) > 0, rng.IntN(5) > 0, rng.IntN(5) > 0, rng.IntN(5) > 0
	for range rng.IntN(4) {
		c := event.Consent{
			Controller: controller(), Purpose: purpose(), GivenAt: around(), Form: pick(rng, "", "written", "oral", "electronic"), RegisteredCRM: truth(),
			GivenBy: pick(rng, "", "", "client", "user"),
		}
		if rng.IntN(3) == 0 {
			c.WithdrawnAt, c.WithdrawnBy = around(), pick(rng, "", "client", "user")
			c.WithdrawalForm = pick(rng, "", "written", "reproducible-in-writing", "oral")
		}
		if f.Consents.Known {
			f.Consents.Entries = append(f.Consents.Entries, c)
		}
	}
	for range rng.IntN(3) {
		if f.Objections.Known {
			f.Objections.Entries = append(f.Objections.Entries, event.Objection{Controller: controller(), Purpose: pick(rng, purpose(), ""), MadeAt: around(), Outcome: pick(rng, "", "pending", "upheld", "rejected")})
		}
		if f.OptOuts.Known {
			f.OptOuts.Entries = append(f.OptOuts.Entries, event.OptOut{Controller: controller(), MadeAt: around(), MadeBy: pick(rng, "", "client", "EE", "billing"), Scope: pick(rng, "disclosure-for-direct-marketing", "direct-marketing", "market-opinion-research", "electronic-offers")})
		}
		if f.Requests.Known {
			f.Requests.Entries = append(f.Requests.Entries, event.Request{Controller: controller(), MadeAt: around(), Handled: truth(), Type: pick(rng, "instalment", "additional-contract", "offer", "erasure", "rectification", "restriction", "access", "decision-review")})
		}
	}
	return f
}
