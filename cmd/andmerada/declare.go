package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/register"
)

// declare keeps in ClickHouse what the registers in use declare, for dashboards,
// and what those declare that take their place. Nothing waits for it.
func (n *node) declare(ctx context.Context) error {
	var kept *register.Set
	for {
		if set := n.registers.Set(); set != kept {
			if err := n.trail.WriteDeclared(ctx, answer.DeclaredBy(set)); err == nil {
				kept = set
			} else if ctx.Err() == nil {
				n.log.WarnContext(ctx, "what the registers declare could not be kept for the dashboards, trying again", slog.Any("error", err))
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(registersEvery):
		}
	}
}
