package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	fetchapi "github.com/segmentio/kafka-go/protocol/fetch"
	"golang.org/x/sync/errgroup"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/ingest"
	"github.com/andmerada/andmerada/internal/replay"
	"github.com/andmerada/andmerada/internal/trail"
)

// readyMade is what a topic became: all blocks of each partition, in order.
type readyMade struct {
	partitions [][]*readyBlock
	at         time.Time
}

type readyBlock struct {
	first, last int64
	blocks      *trail.Blocks
}

// limitRows is how many rows a block has, as ingest's.
const limitRows = 100_000

// readied makes all rows of a topic, outside of any measure.
func (p *place) readied(ctx context.Context, topic string) (*readyMade, error) {
	began, store := time.Now(), facts.New()
	all := &readyMade{partitions: make([][]*readyBlock, partitions), at: time.Now().UTC().Truncate(time.Millisecond)}
	ends, err := p.topics.ends(ctx, topic, partitions)
	if err != nil {
		return nil, err
	}
	for i, end := range ends {
		j := &replay.Judge{Registers: p.registers, Facts: store}
		var b *readyBlock
		err := p.read(ctx, topic, i, end, func(r *protocol.Record) error {
			value, err := protocol.ReadAll(r.Value)
			if err != nil {
				return err
			}
			if b == nil {
				b = &readyBlock{first: r.Offset, blocks: trail.NewBlocks()}
				all.partitions[i] = append(all.partitions[i], b)
			}
			row, err := p.rowFor(j, store, r, value)
			if err != nil {
				return err
			}
			b.blocks.Trail.Append(row)
			if b.last = r.Offset; b.blocks.Trail.Rows() == limitRows {
				b = nil
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("make the rows of %q: %w", topic, err)
		}
	}
	runtime.GC()
	p.say("limit: rows made ready in %s", time.Since(began).Round(time.Millisecond))
	return all, nil
}

func (p *place) rowFor(j *replay.Judge, store *facts.Store, r *protocol.Record, value []byte) (*trail.Row, error) {
	var headers []event.Header
	for _, h := range r.Headers {
		headers = append(headers, event.Header(h))
	}
	ev, err := event.DecodeKafka(headers, value)
	if err != nil {
		return nil, err
	}
	persons, err := p.persons(ev)
	if err != nil {
		return nil, err
	}
	row := rowOf(ev)
	row.Offset, row.Of, row.Recorded = r.Offset, 1, r.Time
	if len(persons) > 0 {
		row.Person = persons[0]
	}
	if ev.Kind == event.FactEvent {
		store.Learn(ev.Controller, persons, &ev.Fact, facts.Order{Recorded: r.Time, Topic: replayTopic, Offset: r.Offset})
		return &row, nil
	}
	v, err := j.Verdict(&row)
	row.Verdict, row.Rules, row.Unknown, row.RegisterVersion, row.Evaluator = v.Outcome, v.Rules, v.Unknown, v.RegisterVersion, v.Evaluator
	copy(row.BodyHash[:], row.EventID) // as random as the hash, which stays as it is stored
	return &row, err
}

// read fetches a partition up to end, as ingest does, with each batch's CRC
// checked, and gives each record.
func (p *place) read(ctx context.Context, topic string, partition int, end int64, each func(*protocol.Record) error) error {
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	const most = 4 << 20
	for next := int64(0); next < end; {
		m, err := transport.RoundTrip(ctx, kafka.TCP(p.broker), &fetchapi.Request{
			ReplicaID: -1, MaxWaitTime: 500, MinBytes: 1, MaxBytes: most, SessionID: -1, SessionEpoch: -1,
			Topics: []fetchapi.RequestTopic{{Topic: topic, Partitions: []fetchapi.RequestPartition{{
				Partition: int32(partition), CurrentLeaderEpoch: -1, FetchOffset: next, LogStartOffset: -1, PartitionMaxBytes: most,
			}}}},
		})
		if err != nil {
			return fmt.Errorf("fetch: %w", err)
		}
		records, err := ingest.Fetched(m)
		if err != nil {
			return fmt.Errorf("fetch: %w", err)
		}
		if records == nil {
			continue
		}
		for {
			r, err := records.ReadRecord()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return fmt.Errorf("fetch: %w", err)
			}
			if r.Offset < next {
				continue
			}
			next = r.Offset + 1
			if err := each(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// limit reads a topic and inserts the rows that it became, ready-made: what is
// left when reading an event and judging it cost nothing.
func (p *place) limit(ctx context.Context, name, topic string, kind tableKind, n int, rows *readyMade) (r runResult, err error) {
	database, err := p.prepare(ctx, name, kind)
	if err != nil {
		return r, err
	}
	db, _, err := p.database(ctx, name)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := p.quiet(ctx); err != nil {
		return r, err
	}
	m := p.begin(cpu)
	g, running := errgroup.WithContext(ctx)
	for i, blocks := range rows.partitions {
		if len(blocks) == 0 {
			continue
		}
		fetched := make(chan *readyBlock)
		g.Go(func() error {
			defer close(fetched)
			at := 0
			return p.read(running, topic, i, blocks[len(blocks)-1].last+1, func(r *protocol.Record) error {
				if err := errors.Join(closeBytes(r.Key), closeBytes(r.Value)); err != nil {
					return err
				}
				if r.Offset < blocks[at].last {
					return nil
				}
				select {
				case fetched <- blocks[at]:
				case <-running.Done():
					return running.Err()
				}
				at++
				return nil
			})
		})
		g.Go(func() error {
			for b := range fetched {
				if err := db.Insert(running, trail.Range{Topic: topic, Partition: int32(i), First: b.first, Last: b.last}, rows.at, b.blocks); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return r, err
	}
	m.stored()
	m.readerEnds()
	if r, err = m.result(ctx, database, n); err != nil {
		return r, err
	}
	return r, p.complete(ctx, database, n)
}

func closeBytes(b protocol.Bytes) error {
	if b == nil {
		return nil
	}
	return b.Close()
}
