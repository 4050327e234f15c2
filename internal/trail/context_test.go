package trail

import (
	"errors"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/andmerada/andmerada/internal/event"
)

// The encoding is hashed into ids that are on disk.
func TestContextIDNeverChanges(t *testing.T) {
	t.Parallel()
	row := fullRow(7)
	const want = "e0b31f8e3115d8d19c663ddd7bc6afbe"
	if got := hexOf(contextID(string(appendContext(nil, &row)))); got != want {
		t.Errorf("the id of a context is %s, was %s: rows on disk would lose theirs", got, want)
	}
}

func hexOf(id ContextID) string { return hexArray([][16]byte{id})[2:34] }

func drawnContexts() *rapid.Generator[Context] { return rapid.Custom(drawContext) }

func drawContext(t *rapid.T) Context {
	text := rapid.StringN(0, 20, -1)
	list := rapid.Custom(func(t *rapid.T) []string {
		l := rapid.SliceOfN(text, 0, 4).Draw(t, "list")
		if len(l) == 0 {
			return nil
		}
		return l
	})
	c := Context{
		Source: text.Draw(t, "source"), Cohort: rapid.Bool().Draw(t, "cohort"), CohortID: text.Draw(t, "cohort id"),
		CohortSize: rapid.Uint64().Draw(t, "size"), CohortPart: rapid.Uint32().Draw(t, "part"), CohortParts: rapid.Uint32().Draw(t, "parts"),
		ActorKind: event.ActorKind(rapid.IntRange(0, 3).Draw(t, "kind")),
		ActorRole: text.Draw(t, "role"), ActorOrganisation: text.Draw(t, "organisation"), ActorOnBehalfOf: text.Draw(t, "behalf"),
		Purpose: text.Draw(t, "purpose"), Recipient: text.Draw(t, "recipient"), RecipientOrganisation: text.Draw(t, "name"),
		RecipientCode: text.Draw(t, "code"), RecipientCountry: text.Draw(t, "country"),
		Categories: list.Draw(t, "categories"), Fields: list.Draw(t, "fields"),
		DataSource: text.Draw(t, "data source"), Basis: text.Draw(t, "basis"), Channel: text.Draw(t, "channel"),
		Rules: list.Draw(t, "rules"), Unknown: list.Draw(t, "unknown"), RegisterVersion: text.Draw(t, "version"),
		Evaluator: rapid.Uint16().Draw(t, "evaluator"),
	}
	return c
}

// What is encoded is read back, and two contexts are never encoded alike.
func TestContextEncoding(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var rows [2]Row
		var all [2]Context
		for i := range all {
			all[i] = drawnContexts().Draw(t, "context")
			all[i].in(&rows[i])
		}
		a, b := string(appendContext(nil, &rows[0])), string(appendContext(nil, &rows[1]))
		got, err := parseContext(a)
		if err != nil || !reflect.DeepEqual(*got, all[0]) {
			t.Fatalf("%+v, %v; want %+v", got, err, all[0])
		}
		if (a == b) != reflect.DeepEqual(all[0], all[1]) {
			t.Fatalf("%+v and %+v are both %q", all[0], all[1], a)
		}
		if cut := rapid.IntRange(0, len(a)-1).Draw(t, "cut"); cut < len(a) {
			if _, err := parseContext(a[:cut]); err == nil {
				t.Fatalf("%d of %d bytes are a context", cut, len(a))
			}
		}
	})
}

// Every field of a context is a field of the row, of the encoding and of the
// table.
func TestContextIsWhole(t *testing.T) {
	t.Parallel()
	row := fullRow(3)
	c, err := parseContext(string(appendContext(nil, &row)))
	if err != nil {
		t.Fatal(err)
	}
	of, in := reflect.ValueOf(*c), reflect.ValueOf(row)
	for i := range of.NumField() {
		name := of.Type().Field(i).Name
		if of.Field(i).IsZero() || !reflect.DeepEqual(of.Field(i).Interface(), in.FieldByName(name).Interface()) {
			t.Errorf("%s is %v, in the row %v", name, of.Field(i), in.FieldByName(name))
		}
	}
	if n := len(contextColumns); n != of.NumField() {
		t.Errorf("the table has %d columns for %d fields", n, of.NumField())
	}
}

// A context that cannot be written stops the rows that refer to it, and the
// same rows go in once it can be.
func TestContextsComeFirst(t *testing.T) {
	t.Parallel()
	db := openTest(t, testConfig(t))
	db.cfg.Tries = 2
	r := testRange(100, 110)
	broken := true
	db.hooks.before = func(table string) error {
		if table == "contexts" && broken {
			return errors.New("not now")
		}
		return nil
	}
	if err := db.Insert(t.Context(), r, storedAt, mixedBlocks(r)); !errors.Is(err, ErrUnclear) {
		t.Errorf("inserted without its contexts: %v", err)
	}
	if n := mustCount(t, db, "SELECT count() FROM trail"); n != 0 {
		t.Errorf("%d rows without their contexts", n)
	}
	broken = false
	if err := db.Insert(t.Context(), r, storedAt, mixedBlocks(r)); err != nil {
		t.Fatal(err)
	}
	wantVerified(t, db, 100, 111)
	mustExec(t, db, "TRUNCATE TABLE contexts")
	if report := mustVerify(t, db, 100, 111); report.OK() || report.Partitions[0].NoContext != report.Partitions[0].Trail || len(report.Partitions[0].NoContextOffsets) == 0 {
		t.Errorf("the contexts are gone, and:\n%s", report)
	}
	again := openTest(t, db.cfg)
	if _, err := again.Event(t.Context(), r.Topic, r.Partition, 103); !errors.Is(err, ErrStateUnknown) {
		t.Errorf("an event without its context: %v", err)
	}
}

// The view shows rows as they were before their contexts were taken out.
func TestTrailRows(t *testing.T) {
	t.Parallel()
	db := openTest(t, testConfig(t))
	r := testRange(100, 110)
	if err := db.Insert(t.Context(), r, storedAt, mixedBlocks(r)); err != nil {
		t.Fatal(err)
	}
	want := fullRow(108)
	if n := mustCount(t, db, `SELECT count() FROM trail_rows WHERE topic = 'andmerada.events' AND partition = 3 AND offset = 108 AND source = ? AND purpose = ?
		AND CAST(categories, 'Array(String)') = ? AND register_version = ? AND actor_kind = ? AND event_id = ?`,
		want.Source, want.Purpose, want.Categories, want.RegisterVersion, "human", want.EventID); n != 1 {
		t.Errorf("the view does not show the event as it came in")
	}
	if flat, rows := mustCount(t, db, "SELECT count() FROM trail_rows"), mustCount(t, db, "SELECT count() FROM trail"); flat != rows {
		t.Errorf("the view has %d rows, the trail %d", flat, rows)
	}
}
