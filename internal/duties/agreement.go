package duties

import (
	"slices"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/register"
)

// Received is how often a recipient received data in a time.
type Received struct {
	Recipient   string // id in the register
	Count       uint64
	First, Last time.Time
}

// processorKinds are the kinds of recipient that act for the controller.
var processorKinds = []string{"processor", "sub-processor"}

// wanted are what an agreement with a processor must have (GDPR Art. 28(3)).
var wanted = []event.Field{event.ProcessorContract, event.ProcessorConfidentiality}

// Spans cuts the time up to the book's moment where something new is said of a
// processor's agreement, oldest first; the first has no beginning.
func (b *Book) Spans(said []Learnt) (edges []time.Time) {
	edges = []time.Time{{}}
	for i := range said {
		if t := said[i].Fact.ValidFrom; t.Before(b.at) {
			edges = append(edges, t)
		}
	}
	slices.SortFunc(edges, time.Time.Compare)
	return append(slices.CompactFunc(edges, time.Time.Equal), b.at)
}

// Agreements appends to dst the agreements that are wanting: of processors of
// the register that received data while there was no contract with them or no
// secrecy, or nothing is known of it. received says who received data between
// two of the moments of Spans, the later not included.
func (b *Book) Agreements(dst []Duty, said []Learnt, received func(from, to time.Time) ([]Received, error)) ([]Duty, error) {
	store := facts.New()
	for i := range said {
		store.Learn(b.Register.Controller.ID, nil, &said[i].Fact, said[i].At)
	}
	type key struct {
		recipient string
		outcome   register.Outcome
	}
	found := make(map[key]int)
	edges := b.Spans(said)
	for i, from := range edges[:len(edges)-1] {
		all, err := received(from, edges[i+1])
		if err != nil {
			return nil, err
		}
		for _, r := range all {
			e, ok := b.Register.Recipient(r.Recipient)
			if !ok || !slices.Contains(processorKinds, e.Kind) {
				continue
			}
			f := store.AsOf(b.Register.Controller.ID, identity.Pseudonym{}, "", r.Recipient, r.First)
			outcome, missing := agreement(&f)
			if outcome < register.Review {
				continue
			}
			at, again := found[key{r.Recipient, outcome}]
			if !again {
				at = len(dst)
				found[key{r.Recipient, outcome}] = at
				since := event.DateOf(r.First, b.Register.Zone)
				dst = append(dst, Duty{Kind: Agreement, State: Happened, Rule: b.agreementRule(), About: r.Recipient, Since: since, Due: since, Outcome: outcome})
			}
			d := &dst[at]
			d.Count += r.Count
			if d.Last.Before(r.Last) {
				d.Last = r.Last
			}
			for _, m := range missing {
				if !slices.Contains(d.Missing, m) {
					d.Missing = append(d.Missing, m)
				}
			}
			now := store.AsOf(b.Register.Controller.ID, identity.Pseudonym{}, "", r.Recipient, b.at)
			if still, _ := agreement(&now); still >= register.Review {
				d.State = Overdue
			}
		}
	}
	return dst, nil
}

// agreement says how it stands with an agreement, and what it wants.
func agreement(f *event.Facts) (outcome register.Outcome, missing []string) {
	outcome = register.Allowed
	for _, field := range wanted {
		switch v := f.Get(field); {
		case v.State == event.Known && v.Bool:
			continue
		case v.State == event.Known:
			outcome = register.Violation
		default:
			outcome = max(outcome, register.Review)
		}
		missing = append(missing, field.String())
	}
	return outcome, missing
}

// agreementRule is the register's own rule on agreements, or else the law's.
func (b *Book) agreementRule() string {
	for _, rule := range b.Register.AllRules() {
		if !rule.Retention && slices.ContainsFunc(wanted, func(f event.Field) bool { return names(rule, f) }) {
			return rule.ID
		}
	}
	return ArticleAgreement
}
