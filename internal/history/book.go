package history

import (
	"fmt"
	"math/rand/v2"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
)

// plans is what is to be told of one controller.
type plans struct {
	controller string
	host       string // of its systems' URIs
	share      float64
	number     string   // form of a customer number
	facts      string   // system that tells facts of persons
	consents   []string // purposes that everyday clients consent to
	invoice    deed
	everyday   []everyday
	stories    []story
	standing   []standing
	cohorts    []standingCohort
}

// everyday is a deed that is done over and over.
type everyday struct {
	deed
	weight int
	when   rhythm
	// consent: only to persons who have consented to the purpose.
	consent bool
	elering bool // only to persons who have given access at Elering
}

// rhythm is at what time of day something is done.
type rhythm uint8

const (
	office rhythm = iota // working hours, seldom at weekends
	night                // batches, from 00:30 to 05:30: among them the hour that summer time skips and repeats
	waking               // what persons do themselves
	rhythms
)

// standing is a fact about an employee or a recipient that holds throughout.
type standing struct {
	name, about string // about: a recipient of the register; "" = each employee
	value       func(f *event.Facts, m *moment)
}

// standingCohort is a bulk transfer every month.
type standingCohort struct {
	name string
	deed
	share float64 // of the clients
}

// story is what befalls one person. Its last step is the planted one, where
// it has a verdict other than allowed, or is near one.
type story struct {
	kind  string
	why   string
	steps []step
	// For everyday lives.
	share float64 // of the persons
	ends  bool    // the client leaves on the story's first day
	// For what is planted.
	verdict register.Outcome // 0 = nothing is planted
	rules   []string         // that decide it
	former  bool             // of a client who left before the history begins
	mixes   bool             // everyday events do no harm to it, nor it to them
	cohort  int              // the planted deed concerns so many persons
	spring  bool             // the change to summer time lies within the story
}

// step is one thing in a story: a fact that is told, or a deed.
type step struct {
	day   int // of the story
	tell  string
	value func(f *event.Facts, m *moment)
	do    *deed
}

// everLong is the day of a step long before the story.
const everLong = -10_000

// book is all that there is to one controller.
type book struct {
	*plans
	id        string
	reg       *register.Register
	customers []*customer
	victims   []*customer // of stories to come, in an order left to chance

	works   map[*deed]*work
	rhythm  [rhythms][]*everyday
	weights [rhythms]int
}

func newBook(p *plans, reg *register.Register, rng *rand.Rand) (*book, error) {
	b := &book{plans: p, id: p.controller, reg: reg, works: make(map[*deed]*work)}
	add := func(d *deed, planted bool) error {
		if b.works[d] != nil {
			return nil
		}
		w, err := b.compile(d, planted, rng)
		b.works[d] = w
		return err
	}
	if err := add(&p.invoice, false); err != nil {
		return nil, err
	}
	for i := range p.everyday {
		e := &p.everyday[i]
		if err := add(&e.deed, false); err != nil {
			return nil, err
		}
		b.rhythm[e.when] = append(b.rhythm[e.when], e)
		b.weights[e.when] += e.weight
	}
	if p.controller == elektrumID {
		if err := add(&lookUp, false); err != nil {
			return nil, err
		}
	}
	for i := range p.cohorts {
		if err := add(&p.cohorts[i].deed, false); err != nil {
			return nil, err
		}
	}
	for i := range p.stories {
		s := &p.stories[i]
		for j := range s.steps {
			if d := s.steps[j].do; d != nil {
				if err := add(d, s.verdict > register.Allowed && j == len(s.steps)-1); err != nil {
					return nil, fmt.Errorf("%w (in the story %q)", err, s.kind)
				}
			}
		}
		for _, id := range s.rules {
			if _, ok := reg.Rule(id); !ok && id[0] != 'X' {
				return nil, fmt.Errorf("history: the register of %q has no rule %q", b.id, id)
			}
		}
	}
	return b, nil
}

func (b *book) source(system string) string { return "//" + b.host + "/" + system }
