package intake

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/andmerada/andmerada/internal/emit"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/frugaltest"
)

// FuzzRequest posts anything in any mode. What is accepted is written, each
// record is one that ingest reads, and a repetition is known; what is refused is a
// problem with its reason, and writes nothing.
func FuzzRequest(f *testing.F) {
	const good = `{"specversion":"1.0","id":"1","source":"/a","type":"ee.andmerada.access.v1","time":"2024-05-02T10:00:00Z","x":"y","data":{"controller":"c","person":{"scheme":"s","value":"v"},"purpose":"p/q","categories":["name"]}}`
	f.Add("application/cloudevents+json", "", "", "", []byte(good))
	f.Add("application/cloudevents-batch+json", "", "", "", []byte("["+good+","+good+"]"))
	f.Add("application/cloudevents+json", "", "", "", []byte(strings.Replace(good, `"data":{`, `"data_base64":"e30=","d":{`, 1)))
	f.Add("application/json", "1.0", `"%C3%B5"`, "2024-05-02T10:00:00Z", []byte(`{"controller":"c","person":{"scheme":"s","value":"v"},"purpose":"p/q","categories":["name"]}`))
	f.Add("application/json", "2.0", "%", "", []byte(`{}`))
	for _, v := range []string{"\x00\x00\x00\x00\x01\xfe", strings.Repeat("[", 5000), strings.Repeat(`{"data":`, 5000), "[" + strings.Repeat("{},", 5000) + "{}]", "{\"id\":\"a\x00\"}", "{\"id\":\"\xff\"}"} {
		for _, media := range []string{"application/json", "application/avro", "application/cloudevents+json", "application/cloudevents+avro", "application/cloudevents-batch+json"} {
			f.Add(media, "1.0", "1", "2024-05-02T10:00:00Z", []byte(v))
		}
	}
	// What is made once, the schemas of the program's own, is not the input's.
	if _, err := event.DecodeKafka(nil, []byte{0, 0, 0, 0, 1, 0}); err == nil {
		f.Fatal("a schema was known by its number alone")
	}
	f.Fuzz(func(t *testing.T, contentType, version, id, at string, body []byte) {
		var written []emit.Record
		in, err := New(Config{
			Write: func(_ context.Context, records ...emit.Record) error {
				written = append(written, records...)
				return nil
			},
			Authenticate: func(*http.Request) (*Source, error) {
				return &Source{Name: "any", Sources: []string{"/"}, Controllers: []string{"*"}}, nil
			},
			Limits: Limits{Batch: 20, Body: 1 << 16, Window: 100},
		})
		if err != nil {
			t.Fatal(err)
		}
		post := func() *httptest.ResponseRecorder {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, Path, strings.NewReader(string(body)))
			r.Header = http.Header{"Content-Type": {contentType}}
			if version != "" {
				for name, v := range map[string]string{"Specversion": version, "Id": id, "Source": "/a", "Type": "ee.andmerada.access.v1", "Time": at} {
					r.Header.Set("Ce-"+name, v)
				}
			}
			w := httptest.NewRecorder()
			in.ServeHTTP(w, r)
			return w
		}
		var w *httptest.ResponseRecorder
		// A request may say it a hundred times over: each fault of a batch is told.
		frugaltest.Run(t, len(body)+len(contentType)+len(version)+len(id)+len(at), 200, 2<<20, func() { w = post() })
		switch w.Code {
		case http.StatusAccepted, http.StatusOK:
			var a Accepted
			if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || a.Accepted != len(written) {
				t.Fatalf("%s, and %d written: %v", w.Body, len(written), err)
			}
			for _, r := range written {
				ev, err := event.DecodeKafka(r.Headers, r.Value)
				if err != nil {
					t.Fatalf("ingest would not take what was taken: %v", err)
				}
				if r.Key != event.PartitionKey(ev) {
					t.Fatalf("key %q", r.Key)
				}
			}
			if strings.HasPrefix(contentType, "application/cloudevents+json") {
				whole, err := event.DecodeKafka(structuredType, body)
				if err != nil {
					t.Fatal(err)
				}
				if parts, err := event.DecodeKafka(written[0].Headers, written[0].Value); err != nil || !reflect.DeepEqual(parts, whole) {
					t.Fatalf("%+v became %+v: %v", whole, parts, err)
				}
			}
			n := len(written)
			if w := post(); w.Code != http.StatusOK || len(written) != n {
				t.Fatalf("again: %d %s, %d records of %d", w.Code, w.Body, len(written), n)
			}
		default:
			var p Problem
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Code == "" || p.Status != w.Code || w.Code >= 500 || len(written) > 0 {
				t.Fatalf("%d %s: %v", w.Code, w.Body, err)
			}
		}
		if err := in.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}
