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
	judge func(j *judge) ruleResult
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
}

func ownNotice(j *judge) ruleResult {
	foreign := func(id string) bool {
		return strings.Contains(id, "/") && !j.r.Own(id)
	}
	if foreign(j.ev.Purpose) || foreign(j.ev.Recipient.ID) {
		return ruleResult{outcome: Violation}
	}
	return ruleResult{outcome: Allowed}
}

func declaredPurpose(j *judge) ruleResult {
	switch {
	case j.ev.Purpose == "":
		return ruleResult{outcome: Review, missing: []string{"purpose"}}
	case j.purpose != nil:
		return ruleResult{outcome: Allowed}
	case j.r.PurposesClosed():
		return ruleResult{outcome: Violation}
	default:
		return ruleResult{outcome: Review}
	}
}

func silence(j *judge) ruleResult {
	entry, declared := j.r.Recipient(j.ev.Recipient.ID)
	handsOver := j.ev.Operation.HandsOver()
	switch j.scope.Recipient {
	case condition.RecipientNotStated:
		if handsOver {
			return ruleResult{outcome: Review, missing: []string{"recipient"}}
		}
	case condition.RecipientUndeclared:
		// Handing data to someone outside a closed list is for the register's own
		// rule on its recipients to judge.
		if !handsOver || !j.r.RecipientsClosed() {
			return ruleResult{outcome: Review}
		}
	case condition.RecipientDeclared:
		if declared && handsOver && j.purpose != nil && !entry.Accepts(j.ev.Purpose) {
			return ruleResult{outcome: Review}
		}
	}
	if j.ev.Recipient.ID != event.DataSubject && (!declared || entry.Geography == "") && j.outsideEEA() {
		return ruleResult{outcome: Review}
	}
	return ruleResult{outcome: register.NotApplicable}
}

// outsideEEA says whether the data come to lie, as far as is known, in a
// country outside the European Economic Area, or in one of which that cannot be
// told for the day.
func (j *judge) outsideEEA() bool {
	day := event.DateOf(j.ev.Time, j.r.Zone)
	outside := func(country string) bool {
		in, known := condition.InEEA(country, day)
		return country != "" && (!in || !known)
	}
	for _, f := range [...]event.Field{event.ProcessorEstablishmentCountry, event.ProcessorStorageCountry, event.TransferDestinationCountry} {
		if v := j.facts.Get(f); v.State == event.Known && outside(v.Text) {
			return true
		}
	}
	return outside(j.ev.Recipient.Country)
}
