//go:build chaos

package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestBrokersDieAndHang: one broker after the other, leaders and coordinators,
// is killed and started again, and stopped and continued, under load. Nothing
// is read from the start again, nothing is skipped. Fault 8.
func TestBrokersDieAndHang(t *testing.T) {
	w := newWorld(t, options{partitions: 6})
	watched := w.watchCommits()
	p := w.start()
	stopFlow := w.flow(2000, 500)
	for i := range w.cluster.Len() {
		time.Sleep(3 * time.Second)
		if err := w.cluster.Kill(i); err != nil {
			t.Fatal(err)
		}
		time.Sleep(8 * time.Second)
		if err := w.cluster.Restart(i); err != nil {
			t.Fatal(err)
		}
		w.inSync(i)
	}
	for i := range w.cluster.Len() {
		if err := w.cluster.Pause(i); err != nil {
			t.Fatal(err)
		}
		time.Sleep(12 * time.Second)
		if err := w.cluster.Resume(i); err != nil {
			t.Fatal(err)
		}
		w.inSync(i)
	}
	stopFlow()
	w.caughtUp(2*time.Minute, p)
	w.holds()
	watched()
	if n := p.says(again); n > 20 {
		t.Errorf("%d ranges were done again", n)
	}
	p.withinMemory()
	p.stop()
}

// inSync waits until a broker has all that the others have.
func (w *world) inSync(broker int) {
	w.t.Helper()
	eventually(w.t, 2*time.Minute, "the broker is in sync again", func() (bool, string) {
		meta, err := w.metadata()
		if err != nil {
			return false, err.Error()
		}
		for _, p := range meta.Topics[0].Partitions {
			in := false
			for _, r := range p.Isr {
				in = in || r.ID == broker+1
			}
			if !in {
				return false, fmt.Sprintf("partition %d is not", p.ID)
			}
		}
		return true, ""
	})
}

// TestKafkaAway: all brokers hang for a minute: the process waits, and goes on
// where it was. Fault 8.
func TestKafkaAway(t *testing.T) {
	w := newWorld(t, options{partitions: 4})
	p := w.start()
	w.send(5000, 500)
	time.Sleep(time.Second)
	for i := range w.cluster.Len() {
		if err := w.cluster.Pause(i); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(60 * time.Second)
	p.running()
	for i := range w.cluster.Len() {
		if err := w.cluster.Resume(i); err != nil {
			t.Fatal(err)
		}
	}
	for i := range w.cluster.Len() {
		w.inSync(i)
	}
	w.send(5000, 500)
	w.caughtUp(2*time.Minute, p)
	w.holds()
	p.withinMemory()
	p.stop()
}

// TestRebalanceStorm: eight members share sixteen partitions, and every two
// seconds one leaves or joins, in good order or by SIGKILL. There is progress
// all the time, and what is committed never falls. Fault 6.
func TestRebalanceStorm(t *testing.T) {
	const most = 8
	w := newWorld(t, options{partitions: 16})
	watched := w.watchCommits()
	var members []*process
	for range most / 2 {
		members = append(members, w.ingest())
	}
	stopFlow := w.flow(2000, 2000)
	r := rand.New(rand.NewPCG(6, 0))
	// A member that was killed is missed after ten seconds, and then those that are
	// left must agree: for so long some partitions are nobody's, never all for longer.
	const standstill = 30 * time.Second
	stored, risen := int64(0), time.Now()
	for n := range 30 {
		time.Sleep(2 * time.Second)
		if o, err := w.offsets(); err == nil {
			sum := int64(0)
			for _, next := range o.Committed {
				sum += max(0, next)
			}
			if sum > stored {
				stored, risen = sum, time.Now()
			}
		}
		if time.Since(risen) > standstill {
			t.Fatalf("for %s nothing was committed", time.Since(risen).Round(time.Second))
		}
		if len(members) == most || len(members) > 2 && r.IntN(2) == 0 {
			i := r.IntN(len(members))
			m := members[i]
			members = append(members[:i], members[i+1:]...)
			if n%10 == 9 {
				m.kill()
			} else {
				m.signal(syscall.SIGTERM)
			}
		} else {
			members = append(members, w.ingest())
		}
	}
	if stored == 0 {
		t.Error("nothing was committed in the storm")
	}
	stopFlow()
	w.caughtUp(2*time.Minute, members...)
	w.holds()
	watched()
	for _, m := range members {
		m.withinMemory()
	}
}

// TestCompactedLog: compaction has taken most records of a topic. The holes are
// recorded as gaps, and nothing stands still before them. Fault 21.
func TestCompactedLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{settings: map[string]string{
		"cleanup.policy": "compact", "segment.bytes": "1048576", "min.cleanable.dirty.ratio": "0.01", "segment.ms": "1000",
	}})
	w.send(20_000, 20) // keys come again and again: nearly all goes
	time.Sleep(2 * time.Second)
	w.send(20, 20) // rolls the segment
	left := w.waitCompacted(2000)
	p := w.ingest()
	w.caughtUp(2*time.Minute, p)
	for at := range w.ledger.good {
		if !left[at.offset] {
			delete(w.ledger.good, at)
		}
	}
	w.holds()
	if n := w.number("SELECT toUInt64(sum(last - first + 1)) FROM gaps WHERE topic = ? AND reason = 'compacted'", w.topic); n < 10_000 {
		t.Errorf("%d offsets are recorded as compacted", n)
	}
	p.stop()
}

// waitCompacted waits until at most so many records are left, for ten seconds
// the same, and returns their offsets.
func (w *world) waitCompacted(most int) (left map[int64]bool) {
	w.t.Helper()
	o, err := w.offsets()
	if err != nil {
		w.t.Fatal(err)
	}
	same := 0
	for deadline := time.Now().Add(3 * time.Minute); time.Now().Before(deadline); time.Sleep(2 * time.Second) {
		now := make(map[int64]bool)
		client, err := kgo.NewClient(kgo.SeedBrokers(w.cluster.Addrs()...), kgo.ConsumeTopics(w.topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		if err != nil {
			w.t.Fatal(err)
		}
		for last := int64(-1); last < o.End[0]-1; {
			ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
			fetches := client.PollFetches(ctx)
			cancel()
			if err := fetches.Err(); err != nil {
				w.t.Fatal(err)
			}
			fetches.EachRecord(func(r *kgo.Record) { now[r.Offset], last = true, max(last, r.Offset) })
		}
		client.Close()
		if same++; len(now) != len(left) {
			same = 0
		}
		if left = now; len(left) <= most && same >= 5 {
			return left
		}
	}
	w.t.Fatalf("%d records are left: it was not compacted", len(left))
	return nil
}
