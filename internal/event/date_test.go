package event_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/andmerada/andmerada/internal/event"
)

func TestDates(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, from string
		add        func(event.Date) event.Date
		want       string
	}{
		{"leap day, a year on", "2024-02-29", func(d event.Date) event.Date { return d.AddYears(1) }, "2025-02-28"},
		{"leap day, four years on", "2024-02-29", func(d event.Date) event.Date { return d.AddYears(4) }, "2028-02-29"},
		{"leap day, seven years back", "2024-02-29", func(d event.Date) event.Date { return d.AddYears(-7) }, "2017-02-28"},
		{"1900 is no leap year", "1896-02-29", func(d event.Date) event.Date { return d.AddYears(4) }, "1900-02-28"},
		{"2000 is one", "1996-02-29", func(d event.Date) event.Date { return d.AddYears(4) }, "2000-02-29"},
		{"end of January", "2023-01-31", func(d event.Date) event.Date { return d.AddMonths(1) }, "2023-02-28"},
		{"over the year's end", "2023-12-31", func(d event.Date) event.Date { return d.AddMonths(2) }, "2024-02-29"},
		{"back over the year's end", "2024-01-31", func(d event.Date) event.Date { return d.AddMonths(-2) }, "2023-11-30"},
		{"new year", "2023-12-31", func(d event.Date) event.Date { return d + 1 }, "2024-01-01"},
		{"before 1970", "1969-12-31", func(d event.Date) event.Date { return d + 1 }, "1970-01-01"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d, err := event.ParseDate(test.from)
			if err != nil {
				t.Fatal(err)
			}
			if got := test.add(d).String(); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestParseDateRefuses(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "2023-02-29", "2023-13-01", "2023-1-1", "20230101", "2023-01-01T00:00:00Z"} {
		if d, err := event.ParseDate(s); err == nil {
			t.Errorf("%q is read as %s", s, d)
		}
	}
}

// TestDateOfAcrossSummerTime: on 31 March 2024 Tallinn has 23 hours, on 27
// October 25.
func TestDateOfAcrossSummerTime(t *testing.T) {
	t.Parallel()
	tallinn := zone(t, "Europe/Tallinn")
	for utc, want := range map[string]string{
		"2024-03-30T21:59:59Z": "2024-03-30", "2024-03-30T22:00:00Z": "2024-03-31",
		"2024-03-31T20:59:59Z": "2024-03-31", "2024-03-31T21:00:00Z": "2024-04-01",
		"2024-10-26T20:59:59Z": "2024-10-26", "2024-10-26T21:00:00Z": "2024-10-27",
		"2024-10-27T21:59:59Z": "2024-10-27", "2024-10-27T22:00:00Z": "2024-10-28",
		"2023-12-31T22:00:00Z": "2024-01-01", "1969-12-31T20:59:59Z": "1969-12-31", "1969-12-31T21:00:00Z": "1970-01-01",
	} {
		at, err := time.Parse(time.RFC3339, utc)
		if err != nil {
			t.Fatal(err)
		}
		if got := event.DateOf(at, tallinn).String(); got != want {
			t.Errorf("%s is %s in Tallinn, want %s", utc, got, want)
		}
	}
}

// TestCalendarLaws holds for every date and zone.
func TestCalendarLaws(t *testing.T) {
	t.Parallel()
	zones := []*time.Location{zone(t, "Europe/Tallinn"), zone(t, "Europe/Helsinki"), zone(t, "Pacific/Kiritimati"), zone(t, "America/St_Johns"), time.UTC}
	rapid.Check(t, func(t *rapid.T) {
		d := event.Date(rapid.IntRange(-300_000, 800_000).Draw(t, "day"))
		if back, err := event.ParseDate(d.String()); err != nil || back != d {
			t.Fatalf("%s is read back as %s: %v", d, back, err)
		}
		n := rapid.IntRange(-600, 600).Draw(t, "months")
		e := d.AddMonths(n)
		at := time.Unix(int64(d)*86400, 0).UTC()
		to := time.Unix(int64(e)*86400, 0).UTC()
		if months := (to.Year()-at.Year())*12 + int(to.Month()) - int(at.Month()); months != n {
			t.Fatalf("%s + %d months is %s: %d months on", d, n, e, months)
		}
		if to.Day() != at.Day() && (to.Day() > at.Day() || to.AddDate(0, 0, 1).Day() != 1) {
			t.Fatalf("%s + %d months is %s: neither the same day nor the month's last", d, n, e)
		}
		if k := rapid.IntRange(-100_000, 100_000).Draw(t, "days"); d.DaysUntil(d+event.Date(k)) != k {
			t.Fatalf("%s + %d days", d, k)
		}
		if next := (d + 1).AddMonths(n); next < e {
			t.Fatalf("adding months turns %s and the next day round", d)
		}
		// The wall clock's date, whatever the zone does that day; times at which
		// a day begins may be left out by a change of zone, so noon.
		loc := rapid.SampledFrom(zones).Draw(t, "zone")
		noon := time.Date(at.Year(), at.Month(), at.Day(), 12, 0, 0, 0, loc)
		if got := event.DateOf(noon.UTC(), loc); got != d {
			t.Fatalf("noon of %s in %s has the date %s", d, loc, got)
		}
	})
}
