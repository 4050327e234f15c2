package trail

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/event"
)

func TestSightings(t *testing.T) {
	t.Parallel()
	db := openTest(t, testConfig(t))
	day := time.Date(2026, 3, 10, 0, 0, 0, 0, time.UTC)
	at := func(hour int, set func(*Row)) []Row {
		row := Row{
			Operation: event.Transfer, Purpose: "elektrum/billing", Recipient: "elektrum/processors", RecipientOrganisation: "Kirjad OÜ",
			Categories: []string{"name", "phone"}, Person: person(1), Time: day.Add(time.Duration(hour) * time.Hour),
		}
		if set != nil {
			set(&row)
		}
		return []Row{row}
	}
	two := append(at(30, nil), at(30, nil)...) // an event of two persons
	plant(t, db, nil,
		at(-1, nil), at(0, nil), at(23, nil), at(24, nil), two, at(48, nil),
		at(30, func(r *Row) { r.Duplicate = true }),
		at(30, func(r *Row) { r.Controller = "netpro" }),
		at(30, func(r *Row) { r.Operation, r.Fact = OperationFact, "breach" }),
		at(31, func(r *Row) { r.Categories = []string{"name"} }),
		at(31, func(r *Row) {
			r.Recipient, r.RecipientOrganisation, r.RecipientCode, r.RecipientCountry = "", "Uus AS", "7", "LV"
		}),
		at(32, func(r *Row) { r.Recipient, r.RecipientOrganisation = "", "" }),
		at(33, func(r *Row) { r.Operation, r.Recipient, r.RecipientOrganisation = event.Use, "", "" }),
		at(34, func(r *Row) {
			r.Operation, r.DataSource, r.Recipient, r.RecipientOrganisation = event.Collect, "elektrum/elering-platform", "", ""
		}),
	)
	mustExec(t, db, `INSERT INTO trail SELECT * REPLACE ('late-fact' AS cause) FROM trail WHERE offset = 1`)

	// Sums over a window are the same however much of it is whole days.
	for name, c := range map[string]struct {
		from, to    time.Duration // in hours from the day
		open        bool
		want        uint64 // of the commonest way
		first, last time.Duration
	}{
		"open":            {open: true, want: 7, first: -1, last: 48},
		"whole days":      {0, 48, false, 5, 0, 30},
		"from within":     {-1, 48, false, 6, -1, 30},
		"to within":       {0, 49, false, 6, 0, 48},
		"both within":     {-1, 49, false, 7, -1, 48},
		"within one day":  {23, 24, false, 1, 23, 23},
		"across midnight": {23, 25, false, 2, 23, 24},
	} {
		var from, to time.Time
		if !c.open {
			from, to = day.Add(c.from*time.Hour), day.Add(c.to*time.Hour)
		}
		got, complete, err := db.Sightings(t.Context(), "elektrum", from, to)
		if err != nil || !complete || len(got) == 0 {
			t.Fatalf("%s: %v, %v, %v", name, got, complete, err)
		}
		s := got[0]
		if s.Count != c.want || !s.First.Equal(day.Add(c.first*time.Hour)) || !s.Last.Equal(day.Add(c.last*time.Hour)) ||
			s.Operation != event.Transfer || s.Recipient != "elektrum/processors" || strings.Join(s.Categories, " ") != "name phone" {
			t.Errorf("%s: %+v, want %d", name, s, c.want)
		}
		if c.open && len(got) != 6 {
			t.Errorf("%d ways, want 6: %+v", len(got), got)
		}
	}

	entities, err := db.Entities(t.Context(), "elektrum", day, day.Add(48*time.Hour))
	if err != nil || len(entities) != 2 || entities[1] != (Entity{"Uus AS", "7", "LV", 1, day.Add(31 * time.Hour), day.Add(31 * time.Hour)}) ||
		entities[0] != (Entity{"", "", "", 1, day.Add(32 * time.Hour), day.Add(32 * time.Hour)}) {
		t.Errorf("entities %+v, %v", entities, err)
	}
	sources, err := db.Sources(t.Context(), "elektrum", day, day.Add(48*time.Hour))
	if at := day.Add(34 * time.Hour); err != nil || len(sources) != 1 || sources[0] != (Collected{"elektrum/elering-platform", 1, at, at}) {
		t.Errorf("sources %+v, %v", sources, err)
	}
	rows, err := db.EventsAt(t.Context(), "elektrum", []time.Time{day.Add(30 * time.Hour), day.Add(31 * time.Hour), day.Add(31*time.Hour + time.Millisecond)})
	if err != nil || len(rows) != 3 {
		t.Errorf("%d events at two moments, want 3: %+v, %v", len(rows), rows, err)
	}
}

// The days of a window are read from the projection, or a year takes minutes.
func TestSightingsReadProjection(t *testing.T) {
	t.Parallel()
	db := openTest(t, testConfig(t))
	const n = 20_000
	b := NewBlocks()
	for i := range int64(n) {
		row := plausibleRow(rand.New(rand.NewPCG(uint64(i), 2)), i)
		row.Controller = "elektrum"
		b.Trail.Append(&row)
	}
	if err := db.Insert(t.Context(), testRange(0, n-1), storedAt, b); err != nil {
		t.Fatal(err)
	}
	query := strings.NewReplacer("{controller:String}", "'elektrum'", "{limit:UInt32}", "10").Replace(waysSelect + waysWhole + " AND operation = 'access'" + waysGroup)
	query = strings.NewReplacer("{first_day:String}", "'2020-01-01'", "{last_day:String}", "'2030-01-01'").Replace(query)
	if n := mustCount(t, db, "SELECT count() FROM ("+query+") SETTINGS force_optimize_projection = 1, force_optimize_projection_name = 'matrix'"); n == 0 {
		t.Errorf("%d ways", n)
	}
}
