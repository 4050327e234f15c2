package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/andmerada/andmerada/internal/schemaregistry"
)

// registryConfig says where the schema registry is that Avro in Confluent's
// wire format refers to.
type registryConfig struct {
	URLs         []string      `yaml:"urls"`                    // base addresses; where one fails the next is asked
	User         string        `yaml:"user,omitempty"`          // of HTTP's basic authentication; none if empty
	PasswordFile string        `yaml:"password_file,omitempty"` // $ANDMERADA_REGISTRY_PASSWORD if empty
	Missing      time.Duration `yaml:"missing,omitempty"`       // how long an id that it does not have is not asked for again; 1m if 0

	TLS *tlsConfig `yaml:"tls,omitempty"` // of https addresses; the CAs of the system if left out
}

// client is a client of the registry.
func (r *registryConfig) client(c schemaregistry.Config) (*schemaregistry.Client, error) {
	c.URLs, c.User, c.Missing = r.URLs, r.User, r.Missing
	c.Password = func() (string, error) {
		return readPassword("the schema registry", r.PasswordFile, "ANDMERADA_REGISTRY_PASSWORD")
	}
	if r.TLS != nil {
		d, err := r.TLS.dialer("registry")
		if err != nil {
			return nil, err
		}
		c.DialTLS = d.DialContext
	}
	return schemaregistry.New(c)
}

// schemas is the client of the registry that the configuration names, nil if it
// names none.
func (n *node) schemas() (*schemaregistry.Client, error) {
	if n.config.Registry == nil {
		return nil, nil
	}
	requests, err := n.telemetry.Meters.Meter("github.com/andmerada/andmerada/internal/schemaregistry").Int64Counter("andmerada.registry.requests",
		metric.WithUnit("{request}"), metric.WithDescription("Requests to the schema registry: found, missing or failed."))
	if err != nil {
		return nil, fmt.Errorf("make the metrics of the schema registry: %w", err)
	}
	client, err := n.config.Registry.client(schemaregistry.Config{
		Observe: func(outcome string, _ time.Duration) {
			requests.Add(context.Background(), 1, metric.WithAttributes(attribute.String("outcome", outcome)))
		},
		Changed: func(id uint32) {
			n.log.Error("the schema registry has another schema under an id that was in use: events may have been read by the wrong one; never reuse ids", slog.Int("schema", int(id)))
		},
	})
	if err == nil {
		n.closers = append(n.closers, func() error { client.Close(); return nil })
	}
	return client, err
}
