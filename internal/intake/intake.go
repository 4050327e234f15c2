package intake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
	"golang.org/x/time/rate"

	"github.com/andmerada/andmerada/internal/emit"
	"github.com/andmerada/andmerada/internal/event"
)

// Path is where events are posted to.
const Path = "/v1/events"

// How long a sender should wait before it tries again.
const (
	retryBusy  = time.Second
	retryKafka = 5 * time.Second
)

// Config says how events are taken. Write and Authenticate are needed.
type Config struct {
	// Write writes records and returns when they are acknowledged:
	// [emit.Writer.Forward]. It must come back by itself, however long Kafka is
	// away, and with an *[emit.UnconfirmedError].
	Write func(context.Context, ...emit.Record) error
	// Authenticate says who sends: [Tokens.Authenticate]. What its error says, the
	// sender is told.
	Authenticate func(*http.Request) (*Source, error)
	// Decode is [event.DecodeKafkaInto] if nil.
	Decode Decode

	Now    func() time.Time // time.Now if nil; what events' times are held against
	Logger *slog.Logger     // discards if nil
	Meter  metric.MeterProvider
	Tracer trace.TracerProvider

	Limits Limits
}

// Limits bound what is taken at once, and how long things may take. The zero
// value of each is its default.
type Limits struct {
	Body     int           // bytes of one request, unpacked, 8 MiB
	Batch    int           // events of one request, 1000
	Held     int           // bytes of all requests that are being read or not yet acknowledged, 64 MiB
	Requests int           // requests at once, 256
	BodyTime time.Duration // how long a body may take to come, 10 s
	Wait     time.Duration // how long a request waits for Kafka's acknowledgement, 20 s
	Rate     float64       // events a second of one source, 5000; a second's worth, or a whole batch, may come at once
	Window   int           // of how many acknowledged events a repetition is known, 200,000 (some 25 MB)
}

func (l *Limits) fill() {
	for _, d := range []struct {
		v  *int
		is int
	}{{&l.Body, 8 << 20}, {&l.Batch, 1000}, {&l.Held, 64 << 20}, {&l.Requests, 256}, {&l.Window, 200_000}} {
		if *d.v <= 0 {
			*d.v = d.is
		}
	}
	if l.BodyTime <= 0 {
		l.BodyTime = 10 * time.Second
	}
	if l.Wait <= 0 {
		l.Wait = 20 * time.Second
	}
	if l.Rate <= 0 {
		l.Rate = 5000
	}
}

// Intake takes events over HTTP. It is an [http.Handler] for POST at [Path].
type Intake struct {
	Config
	limits  Limits
	log     *slog.Logger
	tracer  trace.Tracer
	decode  Decode
	metrics *metrics
	budget  budget
	slots   chan struct{}
	ledger  *ledger

	mu      sync.Mutex // guards the rest
	rates   map[string]*limiter
	closing bool
	wg      sync.WaitGroup // requests, and what is on its way to Kafka
}

type limiter struct {
	*rate.Limiter
	per float64
}

// New makes an Intake.
func New(c Config) (*Intake, error) {
	if c.Write == nil || c.Authenticate == nil {
		return nil, errors.New("intake: Write and Authenticate must be given")
	}
	if c.Decode == nil {
		c.Decode = event.DecodeKafkaInto
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Meter == nil {
		c.Meter = metricnoop.NewMeterProvider()
	}
	if c.Tracer == nil {
		c.Tracer = tracenoop.NewTracerProvider()
	}
	c.Limits.fill()
	const scope = "github.com/andmerada/andmerada/internal/intake"
	in := &Intake{
		Config: c, limits: c.Limits, log: c.Logger, tracer: c.Tracer.Tracer(scope), decode: plausible(c.Decode, c.Now),
		slots: make(chan struct{}, c.Limits.Requests), ledger: newLedger(c.Limits.Window), rates: make(map[string]*limiter),
	}
	in.budget.free.Store(int64(c.Limits.Held))
	var err error
	in.metrics, err = newMetrics(c.Meter.Meter(scope), in)
	return in, err
}

// enter says that something is under way, unless the intake is closing.
func (in *Intake) enter() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closing {
		return false
	}
	in.wg.Add(1)
	return true
}

// Close refuses what comes from now on, and waits until what is under way is
// acknowledged or has failed. Close what Write writes to after that.
func (in *Intake) Close(ctx context.Context) error {
	in.mu.Lock()
	in.closing = true
	in.mu.Unlock()
	done := make(chan struct{})
	go func() {
		in.wg.Wait()
		close(done)
	}()
	err := in.metrics.gauges.Unregister()
	select {
	case <-done:
		return err
	case <-ctx.Done():
		return errors.Join(err, fmt.Errorf("close the intake: what is on its way to Kafka is not acknowledged yet: %w", ctx.Err()))
	}
}

// ServeHTTP takes one request.
func (in *Intake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	ctx, span := in.tracer.Start(ctx, "POST "+Path, trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()
	source, accepted, refused := in.take(ctx, w, r)
	status, err := http.StatusOK, error(nil)
	switch {
	case refused != nil:
		status = refused.Status
		err = refused.write(w)
		in.log.InfoContext(ctx, "events refused", slog.String("source", source), slog.Int("status", status),
			slog.String("code", string(refused.Code)), slog.Int("errors", len(refused.Errors)+refused.Omitted))
	default:
		if accepted.Accepted > 0 {
			status = http.StatusAccepted
		}
		err = writeJSON(w, "application/json", status, accepted)
	}
	if err != nil {
		in.log.DebugContext(ctx, "an answer could not be sent", slog.Any("error", err))
	}
	span.SetAttributes(attribute.String("andmerada.source", source), attribute.Int("http.response.status_code", status))
	in.metrics.done(ctx, source, status, accepted, refused, time.Since(began))
}

// take does it. Of what it returns last, one is nil.
func (in *Intake) take(ctx context.Context, w http.ResponseWriter, r *http.Request) (name string, _ *Accepted, _ *Problem) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return "", nil, problem(http.StatusMethodNotAllowed, event.CodeBadValue, "Events are posted.")
	}
	source, err := in.Authenticate(r)
	if err != nil {
		w.Header().Set("Connection", "close") // its body is not read
		return "", nil, problem(http.StatusUnauthorized, CodeUnknownToken, err.Error())
	}
	if !in.enter() {
		return source.Name, nil, problem(http.StatusServiceUnavailable, CodeBusy, "This server is stopping. Send it again.").after(retryBusy)
	}
	defer in.wg.Done()
	select {
	case in.slots <- struct{}{}:
		defer func() { <-in.slots }()
	default:
		return source.Name, nil, problem(http.StatusServiceUnavailable, CodeBusy, "Too many requests at once. Send it again, or send larger batches.").after(retryBusy)
	}
	h := &held{of: &in.budget}
	onItsWay := false
	defer func() {
		if !onItsWay {
			h.release()
		}
	}()
	body, refused := in.read(w, r, h)
	if refused != nil {
		return source.Name, nil, refused
	}
	items, refused := in.parse(source, r.Header, body)
	if refused != nil {
		return source.Name, nil, refused
	}
	a := in.ledger.admit(items)
	if a.conflicts != nil {
		var faults []Fault
		for _, i := range a.conflicts {
			faults = append(faults, Fault{Item: i, Code: CodeConflict, Pointer: "/id", Got: "an id that another event of this source has", Want: "an id of its own"})
		}
		return source.Name, nil, refusal(faults, len(items))
	}
	if len(a.flights) > 0 {
		onItsWay = true
		in.send(ctx, items, a, h)
	}
	refused = in.await(ctx, a)
	if refused != nil {
		return source.Name, nil, refused
	}
	return source.Name, &Accepted{Accepted: len(a.flights), Repeated: a.repeated}, nil
}

// parse reads all events of a body and checks each, also against what the
// source may write.
func (in *Intake) parse(source *Source, header http.Header, body []byte) ([]*item, *Problem) {
	read, batch, known := mode(header)
	if !known {
		return nil, unknownMode(header)
	}
	texts := [][]byte{body}
	if batch {
		var refused *Problem
		if texts, refused = splitBatch(body, in.limits.Batch); refused != nil {
			return nil, refused
		}
	}
	if wait, ok := in.allow(source, len(texts)); !ok {
		return nil, problem(http.StatusTooManyRequests, CodeTooFast, "More events a second than this source may send. Nothing was written: send it again.").after(wait)
	}
	items := make([]*item, 0, len(texts))
	var faults []Fault
	for i, text := range texts {
		it, err := read(in.decode, header, text)
		if err != nil {
			var fault *event.Fault
			if !errors.As(err, &fault) {
				in.log.Error("an event cannot be checked", slog.String("source", source.Name), slog.Any("error", err))
				return nil, problem(http.StatusServiceUnavailable, CodeUnready, "The schema registry cannot be reached. Nothing was written: send it again.").after(retryKafka)
			}
			faults = append(faults, faultOf(i, fault))
			continue
		}
		if !source.mayWriteFor(it.source) {
			faults = append(faults, Fault{Item: i, Code: CodeForeignSource, Pointer: "/source", Got: "a source that is not the token's", Want: oneOf(source.Sources)})
		}
		if !source.mayWriteOf(it.controller) {
			faults = append(faults, Fault{Item: i, Code: CodeForeignController, Pointer: "/data/controller", Got: "a controller that is not the token's", Want: oneOf(source.Controllers)})
		}
		items = append(items, it)
	}
	if faults != nil {
		return nil, refusal(faults, len(texts))
	}
	return items, nil
}

// allow says whether a source may send n events now, or else when.
func (in *Intake) allow(s *Source, n int) (wait time.Duration, ok bool) {
	per := s.Rate
	if per == 0 {
		per = in.limits.Rate
	}
	in.mu.Lock()
	l := in.rates[s.Name]
	if l == nil || l.per != per {
		l = &limiter{rate.NewLimiter(rate.Limit(per), max(int(per), in.limits.Batch)), per}
		in.rates[s.Name] = l
	}
	in.mu.Unlock()
	r := l.ReserveN(time.Now(), n)
	if !r.OK() {
		return retryBusy, false
	}
	if wait := r.Delay(); wait > 0 {
		r.Cancel()
		return wait, false
	}
	return 0, true
}

// send writes what is fresh, also if the request that brought it ends before:
// whoever repeats it meanwhile waits for the same outcome.
func (in *Intake) send(ctx context.Context, items []*item, a admission, h *held) {
	parent := traceParent(ctx)
	records := make([]emit.Record, len(a.fresh))
	for at, i := range a.fresh {
		items[i].trace(parent)
		records[at] = items[i].record
	}
	in.wg.Add(1) // the request is still counted, so this is before the wait's end
	go func() {
		defer in.wg.Done()
		defer h.release()
		err := in.Write(context.WithoutCancel(ctx), records...)
		failed := make([]error, len(records))
		if err != nil {
			var u *emit.UnconfirmedError
			if errors.As(err, &u) {
				for _, at := range u.Indexes {
					failed[at] = u
				}
			} else {
				for at := range failed {
					failed[at] = err
				}
			}
			in.log.ErrorContext(ctx, "Kafka did not acknowledge events", slog.Any("error", err))
		}
		for at, f := range a.flights {
			in.ledger.land(f, failed[at])
		}
	}()
}

// traceParent is the trace context as a header has it (W3C), "" if there is none.
func traceParent(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier.Get("traceparent")
}

// await waits for what this request, and others, have on their way.
func (in *Intake) await(ctx context.Context, a admission) *Problem {
	limit := time.NewTimer(in.limits.Wait)
	defer limit.Stop()
	failed := 0
	for _, flights := range [][]*flight{a.flights, a.joined} {
		for _, f := range flights {
			select {
			case <-f.done:
				if f.err != nil {
					failed++
				}
			case <-limit.C:
				return unconfirmed("Kafka did not acknowledge it in time.")
			case <-ctx.Done():
				return unconfirmed("The request ended.")
			}
		}
	}
	if failed > 0 {
		return unconfirmed(fmt.Sprintf("Kafka did not acknowledge %d of %d events.", failed, len(a.flights)+len(a.joined)))
	}
	return nil
}

// unconfirmed does not say which events failed: what is to be done is the same
// for all.
func unconfirmed(detail string) *Problem {
	return problem(http.StatusServiceUnavailable, CodeUnconfirmed, detail+" Send the same request again: what is acknowledged by then is not written twice.").after(retryKafka)
}
