package access

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/identity"
)

// ErrNotRecorded says that a question could not be written into the trail, and
// is therefore not answered.
var ErrNotRecorded = errors.New("the question could not be written into the trail, and without that it is not answered")

// recordTimeout is how long Kafka may take to acknowledge a question.
const recordTimeout = 5 * time.Second

// category is what a question reads: the trail itself. That a row of the trail
// says it of its data's categories too is for that row to say.
const category = "record-of-processing"

// Asked is a question that is about to be answered.
type Asked struct {
	Who         *Principal
	As          Role // by which it was allowed
	Question    Question
	Controllers []string           // about whose trail
	Person      identity.Pseudonym // zero = none in particular; else of the one controller
	Persons     uint64             // how many the answer concerns; 0 = not counted
	Reason      string             // in the asker's words

	// Only of what is told in several events: what they have in common, and what
	// this one refers to.
	Matter    string
	Reference string
}

// Emitter writes events so that they stay: package emit's Writer does.
type Emitter interface {
	Emit(ctx context.Context, events ...*event.Event) error
}

// Recorder writes questions into the trail: as events, on the topic that all
// others come by, so that they are judged, kept and found like those.
type Recorder struct {
	to Emitter
}

// NewRecorder records by an emitter. Nil is for where the operator has said
// that questions are not to be recorded.
func NewRecorder(to Emitter) *Recorder { return &Recorder{to} }

// Recording says whether questions are recorded at all.
func (r *Recorder) Recording() bool { return r != nil && r.to != nil }

// Record returns when all in-sync replicas of Kafka have the question. Where it
// returns an error, which is an [ErrNotRecorded], the answer must not be given;
// the question may be in the trail all the same.
func (r *Recorder) Record(ctx context.Context, a *Asked) error {
	line, ok := a.Question.line()
	switch {
	case r == nil || a.Who == nil || !ok:
		return fmt.Errorf("%w: it is not known where to, or who asks, or what", ErrNotRecorded)
	case r.to == nil || line.Silent:
		return nil
	}
	events := make([]*event.Event, 0, len(a.Controllers))
	for _, controller := range a.Controllers {
		ev, err := a.event(&line, controller)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrNotRecorded, err)
		}
		events = append(events, ev)
	}
	if len(events) == 0 {
		return nil // of no controller that there is, there is nothing to read
	}
	// Whoever asked may hang up; that is no reason for not having asked.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	if err := r.to.Emit(ctx, events...); err != nil {
		return fmt.Errorf("%w: %w", ErrNotRecorded, err)
	}
	return nil
}

func (a *Asked) event(line *Line, controller string) (*event.Event, error) {
	ev := &event.Event{
		Kind: event.Processing, Source: event.AnswersSource, Operation: event.Access, Controller: controller,
		Purpose: event.QuestionPurpose(string(a.Question), line.Person), Categories: []string{category}, Records: a.Persons,
		Actor:  event.Actor{ID: a.Who.ID, Kind: event.ActorHuman, Role: string(a.As)},
		Reason: a.Reason, Basis: event.Basis{Reference: a.Reference},
	}
	if a.Who.Machine {
		ev.Actor.Kind = event.ActorService
	}
	if a.Who.Self != nil {
		self, err := a.Who.Self(controller)
		if err != nil {
			return nil, err
		}
		ev.Actor.ID = "person-" + self.String()
	}
	if !a.Person.IsZero() {
		ev.Persons = []event.Person{{Scheme: event.PseudonymScheme, Value: a.Person.String()}}
		return ev, nil
	}
	// All others are about a group of persons that nobody has listed.
	ev.Cohort = event.Cohort{ID: a.Matter, Size: a.Persons}
	if ev.Cohort.ID == "" {
		ev.Cohort.ID = event.QuestionPurpose(string(a.Question), line.Person)
	}
	return ev, nil
}

// CheckReason says what is wrong with a reason: it is text, and does not repeat
// the identifier that was asked by.
func CheckReason(reason, identifier string) error {
	switch {
	case len(reason) > event.MaxReason:
		return fmt.Errorf("the reason is longer than %d bytes", event.MaxReason)
	case strings.ContainsFunc(reason, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' }):
		return errors.New("the reason has characters in it that are no text")
	case len(identifier) >= 4 && strings.Contains(strings.ToLower(reason), strings.ToLower(identifier)):
		return errors.New("the reason repeats the identifier: say why without it, as reasons are kept in clear")
	default:
		return nil
	}
}
