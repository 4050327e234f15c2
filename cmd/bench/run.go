package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"
)

// runResult is one run of one side. Times of CPU are of all that works at it:
// what reads, ClickHouse with all merges, and Kafka.
type runResult struct {
	Events     int           `json:"events"`
	Took       time.Duration `json:"took_ns"` // until all rows are there
	PerSec     float64       `json:"events_per_second"`
	CPU        float64       `json:"cpu_us_per_event"` // until merges have settled; the sum of the next three
	Reader     float64       `json:"reader_cpu_us_per_event"`
	ClickHouse float64       `json:"clickhouse_cpu_us_per_event"`
	Kafka      float64       `json:"kafka_cpu_us_per_event"`
	Bytes      float64       `json:"bytes_per_event"` // on disk, of all tables, merges settled
	Peak       int64         `json:"peak_bytes,omitempty"`
	database   string
}

func perSecond(r runResult) float64 { return r.PerSec }
func cpuEach(r runResult) float64   { return r.CPU }

func median(runs []runResult, of func(runResult) float64) float64 {
	all := make([]float64, 0, len(runs))
	for _, r := range runs {
		all = append(all, of(r))
	}
	return middle(all)
}

func middle(all []float64) float64 {
	if len(all) == 0 {
		return 0
	}
	all = sorted(all)
	if n := len(all); n%2 == 0 {
		return (all[n/2-1] + all[n/2]) / 2
	}
	return all[len(all)/2]
}

func sorted(all []float64) []float64 { return slices.Sorted(slices.Values(all)) }

// cpu is what this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// meter takes the time of a run.
type meter struct {
	p                  *place
	reader             func() time.Duration
	began              time.Time
	took               time.Duration
	read, house, kafka time.Duration // of CPU, at the beginning
	readerIsDone       bool
	readEnd            time.Duration
}

// begin starts the clocks. reader is the CPU time of what reads; nil where
// ClickHouse itself does.
func (p *place) begin(reader func() time.Duration) *meter {
	if reader == nil {
		reader = func() time.Duration { return 0 }
	}
	return &meter{p: p, reader: reader, began: time.Now(), read: reader(), house: p.house.cpu(), kafka: p.kafka.cpu()}
}

// stored stops the clock of the run: all rows are there.
func (m *meter) stored() { m.took = time.Since(m.began) }

// readerEnds notes what the reader has used; it is of no account afterwards.
func (m *meter) readerEnds() { m.readerIsDone, m.readEnd = true, m.reader() }

// result waits until merges have settled, and is what the run came to.
func (m *meter) result(ctx context.Context, database string, n int) (r runResult, err error) {
	if err := m.p.settle(ctx); err != nil {
		return r, err
	}
	if !m.readerIsDone {
		m.readerEnds()
	}
	each := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 / float64(n) }
	r = runResult{
		Events: n, Took: m.took, PerSec: float64(n) / m.took.Seconds(),
		Reader: each(m.readEnd - m.read), ClickHouse: each(m.p.house.cpu() - m.house), Kafka: each(m.p.kafka.cpu() - m.kafka), database: database,
	}
	r.CPU = r.Reader + r.ClickHouse + r.Kafka
	tables, err := m.p.bytes(ctx, database, n)
	for _, t := range tables {
		r.Bytes += t.PerEvent
	}
	return r, err
}

// waitRows waits until a table has n rows, and not for longer than limit.
func (p *place) waitRows(ctx context.Context, ended <-chan struct{}, table string, n int, limit time.Duration) error {
	began := time.Now()
	return wait(ctx, ended, func() (bool, error) {
		var rows uint64
		if err := p.root.QueryRow(ctx, "SELECT count() FROM "+table).Scan(&rows); err != nil {
			return false, fmt.Errorf("count the rows: %w", err)
		}
		if rows < uint64(n) && time.Since(began) > limit {
			return false, fmt.Errorf("%w: %d of %d rows are there after %s", errSlow, rows, n, limit)
		}
		return rows >= uint64(n), nil
	})
}

var errSlow = errors.New("it takes too long")

// asks is how often is asked: each time costs ClickHouse about 2 ms of CPU, which
// is to the debit of the side that runs.
const asks = 200 * time.Millisecond

// wait asks now and then whether something has come about. Something that ends
// before is an error.
func wait(ctx context.Context, ended <-chan struct{}, holds func() (bool, error)) error {
	return waitEvery(ctx, asks, ended, holds)
}

func waitEvery(ctx context.Context, each time.Duration, ended <-chan struct{}, holds func() (bool, error)) error {
	tick := time.NewTicker(each)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ended:
			return errEnded
		case <-tick.C:
		}
		if ok, err := holds(); ok || err != nil {
			return err
		}
	}
}

var errEnded = errors.New("it ended before it was through")

// quiet waits until no merge is under way, so that one run does not pay for the
// one before.
func (p *place) quiet(ctx context.Context) error {
	return wait(ctx, nil, func() (bool, error) {
		var merges uint64
		if err := p.root.QueryRow(ctx, "SELECT count() FROM system.merges").Scan(&merges); err != nil {
			return false, fmt.Errorf("ask for merges: %w", err)
		}
		return merges == 0, nil
	})
}

// settle waits until merges have been over for a while.
func (p *place) settle(ctx context.Context) error {
	for range 8 {
		if err := p.quiet(ctx); err != nil {
			return err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// tableBytes is what one table takes on disk.
type tableBytes struct {
	Table    string  `json:"table"`
	Rows     uint64  `json:"rows"`
	Bytes    uint64  `json:"bytes"`
	PerEvent float64 `json:"bytes_per_event"`
}

func (p *place) bytes(ctx context.Context, database string, events int) (all []tableBytes, err error) {
	rows, err := p.root.Query(ctx, `SELECT table, sum(rows), sum(bytes_on_disk) FROM system.parts
		WHERE active AND database = $1 GROUP BY table ORDER BY sum(bytes_on_disk) DESC`, database)
	if err != nil {
		return nil, fmt.Errorf("ask for the bytes on disk: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var t tableBytes
		if err := rows.Scan(&t.Table, &t.Rows, &t.Bytes); err != nil {
			return nil, err
		}
		t.PerEvent = float64(t.Bytes) / float64(events)
		all = append(all, t)
	}
	return all, rows.Err()
}

// complete looks that each event is in a trail, once.
func (p *place) complete(ctx context.Context, database string, n int) error {
	var rows, events uint64
	err := p.root.QueryRow(ctx, "SELECT count(), uniqExact(partition, offset) FROM "+database+".trail").Scan(&rows, &events)
	if err != nil {
		return fmt.Errorf("count the events: %w", err)
	}
	if rows != uint64(n) || events != uint64(n) {
		return fmt.Errorf("%d rows of %d events are in %s, of %d events", rows, events, database, n)
	}
	return nil
}
