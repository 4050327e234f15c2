package rejudge

import (
	"sync/atomic"

	"github.com/andmerada/andmerada/internal/trail"
)

// Stats is what a follower has done since it was made.
type Stats struct {
	Facts   int64 // rows of facts looked at
	Events  int64 // rows of events judged again
	Changed int64 // verdicts written
	Behind  int64 // offsets of all partitions that its facts task has before it; as of its last round
}

type counters struct {
	facts, events, changed, offsets atomic.Int64
}

func (c *counters) behind(ready, position map[trail.Partition]int64) {
	n := int64(0)
	for p, to := range ready {
		n += max(0, to-position[p])
	}
	c.offsets.Store(n)
}

// Stats is what has been done so far. It may be called at any time.
func (f *Follower) Stats() Stats {
	return Stats{Facts: f.stats.facts.Load(), Events: f.stats.events.Load(), Changed: f.stats.changed.Load(), Behind: f.stats.offsets.Load()}
}
