package answer_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/answer/answertest"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

// asksOfPersons are a controller's persons, by one of the identifiers of each, and
// what happened at random to their data.
func asksOfPersons(t *testing.T, d answer.Deps, rng *rand.Rand) (persons []identity.Pseudonym) {
	t.Helper()
	m := &more{t: t, d: d, b: trail.NewBlocks()}
	day := func() string { return answertest.Start.AddDate(0, 0, rng.IntN(120)).Format(time.DateOnly) }
	tellable := []trail.Row{
		{Recipient: "acme/bank"},
		{Recipient: "acme/couriers"},
		{RecipientOrganisation: "Post24 OÜ", RecipientCode: "12345678", RecipientCountry: "EE"},
		{RecipientOrganisation: "Elsewhere AS", RecipientCountry: "EE"},
		{RecipientOrganisation: "Elsewhere AS", RecipientCountry: "LV"},
		{Recipient: event.DataSubject},
		{},
	}
	partners := []trail.Row{{Actor: "acme/bank"}, {ActorOrganisation: "Post24 OÜ"}, {ActorOnBehalfOf: "elsewhere as"}}
	operations := []event.Operation{event.Erase, event.Rectify, event.Restrict}
	members := func(cohort string, of ...identity.Pseudonym) {
		for _, p := range of {
			m.b.Members.Append(&trail.Member{Controller: "acme", CohortID: cohort, Person: p, Part: 1, Offset: m.next})
		}
		c, err := d.Keys.Cohort("acme", cohort)
		if err != nil {
			t.Fatal(err)
		}
		m.row(day(), trail.Row{Operation: trail.OperationCohort, Cohort: true, CohortID: cohort, CohortPart: 1, CohortParts: 1, Records: uint64(len(of))}, c)
	}
	act := func(row trail.Row, who identity.Pseudonym, cohort string) {
		row.Purpose, row.Categories, row.Verdict = "acme/billing", []string{"name"}, register.Allowed
		row.Duplicate = rng.IntN(12) == 0
		if cohort != "" {
			c, err := d.Keys.Cohort("acme", cohort)
			if err != nil {
				t.Fatal(err)
			}
			row.Cohort, row.CohortID, who = true, cohort, c
		}
		m.row(day(), row, who)
	}
	var all [][]identity.Pseudonym
	for i := range 25 {
		ids := []identity.Pseudonym{m.who("customer-number", fmt.Sprint("tell-", i))}
		for k := range rng.IntN(3) {
			ids = append(ids, m.who("email", fmt.Sprint("tell-", i, "-", k, "@example.com")))
			m.fact(day(), "identity", "", ids[k], ids[k+1])
		}
		all, persons = append(all, ids), append(persons, ids[0])
	}
	for _, cohort := range []string{"few", "some"} {
		var of []identity.Pseudonym
		for _, ids := range all {
			if rng.IntN(4) == 0 {
				of = append(of, ids[rng.IntN(len(ids))])
			}
		}
		members(cohort, of...)
		act(trail.Row{Operation: event.Disclose, RecipientOrganisation: "Post24 OÜ", RecipientCode: "12345678", RecipientCountry: "EE"}, identity.Pseudonym{}, cohort)
	}
	act(trail.Row{Operation: event.Erase}, identity.Pseudonym{}, "few")
	for range 500 {
		ids := all[rng.IntN(len(all))]
		who := ids[rng.IntN(len(ids))]
		to, op := tellable[rng.IntN(len(tellable))], operations[rng.IntN(3)]
		switch rng.IntN(6) {
		case 0, 1:
			to.Operation = []event.Operation{event.Transfer, event.Disclose}[rng.IntN(2)]
			act(to, who, "")
		case 2, 3:
			to.Operation = op // by itself where nobody is named, else a notice
			act(to, who, "")
		case 4:
			by := partners[rng.IntN(len(partners))]
			by.Operation, by.ActorKind = op, event.ActorPartner
			act(by, who, "")
		default:
			if rng.IntN(5) == 0 {
				made := answertest.Start.AddDate(0, 0, rng.IntN(120)).Format(time.RFC3339)
				m.fact(day(), "request", fmt.Sprintf(`[{"type":%q,"made_at":%q,"handled":false}]`, []string{"erasure", "rectification", "access"}[rng.IntN(3)], made), who)
			}
		}
	}
	// One of whom so much was done that the database sums it up.
	for range 3100 {
		act(trail.Row{Operation: event.Transfer, Recipient: "acme/bank"}, persons[0], "")
	}
	act(trail.Row{Operation: event.Erase}, persons[0], "")
	if err := d.Trail.Insert(t.Context(), trail.Range{Topic: answertest.Topic, Partition: 1, First: 0, Last: m.next - 1}, answertest.Start.AddDate(0, 0, 1), m.b); err != nil {
		t.Fatal(err)
	}
	return persons
}

// What is to be told of all persons is what is to be told of each.
func TestTellingsAreThoseOfEachPerson(t *testing.T) {
	t.Parallel()
	d := answertest.Plant(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	persons := asksOfPersons(t, d, rand.New(rand.NewPCG(seed, 1)))
	d.Now = func() time.Time { return answertest.Start.AddDate(0, 0, 100) }
	from, to := answertest.Start.AddDate(0, 0, 20), answertest.Start.AddDate(0, 0, 90)
	want, requests, overdue, whose := make(map[string][]answer.Telling), 0, 0, make(map[string]bool)
	for _, p := range persons {
		for _, op := range []string{"erase", "rectify", "restrict"} {
			a, err := answer.ToldOn(t.Context(), d, answer.ToldRequest{Controller: "acme", Person: answer.Person{Scheme: event.PseudonymScheme, Value: p.String()}, Operation: op, Days: 20})
			if err != nil {
				t.Fatal(err)
			}
			if a.Open == 0 || a.Since.Before(from) || !a.Since.Before(to) {
				continue
			}
			requests++
			overdue += a.Overdue
			whose[p.String()] = true
			key := fmt.Sprint(p, op, a.SinceFrom, a.Since.UnixMilli())
			want[key] = a.Tasks
		}
	}
	if requests < 5 || overdue < 5 {
		t.Fatalf("only %d requests and %d tasks overdue: nothing is tried", requests, overdue)
	}
	// Each person goes by another of its pseudonyms here.
	first := make(map[string]string)
	for _, p := range persons {
		same, err := d.Trail.SamePerson(t.Context(), "acme", [][16]byte{p})
		if err != nil {
			t.Fatal(err)
		}
		first[p.String()] = p.String()
		if least, ok := same[p]; ok {
			first[identity.Pseudonym(least).String()] = p.String()
		}
	}
	req := answer.TellingsRequest{Controller: "acme", From: from.Format(time.RFC3339), To: to.Format(time.RFC3339), Days: 20, Limit: 7}
	got := make(map[string][]answer.Telling)
	var all []answer.TrackedTelling
	for {
		a, err := answer.Tellings(t.Context(), d, req, nil)
		if err != nil {
			t.Fatal(err)
		}
		if a.Requests != requests || a.Overdue != overdue || a.Persons != len(whose) || a.Cut {
			t.Fatalf("%d requests of %d persons, %d overdue, cut %v; want %d of %d, %d", a.Requests, a.Persons, a.Overdue, a.Cut, requests, len(whose), overdue)
		}
		all = append(all, a.Tasks...)
		if a.Next == "" {
			break
		}
		if len(a.Tasks) != 7 {
			t.Fatalf("a page of %d", len(a.Tasks))
		}
		req.Cursor = a.Next
	}
	for i := range all {
		x := &all[i]
		key := fmt.Sprint(first[x.Pseudonym], x.Operation, x.SinceFrom, x.Since.UnixMilli())
		got[key] = append(got[key], x.Telling)
		late := x.State == answer.TellOverdue || x.State == answer.TellUnanswered
		if open := late || x.State == answer.TellPending || x.State == answer.TellTold; open && late != d.Now().After(x.Due) {
			t.Errorf("%s, due %s", x.State, x.Due)
		}
		if i > 0 && late && all[i-1].State != answer.TellOverdue && all[i-1].State != answer.TellUnanswered {
			t.Errorf("task %d is %s, after one that is %s", i, x.State, all[i-1].State)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d requests, want %d", len(got), len(want))
	}
	for key, tasks := range want {
		if a, b := byName(tasks), byName(got[key]); !reflect.DeepEqual(a, b) {
			t.Errorf("%s: %+v, want %+v", key, b, a)
		}
	}

	// All at once, and only those in some states.
	var streamed []string
	a, err := answer.Tellings(t.Context(), d, answer.TellingsRequest{Controller: "acme", From: req.From, To: req.To, Days: 20, Limit: 1, States: []string{"overdue", "unanswered"}}, func(x *answer.TrackedTelling) error {
		streamed = append(streamed, x.State)
		return nil
	})
	if err != nil || len(streamed) != overdue || len(a.Tasks) != 1 || a.Requests != requests || slices.Contains(streamed, answer.TellPending) {
		t.Errorf("%d overdue, want %d: %v, %v", len(streamed), overdue, streamed, err)
	}
	a, err = answer.Tellings(t.Context(), d, answer.TellingsRequest{Controller: "acme", Operations: []string{"rectify"}}, nil)
	if err != nil || len(a.Tasks) == 0 || slices.ContainsFunc(a.Tasks, func(x answer.TrackedTelling) bool { return x.Operation != "rectify" }) {
		t.Errorf("of rectifications: %+v, %v", a, err)
	}
}

// byName are tasks in the order of who they are about, with all that is told of them.
func byName(tasks []answer.Telling) []string {
	var all []string
	for i := range tasks {
		t := &tasks[i]
		place := func(p *answer.Place) string {
			if p == nil {
				return "-"
			}
			return p.Path()
		}
		all = append(all, fmt.Sprintf("%s %s %s %s %d %d %v %d %v %d %v", t.Name, t.ID, t.Code, t.State, t.Received, t.Last.UnixMilli(), t.Categories, t.Told.UnixMilli(), place(t.ToldBy), t.Acknowledged.UnixMilli(), place(t.AnsweredBy)))
	}
	slices.Sort(all)
	return all
}

func TestTellingsFaults(t *testing.T) {
	t.Parallel()
	d := answertest.Plant(t)
	for pointer, req := range map[string]answer.TellingsRequest{
		"/controller":   {Controller: "nobody"},
		"/operations/1": {Controller: "acme", Operations: []string{"erase", "collect"}},
		"/states/0":     {Controller: "acme", States: []string{"late"}},
		"/to":           {Controller: "acme", From: "2026-03-02", To: "2026-03-01"},
		"/from":         {Controller: "acme", From: "yesterday"},
		"/cursor":       {Controller: "acme", Cursor: d.Keys.SealText("true 1 00 1 1", "tellings acme")},
	} {
		var f *answer.Fault
		if _, err := answer.Tellings(t.Context(), d, req, nil); !errors.As(err, &f) || f.Pointer != pointer {
			t.Errorf("%s: %v", pointer, err)
		}
	}
	a, err := answer.Tellings(t.Context(), d, answer.TellingsRequest{Controller: "acme"}, nil)
	if err != nil || a.Requests != 0 || len(a.Tasks) != 0 || a.Next != "" || a.Days != 30 {
		t.Errorf("where nobody asked: %+v, %v", a, err)
	}
	d.ForPerson = true
	if _, err := answer.Tellings(t.Context(), d, answer.TellingsRequest{Controller: "acme"}, nil); err == nil {
		t.Error("the person itself is told of all persons")
	}
}
