package quarantine

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/ingest"
	"github.com/andmerada/andmerada/internal/trail"
)

// structuredEvent is an event as one JSON object.
func structuredEvent(t *testing.T, id, purpose string) []byte {
	t.Helper()
	m := billing(t, id)
	var headers []event.Header
	for _, h := range m.Headers {
		headers = append(headers, event.Header(h))
	}
	ev, err := event.DecodeKafka(headers, m.Value)
	if err != nil {
		t.Fatal(err)
	}
	ev.Purpose = purpose
	_, value, err := event.EncodeStructured(ev)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestMend(t *testing.T) {
	t.Parallel()
	good := structuredEvent(t, "e-1", "elektrum/billing")
	for name, c := range map[string]struct{ value, by, why string }{
		"broken still": {strings.Replace(string(good), `"time"`, `"when"`, 1), "mari", "w"},
		"no JSON":      {"x", "mari", "w"},
		"a batch":      {"[" + string(good) + "]", "mari", "w"},
		"nobody":       {string(good), "", "w"},
		"for nothing":  {string(good), "mari", ""},
		"too large":    {strings.Replace(string(good), `"data":{`, `"x":"`+strings.Repeat("x", MaxRecord)+`","data":{`, 1), "mari", "w"},
	} {
		if m, err := Mend([]byte(c.value), c.by, c.why); err == nil {
			t.Errorf("%s: %+v", name, m)
		}
	}
	m, err := Mend(append(good, '\n'), "mari", "w")
	if err != nil {
		t.Fatal(err)
	}
	at := identity.Place{Topic: topic, Offset: 7}
	first := m.copyOf(at)
	if first.Hash() != m.copyOf(at).Hash() || !bytes.Equal(first.Value, good) || len(first.Key) == 0 {
		t.Errorf("%+v", first)
	}
}

// What somebody has mended is sent once, in place of the record that stays as it was.
func TestReplayMended(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.load("")
	value := structuredEvent(t, "e-1", "elektrum/billing")
	broken := bytes.Replace(value, []byte(`"time":"`), []byte(`"time":"1.3.`), 1)
	w.send(kafka.Message{Value: broken}, kafka.Message{Value: []byte("x")})
	w.settled(2)
	at := identity.Place{Topic: topic}
	place := trail.QuarantineFilter{Places: []identity.Place{at}}
	mend := func(value []byte, why string) *Mended {
		t.Helper()
		m, err := Mend(value, "mari", why)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	first := mend(value, "the CRM writes dates by hand")
	with := func(m *Mended) func(*Config) { return func(c *Config) { c.Mended = m } }
	cfg := w.cfg
	cfg.Mended, cfg.Select = first, trail.QuarantineFilter{Reason: "bad-time"}
	if _, err := Replay(t.Context(), cfg); err == nil {
		t.Error("one mended record is sent in place of all of a reason")
	}
	if res := w.replay(place, func(c *Config) { c.Mended, c.DryRun = first, true }); res.Sent != 1 {
		t.Errorf("%+v", res)
	}
	if res := w.replay(place, with(first)); res.Sent != 1 || !res.OK() {
		t.Errorf("%+v", res)
	}
	check := func(offsets int, want string) {
		t.Helper()
		ids, reasons := w.settled(offsets)
		if got := strings.Join(ids, ", "); got != want || reasons["bad-time"] != 1 {
			t.Errorf("the trail has %s, not %s; quarantine %v", got, want, reasons)
		}
	}
	check(3, "e-1 false")
	// The same again, another, and the record as it was: none of them is due.
	other := mend(structuredEvent(t, "e-1", "elektrum/marketing"), "once more")
	for _, change := range []func(*Config){with(first), with(other)} {
		if res := w.replay(place, change); res.Sent != 0 || res.Skipped != 1 {
			t.Errorf("sent twice: %+v", res)
		}
	}
	if res := w.replay(trail.QuarantineFilter{Reason: "bad-time"}, func(c *Config) { c.Again = true }); res.Sent != 0 {
		t.Errorf("what was mended is sent as it was: %+v", res)
	}
	page, err := w.cfg.Trail.Quarantined(t.Context(), place, nil, 10)
	if err != nil || len(page) != 1 || page[0].Sends != 1 || page[0].Mended != (trail.Mended{By: "mari", Why: "the CRM writes dates by hand"}) {
		t.Fatalf("%+v, %v", page, err)
	}
	sealed, err := w.cfg.Trail.QuarantineSealed(t.Context(), place.Places)
	if err != nil {
		t.Fatal(err)
	}
	if rec, err := Open(w.cfg.Keys, sealed[at], at); err != nil || !bytes.Equal(rec.Value, broken) {
		t.Errorf("the record was changed: %v", err)
	}
	// Who insists sends a second event: ingest flags it.
	if res := w.replay(place, func(c *Config) { c.Mended, c.Again = other, true }); res.Sent != 1 {
		t.Errorf("%+v", res)
	}
	check(4, "e-1 false, e-1 true")
}

// A mended record may come back too. It's the first record that counts, whatever
// was sent in its place.
func TestReplayMendedComesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t) // without the controller's register
	w.send(kafka.Message{Value: []byte("x")})
	w.settled(1)
	place := trail.QuarantineFilter{Places: []identity.Place{{Topic: topic}}}
	var mended []*Mended
	for _, purpose := range []string{"elektrum/billing", "elektrum/marketing"} {
		m, err := Mend(structuredEvent(t, "e-1", purpose), "mari", "as the CRM's log has it")
		if err != nil {
			t.Fatal(err)
		}
		mended = append(mended, m)
	}
	if res := w.replay(place, func(c *Config) { c.Mended = mended[0] }); res.Sent != 1 {
		t.Errorf("%+v", res)
	}
	if _, reasons := w.settled(2); reasons[ingest.ReasonUnknownController] != 1 {
		t.Fatal(reasons)
	}
	back := trail.QuarantineFilter{Places: []identity.Place{{Topic: topic, Offset: 1}}}
	page, err := w.cfg.Trail.Quarantined(t.Context(), back, nil, 10)
	if err != nil || len(page) != 1 || page[0].Root != place.Places[0] || page[0].Returned != 1 {
		t.Fatalf("the copy is not known for one: %+v, %v", page, err)
	}
	w.load("")
	if res := w.replay(place, func(c *Config) { c.Mended = mended[0] }); res.Sent != 0 {
		t.Errorf("the same is sent again, unasked: %+v", res)
	}
	if res := w.replay(back, func(c *Config) { c.Mended = mended[1] }); res.Sent != 1 {
		t.Errorf("by the copy's place: %+v", res)
	}
	if ids, _ := w.settled(3); strings.Join(ids, ", ") != "e-1 false" {
		t.Error(ids)
	}
	if res := w.replay(place, func(c *Config) { c.Mended = mended[1] }); res.Sent != 0 {
		t.Errorf("sent twice: %+v", res)
	}
}

// By offsets, and by when it was stored.
func TestReplayByRange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.send(billing(t, "e-0"), billing(t, "e-1"), billing(t, "e-2"), billing(t, "e-3"))
	w.settled(4)
	w.load("")
	if res := w.replay(trail.QuarantineFilter{Range: &trail.Range{Topic: topic, First: 1, Last: 2}, Source: "crm"}, nil); res.Selected != 2 || res.Sent != 2 {
		t.Errorf("%+v", res)
	}
	if ids, _ := w.settled(6); strings.Join(ids, ", ") != "e-1 false, e-2 false" {
		t.Error(ids)
	}
	cfg := w.cfg
	for _, f := range []trail.QuarantineFilter{
		{Until: time.Now().Add(-time.Hour)},
		{Range: &trail.Range{Topic: topic, Partition: 1, First: 0, Last: 9}},
		{Range: &trail.Range{Topic: "other", First: 0, Last: 9}},
		{Range: &trail.Range{Topic: topic, First: 4, Last: 9}},
	} {
		cfg.Select = f
		if res, err := Replay(t.Context(), cfg); !errors.Is(err, ErrNone) {
			t.Errorf("%+v selects %+v, %v", f, res, err)
		}
	}
}
