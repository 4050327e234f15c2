package unusual

import (
	"cmp"
	"slices"
	"time"

	"github.com/andmerada/andmerada/internal/event"
)

// Day is what an actor did in one role on one day of the controller's calendar.
type Day struct {
	Date    event.Date
	Events  uint32
	Persons uint32 // different pseudonyms; a cohort by its size
	Top     uint32 // the same of its busiest hour
	TopHour uint8  // the earliest of those
	Hours   uint32 // a bit for each hour with acts
	First   int64  // moment of the first act, in Unix milliseconds
}

// Use is that an actor had a purpose, or touched a category of data, in the time
// that habits were learnt from.
type Use struct {
	Value       string
	Events      uint64
	First, Last time.Time
}

// Habits are what all actors of a controller did, day by day.
type Habits struct {
	history int // days
	whos    []Who
	at      map[Who]int
	days    [][]Day // by number of who
	uses    map[string][][]Use
	n       int
	sorted  bool
	roles   map[string]*role
}

// role is what those who act in one role have in common.
type role struct {
	members []int
	days    int
	persons [2]histogram // a day, an hour
	hours   [24]int      // days with acts at that hour
}

// NewHabits are none yet. Of each day, the history days before it count.
func NewHabits(history int) *Habits {
	return &Habits{history: history, at: make(map[Who]int), uses: make(map[string][][]Use)}
}

// Len is how many days there are, of all actors together.
func (h *Habits) Len() int { return h.n }

func (h *Habits) who(w Who) int {
	i, ok := h.at[w]
	if !ok {
		i = len(h.whos)
		h.at[w] = i
		h.whos, h.days = append(h.whos, w), append(h.days, nil)
	}
	return i
}

// Add takes in a day: each once, in any order.
func (h *Habits) Add(w Who, d Day) {
	i := h.who(w)
	h.days[i] = append(h.days[i], d)
	h.n++
	h.sorted = false
}

// AddUse takes in a purpose or a category; of is which.
func (h *Habits) AddUse(of string, w Who, u Use) {
	i := h.who(w)
	for len(h.uses[of]) <= i {
		h.uses[of] = append(h.uses[of], nil)
	}
	h.uses[of][i] = append(h.uses[of][i], u)
}

// sum puts days in order and counts what roles have in common.
func (h *Habits) sum() {
	if h.sorted {
		return
	}
	h.sorted, h.roles = true, make(map[string]*role)
	for i, days := range h.days {
		slices.SortFunc(days, func(a, b Day) int { return cmp.Compare(a.Date, b.Date) })
		r := h.roles[h.whos[i].Role]
		if r == nil {
			r = &role{persons: [2]histogram{make(histogram), make(histogram)}}
			h.roles[h.whos[i].Role] = r
		}
		if len(days) > 0 {
			r.members = append(r.members, i)
		}
		r.days += len(days)
		for k := range days {
			d := &days[k]
			r.persons[perDay][int(d.Persons)]++
			r.persons[perHour][int(d.Top)]++
			for hour := range r.hours {
				r.hours[hour] += int(d.Hours >> hour & 1)
			}
		}
	}
}

const (
	perDay = iota
	perHour
)

// persons is what a rule on volumes counts of a day.
func (d *Day) persons(per int) int {
	if per == perHour {
		return int(d.Top)
	}
	return int(d.Persons)
}

// before are the days that habits on a date are learnt from, of days in order.
func (h *Habits) before(days []Day, date event.Date) []Day {
	find := func(at event.Date) int {
		i, _ := slices.BinarySearchFunc(days, at, func(d Day, at event.Date) int { return cmp.Compare(d.Date, at) })
		return i
	}
	return days[find(date-event.Date(h.history)):find(date)]
}

// Volumes are the hits of a rule on volumes, on dates from one up to another,
// which is not among them.
func (h *Habits) Volumes(r *Rule, from, to event.Date) (hits []Hit) {
	h.sum()
	per := perDay
	if r.Per == "hour" {
		per = perHour
	}
	for i, who := range h.whos {
		peers := h.roles[who.Role]
		limit := -1 // of the peers; not counted yet
		n := Numbers{Peers: len(peers.members) - 1, PeerDays: peers.days - len(h.days[i]), Percentile: r.Percentile}
		for k := range h.days[i] {
			d := &h.days[i][k]
			value := d.persons(per)
			if d.Date < from || d.Date >= to || value < r.Minimum {
				continue
			}
			if limit < 0 && n.Peers >= r.Peers {
				own := make(histogram)
				for j := range h.days[i] {
					own[h.days[i][j].persons(per)]++
				}
				limit = peers.persons[per].percentile(r.Percentile, own)
			}
			if hit, ok := h.volume(r, i, d, per, limit, n); ok {
				hits = append(hits, hit)
			}
		}
	}
	return hits
}

// volume says whether one day is a hit.
func (h *Habits) volume(r *Rule, who int, d *Day, per, limit int, n Numbers) (Hit, bool) {
	value := d.persons(per)
	always := r.Always > 0 && value >= r.Always
	byPeers := limit >= 0
	if byPeers && value <= limit && !always {
		return Hit{}, false
	}
	own := h.before(h.days[who], d.Date)
	n.Persons, n.OwnDays = uint64(value), len(own)
	byOwn := len(own) >= r.OwnDays
	if len(own) > 0 {
		values := make([]int, len(own))
		for i := range own {
			values[i] = own[i].persons(per)
		}
		n.OwnMedian, n.OwnDeviation = deviation(values)
	}
	unusual := byOwn || byPeers
	if byOwn && float64(value) <= n.OwnMedian+float64(r.Deviations)*max(n.OwnDeviation, 1) {
		unusual = false
	}
	if !unusual && !always {
		return Hit{}, false
	}
	if byPeers {
		n.PeerValue = limit
	} else {
		n.Peers, n.PeerDays, n.Percentile = 0, 0, 0 // too few to say
	}
	hit := h.onDay(r, who, d)
	if per == perHour {
		n.Hours = []int{int(d.TopHour)}
	}
	hit.Numbers = n
	return hit, true
}

func (h *Habits) onDay(r *Rule, who int, d *Day) Hit {
	first := time.UnixMilli(d.First).UTC()
	return Hit{Rule: r, Who: h.whos[who], Date: d.Date, First: first, Last: first, Events: uint64(d.Events)}
}

// Hours are the hits of a rule on the hour of the day.
func (h *Habits) Hours(r *Rule, from, to event.Date) (hits []Hit) {
	h.sum()
	for i, who := range h.whos {
		peers := h.roles[who.Role]
		others := len(peers.members) - 1
		otherDays := peers.days - len(h.days[i])
		var own [24]int
		for k := range h.days[i] {
			for hour := range own {
				own[hour] += int(h.days[i][k].Hours >> hour & 1)
			}
		}
		for k := range h.days[i] {
			d := &h.days[i][k]
			if d.Date < from || d.Date >= to {
				continue
			}
			before := h.before(h.days[i], d.Date)
			if len(before) < r.OwnDays {
				continue
			}
			n := Numbers{OwnDays: len(before)}
			for hour := range 24 {
				if d.Hours>>hour&1 == 0 {
					continue
				}
				mine, theirs := nearHour(before, hour, r.Around), peers.hours[hour]-own[hour]
				if mine > r.OwnAtMost || others >= r.Peers && 100*theirs > r.PeersAtMost*otherDays {
					continue
				}
				n.Hours = append(n.Hours, hour)
				n.OwnAtHour = max(n.OwnAtHour, mine)
				if others >= r.Peers {
					n.Peers, n.PeerDays, n.PeersAlike = others, otherDays, max(n.PeersAlike, theirs)
				}
			}
			if len(n.Hours) > 0 {
				hit := h.onDay(r, i, d)
				hit.Numbers = n
				hits = append(hits, hit)
			}
		}
	}
	return hits
}

// nearHour counts the days with acts at an hour or some hours around it.
func nearHour(days []Day, hour, around int) (n int) {
	var near uint32
	for k := -around; k <= around; k++ {
		near |= 1 << ((hour + k + 24) % 24)
	}
	for i := range days {
		if days[i].Hours&near != 0 {
			n++
		}
	}
	return n
}

// roleUse is a purpose or category that those in a role have.
type roleUse struct{ role, value string }

// NewUses are the hits of a rule on new purposes or categories: first had at or
// after a moment, on a date.
func (h *Habits) NewUses(r *Rule, from time.Time, dateOf func(time.Time) event.Date) (hits []Hit) {
	h.sum()
	uses := h.uses[r.Of]
	having := make(map[roleUse]int)
	for i := range uses {
		for k := range uses[i] {
			having[roleUse{h.whos[i].Role, uses[i][k].Value}]++
		}
	}
	for i := range uses {
		who := h.whos[i]
		for k := range uses[i] {
			u := &uses[i][k]
			if u.First.Before(from) {
				continue
			}
			date := dateOf(u.First)
			n := Numbers{OwnDays: len(h.before(h.days[i], date))}
			if n.OwnDays < r.OwnDays {
				continue
			}
			others, alike := len(h.roles[who.Role].members)-1, having[roleUse{who.Role, u.Value}]-1
			if others >= r.Peers {
				if 100*alike > r.PeersAtMost*others {
					continue
				}
				n.Peers, n.PeersAlike = others, alike
			}
			hits = append(hits, Hit{Rule: r, Who: who, Use: u.Value, Date: date, First: u.First, Last: u.Last, Events: u.Events, Numbers: n})
		}
	}
	return hits
}
