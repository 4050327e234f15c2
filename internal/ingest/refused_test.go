package ingest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go"
)

func (w *world) exec(query string) {
	w.t.Helper()
	conn := w.conn()
	defer conn.Close()
	if err := conn.Exec(w.t.Context(), query); err != nil {
		w.t.Fatal(err)
	}
}

// TestOneRefusedEventHoldsUpNothing: of a batch, ClickHouse refuses two events.
// They are in the quarantine, the rest is in the trail.
func TestOneRefusedEventHoldsUpNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.log = nil // it rightly complains
	w.exec("ALTER TABLE trail ADD CONSTRAINT added CHECK event_id NOT IN ('b-500', 'b-1777')")
	var messages []kafka.Message
	for n := range 2000 {
		messages = append(messages, message(t, billing(n)))
	}
	w.send(messages...)
	i, stop := w.start(w.config())
	w.waitCommitted("ingest-test")
	stop()
	p := w.verify().Partitions[0]
	if p.Trail != 1998 || p.Quarantine != 2 {
		t.Errorf("%+v", p)
	}
	refused := w.quarantined(0)
	for offset, id := range map[int64]string{500: "b-500", 1777: "b-1777"} {
		q := refused[offset]
		if q.Reason != ReasonRejected || !strings.Contains(q.Detail, "469") || strings.Contains(q.Detail, id) {
			t.Errorf("offset %d: %+v", offset, q)
		}
		w.sameRecord(id, &messages[offset], &q)
	}
	if s := i.Stats(); s.Quarantined[ReasonRejected] != 2 {
		t.Errorf("%+v", s)
	}
}

// TestQuarantineThatTakesNothing: what cannot be put there is not committed, and
// it is seen. When it can, all goes on by itself.
func TestQuarantineThatTakesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.log = nil
	w.exec("ALTER TABLE quarantine ADD CONSTRAINT added CHECK size = 0")
	good, bad := message(t, billing(1)), message(t, billing(2))
	bad.Value = []byte("{")
	w.send(good, bad, message(t, billing(3)))
	cfg := w.config()
	cfg.Limits.Age = 2e9 // one batch
	i, _ := w.start(cfg)
	w.eventually("it is stalled", func() (bool, string) {
		s := i.Stats()
		return s.Partitions != nil && s.Partitions[0].State == Stalled && strings.Contains(s.Partitions[0].Error, "quarantine") && s.Lag > 0, fmt.Sprintf("%+v", s)
	})
	if committed := w.committed("ingest-test")[0]; committed > 1 {
		t.Errorf("committed up to %d, and offset 1 is nowhere", committed)
	}
	w.exec("ALTER TABLE quarantine DROP CONSTRAINT added")
	w.waitCommitted("ingest-test")
	if p := w.verify().Partitions[0]; p.Trail != 2 || p.Quarantine != 1 {
		t.Errorf("%+v", p)
	}
}
