package trail

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/andmerada/andmerada/internal/event"
)

func TestOpenTwiceAndTogether(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	var wg sync.WaitGroup
	for range 4 { // together
		wg.Go(func() {
			db, err := Open(t.Context(), cfg)
			if err != nil {
				t.Error(err)
				return
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	db := openTest(t, cfg) // and again
	if n := mustCount(t, db, "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name IN ('trail', 'cohort_members', 'quarantine', 'gaps', 'journal')"); n != 5 {
		t.Errorf("%d tables, want 5", n)
	}
	if n := mustCount(t, db, "SELECT uniqExact(version, checksum) FROM schema_version"); n != SchemaVersion {
		t.Errorf("%d versions recorded, want %d", n, SchemaVersion)
	}
}

func TestOpenReadOnly(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	mustExec(t, openTest(t, cfg), "DROP DATABASE "+cfg.Database+" SYNC")
	readOnly := cfg
	readOnly.ReadOnly = true
	_, err := Open(t.Context(), readOnly)
	if !errors.Is(err, ErrSchema) {
		t.Fatalf("want ErrSchema, got %v", err)
	}
	wantContains(t, err, "is not there")
	mustExec(t, openTest(t, cfg), "DROP TABLE schema_version SYNC")
	_, err = Open(t.Context(), readOnly)
	if !errors.Is(err, ErrSchema) {
		t.Fatalf("want ErrSchema, got %v", err)
	}
	wantContains(t, err, "lacks version 1")
	openTest(t, cfg) // every statement can run again
	openTest(t, readOnly)
}

func TestOpenRefusesOtherSchema(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change string
		says   []string
	}{
		"newer":   {"INSERT INTO schema_version VALUES (99, '0099_future.sql', 'abc', now())", []string{"version 99", "newer program"}},
		"altered": {"INSERT INTO schema_version VALUES (1, '0001_trail.sql', 'deadbeef', now())", []string{"version 1", "deadbeef"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(t)
			mustExec(t, openTest(t, cfg), tc.change)
			_, err := Open(t.Context(), cfg)
			if !errors.Is(err, ErrSchema) {
				t.Fatalf("want ErrSchema, got %v", err)
			}
			wantContains(t, err, tc.says...)
		})
	}
}

// A process may die between two statements, and two may run them at once.
func TestMigrationsCanRunAgain(t *testing.T) {
	t.Parallel()
	all, err := readMigrations(migrations)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != SchemaVersion {
		t.Errorf("%d migrations, SchemaVersion is %d", len(all), SchemaVersion)
	}
	again := regexp.MustCompile(`(?i)^(CREATE (TABLE|VIEW) IF NOT EXISTS|DROP TABLE IF EXISTS|ALTER TABLE \w+ ((ADD|DROP|MATERIALIZE) (COLUMN|INDEX|PROJECTION) IF (NOT )?EXISTS|MODIFY))`)
	for _, m := range all {
		if len(m.statements) == 0 {
			t.Errorf("%s has no statements", m.name)
		}
		for _, s := range m.statements {
			if !again.MatchString(s) {
				t.Errorf("%s: this cannot run twice:\n%s", m.name, s)
			}
		}
	}
}

func TestReadMigrations(t *testing.T) {
	t.Parallel()
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	all, err := readMigrations(fstest.MapFS{"migrations/0001_a.sql": file("-- x;\nSELECT 1;\n\nSELECT '-- ;'\n  , 2;\nSELECT 3"), "migrations/0002_b.sql": file("SELECT 4;")})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := all[0].statements, []string{"SELECT 1", "SELECT '-- ;'\n  , 2", "SELECT 3"}; !slices.Equal(got, want) {
		t.Errorf("statements %q, want %q", got, want)
	}
	_, err = readMigrations(fstest.MapFS{"migrations/0001_a.sql": file(""), "migrations/0003_b.sql": file("")})
	wantContains(t, err, "0003_b.sql", "0002")
}

// What Go writes and what the tables have must be the same columns, and the
// projections must have all that is said of them.
func TestColumnsFitTables(t *testing.T) {
	t.Parallel()
	db := openTest(t, testConfig(t))
	b := NewBlocks()
	for _, tab := range b.tables(rowCounts{}) {
		rows, err := db.conn().Query(t.Context(), "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = '"+tab.name+"' ORDER BY name")
		if err != nil {
			t.Fatal(err)
		}
		have := map[string]bool{}
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				t.Fatal(err)
			}
			have[name] = true
		}
		var want []string
		for _, c := range tab.columns {
			want = append(want, c.name)
		}
		slices.Sort(want)
		if got := slices.Sorted(maps.Keys(have)); !slices.Equal(got, want) {
			t.Errorf("table %s has columns\n%v\nthe program writes\n%v", tab.name, got, want)
		}
	}
	text, err := migrationFiles.ReadFile("migrations/0001_trail.sql")
	if err != nil {
		t.Fatal(err)
	}
	_, projection, _ := strings.Cut(string(text), "PROJECTION by_person")
	projection, _, _ = strings.Cut(projection, "ORDER BY")
	if got := regexp.MustCompile(`\w+`).FindAllString(projection, -1)[1:]; !slices.Equal(got, PersonColumns) {
		t.Errorf("by_person has\n%v\nPersonColumns\n%v", got, PersonColumns)
	}
}

// What was stored before the projection identities was there is found as what was
// stored since, while it is made of the old parts and when it is.
func TestIdentitiesOfBefore(t *testing.T) {
	t.Parallel()
	db := openTest(t, testConfig(t))
	all, err := readMigrations(migrations)
	if err != nil {
		t.Fatal(err)
	}
	statements := all[7].statements
	mustExec(t, db, "ALTER TABLE trail DROP PROJECTION identities SETTINGS mutations_sync = 2")
	offset := int64(0)
	link := func(persons ...uint64) {
		b := NewBlocks()
		for i, p := range persons {
			b.Trail.Append(&Row{
				Controller: "elektrum", Operation: OperationFact, Fact: event.IdentityFact, Person: person(p), PersonIndex: uint16(i), Of: uint16(len(persons)),
				EventID: fmt.Sprint(offset), Source: "/elektrum/crm", Time: storedAt, Recorded: storedAt, JudgedAt: storedAt, Offset: offset,
			})
		}
		if err := db.Insert(t.Context(), testRange(offset, offset), storedAt, b); err != nil {
			t.Fatal(err)
		}
		offset++
	}
	check := func(when string) {
		t.Helper()
		got, err := db.Linked(t.Context(), PersonQuery{Controller: "elektrum", Persons: [][16]byte{person(1)}})
		if err != nil || len(got) != int(offset)+1 {
			t.Errorf("%s: one person has %d pseudonyms, %v; want %d", when, len(got), err, offset+1)
		}
	}
	link(1, 2)
	check("without")
	mustExec(t, db, statements[0])
	check("not made yet")
	link(2, 3)
	check("of the newer parts")
	mustExec(t, db, statements[1]+" SETTINGS mutations_sync = 2")
	if n := mustCount(t, db, "SELECT count() FROM system.projection_parts WHERE database = currentDatabase() AND active AND table = 'trail' AND name = 'identities'"); n == 0 {
		t.Error("no part has the projection")
	}
	check("of all")
}
