package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// askedBeside is what a question takes of the same rows, stored otherwise.
type askedBeside struct {
	Name  string    `json:"question"`
	Store string    `json:"store"`
	Rows  int       `json:"rows"`
	Took  quantiles `json:"took"`
}

// besideShare is which part of the rows is stored otherwise: all of them would
// take longer to store than to ask.
const besideShare = 10

// The other ways: a table in the order of time, as most would make it, and what
// the collector's exporter makes of events, whose text is all it knows of them.
const (
	plainStore = "a table ordered by time"
	otelStore  = "the collector's table"
)

var besideFills = map[string][]string{
	plainStore: {
		`CREATE TABLE {database}.plain ENGINE = MergeTree ORDER BY time AS SELECT * FROM {database}.trail_rows LIMIT 0`,
		`INSERT INTO {database}.plain SELECT * FROM {database}.trail_rows WHERE topic = 'planted' AND offset < {rows} SETTINGS max_insert_threads = 2`,
	},
	otelStore: {
		collectorText,
		`INSERT INTO {database}.otel_logs (Timestamp, TraceId, SpanId, ServiceName, Body, LogAttributes)
			SELECT time, hex(trace_id), hex(span), source, toJSONString(CAST((
				event_id, controller, lower(hex(person)), actor, toString(operation), purpose, recipient, categories, toString(verdict)),
				'Tuple(id String, controller String, person String, actor String, operation String, purpose String, recipient String, categories Array(String), verdict String)')),
				map('messaging.kafka.partition', toString(partition), 'messaging.kafka.offset', toString(offset))
			FROM {database}.trail_rows WHERE topic = 'planted' AND offset < {rows}
			SETTINGS max_insert_threads = 2, max_partitions_per_insert_block = 0, throw_on_max_partitions_per_insert_block = 0`,
	},
}

// besideQuestions are as an engineer who knows the table would put them.
var besideQuestions = []struct{ name, store, query string }{
	{"a person's recipients", plainStore, `SELECT recipient, operation, purpose, verdict, count(), min(time), max(time) FROM {database}.plain
		WHERE person = unhex({person:String}) GROUP BY 1, 2, 3, 4`},
	{"a person's recipients", otelStore, `SELECT JSONExtractString(Body, 'recipient'), JSONExtractString(Body, 'operation'), JSONExtractString(Body, 'purpose'), JSONExtractString(Body, 'verdict'), count(), min(Timestamp), max(Timestamp)
		FROM {database}.otel_logs WHERE hasToken(lower(Body), {person:String}) GROUP BY 1, 2, 3, 4`},
	{"what an actor did in a day", plainStore, `SELECT purpose, count(), uniqExact(person) FROM {database}.plain
		WHERE time >= {from:DateTime} AND time < {from:DateTime} + INTERVAL 1 DAY AND actor = {actor:String} GROUP BY 1`},
	{"what an actor did in a day", otelStore, `SELECT JSONExtractString(Body, 'purpose'), count(), uniqExact(JSONExtractString(Body, 'person')) FROM {database}.otel_logs
		WHERE Timestamp >= {from:DateTime} AND Timestamp < {from:DateTime} + INTERVAL 1 DAY AND JSONExtractString(Body, 'actor') = {actor:String} GROUP BY 1`},
}

// beside stores a part of the rows otherwise, and asks the same of them.
func (p *planted) beside(ctx context.Context) (all []askedBeside, err error) {
	rows := int(p.cohortOffsets()) + p.rows/besideShare
	with := func(text string) string {
		return strings.NewReplacer("{database}", p.database, "{rows}", fmt.Sprint(rows)).Replace(text)
	}
	for _, store := range []string{plainStore, otelStore} {
		name := map[string]string{plainStore: "plain", otelStore: "otel_logs"}[store]
		var there uint64
		if err := p.root.QueryRow(ctx, "SELECT count() FROM system.tables WHERE database = $1 AND name = $2 AND total_rows > $3", p.database, name, p.rows/besideShare/2).Scan(&there); err != nil {
			return nil, fmt.Errorf("look for what is stored as %s: %w", store, err)
		}
		if there == 0 {
			p.say("answers: storing %d rows as %s", rows, store)
			for _, statement := range append([]string{"DROP TABLE IF EXISTS {database}." + name + " SYNC"}, besideFills[store]...) {
				if err := p.root.Exec(ctx, with(statement)); err != nil {
					return nil, fmt.Errorf("store rows as %s: %w", store, err)
				}
			}
		}
	}
	if err := p.settle(ctx); err != nil {
		return nil, err
	}
	for _, q := range besideQuestions {
		var took []float64
		rng := rand.New(rand.NewPCG(p.Seed, 9))
		for began := time.Now(); len(took) < 3 || len(took) < 200 && time.Since(began) < askedFor; {
			who := pseudonymOf(rng.IntN(p.persons))
			from := plantedFrom.Add(time.Duration(rng.IntN(360)) * plantedYear / 365 / besideShare).Truncate(time.Second)
			query := strings.NewReplacer("{person:String}", "'"+hex.EncodeToString(who[:])+"'", "{actor:String}", fmt.Sprintf("'u-%04d'", rng.IntN(plantedActors)),
				"{from:DateTime}", fmt.Sprintf("toDateTime(%d, 'UTC')", from.Unix())).Replace(with(q.query))
			at := time.Now()
			if err := p.root.Exec(ctx, query+" FORMAT Null"); err != nil {
				return nil, fmt.Errorf("ask for %s of %s: %w", q.name, q.store, err)
			}
			took = append(took, float64(time.Since(at).Microseconds())/1000)
		}
		slices.Sort(took)
		at := func(share float64) float64 { return took[min(len(took)-1, int(share*float64(len(took))))] }
		all = append(all, askedBeside{Name: q.name, Store: q.store, Rows: rows, Took: quantiles{P50: at(0.5), P99: at(0.99)}})
		p.say("answers: %s of %s, %d rows: p50 %.1f ms, p99 %.1f ms", q.name, q.store, rows, at(0.5), at(0.99))
	}
	return all, nil
}
