package ingest

import (
	"context"
	"math"
	"runtime/debug"
	gometrics "runtime/metrics"
	"time"
)

// HeapTarget is how large the heap of a process that runs ingest is to become, in
// bytes, as long as what lives in it leaves room: with stacks, buffers of the
// network and the program itself the process then stays below 512 MB.
const HeapTarget = 300 << 20

// minGCPercent keeps the garbage collector from taking over where more lives in
// the heap than the target: a million persons' facts are 125 MB.
const minGCPercent = 40

// memoryTarget is what all that the Go runtime holds is to stay below, in bytes,
// with stacks and what has been freed and not given back.
const memoryTarget = HeapTarget + 50<<20

// TendHeap sets how often garbage is collected, again and again until ctx ends:
// as seldom as [GCPercent] while the heap is small, more often as what lives in
// it grows. A fixed setting either wastes a tenth of the CPU or lets the heap
// grow to four times what lives in it. A limit of memory catches what a burst
// makes between two looks, as long as what lives leaves the collector room.
func TendHeap(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	live := []gometrics.Sample{{Name: "/gc/heap/live:bytes"}}
	last, limit := 0, int64(0)
	for {
		gometrics.Read(live)
		alive := live[0].Value.Uint64()
		if p := gcPercent(alive, HeapTarget); p != last {
			debug.SetGCPercent(p)
			last = p
		}
		if m := memoryLimit(alive); m != limit {
			debug.SetMemoryLimit(m)
			limit = m
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// memoryLimit is the limit of memory with so much that lives: the target, or none
// where it would make the collector run without end.
func memoryLimit(live uint64) int64 {
	if live > HeapTarget/4*3 {
		return math.MaxInt64
	}
	return memoryTarget
}

// gcPercent is the setting by which a heap with so much that lives becomes as
// large as the target, within its bounds. In steps of ten: each setting stops
// the program for a moment.
func gcPercent(live, target uint64) int {
	if live == 0 {
		return GCPercent
	}
	if live >= target {
		return minGCPercent
	}
	return int(min(GCPercent, max(minGCPercent, (target-live)*100/live/10*10)))
}
