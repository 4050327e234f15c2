package health_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/health"
)

func is(name string, state health.State, cause string) health.Check {
	return health.Check{Name: name, Look: func(context.Context) (health.State, string) { return state, cause }}
}

func TestHandler(t *testing.T) {
	t.Parallel()
	good, poor, bad := is("good", health.OK, ""), is("poor", health.Degraded, "slow"), is("bad", health.Down, "gone")
	for _, c := range []struct {
		checks []health.Check
		state  health.State
		status int
	}{
		{nil, health.OK, http.StatusOK},
		{[]health.Check{good}, health.OK, http.StatusOK},
		{[]health.Check{poor, good}, health.Degraded, http.StatusOK},
		{[]health.Check{bad, poor, good}, health.Down, http.StatusServiceUnavailable},
		{[]health.Check{good, poor, bad}, health.Down, http.StatusServiceUnavailable},
	} {
		rec := httptest.NewRecorder()
		health.Handler(c.checks...).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		var report health.Report
		if err := json.Unmarshal(rec.Body.Bytes(), &report); err != nil {
			t.Fatal(err)
		}
		if rec.Code != c.status || report.State != c.state || len(report.Checks) != len(c.checks) {
			t.Errorf("%d, %+v; want %d, %s", rec.Code, report, c.status, c.state)
		}
		for i, r := range report.Checks {
			if want, cause := c.checks[i].Look(t.Context()); r.Name != c.checks[i].Name || r.State != want || r.Cause != cause {
				t.Errorf("%+v", r)
			}
		}
	}
}

// TestDeadlock looks at something that never answers, whatever the context.
func TestDeadlock(t *testing.T) {
	t.Parallel()
	never := make(chan struct{})
	defer close(never)
	stuck := health.Check{Name: "stuck", Look: func(context.Context) (health.State, string) { <-never; return health.OK, "" }}
	report := health.Look(t.Context(), 10*time.Millisecond, is("good", health.OK, ""), stuck)
	if report.State != health.Down || report.Checks[0].State != health.OK || report.Checks[1].State != health.Down || report.Checks[1].Cause == "" {
		t.Errorf("%+v", report)
	}
}

func TestOneLookServesMany(t *testing.T) {
	t.Parallel()
	var looks atomic.Int64
	h := health.Handler(health.Check{Name: "a", Look: func(context.Context) (health.State, string) { looks.Add(1); return health.OK, "" }})
	began := time.Now()
	for range 100 {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/readyz", nil))
	}
	if n := looks.Load(); n > 2+int64(time.Since(began)/time.Second) {
		t.Errorf("it was looked at %d times", n)
	}
}
