package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/answer/answertest"
	"github.com/andmerada/andmerada/internal/embedded/embeddedtest"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/identity"
)

func TestMain(m *testing.M) { os.Exit(embeddedtest.Main(m)) }

// logs captures what the server logs.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

type fixture struct {
	t    *testing.T
	url  string
	logs *logs
	keys *identity.Keys

	emitted emitted
}

// emitted keeps the questions that were recorded.
type emitted struct {
	mu     sync.Mutex
	events []*event.Event
	err    error
}

func (e *emitted) Emit(_ context.Context, events ...*event.Event) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.events = append(e.events, events...)
	return e.err
}

// take gives what was recorded since the last time.
func (e *emitted) take() []*event.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := e.events
	e.events = nil
	return all
}

func start(t *testing.T, change func(*Config)) *fixture {
	t.Helper()
	f := &fixture{t: t, logs: new(logs)}
	cfg := Config{
		Answers: answertest.Plant(t), Version: "test", Access: &access.Gate{Open: access.Open()}, Recorder: access.NewRecorder(&f.emitted), Logger: slog.New(slog.NewTextHandler(f.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&cfg)
	}
	f.keys = cfg.Answers.Keys
	s := httptest.NewServer(New(cfg))
	t.Cleanup(s.Close)
	f.url = s.URL
	return f
}

type response struct {
	*http.Response
	text string
}

func (f *fixture) do(method, path, contentType, body string, headers ...string) response {
	f.t.Helper()
	r, err := http.NewRequestWithContext(f.t.Context(), method, f.url+path, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if r.Header.Set(headers[i], headers[i+1]); headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return response{res, string(text)}
}

func (f *fixture) json(path, body string) response {
	return f.do("POST", path, "application/json", body)
}

func (f *fixture) form(path string, values ...string) response {
	form := url.Values{}
	for i := 0; i < len(values); i += 2 {
		form.Set(values[i], values[i+1])
	}
	return f.do("POST", path, "application/x-www-form-urlencoded", form.Encode())
}

// upload sends a form with a file of receipts.
func (f *fixture) upload(path, file string, values ...string) response {
	f.t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i < len(values); i += 2 {
		if err := w.WriteField(values[i], values[i+1]); err != nil {
			f.t.Fatal(err)
		}
	}
	part, err := w.CreateFormFile("receipts", "receipts.csv")
	if err != nil {
		f.t.Fatal(err)
	}
	if _, err := part.Write([]byte(file)); err != nil {
		f.t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		f.t.Fatal(err)
	}
	return f.do("POST", path, w.FormDataContentType(), b.String())
}

const whoIs = `{"controller":"acme","person":{"scheme":"email","value":"` + answertest.Email + `"}`

func TestAPI(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	var a struct {
		Recipients []struct{ Name, Verdict string }
		Timeline   struct{ Events []struct{ Offset int } }
	}
	res := f.json("/v1/answers/recipients", whoIs+`}`)
	if err := json.Unmarshal([]byte(res.text), &a); err != nil || res.StatusCode != 200 || len(a.Recipients) != 3 || a.Recipients[0].Name != "Acme Bank AS" || a.Recipients[0].Verdict != "violation" {
		t.Errorf("recipients: %d %s", res.StatusCode, res.text)
	}
	var page struct {
		Events []struct{ Offset int }
		Next   string
	}
	res = f.json("/v1/answers/timeline", whoIs+`,"limit":3}`)
	if err := json.Unmarshal([]byte(res.text), &page); err != nil || len(page.Events) != 3 || page.Next == "" {
		t.Errorf("timeline: %d %s", res.StatusCode, res.text)
	}
	res = f.json("/v1/answers/timeline", whoIs+`,"limit":3,"cursor":"`+page.Next+`"}`)
	if err := json.Unmarshal([]byte(res.text), &page); err != nil || len(page.Events) != 3 || page.Events[0].Offset != 7 {
		t.Errorf("second page: %d %s", res.StatusCode, res.text)
	}
	for path, want := range map[string]string{
		"/v1/events/andmerada.events/0/2":          `"verdict":"violation"`,
		"/v1/events/andmerada.events/0/5?person=1": `"person":1`,
		"/v1/overview?controller=acme":             `"last":"2026-03-10"`,
		"/v1/drift?controller=acme":                `"organisation":"Post24 OÜ"`,
		"/v1/duties?at=2026-03-11":                 `"about":{"id":"acme/couriers"`,
		"/openapi.yaml":                            "/v1/answers/recipients:",
		"/healthz":                                 "ok",
		"/readyz":                                  "ready",
	} {
		if res := f.do("GET", path, "", ""); res.StatusCode != 200 || !strings.Contains(res.text, want) {
			t.Errorf("GET %s: %d %s", path, res.StatusCode, res.text)
		}
	}
}

// Bad input is answered with RFC 9457 problems that point at the field and
// give nothing back of what was sent.
func TestProblems(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	const id = answertest.Email
	for name, c := range map[string]struct {
		path, body string
		status     int
		location   string
	}{
		"no JSON":            {"recipients", `{"controller":"` + id, 400, ""},
		"wrong type":         {"recipients", `{"controller":"acme","person":"` + id + `"}`, 422, "/person"},
		"value missing":      {"recipients", `{"controller":"acme","person":{"scheme":"email"}}`, 422, "/person"},
		"unknown controller": {"recipients", `{"controller":"` + id + `","person":{"scheme":"email","value":"x@y"}}`, 422, "/controller"},
		"unknown member":     {"recipients", `{"controller":"acme","person":{"scheme":"email","value":"x@y"},"` + id + `":1}`, 422, ""},
		"bad day":            {"recipients", whoIs + `,"from":"` + id + `"}`, 422, "/from"},
		"bad scheme":         {"recipients", `{"controller":"acme","person":{"scheme":"pseudonym","value":"` + id + `"}}`, 422, "/person/value"},
		"too long":           {"recipients", `{"controller":"acme","person":{"scheme":"email","value":"` + strings.Repeat(id, 40) + `"}}`, 422, "/person/value"},
		"too large":          {"recipients", `{"controller":"` + strings.Repeat(id, 10_000) + `"}`, 413, ""},
		"bad limit":          {"timeline", whoIs + `,"limit":501}`, 422, "/limit"},
		"bad cursor":         {"timeline", whoIs + `,"cursor":"` + id + `"}`, 422, "/cursor"},
	} {
		res := f.json("/v1/answers/"+c.path, c.body)
		var p struct {
			Status int
			Detail string
			Errors []struct{ Location, Message string }
		}
		if err := json.Unmarshal([]byte(res.text), &p); err != nil || res.StatusCode != c.status || p.Status != c.status || res.Header.Get("Content-Type") != "application/problem+json" || p.Detail == "" {
			t.Errorf("%s: %d %s %s", name, res.StatusCode, res.Header.Get("Content-Type"), res.text)
			continue
		}
		if c.location != "" && (len(p.Errors) == 0 || p.Errors[0].Location != c.location || p.Errors[0].Message == "") {
			t.Errorf("%s: points at %+v, want %s", name, p.Errors, c.location)
		}
		if strings.Contains(res.text, "maasikas") {
			t.Errorf("%s: the identifier comes back: %s", name, res.text)
		}
	}
	for path, status := range map[string]int{
		"/v1/events/andmerada.events/0/10": 404, "/v1/events/andmerada.events/0/x": 422, "/v1/overview?controller=nobody": 422, "/v1/overview?days=0": 422,
		"/v1/drift?controller=nobody": 422, "/v1/drift?from=x": 422, "/v1/cases?controller=nobody": 422, "/v1/reveals?controller=nobody": 422, "/v1/duties?within=-1": 422, "/v1/duties?at=x": 422,
	} {
		if res := f.do("GET", path, "", ""); res.StatusCode != status || !strings.HasPrefix(res.Header.Get("Content-Type"), "application/problem+json") {
			t.Errorf("GET %s: %d %s", path, res.StatusCode, res.text)
		}
	}
	if strings.Contains(f.logs.String(), "maasikas") {
		t.Errorf("the identifier is in the log:\n%s", f.logs)
	}
}

func TestNothingPersonalLeaks(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	person := []string{"controller", "acme", "scheme", "customer-number", "identifier", answertest.Customer}
	replies := map[string]response{
		"page":        f.form("/person", person...),
		"timeline":    f.form("/timeline", person...),
		"bad day":     f.form("/person", append([]string{"from", answertest.Customer}, person...)...),
		"bad scheme":  f.form("/person", "controller", "acme", "scheme", answertest.Customer, "identifier", answertest.Customer),
		"bad control": f.form("/person", "controller", answertest.Customer, "scheme", "email", "identifier", answertest.Customer),
		"api":         f.json("/v1/answers/recipients", strings.Replace(whoIs+`}`, answertest.Email, answertest.Customer, 1)),
		"not found":   f.do("GET", "/person/"+answertest.Customer, "", ""),
	}
	for name, res := range replies {
		if strings.Contains(res.text, answertest.Customer) {
			t.Errorf("%s gives the identifier back:\n%s", name, res.text)
		}
		if res.Header.Get("Cache-Control") != "no-store" || !strings.HasPrefix(res.Header.Get("Content-Security-Policy"), "default-src 'self';") || res.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: headers %v", name, res.Header)
		}
	}
	if res := replies["page"]; res.StatusCode != 200 || !strings.Contains(res.text, "Post24 OÜ") {
		t.Errorf("the page: %d %s", res.StatusCode, res.text)
	}
	log := f.logs.String()
	for _, want := range []string{"kind=recipients controller=acme", "kind=timeline", `controller=""`, `route="POST /person"`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
	for _, secret := range []string{answertest.Customer, "52ec2652390e5b3bb198f2597d07ed60"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds %q:\n%s", secret, log)
		}
	}
}

func TestForeignersAreRefused(t *testing.T) {
	t.Parallel()
	f := start(t, func(c *Config) { c.Hosts = []string{"trail.example.com"} })
	form := "application/x-www-form-urlencoded"
	for name, c := range map[string]struct {
		res    response
		status int
	}{
		"cross-site form": {f.do("POST", "/person", form, "controller=acme&identifier=x&scheme=email", "Sec-Fetch-Site", "cross-site"), 403},
		"foreign origin":  {f.do("POST", "/person", form, "controller=acme&identifier=x&scheme=email", "Origin", "https://evil.example.com"), 403},
		"rebound name":    {f.do("GET", "/", "", "", "Host", "evil.example.com"), 421},
		"own name":        {f.do("GET", "/healthz", "", "", "Host", "trail.example.com:8080"), 200},
		"same site":       {f.do("POST", "/person", form, "controller=acme&identifier=x&scheme=email", "Sec-Fetch-Site", "same-origin"), 200},
		"large form":      {f.do("POST", "/person", form, "identifier="+strings.Repeat("x", 100_000)), 400},
	} {
		if c.res.StatusCode != c.status {
			t.Errorf("%s: %d, want %d: %s", name, c.res.StatusCode, c.status, c.res.text)
		}
	}
}

func TestNotReady(t *testing.T) {
	t.Parallel()
	f := start(t, func(c *Config) { c.Ready = func(context.Context) error { return errors.New("away") } })
	if res := f.do("GET", "/readyz", "", ""); res.StatusCode != 503 || strings.Contains(res.text, "away") {
		t.Errorf("%d %s", res.StatusCode, res.text)
	}
}
