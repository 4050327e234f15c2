package condition

import (
	"slices"
	"time"

	"github.com/andmerada/andmerada/internal/event"
)

// own says whether an entry of a list is of the controller that acts: what was
// said to another controller is worth nothing here.
func (s *Scope) own(controller string) bool {
	return controller == "" || controller == s.Event.Controller
}

// active says whether a consent to the purpose was given by t and not
// withdrawn at or before t: only acts done before the withdrawal stand.
func active(s *Scope, terms *ConsentTerms, purpose string, t time.Time) tri {
	result := no
	for i := range s.facts.Consents.Entries {
		if e := &s.facts.Consents.Entries[i]; s.consentTo(e, terms, purpose) {
			result = result.or(by(e.GivenAt, t).and(terms.gone(e, t).not()))
		}
	}
	return result
}

// withdrawn says whether a consent to the purpose was withdrawn at or before t
// and no other stands.
func withdrawn(s *Scope, terms *ConsentTerms, purpose string, t time.Time) tri {
	result := no
	for i := range s.facts.Consents.Entries {
		if e := &s.facts.Consents.Entries[i]; s.consentTo(e, terms, purpose) {
			result = result.or(terms.gone(e, t))
		}
	}
	if result == no {
		return no
	}
	return result.and(active(s, terms, purpose, t).not())
}

// evidenced says whether a consent to the purpose that stands at t was given
// in writing or electronically, or is registered in the customer system. Where
// one can be shown, an unregistered oral one beside it does no harm; where none
// stands there is nothing to show.
func evidenced(s *Scope, terms *ConsentTerms, purpose string, t time.Time) tri {
	shown, stands := no, false
	for i := range s.facts.Consents.Entries {
		e := &s.facts.Consents.Entries[i]
		if !s.consentTo(e, terms, purpose) || terms.gone(e, t) == yes || by(e.GivenAt, t) == no {
			continue
		}
		stands = true
		if e.Form != "oral" {
			return yes
		}
		shown = shown.or(triOf(e.RegisteredCRM))
	}
	if !stands {
		return yes
	}
	return shown
}

func (s *Scope) consentTo(e *event.Consent, terms *ConsentTerms, purpose string) bool {
	return e.Purpose == purpose && s.own(e.Controller) && among(terms.GivenBy, e.GivenBy, "client")
}

// gone says whether a consent was withdrawn at or before t, by someone who can.
// Whether it was, if in a form that the notice does not foresee, a person must
// tell: the law asks that withdrawing be as easy as giving (GDPR Art. 7(3)).
func (c *ConsentTerms) gone(e *event.Consent, t time.Time) tri {
	switch {
	case e.WithdrawnAt.IsZero() || t.Before(e.WithdrawnAt) || !among(c.WithdrawnBy, e.WithdrawnBy, "client"):
		return no
	case e.WithdrawalForm != "" && !among(c.WithdrawalForms, e.WithdrawalForm, ""):
		return unknown
	default:
		return yes
	}
}

// among says whether a word is in a list; nil takes any, and an empty word
// stands for another.
func among(list []string, word, empty string) bool {
	if list == nil {
		return true
	}
	if word == "" {
		word = empty
	}
	return slices.Contains(list, word)
}

// by says whether something was done by t. When it was done may not be known.
func by(done, t time.Time) tri {
	switch {
	case done.IsZero():
		return unknown
	case done.After(t):
		return no
	default:
		return yes
	}
}

// objected says whether there is an objection to the purpose made by t with
// that outcome. An outcome that is not stated is pending.
func objected(s *Scope, purpose, outcome string, t time.Time) tri {
	result := no
	for i := range s.facts.Objections.Entries {
		e := &s.facts.Objections.Entries[i]
		is := e.Outcome
		if is == "" {
			is = "pending"
		}
		if is == outcome && (e.Purpose == purpose || e.Purpose == "") && s.own(e.Controller) {
			result = result.or(by(e.MadeAt, t))
		}
	}
	return result
}

// prohibited says whether there is a prohibition of the scope made by t.
func prohibited(s *Scope, scope string, t time.Time) tri {
	result := no
	for i := range s.facts.OptOuts.Entries {
		if e := &s.facts.OptOuts.Entries[i]; e.Scope == scope && s.own(e.Controller) {
			result = result.or(by(e.MadeAt, t))
		}
	}
	return result
}

// prohibitedBy is prohibited by that person. One that does not say who made it
// was made by whomever it concerns. Where it is not known whom that would be, a
// prohibition may be theirs.
func prohibitedBy(s *Scope, scope string, who value[string], t time.Time) tri {
	result := no
	for i := range s.facts.OptOuts.Entries {
		e := &s.facts.OptOuts.Entries[i]
		if e.Scope != scope || !s.own(e.Controller) {
			continue
		}
		switch {
		case e.MadeBy == "" || who.state == hasValue && e.MadeBy == who.v:
			result = result.or(by(e.MadeAt, t))
		case who.state != hasValue && by(e.MadeAt, t) != no:
			result = result.or(unknown)
		}
	}
	return result
}

// requested says whether there is a request of the type made by t.
func requested(s *Scope, kind string, t time.Time) tri {
	result := no
	for i := range s.facts.Requests.Entries {
		if e := &s.facts.Requests.Entries[i]; e.Type == kind && s.own(e.Controller) {
			result = result.or(by(e.MadeAt, t))
		}
	}
	return result
}

// handled says whether every request of the type made by t has been dealt with.
func handled(s *Scope, kind string, t time.Time) tri {
	open := no
	for i := range s.facts.Requests.Entries {
		if e := &s.facts.Requests.Entries[i]; e.Type == kind && s.own(e.Controller) && by(e.MadeAt, t) != no {
			open = open.or(triOf(e.Handled).not())
		}
	}
	return open.not()
}
