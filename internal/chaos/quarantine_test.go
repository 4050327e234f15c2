//go:build chaos

package chaos

import (
	"strings"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/ingest"
)

// TestQuarantineCannotBeWritten: nothing of a batch is stored or committed whose
// poison cannot be; that is seen, other partitions go on, and so does this one
// afterwards. Fault 15.
func TestQuarantineCannotBeWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{partitions: 2})
	p := w.start()
	w.send(100, 50)
	w.caughtUp(time.Minute, p)
	w.exec("ALTER TABLE quarantine ADD CONSTRAINT broken CHECK 0")
	w.sendPoisonTo(0, []byte("{"), "not-json")
	before, err := w.offsets()
	if err != nil {
		t.Fatal(err)
	}
	w.send(1000, 50)
	eventually(t, time.Minute, "the other partition goes on", func() (bool, string) {
		o, err := w.offsets()
		return err == nil && o.Committed[1] == o.End[1], "" //nolint:nilerr // tried again
	})
	eventually(t, 2*time.Minute, "the stall is seen", func() (bool, string) { return p.stalled() == 1, p.tail(3) })
	after, err := w.offsets()
	if err != nil {
		t.Fatal(err)
	}
	if after.Committed[0] >= before.End[0] {
		t.Errorf("partition 0 is committed up to %d, and the poison at %d is nowhere", after.Committed[0], before.End[0]-1)
	}
	if out, status := w.command("verify"); status != 0 {
		t.Errorf("verify ends with %d while the partition stands:\n%s", status, out)
	}
	w.exec("ALTER TABLE quarantine DROP CONSTRAINT broken")
	w.caughtUp(time.Minute, p)
	w.holds()
	if p.stalled() != 0 {
		t.Error("it says still that it is stalled")
	}
	p.stop()
}

// TestRowRejected: ClickHouse refuses one row of a batch. It goes to the
// quarantine, and all others are stored. Fault 16.
func TestRowRejected(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	p := w.start()
	w.send(100, 50)
	w.caughtUp(time.Minute, p)
	w.exec("ALTER TABLE trail ADD CONSTRAINT broken CHECK event_id NOT LIKE '7-50-%'")
	w.send(5000, 50)
	for at, event := range w.ledger.good {
		if strings.HasPrefix(event.id, "7-50-") {
			w.ledger.bad[at] = ingest.ReasonRejected
			delete(w.ledger.good, at)
		}
	}
	if len(w.ledger.bad) != 1 {
		t.Fatalf("%d events are to be refused", len(w.ledger.bad))
	}
	w.caughtUp(2*time.Minute, p)
	w.holds()
	p.stop()
}

// TestCollectorHangs: the collector of traces and metrics takes connections and
// says nothing, and then is away. Nothing waits for it. Fault 25.
func TestCollectorHangs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{partitions: 2})
	collector := newProxy(t, w.house.Addr) // a server that takes connections; nothing ever gets to it
	collector.freeze(true)
	w.env = []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://" + collector.addr(), "OTEL_TRACES_SAMPLER=always_on"}
	p := w.start()
	stopFlow := w.flow(3000, 500)
	for range 20 {
		time.Sleep(time.Second)
		w.caughtUpTo(30*time.Second, p)
	}
	collector.down()
	for range 10 {
		time.Sleep(time.Second)
		w.caughtUpTo(30*time.Second, p)
	}
	stopFlow()
	w.caughtUp(time.Minute, p)
	w.holds()
	p.withinMemory()
	if took := p.stop(); took > 15*time.Second {
		t.Errorf("it took %s to stop", took)
	}
}
