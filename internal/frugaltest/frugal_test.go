package frugaltest

import (
	"testing"
	"time"
)

// told is a test that only remembers whether it failed.
type told struct {
	testing.TB
	failed bool
}

func (t *told) Helper()               {}
func (t *told) Errorf(string, ...any) { t.failed = true }

var sink []byte

// Not parallel: it measures.
func TestRun(t *testing.T) {
	for name, c := range map[string]struct {
		f     func()
		fails bool
	}{
		"little":       {func() { sink = make([]byte, 5000) }, false},
		"for its size": {func() { sink = make([]byte, 15_000) }, false},
		"too much":     {func() { sink = make([]byte, 1<<20) }, true},
		"much in pieces": {func() {
			for range 1000 {
				sink = make([]byte, 1000)
			}
		}, true},
		"too long": {func() {
			for began := busy(t); busy(t)-began < leastTime+time.Second/10; {
			}
		}, true},
	} {
		got := &told{TB: t}
		if Run(got, 100, 100, 10_000, c.f); got.failed != c.fails {
			t.Errorf("%s: failed %t, want %t", name, got.failed, c.fails)
		}
	}
}
