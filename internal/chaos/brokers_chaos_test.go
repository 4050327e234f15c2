//go:build chaos

package chaos

// brokers is how many the tests have: each topic is held by all, and a write is
// acknowledged when two have it.
const brokers = 3

// parallel is how many tests run side by side.
const parallel = "4"
