package main

import (
	"context"
	_ "embed" // The statements.
	"errors"
	"fmt"
	"strings"
	"time"
)

// engineText is the other side: a table of the engine Kafka and a view that
// puts what it reads into the trail.
//
//go:embed engine.sql
var engineText string

// engine lets ClickHouse read a topic by itself. The clock runs from the making
// of the view, which starts its consumers, until all rows are there.
func (p *place) engine(ctx context.Context, name, topic string, n int) (r runResult, err error) {
	db, database, err := p.database(ctx, name) // an equal table: the same migrations
	if err != nil {
		return r, err
	}
	if err := db.Close(); err != nil {
		return r, err
	}
	fill := strings.NewReplacer(
		"{database}", database, "{broker}", p.kafka.Addr(), "{topic}", topic, "{group}", name, "{consumers}", fmt.Sprint(p.Consumers))
	table, view, ok := strings.Cut(fill.Replace(engineText), ";")
	if !ok {
		return r, errors.New("engine.sql is not two statements")
	}
	if err := p.root.Exec(ctx, table); err != nil {
		return r, fmt.Errorf("make a table of the engine Kafka: %w", err)
	}
	if err := p.quiet(ctx); err != nil {
		return r, err
	}
	began, used := time.Now(), cpu()
	if err := p.root.Exec(ctx, strings.TrimSuffix(strings.TrimSpace(view), ";")); err != nil {
		return r, fmt.Errorf("make the view: %w", err)
	}
	last := time.Now()
	err = wait(ctx, nil, func() (bool, error) {
		if time.Since(last) < 20*time.Millisecond { // asking is not free either
			return false, nil
		}
		last = time.Now()
		var rows uint64
		if err := p.root.QueryRow(ctx, "SELECT count() FROM "+database+".trail").Scan(&rows); err != nil {
			return false, fmt.Errorf("count the rows: %w", err)
		}
		if rows < uint64(n) && time.Since(began) > 10*time.Minute {
			return false, fmt.Errorf("ClickHouse's Kafka engine has read %d of %d events in 10 minutes: see system.kafka_consumers and the engine's log", rows, n)
		}
		return rows >= uint64(n), nil
	})
	if err != nil {
		return r, err
	}
	if r, err = p.finish(ctx, database, n, began, used); err != nil {
		return r, err
	}
	// Before the database goes: the consumers leave their group.
	if err := p.root.Exec(ctx, "DROP TABLE "+database+".by_engine SYNC"); err != nil {
		return r, fmt.Errorf("drop the view: %w", err)
	}
	if err := p.root.Exec(ctx, "DROP TABLE "+database+".topic SYNC"); err != nil {
		return r, fmt.Errorf("drop the table of the engine Kafka: %w", err)
	}
	return r, nil
}
