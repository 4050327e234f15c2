package answer

import (
	"bytes"
	"context"

	"github.com/andmerada/andmerada/internal/trail"
)

// CaseComparison says how two cases differ in whom they affect.
type CaseComparison struct {
	Controller Controller    `json:"controller"`
	First      CaseReference `json:"first"`
	Second     CaseReference `json:"second"`
	Both       int           `json:"both"`
	Only1      int           `json:"only_first" doc:"Gone: in the first case, and not in the second."`
	Only2      int           `json:"only_second" doc:"New: in the second case, and not in the first."`
}

// Changes of a person from one case to another.
const (
	PersonNew  = "new"
	PersonGone = "gone"
)

// CaseChange is a person whom one of two cases affects, and the other does not.
type CaseChange struct {
	Change string `json:"change" enum:"new,gone" doc:"new: in the second case only. gone: in the first only."`
	AffectedPerson
}

// EachPerson gives all persons of a case, however many, in order of their
// pseudonyms.
func EachPerson(ctx context.Context, d Deps, id string, f func(*AffectedPerson) error) error {
	w := walk{d: &d, id: id}
	for {
		p, err := w.next(ctx)
		if err != nil || p == nil {
			return err
		}
		one := affectedOf(p)
		if err := f(&one); err != nil {
			return err
		}
	}
}

// CompareCases says how two cases of one controller differ, and gives those who are
// in one only, in order of their pseudonyms, to f if it is not nil.
func CompareCases(ctx context.Context, d Deps, first, second string, f func(*CaseChange) error) (*CaseComparison, error) {
	one, err := CaseOf(ctx, d, CaseRequest{ID: first})
	if err != nil {
		return nil, err
	}
	two, err := CaseOf(ctx, d, CaseRequest{ID: second})
	if err != nil {
		return nil, err
	}
	if one.Controller != two.Controller {
		return nil, &Fault{"", "the cases are of different controllers", "their pseudonyms have nothing in common"}
	}
	c := &CaseComparison{Controller: one.Controller, First: one.CaseReference, Second: two.CaseReference}
	tell := func(change string, p *trail.CasePerson) error {
		if f == nil {
			return nil
		}
		return f(&CaseChange{change, affectedOf(p)})
	}
	// Both come in the same order, so that neither need be held whole.
	w1, w2 := walk{d: &d, id: first}, walk{d: &d, id: second}
	p1, err := w1.next(ctx)
	if err != nil {
		return nil, err
	}
	p2, err := w2.next(ctx)
	for err == nil && (p1 != nil || p2 != nil) {
		order := 0
		switch {
		case p1 == nil:
			order = 1
		case p2 == nil:
			order = -1
		default:
			order = bytes.Compare(p1.Person[:], p2.Person[:])
		}
		switch {
		case order < 0:
			c.Only1++
			err = tell(PersonGone, p1)
		case order > 0:
			c.Only2++
			err = tell(PersonNew, p2)
		default:
			c.Both++
		}
		if err == nil && order <= 0 {
			p1, err = w1.next(ctx)
		}
		if err == nil && order >= 0 {
			p2, err = w2.next(ctx)
		}
	}
	return c, err
}

// walkPage is how many persons of a case are read at once.
const walkPage = 10_000

// walk goes through the persons of a case, page by page.
type walk struct {
	d     *Deps
	id    string
	page  []trail.CasePerson
	after [16]byte
	begun bool
}

// next is the next person, nil after the last.
func (w *walk) next(ctx context.Context) (*trail.CasePerson, error) {
	if len(w.page) == 0 {
		if w.begun && w.after == ([16]byte{}) {
			return nil, nil
		}
		var err error
		if w.page, w.after, err = w.d.casePage(ctx, w.id, w.after, walkPage); err != nil || len(w.page) == 0 {
			return nil, err
		}
		w.begun = true
	}
	p := &w.page[0]
	w.page = w.page[1:]
	return p, nil
}
