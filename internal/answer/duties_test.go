package answer_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/answer/answertest"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

// retention is what the register of the tests is given more.
const retention = `retention:
  - id: A-T1
    title: Two years after the relationship
    kind: retention
    clauses: ["§7"]
    says: Data are kept for two years after the relationship.
    period: {length: P2Y, from: end of the relationship, from_status: stated, meaning: ceiling}
    applies: {operations: [erase, retain]}
    requires:
      - that: event.operation == 'erase' || relationship_end == null || on_or_before(event.date, add_years(relationship_end, 2))
        says: the two years are not over
    status: stated
  - id: A-T2
    title: As long as needed
    kind: retention
    clauses: ["§8"]
    says: Data are kept as long as needed.
    period: {length: as long as needed, from: purpose achieved, from_status: stated, meaning: storage-limitation}
    not_judged: The notice names no length.
    status: stated
`

// more plants events beside those of [answertest.Plant].
type more struct {
	t    *testing.T
	d    answer.Deps
	b    *trail.Blocks
	next int64
}

func (m *more) who(scheme, value string) identity.Pseudonym {
	p, err := m.d.Keys.Pseudonym("acme", scheme, value)
	if err != nil {
		m.t.Fatal(err)
	}
	return p
}

func (m *more) row(at string, row trail.Row, persons ...identity.Pseudonym) {
	t, err := time.Parse(time.DateOnly, at)
	if err != nil {
		m.t.Fatal(err)
	}
	row.Controller, row.Time, row.Recorded, row.JudgedAt, row.FactValidFrom = "acme", t, t, t, t
	if row.Cause != "" {
		row.JudgedAt = t.Add(time.Hour)
	}
	row.Topic, row.Partition, row.Offset, row.EventID, row.Source = answertest.Topic, 1, m.next, fmt.Sprint(m.next), "/acme/hr"
	row.Of = uint16(len(persons))
	for i, p := range persons {
		row.Person, row.PersonIndex = p, uint16(i)
		m.b.Trail.Append(&row)
	}
	m.next++
}

func (m *more) fact(at, name, value string, persons ...identity.Pseudonym) {
	row := trail.Row{Operation: trail.OperationFact, Fact: name}
	if value != "" {
		row.FactValue = fmt.Sprintf("{%q:%s}", name, value)
	}
	m.row(at, row, persons...)
}

func TestDuties(t *testing.T) {
	t.Parallel()
	d := answertest.Plant(t)
	text := strings.Replace(string(read(t, "register.yaml")), "retention: []\n", retention, 1)
	r, findings := register.Parse("acme/2024-01-01.yaml", []byte(text), read(t, "categories.yaml"))
	if r == nil {
		t.Fatal(findings)
	}
	d.Registers = register.NewSet(r)
	m := &more{t: t, d: d, b: trail.NewBlocks()}
	ended := `"2024-01-31"`
	erase := trail.Row{Operation: event.Erase, Purpose: "acme/billing", Categories: []string{"name"}, Verdict: register.Allowed}

	// Overdue, each in another way; and one who is no longer.
	for i := range 30 {
		m.fact("2024-01-31", "relationship_end", ended, m.who("customer-number", fmt.Sprint("over-", i)))
	}
	m.fact("2024-01-31", "relationship_end", ended, m.who("customer-number", "erased"))
	m.row("2025-01-01", erase, m.who("customer-number", "erased"))
	// By another identifier: linked to it directly, and by way of a third.
	for i := range 8 {
		a, b, c := m.who("customer-number", fmt.Sprint("linked-", i)), m.who("email", fmt.Sprint("linked-", i, "@example.com")), m.who("phone", fmt.Sprint("+37250000", i))
		m.fact("2024-01-31", "relationship_end", ended, a)
		m.fact("2024-01-31", "identity", "", a, b)
		m.fact("2024-01-31", "identity", "", b, c)
		m.row("2025-01-01", erase, c)
	}
	// With a whole cohort, of which one is a member by another identifier.
	june, err := d.Keys.Cohort("acme", "gone")
	if err != nil {
		t.Fatal(err)
	}
	inBulk := erase
	inBulk.Cohort, inBulk.CohortID, inBulk.CohortSize = true, "gone", 2
	for _, who := range []identity.Pseudonym{m.who("customer-number", "bulk"), m.who("email", "bulk2@example.com")} {
		m.b.Members.Append(&trail.Member{Controller: "acme", CohortID: "gone", Person: who, Part: 1, Offset: m.next})
	}
	m.row("2024-12-31", trail.Row{Operation: trail.OperationCohort, Cohort: true, CohortID: "gone", CohortPart: 1, CohortParts: 1, Records: 2}, june)
	m.row("2025-01-01", inBulk, june)
	m.fact("2024-01-31", "relationship_end", ended, m.who("customer-number", "bulk"))
	m.fact("2024-01-31", "relationship_end", ended, m.who("customer-number", "bulk2"))
	m.fact("2024-01-31", "identity", "", m.who("customer-number", "bulk2"), m.who("email", "bulk2@example.com"))
	// Due.
	m.fact("2024-03-31", "relationship_end", `"2024-03-31"`, m.who("customer-number", "due"))
	// A request, and one that has been answered.
	m.fact("2026-01-02", "request", `[{"type":"erasure","made_at":"2026-01-02T10:00:00Z","handled":false}]`, m.who("customer-number", "asks"))
	m.fact("2026-01-02", "request", `[{"type":"access","made_at":"2026-01-02T10:00:00Z","handled":false}]`, m.who("customer-number", "asked"))
	m.fact("2026-01-09", "request", `[{"type":"access","made_at":"2026-01-02T10:00:00Z","handled":true}]`, m.who("customer-number", "asked"))
	// Erased too early, and what looked so until it was judged again.
	early := erase
	early.Verdict, early.Rules = register.Violation, []string{"A-T1"}
	m.row("2026-01-05", early, m.who("customer-number", "early"))
	m.row("2026-01-05", early, m.who("customer-number", "not early"))
	later := early
	later.Verdict, later.Rules, later.Cause = register.Allowed, nil, "fact t/0/1"
	m.next--
	m.row("2026-01-05", later, m.who("customer-number", "not early"))
	// Used after the withdrawal.
	m.fact("2026-01-06", "consent", `[{"purpose":"acme/billing","given_at":"2025-01-01T00:00:00Z","withdrawn_at":"2026-01-06T00:00:00Z"}]`, m.who("customer-number", "stop"))
	for range 2 {
		m.row("2026-01-07", trail.Row{Operation: event.Use, Purpose: "acme/billing", Categories: []string{"name"}, Verdict: register.Violation, Rules: []string{"A-1"}}, m.who("customer-number", "stop"))
	}
	if err := d.Trail.Insert(t.Context(), trail.Range{Topic: answertest.Topic, Partition: 1, First: 0, Last: m.next - 1}, answertest.Start, m.b); err != nil {
		t.Fatal(err)
	}

	a, err := answer.DutiesOf(t.Context(), d, answer.DutiesRequest{Controller: "acme", At: "2026-03-11", Within: 30, Cases: 3})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "duties.json", a)
	got := make(map[string]uint64)
	for _, g := range a.Controllers[0].Duties {
		got[g.Kind+" "+g.State+" "+g.Verdict] += g.Count
		if len(g.Cases) == 0 || len(g.Cases) > 3 {
			t.Errorf("%s names %d cases", g.Kind, len(g.Cases))
		}
	}
	// Of the two processors the bank's storage is told, and nothing of a contract.
	for key, n := range map[string]uint64{
		"erase overdue violation": 30, "erase due violation": 1, "answer overdue violation": 1, "stop overdue violation": 1,
		"erased-early happened violation": 1, "agreement overdue review": 2,
	} {
		if got[key] != n {
			t.Errorf("%s: %d, want %d", key, got[key], n)
		}
		delete(got, key)
	}
	if len(got) > 0 || !a.Found() {
		t.Errorf("and %v", got)
	}

	// On the day before nothing of it was overdue; nothing was in force long before.
	b, err := answer.DutiesOf(t.Context(), d, answer.DutiesRequest{At: "2026-01-31", Cases: -1})
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range b.Controllers[0].Duties {
		if g.Kind == "erase" && (g.State != "due" || g.Count != 30) || len(g.Cases) > 0 {
			t.Errorf("on the last day: %+v", g)
		}
	}
	if c, err := answer.DutiesOf(t.Context(), d, answer.DutiesRequest{At: "2023-01-31"}); err != nil || c.Controllers[0].Register != nil || c.Found() {
		t.Errorf("before the register: %+v, %v", c, err)
	}
	for pointer, req := range map[string]answer.DutiesRequest{"/controller": {Controller: answertest.Email}, "/at": {At: answertest.Email}, "/within": {Within: -1}} {
		_, err := answer.DutiesOf(t.Context(), d, req)
		var fault *answer.Fault
		if !errors.As(err, &fault) || fault.Pointer != pointer || fault.Mend == "" || strings.Contains(err.Error(), "maasikas") {
			t.Errorf("%s: %v", pointer, err)
		}
	}
}
