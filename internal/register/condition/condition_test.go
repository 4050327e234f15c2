package condition

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/event"
)

func newEnv(t testing.TB) *Env {
	t.Helper()
	env, err := NewEnv(Vocabulary{Contains: slices.Contains[[]string], Lists: map[string][]string{"who": {"name", "phone"}}})
	if err != nil {
		t.Fatal(err)
	}
	return env
}

func instant(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

func day(s string) event.Value {
	d, err := event.ParseDate(s)
	if err != nil {
		panic(err)
	}
	return event.DayValue(d)
}

func TestEval(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	zone, err := time.LoadLocation("Europe/Tallinn")
	if err != nil {
		t.Fatal(err)
	}
	const at = "2024-06-10T10:00:00+03:00"
	consent := func(c event.Consent) func(*event.Facts) {
		return func(f *event.Facts) {
			if c.Purpose == "" {
				c.Purpose = "acme/p"
			}
			if c.GivenAt.IsZero() {
				c.GivenAt = instant("2024-01-01T00:00:00Z")
			}
			f.Consents = event.List[event.Consent]{Known: true, Entries: []event.Consent{c}}
		}
	}
	set := func(field event.Field, v event.Value) func(*event.Facts) {
		return func(f *event.Facts) { f.Set(field, v) }
	}
	none := func(f *event.Facts) {
		f.Consents.Known, f.Objections.Known, f.OptOuts.Known, f.Requests.Known = true, true, true, true
	}
	for _, c := range []struct {
		name    string
		expr    string
		facts   func(*event.Facts)
		want    Truth
		missing string // comma-separated
	}{
		{name: "known", expr: "necessity", facts: set(event.Necessity, event.BoolValue(true)), want: True},
		{name: "absent is unknown", expr: "necessity", want: Unknown, missing: "necessity"},
		{name: "said to be unknown", expr: "necessity", facts: set(event.Necessity, event.Value{State: event.Unknown}), want: Unknown, missing: "necessity"},
		{name: "not unknown is unknown", expr: "!necessity", want: Unknown, missing: "necessity"},
		{name: "a false side decides and", expr: "necessity && event.purpose == 'other'", want: False},
		{name: "a true side decides or", expr: "necessity || event.purpose == 'acme/p'", want: True},
		{name: "both are missing", expr: "necessity && proportionality", want: Unknown, missing: "necessity,proportionality"},
		{name: "absence that has a meaning", expr: "subject_role == 'client'", want: True},
		{name: "null where it is a value", expr: "breach.ended_on == null", facts: set(event.BreachEndedOn, event.Value{State: event.Null}), want: True},
		{name: "null on the other side of or", expr: "breach.ended_on == null || before(event.date, add_years(breach.ended_on, 5))", facts: set(event.BreachEndedOn, event.Value{State: event.Null}), want: True},
		{name: "a date of null cannot be told", expr: "before(event.date, breach.ended_on)", facts: set(event.BreachEndedOn, event.Value{State: event.Null}), want: Unknown, missing: "condition"},
		{name: "absent relationship end: still running", expr: "relationship_end == null", want: True},
		{name: "said to be unclear", expr: "facts.unclear('necessity')", facts: set(event.Necessity, event.Value{State: event.Unknown}), want: True},
		{name: "absent is not said to be unclear", expr: "facts.unclear('necessity')", want: False},

		{name: "consent absent", expr: "consent.active(event.purpose, event.time)", want: Unknown, missing: "consent"},
		{name: "no consent", expr: "consent.active(event.purpose, event.time)", facts: none, want: False},
		{name: "consent", expr: "consent.active(event.purpose, event.time)", facts: consent(event.Consent{}), want: True},
		{name: "consent at the instant", expr: "consent.active(event.purpose, event.time)", facts: consent(event.Consent{GivenAt: instant(at)}), want: True},
		{name: "consent a second later", expr: "consent.active(event.purpose, event.time)", facts: consent(event.Consent{GivenAt: instant(at).Add(time.Second)}), want: False},
		{name: "withdrawn at the instant", expr: "consent.active(event.purpose, event.time)", facts: consent(event.Consent{WithdrawnAt: instant(at)}), want: False},
		{name: "withdrawn a second later", expr: "consent.active(event.purpose, event.time)", facts: consent(event.Consent{WithdrawnAt: instant(at).Add(time.Second)}), want: True},
		{name: "consent to another purpose", expr: "consent.active(event.purpose, event.time)", facts: consent(event.Consent{Purpose: "acme/q"}), want: False},
		{name: "consent to another controller", expr: "consent.active(event.purpose, event.time)", facts: consent(event.Consent{Controller: "other"}), want: False},
		{name: "withdrawn", expr: "consent.withdrawn(event.purpose, event.time)", facts: consent(event.Consent{WithdrawnAt: instant(at)}), want: True},
		{name: "never given is not withdrawn", expr: "consent.withdrawn(event.purpose, event.time)", facts: none, want: False},
		{name: "given again after a withdrawal", expr: "consent.withdrawn(event.purpose, event.time)", facts: func(f *event.Facts) {
			f.Consents = event.List[event.Consent]{Known: true, Entries: []event.Consent{
				{Purpose: "acme/p", GivenAt: instant("2023-01-01T00:00:00Z"), WithdrawnAt: instant("2023-02-01T00:00:00Z")},
				{Purpose: "acme/p", GivenAt: instant("2023-03-01T00:00:00Z")},
			}}
		}, want: False},
		{name: "oral and unregistered", expr: "consent.evidenced(event.purpose, event.time)", facts: consent(event.Consent{Form: "oral", RegisteredCRM: event.BoolValue(false)}), want: False},
		{name: "oral and registered", expr: "consent.evidenced(event.purpose, event.time)", facts: consent(event.Consent{Form: "oral", RegisteredCRM: event.BoolValue(true)}), want: True},
		{name: "oral, registration not known", expr: "consent.evidenced(event.purpose, event.time)", facts: consent(event.Consent{Form: "oral"}), want: Unknown, missing: "consent.registered_in_crm"},
		{name: "form not stated", expr: "consent.evidenced(event.purpose, event.time)", facts: consent(event.Consent{}), want: True},

		{name: "objection pending unless said otherwise", expr: "objection.made(event.purpose, 'pending', event.time)", facts: func(f *event.Facts) {
			f.Objections = event.List[event.Objection]{Known: true, Entries: []event.Objection{{Purpose: "acme/p", MadeAt: instant(at)}}}
		}, want: True},
		{name: "objection not yet made", expr: "objection.made(event.purpose, 'pending', event.time)", facts: func(f *event.Facts) {
			f.Objections = event.List[event.Objection]{Known: true, Entries: []event.Objection{{Purpose: "acme/p", MadeAt: instant(at).Add(time.Second)}}}
		}, want: False},
		{name: "absent requests: none on record", expr: "request.made('erasure', event.time)", want: False},
		{name: "request not handled", expr: "request.handled('erasure', event.time)", facts: func(f *event.Facts) {
			f.Requests = event.List[event.Request]{Known: true, Entries: []event.Request{{Type: "erasure", MadeAt: instant(at), Handled: event.BoolValue(false)}}}
		}, want: False},
		{name: "request, handling not known", expr: "request.handled('erasure', event.time)", facts: func(f *event.Facts) {
			f.Requests = event.List[event.Request]{Known: true, Entries: []event.Request{{Type: "erasure", MadeAt: instant(at)}}}
		}, want: Unknown, missing: "request.handled"},
		{name: "prohibition", expr: "opt_out.made('electronic-offers', event.time)", facts: func(f *event.Facts) {
			f.OptOuts = event.List[event.OptOut]{Known: true, Entries: []event.OptOut{{Scope: "electronic-offers", MadeAt: instant(at)}}}
		}, want: True},

		{name: "Norway", expr: "in_eea('NO', event.date)", want: True},
		{name: "Switzerland", expr: "in_eea('CH', event.date)", want: False},
		{name: "the United Kingdom now", expr: "in_eea('GB', event.date)", want: False},
		{name: "part of a code", expr: "in_eea('E E', event.date)", want: False},
		{name: "within", expr: "within(['name'], listed('who'))", want: True},
		{name: "not within", expr: "within(['name', 'email'], listed('who'))", want: False},
		{name: "nothing is within", expr: "within([], listed('who'))", want: True},
		{name: "thirty days over a change to summer time", expr: "days_between(breach.date, event.date) == 71", facts: set(event.BreachDate, day("2024-03-31")), want: True},
		{name: "a date written out", expr: "before(event.date, date('2024-06-11')) && after(event.date, date('2024-06-09'))", want: True},
		{name: "null is null", expr: "contract_end != null", facts: set(event.ContractEnd, event.Value{State: event.Null}), want: False},
		{name: "a text is in a list", expr: "breach.kind in ['payment', 'other']", facts: set(event.BreachKind, event.TextValue("other")), want: True},
		{name: "a text of which nothing is known", expr: "breach.kind in ['payment']", want: Unknown, missing: "breach.kind"},
		{name: "the condition of a conditional is unknown", expr: "necessity ? true : false", want: Unknown, missing: "necessity"},
		{name: "conditional", expr: "event.operation == 'use' ? necessity : false", facts: set(event.Necessity, event.BoolValue(true)), want: True},
		{name: "unknown goes before a failure", expr: "before(event.date, breach.ended_on) || necessity", facts: set(event.BreachEndedOn, event.Value{State: event.Null}), want: Unknown, missing: "necessity"},
		{name: "truth values compared", expr: "necessity == true", facts: set(event.Necessity, event.BoolValue(false)), want: False},
		{name: "an operation that there is not", expr: "event.operation != 'sell'", want: True},
		{name: "recipient not stated", expr: "recipient.declared", want: Unknown, missing: "recipient"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cond, err := env.Compile(c.expr)
			if err != nil {
				t.Fatal(err)
			}
			var facts event.Facts
			if c.facts != nil {
				c.facts(&facts)
			}
			s := &Scope{Event: &event.Event{Controller: "acme", Purpose: "acme/p", Time: instant(at), Operation: event.Use}, Zone: zone}
			s.Use(&facts)
			got, missing := cond.Eval(s)
			if got != c.want || strings.Join(missing.Append(nil), ",") != c.missing {
				t.Errorf("%s: %v for want of %v; want %v for want of %q", c.expr, got, missing.Append(nil), c.want, c.missing)
			}
		})
	}
}

// TestElapsed: the corresponding day itself, by both ways of counting; a year
// from 29 February ends on 28 February.
func TestElapsed(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("Europe/Tallinn")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		period, from, at string
		calendar, tsus   Truth
	}{
		{"P30D", "2024-03-01", "2024-03-30T23:59:59+02:00", False, False},
		{"P30D", "2024-03-01", "2024-03-31T00:00:00+02:00", True, False},
		{"P30D", "2024-03-01", "2024-03-31T23:59:59+03:00", True, False},
		{"P30D", "2024-03-01", "2024-04-01T00:00:00+03:00", True, True},
		{"P5Y", "2019-05-20", "2024-05-19T23:59:59+03:00", False, False},
		{"P5Y", "2019-05-20", "2024-05-20T12:00:00+03:00", True, False},
		{"P5Y", "2019-05-20", "2024-05-21T00:00:00+03:00", True, True},
		{"P1Y", "2024-02-29", "2025-02-28T00:00:00+02:00", True, False},
		{"P1Y", "2024-02-29", "2025-03-01T00:00:00+02:00", True, True},
		{"P6M", "2024-08-31", "2025-02-28T12:00:00+02:00", True, False},
	} {
		for tsus, want := range map[bool]Truth{false: c.calendar, true: c.tsus} {
			env, err := NewEnv(Vocabulary{TsUS: tsus})
			if err != nil {
				t.Fatal(err)
			}
			cond, err := env.Compile("elapsed('" + c.period + "', breach.date, event.date)")
			if err != nil {
				t.Fatal(err)
			}
			var f event.Facts
			f.Set(event.BreachDate, day(c.from))
			s := &Scope{Event: &event.Event{Time: instant(c.at)}, Zone: zone}
			s.Use(&f)
			if got, _ := cond.Eval(s); got != want {
				t.Errorf("%s from %s at %s (TsÜS: %v): %v, want %v", c.period, c.from, c.at, tsus, got, want)
			}
		}
	}
}

// TestRefused: what CEL takes and no register needs is refused, with its place.
func TestRefused(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	for expr, want := range map[string]string{
		"elapsed('30 days', breach.date, event.date)": "column 8: \"30 days\" is no period",
		"event.purpose + 'x' == 'y'":                  "write a text",
		"facts.known('necesity')":                     "did you mean \"necessity\"?",
		"necesity":                                    "did you mean \"necessity\"?",
		"consent.active('acme/p', timestamp('2024-01-01T00:00:00Z'))": "the moment is event.time",
		"add_years(event.date, 999999) == event.date":                 "whole number up to 1200",
		"date('2024-02-30') == event.date":                            "not of the form",
		"'a' < 'b'":                                                   "only whole numbers",
		"size(event.categories) == 1":                                 "",
	} {
		if _, err := env.Compile(expr); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", expr, err, want)
		}
	}
}

// TestEvalAllocatesNothing: a verdict is given for every event there is.
func TestEvalAllocatesNothing(t *testing.T) {
	cond, err := newEnv(t).Compile("consent.active(event.purpose, event.time) && (breach.ended_on == null || !elapsed('P5Y', breach.ended_on, event.date)) && within(event.categories, listed('who')) || necessity")
	if err != nil {
		t.Fatal(err)
	}
	s := &Scope{Event: &event.Event{Categories: []string{"name"}, Time: time.Unix(1e9, 0)}, Zone: time.UTC}
	var f event.Facts
	f.Set(event.BreachEndedOn, day("2001-01-01"))
	if n := testing.AllocsPerRun(100, func() { s.Use(&f); cond.Eval(s) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestUnitedKingdomAfterItsWithdrawal(t *testing.T) {
	t.Parallel()
	for date, want := range map[string]tri{"2020-01-31": yes, "2020-02-01": unknown, "2020-12-31": unknown, "2021-01-01": no} {
		if got := inEEA("gb", day(date).Day); got != want {
			t.Errorf("%s: %v, want %v", date, got, want)
		}
	}
}

// TestDateIsTheControllers: the night between two dates is the controller's.
func TestDateIsTheControllers(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("Europe/Tallinn")
	if err != nil {
		t.Fatal(err)
	}
	cond, err := newEnv(t).Compile("days_between(breach.date, event.date) == 30")
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]Truth{
		"2024-03-30T21:59:59Z": False, // 23:59:59 on the 30th in Tallinn
		"2024-03-30T22:00:00Z": True,  // the night the clocks go forward
		"2024-03-31T20:59:59Z": True,
		"2024-03-31T21:00:00Z": False,
	} {
		var f event.Facts
		f.Set(event.BreachDate, day("2024-03-01"))
		s := &Scope{Event: &event.Event{Time: instant(at)}, Zone: zone}
		s.Use(&f)
		if got, _ := cond.Eval(s); got != want {
			t.Errorf("%s: %v, want %v", at, got, want)
		}
	}
}

func FuzzCompile(f *testing.F) {
	for _, s := range []string{"necessity", "consent.active(event.purpose, event.time)", "in_eea('EE', event.date) || !necessity", "((((", "'a' == \"\\u0000\""} {
		f.Add(s)
	}
	env := newEnv(f)
	f.Fuzz(func(t *testing.T, expr string) {
		cond, err := env.Compile(expr)
		if err != nil {
			return
		}
		s := &Scope{Event: &event.Event{Time: time.Unix(0, 0)}, Zone: time.UTC}
		s.Use(&event.Facts{})
		cond.Eval(s)
	})
}
