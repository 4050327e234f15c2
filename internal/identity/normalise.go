package identity

import (
	"strings"
	"unicode"
)

// pseudonymScheme is event.PseudonymScheme: this package depends on nothing.
const pseudonymScheme = "pseudonym"

// Normalise is the one form in which an identifier is keyed, so that systems
// that write it differently mean the same person:
//
//   - email: without space around it, in small letters;
//   - personal-code, customer-number, metering-point: in capitals, without any space;
//   - phone: digits only, with a leading + for an international number ("00" is "+");
//   - pseudonym: in small letters;
//   - any other scheme: without space around it.
//
// It is on disk by way of the pseudonyms and must never change for a scheme.
func Normalise(scheme, value string) string {
	switch scheme {
	case "email", pseudonymScheme:
		return strings.ToLower(strings.TrimSpace(value))
	case "personal-code", "customer-number", "metering-point":
		return strings.ToUpper(strings.Map(dropSpace, value))
	case "phone":
		return phone(value)
	default:
		return strings.TrimSpace(value)
	}
}

func dropSpace(r rune) rune {
	if unicode.IsSpace(r) {
		return -1
	}
	return r
}

func phone(value string) string {
	digits := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, value)
	if digits == "" {
		return ""
	}
	if strings.HasPrefix(strings.TrimLeftFunc(value, func(r rune) bool { return r == '(' || unicode.IsSpace(r) }), "+") {
		return "+" + digits
	}
	if rest, international := strings.CutPrefix(digits, "00"); international && rest != "" {
		return "+" + rest
	}
	return digits
}
