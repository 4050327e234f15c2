package ingest

import (
	"fmt"
	"testing"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/andmerada/andmerada/internal/embedded/apachekafka"
)

func TestDeletedOffsetsAreGaps(t *testing.T) {
	t.Parallel()
	deletedOffsetsAreGaps(t, newWorld(t, 1))
}

func TestTransactions(t *testing.T) {
	t.Parallel()
	transactions(t, newWorld(t, 1))
}

// TestOnApacheKafka has a real broker do what the embedded one may do
// otherwise.
func TestOnApacheKafka(t *testing.T) {
	t.Parallel()
	broker := apachekafka.Start(t, apachekafka.Options{})
	t.Run("deleted offsets are gaps", func(t *testing.T) { deletedOffsetsAreGaps(t, newWorldOn(t, broker, "deleted", 1)) })
	t.Run("transactions", func(t *testing.T) { transactions(t, newWorldOn(t, broker, "transactions", 1)) })
	t.Run("source", func(t *testing.T) {
		n := 0
		sourceSuite(t, func(t *testing.T, partitions int32) *bus {
			n++
			w := &world{t: t, broker: broker, topic: fmt.Sprint("source-", n), log: newWorldLog(t)}
			w.createTopic(w.topic, partitions)
			return kafkaBus(t, w)
		})
	})
	t.Run("members come and go", func(t *testing.T) { membersComeAndGo(t, newWorldOn(t, broker, "members", 4)) })
}

func deletedOffsetsAreGaps(t *testing.T, w *world) {
	n := 0
	send := func(count int) {
		var messages []kafka.Message
		for range count {
			messages = append(messages, message(t, billing(n)))
			n++
		}
		w.send(messages...)
	}
	deleteUpTo := func(offset int64) {
		client, err := kgo.NewClient(kgo.SeedBrokers(w.broker))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		req := kmsg.NewPtrDeleteRecordsRequest()
		rt := kmsg.NewDeleteRecordsRequestTopic()
		rt.Topic = w.topic
		rt.Partitions = []kmsg.DeleteRecordsRequestTopicPartition{{Partition: 0, Offset: offset}}
		req.Topics, req.TimeoutMillis = []kmsg.DeleteRecordsRequestTopic{rt}, 5000
		res, err := req.RequestWith(t.Context(), client)
		if err != nil || res.Topics[0].Partitions[0].ErrorCode != 0 {
			t.Fatalf("delete records: %+v, %v", res, err)
		}
	}
	cfg := w.config()
	cfg.Logger = nil // it rightly complains
	send(10)
	deleteUpTo(4) // before the trail begins
	_, stop := w.start(cfg)
	w.waitCommitted("ingest-test")
	stop()
	send(10)
	deleteUpTo(15) // what has not been read
	_, stop = w.start(cfg)
	w.waitCommitted("ingest-test")
	stop()
	send(5)
	deleteUpTo(25) // all that is left
	_, _ = w.start(cfg)
	w.eventually("the last gap is there", func() (bool, string) {
		next, pending, err := w.trail.Position(t.Context(), w.topic, 0)
		return next == 25 && pending == nil, fmt.Sprint(next, err)
	})
	p := w.verify().Partitions[0]
	if p.Gaps != 4+5+5 || p.Trail != 6+5 {
		t.Errorf("%d gaps, %d in the trail", p.Gaps, p.Trail)
	}
}

func transactions(t *testing.T, w *world) {
	client, err := kgo.NewClient(kgo.SeedBrokers(w.broker), kgo.TransactionalID("crm"), kgo.DefaultProduceTopic(w.topic), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	n := 0
	transaction := func(end kgo.TransactionEndTry, count int) {
		if err := client.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for range count {
			m := message(t, billing(n))
			n++
			r := &kgo.Record{Key: m.Key, Value: m.Value}
			for _, h := range m.Headers {
				r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
			}
			if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		if err := client.EndTransaction(t.Context(), end); err != nil {
			t.Fatal(err)
		}
	}
	transaction(kgo.TryCommit, 3) // offsets 0-2, marker 3
	transaction(kgo.TryAbort, 2)  // offsets 4-5, marker 6
	w.start(w.config())
	w.waitCommitted("ingest-test") // a marker is the last there is
	transaction(kgo.TryAbort, 1)   // 7, 8
	transaction(kgo.TryCommit, 1)  // 9, 10
	w.waitCommitted("ingest-test")
	p := w.verify().Partitions[0]
	if p.Trail != 4 || p.Gaps != 3+4 || p.Offsets != 11 {
		t.Errorf("%+v", p)
	}
	for offset, want := range map[int64]int{0: 1, 2: 1, 3: 0, 4: 0, 5: 0, 7: 0, 9: 1} {
		if rows, err := w.trail.Event(t.Context(), w.topic, 0, offset); err != nil || len(rows) != want {
			t.Errorf("offset %d: %d rows, %v", offset, len(rows), err)
		}
	}
}
