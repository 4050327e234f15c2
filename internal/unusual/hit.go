package unusual

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/event"
)

// Who is an actor in one role. Somebody who acts in another role has other
// habits there, and other peers.
type Who struct{ Actor, Role string }

func (w Who) compare(v Who) int {
	return cmp.Or(strings.Compare(w.Actor, v.Actor), strings.Compare(w.Role, v.Role))
}

// Hit is one thing that a person has to look at.
type Hit struct {
	Rule *Rule
	Who
	Person      [16]byte   // whose record it was; zero where it is not about one person
	Use         string     // the purpose or category that is new
	Date        event.Date // of the first act
	First, Last time.Time
	Events      uint64
	Numbers     Numbers
}

// Numbers are what a hit rests on. Those that its kind does not have are zero.
type Numbers struct {
	Persons uint64 `json:"persons,omitempty" doc:"Different pseudonyms on the day, or in its busiest hour; a cohort by its size."`
	Hours   []int  `json:"hours,omitempty" doc:"Hours of the day, of the controller's calendar: the busiest one, or those that are unusual."`
	Days    int    `json:"days,omitempty" doc:"Different days of the acts."`

	OwnDays      int     `json:"own_days,omitempty" doc:"Days of the actor's own history in this role, in the time that habits are learnt from."`
	OwnMedian    float64 `json:"own_median,omitempty" doc:"Of the persons on each of these days, or in the busiest hour of each."`
	OwnDeviation float64 `json:"own_deviation,omitempty" doc:"Median absolute deviation from that median; at least 1 is counted."`
	OwnAtHour    int     `json:"own_at_hour,omitempty" doc:"Days among these with acts at that hour, or close to it."`

	Peers      int `json:"peers,omitempty" doc:"Others who acted in the same role."`
	PeerDays   int `json:"peer_days,omitempty" doc:"Days of all of them."`
	Percentile int `json:"percentile,omitempty" doc:"Which percentile of the peers' days counts."`
	PeerValue  int `json:"peer_value,omitempty" doc:"The peers' percentile of persons."`
	PeersAlike int `json:"peers_alike,omitempty" doc:"The peers' days with acts at that hour, or the peers who had that purpose or category."`

	Relation  string `json:"relation,omitempty" doc:"What the person is to the actor, as a fact says."`
	Ended     string `json:"ended,omitempty" doc:"The day on which contract or relationship ended, as far as facts say."`
	EndedDays int    `json:"ended_days,omitempty" doc:"Days from then to the first act."`
}

// Sort puts hits in order: what matters most first, then the newest.
func Sort(hits []Hit) {
	slices.SortFunc(hits, func(a, b Hit) int {
		return cmp.Or(a.Rule.Severity.compare(b.Rule.Severity), b.Last.Compare(a.Last), strings.Compare(a.Rule.ID, b.Rule.ID), a.compare(b.Who),
			slices.Compare(a.Person[:], b.Person[:]), strings.Compare(a.Use, b.Use), b.First.Compare(a.First))
	})
}

// Says is the hit in a sentence, with its numbers; name is what the purpose or
// category that is new is called.
func (h *Hit) Says(name string) string {
	n := &h.Numbers
	switch h.Rule.Kind {
	case Volume:
		says := fmt.Sprintf("%s in a day", count(n.Persons, "person"))
		if h.Rule.Per == "hour" {
			says = fmt.Sprintf("%s in the hour from %s", count(n.Persons, "person"), Clock(n.Hours[0]))
		}
		if n.OwnDays > 0 {
			says += fmt.Sprintf("; own median %s on %s", Figure(n.OwnMedian), count(uint64(n.OwnDays), "day"))
		}
		if n.Peers > 0 {
			says += fmt.Sprintf("; %s percentile of %s: %d", Ordinal(n.Percentile), count(uint64(n.Peers), "peer"), n.PeerValue)
		}
		return says
	case Hour:
		says := fmt.Sprintf("acts in the hour from %s; at or near it before on %d of %s", clocks(n.Hours), n.OwnAtHour, count(uint64(n.OwnDays), "own day"))
		if n.Peers > 0 {
			says += fmt.Sprintf(", on %d of %s of %s", n.PeersAlike, count(uint64(n.PeerDays), "day"), count(uint64(n.Peers), "peer"))
		}
		return says
	case NewUse:
		says := fmt.Sprintf("first for %s: %s; never on %s before", name, count(h.Events, "event"), count(uint64(n.OwnDays), "own day"))
		if h.Rule.Of == "category" {
			says = fmt.Sprintf("first %s: %s; never on %s before", name, count(h.Events, "event"), count(uint64(n.OwnDays), "own day"))
		}
		if n.Peers > 0 {
			says += fmt.Sprintf(", and %d of %s", n.PeersAlike, count(uint64(n.Peers), "peer"))
		}
		return says
	case NoRelationship:
		says := fmt.Sprintf("%s on %s, without a reason", count(h.Events, "access"), count(uint64(n.Days), "day"))
		if n.Ended == "" {
			return says + "; of contract or relationship nothing is known"
		}
		return says + fmt.Sprintf("; contract or relationship ended on %s, %s before", n.Ended, count(uint64(n.EndedDays), "day"))
	}
	says := fmt.Sprintf("%s on %s to the record ", count(h.Events, "access"), count(uint64(n.Days), "day"))
	switch h.Rule.Kind {
	case OwnRecord:
		return says + "that a fact says is the actor's own"
	case Relation:
		return says + "of a person whom a fact calls " + n.Relation
	case Colleague:
		return says + "of another employee, as a fact says"
	default:
		return says + "of a person in the public eye, as a fact says"
	}
}

func count(n uint64, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "s"):
		return fmt.Sprintf("%d %ses", n, noun)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Figure writes a number with no more digits than it has.
func Figure(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// Clock writes an hour of the day.
func Clock(hour int) string { return fmt.Sprintf("%02d:00", hour) }

func clocks(hours []int) string {
	all := make([]string, len(hours))
	for i, h := range hours {
		all[i] = Clock(h)
	}
	return strings.Join(all, ", ")
}

// Ordinal is an English ordinal: 1st, 99th.
func Ordinal(n int) string {
	suffix := "th"
	if n/10%10 != 1 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return strconv.Itoa(n) + suffix
}
