package foreign

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/schemaregistry"
)

// counted is what stands before a registry: it counts how often each schema is
// asked for, and may take one id for another, as a registry that was set up anew.
type counted struct {
	*httptest.Server
	asked atomic.Int64

	mu   sync.Mutex
	swap map[string]string // paths
}

func newCounted(t *testing.T, registry string) *counted {
	t.Helper()
	to, err := url.Parse(registry)
	if err != nil {
		t.Fatal(err)
	}
	c := &counted{swap: make(map[string]string)}
	c.Server = httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		c.asked.Add(1)
		c.mu.Lock()
		if path, swapped := c.swap[r.In.URL.Path]; swapped {
			r.Out.URL.Path = path
		}
		c.mu.Unlock()
		r.SetURL(to)
	}})
	t.Cleanup(c.Close)
	return c
}

// registered registers a schema under a subject, and returns its id.
func registered(t *testing.T, base, subject, schema string) uint32 {
	t.Helper()
	body, err := json.Marshal(map[string]string{"schema": schema})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/subjects/"+subject+"/versions", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/vnd.schemaregistry.v1+json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	var made struct{ ID uint32 }
	if err != nil || res.StatusCode != http.StatusOK || json.Unmarshal(text, &made) != nil {
		t.Fatalf("register a schema: %s: %.300s %v", res.Status, text, err)
	}
	return made.ID
}

// TestRegistryIDs: however many partitions meet a schema at once, the registry is
// asked for it once; a schema that is too large is a fault of its events, which
// are not waited for; and an id that stands for another schema, as the registry
// was set up anew, is told and counts from then on.
func TestRegistryIDs(t *testing.T) {
	s := start(t)
	proxy := newCounted(t, s.registry.URL)
	own := event.AvroSchema(event.Processing)
	worded := func(doc string) string { return strings.Replace(own, `"doc": "`, `"doc": "`+doc+": ", 1) }
	first, second := registered(t, s.registry.URL, "ids-first", worded("first")), registered(t, s.registry.URL, "ids-second", worded("second"))
	if first == second {
		t.Fatal("the registry takes both schemas for one")
	}
	var changed atomic.Int64
	client, err := schemaregistry.New(schemaregistry.Config{
		URLs: []string{proxy.URL}, Refresh: 100 * time.Millisecond, Changed: func(id uint32) {
			if id == first {
				changed.Add(1)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()

	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			if _, err := client.Schema(t.Context(), first); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := proxy.asked.Load(); n > 2 { // one more where the first answer took longer than it is good for
		t.Errorf("200 that want one schema ask %d times", n)
	}

	var fields []string
	for i := range 3000 {
		fields = append(fields, fmt.Sprintf(`{"name":"a_field_of_many_%d","type":"string","doc":%q}`, i, strings.Repeat("x", 60)))
	}
	huge := registered(t, s.registry.URL, "ids-huge", `{"type":"record","name":"Huge","fields":[`+strings.Join(fields, ",")+`]}`)
	_, err = client.Schema(t.Context(), huge)
	var fault *event.Fault
	if !errors.As(err, &fault) || fault.Code != event.CodeSchemaMismatch {
		t.Errorf("a schema of more than %d bytes: %v", event.MaxSchema, err)
	}

	before, err := client.Schema(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	proxy.mu.Lock()
	proxy.swap[fmt.Sprint("/schemas/ids/", first)] = fmt.Sprint("/schemas/ids/", second)
	proxy.mu.Unlock()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		now, err := client.Schema(t.Context(), first)
		if err != nil {
			t.Fatal(err)
		}
		if now != before {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the id's other schema is never seen")
		}
	}
	if changed.Load() != 1 {
		t.Errorf("that the id stands for another schema is told %d times", changed.Load())
	}
}
