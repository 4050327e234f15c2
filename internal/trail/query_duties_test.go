package trail

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
)

func TestDutyRows(t *testing.T) {
	t.Parallel()
	db := openTest(t, testConfig(t))
	var events [][]Row
	add := func(p uint64, set func(*Row)) {
		row := Row{Person: person(p), Verdict: register.Allowed, Purpose: "elektrum/billing"}
		set(&row)
		events = append(events, []Row{row})
	}
	for p := range uint64(40) {
		add(p, func(r *Row) {
			r.Operation, r.Fact, r.FactValue = OperationFact, "offer_date", `{"offer_date":"2024-01-31"}`
		})
		add(p, func(r *Row) { r.Operation = event.Use })
		add(p, func(r *Row) { r.Operation, r.Fact = OperationFact, "identity" })
	}
	add(1, func(r *Row) { r.Operation = event.Erase })
	add(2, func(r *Row) { r.Operation, r.Verdict = event.Send, register.Violation })
	add(3, func(r *Row) { r.Operation, r.Verdict = event.Send, register.Violation })
	add(4, func(r *Row) { r.Controller, r.Operation = "netpro", event.Erase })
	add(900, func(r *Row) { r.Operation, r.Cohort, r.CohortID = event.Erase, true, "june" })
	events = append(events, []Row{{Operation: OperationFact, Fact: "processor", Recipient: "elektrum/processors", FactValue: `{}`}})
	plant(t, db, []Member{{Controller: "elektrum", CohortID: "june", Person: person(5)}, {Controller: "elektrum", CohortID: "may", Person: person(6)}},
		append(events, []Row{{Operation: OperationCohort, CohortID: "june", Person: person(900)}})...)
	// The second violation was taken back.
	mustExec(t, db, `INSERT INTO trail SELECT * REPLACE ('fact t/0/1' AS cause, 'allowed' AS verdict, judged_at + INTERVAL 1 DAY AS judged_at)
		FROM trail WHERE operation = 'send' AND person = unhex('`+fmt.Sprintf("%x", person(3))+`')`)

	read := func(shares []Share) (all []string) {
		t.Helper()
		var last [16]byte
		for _, share := range shares {
			for row, err := range db.DutyRows(t.Context(), "elektrum", share) {
				if err != nil {
					t.Fatal(err)
				}
				if slices.Compare(row.Person[:], last[:]) < 0 {
					t.Error("a person comes before one of a higher pseudonym")
				}
				last = row.Person
				all = append(all, fmt.Sprintf("%x %v %s %v", row.Person[:2], row.Operation, row.Fact, row.Verdict))
			}
		}
		return all
	}
	whole := read(sharesOf(1))
	if len(whole) != 40+4 {
		t.Errorf("%d rows: %q", len(whole), whole)
	}
	for _, want := range []string{
		fmt.Sprintf("%x erase  allowed", person(1)), fmt.Sprintf("%x send  violation", person(2)), fmt.Sprintf("%x send  allowed", person(3)),
	} {
		if want = want[:4] + want[32:]; !slices.Contains(whole, want) {
			t.Errorf("no row %q in %q", want, whole)
		}
	}
	if parts := read(sharesOf(7)); !slices.Equal(parts, whole) {
		t.Errorf("in shares: %q, want %q", parts, whole)
	}
	if shares, err := db.Shares(t.Context(), "elektrum"); err != nil || len(shares) != 1 {
		t.Errorf("shares %v, %v", shares, err)
	}
	cohorts, err := db.CohortActs(t.Context(), "elektrum")
	if err != nil || len(cohorts) != 1 || cohorts[0].CohortID != "june" {
		t.Errorf("acts on cohorts: %+v, %v", cohorts, err)
	}
	var members [][16]byte
	for _, share := range sharesOf(3) {
		if err := db.MembersIn(t.Context(), "elektrum", []string{"june"}, share, func(p [16]byte, _ string) { members = append(members, p) }); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(members, [][16]byte{person(5)}) {
		t.Errorf("%d members", len(members))
	}
	if said, err := db.ProcessorFacts(t.Context(), "elektrum"); err != nil || len(said) != 1 || said[0].Recipient != "elektrum/processors" || said[0].Recorded.IsZero() {
		t.Errorf("on processors: %+v, %v", said, err)
	}
}

// A share must be read by person, or each costs as much as the whole trail.
func TestDutyRowsReadProjection(t *testing.T) {
	t.Parallel()
	db := openTest(t, testConfig(t))
	const n = 60_000
	b := NewBlocks()
	for i := range int64(n) {
		row := plausibleRow(rand.New(rand.NewPCG(uint64(i), 2)), i)
		row.Controller = "elektrum"
		if i%10 == 0 {
			row.Operation = event.Erase
		}
		b.Trail.Append(&row)
	}
	if err := db.Insert(t.Context(), testRange(0, n-1), storedAt, b); err != nil {
		t.Fatal(err)
	}
	rows := 0
	for _, err := range db.rows(t.Context(), dutyColumns, "WHERE controller = 'elektrum' AND "+dutyRows+" AND "+shareWhere(sharesOf(8)[3])+
		" ORDER BY person, topic, partition, offset, judged_at DESC, verdict DESC LIMIT 1 BY person, topic, partition, offset", nil,
		append(slices.Clone(dutySettings), forceProjection("by_person"), setting("force_optimize_projection", "1"))...) {
		if err != nil {
			t.Fatal(err)
		}
		rows++
	}
	if rows == 0 {
		t.Error("no rows")
	}
}

func TestShares(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 3, 7, 4096} {
		shares := sharesOf(n)
		if len(shares) != n || shares[0].From != [16]byte{} || shares[n-1].To != [16]byte{} {
			t.Fatalf("%d: %v", n, shares)
		}
		for i := 1; i < n; i++ {
			if shares[i].From != shares[i-1].To || slices.Compare(shares[i].From[:], shares[i-1].From[:]) <= 0 {
				t.Errorf("%d: share %d does not follow the one before", n, i)
			}
		}
	}
}

func TestLinksAreTold(t *testing.T) {
	t.Parallel()
	db := openTest(t, testConfig(t))
	id := func(persons ...uint64) (rows []Row) {
		for _, p := range persons {
			rows = append(rows, Row{Operation: OperationFact, Fact: "identity", Person: person(p), Time: queryDay.Add(time.Hour)})
		}
		return rows
	}
	other := id(8, 9)
	for i := range other {
		other[i].Controller = "netpro"
	}
	plant(t, db, nil, id(1, 2), id(3), other, id(4, 5, 6))
	var got [][][16]byte
	if err := db.Links(t.Context(), "elektrum", func(persons [][16]byte) { got = append(got, slices.Clone(persons)) }); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || !slices.Equal(got[0], [][16]byte{person(1), person(2)}) || !slices.Equal(got[1], [][16]byte{person(4), person(5), person(6)}) {
		t.Errorf("links %x", got)
	}
}
