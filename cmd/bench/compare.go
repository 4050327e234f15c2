package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// side is one that does the work.
type side string

const (
	oursSide   side = "ingest"
	engineSide side = "kafka-engine"
	limitSide  side = "limit"
)

// series is the runs of one side at one work.
type series struct {
	Side   side        `json:"side"`
	Format string      `json:"format"`
	Table  tableKind   `json:"table"`
	Runs   []runResult `json:"runs"`
}

// title says what was done, for people.
func (s *series) title() string {
	who := map[side]string{oursSide: "ingest, with verdicts", engineSide: "ClickHouse's Kafka engine, without", limitSide: "fetch and insert, nothing between"}[s.Side]
	return fmt.Sprintf("%s: %s, %s", who, s.Format, map[tableKind]string{byArrival: "by arrival alone", full: "full trail"}[s.Table])
}

// note is what else there is to say of it.
func (s *series) note() string {
	of := func(what func(runResult) float64) float64 { return median(s.Runs, what) }
	return fmt.Sprintf("CPU us an event %.1f: reading %.1f, ClickHouse with merges %.1f, Kafka %.1f; %.1f B an event; most memory %.0f MB; %d runs of %d events", of(cpuEach),
		of(func(r runResult) float64 { return r.Reader }), of(func(r runResult) float64 { return r.ClickHouse }), of(func(r runResult) float64 { return r.Kafka }),
		of(func(r runResult) float64 { return r.Bytes }), of(func(r runResult) float64 { return float64(r.Peak) })/1e6, len(s.Runs), s.Runs[0].Events)
}

// ratio is how many times as fast one side is as another, by the medians; low
// and high are of the runs that stood beside each other.
type ratio struct {
	Name string  `json:"name"`
	Of   string  `json:"of"`
	To   string  `json:"to"`
	Wall float64 `json:"events_per_second"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
	CPU  float64 `json:"events_per_cpu_second"` // of all that works at it
	Goal float64 `json:"goal"`
}

// against holds two series against each other.
func against(name string, a, b *series, goal float64) ratio {
	r := ratio{
		Name: name, Of: a.title(), To: b.title(), Goal: goal,
		Wall: median(a.Runs, perSecond) / median(b.Runs, perSecond), CPU: median(b.Runs, cpuEach) / median(a.Runs, cpuEach),
	}
	for i := range min(len(a.Runs), len(b.Runs)) {
		one := a.Runs[i].PerSec / b.Runs[i].PerSec
		if i == 0 {
			r.Low, r.High = one, one
		}
		r.Low, r.High = min(r.Low, one), max(r.High, one)
	}
	return r
}

// comparison is ingest against ClickHouse's Kafka engine and against the limit.
type comparison struct {
	Events    int       `json:"events"`
	Consumers int       `json:"engine_consumers"`
	Series    []*series `json:"series"`
	Ratios    []ratio   `json:"ratios"`
}

func (c *comparison) find(s side, f string, t tableKind) *series {
	for _, one := range c.Series {
		if one.Side == s && one.Format == f && one.Table == t {
			return one
		}
	}
	return nil
}

// formats are what topics are written as.
var formats = []format{jsonFormat, avroFormat}

// compare runs all sides in turn, each over the same topic, so that what else
// the machine does meets all alike.
func (p *place) compare(ctx context.Context, r *result) error {
	c := &comparison{Consumers: p.Consumers}
	topic := make(map[string]string)
	var err error
	for _, f := range formats {
		if topic[f.name], c.Events, err = p.keep(ctx, f, partitions, single(p.much)); err != nil {
			return err
		}
	}
	var rows *readyMade
	if slices.Contains(p.sides, string(limitSide)) {
		if rows, err = p.readied(ctx, topic["json"]); err != nil {
			return err
		}
	}
	for _, kind := range []tableKind{byArrival, full} {
		c.Series = append(c.Series, &series{Side: engineSide, Format: "json", Table: kind})
		for _, f := range formats {
			c.Series = append(c.Series, &series{Side: oursSide, Format: f.name, Table: kind}, &series{Side: limitSide, Format: f.name, Table: kind})
		}
	}
	c.Series = slices.DeleteFunc(c.Series, func(s *series) bool { return !slices.Contains(p.sides, string(s.Side)) })
	for i := range p.Runs {
		var ours, engine string // of the full trail, until both have been looked at
		for at, s := range c.Series {
			name := fmt.Sprintf("run_%d_%d", i, at)
			var one runResult
			switch s.Side {
			case oursSide:
				one, err = p.ours(ctx, name, topic[s.Format], s.Table, c.Events)
			case engineSide:
				one, err = p.engine(ctx, name, topic[s.Format], s.Table, c.Events)
			default:
				one, err = p.limit(ctx, name, topic[s.Format], s.Table, c.Events, rows)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", s.title(), err)
			}
			p.say("run %d: %-62s %8.0f events/s, CPU us/event %5.1f = %4.1f + ClickHouse %4.1f + Kafka %4.1f; %.1f B/event; peak %d MB",
				i+1, s.title(), one.PerSec, one.CPU, one.Reader, one.ClickHouse, one.Kafka, one.Bytes, one.Peak>>20)
			s.Runs = append(s.Runs, one)
			switch {
			case i == 0 && s.Table == full && s.Side == engineSide:
				engine = one.database
			case i == 0 && s.Table == full && s.Side == oursSide && ours == "":
				ours = one.database
			default:
				if err := p.drop(ctx, one.database); err != nil {
					return err
				}
			}
		}
		if ours != "" && engine != "" {
			err = p.same(ctx, ours, engine, c.Events)
		}
		for _, database := range []string{ours, engine} {
			if database != "" {
				err = errors.Join(err, p.drop(ctx, database))
			}
		}
		if err != nil {
			return err
		}
	}
	c.ratios()
	r.Ingest = c
	return nil
}

// ratios are those that there are goals for.
func (c *comparison) ratios() {
	for _, g := range []struct {
		format string
		table  tableKind
		to     side
		goal   float64
	}{
		{"avro", byArrival, engineSide, 4},
		{"json", byArrival, engineSide, 2.5},
		{"avro", full, engineSide, 2.5},
		{"json", full, engineSide, 2},
		{"avro", byArrival, limitSide, 0.6},
		{"json", byArrival, limitSide, 0.6},
		{"avro", full, limitSide, 0.6},
		{"json", full, limitSide, 0.6},
	} {
		a := c.find(oursSide, g.format, g.table)
		b := c.find(g.to, g.format, g.table)
		if g.to == engineSide {
			b = c.find(engineSide, "json", g.table) // which it can read at all
		}
		if a != nil && b != nil {
			c.Ratios = append(c.Ratios, against(fmt.Sprintf("%s-%s-%s", g.to, g.format, g.table), a, b, g.goal))
		}
	}
}
