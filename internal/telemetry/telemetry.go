// Package telemetry sets up what Andmerada tells of itself: logs through slog,
// and metrics and traces through OpenTelemetry. Metrics are read at a
// Prometheus endpoint, and metrics and traces go to a collector by OTLP, where
// one is named. No identifier of a person is ever in any of them.
//
// Nothing here waits for a collector: what cannot be sent is dropped, and
// counted.
package telemetry

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/exemplar"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	oteltrace "go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// scope names this package's own metrics.
const scope = "github.com/andmerada/andmerada/internal/telemetry"

// Config says what is told, and to whom. The zero value tells nobody but who
// reads the Prometheus endpoint.
type Config struct {
	Version string // of the program

	// OTLP is the base address of a collector that takes OTLP over HTTP, such as
	// http://collector:4318. The standard variables (OTEL_EXPORTER_OTLP_ENDPOINT
	// and its like) come before it.
	OTLP string

	// Ratio is how many of the traces that begin here are recorded, from 0 to 1.
	// What has a sampled parent, or a link to one, is recorded in any case.
	// OTEL_TRACES_SAMPLER comes before it.
	Ratio float64

	Logger *slog.Logger // is told when a collector cannot be reached; discards if nil

	Spans []trace.SpanExporter // get all spans, beside the collector
}

// Telemetry holds the providers that packages are given; none is global.
type Telemetry struct {
	Meters  metric.MeterProvider
	Tracers oteltrace.TracerProvider
	Metrics http.Handler // serves the metrics in Prometheus' format

	log      *slog.Logger
	losses   *losses
	weighted *weighted
	shutdown []func(context.Context) error
}

// New sets telemetry up. A collector that cannot be reached is no error.
func New(ctx context.Context, cfg Config) (*Telemetry, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	about, err := describe(ctx, cfg.Version)
	if err != nil {
		return nil, err
	}
	t := &Telemetry{Tracers: noop.NewTracerProvider(), weighted: new(weighted), log: cfg.Logger}
	registry := prometheus.NewRegistry()
	for _, c := range []prometheus.Collector{collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})} {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("set up the metrics of the process: %w", err)
		}
	}
	reader, err := otelprometheus.New(otelprometheus.WithRegisterer(registry), otelprometheus.WithProducer(t.weighted))
	if err != nil {
		return nil, fmt.Errorf("set up metrics: %w", err)
	}
	out, err := newOTLP(ctx, &cfg)
	if err != nil {
		return nil, err
	}
	meterOptions := []sdkmetric.Option{sdkmetric.WithReader(reader), sdkmetric.WithResource(about), sdkmetric.WithExemplarFilter(exemplar.AlwaysOffFilter)}
	if out.metrics != nil {
		meterOptions = append(meterOptions, sdkmetric.WithReader(sdkmetric.NewPeriodicReader(out.metrics, sdkmetric.WithProducer(t.weighted))))
	}
	meters := sdkmetric.NewMeterProvider(meterOptions...)
	t.Meters, t.Metrics = meters, promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	t.shutdown = []func(context.Context) error{meters.Shutdown}
	t.losses = out.losses
	if err := t.losses.count(meters); err != nil {
		return nil, err
	}
	if out.spans == nil && cfg.Spans == nil {
		return t, nil // spans cost nothing
	}
	options := []trace.TracerProviderOption{trace.WithResource(about)}
	if os.Getenv("OTEL_TRACES_SAMPLER") == "" {
		options = append(options, trace.WithSampler(trace.ParentBased(linked{trace.TraceIDRatioBased(cfg.Ratio)})))
	}
	if out.spans != nil {
		options = append(options, trace.WithSpanProcessor(newProcessor(out.spans)))
	}
	for _, e := range cfg.Spans {
		options = append(options, trace.WithBatcher(e))
	}
	tracers := trace.NewTracerProvider(options...)
	t.Tracers = tracers
	t.shutdown = []func(context.Context) error{tracers.Shutdown, meters.Shutdown}
	return t, nil
}

// describe is what is said of the process. OTEL_SERVICE_NAME and
// OTEL_RESOURCE_ATTRIBUTES come before it.
func describe(ctx context.Context, version string) (*resource.Resource, error) {
	about, err := resource.New(ctx, resource.WithAttributes(
		attribute.String("service.name", "andmerada"),
		attribute.String("service.version", version),
		attribute.String("service.instance.id", uuid.NewString()), // several processes may look alike otherwise
	), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("read OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	return about, nil
}

// Close sends what is still to be sent, until ctx ends. What cannot be sent is
// lost, which is no failure of whoever closes.
func (t *Telemetry) Close(ctx context.Context) {
	for _, f := range t.shutdown {
		if err := f(ctx); err != nil {
			t.log.Warn("some telemetry was not sent", slog.Any("error", err))
		}
	}
}

// linked samples whatever has a link to a span that is sampled.
type linked struct{ trace.Sampler }

// ShouldSample decides on one span.
func (s linked) ShouldSample(p trace.SamplingParameters) trace.SamplingResult {
	for i := range p.Links {
		if p.Links[i].SpanContext.IsSampled() {
			return trace.AlwaysSample().ShouldSample(p)
		}
	}
	return s.Sampler.ShouldSample(p)
}

// NewLogger makes the logger that every package is given: text for a terminal,
// or JSON for a collector.
func NewLogger(w io.Writer, asJSON bool, level slog.Level) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level}
	if asJSON {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}
