package main

import (
	"errors"
	"log/slog"
	"net/url"

	"github.com/andmerada/andmerada/internal/telemetry"
)

// telemetryConfig says what is told to a collector of OpenTelemetry. The
// standard variables (OTEL_…) come before it.
type telemetryConfig struct {
	OTLP    string   `yaml:"otlp,omitempty"`    // base address of a collector that takes OTLP over HTTP; none if empty
	Traces  *float64 `yaml:"traces,omitempty"`  // the share of traces recorded that no source asks for, 0 to 1; 0.01 if left out
	Sources []string `yaml:"sources,omitempty"` // that the quarantine is counted by; others count together
}

// defaultTraces is the share of batches that are traced where no source asks.
const defaultTraces = 0.01

func (t *telemetryConfig) check() error {
	if t.OTLP != "" {
		if u, err := url.Parse(t.OTLP); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return errors.New("telemetry.otlp must be the base address of a collector, such as http://collector:4318")
		}
	}
	if t.Traces != nil && (*t.Traces < 0 || *t.Traces > 1) {
		return errors.New("telemetry.traces must be a share from 0 to 1")
	}
	return nil
}

func (t *telemetryConfig) settings(log *slog.Logger) telemetry.Config {
	c := telemetry.Config{Version: version(), OTLP: t.OTLP, Ratio: defaultTraces, Logger: log}
	if t.Traces != nil {
		c.Ratio = *t.Traces
	}
	return c
}

// freshness is how old events are when they can be asked for.
func (n *node) freshness() func(seconds float64, events uint64) {
	return n.telemetry.Histogram("github.com/andmerada/andmerada/internal/ingest", "andmerada.ingest.freshness", "s",
		"Time from when Kafka had an event until it could be asked for, of each event.",
		.05, .1, .25, .5, .75, 1, 1.5, 2.5, 5, 10, 30, 60, 300, 3600).Record
}
