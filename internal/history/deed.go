package history

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
)

// deed is something that a system does with data, to whomever it may be.
type deed struct {
	from    string // system: "billing"
	op      event.Operation
	purpose string // of the register; with a slash, an id as it stands
	// categories are those touched; none = some of those the register lists for
	// the purpose, drawn anew each time.
	categories []string
	to         []event.Recipient // one of them; an ID is of the register, unless it has a slash
	dataSource string            // of the register
	agent      string            // role of the human who acts; "" = the system itself
	channel    string
	scheme     string // the person is named by; "" = customer-number
	reason     string
	records    uint64
	several    int // names up to so many persons
	states     func(f *event.Facts, m *moment)
}

// moment is when and with whom a deed is done or a fact is told.
type moment struct {
	c     *customer
	zone  *time.Location
	at    time.Time
	today event.Date      // the controller's date at that time
	first event.Date      // of the story's first day
	last  event.Date      // of the story's last day
	to    event.Recipient // of a deed
}

// morning is eight o'clock of the story's day n.
func (m *moment) morning(n int) time.Time {
	return clock(m.first+event.Date(n), 8*time.Hour, m.zone)
}

// clock is the instant at which the wall clock in zone shows that time of that
// day.
func clock(d event.Date, of time.Duration, zone *time.Location) time.Time {
	y, mon, day := time.Unix(int64(d)*24*60*60, 0).UTC().Date()
	return time.Date(y, mon, day, 0, 0, 0, int(of), zone).UTC().Truncate(time.Millisecond)
}

// work is a deed of one controller, ready to be done often.
type work struct {
	*deed
	source     string // URI
	typ        string
	purposeID  string
	dataSource string
	basis      string
	variants   []touched
	to         []event.Recipient
}

// touched is what an event touches. Events share these slices.
type touched struct {
	categories, fields []string
}

const variants = 8

// compile makes a deed ready. What it names must be in the register, unless it
// is planted.
func (b *book) compile(d *deed, planted bool, rng *rand.Rand) (*work, error) {
	w := &work{deed: d, source: b.source(d.from), purposeID: d.purpose}
	w.typ = (&event.Event{Kind: event.Processing, Operation: d.op}).TypeName()
	if !strings.Contains(d.purpose, "/") {
		w.purposeID = b.reg.FullID(d.purpose)
	}
	purpose, declared := b.reg.Purpose(w.purposeID)
	if !declared && !planted {
		return nil, fmt.Errorf("history: the register of %q has no purpose %q", b.id, d.purpose)
	}
	if declared && len(purpose.LegalBasis) > 0 {
		w.basis = purpose.LegalBasis[len(purpose.LegalBasis)-1]
	}
	if len(d.categories) > 0 {
		w.variants = []touched{touch(d.categories)}
	} else {
		if !declared || len(purpose.Covered) == 0 {
			return nil, fmt.Errorf("history: the register of %q lists no categories for %q", b.id, d.purpose)
		}
		for range variants {
			w.variants = append(w.variants, touch(some(purpose.Covered, rng)))
		}
	}
	for _, to := range d.to {
		if to.ID != "" && to.ID != event.DataSubject && !strings.Contains(to.ID, "/") {
			to.ID = b.reg.FullID(to.ID)
			entry, ok := b.reg.Recipient(to.ID)
			if !ok || !planted && !entry.Accepts(w.purposeID) {
				return nil, fmt.Errorf("history: the register of %q has no recipient %q for %q", b.id, to.ID, w.purposeID)
			}
		}
		w.to = append(w.to, to)
	}
	if d.dataSource != "" {
		if !slices.ContainsFunc(b.reg.Sources, func(s register.DataSource) bool { return s.ID == d.dataSource }) {
			return nil, fmt.Errorf("history: the register of %q has no source %q", b.id, d.dataSource)
		}
		w.dataSource = b.reg.FullID(d.dataSource)
	}
	return w, nil
}

// some draws two to five categories, in the register's order.
func some(of []string, rng *rand.Rand) []string {
	n := min(len(of), 2+rng.IntN(4))
	taken := rng.Perm(len(of))[:n]
	slices.Sort(taken)
	drawn := make([]string, n)
	for i, at := range taken {
		drawn[i] = of[at]
	}
	return drawn
}

// touch names the fields of the first categories as a system might.
func touch(categories []string) touched {
	t := touched{categories: categories}
	for _, c := range categories[:min(2, len(categories))] {
		t.fields = append(t.fields, strings.ReplaceAll(c, "-", "_"))
	}
	return t
}
