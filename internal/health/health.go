// Package health says over HTTP how a process is: what it looked at, and the
// cause where something is not as it should be.
package health

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// State is how something is.
type State string

// The states, from good to bad. What is degraded goes on, and somebody should
// look; what is down is of no use at present.
const (
	OK       State = "ok"
	Degraded State = "degraded"
	Down     State = "down"
)

// Result is what a check found.
type Result struct {
	Name  string `json:"name"`
	State State  `json:"status"`
	Cause string `json:"cause,omitempty"` // why it is not ok, and what to do
}

// Check looks at one thing. Cause must hold no identifier of a person: whoever
// reaches the address reads it.
type Check struct {
	Name string
	Look func(ctx context.Context) (State, string)
}

// Report is the answer.
type Report struct {
	State  State    `json:"status"` // the worst of the checks
	Checks []Result `json:"checks"`
}

// Timeout is how long a check may take; after that it is down, as it would be
// in a process that is deadlocked.
const Timeout = 3 * time.Second

// Look runs all checks at once.
func Look(ctx context.Context, timeout time.Duration, checks ...Check) Report {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	found := make([]chan Result, len(checks))
	for i, c := range checks {
		found[i] = make(chan Result, 1) // a check that hangs holds nobody up
		go func() {
			state, cause := c.Look(ctx)
			found[i] <- Result{c.Name, state, cause}
		}()
	}
	report := Report{State: OK}
	for i, c := range checks {
		r := Result{c.Name, Down, "there was no answer within " + timeout.String()}
		select {
		case r = <-found[i]:
		case <-ctx.Done():
			select {
			case r = <-found[i]:
			case <-time.After(100 * time.Millisecond): // it may answer that the time is over
			}
		}
		if r.State == Down || r.State == Degraded && report.State == OK {
			report.State = r.State
		}
		report.Checks = append(report.Checks, r)
	}
	return report
}

// Handler answers with a [Report] as JSON: status 200 if it is ok or degraded,
// 503 if it is down. One look serves all who ask within a second.
func Handler(checks ...Check) http.Handler {
	var mu sync.Mutex
	var last Report
	var at time.Time
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		if at.IsZero() || time.Since(at) > time.Second {
			last, at = Look(context.WithoutCancel(r.Context()), Timeout, checks...), time.Now()
		}
		report := last
		mu.Unlock()
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		if report.State == Down {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_ = json.NewEncoder(w).Encode(report) // whoever asked may have gone
	})
}
