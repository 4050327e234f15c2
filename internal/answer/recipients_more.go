package answer

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

// Decision is profiling or automated decision-making about the person for one
// purpose (GDPR Art. 15(1)(h), 22).
type Decision struct {
	PurposeUse
	Operation string    `json:"operation" enum:"profile,decide"`
	First     time.Time `json:"first"`
	Last      time.Time `json:"last"`
	Factors   []Counted `json:"factors" doc:"Categories of data that it was made from."`
	Verdicts  Verdicts  `json:"verdicts"`
}

// SourceUse is where data of the person came from (GDPR Art. 15(1)(g)).
type SourceUse struct {
	ID         string    `json:"id,omitempty" doc:"Left out: events that collected data do not state where from."`
	Name       string    `json:"name"`
	Kind       string    `json:"kind,omitempty" doc:"Kind in the register."`
	Declared   bool      `json:"declared"`
	Clauses    []string  `json:"clauses"`
	Count      uint64    `json:"count" doc:"How often data of this person were collected from it in the period; 0: the register names it, and no event says so."`
	First      time.Time `json:"first,omitzero"`
	Last       time.Time `json:"last,omitzero"`
	Categories []Counted `json:"categories"`
}

// RetentionUse is for how long data of some purposes are kept (GDPR Art. 15(1)(d)).
type RetentionUse struct {
	ActivityRetention
	Purposes   []Named `json:"purposes" doc:"For which data of this person were used, and which the period is for."`
	Categories []Named `json:"categories" doc:"Which data the period is for; none: all."`
}

// CohortUse is a group of persons whose data were used together, the person's among
// them.
type CohortUse struct {
	ID         string    `json:"id" doc:"As the system that made it names it."`
	Size       uint64    `json:"size,omitempty" doc:"How many members it has, as the system states it."`
	Count      uint64    `json:"count" doc:"Events."`
	First      time.Time `json:"first"`
	Last       time.Time `json:"last"`
	Operations []Counted `json:"operations"`
	Recipients []string  `json:"recipients" doc:"Who received data of it."`
}

// Rights is to whom the person can turn.
type Rights struct {
	Contact   string `json:"contact,omitempty" doc:"Of the controller, or of its data protection officer: as the notice gives it."`
	Authority string `json:"authority,omitempty" doc:"Supervisory authority that the notice names (GDPR Art. 77)."`
}

func rightsOf(r *register.Register) Rights {
	return Rights{Contact: r.Controller.Contact, Authority: r.Controller.Authority}
}

// ThirdCountry is what is known of a recipient outside the European Economic Area
// (GDPR Art. 15(2), chapter V).
type ThirdCountry struct {
	Countries  []string  `json:"countries" doc:"Which of its countries are outside the EEA."`
	Geography  string    `json:"geography,omitempty" doc:"What the notice says of where it is."`
	Conditions []string  `json:"conditions" doc:"What the notice says of safeguards."`
	Stated     []Counted `json:"stated" doc:"Safeguards that the newest events themselves state: adequacy, scc, bcr, other-legal or none. Empty: they state none."`
}

// tally is how often, and when.
type tally struct {
	count       uint64
	first, last time.Time
	categories  map[string]uint64
}

func (t *tally) add(u *trail.Use) {
	if t.count == 0 || u.First.Before(t.first) {
		t.first = u.First
	}
	if u.Last.After(t.last) {
		t.last = u.Last
	}
	t.count += u.Count
	if t.categories == nil {
		t.categories = make(map[string]uint64)
	}
	sumInto(t.categories, u.Categories)
}

// more sums up what Art. 15(1) wants beside the recipients. r is the register in
// force at the end of what the answer is about.
func (a *RecipientsAnswer) more(n *names, r *register.Register, uses []trail.Use) {
	a.Rights = rightsOf(r)
	var standing []*trail.Use
	for i := range uses {
		if !uses[i].Duplicate {
			standing = append(standing, &uses[i])
		}
	}
	a.decisions(n, standing)
	a.sources(n, r, standing)
	a.retention(n, standing)
	a.cohorts(n, standing)
}

func (a *RecipientsAnswer) decisions(n *names, uses []*trail.Use) {
	groups := make(map[[2]string]*group)
	for _, u := range uses {
		if u.Operation != event.Profile.String() && u.Operation != event.Decide.String() {
			continue
		}
		key := [2]string{u.Purpose, u.Operation}
		if groups[key] == nil {
			groups[key] = newGroup(n)
		}
		groups[key].add(u)
	}
	a.Decisions = []Decision{}
	for key, g := range groups {
		s := g.summary()
		a.Decisions = append(a.Decisions, Decision{PurposeUse: s.Purposes[0], Operation: key[1], First: s.First, Last: s.Last, Factors: s.Categories, Verdicts: s.Verdicts})
	}
	slices.SortFunc(a.Decisions, func(x, y Decision) int {
		return cmp.Or(cmp.Compare(y.Count, x.Count), strings.Compare(x.ID, y.ID), strings.Compare(x.Operation, y.Operation))
	})
}

func (a *RecipientsAnswer) sources(n *names, r *register.Register, uses []*trail.Use) {
	seen := make(map[string]*tally)
	version := make(map[string]*trail.Use) // the newest use, whose register names it
	for _, u := range uses {
		if u.Operation != event.Collect.String() {
			continue
		}
		if seen[u.DataSource] == nil {
			seen[u.DataSource] = new(tally)
		}
		seen[u.DataSource].add(u)
		if was := version[u.DataSource]; was == nil || u.Last.After(was.Last) {
			version[u.DataSource] = u
		}
	}
	a.Sources = []SourceUse{}
	for _, id := range slices.Sorted(maps.Keys(seen)) {
		t, at := seen[id], version[id].RegisterVersion
		s := SourceUse{ID: id, Name: cmp.Or(id, "not stated"), Clauses: []string{}, Count: t.count, First: t.first, Last: t.last}
		s.Categories = counted(t.categories, func(c string) string { return n.category(at, c) })
		for _, reg := range []*register.Register{n.register(at), r} {
			if reg != nil && !s.Declared {
				s.declare(reg)
			}
		}
		a.Sources = append(a.Sources, s)
	}
	slices.SortStableFunc(a.Sources, func(x, y SourceUse) int { return cmp.Compare(y.Count, x.Count) })
	for i := range r.Sources {
		if id := r.FullID(r.Sources[i].ID); seen[id] == nil {
			s := SourceUse{ID: id, Categories: []Counted{}}
			s.declare(r)
			a.Sources = append(a.Sources, s)
		}
	}
}

// declare fills in what a register says of the source.
func (s *SourceUse) declare(r *register.Register) {
	for i := range r.Sources {
		if d := &r.Sources[i]; r.FullID(d.ID) == s.ID {
			s.Name, s.Kind, s.Declared, s.Clauses = d.Name.In(language), d.Kind, true, orEmpty(d.Clauses)
		}
	}
}

// retention lists the periods of the registers by which the person's events were
// judged last, for the purposes that they had.
func (a *RecipientsAnswer) retention(n *names, uses []*trail.Use) {
	newest := make(map[string]*trail.Use)
	for _, u := range uses {
		if was := newest[u.Purpose]; was == nil || u.Last.After(was.Last) {
			newest[u.Purpose] = u
		}
	}
	a.Retention = []RetentionUse{}
	at := make(map[[2]string]int)
	for _, id := range slices.Sorted(maps.Keys(newest)) {
		r := n.register(newest[id].RegisterVersion)
		if r == nil {
			continue
		}
		p, ok := r.Purpose(id)
		if !ok {
			continue
		}
		for _, one := range retentionOf(r, p) {
			key := [2]string{r.Version, one.ID}
			i, there := at[key]
			if !there {
				i = len(a.Retention)
				at[key] = i
				a.Retention = append(a.Retention, RetentionUse{ActivityRetention: one, Purposes: []Named{}, Categories: retained(r, one.ID)})
			}
			a.Retention[i].Purposes = append(a.Retention[i].Purposes, Named{id, p.Name.In(language)})
		}
	}
}

// retained are the categories that a retention period names, its lists taken apart.
func retained(r *register.Register, id string) []Named {
	all := []Named{}
	for i := range r.Retention {
		if r.Retention[i].ID != id {
			continue
		}
		for _, c := range r.Retention[i].Applies.Categories {
			ids := []string{c}
			if list, is := strings.CutPrefix(c, "@"); is {
				ids = nil
				for j := range r.CategoryLists {
					if r.CategoryLists[j].ID == list {
						ids = r.CategoryLists[j].Categories
					}
				}
			}
			for _, c := range ids {
				all = append(all, Named{c, r.CategoryName(c, language)})
			}
		}
	}
	return all
}

func (a *RecipientsAnswer) cohorts(n *names, uses []*trail.Use) {
	type cohort struct {
		tally
		size       uint64
		operations map[string]uint64
		recipients []string
	}
	groups := make(map[string]*cohort)
	for _, u := range uses {
		if !u.Cohort {
			continue
		}
		c := groups[u.CohortID]
		if c == nil {
			c = &cohort{operations: make(map[string]uint64), recipients: []string{}}
			groups[u.CohortID] = c
		}
		c.add(u)
		c.size = max(c.size, u.CohortSize)
		c.operations[u.Operation] += u.Count
		if key := entityKey(n, u); key != keyInternal && key != keyPerson {
			g := newGroup(n)
			g.add(u)
			if r := g.recipient(); !slices.Contains(c.recipients, r.Name) {
				c.recipients = append(c.recipients, r.Name)
			}
		}
	}
	a.Cohorts = []CohortUse{}
	for _, id := range slices.Sorted(maps.Keys(groups)) {
		c := groups[id]
		slices.Sort(c.recipients)
		a.Cohorts = append(a.Cohorts, CohortUse{ID: id, Size: c.size, Count: c.count, First: c.first, Last: c.last, Recipients: c.recipients, Operations: counted(c.operations, func(op string) string { return op })})
	}
}

// thirdCountries says of recipients outside the EEA what is known of safeguards.
// Only where there are any is the trail asked what their events state.
func (d *Deps) thirdCountries(ctx context.Context, s *subject, a *RecipientsAnswer, uses []trail.Use) error {
	byKey := make(map[string]*ThirdCountry)
	for i := range a.Recipients {
		r := &a.Recipients[i]
		t := &ThirdCountry{Countries: []string{}, Conditions: []string{}, Stated: []Counted{}}
		for _, c := range r.Countries {
			if !slices.Contains(eea, c) {
				t.Countries = append(t.Countries, c)
			}
		}
		if len(t.Countries) == 0 {
			continue
		}
		if reg := s.names.register(r.version); reg != nil {
			if e, ok := reg.Recipient(r.ID); ok {
				t.Geography, t.Conditions = e.Geography, orEmpty(e.Conditions)
			}
		}
		r.ThirdCountry = t
		byKey[r.key] = t
	}
	if len(byKey) == 0 {
		return nil
	}
	var asked []*trail.Use
	for i := range uses {
		if u := &uses[i]; !u.Duplicate && byKey[entityKey(s.names, u)] != nil {
			asked = append(asked, u)
		}
	}
	rows, err := d.Trail.Stated(ctx, s.query, asked)
	if err != nil {
		return err
	}
	counts := make(map[string]map[string]uint64)
	var errs []error
	for i := range rows {
		row := &rows[i]
		stated, err := event.DecodeFacts([]byte(row.Statements))
		errs = append(errs, err)
		value := stated.Get(event.TransferSafeguards)
		if value.State != event.Known {
			continue
		}
		key := entityKey(s.names, &trail.Use{
			Recipient: row.Recipient, Organisation: row.RecipientOrganisation, Code: row.RecipientCode, Country: row.RecipientCountry,
			Operation: operationName(row.Operation), RegisterVersion: row.RegisterVersion,
		})
		if counts[key] == nil {
			counts[key] = make(map[string]uint64)
		}
		counts[key][value.Text]++
	}
	for key, t := range byKey {
		t.Stated = counted(counts[key], safeguardName)
	}
	return errors.Join(errs...)
}

// safeguards are those of chapter V in plain words.
var safeguards = map[string]string{
	"adequacy": "adequacy decision (Art. 45)", "scc": "standard contractual clauses (Art. 46(2)(c))", "bcr": "binding corporate rules (Art. 47)",
	"other-legal": "another safeguard that the law knows", "none": "none",
}

func safeguardName(id string) string { return cmp.Or(safeguards[id], id) }
