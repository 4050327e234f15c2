package answer_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/answer/answertest"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/trail"
)

// tellFacts adds facts to what is planted, from offset 13 on: a consent by
// e-mail that was recorded two days late, the contract's end by customer number
// and then again as a duplicate, a fact about the person and another, one about
// the other alone, and what is true of the bank only with the person.
func tellFacts(t *testing.T, d answer.Deps) {
	t.Helper()
	pseudonym := func(scheme, value string) identity.Pseudonym {
		p, err := d.Keys.Pseudonym(answertest.Controller, scheme, value)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	customer, email, other := pseudonym("customer-number", answertest.Customer), pseudonym("email", answertest.Email), pseudonym("customer-number", answertest.Other)
	blocks := trail.NewBlocks()
	offset := int64(13)
	tell := func(name, value string, late time.Duration, row trail.Row, persons ...identity.Pseudonym) {
		at := answertest.Start.Add(time.Duration(offset) * time.Hour)
		row.EventID, row.Source, row.Operation, row.Controller = name, "/acme/crm", trail.OperationFact, answertest.Controller
		row.Time, row.Recorded, row.JudgedAt, row.Offset = at, at.Add(late), at, offset
		row.Fact, row.FactValue, row.FactValidFrom, row.Of = name, value, at, uint16(len(persons))
		for i, p := range persons {
			row.Person, row.PersonIndex = p, uint16(i)
			blocks.Trail.Append(&row)
		}
		offset++
	}
	tell("consent", `{"consent":[{"controller":"acme","purpose":"acme/marketing","given_at":"2026-03-10T19:00:00Z"}]}`, 48*time.Hour, trail.Row{}, email)
	tell("contract_end", `{"contract_end":"2026-03-31"}`, time.Second, trail.Row{}, customer)
	tell("contract_end", `{"contract_end":"2026-04-01"}`, time.Second, trail.Row{Duplicate: true}, customer)
	tell("debt_or_dispute", `{"debt_or_dispute":true}`, time.Second, trail.Row{}, other, customer)
	tell("necessity", `{"necessity":true}`, time.Second, trail.Row{}, other)
	tell("transfer", `{"transfer":{"safeguards":"scc"}}`, time.Second, trail.Row{Recipient: "acme/bank"}, customer)
	r := trail.Range{Topic: answertest.Topic, First: 13, Last: offset - 1}
	if err := d.Trail.Insert(t.Context(), r, answertest.Start.Add(72*time.Hour), blocks); err != nil {
		t.Fatal(err)
	}
}

func TestFacts(t *testing.T) {
	t.Parallel()
	d := answertest.Plant(t)
	tellFacts(t, d)
	req := answer.FactsRequest{
		Controller: answertest.Controller, Person: answer.Person{Scheme: "customer-number", Value: answertest.Customer}, Recipient: "acme/bank",
		At: "2026-03-11T00:30:00Z",
	}
	a, err := answer.Facts(t.Context(), d, req)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "facts.json", a)
	other, err := d.Keys.Pseudonym(answertest.Controller, "customer-number", answertest.Other)
	if text, _ := json.Marshal(a); err != nil || strings.Contains(string(text), other.String()) {
		t.Errorf("the answer names another person: %v", err)
	}
	stands := func(req answer.FactsRequest) string {
		a, err := answer.Facts(t.Context(), d, req)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, k := range a.Stands {
			b.WriteString(k.Name + "=" + k.Value + ";")
		}
		return b.String()
	}
	const (
		consent = "consent=controller: acme, given at: 2026-03-10T19:00:00Z, purpose: acme/marketing;"
		rest    = "contract_end=2026-03-31;debt_or_dispute=yes;"
		bank    = "processor.storage_country=US;"
		scc     = "transfer.safeguards=scc;"
	)
	for _, c := range []struct {
		name, want string
		change     func(*answer.FactsRequest)
	}{
		{"all", consent + rest + bank + scc, func(*answer.FactsRequest) {}},
		{"by e-mail", consent + rest + bank + scc, func(r *answer.FactsRequest) {
			r.Person = answer.Person{Scheme: "email", Value: answertest.Email}
		}},
		{"not yet recorded", rest + bank + scc, func(r *answer.FactsRequest) { r.KnownAt = "2026-03-12" }},
		{"before the link was recorded", bank, func(r *answer.FactsRequest) { r.KnownAt = "2026-03-10T07:30:00Z" }},
		{"earlier", consent + bank, func(r *answer.FactsRequest) { r.At = "2026-03-10T19:00:00Z" }},
		{"the person alone", consent + rest, func(r *answer.FactsRequest) { r.Recipient = "" }},
		{"the recipient alone", bank, func(r *answer.FactsRequest) { r.Person = answer.Person{} }},
		{"an employee", "", func(r *answer.FactsRequest) { r.Person, r.Recipient, r.Actor = answer.Person{}, "", "u17" }},
		{"nobody", "", func(r *answer.FactsRequest) { r.Person.Value, r.Recipient = "C-1", "" }},
	} {
		asked := req
		c.change(&asked)
		if got := stands(asked); got != c.want {
			t.Errorf("%s: %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestFactsFaults(t *testing.T) {
	t.Parallel()
	d := answertest.Plant(t)
	person := answer.Person{Scheme: "email", Value: answertest.Email}
	for pointer, req := range map[string]answer.FactsRequest{
		"/controller":    {Controller: "elsewhere", Person: person},
		"":               {Controller: answertest.Controller},
		"/person/scheme": {Controller: answertest.Controller, Person: answer.Person{Value: "x"}},
		"/person/value":  {Controller: answertest.Controller, Person: answer.Person{Scheme: "email"}},
		"/at":            {Controller: answertest.Controller, Person: person, At: "yesterday"},
		"/known_at":      {Controller: answertest.Controller, Person: person, KnownAt: "yesterday"},
	} {
		_, err := answer.Facts(t.Context(), d, req)
		var fault *answer.Fault
		if !errors.As(err, &fault) || fault.Pointer != pointer {
			t.Errorf("%s: %v", pointer, err)
		}
	}
}
