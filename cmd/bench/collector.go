package main

import (
	"context"
	_ "embed" // The statement.
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/andmerada/andmerada/internal/embedded"
)

// collectorResult is what the OpenTelemetry collector makes of the same topic:
// its Kafka receiver takes each message as the text of a log record, and its
// ClickHouse exporter inserts these. It neither takes apart nor judges.
type collectorResult struct {
	Left    string    `json:"left_out,omitempty"` // why it was not measured
	Run     runResult `json:"run"`
	Arrived int       `json:"arrived"` // of Run.Events
	Ratio   float64   `json:"ratio"`   // of ingest's events a second to its own
	RatioBy float64   `json:"ratio_by_cpu"`
	Ours    runResult `json:"ingest"`
}

// collectorConfig is the collector's, with batches as large as ingest's and a
// queue that waits and does not drop.
const collectorConfig = `
receivers:
  kafka:
    brokers: [%q]
    group_id: %q
    initial_offset: earliest
    max_fetch_size: 4194304
    logs: {topics: [%q], encoding: text}
exporters:
  clickhouse:
    endpoint: "clickhouse://%s"
    username: %q
    password: %q
    database: %q
    create_schema: false
    compress: lz4
    sending_queue:
      enabled: true
      num_consumers: 2
      queue_size: 200000
      sizer: items
      block_on_overflow: true
      batch: {min_size: 50000, max_size: 50000, flush_timeout: 1s}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    logs: {receivers: [kafka], exporters: [clickhouse]}
`

//go:embed collector.sql
var collectorText string

// stalls is how long nothing may arrive before that is taken for its end.
const stalls = 30 * time.Second

// collectorFile is where .ci/build-collector puts it.
func collectorFile() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "andmerada", "otelcol-0.155.0-0.157.0")
}

// collect runs the collector over the topic, and then ingest.
func (p *place) collect(ctx context.Context, r *result) error {
	c := new(collectorResult)
	r.Collector = c
	if _, err := os.Stat(p.collector); err != nil {
		c.Left = "the collector is not there: .ci/build-collector builds it"
		p.say("collector: left out: %s", c.Left)
		return nil
	}
	topic, n, err := p.keep(ctx, jsonFormat, partitions, single(p.much))
	if err != nil {
		return err
	}
	if err := p.collected(ctx, c, topic, n); err != nil {
		return err
	}
	if c.Ours, err = p.ours(ctx, "beside_collector", topic, full, n); err != nil {
		return err
	}
	c.Ratio, c.RatioBy = c.Ours.PerSec/c.Run.PerSec, c.Run.CPU/c.Ours.CPU
	p.say("collector: %8.0f events/s, %d of %d arrived, %.1f CPU us an event, %.1f B an event; ingest beside it %.0f events/s, %.1f CPU us, %.1f B",
		c.Run.PerSec, c.Arrived, n, c.Run.CPU, c.Run.Bytes, c.Ours.PerSec, c.Ours.CPU, c.Ours.Bytes)
	return p.drop(ctx, c.Ours.database)
}

func (p *place) collected(ctx context.Context, c *collectorResult, topic string, n int) error {
	database := embedded.DatabaseName + "_collector"
	if err := p.root.Exec(ctx, "CREATE DATABASE "+database); err != nil {
		return fmt.Errorf("make the collector's database: %w", err)
	}
	if err := p.root.Exec(ctx, strings.TrimSuffix(strings.TrimSpace(strings.ReplaceAll(collectorText, "{database}", database)), ";")); err != nil {
		return fmt.Errorf("make the collector's table: %w", err)
	}
	file := filepath.Join(p.dir, "collector.yaml")
	config := fmt.Sprintf(collectorConfig, p.broker, newGroup(database), topic, p.houseAt.Addr, p.houseAt.User, p.houseAt.Password, database)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return fmt.Errorf("write the collector's configuration: %w", err)
	}
	if err := p.quiet(ctx); err != nil {
		return err
	}
	one, err := spawn(ctx, "the collector", exec.Command(p.collector, "--config", file))
	if err != nil {
		return err
	}
	if err := one.waitFor(ctx, "Everything is ready"); err != nil {
		return errors.Join(err, one.kill())
	}
	m := p.begin(one.cpu)
	var rows uint64
	last := time.Now()
	err = wait(ctx, one.ended, func() (bool, error) {
		var now uint64
		if err := p.root.QueryRow(ctx, "SELECT count() FROM "+database+".otel_logs").Scan(&now); err != nil {
			return false, fmt.Errorf("count the collector's rows: %w", err)
		}
		if now > rows {
			rows, last = now, time.Now()
			m.stored()
		}
		return rows >= uint64(n) || time.Since(last) > stalls, nil
	})
	if errors.Is(err, errEnded) {
		return one.failure()
	}
	if err != nil {
		return errors.Join(err, one.kill())
	}
	m.readerEnds()
	peak := one.peak()
	if err := one.stop(syscall.SIGTERM); err != nil {
		p.say("collector: %v", err) // it may be late with what is in its queue
	}
	if rows == 0 {
		return fmt.Errorf("the collector has stored nothing: %s", one.tail.text())
	}
	c.Arrived = int(rows)
	if c.Run, err = m.result(ctx, database, int(rows)); err != nil {
		return err
	}
	c.Run.Events, c.Run.Peak = n, peak
	return p.drop(ctx, database)
}
