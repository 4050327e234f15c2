package schemaregistry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/andmerada/andmerada/internal/event"
)

// RegisterOwn registers our own schema of a kind of event, under its full name
// (Confluent's record name strategy), and says by which id it is known. A schema
// that is registered already keeps its id.
func (c *Client) RegisterOwn(ctx context.Context, kind event.Kind) (uint32, error) {
	text := event.AvroSchema(kind)
	var named struct{ Name, Namespace string }
	if err := json.Unmarshal([]byte(text), &named); err != nil {
		return 0, fmt.Errorf("read our own schema: %w", err)
	}
	return c.Register(ctx, named.Namespace+"."+named.Name, text)
}

// Register registers a schema under a subject and says by which id it is known.
// It asks the registries in turn until one takes it.
func (c *Client) Register(ctx context.Context, subject, schema string) (uint32, error) {
	text, err := json.Marshal(body{Schema: schema})
	if err != nil {
		return 0, fmt.Errorf("register the schema %s: %w", subject, err)
	}
	var failed []error
	for _, b := range c.bases {
		id, err := c.registerAt(ctx, b, subject, text)
		if err == nil {
			return id, nil
		}
		failed = append(failed, err)
	}
	return 0, fmt.Errorf("register the schema %s: %w", subject, errors.Join(failed...))
}

func (c *Client) registerAt(ctx context.Context, b base, subject string, text []byte) (uint32, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	address := b.url.JoinPath(escaped([]string{"subjects", subject, "versions"})...)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address.String(), bytes.NewReader(text))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Content-Type", "application/vnd.schemaregistry.v1+json")
	answer, err := c.do(request)
	if err != nil {
		return 0, err
	}
	var registered struct {
		ID *uint32 `json:"id"`
	}
	if err := json.Unmarshal(answer, &registered); err != nil || registered.ID == nil {
		return 0, fmt.Errorf("%s answers without an id: is it a schema registry?", b.url)
	}
	return *registered.ID, nil
}
