package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/andmerada/andmerada/internal/ingest"
)

func newIngestCommand() *cobra.Command {
	var file, metrics string
	var asJSON, verbose, again bool
	cmd := &cobra.Command{
		Use:   "ingest",
		Short: "Read events from Kafka, judge them, and keep the trail",
		Long: `Ingest joins the consumer group, reads its partitions, judges each event by the register in
force at its time, and writes the trail, each range of offsets exactly once. Start as many
as there is load; one partition is one process's at a time. SIGTERM and Ctrl-C let what is
being written finish. Beside that, one of all processes judges again what late facts and
changed registers touch (see andmerada rejudge), and each tells findings to the topic and
the webhook that the configuration names (see andmerada findings).`,
		Example: "  andmerada ingest --config /etc/andmerada/andmerada.yaml --metrics 127.0.0.1:9464",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			c, err := findConfig(file)
			if err != nil {
				return err
			}
			trailConfig, err := c.trail(false)
			if err != nil {
				return err
			}
			n, err := openNode(cmd.Context(), c, newLog(asJSON, verbose), trailConfig)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, n.close()) }()
			in, err := n.ingest()
			if err != nil {
				return err
			}
			f, err := n.follower()
			if err != nil {
				return err
			}
			collectLessOften()
			g, ctx := errgroup.WithContext(cmd.Context())
			g.Go(func() error { return followRegisters(ctx, n.registers, n.log) })
			g.Go(func() error { return in.Run(ctx) })
			if again {
				g.Go(func() error { return f.Run(ctx) })
			}
			if err := n.tellFindings(ctx, g); err != nil {
				return err
			}
			if metrics != "" {
				g.Go(func() error { return serveMetrics(ctx, n, metrics) })
			}
			return g.Wait()
		},
	}
	configFlag(cmd, &file)
	logFlags(cmd, &asJSON, &verbose)
	cmd.Flags().BoolVar(&again, "rejudge", true, "judge again what late facts and changed registers touch")
	cmd.Flags().StringVar(&metrics, "metrics", "", "address at which to serve metrics in Prometheus' format")
	return cmd
}

// collectLessOften sets the garbage collector as suits ingest, unless the
// environment says otherwise.
func collectLessOften() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(ingest.GCPercent)
	}
}

// logFlags adds the flags of long-running commands on their log.
func logFlags(cmd *cobra.Command, asJSON, verbose *bool) {
	cmd.Flags().BoolVar(asJSON, "log-json", false, "log JSON instead of text")
	cmd.Flags().BoolVarP(verbose, "verbose", "v", false, "log more")
}

func serveMetrics(ctx context.Context, n *node, addr string) error {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", n.telemetry.Metrics)
	return serveHTTP(ctx, n.log, listener, mux)
}
