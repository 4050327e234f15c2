package main

import (
	"context"
	"log/slog"
	"time"
)

// mergeEvery is how often is looked for quarters that are over and lie in many
// parts; mergeFor how long one process has it to itself.
const (
	mergeEvery = time.Hour
	mergeFor   = 8 * time.Hour
)

// mergeClosed merges what lies still, beside ingest and in one process at a time,
// until ctx ends. It begins an hour after the start: whoever restarts has other
// things to wait for.
func (n *node) mergeClosed(ctx context.Context) error {
	lease := n.trail.NewLease("merge")
	tick := time.NewTicker(mergeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		mine, err := lease.Take(ctx, mergeFor)
		merged := 0
		if err == nil && mine {
			merged, err = n.trail.MergeClosed(ctx)
		}
		switch {
		case ctx.Err() != nil:
		case err != nil:
			n.log.WarnContext(ctx, "quarters that are over were not merged, trying again in an hour", slog.Any("error", err))
		case merged > 0:
			n.log.InfoContext(ctx, "quarters that are over were merged", slog.Int("quarters", merged))
		}
		if mine {
			// Also when ctx has ended: another process need not wait for the end.
			stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			if err := lease.Release(stop); err != nil {
				n.log.Warn("the lease to merge was not given up: another process waits for its end", slog.Any("error", err))
			}
			cancel()
		}
	}
}
