package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/andmerada/andmerada/internal/ingest"
	"github.com/andmerada/andmerada/internal/trail"
)

func newVerifyCommand() *cobra.Command {
	var file string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Prove that nothing is missing and nothing is there twice",
		Long: `Verify holds the trail against Kafka: every offset up to the committed one is exactly one of
an event in the trail (with all its persons), a message in the quarantine, or part of a
recorded gap. It exits with 1 if one is missing, doubled or incomplete.`,
		Example: "  andmerada verify\n  andmerada verify --json | jq '.partitions[] | {partition, offsets, missing, doubled}'",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := findConfig(file)
			if err != nil {
				return err
			}
			report, err := verifyTrail(cmd.Context(), c)
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
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func verifyTrail(ctx context.Context, c *config) (report trail.Report, err error) {
	db, err := openTrail(ctx, c, true)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	brokers, err := c.kafka()
	if err != nil {
		return report, err
	}
	defer brokers.CloseIdleConnections()
	offsets, err := ingest.Committed(ctx, brokers, c.Kafka.Brokers, c.Kafka.Topic, c.Kafka.Group)
	if err != nil {
		return report, err
	}
	report, err = db.Verify(ctx, c.Kafka.Topic, offsets.Committed, nil)
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
