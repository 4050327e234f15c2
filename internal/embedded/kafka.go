package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
)

// DefaultPartitions is the number of partitions of a topic that is made
// without saying how many.
const DefaultPartitions = 4

// KafkaConfig says how to run Kafka inside the process.
type KafkaConfig struct {
	// Dir holds the data and is created if need be; "" keeps them in memory.
	Dir string
	// Port is for the Kafka protocol, on 127.0.0.1; 0 is any free one. It may
	// differ from start to start: no address is kept in Dir.
	Port int
	// Partitions are those of a topic made without a number of its own; 0 is
	// [DefaultPartitions]. Topics that exist keep theirs.
	Partitions int32
	// Logger is told of start, stop and the broker's errors; nil is silence.
	Logger *slog.Logger
}

// Kafka is the running broker: one node, without replication.
//
// In memory it makes a topic when a client asks for one that isn't there, as
// Apache Kafka does by default. With a directory it doesn't, and topics are
// made by CreateTopics: what kfake makes by itself it notes down only at its
// stop, so that a kill would lose the topic with all that is in it.
type Kafka struct {
	cluster *kfake.Cluster
	addr    string
	lock    *dirLock // nil in memory.
	log     *slog.Logger
	failed  *brokerLog
	close   func() error
}

// StartKafka starts the broker and returns when it serves its port. With Dir,
// what it has acknowledged, records and committed offsets, is synced to disk
// before the acknowledgement, so that a kill at any moment loses none of it.
// If another process runs on the directory, the error is [ErrDirInUse].
func StartKafka(ctx context.Context, config KafkaConfig) (*Kafka, error) {
	k := &Kafka{log: config.Logger}
	if k.log == nil {
		k.log = slog.New(slog.DiscardHandler)
	}
	k.failed = &brokerLog{log: k.log}
	k.close = sync.OnceValue(k.stop)
	partitions := config.Partitions
	if partitions <= 0 {
		partitions = DefaultPartitions
	}
	options := []kfake.Opt{
		kfake.Ports(config.Port),
		kfake.ClusterID("andmerada"),
		kfake.DefaultNumPartitions(int(partitions)),
		kfake.WithLogger(k.failed),
	}
	if config.Dir == "" {
		options = append(options, kfake.AllowAutoTopicCreation())
	} else {
		dir, lock, err := lockDir(config.Dir)
		if err != nil {
			return nil, fmt.Errorf("start the embedded Kafka: %w", err)
		}
		k.lock = lock
		options = append(options, kfake.DataDir(filepath.Join(dir, "data")), kfake.SyncWrites())
	}
	cluster, err := kfake.NewCluster(options...)
	if err != nil {
		return nil, errors.Join(explain(config, err), k.lock.release())
	}
	k.cluster, k.addr = cluster, cluster.ListenAddrs()[0]
	k.log.InfoContext(ctx, "embedded Kafka runs", slog.String("dir", config.Dir), slog.String("addr", k.addr), slog.Int("partitions", int(partitions)))
	return k, nil
}

// explain adds the mend to an error of the broker's start.
func explain(config KafkaConfig, err error) error {
	var network *net.OpError
	if errors.As(err, &network) {
		return fmt.Errorf("start the embedded Kafka on port %s: %w; stop what listens there, or choose another port",
			strconv.Itoa(config.Port), err)
	}
	return fmt.Errorf("start the embedded Kafka in %q: %w; its data are damaged or of another version: "+
		"move the directory away to begin with an empty one, or put back a copy of it", config.Dir, err)
}

// CreateTopic makes a topic, if it isn't there, with the given number of
// partitions; 0 is what [KafkaConfig] says. A topic that's there stays as it
// is.
func (k *Kafka) CreateTopic(ctx context.Context, name string, partitions int) error {
	if partitions == 0 {
		partitions = -1 // As configured.
	}
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	client := kafka.Client{Addr: kafka.TCP(k.addr), Transport: transport}
	answer, err := client.CreateTopics(ctx, &kafka.CreateTopicsRequest{
		Topics: []kafka.TopicConfig{{Topic: name, NumPartitions: partitions, ReplicationFactor: 1}},
	})
	if err == nil {
		err = answer.Errors[name]
	}
	if err != nil && !errors.Is(err, kafka.TopicAlreadyExists) {
		return fmt.Errorf("create topic %q: %w", name, err)
	}
	return nil
}

// Addr is the broker's address, host:port.
func (k *Kafka) Addr() string { return k.addr }

// Close stops the broker and frees its directory. An error says that the last
// state couldn't be written; the next start then recovers as after a kill. It
// can be called again, and gives the same answer.
func (k *Kafka) Close() error { return k.close() }

func (k *Kafka) stop() error {
	k.failed.closing()
	k.cluster.Close()
	k.log.Info("embedded Kafka stopped")
	return errors.Join(k.failed.errors(), k.lock.release())
}

// brokerLog passes the broker's errors and warnings on, and keeps the errors
// of its stop, which it only logs.
type brokerLog struct {
	log    *slog.Logger
	mu     sync.Mutex
	stops  bool
	failed []error
}

// Logf implements kfake.Logger.
func (l *brokerLog) Logf(level kfake.LogLevel, format string, args ...any) {
	switch level {
	case kfake.LogLevelError:
		text := fmt.Sprintf(format, args...)
		l.log.Error("embedded Kafka", slog.String("message", text))
		l.mu.Lock()
		if l.stops {
			l.failed = append(l.failed, fmt.Errorf("stop the embedded Kafka: %s", text))
		}
		l.mu.Unlock()
	case kfake.LogLevelWarn:
		l.log.Warn("embedded Kafka", slog.String("message", fmt.Sprintf(format, args...)))
	case kfake.LogLevelNone, kfake.LogLevelInfo, kfake.LogLevelDebug: // Each request.
	}
}

func (l *brokerLog) closing() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stops = true
}

func (l *brokerLog) errors() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.failed...)
}
