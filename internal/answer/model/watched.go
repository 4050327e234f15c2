package model

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/trail"
)

// unusualRules have numbers that small histories reach.
const unusualRules = `
andmerada: unusual/v1
history_days: 20
operations: [access, use]
without_roles: [customer]
rules:
  - {id: OWN, kind: own-record, severity: high, title: t, why: w, unless_reason: false}
  - {id: REL, kind: relation, severity: high, title: t, why: w, relations: [family], unless_reason: true}
  - {id: COL, kind: colleague, severity: low, title: t, why: w, unless_reason: true}
  - {id: PUB, kind: public-figure, severity: low, title: t, why: w, unless_reason: false}
  - {id: END, kind: no-relationship, severity: medium, title: t, why: w, unless_reason: true, after_days: 3, when_unknown: %t}
  - {id: DAY, kind: volume, severity: high, title: t, why: w, per: day, minimum: 2, deviations: 1, own_days: 4, percentile: 80, peers: 1, always: 9}
  - {id: HOUR, kind: volume, severity: high, title: t, why: w, per: hour, minimum: 2, deviations: 1, own_days: 4, percentile: 90, peers: 2, always: 0}
  - {id: CLOCK, kind: hour, severity: medium, title: t, why: w, around: 1, own_days: 4, own_at_most: 1, peers: 1, peers_at_most: 30}
  - {id: FOR, kind: new-use, of: purpose, severity: low, title: t, why: w, own_days: 4, peers: 1, peers_at_most: 60}
  - {id: DATA, kind: new-use, of: category, severity: low, title: t, why: w, own_days: 4, peers: 5, peers_at_most: 60}
`

// UnusualRules are rules on unusual access whose numbers small histories reach.
// Whether unknown business is none is for the caller to say.
func UnusualRules(whenUnknown bool) []byte { return fmt.Appendf(nil, unusualRules, whenUnknown) }

// Watched is a history of what employees did.
type Watched struct {
	*History
	days int
}

// Watched makes up a history of what employees did.
func (b *Batch) Watched(t testing.TB, seed uint64) *Watched {
	t.Helper()
	h := b.begin(t, fmt.Sprintf("w%d", seed), rand.New(rand.NewPCG(seed, 11)))
	w := &Watched{History: h, days: 45}
	for person := range 8 {
		for _, scheme := range []string{"customer-number", "email"}[:1+h.r.IntN(2)] {
			h.identifiers = append(h.identifiers, answer.Person{Scheme: scheme, Value: fmt.Sprintf("%s-%d-%d@example.com", scheme, seed, person)})
		}
	}
	for range h.r.IntN(4) {
		h.link()
	}
	for range 10 + h.r.IntN(15) {
		w.fact()
	}
	for range 150 + h.r.IntN(150) {
		w.access()
	}
	return w
}

func (w *Watched) moment() time.Time {
	hour := 8 + w.r.IntN(4)
	if w.r.IntN(12) == 0 {
		hour = w.r.IntN(24)
	}
	return Start.AddDate(0, 0, w.r.IntN(w.days)).Add(time.Duration(hour)*time.Hour + time.Duration(w.r.IntN(60))*time.Minute)
}

func (w *Watched) fact() {
	f := told{person: w.anyone(), from: w.moment()}
	switch w.r.IntN(8) {
	case 0, 1, 2:
		f.name, f.actor = "actor_relation", pick(w.r, "u1", "u2", "u3")
		f.value.Set(event.ActorRelation, event.TextValue(pick(w.r, "self", "self", "family", "family", "colleague", "none")))
	case 3:
		f.name = "public_figure"
		f.value.Set(event.PublicFigure, event.BoolValue(w.r.IntN(3) > 0))
	case 4, 5:
		f.name = pick(w.r, "contract_end", "relationship_end")
		field := map[string]event.Field{"contract_end": event.ContractEnd, "relationship_end": event.RelationshipEnd}[f.name]
		f.value.Set(field, pick(w.r, event.Value{State: event.Null}, event.Value{State: event.Unknown}, event.DayValue(event.DateOf(w.moment(), w.register.Zone)), event.DayValue(event.DateOf(Start, w.register.Zone))))
	case 6:
		f.name = pick(w.r, "contract_in_force", "debt_or_dispute")
		field := map[string]event.Field{"contract_in_force": event.ContractInForce, "debt_or_dispute": event.DebtOrDispute}[f.name]
		f.value.Set(field, event.BoolValue(w.r.IntN(2) == 0))
	case 7:
		f.name = "request"
		f.value.Requests = event.List[event.Request]{Known: true, Entries: []event.Request{{Controller: w.Controller, Type: "access", MadeAt: f.from, Handled: event.BoolValue(w.r.IntN(2) == 0)}}}
	}
	w.History.fact(f)
}

func (w *Watched) access() {
	row := w.row()
	row.Time = w.moment()
	row.Operation = pick(w.r, event.Access, event.Access, event.Access, event.Use, event.Record)
	row.Purpose = w.Controller + "/" + pick(w.r, "billing", "billing", "billing", "gossip")
	row.Categories = [][]string{{"name"}, {"name"}, {"phone"}, {"name", "phone"}}[w.r.IntN(4)]
	if w.r.IntN(25) == 0 {
		row.Purpose, row.Categories = w.Controller+"/"+pick(w.r, "audit", "research", "survey"), []string{pick(w.r, "address", "email", "consumption")}
	}
	row.Actor, row.ActorKind = pick(w.r, "u1", "u2", "u3", "u4"), pick(w.r, event.ActorHuman, event.ActorHuman, event.ActorHuman, event.ActorService)
	row.ActorRole = pick(w.r, "clerk", "clerk", "clerk", "manager", "customer")
	row.Reason = pick(w.r, "", "", "the client called")
	row.Duplicate = w.r.IntN(15) == 0
	if w.r.IntN(15) == 0 {
		row.Source = event.AnswersSource
	}
	persons := [][16]byte{w.anyone()}
	switch w.r.IntN(12) {
	case 0:
		persons = append(persons, w.anyone())
	case 1:
		row.Cohort, row.CohortID, row.CohortSize = true, pick(w.r, "june", "july"), uint64(1+w.r.IntN(12))
		who, err := w.keys.Cohort(w.Controller, row.CohortID)
		if err != nil {
			panic(err)
		}
		persons = [][16]byte{who}
	case 2:
		persons = [][16]byte{{}}
	}
	row.Of = uint16(len(persons))
	for i, p := range persons {
		row.Person, row.PersonIndex = p, uint16(i)
		w.judge(&row)
		a := act{Row: row}
		w.batch.blocks.Trail.Append(&row)
		if w.r.IntN(8) == 0 && len(persons) == 1 {
			again := row
			w.judge(&again)
			again.JudgedAt, again.Cause = row.JudgedAt.Add(time.Hour), "fact t/0/1"
			a.later = append(a.later, again)
		}
		w.acts = append(w.acts, a)
	}
	w.batch.next++
}

// seen are the rows of humans between two dates, questions asked of the trail
// among them or not, by time.
func (w *Watched) seen(from, to event.Date, questions bool) (rows []*trail.Row) {
	for i := range w.acts {
		r := &w.acts[i].Row
		if d := w.date(r.Time); !r.Duplicate && r.ActorKind == event.ActorHuman && r.ActorRole != "customer" && (r.Operation == event.Access || r.Operation == event.Use) &&
			(questions || r.Source != event.AnswersSource) && d >= from && d < to {
			rows = append(rows, r)
		}
	}
	slices.SortStableFunc(rows, func(a, b *trail.Row) int { return a.Time.Compare(b.Time) })
	return rows
}

func (w *Watched) date(t time.Time) event.Date { return event.DateOf(t, w.register.Zone) }

func (w *Watched) hour(t time.Time) int { return t.In(w.register.Zone).Hour() }

// weigh counts different pseudonyms of rows, a cohort by its greatest size of the day.
func weigh(rows, day []*trail.Row) int {
	most := make(map[[16]byte]int)
	for _, r := range day {
		switch {
		case r.Cohort:
			most[r.Person] = max(most[r.Person], int(r.CohortSize))
		case r.Person != [16]byte{}:
			most[r.Person] = 1
		}
	}
	sum := 0
	counted := make(map[[16]byte]bool)
	for _, r := range rows {
		if !counted[r.Person] {
			counted[r.Person] = true
			sum += most[r.Person]
		}
	}
	return sum
}

func middle(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}
