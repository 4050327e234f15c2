package ingest

import (
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/trail"
	"github.com/andmerada/andmerada/internal/verdict"
)

// account is what is told of a batch when it is stored. It is filled event by
// event, so that each line of it counts.
type account struct {
	verdicts map[string]*[verdict.Violation + 1]uint64 // rows by controller
	last     *[verdict.Violation + 1]uint64            // of the controller named last
	named    string

	refused map[refusedAs]uint64 // records of the quarantine
	gaps    map[string]int64     // offsets by reason

	recorded []sameTime // when Kafka had the records
	traced   []tracedEvent

	fetch, judge interval
}

// refusedAs is what the quarantine is counted by.
type refusedAs struct{ reason, source string }

// sameTime are records of about the same time.
type sameTime struct {
	at int64  // in ages of ageStep
	n  uint64 // how many
}

// ageStep is how exactly the age of events is counted.
const ageStep = 10 * time.Millisecond

func newAccount() account {
	return account{verdicts: make(map[string]*[verdict.Violation + 1]uint64), refused: make(map[refusedAs]uint64), gaps: make(map[string]int64)}
}

// reset makes it empty; the controllers stay, which are few.
func (t *account) reset() {
	for _, n := range t.verdicts {
		*n = [verdict.Violation + 1]uint64{}
	}
	clear(t.refused)
	clear(t.gaps)
	t.recorded, t.traced = t.recorded[:0], t.traced[:0]
	t.fetch, t.judge = interval{}, interval{}
}

// row counts a row of the trail. Its controller has a register, so that there
// are few.
func (t *account) row(r *trail.Row) {
	if t.last == nil || t.named != r.Controller {
		n := t.verdicts[r.Controller]
		if n == nil {
			n = new([verdict.Violation + 1]uint64)
			t.verdicts[r.Controller] = n
		}
		t.last, t.named = n, r.Controller
	}
	t.last[r.Verdict]++
}

// record counts a record that was taken in as ev, or refused.
func (t *account) record(r *Record, ev *event.Event, refused bool) {
	at := r.Time.UnixMilli() / ageStep.Milliseconds()
	if n := len(t.recorded); n > 0 && t.recorded[n-1].at == at {
		t.recorded[n-1].n++
	} else {
		t.recorded = append(t.recorded, sameTime{at, 1})
	}
	if len(t.traced) == maxTraced {
		return
	}
	parent := ev.TraceParent
	if refused { // what was read before it failed may be another event's
		parent = headerText(r.Headers, "ce_traceparent")
	}
	if c, ok := sampled(parent); ok {
		t.traced = append(t.traced, tracedEvent{c, r.Offset, r.Time, refused})
	}
}

// ages calls f with each age that events of the batch have now, and how many
// have it.
func (t *account) ages(now time.Time, f func(age time.Duration, n uint64)) {
	for _, s := range t.recorded {
		f(max(0, now.Sub(s.time())), s.n)
	}
}

func (s sameTime) time() time.Time { return time.UnixMilli(s.at * ageStep.Milliseconds()) }
