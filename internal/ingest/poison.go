package ingest

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	poisonRefill = 1024 // in how many seconds a store fills up
	poisonTold   = 32   // sources that are told apart; all others share one store
	poisonReport = time.Minute
)

// elsewhere is what the quarantine's detail says of a record whose bytes it does
// not keep.
const elsewhere = "; its bytes are in Kafka alone, as its source sends too many like it: replay it before Kafka deletes it"

// poison bounds what the quarantine keeps of a source that sends little but what
// cannot be read: a store of bytes each, which fills up again slowly. Beyond it the
// quarantine has a record's place, reason and hash, and Kafka alone its bytes.
// Nobody is slowed down: other sources share the partition. It works for all
// partitions, and reports what goes to the quarantine.
type poison struct {
	size    float64 // of a store, in bytes
	mu      sync.Mutex
	now     func() time.Time
	sources map[string]*store
	reasons map[string]uint64 // since the last report
	unkept  uint64            // of these, records whose bytes are not kept
}

// store is what may still be kept of a source.
type store struct {
	bytes float64
	at    time.Time
}

func newPoison(size int) *poison {
	return &poison{size: float64(size), now: time.Now, sources: make(map[string]*store), reasons: make(map[string]uint64)}
}

// keep counts a record and says whether its bytes are kept.
func (p *poison) keep(reason, source string, size int) bool {
	if p == nil {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reasons[reason]++
	now := p.now()
	s := p.sources[source]
	if s == nil && len(p.sources) >= poisonTold {
		source = "" // as one that cannot be read
		s = p.sources[source]
	}
	if s == nil {
		s = &store{bytes: p.size, at: now}
		p.sources[source] = s
	}
	s.bytes, s.at = p.left(s, now), now
	if s.bytes < float64(size) {
		p.unkept++
		return false
	}
	s.bytes -= float64(size)
	return true
}

// left is what may be kept of a source now.
func (p *poison) left(s *store, now time.Time) float64 {
	return min(p.size, s.bytes+max(0, now.Sub(s.at).Seconds())*p.size/poisonRefill)
}

// take is what came since it was asked before, and forgets the sources whose
// store is full.
func (p *poison) take() (reasons map[string]uint64, unkept uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	reasons, unkept = p.reasons, p.unkept
	p.reasons, p.unkept = make(map[string]uint64), 0
	now := p.now()
	maps.DeleteFunc(p.sources, func(_ string, s *store) bool {
		return p.left(s, now) >= p.size
	})
	return reasons, unkept
}

// report tells once a minute what went to the quarantine. It names no source: a
// source may put anything there, and the list of the quarantine has them.
func (p *poison) report(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(poisonReport)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		reasons, unkept := p.take()
		if len(reasons) == 0 {
			continue
		}
		var sum uint64
		var each strings.Builder
		for _, reason := range slices.Sorted(maps.Keys(reasons)) {
			sum += reasons[reason]
			if each.Len() > 0 {
				each.WriteByte(',')
			}
			each.WriteString(reason)
		}
		log.WarnContext(ctx, "records went to the quarantine in the last minute; 'andmerada quarantine list --since 1h' says from whom",
			slog.Uint64("records", sum), slog.String("reasons", each.String()), slog.Uint64("kept_in_kafka_alone", unkept))
	}
}
