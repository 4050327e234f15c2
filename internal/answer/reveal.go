package answer

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/trail"
)

// The steps of a reveal that a second person approves. Each is a question
// asked of the trail, and so an event there; nothing else is kept. Whoever may
// write to the topic could write such an event too, so each bears a mark that
// only who has the secret can make.
const (
	revealRequest  = "reveal-request"
	revealApproval = "reveal-approval"
	revealTelling  = "reveal" // the telling itself

	revealPrefix = "reveal-"
	// RevealHolds is how long a request, and an approval, are good for.
	RevealHolds = 7 * 24 * time.Hour
	// maxRevealSteps bounds what is read of one reveal.
	maxRevealSteps = 100
)

// RevealState is how far a reveal has come.
type RevealState struct {
	Place             // the event whose actor is asked for
	By     string     // who has asked, by id
	Reason string     // why
	At     time.Time  // when
	Second string     // who has approved, by id; "" = nobody yet
	When   *time.Time // when that was
}

// NewReveal is the id of a new reveal, and what its request bears.
func NewReveal(d Deps, controller, by string, at Place) (id, reference string, err error) {
	id = revealPrefix + strings.ToLower(rand.Text())
	mark, err := d.Keys.Mark(controller, revealRequest, revealText(id, at.Path(), by))
	return id, at.Path() + " " + mark, err
}

// RevealApproved is what the approval of a reveal bears.
func RevealApproved(d Deps, controller, id, by string) (reference string, err error) {
	return d.Keys.Mark(controller, revealApproval, revealText(id, by))
}

// RevealTold is what the telling bears: the event's place first, by which it is
// found, and the reveal's id last, where there is one.
func RevealTold(d Deps, controller, id, by string, at Place) (reference string, err error) {
	mark, err := d.Keys.Mark(controller, revealTelling, revealText(at.Path(), by))
	return strings.TrimSuffix(at.Path()+" "+mark+" "+id, " "), err
}

// ActorTold says that somebody was told who acted in an event, on a reason that
// was recorded.
type ActorTold struct {
	At    time.Time `json:"at" doc:"When that was last."`
	Role  string    `json:"role,omitempty" doc:"In which role it was asked then."`
	Times int       `json:"times"`
	Actor string    `json:"actor_id,omitempty" doc:"Who acted: for whoever was told so, for 7 days."`
}

// revealed finds out of which events of a page somebody was told who acted. It
// is not told again but to whoever it was told, for as long as a reveal holds.
func (d *Deps) revealed(ctx context.Context, s *subject, rows []trail.Row) (map[Place]*ActorTold, error) {
	var paths []string
	since := d.now()
	acted := make(map[string]*trail.Row)
	for i := range rows {
		if row := &rows[i]; row.Actor != "" {
			path := Place{row.Topic, row.Partition, row.Offset}.Path()
			paths, acted[path] = append(paths, path), row
			if row.Time.Before(since) {
				since = row.Time
			}
		}
	}
	if len(paths) == 0 {
		return nil, nil
	}
	tellings, err := d.Keys.Cohort(s.query.Controller, event.QuestionPurpose(revealTelling, false))
	if err != nil {
		return nil, err
	}
	found, err := d.Trail.Referring(ctx, trail.PersonQuery{Controller: s.query.Controller, Persons: [][16]byte{tellings}, From: since, AsOf: s.query.AsOf}, paths)
	if err != nil {
		return nil, err
	}
	all := make(map[Place]*ActorTold)
	for i := range found {
		telling := &found[i]
		words := strings.Split(telling.BasisReference, " ")
		row := acted[words[0]]
		if !isStep(telling, revealTelling) || row == nil {
			continue
		}
		at := Place{row.Topic, row.Partition, row.Offset}
		r := all[at]
		if r == nil { // the newest comes first
			r = &ActorTold{At: telling.Time, Role: telling.ActorRole}
			all[at] = r
		}
		r.Times++
		if s.view.person || d.Asker == "" || telling.Actor != d.Asker || len(words) < 2 || d.now().Sub(telling.Time) > RevealHolds {
			continue
		}
		want, err := d.Keys.Mark(s.query.Controller, revealTelling, revealText(words[0], telling.Actor))
		if err != nil {
			return nil, err
		}
		if same(want, words[1]) {
			r.Actor = row.Actor
		}
	}
	return all, nil
}

func revealText(parts ...string) string { return strings.Join(parts, "\x00") }

// RevealOf reads how far a reveal has come. It is [ErrNotFound] if there is no
// such request, if it is not in the trail yet, or has been left for too long.
func RevealOf(ctx context.Context, d Deps, controller, id string) (*RevealState, error) {
	if _, err := d.controller(controller, ""); err != nil || !strings.HasPrefix(id, revealPrefix) || len(id) > event.MaxID {
		return nil, ErrNotFound
	}
	cohort, err := d.Keys.Cohort(controller, id)
	if err != nil {
		return nil, ErrNotFound
	}
	since := d.now().Add(-RevealHolds)
	rows, err := d.Trail.Timeline(ctx, trail.PersonQuery{Controller: controller, Persons: [][16]byte{cohort}, From: since}, nil, maxRevealSteps)
	if err != nil {
		return nil, fmt.Errorf("read a reveal: %w", err)
	}
	var s *RevealState
	for i := range rows {
		if row := &rows[i]; isStep(row, revealRequest) {
			if at, ok := d.requested(controller, id, row); ok {
				s = &RevealState{Place: at, By: row.Actor, Reason: row.Reason, At: row.Time}
			}
		}
	}
	if s == nil {
		return nil, ErrNotFound
	}
	for i := range rows {
		row := &rows[i]
		want, err := RevealApproved(d, controller, id, row.Actor)
		if err != nil {
			return nil, err
		}
		if isStep(row, revealApproval) && row.Actor != s.By && same(want, row.BasisReference) {
			s.Second, s.When = row.Actor, &row.Time
		}
	}
	return s, nil
}

func isStep(row *trail.Row, question string) bool {
	return row.Source == event.AnswersSource && row.Operation == event.Access && row.Purpose == event.QuestionPurpose(question, false)
}

// requested takes a request apart, if it is a good one.
func (d *Deps) requested(controller, id string, row *trail.Row) (at Place, ok bool) {
	path, mark, _ := strings.Cut(row.BasisReference, " ")
	parts := strings.Split(path, "/")
	if len(parts) != 3 {
		return at, false
	}
	partition, err1 := strconv.ParseInt(parts[1], 10, 32)
	offset, err2 := strconv.ParseInt(parts[2], 10, 64)
	want, err3 := d.Keys.Mark(controller, revealRequest, revealText(id, path, row.Actor))
	return Place{parts[0], int32(partition), offset}, err1 == nil && err2 == nil && err3 == nil && same(want, mark)
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// maxReveals bounds how many steps of reveals are looked at for a list.
const maxReveals = 500

// ListedReveal is a reveal that was asked for, with its id.
type ListedReveal struct {
	ID string
	RevealState
}

// Reveals lists what reveals were asked for at a controller and still hold,
// newest first, and how far each has come.
func Reveals(ctx context.Context, d Deps, controller string) ([]ListedReveal, error) {
	if _, err := d.controller(controller, "/controller"); err != nil {
		return nil, err
	}
	rows, err := d.Trail.ActsList(ctx, trail.Acts{
		Controller: controller, From: d.now().Add(-RevealHolds), Sources: []string{event.AnswersSource}, Operations: []string{event.Access.String()},
		Purposes: []string{event.QuestionPurpose(revealRequest, false), event.QuestionPurpose(revealApproval, false)},
	}, nil, maxReveals)
	if err != nil {
		return nil, fmt.Errorf("list reveals: %w", err)
	}
	list := []ListedReveal{}
	at := make(map[string]int)
	for i := range rows {
		row := &rows[i]
		if !isStep(row, revealRequest) || !strings.HasPrefix(row.CohortID, revealPrefix) {
			continue
		}
		if place, ok := d.requested(controller, row.CohortID, row); ok {
			at[row.CohortID] = len(list)
			list = append(list, ListedReveal{row.CohortID, RevealState{Place: place, By: row.Actor, Reason: row.Reason, At: row.Time}})
		}
	}
	for i := range rows {
		row := &rows[i]
		n, known := at[row.CohortID]
		if !known || !isStep(row, revealApproval) || row.Actor == list[n].By {
			continue
		}
		want, err := RevealApproved(d, controller, row.CohortID, row.Actor)
		if err != nil {
			return nil, err
		}
		if same(want, row.BasisReference) {
			list[n].Second, list[n].When = row.Actor, &row.Time
		}
	}
	return list, nil
}
