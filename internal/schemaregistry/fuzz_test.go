package schemaregistry

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/frugaltest"
)

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// FuzzAnswer holds that whatever a registry answers is a schema or an error,
// after a bounded number of requests, each to the registry itself.
func FuzzAnswer(f *testing.F) {
	const record = `{"type":"record","name":"R","fields":[{"name":"controller","type":"string"}]}`
	quoted := strings.ReplaceAll(record, `"`, `\"`)
	f.Add(200, []byte(`{"schema":"`+quoted+`"}`), []byte(""))
	f.Add(200, []byte(`{"schema":"`+quoted+`","references":[{"name":"x","subject":"s","version":1}]}`), []byte(`{"schema":"\"int\"","references":[{"subject":"s","version":2}]}`))
	f.Add(200, []byte(`{"schema":"{}","schemaType":"PROTOBUF"}`), []byte(""))
	f.Add(200, []byte(`{"schema":"\"int\"","references":[{"subject":"../../x?y#","version":-1}]}`), []byte(`{"schema":"x"}`))
	f.Add(404, []byte(`{"error_code":40403,"message":"Schema not found"}`), []byte(""))
	f.Add(302, []byte(`<html>`), []byte("\xff"))
	f.Add(200, []byte(strings.Repeat("[", 100_000)), []byte(""))
	f.Add(200, []byte(`{"schema":"`+strings.Repeat("x", 1<<20)+`"}`), []byte(""))
	f.Add(200, []byte(`{"schema":"`+strings.Repeat(`[`, 5000)+`"}`), []byte(""))
	f.Add(200, []byte("{\"schema\":\"\x00\xff\"}"), []byte("\x00"))
	f.Fuzz(func(t *testing.T, status int, top, other []byte) {
		if status < 100 || status > 999 {
			status = 200
		}
		c, err := New(Config{URLs: []string{"http://registry.example/base/"}})
		if err != nil {
			t.Fatal(err)
		}
		asked := 0
		c.http.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			asked++
			text := top
			if path := r.URL.EscapedPath(); !strings.HasPrefix(path, "/base/schemas/ids/") {
				text = other
				if !strings.HasPrefix(path, "/base/subjects/") || strings.Count(path, "/") != 5 {
					t.Errorf("it asks for %s", path)
				}
			}
			if r.URL.Host != "registry.example" {
				t.Errorf("it asks %s", r.URL.Host)
			}
			return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(text)), Request: r}, nil
		})
		var schema *event.Schema
		frugaltest.Run(t, len(top)+len(other), 4000, 8<<20, func() { schema, err = c.Schema(t.Context(), 1) })
		if (schema == nil) == (err == nil) {
			t.Errorf("%v, %v", schema, err)
		}
		if asked > 2+maxReferences {
			t.Errorf("it asked %d times", asked)
		}
	})
}
