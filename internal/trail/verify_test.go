package trail

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestVerifyFindsFaults(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		plant string
		want  PartitionReport
	}{
		"nothing": {"SELECT 1", PartitionReport{}},
		"missing in the trail": {
			"ALTER TABLE trail DELETE WHERE offset IN (10, 11, 15) SETTINGS mutations_sync = 2",
			PartitionReport{Missing: 3, MissingRanges: []OffsetRange{{10, 11}, {15, 15}}},
		},
		"missing at both ends": {
			"ALTER TABLE trail DELETE WHERE offset IN (19, 20) SETTINGS mutations_sync = 2",
			PartitionReport{Missing: 2, MissingRanges: []OffsetRange{{19, 20}}},
		},
		"missing gap":           {"ALTER TABLE gaps DELETE WHERE 1 SETTINGS mutations_sync = 2", PartitionReport{Missing: 2, MissingRanges: []OffsetRange{{0, 1}}}},
		"missing in quarantine": {"ALTER TABLE quarantine DELETE WHERE 1 SETTINGS mutations_sync = 2", PartitionReport{Missing: 1, MissingRanges: []OffsetRange{{2, 2}}}},
		"row twice":             {"INSERT INTO trail SELECT * FROM trail WHERE offset = 12", PartitionReport{Doubled: 1, DoubledOffsets: []int64{12}}},
		"in another quarter": {
			"INSERT INTO trail SELECT * REPLACE (stored + INTERVAL 1 YEAR AS stored) FROM trail WHERE offset = 12",
			PartitionReport{Doubled: 1, DoubledOffsets: []int64{12}},
		},
		"quarantined twice": {"INSERT INTO quarantine SELECT * FROM quarantine", PartitionReport{Doubled: 1, DoubledOffsets: []int64{2}}},
		"trail and quarantine": {
			"INSERT INTO quarantine SELECT * REPLACE (8 AS offset) FROM quarantine",
			PartitionReport{Doubled: 1, DoubledOffsets: []int64{8}},
		},
		"trail and gap": {
			"INSERT INTO gaps SELECT * REPLACE (8 AS first, 9 AS last) FROM gaps",
			PartitionReport{Doubled: 2, DoubledOffsets: []int64{8, 9}},
		},
		"half of the persons": {
			"ALTER TABLE trail DELETE WHERE offset = 3 AND person_index = 1 SETTINGS mutations_sync = 2",
			PartitionReport{Incomplete: 1, IncompleteOffsets: []int64{3}},
		},
		"the last person": {
			"ALTER TABLE trail DELETE WHERE offset = 3 AND person_index = 2 SETTINGS mutations_sync = 2",
			PartitionReport{Incomplete: 1, IncompleteOffsets: []int64{3}},
		},
		"one person for another": {
			"INSERT INTO trail SELECT * REPLACE (3 AS person_index) FROM trail WHERE offset = 3 LIMIT 1",
			PartitionReport{Incomplete: 1, IncompleteOffsets: []int64{3}},
		},
		"a member less": {
			"ALTER TABLE cohort_members DELETE WHERE person = (SELECT min(person) FROM cohort_members) SETTINGS mutations_sync = 2",
			PartitionReport{Incomplete: 1, IncompleteOffsets: []int64{4}},
		},
		"members twice": {
			"INSERT INTO cohort_members SELECT * FROM cohort_members",
			PartitionReport{Incomplete: 1, IncompleteOffsets: []int64{4}},
		},
		"members of nothing": {
			"INSERT INTO cohort_members SELECT * REPLACE (9 AS offset) FROM cohort_members LIMIT 1",
			PartitionReport{Incomplete: 1, IncompleteOffsets: []int64{9}},
		},
		"judged again": {"INSERT INTO trail SELECT * REPLACE ('late fact' AS cause) FROM trail WHERE offset = 12", PartitionReport{Again: 1}},
		"judged again, another person": {
			"INSERT INTO trail SELECT * REPLACE ('late fact' AS cause, 1 AS person_index) FROM trail WHERE offset = 12",
			PartitionReport{Again: 1, Unfounded: 1, UnfoundedOffsets: []int64{12}},
		},
		"judged again without an event": {
			"INSERT INTO trail SELECT * REPLACE ('late fact' AS cause, 2 AS offset) FROM (SELECT * FROM trail WHERE offset = 12)",
			PartitionReport{Again: 1, Unfounded: 1, UnfoundedOffsets: []int64{2}},
		},
		"elsewhere": {"INSERT INTO trail SELECT * REPLACE ('other' AS topic) FROM trail WHERE offset = 12", PartitionReport{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := openTest(t, testConfig(t))
			r := testRange(0, 20)
			if err := db.Insert(t.Context(), r, storedAt, mixedBlocks(r)); err != nil {
				t.Fatal(err)
			}
			mustExec(t, db, tc.plant)
			report := mustVerify(t, db, 0, 21)
			got := report.Partitions[0]
			if fine := reflect.DeepEqual(tc.want, PartitionReport{Again: tc.want.Again}); report.OK() != fine {
				t.Errorf("OK is %v", report.OK())
			}
			got.Partition, got.First, got.Committed, got.Offsets, got.Trail, got.Rows, got.Quarantine, got.Gaps = 0, 0, 0, 0, 0, 0, 0, 0
			if !reflect.DeepEqual(got, tc.want) {
				t.Errorf("found %+v, want %+v\n%s", got, tc.want, report)
			}
		})
	}
}

func TestVerifyBeyond(t *testing.T) {
	t.Parallel()
	db := openTest(t, testConfig(t))
	r := testRange(5, 20)
	if err := db.Insert(t.Context(), r, storedAt, mixedBlocks(r)); err != nil {
		t.Fatal(err)
	}
	// What is committed and never came is missing, over several runs of offsets.
	report := mustVerify(t, db, 0, 3*verifyStep)
	p := report.Partitions[0]
	want := []OffsetRange{{0, 4}, {21, 3*verifyStep - 1}}
	if p.Missing != 3*verifyStep-16 || !reflect.DeepEqual(p.MissingRanges, want) {
		t.Errorf("missing %d in %v, want %v", p.Missing, p.MissingRanges, want)
	}
	wantVerified(t, db, 5, 15) // and what is there and not committed yet does no harm
}

func TestReport(t *testing.T) {
	t.Parallel()
	r := Report{Topic: "t", Partitions: []PartitionReport{
		{Partition: 0, Committed: 10, Offsets: 10, Trail: 9, Rows: 12, Quarantine: 1},
		{Partition: 1, First: 5, Committed: 9, Offsets: 4, Trail: 2, Rows: 2, Missing: 2, MissingRanges: []OffsetRange{{5, 5}, {7, 8}}},
	}}
	want := "" +
		"  partition  from  committed  offsets  trail  rows  quarantine  gaps  missing  doubled  incomplete\n" +
		"          0     0         10       10      9    12           1     0        0        0           0\n" +
		"          1     5          9        4      2     2           0     0        2        0           0\n" +
		"        all                        14     11    14           1     0        2        0           0\n" +
		"partition 1: missing 5, 7-8\n"
	if got := r.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	b, err := json.Marshal(r)
	if err != nil || !strings.Contains(string(b), `"missing_ranges":[{"first":5,"last":5},{"first":7,"last":8}]`) {
		t.Errorf("%s, %v", b, err)
	}
}
