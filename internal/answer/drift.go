package answer

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

// DriftRequest asks where what is done and what is declared part ways.
type DriftRequest struct {
	Controller string // "" = all
	From, To   string // days of the controller's calendar, both included, or RFC 3339 times; "" = open
}

// DriftAnswer is where what is done and what is declared part ways.
type DriftAnswer struct {
	Controllers  []Drift      `json:"controllers"`
	Completeness Completeness `json:"completeness"`
}

// Found says whether anything was seen that is not declared.
func (a *DriftAnswer) Found() bool {
	return slices.ContainsFunc(a.Controllers, func(d Drift) bool { return len(d.Undeclared) > 0 })
}

// Drift is that of one controller. Each event is held against the register that
// was in force at its time: what is declared only later was not declared then.
// An event counts once for each person it concerns; duplicates do not count.
type Drift struct {
	Controller Controller      `json:"controller"`
	Period     Period          `json:"period"`
	Registers  []RegisterInUse `json:"registers" doc:"In force in the period, oldest first."`
	Events     uint64          `json:"events" doc:"Events held against a register."`
	Before     uint64          `json:"before" doc:"Events of a time when no register was in force: held against none."`
	Undeclared []Seen          `json:"undeclared" doc:"Seen but not declared, by kind, most first."`
	Unseen     []Unseen        `json:"unseen" doc:"Declared by the newest of these registers, but not seen in the period."`
	Complete   bool            `json:"complete" doc:"False where data were used in too many ways to list them all."`
}

// RegisterInUse names a register.
type RegisterInUse struct {
	Version string    `json:"version"`
	Notice  string    `json:"notice"`
	From    time.Time `json:"from,omitzero" doc:"In force since; left out where the notice bears no date."`
}

// DriftKind is in which way something seen is not declared.
type DriftKind string

// The kinds of drift, in the order in which they are told.
const (
	UndeclaredPurpose      DriftKind = "purpose"
	UndeclaredRecipient    DriftKind = "recipient"
	RecipientNotStated     DriftKind = "recipient-not-stated"
	RecipientOtherPurpose  DriftKind = "recipient-for-another-purpose"
	UndeclaredCategory     DriftKind = "category"
	CategoryOutsidePurpose DriftKind = "category-outside-the-purpose"
	UndeclaredSource       DriftKind = "source"
)

var driftKinds = []DriftKind{
	UndeclaredPurpose, UndeclaredRecipient, RecipientNotStated, RecipientOtherPurpose, UndeclaredCategory, CategoryOutsidePurpose, UndeclaredSource,
}

// Seen is something that was seen and is not declared.
type Seen struct {
	Kind         DriftKind `json:"kind" enum:"purpose,recipient,recipient-not-stated,recipient-for-another-purpose,category,category-outside-the-purpose,source"`
	ID           string    `json:"id,omitempty" doc:"As the events say it."`
	Name         string    `json:"name"`
	Organisation string    `json:"organisation,omitempty"`
	Code         string    `json:"code,omitempty"`
	Country      string    `json:"country,omitempty"`
	Resembles    string    `json:"resembles,omitempty" doc:"The declared recipient of that name, which the events do not name by its id."`
	Purpose      *Named    `json:"purpose,omitempty" doc:"For which it was seen, where that is what is not declared."`
	List         string    `json:"list,omitempty" enum:"closed,open" doc:"Whether the notice's list is exhaustive: what is outside a closed one contradicts it."`
	Clauses      []string  `json:"clauses" doc:"Where the notice lists what is declared instead."`
	Count        uint64    `json:"count"`
	First        time.Time `json:"first"`
	Last         time.Time `json:"last"`
	Examples     []Place   `json:"examples" doc:"Where the first and the last of the events stand."`
}

// Unseen is something that is declared and was not seen.
type Unseen struct {
	Kind     DriftKind `json:"kind" enum:"purpose,recipient,category,source"`
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Clauses  []string  `json:"clauses"`
	LastSeen time.Time `json:"last_seen,omitzero" doc:"When it was seen last at all, be it outside the period; left out: never."`
}

const (
	driftExamples = 3 // places a kind of drift
	maxSeen       = 1000
)

// DriftOf answers where what is done and what is declared part ways.
func DriftOf(ctx context.Context, d Deps, req DriftRequest) (*DriftAnswer, error) {
	ids := d.Registers.Controllers()
	if req.Controller != "" {
		if _, err := d.controller(req.Controller, "/controller"); err != nil {
			return nil, err
		}
		ids = []string{req.Controller}
	}
	a := &DriftAnswer{Controllers: []Drift{}}
	for _, id := range ids {
		one, err := d.drift(ctx, id, req, func(*register.Register, *trail.Sighting) {})
		if err != nil {
			return nil, err
		}
		a.Controllers = append(a.Controllers, *one)
	}
	var err error
	a.Completeness, err = d.completeness(ctx)
	return a, err
}

// drift holds one controller's trail against its registers; each is told every
// sighting, with the register that was in force.
func (d *Deps) drift(ctx context.Context, id string, req DriftRequest, each func(*register.Register, *trail.Sighting)) (*Drift, error) {
	newest, err := d.controller(id, "/controller")
	if err != nil {
		return nil, err
	}
	period, err := parsePeriod(req.From, req.To, newest.Zone)
	if err != nil {
		return nil, err
	}
	w := &drifting{
		Deps: d, seen: make(map[driftKey]*Seen), met: newMet(), each: each,
		answer: Drift{Controller: Controller{id, newest.Controller.Name}, Period: period, Registers: []RegisterInUse{}, Undeclared: []Seen{}, Unseen: []Unseen{}, Complete: true},
	}
	for _, s := range spans(d.Registers, id, period.From, period.To) {
		if err := w.span(ctx, s); err != nil {
			return nil, err
		}
	}
	if err := w.examples(ctx); err != nil {
		return nil, err
	}
	if err := w.unseen(ctx); err != nil {
		return nil, err
	}
	w.list()
	return &w.answer, nil
}

// span is a time in which one register was in force; none if it is nil.
type span struct {
	register *register.Register
	declared *declared
	from, to time.Time // zero = open
}

// spans cuts a period where another register of the controller takes over.
func spans(set *register.Set, controller string, from, to time.Time) (all []span) {
	end := to
	for _, r := range set.All() { // latest first
		if r.Controller.ID != controller || !end.IsZero() && !r.From.IsZero() && !r.From.Before(end) {
			continue
		}
		s := span{r, newDeclared(r), r.From, end}
		if !from.IsZero() && !s.from.After(from) {
			s.from = from
			return slices.Insert(all, 0, s)
		}
		all = slices.Insert(all, 0, s)
		if r.From.IsZero() {
			return all
		}
		end = r.From
	}
	return slices.Insert(all, 0, span{from: from, to: end})
}

// driftKey tells what was seen apart.
type driftKey struct {
	kind                            DriftKind
	id, organisation, code, country string
	purpose                         string
}

// drifting is the answer on one controller in the making.
type drifting struct {
	*Deps
	answer Drift
	seen   map[driftKey]*Seen
	met    *met
	last   *register.Register // the newest that was in force in the period
	spans  []span
	each   func(*register.Register, *trail.Sighting)
}

// span holds what was seen in a span against its register.
func (w *drifting) span(ctx context.Context, s span) error {
	sightings, complete, err := w.Trail.Sightings(ctx, w.answer.Controller.ID, s.from, s.to)
	if err != nil {
		return err
	}
	w.answer.Complete = w.answer.Complete && complete
	if s.register == nil {
		for i := range sightings {
			w.answer.Before += sightings[i].Count
		}
		return nil
	}
	w.spans = append(w.spans, s)
	w.last = s.register
	w.answer.Registers = append(w.answer.Registers, RegisterInUse{s.register.Version, s.register.Notice.Title, s.register.From})
	var unnamed, collected extent
	for i := range sightings {
		x := &sightings[i]
		if _, _, asked := event.ParseQuestionPurpose(x.Purpose); asked && x.Operation == event.Access {
			continue // no register declares questions asked of the trail, nor need it
		}
		w.answer.Events += x.Count
		w.met.add(x)
		w.each(s.register, x)
		s.declared.judge(x, func(k driftKey) { w.add(s.register, k, x.Count, x.First, x.Last) })
		if x.Operation == collectOperation {
			collected.add(x.First, x.Last)
		}
		if x.Recipient == "" && (x.Organisation != "" || x.Operation.HandsOver()) {
			unnamed.add(x.First, x.Last)
		}
	}
	if unnamed.any {
		entities, err := w.Trail.Entities(ctx, w.answer.Controller.ID, unnamed.first, unnamed.end())
		if err != nil {
			return err
		}
		for i := range entities {
			e := &entities[i]
			w.add(s.register, entityDrift(e.Organisation, e.Code, e.Country), e.Count, e.First, e.Last)
		}
	}
	if collected.any {
		sources, err := w.Trail.Sources(ctx, w.answer.Controller.ID, collected.first, collected.end())
		if err != nil {
			return err
		}
		for i := range sources {
			c := &sources[i]
			w.met.sources.see(c.Source, c.Last)
			if k, drift := sourceDrift(s.register, c.Source); drift {
				w.add(s.register, k, c.Count, c.First, c.Last)
			}
		}
	}
	return nil
}

// extent is from when to when something was seen.
type extent struct {
	any         bool
	first, last time.Time
}

func (x *extent) add(first, last time.Time) {
	if !x.any || first.Before(x.first) {
		x.first = first
	}
	if !x.any || last.After(x.last) {
		x.last = last
	}
	x.any = true
}

// end is the moment after the last: times are of milliseconds.
func (x *extent) end() time.Time { return x.last.Add(time.Millisecond) }

func (w *drifting) add(r *register.Register, k driftKey, count uint64, first, last time.Time) {
	s := w.seen[k]
	if s == nil {
		s = &Seen{Kind: k.kind, ID: k.id, Organisation: k.organisation, Code: k.code, Country: k.country, First: first, Last: last, Examples: []Place{}}
		w.seen[k] = s
	}
	s.Count += count
	if first.Before(s.First) {
		s.First = first
	}
	if !last.Before(s.Last) {
		s.Last = last
	}
	s.describe(r, k)
}

// examples finds the places of the first and the last event of each.
func (w *drifting) examples(ctx context.Context) error {
	var times []time.Time
	for _, s := range w.seen {
		times = append(times, s.First, s.Last)
	}
	rows, err := w.Trail.EventsAt(ctx, w.answer.Controller.ID, times)
	if err != nil {
		return err
	}
	for i := range rows {
		row := &rows[i]
		at := slices.IndexFunc(w.spans, func(s span) bool {
			return !row.Time.Before(s.from) && (s.to.IsZero() || row.Time.Before(s.to))
		})
		if at < 0 {
			continue
		}
		rowDrift(w.spans[at].declared, row, func(k driftKey) {
			s := w.seen[k]
			place := Place{row.Topic, row.Partition, row.Offset}
			if s == nil || len(s.Examples) == driftExamples || slices.Contains(s.Examples, place) || !row.Time.Equal(s.First) && !row.Time.Equal(s.Last) {
				return
			}
			s.Examples = append(s.Examples, place)
		})
	}
	return nil
}

// rowDrift is what a single event has that is not declared.
func rowDrift(r *declared, row *trail.Row, add func(driftKey)) {
	x := trail.Sighting{
		Operation: row.Operation, Purpose: row.Purpose, Recipient: row.Recipient, Organisation: row.RecipientOrganisation, Categories: row.Categories,
	}
	r.judge(&x, add)
	if asked(x.Operation) {
		return
	}
	if x.Recipient == "" && (x.Organisation != "" || row.RecipientCode != "" || row.RecipientCountry != "" || x.Operation.HandsOver()) {
		add(entityDrift(x.Organisation, row.RecipientCode, row.RecipientCountry))
	}
	if k, drift := sourceDrift(r.Register, row.DataSource); drift && x.Operation == collectOperation {
		add(k)
	}
}

func (w *drifting) list() {
	for _, s := range w.seen {
		w.answer.Undeclared = append(w.answer.Undeclared, *s)
	}
	purpose := func(s *Seen) string {
		if s.Purpose == nil {
			return ""
		}
		return s.Purpose.ID
	}
	slices.SortFunc(w.answer.Undeclared, func(a, b Seen) int {
		return cmp.Or(slices.Index(driftKinds, a.Kind)-slices.Index(driftKinds, b.Kind), cmp.Compare(b.Count, a.Count), strings.Compare(a.ID, b.ID),
			strings.Compare(purpose(&a), purpose(&b)), strings.Compare(a.Organisation, b.Organisation), strings.Compare(a.Code, b.Code), strings.Compare(a.Country, b.Country))
	})
	if len(w.answer.Undeclared) > maxSeen {
		w.answer.Undeclared, w.answer.Complete = w.answer.Undeclared[:maxSeen], false
	}
}
