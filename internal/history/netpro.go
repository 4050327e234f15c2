package history

import "github.com/andmerada/andmerada/internal/event"

var (
	employees     = []event.Recipient{{ID: "employees"}}
	maksekeskus   = []event.Recipient{{ID: "maksekeskus", Country: "EE"}}
	cert          = []event.Recipient{{ID: "cert", Organisation: "CERT-EE", Country: "EE"}}
	thirdParty    = []event.Recipient{{ID: "other-third-parties", Organisation: "Turvaaudit OÜ", Country: "EE"}}
	domains       = []event.Recipient{{ID: "domain-registries", Organisation: "Näidisregister SA", Country: "EE"}, {ID: "domain-registries", Organisation: "Domeniregistri ry", Country: "FI"}}
	registrars    = []event.Recipient{{ID: "registration-intermediaries", Organisation: "Nimevahendus OÜ", Country: "EE"}}
	mayAct        = yes(event.EmployeeTrained, event.EmployeePermitted, event.EmployeeDutyRequires)
	needed        = yes(event.Necessity)
	forIncident   = yes(event.Necessity, event.Proportionality)
	traces        = []string{"ip-address", "log-data"}
	whoAndAddress = []string{"name", "email"}
)

func netpro() *plans {
	return &plans{
		controller: "netpro", host: "netpro.example", number: "NP-%06d", facts: "portal",
		consents: []string{"marketing-messages", "satisfaction-surveys", "market-analysis-statistics"},
		invoice:  deed{from: "billing", op: event.Use, purpose: "billing", categories: []string{"name", "email", "service-usage"}, reason: "invoice"},
		everyday: netproEveryday(),
		stories:  append(append(netproLives(), netproViolations()...), netproSilences()...),
		standing: []standing{{name: "employee", value: yes(event.EmployeeTrained, event.EmployeePermitted)}},
		cohorts: []standingCohort{{name: "abuse-report", share: 0.1, deed: deed{
			from: "security", op: event.Disclose, purpose: "cert-incident-sharing", to: cert, categories: traces, states: forIncident, reason: "compromised machines",
		}}},
	}
}

func netproEveryday() []everyday {
	return []everyday{
		{weight: 80, deed: deed{from: "support", op: event.Access, purpose: "service-access", to: employees, agent: "support", categories: []string{"name", "email", "cloud-username"}, states: mayAct, reason: "fault report"}},
		{weight: 40, deed: deed{from: "support", op: event.Use, purpose: "customer-relationship", to: employees, agent: "support", categories: []string{"name", "phone", "correspondence"}, states: mayAct}},
		{weight: 20, deed: deed{from: "support", op: event.Record, purpose: "customer-relationship", agent: "support", categories: []string{"correspondence"}}},
		{weight: 10, deed: deed{from: "support", op: event.Record, purpose: "customer-relationship", agent: "support", categories: []string{"call-recording"}}},
		{weight: 30, deed: deed{from: "billing", op: event.Send, purpose: "billing", categories: whoAndAddress, to: toThePerson, channel: "email"}},
		{weight: 8, deed: deed{from: "billing", op: event.Use, purpose: "exercise-of-rights", agent: "accountant", categories: []string{"name", "payment-behaviour"}}},
		{weight: 8, deed: deed{from: "billing", op: event.Use, purpose: "legal-obligations-general", categories: []string{"name", "personal-code"}}},
		{weight: 8, deed: deed{from: "billing", op: event.Use, purpose: "legal-or-contractual-obligations", categories: []string{"name", "service-usage"}}},
		{weight: 8, deed: deed{from: "portal", op: event.Collect, purpose: "contract-conclusion", agent: "sales", categories: []string{"name", "birth-date", "email"}, dataSource: "data-subject-and-use", states: needed}},
		{weight: 6, deed: deed{from: "portal", op: event.Collect, purpose: "identity-verification", agent: "sales", categories: []string{"name", "id-document-number"}, dataSource: "data-subject-and-use", states: needed}},
		{weight: 6, deed: deed{from: "security", op: event.Disclose, purpose: "cert-incident-sharing", to: cert, agent: "security", categories: traces, states: forIncident}},
		{weight: 5, deed: deed{from: "security", op: event.Disclose, purpose: "user-experience", to: thirdParty, agent: "security", categories: []string{"log-data"}, states: needed, reason: "audit"}},

		{when: night, weight: 40, deed: deed{from: "security", op: event.Use, purpose: "service-access", categories: traces, records: 200}},
		{when: night, weight: 10, deed: deed{from: "billing", op: event.Retain, purpose: "customer-relationship", categories: []string{"name", "correspondence"}}},
		{when: night, weight: 6, deed: deed{from: "portal", op: event.Use, purpose: "data-accuracy", categories: []string{"name", "email", "phone"}}},

		{when: waking, weight: 80, deed: deed{from: "portal", op: event.Use, purpose: "service-access", scheme: schemeEmail, categories: []string{"cloud-username", "ip-address"}}},
		{when: waking, weight: 30, deed: deed{from: "portal", op: event.Collect, purpose: "customer-relationship", scheme: schemeEmail, categories: []string{"cookies", "device-info"}, dataSource: "data-subject-and-use"}},
		{when: waking, weight: 20, deed: deed{from: "portal", op: event.Use, purpose: "user-experience", categories: []string{"service-usage", "satisfaction"}}},
		{when: waking, weight: 6, deed: deed{from: "portal", op: event.Rectify, purpose: "data-accuracy", categories: []string{"phone"}}},
		{when: waking, weight: 60, deed: deed{from: "billing", op: event.Transfer, purpose: "payment-execution", to: maksekeskus, categories: []string{"payment-execution-data", "name"}}},
		{when: waking, weight: 25, deed: deed{from: "portal", op: event.Transfer, purpose: "service-access", to: domains, categories: []string{"name", "email", "postal-address"}, states: inTheCountry}},
		{when: waking, weight: 10, deed: deed{from: "portal", op: event.Transfer, purpose: "contract-conclusion", to: registrars, categories: whoAndAddress, states: inTheCountry}},
		{when: waking, weight: 50, consent: true, deed: deed{from: "marketing", op: event.Send, purpose: "marketing-messages", to: toThePerson, channel: "email", categories: whoAndAddress}},
		{when: waking, weight: 10, consent: true, deed: deed{from: "marketing", op: event.Send, purpose: "satisfaction-surveys", to: toThePerson, channel: "email", categories: whoAndAddress}},
		{when: waking, weight: 8, consent: true, deed: deed{from: "marketing", op: event.Use, purpose: "market-analysis-statistics", categories: []string{"service-usage"}}},
	}
}

var (
	netproNews  = deed{from: "marketing", op: event.Send, purpose: "marketing-messages", to: toThePerson, channel: "email", categories: whoAndAddress}
	netproKeep  = deed{from: "portal", op: event.Retain, purpose: "customer-relationship", categories: []string{"name", "correspondence"}}
	netproErase = deed{from: "portal", op: event.Erase, purpose: "customer-relationship", categories: []string{"name", "correspondence"}}
	netproUse   = deed{from: "portal", op: event.Use, purpose: "customer-relationship", categories: []string{"name", "email"}}
	netproSee   = deed{from: "support", op: event.Access, purpose: "service-access", to: employees, agent: "support", categories: []string{"name", "email"}}
)

func netproLives() []story {
	return []story{
		{kind: "end of the relationship", share: 0.08, ends: true, mixes: true, steps: []step{
			{day: 0, tell: "relationship_end", value: onFirst(event.RelationshipEnd)},
			{day: 60, do: &netproKeep},
		}},
		{kind: "erasure", share: 0.01, ends: true, steps: []step{
			{day: 0, tell: "relationship_end", value: onFirst(event.RelationshipEnd)},
			{day: 0, tell: "request", value: request("erasure", 0, false)},
			{day: 4, do: &netproErase},
			{day: 5, tell: "request", value: request("erasure", 0, true)},
			{day: 6, do: &deed{from: "support", op: event.Send, purpose: "customer-relationship", to: toThePerson, agent: "support", channel: "email", categories: []string{"email"}}},
		}},
		{kind: "erased after two years", share: 0.02, former: true, steps: []step{
			{day: everLong, tell: "relationship_end", value: yearsBefore(event.RelationshipEnd, 2, 0)},
			{day: 0, do: &netproErase},
		}},
		{kind: "tax inspection", share: 0.005, mixes: true, steps: []step{
			{day: 0, do: &deed{from: "billing", op: event.Disclose, purpose: "legal-obligations-general", to: []event.Recipient{{ID: "maksu-ja-tolliamet", Country: "EE"}}, agent: "accountant", categories: []string{"name", "payment-behaviour"}, states: byLaw}},
		}},
		{kind: "police request", share: 0.005, mixes: true, steps: []step{
			{day: 0, do: &deed{from: "security", op: event.Disclose, purpose: "statutory-duties-investigators", to: []event.Recipient{{ID: "politsei-ja-piirivalveamet", Country: "EE"}}, agent: "legal", categories: traces, states: byLaw}},
		}},
		{kind: "investigation", share: 0.003, mixes: true, steps: []step{
			{day: 0, do: &deed{from: "security", op: event.Disclose, purpose: "statutory-duties-investigators", to: []event.Recipient{{ID: "investigative-authorities", Organisation: "Prokuratuur", Country: "EE"}}, agent: "legal", categories: traces, states: byLaw}},
		}},
	}
}
