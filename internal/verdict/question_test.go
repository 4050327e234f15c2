package verdict_test

import (
	"slices"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/verdict"
)

// Questions are judged by one rule and no other; what only borrows their
// purpose is judged as anything else.
func TestQuestionsAreJudgedByTheirOwnRule(t *testing.T) {
	t.Parallel()
	set := load(t)
	at := time.Date(2024, 6, 10, 9, 0, 0, 0, time.UTC)
	for _, controller := range set.Controllers() {
		r, err := set.For(controller, at)
		if err != nil {
			t.Fatal(err)
		}
		asked := event.Event{
			Kind: event.Processing, Operation: event.Access, Source: event.AnswersSource, Time: at, Controller: controller,
			Purpose: event.QuestionPurpose("recipients", true), Actor: event.Actor{ID: "mari", Role: "dpo"}, Reason: "request 17",
		}
		for name, c := range map[string]struct {
			change  func(*event.Event)
			outcome verdict.Outcome
		}{
			"with a reason":       {func(*event.Event) {}, verdict.Allowed},
			"without":             {func(ev *event.Event) { ev.Reason = "" }, verdict.Review},
			"of no person":        {func(ev *event.Event) { ev.Reason, ev.Purpose = "", event.QuestionPurpose("drift", false) }, verdict.Allowed},
			"by nobody":           {func(ev *event.Event) { ev.Actor = event.Actor{} }, verdict.Review},
			"by another's source": {func(ev *event.Event) { ev.Source = "//crm.example" }, verdict.Violation},
			"handed on":           {func(ev *event.Event) { ev.Operation = event.Disclose }, verdict.Violation},
		} {
			ev := asked
			c.change(&ev)
			v := verdict.Judge(r, &ev, new(event.Facts))
			if v.Outcome != c.outcome {
				t.Errorf("%s, %s: %+v", controller, name, v)
			}
			if own := slices.Equal(v.Rules, []string{"X-04"}); own != (c.outcome != verdict.Violation) {
				t.Errorf("%s, %s rests on %v", controller, name, v.Rules)
			}
		}
	}
}
