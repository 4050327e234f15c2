package ingest

import (
	"testing"

	"github.com/andmerada/andmerada/internal/trail"
)

// The trail tells lost records by the reason of their gap: it has to know those in
// which nothing was lost by the same words.
func TestGapsInWhichNothingWasLost(t *testing.T) {
	t.Parallel()
	if GapTransaction != trail.GapTransaction || GapAborted != trail.GapAborted {
		t.Errorf("%q and %q here, %q and %q in the trail", GapTransaction, GapAborted, trail.GapTransaction, trail.GapAborted)
	}
}
