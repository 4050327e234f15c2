package event

import (
	"fmt"
	"time"
)

// Date is a calendar date without a zone, in days since 1970-01-01. Periods of
// a privacy notice run by date, never by hours: thirty days across a change to
// summer time are 719 hours and still thirty days.
type Date int32

const secondsPerDay = 24 * 60 * 60

// DateOf is the date that the wall calendar in loc shows at t.
func DateOf(t time.Time, loc *time.Location) Date {
	y, m, d := t.In(loc).Date()
	return NewDate(y, m, d)
}

// NewDate is the date of that year, month and day; days past the month's end
// run on into the next month, as in [time.Date].
func NewDate(year int, month time.Month, day int) Date {
	s := time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix()
	if s < 0 && s%secondsPerDay != 0 {
		s -= secondsPerDay
	}
	return Date(s / secondsPerDay)
}

// ParseDate reads "2024-02-29".
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return 0, fmt.Errorf("date %q is not of the form YYYY-MM-DD", s)
	}
	return NewDate(t.Date()), nil
}

// AddYears is the same day and month n years on. 29 February becomes 28
// February where the year has no 29th.
func (d Date) AddYears(n int) Date { return d.AddMonths(12 * n) }

// AddMonths is the same day n months on, or that month's last day where it has
// no such day.
func (d Date) AddMonths(n int) Date {
	y, m, day := d.midnight().Date()
	first := time.Date(y, m+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return NewDate(first.Year(), first.Month(), min(day, last))
}

// DaysUntil is how many calendar days lie between d and e; negative where e is
// the earlier.
func (d Date) DaysUntil(e Date) int { return int(e) - int(d) }

// String is "2024-02-29".
func (d Date) String() string { return d.midnight().Format(time.DateOnly) }

func (d Date) midnight() time.Time { return time.Unix(int64(d)*secondsPerDay, 0).UTC() }
