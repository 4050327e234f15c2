package ingest

import (
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/trail"
)

// Facts that another process has brought into the trail are learnt while a
// process runs, too.
func TestFactsOfOthersAreLearnt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	who := identity.Pseudonym{7}
	insert := func(partition int32, offset int64) {
		t.Helper()
		b := trail.NewBlocks()
		b.Trail.Append(&trail.Row{
			EventID: "f", Source: "/crm", Operation: trail.OperationFact, Time: at, Recorded: at, Controller: "elektrum", Person: who, Of: 1,
			Fact: "necessity", FactValue: `{"necessity":true}`, FactValidFrom: at, Offset: offset,
		})
		if err := w.trail.Insert(t.Context(), trail.Range{Topic: w.topic, Partition: partition, First: offset, Last: offset}, at, b); err != nil {
			t.Fatal(err)
		}
	}
	store := facts.New()
	l, next := newLoader(w.trail, store), make(map[trail.Partition]int64)
	learn := func(begun bool, want int) {
		t.Helper()
		if err := l.learnOthers(t.Context(), []string{w.topic}, next, begun); err != nil {
			t.Fatal(err)
		}
		if store.Len() != want {
			t.Errorf("%d facts are known, want %d", store.Len(), want)
		}
	}
	insert(0, 0)
	learn(false, 0) // what was there before is learnt with a partition
	learn(true, 0)
	insert(0, 1)
	insert(5, 0) // of a partition that was not there
	learn(true, 2)
	learn(true, 2)
	if f := store.AsOf("elektrum", who, "", "", at); f.Get(event.Necessity).State != event.Known {
		t.Error("the fact is not known")
	}
}
