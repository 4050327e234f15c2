package answer

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

const (
	defaultPage = 50
	maxPage     = 500
)

// TimelineRequest asks for a page of a person's timeline.
type TimelineRequest struct {
	Request
	Cursor string `json:"cursor,omitempty" maxLength:"600" doc:"Where the page before ended (its field next). Left out: the newest events."`
	Limit  int    `json:"limit,omitempty" minimum:"0" maximum:"500" doc:"How many events, 50 if left out."`
}

// TimelineAnswer is a page of what was done with a person's data.
type TimelineAnswer struct {
	Controller Controller `json:"controller"`
	Person     Subject    `json:"person"`
	Period     Period     `json:"period"`
	View
	Rights Rights `json:"rights" doc:"To whom the person can turn."`
	Timeline
}

// Timeline is a page of processing events, newest first.
type Timeline struct {
	Events []Entry `json:"events"`
	Next   string  `json:"next,omitempty" doc:"Cursor of the next page, older; left out on the last."`
}

// Place is where an event stands in Kafka, and its name here.
type Place struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}

// Path is the place as the last part of an event's address.
func (p Place) Path() string {
	return fmt.Sprintf("%s/%d/%d", p.Topic, p.Partition, p.Offset)
}

// ParsePlace reads a place as [Place.Path] writes it; what is none is a fault.
func ParsePlace(text string) (*Place, error) {
	parts := strings.Split(strings.Trim(text, "/"), "/")
	if len(parts) == 3 {
		partition, err1 := strconv.ParseInt(parts[1], 10, 32)
		offset, err2 := strconv.ParseInt(parts[2], 10, 64)
		if err1 == nil && err2 == nil && partition >= 0 && offset >= 0 {
			return &Place{parts[0], int32(partition), offset}, nil
		}
	}
	return nil, &Fault{"/event", "this is no place of an event", "write its topic, partition and offset, as its page does: andmerada.events/0/17"}
}

// Named is an id and what it is called.
type Named struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Entry is one processing event in a list. Who acted is there by a mask, a role
// and an organisation only: employees are not recipients, and who they are is
// owed only where it is essential (CJEU C-579/21).
type Entry struct {
	Place
	Time         time.Time  `json:"time"`
	Controller   string     `json:"controller"`
	Source       string     `json:"source"`
	Operation    string     `json:"operation"`
	Recipient    *Named     `json:"recipient,omitempty"`
	Purpose      Named      `json:"purpose"`
	Categories   []Named    `json:"categories"`
	Actor        string     `json:"actor,omitempty" doc:"Who acted, by a mask: the same for all that one actor did at this controller."`
	ActorKind    string     `json:"actor_kind,omitempty"`
	ActorRole    string     `json:"actor_role,omitempty"`
	Organisation string     `json:"actor_organisation,omitempty"`
	Basis        string     `json:"basis,omitempty" doc:"Legal basis as the event states it."`
	Reason       string     `json:"reason,omitempty"`
	ByCohort     bool       `json:"by_cohort"`
	Duplicate    bool       `json:"duplicate" doc:"An event of the same source and id came before: it is not counted."`
	Verdict      string     `json:"verdict" enum:"none,allowed,review,violation"`
	Rules        []Rule     `json:"rules"`
	Unknown      []Named    `json:"unknown"`
	Revealed     *ActorTold `json:"revealed,omitempty" doc:"Of a person's timeline: somebody was told who acted."`
	Changed      *Change    `json:"changed,omitempty" doc:"The verdict was another before; left out where the first one stands."`
}

// TimelineOf answers what was done with a person's data, page by page.
func TimelineOf(ctx context.Context, d Deps, req TimelineRequest) (*TimelineAnswer, error) {
	s, err := d.subject(ctx, req.Request)
	if err != nil {
		return nil, err
	}
	before, err := s.before(&d, req.Cursor)
	if err != nil {
		return nil, err
	}
	page, err := d.timeline(ctx, s, before, min(cmp.Or(max(req.Limit, 0), defaultPage), maxPage))
	if err != nil {
		return nil, err
	}
	if before == nil { // on the first page
		if err := d.would(ctx, s); err != nil {
			return nil, err
		}
	}
	a := &TimelineAnswer{Controller: s.controller(), Person: s.person, Period: s.period, Rights: rightsOf(s.register), Timeline: page}
	s.see(a, &a.View)
	return a, nil
}

func (d *Deps) timeline(ctx context.Context, s *subject, before *trail.Place, n int) (Timeline, error) {
	rows, err := s.history.Timeline(ctx, s.query.Only, before, n+1) // one more tells whether there is a next page
	if err != nil {
		return Timeline{}, err
	}
	t := Timeline{Events: []Entry{}}
	if len(rows) > n {
		rows = rows[:n]
		t.Next = s.next(d, &rows[n-1])
	}
	changes, err := d.changes(ctx, s, rows)
	if err != nil {
		return Timeline{}, err
	}
	revealed, err := d.revealed(ctx, s, rows)
	if err != nil {
		return Timeline{}, err
	}
	for i := range rows {
		e := d.entry(s.names, &rows[i])
		e.Changed, e.Revealed = changes[judgedAt(&rows[i])], revealed[e.Place]
		t.Events = append(t.Events, e)
	}
	return t, nil
}

func (d *Deps) entry(n *names, row *trail.Row) Entry {
	e := Entry{
		Place: Place{row.Topic, row.Partition, row.Offset}, Time: row.Time, Controller: row.Controller, Source: row.Source,
		Operation: operationName(row.Operation), Recipient: recipientOf(n, row), Purpose: Named{row.Purpose, n.purpose(row.RegisterVersion, row.Purpose)},
		Categories: []Named{}, Actor: d.Mask(row.Controller, row.Actor), ActorRole: row.ActorRole, Organisation: row.ActorOrganisation,
		Basis: row.Basis, Reason: row.Reason, ByCohort: row.Cohort, Duplicate: row.Duplicate,
		Verdict: verdictName(row.Verdict), Rules: n.rules(row.RegisterVersion, row.Rules), Unknown: []Named{},
	}
	if row.ActorKind != event.ActorUnstated {
		e.ActorKind = actorKinds[row.ActorKind]
	}
	for _, id := range row.Categories {
		e.Categories = append(e.Categories, Named{id, n.category(row.RegisterVersion, id)})
	}
	for _, id := range row.Unknown {
		e.Unknown = append(e.Unknown, Named{id, factName(id)})
	}
	return e
}

// recipientOf names an event's recipient, nil if there is none.
func recipientOf(n *names, row *trail.Row) *Named {
	to := event.Recipient{ID: row.Recipient, Organisation: row.RecipientOrganisation, Code: row.RecipientCode, Country: row.RecipientCountry}
	switch {
	case to.IsZero():
		return nil
	case to.ID == event.DataSubject:
		return &Named{to.ID, "the person"}
	}
	name := cmp.Or(to.Organisation, to.ID, to.Code, "not stated, in "+to.Country)
	if r := n.register(row.RegisterVersion); r != nil {
		if e, ok := r.Recipient(to.ID); ok && (e.Named || to.Organisation == "") {
			name = e.Name.In(language)
		}
	}
	return &Named{to.ID, name}
}

var actorKinds = map[event.ActorKind]string{event.ActorHuman: "human", event.ActorService: "service", event.ActorPartner: "partner"}

func operationName(op event.Operation) string {
	switch op {
	case trail.OperationFact:
		return "fact"
	case trail.OperationCohort:
		return "cohort"
	default:
		return op.String()
	}
}

// verdictName is "none" for what is not judged.
func verdictName(o register.Outcome) string {
	if o == register.NotApplicable {
		return "none"
	}
	return o.String()
}

// cursor names the place after which the next page begins.
func cursor(row *trail.Row) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d.%d.%d.%s", row.Time.UnixMilli(), row.Partition, row.Offset, row.Topic))
}

// next is the cursor after a row. The person's own is sealed: it would tell the
// time of day.
func (s *subject) next(d *Deps, row *trail.Row) string {
	if !s.view.person {
		return cursor(row)
	}
	return d.Keys.SealText(cursor(row), s.cursorOf())
}

// before is the place of a cursor.
func (s *subject) before(d *Deps, text string) (*trail.Place, error) {
	if text == "" || !s.view.person {
		return parseCursor(text)
	}
	plain, err := d.Keys.OpenText(text, s.cursorOf())
	if err != nil {
		return nil, errCursor
	}
	return parseCursor(plain)
}

// cursorOf is what a sealed cursor is bound to: nobody else can use it.
func (s *subject) cursorOf() string { return s.register.Controller.ID + " " + s.person.Pseudonym }

var errCursor = &Fault{"/cursor", "this cursor was not given by an answer", "take the field next of the page before"}

func parseCursor(s string) (*trail.Place, error) {
	if s == "" {
		return nil, nil
	}
	bad := errCursor
	text, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return nil, bad
	}
	parts := strings.SplitN(string(text), ".", 4)
	if len(parts) != 4 {
		return nil, bad
	}
	millis, err1 := strconv.ParseInt(parts[0], 10, 64)
	partition, err2 := strconv.ParseInt(parts[1], 10, 32)
	offset, err3 := strconv.ParseInt(parts[2], 10, 64)
	at := time.UnixMilli(millis).UTC()
	if err1 != nil || err2 != nil || err3 != nil || partition < 0 || offset < 0 || parts[3] == "" || at.Year() < 1900 || at.Year() > 2299 { // what ClickHouse's DateTime64 holds
		return nil, bad
	}
	return &trail.Place{Time: at, Topic: parts[3], Partition: int32(partition), Offset: offset}, nil
}

// Completeness says how far an answer may be believed.
type Completeness struct {
	Recorded    time.Time `json:"recorded,omitzero" doc:"When the newest event of the trail was recorded."`
	Through     []Through `json:"through" doc:"Up to which offset of each partition the trail goes."`
	Quarantined uint64    `json:"quarantined" doc:"Records, of any controller, that could not be understood: whom they concern is not known."`
	Gaps        uint64    `json:"gaps" doc:"Offsets that are recorded to hold no event."`
}

// Through is how far the trail goes in one partition.
type Through struct {
	Place
	Recorded time.Time `json:"recorded"`
}

func (d *Deps) completeness(ctx context.Context) (Completeness, error) {
	return d.completenessAsOf(ctx, time.Time{})
}

func (d *Deps) completenessAsOf(ctx context.Context, asOf time.Time) (Completeness, error) {
	reach, err := d.Trail.Reach(ctx, asOf)
	if err != nil {
		return Completeness{}, err
	}
	c := Completeness{Through: []Through{}, Quarantined: reach.Quarantined, Gaps: reach.Gaps}
	for _, p := range reach.Partitions {
		c.Through = append(c.Through, Through{Place{p.Topic, p.Partition, p.Offset}, p.Recorded})
		if p.Recorded.After(c.Recorded) {
			c.Recorded = p.Recorded
		}
	}
	return c, nil
}
