package trail

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
)

var queryDay = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

// plant writes rows to offsets 0, 1, …: each event's rows share an offset.
func plant(t *testing.T, db *DB, members []Member, events ...[]Row) {
	t.Helper()
	b := NewBlocks()
	for offset, rows := range events {
		for i, row := range rows {
			row.Offset, row.PersonIndex, row.Of = int64(offset), uint16(i), uint16(len(rows))
			if row.Operation == 0 {
				row.Operation = event.Disclose
			}
			if row.Controller == "" {
				row.Controller = "elektrum"
			}
			if row.Time.IsZero() {
				row.Time = queryDay.Add(time.Duration(offset) * time.Minute)
			}
			row.Recorded = row.Time
			if row.JudgedAt.IsZero() {
				row.JudgedAt = storedAt
			}
			if row.Operation == OperationCohort {
				row.Records = uint64(len(members))
				for _, m := range members {
					m.Offset = row.Offset
					b.Members.Append(&m)
				}
			}
			b.Trail.Append(&row)
		}
	}
	if err := db.Insert(t.Context(), testRange(0, int64(len(events)-1)), storedAt, b); err != nil {
		t.Fatal(err)
	}
}

func TestLinkedAndCohorts(t *testing.T) {
	t.Parallel()
	db := openTest(t, testConfig(t))
	identity := func(persons ...uint64) (rows []Row) {
		for _, p := range persons {
			rows = append(rows, Row{Operation: OperationFact, Fact: "identity", Person: person(p)})
		}
		return rows
	}
	other := identity(1, 9)
	for i := range other {
		other[i].Controller = "netpro"
	}
	again := identity(1, 7) // under the id of an event that had arrived before, whatever it says
	for i := range again {
		again[i].Duplicate = true
	}
	plant(t, db, []Member{
		{Controller: "elektrum", CohortID: "june", Person: person(3)},
		{Controller: "elektrum", CohortID: "june", Person: person(9)},
		{Controller: "netpro", CohortID: "theirs", Person: person(1)},
	}, identity(1, 2), identity(2, 3), identity(4, 5), other, again, []Row{{Operation: OperationCohort, CohortID: "june", Person: person(100)}})
	for asked, want := range map[uint64][]uint64{1: {1, 2, 3}, 3: {1, 2, 3}, 4: {4, 5}, 9: {9}} {
		q := PersonQuery{Controller: "elektrum", Persons: [][16]byte{person(asked)}}
		byQuery, err := db.Linked(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		byHistory, read := linkOf(t, db, q, maxTogether)
		if want := len(want) - 1; len(read.facts) == 0 && want > 0 || len(read.facts) < want {
			t.Errorf("the history of %d has %d identity facts", asked, len(read.facts))
		}
		byMany, _ := linkOf(t, db, q, 1) // more rows than are read at once
		var wanted [][16]byte
		for _, p := range want {
			wanted = append(wanted, person(p))
		}
		for way, got := range [][][16]byte{byQuery, byHistory, byMany} {
			if got[0] != person(asked) {
				t.Errorf("way %d: the person asked for is not first", way)
			}
			compare := func(a, b [16]byte) int { return slices.Compare(a[:], b[:]) }
			slices.SortFunc(got, compare)
			slices.SortFunc(wanted, compare)
			if !reflect.DeepEqual(got, wanted) {
				t.Errorf("way %d: %d is linked to %d pseudonyms, want %v", way, asked, len(got), want)
			}
		}
	}
	for asked, want := range map[uint64][]string{3: {"june"}, 1: nil} {
		if got, err := db.CohortsOf(t.Context(), PersonQuery{Controller: "elektrum", Persons: [][16]byte{person(asked)}}); err != nil || !slices.Equal(got, want) {
			t.Errorf("%d is in %v, %v; want %v", asked, got, err, want)
		}
	}
	// Before any of it was stored nothing was known of links and members.
	then := PersonQuery{Controller: "elektrum", Persons: [][16]byte{person(3)}, AsOf: storedAt.Add(-time.Millisecond)}
	linked, err := db.Linked(t.Context(), then)
	byHistory, _ := linkOf(t, db, then, maxTogether)
	ids, err2 := db.CohortsOf(t.Context(), then)
	if err != nil || err2 != nil || len(linked) != 1 || len(byHistory) != 1 || len(ids) != 0 {
		t.Errorf("before: %d and %d pseudonyms, cohorts %v, %v, %v", len(linked), len(byHistory), ids, err, err2)
	}
}

// linkOf is the history that was read to link a person's pseudonyms, at most so
// many rows of it.
func linkOf(t *testing.T, db *DB, q PersonQuery, most int) ([][16]byte, *History) {
	t.Helper()
	h, err := db.historyOf(t.Context(), q, most)
	if err != nil {
		t.Fatal(err)
	}
	all, err := h.Link(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all, h
}

func TestUsesAndTimeline(t *testing.T) {
	t.Parallel()
	db := openTest(t, testConfig(t))
	at := func(p uint64, set func(*Row)) Row {
		row := Row{
			Person: person(p), Recipient: "elektrum/creditinfo-eesti", Purpose: "elektrum/billing", Categories: []string{"name", "contact"},
			Verdict: register.Allowed, Rules: []string{"ELK-01"}, RegisterVersion: "v1",
		}
		if set != nil {
			set(&row)
		}
		return row
	}
	plant(t, db, nil,
		[]Row{at(1, nil)},
		[]Row{at(1, nil), at(2, nil), at(3, nil)}, // names the person twice
		[]Row{at(1, func(r *Row) {
			r.Verdict, r.Rules, r.Unknown, r.Categories = register.Review, []string{"ELK-02"}, []string{"consent"}, []string{"name"}
		})},
		[]Row{at(1, func(r *Row) { r.Duplicate = true })},
		[]Row{at(3, nil)},
		[]Row{at(1, func(r *Row) { r.Controller = "netpro" })},
		[]Row{at(1, func(r *Row) { r.Operation, r.Fact = OperationFact, "breach" })},
		[]Row{at(2, func(r *Row) { r.Operation, r.Recipient, r.Time = event.Access, "", queryDay })}, // at the same moment as the first
	)
	// A later judgement of the first event replaces the first in what is shown.
	mustExec(t, db, `INSERT INTO trail SELECT * REPLACE ('late-fact' AS cause, 'violation' AS verdict, ['ELK-09'] AS rules, judged_at + INTERVAL 1 DAY AS judged_at)
		FROM trail WHERE offset = 0`)
	q := PersonQuery{Controller: "elektrum", Persons: [][16]byte{person(1), person(2)}}
	uses, complete, err := db.Uses(t.Context(), q)
	if err != nil || !complete {
		t.Fatal(err, complete)
	}
	newest, err := db.Timeline(t.Context(), q, nil, 4)
	if err != nil {
		t.Fatal(err)
	}
	for _, together := range []int{maxTogether, 3} { // read at once, and left to the database
		h, err := db.historyOf(t.Context(), q, together)
		if err != nil {
			t.Fatal(err)
		}
		both, complete, err := h.Uses(t.Context(), nil)
		if err != nil || !complete {
			t.Fatal(err, complete)
		}
		list, err := h.Timeline(t.Context(), nil, nil, 4)
		if err != nil {
			t.Fatal(err)
		}
		for _, list := range [][]Use{uses, both} {
			slices.SortFunc(list, func(a, b Use) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		}
		if !reflect.DeepEqual(uses, both) {
			t.Errorf("up to %d rows at once: uses\n%+v, want\n%+v", together, both, uses)
		}
		if !reflect.DeepEqual(newest, list) {
			t.Errorf("up to %d rows at once: timeline\n%+v, want\n%+v", together, list, newest)
		}
	}
	type key struct {
		recipient, verdict string
		duplicate          bool
	}
	got := make(map[key]uint64)
	for _, u := range uses {
		got[key{u.Recipient, u.Verdict, u.Duplicate}] += u.Count
		if u.Verdict == "review" && (u.Unknown["consent"] != 1 || u.Rules["ELK-02"] != 1 || u.Categories["name"] != 1 || len(u.Categories) != 1 || !u.First.Equal(queryDay.Add(2*time.Minute)) || !u.Last.Equal(u.First)) {
			t.Errorf("the review is summed up as %+v", u)
		}
	}
	const creditinfo = "elektrum/creditinfo-eesti"
	if want := map[key]uint64{{creditinfo, "violation", false}: 1, {creditinfo, "allowed", false}: 1, {creditinfo, "review", false}: 1, {creditinfo, "allowed", true}: 1, {"", "none", false}: 0, {"", "allowed", false}: 1}; !maps.EqualFunc(got, withoutZero(want), func(a, b uint64) bool { return a == b }) {
		t.Errorf("uses %v, want %v", got, want)
	}

	var offsets []int64
	var before *Place
	for range 10 {
		page, err := db.Timeline(t.Context(), q, before, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range page {
			offsets = append(offsets, row.Offset)
			before = &Place{Time: row.Time, Topic: row.Topic, Partition: row.Partition, Offset: row.Offset}
			if row.Offset == 0 && row.Verdict != register.Violation {
				t.Errorf("the timeline shows %v, not the latest verdict", row.Verdict)
			}
		}
		if len(page) < 2 {
			break
		}
	}
	if want := []int64{3, 2, 1, 7, 0}; !slices.Equal(offsets, want) {
		t.Errorf("timeline %v, want %v", offsets, want)
	}
	// As of before the later judgement the first one stands, and as of before
	// anything was stored there is nothing.
	q.AsOf = storedAt
	if page, err := db.Timeline(t.Context(), q, nil, 100); err != nil || len(page) != 5 || page[4].Offset != 0 || page[4].Verdict == register.Violation {
		t.Errorf("as of before: %v, %v", page, err)
	}
	q.AsOf = storedAt.Add(-time.Millisecond)
	if uses, _, err := db.Uses(t.Context(), q); err != nil || len(uses) != 0 {
		t.Errorf("as of before anything: %v, %v", uses, err)
	}
	q.AsOf = time.Time{}
	q.From, q.To = queryDay.Add(time.Minute), queryDay.Add(3*time.Minute)
	if page, err := db.Timeline(t.Context(), q, nil, 100); err != nil || len(page) != 2 || page[1].Offset != 1 {
		t.Errorf("in the window: %v, %v", page, err)
	}
	q.Persons = make([][16]byte, maxPersons+1)
	if _, err := db.Timeline(t.Context(), q, nil, 1); err == nil || !strings.Contains(err.Error(), "too many") {
		t.Errorf("too many persons: %v", err)
	}
}

func withoutZero[K comparable](m map[K]uint64) map[K]uint64 {
	maps.DeleteFunc(m, func(_ K, n uint64) bool { return n == 0 })
	return m
}

func TestOverviewQueries(t *testing.T) {
	t.Parallel()
	db := openTest(t, testConfig(t))
	row := func(day int, v register.Outcome, set func(*Row)) Row {
		r := Row{Person: person(1), Time: queryDay.AddDate(0, 0, day), Verdict: v, Rules: []string{"ELK-01"}, RegisterVersion: "v1"}
		if set != nil {
			set(&r)
		}
		return r
	}
	plant(t, db, nil,
		[]Row{row(0, register.Violation, nil), row(0, register.Violation, nil)},
		[]Row{row(-5, register.Violation, nil)},
		[]Row{row(-1, register.Allowed, nil)},
		[]Row{row(-1, register.Review, func(r *Row) { r.Unknown = []string{"consent", "necessity"} })},
		[]Row{row(-1, register.Review, func(r *Row) { r.Unknown = []string{"consent"} })},
		[]Row{row(-1, register.Review, nil)},
		[]Row{row(-1, register.Violation, func(r *Row) { r.Duplicate = true })},
		[]Row{row(-1, register.Violation, func(r *Row) { r.Controller = "netpro" })},
		[]Row{row(0, 0, func(r *Row) { r.Operation = OperationFact })},
		[]Row{row(100_000, register.Violation, nil)}, // the year 2299
	)
	w := Window{From: queryDay.Truncate(24*time.Hour).AddDate(0, 0, -30), To: queryDay.Truncate(24*time.Hour).AddDate(0, 0, 1), Controller: "elektrum"}
	days, err := db.Days(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]uint64)
	for _, d := range days {
		name := d.Day.Format(time.DateOnly) + " " + d.Verdict
		if d.Duplicate {
			name += " duplicate"
		}
		got[name] += d.Count
	}
	if want := map[string]uint64{"2026-03-05 violation": 1, "2026-03-09 allowed": 1, "2026-03-09 review": 3, "2026-03-09 violation duplicate": 1, "2026-03-10 violation": 2}; !maps.Equal(got, want) {
		t.Errorf("days %v, want %v", got, want)
	}
	if day, err := db.NewestDay(t.Context(), w); err != nil || day.Format(time.DateOnly) != "2026-03-10" {
		t.Errorf("newest day %v, %v", day, err)
	}
	if day, err := db.NewestDay(t.Context(), Window{From: w.From, To: w.From}); err != nil || !day.IsZero() {
		t.Errorf("newest day of nothing %v, %v", day, err)
	}
	for n, want := range map[int][]int64{1: {0}, 10: {0, 1}} {
		var offsets []int64
		rows, err := db.Newest(t.Context(), w, "violation", n)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			offsets = append(offsets, r.Offset)
		}
		if !slices.Equal(offsets, want) {
			t.Errorf("newest %d violations at %v, want %v", n, offsets, want)
		}
	}
	queue, err := db.ReviewQueue(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	counts := make(map[string]uint64)
	for _, q := range queue {
		counts[q.Fact] += q.Count
	}
	if want := map[string]uint64{"consent": 2, "necessity": 1, "": 1}; !maps.Equal(counts, want) || queue[0].Fact != "consent" || queue[0].Rules["ELK-01"] != 2 || queue[0].Version != "v1" {
		t.Errorf("queue %+v, want %v", queue, want)
	}
}

func TestFindAndReach(t *testing.T) {
	t.Parallel()
	db := openTest(t, testConfig(t))
	r := testRange(100, 110)
	if err := db.Insert(t.Context(), r, storedAt, mixedBlocks(r)); err != nil {
		t.Fatal(err)
	}
	places, err := db.Find(t.Context(), "crm", "id-108")
	if err != nil || len(places) != 1 || places[0].Offset != 108 || places[0].Partition != 3 || places[0].Topic != r.Topic {
		t.Errorf("found %v, %v", places, err)
	}
	if places, err := db.Find(t.Context(), "crm", "no'thing"); err != nil || places != nil {
		t.Errorf("found %v, %v", places, err)
	}
	reach, err := db.Reach(t.Context(), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	want := Reach{Partitions: []PartitionReach{{Topic: r.Topic, Partition: 3, Offset: 110, Recorded: fullRow(0).Recorded, Stored: storedAt}}, Quarantined: 1, Gaps: 2}
	if !reflect.DeepEqual(reach, want) {
		t.Errorf("reach %+v, want %+v", reach, want)
	}
	if before, err := db.Reach(t.Context(), storedAt.Add(-time.Millisecond)); err != nil || !reflect.DeepEqual(before, Reach{Partitions: before.Partitions[:0]}) {
		t.Errorf("reach before anything was stored: %+v, %v", before, err)
	}
	if then, err := db.Reach(t.Context(), storedAt); err != nil || !reflect.DeepEqual(then, want) {
		t.Errorf("reach at that moment: %+v, %v", then, err)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	db := openTest(t, testConfig(t))
	at := func(offset int64, source string) *Row {
		when := queryDay.Add(time.Duration(offset) * time.Hour)
		return &Row{Source: source, Operation: event.Use, Controller: "elektrum", Person: person(1), Of: 1, Time: when, Recorded: when, JudgedAt: storedAt, Offset: offset}
	}
	b := NewBlocks()
	b.Trail.Append(at(0, "/web"))
	b.Gaps.Append(Gap{First: 1, Last: 2, Reason: "deleted"})
	b.Trail.Append(at(3, "/crm"))
	b.Gaps.Append(Gap{First: 4, Last: 4, Reason: GapTransaction})
	b.Quarantine.Append(&QuarantineRow{Offset: 5, Recorded: queryDay.Add(5 * time.Hour), Reason: "syntax", Sealed: []byte("x"), Size: 1})
	b.Trail.Append(at(6, "/crm"))
	b.Gaps.Append(Gap{First: 7, Last: 9, Reason: "compacted"})
	if err := db.Insert(t.Context(), testRange(0, 9), storedAt, b); err != nil {
		t.Fatal(err)
	}
	hour := func(n int) time.Time { return queryDay.Add(time.Duration(n) * time.Hour) }
	for name, c := range map[string]struct {
		Span
		gaps    []int64 // first offsets
		unread  uint64
		systems string
	}{
		"all":                {Span{}, []int64{1, 7}, 1, "/web 0 1, /crm 6 2"},
		"to the third":       {Span{To: hour(3)}, []int64{1}, 0, "/web 0 1"},
		"to after the third": {Span{To: hour(4)}, []int64{1}, 0, "/web 0 1, /crm 3 1"},
		"to after the sixth": {Span{To: hour(7)}, []int64{1, 7}, 1, "/web 0 1, /crm 6 2"},
		"after all":          {Span{From: storedAt.Add(time.Hour)}, nil, 0, "/web 0 1, /crm 6 2"},
		"from the sixth":     {Span{From: hour(6)}, []int64{1, 7}, 0, "/web 0 1, /crm 6 2"},
		"before it is known": {Span{AsOf: storedAt.Add(-time.Hour)}, nil, 0, ""},
		"as of when it was":  {Span{AsOf: storedAt, To: hour(7)}, []int64{1, 7}, 1, "/web 0 1, /crm 6 2"},
	} {
		lost, more, err := db.LostIn(t.Context(), c.Span)
		if err != nil || more {
			t.Errorf("%s: %v, more %v", name, err, more)
		}
		var gaps []int64
		for _, l := range lost {
			gaps = append(gaps, l.First)
		}
		slices.Sort(gaps)
		_, unread, err := db.UnreadIn(t.Context(), c.Span, 5)
		if err != nil || unread != c.unread || !slices.Equal(gaps, c.gaps) {
			t.Errorf("%s: gaps %v, %d unread, %v; want %v, %d", name, gaps, unread, err, c.gaps, c.unread)
		}
		heard, err := db.HeardBefore(t.Context(), "elektrum", c.Span)
		var systems []string
		for _, h := range heard {
			systems = append(systems, fmt.Sprintf("%s %.0f %d", h.Source, h.Last.Sub(queryDay).Hours(), h.Events))
		}
		if got := strings.Join(systems, ", "); err != nil || got != c.systems {
			t.Errorf("%s: systems %q, %v; want %q", name, got, err, c.systems)
		}
	}
}

// A question that misses its projection by one column still gives the right
// answer, only a hundred times slower: so ClickHouse is told to refuse.
func TestQuestionsUseTheirProjections(t *testing.T) {
	t.Parallel()
	db := openTest(t, testConfig(t))
	const n = 60_000
	b := NewBlocks()
	var identity Row
	for i := range int64(n) {
		row := plausibleRow(rand.New(rand.NewPCG(uint64(i), 2)), i)
		if i%1000 == 7 {
			row.Operation, row.Fact, row.Duplicate = OperationFact, event.IdentityFact, false
			identity = row
		}
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
	q := PersonQuery{Controller: one.Controller, Persons: [][16]byte{one.Person}, AsOf: one.JudgedAt.AddDate(100, 0, 0)}
	forced := func(name string) clickhouse.QueryOption {
		return clickhouse.WithSettings(clickhouse.Settings{"force_optimize_projection_name": name})
	}
	ctx := clickhouse.Context(t.Context(), forced("by_person"))
	if uses, _, err := db.Uses(ctx, q); err != nil || len(uses) == 0 {
		t.Errorf("uses: %d, %v", len(uses), err)
	}
	of := PersonQuery{Controller: identity.Controller, AsOf: q.AsOf}
	found, params := of.identities()
	count := uint64(0)
	var places proto.ColUInt64
	err := db.pool.do(t.Context(), ch.Query{
		Body: "SELECT count() AS n FROM " + found, Parameters: parameters(params), Settings: []ch.Setting{forceProjection("identities")},
		ExternalData: personsTable([][16]byte{identity.Person}, nil), ExternalTable: "persons", Result: proto.Results{{Name: "n", Data: &places}},
		OnResult: func(_ context.Context, block proto.Block) error {
			for i := range block.Rows {
				count += places[i]
			}
			return nil
		},
	})
	if err != nil || count == 0 {
		t.Errorf("identities: %d, %v", count, err)
	}
	params = q.params()
	params["n"] = "50"
	if page, err := collect(db.rowsOf(t.Context(), historyColumns, timelineFrom(q.where()), params, forceProjection("by_person"), setting("max_threads", "1"))); err != nil || len(page) == 0 {
		t.Errorf("timeline: %d, %v", len(page), err)
	}
	for _, persons := range [][][16]byte{q.Persons[:1], {q.Persons[0], q.Persons[0]}} {
		of := PersonQuery{Controller: q.Controller, Persons: persons}
		where, params := of.whose()
		if rows, err := collect(db.rowsOf(t.Context(), factsAndHistory, "trail "+where, params, forceProjection("by_person"), setting("max_threads", "1"))); err != nil || len(rows) == 0 {
			t.Errorf("history: %d, %v", len(rows), err)
		}
	}
	w := Window{From: one.Time.AddDate(-3, 0, 0), To: one.Time.AddDate(3, 0, 0)}
	ctx = clickhouse.Context(t.Context(), forced("matrix"))
	if days, err := db.Days(ctx, w); err != nil || len(days) == 0 {
		t.Errorf("days: %d, %v", len(days), err)
	}
	if queue, err := db.ReviewQueue(ctx, w); err != nil || len(queue) == 0 {
		t.Errorf("review queue: %d, %v", len(queue), err)
	}
	if _, err := db.NewestDay(ctx, w); err != nil {
		t.Errorf("newest day: %v", err)
	}
	if _, err := db.Newest(ctx, w, "violation", 5); err != nil {
		t.Errorf("newest: %v", err)
	}
}
