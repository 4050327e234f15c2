package intake_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	ce "github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/segmentio/kafka-go"

	"github.com/andmerada/andmerada/internal/embedded"
	"github.com/andmerada/andmerada/internal/emit"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/intake"
)

const (
	topic = "andmerada.events"
	// secretPerson must be in no log line and no answer.
	secretPerson = "48901010001"
)

// world is an intake in front of an embedded Kafka.
type world struct {
	*httptest.Server
	in    *intake.Intake
	kafka string
	file  string // of tokens
	token string
	log   *logText
}

type logText struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

type write = func(context.Context, ...emit.Record) error

// newWorld starts one; change may be nil, between wraps the way to Kafka.
func newWorld(t testing.TB, change func(*intake.Config), between func(write) write) *world {
	t.Helper()
	k, err := embedded.StartKafka(t.Context(), embedded.KafkaConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.Close() })
	if err := k.CreateTopic(t.Context(), topic, 4); err != nil {
		t.Fatal(err)
	}
	w := &world{kafka: k.Addr(), file: filepath.Join(t.TempDir(), "tokens.yaml"), log: &logText{}}
	var sum string
	w.token, sum = intake.NewToken()
	entry, err := intake.Entry(intake.Source{Name: "billing", Token: sum, Sources: []string{"/netpro/billing"}, Controllers: []string{"netpro"}, Rate: 1e6})
	if err != nil {
		t.Fatal(err)
	}
	w.writeTokens(t, "sources:\n"+entry)
	log := slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	tokens, err := intake.LoadTokens(w.file, log)
	if err != nil {
		t.Fatal(err)
	}
	writer, err := emit.New(emit.Config{Brokers: []string{k.Addr()}, Topic: topic, Linger: 2 * time.Millisecond, Batch: 250, Compression: "lz4"})
	if err != nil {
		t.Fatal(err)
	}
	c := intake.Config{Write: writer.Forward, Authenticate: tokens.Authenticate, Logger: log}
	if change != nil {
		change(&c)
	}
	if between != nil {
		c.Write = between(c.Write)
	}
	if w.in, err = intake.New(c); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle(intake.Path, w.in)
	w.Server = httptest.NewServer(mux)
	t.Cleanup(func() {
		w.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := errors.Join(w.in.Close(ctx), writer.Close()); err != nil {
			t.Error(err)
		}
		if text := w.log.String(); strings.Contains(text, secretPerson) || strings.Contains(text, w.token) {
			t.Errorf("the log has what it must not have:\n%s", text)
		}
	})
	return w
}

func (w *world) writeTokens(t testing.TB, text string) {
	t.Helper()
	if err := os.WriteFile(w.file+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(w.file+".new", w.file); err != nil {
		t.Fatal(err)
	}
}

// sample is a good event in structured mode, changed as told.
func sample(id string, change ...string) string {
	return strings.NewReplacer(change...).Replace(fmt.Sprintf(`{"specversion": "1.0", "id": %q, "source": "/netpro/billing", "type": "ee.andmerada.transfer.v1", "time": "2024-05-02T10:00:00+03:00",
  "sequence": "1041", "datacontenttype": "application/json",
  "data": {"controller": "netpro",  "person": {"scheme": "personal-code", "value": %q}, "purpose": "netpro/payment-execution", "categories": ["payment-execution-data"]}}`, id, secretPerson))
}

const (
	structured = "application/cloudevents+json; charset=utf-8"
	batched    = "application/cloudevents-batch+json"
)

type reply struct {
	status int
	header http.Header
	text   string
	intake.Accepted
	intake.Problem
}

// post posts, and holds what is true of every answer.
func (w *world) post(t testing.TB, contentType, body string, header ...string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL+intake.Path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Authorization", "Bearer "+w.token)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return w.do(t, req)
}

func (w *world) do(t testing.TB, req *http.Request) reply {
	t.Helper()
	res, err := w.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	r := reply{status: res.StatusCode, header: res.Header, text: string(text)}
	want, into := "application/problem+json", any(&r.Problem)
	if res.StatusCode < 300 {
		want, into = "application/json", &r.Accepted
	}
	if err := json.Unmarshal(text, into); err != nil || res.Header.Get("Content-Type") != want {
		t.Fatalf("%d %s: %s: %v", res.StatusCode, res.Header.Get("Content-Type"), text, err)
	}
	if strings.Contains(r.text, secretPerson) || strings.Contains(r.text, w.token) {
		t.Errorf("the answer has what it must not have: %s", r.text)
	}
	if r.status >= 300 && (r.Status != r.status || r.Code == "" || r.Type != "urn:andmerada:intake:"+string(r.Code) || r.Detail == "") {
		t.Errorf("not a whole problem: %s", r.text)
	}
	return r
}

// want fails the test if the answer is another.
func (r reply) want(t testing.TB, status, accepted, repeated int) {
	t.Helper()
	if r.status != status || r.Accepted.Accepted != accepted || r.Repeated != repeated {
		t.Fatalf("status %d: %s; want %d, %d accepted and %d repeated", r.status, r.text, status, accepted, repeated)
	}
}

// wantFault is the same for what is refused.
func (r reply) wantFault(t testing.TB, status int, faults ...string) {
	t.Helper()
	var got []string
	for _, f := range r.Errors {
		got = append(got, fmt.Sprintf("%d %s %s", f.Item, f.Code, f.Pointer))
	}
	if len(faults) == 1 && len(got) == 0 {
		got = []string{string(r.Code)}
	}
	if r.status != status || !slices.Equal(got, faults) {
		t.Fatalf("status %d, %q, want %d, %q: %s", r.status, got, status, faults, r.text)
	}
}

// written are the records in Kafka, once there are n.
func (w *world) written(t testing.TB, n int) []kafka.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	client := &kafka.Client{Addr: kafka.TCP(w.kafka)}
	var all []kafka.Message
	for p := range 4 {
		offsets, err := client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: {kafka.LastOffsetOf(p)}}})
		if err != nil {
			t.Fatal(err)
		}
		r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{w.kafka}, Topic: topic, Partition: p, MaxWait: 100 * time.Millisecond})
		for range offsets.Topics[topic][0].LastOffset {
			m, err := r.ReadMessage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, m)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(all) != n {
		t.Fatalf("%d records in Kafka, want %d", len(all), n)
	}
	return all
}

func headersOf(m kafka.Message) (headers []event.Header, text string) {
	for _, h := range m.Headers {
		headers = append(headers, event.Header(h))
		text += h.Key + "=" + string(h.Value) + "\n"
	}
	return headers, text
}

func decode(t testing.TB, m kafka.Message) *event.Event {
	t.Helper()
	headers, _ := headersOf(m)
	ev, err := event.DecodeKafka(headers, m.Value)
	if err != nil {
		t.Fatal(err)
	}
	return ev
}

// sdkEvent is an event as the CloudEvents SDK makes it.
func sdkEvent(t testing.TB, id string) ce.Event {
	t.Helper()
	e := ce.New()
	if err := json.Unmarshal([]byte(sample(id)), &e); err != nil {
		t.Fatal(err)
	}
	return e
}

// TestModes posts what a client written by others sends, in each mode, and
// holds that the same record comes of it.
func TestModes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, nil)
	binary, err := cehttp.NewHTTPRequestFromEvent(t.Context(), w.URL+intake.Path, sdkEvent(t, "sdk-1"))
	if err != nil {
		t.Fatal(err)
	}
	batch, err := cehttp.NewHTTPRequestFromEvents(t.Context(), w.URL+intake.Path, []ce.Event{sdkEvent(t, "sdk-2"), sdkEvent(t, "sdk-3")})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		req *http.Request
		n   int
	}{{binary, 1}, {batch, 2}} {
		c.req.Header.Set("Authorization", "bearer "+w.token)
		w.do(t, c.req).want(t, http.StatusAccepted, c.n, 0)
	}
	w.post(t, structured, sample("sdk-4")).want(t, http.StatusAccepted, 1, 0)
	w.post(t, batched, "[]").want(t, http.StatusOK, 0, 0)

	var ids []string
	var first *event.Event
	for _, m := range w.written(t, 4) {
		ev := decode(t, m)
		if string(m.Key) != event.PartitionKey(ev) || len(m.Key) != 16 {
			t.Errorf("key %q", m.Key)
		}
		headers, text := headersOf(m)
		if headers[0].Key != "ce_specversion" || headers[len(headers)-1].Key != "content-type" || !strings.Contains(text, "content-type=application/json\n") {
			t.Errorf("headers:\n%s", text)
		}
		if decode(t, m).ID == "sdk-4" && !strings.Contains(string(m.Value), `"netpro",  "person"`) {
			t.Errorf("the data are not as they were sent: %s", m.Value)
		}
		ids = append(ids, ev.ID)
		ev.ID = ""
		if first == nil {
			first = ev
		}
		if !ev.Time.Equal(first.Time) || ev.Source != "/netpro/billing" || ev.Sequence != 1041 || len(ev.Persons) != 1 || ev.Persons[0].Value != secretPerson {
			t.Errorf("not what was sent: %+v", ev)
		}
	}
	slices.Sort(ids)
	if !slices.Equal(ids, []string{"sdk-1", "sdk-2", "sdk-3", "sdk-4"}) {
		t.Errorf("ids %q", ids)
	}
	// The same in another mode is the same.
	again, err := cehttp.NewHTTPRequestFromEvent(t.Context(), w.URL+intake.Path, sdkEvent(t, "sdk-4"))
	if err != nil {
		t.Fatal(err)
	}
	again.Header.Set("Authorization", "Bearer "+w.token)
	w.do(t, again).want(t, http.StatusOK, 0, 1)
}

// TestWhatASourceWrites holds the details of reading.
func TestWhatASourceWrites(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, nil)
	data := `{"controller":"netpro","person":{"scheme":"x","value":"1"},"purpose":"p/q","categories":["name"]}`
	w.post(t, structured, sample("big", `"1041"`, `5000000000`, `"datacontenttype"`, `"subject": null, "flag": true, "datacontenttype"`)).want(t, http.StatusAccepted, 1, 0)
	w.post(t, structured, sample("b64", `"data": {`, `"data_base64": "eyJjb250cm9sbGVyIjoibmV0cHJvIiwicGVyc29uIjp7InNjaGVtZSI6IngiLCJ2YWx1ZSI6IjEifSwicHVycG9zZSI6InAvcSIsImNhdGVnb3JpZXMiOlsibmFtZSJdfQ==", "ignored": {`)).want(t, http.StatusAccepted, 1, 0)
	w.post(t, "application/json", data, "Ce-Specversion", "1.0", "Ce-Id", `"a\"%C3%B5%zz"`, "Ce-Source", "/netpro/billing/%C3%B5", "Ce-Type", "ee.andmerada.access.v1", "Ce-Time", "2024-05-02T10:00:00Z").
		want(t, http.StatusAccepted, 1, 0)
	w.post(t, "", data, "Ce-Specversion", "1.0", "Ce-Id", "no type", "Ce-Source", "/netpro/billing", "Ce-Type", "ee.andmerada.access.v1", "Ce-Time", "2024-05-02T10:00:00Z").
		want(t, http.StatusAccepted, 1, 0)
	got := map[string]kafka.Message{}
	for _, m := range w.written(t, 4) {
		got[decode(t, m).ID] = m
	}
	if _, text := headersOf(got["big"]); !strings.Contains(text, "ce_sequence=5000000000\n") || !strings.Contains(text, "ce_flag=true\n") || strings.Contains(text, "subject") {
		t.Errorf("headers:\n%s", text)
	}
	if string(got["b64"].Value) != data {
		t.Errorf("data of base64: %s", got["b64"].Value)
	}
	if m, ok := got[`a"õ%zz`]; !ok || decode(t, m).Source != "/netpro/billing/õ" {
		t.Errorf("headers are not decoded: %v", got)
	}
	if _, text := headersOf(got["no type"]); !strings.Contains(text, "content-type=application/json\n") {
		t.Errorf("headers:\n%s", text)
	}
}

func TestTraceContext(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, nil)
	const outer, own = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	w.post(t, batched, "["+sample("1")+","+sample("2", `"sequence"`, `"traceparent": "`+own+`", "sequence"`)+"]", "Traceparent", outer).want(t, http.StatusAccepted, 2, 0)
	for _, m := range w.written(t, 2) {
		ev := decode(t, m)
		if want := map[string]string{"1": outer, "2": own}[ev.ID]; ev.TraceParent != want {
			t.Errorf("%s: trace %q, want %q", ev.ID, ev.TraceParent, want)
		}
	}
	// A repetition has a trace of its own, and is the same event.
	w.post(t, structured, sample("1"), "Traceparent", own).want(t, http.StatusOK, 0, 1)
}

func TestRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *intake.Config) { c.Limits.Batch = 3; c.Limits.Body = 100_000 }, nil)
	good := sample("good")
	for _, c := range []struct {
		name, contentType, body string
		status                  int
		faults                  []string
	}{
		{"a member is missing", structured, sample("1", `"purpose"`, `"porpoise"`), 422, []string{"0 missing /data/purpose"}},
		{"every event's fault", batched, "[" + sample("1", `"purpose"`, `"x"`) + "," + good + "," + sample("2", "2024-05-02T", "yesterday ") + "]", 422, []string{"0 missing /data/purpose", "2 bad-time /time"}},
		{"an identifier as a name", structured, sample("1", `"scheme"`, `"`+secretPerson+`": 1, "`+secretPerson+`": 2, "scheme"`), 422, []string{"0 duplicate /data/person/…"}},
		{"cut short", structured, good[:200], 422, []string{"0 not-json "}},
		{"no JSON", structured, secretPerson + "x", 422, []string{"0 not-cloudevent "}},
		{"batch cut short", batched, "[" + good + "," + good[:100], 422, []string{"1 not-json "}},
		{"batch is an object", batched, good, 422, []string{"0 not-json "}},
		{"more after the batch", batched, "[" + good + "] []", 422, []string{"1 not-json "}},
		{"batch of others", batched, `[1, "` + secretPerson + `"]`, 422, []string{"0 not-cloudevent ", "1 not-cloudevent "}},
		{"too many", batched, "[" + good + strings.Repeat(",1", 3) + "]", 413, []string{"too-many"}},
		{"too large", structured, strings.Repeat(" ", 100_001), 413, []string{"too-large"}},
		{"too deep", structured, strings.Repeat("[", 1000), 422, []string{"0 too-deep "}},
		{"plain JSON", "application/json", good, 415, []string{"content-type"}},
		{"form", "application/x-www-form-urlencoded", good, 415, []string{"content-type"}},
		{"other format", "application/cloudevents+protobuf", good, 415, []string{"content-type"}},
		{"foreign source", structured, sample("1", "/netpro/billing", "/netpro/billing-2"), 403, []string{"0 foreign-source /source"}},
		{"foreign controller", structured, sample("1", `"netpro"`, `"elektrum"`), 403, []string{"0 foreign-controller /data/controller"}},
		{
			"both, and a fault", batched, "[" + sample("1", `"purpose"`, `"x"`) + "," + sample("1", "/netpro", "/elektrum", `"netpro"`, `"elektrum"`) + "]", 403,
			[]string{"0 missing /data/purpose", "1 foreign-source /source", "1 foreign-controller /data/controller"},
		},
		{"odd attribute", structured, sample("1", `"sequence"`, `"`+secretPerson+`@": "x", "sequence"`), 422, []string{"0 bad-value "}},
		{"data twice", structured, sample("1", `"data":`, `"data_base64": "e30=", "data":`), 422, []string{"0 duplicate /data_base64"}},
		{"1970", structured, sample("1", "2024-", "1970-"), 422, []string{"0 time-implausible /time"}},
		{"2100", structured, sample("1", "2024-", "2100-"), 422, []string{"0 time-implausible /time"}},
		{"other version", structured, sample("1", `"1.0"`, `"0.3"`), 422, []string{"0 not-cloudevent /specversion"}},
	} {
		t.Run(c.name, func(t *testing.T) { w.post(t, c.contentType, c.body).wantFault(t, c.status, c.faults...) })
	}
	t.Run("binary of another version", func(t *testing.T) {
		w.post(t, "application/json", "{}", "Ce-Specversion", "2.0").wantFault(t, 422, "0 not-cloudevent /specversion")
	})
	t.Run("a header twice", func(t *testing.T) {
		req, err := cehttp.NewHTTPRequestFromEvent(t.Context(), w.URL+intake.Path, sdkEvent(t, "1"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+w.token)
		req.Header.Add("Ce-Source", "/other")
		w.do(t, req).wantFault(t, 422, "0 duplicate /source")
	})
	t.Run("not posted", func(t *testing.T) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.URL+intake.Path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if r := w.do(t, req); r.status != http.StatusMethodNotAllowed || r.header.Get("Allow") != http.MethodPost {
			t.Errorf("%d %v", r.status, r.header)
		}
	})
	w.written(t, 0)
	w.post(t, structured, good).want(t, http.StatusAccepted, 1, 0)
}

// TestUnready holds that an event which cannot be checked now is neither taken
// nor called bad.
func TestUnready(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *intake.Config) {
		c.Decode = func(*event.Event, []event.Header, []byte) error { return errors.New("the registry is away") }
	}, nil)
	w.post(t, structured, sample("1")).wantFault(t, http.StatusServiceUnavailable, "unready")
	w.written(t, 0)
}

// TestAvro writes Avro as it comes, in binary mode and as a whole.
func TestAvro(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *intake.Config) {
		c.Decode = func(ev *event.Event, headers []event.Header, value []byte) error {
			if len(value) == 0 || value[0] != 0 {
				return &event.Fault{Code: event.CodeNotJSON}
			}
			headers = slices.DeleteFunc(slices.Clone(headers), func(h event.Header) bool { return h.Key == "content-type" })
			if len(headers) == 0 {
				return event.DecodeKafkaInto(ev, nil, []byte(sample("whole")))
			}
			return event.DecodeKafkaInto(ev, headers, []byte(`{"controller":"netpro","person":{"scheme":"x","value":"1"},"purpose":"p/q","categories":["name"]}`))
		}
	}, nil)
	const value = "\x00\x00\x00\x00\x01avro"
	w.post(t, "application/cloudevents+avro", value).want(t, http.StatusAccepted, 1, 0)
	w.post(t, "application/avro", value, "Ce-Specversion", "1.0", "Ce-Id", "parts", "Ce-Source", "/netpro/billing", "Ce-Type", "ee.andmerada.access.v1", "Ce-Time", "2024-05-02T10:00:00Z").
		want(t, http.StatusAccepted, 1, 0)
	for _, m := range w.written(t, 2) {
		_, text := headersOf(m)
		if string(m.Value) != value || text != "content-type=application/cloudevents+avro\n" && !strings.HasSuffix(text, "content-type=application/avro\n") {
			t.Errorf("%q with\n%s", m.Value, text)
		}
	}
}

func TestAnErrorListIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, nil)
	r := w.post(t, batched, "[{}"+strings.Repeat(",{}", 249)+"]")
	if r.status != 422 || len(r.Errors) != 100 || r.Omitted != 150 {
		t.Errorf("%d errors and %d omitted", len(r.Errors), r.Omitted)
	}
}

func TestRepeatedAndConflicting(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *intake.Config) { c.Limits.Window = 3 }, nil)
	w.post(t, structured, sample("1")).want(t, http.StatusAccepted, 1, 0)
	w.post(t, structured, sample("1")).want(t, http.StatusOK, 0, 1)
	// Spaces and the offset of a time are not content.
	w.post(t, structured, sample("1", "10:00:00+03:00", "07:00:00Z", `"netpro",  "person"`, `"netpro","person"`)).want(t, http.StatusOK, 0, 1)
	w.post(t, structured, sample("1", "payment-execution-data", "name")).wantFault(t, http.StatusConflict, "0 conflict /id")
	w.post(t, structured, sample("1", "transfer", "access")).wantFault(t, http.StatusConflict, "0 conflict /id")
	// The same id of another source is another event.
	w.post(t, structured, sample("1", "/netpro/billing", "/netpro/billing/eu")).want(t, http.StatusAccepted, 1, 0)
	// A batch with a conflict is not written.
	w.post(t, batched, "["+sample("2")+","+sample("1", "transfer", "access")+"]").wantFault(t, http.StatusConflict, "1 conflict /id")
	w.post(t, batched, "["+sample("2")+","+sample("2", "transfer", "access")+"]").wantFault(t, http.StatusConflict, "1 conflict /id")
	w.written(t, 2)
	w.post(t, batched, "["+sample("2")+","+sample("1")+","+sample("2")+"]").want(t, http.StatusAccepted, 1, 2)
	w.written(t, 3)
	// What is beyond the window is written again: ingest flags it.
	w.post(t, structured, sample("3")).want(t, http.StatusAccepted, 1, 0)
	w.post(t, structured, sample("1")).want(t, http.StatusAccepted, 1, 0)
	w.post(t, structured, sample("3")).want(t, http.StatusOK, 0, 1)
	w.written(t, 5)
}

// TestAtOnce posts the same event many times at once: it is written once, and
// each request waits for that.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	var writes atomic.Int64
	hold := make(chan struct{})
	w := newWorld(t, nil, func(next write) write {
		return func(ctx context.Context, r ...emit.Record) error {
			writes.Add(1)
			<-hold
			return next(ctx, r...)
		}
	})
	const n = 20
	replies := make(chan reply, n)
	for range n {
		go func() { replies <- w.post(t, structured, sample("same")) }()
	}
	for writes.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	w.post(t, structured, sample("same", "transfer", "access")).wantFault(t, http.StatusConflict, "0 conflict /id")
	close(hold)
	accepted, repeated := 0, 0
	for range n {
		r := <-replies
		if r.status >= 300 {
			t.Fatalf("%d: %s", r.status, r.text)
		}
		accepted, repeated = accepted+r.Accepted.Accepted, repeated+r.Repeated
	}
	if accepted != 1 || repeated != n-1 || writes.Load() != 1 {
		t.Errorf("%d accepted, %d repeated, %d writes", accepted, repeated, writes.Load())
	}
	w.written(t, 1)
}

func TestGzip(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *intake.Config) { c.Limits.Body = 1 << 20 }, nil)
	packed := func(text string) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := io.WriteString(z, text); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	w.post(t, structured, packed(sample("1")), "Content-Encoding", "gzip").want(t, http.StatusAccepted, 1, 0)
	w.post(t, structured, packed(strings.Repeat(" ", 100<<20)), "Content-Encoding", "gzip").wantFault(t, 413, "too-large")
	whole := packed(sample("2"))
	w.post(t, structured, whole[:len(whole)-9], "Content-Encoding", "gzip").wantFault(t, 400, "content-encoding")
	w.post(t, structured, sample("2"), "Content-Encoding", "gzip").wantFault(t, 400, "content-encoding")
	r := w.post(t, structured, sample("2"), "Content-Encoding", "br")
	r.wantFault(t, 415, "content-encoding")
	if r.header.Get("Accept-Encoding") != "gzip" {
		t.Errorf("header %v", r.header)
	}
	w.written(t, 1)
}

// TestSlowBody holds that a body that does not come ends, and that a slow Kafka
// is not taken for one.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *intake.Config) { c.Limits.BodyTime = 300 * time.Millisecond }, func(next write) write {
		return func(ctx context.Context, r ...emit.Record) error {
			time.Sleep(time.Second)
			return next(ctx, r...)
		}
	})
	in, out := io.Pipe()
	go func() { _, _ = io.WriteString(out, sample("1")[:100]) }()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL+intake.Path, in)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", structured)
	req.Header.Set("Authorization", "Bearer "+w.token)
	w.do(t, req).wantFault(t, http.StatusRequestTimeout, "too-slow")
	_ = out.Close()
	w.post(t, structured, sample("1")).want(t, http.StatusAccepted, 1, 0)
}

// TestKafkaAway holds that what was not acknowledged is told, and that sending
// it again writes what is missing, and no more.
func TestKafkaAway(t *testing.T) {
	t.Parallel()
	var away atomic.Bool
	away.Store(true)
	w := newWorld(t, nil, func(next write) write {
		return func(ctx context.Context, r ...emit.Record) error {
			if !away.Load() {
				return next(ctx, r...)
			}
			// Of several, the first is acknowledged.
			if err := next(ctx, r[:len(r)-1]...); err != nil {
				return err
			}
			return fmt.Errorf("emit: %w", &emit.UnconfirmedError{Indexes: []int{len(r) - 1}, Err: errors.New("away")})
		}
	})
	body := "[" + sample("1") + "," + sample("2") + "]"
	r := w.post(t, batched, body)
	r.wantFault(t, http.StatusServiceUnavailable, "unconfirmed")
	if r.header.Get("Retry-After") != "5" {
		t.Errorf("header %v", r.header)
	}
	w.written(t, 1)
	away.Store(false)
	w.post(t, batched, body).want(t, http.StatusAccepted, 1, 1)
	w.written(t, 2)
}

// TestKafkaReallyAway has no broker at all.
func TestKafkaReallyAway(t *testing.T) {
	t.Parallel()
	writer, err := emit.New(emit.Config{Brokers: []string{"127.0.0.1:1"}, Topic: topic})
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	w := newWorld(t, func(c *intake.Config) { c.Write = writer.Forward }, nil)
	w.post(t, structured, sample("1")).wantFault(t, http.StatusServiceUnavailable, "unconfirmed")
	w.post(t, structured, sample("1")).wantFault(t, http.StatusServiceUnavailable, "unconfirmed")
}

// TestOutcomeUnclear holds that a request that has waited long enough is
// answered, and that its repetition waits for the same write.
func TestOutcomeUnclear(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	w := newWorld(t, func(c *intake.Config) { c.Limits.Wait = 100 * time.Millisecond; c.Limits.Held = 6000 }, func(next write) write {
		return func(ctx context.Context, r ...emit.Record) error {
			<-hold
			return next(ctx, r...)
		}
	})
	w.post(t, structured, sample("1")).wantFault(t, http.StatusServiceUnavailable, "unconfirmed")
	// What is on its way counts: there is no room for another.
	r := w.post(t, structured, sample("2"))
	r.wantFault(t, http.StatusServiceUnavailable, "busy")
	if r.header.Get("Retry-After") != "1" {
		t.Errorf("header %v", r.header)
	}
	close(hold)
	for {
		r := w.post(t, structured, sample("1"))
		if r.status == http.StatusOK {
			break
		}
		if r.status != http.StatusServiceUnavailable {
			t.Fatalf("%d: %s", r.status, r.text)
		}
	}
	w.written(t, 1)
	w.post(t, structured, sample("2")).want(t, http.StatusAccepted, 1, 0)
}

// TestClose drains: what is under way is answered, what comes later is not
// taken.
func TestClose(t *testing.T) {
	t.Parallel()
	began, hold := make(chan struct{}), make(chan struct{})
	w := newWorld(t, nil, func(next write) write {
		return func(ctx context.Context, r ...emit.Record) error {
			close(began)
			<-hold
			return next(ctx, r...)
		}
	})
	first := make(chan reply, 1)
	go func() { first <- w.post(t, structured, sample("1")) }()
	<-began
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := w.in.Close(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("closed before Kafka has acknowledged: %v", err)
	}
	w.post(t, structured, sample("2")).wantFault(t, http.StatusServiceUnavailable, "busy")
	close(hold)
	if err := w.in.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := <-first
	r.want(t, http.StatusAccepted, 1, 0)
	w.written(t, 1)
}

func TestRate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *intake.Config) { c.Limits.Batch = 2 }, nil)
	text, err := os.ReadFile(w.file)
	if err != nil {
		t.Fatal(err)
	}
	w.writeTokens(t, strings.Replace(string(text), "events_per_second: 1e+06", "events_per_second: 0.01", 1))
	time.Sleep(1100 * time.Millisecond) // the file is looked at once a second
	w.post(t, batched, "["+sample("1")+","+sample("2")+"]").want(t, http.StatusAccepted, 2, 0)
	r := w.post(t, structured, sample("3"))
	r.wantFault(t, http.StatusTooManyRequests, "too-fast")
	if s := r.header.Get("Retry-After"); s != "100" && s != "99" {
		t.Errorf("Retry-After %q; log:\n%s", s, w.log)
	}
}

func TestTooManyRequests(t *testing.T) {
	t.Parallel()
	began, hold := make(chan struct{}), make(chan struct{})
	w := newWorld(t, func(c *intake.Config) { c.Limits.Requests = 1 }, func(next write) write {
		return func(ctx context.Context, r ...emit.Record) error {
			close(began)
			<-hold
			return next(ctx, r...)
		}
	})
	first := make(chan reply, 1)
	go func() { first <- w.post(t, structured, sample("1")) }()
	<-began
	w.post(t, structured, sample("2")).wantFault(t, http.StatusServiceUnavailable, "busy")
	close(hold)
	r := <-first
	r.want(t, http.StatusAccepted, 1, 0)
}
