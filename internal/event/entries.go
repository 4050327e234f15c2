package event

import (
	"strings"
	"time"
)

// Words that entries of the lists use, and registers as well.
var (
	// ClientRoles are who may give and withdraw a consent.
	ClientRoles = []string{"client", "user", "contact-person"}
	// WithdrawalForms are the forms in which a consent may be withdrawn.
	WithdrawalForms = []string{"written", "reproducible-in-writing", "oral"}
)

// The other words that entries of the lists use.
var (
	consentForms = []string{"written", "oral", "electronic"}
	outcomes     = []string{"pending", "upheld", "rejected"}
	optOutScopes = []string{"disclosure-for-direct-marketing", "direct-marketing", "market-opinion-research", "electronic-offers"}
	requestTypes = []string{"instalment", "additional-contract", "offer", "erasure", "rectification", "restriction", "access", "decision-review"}

	consentMembers   = []string{"controller", "purpose", "given_at", "given_by", "form", "registered_in_crm", "withdrawn_at", "withdrawal_form", "withdrawn_by"}
	objectionMembers = []string{"controller", "purpose", "made_at", "outcome"}
	optOutMembers    = []string{"controller", "scope", "made_by", "made_at"}
	requestMembers   = []string{"controller", "type", "made_at", "handled"}
)

// readList reads a list of entries, or one entry alone. null and "unknown"
// leave the list unknown.
func readList[T any](r *reader, list *List[T], read func(*T)) {
	if r.kind() == '{' {
		var e T
		read(&e)
		*list = List[T]{Known: true, Entries: []T{e}}
		return
	}
	if r.kind() != '[' && r.saidUnknown() {
		return
	}
	list.Known = true
	r.array("an array of entries", MaxEntries, "", func() {
		var e T
		read(&e)
		list.Entries = append(list.Entries, e)
	})
}

// need reports a member of the object just read that must be there.
func (r *reader) need(there bool, member, want string) {
	if there || r.fault != nil {
		return
	}
	pointer := r.pointer() + "/" + member
	for _, f := range r.faults { // it is there, but at fault
		if f.Pointer == pointer || strings.HasPrefix(f.Pointer, pointer+"/") {
			return
		}
	}
	r.failAt(pointer, CodeMissing, "", want, "")
}

// entry reads one entry of a list: read takes the members that it has beside
// its controller.
func (r *reader) entry(controller *string, members []string, read func(name string)) {
	r.object("an object", func(name []byte) {
		switch string(name) {
		case "controller":
			*controller = r.name("the controller", MaxName)
		case "note":
			r.raw()
		default:
			for _, m := range members {
				if string(name) == m {
					read(m)
					return
				}
			}
			n := string(name)
			r.raw()
			if r.fault == nil {
				r.fail(CodeUnknownFact, shown([]byte(n)), oneOf(members), DidYouMean(n, members))
			}
		}
	})
}

func (r *reader) consent(c *Consent, o factsOptions) {
	r.entry(&c.Controller, consentMembers, func(name string) {
		switch name {
		case "purpose":
			c.Purpose = r.name("a purpose of the register", MaxName)
		case "given_at":
			c.GivenAt = r.when(o.loc)
		case "given_by":
			c.GivenBy = r.choice(ClientRoles)
		case "form":
			c.Form = r.choice(consentForms)
		case "registered_in_crm":
			c.RegisteredCRM = r.yesNo()
		case "withdrawn_at":
			c.WithdrawnAt = r.when(o.loc)
		case "withdrawal_form":
			c.WithdrawalForm = r.choice(WithdrawalForms)
		case "withdrawn_by":
			c.WithdrawnBy = r.choice(ClientRoles)
		}
	})
	r.checkConsent(c, o)
}

func (r *reader) checkConsent(c *Consent, o factsOptions) {
	r.need(!o.strict || c.Purpose != "", "purpose", "the purpose that was consented to")
	r.need(!o.timed || !c.GivenAt.IsZero(), "given_at", "an RFC 3339 time")
}

func (r *reader) objection(e *Objection, o factsOptions) {
	r.entry(&e.Controller, objectionMembers, func(name string) {
		switch name {
		case "purpose":
			e.Purpose = r.name("a purpose of the register", MaxName)
		case "made_at":
			e.MadeAt = r.when(o.loc)
		case "outcome":
			e.Outcome = r.choice(outcomes)
		}
	})
	r.checkObjection(e, o)
}

func (r *reader) checkObjection(e *Objection, o factsOptions) {
	r.need(!o.strict || e.Purpose != "", "purpose", "the purpose that was objected to")
	r.need(!o.timed || !e.MadeAt.IsZero(), "made_at", "an RFC 3339 time")
}

func (r *reader) optOut(e *OptOut, o factsOptions) {
	r.entry(&e.Controller, optOutMembers, func(name string) {
		switch name {
		case "scope":
			e.Scope = r.choice(optOutScopes)
		case "made_by":
			e.MadeBy = r.name("who made it", MaxName)
		case "made_at":
			e.MadeAt = r.when(o.loc)
		}
	})
	r.checkOptOut(e, o)
}

func (r *reader) checkOptOut(e *OptOut, o factsOptions) {
	r.need(!o.strict || e.Scope != "", "scope", oneOf(optOutScopes))
	r.need(!o.timed || !e.MadeAt.IsZero(), "made_at", "an RFC 3339 time")
}

func (r *reader) request(e *Request, o factsOptions) {
	r.entry(&e.Controller, requestMembers, func(name string) {
		switch name {
		case "type":
			e.Type = r.choice(requestTypes)
		case "made_at":
			e.MadeAt = r.when(o.loc)
		case "handled":
			e.Handled = r.yesNo()
		}
	})
	r.checkRequest(e, o)
}

func (r *reader) checkRequest(e *Request, o factsOptions) {
	r.need(!o.strict || e.Type != "", "type", oneOf(requestTypes))
	r.need(!o.timed || !e.MadeAt.IsZero(), "made_at", "an RFC 3339 time")
}

// yesNo reads true, false, or unknown.
func (r *reader) yesNo() Value { return r.scalar(Necessity, nil) }

// complete gives each entry that names no controller that of the event, and
// each that says no time the time since when the fact is true.
func (f *Facts) complete(controller string, since time.Time) {
	fill := func(c *string, t *time.Time) {
		if *c == "" {
			*c = controller
		}
		if t.IsZero() {
			*t = since
		}
	}
	for i := range f.Consents.Entries {
		fill(&f.Consents.Entries[i].Controller, &f.Consents.Entries[i].GivenAt)
	}
	for i := range f.Objections.Entries {
		fill(&f.Objections.Entries[i].Controller, &f.Objections.Entries[i].MadeAt)
	}
	for i := range f.OptOuts.Entries {
		fill(&f.OptOuts.Entries[i].Controller, &f.OptOuts.Entries[i].MadeAt)
	}
	for i := range f.Requests.Entries {
		fill(&f.Requests.Entries[i].Controller, &f.Requests.Entries[i].MadeAt)
	}
}
