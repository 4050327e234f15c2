package model

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/trail"
	"github.com/andmerada/andmerada/internal/unusual"
)

type actorRole struct{ actor, role string }

func (w *Watched) expected(t testing.TB, rules *unusual.Rules, from, to event.Date) (want []string) {
	t.Helper()
	history := event.Date(rules.HistoryDays)
	add := func(rule string, who actorRole, about string, first time.Time, events int, n unusual.Numbers) {
		numbers, err := json.Marshal(&n)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, fmt.Sprint(rule, " ", w.mask(who.actor), " ", who.role, " ", about, " ", w.date(first), " ", first.UTC().Format(time.RFC3339), " ", events, " ", string(numbers)))
	}
	rows := w.seen(from-history, to, false)
	byDay := make(map[actorRole]map[event.Date][]*trail.Row)
	for _, r := range rows {
		who := actorRole{r.Actor, r.ActorRole}
		if byDay[who] == nil {
			byDay[who] = make(map[event.Date][]*trail.Row)
		}
		byDay[who][w.date(r.Time)] = append(byDay[who][w.date(r.Time)], r)
	}
	inHour := func(rows []*trail.Row, hours ...int) []*trail.Row {
		return slices.DeleteFunc(slices.Clone(rows), func(r *trail.Row) bool { return !slices.Contains(hours, w.hour(r.Time)) })
	}
	busiest := func(rows []*trail.Row) (hour, most int) {
		for h := range 24 {
			if n := weigh(inHour(rows, h), rows); n > most {
				hour, most = h, n
			}
		}
		return hour, most
	}
	for who, days := range byDay {
		var peers []actorRole
		var peerDays [][]*trail.Row
		for other := range byDay {
			if other.role == who.role && other != who {
				peers = append(peers, other)
				peerDays = append(peerDays, slices.Collect(maps.Values(byDay[other]))...)
			}
		}
		for date, today := range days {
			if date < from {
				continue
			}
			events := len(slices.Compact(offsets(today)))
			var before [][]*trail.Row
			for other, rows := range days {
				if other < date && other >= date-history {
					before = append(before, rows)
				}
			}
			for i := range rules.Rules {
				r := &rules.Rules[i]
				n := unusual.Numbers{OwnDays: len(before)}
				switch r.Kind {
				case unusual.Volume:
					measure := func(rows []*trail.Row) int { return weigh(rows, rows) }
					if r.Per == "hour" {
						measure = func(rows []*trail.Row) int { _, n := busiest(rows); return n }
						hour, _ := busiest(today)
						n.Hours = []int{hour}
					}
					value := measure(today)
					n.Persons = uint64(value)
					var own, far []float64
					for _, rows := range before {
						own = append(own, float64(measure(rows)))
					}
					if len(own) > 0 {
						n.OwnMedian = middle(own)
						for _, v := range own {
							far = append(far, math.Abs(v-n.OwnMedian))
						}
						n.OwnDeviation = middle(far)
					}
					known, beyond := false, true
					if len(before) >= r.OwnDays {
						known = true
						beyond = beyond && float64(value) > n.OwnMedian+float64(r.Deviations)*max(1, n.OwnDeviation)
					}
					if len(peers) >= r.Peers {
						known = true
						var values []int
						for _, rows := range peerDays {
							values = append(values, measure(rows))
						}
						slices.Sort(values)
						n.Peers, n.PeerDays, n.Percentile = len(peers), len(peerDays), r.Percentile
						n.PeerValue = values[int(math.Ceil(float64(r.Percentile*len(values))/100))-1]
						beyond = beyond && value > n.PeerValue
					}
					if value >= r.Minimum && (known && beyond || r.Always > 0 && value >= r.Always) {
						add(r.ID, who, "", today[0].Time, events, n)
					}
				case unusual.Hour:
					if len(before) < r.OwnDays {
						continue
					}
					for hour := range 24 {
						mine, theirs := 0, 0
						for _, rows := range before {
							if len(inHour(rows, (hour+23)%24, hour, (hour+1)%24)) > 0 {
								mine++
							}
						}
						for _, rows := range peerDays {
							if len(inHour(rows, hour)) > 0 {
								theirs++
							}
						}
						if len(inHour(today, hour)) == 0 || mine > r.OwnAtMost || len(peers) >= r.Peers && float64(theirs) > float64(r.PeersAtMost)/100*float64(len(peerDays)) {
							continue
						}
						n.Hours = append(n.Hours, hour)
						n.OwnAtHour = max(n.OwnAtHour, mine)
						if len(peers) >= r.Peers {
							n.Peers, n.PeerDays, n.PeersAlike = len(peers), len(peerDays), max(n.PeersAlike, theirs)
						}
					}
					if len(n.Hours) > 0 {
						add(r.ID, who, "", today[0].Time, events, n)
					}
				}
			}
		}
		w.newUses(rules, rows, from, who, peers, func(rule string, about string, first time.Time, events int, n unusual.Numbers) {
			for date := range days {
				if date < w.date(first) && date >= w.date(first)-history {
					n.OwnDays++
				}
			}
			if n.OwnDays >= 4 {
				add(rule, who, about, first, events, n)
			}
		})
	}
	w.expectedByFacts(rules, from, to, add)
	return want
}

func (w *Watched) newUses(rules *unusual.Rules, rows []*trail.Row, from event.Date, who actorRole, peers []actorRole, add func(rule, about string, first time.Time, events int, n unusual.Numbers)) {
	for i := range rules.Rules {
		r := &rules.Rules[i]
		if r.Kind != unusual.NewUse {
			continue
		}
		uses := func(row *trail.Row) []string {
			if r.Of == "purpose" {
				return []string{row.Purpose}
			}
			return row.Categories
		}
		of := make(map[string]map[actorRole][]*trail.Row)
		for _, row := range rows {
			for _, use := range uses(row) {
				if of[use] == nil {
					of[use] = make(map[actorRole][]*trail.Row)
				}
				x := actorRole{row.Actor, row.ActorRole}
				of[use][x] = append(of[use][x], row)
			}
		}
		for use, by := range of {
			mine := by[who]
			if len(mine) == 0 || w.date(mine[0].Time) < from {
				continue
			}
			var n unusual.Numbers
			if len(peers) >= r.Peers {
				n.Peers = len(peers)
				for _, p := range peers {
					if len(by[p]) > 0 {
						n.PeersAlike++
					}
				}
				if float64(n.PeersAlike) > float64(r.PeersAtMost)/100*float64(len(peers)) {
					continue
				}
			}
			add(r.ID, use, mine[0].Time, len(slices.Compact(offsets(mine))), n)
		}
	}
}

// stands is the fact of a name that stands at a moment: about a person, and an
// actor or any.
func (w *Watched) stands(name string, person [16]byte, actor string, at time.Time) (found *told) {
	who := w.linked(person, openEnd)
	for i := range w.facts {
		f := &w.facts[i]
		if f.name != name || !slices.Contains(who, f.person) || f.actor != "" && f.actor != actor || f.from.After(at) {
			continue
		}
		if found == nil || cmp.Or(f.from.Compare(found.from), cmp.Compare(f.offset, found.offset)) > 0 {
			found = f
		}
	}
	return found
}

func (w *Watched) expectedByFacts(rules *unusual.Rules, from, to event.Date, add func(rule string, who actorRole, about string, first time.Time, events int, n unusual.Numbers)) {
	type key struct {
		rule   string
		who    actorRole
		person [16]byte
	}
	type sum struct {
		first  time.Time
		n      unusual.Numbers
		events int
		days   map[event.Date]bool
	}
	all := make(map[key]*sum)
	relation := func(person [16]byte, actor string, at time.Time) string {
		if f := w.stands("actor_relation", person, actor, at); f != nil {
			return f.value.Get(event.ActorRelation).Text
		}
		return ""
	}
	for _, row := range w.seen(from, to, true) {
		if row.Cohort || row.Person == [16]byte{} {
			continue
		}
		own := relation(row.Person, row.Actor, row.Time)
		for i := range rules.Rules {
			r := &rules.Rules[i]
			var n unusual.Numbers
			hit := false
			switch r.Kind {
			case unusual.OwnRecord:
				hit = own == "self"
			case unusual.Relation:
				hit, n.Relation = own == "family", "family"
			case unusual.Colleague:
				hit = own == "colleague"
				for _, other := range []string{"u1", "u2", "u3"} {
					hit = hit || own != "self" && other != row.Actor && relation(row.Person, other, row.Time) == "self"
				}
			case unusual.PublicEye:
				f := w.stands("public_figure", row.Person, row.Actor, row.Time)
				hit = f != nil && f.value.Get(event.PublicFigure).Bool
			case unusual.NoRelationship:
				hit, n = w.noBusiness(r, row)
			}
			if !hit || r.UnlessReason && row.Reason != "" {
				continue
			}
			k := key{r.ID, actorRole{row.Actor, row.ActorRole}, w.one(row.Person)}
			if all[k] == nil {
				all[k] = &sum{first: row.Time, n: n, days: make(map[event.Date]bool)}
			}
			all[k].events++
			all[k].days[w.date(row.Time)] = true
		}
	}
	for k, s := range all {
		s.n.Days = len(s.days)
		add(k.rule, k.who, identity.Pseudonym(k.person).String(), s.first, s.events, s.n)
	}
}

func (w *Watched) noBusiness(r *unusual.Rule, row *trail.Row) (hit bool, n unusual.Numbers) {
	if row.Source == event.AnswersSource {
		return false, n
	}
	today := w.date(row.Time)
	stated := false
	var end event.Date
	for name, field := range map[string]event.Field{"contract_end": event.ContractEnd, "relationship_end": event.RelationshipEnd} {
		f := w.stands(name, row.Person, row.Actor, row.Time)
		if f == nil {
			continue
		}
		v := f.value.Get(field)
		if v.State != event.Known || today <= v.Day+event.Date(r.AfterDays) {
			return false, n
		}
		stated, end = true, max(end, v.Day)
	}
	if stated {
		n.Ended, n.EndedDays = end.String(), int(today-end)
	}
	if f := w.stands("contract_in_force", row.Person, row.Actor, row.Time); f != nil {
		if f.value.Get(event.ContractInForce).Bool {
			return false, n
		}
		stated = true
	}
	if f := w.stands("debt_or_dispute", row.Person, row.Actor, row.Time); f != nil && f.value.Get(event.DebtOrDispute).Bool {
		return false, n
	}
	for i := range w.facts {
		f := &w.facts[i]
		if f.name == "request" && slices.Contains(w.linked(row.Person, openEnd), f.person) && !f.from.After(row.Time) && !f.value.Requests.Entries[0].Handled.Bool {
			return false, n
		}
	}
	return stated || r.WhenUnknown, n
}
