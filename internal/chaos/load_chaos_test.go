//go:build chaos

package chaos

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestHotPartition: one partition has most of the load and a long backlog, and
// another cannot be written, as the quarantine does not take its poison: the rest
// are not behind. Fault 22.
func TestHotPartition(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{partitions: 4})
	client := w.byHand()
	for range 200_000 { // the backlog of partition 0, of one key
		r := w.record(made(0, w.ledger.sequence(0), 0))
		r.Partition = 0
		client.Produce(context.Background(), r, w.note)
	}
	if err := client.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	const stuck = 3
	p := w.start()
	w.exec("ALTER TABLE quarantine ADD CONSTRAINT stuck CHECK partition != 3")
	w.sendPoisonTo(stuck, []byte("{"), "not-json")
	ctx, cancel := context.WithCancel(t.Context())
	trickled := make(chan struct{})
	go func() {
		defer close(trickled)
		for ctx.Err() == nil {
			for partition := range int32(3) {
				key := int(partition) + 1
				r := w.record(made(key, w.ledger.sequence(key), 0))
				r.Partition = partition + 1
				client.Produce(context.Background(), r, w.note)
			}
			time.Sleep(20 * time.Millisecond)
		}
		_ = client.Flush(context.Background())
	}()
	const behind = 30 * time.Second
	for began := time.Now(); time.Since(began) < 20*time.Second; time.Sleep(200 * time.Millisecond) {
		then, err := w.offsets()
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, behind, "the other partitions are not behind", func() (bool, string) {
			o, err := w.offsets()
			return err == nil && o.Committed[1] >= then.End[1] && o.Committed[2] >= then.End[2], fmt.Sprint(o)
		})
	}
	eventually(t, time.Minute, "that the other stands is seen", func() (bool, string) { return p.stalled() == 1, p.tail(3) })
	if o, err := w.offsets(); err != nil || o.Committed[stuck] == o.End[stuck] {
		t.Errorf("the partition that cannot be written is committed to its end: %+v, %v", o, err)
	}
	w.exec("ALTER TABLE quarantine DROP CONSTRAINT stuck")
	cancel()
	<-trickled
	w.caughtUp(2*time.Minute, p)
	w.holds()
	p.withinMemory()
	p.stop()
}

// TestAllPoison: one source sends nothing but poison, for a minute, and more of it
// than the quarantine keeps of one. Of each record it has the place, and the bytes
// of the first; the events of others, in other partitions and in the same, are in
// the trail in time. Fault 14.
func TestAllPoison(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{partitions: 4, more: "quarantine: { source_mib: 1 }\n"})
	p := w.start()
	client := w.byHand()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan int)
	go func() {
		sent, value := 0, append([]byte("{"), bytes.Repeat([]byte(" "), 500)...)
		for ctx.Err() == nil {
			for range 100 {
				r := &kgo.Record{Topic: w.topic, Value: value, Context: context.WithValue(context.Background(), reasonOf{}, "not-json")}
				client.Produce(context.Background(), r, w.note)
				sent++
			}
			time.Sleep(20 * time.Millisecond)
		}
		_ = client.Flush(context.Background())
		done <- sent
	}()
	stopFlow := w.flow(500, 200)
	for began := time.Now(); time.Since(began) < 60*time.Second; time.Sleep(time.Second) {
		w.caughtUpTo(30*time.Second, p)
	}
	good := func() int {
		w.ledger.mu.Lock()
		defer w.ledger.mu.Unlock()
		return len(w.ledger.good)
	}
	// All that was there seconds ago is in the trail: what others send comes through
	// as fast as they send it.
	if came, stored := good(), w.number("SELECT count() FROM trail"); came < 10_000 || stored < uint64(came)*8/10 {
		t.Errorf("after a minute of poison %d of %d events of others are in the trail", stored, came)
	}
	cancel()
	sent := <-done
	stopFlow()
	w.caughtUp(time.Minute, p)
	w.holds()
	kept := w.number("SELECT countIf(sealed != '') FROM quarantine")
	if kept < 1000 || kept > uint64(sent)/2 {
		t.Errorf("of %d records of poison %d are kept with their bytes: 1 MiB of them, and 1 KiB a second", sent, kept)
	}
	t.Logf("%d records of poison, %d kept with their bytes", sent, kept)
	p.withinMemory()
	p.stop()
}

// TestZipBomb: a batch of 200 KB that unpacks to 200 MB. Fault 13.
func TestZipBomb(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{partitions: 2})
	p := w.start()
	client := w.producer(kgo.ProducerBatchCompression(kgo.GzipCompression()), kgo.ProducerBatchMaxBytes(400<<20), kgo.BrokerMaxWriteBytes(400<<20),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	w.send(100, 10)
	bomb := &kgo.Record{Topic: w.topic, Value: make([]byte, 200<<20), Context: context.WithValue(context.Background(), reasonOf{}, "too-large")}
	w.note(bomb, client.ProduceSync(t.Context(), bomb).FirstErr())
	w.send(100, 10)
	w.caughtUp(time.Minute, p)
	w.holds()
	t.Logf("at most %d MB resident", p.peak())
	p.stop()
}
