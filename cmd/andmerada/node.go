package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/ingest"
	"github.com/andmerada/andmerada/internal/profile"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/server"
	"github.com/andmerada/andmerada/internal/telemetry"
	"github.com/andmerada/andmerada/internal/trail"
)

// node is what ingest, server and demo are made of, wired together.
type node struct {
	config    *config
	log       *slog.Logger
	telemetry *telemetry.Telemetry
	registers *register.Live
	reload    reload
	profiles  *profile.Set
	keys      *identity.Keys
	facts     *facts.Store
	trail     *trail.DB
	hosts     []string // names by which the server may be called; nil = loopback

	closers []func() error // in the order in which things were opened
}

// openNode opens everything that the configuration names but Kafka. What was
// opened before a failure is closed again.
func openNode(ctx context.Context, c *config, log *slog.Logger, trailConfig trail.Config) (_ *node, err error) {
	n := &node{config: c, log: log, facts: facts.New()}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.close())
		}
	}()
	if n.telemetry, err = telemetry.New(ctx, c.Telemetry.settings(log)); err != nil {
		return nil, err
	}
	n.closers = append(n.closers, n.closeTelemetry)
	fsys, err := registersFS(c.Registers)
	if err != nil {
		return nil, err
	}
	if n.registers, err = register.NewLive(fsys); err != nil {
		return nil, fmt.Errorf("load the registers: %w", err)
	}
	n.reload.done(nil)
	if n.profiles, err = loadProfiles(c.Profiles); err != nil {
		return nil, err
	}
	if err := n.watchMemory(); err != nil {
		return nil, err
	}
	secret, created, err := identity.LoadOrCreateSecret(c.SecretFile)
	if err != nil {
		return nil, err
	}
	if created {
		log.Info("made a new secret; without it no pseudonym can be found again: keep a copy", slog.String("file", c.SecretFile))
	}
	if n.keys, err = identity.New(secret); err != nil {
		return nil, err
	}
	trailConfig.Logger, trailConfig.ReachFor = log, time.Second
	if n.trail, err = trail.Open(ctx, trailConfig); err != nil {
		return nil, err
	}
	n.closers = append(n.closers, n.trail.Close)
	return n, nil
}

// closeTelemetry sends what is still to be told.
func (n *node) closeTelemetry() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	n.telemetry.Close(ctx)
	return nil
}

// close closes in reverse.
func (n *node) close() error {
	var errs []error
	for i := len(n.closers) - 1; i >= 0; i-- {
		errs = append(errs, n.closers[i]())
	}
	n.closers = nil
	return errors.Join(errs...)
}

// ingest makes the pipeline.
func (n *node) ingest() (*ingest.Ingest, error) {
	brokers, err := n.config.kafka()
	if err != nil {
		return nil, err
	}
	schemas, err := n.schemas()
	if err != nil {
		return nil, err
	}
	return ingest.New(ingest.Config{
		Schemas: schemas, Transport: brokers, Dialer: brokers.Dialer(),
		Brokers: n.config.Kafka.Brokers, Topics: []string{n.config.Kafka.Topic}, Group: n.config.Kafka.Group,
		Trail: n.trail, Registers: n.registers.Set, Keys: n.keys, Facts: n.facts,
		Logger: n.log, Meter: n.telemetry.Meters, Tracer: n.telemetry.Tracers,
		Freshness: n.freshness(), Sources: n.config.Telemetry.Sources,
		Limits: ingest.Limits{Quarantine: n.config.Quarantine.SourceMiB << 20},
	})
}

// serveHTTP serves until ctx ends, then lets requests finish.
func serveHTTP(ctx context.Context, log *slog.Logger, listener net.Listener, h http.Handler) error {
	srv := server.HTTP(h, log)
	done := make(chan error, 1)
	go func() { done <- srv.Serve(listener) }()
	select {
	case err := <-done:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := srv.Shutdown(stop); err != nil {
		return errors.Join(fmt.Errorf("stop the server: %w", err), srv.Close())
	}
	return nil
}

// newLog is the log of a long-running command, on standard error.
func newLog(asJSON, verbose bool) *slog.Logger {
	level := slog.LevelInfo
	if verbose {
		level = slog.LevelDebug
	}
	return telemetry.NewLogger(os.Stderr, asJSON, level)
}
