package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/ingest"
	"github.com/andmerada/andmerada/internal/intake"
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
/openapi.yaml, metrics at /metrics. The configuration says who may ask; where it does not,
whoever is on this machine may, and no other address is listened at. Each question is
written into the trail before it is answered. Where the configuration has an intake, events
are taken at POST /v1/events too, by tokens of their own.`,
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
			handler, err := n.handler(listener.Addr())
			if err != nil {
				return errors.Join(err, listener.Close())
			}
			n.log.Info("serving", slog.String("address", listener.Addr().String()))
			g, ctx := errgroup.WithContext(cmd.Context())
			g.Go(func() error { return n.followFacts(ctx) })
			g.Go(func() error { return followRegisters(ctx, n.registers, n.log, &n.reload) })
			g.Go(func() error { return serveHTTP(ctx, n.log, listener, handler) })
			return g.Wait()
		},
	}
	configFlag(cmd, &file)
	logFlags(cmd, &asJSON, &verbose)
	cmd.Flags().StringVar(&addr, "listen", "", "address to listen at (default: that of the configuration, or "+defaultListen+")")
	cmd.Flags().StringSliceVar(&hosts, "host", nil, "names by which the server may be called (default: loopback only)")
	return cmd
}

// handler serves the answers, and the metrics beside them, at an address. Where
// the configuration says so it takes events as well.
func (n *node) handler(at net.Addr) (http.Handler, error) {
	gate, err := n.gate(at)
	if err != nil {
		return nil, err
	}
	recorder, closeRecorder, err := n.config.recorder()
	if err != nil {
		return nil, err
	}
	n.closers = append(n.closers, closeRecorder)
	if !recorder.Recording() {
		n.log.Warn("questions are not recorded, as the configuration says (asking.unrecorded)")
	}
	var describe []func(*huma.OpenAPI)
	mux := http.NewServeMux()
	n.serveState(mux, nil, n.trailChecks())
	if n.config.Intake != nil {
		in, _, err := n.intake()
		if err != nil {
			return nil, err
		}
		mux.Handle(intake.Path, in) // apart from the answers: its callers, bounds and log are its own
		describe = append(describe, intake.Describe)
	}
	names, err := loadNames(n.config.Registers, n.registers.Set)
	if err != nil {
		return nil, err
	}
	rules, err := loadUnusual(n.config.Unusual)
	if err != nil {
		return nil, err
	}
	mux.Handle("/", server.New(server.Config{
		Answers:   answer.Deps{Trail: n.trail, Registers: n.registers.Set(), Keys: n.keys, Facts: n.facts.AsSeen, Unusual: rules, Now: time.Now, Profiles: n.profiles},
		Registers: n.registers.Set, Hosts: n.hosts, Version: version(), Logger: n.log,
		Access: gate, Recorder: recorder, ReasonNeeded: n.config.Asking.ReasonNeeded, RevealApproval: n.config.Asking.RevealApproval, Describe: describe, Names: names,
	}))
	return mux, nil
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
