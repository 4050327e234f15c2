package event

import "testing"

func TestQuestion(t *testing.T) {
	t.Parallel()
	ok := Event{Kind: Processing, Operation: Access, Source: AnswersSource, Purpose: QuestionPurpose("recipients", true)}
	// As it was called once.
	if question, person, is := ParseQuestionPurpose("andmerada/person/erasure"); question != "told" || !person || !is {
		t.Errorf("a question by its former name: %q, %v, %v", question, person, is)
	}
	for name, c := range map[string]struct {
		change   func(*Event)
		question string
		person   bool
	}{
		"of a person":       {func(*Event) {}, "recipients", true},
		"of none":           {func(ev *Event) { ev.Purpose = QuestionPurpose("drift", false) }, "drift", false},
		"another source":    {func(ev *Event) { ev.Source = "/andmerada/answers/x" }, "", false},
		"another operation": {func(ev *Event) { ev.Operation = Disclose }, "", false},
		"handed on":         {func(ev *Event) { ev.Recipient.ID = "acme/bank" }, "", false},
		"a fact":            {func(ev *Event) { ev.Kind = FactEvent }, "", false},
		"another purpose":   {func(ev *Event) { ev.Purpose = "acme/billing" }, "", false},
		"no question":       {func(ev *Event) { ev.Purpose = "andmerada/" }, "", false},
	} {
		ev := ok
		c.change(&ev)
		question, person, is := ev.Question()
		if question != c.question || person != c.person || is != (c.question != "") {
			t.Errorf("%s: %q, %v, %v", name, question, person, is)
		}
	}
}
