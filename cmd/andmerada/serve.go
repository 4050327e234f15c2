package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/ingest"
	"github.com/andmerada/andmerada/internal/server"
)

func newServeCommand() *cobra.Command {
	var file, addr string
	var asJSON, verbose bool
	var hosts []string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the answers: pages and API",
		Long: `Serve answers from the trail over HTTP: pages at /, the API at /v1, its description at
/openapi.yaml, metrics at /metrics. There is no login yet: keep it on loopback, or behind a
proxy that has one.`,
		Example: "  andmerada serve --config /etc/andmerada/andmerada.yaml --listen 127.0.0.1:8080",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			c, err := findConfig(file)
			if err != nil {
				return err
			}
			if addr != "" {
				c.Listen = addr
			}
			trailConfig, err := c.trail(true)
			if err != nil {
				return err
			}
			n, err := openNode(cmd.Context(), c, newLog(asJSON, verbose), trailConfig)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, n.close()) }()
			listener, err := listen(cmd.Context(), c.Listen)
			if err != nil {
				return err
			}
			n.hosts = hosts
			n.log.Info("serving", slog.String("address", listener.Addr().String()))
			g, ctx := errgroup.WithContext(cmd.Context())
			g.Go(func() error { return n.followFacts(ctx) })
			g.Go(func() error { return followRegisters(ctx, n.registers, n.log) })
			g.Go(func() error { return serveHTTP(ctx, n.log, listener, n.handler()) })
			return g.Wait()
		},
	}
	configFlag(cmd, &file)
	logFlags(cmd, &asJSON, &verbose)
	cmd.Flags().StringVar(&addr, "listen", "", "address to listen at (default: that of the configuration, or "+defaultListen+")")
	cmd.Flags().StringSliceVar(&hosts, "host", nil, "names by which the server may be called (default: loopback only)")
	return cmd
}

// handler serves the answers, and the metrics beside them.
func (n *node) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", n.telemetry.Metrics)
	mux.Handle("/", server.New(server.Config{
		Answers:   answer.Deps{Trail: n.trail, Registers: n.registers.Set(), Keys: n.keys, Facts: n.facts.AsSeen, Now: time.Now},
		Registers: n.registers.Set, Hosts: n.hosts, Version: version(), Logger: n.log,
	}))
	return mux
}

// factsEvery is how often a server without ingest reads the facts anew: a
// verdict that rests on a newer one is explained without it until then.
const factsEvery = time.Minute

// followFacts keeps the facts of a server that has no ingest in its process.
func (n *node) followFacts(ctx context.Context) error {
	for {
		if err := ingest.LearnFacts(n.facts, n.trail.Facts(ctx, n.config.Kafka.Topic)); err != nil && ctx.Err() == nil {
			n.log.Warn("the facts cannot be read, trying again", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(factsEvery):
		}
	}
}
