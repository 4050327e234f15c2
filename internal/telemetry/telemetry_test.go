package telemetry

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestMetricsAreServed(t *testing.T) {
	t.Parallel()
	tel, err := New("v1")
	if err != nil {
		t.Fatal(err)
	}
	events, err := tel.Meters.Meter("andmerada/ingest").Int64Counter("andmerada.ingest.events")
	if err != nil {
		t.Fatal(err)
	}
	events.Add(context.Background(), 7)
	rec := httptest.NewRecorder()
	tel.Metrics.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if !strings.Contains(rec.Body.String(), "andmerada_ingest_events_total") || !strings.Contains(rec.Body.String(), " 7\n") {
		t.Errorf("the counter is not served:\n%s", rec.Body)
	}
	if err := tel.Close(context.Background()); err != nil {
		t.Error(err)
	}
}
