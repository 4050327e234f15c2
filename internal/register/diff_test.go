package register_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/andmerada/andmerada/internal/register"
)

// diffable is a register with something of each group in it.
var diffable = strings.NewReplacer(
	"rules:\n", "rules:\n"+consentRule,
	"retention: []", retentionRule, "rights: []", `rights:
  - {id: access, name: {en: access}, clauses: [c]}`,
	"recipients:\n", `  - id: marketing
    name: {en: marketing}
    legal_basis: [consent]
    legal_basis_status: stated
    clauses: [c]
    categories: [email]
    categories_scope: explicit
recipients:
`).Replace(minimal)

const consentRule = `  - id: A-0
    title: Consent
    kind: consent
    clauses: [c]
    says: Marketing needs consent.
    applies: {purposes: [marketing]}
    requires:
      - that: consent.active('acme/marketing', event.time)
        says: the person had consented
    status: stated
`

const retentionRule = `retention:
  - id: A-T1
    title: Bills
    kind: retention
    clauses: [c]
    says: Bills are kept for 2 years.
    period: {length: P2Y, from: the bill, meaning: ceiling}
    not_judged: nothing says when a bill was written
    status: stated`

// edit is a change of the file, and what it changes for people.
type edit struct {
	name, from, to string
	want           string // "group kind path", one a line; "" = nothing changes
	says           string // part of what is said
}

var edits = []edit{
	{name: "a note", from: "    kind: processor\n", to: "    kind: processor\n    note: hello\n"},
	{name: "clauses", from: `clauses: ["§2"]`, to: `clauses: ["§7"]`},
	{name: "wording of a rule", from: "says: Marketing needs consent.", to: "says: For marketing we ask."},
	{name: "layout of a condition", from: "consent.active('acme/marketing', event.time)", to: ">-\n          consent.active('acme/marketing',\n          event.time)"},
	{name: "order of data", from: "[name, phone]", to: "[phone, name]"},
	{
		name: "a part of what is listed", from: "categories: [email]", to: "categories: [contact-address]",
		want: "data added purposes[marketing].categories[contact-address]", says: "contact address (e-mail and/or postal) may now be used for “marketing”",
	},
	{
		name: "more data, and who receives them", from: "[name, phone]", to: "[name, phone, payment-history]",
		want: "data added purposes[billing].categories[payment-history]\nrecipients added recipients[bank].data[payment-history]", says: "the bank may now receive payment history",
	},
	{
		name: "no consent", from: "legal_basis: [consent]", to: "legal_basis: [legitimate-interest]",
		want: "purposes changed purposes[marketing].legal_basis", says: "consent is no longer needed for “marketing”: it now rests on legitimate interests",
	},
	{
		name: "consent", from: "legal_basis: [contract]", to: "legal_basis: [consent]",
		want: "purposes changed purposes[billing].legal_basis", says: "“billing” now needs consent; it rested on performance of a contract",
	},
	{
		name: "open list", from: "purposes: closed", to: "purposes: open",
		want: "purposes changed lists.purposes", says: "the list of purposes is now open",
	},
	{
		name: "closed recipients", from: "recipients: open", to: "recipients: closed",
		want: "recipients changed lists.recipients", says: "the list of recipients is now closed",
	},
	{
		name: "a purpose for a recipient", from: "purposes: [billing]", to: "purposes: [billing, marketing]",
		want: "recipients added recipients[bank].purposes[marketing]\nrecipients added recipients[bank].data[email]", says: "the bank may now receive data for “marketing”",
	},
	{
		name: "a recipient", from: "sources: []", to: "  - {id: shop, name: {en: Shop OÜ}, kind: partner, purposes: [marketing], clauses: [c]}\nsources: []",
		want: "recipients added recipients[shop]", says: "Shop OÜ may now receive data, for “marketing”",
	},
	{
		name: "another verdict", from: "        says: the person had consented\n", to: "        says: the person had consented\n        unmet: review\n",
		want: "rules changed rules[A-0].requires", says: "a rule changed, A-0 “Consent”: what it requires now: the person had consented",
	},
	{
		name: "another selection", from: "operations: [transfer]", to: "operations: [transfer, disclose]",
		want: "rules changed rules[A-1].applies", says: "operations disclose, transfer",
	},
	{
		name: "a longer period", from: "length: P2Y", to: "length: P3Y",
		want: "retention changed retention[A-T1].period.length", says: "kept for 3 years instead of 2 years",
	},
	{
		name: "a floor", from: "meaning: ceiling", to: "meaning: floor",
		want: "retention changed retention[A-T1].period.meaning", says: "a least time, which may be longer instead of a longest time",
	},
	{
		name: "a right", from: "rights:\n", to: "rights:\n  - {id: erasure, name: {en: erasure}, clauses: [c], condition: if the law says so}\n",
		want: "rights added rights[erasure]", says: "a right gained: “erasure”, on the condition: if the law says so",
	},
	{
		name: "the day", from: `"2024-01-01"`, to: `"2025-01-01"`,
		want: "notice changed in_force.from", says: "in force from: 2025-01-01 instead of 2024-01-01",
	},
	{
		name: "counting", from: "period_convention: calendar", to: "period_convention: tsys",
		want: "notice changed period_convention", says: "as Estonian civil law does",
	},
}

func edited(t interface {
	Helper()
	Fatal(...any)
}, cats []byte, chosen ...edit,
) *register.Register {
	t.Helper()
	text := diffable
	for _, e := range chosen {
		if !strings.Contains(text, e.from) {
			t.Fatal(e.name + ": the register has no " + e.from)
		}
		text = strings.Replace(text, e.from, e.to, 1)
	}
	r, findings := register.Parse("acme/2024-01-01.yaml", []byte(text), cats)
	if r == nil {
		t.Fatal(findings)
	}
	return r
}

func TestDiff(t *testing.T) {
	t.Parallel()
	cats := categories(t)
	before := edited(t, cats)
	for _, e := range edits {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			var got, says []string
			for _, c := range register.Diff(before, edited(t, cats, e)) {
				got = append(got, c.Group+" "+c.Kind+" "+c.Path)
				says = append(says, c.Says)
			}
			if strings.Join(got, "\n") != e.want {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), e.want)
			}
			if !strings.Contains(strings.Join(says, "\n"), e.says) {
				t.Errorf("it says\n%s\nwant %q in it", strings.Join(says, "\n"), e.says)
			}
		})
	}
}

func TestDiffOfDecisions(t *testing.T) {
	t.Parallel()
	parse := func(decisions ...register.DecisionFile) *register.Register {
		r, findings := register.Parse("acme/a.yaml", []byte(diffable), categories(t), decisions...)
		if r == nil {
			t.Fatal(findings)
		}
		return r
	}
	decision := func(verdict string) register.DecisionFile {
		return register.DecisionFile{Name: "d.yaml", Data: fmt.Appendf(nil, minimalDecision, verdict)}
	}
	none, allowed, forbidden := parse(), parse(decision("allowed")), parse(decision("violation"))
	got := register.Diff(none, allowed)
	if len(got) != 1 || got[0].Path != "decisions[ACME-D1]" || !strings.Contains(got[0].Says, "reviews by A-1, X-03 are settled as allowed: The bank's country") {
		t.Errorf("a decision: %+v", got)
	}
	got = register.Diff(allowed, forbidden)
	if len(got) != 1 || got[0].Path != "decisions[ACME-D1].verdict" || got[0].After != "violation" {
		t.Errorf("another verdict: %+v", got)
	}
}

// minimalDecision settles reviews of the minimal register.
const minimalDecision = `andmerada: decision/v1
id: ACME-D1
title: The bank's country
controller: acme
decided_on: "2024-02-01"
decided_by: data protection officer
settles: [A-1, X-03]
verdict: %s
because: the bank has told us
`

// TestDiffMirrors: nothing differs from itself, and what is added in one
// direction is removed in the other.
func TestDiffMirrors(t *testing.T) {
	t.Parallel()
	cats := categories(t)
	kinds := func(changes []register.Change, kind string) (out []string) {
		for _, c := range changes {
			if c.Kind == kind {
				out = append(out, c.Group+" "+c.Path)
			}
		}
		slices.Sort(out)
		return out
	}
	// Edits of one place exclude each other.
	places := make(map[string]bool)
	var free []edit
	for _, e := range edits {
		if !places[e.from] {
			places[e.from] = true
			free = append(free, e)
		}
	}
	some := rapid.Custom(func(t *rapid.T) []edit {
		return slices.DeleteFunc(slices.Clone(free), func(edit) bool { return rapid.Bool().Draw(t, "without") })
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := edited(t, cats, some.Draw(t, "a")...), edited(t, cats, some.Draw(t, "b")...)
		if c := register.Diff(a, a); len(c) > 0 {
			t.Fatalf("a register differs from itself: %+v", c)
		}
		there, back := register.Diff(a, b), register.Diff(b, a)
		for _, pair := range [][2]string{
			{register.DiffAdded, register.DiffRemoved}, {register.DiffRemoved, register.DiffAdded}, {register.DiffChanged, register.DiffChanged},
		} {
			if x, y := kinds(there, pair[0]), kinds(back, pair[1]); !slices.Equal(x, y) {
				t.Fatalf("%s there: %v\n%s back: %v", pair[0], x, pair[1], y)
			}
		}
		for _, c := range there {
			if c.Kind == register.DiffChanged && !slices.ContainsFunc(back, func(o register.Change) bool { return o.Path == c.Path && o.Before == c.After && o.After == c.Before }) {
				t.Fatalf("%+v has no mirror", c)
			}
		}
	})
}
