package answer

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/andmerada/andmerada/internal/trail"
)

// maxLimits is how many of each thing that limits an answer are named.
const maxLimits = 20

// Limits is what stands against taking the trail of a period for whole.
type Limits struct {
	Gaps        []LostRange `json:"gaps" doc:"Records that were gone before they could be read, and may have held an event of the period, newest first."`
	MoreGaps    bool        `json:"more_gaps" doc:"There are more gaps than are named."`
	Quarantined uint64      `json:"quarantined" doc:"Records, of any controller, that came in the period and could not be understood."`
	Unread      []Unread    `json:"unread" doc:"These, by partition and reason, most first."`
	MoreUnread  bool        `json:"more_unread" doc:"There are more sorts of them than are named."`
	Systems     *Systems    `json:"systems,omitempty" doc:"When each system was heard last. Left out where it was not asked for."`
}

// LostRange is a run of offsets whose records were gone before they could be read.
type LostRange struct {
	Topic     string    `json:"topic"`
	Partition int32     `json:"partition"`
	First     int64     `json:"first" doc:"First offset."`
	Last      int64     `json:"last" doc:"Last offset, included."`
	Reason    string    `json:"reason" enum:"deleted,compacted"`
	Noticed   time.Time `json:"noticed"`
}

// Unread is what records of one partition could not be understood for one reason.
type Unread struct {
	Topic     string    `json:"topic"`
	Partition int32     `json:"partition"`
	Reason    string    `json:"reason"`
	Count     uint64    `json:"count"`
	Replayed  uint64    `json:"replayed" doc:"How many of these were sent again since, once they were mended."`
	First     int64     `json:"first" doc:"Least offset."`
	Last      int64     `json:"last" doc:"Greatest offset."`
	From      time.Time `json:"from" doc:"When the first of them came."`
	To        time.Time `json:"to" doc:"When the last of them came."`
}

// Systems is which systems have told of a controller's data before the end of a
// period, and which were silent in it.
type Systems struct {
	Heard  []System `json:"heard" doc:"Those that have been silent for the longest first."`
	More   bool     `json:"more" doc:"There are more than are named."`
	Silent int      `json:"silent" doc:"How many, of all, told of nothing in the period, though they had before."`
}

// System is a system that has told of a controller's data.
type System struct {
	Source string    `json:"source"`
	First  time.Time `json:"first"`
	Last   time.Time `json:"last" doc:"When what it told of last happened, before the end of the period."`
	Events uint64    `json:"events" doc:"How much it has told of, to the end of the period: one for each person or cohort that it concerned."`
	Silent bool      `json:"silent" doc:"It had told of something before the period, and told of nothing in it."`
}

// limits says what stands against taking the trail of a controller's period for
// whole. Systems cost a walk through the counts of all of the controller's days.
func (d *Deps) limits(ctx context.Context, controller string, p Period, systems bool) (*Limits, error) {
	span := trail.Span{From: p.From, To: p.To, AsOf: p.AsOf}
	l := &Limits{Gaps: []LostRange{}, Unread: []Unread{}}
	g, asking := errgroup.WithContext(ctx)
	g.Go(func() error {
		lost, more, err := d.Trail.LostIn(asking, span)
		l.MoreGaps = more || len(lost) > maxLimits
		for _, x := range lost[:min(len(lost), maxLimits)] {
			l.Gaps = append(l.Gaps, LostRange{x.Topic, x.Partition, x.First, x.Last, x.Reason, x.Noticed})
		}
		return err
	})
	g.Go(func() error {
		unread, records, err := d.Trail.UnreadIn(asking, span, maxLimits+1)
		l.Quarantined, l.MoreUnread = records, len(unread) > maxLimits
		for _, x := range unread[:min(len(unread), maxLimits)] {
			l.Unread = append(l.Unread, Unread{x.Topic, x.Partition, x.Reason, x.Count, x.Replayed, x.First, x.Last, x.From, x.To})
		}
		return err
	})
	if systems {
		g.Go(func() (err error) {
			l.Systems, err = d.systems(asking, controller, span)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return l, nil
}

func (d *Deps) systems(ctx context.Context, controller string, span trail.Span) (*Systems, error) {
	heard, err := d.Trail.HeardBefore(ctx, controller, span)
	if err != nil {
		return nil, err
	}
	s := &Systems{Heard: []System{}, More: len(heard) > maxLimits}
	for i, h := range heard {
		silent := h.Last.Before(span.From)
		if silent {
			s.Silent++
		}
		if i < maxLimits {
			s.Heard = append(s.Heard, System{h.Source, h.First, h.Last, h.Events, silent})
		}
	}
	return s, nil
}
