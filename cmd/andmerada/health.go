package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/health"
	"github.com/andmerada/andmerada/internal/ingest"
)

// lateAfter is how long an event may wait before ingest is called degraded, and
// stuckAfter how long a partition that has work and no failure may stand still
// before the process is called dead: longer than all tries of an insert.
const (
	lateAfter  = time.Minute
	stuckAfter = 20 * time.Minute
)

// trailChecks are what everything needs: the tables, and registers.
func (n *node) trailChecks() []health.Check {
	return []health.Check{
		{Name: "trail", Look: func(ctx context.Context) (health.State, string) {
			if err := n.trail.Ping(ctx); err != nil {
				n.log.WarnContext(ctx, "not ready", slog.Any("error", err))
				return health.Down, "ClickHouse cannot be reached; the log says more"
			}
			return health.OK, ""
		}},
		{Name: "schema", Look: func(ctx context.Context) (health.State, string) {
			if err := n.trail.CheckSchema(ctx); err != nil {
				n.log.WarnContext(ctx, "not ready", slog.Any("error", err))
				return health.Down, "the tables are not those of this program, or cannot be read; the log says more"
			}
			return health.OK, ""
		}},
		{Name: "registers", Look: func(context.Context) (health.State, string) {
			if len(n.registers.Set().All()) == 0 {
				return health.Down, "no register is loaded"
			}
			if n.reload.failed() != nil {
				return health.Degraded, "changed registers do not check, so that older ones are in use; the log names each fault"
			}
			return health.OK, ""
		}},
	}
}

// ingestChecks are what ingest is ready by.
func (n *node) ingestChecks(in *ingest.Ingest, k *keeper) []health.Check {
	return append(n.trailChecks(),
		health.Check{Name: "group", Look: func(context.Context) (health.State, string) {
			if in.Stats().Generation < 0 {
				return health.Down, fmt.Sprintf("not a member of the consumer group %q", n.config.Kafka.Group)
			}
			return health.OK, ""
		}},
		health.Check{Name: "partitions", Look: func(context.Context) (health.State, string) { return partitionsAre(in.Stats()) }},
		health.Check{Name: "verify", Look: func(context.Context) (health.State, string) {
			if n := k.found(); n > 0 {
				return health.Degraded, fmt.Sprintf("%d offsets are missing, doubled or incomplete in the trail: run `andmerada verify`", n)
			}
			return health.OK, ""
		}},
	)
}

// partitionsAre names the partitions that are stalled or late.
func partitionsAre(s ingest.Stats) (health.State, string) {
	var causes []string
	for _, p := range s.Partitions {
		switch {
		case p.State == ingest.Released:
		case p.State == ingest.Stalled:
			causes = append(causes, fmt.Sprintf("partition %d is stalled: %s", p.Partition, p.Error))
		case p.Behind > lateAfter:
			causes = append(causes, fmt.Sprintf("partition %d is behind by %d events and %s", p.Partition, p.Lag, p.Behind.Round(time.Second)))
		}
	}
	if causes == nil {
		return health.OK, ""
	}
	const shown = 5
	if more := len(causes) - shown; more > 0 {
		causes = append(causes[:shown], fmt.Sprintf("and %d more", more))
	}
	return health.Degraded, strings.Join(causes, "; ")
}

// alive says whether ingest's own state can be had, which a deadlock withholds,
// and whether its partitions move.
func alive(in *ingest.Ingest) health.Check {
	return health.Check{Name: "alive", Look: func(context.Context) (health.State, string) {
		for _, p := range in.Stats().Partitions {
			if p.State == ingest.Running && p.Lag > 0 && time.Since(p.Moved) > stuckAfter && p.Behind > stuckAfter {
				return health.Down, fmt.Sprintf("partition %d has stood still since %s, and nothing has failed", p.Partition, p.Moved.UTC().Format(time.RFC3339))
			}
		}
		return health.OK, ""
	}}
}

// serveState adds the addresses at which a process is looked at from outside.
func (n *node) serveState(mux *http.ServeMux, alive, ready []health.Check) {
	mux.Handle("GET /metrics", n.telemetry.Metrics)
	mux.Handle("GET /healthz", health.Handler(alive...))
	mux.Handle("GET /readyz", health.Handler(ready...))
}
