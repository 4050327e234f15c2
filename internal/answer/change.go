package answer

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/trail"
)

// Change says that a verdict was another before, and why it is not any more.
type Change struct {
	From        string    `json:"from" enum:"none,allowed,review,violation" doc:"Verdict before."`
	FromRules   []string  `json:"from_rules" doc:"Rules that it rested on."`
	FromVersion string    `json:"from_register_version,omitempty" doc:"Register version that it was given under."`
	FromAt      time.Time `json:"from_judged_at" doc:"When it was given."`
	To          string    `json:"to" enum:"none,allowed,review,violation" doc:"Verdict after."`
	Version     string    `json:"register_version,omitempty" doc:"Register version that the new verdict was given under."`
	At          time.Time `json:"judged_at" doc:"When the new verdict was given."`
	Times       int       `json:"times" doc:"How often the verdict has changed in all."`
	Because     string    `json:"because" doc:"Why, in words."`
	Cause       string    `json:"cause" doc:"Why: fact and its place, or register and its version."`
	Fact        *FactNote `json:"fact,omitempty" doc:"The fact that changed it."`
}

// FactNote names a fact.
type FactNote struct {
	Place
	Name      string    `json:"name"`
	ValidFrom time.Time `json:"valid_from"`
	Recorded  time.Time `json:"recorded" doc:"Timestamp of its Kafka record: when it came to be known."`
}

func judgedAt(r *trail.Row) trail.Judged {
	return trail.Judged{Partition: trail.Partition{Topic: r.Topic, Partition: r.Partition}, Offset: r.Offset, Index: r.PersonIndex}
}

// changes tells of those of a page of a person's events whose verdict is not
// the first one how it has come about.
func (d *Deps) changes(ctx context.Context, s *subject, rows []trail.Row) (map[trail.Judged]*Change, error) {
	var places []trail.Judged
	for i := range rows {
		if rows[i].Cause != "" {
			places = append(places, judgedAt(&rows[i]))
		}
	}
	if len(places) == 0 {
		return nil, nil
	}
	slices.SortFunc(places, func(a, b trail.Judged) int {
		return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition.Partition, b.Partition.Partition), cmp.Compare(a.Offset, b.Offset))
	})
	former, err := d.Trail.Former(ctx, s.query, places)
	if err != nil {
		return nil, err
	}
	all, err := d.history(ctx, former)
	if err != nil {
		return nil, err
	}
	last := make(map[trail.Judged]*Change, len(all))
	for at, list := range all {
		last[at] = list[len(list)-1]
	}
	return last, nil
}

// history reads the changes of each event and person out of all verdicts on
// them, which stand oldest first. A verdict given twice, which two processes
// may bring about, is no change.
func (d *Deps) history(ctx context.Context, verdicts []trail.Row) (map[trail.Judged][]*Change, error) {
	all := make(map[trail.Judged][]*Change)
	last := make(map[trail.Judged]*trail.Row)
	for i := range verdicts {
		now := &verdicts[i]
		at := judgedAt(now)
		was := last[at]
		last[at] = now
		if was == nil || sameVerdict(was, now) {
			continue
		}
		all[at] = append(all[at], &Change{
			From: verdictName(was.Verdict), FromRules: orEmpty(was.Rules), FromVersion: was.RegisterVersion, FromAt: was.JudgedAt,
			To: verdictName(now.Verdict), Version: now.RegisterVersion, At: now.JudgedAt, Times: len(all[at]) + 1, Cause: now.Cause,
		})
	}
	facts, err := d.factNotes(ctx, all)
	if err != nil {
		return nil, err
	}
	for _, list := range all {
		for _, c := range list {
			c.explain(facts)
		}
	}
	return all, nil
}

func sameVerdict(a, b *trail.Row) bool {
	return a.Verdict == b.Verdict && slices.Equal(a.Rules, b.Rules) && slices.Equal(a.Unknown, b.Unknown)
}

// factNotes reads the facts that changes name as their cause.
func (d *Deps) factNotes(ctx context.Context, changes map[trail.Judged][]*Change) (map[trail.Place]*FactNote, error) {
	var places []trail.Judged
	for _, list := range changes {
		for _, c := range list {
			if p, _ := trail.ParseCause(c.Cause); p != nil {
				places = append(places, trail.Judged{Partition: trail.Partition{Topic: p.Topic, Partition: p.Partition}, Offset: p.Offset})
			}
		}
	}
	if len(places) == 0 {
		return nil, nil
	}
	facts := make(map[trail.Place]*FactNote)
	for row, err := range d.Trail.Recorded(ctx, places) {
		if err != nil {
			return nil, err
		}
		if row.Operation == trail.OperationFact {
			facts[trail.Place{Topic: row.Topic, Partition: row.Partition, Offset: row.Offset}] = &FactNote{
				Place: Place{row.Topic, row.Partition, row.Offset}, Name: row.Fact, ValidFrom: row.FactValidFrom, Recorded: row.Recorded,
			}
		}
	}
	return facts, nil
}

// explain says why in words.
func (c *Change) explain(facts map[trail.Place]*FactNote) {
	place, version := trail.ParseCause(c.Cause)
	switch {
	case place != nil:
		c.Because = "a fact came to be known after the event was judged"
		if c.Fact = facts[*place]; c.Fact == nil {
			return
		}
		if c.Fact.Name == event.IdentityFact {
			c.Because = fmt.Sprintf("on %s it came to be known that this is the person of other identifiers, and what is known of these", c.Fact.Recorded.UTC().Format(time.DateOnly))
			return
		}
		c.Because = fmt.Sprintf("the fact %q, valid since %s, came to be known on %s",
			factName(c.Fact.Name), c.Fact.ValidFrom.UTC().Format(time.DateOnly), c.Fact.Recorded.UTC().Format(time.DateOnly))
	case version == "none":
		c.Because = "no register is in force any more for the time of the event"
	case version != "" && c.FromVersion == "":
		c.Because = fmt.Sprintf("register version %s is in force for the time of the event, where there was none", version)
	case version != "":
		c.Because = fmt.Sprintf("register version %s stands in the place of %s", version, c.FromVersion)
	default:
		c.Because = "all events of the controller were judged again"
	}
}
