package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/andmerada/andmerada/deploy/registers"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/history"
	"github.com/andmerada/andmerada/internal/register"
)

// freshResult is how long it takes from an event's record in Kafka until a
// query finds its row, under a steady load.
type freshResult struct {
	Format     string   `json:"format"`
	Rate       int      `json:"events_per_second"`
	Seconds    int      `json:"seconds"`
	P50        float64  `json:"p50_ms"`
	P99        float64  `json:"p99_ms"`
	Most       float64  `json:"max_ms"`
	Producer   produced `json:"producer"`
	Ingest     float64  `json:"ingest_cpu_us_per_event"`
	ClickHouse float64  `json:"clickhouse_cpu_us_per_event"`
	Peak       int64    `json:"peak_bytes"`
}

// produced is what the producer did.
type produced struct {
	Events int     `json:"events"`
	PerSec float64 `json:"events_per_second"`
	Late   float64 `json:"late_ms"` // at most, behind its schedule
	CPU    float64 `json:"cpu_us_per_event"`
}

// fresh lets another process write at a steady rate, and looks every few
// milliseconds which rows are there.
func (p *place) fresh(ctx context.Context, r *result) (err error) {
	const name = "fresh"
	if err := p.topics.create(ctx, name, partitions); err != nil {
		return err
	}
	database, err := p.prepare(ctx, name, full)
	if err != nil {
		return err
	}
	producer, _, err := part(ctx, "produce", p.broker, name, strconv.Itoa(p.rate), strconv.Itoa(p.freshFor), p.freshFormat, strconv.FormatUint(p.Seed, 10))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, producer.kill()) }()
	c, err := p.startIngest(ctx, database, name, database)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.kill()) }()
	select { // until it has its partitions: a group's beginning is not a steady load
	case <-time.After(2 * time.Second):
	case <-ctx.Done():
		return ctx.Err()
	}
	m := p.begin(c.cpu)
	if _, err := io.WriteString(producer.stdin, "go\n"); err != nil {
		return fmt.Errorf("start to produce: %w", err)
	}
	f := &freshResult{Format: p.freshFormat, Rate: p.rate, Seconds: p.freshFor}
	lines := make(chan []byte, 1)
	go func() {
		line, _ := producer.out.ReadBytes('\n')
		lines <- line
	}()
	seen := &freshRows{place: p, table: database + ".trail", next: make([]int64, partitions), late: make(map[int64]int)}
	sent := -1
	err = waitEvery(ctx, 50*time.Millisecond, c.ended, func() (bool, error) {
		select {
		case line := <-lines:
			if err := json.Unmarshal(line, &f.Producer); err != nil {
				return false, fmt.Errorf("the producer does not say what it did: %w: %s", err, producer.tail.text())
			}
			sent = f.Producer.Events
		default:
		}
		err := seen.look(ctx)
		return sent >= 0 && seen.n >= sent, err
	})
	if err != nil {
		return fmt.Errorf("freshness: %w: %s", err, c.tail.text())
	}
	m.stored()
	m.readerEnds()
	f.Peak = c.peak()
	if err := c.stop(syscall.SIGTERM); err != nil {
		return err
	}
	run, err := m.result(ctx, database, sent)
	if err != nil {
		return err
	}
	f.Ingest, f.ClickHouse = run.Reader, run.ClickHouse
	f.P50, f.P99, f.Most = seen.quantile(0.5), seen.quantile(0.99), seen.quantile(1)
	p.say("freshness at %.0f events/s (%s): p50 %.0f ms, p99 %.0f ms, at most %.0f ms; the producer was at most %.0f ms late, %.1f CPU us an event",
		f.Producer.PerSec, f.Format, f.P50, f.P99, f.Most, f.Producer.Late, f.Producer.CPU)
	r.Fresh = f
	return p.drop(ctx, database)
}

// freshRows notes how old rows were when they were first seen.
type freshRows struct {
	*place
	table string
	next  []int64
	late  map[int64]int // by milliseconds
	n     int
}

func (f *freshRows) look(ctx context.Context) (err error) {
	var where []string
	for i, next := range f.next {
		where = append(where, fmt.Sprintf("partition = %d AND offset >= %d", i, next))
	}
	rows, err := f.root.Query(ctx, "SELECT partition, toUnixTimestamp64Milli(recorded) AS ms, count(), max(offset) FROM "+f.table+
		" WHERE topic = 'fresh' AND ("+strings.Join(where, " OR ")+") GROUP BY partition, ms SETTINGS optimize_use_projections = 0")
	if err != nil {
		return fmt.Errorf("look for rows: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var partition uint32
		var ms int64
		var n, last uint64
		if err := rows.Scan(&partition, &ms, &n, &last); err != nil {
			return fmt.Errorf("look for rows: %w", err)
		}
		f.next[partition] = max(f.next[partition], int64(last)+1)
		f.late[max(0, time.Now().UnixMilli()-ms)] += int(n)
		f.n += int(n)
	}
	return rows.Err()
}

func (f *freshRows) quantile(q float64) float64 {
	var all []float64
	for ms := range f.late {
		all = append(all, float64(ms))
	}
	rest := int(q * float64(f.n))
	for _, ms := range sorted(all) {
		if rest -= f.late[int64(ms)]; rest <= 0 {
			return ms
		}
	}
	return 0
}

// producePart writes events at a steady rate, encoded before: each is one of
// some thousand of the past with an id of its own.
func producePart(ctx context.Context, broker, topic, rateText, secondsText, formatName, seedText string) error {
	rate, err1 := strconv.Atoi(rateText)
	seconds, err2 := strconv.Atoi(secondsText)
	seed, err3 := strconv.ParseUint(seedText, 10, 64)
	if err := errors.Join(err1, err2, err3); err != nil {
		return fmt.Errorf("read the arguments: %w", err)
	}
	set, err := register.Load(registers.FS)
	if err != nil {
		return fmt.Errorf("load the registers: %w", err)
	}
	past, err := history.New(set, history.Options{Seed: seed, Events: 40_000, Persons: 10_000})
	if err != nil {
		return err
	}
	f := jsonFormat
	if formatName == avroFormat.name {
		f = avroFormat
	}
	var ready []*message
	for ev := range single(past) {
		headers, value, err := f.encode(ev)
		if err != nil {
			return err
		}
		ready = append(ready, &message{event.PartitionKey(ev), headers, value, ev.ID})
	}
	w, err := newWriter(broker, topic)
	if err != nil {
		return err
	}
	defer w.client.Close()
	if err := json.NewEncoder(os.Stdout).Encode(hello{}); err != nil {
		return fmt.Errorf("say that it is ready: %w", err)
	}
	if _, err := os.Stdin.Read(make([]byte, 3)); err != nil {
		return fmt.Errorf("wait to begin: %w", err)
	}
	began, used := time.Now(), cpu()
	total, late := rate*seconds, time.Duration(0)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for sent := 0; sent < total; {
		<-tick.C
		due := min(total, int(time.Since(began).Seconds()*float64(rate)))
		for ; sent < due; sent++ {
			ready[sent%len(ready)].write(ctx, w, sent)
		}
		late = max(late, time.Since(began)-time.Duration(float64(sent)/float64(rate)*float64(time.Second)))
	}
	if err := w.flush(ctx); err != nil {
		return err
	}
	took := time.Since(began)
	err = json.NewEncoder(os.Stdout).Encode(produced{
		Events: total, PerSec: float64(total) / took.Seconds(), Late: float64(late.Milliseconds()), CPU: float64((cpu() - used).Nanoseconds()) / 1e3 / float64(total),
	})
	if err != nil {
		return fmt.Errorf("say what it did: %w", err)
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// message is an encoded event.
type message struct {
	key     string
	headers []event.Header
	value   []byte
	id      string
}

// write sends it under an id of its own: the last twelve digits are a number.
func (m *message) write(ctx context.Context, w *writer, n int) {
	id := fmt.Appendf(nil, "%s%012x", m.id[:len(m.id)-12], n)
	headers, value := m.headers, m.value
	if at := bytes.Index(value, []byte(m.id)); at >= 0 {
		value = bytes.Clone(value)
		copy(value[at:], id)
	} else {
		headers = append([]event.Header(nil), headers...)
		for i := range headers {
			if headers[i].Key == "ce_id" {
				headers[i].Value = id
			}
		}
	}
	w.write(ctx, m.key, headers, value)
}
