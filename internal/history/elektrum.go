package history

import "github.com/andmerada/andmerada/internal/event"

// The companies are made up, but for those that the notices or the law name.
var (
	processors = []event.Recipient{
		{ID: "processors", Organisation: "Postipaber OÜ", Country: "EE"},
		{ID: "processors", Organisation: "Pilvehoidla SIA", Country: "LV"},
		{ID: "processors", Organisation: "Kõnekeskus UAB", Country: "LT"},
		{ID: "processors", Organisation: "Arvesti Oy", Country: "FI"},
	}
	groupCompanies = []event.Recipient{
		{ID: "group-companies", Organisation: "Grupi Teenused SIA", Country: "LV"},
		{ID: "group-companies", Organisation: "Grupi Andmed UAB", Country: "LT"},
	}
	networkOperators = []event.Recipient{
		{ID: "network-operators", Organisation: "Saarevõrk OÜ", Country: "EE"},
		{ID: "network-operators", Organisation: "Linnavõrk AS", Country: "EE"},
	}
	elektrilevi   = []event.Recipient{{ID: "elektrilevi", Country: "EE"}}
	creditinfo    = []event.Recipient{{ID: "creditinfo-eesti", Country: "EE"}}
	police        = []event.Recipient{{ID: "state-authorities", Organisation: "Politsei- ja Piirivalveamet", Country: "EE"}}
	taxBoard      = []event.Recipient{{ID: "state-authorities", Organisation: "Maksu- ja Tolliamet", Country: "EE"}}
	backupAbroad  = []event.Recipient{{ID: "processor-onward-third-country", Organisation: "Backup Cloud Inc.", Country: "US"}}
	infoPartner   = []event.Recipient{{ID: "public-info-partner", Organisation: "Avalik Info OÜ", Country: "EE"}}
	insurer       = []event.Recipient{{Organisation: "Näidis Kindlustus AS", Country: "EE"}}
	toThePerson   = []event.Recipient{{ID: event.DataSubject}}
	onwardAbroad  = both(yes(event.TransferOnward, event.TransferByProcessor), text(event.TransferDestinationCountry, "US"))
	sameGroup     = yes(event.RecipientSameGroup)
	byLaw         = yes(event.LegalObligationExists, event.LegalObligationWithinScope)
	lastYear      = func(f *event.Facts, m *moment) { f.Set(event.FinancialYearEnd, event.DayValue(newYear(m.today)-1)) }
	agentRole     = "customer-service"
	contractPlain = "contract-and-customer-management"
)

// newYear is the first of January of the date's year.
func newYear(d event.Date) event.Date {
	y := 1970 + int(d)/366 // at most the year itself
	for event.NewDate(y+1, 1, 1) <= d {
		y++
	}
	return event.NewDate(y, 1, 1)
}

const elektrumID = "elektrum"

func elektrum() *plans {
	return &plans{
		controller: elektrumID, host: "elektrum.example", share: 0.68, number: "80%06d", facts: "crm",
		consents: []string{"direct-marketing", "customer-surveys", "games-and-campaigns", "price-offers", "profile-based-offers"},
		invoice:  deed{from: "billing", op: event.Use, purpose: "billing", reason: "invoice"},
		everyday: elektrumEveryday(),
		stories:  append(append(elektrumLives(), elektrumViolations()...), elektrumSilences()...),
		standing: []standing{
			{name: "processor", about: "processors", value: both(yes(event.ProcessorContract, event.ProcessorConfidentiality),
				text(event.ProcessorEstablishmentCountry, "EE"), text(event.ProcessorStorageCountry, "EE"))},
			{name: "recipient_info", about: "group-companies", value: sameGroup},
		},
		cohorts: []standingCohort{
			{name: "group-exchange", share: 0.9, deed: deed{
				from: "crm", op: event.Transfer, purpose: "group-data-exchange", to: groupCompanies, states: sameGroup, reason: "monthly exchange",
				categories: []string{"name", "contact-address", "contract-number", "products-services", "consumption"},
			}},
			{name: "billing-print", share: 0.3, deed: deed{
				from: "billing", op: event.Transfer, purpose: "billing", to: processors[:1], states: inTheCountry, reason: "printing of invoices",
				categories: []string{"name", "postal-address", "contract-number", "consumption"},
			}},
		},
	}
}

func elektrumEveryday() []everyday {
	recording, letters := []string{"call-recording"}, []string{"correspondence"}
	return []everyday{
		{weight: 140, deed: deed{from: "crm", op: event.Access, purpose: contractPlain, agent: agentRole, reason: "the client called"}},
		{weight: 40, deed: deed{from: "crm", op: event.Use, purpose: "order-management", agent: agentRole}},
		{weight: 60, deed: deed{from: "crm", op: event.Record, purpose: "customer-communication-documentation", agent: agentRole, categories: letters}},
		{weight: 15, deed: deed{from: "crm", op: event.Record, purpose: "customer-communication-documentation", agent: agentRole, categories: recording}},
		{weight: 8, deed: deed{from: "crm", op: event.Record, purpose: "contract-conclusion-record", agent: agentRole, categories: []string{"voice-call-data", "call-recording"}}},
		{weight: 8, deed: deed{from: "crm", op: event.Record, purpose: "voice-contract-confirmation", categories: recording}},
		{weight: 8, deed: deed{from: "crm", op: event.Send, purpose: "voice-contract-confirmation", categories: []string{"contact-address"}, to: toThePerson, channel: "post"}},
		{weight: 8, deed: deed{from: "crm", op: event.Record, purpose: "consent-evidence", agent: agentRole, categories: []string{"consent-record", "call-recording"}}},
		{weight: 40, deed: deed{from: "crm", op: event.Use, purpose: "quality-and-fault-management", agent: "fault-desk"}},
		{weight: 20, deed: deed{from: "crm", op: event.Collect, purpose: "pre-contract-communication", agent: "sales", dataSource: "data-subject"}},
		{weight: 6, deed: deed{from: "crm", op: event.Rectify, purpose: contractPlain, agent: agentRole, categories: []string{"contact-address", "phone"}}},
		{weight: 30, deed: deed{from: "network-exchange", op: event.Transfer, purpose: "quality-and-fault-management", to: networkOperators, scheme: schemePoint, categories: []string{"consumption-site-address", "meter-type", "phone"}, reason: "fault report"}},
		{weight: 20, deed: deed{from: "network-exchange", op: event.Transfer, purpose: "quality-and-fault-management", to: elektrilevi, categories: []string{"name", "consumption-site-address", "meter-type", "phone"}, reason: "fault report"}},
		{weight: 50, deed: deed{from: "billing", op: event.Transfer, purpose: "billing", to: processors, states: inTheCountry}},
		{weight: 30, deed: deed{from: "crm", op: event.Transfer, purpose: contractPlain, to: processors, states: inTheCountry}},
		{weight: 20, consent: true, deed: deed{from: "marketing", op: event.Transfer, purpose: "direct-marketing", to: processors, states: inTheCountry, categories: []string{"name", "email"}}},
		{weight: 30, deed: deed{from: "billing", op: event.Use, purpose: "accounting"}},
		{weight: 30, deed: deed{from: "network-exchange", op: event.Use, purpose: "network-fee-accounting"}},

		{when: night, weight: 100, deed: deed{from: "billing", op: event.Collect, purpose: contractPlain, categories: []string{"consumption"}, dataSource: "elektrilevi", scheme: schemePoint, records: 24}},
		{when: night, weight: 40, deed: deed{from: "analytics", op: event.Profile, purpose: "consumption-analysis", categories: []string{"consumption", "products-services", "consumption-profile"}, records: 720}},
		{when: night, weight: 15, deed: deed{from: "analytics", op: event.Use, purpose: "fault-statistics", scheme: schemePoint, several: 6}},
		{when: night, weight: 12, deed: deed{from: "crm", op: event.Transfer, purpose: "group-it-and-central-management", to: groupCompanies, states: sameGroup, categories: []string{"name", "contract-number", "products-services"}}},
		{when: night, weight: 8, deed: deed{from: "crm", op: event.Transfer, purpose: contractPlain, to: backupAbroad, states: both(onwardAbroad, text(event.TransferSafeguards, "scc")), reason: "backup copy"}},
		{when: night, weight: 8, deed: deed{from: "crm", op: event.Retain, purpose: "customer-communication-documentation", categories: recording, states: both(daysAgo(event.RecordedOn, 400), text(event.RecordingClass, "none-of-these"))}},
		{when: night, weight: 8, deed: deed{from: "crm", op: event.Retain, purpose: "customer-communication-documentation", categories: letters, states: daysAgo(event.CommunicationEnd, 900)}},
		{when: night, weight: 8, deed: deed{from: "crm", op: event.Erase, purpose: "customer-communication-documentation", categories: recording, states: both(daysAgo(event.RecordedOn, 725), text(event.RecordingClass, "none-of-these"))}},
		{when: night, weight: 6, deed: deed{from: "crm", op: event.Retain, purpose: "pre-contract-communication", states: daysAgo(event.OfferDate, 100), categories: []string{"name", "phone"}}},
		{when: night, weight: 8, deed: deed{from: "billing", op: event.Retain, purpose: "accounting", states: lastYear}},
		{when: night, weight: 8, deed: deed{from: "crm", op: event.Retain, purpose: contractPlain}},

		{when: waking, weight: 80, deed: deed{from: "self-service", op: event.Record, purpose: "self-service-management", scheme: schemeEmail, categories: []string{"authentication-data"}}},
		{when: waking, weight: 50, deed: deed{from: "self-service", op: event.Use, purpose: "authentication-service", scheme: schemeCode}},
		{when: waking, weight: 50, deed: deed{from: "self-service", op: event.Collect, purpose: "website-security", scheme: schemeEmail, dataSource: "client-device"}},
		{when: waking, weight: 30, deed: deed{from: "self-service", op: event.Collect, purpose: "cookies", scheme: schemeEmail, categories: []string{"cookies"}, dataSource: "client-device"}},
		{when: waking, weight: 50, deed: deed{from: "self-service", op: event.Access, purpose: "billing", to: toThePerson, reason: "the client looks at invoices"}},
		{when: waking, weight: 90, consent: true, deed: deed{from: "marketing", op: event.Send, purpose: "direct-marketing", to: toThePerson, channel: "email", categories: []string{"name", "email"}}},
		{when: waking, weight: 15, consent: true, deed: deed{from: "marketing", op: event.Send, purpose: "direct-marketing", to: toThePerson, channel: "sms", categories: []string{"name", "phone"}}},
		{when: waking, weight: 15, consent: true, deed: deed{from: "marketing", op: event.Send, purpose: "profile-based-offers", to: toThePerson, channel: "email", categories: []string{"consumption-profile"}}},
		{when: waking, weight: 10, consent: true, deed: deed{from: "marketing", op: event.Send, purpose: "customer-surveys", to: toThePerson, channel: "email", categories: []string{"name", "contact-address"}}},
		{when: waking, weight: 10, consent: true, deed: deed{from: "marketing", op: event.Collect, purpose: "customer-surveys", dataSource: "data-subject", categories: []string{"satisfaction", "survey-answers"}}},
		{when: waking, weight: 10, consent: true, deed: deed{from: "marketing", op: event.Use, purpose: "games-and-campaigns"}},
		{when: waking, weight: 10, consent: true, elering: true, deed: deed{from: "marketing", op: event.Collect, purpose: "price-offers", categories: []string{"consumption", "metering-point-eic"}, dataSource: "elering-platform"}},
		{when: waking, weight: 10, consent: true, elering: true, deed: deed{from: "marketing", op: event.Use, purpose: "price-offers"}},
	}
}

// What is done in the stories more than once.
var (
	tellBreach = deed{
		from: "credit-control", op: event.Disclose, purpose: "creditinfo-disclosure", to: creditinfo,
		categories: []string{"breach-info", "name", "personal-code"}, reason: "payment overdue",
	}
	decide       = deed{from: "credit-control", op: event.Decide, purpose: "instalment-automated-decision", categories: []string{"payment-behaviour", "credit-score"}}
	analyse      = deed{from: "analytics", op: event.Profile, purpose: "consumption-analysis", categories: []string{"consumption"}}
	newsletter   = deed{from: "marketing", op: event.Send, purpose: "direct-marketing", to: toThePerson, channel: "email", categories: []string{"name", "email"}}
	profileOffer = deed{from: "marketing", op: event.Send, purpose: "profile-based-offers", to: toThePerson, channel: "email", categories: []string{"consumption-profile"}}
	eraseData    = deed{from: "crm", op: event.Erase, purpose: contractPlain}
	keepData     = deed{from: "crm", op: event.Retain, purpose: contractPlain}
)

func elektrumLives() []story {
	decided := decide
	decided.states = no(event.ReviewRefused)
	return []story{
		{kind: "breach of payment", share: 0.03, mixes: true, steps: []step{
			{day: 1, tell: "breach", value: breach("payment", false)},
			{day: 1, tell: "debt_or_dispute", value: yes(event.DebtOrDispute)},
			{day: 5, do: &deed{from: "credit-control", op: event.Use, purpose: "debt-management-and-collection"}},
			{day: 12, do: &deed{from: "credit-control", op: event.Transfer, purpose: "debt-management-and-collection", to: elektrilevi, categories: []string{"name", "payment-default", "contact-address"}}},
			{day: 20, tell: "breach", value: breach("payment", true)},
			{day: 33, do: &tellBreach},
			{day: 60, tell: "breach", value: both(breach("payment", true), yearsBefore(event.BreachEndedOn, 0, 1))},
			{day: 60, tell: "debt_or_dispute", value: no(event.DebtOrDispute)},
			{day: 61, do: &deed{from: "credit-control", op: event.Use, purpose: "debt-management-and-collection", categories: []string{"payment-default", "name"}}},
		}},
		{kind: "instalments", share: 0.03, mixes: true, steps: []step{
			{day: 0, tell: "request", value: request("instalment", 0, false)},
			{day: 0, do: &deed{from: "credit-control", op: event.Disclose, purpose: "instalment-automated-decision", to: creditinfo, categories: []string{"name", "personal-code"}}},
			{day: 0, do: &deed{from: "credit-control", op: event.Collect, purpose: "instalment-automated-decision", categories: []string{"credit-score", "credit-bureau-data"}, dataSource: "creditinfo-eesti"}},
			{day: 0, do: &deed{from: "credit-control", op: event.Disclose, purpose: "instalment-assessment", to: infoPartner, categories: []string{"public-source-info"}}},
			{day: 0, do: &deed{from: "credit-control", op: event.Collect, purpose: "instalment-assessment", categories: []string{"public-source-info"}, dataSource: "riigi-teataja-and-search-engines"}},
			{day: 1, do: &decided},
			{day: 8, tell: "request", value: request("decision-review", 8, false)},
			{day: 9, tell: "request", value: request("decision-review", 8, true)},
			{day: 9, tell: "request", value: request("instalment", 0, true)},
			{day: 10, do: &decided},
		}},
		{kind: "additional contract", share: 0.02, mixes: true, steps: []step{
			{day: 0, tell: "request", value: request("additional-contract", 0, false)},
			{day: 1, do: &deed{from: "crm", op: event.Use, purpose: "additional-contracts", agent: "sales"}},
		}},
		{kind: "request for access", share: 0.01, steps: []step{
			{day: 0, tell: "request", value: request("access", 0, false)},
			{day: 10, tell: "request", value: request("access", 0, true)},
			{day: 10, do: &deed{from: "crm", op: event.Disclose, purpose: contractPlain, to: toThePerson, agent: agentRole}},
		}},
		{kind: "rectification", share: 0.01, steps: []step{
			{day: 0, tell: "request", value: request("rectification", 0, false)},
			{day: 2, tell: "request", value: request("rectification", 0, true)},
			{day: 2, do: &deed{from: "crm", op: event.Rectify, purpose: contractPlain, agent: agentRole, categories: []string{"phone"}}},
		}},
		{kind: "end of the contract", share: 0.08, ends: true, mixes: true, steps: []step{
			{day: 0, tell: "contract_end", value: onFirst(event.ContractEnd)},
			{day: 30, do: &keepData},
		}},
		{kind: "police request", share: 0.006, mixes: true, steps: []step{
			{day: 0, do: &deed{from: "crm", op: event.Disclose, purpose: "state-authority-cooperation", to: police, agent: "legal", categories: []string{"name", "contact-address", "consumption-site-address"}, states: byLaw, reason: "request of the authority"}},
		}},
		{kind: "tax inspection", share: 0.004, mixes: true, steps: []step{
			{day: 0, do: &deed{from: "billing", op: event.Disclose, purpose: "accounting", to: taxBoard, agent: "accountant", states: byLaw}},
		}},
	}
}
