package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime/pprof"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/andmerada/andmerada/internal/health"
	"github.com/andmerada/andmerada/internal/ingest"
)

func newIngestCommand() *cobra.Command {
	var file, metrics, profile string
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
			k, err := n.keeper()
			if err != nil {
				return err
			}
			tendHeap(cmd.Context())
			stop, err := profiled(profile)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, stop()) }()
			g, ctx := errgroup.WithContext(cmd.Context())
			g.Go(func() error { return followRegisters(ctx, n.registers, n.log, &n.reload) })
			g.Go(func() error { return in.Run(ctx) })
			g.Go(func() error { return k.run(ctx) })
			g.Go(func() error { return n.mergeClosed(ctx) })
			g.Go(func() error { return n.declare(ctx) })
			if again {
				g.Go(func() error { return f.Run(ctx) })
			}
			if err := n.tellFindings(ctx, g); err != nil {
				return err
			}
			if metrics != "" {
				g.Go(func() error { return serveMetrics(ctx, n, in, k, metrics) })
			}
			return g.Wait()
		},
	}
	configFlag(cmd, &file)
	logFlags(cmd, &asJSON, &verbose)
	cmd.Flags().BoolVar(&again, "rejudge", true, "judge again what late facts and changed registers touch")
	cmd.Flags().StringVar(&metrics, "metrics", "", "address at which to serve metrics in Prometheus' format, /healthz and /readyz")
	cmd.Flags().StringVar(&profile, "cpuprofile", "", "write a CPU profile to this file, for those who work on the program")
	if err := cmd.Flags().MarkHidden("cpuprofile"); err != nil {
		panic(err) // the flag stands above
	}
	return cmd
}

// profiled begins a CPU profile, if a file for it is named; what it returns ends it.
func profiled(file string) (stop func() error, err error) {
	if file == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(file)
	if err != nil {
		return nil, fmt.Errorf("write the profile: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(fmt.Errorf("write the profile: %w", err), f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}

// tendHeap sets the garbage collector as suits ingest, unless the environment
// says otherwise.
func tendHeap(ctx context.Context) {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		go ingest.TendHeap(ctx)
	}
}

// logFlags adds the flags of long-running commands on their log.
func logFlags(cmd *cobra.Command, asJSON, verbose *bool) {
	cmd.Flags().BoolVar(asJSON, "log-json", false, "log JSON instead of text")
	cmd.Flags().BoolVarP(verbose, "verbose", "v", false, "log more")
}

func serveMetrics(ctx context.Context, n *node, in *ingest.Ingest, k *keeper, addr string) error {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	n.serveState(mux, []health.Check{alive(in)}, n.ingestChecks(in, k))
	return serveHTTP(ctx, n.log, listener, mux)
}
