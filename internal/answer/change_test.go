package answer_test

import (
	"strings"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/answer/answertest"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

// TestChanged: event 2, a violation, is judged again by the fact at 1, and then
// under another register; 5, which names the person twice, by one of the names.
func TestChanged(t *testing.T) {
	t.Parallel()
	d := answertest.Plant(t)
	before, err := answer.Recipients(t.Context(), d, recipientsOf("email", answertest.Email))
	if err != nil {
		t.Fatal(err)
	}
	again := func(offset int64, index int, v register.Outcome, cause, version string, hours int) {
		t.Helper()
		rows, err := d.Trail.Event(t.Context(), answertest.Topic, 0, offset)
		if err != nil {
			t.Fatal(err)
		}
		row := rows[index]
		a := trail.Again{Row: row, Supersedes: rows[len(rows)-1].JudgedAt}
		a.Verdict, a.Rules, a.Unknown, a.Cause, a.RegisterVersion = v, []string{"acme/A-1"}, nil, cause, version
		a.JudgedAt = answertest.Start.Add(time.Duration(hours) * time.Hour)
		if err := d.Trail.WriteVerdicts(t.Context(), []trail.Again{a}); err != nil {
			t.Fatal(err)
		}
	}
	version := d.Registers.All()[0].Version
	again(2, 0, register.Allowed, trail.CauseFact(trail.Partition{Topic: answertest.Topic}, 1), version, 30)
	again(5, 1, register.Violation, trail.CauseFact(trail.Partition{Topic: answertest.Topic}, 0), version, 31)
	again(2, 0, register.Allowed, trail.CauseFact(trail.Partition{Topic: answertest.Topic}, 1), version, 32) // by another process, the same

	after, err := answer.Recipients(t.Context(), d, recipientsOf("email", answertest.Email))
	if err != nil {
		t.Fatal(err)
	}
	if after.Events != before.Events || after.Changed != 2 || after.Verdicts.Violation != before.Verdicts.Violation || after.Verdicts.Allowed != before.Verdicts.Allowed {
		t.Errorf("%d events, %d changed, %+v; before %d, %+v", after.Events, after.Changed, after.Verdicts, before.Events, before.Verdicts)
	}
	changed := 0
	for _, e := range after.Timeline.Events {
		if e.Changed == nil {
			continue
		}
		changed++
		switch e.Offset {
		case 2:
			if c := e.Changed; e.Verdict != "allowed" || c.From != "violation" || c.To != "allowed" || c.Times != 1 || c.Fact == nil || c.Fact.Name != "processor" || !c.Fact.Recorded.Equal(answertest.Start.Add(time.Hour+time.Second)) ||
				c.Because != `the fact "processor", valid since 2026-03-10, came to be known on 2026-03-10` || c.Version != version || c.FromVersion != version {
				t.Errorf("the change of 2 is %+v", c)
			}
		case 5:
			if c := e.Changed; e.Verdict != "violation" || !strings.Contains(c.Because, "other identifiers") {
				t.Errorf("the change of 5 is %s, %+v", e.Verdict, c)
			}
		}
	}
	if changed != 2 {
		t.Errorf("%d events of the timeline have changed", changed)
	}

	again(2, 0, register.Review, trail.CauseRegister("abc"), "abc", 40)
	a, err := answer.Event(t.Context(), d, answer.EventRequest{Place: answer.Place{Topic: answertest.Topic, Offset: 2}, Person: -1})
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Persons) != 4 || a.Verdict != "review" || a.Changed == nil || a.Changed.Times != 2 || a.Changed.From != "allowed" ||
		a.Changed.Because != "register version abc stands in the place of "+version {
		t.Errorf("%d verdicts, now %s; %+v", len(a.Persons), a.Verdict, a.Changed)
	}
	for i, p := range a.Persons {
		if p.Current != (i == 3) || (p.Because != "") != (i == 1 || i == 3) {
			t.Errorf("verdict %d is %+v", i, p)
		}
	}
	// Both verdicts of 5 stand, each on its person.
	a, err = answer.Event(t.Context(), d, answer.EventRequest{Place: answer.Place{Topic: answertest.Topic, Offset: 5}, Person: 0})
	if err != nil || a.Verdict != "allowed" || a.Changed != nil {
		t.Errorf("the first person of 5: %+v, %v", a, err)
	}
}
