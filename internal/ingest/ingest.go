package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"go.opentelemetry.io/otel/trace"
)

// scope names this package's metrics and spans.
const scope = "github.com/andmerada/andmerada/internal/ingest"

// Ingest reads topics into the trail, as one member of a consumer group.
type Ingest struct {
	cfg     Config
	log     *slog.Logger
	source  source
	tracer  trace.Tracer
	metrics *metrics
	loader  *loader
	poison  *poison
	stats   *stats
}

// New prepares an ingest; nothing is read before Run.
func New(cfg Config) (*Ingest, error) {
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	i := &Ingest{
		cfg:    cfg,
		log:    cfg.Logger,
		tracer: cfg.Tracer.Tracer(scope),
		loader: newLoader(cfg.Trail, cfg.Facts),
		poison: newPoison(cfg.Limits.Quarantine),
		stats:  newStats(),
	}
	if i.source = cfg.source; i.source == nil {
		i.source = newBroker(&i.cfg)
	}
	var err error
	if i.metrics, err = newMetrics(cfg.Meter.Meter(scope), i.stats, i.cfg.Freshness, i.cfg.Sources); err != nil {
		return nil, err
	}
	return i, nil
}

// Run makes an ingest and runs it until ctx ends.
func Run(ctx context.Context, cfg Config) error {
	i, err := New(cfg)
	if err != nil {
		return err
	}
	return i.Run(ctx)
}

// Run reads and writes until ctx ends, through whatever fails meanwhile. Then it
// lets what is being inserted finish (at most Limits.Drain), commits, leaves
// the group and returns nil. It can be run once.
func (i *Ingest) Run(ctx context.Context) (err error) {
	defer i.source.close()
	defer func() { err = errors.Join(err, i.metrics.stop()) }()
	if err := i.waitTopics(ctx); err != nil {
		return nil //nolint:nilerr // ctx has ended before anything was begun
	}
	group, err := i.source.join()
	if err != nil {
		return fmt.Errorf("ingest: join group %q: %w", i.cfg.Group, err)
	}
	i.log.InfoContext(ctx, "ingest begins", slog.String("topics", strings.Join(i.cfg.Topics, ",")), slog.String("group", i.cfg.Group))
	var aside sync.WaitGroup
	aside.Go(func() { i.loader.others(ctx, i.cfg.Topics, i.log) })
	aside.Go(func() { i.poison.report(ctx, i.log) })
	defer aside.Wait() // ctx has ended by then
	for {
		gen, err := group.next(ctx)
		switch {
		case ctx.Err() != nil:
			// Ends the generation, waits for its partitions, and leaves the group.
			i.stats.left()
			err := group.leave()
			i.log.Info("ingest has stopped")
			return err
		case err != nil:
			i.log.WarnContext(ctx, "joining the group failed, trying again", slog.String("group", i.cfg.Group), slog.Any("error", err))
			continue
		}
		i.begin(gen)
	}
}

// begin starts the partitions that a generation assigns to this process.
func (i *Ingest) begin(gen generation) {
	i.stats.joined(gen.id())
	i.metrics.rebalances.Add(context.Background(), 1)
	all := gen.assigned()
	limits, batches := i.cfg.Limits.share(len(all))
	for _, a := range all {
		p := &partition{
			limits: limits, batches: batches,
			Ingest: i, topic: a.topic, id: a.partition, gen: gen, committed: max(0, a.committed),
			progress: i.stats.partition(a.topic, a.partition),
			log:      i.log.With(slog.String("topic", a.topic), slog.Int("partition", int(a.partition)), slog.Int("generation", int(gen.id()))),
		}
		p.progress.commit(p.committed)
		gen.start(p.run)
	}
	i.log.Info("partitions are assigned", slog.Int("generation", int(gen.id())), slog.String("partitions", assignments(gen)))
}

func assignments(gen generation) string {
	var b strings.Builder
	for _, a := range gen.assigned() {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%s:%d", a.topic, a.partition)
	}
	return b.String()
}
