package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/andmerada/andmerada/internal/findings"
	"github.com/andmerada/andmerada/internal/rejudge"
	"github.com/andmerada/andmerada/internal/trail"
)

// watchScope names the metrics of what is wired together here.
const watchScope = "github.com/andmerada/andmerada/cmd/andmerada"

// reload is how the last reading of changed registers went.
type reload struct {
	failures atomic.Int64
	loaded   atomic.Int64 // Unix time of when those in use were taken up
	cause    atomic.Pointer[error]
}

func (r *reload) done(err error) {
	if r == nil {
		return
	}
	if err != nil {
		r.failures.Add(1)
		r.cause.Store(&err)
		return
	}
	r.cause.Store(nil)
	r.loaded.Store(time.Now().Unix())
}

// failed is why changed registers are not in use, nil if there are none.
func (r *reload) failed() error {
	if err := r.cause.Load(); err != nil {
		return *err
	}
	return nil
}

// instruments makes observable instruments, and registers what fills them in.
type instruments struct {
	meter metric.Meter
	all   []metric.Observable
	errs  []error
}

func (i *instruments) gauge(name, unit, description string) metric.Float64ObservableGauge {
	g, err := i.meter.Float64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(description))
	i.all, i.errs = append(i.all, g), append(i.errs, err)
	return g
}

func (i *instruments) counter(name, unit, description string) metric.Int64ObservableCounter {
	c, err := i.meter.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(description))
	i.all, i.errs = append(i.all, c), append(i.errs, err)
	return c
}

func (i *instruments) fill(f func(context.Context, metric.Observer) error) error {
	_, err := i.meter.RegisterCallback(f, i.all...)
	if err := errors.Join(append(i.errs, err)...); err != nil {
		return fmt.Errorf("set up metrics: %w", err)
	}
	return nil
}

func (n *node) instruments() *instruments {
	return &instruments{meter: n.telemetry.Meters.Meter(watchScope)}
}

// watchMemory tells of the registers and the facts in memory.
func (n *node) watchMemory() error {
	i := n.instruments()
	count := i.gauge("andmerada.facts.count", "{fact}", "Facts in memory, one a subject.")
	size := i.gauge("andmerada.facts.memory", "By", "Memory that facts take.")
	age := i.gauge("andmerada.registers.age", "s", "How long the registers have been in use.")
	failing := i.gauge("andmerada.registers.failing", "{set}", "1 while changed registers do not check, so that older ones are in use.")
	failures := i.counter("andmerada.registers.failures", "{reload}", "Times that changed registers did not check.")
	return i.fill(func(_ context.Context, o metric.Observer) error {
		facts := n.facts.Size()
		o.ObserveFloat64(count, float64(facts.Facts))
		o.ObserveFloat64(size, float64(facts.Bytes))
		o.ObserveFloat64(age, time.Since(time.Unix(n.reload.loaded.Load(), 0)).Seconds())
		bad := 0.0
		if n.reload.failed() != nil {
			bad = 1
		}
		o.ObserveFloat64(failing, bad)
		o.ObserveInt64(failures, n.reload.failures.Load())
		return nil
	})
}

// watchRejudging tells of judging again.
func (n *node) watchRejudging(f *rejudge.Follower) error {
	i := n.instruments()
	facts := i.counter("andmerada.rejudge.facts", "{row}", "Rows of facts that were looked at for judging again.")
	events := i.counter("andmerada.rejudge.events", "{row}", "Rows of events that were judged again.")
	changed := i.counter("andmerada.rejudge.changed", "{row}", "Verdicts that were given anew, as they had changed.")
	behind := i.gauge("andmerada.rejudge.behind", "{offset}", "Offsets whose facts have yet to be followed; 0 in a process that leaves it to another.")
	return i.fill(func(_ context.Context, o metric.Observer) error {
		s := f.Stats()
		o.ObserveInt64(facts, s.Facts)
		o.ObserveInt64(events, s.Events)
		o.ObserveInt64(changed, s.Changed)
		o.ObserveFloat64(behind, float64(s.Behind))
		return nil
	})
}

// watchFindings tells of findings that were told; each sink is named by what it
// is, as its address may be a secret.
func (n *node) watchFindings(followers map[string]*findings.Follower) error {
	i := n.instruments()
	told := i.counter("andmerada.findings.told", "{finding}", "Findings that a sink has taken.")
	failures := i.counter("andmerada.findings.failures", "{round}", "Times that findings could not be told; each is made good by another.")
	return i.fill(func(_ context.Context, o metric.Observer) error {
		for sink, f := range followers {
			to := metric.WithAttributes(attribute.String("sink", sink))
			o.ObserveInt64(told, f.Told(), to)
			o.ObserveInt64(failures, f.Failures(), to)
		}
		return nil
	})
}

// verifyEvery is how often the newest offsets are verified. A process that has
// verified nothing yet begins verifyBack ago, and verifyMost offsets back at most.
const (
	verifyEvery = time.Minute
	verifyBack  = time.Hour
	verifyMost  = 1_000_000
)

// keeper looks after the trail beside ingest: it verifies what was written
// lately, and looks at ClickHouse's disks.
type keeper struct {
	n     *node
	lease *trail.Lease
	since map[int32]int64 // up to where each partition was verified

	mu      sync.Mutex
	faults  int64
	checked time.Time // when the last verification ended
	runs    map[string]int64
	disks   []trail.Disk
}

func (n *node) keeper() (*keeper, error) {
	k := &keeper{n: n, lease: n.trail.NewLease("verify"), since: make(map[int32]int64), runs: map[string]int64{"ok": 0, "failed": 0, "error": 0}}
	i := n.instruments()
	faults := i.gauge("andmerada.verify.faults", "{offset}", "Offsets that are missing, doubled or incomplete among those written lately.")
	age := i.gauge("andmerada.verify.age", "s", "How long ago this process verified what was written lately; none where another does.")
	runs := i.counter("andmerada.verify.runs", "{run}", "Verifications, by outcome.")
	free := i.gauge("andmerada.trail.disk.free", "By", "Free space of ClickHouse's disks.")
	total := i.gauge("andmerada.trail.disk.size", "By", "Size of ClickHouse's disks.")
	return k, i.fill(func(_ context.Context, o metric.Observer) error {
		k.mu.Lock()
		defer k.mu.Unlock()
		o.ObserveFloat64(faults, float64(k.faults))
		if !k.checked.IsZero() {
			o.ObserveFloat64(age, time.Since(k.checked).Seconds())
		}
		for outcome, n := range k.runs {
			o.ObserveInt64(runs, n, metric.WithAttributes(attribute.String("outcome", outcome)))
		}
		for _, d := range k.disks {
			disk := metric.WithAttributes(attribute.String("disk", d.Name))
			o.ObserveFloat64(free, float64(d.Free), disk)
			o.ObserveFloat64(total, float64(d.Total), disk)
		}
		return nil
	})
}

// run works until ctx ends.
func (k *keeper) run(ctx context.Context) error {
	tick := time.NewTicker(verifyEvery)
	defer tick.Stop()
	for {
		k.round(ctx)
		select {
		case <-ctx.Done():
			stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			if err := k.lease.Release(stop); err != nil {
				k.n.log.Warn("the lease to verify was not given up: another process waits for its end", slog.Any("error", err))
			}
			return nil
		case <-tick.C:
		}
	}
}

func (k *keeper) round(ctx context.Context) {
	if disks, err := k.n.trail.Disks(ctx); err == nil { // else ClickHouse is away, or gives no right: then nothing is told
		k.mu.Lock()
		k.disks = disks
		k.mu.Unlock()
	}
	mine, err := k.lease.Take(ctx, 3*verifyEvery)
	if err == nil && !mine {
		k.mu.Lock()
		k.checked, k.faults = time.Time{}, 0
		k.mu.Unlock()
		return
	}
	var faults int64
	if err == nil {
		faults, err = k.verify(ctx)
	}
	if ctx.Err() != nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case err != nil:
		k.runs["error"]++
		k.n.log.WarnContext(ctx, "the trail could not be verified, trying again", slog.Any("error", err))
		return
	case faults > 0:
		k.runs["failed"]++
		k.n.log.ErrorContext(ctx, "the trail has faults: run `andmerada verify`", slog.Int64("offsets", faults))
	default:
		k.runs["ok"]++
	}
	k.faults, k.checked = faults, time.Now()
}

// verify looks at what was written since the last time, as `andmerada verify
// --since` does. A partition with faults is looked at again from where it was,
// until they are mended.
func (k *keeper) verify(ctx context.Context) (faults int64, err error) {
	report, err := verifyTrail(ctx, k.n.config, k.n.trail, func(committed map[int32]int64) (map[int32]int64, error) {
		return k.since, k.begin(ctx, committed)
	})
	if err != nil {
		return 0, err
	}
	for i := range report.Partitions {
		p := &report.Partitions[i]
		n := p.Faults()
		if n == 0 {
			k.since[p.Partition] = p.Committed
		}
		faults += n
	}
	return faults, nil
}

// begin says where to begin in partitions that are new.
func (k *keeper) begin(ctx context.Context, committed map[int32]int64) error {
	var fresh []int32
	for p := range committed {
		if _, known := k.since[p]; !known {
			fresh = append(fresh, p)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	from, err := k.n.trail.Since(ctx, k.n.config.Kafka.Topic, fresh, time.Now().Add(-verifyBack))
	if err != nil {
		return err
	}
	for _, p := range fresh {
		k.since[p] = max(from[p], committed[p]-verifyMost)
	}
	return nil
}

// found is what the last verification found.
func (k *keeper) found() int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.faults
}
