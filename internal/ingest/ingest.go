package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/trace"
)

// scope names this package's metrics and spans.
const scope = "github.com/andmerada/andmerada/internal/ingest"

// Ingest reads topics into the trail, as one member of a consumer group.
type Ingest struct {
	cfg     Config
	log     *slog.Logger
	client  *kafka.Client
	tracer  trace.Tracer
	metrics *metrics
	loader  *loader
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
		client: &kafka.Client{Addr: brokers(cfg.Brokers), Transport: cfg.Transport},
		tracer: cfg.Tracer.Tracer(scope),
		loader: newLoader(cfg.Trail, cfg.Facts),
		stats:  newStats(),
	}
	var err error
	if i.metrics, err = newMetrics(cfg.Meter.Meter(scope), i.stats); err != nil {
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
	defer i.cfg.Transport.CloseIdleConnections()
	defer func() { err = errors.Join(err, i.metrics.stop()) }()
	if err := i.waitTopics(ctx); err != nil {
		return nil //nolint:nilerr // ctx has ended before anything was begun
	}
	l := &i.cfg.Limits
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID:                     i.cfg.Group,
		Brokers:                i.cfg.Brokers,
		Dialer:                 i.cfg.Dialer,
		Topics:                 i.cfg.Topics,
		HeartbeatInterval:      min(time.Second, l.Session/6),
		SessionTimeout:         l.Session,
		RebalanceTimeout:       l.Rebalance,
		JoinGroupBackoff:       500 * time.Millisecond,
		WatchPartitionChanges:  true,
		PartitionWatchInterval: 5 * time.Second,
		StartOffset:            kafka.FirstOffset,
		ErrorLogger: kafka.LoggerFunc(func(format string, args ...any) {
			i.log.Debug("consumer group", slog.String("message", fmt.Sprintf(format, args...)))
		}),
	})
	if err != nil {
		return fmt.Errorf("ingest: join group %q: %w", i.cfg.Group, err)
	}
	i.log.InfoContext(ctx, "ingest begins", slog.String("topics", strings.Join(i.cfg.Topics, ",")), slog.String("group", i.cfg.Group))
	learning := make(chan struct{})
	go func() {
		defer close(learning)
		i.loader.others(ctx, i.cfg.Topics, i.log)
	}()
	defer func() { <-learning }() // ctx has ended by then
	for {
		gen, err := group.Next(ctx)
		switch {
		case ctx.Err() != nil:
			// Ends the generation, waits for its partitions, and leaves the group.
			err := group.Close()
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
func (i *Ingest) begin(gen *kafka.Generation) {
	for topic, assigned := range gen.Assignments {
		for _, a := range assigned {
			p := &partition{
				Ingest: i, topic: topic, id: int32(a.ID), gen: gen, committed: max(0, a.Offset),
				progress: i.stats.partition(topic, int32(a.ID)),
				log:      i.log.With(slog.String("topic", topic), slog.Int("partition", a.ID), slog.Int("generation", int(gen.ID))),
			}
			p.progress.commit(p.committed)
			gen.Start(p.run)
		}
	}
	i.log.Info("partitions are assigned", slog.Int("generation", int(gen.ID)), slog.String("partitions", assignments(gen)))
}

func assignments(gen *kafka.Generation) string {
	var b strings.Builder
	for topic, assigned := range gen.Assignments {
		for _, a := range assigned {
			if b.Len() > 0 {
				b.WriteByte(' ')
			}
			fmt.Fprintf(&b, "%s:%d", topic, a.ID)
		}
	}
	return b.String()
}
