package trail

import (
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/register"
)

// again is a new verdict on a row that is there.
func again(t *testing.T, db *DB, offset int64, index int, cause string) Again {
	t.Helper()
	rows, err := db.Event(t.Context(), "andmerada.events", 3, offset)
	if err != nil {
		t.Fatal(err)
	}
	a := Again{Row: rows[index], Supersedes: rows[len(rows)-1].JudgedAt}
	a.Verdict, a.Rules, a.Unknown, a.Cause, a.RegisterVersion = register.Allowed, []string{"r9"}, nil, cause, "def"
	a.JudgedAt = a.Supersedes.Add(time.Hour)
	return a
}

// What counts, continues or proves must not see verdicts given later.
func TestLaterVerdictsDisturbNothing(t *testing.T) {
	t.Parallel()
	db := openTest(t, testConfig(t))
	r := testRange(100, 110)
	b := mixedBlocks(r)
	fill(&b.Trail.duplicate, b.Trail.Rows(), false) // which count in few answers
	if err := db.Insert(t.Context(), r, storedAt, b); err != nil {
		t.Fatal(err)
	}
	type all struct {
		next    int64
		pending *JournalEntry
		counts  rowCounts
		ids     [][16]byte
		reach   Reach
		found   int
		facts   []int64
		places  []Place
		days    []DayCount
		newest  []Row
		queue   []QueueEntry
		report  PartitionReport
		spans   []ReplaySpan
		done    int64
	}
	w := Window{From: fullRow(0).Time.Truncate(24 * time.Hour), To: fullRow(0).Time.AddDate(0, 0, 1).Truncate(24 * time.Hour)}
	look := func() (a all) {
		t.Helper()
		var errs [10]error
		a.next, a.pending, errs[0] = db.Position(t.Context(), r.Topic, r.Partition)
		a.counts, errs[1] = db.tables.countRange(t.Context(), r)
		a.ids, errs[2] = db.RecentIDs(t.Context(), r.Topic, r.Partition, 100)
		a.reach, errs[3] = db.Reach(t.Context(), time.Time{})
		for _, err := range db.Found(t.Context(), r.Topic) {
			errs[4] = errors.Join(errs[4], err)
			a.found++
		}
		for row, err := range db.Facts(t.Context(), r.Topic) {
			errs[5] = errors.Join(errs[5], err)
			a.facts = append(a.facts, row.Offset)
		}
		a.places, errs[6] = db.Find(t.Context(), "crm", "id-108")
		a.days, errs[7] = db.Days(t.Context(), w)
		a.newest, errs[8] = db.Newest(t.Context(), w, "violation", 50)
		a.queue, errs[9] = db.ReviewQueue(t.Context(), w)
		if err := errors.Join(errs[:]...); err != nil {
			t.Fatal(err)
		}
		var err error
		if a.spans, err = db.ReplaySpans(t.Context(), ReplayScope{}, 1000); err != nil {
			t.Fatal(err)
		}
		for i := range a.spans {
			a.spans[i].later = false
		}
		if a.done, err = db.Complete(t.Context(), Partition{r.Topic, r.Partition}); err != nil {
			t.Fatal(err)
		}
		a.report = mustVerify(t, db, 100, 111).Partitions[0]
		a.report.Again = 0
		return a
	}
	before := look()
	rows := []Again{again(t, db, 103, 0, CauseRegister("def")), again(t, db, 103, 2, CauseRegister("def")), again(t, db, 108, 0, CauseFact(Partition{r.Topic, r.Partition}, 105))}
	if err := db.WriteVerdicts(t.Context(), slices.Clone(rows)); err != nil {
		t.Fatal(err)
	}
	if after := look(); !reflect.DeepEqual(before, after) {
		t.Errorf("before\n%+v\nafter\n%+v", before, after)
	}
	if before.done != 111 || before.next != 111 || before.found == 0 {
		t.Errorf("the test sees too little: %+v", before)
	}
	got, err := db.Event(t.Context(), r.Topic, r.Partition, 108)
	if err != nil || len(got) != 2 || !reflect.DeepEqual(got[1], rows[2].Row) {
		t.Errorf("read back %+v, %v; want %+v", got, err, rows[2].Row)
	}
	if mustVerify(t, db, 100, 111).Partitions[0].Again != 3 {
		t.Error("verify does not count the later verdicts")
	}
	// The same is said once, by however many.
	if err := db.WriteVerdicts(t.Context(), slices.Clone(rows)); err != nil {
		t.Fatal(err)
	}
	if n := mustCount(t, db, "SELECT count() FROM trail WHERE cause != ''"); n != 3 {
		t.Errorf("%d later verdicts, want 3", n)
	}
	// The same again, after another verdict, is another.
	back := again(t, db, 108, 0, CauseRegister("abc"))
	if err := db.WriteVerdicts(t.Context(), []Again{back}); err != nil {
		t.Fatal(err)
	}
	forth := rows[2]
	forth.Supersedes, forth.JudgedAt = back.JudgedAt, back.JudgedAt.Add(time.Hour)
	if err := db.WriteVerdicts(t.Context(), []Again{forth}); err != nil {
		t.Fatal(err)
	}
	if n := mustCount(t, db, "SELECT count() FROM trail WHERE cause != '' AND offset = 108"); n != 3 {
		t.Errorf("%d later verdicts on 108, want 3", n)
	}
	var current []Row
	for row, err := range db.Current(t.Context(), []Judged{{Partition{r.Topic, 3}, 103, 0}, {Partition{r.Topic, 3}, 108, 0}}) {
		if err != nil {
			t.Fatal(err)
		}
		current = append(current, row)
	}
	if len(current) != 4 || current[0].Cause == "" || current[1].Cause != "" || !current[3].JudgedAt.Equal(forth.JudgedAt) {
		t.Errorf("current %+v", current)
	}
	for _, bad := range []Again{{}, {Row: Row{Topic: "t", Stored: storedAt}}, {Row: Row{Cause: "x", Stored: storedAt}}, {Row: Row{Cause: "x", Topic: "t"}}} {
		if db.WriteVerdicts(t.Context(), []Again{bad}) == nil {
			t.Errorf("written: %+v", bad)
		}
	}
}

// Each step of writing may fail before or after it is done, or be acknowledged
// and lost: the verdicts are there once.
func TestVerdictsAreWrittenOnce(t *testing.T) {
	t.Parallel()
	failure := errors.New("planted")
	for name, plant := range map[string]func(db *DB){
		"before": func(db *DB) {
			n := 0
			db.hooks.before = func(string) error {
				if n++; n < 3 {
					return failure
				}
				return nil
			}
		},
		"after": func(db *DB) {
			n := 0
			db.hooks.after = func(string) error {
				if n++; n < 3 {
					return failure
				}
				return nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := openTest(t, testConfig(t))
			r := testRange(0, 20)
			if err := db.Insert(t.Context(), r, storedAt, mixedBlocks(r)); err != nil {
				t.Fatal(err)
			}
			rows := []Again{again(t, db, 12, 0, "check"), again(t, db, 13, 0, "check")}
			rows[1].Stored = rows[1].Stored.Add(time.Second) // the next quarter
			plant(db)
			if err := db.WriteVerdicts(t.Context(), rows); err != nil {
				t.Fatal(err)
			}
			if n := mustCount(t, db, "SELECT count() FROM trail WHERE cause = 'check'"); n != 2 {
				t.Errorf("%d verdicts, want 2", n)
			}
		})
	}
	t.Run("lost", func(t *testing.T) {
		t.Parallel()
		db := openTest(t, testConfig(t))
		r := testRange(0, 20)
		if err := db.Insert(t.Context(), r, storedAt, mixedBlocks(r)); err != nil {
			t.Fatal(err)
		}
		row := again(t, db, 12, 0, "check")
		if err := db.WriteVerdicts(t.Context(), []Again{row}); err != nil {
			t.Fatal(err)
		}
		// The token is noted, the rows are gone.
		mustExec(t, db, "ALTER TABLE trail DELETE WHERE cause != '' SETTINGS mutations_sync = 2")
		if err := db.WriteVerdicts(t.Context(), []Again{row}); err != nil {
			t.Fatal(err)
		}
		if n := mustCount(t, db, "SELECT count() FROM trail WHERE cause = 'check'"); n != 1 {
			t.Errorf("%d verdicts, want 1", n)
		}
	})
}

// Nothing is followed that is not surely there.
func TestCompleteStopsBeforeWhatIsPending(t *testing.T) {
	t.Parallel()
	db := openTest(t, testConfig(t))
	p := Partition{"andmerada.events", 3}
	complete := func(want int64) {
		t.Helper()
		if got, err := db.Complete(t.Context(), p); err != nil || got != want {
			t.Errorf("complete before %d, %v; want %d", got, err, want)
		}
	}
	complete(0)
	first := testRange(0, 20)
	if err := db.Insert(t.Context(), first, storedAt, mixedBlocks(first)); err != nil {
		t.Fatal(err)
	}
	complete(21)
	db.cfg.Tries = 1
	db.hooks.before = func(table string) error {
		if table == "trail" {
			return errors.New("planted")
		}
		return nil
	}
	second := testRange(21, 40)
	if err := db.Insert(t.Context(), second, storedAt, mixedBlocks(second)); err == nil {
		t.Fatal("inserted")
	}
	complete(21)
	db.cfg.Tries, db.hooks.before = 8, nil
	if err := db.Insert(t.Context(), second, storedAt, mixedBlocks(second)); err != nil {
		t.Fatal(err)
	}
	complete(41)
	all, err := db.Partitions(t.Context())
	if err != nil || !reflect.DeepEqual(all, []Partition{p}) {
		t.Errorf("partitions %v, %v", all, err)
	}
	var facts []int64
	for row, err := range db.FactsBetween(t.Context(), p, 5, 26, 10) {
		if err != nil {
			t.Fatal(err)
		}
		facts = append(facts, row.Offset)
	}
	if !slices.Equal(facts, []int64{5}) {
		t.Errorf("facts at %v, want 5: 26 is beyond", facts)
	}
}

func TestFollowedAndGenerations(t *testing.T) {
	t.Parallel()
	db := openTest(t, testConfig(t))
	p, q := Partition{"a", 1}, Partition{"b", 2}
	for _, s := range []struct {
		task string
		p    Partition
		next int64
	}{{"facts", p, 5}, {"facts", p, 9}, {"facts", q, 3}, {"register x", p, 100}} {
		if err := db.SaveFollowed(t.Context(), s.task, s.p, s.next); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := db.Followed(t.Context(), "facts"); err != nil || !reflect.DeepEqual(got, map[Partition]int64{p: 9, q: 3}) {
		t.Errorf("%v, %v", got, err)
	}
	for i, step := range []struct {
		print string
		want  uint32
	}{{"one", 1}, {"one", 1}, {"two", 2}, {"two", 2}, {"one", 3}} {
		if got, err := db.RegisterGeneration(t.Context(), "elektrum", step.print); err != nil || got != step.want {
			t.Errorf("step %d: generation %d, %v; want %d", i, got, err, step.want)
		}
	}
	if got, err := db.RegisterGeneration(t.Context(), "netpro", "one"); err != nil || got != 1 {
		t.Errorf("another controller: %d, %v", got, err)
	}
}

func TestLease(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	db, other := openTest(t, cfg), openTest(t, cfg)
	a, b := db.NewLease("task"), other.NewLease("task")
	take := func(l *Lease, d time.Duration, want bool) {
		t.Helper()
		if ok, err := l.Take(t.Context(), d); err != nil || ok != want || want && d >= time.Minute && !l.Held(d/2) {
			t.Errorf("taken %v, %v; want %v", ok, err, want)
		}
	}
	take(a, time.Minute, true)
	take(b, time.Minute, false)
	take(a, time.Minute, true) // prolonged
	take(other.NewLease("other"), time.Minute, true)
	if err := a.Release(t.Context()); err != nil || a.Held(0) {
		t.Error(err, a.Held(0))
	}
	take(b, 5*time.Second, true)
	take(a, time.Minute, false)
	for deadline := time.Now().Add(20 * time.Second); b.Held(0) && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		continue
	}
	time.Sleep(50 * time.Millisecond)
	take(a, time.Minute, true) // b has died
	take(b, time.Minute, false)

	// Of many that see it end at the same time one gets it.
	if err := a.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	results := make(chan bool, 8)
	for range cap(results) {
		go func() {
			ok, err := db.NewLease("task").Take(t.Context(), time.Minute)
			if err != nil {
				t.Error(err)
			}
			results <- ok
		}()
	}
	n := 0
	for range cap(results) {
		if <-results {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d have the lease", n)
	}
}

func TestParseCause(t *testing.T) {
	t.Parallel()
	p := Partition{"andmerada.events", 3}
	if place, version := ParseCause(CauseFact(p, 17)); place == nil || *place != (Place{Topic: p.Topic, Partition: 3, Offset: 17}) || version != "" {
		t.Errorf("%v %q", place, version)
	}
	for cause, want := range map[string]string{CauseRegister("abc"): "abc", CauseRegister(""): "none", CauseCheck: "", "": "", "fact": "", "fact a/b/c": "", "fact a/1": "", "fact a/-1/2": "", "late fact": ""} {
		if place, version := ParseCause(cause); place != nil || version != want {
			t.Errorf("%q: %v %q", cause, place, version)
		}
	}
}
