// Package telemetry sets up what Andmerada tells of itself: logs through slog,
// and metrics and traces through OpenTelemetry. Metrics are read at a
// Prometheus endpoint; traces go to the exporters that New is given. No
// identifier of a person is ever in any of them.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	oteltrace "go.opentelemetry.io/otel/trace"
)

// Telemetry holds the providers that packages are given; none is global.
type Telemetry struct {
	Meters  metric.MeterProvider
	Tracers oteltrace.TracerProvider
	Metrics http.Handler // serves the metrics in Prometheus' format

	shutdown []func(context.Context) error
}

// New sets telemetry up for a service of that version. Spans go to the
// exporters given; none means that they are made and dropped.
func New(version string, exporters ...trace.SpanExporter) (*Telemetry, error) {
	about := resource.NewSchemaless(
		attribute.String("service.name", "andmerada"),
		attribute.String("service.version", version),
	)
	registry := prometheus.NewRegistry()
	reader, err := otelprometheus.New(otelprometheus.WithRegisterer(registry))
	if err != nil {
		return nil, fmt.Errorf("set up metrics: %w", err)
	}
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader), sdkmetric.WithResource(about))
	options := []trace.TracerProviderOption{trace.WithResource(about)}
	for _, e := range exporters {
		options = append(options, trace.WithBatcher(e))
	}
	tracers := trace.NewTracerProvider(options...)
	return &Telemetry{
		Meters: meters, Tracers: tracers, Metrics: promhttp.HandlerFor(registry, promhttp.HandlerOpts{}),
		shutdown: []func(context.Context) error{meters.Shutdown, tracers.Shutdown},
	}, nil
}

// Close sends what is still to be sent.
func (t *Telemetry) Close(ctx context.Context) error {
	var errs []error
	for _, f := range t.shutdown {
		errs = append(errs, f(ctx))
	}
	return errors.Join(errs...)
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
