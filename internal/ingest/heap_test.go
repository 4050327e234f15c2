package ingest

import (
	"math"
	"testing"
)

func TestGCPercent(t *testing.T) {
	t.Parallel()
	const mb = 1 << 20
	for live, want := range map[uint64]int{0: GCPercent, 10 * mb: GCPercent, HeapTarget / 4: 300, HeapTarget / 3: 200, HeapTarget / 2: 100, HeapTarget / 3 * 2: 50, HeapTarget: minGCPercent, 600 * mb: minGCPercent} {
		if got := gcPercent(live, HeapTarget); got != want {
			t.Errorf("with %d MB alive: %d, want %d", live/mb, got, want)
		}
	}
}

func TestMemoryLimit(t *testing.T) {
	t.Parallel()
	const mb = 1 << 20
	for live, want := range map[uint64]int64{0: memoryTarget, 200 * mb: memoryTarget, 300 * mb: math.MaxInt64, 600 * mb: math.MaxInt64} {
		if got := memoryLimit(live); got != want {
			t.Errorf("with %d MB alive: %d MB, want %d", live/mb, got/mb, want/mb)
		}
	}
}
