package history

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/event"
)

// customer is one person at one controller.
type customer struct {
	b                                      *book
	number, email, code, contract          string
	point                                  string // metering point; Elektrum's only
	from, until                            int    // days with everyday events: from <= day < until
	since                                  int    // day on which it was taken in
	invoiceDay, invoiceEvery, invoicePhase int
	elering                                bool
	consents                               []span
	// aside: a story of its own is told of it that everyday events would
	// spoil, or be spoilt by.
	aside bool
	// former: it was a client only before the history begins.
	former bool
}

// span is a consent to a purpose.
type span struct {
	purpose      string // full id
	given, ended time.Time
	form         string
}

// consented says whether a consent to the purpose stands at t, and has stood
// for a while, so that no system is ahead of another.
func (c *customer) consented(purposeID string, t time.Time) bool {
	for i := range c.consents {
		s := &c.consents[i]
		if s.purpose == purposeID && s.given.Before(t) && (s.ended.IsZero() || t.Before(s.ended)) {
			return true
		}
	}
	return false
}

// named is the customer by an identifier of the scheme.
func (c *customer) named(scheme string) event.Person {
	switch {
	case scheme == schemeEmail:
		return event.Person{Scheme: scheme, Value: c.email}
	case scheme == schemeCode:
		return event.Person{Scheme: scheme, Value: c.code}
	case scheme == schemePoint && c.point != "":
		return event.Person{Scheme: scheme, Value: c.point}
	}
	return event.Person{Scheme: schemeNumber, Value: c.number}
}

const (
	schemeNumber = "customer-number"
	schemeEmail  = "email"
	schemeCode   = "personal-code"
	schemePoint  = "metering-point"
)

var (
	firstNames = []string{
		"mari", "jaan", "anna", "peeter", "kati", "rein", "liis", "tõnu", "olga", "ivan", "kristjan", "maarja",
		"andres", "piret", "sergei", "elena", "toomas", "kadri", "urmas", "tiina", "margus", "signe", "priit", "helen",
	}
	lastNames = []string{
		"tamm", "saar", "sepp", "mägi", "kask", "kukk", "rebane", "ilves", "pärn", "koppel", "luik", "oja",
		"ivanova", "petrov", "lepik", "kuusk", "kaasik", "raud", "põder", "vaher", "lill", "sild", "maasikas", "kivi",
	}
	plain = strings.NewReplacer("õ", "o", "ä", "a", "ö", "o", "ü", "u")
)

// email is an address under a domain that is nobody's (RFC 2606).
func email(n int, rng *rand.Rand) string {
	first, last := firstNames[rng.IntN(len(firstNames))], lastNames[rng.IntN(len(lastNames))]
	return fmt.Sprintf("%s.%s%d@example.com", plain.Replace(first), plain.Replace(last), n)
}

// personalCode has the form and the check digit of an Estonian personal code
// (EVS 585), but begins with 9, which stands for no century.
func personalCode(n int, rng *rand.Rand) string {
	day := time.Date(1940+rng.IntN(66), 1, 1+rng.IntN(365), 0, 0, 0, 0, time.UTC)
	code := fmt.Sprintf("9%s%03d", day.Format("060102"), n%1000)
	return code + string(checkDigit(code))
}

func checkDigit(code string) byte {
	for shift := range 2 {
		sum := 0
		for i := range code {
			weight := i + 1 + 2*shift
			if weight > 9 {
				weight -= 9
			}
			sum += int(code[i]-'0') * weight
		}
		if sum%11 < 10 {
			return '0' + byte(sum%11)
		}
	}
	return '0'
}

// meteringPoint has the form and the check character of an Energy
// Identification Code (ENTSO-E EIC reference manual).
func meteringPoint(n int) string {
	for k := 0; ; k++ {
		code := fmt.Sprintf("38ZEE-%08d-", n*10+k)
		if c := eicCheck(code); c != '-' {
			return code + string(c)
		}
	}
}

func eicCheck(code string) byte {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-"
	sum := 0
	for i := range code {
		sum += strings.IndexByte(alphabet, code[i]) * (16 - i)
	}
	return alphabet[36-(sum-1)%37]
}
