package report

import (
	"encoding/json"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/unusual"
)

var start = time.Date(2024, 5, 2, 9, 30, 0, 0, time.UTC)

func later(days int) time.Time { return start.AddDate(0, 0, days) }

func counted(ids ...string) (all []answer.Counted) {
	for _, id := range ids {
		all = append(all, answer.Counted{ID: id, Name: "name of " + id, Count: 1})
	}
	return all
}

var (
	elektrum       = answer.Controller{ID: "elektrum", Name: "Elektrum Eesti OÜ"}
	period         = answer.Period{From: later(-30), To: later(60), Zone: "Europe/Tallinn"}
	closed         = answer.Rule{ID: "ELK-24", Title: "The list of recipients is closed", Clauses: []string{"§5.1"}}
	debts          = answer.PurposeUse{ID: "elektrum/debt-management-and-collection", Name: "debts", Declared: true, Count: 1, Basis: []string{"contract"}, Clauses: []string{"§4.5r7"}}
	gossip         = answer.PurposeUse{ID: "elektrum/gossip", Name: "elektrum/gossip"}
	reached        = answer.Completeness{Recorded: later(70), Quarantined: 1234567}
	maasikas       = answer.Subject{Scheme: "customer-number", Pseudonym: "7c9f0b5bcdaaa8226ac24f923e363deb", Identifiers: 2, Cohorts: 1}
	toBank         = &answer.Named{ID: "elektrum/creditinfo-eesti", Name: "Creditinfo Eesti AS"}
	total          = answer.Total{Events: 21, Records: 42, First: start, Last: later(3), Verdicts: answer.Verdicts{Allowed: 18, Review: 2, Violation: 1}}
	elektrumRights = answer.Rights{Contact: "kliendiinfo@elektrum.ee", Authority: "Andmekaitse Inspektsioon"}
	debtNamed      = answer.Named{ID: "elektrum/debt-management-and-collection", Name: "debts"}
)

func entry(days int, operation, verdict string, to *answer.Named) answer.Entry {
	return answer.Entry{
		Place: answer.Place{Topic: "andmerada.events", Offset: int64(days)}, Time: later(days), Controller: "elektrum", Source: "/elektrum/crm", Operation: operation,
		Recipient: to, Purpose: debtNamed, Categories: []answer.Named{{ID: "name", Name: "name"}, {ID: "personal-code", Name: "code"}},
		ActorKind: "human", ActorRole: "debt-clerk", Verdict: verdict,
	}
}

// fixtures are an answer of each kind, with something of everything in it.
func fixtures() map[string]any {
	events := []answer.Entry{
		entry(9, "transfer", "violation", &answer.Named{Name: "Acme Inc."}), entry(8, "access", "allowed", nil),
		entry(7, "send", "allowed", &answer.Named{ID: "data-subject", Name: "the person"}), entry(0, "transfer", "review", toBank),
	}
	events[0].Rules = []answer.Rule{closed}
	timeline := answer.Timeline{Events: events, Next: "more"}
	breach := &answer.BreachAnswer{
		Controller: elektrum, AskedAt: later(2), Windows: []answer.Period{period}, Persons: 1024, Cohorts: 1, Total: total,
		Categories: []answer.CategoryHit{{Named: answer.Named{ID: "personal-code", Name: "code"}, Group: "identity", Persons: 1024}},
		Ways:       []answer.Share{{Keys: []answer.Named{{ID: "a-1f2e", Name: "a-1f2e"}, {ID: "/elektrum/crm", Name: "/elektrum/crm"}, debtNamed}, Pseudonyms: 7, Total: total}},
		Steps:      []answer.Step{{Depth: 1, From: elektrum.Name, To: "123", Name: "Postipaber OÜ", Country: "EE", Purpose: debtNamed, Operation: "transfer", Events: 5, Persons: 4, First: start, Last: start}},
		Notice:     answer.BreachNotice{AwareAt: later(1), Deadline: later(4), HoursLeft: 48.5, PersonsAffected: 1024, RecordsAffected: 2048, Contact: "kliendiinfo@elektrum.ee", Authority: "Andmekaitse Inspektsioon"},
		Case:       &answer.CaseReference{ID: "20240504-00", Name: "a leak", Persons: 1024, FrozenAt: later(2)}, Completeness: reached,
	}
	three := uint64(3)
	forPerson := answer.View{For: "person", Profile: "lv", Restrictions: []answer.Restriction{
		{What: answer.RestrictAuthorities, ID: "lv/criminal-proceedings", Ground: "FPDAL § 27(2)", Says: map[string]string{"en": "Some authorities are not named.", "lv": "Dažas iestādes netiek nosauktas."}, Applied: true},
		{What: answer.RestrictRecipients, ID: "lv/recipients", Ground: "FPDAL § 27(3)", Says: map[string]string{"en": "Two years only."}, Applied: true, Count: &three},
	}}
	toTheDay := answer.View{For: "person", Profile: "fi", Precision: "day", Restrictions: []answer.Restriction{
		{What: answer.RestrictTimes, ID: "fi/times", Ground: "KHO:2025:51", Says: map[string]string{"en": "Dates only."}, Applied: true},
	}}
	frozen, err := json.Marshal(breach)
	if err != nil {
		panic(err)
	}
	return map[string]any{
		"recipients": &answer.RecipientsAnswer{
			Controller: elektrum, Person: maasikas, Period: period, View: forPerson, AskedAt: later(70), Events: 21, Changed: 2, Verdicts: answer.Verdicts{Allowed: 19, Review: 1, Violation: 1}, Complete: true,
			Recipients: []answer.Recipient{
				{Name: "Acme Inc.", Kind: "undeclared", Code: "42", Countries: []string{"US"}, LegalEntity: true, ThirdCountry: &answer.ThirdCountry{Countries: []string{"US"}, Stated: counted("scc")}, Summary: answer.Summary{
					First: later(9), Last: later(9), Count: 1, Verdicts: answer.Verdicts{Violation: 1}, Categories: counted("email"), Purposes: []answer.PurposeUse{gossip},
					Rules: []answer.RuleUse{{Rule: closed, Verdict: "violation", Count: 1}},
				}},
				{ID: "elektrum/creditinfo-eesti", Name: "Creditinfo Eesti AS", Kind: "credit-information", Declared: true, LegalEntity: true, Countries: []string{"EE"}, Clauses: []string{"§5.2"}, Summary: answer.Summary{
					First: start, Last: later(3), Count: 12, ByCohort: 5, Verdicts: answer.Verdicts{Allowed: 11, Review: 1}, Categories: counted("name", "personal-code"), Purposes: []answer.PurposeUse{debts, gossip},
					Rules: []answer.RuleUse{{Rule: closed, Verdict: "review", Count: 1}},
				}},
				{ID: "elektrum/processors", Name: "Postipaber OÜ", RegisterName: "cooperation partners acting as processors", Kind: "processor", Declared: true, LegalEntity: true, Countries: []string{"EE", "JP", "LV"}, ThirdCountry: &answer.ThirdCountry{Countries: []string{"JP"}, Conditions: []string{"safeguards offered in legislation are applied"}}, Clauses: []string{"§5.1.3"}, Summary: answer.Summary{
					First: start, Last: start, Count: 1, Verdicts: answer.Verdicts{Allowed: 1}, Categories: counted("name"), Purposes: []answer.PurposeUse{debts},
				}},
				{ID: "elektrum/state-authorities", Name: "state authorities and institutions", Kind: "authority", Declared: true, Clauses: []string{"§5.1.1"}, Summary: answer.Summary{
					First: start, Last: start, Count: 1, Verdicts: answer.Verdicts{Allowed: 1}, Purposes: []answer.PurposeUse{debts},
				}},
				{Name: "Recipient not stated", Kind: "not-stated", Summary: answer.Summary{First: start, Last: start, Count: 1, Verdicts: answer.Verdicts{Allowed: 1}, Categories: counted("phone"), Purposes: []answer.PurposeUse{debts}}},
			},
			ToPerson: &answer.Summary{First: start, Last: later(5), Count: 3, Verdicts: answer.Verdicts{Allowed: 3}, Categories: counted("name"), Purposes: []answer.PurposeUse{debts}},
			Internal: &answer.Summary{First: start, Last: start, Count: 1, Verdicts: answer.Verdicts{Allowed: 1}, Categories: counted("name"), Purposes: []answer.PurposeUse{debts}},
			Asked:    &answer.AskedRecipient{Name: "Näidis Kindlustus AS", Received: answer.ReceivedNo, Apart: true, Unnamed: 2},
			Decisions: []answer.Decision{
				{PurposeUse: debts, Operation: "decide", First: start, Last: later(3), Factors: counted("personal-code")},
				{PurposeUse: gossip, Operation: "profile", First: start, Last: start, Factors: counted("name", "phone")},
			},
			Sources: []answer.SourceUse{
				{ID: "elektrum/creditinfo-eesti", Name: "Creditinfo", Declared: true, Clauses: []string{"§3.2"}, Count: 2, First: start, Last: later(3), Categories: counted("name")},
				{Name: "not stated", Count: 1, First: start, Last: start},
				{ID: "elektrum/data-subject", Name: "the client", Declared: true, Clauses: []string{"§3.1"}},
			},
			Retention: []answer.RetentionUse{
				{ActivityRetention: answer.ActivityRetention{Rule: answer.Rule{ID: "ELK-R6", Title: "Calls", Clauses: []string{"§6.4"}}, Length: "P2Y"}},
				{ActivityRetention: answer.ActivityRetention{Rule: answer.Rule{ID: "ELK-R1", Title: "As long as needed", Clauses: []string{"§6.1"}}, Length: "as long as necessary"}},
			},
			Cohorts: []answer.CohortUse{{ID: "june-bills", Size: 4200, Count: 5, First: start, Last: later(3), Recipients: []string{"Postipaber OÜ"}}},
			Limits: &answer.Limits{
				Gaps: []answer.LostRange{{Topic: "andmerada.events", First: 10, Last: 19, Reason: "deleted", Noticed: later(5)}}, MoreGaps: true, Quarantined: 21,
				Systems: &answer.Systems{Heard: []answer.System{{Source: "/elektrum/web", Last: later(-60), Silent: true}, {Source: "/elektrum/crm", Last: later(2)}}, Silent: 1},
			},
			Rights: elektrumRights, Timeline: timeline, Completeness: reached,
		},
		"nobody": &answer.RecipientsAnswer{
			Controller: elektrum, Person: maasikas, Period: answer.Period{Zone: "Europe/Tallinn"}, AskedAt: later(70), Complete: false, View: forPerson, Rights: elektrumRights,
			Asked:  &answer.AskedRecipient{ID: "elektrum/creditinfo-eesti", Name: "Creditinfo Eesti AS", Declared: true, Received: answer.ReceivedYes, Count: 21, First: start, Last: later(3), Whole: true},
			Limits: &answer.Limits{Systems: &answer.Systems{}},
		},
		"timeline": &answer.TimelineAnswer{Controller: elektrum, Person: maasikas, Period: period, View: toTheDay, Rights: elektrumRights, Timeline: timeline},
		"access": &answer.AccessAnswer{
			Controller: elektrum, Period: period, AskedAt: later(70), Total: total, By: []string{"actor", "purpose"}, Complete: true, Timeline: timeline, Completeness: reached,
			Shares: []answer.Share{{Keys: []answer.Named{{ID: "a-1f2e", Name: "a-1f2e"}, debtNamed}, Pseudonyms: 7, Total: total}},
		},
		"recipient": &answer.RecipientAnswer{
			Controller: elektrum, Recipient: *toBank, Declared: true, Clauses: []string{"§5.2"}, Period: period, AskedAt: later(70), Persons: 21, Total: total,
			Days:     []answer.DayVolume{{Day: "2024-05-02", Events: 3, Records: 4, Pseudonyms: 2}},
			Purposes: []answer.Share{{Keys: []answer.Named{debtNamed}, Pseudonyms: 7, Total: total}},
			Rules:    []answer.RuleUse{{Rule: closed, Verdict: "review", Count: 3}},
			Reconciled: &answer.Reconciliation{
				Receipts: 3, Matched: 2, SentNotReceivedN: 1, SentNotReceived: []answer.EventID{{Source: "/elektrum/crm", ID: "e-1", Time: start}}, ComparedByEvent: true,
				DaysThatDiffer: []answer.DayDiff{{Day: "2024-05-02", Sent: 3, Received: 2}},
			},
			Completeness: reached,
		},
		"told": &answer.ToldAnswer{
			Controller: elektrum, Person: maasikas, Operation: "erase", Since: start, Due: later(30), AskedAt: later(70), Open: 1, Overdue: 1, Completeness: reached,
			Tasks: []answer.Telling{
				{ID: toBank.ID, Name: toBank.Name, State: answer.TellOverdue, Received: 12, Last: later(3)},
				{ID: "elektrum/processors", Name: "Postipaber OÜ", State: answer.TellAcknowledged, Received: 1, Last: start, Told: later(4), Acknowledged: later(9)},
			},
		},
		"activities": activitiesFixture(),
		"lineage":    lineageFixture(),
		"before":     beforeFixture(entry(1, "use", "allowed", nil)),
		"unknown":    &answer.LineageAnswer{Controller: elektrum, Period: answer.Period{Zone: "Europe/Tallinn"}, AskedAt: later(70), Completeness: reached},
		"unusual":    unusualFixture(),
		"ordinary":   &answer.UnusualAnswer{Controller: elektrum, Period: period, AskedAt: later(70), Actors: 3, Events: 21, Completeness: reached},
		"breach":     breach,
		"case": &answer.CaseAnswer{
			CaseReference: *breach.Case, Controller: elektrum, Answer: frozen, Next: "7c9f",
			Affected: []answer.AffectedPerson{{Pseudonym: maasikas.Pseudonym, First: start, Last: later(1), Events: 2, Categories: []string{"name", "phone"}}},
		},
	}
}

// unusualFixture has a hit of each kind.
func unusualFixture() *answer.UnusualAnswer {
	a := &answer.UnusualAnswer{
		Controller: elektrum, Period: period, AskedAt: later(70), HabitsFrom: later(-120), Actors: 41, Events: 12345, Cut: []string{"something"}, Completeness: reached,
		Rules: []answer.UnusualRule{{ID: "U-01", Kind: unusual.OwnRecord, Severity: unusual.High, Title: "t", On: true, Hits: 1}, {ID: "U-10", Kind: unusual.NewUse, Severity: unusual.Low, Title: "t"}},
	}
	add := func(rule string, kind unusual.Kind, severity unusual.Severity, n unusual.Numbers) *answer.UnusualHit {
		a.Hits = append(a.Hits, answer.UnusualHit{Rule: rule, Kind: kind, Severity: severity, Actor: "actor-1f2e3d4c5b6a", Role: "debt-clerk", First: start, Last: later(1), Events: 3, Numbers: n})
		a.Found++
		return &a.Hits[len(a.Hits)-1]
	}
	add("U-01", unusual.OwnRecord, unusual.High, unusual.Numbers{Days: 2}).Pseudonym = maasikas.Pseudonym
	for _, relation := range []string{"family", "household", "acquaintance"} {
		add("U-02", unusual.Relation, unusual.High, unusual.Numbers{Days: 2, Relation: relation}).Pseudonym = maasikas.Pseudonym
	}
	add("U-03", unusual.Colleague, unusual.Medium, unusual.Numbers{Days: 1}).Pseudonym = maasikas.Pseudonym
	add("U-04", unusual.PublicEye, unusual.Medium, unusual.Numbers{Days: 1}).Pseudonym = maasikas.Pseudonym
	add("U-05", unusual.NoRelationship, unusual.Medium, unusual.Numbers{Days: 1, Ended: "2023-11-30", EndedDays: 154}).Pseudonym = maasikas.Pseudonym
	add("U-06", unusual.Volume, unusual.High, unusual.Numbers{Persons: 417, OwnDays: 63, OwnMedian: 22.5, OwnDeviation: 3, Peers: 12, PeerDays: 700, Percentile: 99, PeerValue: 61})
	add("U-07", unusual.Volume, unusual.High, unusual.Numbers{Persons: 1, Hours: []int{3}}).Role = ""
	add("U-08", unusual.Hour, unusual.Medium, unusual.Numbers{Hours: []int{2, 3}, OwnDays: 63, Peers: 12, PeerDays: 700, PeersAlike: 1})
	use := add("U-09", unusual.NewUse, unusual.Low, unusual.Numbers{OwnDays: 63, Peers: 12, PeersAlike: 1})
	use.Use, use.Of = &debtNamed, "purpose"
	use = add("U-10", unusual.NewUse, unusual.Low, unusual.Numbers{OwnDays: 63})
	use.Use, use.Of = &answer.Named{ID: "personal-code", Name: "code"}, "category"
	return a
}
