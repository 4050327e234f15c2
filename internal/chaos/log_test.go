package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// gaps are the recorded gaps as "FIRST-LAST REASON", in order.
func (w *world) gaps() (all []string) {
	w.t.Helper()
	rows, err := w.sql.Query(w.t.Context(), "SELECT concat(toString(first), '-', toString(last), ' ', reason) FROM gaps WHERE topic = ? ORDER BY partition, first", w.topic)
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var gap string
		if err := rows.Scan(&gap); err != nil {
			w.t.Fatal(err)
		}
		all = append(all, gap)
	}
	if err := rows.Err(); err != nil {
		w.t.Fatal(err)
	}
	return all
}

// TestRecordsDeleted: Kafka deletes what was not read yet. The gap is recorded
// exactly, and told as an error. Fault 9.
func TestRecordsDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	w.send(3000, 50)
	p := w.ingest()
	w.caughtUp(time.Minute, p)
	p.stop()
	w.send(2000, 50)
	const deleted = 4200
	request := kmsg.NewPtrDeleteRecordsRequest()
	request.TimeoutMillis = 20_000
	request.Topics = []kmsg.DeleteRecordsRequestTopic{{Topic: w.topic, Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Partition: 0, Offset: deleted}}}}
	res, err := request.RequestWith(t.Context(), w.producer())
	if err != nil {
		t.Fatal(err)
	}
	if err := kerr.ErrorForCode(res.Topics[0].Partitions[0].ErrorCode); err != nil {
		t.Fatal(err)
	}
	for offset := int64(3000); offset < deleted; offset++ {
		delete(w.ledger.good, place{0, offset})
	}
	p = w.start()
	w.caughtUp(time.Minute, p)
	w.holds()
	if got := fmt.Sprint(w.gaps()); got != "[3000-4199 deleted]" {
		t.Errorf("gaps: %s", got)
	}
	if p.says("level=ERROR msg=\"events were deleted from Kafka before they were read") != 1 {
		t.Errorf("the log does not tell of it:\n%s", p.tail(10))
	}
	if n := p.metric("andmerada_ingest_gaps_total", `reason="deleted"`); n != deleted-3000 {
		t.Errorf("the metric says that %v were deleted", n)
	}
	p.stop()
}

// leader is the number of the broker that leads partition 0.
func (w *world) leader() int {
	w.t.Helper()
	meta, err := w.metadata()
	if err != nil {
		w.t.Fatal(err)
	}
	return meta.Topics[0].Partitions[0].Leader.ID - 1
}

// TestFlippedBit: a bit of a stored batch flips. Nothing of that batch is taken
// for an event, the stall is seen, and once the batch is whole again all is
// read. Fault 11.
func TestFlippedBit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	w.send(1000, 50)
	w.send(1000, 50)
	file, err := os.OpenFile(filepath.Join(w.cluster.Data(w.leader()), w.topic+"-0", "00000000000000000000.log"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	flip := func() {
		info, err := file.Stat()
		if err != nil {
			t.Fatal(err)
		}
		at, b := info.Size()-100, make([]byte, 1) // in the last batch
		if _, err := file.ReadAt(b, at); err != nil {
			t.Fatal(err)
		}
		b[0] ^= 0x10
		if _, err := file.WriteAt(b, at); err != nil {
			t.Fatal(err)
		}
	}
	flip()
	p := w.start()
	eventually(t, time.Minute, "the stall is seen", func() (bool, string) { return p.stalled() == 1, p.tail(3) })
	eventually(t, 10*time.Second, "the log says why", func() (bool, string) {
		return p.says("crc")+p.says("checksum")+p.says("corrupt") > 0, p.tail(5) // whichever sees it first, the checksum or what unpacks
	})
	o, err := w.offsets()
	if err != nil {
		t.Fatal(err)
	}
	if o.Committed[0] == o.End[0] {
		t.Errorf("all up to %d is committed, and the batch before that is broken", o.End[0])
	}
	if out, status := w.command("verify"); status != 0 {
		t.Errorf("verify ends with %d while the partition stands:\n%s", status, out)
	}
	flip()
	w.caughtUp(time.Minute, p)
	w.holds()
	p.stop()
}

// TestTransactions: what a producer takes back is no event, and its offsets are
// accounted for, as are Kafka's own markers. Fault 12.
func TestTransactions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	p := w.ingest()
	client := w.producer(kgo.TransactionalID(w.topic))
	const rounds, each = 30, 40
	for round := range rounds {
		if err := client.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		abort := round%3 == 1
		for n := range each {
			r := w.record(made(n, w.ledger.sequence(n), 0))
			client.Produce(t.Context(), r, func(r *kgo.Record, err error) {
				if !abort || err != nil {
					w.note(r, err)
				}
			})
		}
		if err := client.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if round%5 == 0 {
			w.send(10, 10) // others', in the middle of it
		}
		if err := client.EndTransaction(t.Context(), kgo.TransactionEndTry(!abort)); err != nil {
			t.Fatal(err)
		}
	}
	w.caughtUp(time.Minute, p)
	w.holds()
	const abortedRounds = rounds / 3
	count := func(reason string) uint64 {
		return w.number("SELECT toUInt64(sum(last - first + 1)) FROM gaps WHERE topic = ? AND reason = ?", w.topic, reason)
	}
	if markers, aborted := count("transaction-marker"), count("aborted-transaction"); markers != rounds || aborted != abortedRounds*each {
		t.Errorf("%d markers, of %d; %d records taken back, of %d", markers, rounds, aborted, abortedRounds*each)
	}
	p.stop()
}

// TestPartitionsAdded: new partitions are read within seconds. Fault 10.
func TestPartitionsAdded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	p := w.ingest()
	w.send(1000, 50)
	w.caughtUp(time.Minute, p)
	res, err := w.client().CreatePartitions(t.Context(), &kafka.CreatePartitionsRequest{Topics: []kafka.TopicPartitionsConfig{{Name: w.topic, Count: 6}}})
	if err == nil {
		err = res.Errors[w.topic]
	}
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, "the new partitions are there", func() (bool, string) {
		o, err := w.offsets()
		return err == nil && len(o.End) == 6, fmt.Sprint(err)
	})
	w.send(1000, 50)
	w.caughtUp(time.Minute, p)
	o, err := w.offsets()
	if err != nil {
		t.Fatal(err)
	}
	if o.End[5] == 0 && o.End[4] == 0 {
		t.Error("nothing was written to the new partitions")
	}
	w.holds()
	p.stop()
}

// TestStoppedUnderLoad: SIGTERM lets what is being written finish, within its
// deadline, and all that is written is committed: nothing is read again. Fault 23.
func TestStoppedUnderLoad(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{partitions: 4})
	w.send(20_000, 500)
	stopFlow := w.flow(2000, 500)
	p := w.ingest()
	for range 5 {
		eventually(t, time.Minute, "it works", func() (bool, string) { return p.says(assigned) > 0, p.tail(3) })
		time.Sleep(700 * time.Millisecond)
		const deadline = 15 * time.Second // ten for the insert, and some to leave the group on a busy machine
		if took := p.stop(); took > deadline {
			t.Errorf("it took %s to stop", took)
		}
		o, err := w.offsets()
		if err != nil {
			t.Fatal(err)
		}
		for partition, committed := range o.Committed {
			if written := w.number("SELECT max(last) + 1 FROM journal WHERE topic = ? AND partition = ?", w.topic, partition); written > 1 && int64(written) != committed {
				t.Errorf("partition %d is written up to %d and committed up to %d", partition, written, committed)
			}
		}
		p = w.ingest()
	}
	stopFlow()
	w.caughtUp(time.Minute, p)
	w.holds()
	if n := p.says(again); n != 0 {
		t.Errorf("%d ranges had to be done again", n)
	}
	p.stop()
}
