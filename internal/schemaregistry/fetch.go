package schemaregistry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/event"
)

// Bounds of what a registry may say.
const (
	maxAnswer     = 2*event.MaxSchema + 64<<10 // bytes of an answer: a schema stands in it with its quotes escaped
	maxReferences = 32                         // schemas that one refers to, all told
)

// base is the address of one registry.
type base struct{ url *url.URL }

func parseBase(address string) (base, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return base{}, fmt.Errorf("schema registry: %q is no http or https address", address)
	}
	if u.User != nil {
		return base{}, errors.New("schema registry: a password does not belong into the address: set registry.user and password_file")
	}
	return base{url: u}, nil
}

func newHTTP(cfg *Config) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialTLSContext: cfg.DialTLS, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute,
			ResponseHeaderTimeout: cfg.Timeout, MaxResponseHeaderBytes: 64 << 10,
		},
		// Where a registry sends one on is not for it to say.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// answer is what a registry says of an id.
type answer struct {
	missing    bool
	fault      *event.Fault // what it has is of no use
	schema     string
	references []string // each after those that it names itself
}

func (a *answer) texts() string { return strings.Join(append(a.references, a.schema), "\x00") }

// body is a schema in the registry's API.
type body struct {
	Schema     string      `json:"schema"`
	SchemaType string      `json:"schemaType,omitempty"` // AVRO if empty
	References []reference `json:"references,omitempty"`
}

// reference is another schema of the same registry that one names. Its name is
// only that: nothing is ever fetched from where a schema says.
type reference struct {
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

// errMissing says that a registry does not have what it was asked for.
var errMissing = errors.New("the registry does not have it")

// fetch asks for an id: the registries in turn, until one answers. One that
// does not have it is believed only when no other has.
func (c *Client) fetch(ctx context.Context, id uint32) (a answer, err error) {
	began := c.cfg.Now()
	defer func() {
		outcome := "found"
		switch {
		case err != nil:
			outcome = "failed"
		case a.missing:
			outcome = "missing"
		}
		c.cfg.Observe(outcome, c.cfg.Now().Sub(began))
	}()
	var failed []error
	for _, b := range c.bases {
		a, err := c.fetchFrom(ctx, b, id)
		var fault *event.Fault
		switch {
		case err == nil:
			return a, nil
		case errors.As(err, &fault):
			return answer{fault: fault}, nil
		case errors.Is(err, errMissing):
		default:
			failed = append(failed, err)
		}
	}
	if len(failed) > 0 {
		return answer{}, errors.Join(failed...)
	}
	return answer{missing: true}, nil
}

func (c *Client) fetchFrom(ctx context.Context, b base, id uint32) (a answer, err error) {
	var top body
	if err := c.get(ctx, b, &top, "schemas", "ids", strconv.FormatUint(uint64(id), 10)); err != nil {
		return a, err
	}
	if t := top.SchemaType; t != "" && !strings.EqualFold(t, "AVRO") {
		return a, &event.Fault{Code: event.CodeSchemaMismatch, Got: fmt.Sprintf("schema id %d of the type %.32q", id, t), Want: "an Avro schema"}
	}
	a.schema = top.Schema
	err = c.resolve(ctx, b, &a, top.References, make(map[reference]bool), len(top.Schema))
	return a, err
}

// resolve fetches the schemas that one names, each before those that name it.
func (c *Client) resolve(ctx context.Context, b base, a *answer, refs []reference, seen map[reference]bool, size int) error {
	for _, ref := range refs {
		if seen[ref] {
			continue
		}
		if ref.Subject == "" || ref.Subject == "." || ref.Subject == ".." {
			return &event.Fault{Code: event.CodeSchemaMismatch, Got: "a reference that names no subject", Want: "a subject of the registry"}
		}
		if seen[ref] = true; len(seen) > maxReferences {
			return &event.Fault{Code: event.CodeSchemaMismatch, Got: fmt.Sprintf("a schema that refers to more than %d others", maxReferences), Want: "a simpler one"}
		}
		var other body
		err := c.get(ctx, b, &other, "subjects", ref.Subject, "versions", strconv.Itoa(ref.Version))
		if errors.Is(err, errMissing) {
			return &event.Fault{Code: event.CodeSchemaUnknown, Got: fmt.Sprintf("a schema that refers to %.128q, version %d, which the registry does not have", ref.Subject, ref.Version), Want: "a schema with all its references"}
		}
		if err != nil {
			return err
		}
		if size += len(other.Schema); size > event.MaxSchema {
			return &event.Fault{Code: event.CodeSchemaMismatch, Got: fmt.Sprintf("a schema of more than %d bytes", event.MaxSchema), Want: "a smaller one"}
		}
		if err := c.resolve(ctx, b, a, other.References, seen, size); err != nil {
			return err
		}
		a.references = append(a.references, other.Schema)
	}
	return nil
}

// get asks for one thing.
func (c *Client) get(ctx context.Context, b base, into *body, path ...string) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	address := b.url.JoinPath(escaped(path)...)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return err
	}
	text, err := c.do(request)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil || into.Schema == "" {
		return fmt.Errorf("%s answers with something else than a schema: is it a schema registry?", b.url)
	}
	return nil
}

// do sends a request and gives what is answered.
func (c *Client) do(request *http.Request) ([]byte, error) {
	request.Header.Set("Accept", "application/vnd.schemaregistry.v1+json, application/json")
	if c.cfg.User != "" {
		password, err := c.cfg.Password()
		if err != nil {
			return nil, err
		}
		request.SetBasicAuth(c.cfg.User, password)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the answer of %s: %w", request.URL.Host, err)
	case response.StatusCode == http.StatusNotFound && isMissing(text):
		return nil, errMissing
	case response.StatusCode == http.StatusUnauthorized, response.StatusCode == http.StatusForbidden:
		return nil, fmt.Errorf("%s answers %s: look at registry.user and password_file", request.URL.Host, response.Status)
	case response.StatusCode == http.StatusConflict:
		return nil, fmt.Errorf("%s refuses the schema: it is not compatible with what is registered under its subject", request.URL.Host)
	case response.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s answers %s to a request for %s", request.URL.Host, response.Status, request.URL.EscapedPath())
	case len(text) > maxAnswer:
		return nil, &event.Fault{Code: event.CodeSchemaMismatch, Got: fmt.Sprintf("a schema of more than %d bytes", event.MaxSchema), Want: "a smaller one"}
	}
	return text, nil
}

func escaped(path []string) []string {
	out := make([]string, len(path))
	for i, p := range path {
		out[i] = url.PathEscape(p)
	}
	return out
}

// isMissing says whether a 404 is the registry's own word that it has no such
// schema (error codes 40401 to 40403), and not that of a proxy or of a server
// that is no registry: that would put good events into the quarantine.
func isMissing(text []byte) bool {
	var e struct {
		Code int `json:"error_code"`
	}
	return json.Unmarshal(text, &e) == nil && e.Code >= 40401 && e.Code <= 40499
}
