package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/segmentio/kafka-go"

	"github.com/andmerada/andmerada/deploy/registers"
	"github.com/andmerada/andmerada/internal/embedded"
	"github.com/andmerada/andmerada/internal/emit"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/history"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

// partitions of each topic.
const partitions = 4

// place is what is measured: Kafka and ClickHouse in a directory of their own,
// and a made-up past to fill them with.
type place struct {
	options
	progress io.Writer

	dir       string
	kafka     *embedded.Kafka
	house     *embedded.ClickHouse
	root      driver.Conn
	registers *register.Set
	keys      *identity.Keys
	past      *history.Generator
}

// open starts everything. What was started before a failure is stopped.
func open(ctx context.Context, o options, progress io.Writer) (_ *place, err error) {
	p := &place{options: o, progress: progress}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	if p.registers, err = register.Load(registers.FS); err != nil {
		return nil, fmt.Errorf("load the registers: %w", err)
	}
	persons := max(history.MinPersons, o.Events/40) // as many a person as in the demo
	if p.past, err = history.New(p.registers, history.Options{Seed: o.Seed, Events: o.Events, Persons: persons}); err != nil {
		return nil, err
	}
	if p.dir, err = os.MkdirTemp("", "andmerada-bench-*"); err != nil {
		return nil, fmt.Errorf("make a directory: %w", err)
	}
	secret, _, err := identity.LoadOrCreateSecret(filepath.Join(p.dir, "secret"))
	if err != nil {
		return nil, err
	}
	if p.keys, err = identity.New(secret); err != nil {
		return nil, err
	}
	if p.kafka, err = embedded.StartKafka(ctx, embedded.KafkaConfig{Dir: filepath.Join(p.dir, "kafka")}); err != nil {
		return nil, err
	}
	p.house, err = embedded.StartClickHouse(ctx, embedded.ClickHouseConfig{Dir: filepath.Join(p.dir, "clickhouse"), KafkaConsumers: o.Consumers})
	if err != nil {
		return nil, err
	}
	user, password := p.house.Credentials(embedded.Writer)
	p.root, err = clickhouse.Open(&clickhouse.Options{
		Addr: []string{p.house.Addr()}, Auth: clickhouse.Auth{Username: user, Password: password}, ReadTimeout: 10 * time.Minute,
	})
	return p, err
}

// close stops everything and removes the directory.
func (p *place) close() error {
	var errs []error
	if p.root != nil {
		errs = append(errs, p.root.Close())
	}
	if p.house != nil {
		errs = append(errs, p.house.Close())
	}
	if p.kafka != nil {
		errs = append(errs, p.kafka.Close())
	}
	if p.dir != "" {
		errs = append(errs, os.RemoveAll(p.dir))
	}
	return errors.Join(errs...)
}

// say tells how far it has come.
func (p *place) say(format string, args ...any) {
	fmt.Fprintf(p.progress, format+"\n", args...)
}

// database opens an empty trail of that name.
func (p *place) database(ctx context.Context, name string) (*trail.DB, string, error) {
	name = embedded.DatabaseName + "_" + name
	user, password := p.house.Credentials(embedded.Writer)
	db, err := trail.Open(ctx, trail.Config{Addr: p.house.Addr(), Database: name, User: user, Password: password})
	return db, name, err
}

// drop removes a database, with what was measured in it.
func (p *place) drop(ctx context.Context, name string) error {
	if err := p.root.Exec(ctx, "DROP DATABASE IF EXISTS "+name+" SYNC"); err != nil {
		return fmt.Errorf("drop database %q: %w", name, err)
	}
	return nil
}

// fill makes a topic and writes events to it, in structured mode: the value is
// the whole event, which is what ClickHouse's engine can read.
func (p *place) fill(ctx context.Context, topic string, events iter.Seq[*event.Event]) (n int, err error) {
	began := time.Now()
	if err := p.kafka.CreateTopic(ctx, topic, partitions); err != nil {
		return 0, err
	}
	transport := &kafka.Transport{} // its own, or it remembers that there was no such topic
	defer transport.CloseIdleConnections()
	w, err := emit.New(emit.Config{Brokers: []string{p.kafka.Addr()}, Topic: topic, Structured: true, Transport: transport})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	const at = 20_000
	batch := make([]*event.Event, 0, at)
	send := func() error {
		if err := w.Emit(ctx, batch...); err != nil {
			return err
		}
		n += len(batch)
		batch = batch[:0]
		return nil
	}
	for ev := range events {
		if batch = append(batch, ev); len(batch) == at {
			if err := send(); err != nil {
				return n, err
			}
		}
	}
	if err := send(); err != nil {
		return n, err
	}
	p.say("topic %s: %d events in %s", topic, n, time.Since(began).Round(time.Millisecond))
	return n, nil
}

// single are the events of the past that become one row each: without listings
// of cohorts, and each about its first person alone.
func (p *place) single() iter.Seq[*event.Event] {
	return func(yield func(*event.Event) bool) {
		for ev := range p.past.Events() {
			if ev.Kind == event.CohortPart {
				continue
			}
			if len(ev.Persons) > 1 {
				ev.Persons = slices.Clip(ev.Persons[:1])
				if ev.Kind == event.FactEvent { // one person alone is no identity
					continue
				}
			}
			if !yield(ev) {
				return
			}
		}
	}
}
