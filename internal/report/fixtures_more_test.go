package report

import "github.com/andmerada/andmerada/internal/answer"

// activitiesFixture is a register of processing activities: a purpose with all
// there can be, one that was never seen, and one that is not declared.
func activitiesFixture() *answer.ActivitiesAnswer {
	often, once := answer.Sighted{Count: 1234, First: start, Last: later(59)}, answer.Sighted{Count: 1, First: later(3), Last: later(3)}
	category := func(id, mark string, s answer.Sighted) answer.ActivityCategory {
		return answer.ActivityCategory{Named: answer.Named{ID: id, Name: "name of " + id}, Mark: mark, Sighted: s}
	}
	return &answer.ActivitiesAnswer{
		Completeness: reached,
		Controllers: []answer.ActivityRegister{{
			Controller: elektrum, Country: "EE", Contact: "kliendiinfo@elektrum.ee", Authority: "Andmekaitse Inspektsioon", Processors: []string{"AS Latvenergo", "SIA Elektrum Latvija"},
			Period: period, Undeclared: 3, Unseen: 2,
			Activities: []answer.Activity{
				{
					Purpose: debtNamed, Mark: answer.ActivityBoth, Clauses: []string{"§4.5r7", "§4.6"}, Basis: []string{"contract", "legitimate-interest"}, Condition: "where a bill is overdue", Sighted: often,
					Categories: []answer.ActivityCategory{
						category("name", answer.ActivityBoth, often), category("personal-code", answer.ActivityBoth, once), category("phone", answer.ActivityUnseen, answer.Sighted{}),
						category("email", answer.ActivityUndeclared, once),
					},
					Recipients: []answer.ActivityRecipient{
						{Named: *toBank, Kind: "credit-information", Mark: answer.ActivityBoth, Clauses: []string{"§5.2"}, Countries: []string{"EE"}, Sighted: often},
						{Named: answer.Named{ID: "elektrum/processors", Name: "cooperation partners"}, Mark: answer.ActivityUnseen, Countries: []string{"EE", "LV", "JP"}, ThirdCountry: true, Safeguards: []string{"safeguards offered in legislation are applied"}},
						{Named: answer.Named{Name: "Acme Inc."}, Mark: answer.ActivityUndeclared, Countries: []string{"US"}, ThirdCountry: true, Sighted: once},
						{Named: answer.Named{ID: "elektrum/state-authorities", Name: "state authorities"}, Mark: answer.ActivityUnseen},
					},
					Retention: []answer.ActivityRetention{
						{Rule: answer.Rule{ID: "ELK-R6", Title: "Calls", Clauses: []string{"§6.4"}}, Length: "P2Y"},
						{Rule: answer.Rule{ID: "ELK-R1", Title: "As long as needed", Clauses: []string{"§6.1"}}, Length: "as long as necessary"},
					},
				},
				{Purpose: answer.Named{ID: "elektrum/identification", Name: "identification"}, Mark: answer.ActivityUnseen, Clauses: []string{"§4.5r1"}, Categories: []answer.ActivityCategory{category("name", answer.ActivityUnseen, answer.Sighted{})}},
				{Purpose: answer.Named{ID: "elektrum/gossip", Name: "elektrum/gossip"}, Mark: answer.ActivityUndeclared, Sighted: once, Categories: []answer.ActivityCategory{category("email", answer.ActivityUndeclared, once)}},
				{Mark: answer.ActivityUndeclared, Sighted: once},
			},
		}},
	}
}

func lineageFixture() *answer.LineageAnswer {
	return &answer.LineageAnswer{
		Controller: elektrum, Person: &maasikas, Period: period, AskedAt: later(70), Events: 21, Completeness: reached,
		Nodes: []answer.LineageNode{
			{ID: "data-source:elektrum/creditinfo-eesti", Kind: answer.NodeDataSource, Key: "elektrum/creditinfo-eesti", Name: "Creditinfo", Events: 3},
			{ID: "system:/elektrum/crm", Kind: answer.NodeSystem, Key: "/elektrum/crm", Name: "/elektrum/crm", Events: 20},
			{ID: "purpose:" + debtNamed.ID, Kind: answer.NodePurpose, Key: debtNamed.ID, Name: "debts", Events: 20},
			{ID: "purpose:", Kind: answer.NodePurpose, Events: 1},
			{ID: "recipient:" + toBank.ID, Kind: answer.NodeRecipient, Key: toBank.ID, Name: toBank.Name, Events: 9},
			{ID: "recipient:data-subject", Kind: answer.NodeRecipient, Key: "data-subject", Name: "the person", Events: 9},
			{ID: "recipient:", Kind: answer.NodeRecipient, Name: "14 others", Folded: 14, Events: 14},
			{ID: "onward:Acme Inc.", Kind: answer.NodeOnward, Key: "Acme Inc.", Name: "Acme Inc.", Events: 1},
			{ID: "country:US", Kind: answer.NodeCountry, Key: "US", Name: "US", Events: 1},
		},
		Edges: []answer.LineageEdge{
			{From: "data-source:elektrum/creditinfo-eesti", To: "system:/elektrum/crm", Events: 3, First: start, Last: later(3), Verdict: "allowed"},
			{From: "system:/elektrum/crm", To: "purpose:" + debtNamed.ID, Events: 20, First: start, Last: later(9), Verdict: "violation"},
			{From: "system:/elektrum/crm", To: "purpose:", Events: 1, First: start, Last: start, Verdict: "review"},
			{From: "purpose:" + debtNamed.ID, To: "recipient:" + toBank.ID, Events: 9, First: start, Last: later(9), Verdict: "allowed"},
			{From: "purpose:" + debtNamed.ID, To: "recipient:data-subject", Events: 9, First: start, Last: later(9), Verdict: "allowed"},
			{From: "purpose:" + debtNamed.ID, To: "recipient:", Events: 14, First: start, Last: later(9), Verdict: "review"},
			{From: "recipient:" + toBank.ID, To: "onward:Acme Inc.", Events: 1, First: later(9), Last: later(9), Verdict: "violation"},
			{From: "onward:Acme Inc.", To: "country:US", Events: 1, First: later(9), Last: later(9), Verdict: "violation"},
		},
	}
}

// beforeFixture is what came before an event and after it.
func beforeFixture(e answer.Entry) *answer.LineageAnswer {
	passage := func(step int, operation, system, verdict string, to *answer.Named) answer.Passage {
		return answer.Passage{Step: step, System: system, Operation: operation, Purpose: debtNamed, By: elektrum.Name, To: to, Events: 3, First: start, Last: later(1), Verdict: verdict}
	}
	collected := passage(1, "collect", "/elektrum/web", "allowed", nil)
	collected.DataSource = &answer.Named{ID: "elektrum/creditinfo-eesti", Name: "Creditinfo"}
	abroad := passage(2, "disclose", "/creditinfo/scoring", "violation", &answer.Named{Name: "Acme Inc."})
	abroad.By, abroad.Country, abroad.Purpose = toBank.Name, "US", answer.Named{}
	return &answer.LineageAnswer{
		Controller: elektrum, Event: &e, Pseudonyms: 2, Period: period, AskedAt: later(70), Events: 21, Complete: true, Completeness: reached,
		Before: []answer.Passage{collected, passage(1, "record", "/elektrum/crm", "allowed", nil), {Step: 1, Folded: 4, Events: 7, First: start, Last: later(1), Verdict: "review"}},
		After:  []answer.Passage{passage(1, "transfer", "/elektrum/crm", "allowed", toBank), passage(1, "send", "/elektrum/crm", "allowed", &answer.Named{ID: "data-subject", Name: "the person"}), abroad},
	}
}
