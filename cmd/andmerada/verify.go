package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/andmerada/andmerada/internal/ingest"
	"github.com/andmerada/andmerada/internal/trail"
)

func newVerifyCommand() *cobra.Command {
	var file, since string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Prove that nothing is missing and nothing is there twice",
		Long: `Verify holds the trail against Kafka: every offset up to the committed one is exactly one of
an event in the trail (with all its persons), a message in the quarantine, or part of a
recorded gap. It exits with 1 if one is missing, doubled or incomplete.

With --since it begins, in each partition, with the range of offsets that was in hand then:
that costs as much as what came since, and may run every minute. Ingest does the same by
itself. Both work while ingest runs.`,
		Example: "  andmerada verify\n  andmerada verify --since 5m\n  andmerada verify --json | jq '.partitions[] | {partition, offsets, missing, doubled}'",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := parseSince(since)
			if err != nil {
				return err
			}
			c, err := findConfig(file)
			if err != nil {
				return err
			}
			report, err := verifySince(cmd.Context(), c, t)
			if err != nil {
				return err
			}
			if asJSON {
				err = writeJSON(cmd.OutOrStdout(), report)
			} else {
				_, err = fmt.Fprint(cmd.OutOrStdout(), report)
			}
			if err == nil && !report.OK() {
				err = errFound
			}
			return err
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().StringVar(&since, "since", "", "only what was written since: "+sinceForms)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// sinceForms says what parseSince reads.
const sinceForms = "YYYY-MM-DD (UTC), an RFC 3339 time, or a duration like 24h"

// parseSince reads a --since. Without one it is the zero time.
func parseSince(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(s); err == nil && d > 0 {
		return time.Now().Add(-d), nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usageError{fmt.Errorf("--since %q is neither a day (2026-03-01) nor an RFC 3339 time nor a duration (24h)", s)}
}

// verifySince verifies what was written since t, or everything where that is zero.
func verifySince(ctx context.Context, c *config, t time.Time) (report trail.Report, err error) {
	db, err := openTrail(ctx, c, true)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return verifyTrail(ctx, c, db, func(committed map[int32]int64) (map[int32]int64, error) {
		if t.IsZero() {
			return nil, nil
		}
		return db.Since(ctx, c.Kafka.Topic, slices.Sorted(maps.Keys(committed)), t)
	})
}

// verifyTrail holds the trail against Kafka, each partition from where from says,
// which is given up to where they are committed: that is asked first, so that
// what ingest adds meanwhile does no harm.
func verifyTrail(ctx context.Context, c *config, db *trail.DB, from func(committed map[int32]int64) (map[int32]int64, error)) (report trail.Report, err error) {
	brokers, err := c.kafka()
	if err != nil {
		return report, err
	}
	defer brokers.CloseIdleConnections()
	offsets, err := ingest.Committed(ctx, brokers, c.Kafka.Brokers, c.Kafka.Topic, c.Kafka.Group)
	if err != nil {
		return report, err
	}
	first, err := from(offsets.Committed)
	if err == nil {
		report, err = db.Verify(ctx, c.Kafka.Topic, offsets.Committed, first)
	}
	if err != nil {
		return report, fmt.Errorf("verify: %w", err)
	}
	return report, nil
}

// openTrail connects to the trail that the configuration names.
func openTrail(ctx context.Context, c *config, readOnly bool) (*trail.DB, error) {
	trailConfig, err := c.trail(readOnly)
	if err != nil {
		return nil, err
	}
	return trail.Open(ctx, trailConfig)
}
