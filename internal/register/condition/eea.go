package condition

import (
	"strings"

	"github.com/andmerada/andmerada/internal/event"
)

// The United Kingdom left on 31 January 2020; until the transition period
// ended on 31 December 2020 Union law applied there, so those days need a look.
var (
	gbLeft          = event.NewDate(2020, 2, 1)
	gbTransitionEnd = event.NewDate(2021, 1, 1)
)

// InEEA says whether a country (ISO 3166-1 alpha-2) belonged to the European
// Economic Area on the day of the event, where that can be told.
func (s *Scope) InEEA(country string) (in, known bool) {
	if Member(country) {
		return true, true
	}
	t := inEEA(country, s.Date())
	return t == yes, t != unknown
}

func inEEA(country string, on event.Date) tri {
	country = strings.ToUpper(country)
	if country != "GB" && country != "UK" {
		return is(Member(country))
	}
	switch {
	case on < gbLeft:
		return yes
	case on < gbTransitionEnd:
		return unknown
	default:
		return no
	}
}

// Member says whether a country is an EU member state, or Iceland,
// Liechtenstein or Norway (EEA Agreement, Art. 126).
func Member(country string) bool {
	switch country {
	case "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU", "LV",
		"MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK", "IS", "LI", "NO":
		return true
	}
	return false
}
