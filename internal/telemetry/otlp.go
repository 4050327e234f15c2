package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
)

// otlp is what sends to a collector; nil is not sent.
type otlp struct {
	spans   *spanExporter
	metrics sdkmetric.Exporter
	losses  *losses
}

const endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT"

// newOTLP makes exporters where the environment or the configuration names a
// collector. The variables are those of the OpenTelemetry specification;
// whatever else they say (headers, time limits, certificates, compression) the
// exporters read themselves. OTLP goes over HTTP, which needs no gRPC client
// and passes every proxy.
func newOTLP(ctx context.Context, cfg *Config) (out otlp, err error) {
	out.losses = &losses{log: cfg.Logger}
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") {
		return out, nil
	}
	toSpans, err := wanted("TRACES", cfg)
	if err != nil {
		return out, err
	}
	toMetrics, err := wanted("METRICS", cfg)
	if err != nil {
		return out, err
	}
	if toSpans {
		var options []otlptracehttp.Option
		if !named("TRACES") {
			options = append(options, otlptracehttp.WithEndpointURL(strings.TrimRight(cfg.OTLP, "/")+"/v1/traces"))
		}
		e, err := otlptracehttp.New(ctx, options...)
		if err != nil {
			return out, fmt.Errorf("set up traces: %w", err)
		}
		out.spans = &spanExporter{SpanExporter: e, losses: out.losses}
	}
	if toMetrics {
		var options []otlpmetrichttp.Option
		if !named("METRICS") {
			options = append(options, otlpmetrichttp.WithEndpointURL(strings.TrimRight(cfg.OTLP, "/")+"/v1/metrics"))
		}
		e, err := otlpmetrichttp.New(ctx, options...)
		if err != nil {
			return out, fmt.Errorf("set up metrics: %w", err)
		}
		out.metrics = &metricExporter{Exporter: e, losses: out.losses}
	}
	return out, nil
}

// named says whether the environment names a collector for a signal.
func named(signal string) bool {
	return os.Getenv(endpoint) != "" || os.Getenv("OTEL_EXPORTER_OTLP_"+signal+"_ENDPOINT") != ""
}

// wanted says whether a signal is to be sent.
func wanted(signal string, cfg *Config) (bool, error) {
	switch v := os.Getenv("OTEL_" + signal + "_EXPORTER"); v {
	case "none":
		return false, nil
	case "", "otlp":
	default:
		return false, fmt.Errorf("OTEL_%s_EXPORTER is %q: otlp and none are known; Prometheus' format is at /metrics always", signal, v)
	}
	if !named(signal) {
		return cfg.OTLP != "", nil
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_" + signal + "_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if v := os.Getenv(name); v == "grpc" {
			return false, fmt.Errorf("%s is grpc: OTLP goes over HTTP here; set it to http/protobuf and name the collector's port for that (4318)", name)
		}
	}
	return true, nil
}

// losses counts what a collector did not get.
type losses struct {
	log           *slog.Logger
	full, refused atomic.Int64 // spans
	failed        atomic.Int64 // sendings of metrics
	away          atomic.Bool
}

func (l *losses) count(meters metric.MeterProvider) error {
	meter := meters.Meter(scope)
	spans, err := meter.Int64ObservableCounter("andmerada.telemetry.spans.dropped", metric.WithUnit("{span}"),
		metric.WithDescription("Spans that no collector got, by reason: the queue was full, or sending failed."))
	if err != nil {
		return fmt.Errorf("set up the metrics of telemetry: %w", err)
	}
	exports, err := meter.Int64ObservableCounter("andmerada.telemetry.exports.failed", metric.WithUnit("{export}"),
		metric.WithDescription("Times that metrics could not be sent to a collector."))
	if err != nil {
		return fmt.Errorf("set up the metrics of telemetry: %w", err)
	}
	if _, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(spans, l.full.Load(), metric.WithAttributes(attribute.String("reason", "queue-full")))
		o.ObserveInt64(spans, l.refused.Load(), metric.WithAttributes(attribute.String("reason", "not-sent")))
		o.ObserveInt64(exports, l.failed.Load())
		return nil
	}, spans, exports); err != nil {
		return fmt.Errorf("set up the metrics of telemetry: %w", err)
	}
	return nil
}

// sent notes how a sending went, and logs it where that changes.
func (l *losses) sent(err error) {
	if away := err != nil; l.away.Swap(away) != away {
		if away {
			l.log.Warn("the telemetry collector takes nothing: spans are dropped and counted", slog.Any("error", err))
			return
		}
		l.log.Info("the telemetry collector takes what is sent again")
	}
}

// spanExporter counts spans that could not be sent. It keeps the failure to
// itself: OpenTelemetry would hand it to a logger of its own.
type spanExporter struct {
	trace.SpanExporter
	losses  *losses
	pending atomic.Int64 // spans that were taken and not yet handed on
}

// ExportSpans sends spans.
func (e *spanExporter) ExportSpans(ctx context.Context, spans []trace.ReadOnlySpan) error {
	e.pending.Add(-int64(len(spans)))
	err := e.SpanExporter.ExportSpans(ctx, spans)
	if err != nil {
		e.losses.refused.Add(int64(len(spans)))
	}
	e.losses.sent(err)
	return nil
}

// maxPending is how many spans wait for a collector at most.
const maxPending = 2048

// processor hands spans to the exporter in batches, and drops and counts them
// where too many wait.
type processor struct {
	trace.SpanProcessor
	exporter *spanExporter
}

func newProcessor(e *spanExporter) *processor {
	// One more than may wait here, so that the queue inside never drops by itself.
	return &processor{trace.NewBatchSpanProcessor(e, trace.WithMaxQueueSize(maxPending+1)), e}
}

// OnEnd takes a span that has ended; it never waits.
func (p *processor) OnEnd(s trace.ReadOnlySpan) {
	if !s.SpanContext().IsSampled() {
		return
	}
	if p.exporter.pending.Add(1) > maxPending {
		p.exporter.pending.Add(-1)
		p.exporter.losses.full.Add(1)
		return
	}
	p.SpanProcessor.OnEnd(s)
}

// metricExporter counts sendings that failed, and keeps the failure to itself.
type metricExporter struct {
	sdkmetric.Exporter
	losses *losses
}

// Export sends metrics.
func (e *metricExporter) Export(ctx context.Context, m *metricdata.ResourceMetrics) error {
	err := e.Exporter.Export(ctx, m)
	if err != nil {
		e.losses.failed.Add(1)
	}
	e.losses.sent(err)
	return nil
}
