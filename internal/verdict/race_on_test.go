//go:build race

package verdict_test

// raceEnabled says that the race detector slows everything down.
const raceEnabled = true
