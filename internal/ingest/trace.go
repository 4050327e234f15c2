package ingest

import (
	"context"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/andmerada/andmerada/internal/trail"
)

// maxTraced is how many events of one batch are traced at most: so many spans
// cost nothing beside the insert, however many sources ask to be traced.
const maxTraced = 8

// tracedEvent is an event whose source has sampled the trace that it belongs to.
type tracedEvent struct {
	parent   trace.SpanContext
	offset   int64
	recorded time.Time
	refused  bool // it is in the quarantine
}

// sampled reads a W3C trace parent (§3.2) if its flags say that the trace is
// recorded. Of most events it looks at the last byte only.
func sampled(parent string) (c trace.SpanContext, ok bool) {
	if len(parent) != 55 || strings.IndexByte("13579bdf", parent[54]) < 0 {
		return c, false
	}
	id, span := traceContext(parent)
	c = trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: span, TraceFlags: trace.FlagsSampled, Remote: true})
	return c, c.IsValid()
}

// interval is when something was at work.
type interval struct{ began, ended time.Time }

func (i *interval) cover(began, ended time.Time) {
	if i.began.IsZero() {
		i.began = began
	}
	i.ended = ended
}

// batchTrace is the trace of one batch: what was done for it, with links to the
// events in it that are traced, and a span in the trace of each of these, with
// a link back. So a trace that begins in a source ends at the block in which
// its event lies.
type batchTrace struct {
	partition *partition
	ctx       context.Context // of the batch's span
	span      trace.Span
	b         *batch
	first     int64
	last      int64
}

// trace begins the trace of a batch, and watches what is asked of ClickHouse
// for it. No text of an error is in a span, and no value of an event.
func (p *partition) trace(ctx context.Context, b *batch, again bool) (context.Context, *batchTrace) {
	t := &batchTrace{partition: p, b: b, first: b.first, last: b.next - 1}
	links := make([]trace.Link, len(b.told.traced))
	for i := range b.told.traced {
		links[i].SpanContext = b.told.traced[i].parent
	}
	began := time.Now()
	for _, at := range []time.Time{b.told.fetch.began, b.told.judge.began} {
		if !at.IsZero() && at.Before(began) {
			began = at
		}
	}
	ctx, t.span = p.tracer.Start(ctx, "write "+p.topic, trace.WithNewRoot(), trace.WithTimestamp(began), trace.WithLinks(links...), trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(append(t.place(), attribute.Int("messaging.batch.message_count", int(b.events)), attribute.Int("andmerada.rows", b.rows), attribute.Bool("andmerada.again", again))...))
	t.ctx = ctx
	t.stage("fetch", b.told.fetch)
	t.stage("judge", b.told.judge)
	return trail.Watch(ctx, t.step), t
}

// place says where in the log and in the trail the batch lies.
func (t *batchTrace) place() []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("messaging.system", "kafka"), attribute.String("messaging.destination.name", t.partition.topic),
		attribute.String("messaging.destination.partition.id", strconv.Itoa(int(t.partition.id))),
		attribute.Int64("andmerada.block.first", t.first), attribute.Int64("andmerada.block.last", t.last),
	}
}

// stage adds what is over already.
func (t *batchTrace) stage(name string, when interval) {
	if !t.span.IsRecording() || when.began.IsZero() {
		return
	}
	_, span := t.partition.tracer.Start(t.ctx, name, trace.WithTimestamp(when.began))
	span.End(trace.WithTimestamp(when.ended))
}

// step takes in what was asked of ClickHouse.
func (t *batchTrace) step(s trail.Step) {
	m := t.partition.metrics
	m.stage(t.ctx, s.Name, s.Took)
	if s.Err != nil {
		m.failed(t.ctx, s.Name)
	}
	if !t.span.IsRecording() {
		return
	}
	name := s.Name
	if s.Table != "" && s.Name != s.Table {
		name += " " + s.Table
	}
	_, span := t.partition.tracer.Start(t.ctx, name, trace.WithTimestamp(s.Began), trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attribute.String("db.system.name", "clickhouse")))
	if s.Err != nil {
		span.SetStatus(codes.Error, "ClickHouse did not do it")
	}
	span.End(trace.WithTimestamp(s.Began.Add(s.Took)))
}

// stored ends the traces of the events: their rows can be asked for now.
func (t *batchTrace) stored(now time.Time) {
	if !t.span.IsRecording() {
		return
	}
	link := trace.Link{SpanContext: t.span.SpanContext()}
	for i := range t.b.told.traced {
		e := &t.b.told.traced[i]
		began := e.recorded
		if began.After(now) {
			began = now // another machine's clock
		}
		outcome := "trail"
		if e.refused {
			outcome = "quarantine"
		}
		_, span := t.partition.tracer.Start(trace.ContextWithRemoteSpanContext(context.WithoutCancel(t.ctx), e.parent), "process "+t.partition.topic,
			trace.WithTimestamp(began), trace.WithLinks(link), trace.WithSpanKind(trace.SpanKindConsumer),
			trace.WithAttributes(append(t.place(), attribute.Int64("messaging.kafka.offset", e.offset), attribute.String("andmerada.outcome", outcome))...))
		span.End(trace.WithTimestamp(now))
	}
}

// end ends the trace of the batch.
func (t *batchTrace) end(failed bool) {
	if failed {
		t.span.SetStatus(codes.Error, "the batch is not known to be written")
	}
	t.span.End()
}
