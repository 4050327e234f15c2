package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/ingest"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

// runResult is one run of one side.
type runResult struct {
	Events   int           `json:"events"`
	Took     time.Duration `json:"took_ns"`
	PerSec   float64       `json:"events_per_second"`
	CPU      float64       `json:"cpu_us_per_event"`
	Parts    uint64        `json:"parts_written"`
	database string
}

// compare runs ingest and the Kafka engine in turn over the same topic, and
// then looks at what they left on disk.
func (p *place) compare(ctx context.Context, r *result) error {
	const topic = "single"
	n, err := p.fill(ctx, topic, p.single())
	if err != nil {
		return err
	}
	c := &comparison{Events: n, Consumers: p.Consumers}
	for i := range p.Runs {
		ours, err := p.ours(ctx, fmt.Sprint("ours_", i), topic, n, i == 0)
		if err != nil {
			return err
		}
		p.say("run %d: ingest with verdict        %8.0f events/s, %5.1f CPU us an event, %d parts", i+1, ours.PerSec, ours.CPU, ours.Parts)
		engine, err := p.engine(ctx, fmt.Sprint("engine_", i), topic, n)
		if err != nil {
			return err
		}
		p.say("run %d: ClickHouse's Kafka engine  %8.0f events/s, %5.1f CPU us an event, %d parts", i+1, engine.PerSec, engine.CPU, engine.Parts)
		c.Ours, c.Engine = append(c.Ours, ours), append(c.Engine, engine)
		if i == p.Runs-1 {
			if err := p.same(ctx, ours.database, engine.database); err != nil {
				return err
			}
			if err := p.settle(ctx); err != nil {
				return err
			}
			if c.OursBytes, err = p.bytes(ctx, ours.database, n); err != nil {
				return err
			}
			if c.EngineBytes, err = p.bytes(ctx, engine.database, n); err != nil {
				return err
			}
		}
		if err := errors.Join(p.drop(ctx, ours.database), p.drop(ctx, engine.database)); err != nil {
			return err
		}
	}
	c.Ratio = median(c.Ours, perSecond) / median(c.Engine, perSecond)
	r.Ingest = c
	return nil
}

func perSecond(r runResult) float64 { return r.PerSec }
func cpuEach(r runResult) float64   { return r.CPU }

func median(runs []runResult, of func(runResult) float64) float64 {
	var all []float64
	for _, r := range runs {
		all = append(all, of(r))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// cpu is what the process has used; Kafka and ClickHouse are in it.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// finish is what a run came to, from its beginning until all rows are there.
func (p *place) finish(ctx context.Context, database string, n int, began time.Time, used time.Duration) (runResult, error) {
	took := time.Since(began)
	r := runResult{
		Events: n, Took: took, PerSec: float64(n) / took.Seconds(),
		CPU: float64((cpu() - used).Microseconds()) / float64(n), database: database,
	}
	if err := p.root.QueryRow(ctx, "SELECT count() FROM system.parts WHERE database = $1 AND table = 'trail' AND level = 0", database).Scan(&r.Parts); err != nil {
		return r, fmt.Errorf("count the parts: %w", err)
	}
	var events uint64
	if err := p.root.QueryRow(ctx, "SELECT uniqExact(topic, partition, offset) FROM "+database+".trail").Scan(&events); err != nil {
		return r, fmt.Errorf("count the events: %w", err)
	}
	if events != uint64(n) {
		return r, fmt.Errorf("%d events are in %s, of %d", events, database, n)
	}
	return r, nil
}

// ours runs ingest over a topic. The clock runs from before it joins the group
// until all is stored.
func (p *place) ours(ctx context.Context, name, topic string, n int, profile bool) (r runResult, err error) {
	db, database, err := p.database(ctx, name)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := p.quiet(ctx); err != nil {
		return r, err
	}
	began, used := time.Now(), cpu()
	if profile {
		err = p.profiled(func() error { _, err := p.ingest(ctx, db, name, topic, n); return err })
	} else {
		_, err = p.ingest(ctx, db, name, topic, n)
	}
	if err != nil {
		return r, err
	}
	return p.finish(ctx, database, n, began, used)
}

// ingest reads a topic into a trail until n events are there, and returns the
// facts that it has learnt.
func (p *place) ingest(ctx context.Context, db *trail.DB, group, topic string, n int) (*facts.Store, error) {
	store := facts.New()
	i, err := ingest.New(ingest.Config{
		Brokers: []string{p.kafka.Addr()}, Topics: []string{topic}, Group: group,
		Trail: db, Registers: func() *register.Set { return p.registers }, Keys: p.keys, Facts: store,
	})
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- i.Run(running) }()
	err = wait(ctx, done, func() (bool, error) { return i.Stats().Events >= uint64(n), nil })
	stop()
	if err == nil {
		err = <-done
	}
	if s := i.Stats(); err == nil && len(s.Quarantined) > 0 {
		err = fmt.Errorf("events of the made-up past went to the quarantine: %v", s.Quarantined)
	}
	return store, err
}

// wait asks every few milliseconds whether something has come about. Something
// that ends before is an error.
func wait(ctx context.Context, ended <-chan error, holds func() (bool, error)) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-ended:
			return errors.Join(errors.New("it ended before it was through"), err)
		case <-tick.C:
		}
		if ok, err := holds(); ok || err != nil {
			return err
		}
	}
}

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

// same holds what both sides stored against each other: a side that took less
// out of the events would be faster for nothing. (fact_value is left out: ours is
// in canonical form.)
func (p *place) same(ctx context.Context, ours, engine string) error {
	const columns = `event_id, source, operation, time, recorded, controller, cohort_id, cohort_size, actor, actor_kind, actor_role,
		actor_organisation, actor_on_behalf_of, purpose, recipient, recipient_organisation, recipient_code, recipient_country, categories, fields,
		records, data_source, basis, basis_reference, reason, channel, statements, fact, fact_valid_from, sequence, trace_id, span`
	for column := range strings.SplitSeq(columns, ",") {
		column = strings.TrimSpace(column)
		var differ, a, b string
		err := p.root.QueryRow(ctx, fmt.Sprintf(`SELECT toString(countIf(a.c != b.c)), anyIf(a.c, a.c != b.c), anyIf(b.c, a.c != b.c)
			FROM (SELECT partition, offset, toString(%[1]s) AS c FROM %[2]s.trail) AS a
			JOIN (SELECT partition, offset, toString(%[1]s) AS c FROM %[3]s.trail) AS b USING (partition, offset)`, column, ours, engine)).Scan(&differ, &a, &b)
		if err != nil {
			return fmt.Errorf("hold both tables against each other: %w", err)
		}
		if differ != "0" {
			return fmt.Errorf("the two sides have different %s: %s rows, such as %q and %q", column, differ, a, b)
		}
	}
	return nil
}

// settle waits until merges have been over for a while.
func (p *place) settle(ctx context.Context) error {
	for range 10 {
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
