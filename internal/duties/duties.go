// Package duties says what a controller has to do by when: data to be erased
// because their retention period is over, requests to be answered, use to be
// stopped after a consent was withdrawn, and agreements that are wanting; and
// where data were erased too early.
//
// It is pure: facts and acts of one person go in, duties come out, as of a
// moment that the caller names. Days are those of the controller's calendar.
package duties

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/verdict"
)

// Kind is what sort of duty it is.
type Kind string

// The kinds of duty, in the order in which they are told.
const (
	Erase       Kind = "erase"        // a retention period is over, or soon will be (GDPR Art. 5(1)(e))
	ErasedEarly Kind = "erased-early" // data were erased before their period was over
	Answer      Kind = "answer"       // a request of the person waits (GDPR Art. 12(3))
	Stop        Kind = "stop"         // data were used although the consent to it was withdrawn (GDPR Art. 7(3))
	Agreement   Kind = "agreement"    // a processor received data without the agreement that it needs (GDPR Art. 28(3))
)

// Kinds lists the kinds in order.
func Kinds() []Kind { return []Kind{Erase, ErasedEarly, Answer, Stop, Agreement} }

// State says how it stands with a duty.
type State string

// The states of a duty.
const (
	Due      State = "due"      // its last day is today or near
	Overdue  State = "overdue"  // its last day has passed
	Happened State = "happened" // it was broken, and is to be looked into
)

// Duty is one thing to be done, or that was done and should not have been.
type Duty struct {
	Kind    Kind
	State   State
	Rule    string             // of the register, or the article where it is the law's own
	About   string             // the request's type, the purpose, the recipient
	Person  identity.Pseudonym // zero for an agreement
	Since   event.Date         // the day that the period runs from: when it ended, was asked or withdrawn
	Due     event.Date         // the last day on which it is in time
	Outcome register.Outcome   // Violation: it is so; Review: it is so unless what is missing says otherwise
	Missing []string           // facts for want of which it is a review
	Count   uint64             // acts; 0 where it is about none
	Last    time.Time          // of these acts
	Acts    []Place            // an example
}

// Place is where an event stands in Kafka.
type Place struct {
	Topic     string
	Partition int32
	Offset    int64
}

// Learnt is a fact, and where and when it was learnt.
type Learnt struct {
	Fact event.Fact
	At   facts.Order
}

// Act is a processing event as duties need it, with the verdict that stands.
type Act struct {
	Place
	Time       time.Time
	Operation  event.Operation
	Purpose    string
	Categories []string
	Verdict    register.Outcome
	Rules      []string
}

// Person is what the trail has of one person, all linked pseudonyms together.
// The order of either list does not matter.
type Person struct {
	ID    identity.Pseudonym
	Facts []Learnt
	Acts  []Act
}

// Book works out the duties of one controller as of one moment. It is not safe
// for concurrent use.
type Book struct {
	Register *register.Register // that is in force at the moment

	at      time.Time
	today   event.Date
	within  int // days
	periods []*Period
	skipped []Untold

	store   *facts.Store
	v       verdict.Verdict
	key     []byte
	missing map[string][]string // facts that a rule's review wants, by what was known
}

// Untold is a retention period that no duty can be told by, and why.
type Untold struct {
	Rule   string
	Why    string
	Length string
}

// NewBook is the book of the controller of a register as of a moment: what is
// due within so many days of it is due.
func NewBook(r *register.Register, at time.Time, within int) *Book {
	b := &Book{Register: r, at: at, today: event.DateOf(at, r.Zone), within: max(within, 0), missing: make(map[string][]string)}
	for _, rule := range r.AllRules() {
		if !rule.Retention {
			continue
		}
		p, why := newPeriod(r, rule)
		if p == nil {
			b.skipped = append(b.skipped, Untold{rule.ID, why, rule.Period.Length})
			continue
		}
		b.periods = append(b.periods, p)
	}
	return b
}

// Untold lists the retention periods that no duty can be told by.
func (b *Book) Untold() []Untold { return slices.Clone(b.skipped) }

// Periods lists the retention periods that duties are told by.
func (b *Book) Periods() []*Period { return slices.Clone(b.periods) }

// storeFacts is how many facts are learnt before they are forgotten again: a
// new store costs more than a person's facts.
const storeFacts = 5000

// Of appends the duties towards a person to dst, by kind, rule and day. A book
// is asked about each person once.
func (b *Book) Of(dst []Duty, p *Person) []Duty {
	first := len(dst)
	if b.store == nil || b.store.Len() > storeFacts {
		b.store = facts.New()
	}
	store := b.store
	for i := range p.Facts {
		l := &p.Facts[i]
		if !l.Fact.ValidFrom.After(b.at) {
			store.Learn(b.Register.Controller.ID, []identity.Pseudonym{p.ID}, &l.Fact, l.At)
		}
	}
	recall := func(t time.Time) event.Facts {
		return store.AsOf(b.Register.Controller.ID, p.ID, "", "", t)
	}
	now := recall(b.at)
	dst = b.erase(dst, p, &now)
	dst = b.early(dst, p, recall)
	dst = b.requests(dst, p, &now)
	dst = b.stop(dst, p, recall)
	slices.SortStableFunc(dst[first:], func(a, b Duty) int {
		return cmp.Or(slices.Index(Kinds(), a.Kind)-slices.Index(Kinds(), b.Kind), strings.Compare(a.Rule, b.Rule), cmp.Compare(a.Due, b.Due), strings.Compare(a.About, b.About))
	})
	return dst
}

// state is how it stands with what is to be done by a day; none if that day is
// further off than is asked for.
func (b *Book) state(last event.Date) (State, bool) {
	switch left := b.today.DaysUntil(last); {
	case left < 0:
		return Overdue, true
	case left <= b.within:
		return Due, true
	default:
		return "", false
	}
}

// erase tells which data are held too long, or soon will be: a period has a
// last day, and since it began nothing of what it is about was erased.
func (b *Book) erase(dst []Duty, p *Person, now *event.Facts) []Duty {
	for _, period := range b.periods {
		if !period.Ceiling {
			continue
		}
		for _, start := range period.starts(p, now, b.at) {
			last := period.LastDay(start)
			state, near := b.state(last)
			if !near || b.erased(p, period, start) {
				continue
			}
			// Held on the day after the last, or today: what would the rule say?
			day := max(b.today, last+1)
			outcome, missing := b.held(period, now, start, day)
			if outcome < register.Review {
				continue
			}
			dst = append(dst, Duty{
				Kind: Erase, State: state, Rule: period.Rule.ID, About: period.Start.String(), Person: p.ID, Since: start, Due: last, Outcome: outcome, Missing: missing,
			})
		}
	}
	return dst
}

// erased says whether data that a period is about were erased since it began,
// and nothing was said to be kept after that.
func (b *Book) erased(p *Person, period *Period, start event.Date) bool {
	var erased, kept time.Time
	for i := range p.Acts {
		a := &p.Acts[i]
		if a.Operation != event.Erase && a.Operation != event.Retain || a.Time.After(b.at) || event.DateOf(a.Time, b.Register.Zone) < start || !period.about(b.Register, a) {
			continue
		}
		if a.Operation == event.Erase && a.Time.After(erased) {
			erased = a.Time
		} else if a.Operation == event.Retain && a.Time.After(kept) {
			kept = a.Time
		}
	}
	return !erased.IsZero() && !kept.After(erased)
}

// held is what a period's rule would say of data that are held on a day, all
// that is known now being true.
func (b *Book) held(period *Period, now *event.Facts, start, day event.Date) (register.Outcome, []string) {
	f := *now
	f.Set(period.Start, event.DayValue(start))
	ev := event.Event{Kind: event.Processing, Controller: b.Register.Controller.ID, Operation: event.Retain, Time: noon(day, b.Register.Zone)}
	for _, probe := range period.probes {
		ev.Purpose, ev.Categories = probe.purpose, probe.categories
		if outcome, missing := b.outcome(period, &ev, &f); outcome != register.NotApplicable {
			return outcome, missing
		}
	}
	return register.NotApplicable, nil
}

// outcome is what a period's rule makes of an event, and for want of which facts
// it is a review. The verdict names the rules whose own outcome it is; only what
// it does not tell is worked out in full, and for want of the same once.
func (b *Book) outcome(period *Period, ev *event.Event, f *event.Facts) (register.Outcome, []string) {
	b.v.Judge(b.Register, ev, f)
	decided := slices.Contains(b.v.Rules, period.Rule.ID)
	if decided && b.v.Outcome != register.Review {
		return b.v.Outcome, nil
	}
	key := b.key[:0]
	if decided {
		key = append(append(key, period.Rule.ID...), 0)
		for _, field := range period.reads {
			key = append(key, byte(f.Ref(field).State))
		}
		for _, known := range []bool{f.Consents.Known, f.Objections.Known, f.OptOuts.Known, f.Requests.Known} {
			key = append(key, map[bool]byte{true: 1}[known])
		}
		for _, name := range b.v.Unknown {
			key = append(append(key, name...), 0)
		}
		b.key = key
		if missing, again := b.missing[string(key)]; again {
			return register.Review, missing
		}
	}
	x := verdict.Explain(b.Register, ev, f)
	for i := range x.Rules {
		if x.Rules[i].ID != period.Rule.ID {
			continue
		}
		if decided {
			b.missing[string(key)] = x.Rules[i].Missing
		}
		return x.Rules[i].Outcome, x.Rules[i].Missing
	}
	return register.NotApplicable, nil
}

// noon is a moment of a day that is on no edge of it: clocks change at night.
func noon(day event.Date, zone *time.Location) time.Time {
	y, m, d := time.Unix(int64(day)*24*60*60, 0).UTC().Date()
	return time.Date(y, m, d, 12, 0, 0, 0, zone)
}

// early tells which data were erased although a period was still running: the
// standing verdict on the erasure says so.
func (b *Book) early(dst []Duty, p *Person, recall func(time.Time) event.Facts) []Duty {
	for i := range p.Acts {
		a := &p.Acts[i]
		if a.Operation != event.Erase || a.Verdict < register.Review || a.Time.After(b.at) {
			continue
		}
		for _, id := range a.Rules {
			rule, ok := b.Register.Rule(id)
			if !ok || !rule.Retention {
				continue
			}
			d := Duty{Kind: ErasedEarly, State: Happened, Rule: id, About: a.Purpose, Person: p.ID, Outcome: a.Verdict, Count: 1, Last: a.Time, Acts: []Place{a.Place}}
			d.Since = event.DateOf(a.Time, b.Register.Zone)
			d.Due = d.Since
			if at := slices.IndexFunc(b.periods, func(p *Period) bool { return p.Rule.ID == id && p.Floor }); at >= 0 {
				f := recall(a.Time)
				if v := f.Get(b.periods[at].Start); v.State == event.Known {
					d.Due = b.periods[at].FirstDay(v.Day)
				}
			}
			dst = append(dst, d)
		}
	}
	return dst
}

// The rules of the law itself.
const (
	ArticleRequests  = "GDPR Art. 12(3)"
	ArticleConsent   = "GDPR Art. 7(3)"
	ArticleAgreement = "GDPR Art. 28(3)"
)

// otherRequests are what a person may ask for that is no right under GDPR
// Art. 15 to 22: the law sets no day for them.
var otherRequests = []string{"instalment", "additional-contract", "offer"}

// requests tells which requests wait. One month counts by date, and its last
// day is the same day of the next month, or that month's last.
func (b *Book) requests(dst []Duty, p *Person, now *event.Facts) []Duty {
	for i := range now.Requests.Entries {
		r := &now.Requests.Entries[i]
		if r.Handled.State == event.Known && r.Handled.Bool || r.MadeAt.IsZero() || slices.Contains(otherRequests, r.Type) || r.Controller != "" && r.Controller != b.Register.Controller.ID {
			continue
		}
		made := event.DateOf(r.MadeAt, b.Register.Zone)
		last := made.AddMonths(1)
		state, near := b.state(last)
		if !near {
			continue
		}
		d := Duty{Kind: Answer, State: state, Rule: ArticleRequests, About: r.Type, Person: p.ID, Since: made, Due: last, Outcome: register.Violation}
		if r.Handled.State != event.Known {
			d.Outcome, d.Missing = register.Review, []string{"request.handled"}
		}
		dst = append(dst, d)
	}
	return dst
}

// stop tells for which purposes data were used after the consent to them was
// withdrawn: one duty a purpose, with how often.
func (b *Book) stop(dst []Duty, p *Person, recall func(time.Time) event.Facts) []Duty {
	byPurpose := make(map[string]int)
	for i := range p.Acts {
		a := &p.Acts[i]
		if a.Verdict != register.Violation || asked(a.Operation) || a.Time.After(b.at) {
			continue
		}
		f := recall(a.Time)
		withdrawn, stands := consentAt(&f, b.Register.Controller.ID, a.Purpose, a.Time)
		if stands || withdrawn.IsZero() {
			continue
		}
		at, again := byPurpose[a.Purpose]
		if !again {
			at = len(dst)
			byPurpose[a.Purpose] = at
			day := event.DateOf(withdrawn, b.Register.Zone)
			dst = append(dst, Duty{Kind: Stop, State: Overdue, Rule: ArticleConsent, About: a.Purpose, Person: p.ID, Since: day, Due: day, Outcome: register.Violation})
		}
		d := &dst[at]
		d.Count++
		if !a.Time.Before(d.Last) {
			d.Last, d.Acts = a.Time, []Place{a.Place}
			if len(a.Rules) > 0 {
				d.Rule = a.Rules[0]
			}
		}
	}
	return dst
}

// asked are the operations that a person may ask for.
func asked(op event.Operation) bool {
	return op == event.Erase || op == event.Rectify || op == event.Restrict
}

// consentAt is when consent to a purpose was withdrawn last by t, and whether
// one stands at t.
func consentAt(f *event.Facts, controller, purpose string, t time.Time) (withdrawn time.Time, stands bool) {
	for i := range f.Consents.Entries {
		c := &f.Consents.Entries[i]
		switch {
		case c.Purpose != purpose || c.Controller != "" && c.Controller != controller || c.GivenAt.After(t):
		case c.WithdrawnAt.IsZero() || c.WithdrawnAt.After(t):
			stands = true
		case c.WithdrawnAt.After(withdrawn):
			withdrawn = c.WithdrawnAt
		}
	}
	return withdrawn, stands
}
