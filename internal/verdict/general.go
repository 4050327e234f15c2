package verdict

import (
	"strings"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/register/condition"
)

// Ids of the general rules, as verdicts name them.
const (
	ruleOwnNotice       = "X-01"
	ruleDeclaredPurpose = "X-02"
	ruleSilence         = "X-03"
	ruleQuestion        = "X-04"
)

// NotInForce stands among a verdict's rules for an event from before its
// controller's first register: there is no promise to hold it against.
const NotInForce = "no-register-in-force"

// generalRule is a rule that holds for every register: it is about the
// register's own lists rather than about a clause.
type generalRule struct {
	ID    string
	Title string
	Says  string
	judge func(j *judge) (Outcome, condition.Missing)
}

var generalRules = [...]generalRule{
	{
		ID: ruleOwnNotice, Title: "A notice governs only its own controller",
		Says:  "Purposes and recipients are those of the controller that acts; one that another controller has declared is worth nothing here.",
		judge: ownNotice,
	},
	{
		ID: ruleDeclaredPurpose, Title: "Declared purposes",
		Says:  "Every purpose is declared. An undeclared one contradicts a closed list of purposes, and needs a review beside an open one.",
		judge: declaredPurpose,
	},
	{
		ID: ruleSilence, Title: "Silence of the notice",
		Says:  "Where the notice says nothing of a recipient, of a recipient for this purpose, or of a country outside the EEA, a person must look.",
		judge: silence,
	},
	{
		ID: ruleQuestion, Title: "Questions asked of the trail",
		Says:  "Whoever looks a person up in the trail says why. Looking serves the controller's duty to account for what it does (GDPR Art. 5(2)), which no notice declares.",
		judge: question,
	},
}

var (
	nothing          condition.Missing
	purposeMissing   = condition.MissingNamed("purpose")
	recipientMissing = condition.MissingNamed("recipient")
)

// question judges a question that was asked of the trail. A register says
// nothing of those, so no other rule is about them.
func question(j *judge) (Outcome, condition.Missing) {
	_, person, ok := j.ev.Question()
	switch {
	case !ok:
		return register.NotApplicable, nothing
	case j.ev.Actor.ID == "" || person && j.ev.Reason == "":
		return Review, nothing
	default:
		return Allowed, nothing
	}
}

func ownNotice(j *judge) (Outcome, condition.Missing) {
	foreign := func(id string) bool {
		return strings.Contains(id, "/") && !j.r.Own(id)
	}
	if j.purpose == nil && foreign(j.ev.Purpose) || j.recipient == nil && foreign(j.ev.Recipient.ID) {
		return Violation, nothing
	}
	return Allowed, nothing
}

func declaredPurpose(j *judge) (Outcome, condition.Missing) {
	switch {
	case j.ev.Purpose == "":
		return Review, purposeMissing
	case j.purpose != nil:
		return Allowed, nothing
	case j.r.PurposesClosed():
		return Violation, nothing
	default:
		return Review, nothing
	}
}

func silence(j *judge) (Outcome, condition.Missing) {
	handsOver := j.ev.Operation.HandsOver()
	switch j.scope.Recipient {
	case condition.RecipientNotStated:
		if handsOver {
			return Review, recipientMissing
		}
	case condition.RecipientUndeclared:
		// Handing data to someone outside a closed list is for the register's own
		// rule on its recipients to judge.
		if !handsOver || !j.r.RecipientsClosed() {
			return Review, nothing
		}
	case condition.RecipientDeclared:
		if j.recipient != nil && handsOver && j.purpose != nil && !j.recipient.Accepts(j.ev.Purpose) {
			return Review, nothing
		}
	}
	if j.ev.Recipient.ID != event.DataSubject && (j.recipient == nil || j.recipient.Geography == "") && j.outsideEEA() {
		return Review, nothing
	}
	return register.NotApplicable, nothing
}

// outsideEEA says whether the data come to lie, as far as is known, in a
// country outside the European Economic Area, or in one of which that cannot be
// told for the day.
func (j *judge) outsideEEA() bool {
	for _, f := range [...]event.Field{event.ProcessorEstablishmentCountry, event.ProcessorStorageCountry, event.TransferDestinationCountry} {
		if v := j.facts.Ref(f); v.State == event.Known && j.outside(v.Text) {
			return true
		}
	}
	return j.outside(j.ev.Recipient.Country)
}

func (j *judge) outside(country string) bool {
	if country == "" {
		return false
	}
	in, known := j.scope.InEEA(country)
	return !in || !known
}
