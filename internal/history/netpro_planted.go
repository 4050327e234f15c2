package history

import "github.com/andmerada/andmerada/internal/event"

func netproViolations() []story {
	aDayLate := yearsBefore(event.RelationshipEnd, 2, 1)
	return []story{
		{
			kind: "cert-not-proportionate", verdict: violation, rules: []string{"NET-01"}, mixes: true, cohort: 80,
			why: "an incident team was given whole mailboxes of a group of clients, which was not proportionate",
			steps: once(&deed{
				from: "security", op: event.Disclose, purpose: "cert-incident-sharing", to: cert, agent: "security", categories: []string{"client-content"},
				states: both(needed, no(event.Proportionality)),
			}),
		},
		{
			kind: "employee-not-trained", verdict: violation, rules: []string{"NET-02"}, mixes: true,
			why:   "the employee had not had the training",
			steps: once(with(netproSee, both(no(event.EmployeeTrained), yes(event.EmployeePermitted, event.EmployeeDutyRequires)))),
		},
		{
			kind: "employee-without-duty", verdict: violation, rules: []string{"NET-02"}, mixes: true,
			why:   "the employee's duties did not require to look",
			steps: once(with(netproSee, both(no(event.EmployeeDutyRequires), yes(event.EmployeeTrained, event.EmployeePermitted)))),
		},
		{
			kind: "authority-without-obligation", verdict: violation, rules: []string{"NET-03"}, mixes: true,
			why: "the police were given data without a legal obligation",
			steps: once(&deed{
				from: "security", op: event.Disclose, purpose: "statutory-duties-investigators", to: []event.Recipient{{ID: "politsei-ja-piirivalveamet", Country: "EE"}}, agent: "legal",
				categories: traces, states: no(event.LegalObligationExists),
			}),
		},
		{
			kind: "id-copy-to-maksekeskus", verdict: violation, rules: []string{"NET-04"}, mixes: true,
			why:   "Maksekeskus was given the copy of an identity document, which no payment needs",
			steps: once(&deed{from: "billing", op: event.Transfer, purpose: "payment-execution", to: maksekeskus, categories: []string{"payment-execution-data", "id-document-copy"}}),
		},
		{
			kind: "third-party-without-need", verdict: violation, rules: []string{"NET-05"}, mixes: true,
			why:   "a third party was given data that the purpose did not need",
			steps: once(&deed{from: "security", op: event.Disclose, purpose: "user-experience", to: thirdParty, agent: "security", categories: []string{"name", "phone"}, states: no(event.Necessity)}),
		},
		{
			kind: "used-two-years-and-a-day-after", verdict: violation, rules: []string{"NET-06"}, former: true,
			why: "data were used two years and a day after the relationship had ended",
			steps: []step{
				{day: everLong, tell: "relationship_end", value: aDayLate},
				{day: 0, do: with(netproUse, no(event.LegalObligationExists))},
			},
		},
		{
			kind: "kept-two-years-and-a-day-after", verdict: violation, rules: []string{"NET-06", "NET-T2"}, former: true,
			why: "data were kept two years and a day after the relationship had ended",
			steps: []step{
				{day: everLong, tell: "relationship_end", value: aDayLate},
				{day: 0, do: with(netproKeep, no(event.LegalObligationExists))},
			},
		},
		{
			kind: "used-after-request-for-erasure", verdict: violation, rules: []string{"NET-07"},
			why: "data were used though the person had asked for their erasure and nothing else obliged to keep them",
			steps: []step{
				{day: 0, tell: "request", value: request("erasure", 0, false)},
				{day: 15, do: with(netproUse, no(event.ContractInForce, event.LegalObligationExists))},
			},
		},
		{
			kind: "marketing-after-objection", verdict: violation, rules: []string{"NET-08"},
			why: "a marketing message was sent after the person had objected to them",
			steps: []step{
				{day: 0, tell: "consent", value: consentTo("marketing-messages", 0, -1, "electronic", true)},
				{day: 30, tell: "objection", value: objection("marketing-messages", "pending", 30)},
				{day: 33, do: &netproNews},
			},
		},
		{
			kind: "marketing-after-withdrawal", verdict: violation, rules: []string{"NET-09"},
			why: "a marketing message was sent after the consent had been withdrawn",
			steps: []step{
				{day: 0, tell: "consent", value: consentTo("marketing-messages", 0, -1, "electronic", true)},
				{day: 11, do: &netproNews},
				{day: 30, tell: "consent", value: consentTo("marketing-messages", 0, 30, "electronic", true)},
				{day: 32, do: &netproNews},
			},
		},
		{
			kind: "id-copy-without-need", verdict: violation, rules: []string{"NET-10"}, mixes: true,
			why:   "the copy of an identity document was kept though it was not needed",
			steps: once(&deed{from: "portal", op: event.Record, purpose: "identity-verification", agent: "sales", categories: []string{"id-document-copy"}, states: no(event.Necessity)}),
		},
		{
			kind: "category-outside-the-six-groups", verdict: violation, rules: []string{"NET-12"}, mixes: true,
			why:   "a credit score is in none of the six groups of data that Netpro processes",
			steps: once(&deed{from: "billing", op: event.Use, purpose: "billing", categories: []string{"name", "credit-score"}}),
		},
		{
			kind: "collected-without-need", verdict: violation, rules: []string{"NET-13"}, mixes: true,
			why:   "data were collected that the purpose did not need",
			steps: once(&deed{from: "portal", op: event.Collect, purpose: "contract-conclusion", agent: "sales", categories: []string{"birth-date", "personal-code"}, dataSource: "data-subject-and-use", states: no(event.Necessity)}),
		},
		{
			kind: "registry-without-contract", verdict: violation, rules: []string{"NET-15"}, mixes: true,
			why: "a domain registry received data without a contract as processor",
			steps: once(&deed{
				from: "portal", op: event.Transfer, purpose: "service-access", to: domains, categories: whoAndAddress,
				states: both(inTheCountry, no(event.ProcessorContract)),
			}),
		},
		{
			kind: "another-controllers-recipient", verdict: violation, rules: []string{"X-01"}, mixes: true,
			why: "Creditinfo is a recipient that Elektrum has declared, not Netpro",
			steps: once(&deed{
				from: "billing", op: event.Disclose, purpose: "exercise-of-rights", to: []event.Recipient{{ID: "elektrum/creditinfo-eesti", Country: "EE"}}, agent: "accountant",
				categories: []string{"name", "payment-behaviour"},
			}),
		},
	}
}

func netproSilences() []story {
	return []story{
		{
			kind: "marketing-without-consent", verdict: review, rules: []string{"NET-09"},
			why:   "there is no consent and no objection; the notice does not say which basis marketing has",
			steps: once(&netproNews),
		},
		{
			kind: "other-reasonable-purpose", verdict: review, rules: []string{"NET-11"}, mixes: true,
			why:   "whether an \"other reasonable purpose\" is reasonable a person must say",
			steps: once(&deed{from: "portal", op: event.Use, purpose: "other-reasonable-purposes", categories: []string{"service-usage"}}),
		},
		{
			kind: "recipient-not-declared", verdict: review, rules: []string{"X-03"}, mixes: true,
			why:   "the notice does not name the recipient, and its list is open",
			steps: once(&deed{from: "support", op: event.Disclose, purpose: "customer-relationship", to: []event.Recipient{{Organisation: "Küsitluskoda OÜ", Country: "EE"}}, categories: whoAndAddress}),
		},
		{
			kind: "purpose-not-declared", verdict: review, rules: []string{"X-02"}, mixes: true,
			why:   "the notice has no such purpose, and its list is open",
			steps: once(&deed{from: "support", op: event.Use, purpose: "netpro/training-of-staff", agent: "support", categories: []string{"correspondence"}}),
		},
		{
			kind: "cert-proportion-unknown", verdict: review, rules: []string{"NET-01"}, mixes: true,
			why:   "whether it was proportionate is said to be unknown",
			steps: once(&deed{from: "security", op: event.Disclose, purpose: "cert-incident-sharing", to: cert, agent: "security", categories: traces, states: both(needed, unknown(event.Proportionality))}),
		},
		{
			kind: "employee-duty-unknown", verdict: review, rules: []string{"NET-02"}, mixes: true,
			why:   "nobody has said whether the employee's duties required it",
			steps: once(with(netproSee, yes(event.EmployeeTrained, event.EmployeePermitted))),
		},
		{
			kind: "registry-outside-the-eea", verdict: review, rules: []string{"X-03"}, mixes: true,
			why: "the notice says nothing of recipients outside the EEA",
			steps: once(&deed{
				from: "portal", op: event.Transfer, purpose: "service-access", to: []event.Recipient{{ID: "domain-registries", Organisation: "Example Registry Inc.", Country: "US"}},
				categories: whoAndAddress, states: inTheCountry,
			}),
		},
		{
			kind: "kept-longer-by-law", verdict: review, rules: []string{"NET-06", "NET-T2"}, former: true,
			why: "more than two years had passed, but a legal obligation is claimed",
			steps: []step{
				{day: everLong, tell: "relationship_end", value: yearsBefore(event.RelationshipEnd, 2, 30)},
				{day: 0, do: with(netproKeep, yes(event.LegalObligationExists))},
			},
		},
		{
			kind: "group-of-data-with-an-open-end", verdict: review, rules: []string{"NET-12"}, mixes: true,
			why:   "authentication data may be among the \"other data on devices\"",
			steps: once(&deed{from: "portal", op: event.Use, purpose: "service-access", categories: []string{"cloud-username", "authentication-data"}}),
		},
		{
			kind: "statistics-under-objection", verdict: review, rules: []string{"NET-08"},
			why: "§9.4 speaks of marketing and surveys; of statistics under an objection it says nothing",
			steps: []step{
				{day: 0, tell: "consent", value: consentTo("market-analysis-statistics", 0, -1, "electronic", true)},
				{day: 5, tell: "objection", value: objection("market-analysis-statistics", "pending", 5)},
				{day: 8, do: &deed{from: "marketing", op: event.Use, purpose: "market-analysis-statistics", categories: []string{"service-usage"}}},
			},
		},

		{
			kind: "kept-two-years-to-the-day", verdict: justRight, former: true,
			why: "two years to the day after the relationship had ended",
			steps: []step{
				{day: everLong, tell: "relationship_end", value: yearsBefore(event.RelationshipEnd, 2, 0)},
				{day: 0, do: &netproKeep},
			},
		},
	}
}
