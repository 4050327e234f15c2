package unusual

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/event"
)

// day0 is a Monday.
var day0 = event.NewDate(2026, 3, 2)

func on(day int, hour int) time.Time {
	return time.Date(2026, 3, 2+day, hour, 0, 0, 0, time.UTC)
}

func dateOf(t time.Time) event.Date { return event.DateOf(t, time.UTC) }

// worked is a day with so many persons, all in some hours.
func worked(day int, persons uint32, hours ...int) Day {
	d := Day{Date: day0 + event.Date(day), Events: persons, Persons: persons, Top: persons, TopHour: uint8(hours[0]), First: on(day, hours[0]).UnixMilli()}
	for _, h := range hours {
		d.Hours |= 1 << h
	}
	return d
}

// team is an actor with 30 days of 20 to 24 persons in the hours from 9 to 11, and
// so many peers who did the same.
func team(peers int) *Habits {
	h := NewHabits(60)
	for day := range 30 {
		h.Add(Who{"mari", "clerk"}, worked(day, uint32(20+day%5), 9, 10, 11))
		for p := range peers {
			h.Add(Who{"peer-" + string(rune('a'+p)), "clerk"}, worked(day, uint32(20+(day+p)%7), 9, 10, 11))
		}
	}
	return h
}

func TestVolumes(t *testing.T) {
	t.Parallel()
	rule := Rule{ID: "U", Kind: Volume, Per: "day", Minimum: 10, Deviations: 5, OwnDays: 10, Percentile: 99, Peers: 2}
	mari, new := Who{"mari", "clerk"}, Who{"new", "clerk"}
	// Own median 22, deviation 1: the limit is 27. The peers' 99th percentile is 26.
	for _, c := range []struct {
		name  string
		peers int
		who   Who
		day   int
		n     uint32
		rule  func(*Rule)
		says  string // empty: no hit
	}{
		{"above both", 3, mari, 30, 28, nil, "28 persons in a day; own median 22 on 30 days; 99th percentile of 3 peers: 26"},
		{"as many as the own limit", 3, mari, 30, 27, nil, ""},
		{"above the own limit, not above the peers", 3, mari, 30, 28, func(r *Rule) { r.Deviations = 1; r.Percentile = 100 }, "28 persons in a day; own median 22 on 30 days; 100th percentile of 3 peers: 26"},
		{"as many as the peers' percentile", 3, mari, 30, 26, func(r *Rule) { r.Deviations = 1 }, ""},
		{"too few peers to say", 1, mari, 30, 28, nil, "28 persons in a day; own median 22 on 30 days"},
		{"too few peers and within habit", 1, mari, 30, 27, nil, ""},
		{"somebody new, above the peers", 3, new, 30, 27, nil, "27 persons in a day; 99th percentile of 4 peers: 26"},
		{"somebody new, without peers", 0, Who{"new", "other"}, 30, 4000, nil, ""},
		{"somebody new, without peers, beyond all bounds", 0, Who{"new", "other"}, 30, 5000, func(r *Rule) { r.Always = 5000 }, "5000 persons in a day"},
		{"within habit, beyond all bounds", 3, mari, 30, 23, func(r *Rule) { r.Always = 23 }, "23 persons in a day; own median 22 on 30 days; 99th percentile of 3 peers: 26"},
		{"below the minimum", 3, mari, 30, 28, func(r *Rule) { r.Minimum = 29 }, ""},
		{"the history is too old", 3, mari, 90, 28, nil, "28 persons in a day; 99th percentile of 3 peers: 26"},
		{"outside the period", 3, mari, 120, 280, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := team(c.peers)
			h.Add(c.who, worked(c.day, c.n, 9))
			r := rule
			if c.rule != nil {
				c.rule(&r)
			}
			// In the period is but the day: the habits themselves are none.
			hits := h.Volumes(&r, day0+30, day0+100)
			check(t, hits, c.says)
			if len(hits) > 0 && (hits[0].Date != day0+event.Date(c.day) || hits[0].Who != c.who || !hits[0].First.Equal(on(c.day, 9))) {
				t.Errorf("%+v", hits[0])
			}
		})
	}
}

func check(t *testing.T, hits []Hit, says string) {
	t.Helper()
	var got []string
	for i := range hits {
		got = append(got, hits[i].Says(hits[i].Use))
	}
	if strings.Join(got, " | ") != says {
		t.Errorf("%q, want %q", strings.Join(got, " | "), says)
	}
}

func TestVolumesInAnHour(t *testing.T) {
	t.Parallel()
	h := team(3)
	d := worked(30, 80, 3, 9)
	d.Top = 60
	h.Add(Who{"mari", "clerk"}, d)
	r := Rule{ID: "U", Kind: Volume, Per: "hour", Minimum: 10, Deviations: 5, OwnDays: 10, Percentile: 99, Peers: 2}
	check(t, h.Volumes(&r, day0+30, day0+31), "60 persons in the hour from 03:00; own median 22 on 30 days; 99th percentile of 3 peers: 26")
}

func TestHours(t *testing.T) {
	t.Parallel()
	rule := Rule{ID: "U", Kind: Hour, Around: 1, OwnDays: 10, Peers: 2, PeersAtMost: 2}
	for _, c := range []struct {
		name  string
		peers int
		hours []int
		rule  func(*Rule)
		says  string
	}{
		{"at night", 3, []int{3, 10}, nil, "acts in the hour from 03:00; at or near it before on 0 of 30 own days, on 0 of 90 days of 3 peers"},
		{"two hours at night", 1, []int{2, 3}, nil, "acts in the hour from 02:00, 03:00; at or near it before on 0 of 30 own days"},
		{"an hour beside the usual ones", 3, []int{12}, nil, ""},
		{"two hours beside the usual ones", 3, []int{13}, nil, "acts in the hour from 13:00; at or near it before on 0 of 30 own days, on 0 of 90 days of 3 peers"},
		{"midnight is near one", 3, []int{0}, func(r *Rule) { r.Around = 9 }, ""},
		{"days are to be known", 3, []int{3}, func(r *Rule) { r.OwnDays = 31 }, ""},
		{"seldom is enough", 3, []int{10}, func(r *Rule) { r.OwnAtMost, r.PeersAtMost = 30, 100 }, "acts in the hour from 10:00; at or near it before on 30 of 30 own days, on 90 of 90 days of 3 peers"},
		{"the peers do so too", 3, []int{10}, func(r *Rule) { r.OwnAtMost, r.PeersAtMost = 30, 99 }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := team(c.peers)
			h.Add(Who{"mari", "clerk"}, worked(30, 5, c.hours...))
			r := rule
			if c.rule != nil {
				c.rule(&r)
			}
			check(t, h.Hours(&r, day0+30, day0+31), c.says)
		})
	}
}

func TestNewUses(t *testing.T) {
	t.Parallel()
	mari := Who{"mari", "clerk"}
	for _, c := range []struct {
		name  string
		of    string
		first time.Time
		alike int // of three peers
		rule  Rule
		says  string
	}{
		{"new for all", "purpose", on(30, 9), 0, Rule{OwnDays: 10, Peers: 2, PeersAtMost: 20}, "first for audit: 2 events; never on 30 own days before, and 0 of 3 peers"},
		{"a new category", "category", on(30, 9), 0, Rule{OwnDays: 10, Peers: 4, PeersAtMost: 20}, "first audit: 2 events; never on 30 own days before"},
		{"a peer had it", "purpose", on(30, 9), 1, Rule{OwnDays: 10, Peers: 2, PeersAtMost: 20}, ""},
		{"a peer had it, which may be", "purpose", on(30, 9), 1, Rule{OwnDays: 10, Peers: 2, PeersAtMost: 34}, "first for audit: 2 events; never on 30 own days before, and 1 of 3 peers"},
		{"not new", "purpose", on(29, 9), 0, Rule{OwnDays: 10, Peers: 2, PeersAtMost: 20}, ""},
		{"too little is known", "purpose", on(30, 9), 0, Rule{OwnDays: 31, Peers: 2, PeersAtMost: 20}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := team(3)
			h.AddUse(c.of, mari, Use{Value: "audit", Events: 2, First: c.first, Last: on(31, 9)})
			for p := range c.alike {
				h.AddUse(c.of, Who{"peer-" + string(rune('a'+p)), "clerk"}, Use{Value: "audit", Events: 1, First: on(5, 9), Last: on(5, 9)})
			}
			c.rule.ID, c.rule.Kind, c.rule.Of = "U", NewUse, c.of
			check(t, h.NewUses(&c.rule, on(30, 0), dateOf), c.says)
		})
	}
}

func TestByFacts(t *testing.T) {
	t.Parallel()
	known := func(fill ...func(*event.Facts)) *event.Facts {
		f := new(event.Facts)
		for _, fill := range fill {
			fill(f)
		}
		return f
	}
	text := func(field event.Field, s string) func(*event.Facts) {
		return func(f *event.Facts) { f.Set(field, event.TextValue(s)) }
	}
	is := func(field event.Field, b bool) func(*event.Facts) {
		return func(f *event.Facts) { f.Set(field, event.BoolValue(b)) }
	}
	day := func(field event.Field, day int) func(*event.Facts) {
		return func(f *event.Facts) { f.Set(field, event.DayValue(day0+event.Date(day))) }
	}
	state := func(field event.Field, s event.State) func(*event.Facts) {
		return func(f *event.Facts) { f.Set(field, event.Value{State: s}) }
	}
	request := func(handled event.Value) func(*event.Facts) {
		return func(f *event.Facts) {
			f.Requests = event.List[event.Request]{Known: true, Entries: []event.Request{{Handled: handled}}}
		}
	}
	self := text(event.ActorRelation, "self")
	ended := "1 access on 1 day, without a reason; contract or relationship ended on 2026-03-02, 40 days before"
	for _, c := range []struct {
		name string
		kind Kind
		act  Act
		rule Rule
		says string
	}{
		{"one's own record", OwnRecord, Act{Known: known(self), Reasoned: true}, Rule{}, "1 access on 1 day to the record that a fact says is the actor's own"},
		{"one's own record with a reason", OwnRecord, Act{Known: known(self), Reasoned: true}, Rule{UnlessReason: true}, ""},
		{"somebody else's", OwnRecord, Act{Known: known(text(event.ActorRelation, "family"))}, Rule{}, ""},
		{"nothing known", OwnRecord, Act{Known: known()}, Rule{}, ""},
		{"family", Relation, Act{Known: known(text(event.ActorRelation, "family"))}, Rule{Relations: []string{"family"}}, "1 access on 1 day to the record of a person whom a fact calls family"},
		{"an acquaintance, where family is asked for", Relation, Act{Known: known(text(event.ActorRelation, "acquaintance"))}, Rule{Relations: []string{"family"}}, ""},
		{"a relation taken back", Relation, Act{Known: known(text(event.ActorRelation, "none"))}, Rule{Relations: []string{"family"}}, ""},
		{"another employee's own", Colleague, Act{Known: known(), Employee: true}, Rule{}, "1 access on 1 day to the record of another employee, as a fact says"},
		{"a colleague by name", Colleague, Act{Known: known(text(event.ActorRelation, "colleague"))}, Rule{}, "1 access on 1 day to the record of another employee, as a fact says"},
		{"one's own is no colleague's", Colleague, Act{Known: known(self), Employee: true}, Rule{}, ""},
		{"a colleague, with a reason", Colleague, Act{Known: known(), Employee: true, Reasoned: true}, Rule{UnlessReason: true}, ""},
		{"a public figure", PublicEye, Act{Known: known(is(event.PublicFigure, true))}, Rule{}, "1 access on 1 day to the record of a person in the public eye, as a fact says"},
		{"no public figure any more", PublicEye, Act{Known: known(is(event.PublicFigure, false))}, Rule{}, ""},
		{"long ended", NoRelationship, Act{Known: known(day(event.ContractEnd, 0))}, Rule{AfterDays: 39}, ended},
		{"only just ended", NoRelationship, Act{Known: known(day(event.ContractEnd, 0))}, Rule{AfterDays: 40}, ""},
		{"the contract ended, the relationship did not", NoRelationship, Act{Known: known(day(event.ContractEnd, 0), state(event.RelationshipEnd, event.Null))}, Rule{}, ""},
		{"the later end counts", NoRelationship, Act{Known: known(day(event.ContractEnd, -9), day(event.RelationshipEnd, 0))}, Rule{}, ended},
		{"an end that is said to be unknown", NoRelationship, Act{Known: known(day(event.ContractEnd, 0), state(event.RelationshipEnd, event.Unknown))}, Rule{}, ""},
		{"a contract is in force", NoRelationship, Act{Known: known(day(event.ContractEnd, 0), is(event.ContractInForce, true))}, Rule{}, ""},
		{"no contract is in force", NoRelationship, Act{Known: known(is(event.ContractInForce, false))}, Rule{}, "1 access on 1 day, without a reason; of contract or relationship nothing is known"},
		{"a debt is open", NoRelationship, Act{Known: known(day(event.ContractEnd, 0), is(event.DebtOrDispute, true))}, Rule{}, ""},
		{"a request is open", NoRelationship, Act{Known: known(day(event.ContractEnd, 0), request(event.BoolValue(false)))}, Rule{}, ""},
		{"a request may be open", NoRelationship, Act{Known: known(day(event.ContractEnd, 0), request(event.Value{}))}, Rule{}, ""},
		{"a request is handled", NoRelationship, Act{Known: known(day(event.ContractEnd, 0), request(event.BoolValue(true)))}, Rule{}, ended},
		{"ended, with a reason", NoRelationship, Act{Known: known(day(event.ContractEnd, 0)), Reasoned: true}, Rule{UnlessReason: true}, ""},
		{"nothing is known, which is no hit", NoRelationship, Act{Known: known()}, Rule{}, ""},
		{"nothing is known, which is a hit", NoRelationship, Act{Known: known()}, Rule{WhenUnknown: true}, "1 access on 1 day, without a reason; of contract or relationship nothing is known"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.rule.ID, c.rule.Kind = "U", c.kind
			c.act.Time, c.act.Date, c.act.Who, c.act.Person = on(40, 9), day0+40, Who{"mari", "clerk"}, [16]byte{1}
			b := NewByFacts([]*Rule{&c.rule})
			b.Add(&c.act, kinds...)
			check(t, b.Hits(), c.says)
		})
	}
}

func TestActsOfOneHit(t *testing.T) {
	t.Parallel()
	f := new(event.Facts)
	f.Set(event.PublicFigure, event.BoolValue(true))
	b := NewByFacts([]*Rule{{ID: "U", Kind: PublicEye}})
	for _, hour := range []int{9, 10, 24 + 9} {
		at := on(0, hour)
		b.Add(&Act{Who: Who{"mari", "clerk"}, Person: [16]byte{1}, Time: at, Date: dateOf(at), Known: f}, PublicEye)
	}
	b.Add(&Act{Who: Who{"jaan", "clerk"}, Person: [16]byte{1}, Time: on(0, 9), Date: day0, Known: f}, PublicEye)
	hits := b.Hits()
	Sort(hits)
	if len(hits) != 2 || hits[0].Events != 3 || hits[0].Numbers.Days != 2 || !hits[0].First.Equal(on(0, 9)) || !hits[0].Last.Equal(on(1, 9)) || hits[1].Actor != "jaan" {
		t.Errorf("%+v", hits)
	}
}

func TestMeasures(t *testing.T) {
	t.Parallel()
	all := histogram{1: 50, 2: 48, 9: 2}
	for _, c := range []struct {
		percent int
		less    histogram
		want    int
	}{{50, nil, 1}, {51, nil, 2}, {98, nil, 2}, {99, nil, 9}, {100, nil, 9}, {100, histogram{9: 2}, 2}, {50, histogram{1: 50}, 2}, {50, all, -1}} {
		if got := all.percentile(c.percent, c.less); got != c.want {
			t.Errorf("%d%% without %v: %d, want %d", c.percent, c.less, got, c.want)
		}
	}
	if m, d := deviation([]int{9, 1, 2, 3}); m != 2.5 || d != 1 {
		t.Errorf("median %v, deviation %v", m, d)
	}
}

func TestDefaultRules(t *testing.T) {
	t.Parallel()
	var have []Kind
	for _, r := range Default().For("anybody") {
		have = append(have, r.Kind)
	}
	for _, k := range kinds {
		if !slices.Contains(have, k) {
			t.Errorf("no rule of the kind %s", k)
		}
	}
}

func TestOn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule Rule
		want bool
	}{{Rule{}, true}, {Rule{Off: true}, false}, {Rule{OffFor: []string{"acme"}}, false}, {Rule{OffFor: []string{"other"}}, true}, {Rule{OnlyFor: []string{"other"}}, false}, {Rule{OnlyFor: []string{"acme"}}, true}} {
		if got := c.rule.On("acme"); got != c.want {
			t.Errorf("%+v: %t", c.rule, got)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	const head = "andmerada: unusual/v1\nhistory_days: 90\noperations: [access]\nrules:\n"
	const rule = "  - id: A\n    kind: colleague\n    severity: low\n    title: T\n    why: W\n    unless_reason: true\n"
	if _, err := Parse("f.yaml", []byte(head+rule)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, text, want string }{
		{"no YAML", "a: [", "f.yaml:1:4: "},
		{"an unknown key", head + rule + "    colour: red\n", `f.yaml:11:5: unknown field "colour"`},
		{"a text for a number", strings.Replace(head, "90", "long", 1) + rule, "f.yaml:2:15: "},
		{"two documents", head + rule + "---\na: b\n", "f.yaml:1:1: 2 documents in the file; a file holds exactly one"},
		{"nothing", "", "f.yaml:1:1: "},
		{"another format", strings.Replace(head, "unusual/v1", "register/v1", 1) + rule, "f.yaml:1:12: andmerada: this is no file of rules on unusual access; begin it with andmerada: unusual/v1"},
		{"a history too long", strings.Replace(head, "90", "900", 1) + rule, "f.yaml:2:15: history_days: 900 is out of range; write a number from 1 to 366"},
		{"no such operation", strings.Replace(head, "access", "peek", 1) + rule, `f.yaml:3:14: operations[0]: there is no operation "peek"; write access, use, transfer…`},
		{"no rules", head + "  []\n", "f.yaml:5:3: rules: there are 0 rules; write 1 to 200"},
		{"no such kind", head + strings.Replace(rule, "colleague", "hunch", 1), `f.yaml:6:11: rules[0].kind: there is no kind "hunch"; write one of own-record, relation, colleague, public-figure, no-relationship, volume, hour, new-use`},
		{"a rule twice", head + rule + rule, `f.yaml:11:9: rules[1].id: the rule "A" is there twice; rules[0] has that id too`},
		{"a key of another kind", head + rule + "    minimum: 3\n", "f.yaml:11:14: rules[0].minimum: rules of the kind colleague have no minimum; leave it out; they have unless_reason"},
		{"a key that lacks", head + strings.Replace(rule, "    unless_reason: true\n", "", 1), "f.yaml:5:5: rules[0]: it lacks unless_reason; rules of the kind colleague have unless_reason"},
		{"no such severity", head + strings.Replace(rule, "low", "dire", 1), `f.yaml:7:15: rules[0].severity: there is no severity "dire"; write high, medium or low`},
		{"no reason why", head + strings.Replace(rule, "    why: W\n", "", 1), "f.yaml:5:5: rules[0]: a rule needs a title and why it is worth a look; write title: and why:"},
		{
			"a number out of range", head + "  - {id: A, kind: new-use, severity: low, title: T, why: W, of: purpose, own_days: 0, peers: 1, peers_at_most: 20}\n",
			"f.yaml:5:84: rules[0].own_days: 0 is out of range; write a number from 1 to 366",
		},
		{
			"no such relation", head + "  - {id: A, kind: relation, severity: low, title: T, why: W, relations: [enemy], unless_reason: true}\n",
			`f.yaml:5:74: rules[0].relations[0]: "enemy" is none of these; write family or household or acquaintance`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse("f.yaml", []byte(c.text))
			var findings *FindingsError
			if !errors.As(err, &findings) || !strings.HasPrefix(err.Error(), c.want) || len(findings.Findings) != 1 {
				t.Errorf("%v\nwant %s", err, c.want)
			}
		})
	}
}
