package register

import (
	"slices"
	"sync/atomic"

	"github.com/andmerada/andmerada/internal/event"
)

// plans remembers which rules can be about an event, by purpose, operation and
// recipient. Each answer is worked out when it is first needed; asking again
// takes no lock and allocates nothing.
type plans struct {
	byPurpose  []atomic.Pointer[purposePlans] // by Purpose.index
	recipients int                            // places for recipients in each
}

type purposePlans []atomic.Pointer[[]*Rule] // by operation and recipient

// Places in the tables for what the register does not declare.
const (
	noPurpose           = 0
	noRecipient         = 0
	dataSubject         = 1
	declaredRecipients  = 2
	operationsInAllBits = 16
)

func newPlans(purposes, recipients int) plans {
	return plans{byPurpose: make([]atomic.Pointer[purposePlans], purposes+1), recipients: recipients + declaredRecipients}
}

// About lists the rules that may be about an event: those whose operations,
// purposes and recipients select it. Whether their categories and conditions
// do as well, [Selection.SelectsCategories] and When say. Nil stands for a
// purpose or a recipient that is not declared; toPerson says that the data go
// to the person whom they are about. The caller must not change the list.
func (r *Register) About(op event.Operation, p *Purpose, to *Recipient, toPerson bool) []*Rule {
	purpose, recipient := noPurpose, noRecipient
	if p != nil {
		purpose = p.index
	}
	switch {
	case to != nil:
		recipient = to.index
	case toPerson:
		recipient = dataSubject
	}
	plan := r.plans.byPurpose[purpose].Load()
	if plan == nil {
		fresh := make(purposePlans, operationsInAllBits*r.plans.recipients)
		r.plans.byPurpose[purpose].CompareAndSwap(nil, &fresh)
		plan = r.plans.byPurpose[purpose].Load()
	}
	slot := &(*plan)[int(op%operationsInAllBits)*r.plans.recipients+recipient]
	if rules := slot.Load(); rules != nil {
		return *rules
	}
	purposeID, recipientID := "", ""
	if p != nil {
		purposeID = p.FullID
	}
	switch {
	case to != nil:
		recipientID = r.FullID(to.ID)
	case toPerson:
		recipientID = event.DataSubject
	}
	var rules []*Rule
	for _, rule := range r.rules {
		if rule.NotJudged == "" && rule.selects(op, purposeID, recipientID) {
			rules = append(rules, rule)
		}
	}
	slot.Store(&rules)
	return rules
}

// selects says whether the operation, the purpose and the recipient are among
// those that it is about.
func (s *Selection) selects(op event.Operation, purpose, recipient string) bool {
	return s.operations&(1<<op) != 0 &&
		(s.purposes == nil || slices.Contains(s.purposes, purpose)) &&
		(s.recipients == nil || slices.Contains(s.recipients, recipient))
}

// SelectsCategories says whether one of the event's categories is among those
// that it is about, or a part of one.
func (s *Selection) SelectsCategories(of *CategorySet) bool {
	return !s.byCategory || s.categories.Meets(of)
}
