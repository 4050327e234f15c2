package history

import (
	"time"

	"github.com/andmerada/andmerada/internal/event"
)

// date is the year, month and day of the history's day n.
func (r *run) date(day int) (int, time.Month, int) {
	return time.Unix(int64(r.first+event.Date(day))*24*60*60, 0).UTC().Date()
}

func (r *run) weekday(day int) time.Weekday {
	y, m, d := r.date(day)
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Weekday()
}

func (r *run) workday(day int) bool {
	_, m, d := r.date(day)
	w := r.weekday(day)
	return w != time.Saturday && w != time.Sunday && !holiday(m, d)
}

// at is an instant of the history's day, by the wall clock, with milliseconds
// that are left to chance.
func (r *run) at(day int, of time.Duration, chance uint64) time.Time {
	return clock(r.first+event.Date(day), of+time.Duration(chance%1000)*time.Millisecond, r.zone)
}

// holiday knows the public holidays of Estonia that have a date of their own.
func holiday(m time.Month, d int) bool {
	switch {
	case m == time.January && d == 1, m == time.February && d == 24, m == time.May && d == 1,
		m == time.June && (d == 23 || d == 24), m == time.August && d == 20, m == time.December && d >= 24 && d <= 26:
		return true
	}
	return false
}

// weights say how much happens on each day beside what is planned: little at
// weekends and on holidays, much at the turn of the month, a little more every
// year. On the first day the systems only tell what they know.
func (r *run) weights() []float64 {
	w := make([]float64, r.days)
	for day := 1; day < r.days; day++ {
		w[day] = 1 + 0.2*float64(day)/float64(r.days)
		_, m, d := r.date(day)
		_, _, tomorrow := r.date(day + 1)
		switch {
		case !r.workday(day) && (holiday(m, d) || r.weekday(day) == time.Sunday):
			w[day] *= 0.3
		case !r.workday(day):
			w[day] *= 0.4
		case d <= 3 || tomorrow < d:
			w[day] *= 2.2
		}
	}
	return w
}

// summerTime lists the days on which summer time begins.
func (r *run) summerTime() []int {
	var days []int
	for day := range r.days {
		if r.at(day, 0, 0).Add(23 * time.Hour).Equal(r.at(day+1, 0, 0)) {
			days = append(days, day)
		}
	}
	return days
}

// timeOf is a time of day in the rhythm.
func (r *run) timeOf(when rhythm) time.Duration {
	within := func(from, to int) time.Duration { // minutes
		return time.Duration(from)*time.Minute + time.Duration(r.rng.Int64N(int64(to-from)*int64(time.Minute)/int64(time.Second)))*time.Second
	}
	switch when {
	case night:
		return within(30, 330)
	case office:
		if r.rng.IntN(2) == 0 {
			return within(9*60, 11*60+30)
		}
		return within(8*60, 17*60+30)
	default:
		if r.rng.IntN(3) == 0 {
			return within(18*60, 22*60)
		}
		return within(7*60, 23*60)
	}
}
