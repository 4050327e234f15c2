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

const collectOperation = event.Collect

// asked are the operations that a person may ask for: no purpose, recipient or
// category of the notice bears on them.
func asked(op event.Operation) bool {
	return op == event.Erase || op == event.Rectify || op == event.Restrict
}

// judge tells what of a sighting the register does not declare. What
// the sighting cannot say is left to [entityDrift] and [sourceDrift].
func (r *declared) judge(x *trail.Sighting, add func(driftKey)) {
	if asked(x.Operation) {
		return
	}
	p, purposeDeclared := r.Purpose(x.Purpose)
	if !purposeDeclared {
		add(driftKey{kind: UndeclaredPurpose, id: x.Purpose})
	}
	if x.Recipient != "" && x.Recipient != event.DataSubject {
		switch e, declared := r.Recipient(x.Recipient); {
		case !declared:
			add(driftKey{kind: UndeclaredRecipient, id: x.Recipient})
		case purposeDeclared && !e.Accepts(x.Purpose):
			add(driftKey{kind: RecipientOtherPurpose, id: x.Recipient, purpose: x.Purpose})
		}
	}
	for _, c := range x.Categories {
		if !r.category(c) {
			add(driftKey{kind: UndeclaredCategory, id: c})
		} else if purposeDeclared && r.outside(p, c) {
			add(driftKey{kind: CategoryOutsidePurpose, id: c, purpose: x.Purpose})
		}
	}
}

// classGroup marks classes of data ("accounting data"), which are outside no list.
const classGroup = "class"

// declared is a register, and what was asked of it before.
type declared struct {
	*register.Register
	named      []string // categories that the notice names as such
	categories map[string]bool
	uncovered  map[[2]string]bool
}

func newDeclared(r *register.Register) *declared {
	d := &declared{Register: r, categories: make(map[string]bool), uncovered: make(map[[2]string]bool)}
	for i := range r.Categories {
		d.named = append(d.named, r.Categories[i].ID)
	}
	for i := range r.Sources {
		d.named = append(d.named, r.Sources[i].Categories...)
	}
	return d
}

// category says whether the notice names a category anywhere, or one that it is
// a part of.
func (r *declared) category(id string) bool {
	known, asked := r.categories[id]
	if !asked {
		c, ok := r.Vocab.Category(id)
		known = ok && c.Group == classGroup || r.Vocab.Contains(r.named, id)
		for i := 0; i < len(r.Purposes) && !known; i++ {
			p, ok := r.Purpose(r.FullID(r.Purposes[i].ID))
			known = ok && !r.outside(p, id)
		}
		r.categories[id] = known
	}
	return known
}

// outside says whether a category is outside the purpose's lists.
func (r *declared) outside(p *register.Purpose, category string) bool {
	key := [2]string{p.FullID, category}
	out, asked := r.uncovered[key]
	if !asked {
		out = len(r.Uncovered(nil, p, []string{category})) > 0
		r.uncovered[key] = out
	}
	return out
}

// entityDrift is a recipient that is named otherwise than by an id of the
// register: none is declared in that way.
func entityDrift(organisation, code, country string) driftKey {
	k := driftKey{kind: UndeclaredRecipient, organisation: organisation, code: code, country: country}
	if organisation == "" && code == "" {
		k.kind = RecipientNotStated
	}
	return k
}

// sourceDrift says whether the register does not declare a source of data.
// Where none is stated nothing can be said.
func sourceDrift(r *register.Register, id string) (driftKey, bool) {
	_, declared := sourceNamed(r, id)
	return driftKey{kind: UndeclaredSource, id: id}, id != "" && !declared
}

// sourceNamed finds a source by its id, in full or, as is allowed of the person
// itself, without the controller.
func sourceNamed(r *register.Register, id string) (*register.DataSource, bool) {
	for i := range r.Sources {
		if s := &r.Sources[i]; r.FullID(s.ID) == id || s.ID == id && id == event.DataSubject {
			return s, true
		}
	}
	return nil, false
}

// describe says what was seen in the words of the register that was in force
// when it was seen last.
func (s *Seen) describe(r *register.Register, k driftKey) {
	s.Name, s.Clauses, s.List = k.id, []string{}, ""
	p, _ := r.Purpose(k.purpose)
	if p != nil {
		s.Purpose = &Named{k.purpose, p.Name.In(language)}
	}
	switch k.kind {
	case UndeclaredPurpose:
		s.Name, s.List = cmp.Or(k.id, "no purpose stated"), r.Lists.Purposes
	case UndeclaredRecipient:
		s.List = r.Lists.Recipients
		if k.id == "" {
			s.Name = cmp.Or(k.organisation, k.code)
			s.Resembles = resembles(r, k.organisation)
		}
	case RecipientNotStated:
		s.Name = "recipient not stated"
		if k.country != "" {
			s.Name += ", in " + k.country
		}
	case RecipientOtherPurpose:
		s.List = r.Lists.Recipients
		if e, ok := r.Recipient(k.id); ok {
			s.Name, s.Clauses = e.Name.In(language), orEmpty(e.Clauses)
		}
	case UndeclaredCategory:
		s.Name = r.CategoryName(k.id, language)
	case CategoryOutsidePurpose:
		s.Name, s.List = r.CategoryName(k.id, language), "closed"
		if p != nil {
			s.Clauses = orEmpty(p.Clauses)
			if p.OpenEnded || slices.Contains(p.CatchAllTakes, k.id) {
				s.List = "open"
			}
		}
	}
}

// resembles is the id of the declared recipient that has an organisation's name.
func resembles(r *register.Register, organisation string) string {
	for i := range r.Recipients {
		for _, name := range r.Recipients[i].Name {
			if strings.EqualFold(name, organisation) {
				return r.FullID(r.Recipients[i].ID)
			}
		}
	}
	return ""
}

// lastSeen is when each of some ids was seen last.
type lastSeen map[string]time.Time

func (l lastSeen) see(id string, t time.Time) {
	if l[id].Before(t) {
		l[id] = t
	}
}

// met is what was seen, by id: declared or not.
type met struct{ purposes, recipients, categories, sources lastSeen }

func newMet() *met { return &met{make(lastSeen), make(lastSeen), make(lastSeen), make(lastSeen)} }

func (m *met) add(x *trail.Sighting) {
	m.purposes.see(x.Purpose, x.Last)
	m.recipients.see(x.Recipient, x.Last)
	for _, c := range x.Categories {
		m.categories.see(c, x.Last)
	}
}

// unseen lists what the newest register of the period declares and the period
// does not show.
func (w *drifting) unseen(ctx context.Context) error {
	r := w.last
	if r == nil {
		return nil
	}
	w.answer.Unseen = notSeen(r, w.met)
	if len(w.answer.Unseen) == 0 || w.answer.Period.From.IsZero() && w.answer.Period.To.IsZero() {
		return nil
	}
	// When was it seen at all?
	ever := newMet()
	all, complete, err := w.Trail.Sightings(ctx, w.answer.Controller.ID, time.Time{}, time.Time{})
	if err != nil {
		return err
	}
	w.answer.Complete = w.answer.Complete && complete
	var collected extent
	for i := range all {
		ever.add(&all[i])
		if all[i].Operation == collectOperation {
			collected.add(all[i].First, all[i].Last)
		}
	}
	if collected.any && slices.ContainsFunc(w.answer.Unseen, func(u Unseen) bool { return u.Kind == UndeclaredSource }) {
		sources, err := w.Trail.Sources(ctx, w.answer.Controller.ID, collected.first, collected.end())
		if err != nil {
			return err
		}
		for i := range sources {
			ever.sources.see(sources[i].Source, sources[i].Last)
		}
	}
	for i := range w.answer.Unseen {
		u := &w.answer.Unseen[i]
		switch u.Kind {
		case UndeclaredPurpose:
			u.LastSeen = ever.purposes[u.ID]
		case UndeclaredRecipient:
			u.LastSeen = ever.recipients[u.ID]
		case UndeclaredCategory:
			u.LastSeen = ever.category(r, u.ID)
		case UndeclaredSource:
			u.LastSeen = ever.source(u.ID)
		}
	}
	return nil
}

// category is when a category, or a part of it, was seen last.
func (m *met) category(r *register.Register, id string) (last time.Time) {
	for c, t := range m.categories {
		if t.After(last) && r.Vocab.Contains([]string{id}, c) {
			last = t
		}
	}
	return last
}

// source is when data came from a source last.
func (m *met) source(id string) time.Time {
	last := m.sources[id]
	if strings.HasSuffix(id, "/"+event.DataSubject) && m.sources[event.DataSubject].After(last) {
		last = m.sources[event.DataSubject]
	}
	return last
}

// notSeen lists what a register declares and nothing shows.
func notSeen(r *register.Register, m *met) []Unseen {
	all := []Unseen{}
	for i := range r.Purposes {
		p := &r.Purposes[i]
		if id := r.FullID(p.ID); m.purposes[id].IsZero() {
			all = append(all, Unseen{UndeclaredPurpose, id, p.Name.In(language), orEmpty(p.Clauses), time.Time{}})
		}
	}
	for i := range r.Recipients {
		e := &r.Recipients[i]
		if id := r.FullID(e.ID); m.recipients[id].IsZero() {
			all = append(all, Unseen{UndeclaredRecipient, id, e.Name.In(language), orEmpty(e.Clauses), time.Time{}})
		}
	}
	for i := range r.Categories {
		c := &r.Categories[i]
		if v, ok := r.Vocab.Category(c.ID); ok && v.Group == classGroup { // a word for others: events name these
			continue
		}
		if m.category(r, c.ID).IsZero() {
			all = append(all, Unseen{UndeclaredCategory, c.ID, r.CategoryName(c.ID, language), orEmpty(c.Clauses), time.Time{}})
		}
	}
	for i := range r.Sources {
		s := &r.Sources[i]
		if id := r.FullID(s.ID); m.source(id).IsZero() {
			all = append(all, Unseen{UndeclaredSource, id, s.Name.In(language), orEmpty(s.Clauses), time.Time{}})
		}
	}
	return all
}
