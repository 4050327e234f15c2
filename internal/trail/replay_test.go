package trail

import (
	"bytes"
	"cmp"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/ClickHouse/ch-go/proto"

	"github.com/andmerada/andmerada/internal/register"
)

// replayed reads all of a scope, in order of place.
func replayed(t *testing.T, db *DB, s ReplayScope, offsets int64) (rows []Row, spans []ReplaySpan) {
	t.Helper()
	spans, err := db.ReplaySpans(t.Context(), s, offsets)
	if err != nil {
		t.Fatal(err)
	}
	for _, span := range spans {
		n := uint64(0)
		err := db.Replay(t.Context(), s, span, func(r *Row) error {
			row := *r
			row.Categories, row.Rules, row.Unknown = slices.Clone(r.Categories), slices.Clone(r.Rules), slices.Clone(r.Unknown)
			rows = append(rows, row)
			if r.Offset < span.First || r.Offset > span.Last {
				t.Errorf("offset %d in span %+v", r.Offset, span)
			}
			n++
			return nil
		})
		if err != nil || n != span.Rows {
			t.Errorf("span %+v gave %d rows, %v", span, n, err)
		}
	}
	slices.SortFunc(rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.PersonIndex, b.PersonIndex))
	})
	return rows, spans
}

// asReplayed is a row with only what Replay reads.
func asReplayed(r Row) Row {
	r.EventID, r.Recorded, r.Stored, r.Of, r.Fields = "", time.Time{}, time.Time{}, 0, nil
	r.BasisReference, r.Reason, r.Fact, r.FactValue, r.FactValidFrom = "", "", "", "", time.Time{}
	r.Sequence, r.TraceID, r.Span, r.BodyHash, r.Cause = 0, [16]byte{}, [8]byte{}, [16]byte{}, ""
	return r
}

func TestReplay(t *testing.T) {
	t.Parallel()
	db := openTest(t, testConfig(t))
	const n = 3000
	var want []Row
	for p, first := range []int64{0, 500} {
		b := NewBlocks()
		r := Range{Topic: "andmerada.events", Partition: int32(p), First: first, Last: first + n - 1}
		for i, row := range plausibleRows(n, first) {
			row.Partition = int32(p)
			switch i % 10 {
			case 3:
				row.Operation, row.Verdict = OperationFact, register.NotApplicable
			case 5:
				row = fullRow(row.Offset)
				row.Time = row.Time.Add(time.Duration(i) * time.Second)
			case 6:
				row.Statements = `{"necessity":true}`
			case 7:
				row.Categories, row.Rules = nil, nil
			}
			b.Trail.Append(&row)
			if row.Operation != OperationFact {
				row.Topic, row.Partition, row.JudgedAt = r.Topic, r.Partition, row.JudgedAt.UTC()
				want = append(want, asReplayed(row))
			}
		}
		if err := db.Insert(t.Context(), r, storedAt, b); err != nil {
			t.Fatal(err)
		}
	}
	got, spans := replayed(t, db, ReplayScope{}, 1000)
	if len(spans) != 7 { // 0-, 1000-, 2000-; and 500-, 1000-, 2000-, 3000-
		t.Errorf("%d spans: %+v", len(spans), spans)
	}
	if len(got) != len(want) {
		t.Fatalf("%d rows, want %d", len(got), len(want))
	}
	for i := range got {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Fatalf("row %d\n%+v\nwant\n%+v", i, got[i], want[i])
		}
	}
	for _, s := range []ReplayScope{
		{Controllers: []string{"elektrum"}},
		{Controllers: []string{"elektrum/name-1", "no'body\\"}},
		{From: time.UnixMilli(1_700_000_000_000).Add(20 * time.Minute)},
		{To: time.UnixMilli(1_700_000_000_000).Add(20 * time.Minute)},
		{From: time.UnixMilli(1_700_000_000_000).Add(20 * time.Minute), To: time.UnixMilli(1_700_000_000_000).Add(21 * time.Minute)},
	} {
		wanted := slices.DeleteFunc(slices.Clone(want), func(r Row) bool {
			return len(s.Controllers) > 0 && !slices.Contains(s.Controllers, r.Controller) || r.Time.Before(s.From) || !s.To.IsZero() && !r.Time.Before(s.To)
		})
		if got, _ := replayed(t, db, s, 100_000); !reflect.DeepEqual(got, wanted) || len(got) == 0 || len(got) == len(want) {
			t.Errorf("%+v: %d rows, want %d of %d", s, len(got), len(wanted), len(want))
		}
	}
	for topic, n := range map[string]int{"andmerada.events": 7, "another": 0} {
		if spans, err := db.ReplaySpans(t.Context(), ReplayScope{Topic: topic}, 1000); err != nil || len(spans) != n {
			t.Errorf("%s: %d spans, %v", topic, len(spans), err)
		}
	}
	stop := errors.New("enough")
	if err := db.Replay(t.Context(), ReplayScope{}, spans[0], func(*Row) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("stopped: %v", err)
	}
}

// TestReplayGivesTheVerdictThatStands: an event is there once, however often it
// was judged again, with the latest of its verdicts.
func TestReplayGivesTheVerdictThatStands(t *testing.T) {
	t.Parallel()
	db := openTest(t, testConfig(t))
	r := testRange(100, 110)
	if err := db.Insert(t.Context(), r, storedAt, mixedBlocks(r)); err != nil {
		t.Fatal(err)
	}
	again := func(offset int64, index, seconds int, rule string) {
		rows, err := db.Event(t.Context(), r.Topic, r.Partition, offset)
		if err != nil {
			t.Fatal(err)
		}
		row := Again{Row: rows[index], Supersedes: rows[index].JudgedAt}
		row.Cause, row.Verdict, row.Rules, row.Unknown, row.RegisterVersion = "fact "+rule, register.Allowed, []string{rule}, nil, "def"
		row.JudgedAt = row.JudgedAt.Add(time.Duration(seconds) * time.Second)
		if err := db.WriteVerdicts(t.Context(), []Again{row}); err != nil {
			t.Fatal(err)
		}
	}
	again(103, 1, 20, "second")
	again(103, 1, 10, "first")
	again(108, 0, 5, "only")
	if n := mustCount(t, db, "SELECT count() FROM trail WHERE cause != ''"); n != 3 {
		t.Fatalf("%d verdicts given later", n)
	}
	rows, spans := replayed(t, db, ReplayScope{}, 1000)
	if len(rows) != 8 || len(spans) != 1 || spans[0].Rows != 8 { // 103 three times, 106 to 110
		t.Fatalf("%d rows in spans %+v", len(rows), spans)
	}
	for _, row := range rows {
		rule, version, verdict := "r1 r2", "abc", register.Violation
		switch {
		case row.Offset == 103 && row.PersonIndex == 1:
			rule, version, verdict = "second", "def", register.Allowed
		case row.Offset == 108:
			rule, version, verdict = "only", "def", register.Allowed
		}
		if got := join(row.Rules); got != rule || row.RegisterVersion != version || row.Verdict != verdict {
			t.Errorf("%d/%d: %s %s %s, want %s %s %s", row.Offset, row.PersonIndex, row.Verdict, got, row.RegisterVersion, verdict, rule, version)
		}
	}
}

func join(list []string) string {
	var b bytes.Buffer
	for i, s := range list {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(s)
	}
	return b.String()
}

func TestMembersOf(t *testing.T) {
	t.Parallel()
	db := openTest(t, testConfig(t))
	r := testRange(100, 110)
	if err := db.Insert(t.Context(), r, storedAt, mixedBlocks(r)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		controller string
		cohorts    []string
		want       int
	}{{"elektrum", []string{"other", "newsletter"}, 5}, {"netpro", []string{"newsletter"}, 0}, {"elektrum", []string{"it's"}, 0}, {"elektrum", nil, 0}} {
		members := make(map[[16]byte]string)
		err := db.MembersOf(t.Context(), c.controller, c.cohorts, func(cohort string, who [16]byte) { members[who] = cohort })
		if err != nil || len(members) != c.want || c.want > 0 && members[person(4)] != "newsletter" {
			t.Errorf("%+v: %v, %v", c, members, err)
		}
	}
}

// TestWordsRefuse: a key of no word is an error, not a crash.
func TestWordsRefuse(t *testing.T) {
	t.Parallel()
	var b proto.Buffer
	good := new(proto.ColStr).LowCardinality()
	for _, w := range []string{"a", "b", "a"} {
		good.Append(w)
	}
	if err := good.Prepare(); err != nil {
		t.Fatal(err)
	}
	good.EncodeColumn(&b)
	for name, change := range map[string]func(data []byte, rows *int){
		"good":            func([]byte, *int) {},
		"a key too high":  func(data []byte, _ *int) { data[len(data)-1] = 2 },
		"too many rows":   func(_ []byte, rows *int) { *rows = 4 },
		"too few of them": func(_ []byte, rows *int) { *rows = 2 },
	} {
		data, rows := slices.Clone(b.Buf), 3
		change(data, &rows)
		w := newWords(make(shared))
		err := w.DecodeColumn(proto.NewReader(bytes.NewReader(data)), rows)
		if (err == nil) != (name == "good") {
			t.Errorf("%s: %v", name, err)
		}
		if name == "good" && (w.Row(0) != "a" || w.Row(1) != "b" || w.Row(2) != "a") {
			t.Errorf("%q %q %q", w.Row(0), w.Row(1), w.Row(2))
		}
	}
}
