package trail

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
)

var storedAt = time.Date(2026, 3, 31, 23, 59, 59, 999e6, time.UTC) // the quarter's last moment

// fullRow has every field set, so that a column that is lost is seen.
func fullRow(offset int64) Row {
	at := time.Date(2026, 2, 3, 4, 5, 6, 789e6, time.UTC)
	return Row{
		EventID: fmt.Sprintf("id-%d", offset), Source: "crm", Operation: event.Disclose, Time: at, Recorded: at.Add(time.Second),
		Controller: "elektrum", Person: person(7), PersonIndex: 0, Of: 1,
		Cohort: true, CohortID: "newsletter", CohortSize: 1 << 40, CohortPart: 2, CohortParts: 3,
		Actor: "u17", ActorKind: event.ActorHuman, ActorRole: "agent", ActorOrganisation: "Elektrum Eesti OÜ", ActorOnBehalfOf: "Enefit",
		Purpose: "elektrum/billing", Recipient: "elektrum/creditinfo-eesti", RecipientOrganisation: "Creditinfo Eesti AS",
		RecipientCode: "10256137", RecipientCountry: "EE", Categories: []string{"contact", "debt"}, Fields: []string{"phone", "sum"},
		Records: 1 << 33, DataSource: "elering", Basis: "contract", BasisReference: "E-1", Reason: "debt's \\ \n collection",
		Channel: "email", Statements: `{"necessity":true}`, Fact: "breach", FactValue: `{"exists":true}`, FactValidFrom: at.Add(-time.Hour),
		Sequence: 1 << 50, TraceID: [16]byte{1, 15: 2}, Span: [8]byte{3, 7: 4}, BodyHash: [16]byte{5, 15: 6}, Duplicate: true,
		Verdict: register.Violation, Rules: []string{"r1", "r2"}, Unknown: []string{"consent"}, RegisterVersion: "abc", Evaluator: 9,
		JudgedAt: at.Add(2 * time.Second), Offset: offset,
	}
}

func person(n uint64) (p [16]byte) {
	r := rand.New(rand.NewPCG(n, 1))
	for i := range p {
		p[i] = byte(r.Uint32())
	}
	return p
}

func testRange(first, last int64) Range {
	return Range{Topic: "andmerada.events", Partition: 3, First: first, Last: last}
}

// mixedBlocks has all that a range of at least 8 offsets can become: a gap, a
// quarantined record, an event of three persons, a cohort's listing, others.
func mixedBlocks(r Range) *Blocks {
	b := NewBlocks()
	b.Gaps.Append(Gap{First: r.First, Last: r.First + 1, Reason: "marker"})
	b.Quarantine.Append(&QuarantineRow{
		Offset: r.First + 2, Recorded: storedAt, Reason: "syntax", Pointer: "/data/person", Detail: "no",
		Source: "crm", EventHash: EventHash("crm", "x"), BodyHash: [16]byte{1}, Sealed: []byte{0, 1, 2, 255}, Size: 3,
	})
	for i := range 3 {
		row := fullRow(r.First + 3)
		row.Person, row.PersonIndex, row.Of = person(uint64(i)), uint16(i), 3
		b.Trail.Append(&row)
	}
	listing := fullRow(r.First + 4)
	listing.Operation, listing.Records = OperationCohort, 5
	b.Trail.Append(&listing)
	for i := range 5 {
		b.Members.Append(&Member{Controller: "elektrum", CohortID: "newsletter", Person: person(uint64(i)), Part: 2, Offset: r.First + 4})
	}
	fact := fullRow(r.First + 5)
	fact.Operation, fact.Verdict = OperationFact, register.NotApplicable
	b.Trail.Append(&fact)
	for o := r.First + 6; o <= r.Last; o++ {
		row := fullRow(o)
		b.Trail.Append(&row)
	}
	return b
}

func mustVerify(t *testing.T, db *DB, first, committed int64) Report {
	t.Helper()
	report, err := db.Verify(t.Context(), "andmerada.events", map[int32]int64{3: committed}, map[int32]int64{3: first})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func wantVerified(t *testing.T, db *DB, first, committed int64) {
	t.Helper()
	report := mustVerify(t, db, first, committed)
	p := report.Partitions[0]
	if !report.OK() || p.Trail+p.Quarantine+p.Gaps != p.Offsets || p.Offsets != committed-first {
		t.Errorf("not all there:\n%s", report)
	}
}

func TestInsertAndReadBack(t *testing.T) {
	t.Parallel()
	db := openTest(t, testConfig(t))
	r := testRange(100, 110)
	if err := db.Insert(t.Context(), r, storedAt, mixedBlocks(r)); err != nil {
		t.Fatal(err)
	}
	got, err := db.Event(t.Context(), r.Topic, r.Partition, 108)
	if err != nil {
		t.Fatal(err)
	}
	want := fullRow(108)
	want.Stored, want.Topic, want.Partition = storedAt, r.Topic, r.Partition
	if len(got) != 1 || !reflect.DeepEqual(got[0], want) {
		t.Errorf("read back\n%+v\nwant\n%+v", got, want)
	}
	for i, v := 0, reflect.ValueOf(want); i < v.NumField(); i++ {
		if name := v.Type().Field(i).Name; v.Field(i).IsZero() && name != "PersonIndex" && name != "Cause" {
			t.Errorf("the test leaves %s out", name)
		}
	}
	if got, err := db.Event(t.Context(), r.Topic, r.Partition, 103); err != nil || len(got) != 3 || got[2].PersonIndex != 2 || got[2].Person != person(2) {
		t.Errorf("three persons: %v, %v", got, err)
	}
	var facts []int64
	for row, err := range db.Facts(t.Context(), r.Topic) {
		if err != nil {
			t.Fatal(err)
		}
		facts = append(facts, row.Offset)
	}
	if !reflect.DeepEqual(facts, []int64{105}) {
		t.Errorf("facts at %v, want 105", facts)
	}
	ids, err := db.RecentIDs(t.Context(), r.Topic, r.Partition, 2)
	if want := [][16]byte{EventHash("crm", "id-109"), EventHash("crm", "id-110")}; err != nil || !reflect.DeepEqual(ids, want) {
		t.Errorf("recent ids %v, %v; want %v", ids, err, want)
	}
	if n := mustCount(t, db, `SELECT count() FROM quarantine WHERE offset = 102 AND reason = 'syntax' AND pointer = '/data/person' AND detail = 'no' AND source = 'crm'
		AND hex(sealed) = '000102FF' AND size = 3 AND hex(body_hash) LIKE '0100%' AND topic = 'andmerada.events' AND partition = 3 AND recorded = stored AND toYear(stored) = 2026`); n != 1 {
		t.Errorf("the quarantined record is not as it was put in")
	}
	if n := mustCount(t, db, "SELECT count() FROM cohort_members WHERE cohort_id = 'newsletter' AND controller = 'elektrum' AND part = 2 AND offset = 104 AND stored = '2026-03-31 23:59:59.999'"); n != 5 {
		t.Errorf("%d members, want 5", n)
	}
	wantVerified(t, db, 100, 111)
}

func TestTimesFar(t *testing.T) {
	t.Parallel()
	db := openTest(t, testConfig(t))
	times := []time.Time{time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(1970, 1, 1, 0, 0, 0, 1e6, time.UTC), time.Date(2299, 12, 31, 23, 59, 59, 0, time.UTC), {}}
	b := NewBlocks()
	for i, at := range times {
		row := fullRow(int64(i))
		row.Time = at
		b.Trail.Append(&row)
	}
	r := Range{Topic: "odd 'topic' \\ \t", Partition: 0, First: 0, Last: int64(len(times) - 1)}
	if err := db.Insert(t.Context(), r, storedAt, b); err != nil {
		t.Fatal(err)
	}
	for i, at := range times {
		got, err := db.Event(t.Context(), r.Topic, 0, int64(i))
		if err != nil || len(got) != 1 || !got[0].Time.Equal(at) {
			t.Errorf("time %v came back as %v, %v", at, got, err)
		}
	}
}

func TestPersonQueryReadsProjection(t *testing.T) {
	t.Parallel()
	db := openTest(t, testConfig(t))
	const n = 60_000
	b := NewBlocks()
	for i := range int64(n) {
		row := plausibleRow(rand.New(rand.NewPCG(uint64(i), 2)), i)
		b.Trail.Append(&row)
	}
	if err := db.Insert(t.Context(), testRange(0, n-1), storedAt, b); err != nil {
		t.Fatal(err)
	}
	var one Row
	for row, err := range db.rows(t.Context(), nil, "LIMIT 1", nil) {
		if err != nil {
			t.Fatal(err)
		}
		one = row
	}
	// Errors if the projection cannot give all of the columns.
	force := []string{"by_person"}
	rows := 0
	for row, err := range db.rows(t.Context(), PersonColumns, "WHERE person = unhex({person:String}) ORDER BY time",
		map[string]string{"person": fmt.Sprintf("%x", one.Person)}, forceProjection(force[0])) {
		if err != nil {
			t.Fatal(err)
		}
		if row.Person != one.Person {
			t.Errorf("a row of another person")
		}
		rows++
	}
	if rows == 0 {
		t.Error("no rows")
	}
	// One column more and the projection is of no use: the check above can fail.
	failed := false
	for _, err := range db.rows(t.Context(), append([]string{"event_id"}, PersonColumns...), "WHERE person = unhex({person:String})",
		map[string]string{"person": fmt.Sprintf("%x", one.Person)}, forceProjection(force[0])) {
		failed = failed || err != nil
	}
	if !failed {
		t.Error("event_id is in the projection after all")
	}
	mustCount(t, db, "SELECT count() FROM (SELECT toDate(time) AS day, context, verdict, count() FROM trail WHERE cause = '' GROUP BY day, context, verdict) SETTINGS force_optimize_projection_name = 'matrix'")
}

// What blocks take in memory is counted: the texts of rows, those that many rows
// have in common once, and none any more after a reset.
func TestBlocksBytes(t *testing.T) {
	t.Parallel()
	b := NewBlocks()
	add := func(what string, least, most int, f func()) {
		t.Helper()
		before := b.Bytes()
		f()
		if got := b.Bytes() - before; got < least || got > most {
			t.Errorf("%s: %d bytes more, want %d to %d", what, got, least, most)
		}
	}
	long := strings.Repeat("x", 100_000)
	add("a row", rowBytes, rowBytes+200, func() { b.Trail.Append(&Row{EventID: "e", Actor: "u-1", Purpose: "billing"}) })
	add("another of the kind", rowBytes, rowBytes+10, func() { b.Trail.Append(&Row{EventID: "f", Actor: "u-1", Purpose: "billing"}) })
	for what, row := range map[string]Row{
		"id": {EventID: long}, "reason": {Reason: long}, "statements": {Statements: long}, "value of a fact": {FactValue: long}, "reference": {BasisReference: long},
		"actor": {Actor: long}, "purpose": {Purpose: long},
	} {
		add("a long "+what, len(long), len(long)+2*rowBytes, func() { b.Trail.Append(&row) })
	}
	add("a record that could not be read", len(long), len(long)+2*rowBytes, func() { b.Quarantine.Append(&QuarantineRow{Sealed: []byte(long)}) })
	add("a member", memberBytes, memberBytes+100, func() { b.Members.Append(&Member{Controller: "elektrum", CohortID: "june"}) })
	add("another", memberBytes, memberBytes, func() { b.Members.Append(&Member{Controller: "elektrum", CohortID: "june"}) })
	if b.Reset(); b.Bytes() != 0 {
		t.Errorf("%d bytes after a reset", b.Bytes())
	}
}
