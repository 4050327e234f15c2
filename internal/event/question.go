package event

import "strings"

// AnswersSource is the source of the events by which Andmerada itself says
// what was asked of the trail: reading it is processing too (GDPR Art. 4(2)).
// No other system may use it.
const AnswersSource = "/andmerada/answers"

// Purposes of questions stand beside those of every register: no notice
// declares them, as they serve what the law asks of every controller.
const (
	questionPrefix = "andmerada/"
	aboutPerson    = "person/"
)

// QuestionPurpose is the purpose of a question that was asked of the trail:
// "andmerada/drift", or, of one that names a person, "andmerada/person/recipients".
func QuestionPurpose(question string, person bool) string {
	if person {
		return questionPrefix + aboutPerson + question
	}
	return questionPrefix + question
}

// formerQuestions are names that questions bore once: a trail may hold them.
var formerQuestions = map[string]string{"erasure": "told"}

// ParseQuestionPurpose takes such a purpose apart; ok is false for any other. A
// question that bore another name once goes by the one it bears now.
func ParseQuestionPurpose(purpose string) (question string, person, ok bool) {
	question, ok = strings.CutPrefix(purpose, questionPrefix)
	if !ok {
		return "", false, false
	}
	question, person = strings.CutPrefix(question, aboutPerson)
	if now, renamed := formerQuestions[question]; renamed {
		question = now
	}
	return question, person, question != ""
}

// Question is what was asked of the trail, where the event says that; ok is
// false for every other event, one that only borrows such a purpose included.
func (ev *Event) Question() (question string, person, ok bool) {
	if ev.Kind != Processing || ev.Operation != Access || ev.Source != AnswersSource || !ev.Recipient.IsZero() {
		return "", false, false
	}
	return ParseQuestionPurpose(ev.Purpose)
}
