package trail

import (
	"maps"
	"testing"
	"time"
)

func TestSince(t *testing.T) {
	t.Parallel()
	db := openTest(t, testConfig(t))
	var times []time.Time
	for first := int64(0); first < 60; first += 20 {
		r := testRange(first, first+19)
		if err := db.Insert(t.Context(), r, storedAt, mixedBlocks(r)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond) // the journal has milliseconds
		times = append(times, time.Now())
		time.Sleep(5 * time.Millisecond)
	}
	since := func(at time.Time, want int64) {
		t.Helper()
		from, err := db.Since(t.Context(), "andmerada.events", []int32{3, 4}, at)
		if err != nil || !maps.Equal(from, map[int32]int64{3: want, 4: 0}) {
			t.Errorf("since %s: %v, %v; want %d", at, from, err, want)
		}
	}
	since(times[0].Add(-time.Hour), 0)
	since(times[0], 0)
	since(times[1], 20)
	since(times[2], 40)
	since(times[2].Add(time.Hour), 40)

	// What is older is not looked at, and what is newer is.
	mustExec(t, db, "ALTER TABLE trail DELETE WHERE offset IN (10, 45) SETTINGS mutations_sync = 2")
	for at, want := range map[time.Time]int64{times[0]: 2, times[1]: 1} {
		from, err := db.Since(t.Context(), "andmerada.events", []int32{3}, at)
		if err != nil {
			t.Fatal(err)
		}
		if report := mustVerify(t, db, from[3], 60); report.Partitions[0].Faults() != want || report.OK() {
			t.Errorf("from %d: %s", from[3], report)
		}
	}

	// A range that two processes began is in hand from where the first of them
	// began; what is void does not count.
	for _, query := range []string{
		"INSERT INTO journal (topic, partition, first, last, attempt, written_at) VALUES ('andmerada.events', 3, 60, 79, 1, now64(3)), ('andmerada.events', 3, 65, 70, 1, now64(3))",
		"INSERT INTO journal (topic, partition, first, last, attempt, withdrawn, written_at) VALUES ('andmerada.events', 3, 90, 95, 1, false, now64(3)), ('andmerada.events', 3, 90, 95, 1, true, now64(3))",
	} {
		mustExec(t, db, query)
	}
	since(time.Now().Add(time.Hour), 60)
}
