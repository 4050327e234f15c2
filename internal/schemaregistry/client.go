package schemaregistry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"
	"golang.org/x/sync/singleflight"

	"github.com/andmerada/andmerada/internal/event"
)

// Config says where the registry is. Only URLs is required.
type Config struct {
	URLs     []string                                                          // base addresses; where one fails the next is asked
	User     string                                                            // for HTTP's basic authentication; none if empty
	Password func() (string, error)                                            // asked for each request
	DialTLS  func(ctx context.Context, network, addr string) (net.Conn, error) // connects to an https address; by the system's CAs if nil

	Timeout time.Duration // of one request, 5 s
	Missing time.Duration // how long an id that the registry does not have is not asked for again, 1 min
	Refresh time.Duration // after how long a schema is looked at again, 15 min; it is served meanwhile
	Rest    time.Duration // how long a registry that fails is left alone, 5 s
	Schemas int           // how many schemas are kept, 1000

	Observe func(outcome string, took time.Duration) // told of each request: "found", "missing", "failed"
	Changed func(id uint32)                          // told of an id that stands for another schema than before
	Now     func() time.Time                         // time.Now if nil
}

func (c *Config) fill() error {
	if len(c.URLs) == 0 {
		return errors.New("schema registry: no address is configured: set registry.urls")
	}
	durations := []struct {
		v  *time.Duration
		is time.Duration
	}{{&c.Timeout, 5 * time.Second}, {&c.Missing, time.Minute}, {&c.Refresh, 15 * time.Minute}, {&c.Rest, 5 * time.Second}}
	for _, d := range durations {
		if *d.v <= 0 {
			*d.v = d.is
		}
	}
	if c.Schemas <= 0 {
		c.Schemas = 1000
	}
	if c.Observe == nil {
		c.Observe = func(string, time.Duration) {}
	}
	if c.Changed == nil {
		c.Changed = func(uint32) {}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return nil
}

// Client asks a registry and keeps what it says. It is safe for concurrent use.
type Client struct {
	cfg     Config
	bases   []base
	http    *http.Client
	flights singleflight.Group
	breaker *gobreaker.CircuitBreaker[answer]

	mu     sync.RWMutex
	kept   map[uint32]*entry
	second time.Time // before then no id that is missing is asked for a second time
}

// entry is what is known of one id: a schema, or why there is none.
type entry struct {
	schema  *event.Schema
	fault   *event.Fault
	texts   string    // of the schema and its references, to see whether it has changed
	checked time.Time // when the registry was asked last
	until   time.Time // when it is asked again
	missing bool      // the registry does not have it
}

func (e *entry) result() (*event.Schema, error) {
	if e.fault != nil {
		return nil, e.fault
	}
	return e.schema, nil
}

// New makes a client; the registry is asked when the first schema is wanted.
func New(cfg Config) (*Client, error) {
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	c := &Client{cfg: cfg, kept: make(map[uint32]*entry)}
	for _, address := range cfg.URLs {
		b, err := parseBase(address)
		if err != nil {
			return nil, err
		}
		if b.url.Scheme != "https" && cfg.User != "" {
			return nil, fmt.Errorf("schema registry %s: a password is sent by https only: name an https address, or remove registry.user", b.url.Redacted())
		}
		c.bases = append(c.bases, b)
	}
	c.http = newHTTP(&cfg)
	c.breaker = gobreaker.NewCircuitBreaker[answer](gobreaker.Settings{
		Name: "schema registry", Timeout: cfg.Rest, MaxRequests: 1,
		ReadyToTrip: func(n gobreaker.Counts) bool { return n.ConsecutiveFailures >= 3 },
		// That there is no such schema, or that who asks has gone, is no failure of the registry.
		IsExcluded: func(err error) bool { return errors.Is(err, context.Canceled) },
	})
	return c, nil
}

// Close closes the connections that are open.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Kept is what is known of an id without asking; false where the registry must
// be asked. The error is a [*event.Fault].
func (c *Client) Kept(id uint32) (s *event.Schema, known bool, err error) {
	c.mu.RLock()
	e := c.kept[id]
	c.mu.RUnlock()
	if e == nil {
		return nil, false, nil
	}
	if now := c.cfg.Now(); now.After(e.until) {
		if e.schema == nil {
			return nil, false, nil
		}
		c.refresh(id)
	}
	s, err = e.result()
	return s, true, err
}

// Schema is the schema that has an id, asked for if it is not known. An error
// that is an [*event.Fault] is about the schema: the registry does not have it,
// or it cannot be used. Any other is about the registry, and passes.
func (c *Client) Schema(ctx context.Context, id uint32) (*event.Schema, error) {
	if s, known, err := c.Kept(id); known {
		return s, err
	}
	flight := c.flights.DoChan(strconv.FormatUint(uint64(id), 10), func() (any, error) {
		// For all who wait: it ends by its own timeout and not with the first of them.
		return c.ask(context.WithoutCancel(ctx), id)
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-flight:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*entry).result()
	}
}

// refresh looks at a schema again, without anyone waiting for it: an id never
// stands for another schema, but registries have been set up anew.
func (c *Client) refresh(id uint32) {
	c.mu.Lock()
	e := c.kept[id]
	due := e != nil && c.cfg.Now().After(e.until)
	if due { // once, whatever comes of it
		later := *e
		later.until = c.cfg.Now().Add(c.cfg.Refresh)
		c.kept[id] = &later
	}
	c.mu.Unlock()
	if due {
		c.flights.DoChan(strconv.FormatUint(uint64(id), 10), func() (any, error) {
			return c.ask(context.Background(), id)
		})
	}
}

// ask asks the registry and keeps what it says. An id that it does not have is
// asked for a second time a little later, since one registry of several may not
// have heard of it yet; but not for each of many such ids.
func (c *Client) ask(ctx context.Context, id uint32) (*entry, error) {
	a, err := c.breaker.Execute(func() (answer, error) { return c.fetch(ctx, id) })
	if err == nil && a.missing && c.mayAskAgain(id) {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(again):
		}
		a, err = c.breaker.Execute(func() (answer, error) { return c.fetch(ctx, id) })
	}
	if err != nil {
		return nil, fmt.Errorf("ask the schema registry for id %d: %w", id, err)
	}
	return c.keep(id, a), nil
}

// again is how long after the first time an id that is missing is asked for once more.
const again = time.Second

func (c *Client) mayAskAgain(id uint32) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.cfg.Now()
	if c.kept[id] != nil || now.Before(c.second) {
		return false
	}
	c.second = now.Add(c.cfg.Missing)
	return true
}

// keep notes an answer. A schema that was there is kept although the registry
// has lost it: what was written with it still is.
func (c *Client) keep(id uint32, a answer) *entry {
	now := c.cfg.Now()
	e := &entry{checked: now, until: now.Add(c.cfg.Refresh), missing: a.missing, texts: a.texts()}
	switch {
	case a.missing:
		e.until = now.Add(c.cfg.Missing)
		e.fault = &event.Fault{
			Code: event.CodeSchemaUnknown, Got: fmt.Sprintf("schema id %d, which the registry does not have", id),
			Want: "the id of a registered schema", Mend: "register the schema, or write by the registry that is configured here, then replay",
		}
	case a.fault != nil:
		e.until = now.Add(c.cfg.Missing)
		e.fault = a.fault
	default:
		var err error
		if e.schema, err = event.ParseSchema(a.schema, a.references...); err != nil && !errors.As(err, &e.fault) {
			e.fault = &event.Fault{Code: event.CodeSchemaMismatch, Got: "a schema that cannot be read"}
		}
	}
	c.mu.Lock()
	old := c.kept[id]
	if old != nil && old.schema != nil && (a.missing || old.texts == e.texts) {
		kept := *old
		kept.checked, kept.until = now, now.Add(c.cfg.Refresh)
		e = &kept
	}
	c.bound()
	c.kept[id] = e
	c.mu.Unlock()
	if old != nil && old.schema != nil && old.texts != e.texts {
		c.cfg.Changed(id)
	}
	return e
}

// bound makes room: what the registry does not have goes first, then what was
// looked at longest ago.
func (c *Client) bound() {
	for len(c.kept) >= c.cfg.Schemas {
		var worst uint32
		var of *entry
		for id, e := range c.kept {
			if of == nil || e.missing && !of.missing || e.missing == of.missing && e.checked.Before(of.checked) {
				worst, of = id, e
			}
		}
		delete(c.kept, worst)
	}
}
