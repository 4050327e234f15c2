package findings

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/andmerada/andmerada/internal/answer/answertest"
	"github.com/andmerada/andmerada/internal/embedded"
	"github.com/andmerada/andmerada/internal/embedded/embeddedtest"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

func TestMain(m *testing.M) { os.Exit(embeddedtest.Main(m)) }

// memory is a sink that remembers, and fails when it is told to.
type memory struct {
	name string
	got  []Message
	fail error
}

func (m *memory) Name() string { return m.name }

func (m *memory) Publish(_ context.Context, messages []Message) error {
	if m.fail != nil {
		return m.fail
	}
	m.got = append(m.got, messages...)
	return nil
}

func ids(messages []Message) (list []string) {
	for _, m := range messages {
		list = append(list, m.Event.ID())
	}
	return list
}

func finding(t *testing.T, m Message) (f Finding) {
	t.Helper()
	if err := json.Unmarshal(m.Event.Data(), &f); err != nil {
		t.Fatal(err)
	}
	return f
}

// TestEachFindingOnce tells the planted trail's findings to a sink that fails
// at first, goes on with another follower, and tells one that was judged again.
func TestEachFindingOnce(t *testing.T) {
	t.Parallel()
	deps := answertest.Plant(t)
	sink := &memory{name: "test"}
	now := time.Now().Add(24 * time.Hour)
	cfg := Config{
		Trail: deps.Trail, Registers: func() *register.Set { return deps.Registers }, Sink: sink, Now: func() time.Time { return now },
	}
	follower := func(c Config) *Follower {
		t.Helper()
		f, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	f := follower(cfg)
	sink.fail = errors.New("away")
	if err := f.Once(t.Context()); err == nil || f.Told() != 0 {
		t.Fatalf("told %d, %v; the sink is away", f.Told(), err)
	}
	sink.fail = nil
	if err := f.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	var want []trail.Row
	for row, err := range deps.Trail.FindingsBetween(t.Context(), trail.Partition{Topic: answertest.Topic}, 0, 1<<40, 1000) {
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, row)
	}
	if len(want) < 3 || len(sink.got) != len(want) {
		t.Fatalf("%d findings are told, the trail has %d", len(sink.got), len(want))
	}
	for i, m := range sink.got {
		got := finding(t, m)
		if got.Place.Offset != want[i].Offset || got.Verdict != want[i].Verdict.String() || len(got.Rules) != len(want[i].Rules) || m.Event.ID() != id(&want[i]) {
			t.Errorf("told %+v of %+v", got, want[i])
		}
	}
	told := slices.Clone(sink.got)

	// Another process goes on where this one ended; another sink begins anew.
	if err := follower(cfg).Once(t.Context()); err != nil || len(sink.got) != len(told) {
		t.Errorf("told again: %d, %v", len(sink.got)-len(told), err)
	}
	other := cfg
	second := &memory{name: "second"}
	other.Sink, other.Violations = second, true
	if err := follower(other).Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, m := range second.got {
		if !slices.Contains(ids(told), m.Event.ID()) || finding(t, m).Verdict != "violation" {
			t.Errorf("%s is another finding, or no violation", m.Event.ID())
		}
	}

	// A finding that is judged again and allowed is withdrawn.
	event, err := deps.Trail.Event(t.Context(), answertest.Topic, 0, want[0].Offset)
	if err != nil || len(event) == 0 {
		t.Fatal(err)
	}
	row := event[0]
	before := row.JudgedAt
	row.Verdict, row.Rules, row.Unknown, row.Cause, row.JudgedAt = register.Allowed, nil, nil, "check", time.Now().UTC().Truncate(time.Millisecond)
	if err := deps.Trail.WriteVerdicts(t.Context(), []trail.Again{{Row: row, Supersedes: before}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := follower(cfg).Once(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(sink.got) != len(told)+1 {
		t.Fatalf("%d findings are told after one was judged again, want %d", len(sink.got), len(told)+1)
	}
	last := finding(t, sink.got[len(told)])
	if last.Verdict != "allowed" || last.Before != want[0].Verdict.String() || last.Cause != "check" || last.Place.Offset != want[0].Offset {
		t.Errorf("told %+v of a finding that was withdrawn", last)
	}
}

// TestTopic writes findings to a real broker.
func TestTopic(t *testing.T) {
	t.Parallel()
	broker, err := embedded.StartKafka(t.Context(), embedded.KafkaConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := broker.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := broker.CreateTopic(t.Context(), "findings", 2); err != nil {
		t.Fatal(err)
	}
	deps := answertest.Plant(t)
	topic := NewTopic([]string{broker.Addr()}, "findings", nil)
	f, err := New(Config{Trail: deps.Trail, Registers: func() *register.Set { return deps.Registers }, Sink: topic})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := topic.Close(); err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for partition := range 2 {
		r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{broker.Addr()}, Topic: "findings", Partition: partition})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		for {
			m, err := r.ReadMessage(ctx)
			if err != nil {
				break
			}
			headers := make(map[string]string)
			for _, h := range m.Headers {
				headers[h.Key] = string(h.Value)
			}
			var data Finding
			if err := json.Unmarshal(m.Value, &data); err != nil || headers["ce_type"] != Type || headers["ce_specversion"] != "1.0" || seen[headers["ce_id"]] || data.Verdict == "" {
				t.Errorf("%v %s: %v", headers, m.Value, err)
			}
			if data.Person != "" && string(m.Key) != data.Person {
				t.Errorf("the key is %q, the person %q", m.Key, data.Person)
			}
			seen[headers["ce_id"]] = true
			if int64(len(seen)) == f.Told() {
				break
			}
		}
		cancel()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	if int64(len(seen)) != f.Told() || len(seen) == 0 {
		t.Errorf("the topic has %d findings, told were %d", len(seen), f.Told())
	}
}

func TestWebhook(t *testing.T) {
	t.Parallel()
	secret := []byte("0123456789abcdef0123")
	at := time.Unix(1_800_000_000, 0)
	var mu sync.Mutex
	var answers []int
	var got []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if want := Signature(secret, at, body); r.Header.Get(SignatureHeader) != want || !strings.HasPrefix(want, "t=1800000000,v1=") {
			t.Errorf("signed %q, want %q", r.Header.Get(SignatureHeader), want)
		}
		mu.Lock()
		defer mu.Unlock()
		status := http.StatusNoContent
		if len(answers) > 0 {
			status, answers = answers[0], answers[1:]
		}
		if status == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "7")
		}
		if status < 300 {
			got = append(got, string(body))
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(srv.Close)
	w, err := NewWebhook(srv.URL, secret, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var waits []time.Duration
	w.Now = func() time.Time { return at }
	w.Sleep = func(_ context.Context, d time.Duration) error { waits = append(waits, d); return nil }
	message := func(id string) Message {
		m, err := newMessage(&trail.Row{Topic: "t", Controller: "acme", Verdict: register.Review, Offset: 5, EventID: id, JudgedAt: at}, "", register.NewSet())
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	// Patience where it is asked for; what is refused is left out, what comes after is not.
	answers = []int{500, 429, 204, 422, 204}
	if err := w.Publish(t.Context(), []Message{message("a"), message("b"), message("c")}); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || !strings.Contains(got[0], `"id":"a"`) || !strings.Contains(got[1], `"id":"c"`) {
		t.Errorf("delivered %v", got)
	}
	if len(waits) != 2 || waits[0] > time.Second || waits[1] != 7*time.Second {
		t.Errorf("waited %v", waits)
	}
	// One that is down is given up for now.
	answers = []int{503, 503, 503, 503, 503}
	if err := w.Publish(t.Context(), []Message{message("d")}); err == nil {
		t.Error("a webhook that is down has taken a finding")
	}
	for address, s := range map[string][]byte{"ftp://x": secret, "https://user:pass@x": secret, "https://x": []byte("short")} {
		if _, err := NewWebhook(address, s, nil); err == nil {
			t.Errorf("%s with a secret of %d bytes is taken", address, len(s))
		}
	}
	if strings.Contains(w.Name(), "127.0.0.1") {
		t.Errorf("the name %q tells the address", w.Name())
	}
}
