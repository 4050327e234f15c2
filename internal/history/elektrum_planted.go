package history

import (
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
)

// Kinds that the things to try are taken from.
const (
	tryManyRecipients = "recipient-not-declared"
	tryWithdrawn      = "marketing-after-withdrawal"
)

const (
	violation = register.Violation
	review    = register.Review
	justRight = register.Allowed
)

// once is a story of one deed.
func once(d *deed) []step { return []step{{do: d}} }

// with is the deed with other statements.
func with(d deed, states tells) *deed { d.states = states; return &d }

// of is the deed with other categories.
func of(d deed, categories ...string) *deed { d.categories = categories; return &d }

func elektrumViolations() []story {
	recording := []string{"call-recording"}
	return []story{
		{
			kind: tryManyRecipients, verdict: violation, rules: []string{"ELK-24"}, mixes: true,
			why:   "an insurer is given data; §5.1 names no insurer among the recipients, and its list is closed",
			steps: once(&deed{from: "crm", op: event.Disclose, purpose: "order-management", to: insurer, agent: "sales", categories: []string{"name", "phone", "products-services"}}),
		},
		{
			kind: "creditinfo-after-29-days", verdict: violation, rules: []string{"ELK-17"}, mixes: true,
			why: "the breach was told 29 days after it happened; §5.2 asks for 30",
			steps: []step{
				{day: 1, tell: "breach", value: breach("payment", false)},
				{day: 20, tell: "breach", value: breach("payment", true)},
				{day: 29, do: &tellBreach},
			},
		},
		{
			kind: "creditinfo-unverified", verdict: violation, rules: []string{"ELK-17"}, mixes: true,
			why:   "the information on the breach had not been checked",
			steps: []step{{day: 1, tell: "breach", value: breach("payment", false)}, {day: 45, do: &tellBreach}},
		},
		{
			kind: "creditinfo-too-old", verdict: violation, rules: []string{"ELK-17"}, mixes: true,
			why: "the breach had ended more than 5 years before",
			steps: []step{
				{day: 0, tell: "breach", value: both(breach("payment", true), yearsBefore(event.BreachDate, 6, 0), yearsBefore(event.BreachEndedOn, 5, 10))},
				{day: 1, do: &tellBreach},
			},
		},
		{
			kind: "consumption-to-creditinfo", verdict: violation, rules: []string{"ELK-18"}, mixes: true,
			why:   "consumption data went to Creditinfo beside the breach",
			steps: []step{{day: 1, tell: "breach", value: breach("payment", true)}, {day: 40, do: of(tellBreach, "breach-info", "name", "consumption")}},
		},
		{
			kind: "creditinfo-in-a-third-role", verdict: violation, rules: []string{"ELK-28"}, mixes: true,
			why:   "Creditinfo was given payment history for billing; it is told of breaches and asked for ratings, nothing else",
			steps: once(&deed{from: "billing", op: event.Disclose, purpose: "billing", to: creditinfo, categories: []string{"name", "payment-history"}}),
		},
		{
			kind: "marketing-without-consent", verdict: violation, rules: []string{"ELK-01"},
			why:   "the person had consented to surveys only; one consent does not serve another purpose",
			steps: []step{{day: 0, tell: "consent", value: consentTo("customer-surveys", 0, -1, "written", true)}, {day: 3, do: &newsletter}},
		},
		{
			kind: tryWithdrawn, verdict: violation, rules: []string{"ELK-01", "ELK-03"},
			why: "the newsletter went out three days after the consent was withdrawn",
			steps: []step{
				{day: 0, tell: "consent", value: consentTo("direct-marketing", 0, -1, "electronic", true)},
				{day: 10, do: &newsletter},
				{day: 38, do: &newsletter},
				{day: 50, tell: "consent", value: consentTo("direct-marketing", 0, 50, "electronic", true)},
				{day: 53, do: &newsletter},
			},
		},
		{
			kind: "category-outside-a-closed-row", verdict: violation, rules: []string{"ELK-04"}, mixes: true,
			why:   "consumption data were used for direct marketing, whose row lists name, contacts and contract number only",
			steps: []step{{day: 0, tell: "consent", value: consentTo("direct-marketing", 0, -1, "written", true)}, {day: 5, do: of(newsletter, "name", "email", "consumption")}},
		},
		{
			kind: "price-offer-without-access-at-elering", verdict: violation, rules: []string{"ELK-06"},
			why: "consumption data were collected for an offer though the person had ended the access at Elering",
			steps: []step{
				{day: 0, tell: "consent", value: consentTo("price-offers", 0, -1, "electronic", true)},
				{day: 2, tell: "elering_access_granted", value: no(event.EleringAccessGranted)},
				{day: 3, do: &deed{from: "marketing", op: event.Collect, purpose: "price-offers", categories: []string{"consumption"}, dataSource: "elering-platform"}},
			},
		},
		{
			kind: "instalments-not-applied-for", verdict: violation, rules: []string{"ELK-07"},
			why:   "payment by instalments was assessed though nobody had applied for it",
			steps: once(with(decide, no(event.ReviewRefused))),
		},
		{
			kind: "additional-contract-not-applied-for", verdict: violation, rules: []string{"ELK-08"},
			why:   "data were used for an additional contract that nobody had applied for",
			steps: once(&deed{from: "crm", op: event.Use, purpose: "additional-contracts", agent: "sales"}),
		},
		{
			kind: "authority-without-obligation", verdict: violation, rules: []string{"ELK-10"}, mixes: true,
			why:   "an authority was given data without a legal obligation",
			steps: once(&deed{from: "crm", op: event.Disclose, purpose: "state-authority-cooperation", to: police, agent: "legal", categories: []string{"name", "phone"}, states: no(event.LegalObligationExists, event.LegalObligationWithinScope)}),
		},
		{
			kind: "authority-beyond-its-request", verdict: violation, rules: []string{"ELK-10"}, mixes: true,
			why:   "an authority was given more than it had asked for",
			steps: once(&deed{from: "crm", op: event.Disclose, purpose: "state-authority-cooperation", to: police, agent: "legal", categories: []string{"name", "consumption"}, states: both(yes(event.LegalObligationExists), no(event.LegalObligationWithinScope))}),
		},
		{
			kind: "offer-from-profile-without-consent", verdict: violation, rules: []string{"ELK-11"},
			why:   "the consumption profile was used for an offer without consent",
			steps: once(&profileOffer),
		},
		{
			kind: "profile-from-payments", verdict: violation, rules: []string{"ELK-12", "ELK-04"}, mixes: true,
			why:   "the consumption profile was made from payment history too; it holds volumes only",
			steps: once(of(analyse, "consumption", "payment-history")),
		},
		{
			kind: "analysis-after-upheld-objection", verdict: violation, rules: []string{"ELK-13"},
			why: "consumption was analysed though an objection to it had been upheld",
			steps: []step{
				{day: 0, tell: "objection", value: objection("consumption-analysis", "pending", 0)},
				{day: 9, tell: "objection", value: objection("consumption-analysis", "upheld", 0)},
				{day: 12, do: &analyse},
			},
		},
		{
			kind: "group-members-own-marketing", verdict: violation, rules: []string{"ELK-14"}, mixes: true, cohort: 150,
			why:   "a group of clients was passed to a group company for direct marketing, which is neither of the group's two purposes",
			steps: once(&deed{from: "marketing", op: event.Transfer, purpose: "direct-marketing", to: groupCompanies, categories: []string{"name", "email"}, states: sameGroup}),
		},
		{
			kind: "not-of-the-group", verdict: violation, rules: []string{"ELK-14"}, mixes: true,
			why:   "the company no longer belonged to the group",
			steps: once(&deed{from: "crm", op: event.Transfer, purpose: "group-data-exchange", to: groupCompanies, categories: []string{"name", "phone"}, states: no(event.RecipientSameGroup)}),
		},
		{
			kind: "processor-outside-the-eea", verdict: violation, rules: []string{"ELK-15"}, mixes: true,
			why: "a processor kept the data in the United States; §5.1.3 says that processors are in the EEA and keep data there",
			steps: once(&deed{
				from: "billing", op: event.Transfer, purpose: "billing", to: []event.Recipient{{ID: "processors", Organisation: "Mail House LLC", Country: "US"}},
				categories: []string{"name", "email"}, states: inTheCountry,
			}),
		},
		{
			kind: "onward-without-safeguards", verdict: violation, rules: []string{"ELK-16"}, mixes: true,
			why:   "a processor passed data on to the United States without safeguards",
			steps: once(&deed{from: "crm", op: event.Transfer, purpose: contractPlain, to: backupAbroad, states: both(onwardAbroad, text(event.TransferSafeguards, "none"))}),
		},
		{
			kind: "elektrilevi-for-network-fees", verdict: violation, rules: []string{"ELK-19"}, mixes: true,
			why:   "Elektrilevi was given data for network fees; §4.5 has it receive them within debt and fault management",
			steps: once(&deed{from: "network-exchange", op: event.Transfer, purpose: "network-fee-accounting", to: elektrilevi}),
		},
		{
			kind: "network-operator-for-billing", verdict: violation, rules: []string{"ELK-20"}, mixes: true,
			why:   "a network operator was given data for billing rather than for a fault",
			steps: once(&deed{from: "network-exchange", op: event.Transfer, purpose: "billing", to: networkOperators}),
		},
		{
			kind: "contact-person-not-informed", verdict: violation, rules: []string{"ELK-21"}, mixes: true,
			why:   "a business client's contact person had not been informed beforehand",
			steps: once(&deed{from: "crm", op: event.Use, purpose: "order-management", agent: "sales", states: both(text(event.SubjectRole, "contact-person"), no(event.PriorInformationGiven))}),
		},
		{
			kind: "review-of-decision-refused", verdict: violation, rules: []string{"ELK-23"},
			why:   "the review of an automated decision was refused",
			steps: []step{{day: 0, tell: "request", value: request("instalment", 0, true)}, {day: 2, do: with(decide, yes(event.ReviewRefused))}},
		},
		{
			kind: "kept-without-need", verdict: violation, rules: []string{"ELK-T0"}, mixes: true,
			why:   "data were kept that no purpose needed any more",
			steps: once(&deed{from: "self-service", op: event.Retain, purpose: "self-service-management", states: no(event.Necessity)}),
		},
		{
			kind: "recording-kept-too-long", verdict: violation, rules: []string{"ELK-T3"}, mixes: true,
			why: "a call recording that proves nothing was kept for more than 2 years",
			steps: once(&deed{
				from: "crm", op: event.Retain, purpose: "consent-evidence", categories: recording,
				states: both(daysAgo(event.RecordedOn, 760), text(event.RecordingClass, "none-of-these"), no(event.DebtOrDispute)),
			}),
		},
		{
			kind: "offer-kept-too-long", verdict: violation, rules: []string{"ELK-T4"}, mixes: true,
			why: "a price offer that led to nothing was kept for more than half a year",
			steps: once(&deed{
				from: "crm", op: event.Retain, purpose: "pre-contract-communication", categories: []string{"name", "phone"},
				states: both(daysAgo(event.OfferDate, 200), no(event.BecameClient, event.DebtOrDispute)),
			}),
		},
		{
			kind: "contract-data-erased-early", verdict: violation, rules: []string{"ELK-T5"}, former: true,
			why: "contract data were erased a day before 3 years had passed",
			steps: []step{
				{day: everLong, tell: "contract_end", value: func(f *event.Facts, m *moment) { f.Set(event.ContractEnd, event.DayValue(m.last.AddYears(-3)+1)) }},
				{day: 0, do: &eraseData},
			},
		},
		{
			kind: "accounting-erased-early", verdict: violation, rules: []string{"ELK-T6"}, mixes: true,
			why: "accounting data were erased before 7 years had passed since the end of the financial year",
			steps: once(&deed{from: "billing", op: event.Erase, purpose: "accounting", states: func(f *event.Facts, m *moment) {
				f.Set(event.FinancialYearEnd, event.DayValue(newYear(m.today).AddYears(-5)-1))
			}}),
		},
		{
			kind: "letters-kept-too-long", verdict: violation, rules: []string{"ELK-T7"}, mixes: true,
			why:   "letters were kept for more than 3 years",
			steps: once(&deed{from: "crm", op: event.Retain, purpose: "customer-communication-documentation", categories: []string{"correspondence"}, states: both(daysAgo(event.CommunicationEnd, 1100), no(event.DebtOrDispute))}),
		},
		{
			kind: "purpose-not-declared", verdict: violation, rules: []string{"X-02"}, mixes: true,
			why:   "the notice has no such purpose, and its list is closed",
			steps: once(&deed{from: "analytics", op: event.Use, purpose: "elektrum/tariff-experiments", categories: []string{"consumption"}}),
		},
		{
			kind: "another-controllers-purpose", verdict: violation, rules: []string{"X-01"}, mixes: true,
			why:   "a purpose that Netpro has declared is worth nothing at Elektrum",
			steps: once(&deed{from: "marketing", op: event.Send, purpose: "netpro/marketing-messages", to: toThePerson, channel: "email", categories: []string{"name", "email"}}),
		},
	}
}

func elektrumSilences() []story {
	return []story{
		{
			kind: "row-with-an-open-end", verdict: review, rules: []string{"ELK-04"}, mixes: true,
			why:   "the row on billing ends with \"etc.\": whether it takes in bank accounts a person must say",
			steps: once(&deed{from: "billing", op: event.Use, purpose: "billing", categories: []string{"name", "bank-account"}}),
		},
		{
			kind: "catch-all-of-surveys", verdict: review, rules: []string{"ELK-04"}, mixes: true,
			why: "what a person writes into a survey may be a date of birth",
			steps: []step{
				{day: 0, tell: "consent", value: consentTo("customer-surveys", 0, -1, "written", true)},
				{day: 1, do: &deed{from: "marketing", op: event.Collect, purpose: "customer-surveys", dataSource: "data-subject", categories: []string{"survey-answers", "birth-date"}}},
			},
		},
		{
			kind: "oral-consent-not-registered", verdict: review, rules: []string{"ELK-02"},
			why:   "the consent was given by telephone and registered nowhere",
			steps: []step{{day: 0, tell: "consent", value: consentTo("direct-marketing", 0, -1, "oral", false)}, {day: 3, do: &newsletter}},
		},
		{
			kind: "analysis-under-objection", verdict: review, rules: []string{"ELK-13"},
			why:   "an objection was pending; the notice does not say what follows",
			steps: []step{{day: 0, tell: "objection", value: objection("consumption-analysis", "pending", 0)}, {day: 4, do: &analyse}},
		},
		{
			kind: "breach-that-is-no-default", verdict: review, rules: []string{"ELK-17"}, mixes: true,
			why:   "the contract was breached otherwise than by not paying; §5.2 speaks of the debt relationship",
			steps: []step{{day: 1, tell: "breach", value: breach("other", true)}, {day: 50, do: &tellBreach}},
		},
		{
			kind: "contract-data-kept-longer", verdict: review, rules: []string{"ELK-T5"}, former: true,
			why: "contract data are kept for at least 3 years; how much longer the notice does not say",
			steps: []step{
				{day: everLong, tell: "contract_end", value: yearsBefore(event.ContractEnd, 3, 40)},
				{day: everLong, tell: "debt_or_dispute", value: no(event.DebtOrDispute)},
				{day: 0, do: &keepData},
			},
		},
		{
			kind: "processor-of-unknown-place", verdict: review, rules: []string{"ELK-15"}, mixes: true,
			why: "where the processor keeps the data is said to be unknown",
			steps: once(&deed{
				from: "crm", op: event.Transfer, purpose: contractPlain, to: processors, categories: []string{"name", "phone"},
				states: both(inTheCountry, unknown(event.ProcessorStorageCountry)),
			}),
		},
		{
			kind: "review-of-decision-outstanding", verdict: review, rules: []string{"ELK-23"},
			why: "a review of the decision had been asked for and was still to come; the notice sets no deadline",
			steps: []step{
				{day: 0, tell: "request", value: request("instalment", 0, false)},
				{day: 3, tell: "request", value: request("decision-review", 3, false)},
				{day: 5, do: with(decide, no(event.ReviewRefused))},
			},
		},
		{
			kind: "request-not-met", verdict: review, rules: []string{"ELK-26"},
			why: "something was rectified while a request for access was unanswered; the rights are not absolute",
			steps: []step{
				{day: 0, tell: "request", value: request("access", 0, false)},
				{day: 20, do: &deed{from: "crm", op: event.Rectify, purpose: contractPlain, agent: agentRole, categories: []string{"phone"}}},
			},
		},

		{
			kind: "creditinfo-on-day-30", verdict: justRight, mixes: true, spring: true,
			why:   "the breach was told on day 30, though fewer than 720 hours had passed: summer time had begun",
			steps: []step{{day: 1, tell: "breach", value: breach("payment", true)}, {day: 30, do: &tellBreach}},
		},
		{
			kind: "consent-given-again", verdict: justRight,
			why: "the consent had been withdrawn, and given again",
			steps: []step{
				{day: 0, tell: "consent", value: consentTo("direct-marketing", 0, -1, "written", true)},
				{day: 20, tell: "consent", value: consentTo("direct-marketing", 0, 20, "written", true)},
				{day: 30, tell: "consent", value: consentTo("direct-marketing", 30, -1, "electronic", true)},
				{day: 31, do: &newsletter},
			},
		},
		{
			kind: "contract-data-erased-in-time", verdict: justRight, former: true,
			why: "contract data were erased on the day on which 3 years had passed",
			steps: []step{
				{day: everLong, tell: "contract_end", value: yearsBefore(event.ContractEnd, 3, 0)},
				{day: 0, do: &eraseData},
			},
		},
		{
			kind: "objection-rejected", verdict: justRight,
			why:   "the objection had been rejected",
			steps: []step{{day: 0, tell: "objection", value: objection("consumption-analysis", "rejected", 0)}, {day: 4, do: &analyse}},
		},
	}
}
