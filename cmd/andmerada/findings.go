package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/andmerada/andmerada/internal/findings"
	"github.com/andmerada/andmerada/internal/register"
)

func newFindingsCommand() *cobra.Command {
	var file, controller, reader string
	var once, asJSON, verbose, lines, violations bool
	cmd := &cobra.Command{
		Use:   "findings",
		Short: "Tell violations and reviews to other systems",
		Long: `Findings tells each violation and each review of the trail as a CloudEvent, first verdicts
and those given again, to the Kafka topic and the webhook that the configuration names:

    findings:
      topic: andmerada.findings
      webhook: https://tickets.example.org/andmerada
      secret_file: webhook.secret    # signs what is posted

Each has a position of its own, kept in ClickHouse, so that it goes on where it was. What
was told just before a crash is told again under the same id. An ingest tells findings
beside its work; this command is for a process of its own, and for a look with --lines.`,
		Example: `  andmerada findings
  andmerada findings --once --lines --controller elektrum --violations | jq .data.rules`,
		Args: args(cobra.NoArgs),
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
			log := newLog(asJSON, verbose)
			var sinks []findings.Sink
			if lines {
				sinks = []findings.Sink{findings.Lines{Out: cmd.OutOrStdout(), Reader: reader}}
			} else if sinks, err = c.findingSinks(log); err != nil {
				return err
			}
			defer func() { err = errors.Join(err, closeSinks(sinks)) }()
			if len(sinks) == 0 {
				return usageError{fmt.Errorf("findings: the configuration %s names neither a topic nor a webhook; write findings.topic, or give --lines", c.file)}
			}
			g, ctx := errgroup.WithContext(cmd.Context())
			var followers []*findings.Follower
			for _, sink := range sinks {
				f, err := findings.New(findings.Config{
					Trail: db, Registers: live.Set, Sink: sink, Violations: violations || c.Findings.Violations, Controller: controller, Logger: log,
				})
				if err != nil {
					return err
				}
				followers = append(followers, f)
				if once {
					g.Go(func() error { return f.Once(ctx) })
				} else {
					g.Go(func() error { return f.Run(ctx) })
				}
			}
			if !once {
				g.Go(func() error { return followRegisters(ctx, live, log, nil) })
			}
			if err := g.Wait(); errors.Is(err, findings.ErrHeld) {
				return fmt.Errorf("%w: an ingest does, unless its configuration names nobody to tell; stop it first, or leave it to it", err)
			} else if err != nil {
				return err
			}
			for i, f := range followers {
				fmt.Fprintf(cmd.ErrOrStderr(), "Told %d findings to %s.\n", f.Told(), sinks[i].Name())
			}
			return nil
		},
	}
	configFlag(cmd, &file)
	logFlags(cmd, &asJSON, &verbose)
	cmd.Flags().BoolVar(&once, "once", false, "tell what there is, and end")
	cmd.Flags().BoolVar(&lines, "lines", false, "print one CloudEvent a line, instead of telling the topic and the webhook")
	cmd.Flags().StringVar(&reader, "reader", "terminal", "with --lines: who reads; each reader has a position of its own")
	cmd.Flags().StringVar(&controller, "controller", "", "tell findings of this controller only")
	cmd.Flags().BoolVar(&violations, "violations", false, "tell violations only")
	return cmd
}

// findingSinks are the sinks that the configuration names.
func (c *config) findingSinks(log *slog.Logger) ([]findings.Sink, error) {
	var sinks []findings.Sink
	if c.Findings.Topic != "" {
		brokers, err := c.kafka() // of its own: one remembers a topic that was missing
		if err != nil {
			return nil, err
		}
		sinks = append(sinks, findings.NewTopic(c.Kafka.Brokers, c.Findings.Topic, brokers))
	}
	if c.Findings.Webhook != "" {
		secret, err := os.ReadFile(c.Findings.SecretFile)
		if err != nil {
			return sinks, fmt.Errorf("read the webhook's secret: %w", err)
		}
		hook, err := findings.NewWebhook(c.Findings.Webhook, []byte(strings.TrimSpace(string(secret))), log)
		if err != nil {
			return sinks, err
		}
		sinks = append(sinks, hook)
	}
	return sinks, nil
}

func closeSinks(sinks []findings.Sink) error {
	var errs []error
	for _, s := range sinks {
		if c, ok := s.(io.Closer); ok {
			errs = append(errs, c.Close())
		}
	}
	return errors.Join(errs...)
}

// tellFindings tells findings beside the pipeline, where the configuration says
// to whom.
func (n *node) tellFindings(ctx context.Context, g *errgroup.Group) error {
	sinks, err := n.config.findingSinks(n.log)
	n.closers = append(n.closers, func() error { return closeSinks(sinks) })
	if err != nil {
		return err
	}
	followers := make(map[string]*findings.Follower)
	for _, sink := range sinks {
		f, err := findings.New(findings.Config{
			Trail: n.trail, Registers: n.registers.Set, Sink: sink, Violations: n.config.Findings.Violations, Logger: n.log,
		})
		if err != nil {
			return err
		}
		followers[sink.Name()] = f
		g.Go(func() error { return f.Run(ctx) })
	}
	return n.watchFindings(followers)
}
