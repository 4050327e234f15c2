package answer

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/register"
)

// Passage is acts that are alike, by which data can have come to an event, or by
// which they went on from it.
type Passage struct {
	Step       int       `json:"step" doc:"How far from the event: 1 is next to it."`
	System     string    `json:"system" doc:"The source of these events; empty, as all that tells them apart, for those folded."`
	Operation  string    `json:"operation"`
	Purpose    Named     `json:"purpose"`
	DataSource *Named    `json:"data_source,omitempty" doc:"Where the data came from, as the events state."`
	By         string    `json:"by" doc:"Organisation that acted; the controller, where none is stated."`
	To         *Named    `json:"to,omitempty" doc:"Who was given the data."`
	Country    string    `json:"country,omitempty" doc:"Of whom was given the data, as the events say."`
	Events     uint64    `json:"events"`
	First      time.Time `json:"first"`
	Last       time.Time `json:"last"`
	Verdict    string    `json:"verdict" enum:"allowed,review,violation" doc:"The worst of these events."`
	Folded     int       `json:"folded,omitempty" doc:"How many passages this one stands for: the rarest become one, those in violation never do."`
}

// foldPassages puts those near the event first, of these those in violation, and
// then those with most events; the rarest of a step, beyond some, become one.
func foldPassages(all []Passage, keep int) []Passage {
	slices.SortFunc(all, func(x, y Passage) int { return comparePassages(&x, &y) })
	folded := []Passage{}
	kept, step := 0, 0
	for i := range all {
		p := &all[i]
		if p.Step != step {
			kept, step = 0, p.Step
		}
		left := len(folded) > 0 && folded[len(folded)-1].Step == step && folded[len(folded)-1].Folded > 0
		switch {
		case kept < keep || p.Verdict == register.Violation.String():
			kept++
			folded = append(folded, *p)
		case left:
			o := &folded[len(folded)-1]
			o.Events += p.Events
			o.Folded++
			if p.First.Before(o.First) {
				o.First = p.First
			}
			if p.Last.After(o.Last) {
				o.Last = p.Last
			}
			if rank(p.Verdict) > rank(o.Verdict) {
				o.Verdict = p.Verdict
			}
		default:
			folded = append(folded, Passage{Step: step, Events: p.Events, First: p.First, Last: p.Last, Verdict: p.Verdict, Folded: 1})
		}
	}
	return folded
}

func comparePassages(x, y *Passage) int {
	fine := func(p *Passage) int {
		if p.Verdict == register.Violation.String() {
			return 0
		}
		return 1
	}
	to := func(p *Passage) string {
		if p.To == nil {
			return ""
		}
		return p.To.ID + " " + p.To.Name
	}
	return cmp.Or(cmp.Compare(x.Step, y.Step), cmp.Compare(fine(x), fine(y)), cmp.Compare(y.Events, x.Events), y.Last.Compare(x.Last), strings.Compare(x.System, y.System),
		strings.Compare(x.Operation, y.Operation), strings.Compare(x.Purpose.ID, y.Purpose.ID), strings.Compare(x.By, y.By), strings.Compare(to(x), to(y)), strings.Compare(x.Country, y.Country))
}
