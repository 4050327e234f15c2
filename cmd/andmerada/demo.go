package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/andmerada/andmerada/internal/embedded"
	"github.com/andmerada/andmerada/internal/history"
	"github.com/andmerada/andmerada/internal/ingest"
	"github.com/andmerada/andmerada/internal/telemetry"
	"github.com/andmerada/andmerada/internal/trail"
)

// demoOptions is the command line of demo.
type demoOptions struct {
	dir     string
	listen  string
	fresh   bool
	once    bool
	verbose bool
	history history.Options
}

func newDemoCommand() *cobra.Command {
	o := demoOptions{history: history.Options{Seed: 1, Events: 200_000, Persons: 5_000}}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Everything on this machine: Kafka, ClickHouse, ingest, server, and two years of history",
		Long: `Demo starts Kafka and ClickHouse inside this process, loads the registers of Elektrum and
Netpro, emits two years of made-up history with planted violations, judges it, and serves
the answers on loopback. Ctrl-C stops it; a second start goes on with what is there, and
--fresh begins anew. Other commands (answer, verify, emit…) find it while it runs.`,
		Example: "  andmerada demo\n  andmerada demo --fresh --events 500000 --persons 20000",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			// The same day gives the same history.
			o.history.End = time.Now().UTC().Truncate(24 * time.Hour)
			return runDemo(cmd.Context(), cmd.OutOrStdout(), &o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.dir, "data", demoDirectory, "directory of the demo's data")
	f.StringVar(&o.listen, "listen", "", "address of the web server (default: "+defaultListen+", or a free port)")
	f.BoolVar(&o.fresh, "fresh", false, "remove the data of an earlier demo first")
	f.BoolVar(&o.once, "once", false, "stop when the history is judged, instead of serving")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "log to the terminal instead of to the file log in the data directory")
	f.IntVar(&o.history.Events, "events", o.history.Events, "how many events the history has, at least")
	f.IntVar(&o.history.Persons, "persons", o.history.Persons, "how many persons it is about")
	f.Uint64Var(&o.history.Seed, "seed", o.history.Seed, "seed of the history")
	return cmd
}

func runDemo(ctx context.Context, out io.Writer, o *demoOptions) (err error) {
	began := time.Now()
	d, err := openDemo(ctx, out, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()

	stop, cancel := context.WithCancel(ctx)
	defer cancel()
	g, ctx := errgroup.WithContext(stop)
	in, err := d.node.ingest()
	if err != nil {
		return err
	}
	f, err := d.node.follower()
	if err != nil {
		return err
	}
	handler, err := d.node.handler(d.listener.Addr())
	if err != nil {
		return err
	}
	tendHeap(ctx)
	g.Go(func() error { return in.Run(ctx) })
	g.Go(func() error { return d.node.declare(ctx) })
	g.Go(func() error { return followRegisters(ctx, d.node.registers, d.node.log, &d.node.reload) })
	g.Go(func() error { return d.engine(ctx) })
	g.Go(func() error { return serveHTTP(ctx, d.node.log, d.listener, handler) })
	g.Go(func() error {
		if err := d.fill(ctx); err != nil {
			return err
		}
		if err := d.report(ctx, time.Since(began)); err != nil {
			return err
		}
		if o.once {
			cancel()
			return nil
		}
		// Not before: the history's facts come in time, and looking that up would
		// only hold up its judging.
		return f.Run(ctx)
	})
	err = g.Wait()
	if stop.Err() != nil && errors.Is(err, context.Canceled) {
		err = nil // the user has stopped it
	}
	fmt.Fprintln(out, "\nStopping.")
	return err
}

// engine reports it if ClickHouse ends by itself: nothing can go on then.
func (d *demo) engine(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-d.clickhouse.Done():
		return fmt.Errorf("the embedded ClickHouse has ended; its log is in %s: %w", d.path("clickhouse"), cmp.Or(err, errors.New("without saying why")))
	}
}

// openDemo starts what the demo runs on.
func openDemo(ctx context.Context, out io.Writer, o *demoOptions) (_ *demo, err error) {
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return nil, fmt.Errorf("find the data directory: %w", err)
	}
	d := &demo{out: out, dir: dir, options: o}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	if o.fresh {
		if err := d.remove(); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	log, err := d.openLog()
	if err != nil {
		return nil, err
	}
	d.say("Starting Kafka and ClickHouse in %s", d.options.dir)
	if d.kafka, err = d.startKafka(ctx, log); err != nil {
		return nil, err
	}
	d.closers = append(d.closers, d.kafka.Close)
	if err := d.kafka.CreateTopic(ctx, ingest.DefaultTopic, 0); err != nil {
		return nil, err
	}
	if d.clickhouse, err = embedded.StartClickHouse(ctx, embedded.ClickHouseConfig{Dir: d.path("clickhouse"), MaxMemoryBytes: 1 << 30, Logger: log}); err != nil {
		return nil, err
	}
	d.closers = append(d.closers, d.clickhouse.Close)
	if d.listener, err = listen(ctx, o.listen); err != nil {
		return nil, err
	}
	d.closers = append(d.closers, func() error { return ignoreClosed(d.listener.Close()) })
	c, err := d.writeConfig()
	if err != nil {
		return nil, err
	}
	if d.node, err = openNode(ctx, c, log, d.trail()); err != nil {
		return nil, err
	}
	d.closers = append(d.closers, d.node.close)
	for _, r := range d.node.registers.Set().All() {
		d.say("Register of %s: %d purposes, %d recipients, %d rules and periods", r.Controller.Name, len(r.Purposes), len(r.Recipients), len(r.AllRules()))
	}
	return d, nil
}

// trail is how the demo opens its trail: as the users do on servers, each of whom
// may do no more than it has to.
func (d *demo) trail() trail.Config {
	c := trail.Config{Addr: d.clickhouse.Addr(), Database: embedded.DatabaseName}
	c.User, c.Password = d.clickhouse.Credentials(embedded.Writer)
	c.MigrationsUser, c.MigrationsPassword = d.clickhouse.Credentials(embedded.Migrations)
	c.CasesUser, c.CasesPassword = d.clickhouse.Credentials(embedded.Cases)
	return c
}

// letGo is how long an earlier demo that was stopped may take to let go of the
// directory.
const letGo = 10 * time.Second

func (d *demo) startKafka(ctx context.Context, log *slog.Logger) (*embedded.Kafka, error) {
	deadline := time.Now().Add(letGo)
	for {
		k, err := embedded.StartKafka(ctx, embedded.KafkaConfig{Dir: d.path("kafka"), Partitions: embedded.DefaultPartitions, Logger: log})
		if !errors.Is(err, embedded.ErrDirInUse) || time.Now().After(deadline) {
			return k, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// openLog is a file in the data directory, so that the terminal stays readable.
func (d *demo) openLog() (*slog.Logger, error) {
	if d.options.verbose {
		return telemetry.NewLogger(os.Stderr, false, slog.LevelDebug), nil
	}
	f, err := os.OpenFile(d.path("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	d.closers = append(d.closers, f.Close)
	return telemetry.NewLogger(f, false, slog.LevelInfo), nil
}
