// Package replay judges events of the trail again, from their rows: under the
// registers in force, which shows what is to be judged anew, or under a draft,
// which shows what it would change. It writes nothing.
package replay

import (
	"errors"
	"fmt"
	"sync"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
	"github.com/andmerada/andmerada/internal/verdict"
)

// ErrNotJudged says that a row is no processing event: facts and listings of
// members are never judged.
var ErrNotJudged = errors.New("facts and listings of members are not judged")

// Judge judges rows of the trail by what is known now: the registers given, and
// all facts of the store as of the event's time, be it that they were learnt
// long after it. It is safe for concurrent use.
type Judge struct {
	Registers *register.Set
	Facts     *facts.Store

	idle sync.Pool // of *work
}

// Verdict is the verdict on one row: on one event, as far as it concerns one
// person. An error is [register.ErrUnknownController], [ErrNotJudged] or a
// *[event.Fault] in the row's statements, each with the row's place.
func (j *Judge) Verdict(row *trail.Row) (verdict.Verdict, error) {
	w := j.work()
	defer j.idle.Put(w)
	if err := w.recall(row); err != nil {
		return verdict.Verdict{}, err
	}
	r, err := j.Registers.For(row.Controller, row.Time)
	if err != nil && !errors.Is(err, register.ErrNotInForce) {
		return verdict.Verdict{}, fmt.Errorf("judge the event at %s: %w", place(row), err)
	}
	var v verdict.Verdict
	w.judge(&v, r)
	return v, nil
}

func (j *Judge) work() *work {
	if w, ok := j.idle.Get().(*work); ok {
		return w
	}
	return newWork(j.Facts)
}

// Event is the event of a row as it is judged: without its id and its trace,
// which no verdict rests on, and without identifiers of persons, which the
// trail does not have. Its slices are the row's.
func Event(row *trail.Row) (*event.Event, error) {
	var w work
	if err := w.read(row); err != nil {
		return nil, err
	}
	return &w.event, nil
}

// work is one event being judged again: these are large and used for many.
type work struct {
	facts  *facts.Reader
	event  event.Event
	known  event.Facts
	stated *event.Facts            // what the event states; nil = nothing
	texts  map[string]*event.Facts // statements, by their text
}

func newWork(store *facts.Store) *work { return &work{facts: store.Reader()} }

// maxTexts is how many distinct statements one work keeps, of about 2 KB each.
// Sources state the same few things again and again, unless a date is in them.
const maxTexts = 2048

// read takes the event out of a row: the inverse of what ingest puts in.
func (w *work) read(row *trail.Row) error {
	if row.Operation >= trail.OperationFact || row.Operation == 0 {
		return fmt.Errorf("judge the event at %s: %w", place(row), ErrNotJudged)
	}
	ev := &w.event
	ev.Kind, ev.Operation = event.Processing, row.Operation
	ev.Source, ev.Time, ev.Controller, ev.Sequence = row.Source, row.Time, row.Controller, row.Sequence
	ev.Cohort = event.Cohort{ID: row.CohortID, Size: row.CohortSize}
	ev.Actor = event.Actor{ID: row.Actor, Kind: row.ActorKind, Role: row.ActorRole, Organisation: row.ActorOrganisation, OnBehalfOf: row.ActorOnBehalfOf}
	ev.Purpose, ev.Categories, ev.Fields, ev.Records = row.Purpose, row.Categories, row.Fields, row.Records
	ev.Recipient = event.Recipient{ID: row.Recipient, Organisation: row.RecipientOrganisation, Code: row.RecipientCode, Country: row.RecipientCountry}
	ev.DataSource, ev.Reason, ev.Channel = row.DataSource, row.Reason, row.Channel
	ev.Basis = event.Basis{Kind: row.Basis, Reference: row.BasisReference}
	stated, err := w.statements(row)
	if err != nil {
		return err
	}
	if stated != w.stated {
		w.stated, ev.Statements = stated, event.Facts{}
		if stated != nil {
			ev.Statements = *stated
		}
	}
	return nil
}

func (w *work) statements(row *trail.Row) (*event.Facts, error) {
	if row.Statements == "" {
		return nil, nil
	}
	if known, ok := w.texts[row.Statements]; ok {
		return known, nil
	}
	f, err := event.DecodeFacts([]byte(row.Statements))
	if err != nil {
		return nil, fmt.Errorf("read the statements of the event at %s: %w", place(row), err)
	}
	if w.texts == nil || len(w.texts) >= maxTexts {
		w.texts = make(map[string]*event.Facts)
	}
	w.texts[row.Statements] = &f
	return &f, nil
}

// recall reads a row and gathers what is known as of its time.
func (w *work) recall(row *trail.Row) error {
	if err := w.read(row); err != nil {
		return err
	}
	w.facts.AsOf(&w.known, row.Controller, row.Person, row.Actor, row.Recipient, row.Time)
	if w.stated != nil {
		w.known.Overlay(w.stated)
	}
	return nil
}

// judge makes v the verdict by a register, or that of ingest where none was in
// force: nil.
func (w *work) judge(v *verdict.Verdict, r *register.Register) {
	if r == nil {
		*v = verdict.Verdict{Outcome: verdict.Review, Rules: append(v.Rules[:0], verdict.NotInForce), Unknown: v.Unknown[:0], Evaluator: verdict.Evaluator}
		return
	}
	v.Judge(r, &w.event, &w.known)
}

// place names a row in an error.
func place(row *trail.Row) string {
	return fmt.Sprintf("%s/%d/%d", row.Topic, row.Partition, row.Offset)
}
