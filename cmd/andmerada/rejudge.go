package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/rejudge"
	"github.com/andmerada/andmerada/internal/trail"
)

func newRejudgeCommand() *cobra.Command {
	var file, controller string
	var once, asJSON, verbose bool
	cmd := &cobra.Command{
		Use:   "rejudge",
		Short: "Judge events again when a fact comes late or a register changes",
		Long: `Rejudge follows the facts of the trail and judges again the events that each can matter for,
and all events that were judged under another register than the one now in force for their
time. Where the verdict is another it is written beside the former, which stays. Ingest does
this by itself unless it is started with --rejudge=false; one process does it at a time.

--controller judges all events of one controller again, whatever was looked at before, and
ends; --once looks at all there is, and ends.`,
		Example: "  andmerada rejudge --once\n  andmerada rejudge --controller elektrum",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			c, err := findConfig(file)
			if err != nil {
				return err
			}
			fsys, err := registersFS(c.Registers)
			if err != nil {
				return err
			}
			live, err := register.NewLive(fsys)
			if err != nil {
				return fmt.Errorf("load the registers: %w", err)
			}
			db, err := openTrail(cmd.Context(), c, false)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, db.Close()) }()
			f, err := newFollower(db, live.Set, newLog(asJSON, verbose))
			if err != nil {
				return err
			}
			switch {
			case controller != "":
				err = withProgress(cmd.Context(), cmd.ErrOrStderr(), f, func(ctx context.Context) error { return f.Check(ctx, controller) })
			case once:
				err = withProgress(cmd.Context(), cmd.ErrOrStderr(), f, f.Once)
			default:
				log := newLog(asJSON, verbose)
				g, ctx := errgroup.WithContext(cmd.Context())
				g.Go(func() error { return followRegisters(ctx, live, log, nil) })
				g.Go(func() error { return f.Run(ctx) })
				return g.Wait()
			}
			if errors.Is(err, rejudge.ErrHeld) {
				return fmt.Errorf("%w: an ingest does, unless it is started with --rejudge=false; stop it first, or leave it to it", err)
			}
			if err != nil {
				return err
			}
			s := f.Stats()
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "Looked at %d facts, judged %d events again, wrote %d new verdicts.\n", s.Facts, s.Events, s.Changed)
			return err
		},
	}
	configFlag(cmd, &file)
	logFlags(cmd, &asJSON, &verbose)
	cmd.Flags().BoolVar(&once, "once", false, "look at all there is, and end")
	cmd.Flags().StringVar(&controller, "controller", "", "judge all events of this controller again, and end")
	return cmd
}

func newFollower(db *trail.DB, registers func() *register.Set, log *slog.Logger) (*rejudge.Follower, error) {
	return rejudge.New(rejudge.Config{Trail: db, Registers: registers, Logger: log})
}

// follower makes what judges again beside the pipeline.
func (n *node) follower() (*rejudge.Follower, error) {
	f, err := newFollower(n.trail, n.registers.Set, n.log)
	if err != nil {
		return nil, err
	}
	return f, n.watchRejudging(f)
}

// withProgress runs something of a follower and tells now and then how far it is.
func withProgress(ctx context.Context, out io.Writer, f *rejudge.Follower, run func(context.Context) error) error {
	ctx, stop := context.WithCancel(ctx)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer stop()
		return run(ctx)
	})
	g.Go(func() error {
		tick := time.NewTicker(5 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
				s := f.Stats()
				fmt.Fprintf(out, "%d facts, %d events judged again, %d new verdicts; %d offsets to go\n", s.Facts, s.Events, s.Changed, s.Behind)
			}
		}
	})
	return g.Wait()
}
