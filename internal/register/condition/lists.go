package condition

import (
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
func active(s *Scope, purpose string, t time.Time) tri {
	result := no
	for i := range s.facts.Consents.Entries {
		if e := &s.facts.Consents.Entries[i]; s.consentTo(e, purpose) && !gone(e, t) {
			result = result.or(by(e.GivenAt, t))
		}
	}
	return result
}

// withdrawn says whether a consent to the purpose was withdrawn at or before t
// and no other stands.
func withdrawn(s *Scope, purpose string, t time.Time) tri {
	for i := range s.facts.Consents.Entries {
		if e := &s.facts.Consents.Entries[i]; s.consentTo(e, purpose) && gone(e, t) {
			return active(s, purpose, t).not()
		}
	}
	return no
}

// evidenced says whether a consent to the purpose that stands at t was given
// in writing or electronically, or is registered in the customer system. Where
// one can be shown, an unregistered oral one beside it does no harm; where none
// stands there is nothing to show.
func evidenced(s *Scope, purpose string, t time.Time) tri {
	shown, stands := no, false
	for i := range s.facts.Consents.Entries {
		e := &s.facts.Consents.Entries[i]
		if !s.consentTo(e, purpose) || gone(e, t) || by(e.GivenAt, t) == no {
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

func (s *Scope) consentTo(e *event.Consent, purpose string) bool {
	return e.Purpose == purpose && s.own(e.Controller)
}

// gone says whether a consent was withdrawn at or before t.
func gone(e *event.Consent, t time.Time) bool {
	return !e.WithdrawnAt.IsZero() && !t.Before(e.WithdrawnAt)
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
