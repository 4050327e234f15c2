package schemaregistry_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/schemaregistry"
)

// fake is a registry that can be told to fail.
type fake struct {
	*httptest.Server

	mu       sync.Mutex
	pages    map[string]string // by path
	status   int               // of every answer, if not 0
	hang     chan struct{}     // an answer waits for it, if not nil
	requests atomic.Int64
	seen     []string
}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{pages: map[string]string{}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.requests.Add(1)
	f.mu.Lock()
	hang, status, page := f.hang, f.status, f.pages[r.URL.EscapedPath()]
	f.seen = append(f.seen, r.URL.EscapedPath())
	f.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-r.Context().Done():
			return
		}
	}
	switch {
	case status != 0:
		w.WriteHeader(status)
	case page == "":
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"error_code":40403,"message":"Schema not found"}`)
	default:
		fmt.Fprint(w, page)
	}
}

func (f *fake) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// answer is what the registry says of a schema.
func answer(schema string, more ...string) string {
	text, err := json.Marshal(schema)
	if err != nil {
		panic(err)
	}
	return `{"schema":` + string(text) + strings.Join(more, "") + `}`
}

// clock is a time that the test moves.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(0, c.at.Load()).Add(1e6 * time.Second) }
func (c *clock) advance(d time.Duration) { c.at.Add(int64(d)) }

func newClient(t *testing.T, cfg schemaregistry.Config) *schemaregistry.Client {
	t.Helper()
	c, err := schemaregistry.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func code(err error) event.Code {
	var f *event.Fault
	if errors.As(err, &f) {
		return f.Code
	}
	return ""
}

func TestAsksOnce(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.pages["/schemas/ids/7"] = answer(event.AvroSchema(event.Processing))
	release := make(chan struct{})
	f.hang = release
	c := newClient(t, schemaregistry.Config{URLs: []string{f.URL}})
	if _, known, err := c.Kept(7); known || err != nil {
		t.Fatal("known before it was asked for")
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if s, err := c.Schema(t.Context(), 7); err != nil || s == nil {
				t.Errorf("%v, %v", s, err)
			}
		})
	}
	for f.requests.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	close(release)
	wg.Wait()
	if n := f.requests.Load(); n != 1 {
		t.Errorf("%d requests for one schema", n)
	}
	// What is kept is served, whatever becomes of the registry.
	f.Close()
	if s, known, err := c.Kept(7); s == nil || !known || err != nil {
		t.Errorf("%v, %v, %v", s, known, err)
	}
	if _, err := c.Schema(t.Context(), 7); err != nil {
		t.Error(err)
	}
}

// TestMissingIsRemembered: a message that names a schema nobody has must not
// cost a request each time.
func TestMissingIsRemembered(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	var at clock
	c := newClient(t, schemaregistry.Config{URLs: []string{f.URL}, Now: at.now})
	for range 3 {
		if _, err := c.Schema(t.Context(), 9); code(err) != event.CodeSchemaUnknown {
			t.Fatalf("got %v", err)
		}
	}
	if n := f.requests.Load(); n != 2 { // once more a little later, as another replica may know
		t.Errorf("%d requests", n)
	}
	// Another id that is missing is not asked for a second time.
	if _, err := c.Schema(t.Context(), 10); code(err) != event.CodeSchemaUnknown {
		t.Fatalf("got %v", err)
	}
	if n := f.requests.Load(); n != 3 {
		t.Errorf("%d requests", n)
	}
	f.set(func() { f.pages["/schemas/ids/9"] = answer(`"string"`) })
	if _, err := c.Schema(t.Context(), 9); err == nil {
		t.Error("asked again at once")
	}
	at.advance(2 * time.Minute)
	if _, err := c.Schema(t.Context(), 9); err != nil {
		t.Errorf("after a while: %v", err)
	}
}

// TestMissingIsAskedTwice: a registry of several may not have heard of a new
// schema when it is asked first.
func TestMissingIsAskedTwice(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	c := newClient(t, schemaregistry.Config{URLs: []string{f.URL}, Observe: func(string, time.Duration) {
		f.set(func() { f.pages["/schemas/ids/9"] = answer(`"string"`) })
	}})
	if _, err := c.Schema(t.Context(), 9); err != nil {
		t.Error(err)
	}
}

// TestFailuresAreNotFaults: while the registry cannot say, nobody may conclude
// that there is no such schema.
func TestFailuresAreNotFaults(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*fake){
		"500":            func(f *fake) { f.status = 500 },
		"401":            func(f *fake) { f.status = 401 },
		"429":            func(f *fake) { f.status = 429 },
		"redirect":       func(f *fake) { f.status = 302 },
		"404 of a proxy": func(f *fake) { f.status = 404 },
		"not JSON":       func(f *fake) { f.pages["/schemas/ids/1"] = "<html>" },
		"no schema":      func(f *fake) { f.pages["/schemas/ids/1"] = "{}" },
		"slow":           func(f *fake) { f.hang = make(chan struct{}) },
		"away":           func(f *fake) { f.Close() },
	}
	for name, breakIt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			breakIt(f)
			c := newClient(t, schemaregistry.Config{URLs: []string{f.URL}, Timeout: 200 * time.Millisecond})
			if _, err := c.Schema(t.Context(), 1); err == nil || code(err) != "" {
				t.Errorf("got %v", err)
			}
			if _, known, _ := c.Kept(1); known {
				t.Error("the failure is kept")
			}
		})
	}
}

// TestFailingRegistryIsLeftAlone: after some failures nobody asks, and once it
// has rested it is asked again and all goes on.
func TestFailingRegistryIsLeftAlone(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.status = 500
	c := newClient(t, schemaregistry.Config{URLs: []string{f.URL}, Rest: 50 * time.Millisecond})
	for id := range uint32(20) {
		if _, err := c.Schema(t.Context(), id); err == nil {
			t.Fatal("no error")
		}
	}
	if n := f.requests.Load(); n >= 20 {
		t.Errorf("%d requests", n)
	}
	f.set(func() { f.status = 0; f.pages["/schemas/ids/3"] = answer(`"string"`) })
	for {
		if _, err := c.Schema(t.Context(), 3); err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestOtherRegistryIsAsked(t *testing.T) {
	t.Parallel()
	away, behind, has := newFake(t), newFake(t), newFake(t)
	away.Close()
	has.pages["/schemas/ids/1"] = answer(`"string"`)
	c := newClient(t, schemaregistry.Config{URLs: []string{away.URL, behind.URL, has.URL}})
	if _, err := c.Schema(t.Context(), 1); err != nil {
		t.Error(err)
	}
	// One that has it may be the one that is away.
	c = newClient(t, schemaregistry.Config{URLs: []string{away.URL, behind.URL}})
	if _, err := c.Schema(t.Context(), 1); err == nil || code(err) != "" {
		t.Errorf("got %v", err)
	}
}

func TestReferences(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.pages["/base/schemas/ids/1"] = answer(`{"type":"record","name":"Cohort","namespace":"x","fields":[
		{"name":"controller","type":"string"},{"name":"cohort","type":{"type":"record","name":"R","fields":[{"name":"id","type":"string"}]}},
		{"name":"members","type":{"type":"array","items":"x.Member"}}]}`, `,"references":[{"name":"x.Member","subject":"a/b ü","version":3},{"name":"x.Id","subject":"id","version":1}]`)
	f.pages["/base/subjects/a%2Fb%20%C3%BC/versions/3"] = answer(`{"type":"record","name":"Member","namespace":"x","fields":[
		{"name":"scheme","type":"string"},{"name":"value","type":"x.Id"}]}`, `,"references":[{"name":"x.Id","subject":"id","version":1}]`)
	f.pages["/base/subjects/id/versions/1"] = answer(`{"type":"record","name":"Id","namespace":"x","fields":[{"name":"value","type":"string"}]}`)
	c := newClient(t, schemaregistry.Config{URLs: []string{f.URL + "/base/"}})
	if _, err := c.Schema(t.Context(), 1); err != nil {
		t.Errorf("%v, asked for %q", err, f.seen)
	}
	if n := f.requests.Load(); n != 3 {
		t.Errorf("asked for %q", f.seen)
	}
}

func TestSchemasOfNoUse(t *testing.T) {
	t.Parallel()
	cycle := `,"references":[{"name":"x","subject":"x","version":1}]`
	var many strings.Builder
	for i := range 40 {
		fmt.Fprintf(&many, `,{"name":"x","subject":"s","version":%d}`, i)
	}
	tests := map[string]struct {
		page string
		code event.Code
	}{
		"not Avro":       {answer("syntax = proto3", `,"schemaType":"PROTOBUF"`), event.CodeSchemaMismatch},
		"no schema":      {answer("{}"), event.CodeSchemaMismatch},
		"huge":           {answer(`"` + strings.Repeat("x", event.MaxSchema) + `"`), event.CodeSchemaMismatch},
		"huger":          {answer(strings.Repeat(" ", 4*event.MaxSchema) + `"string"`), event.CodeSchemaMismatch},
		"deep":           {answer(strings.Repeat(`{"type":"array","items":`, 10_000) + `"string"` + strings.Repeat("}", 10_000)), event.CodeSchemaMismatch},
		"lost reference": {answer(`"x"`, `,"references":[{"name":"x","subject":"lost","version":1}]`), event.CodeSchemaUnknown},
		"no subject":     {answer(`"x"`, `,"references":[{"name":"http://evil.example/x"}]`), event.CodeSchemaMismatch},
		"dots":           {answer(`"x"`, `,"references":[{"subject":"..","version":1}]`), event.CodeSchemaMismatch},
		"cycle":          {answer(`"y"`, cycle), event.CodeSchemaMismatch},
		"many":           {answer(`"string"`, `,"references":[`+many.String()[1:]+`]`), event.CodeSchemaMismatch},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.pages["/schemas/ids/1"] = test.page
			f.pages["/subjects/x/versions/1"] = answer(`{"type":"fixed","name":"x","size":1}`, cycle)
			for i := range 40 {
				f.pages[fmt.Sprintf("/subjects/s/versions/%d", i)] = answer(`"string"`)
			}
			c := newClient(t, schemaregistry.Config{URLs: []string{f.URL}})
			if _, err := c.Schema(t.Context(), 1); code(err) != test.code {
				t.Errorf("got %v", err)
			}
			n := f.requests.Load()
			if _, err := c.Schema(t.Context(), 1); code(err) != test.code || f.requests.Load() != n {
				t.Errorf("asked again: %v", err)
			}
		})
	}
}

// TestIDThatIsReused: registries have been set up anew, with the same ids for
// other schemas.
func TestIDThatIsReused(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.pages["/schemas/ids/1"] = answer(event.AvroSchema(event.Processing))
	var at clock
	changed := make(chan uint32, 1)
	c := newClient(t, schemaregistry.Config{URLs: []string{f.URL}, Now: at.now, Changed: func(id uint32) { changed <- id }})
	first, err := c.Schema(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	f.set(func() { f.pages["/schemas/ids/1"] = answer(event.AvroSchema(event.FactEvent)) })
	at.advance(time.Hour)
	if s, _, _ := c.Kept(1); s != first {
		t.Error("what is kept is not served while the registry is asked")
	}
	if id := <-changed; id != 1 {
		t.Errorf("told of %d", id)
	}
	if s, _, err := c.Kept(1); err != nil || s == first {
		t.Errorf("the old schema is served still: %v", err)
	}
	// One that is lost is kept: what was written by it still is.
	second, _, _ := c.Kept(1)
	f.set(func() { delete(f.pages, "/schemas/ids/1") })
	for n := f.requests.Load(); f.requests.Load() == n; time.Sleep(time.Millisecond) {
		at.advance(time.Hour) // each time, as what was asked before may have been noted just now
		c.Kept(1)
	}
	if s, known, err := c.Kept(1); err != nil || !known || s != second {
		t.Errorf("%v, %v", s, err)
	}
}

func TestBounded(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.pages["/schemas/ids/1"] = answer(`"string"`)
	var at clock
	c := newClient(t, schemaregistry.Config{URLs: []string{f.URL}, Schemas: 10, Now: at.now})
	if _, err := c.Schema(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	for id := range uint32(50) {
		at.advance(time.Second)
		if _, err := c.Schema(t.Context(), 100+id); code(err) != event.CodeSchemaUnknown {
			t.Fatal(err)
		}
	}
	known := 0
	for id := range uint32(200) {
		if _, k, _ := c.Kept(id); k {
			known++
		}
	}
	if _, k, _ := c.Kept(1); !k || known > 10 {
		t.Errorf("%d are kept; the one that exists: %v", known, k)
	}
}

func TestRegister(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var sent struct{ Schema string }
		err := json.NewDecoder(r.Body).Decode(&sent)
		switch {
		case r.Method != http.MethodPost || err != nil || sent.Schema != event.AvroSchema(event.FactEvent):
			w.WriteHeader(http.StatusBadRequest)
		case r.URL.Path == "/subjects/taken/versions":
			w.WriteHeader(http.StatusConflict)
		case r.URL.Path == "/subjects/ee.andmerada.v1.Fact/versions":
			fmt.Fprint(w, `{"id":12}`)
		default:
			fmt.Fprint(w, `{}`)
		}
	}))
	t.Cleanup(server.Close)
	c := newClient(t, schemaregistry.Config{URLs: []string{server.URL}})
	if id, err := c.RegisterOwn(t.Context(), event.FactEvent); err != nil || id != 12 {
		t.Errorf("%d, %v", id, err)
	}
	if _, err := c.Register(t.Context(), "taken", event.AvroSchema(event.FactEvent)); err == nil || !strings.Contains(err.Error(), "compatible") {
		t.Errorf("got %v", err)
	}
	if _, err := c.Register(t.Context(), "other", event.AvroSchema(event.FactEvent)); err == nil {
		t.Error("an answer without an id is taken")
	}
}

func TestWhoAsksMayLeave(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.hang = make(chan struct{})
	c := newClient(t, schemaregistry.Config{URLs: []string{f.URL}})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Schema(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(f.hang)
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]schemaregistry.Config{
		"no address":             {},
		"no scheme":              {URLs: []string{"registry:8081"}},
		"file":                   {URLs: []string{"file:///etc/passwd"}},
		"password in it":         {URLs: []string{"https://u:p@registry"}},
		"password in plain text": {URLs: []string{"http://registry"}, User: "u"},
	} {
		if _, err := schemaregistry.New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestPassword(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, p, _ := r.BasicAuth(); u != "andmerada" || p != "secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, answer(`"string"`))
	}))
	t.Cleanup(server.Close)
	password := "wrong"
	tlsDial := server.Client().Transport.(*http.Transport)
	c := newClient(t, schemaregistry.Config{
		URLs: []string{server.URL}, User: "andmerada", Password: func() (string, error) { return password, nil },
		DialTLS: dialer(tlsDial),
	})
	if _, err := c.Schema(t.Context(), 1); err == nil || !strings.Contains(err.Error(), "password_file") {
		t.Errorf("got %v", err)
	}
	password = "secret"
	if _, err := c.Schema(t.Context(), 1); err != nil {
		t.Error(err)
	}
}

func dialer(t *http.Transport) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return (&tls.Dialer{Config: t.TLSClientConfig}).DialContext
}
