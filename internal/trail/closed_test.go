package trail

import (
	"testing"
	"time"
)

// TestMergeClosed: quarters that are over come to lie in one part, with every row
// still there, unless what lies beside one part is little; what is being written to
// stays as it is.
func TestMergeClosed(t *testing.T) {
	t.Parallel()
	db := openTest(t, testConfig(t))
	mustExec(t, db, "SYSTEM STOP MERGES "+db.cfg.Database+".trail")
	b, now := NewBlocks(), time.Now().UTC()
	var next, planted int64
	plant := func(stored time.Time, parts ...int64) {
		for _, rows := range parts {
			b.Reset()
			for i := range rows {
				b.Trail.Append(&Row{Offset: next + i, Of: 1, Controller: "elektrum", Person: person(1), Time: queryDay})
			}
			if err := db.Insert(t.Context(), Range{Topic: "t", First: next, Last: next + rows - 1}, stored, b); err != nil {
				t.Fatal(err)
			}
			next, planted = next+rows, planted+rows
		}
	}
	quarter := func(month time.Month) time.Time { return time.Date(2024, month, 3, 0, 0, 0, 0, time.UTC) }
	plant(quarter(time.January), 1)
	plant(quarter(time.May), 90, 1, 1, 1, 1)
	plant(quarter(time.July), 90, 1, 1)
	plant(quarter(time.October), 9, 1)
	plant(now, 1, 1, 1, 1, 1, 1)
	parts := func(name string) (n uint64) {
		if err := db.conn().QueryRow(t.Context(), `SELECT count() FROM system.parts WHERE active AND database = currentDatabase() AND table = 'trail' AND partition = ?`, name).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	mustExec(t, db, "SYSTEM START MERGES "+db.cfg.Database+".trail")
	merged, err := db.MergeClosed(t.Context())
	if err != nil || merged > 2 { // fewer, where ClickHouse was faster
		t.Fatalf("%d merged, %v", merged, err)
	}
	for _, name := range []string{"2024-01-01", "2024-04-01", "2024-10-01"} {
		if n := parts(name); n != 1 {
			t.Errorf("quarter %s has %d parts", name, n)
		}
	}
	var rows uint64
	if err := db.conn().QueryRow(t.Context(), `SELECT count() FROM trail`).Scan(&rows); err != nil || rows != uint64(planted) {
		t.Errorf("%d rows of %d, %v", rows, planted, err)
	}
	if merged, err := db.MergeClosed(t.Context()); err != nil || merged != 0 {
		t.Errorf("again: %d merged, %v", merged, err)
	}
}
