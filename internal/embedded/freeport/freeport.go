// Package freeport finds loopback ports for servers that cannot be told to
// take any free port and then say which: ClickHouse's engine and Apache Kafka.
package freeport

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// The ports that are tried: below the range from which the system serves
// outgoing connections (32768 and up on Linux), which would otherwise now and
// then take a port between the look here and the server's own listen.
const first, last = 20000, 32000

// Take returns n different TCP ports of 127.0.0.1 on which nothing listened
// just now. Another process may still take one before the caller does.
func Take(n int) ([]int, error) {
	// All stay open until the last is found: so they are different.
	open := make([]net.Listener, 0, n)
	defer func() {
		for _, l := range open {
			_ = l.Close() // Nothing was ever accepted on it.
		}
	}()
	ports := make([]int, 0, n)
	var failed error
	for try := 0; len(ports) < n; try++ {
		if try == 100*(n+1) {
			return nil, fmt.Errorf("find a free port on 127.0.0.1 between %d and %d: %w", first, last, failed)
		}
		port := first + rand.IntN(last-first) //nolint:gosec // Not a secret: only spreads processes over the range.
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			failed = err
			continue
		}
		open = append(open, l)
		ports = append(ports, port)
	}
	return ports, nil
}
