package condition

import (
	"fmt"
	"strconv"

	"github.com/andmerada/andmerada/internal/event"
)

// period is a length of time by the calendar.
type period struct{ years, months, days int }

// parsePeriod reads an ISO 8601 duration of one unit: "P30D", "P6M", "P5Y".
func parsePeriod(s string) (p period, err error) {
	bad := fmt.Errorf("%q is no period: write P30D, P6M or P5Y", s)
	if len(s) < 3 || len(s) > 7 || s[0] != 'P' {
		return p, bad
	}
	n, err := strconv.ParseUint(s[1:len(s)-1], 10, 16)
	if err != nil {
		return p, bad
	}
	switch s[len(s)-1] {
	case 'Y':
		p.years = int(n)
	case 'M':
		p.months = int(n)
	case 'D':
		p.days = int(n)
	default:
		return p, bad
	}
	return p, nil
}

// after is the corresponding day: the one on which the period comes to its end.
func (p period) after(d event.Date) event.Date {
	return d.AddMonths(12*p.years+p.months) + event.Date(p.days)
}

// elapsed says whether the period that began on from has run out on a day.
// Counted by difference of dates it has on the corresponding day; by Estonian
// civil law it starts the day after, and its last day belongs to it.
func (v *Vocabulary) elapsed(p period, from, on event.Date) bool {
	if v.TsUS {
		return on > p.after(from)
	}
	return on >= p.after(from)
}
