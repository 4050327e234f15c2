package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/andmerada/andmerada/internal/emit"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/intake"
	"github.com/andmerada/andmerada/internal/telemetry"
)

// intakeConfig says who may send events over HTTP, and where they are taken.
type intakeConfig struct {
	Tokens string           `yaml:"tokens_file"`                 // who may send: see docs/intake.md
	Listen string           `yaml:"listen,omitempty"`            // of `andmerada intake`; 127.0.0.1:8081 if empty
	Rate   float64          `yaml:"events_per_second,omitempty"` // of a source whose entry says none; 5000 if 0
	TLS    *intakeTLSConfig `yaml:"tls,omitempty"`               // of `andmerada intake`; plain HTTP if left out
}

type intakeTLSConfig struct {
	CertFile     string `yaml:"cert_file"`
	KeyFile      string `yaml:"key_file"`
	ClientCAFile string `yaml:"client_ca_file,omitempty"` // signs certificates of sources; none are asked for if empty
}

const defaultIntakeListen = "127.0.0.1:8081"

// intakeFiles are the names of files that the intake needs.
func (c *config) intakeFiles() (names []*string) {
	if c.Intake == nil {
		return nil
	}
	names = append(names, &c.Intake.Tokens)
	if t := c.Intake.TLS; t != nil {
		names = append(names, &t.CertFile, &t.KeyFile, &t.ClientCAFile)
	}
	return names
}

func newIntakeCommand() *cobra.Command {
	var file, addr string
	var asJSON, verbose bool
	cmd := &cobra.Command{
		Use:   "intake",
		Short: "Take events over HTTP and write them to Kafka",
		Long: `Intake takes events over HTTP at POST /v1/events, for source systems that have no Kafka
client, and answers when Kafka has acknowledged them. It needs Kafka and the file of tokens
that intake.tokens_file of the configuration names, and neither ClickHouse nor the secret.
Metrics are at /metrics, /healthz and /readyz say how it is. SIGTERM and Ctrl-C let what is
under way finish. andmerada serve takes events as well, where the configuration has an intake.`,
		Example: "  andmerada intake --config /etc/andmerada/intake.yaml --listen 0.0.0.0:8443",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			c, err := findConfig(file)
			if err != nil {
				return err
			}
			if c.Intake == nil {
				return fmt.Errorf("the configuration %s lacks intake.tokens_file", c.file)
			}
			n := &node{config: c, log: newLog(asJSON, verbose)}
			defer func() { err = errors.Join(err, n.close()) }()
			if n.telemetry, err = telemetry.New(cmd.Context(), c.Telemetry.settings(n.log)); err != nil {
				return err
			}
			n.closers = append(n.closers, n.closeTelemetry)
			return n.runIntake(cmd.Context(), addr)
		},
	}
	configFlag(cmd, &file)
	logFlags(cmd, &asJSON, &verbose)
	cmd.Flags().StringVar(&addr, "listen", "", "address to listen at (default: intake.listen of the configuration, or "+defaultIntakeListen+")")
	cmd.AddCommand(newIntakeTokenCommand())
	return cmd
}

// runIntake serves the intake alone.
func (n *node) runIntake(ctx context.Context, addr string) error {
	in, writer, err := n.intake()
	if err != nil {
		return err
	}
	if addr == "" {
		addr = n.config.Intake.Listen
	}
	if addr == "" {
		addr = defaultIntakeListen
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("listen at %s: %w", addr, err)
	}
	if t := n.config.Intake.TLS; t != nil {
		config, err := intake.ServerTLS(intake.TLSFiles{Cert: t.CertFile, Key: t.KeyFile, ClientCA: t.ClientCAFile})
		if err != nil {
			return errors.Join(err, listener.Close())
		}
		listener = tls.NewListener(listener, config)
	} else if host, ok := listener.Addr().(*net.TCPAddr); ok && !host.IP.IsLoopback() {
		n.log.Warn("tokens and events come in plain text: set intake.tls, or put a proxy in front that has TLS", slog.String("address", host.String()))
	}
	n.log.Info("taking events", slog.String("address", listener.Addr().String()), slog.Bool("tls", n.config.Intake.TLS != nil))
	mux := http.NewServeMux()
	mux.Handle(intake.Path, in)
	mux.Handle("GET /metrics", n.telemetry.Metrics)
	say := func(w http.ResponseWriter, status int, text string) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text)) // whoever asked may have gone
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
		defer cancel()
		if err := writer.Ready(ctx); err != nil {
			n.log.WarnContext(ctx, "not ready", slog.Any("error", err))
			say(w, http.StatusServiceUnavailable, "Kafka cannot be reached\n")
			return
		}
		say(w, http.StatusOK, "ready\n")
	})
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return serveHTTP(ctx, n.log, listener, mux) })
	return g.Wait()
}

// drainIntake is how long what was taken may take to be acknowledged at the
// end. Whoever waited for it has been told to send it again.
const drainIntake = 10 * time.Second

// intake opens the intake that the configuration names. It is closed with the
// node, after the server that it is a part of.
func (n *node) intake() (*intake.Intake, *emit.Writer, error) {
	tokens, err := intake.LoadTokens(n.config.Intake.Tokens, n.log)
	if err != nil {
		return nil, nil, err
	}
	decoder, err := n.decoder()
	if err != nil {
		return nil, nil, err
	}
	brokers, err := n.config.kafka()
	if err != nil {
		return nil, nil, err
	}
	n.closers = append(n.closers, func() error { brokers.CloseIdleConnections(); return nil })
	writer, err := emit.New(emit.Config{Brokers: n.config.Kafka.Brokers, Topic: n.config.Kafka.Topic, Transport: brokers, Compression: "lz4", Linger: 2 * time.Millisecond, Batch: 250})
	if err != nil {
		return nil, nil, err
	}
	n.closers = append(n.closers, writer.Close)
	in, err := intake.New(intake.Config{
		Write: writer.Forward, Authenticate: tokens.Authenticate, Decode: decoder,
		Logger: n.log, Meter: n.telemetry.Meters, Tracer: n.telemetry.Tracers, Limits: intake.Limits{Rate: n.config.Intake.Rate},
	})
	if err != nil {
		return nil, nil, err
	}
	n.closers = append(n.closers, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), drainIntake)
		defer cancel()
		return in.Close(ctx)
	})
	return in, writer, nil
}

// askRegistry is how long a request may wait for a schema that was never seen.
const askRegistry = 5 * time.Second

// decoder reads events as ingest does, Avro of the registry included.
func (n *node) decoder() (intake.Decode, error) {
	schemas, err := n.schemas()
	if err != nil {
		return nil, err
	}
	var d event.Decoder
	if schemas != nil {
		d.Schema = func(id uint32) (*event.Schema, error) {
			ctx, cancel := context.WithTimeout(context.Background(), askRegistry)
			defer cancel()
			return schemas.Schema(ctx, id)
		}
	}
	return d.Decode, nil
}
