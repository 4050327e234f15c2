package rejudge

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/andmerada/andmerada/internal/embedded"
	"github.com/andmerada/andmerada/internal/embedded/embeddedtest"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/replay"
	"github.com/andmerada/andmerada/internal/trail"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(killEnv); dir != "" {
		if err := victim(dir, os.Getenv(killLast) == "true"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(embeddedtest.Main(m))
}

const topic = "andmerada.events"

// start is the day zero of the tests' histories.
var start = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

func day(n int) time.Time { return start.AddDate(0, 0, n) }

// world is a trail, with a model of what is in it.
type world struct {
	t         testing.TB
	db        *trail.DB
	registers *register.Set
	all       *facts.Store           // every fact there is
	ends      map[int32]int64        // of each partition
	waiting   map[int32]*trail.Block // not inserted yet
	begins    map[int32]int64        // of what waits
	events    []trail.Row            // processing events, as judged first
	learnt    []func(*facts.Store)   // every fact, in order
	database  string
}

func newWorld(t testing.TB) *world {
	t.Helper()
	set, err := register.Load(os.DirFS("testdata/registers"))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, registers: set, all: facts.New(), ends: map[int32]int64{}, waiting: map[int32]*trail.Block{}, begins: map[int32]int64{}}
	w.database = embeddedtest.Database(t)
	w.db = open(t, w.database)
	return w
}

func open(t testing.TB, database string) *trail.DB {
	t.Helper()
	engine := embeddedtest.ClickHouse(t)
	user, password := engine.Credentials(embedded.Owner)
	db, err := trail.Open(t.Context(), trail.Config{
		Addr: engine.Addr(), Database: database, User: user, Password: password, Timeout: 20 * time.Second,
		Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
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

func (w *world) follower() *Follower {
	w.t.Helper()
	f, err := New(Config{
		Trail: w.db, Registers: func() *register.Set { return w.registers },
		Logger: slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return f
}

// once is a round of a new follower, as after a restart; it says how many
// verdicts it wrote.
func (w *world) once() int64 {
	w.t.Helper()
	f := w.follower()
	if err := f.Once(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return f.Stats().Changed
}

// setRegister replaces the registers by the test's register with another text.
func (w *world) setRegister(edit func(text string) string) {
	w.t.Helper()
	read := func(name string) []byte {
		b, err := os.ReadFile("testdata/registers/" + name)
		if err != nil {
			w.t.Fatal(err)
		}
		return b
	}
	set, err := register.Load(fstest.MapFS{
		"categories.yaml":      {Data: read("categories.yaml")},
		"acme/2024-01-01.yaml": {Data: []byte(edit(string(read("acme/2024-01-01.yaml"))))},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.registers = set
}

func person(n int) identity.Pseudonym {
	return identity.Pseudonym{byte(n), byte(n >> 8), byte(n >> 16), 1}
}

// append adds the rows of one event, one for each person.
func (w *world) append(partition int32, rows []trail.Row) {
	block := w.waiting[partition]
	if block == nil {
		block = trail.NewBlock()
		w.waiting[partition], w.begins[partition] = block, w.ends[partition]
	}
	for i := range rows {
		block.Append(&rows[i])
	}
	w.ends[partition]++
}

// rows are the rows of the next event of a partition.
func (w *world) rows(partition int32, row trail.Row, persons []identity.Pseudonym) (rows []trail.Row) {
	row.Topic, row.Partition, row.Offset = topic, partition, w.ends[partition]
	row.EventID, row.Source, row.Controller = fmt.Sprintf("%d-%d", partition, row.Offset), "/crm", "acme"
	row.Of = uint16(max(1, len(persons)))
	for i := range row.Of {
		row.PersonIndex = i
		if len(persons) > 0 {
			row.Person = persons[i]
		}
		rows = append(rows, row)
	}
	return rows
}

func (w *world) order(partition int32, recorded time.Time) facts.Order {
	return facts.Order{Recorded: recorded, Topic: topic, Partition: partition, Offset: w.ends[partition]}
}

// fact adds a fact. ingest is what knows it too; nil if nobody judges with it.
func (w *world) fact(partition int32, recorded time.Time, f event.Fact, ingest *facts.Store, persons ...identity.Pseudonym) {
	at := w.order(partition, recorded)
	learn := func(s *facts.Store) { s.Learn("acme", persons, &f, at) }
	learn(w.all)
	if ingest != nil {
		learn(ingest)
	}
	w.learnt = append(w.learnt, learn)
	row := trail.Row{Operation: trail.OperationFact, Time: f.ValidFrom, Recorded: recorded, Fact: f.Name, FactValidFrom: f.ValidFrom, Actor: f.AboutActor, Recipient: f.AboutOrg, JudgedAt: recorded}
	if f.Name != event.IdentityFact {
		row.FactValue = string(f.Value.AppendJSON(nil))
	}
	w.append(partition, w.rows(partition, row, persons))
}

// act adds a processing event, judged by what ingest knows.
func (w *world) act(partition int32, recorded time.Time, row trail.Row, ingest *facts.Store, persons ...identity.Pseudonym) {
	w.t.Helper()
	row.Recorded, row.JudgedAt = recorded, recorded
	if row.Purpose == "" {
		row.Purpose, row.Categories = "acme/billing", []string{"name"}
	}
	judge := replay.Judge{Registers: w.registers, Facts: ingest}
	rows := w.rows(partition, row, persons)
	for i := range rows {
		r := &rows[i]
		v, err := judge.Verdict(r)
		if err != nil {
			w.t.Fatal(err)
		}
		r.Verdict, r.Rules, r.Unknown, r.RegisterVersion, r.Evaluator = v.Outcome, v.Rules, v.Unknown, v.RegisterVersion, v.Evaluator
	}
	w.append(partition, rows)
	w.events = append(w.events, rows...)
}

// insert writes what waits.
func (w *world) insert() {
	w.t.Helper()
	for partition, block := range w.waiting {
		b := trail.NewBlocks()
		b.Trail = block
		if err := w.db.Insert(w.t.Context(), trail.Range{Topic: topic, Partition: partition, First: w.begins[partition], Last: w.ends[partition] - 1}, start.AddDate(0, 0, 60), b); err != nil {
			w.t.Fatal(err)
		}
	}
	clear(w.waiting)
}

// verdicts reads every verdict on an event, oldest first.
func (w *world) verdicts(partition int32, offset int64) []trail.Row {
	w.t.Helper()
	rows, err := w.db.Event(w.t.Context(), topic, partition, offset)
	if err != nil {
		w.t.Fatal(err)
	}
	return rows
}

// check holds every event against the model: its first verdict stands as it was
// and its latest is what all facts together say.
func (w *world) check() {
	w.t.Helper()
	judge := replay.Judge{Registers: w.registers, Facts: w.all}
	places := make([]trail.Judged, len(w.events))
	for i := range w.events {
		places[i] = w.events[i].Judged()
	}
	slices.SortFunc(places, compareJudged)
	now := make(map[trail.Judged]trail.Row)
	for row, err := range w.db.Current(w.t.Context(), places) {
		if err != nil {
			w.t.Fatal(err)
		}
		now[row.Judged()] = row
	}
	for i := range w.events {
		first := &w.events[i]
		want, err := judge.Verdict(first)
		if err != nil {
			w.t.Fatal(err)
		}
		have := now[first.Judged()]
		if !same(&have, &want) {
			w.t.Errorf("%d/%d person %d of %v: the verdict is %v by %v, missing %v; all facts together say %v by %v, missing %v",
				first.Partition, first.Offset, first.PersonIndex, first.Time, have.Verdict, have.Rules, have.Unknown, want.Outcome, want.Rules, want.Unknown)
		}
	}
	committed := make(map[int32]int64)
	for p := range w.ends {
		committed[p] = w.begins[p]
		if w.waiting[p] == nil {
			committed[p] = w.ends[p]
		}
	}
	report, err := w.db.Verify(w.t.Context(), topic, committed, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	rows := int64(0)
	for _, p := range report.Partitions {
		rows += p.Rows
	}
	if !report.OK() || rows == 0 {
		w.t.Errorf("the trail does not verify:\n%s", report)
	}
}

func consent(given time.Time, withdrawn time.Time, validFrom time.Time) event.Fact {
	f := event.Fact{Name: "consent", ValidFrom: validFrom}
	f.Value.Consents = event.List[event.Consent]{Known: true, Entries: []event.Consent{{
		Controller: "acme", Purpose: "acme/billing", GivenAt: given, Form: "written", WithdrawnAt: withdrawn,
	}}}
	return f
}

func rowString(r trail.Row) string { return fmt.Sprintf("%+v", r) }

func replaceOnce(t testing.TB, text, old, with string) string {
	t.Helper()
	if strings.Count(text, old) != 1 {
		t.Fatalf("%q is there %d times", old, strings.Count(text, old))
	}
	return strings.Replace(text, old, with, 1)
}
