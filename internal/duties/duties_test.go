package duties

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	registers "github.com/andmerada/andmerada/deploy/registers"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/register"
)

var tallinn = func() *time.Location {
	zone, err := time.LoadLocation("Europe/Tallinn")
	if err != nil {
		panic(err)
	}
	return zone
}()

// builtIn is a register that is built in, its text changed.
func builtIn(t testing.TB, file string, change ...string) *register.Register {
	t.Helper()
	text, err := fs.ReadFile(registers.FS, file)
	if err != nil {
		t.Fatal(err)
	}
	categories, err := fs.ReadFile(registers.FS, register.CategoriesFile)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer(change...).Replace(string(text))
	if len(change) > 0 && changed == string(text) {
		t.Fatalf("%s does not have %q", file, change[0])
	}
	r, findings := register.Parse(file, []byte(changed), categories)
	if r == nil {
		t.Fatal(findings)
	}
	return r
}

const elektrum, netpro = "elektrum/2018-05-25.yaml", "netpro/undated.yaml"

// fataler is a test, or one draw of a property's.
type fataler interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// local is a time in Tallinn.
func local(t fataler, s string) time.Time {
	t.Helper()
	for _, layout := range []string{time.DateTime, time.DateOnly} {
		if at, err := time.ParseInLocation(layout, s, tallinn); err == nil {
			return at
		}
	}
	t.Fatalf("%q is no time", s)
	return time.Time{}
}

var who = identity.Pseudonym{1, 2, 3}

// one makes a person of lines: "2024-01-31 fact offer_date "2024-01-31"", or
// "2024-02-01 erase price-offers name".
func one(t fataler, controller string, lines ...string) *Person {
	t.Helper()
	p := &Person{ID: who}
	for i, line := range lines {
		day, rest, _ := strings.Cut(line, " ")
		what, rest, _ := strings.Cut(rest, " ")
		at := local(t, day)
		if what == "fact" {
			name, value, _ := strings.Cut(rest, " ")
			f, err := event.DecodeFacts([]byte(fmt.Sprintf("{%q:%s}", name, value)))
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			p.Facts = append(p.Facts, Learnt{event.Fact{Name: name, Value: f, ValidFrom: at}, facts.Order{Recorded: at, Topic: "t", Offset: int64(i)}})
			continue
		}
		words := strings.Fields(rest)
		op, err := event.ParseOperation(what)
		if err != nil {
			t.Fatal(err)
		}
		a := Act{Place: Place{"t", 0, int64(i)}, Time: at.Add(12 * time.Hour), Operation: op, Purpose: controller + "/" + words[0], Categories: strings.Split(words[1], ",")}
		if len(words) > 2 {
			if a.Verdict, err = register.ParseOutcome(words[2]); err != nil {
				t.Fatal(err)
			}
			a.Rules = words[3:]
		}
		p.Acts = append(p.Acts, a)
	}
	return p
}

func show(all []Duty) (lines []string) {
	for _, d := range all {
		s := fmt.Sprintf("%s %s %s %s since %s due %s %s", d.Kind, d.State, d.Rule, d.About, d.Since, d.Due, d.Outcome)
		if d.Count > 0 {
			s += fmt.Sprintf(" x%d", d.Count)
		}
		if len(d.Missing) > 0 {
			s += " without " + strings.Join(d.Missing, ",")
		}
		lines = append(lines, s)
	}
	return lines
}

func TestDuties(t *testing.T) {
	t.Parallel()
	noDebt, noClient := `2020-01-01 fact debt_or_dispute false`, `2020-01-01 fact became_client false`
	offer := `2023-08-31 fact offer_date "2023-08-31"` // and half a year later is 29 February
	parsed := map[string]*register.Register{elektrum: builtIn(t, elektrum), netpro: builtIn(t, netpro)}
	for name, c := range map[string]struct {
		register string
		at       string
		lines    []string
		want     []string
	}{
		"half a year ends with February": {
			elektrum, "2024-02-29 23:59:59",
			[]string{offer, noDebt, noClient},
			[]string{"erase due ELK-T4 offer_date since 2023-08-31 due 2024-02-29 violation"},
		},
		"the day after": {
			elektrum, "2024-03-01",
			[]string{offer, noDebt, noClient},
			[]string{"erase overdue ELK-T4 offer_date since 2023-08-31 due 2024-02-29 violation"},
		},
		"thirty days before": {
			elektrum, "2024-01-30",
			[]string{offer, noDebt, noClient},
			[]string{"erase due ELK-T4 offer_date since 2023-08-31 due 2024-02-29 violation"},
		},
		"thirty-one days before": {elektrum, "2024-01-29", []string{offer, noDebt, noClient}, nil},
		"not known whether there is a debt": {
			elektrum, "2024-03-01",
			[]string{offer, noClient},
			[]string{"erase overdue ELK-T4 offer_date since 2023-08-31 due 2024-02-29 review without debt_or_dispute"},
		},
		"became a client":          {elektrum, "2024-03-01", []string{offer, noDebt, `2023-09-01 fact became_client true`}, nil},
		"erased":                   {elektrum, "2024-03-01", []string{offer, noDebt, noClient, "2024-02-01 erase price-offers name"}, nil},
		"erased on the day itself": {elektrum, "2024-03-01", []string{offer, noDebt, noClient, "2023-08-31 erase price-offers name"}, nil},
		"something else erased": {
			elektrum, "2024-03-01",
			[]string{offer, noDebt, noClient, "2024-02-01 erase billing name"},
			[]string{"erase overdue ELK-T4 offer_date since 2023-08-31 due 2024-02-29 violation"},
		},
		"erased before the offer": {
			elektrum, "2024-03-01",
			[]string{offer, noDebt, noClient, "2023-08-30 erase price-offers name"},
			[]string{"erase overdue ELK-T4 offer_date since 2023-08-31 due 2024-02-29 violation"},
		},
		"kept after it was erased": {
			elektrum, "2024-03-01",
			[]string{offer, noDebt, noClient, "2024-02-01 erase price-offers name", "2024-02-02 retain price-offers name"},
			[]string{"erase overdue ELK-T4 offer_date since 2023-08-31 due 2024-02-29 violation"},
		},
		"erased only later": {
			elektrum, "2024-03-01",
			[]string{offer, noDebt, noClient, "2024-03-05 erase price-offers name"},
			[]string{"erase overdue ELK-T4 offer_date since 2023-08-31 due 2024-02-29 violation"},
		},
		"each offer counts": {
			elektrum, "2024-03-01",
			[]string{offer, noDebt, noClient, `2023-09-05 fact offer_date "2023-09-05"`, offer},
			[]string{
				"erase overdue ELK-T4 offer_date since 2023-08-31 due 2024-02-29 violation",
				"erase due ELK-T4 offer_date since 2023-09-05 due 2024-03-05 violation",
			},
		},
		"a floor asks nothing": {elektrum, "2024-03-01", []string{`2020-01-01 fact contract_end "2020-01-01"`, noDebt}, nil},
		"leap day": {
			netpro, "2026-02-28",
			[]string{`2024-02-29 fact relationship_end "2024-02-29"`},
			[]string{"erase due NET-T2 relationship_end since 2024-02-29 due 2026-02-28 violation"},
		},
		"the day after two years": {
			netpro, "2026-03-01",
			[]string{`2024-02-29 fact relationship_end "2024-02-29"`},
			[]string{"erase overdue NET-T2 relationship_end since 2024-02-29 due 2026-02-28 violation"},
		},
		"a client again": {netpro, "2026-03-01", []string{`2024-02-29 fact relationship_end "2024-02-29"`, `2025-01-01 fact relationship_end null`}, nil},
		"a law asks for longer": {
			netpro, "2026-03-01",
			[]string{`2024-02-29 fact relationship_end "2024-02-29"`, `2024-02-29 fact legal_obligation {"exists":true}`},
			[]string{"erase overdue NET-T2 relationship_end since 2024-02-29 due 2026-02-28 review"},
		},
		// Clocks go forward at 03:00 on 31 March 2024; 00:30 is the 31st in Tallinn and the 30th in UTC.
		"summer time begins": {
			netpro, "2024-03-31 00:30:00",
			[]string{`2022-03-30 fact relationship_end "2022-03-30"`},
			[]string{"erase overdue NET-T2 relationship_end since 2022-03-30 due 2024-03-30 violation"},
		},
		"winter time begins": {
			netpro, "2024-10-27 23:59:59",
			[]string{`2022-10-27 fact relationship_end "2022-10-27"`},
			[]string{"erase due NET-T2 relationship_end since 2022-10-27 due 2024-10-27 violation"},
		},

		"erased too early": {
			elektrum, "2024-03-01",
			[]string{`2023-12-31 fact contract_end "2023-12-31"`, "2024-02-01 erase billing name violation ELK-T5 X"},
			[]string{"erased-early happened ELK-T5 elektrum/billing since 2024-02-01 due 2026-12-31 violation x1"},
		},
		"erased in time":              {elektrum, "2024-03-01", []string{"2024-02-01 erase billing name allowed ELK-T5"}, nil},
		"erased against another rule": {elektrum, "2024-03-01", []string{"2024-02-01 erase billing name violation ELK-01"}, nil},

		"a request": {
			elektrum, "2024-02-29",
			[]string{`2024-01-31 fact request [{"type":"access","made_at":"2024-01-31T10:00:00+02:00","handled":false}]`},
			[]string{"answer due GDPR Art. 12(3) access since 2024-01-31 due 2024-02-29 violation"},
		},
		"a request waits too long": {
			elektrum, "2024-03-01",
			[]string{`2024-01-31 fact request [{"type":"access","made_at":"2024-01-31T10:00:00+02:00","handled":false}]`},
			[]string{"answer overdue GDPR Art. 12(3) access since 2024-01-31 due 2024-02-29 violation"},
		},
		"a request of late evening": {
			elektrum, "2024-02-01",
			[]string{`2024-01-01 fact request [{"type":"access","made_at":"2023-12-31T22:30:00Z"}]`},
			[]string{"answer due GDPR Art. 12(3) access since 2024-01-01 due 2024-02-01 review without request.handled"},
		},
		"a request for an offer is no right": {elektrum, "2024-03-01", []string{`2024-01-31 fact request [{"type":"offer","made_at":"2024-01-31T10:00:00+02:00","handled":false}]`}, nil},
		"a request was handled": {elektrum, "2024-03-01", []string{
			`2024-01-31 fact request [{"type":"access","made_at":"2024-01-31T10:00:00+02:00","handled":false}]`,
			`2024-02-10 fact request [{"type":"access","made_at":"2024-01-31T10:00:00+02:00","handled":true}]`,
		}, nil},

		"used after the withdrawal": {elektrum, "2024-03-01", []string{
			`2023-01-01 fact consent [{"purpose":"elektrum/direct-marketing","given_at":"2023-01-01T00:00:00Z"}]`,
			`2024-02-01 fact consent [{"purpose":"elektrum/direct-marketing","given_at":"2023-01-01T00:00:00Z","withdrawn_at":"2024-02-01T08:00:00Z"}]`,
			"2024-01-31 send direct-marketing name violation ELK-09", // for another reason
			"2024-02-01 send direct-marketing name violation ELK-03",
			"2024-02-20 use direct-marketing name violation ELK-02",
			"2024-02-21 use direct-marketing name allowed ELK-02",
			"2024-02-22 use billing name violation ELK-02",
			"2024-03-02 use direct-marketing name violation ELK-02", // not yet
		}, []string{"stop overdue ELK-02 elektrum/direct-marketing since 2024-02-01 due 2024-02-01 violation x2"}},
	} {
		r := parsed[c.register]
		b := NewBook(r, local(t, c.at), 30)
		if got := show(b.Of(nil, one(t, r.Controller.ID, c.lines...))); !slices.Equal(got, c.want) {
			t.Errorf("%s:\n got %s\nwant %s", name, strings.Join(got, "\n     "), strings.Join(c.want, "\n     "))
		}
	}
}

func TestPeriodsAreTold(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		elektrum: "ELK-T3 recorded_on ceiling, ELK-T4 offer_date ceiling, ELK-T5 contract_end floor, ELK-T6 financial_year_end floor ceiling, ELK-T7 communication_end ceiling",
		netpro:   "NET-T2 relationship_end ceiling",
	} {
		b := NewBook(builtIn(t, file), time.Time{}, 0)
		var got []string
		for _, p := range b.Periods() {
			s := p.Rule.ID + " " + p.Start.String()
			if p.Floor {
				s += " floor"
			}
			if p.Ceiling {
				s += " ceiling"
			}
			got = append(got, s)
			if p.Ceiling && len(p.probes) == 0 {
				t.Errorf("%s has no act that it speaks of", p.Rule.ID)
			}
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s: %s, want %s", file, strings.Join(got, ", "), want)
		}
		for _, u := range b.Untold() {
			if u.Why == "" {
				t.Errorf("%s: no reason", u.Rule)
			}
		}
	}
}

// The days that are worked out here are those that the register's own rule
// draws, under both conventions.
func TestDaysAgreeWithTheRules(t *testing.T) {
	t.Parallel()
	for _, r := range []*register.Register{
		builtIn(t, elektrum), builtIn(t, elektrum, "period_convention: calendar", "period_convention: tsys"), builtIn(t, netpro),
	} {
		t.Run(r.Controller.ID+" "+r.PeriodConvention, func(t *testing.T) {
			t.Parallel()
			b := NewBook(r, time.Time{}, 0)
			rapid.Check(t, func(t *rapid.T) {
				p := rapid.SampledFrom(b.Periods()).Draw(t, "period")
				start := event.NewDate(2000, 1, 1) + event.Date(rapid.IntRange(0, 12_000).Draw(t, "start"))
				var f event.Facts
				f.Set(event.DebtOrDispute, event.BoolValue(false))
				f.Set(event.BecameClient, event.BoolValue(false))
				f.Set(event.RecordingClass, event.TextValue("none-of-these"))
				if p.Ceiling {
					for off, want := range map[int]register.Outcome{0: register.Allowed, 1: register.Violation} {
						day := p.LastDay(start) + event.Date(off)
						if got, missing := b.held(p, &f, start, day); got != want {
							t.Errorf("%s from %s: held on %s is %v (%v), want %v", p.Rule.ID, start, day, got, missing, want)
						}
					}
				}
				if p.Floor {
					f.Set(p.Start, event.DayValue(start))
					for off, want := range map[int]register.Outcome{-1: register.Violation, 0: register.Allowed} {
						day := p.FirstDay(start) + event.Date(off)
						ev := event.Event{Kind: event.Processing, Operation: event.Erase, Controller: r.Controller.ID, Purpose: p.probes[0].purpose, Categories: p.probes[0].categories, Time: noon(day, r.Zone)}
						if got, missing := b.outcome(p, &ev, &f); got != want {
							t.Errorf("%s from %s: erased on %s is %v (%v), want %v", p.Rule.ID, start, day, got, missing, want)
						}
					}
				}
			})
		})
	}
}

// The order in which facts and acts are given does not matter, and later ones
// change nothing.
func TestOrderDoesNotMatter(t *testing.T) {
	t.Parallel()
	r := builtIn(t, elektrum)
	lines := []string{
		`2023-08-31 fact offer_date "2023-08-31"`, `2023-09-03 fact offer_date "2023-09-03"`, `2023-08-31 fact became_client false`, `2023-08-31 fact debt_or_dispute false`,
		`2024-01-31 fact request [{"type":"access","made_at":"2024-01-31T10:00:00+02:00","handled":false}]`, `2022-01-01 fact recorded_on "2022-01-01"`,
		"2023-09-01 erase price-offers name", "2023-09-02 retain price-offers name", "2024-02-01 erase billing name violation ELK-T5",
	}
	later := []string{"2024-03-02 erase price-offers name", `2024-03-02 fact became_client true`, `2024-03-02 fact debt_or_dispute true`}
	at := local(t, "2024-03-01")
	want := show(NewBook(r, at, 30).Of(nil, one(t, "elektrum", lines...)))
	if len(want) < 4 {
		t.Fatalf("duties %q", want)
	}
	book := NewBook(r, at, 30)
	rapid.Check(t, func(t *rapid.T) {
		book.store = nil // the same person again
		p := one(t, "elektrum", append(slices.Clone(lines), later[:rapid.IntRange(0, len(later)).Draw(t, "later")]...)...)
		p.Facts = rapid.Permutation(p.Facts).Draw(t, "facts")
		p.Acts = rapid.Permutation(p.Acts).Draw(t, "acts")
		if got := show(book.Of(nil, p)); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestLengths(t *testing.T) {
	t.Parallel()
	day := func(s string) event.Date {
		d, err := event.ParseDate(s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for length, want := range map[string]string{"P1M": "2024-02-29", "P30D": "2024-03-01", "P1Y": "2025-01-31", "P1Y1M": "2025-02-28", "P2W": "2024-02-14", "P1M1D": "2024-03-01"} {
		l, err := ParseLength(length)
		if got := l.After(day("2024-01-31")); err != nil || got != day(want) {
			t.Errorf("%s: %s, %v; want %s", length, got, err, want)
		}
	}
	for _, bad := range []string{"", "P", "as long as necessary", "P0.5Y", "PT5H", "P30D to P5Y", "P1000000Y"} {
		if _, err := ParseLength(bad); err == nil {
			t.Errorf("%q is a length", bad)
		}
	}
}

// A processor's agreement is held against what it received while it stood so.
func TestAgreements(t *testing.T) {
	t.Parallel()
	r := builtIn(t, elektrum)
	said := func(day, recipient, value string) Learnt {
		f, err := event.DecodeFacts([]byte(`{"processor":` + value + `}`))
		if err != nil {
			t.Fatal(err)
		}
		at := local(t, day)
		return Learnt{event.Fact{Name: "processor", Value: f, ValidFrom: at, AboutOrg: recipient}, facts.Order{Recorded: at, Topic: "t", Offset: at.Unix()}}
	}
	b := NewBook(r, local(t, "2024-06-01"), 30)
	got := func(said ...Learnt) []string {
		t.Helper()
		all, err := b.Agreements(nil, said, func(from, to time.Time) (all []Received, _ error) {
			for _, who := range []string{"elektrum/processors", "elektrum/creditinfo-eesti", "elektrum/nobody"} {
				x := Received{Recipient: who}
				for month := time.January; month <= time.June; month++ { // once a month, on the 15th
					if at := time.Date(2024, month, 15, 12, 0, 0, 0, tallinn); !at.Before(from) && at.Before(to) {
						if x.Count++; x.Count == 1 {
							x.First = at
						}
						x.Last = at
					}
				}
				if x.Count > 0 {
					all = append(all, x)
				}
			}
			return all, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return show(all)
	}
	rule := b.agreementRule()
	yes, no := `{"contract":true,"confidentiality":true}`, `{"contract":false,"confidentiality":true}`
	for name, c := range map[string]struct {
		said []Learnt
		want []string
	}{
		"nothing is known": {nil, []string{fmt.Sprintf("agreement overdue %s elektrum/processors since 2024-01-15 due 2024-01-15 review x5 without processor.contract,processor.confidentiality", rule)}},
		"all is well":      {[]Learnt{said("2024-01-01", "elektrum/processors", yes)}, nil},
		"another's":        {[]Learnt{said("2024-01-01", "elektrum/creditinfo-eesti", no), said("2024-01-01", "elektrum/processors", yes)}, nil},
		"it ran out": {
			[]Learnt{said("2024-04-01", "elektrum/processors", no), said("2024-01-01", "elektrum/processors", yes)},
			[]string{fmt.Sprintf("agreement overdue %s elektrum/processors since 2024-04-15 due 2024-04-15 violation x2 without processor.contract", rule)},
		},
		"it was mended": {
			[]Learnt{said("2024-01-01", "elektrum/processors", no), said("2024-03-01", "elektrum/processors", yes)},
			[]string{fmt.Sprintf("agreement happened %s elektrum/processors since 2024-01-15 due 2024-01-15 violation x2 without processor.contract", rule)},
		},
		"it runs out later": {[]Learnt{said("2024-01-01", "elektrum/processors", yes), said("2024-07-01", "elektrum/processors", no)}, nil},
	} {
		if got := got(c.said...); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestLinks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l := NewLinks()
		model := make(map[byte]byte) // whole, by the lowest
		of := func(p byte) byte {
			if r, ok := model[p]; ok {
				return r
			}
			return p
		}
		for range rapid.IntRange(0, 20).Draw(t, "facts") {
			a, b := rapid.ByteRange(1, 15).Draw(t, "a"), rapid.ByteRange(1, 15).Draw(t, "b")
			l.Join(identity.Pseudonym{a}, identity.Pseudonym{b})
			low, high := min(of(a), of(b)), max(of(a), of(b))
			model[a], model[b] = of(a), of(b)
			for p, r := range model {
				if r == high {
					model[p] = low
				}
			}
		}
		for a := byte(1); a <= 15; a++ {
			number, last, linked := l.Whole(identity.Pseudonym{a})
			_, want := model[a]
			highest := a
			for b := byte(1); b <= 15; b++ {
				other, _, also := l.Whole(identity.Pseudonym{b})
				if one := linked && also && number == other; one != (want && of(a) == of(b) && model[b] != 0) {
					t.Errorf("%d and %d are one: %v", a, b, one)
				}
				if want && model[b] != 0 && of(a) == of(b) {
					highest = max(highest, b)
				}
			}
			if linked != want || last != (identity.Pseudonym{highest}) {
				t.Errorf("%d: linked %v, last %v, want %v, %d", a, linked, last, want, highest)
			}
		}
	})
}

// BenchmarkOf works out the duties to one person of whom five facts are known.
func BenchmarkOf(b *testing.B) {
	for name, debt := range map[string]string{"known": `2020-01-01 fact debt_or_dispute false`, "unknown": `2023-08-31 fact contract_end "2023-08-31"`} {
		b.Run(name, func(b *testing.B) {
			book := NewBook(builtIn(b, elektrum), local(b, "2024-03-01"), 30)
			p := one(b, "elektrum", debt, `2023-08-31 fact offer_date "2023-08-31"`, `2020-01-01 fact became_client false`,
				`2022-01-01 fact recorded_on "2022-01-01"`, `2023-08-31 fact consent [{"purpose":"elektrum/direct-marketing","given_at":"2023-01-01T00:00:00Z"}]`)
			var all []Duty
			b.ReportAllocs()
			for b.Loop() {
				if p.ID[0]++; p.ID[0] == 0 { // each is another person
					if p.ID[1]++; p.ID[1] == 0 {
						p.ID[2]++
					}
				}
				all = book.Of(all[:0], p)
			}
			b.ReportMetric(float64(len(all)), "duties")
		})
	}
}
