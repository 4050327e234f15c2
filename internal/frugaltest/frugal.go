// Package frugaltest holds, in tests, that what comes from outside costs no more
// than its size allows: a few bytes that claim to be many must take neither
// memory nor time.
package frugaltest

import (
	"runtime"
	"syscall"
	"testing"
	"time"
)

// How much processor time anything may take: generous, as the race detector and a
// busy machine slow it down. What never ends, or grows with the square of the
// input, is far beyond.
const (
	leastTime   = time.Second
	timePerByte = 5 * time.Microsecond
	endless     = 2 * time.Minute
)

// Run runs f, which reads an input of that many bytes, and fails t where it
// allocates more than base bytes and perByte more for each byte of input, or
// takes longer than its size explains. Nothing else may run meanwhile, so t must
// not be parallel.
func Run(t testing.TB, input, perByte, base int, f func()) {
	t.Helper()
	stuck := time.AfterFunc(endless, func() { panic("an input keeps what reads it busy without end") })
	defer stuck.Stop()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := busy(t)
	f()
	took := busy(t) - began
	runtime.ReadMemStats(&after)
	if allocated, most := after.TotalAlloc-before.TotalAlloc, uint64(base+perByte*input); allocated > most {
		t.Errorf("%d bytes of input: %d bytes allocated, at most %d allowed", input, allocated, most)
	}
	if most := leastTime + timePerByte*time.Duration(input); took > most {
		t.Errorf("%d bytes of input: %v of processor time, at most %v allowed", input, took, most)
	}
}

// busy is the processor time that the process has taken.
func busy(t testing.TB) time.Duration {
	t.Helper()
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		t.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}
