package replay

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/embedded"
	"github.com/andmerada/andmerada/internal/embedded/embeddedtest"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
	"github.com/andmerada/andmerada/internal/verdict"
)

func TestMain(m *testing.M) { os.Exit(embeddedtest.Main(m)) }

const topic = "andmerada.events"

func loadSet(t testing.TB, dir string) *register.Set {
	t.Helper()
	set, err := register.Load(os.DirFS("testdata/" + dir))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func openTrail(t testing.TB) *trail.DB {
	t.Helper()
	database, engine := embeddedtest.Database(t), embeddedtest.ClickHouse(t)
	user, password := engine.Credentials(embedded.Owner)
	db, err := trail.Open(t.Context(), trail.Config{
		Addr: engine.Addr(), Database: database, User: user, Password: password, Timeout: 20 * time.Second, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func someone(n int) identity.Pseudonym {
	return identity.Pseudonym{0: 1, 14: byte(n >> 8), 15: byte(n)}
}

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// acme makes a trail of a controller and gives its rows. Persons 2n and 2n+1
// are one. The bank's contract and where it keeps its data become known half
// way; the rows have the verdicts of before that.
func acme(t *testing.T) (*trail.DB, *facts.Store, []trail.Row) {
	store := facts.New()
	for n := range 60 {
		store.Learn("acme", []identity.Pseudonym{someone(2 * n), someone(2*n + 1)}, &event.Fact{Name: event.IdentityFact, ValidFrom: start}, facts.Order{Topic: "f", Offset: int64(n)})
	}
	j := &Judge{Registers: loadSet(t, "now"), Facts: store}
	r := rand.New(rand.NewPCG(1, 2))
	var rows []trail.Row
	const offsets = 1500
	blocks := [2]*trail.Blocks{trail.NewBlocks(), trail.NewBlocks()}
	for p := range blocks {
		for offset := range int64(offsets) {
			row := trail.Row{
				Source: "crm", Operation: []event.Operation{event.Use, event.Transfer, event.Disclose}[r.IntN(3)], Controller: "acme",
				Time: start.Add(time.Duration(r.IntN(1000)) * time.Hour), Purpose: []string{"acme/billing", "acme/billing", "acme/gossip"}[r.IntN(3)],
				Categories: []string{"name"}, Actor: "svc", ActorKind: event.ActorService, Of: 1, Duplicate: r.IntN(10) == 0,
				Topic: topic, Partition: int32(p), Offset: offset, EventID: fmt.Sprint(offset),
			}
			if row.Operation.HandsOver() {
				switch r.IntN(3) {
				case 0:
					row.Recipient = "acme/bank"
				case 1:
					row.Recipient = "acme/couriers"
				default:
					row.RecipientOrganisation, row.RecipientCountry = "Post24 OÜ", "EE"
				}
			}
			if r.IntN(5) == 0 {
				row.Statements = `{"processor":{"contract":true}}`
			}
			persons := 1 + r.IntN(2)
			if r.IntN(20) == 0 {
				row.Cohort, row.CohortID, row.CohortSize, persons = true, []string{"june", "july"}[r.IntN(2)], 30, 1
			}
			row.Of = uint16(persons)
			for i := range persons {
				row.PersonIndex, row.Person = uint16(i), someone(r.IntN(60))
				if row.Cohort {
					row.Person = identity.Pseudonym{7}
				}
				v, err := j.Verdict(&row)
				if err != nil {
					t.Fatal(err)
				}
				row.Verdict, row.Rules, row.Unknown, row.RegisterVersion, row.Evaluator = v.Outcome, v.Rules, v.Unknown, v.RegisterVersion, v.Evaluator
				blocks[p].Trail.Append(&row)
				rows = append(rows, row)
			}
		}
		blocks[p].Trail.Append(&trail.Row{Operation: trail.OperationFact, Controller: "acme", Time: start, Of: 1, Fact: "processor", Offset: offsets})
		blocks[p].Trail.Append(&trail.Row{Operation: event.Use, Controller: "other", Time: start, Of: 1, Verdict: verdict.Review, Offset: offsets + 1})
		blocks[p].Trail.Append(&trail.Row{Operation: trail.OperationCohort, Controller: "acme", Time: start, Of: 1, Cohort: true, CohortID: "june", Records: 30, Offset: offsets + 2})
		for n := range 30 {
			blocks[p].Members.Append(&trail.Member{Controller: "acme", CohortID: []string{"june", "july"}[p], Person: someone(40*(p+1) + n), Part: 1, Offset: offsets + 2})
		}
	}
	db := openTrail(t)
	for p, b := range blocks {
		if err := db.Insert(t.Context(), trail.Range{Topic: topic, Partition: int32(p), Last: offsets + 2}, start, b); err != nil {
			t.Fatal(err)
		}
	}
	bank := event.Fact{Name: "processor", ValidFrom: start.Add(500 * time.Hour), AboutOrg: "acme/bank"}
	bank.Value.Set(event.ProcessorContract, event.BoolValue(false))
	bank.Value.Set(event.ProcessorStorageCountry, event.TextValue("US"))
	store.Learn("acme", nil, &bank, facts.Order{Topic: topic, Offset: offsets})
	return db, store, rows
}

// expected is what Try must find, counted from the rows one by one.
type expected struct {
	verdicts, duplicates, changed, regrounded uint64
	pending                                   Pending
	persons                                   map[identity.Pseudonym]bool
	changes                                   map[string]uint64
}

func expect(t *testing.T, rows []trail.Row, now, draft *Judge, in func(*trail.Row) bool) expected {
	t.Helper()
	e := expected{persons: make(map[identity.Pseudonym]bool), changes: make(map[string]uint64)}
	for i := range rows {
		row := &rows[i]
		if !in(row) {
			continue
		}
		before, err1 := now.Verdict(row)
		after, err2 := draft.Verdict(row)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		e.verdicts++
		if row.Duplicate {
			e.duplicates++
		}
		if row.Verdict != before.Outcome {
			e.pending.Verdicts++
		} else if fmt.Sprint(row.Rules, row.Unknown) != fmt.Sprint(before.Rules, before.Unknown) {
			e.pending.Regrounded++
		}
		if before.Outcome == after.Outcome {
			if fmt.Sprint(before.Rules, before.Unknown) != fmt.Sprint(after.Rules, after.Unknown) {
				e.regrounded++
			}
			continue
		}
		e.changed++
		e.changes[fmt.Sprint(before.Outcome, after.Outcome, row.Purpose, row.Recipient, row.RecipientOrganisation, before.Rules, after.Rules)]++
		one := func(n int) { e.persons[someone(n-n%2)] = true }
		if row.Cohort {
			for n := range 30 {
				one(map[string]int{"june": 40, "july": 80}[row.CohortID] + n)
			}
			continue
		}
		one(int(row.Person[15]))
	}
	return e
}

func (e *expected) hold(t *testing.T, r *Result) {
	t.Helper()
	if r.Verdicts != e.verdicts || r.Duplicates != e.duplicates || r.Changed.Verdicts != e.changed || r.Regrounded != e.regrounded || r.Pending != e.pending {
		t.Errorf("found %d %d %d %d %+v, want %+v", r.Verdicts, r.Duplicates, r.Changed.Verdicts, r.Regrounded, r.Pending, e)
	}
	if r.Changed.Persons != uint64(len(e.persons)) {
		t.Errorf("%d persons, want %d", r.Changed.Persons, len(e.persons))
	}
	got := make(map[string]uint64)
	var sum, steps uint64
	for _, c := range r.Changes {
		recipient, organisation := c.Recipient, ""
		if !strings.HasPrefix(recipient, "acme/") {
			recipient, organisation = "", recipient
		}
		var before, after []string
		for _, rule := range c.RulesBefore {
			before = append(before, rule.ID)
		}
		for _, rule := range c.RulesAfter {
			after = append(after, rule.ID)
		}
		got[fmt.Sprint(c.Before, c.After, c.Purpose, recipient, organisation, before, after)] = c.Verdicts
		sum += c.Verdicts
	}
	for _, s := range r.Transitions {
		steps += s.Verdicts
	}
	if !reflect.DeepEqual(got, e.changes) || sum != e.changed || steps != e.changed {
		t.Errorf("changes %v, %d, %d\nwant %v", got, sum, steps, e.changes)
	}
}

func TestTry(t *testing.T) {
	t.Parallel()
	db, store, rows := acme(t)
	now, next := loadSet(t, "now"), loadSet(t, "draft")
	undated := *next.All()[0]
	undated.From = time.Time{}
	nowJudge, nextJudge := &Judge{Registers: now, Facts: store}, &Judge{Registers: register.NewSet(&undated), Facts: store}
	for name, c := range map[string]struct {
		q  Question
		in func(*trail.Row) bool
	}{
		"all":         {Question{}, func(*trail.Row) bool { return true }},
		"one worker":  {Question{Workers: 1}, func(*trail.Row) bool { return true }},
		"many":        {Question{Workers: 7, Controllers: []string{"acme"}, Topic: topic}, func(*trail.Row) bool { return true }},
		"since":       {Question{From: start.Add(600 * time.Hour)}, func(r *trail.Row) bool { return !r.Time.Before(start.Add(600 * time.Hour)) }},
		"until":       {Question{To: start.Add(100 * time.Hour)}, func(r *trail.Row) bool { return r.Time.Before(start.Add(100 * time.Hour)) }},
		"another day": {Question{From: start.Add(-time.Hour), To: start}, func(*trail.Row) bool { return false }},
	} {
		q := c.q
		q.Trail, q.Facts, q.Current, q.Draft, q.Examples = db, store, now, next, 3
		var last atomic.Uint64
		q.Progress = func(done, total uint64) {
			if done > total {
				t.Errorf("%s: %d of %d done", name, done, total)
			}
			last.Store(max(last.Load(), done))
		}
		r, err := Try(t.Context(), q)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want := expect(t, rows, nowJudge, nextJudge, c.in)
		want.hold(t, r)
		if last.Load() != want.verdicts {
			t.Errorf("%s: told of %d verdicts, want %d", name, last.Load(), want.verdicts)
		}
		if name == "all" {
			if len(want.changes) < 8 || want.pending.Verdicts == 0 || want.regrounded == 0 || len(r.Transitions) < 3 {
				t.Errorf("the test says little: %+v\n%+v", want, r.Transitions)
			}
			examples(t, r, rows)
		}
	}
	// As dated, the draft is in force from next year on and changes nothing.
	both := register.NewSet(append(now.All(), next.All()...)...)
	r, err := Try(t.Context(), Question{Trail: db, Facts: store, Current: now, Draft: both, AsDated: true})
	if err != nil || r.Verdicts != uint64(len(rows)) || r.Changed.Verdicts != 0 || len(r.Drafts) != 2 || len(r.Changes) != 0 || r.Pending.Verdicts == 0 {
		t.Errorf("as dated: %+v, %v", r, err)
	}
	// What is in force now, tried as a draft, changes nothing either.
	r, err = Try(t.Context(), Question{Trail: db, Facts: store, Current: now, Draft: now})
	if err != nil || r.Verdicts != uint64(len(rows)) || r.Changed.Verdicts != 0 || r.Regrounded != 0 {
		t.Errorf("the same: %+v, %v", r, err)
	}
	if _, err := Try(t.Context(), Question{Trail: db, Facts: store, Current: now, Draft: next, Controllers: []string{"other"}}); !errors.Is(err, ErrNothingToTry) {
		t.Errorf("another controller: %v", err)
	}
}

// examples looks that the examples of a change are the newest of it.
func examples(t *testing.T, r *Result, rows []trail.Row) {
	t.Helper()
	for _, c := range r.Changes {
		if len(c.Examples) != int(min(3, c.Verdicts)) || !c.Examples[0].Time.Equal(c.Last) {
			t.Errorf("%d examples of %d verdicts, the first of %s, the newest of %s", len(c.Examples), c.Verdicts, c.Examples[0].Time, c.Last)
		}
		for _, e := range c.Examples {
			if !slices.ContainsFunc(rows, func(row trail.Row) bool {
				return row.Partition == e.Partition && row.Offset == e.Offset && row.PersonIndex == e.Index && row.Time.Equal(e.Time) &&
					row.Purpose == c.Purpose && e.Topic == topic && e.Source == "crm" && row.Operation.String() == e.Operation
			}) {
				t.Errorf("%+v is no event of purpose %s", e, c.Purpose)
			}
		}
		if clauses := fmt.Sprint(c.RulesAfter); strings.Contains(clauses, "B-1") != strings.Contains(clauses, "§3.2") {
			t.Errorf("rules %s", clauses)
		}
	}
}

// TestTooManyChanges: what is not told apart is counted all the same.
func TestTooManyChanges(t *testing.T) {
	t.Parallel()
	store := facts.New()
	tallies := []*tally{newTally(&Question{Facts: store, Examples: 1}), newTally(&Question{Facts: store, Examples: 1})}
	before, after := verdict.Verdict{Outcome: verdict.Allowed}, verdict.Verdict{Outcome: verdict.Violation, Rules: []string{"A-1", "A-2"}}
	const n = maxChanges + 500
	for i := range n {
		row := trail.Row{Operation: event.Use, Controller: "acme", Time: start, RecipientOrganisation: fmt.Sprint(i), Person: someone(i % 7), Offset: int64(i)}
		tallies[i%2].add(&row, &before, &after)
		tallies[0].add(&row, &before, &before)
	}
	for i := range n { // all of them in the first: it is full
		row := trail.Row{Operation: event.Use, Controller: "acme", Time: start, RecipientOrganisation: fmt.Sprint(i), Offset: int64(i)}
		tallies[0].add(&row, &before, &after)
	}
	tallies[0].merge(tallies[1])
	set := loadSet(t, "now")
	trial, err := newTrial(&Question{Current: set, Draft: set})
	if err != nil {
		t.Fatal(err)
	}
	r := trial.result(tallies[0])
	if r.Verdicts != 3*n || r.Changed.Verdicts != 2*n || r.Changed.Persons != 7 || r.LeftOut == 0 || len(r.Changes) < maxChanges {
		t.Errorf("%d verdicts, %+v, %d left out, %d changes", r.Verdicts, r.Changed, r.LeftOut, len(r.Changes))
	}
	sum := r.LeftOut
	for _, c := range r.Changes {
		sum += c.Verdicts
	}
	if sum != 2*n {
		t.Errorf("%d in all, want %d", sum, 2*n)
	}
}
