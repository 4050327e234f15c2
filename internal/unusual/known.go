package unusual

import (
	"slices"
	"time"

	"github.com/andmerada/andmerada/internal/event"
)

// Act is one access to one person's record, with what was known of the person
// then.
type Act struct {
	Who
	Person   [16]byte // one pseudonym for all that are linked
	Time     time.Time
	Date     event.Date // in the controller's calendar
	Reasoned bool       // a reason is stated

	Known    *event.Facts // as of Time, of the person together with the actor
	Employee bool         // the record is another actor's own, as of Time
}

// ByFacts gathers the hits of rules on what is known of the person.
type ByFacts struct {
	rules []*Rule
	hits  map[byFactKey]*Hit
	last  map[byFactKey]event.Date
}

type byFactKey struct {
	rule   *Rule
	who    Who
	person [16]byte
}

// NewByFacts gathers for those of the rules that are on what is known.
func NewByFacts(rules []*Rule) *ByFacts {
	b := &ByFacts{hits: make(map[byFactKey]*Hit), last: make(map[byFactKey]event.Date)}
	for _, r := range rules {
		if r.ByFact() {
			b.rules = append(b.rules, r)
		}
	}
	return b
}

// Add looks at an act by the rules of some kinds. Acts come in order of time.
func (b *ByFacts) Add(a *Act, kinds ...Kind) {
	for _, r := range b.rules {
		if !slices.Contains(kinds, r.Kind) {
			continue
		}
		n, ok := r.matches(a)
		if !ok {
			continue
		}
		key := byFactKey{r, a.Who, a.Person}
		hit := b.hits[key]
		if hit == nil {
			hit = &Hit{Rule: r, Who: a.Who, Person: a.Person, Date: a.Date, First: a.Time, Numbers: n}
			b.hits[key] = hit
		}
		if last, seen := b.last[key]; !seen || last != a.Date {
			hit.Numbers.Days++
			b.last[key] = a.Date
		}
		hit.Events++
		hit.Last = a.Time
	}
}

// Hits are those found, in no order.
func (b *ByFacts) Hits() (all []Hit) {
	for _, hit := range b.hits {
		all = append(all, *hit)
	}
	return all
}

// matches says whether an act is what the rule is about.
func (r *Rule) matches(a *Act) (n Numbers, ok bool) {
	if r.UnlessReason && a.Reasoned {
		return n, false
	}
	relation := a.Known.Ref(event.ActorRelation)
	related := relation.State == event.Known
	switch r.Kind {
	case OwnRecord:
		return n, related && relation.Text == "self"
	case Relation:
		n.Relation = relation.Text
		return n, related && slices.Contains(r.Relations, relation.Text)
	case Colleague:
		own := related && relation.Text == "self"
		return n, related && relation.Text == "colleague" || a.Employee && !own
	case PublicEye:
		public := a.Known.Ref(event.PublicFigure)
		return n, public.State == event.Known && public.Bool
	case NoRelationship:
		return r.noRelationship(a)
	}
	return n, false
}

// noRelationship says whether nothing gives an occasion: what is stated of
// contract and relationship says that they have ended, and nothing is open.
func (r *Rule) noRelationship(a *Act) (n Numbers, ok bool) {
	stated, ended := false, false
	var end event.Date
	for _, field := range []event.Field{event.ContractEnd, event.RelationshipEnd} {
		switch v := a.Known.Ref(field); {
		case v.State == event.Null, v.State == event.Known && a.Date <= v.Day+event.Date(r.AfterDays):
			return n, false // it runs, or has only just ended
		case v.State == event.Known:
			stated, ended = true, true
			end = max(end, v.Day)
		case v.State == event.Unknown:
			return n, false // nobody can say
		}
	}
	switch v := a.Known.Ref(event.ContractInForce); {
	case v.State == event.Unknown, v.State == event.Known && v.Bool:
		return n, false
	case v.State == event.Known:
		stated = true
	}
	if !stated && !r.WhenUnknown || open(a.Known) {
		return n, false
	}
	if ended {
		n.Ended, n.EndedDays = end.String(), end.DaysUntil(a.Date)
	}
	return n, true
}

// open says whether the person has something open with the controller.
func open(f *event.Facts) bool {
	if v := f.Ref(event.DebtOrDispute); v.State == event.Known && v.Bool {
		return true
	}
	return slices.ContainsFunc(f.Requests.Entries, func(q event.Request) bool { return q.Handled.State != event.Known || !q.Handled.Bool })
}
