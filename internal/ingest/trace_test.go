package ingest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/trail"
)

func TestSampled(t *testing.T) {
	t.Parallel()
	const id, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	for parent, want := range map[string]bool{
		"":                              false,
		"00-" + id + "-" + span:         false,
		"00-" + id + "-" + span + "-00": false,
		"00-" + id + "-" + span + "-01": true,
		"00-" + id + "-" + span + "-0a": false,
		"00-" + id + "-" + span + "-0b": true,
		"00-" + id + "-" + span + "-0x": false,
		"00-0af7651916cd43dd8448eb211c80319x-" + span + "-01": false,
		"00-00000000000000000000000000000000-" + span + "-01": false,
	} {
		c, ok := sampled(parent)
		if ok != want || ok && (c.TraceID().String() != id || c.SpanID().String() != span || !c.IsSampled() || !c.IsRemote()) {
			t.Errorf("%q: %v, %v", parent, c, ok)
		}
	}
}

// parents are of traces that sources begin; only the first is sampled.
func parent(n int, flags string) string { return fmt.Sprintf("00-%032x-%016x-%s", n, n, flags) }

// TestTraceFromSourceToBlock follows events from the trace of their source to
// the block they lie in, and back.
func TestTraceFromSourceToBlock(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	traced := func(n int, flags string) *event.Event {
		return with(n, func(ev *event.Event) { ev.TraceParent = parent(n, flags) })
	}
	refused := message(t, traced(3, "01"))
	refused.Value = refused.Value[:len(refused.Value)-1]
	w.send(message(t, traced(1, "01")), message(t, traced(2, "00")), refused, message(t, billing(4)))
	spans := tracetest.NewInMemoryExporter()
	cfg := w.config()
	cfg.Tracer = sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	_, stop := w.start(cfg)
	w.waitCommitted("ingest-test")
	stop()

	all := spans.GetSpans()
	byTrace := make(map[trace.TraceID][]tracetest.SpanStub)
	for _, s := range all {
		byTrace[s.SpanContext.TraceID()] = append(byTrace[s.SpanContext.TraceID()], s)
	}
	blocks := make(map[trace.SpanID]tracetest.SpanStub)
	for _, s := range all {
		if s.Name == "write events" {
			blocks[s.SpanContext.SpanID()] = s
		}
	}
	for n, want := range map[int]string{1: "trail", 2: "", 3: "quarantine", 4: ""} {
		source, ok := sampled(parent(n, "01"))
		if !ok {
			t.Fatal("the test's trace parent is none")
		}
		found := byTrace[source.TraceID()]
		if want == "" {
			if len(found) > 0 {
				t.Errorf("event %d is traced though nobody asked: %v", n, found)
			}
			continue
		}
		if len(found) != 1 || found[0].Parent.SpanID() != source.SpanID() || len(found[0].Links) != 1 {
			t.Errorf("event %d has the spans %+v", n, found)
			continue
		}
		s := found[0]
		block, there := blocks[s.Links[0].SpanContext.SpanID()]
		if !there {
			t.Errorf("event %d does not lead to a block", n)
			continue
		}
		if !slices.ContainsFunc(block.Links, func(l sdktrace.Link) bool { return l.SpanContext.SpanID() == source.SpanID() }) {
			t.Errorf("the block of event %d does not lead back to it", n)
		}
		at := attributes(s)
		if at["andmerada.outcome"] != want || at["messaging.kafka.offset"] != fmt.Sprint(n-1) || at["andmerada.block.first"] > at["messaging.kafka.offset"] || at["andmerada.block.last"] < at["messaging.kafka.offset"] {
			t.Errorf("event %d: %v", n, at)
		}
		var steps []string
		for _, child := range byTrace[block.SpanContext.TraceID()] {
			if child.Parent.SpanID() == block.SpanContext.SpanID() {
				steps = append(steps, child.Name)
				if child.StartTime.Before(block.StartTime) || child.EndTime.Before(child.StartTime) {
					t.Errorf("%s is from %v to %v, its block begins at %v", child.Name, child.StartTime, child.EndTime, block.StartTime)
				}
			}
		}
		for _, step := range []string{"fetch", "judge", "journal", "commit"} {
			if !slices.Contains(steps, step) {
				t.Errorf("the block of event %d has the steps %v", n, steps)
			}
		}
		if step := "insert " + want; !slices.Contains(steps, step) {
			t.Errorf("the block of event %d has the steps %v", n, steps)
		}
	}
}

func attributes(s tracetest.SpanStub) map[string]string {
	all := make(map[string]string)
	for _, a := range s.Attributes {
		all[string(a.Key)] = a.Value.String()
	}
	return all
}

func TestFewOfManyAreTraced(t *testing.T) {
	t.Parallel()
	b := newBatch()
	b.begin(0, time.Now())
	ev := &event.Event{TraceParent: parent(7, "01")}
	for n := range 1000 {
		b.told.record(&Record{Offset: int64(n), Time: time.UnixMilli(int64(n / 100 * 1000))}, ev, false)
	}
	if len(b.told.traced) != maxTraced || len(b.told.recorded) != 10 {
		t.Errorf("%d are traced, at %d times", len(b.told.traced), len(b.told.recorded))
	}
	ages := make(map[time.Duration]uint64)
	b.told.ages(time.UnixMilli(8000), func(age time.Duration, n uint64) { ages[age] += n })
	if len(ages) != 9 || ages[8*time.Second] != 100 || ages[0] != 200 { // one lies ahead
		t.Errorf("ages %v", ages)
	}
	b.begin(0, time.Now())
	if len(b.told.traced)+len(b.told.recorded) > 0 {
		t.Error("a new batch has the events of the last")
	}
}

func TestLagInTime(t *testing.T) {
	t.Parallel()
	s := newStats()
	p := s.partition("events", 3)
	behind := func() time.Duration { return s.snapshot().Partitions[0].Behind }
	p.begin(10)
	p.ends(10)
	if behind() != 0 {
		t.Errorf("nothing waits, for %v", behind())
	}
	p.ends(20) // known of just now
	if b := behind(); b <= 0 || b > time.Minute {
		t.Errorf("behind %v", b)
	}
	b := newBatch()
	b.begin(10, time.Now())
	b.next, b.bytes = 15, 100
	b.told.record(&Record{Time: time.Now().Add(-time.Hour)}, new(event.Event), false)
	p.hold(300)
	p.add(b)
	if b := behind(); b < time.Hour-time.Minute || b > time.Hour+time.Minute {
		t.Errorf("behind %v", b)
	}
	if held := s.snapshot().Held; held != 200 {
		t.Errorf("%d bytes are held", held)
	}
	b.next = 20
	p.add(b)
	if behind() != 0 {
		t.Errorf("all is stored; behind %v", behind())
	}
}

// BenchmarkAccount is what telling of an event costs: of 8 in a batch that are
// traced, and of all that are not.
func BenchmarkAccount(b *testing.B) {
	batch := newBatch()
	records := make([]Record, 50_000)
	for i := range records {
		records[i] = Record{Offset: int64(i), Time: time.UnixMilli(int64(1_700_000_000_000 + i/50))} // 50,000 a second
	}
	ev, row := &event.Event{TraceParent: parent(7, "01")}, &trail.Row{Controller: "elektrum", Verdict: 1}
	b.ReportAllocs()
	for i := range b.N {
		if i%len(records) == 0 {
			batch.told.reset()
		}
		batch.told.record(&records[i%len(records)], ev, false)
		batch.told.row(row)
	}
}
