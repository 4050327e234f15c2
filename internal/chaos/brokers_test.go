//go:build !chaos

package chaos

// brokers is how many the tests have.
const brokers = 1

// parallel is how many tests run side by side.
const parallel = "12"
