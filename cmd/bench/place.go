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
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/andmerada/andmerada/deploy/registers"
	"github.com/andmerada/andmerada/internal/embedded"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/history"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

// partitions of each topic, unless it is their number that is measured.
const partitions = 4

// pastEvents bounds the past that is judged, replayed and asked about: those
// measures are the same for one event, however many there are.
const pastEvents = 300_000

// place is what is measured: Kafka and ClickHouse in processes of their own,
// with a directory of their own, and a made-up past to fill them with.
type place struct {
	options
	progress io.Writer

	dir       string // goes at the end
	kafka     *child
	broker    string // Kafka's address
	house     *child
	houseDir  string // of ClickHouse
	houseAt   hello
	root      driver.Conn
	topics    *topics
	registry  *registry
	registers *register.Set
	keys      *identity.Keys
	secret    string             // file
	past      *history.Generator // short
	much      *history.Generator // as many events as asked for
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
	if p.past, err = p.history(min(o.Events, pastEvents)); err != nil {
		return nil, err
	}
	if p.much, err = p.history(o.Events); err != nil {
		return nil, err
	}
	if p.dir, err = os.MkdirTemp("", "andmerada-bench-*"); err != nil {
		return nil, fmt.Errorf("make a directory: %w", err)
	}
	cache := o.cache
	if cache == "" {
		cache = p.dir
	}
	p.secret, p.houseDir = filepath.Join(p.dir, "secret"), filepath.Join(p.dir, "clickhouse")
	if o.alone(askedMeasure) { // what is planted stays for the next time, and must have the same keys then
		p.houseDir = filepath.Join(cache, fmt.Sprintf("planted-v%d-%d-%d-%d", trail.SchemaVersion, o.Seed, o.askRows, o.askPersons))
		p.secret = filepath.Join(p.houseDir, "secret")
		if err := os.MkdirAll(p.houseDir, 0o700); err != nil {
			return nil, fmt.Errorf("make the directory of what is planted: %w", err)
		}
	}
	secret, _, err := identity.LoadOrCreateSecret(p.secret)
	if err != nil {
		return nil, err
	}
	if p.keys, err = identity.New(secret); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of the topics: %w", err)
	}
	if !o.alone(askedMeasure) {
		if err := p.openKafka(ctx, cache); err != nil {
			return nil, err
		}
	}
	if p.house, p.houseAt, err = part(ctx, "clickhouse", p.houseDir, strconv.Itoa(o.Consumers)); err != nil {
		return nil, err
	}
	p.root, err = clickhouse.Open(&clickhouse.Options{
		Addr: []string{p.houseAt.Addr}, Auth: clickhouse.Auth{Username: p.houseAt.User, Password: p.houseAt.Password}, ReadTimeout: 30 * time.Minute,
	})
	return p, err
}

// openKafka starts the broker, with the topics that were kept, and the schema
// registry.
func (p *place) openKafka(ctx context.Context, cache string) (err error) {
	var at hello
	if p.kafka, at, err = part(ctx, "kafka", filepath.Join(cache, "kafka")); err != nil {
		return err
	}
	p.broker = at.Addr
	if p.topics, err = openTopics(ctx, p.broker, filepath.Join(cache, "topics.json")); err != nil {
		return err
	}
	if p.registry, err = startRegistry(ctx); err != nil {
		return err
	}
	return nil
}

// history makes up a past, with as many events a person as the demo has.
func (p *place) history(events int) (*history.Generator, error) {
	return history.New(p.registers, history.Options{Seed: p.Seed, Events: events, Persons: max(history.MinPersons, events/40)})
}

// close stops everything and removes the directory.
func (p *place) close() error {
	var errs []error
	if p.root != nil {
		errs = append(errs, p.root.Close())
	}
	if p.topics != nil {
		errs = append(errs, p.topics.close())
	}
	if p.registry != nil {
		errs = append(errs, p.registry.close())
	}
	if p.house != nil {
		errs = append(errs, p.house.stop(nil))
	}
	if p.kafka != nil {
		errs = append(errs, p.kafka.stop(nil))
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
	db, err := trail.Open(ctx, trail.Config{Addr: p.houseAt.Addr, Database: name, User: p.houseAt.User, Password: p.houseAt.Password, ReachFor: time.Second})
	return db, name, err
}

// drop removes a database, with what was measured in it.
func (p *place) drop(ctx context.Context, name string) error {
	if err := p.root.Exec(ctx, "DROP DATABASE IF EXISTS "+name+" SYNC"); err != nil {
		return fmt.Errorf("drop database %q: %w", name, err)
	}
	return nil
}

// single are the events of a past that become one row each: without listings
// of cohorts, and each about its first person alone.
func single(past *history.Generator) iter.Seq[*event.Event] {
	return func(yield func(*event.Event) bool) {
		for ev := range past.Events() {
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
