package answer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/profile"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

// forPerson is what a request says whose answer is to be as the person itself
// may have it.
const forPerson = "person"

// View says for whom an answer is, and what the law leaves out of one for the
// person itself: the profile of the controller's jurisdiction says so.
type View struct {
	For          string        `json:"for,omitempty" enum:"person" doc:"person: the answer is as the person itself may have it. Left out: it is in full, for those who answer for the controller."`
	Profile      string        `json:"profile,omitempty" example:"lv" doc:"Profile of the jurisdiction that says what is left out."`
	Precision    string        `json:"precision,omitempty" enum:"day" doc:"day: each time in this answer is a day of the controller's calendar, written as its midnight."`
	Restrictions []Restriction `json:"restrictions" doc:"What is left out of an answer for the person, and on what ground. They stand here whether or not there was anything to leave out."`
}

// What a restriction is about.
const (
	RestrictAuthorities = "authorities" // that must not be named
	RestrictRecipients  = "recipients"  // of so many years only
	RestrictTimes       = "times"       // to the day only
)

// Restriction is something that an answer for the person leaves out.
type Restriction struct {
	What    string            `json:"what" enum:"authorities,recipients,times"`
	ID      string            `json:"id" example:"lv/criminal-proceedings"`
	Ground  string            `json:"ground" example:"FPDAL § 27(2)" doc:"The provision, or the judgement, that it rests on."`
	Says    map[string]string `json:"says" doc:"In words, by language."`
	Applied bool              `json:"applied" doc:"This answer is without it; false: an answer for the person would be."`
	Since   time.Time         `json:"since,omitzero" doc:"Recipients are told of from then on."`
	Count   *uint64           `json:"count,omitempty" doc:"How many events are left out, or would be. Left out itself where the person must not be told."`
}

// In is what the restriction says in a language, in English where it is not
// written in that.
func (r *Restriction) In(language string) string {
	if s := r.Says[language]; s != "" {
		return s
	}
	return r.Says["en"]
}

// view is how a question about a person is seen.
type view struct {
	person  bool // as the person may
	profile *profile.Profile
	now     time.Time
	zone    *time.Location
	own     []*register.Register // all versions of the controller's register
}

var errNoProfiles = errors.New("there are no profiles of jurisdictions here: an answer for a person cannot be given")

// errInHouse says that a question is never answered to the person itself.
var errInHouse = errors.New("this question is not answered to the person itself")

// inHouse refuses what is not for the person itself. Who may ask what is decided
// elsewhere; this holds even if that errs.
func (d *Deps) inHouse() error {
	if d.ForPerson {
		return errInHouse
	}
	return nil
}

// viewOf understands for whom an answer is to be.
func (d *Deps) viewOf(req *Request, r *register.Register) (*view, error) {
	if req.For != "" && req.For != forPerson {
		return nil, &Fault{"/for", "answers are not made for that", `write "person", or leave it out`}
	}
	v := &view{person: d.ForPerson || req.For == forPerson, now: d.now(), zone: r.Zone}
	switch {
	case d.Profiles != nil:
		v.profile = d.Profiles.For(r.Controller.ID, r.Controller.Country)
	case v.person:
		return nil, errNoProfiles
	default:
		v.profile = new(profile.Profile)
	}
	for _, other := range d.Registers.All() {
		if other.Controller.ID == r.Controller.ID {
			v.own = append(v.own, other)
		}
	}
	for _, moment := range []struct{ text, pointer string }{{req.From, "/from"}, {req.To, "/to"}, {req.AsOf, "/as_of"}} {
		if _, err := time.Parse(time.DateOnly, moment.text); v.toTheDay() && moment.text != "" && err != nil {
			return nil, &Fault{moment.pointer, "an answer for the person is to the day here", "write a day, as 2026-01-31"}
		}
	}
	return v, nil
}

// toTheDay says whether no time of day may be told.
func (v *view) toTheDay() bool { return v.person && v.profile.ToTheDay() }

// says is what is said of the view, before anything is counted.
func (v *view) says(s *subject) View {
	shown := View{Restrictions: []Restriction{}}
	if !v.profile.Empty() {
		shown.Profile = v.profile.ID
	}
	if v.person {
		shown.For, s.person.Cohorts = forPerson, 0 // a cohort may be that of a request which must not be told of
	}
	if v.toTheDay() {
		shown.Precision = v.profile.Times.Precision
	}
	return shown
}

// look finds out what the law leaves out of an answer for the person, and gives
// the parts of the person's events that are left. Where the answer is for the
// person, the question reads these only: there is no other way to its events
// than by its query.
func (d *Deps) look(ctx context.Context, s *subject) (left []trail.Part, err error) {
	v := s.view
	if v.profile.Empty() {
		return nil, nil
	}
	var contexts map[trail.ContextID]*trail.Context
	if len(v.profile.Withheld) > 0 || v.profile.Recipients != nil {
		if contexts, err = s.history.Contexts(ctx); err != nil {
			return nil, err
		}
		left = v.parts(contexts, v.profile.Withheld, v.profile.Recipients)
	}
	counts, err := s.history.Count(ctx, v.counted(contexts)...)
	if err != nil {
		return nil, err
	}
	s.restrictions(counts)
	if v.person && d.Restricted != nil {
		d.Restricted(s.record())
	}
	return left, nil
}

// would finds out, for whoever may see everything, what would be left out.
func (d *Deps) would(ctx context.Context, s *subject) error {
	if s.view.person {
		return nil // it is left out
	}
	_, err := d.look(ctx, s)
	return err
}

// counted are the parts by which what is left out is counted: all events; those
// left by each sort of authority alone; those left by all of them; and by the
// years, too.
func (v *view) counted(contexts map[trail.ContextID]*trail.Context) [][]trail.Part {
	all := [][]trail.Part{nil}
	for _, w := range v.profile.Withheld {
		all = append(all, v.parts(contexts, []*profile.Withheld{w}, nil))
	}
	return append(all, v.parts(contexts, v.profile.Withheld, nil), v.parts(contexts, v.profile.Withheld, v.profile.Recipients))
}

// restrictions says what is left out, with the counts of what v.counted lists.
func (s *subject) restrictions(counts []uint64) {
	p := s.view.profile
	add := func(what, id string, r *profile.Restriction) *Restriction {
		s.shown.Restrictions = append(s.shown.Restrictions, Restriction{What: what, ID: p.ID + "/" + id, Ground: r.Ground, Says: maps.Clone(r.Says), Applied: s.view.person})
		return &s.shown.Restrictions[len(s.shown.Restrictions)-1]
	}
	for i, w := range p.Withheld {
		r := add(RestrictAuthorities, w.ID, &w.Restriction)
		n := counts[0] - counts[1+i]
		if s.left = append(s.left, n); !s.view.person {
			r.Count = &n
		}
	}
	if p.Recipients != nil {
		r := add(RestrictRecipients, RestrictRecipients, &p.Recipients.Restriction)
		n := counts[len(counts)-2] - counts[len(counts)-1]
		s.left = append(s.left, n)
		r.Count, r.Since = &n, p.Recipients.Since(s.view.now, s.view.zone)
	}
	if p.Times != nil {
		add(RestrictTimes, RestrictTimes, &p.Times.Restriction)
		s.left = append(s.left, 0)
	}
}

// record is what is kept with the question of what its answer left out. It is
// not shown to the person, to whom its numbers may be as much as a name.
func (s *subject) record() string {
	text := "restricted"
	for i := range s.shown.Restrictions {
		r := &s.shown.Restrictions[i]
		said := "; " + r.ID
		if r.What != RestrictTimes {
			said += fmt.Sprintf(" %d", s.left[i])
		}
		if full := said + " (" + r.Ground + ")"; len(text)+len(full) <= event.MaxID {
			said = full
		}
		if len(text)+len(said) <= event.MaxID {
			text += said
		}
	}
	return text
}

// parts are the events that may be shown: none of a context that is not known,
// such as of an event that came in the meantime.
func (v *view) parts(contexts map[trail.ContextID]*trail.Context, withheld []*profile.Withheld, window *profile.Window) []trail.Part {
	parts := []trail.Part{}
	at := make(map[string]int)
	for _, id := range trail.SortedContexts(contexts) {
		c := contexts[id]
		part, key, shows := trail.Part{}, "", true
		if window != nil && disclosed(c) {
			part.Since, key = window.Since(v.now, v.zone), "w"
		}
		act := v.act(c)
		for _, w := range withheld {
			e := trail.Except{But: w.LiftedAt(v.now, v.zone), Begins: w.Begins()}
			switch covers := w.Covers(act); {
			case covers && len(e.But) == 0:
				shows = false
			case covers:
				e.Begins, key = nil, key+"c"
				part.Except = append(part.Except, e)
			case len(e.Begins) > 0:
				key += "p"
				part.Except = append(part.Except, e)
			default:
				key += "-"
			}
		}
		if !shows {
			continue
		}
		n, known := at[key]
		if !known {
			n = len(parts)
			at[key], parts = n, append(parts, part)
		}
		parts[n].Contexts = append(parts[n].Contexts, id)
	}
	return parts
}

// disclosed says whether somebody else than the person is named as recipient.
func disclosed(c *trail.Context) bool {
	return c.Recipient != event.DataSubject && (c.Recipient != "" || c.RecipientOrganisation != "" || c.RecipientCode != "" || c.RecipientCountry != "")
}

// act is what the profile looks at: everybody whom the events name, as the
// register calls them too.
func (v *view) act(c *trail.Context) *profile.Act {
	a := &profile.Act{
		Purpose: c.Purpose, IDs: []string{c.Recipient, c.DataSource, c.ActorOrganisation, c.ActorOnBehalfOf}, Codes: []string{c.RecipientCode},
		Names: []string{c.RecipientOrganisation, c.ActorOrganisation, c.ActorOnBehalfOf},
		Named: c.RecipientOrganisation != "" || c.RecipientCode != "",
	}
	for _, r := range v.own {
		for _, id := range a.IDs {
			e, ok := r.Recipient(id)
			if !ok {
				continue
			}
			a.Names = slices.AppendSeq(a.Names, maps.Values(e.Name))
			if id == c.Recipient {
				a.Authority, a.Named = a.Authority || e.Kind == authorityKind, a.Named || e.Named
			}
		}
	}
	return a
}

// authorityKind is the kind of recipients who are public authorities.
const authorityKind = "authority"

// shows says whether an event may be shown, as parts do for all of them.
func (v *view) shows(row *trail.Row) bool {
	if !v.person {
		return true
	}
	c := &trail.Context{
		Purpose: row.Purpose, Recipient: row.Recipient, RecipientOrganisation: row.RecipientOrganisation, RecipientCode: row.RecipientCode, RecipientCountry: row.RecipientCountry,
		DataSource: row.DataSource, ActorOrganisation: row.ActorOrganisation, ActorOnBehalfOf: row.ActorOnBehalfOf,
	}
	act, reference := v.act(c), strings.ToLower(row.BasisReference)
	for _, w := range v.profile.Withheld {
		begins := slices.ContainsFunc(w.Begins(), func(b string) bool { return strings.HasPrefix(reference, b) })
		if (w.Covers(act) || begins) && !slices.Contains(w.LiftedAt(v.now, v.zone), row.BasisReference) {
			return false
		}
	}
	return v.profile.Recipients == nil || !disclosed(c) || !row.Time.Before(v.profile.Recipients.Since(v.now, v.zone))
}

// see finishes an answer: it says for whom it is, and tells times no more
// exactly than they may be. Each answer about a person ends with it.
func (s *subject) see(answer any, shown *View) {
	*shown = s.shown
	if s.view.toTheDay() {
		coarsen(reflect.ValueOf(answer), s.view.zone)
	}
}

var timeType = reflect.TypeFor[time.Time]()

// coarsen makes every time in a value the midnight that its day begins with, but
// for the fields that are marked exact.
func coarsen(v reflect.Value, zone *time.Location) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			coarsen(v.Elem(), zone)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			coarsen(v.Index(i), zone)
		}
	case reflect.Struct:
		if v.Type() == timeType {
			if t := v.Interface().(time.Time); !t.IsZero() && v.CanSet() {
				y, m, d := t.In(zone).Date()
				v.Set(reflect.ValueOf(time.Date(y, m, d, 0, 0, 0, 0, zone)))
			}
			return
		}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Tag.Get("exact") == "" {
				coarsen(v.Field(i), zone)
			}
		}
	}
}
