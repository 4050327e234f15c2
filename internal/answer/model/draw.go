package model

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/trail"
)

// History makes up a history. Its verdicts are those of its register where judged
// says so, and else drawn by chance, as are later ones.
func (b *Batch) History(t testing.TB, seed uint64, judged bool) *History {
	t.Helper()
	h := b.begin(t, fmt.Sprintf("c%d", seed), rand.New(rand.NewPCG(seed, 7)))
	h.partners, h.judged = h.r.IntN(2) == 0, judged
	for person := range 6 {
		for _, scheme := range []string{"customer-number", "email", "phone"}[:1+h.r.IntN(3)] {
			h.identifiers = append(h.identifiers, answer.Person{Scheme: scheme, Value: fmt.Sprintf("%s-%d-%d@example.com", scheme, seed, person)})
		}
	}
	for range 3 + h.r.IntN(4) {
		h.link()
	}
	for _, id := range []string{"june", "july"}[:h.r.IntN(3)] {
		h.cohort(id)
	}
	for range 40 + h.r.IntN(40) {
		h.act()
	}
	for range 1 + h.r.IntN(3) {
		h.ask()
	}
	for range 4 + h.r.IntN(6) {
		h.state()
	}
	return h
}

func (h *History) pseudonym(p answer.Person) [16]byte {
	who, err := h.keys.Pseudonym(h.Controller, p.Scheme, p.Value)
	if err != nil {
		panic(err)
	}
	return who
}

func (h *History) anyone() [16]byte { return h.pseudonym(h.identifiers[h.r.IntN(len(h.identifiers))]) }

func (h *History) row() trail.Row {
	at := Start.Add(time.Duration(h.r.IntN(4*24*60)) * time.Minute)
	return trail.Row{
		EventID: fmt.Sprintf("e-%d", h.batch.next), Source: "/" + h.Controller + "/" + []string{"crm", "billing", "web"}[h.r.IntN(3)], Time: at,
		Recorded: Start.Add(time.Duration(h.batch.next) * time.Second), Controller: h.Controller, Of: 1,
		JudgedAt: Start.Add(time.Duration(h.r.IntN(180)) * time.Minute), Offset: h.batch.next, Partition: Partition,
	}
}

func (h *History) said(row *trail.Row) { h.told[row.Source] = append(h.told[row.Source], row.Time) }

func (h *History) link() {
	row := h.row()
	row.Operation, row.Fact = trail.OperationFact, event.IdentityFact
	h.said(&row)
	persons := [][16]byte{h.anyone(), h.anyone()}
	row.Of = 2
	for i, p := range persons {
		row.Person, row.PersonIndex = p, uint16(i)
		h.batch.blocks.Trail.Append(&row)
	}
	h.links = append(h.links, link{persons, row.JudgedAt, row.Recorded, row.Source, row.Offset})
	h.batch.next++
}

func (h *History) cohort(id string) {
	row := h.row()
	who, err := h.keys.Cohort(h.Controller, id)
	if err != nil {
		panic(err)
	}
	row.Operation, row.Cohort, row.CohortID, row.CohortPart, row.CohortParts = trail.OperationCohort, true, id, 1, 1
	row.Person = who
	h.said(&row)
	for range 1 + h.r.IntN(6) {
		m := h.anyone()
		if slices.Contains(h.cohorts[id], m) {
			continue
		}
		h.cohorts[id] = append(h.cohorts[id], m)
		h.batch.blocks.Members.Append(&trail.Member{Controller: h.Controller, CohortID: id, Person: m, Part: 1, Offset: h.batch.next})
	}
	row.Records = uint64(len(h.cohorts[id]))
	h.batch.blocks.Trail.Append(&row)
	h.batch.next++
}

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

func (h *History) act() {
	row := h.row()
	row.Operation = pick(h.r, event.Access, event.Use, event.Transfer, event.Transfer, event.Disclose, event.Send, event.Collect, event.Profile, event.Decide)
	row.Purpose = h.Controller + "/" + pick(h.r, "billing", "billing", "gossip")
	row.Categories = [][]string{{"name"}, {"phone"}, {"name", "phone"}, nil}[h.r.IntN(4)]
	row.Actor, row.ActorKind = pick(h.r, "u1", "u2", "robot"), event.ActorHuman
	row.ActorRole = pick(h.r, "", "clerk", "manager")
	if h.partners && h.r.IntN(4) == 0 {
		row.ActorKind, row.ActorOrganisation = event.ActorPartner, pick(h.r, "Post24 OÜ", "Acme Bank AS")
	}
	row.Basis = pick(h.r, "", "contract", "consent")
	row.Records = uint64(h.r.IntN(4))
	row.BasisReference = pick(h.r, "", "", "", "", hiddenCase, liftedCase)
	if h.r.IntN(12) == 0 {
		row.Time = row.Time.AddDate(-3, 0, 0)
	}
	if row.Operation == event.Collect {
		row.DataSource = pick(h.r, "", h.Controller+"/bank", h.Controller+"/web-form")
	}
	if row.Operation.HandsOver() {
		switch h.r.IntN(5) {
		case 4:
			row.RecipientOrganisation = secretService
		case 0:
			row.Recipient = h.Controller + "/bank"
			if country := pick(h.r, "", "EE", "US"); h.judged && country != "" {
				var stated event.Facts
				stated.Set(event.ProcessorStorageCountry, event.TextValue(country))
				row.Statements = string(stated.AppendJSON(nil))
			}
		case 1:
			row.Recipient = h.Controller + "/couriers"
		case 2:
			row.RecipientOrganisation, row.RecipientCode, row.RecipientCountry = "Post24 OÜ", "123", "EE"
		case 3:
			row.Recipient = event.DataSubject
		}
	}
	row.Duplicate = h.r.IntN(10) == 0
	var persons [][16]byte
	switch n := h.r.IntN(10); {
	case n < 6:
		persons = [][16]byte{h.anyone()}
	case n < 8:
		persons = [][16]byte{h.anyone(), h.anyone()}
	case n == 8:
		persons = [][16]byte{{}}
	default:
		if len(h.cohorts) == 0 {
			persons = [][16]byte{h.anyone()}
			break
		}
		row.Cohort, row.CohortID = true, pick(h.r, slices.Sorted(maps.Keys(h.cohorts))...)
		who, err := h.keys.Cohort(h.Controller, row.CohortID)
		if err != nil {
			panic(err)
		}
		persons = [][16]byte{who}
	}
	h.put(row, persons)
}

// put adds an event about some persons, and verdicts given on it.
func (h *History) put(row trail.Row, persons [][16]byte) {
	h.said(&row)
	row.Of = uint16(len(persons))
	for i, p := range persons {
		row.Person, row.PersonIndex = p, uint16(i)
		h.judge(&row)
		a := act{Row: row}
		h.batch.blocks.Trail.Append(&row)
		for n := h.r.IntN(8) - 5; n > 0 && len(persons) == 1 && !h.judged; n-- {
			again := row
			h.judge(&again)
			again.JudgedAt = row.JudgedAt.Add(time.Duration(len(a.later)+1) * time.Hour)
			again.Cause = fmt.Sprintf("fact t/0/%d", len(a.later))
			a.later = append(a.later, again)
		}
		h.acts = append(h.acts, a)
	}
	h.batch.next++
}

// request draws a selection.
func (h *History) request() answer.ActsRequest {
	q := answer.ActsRequest{Controller: h.Controller}
	some := func(to *[]string, values ...string) {
		if h.r.IntN(5) == 0 {
			*to = []string{pick(h.r, values...)}
		}
	}
	some(&q.Operations, "access", "transfer", "use")
	some(&q.Actors, "u1", "u2", "nobody", h.mask("u1"), h.mask("nobody"))
	some(&q.Roles, "clerk", "")
	some(&q.Systems, "/"+h.Controller+"/crm")
	some(&q.Purposes, h.Controller+"/billing", h.Controller+"/gossip")
	some(&q.Recipients, h.Controller+"/bank", h.Controller+"/couriers")
	some(&q.Entities, "123", "Post24 OÜ")
	some(&q.Categories, "name", "phone")
	some(&q.Verdicts, "allowed", "review", "violation")
	some(&q.Rules, "A-1", "X-02")
	if h.r.IntN(3) == 0 {
		q.From = Start.Add(time.Duration(h.r.IntN(48)) * time.Hour).Format(time.RFC3339)
	}
	if h.r.IntN(3) == 0 {
		q.To = Start.Add(time.Duration(49+h.r.IntN(48)) * time.Hour).Format(time.RFC3339)
	}
	return q
}
