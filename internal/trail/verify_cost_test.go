package trail

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// granule is how many rows of a table ClickHouse reads at least.
const granule = 8192

// TestVerifySinceReadsLittle: what verify reads of what is new grows with what is
// new, and not with the trail; that it is asked each minute costs little.
func TestVerifySinceReadsLittle(t *testing.T) {
	t.Parallel()
	db := openTest(t, testConfig(t))
	const contexts, newest = 500, 2000
	end := int64(0)
	insert := func(n int64) {
		t.Helper()
		r := testRange(end, end+n-1)
		b := NewBlocks()
		for offset := r.First; offset <= r.Last; offset++ {
			row := fullRow(offset)
			row.Channel = strconv.Itoa(int(offset % contexts))
			b.Trail.Append(&row)
		}
		if err := db.Insert(t.Context(), r, storedAt, b); err != nil {
			t.Fatal(err)
		}
		end += n
	}
	reads := func() uint64 {
		t.Helper()
		insert(20) // in hand then, so looked at too
		time.Sleep(5 * time.Millisecond)
		at := time.Now() // the journal has milliseconds
		time.Sleep(5 * time.Millisecond)
		insert(newest)
		var rows atomic.Uint64
		ctx := clickhouse.Context(context.WithoutCancel(t.Context()), clickhouse.WithProgress(func(p *clickhouse.Progress) { rows.Add(p.Rows) }))
		from, err := db.Since(ctx, "andmerada.events", []int32{3}, at)
		if err != nil {
			t.Fatal(err)
		}
		report, err := db.Verify(ctx, "andmerada.events", map[int32]int64{3: end}, from)
		if p := report.Partitions[0]; err != nil || !report.OK() || p.Offsets != newest+20 {
			t.Fatalf("%v\n%s", err, report)
		}
		return rows.Load()
	}
	for range 3 {
		insert(20_000)
	}
	small := reads()
	for range 12 {
		insert(20_000)
	}
	large := reads()
	t.Logf("of %d rows %d are read for the newest %d; of a fifth of it %d", end, large, newest, small)
	// Five times the trail is read at these offsets, and once each other table; a
	// granule too many at each end, of each part that there is.
	if most := uint64(5*(newest+20+4*granule) + 2*contexts); small == 0 || large > most {
		t.Errorf("%d rows are read, at most %d are expected", large, most)
	}
	if large > small+4*granule {
		t.Errorf("of a trail that is larger more is read: %d rows, and %d before", large, small)
	}
}
