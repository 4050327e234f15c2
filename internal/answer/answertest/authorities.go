package answertest

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/profile"
)

// strict is a profile with every restriction, for the planted controller; each
// line that begins a restriction can be left out.
const strict = `andmerada: profile/v1
id: xx
name: Anywhere
country: EE
times: {precision: day, ground: a judgement, says: {en: dates only}}
recipients: {years: 2, ground: "§ 3", says: {en: two years}}
withhold:
  - id: police
    ground: "§ 2"
    says: {en: no police}
    authorities: [{name: secret service}, {code: "90000"}]
    provisions: [Criminal Code]
    lifted: [{reference: "Criminal Code 7, case 9", from: 2026-03-01}, {reference: "Criminal Code 7, case 10", from: 2027-01-01}]
`

// Strict is a profile with every restriction, but for those named: times,
// recipients.
func Strict(t testing.TB, but ...string) *profile.Set {
	t.Helper()
	var text strings.Builder
	for line := range strings.Lines(strict) {
		left := false
		for _, b := range but {
			left = left || strings.HasPrefix(line, b+":")
		}
		if !left {
			text.WriteString(line)
		}
	}
	set, err := profile.Load(fstest.MapFS{"xx.yaml": {Data: []byte(text.String())}})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// Authorities is how many events [PlantAuthorities] adds.
const Authorities = 9

// Hidden are texts of events that [Strict] hides from the person: the first four
// are seen in house.
var Hidden = []string{"ecret", "Some board", "A court", "Village police", "90000", "case 8", "case 10", "case 11", "Old Bank"}

// Shown is an authority whose ground does not hold any more.
const Shown = "Town police"

// PlantAuthorities adds what authorities received of the person, to what [Plant]
// has planted: seven events that are hidden, one that is not, and one of three
// years ago.
func PlantAuthorities(t testing.TB, d answer.Deps) {
	t.Helper()
	who, err := d.Keys.Pseudonym(Controller, "customer-number", Customer)
	if err != nil {
		t.Fatal(err)
	}
	to := func(hours int, organisation, code, reference string) *event.Event {
		return &event.Event{
			ID: "x" + reference + organisation, Source: "/acme/legal", Time: Start.Add(-time.Duration(hours)*time.Hour + 17*time.Minute), Controller: Controller,
			Operation: event.Disclose, Purpose: "acme/billing", Categories: []string{"name"}, Persons: []event.Person{{Scheme: "pseudonym", Value: who.String()}},
			Recipient: event.Recipient{Organisation: organisation, Code: code, Country: "EE"}, Basis: event.Basis{Reference: reference},
		}
	}
	inside := to(6, "", "", "Criminal Code 7, case 11")
	inside.Operation, inside.Recipient = event.Access, event.Recipient{}
	bySecret := to(7, "", "", "")
	bySecret.Operation, bySecret.Recipient, bySecret.Actor = event.Access, event.Recipient{}, event.Actor{ID: "x", Kind: event.ActorPartner, Organisation: "The Secret Service"}
	Store(t, d, Planted,
		to(1, "Secret  Service, north", "", ""), to(2, "Some board", "90000", ""), to(3, "A court", "", "criminal code 7, case 8"), to(4, Shown, "", "Criminal Code 7, case 9"),
		to(5, "Village police", "", "Criminal Code 7, case 10"), inside, bySecret, to(3*365*24, "Old Bank", "", ""), to(3*365*24+1, "Old Secret Service", "", ""))
}
