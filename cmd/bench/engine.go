package main

import (
	"context"
	_ "embed" // The statements.
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/embedded"
)

// The other side: a table of the engine Kafka, a view that takes apart what it
// reads, and the table that it goes into.
//
//go:embed engine.sql
var engineText string

//go:embed flat.sql
var flatText string

//go:embed flat_projections.sql
var flatProjections string

// flat makes a database with a table of whole rows.
func (p *place) flat(ctx context.Context, name string, kind tableKind) (string, error) {
	database, projections := embedded.DatabaseName+"_"+name, ""
	if kind == full {
		projections = ",\n" + flatProjections
	}
	text := strings.NewReplacer("{database}", database, "{projections}", projections).Replace(flatText)
	for _, statement := range []string{"CREATE DATABASE " + database, strings.TrimSuffix(strings.TrimSpace(text), ";")} {
		if err := p.root.Exec(ctx, statement); err != nil {
			return "", fmt.Errorf("make an equal table: %w", err)
		}
	}
	return database, nil
}

// newGroup names a group that has read nothing: the broker is kept for the next
// time, with what groups have committed.
func newGroup(database string) string { return fmt.Sprint(database, "-", time.Now().UnixNano()) }

// engine lets ClickHouse read a topic by itself. The clock runs from the making
// of the view, which starts its consumers, until all rows are there.
func (p *place) engine(ctx context.Context, name, topic string, kind tableKind, n int) (r runResult, err error) {
	database, err := p.flat(ctx, name, kind)
	if err != nil {
		return r, err
	}
	fill := strings.NewReplacer("{database}", database, "{broker}", p.broker, "{topic}", topic, "{group}", newGroup(database),
		"{consumers}", fmt.Sprint(p.Consumers), "{block}", fmt.Sprint(p.engineBlock))
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
	m := p.begin(nil)
	if err := p.root.Exec(ctx, strings.TrimSuffix(strings.TrimSpace(view), ";")); err != nil {
		return r, fmt.Errorf("make the view: %w", err)
	}
	if err := p.waitRows(ctx, p.house.ended, database+".trail", n, tooLong); err != nil {
		return r, fmt.Errorf("ClickHouse's Kafka engine: %w: see system.kafka_consumers and the engine's log", err)
	}
	m.stored()
	if r, err = m.result(ctx, database, n); err != nil {
		return r, err
	}
	// The consumers leave their group, for which they need CPU and seconds: after
	// the result, so that it is not to their debit.
	if err := p.root.Exec(ctx, "DROP TABLE "+database+".by_engine SYNC"); err != nil {
		return r, fmt.Errorf("drop the view: %w", err)
	}
	if err := p.root.Exec(ctx, "DROP TABLE "+database+".topic SYNC"); err != nil {
		return r, fmt.Errorf("drop the table of the engine Kafka: %w", err)
	}
	return r, p.complete(ctx, database, n)
}

// same holds what both sides stored against each other, of one event in many: a
// side that took less out of the events would be faster for nothing.
// (fact_value is left out: ours is in canonical form.)
func (p *place) same(ctx context.Context, ours, engine string, n int) error {
	const columns = `event_id, source, operation, time, recorded, controller, cohort_id, cohort_size, actor, actor_kind, actor_role,
		actor_organisation, actor_on_behalf_of, purpose, recipient, recipient_organisation, recipient_code, recipient_country, categories, fields,
		records, data_source, basis, basis_reference, reason, channel, statements, fact, fact_valid_from, sequence, trace_id, span`
	every := max(1, n/50_000)
	for column := range strings.SplitSeq(columns, ",") {
		column = strings.TrimSpace(column)
		var differ, a, b string
		err := p.root.QueryRow(ctx, fmt.Sprintf(`SELECT toString(countIf(a.c != b.c)), anyIf(a.c, a.c != b.c), anyIf(b.c, a.c != b.c)
			FROM (SELECT partition, offset, toString(%[1]s) AS c FROM %[2]s.trail_rows WHERE offset %% %[4]d = 0) AS a
			JOIN (SELECT partition, offset, toString(%[1]s) AS c FROM %[3]s.trail WHERE offset %% %[4]d = 0) AS b USING (partition, offset)`,
			column, ours, engine, every)).Scan(&differ, &a, &b)
		if err != nil {
			return fmt.Errorf("hold both tables against each other: %w", err)
		}
		if differ != "0" {
			return fmt.Errorf("the two sides have different %s: %s rows, such as %q and %q", column, differ, a, b)
		}
	}
	return nil
}
