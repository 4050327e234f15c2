//go:build !(linux && amd64)

package embedded

import (
	"fmt"
	"runtime"
)

// engine stands in where the library isn't built for.
type engine struct{}

func loadEngine(string) (*engine, error) {
	return nil, fmt.Errorf("the embedded ClickHouse is for linux/amd64, this is %s/%s: use a ClickHouse server (docker-compose.yml)", runtime.GOOS, runtime.GOARCH)
}

func (*engine) run([]string) string { return "not built for this machine" }

func hangUp([2]int) error { return nil }
