package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/embedded"
	"github.com/andmerada/andmerada/internal/embedded/embeddedtest"
	"github.com/andmerada/andmerada/internal/emit"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/history"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/ingest"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

var updateRules = flag.Bool("update-rules", false, "write the files of deploy/prometheus that are made of dashboards anew")

type dashboard struct {
	file       string
	UID, Title string
	Panels     []struct {
		ID                       int
		Title, Description, Type string
		GridPos                  struct{ X, Y, W, H int }
		Datasource               struct{ Type, UID string }
		FieldConfig              struct{ Defaults struct{ Unit string } }
		Targets                  []struct{ Expr, RawSQL, RefID, LegendFormat string }
	}
	Templating struct {
		List []struct {
			Name, Type string
			Query      string
		}
	}
}

func dashboards(t *testing.T) (all []dashboard) {
	t.Helper()
	files, err := filepath.Glob("../../dashboards/*.json")
	if err != nil || len(files) < 2 {
		t.Fatalf("dashboards %v, err = %v", files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		d := dashboard{file: filepath.Base(file)}
		if err := json.Unmarshal(data, &d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, d)
	}
	return all
}

// TestDashboardsAreWhole looks at what Grafana would pass over or show badly.
func TestDashboardsAreWhole(t *testing.T) {
	t.Parallel()
	uids := make(map[string]bool)
	for _, d := range dashboards(t) {
		if d.UID == "" || uids[d.UID] || d.Title == "" {
			t.Errorf("%s: the uid %q or the title %q is missing or doubled", d.file, d.UID, d.Title)
		}
		uids[d.UID] = true
		ids, cells := make(map[int]bool), make(map[[2]int]string)
		for _, p := range d.Panels {
			where := fmt.Sprintf("%s, %q", d.file, p.Title)
			if p.ID == 0 || ids[p.ID] || p.Title == "" {
				t.Errorf("%s: the id %d is none or another's", where, p.ID)
			}
			ids[p.ID] = true
			g := p.GridPos
			if g.W < 1 || g.H < 1 || g.X < 0 || g.X+g.W > 24 {
				t.Errorf("%s does not fit into 24 columns: %+v", where, g)
			}
			for x := g.X; x < g.X+g.W; x++ {
				for y := g.Y; y < g.Y+g.H; y++ {
					if other := cells[[2]int{x, y}]; other != "" {
						t.Errorf("%s lies over %q", where, other)
					}
					cells[[2]int{x, y}] = p.Title
				}
			}
			if p.Type == "row" {
				continue
			}
			if p.Description == "" || p.FieldConfig.Defaults.Unit == "" || len(p.Targets) == 0 || p.Datasource.UID != "${datasource}" {
				t.Errorf("%s lacks a description, a unit, a query or the variable of the data source", where)
			}
			for _, q := range p.Targets {
				if (q.Expr == "") == (q.RawSQL == "") {
					t.Errorf("%s, query %s: %+v", where, q.RefID, q)
				}
			}
		}
	}
}

// TestDashboardsPromQL keeps the queries as rules, which `make rules` has
// Prometheus' own tool parse.
func TestDashboardsPromQL(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("# The queries of dashboards/, for promtool to parse; go test ./cmd/andmerada -run PromQL -update-rules writes them.\ngroups:\n  - name: dashboards\n    rules:\n")
	n := 0
	for _, q := range promQueries(t) {
		n++
		fmt.Fprintf(&b, "      - { record: 'dashboard:%s:p%d_%s', expr: '%s' }\n", strings.TrimSuffix(q.file, ".json"), q.panel, strings.ToLower(q.ref), q.expr)
	}
	holdRules(t, "../../deploy/prometheus/dashboards.rules.yaml", b.String(), n)
}

// promQuery is one query of Prometheus, of a panel of a dashboard.
type promQuery struct {
	file, title, ref, legend, expr string
	panel                          int
}

func promQueries(t *testing.T) (all []promQuery) {
	t.Helper()
	for _, d := range dashboards(t) {
		for _, p := range d.Panels {
			for _, q := range p.Targets {
				if q.Expr != "" {
					all = append(all, promQuery{d.file, p.Title, q.RefID, q.LegendFormat, strings.ReplaceAll(q.Expr, "$__rate_interval", "1m"), p.ID})
				}
			}
		}
	}
	return all
}

// holdRules holds a file that is made of n queries of the dashboards to what it
// should be, or writes it anew.
func holdRules(t *testing.T, file, want string, n int) {
	t.Helper()
	if *updateRules {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil { //nolint:gosec // it is a file of the project
			t.Fatal(err)
		}
	}
	if data, err := os.ReadFile(file); err != nil || string(data) != want || n < 20 {
		t.Errorf("%s has not the %d queries of the dashboards (err = %v): run the test with -update-rules", file, n, err)
	}
}

var timeFilter = regexp.MustCompile(`\$__timeFilter\((\w+)\)`)

// TestDashboardsSQL runs every query on the demo's history, and wants rows of
// each; that a dashboard's user has the rights that a query needs, and no person
// is shown.
func TestDashboardsSQL(t *testing.T) {
	t.Parallel()
	d := plantForDashboards(t)
	granted := grants(t)
	n := 0
	ids := make(map[string]string) // what each query was, by its id
	run := func(where, query string) (all []map[string]any) {
		n++
		query = strings.ReplaceAll(timeFilter.ReplaceAllString(query, "$1 >= toDateTime('2024-01-01 00:00:00') AND $1 <= toDateTime('2100-01-01 00:00:00')"), "${controller:sqlstring}", "'elektrum','netpro'")
		if strings.Contains(query, "$") {
			t.Errorf("%s: something is left that the test does not fill in: %s", where, query)
		}
		id := fmt.Sprintf("%s-%d", d.database, n)
		ids[id] = where
		all, err := d.rows(clickhouse.Context(t.Context(), clickhouse.WithQueryID(id)), d.reader, query)
		if err != nil || len(all) == 0 {
			t.Errorf("%s: %d rows, err = %v\n%s", where, len(all), err, query)
			return nil
		}
		for column := range all[0] {
			if column == "person" || column == "actor" || column == "event_id" {
				t.Errorf("%s shows the column %s", where, column)
			}
		}
		return all
	}
	panels := make(map[string][]map[string]any)
	for _, board := range dashboards(t) {
		for _, v := range board.Templating.List {
			if v.Type == "query" {
				run(board.file+", variable "+v.Name, v.Query)
			}
		}
		for _, p := range board.Panels {
			for _, q := range p.Targets {
				if q.RawSQL != "" {
					panels[p.Title] = run(fmt.Sprintf("%s, %q", board.file, p.Title), q.RawSQL)
				}
			}
		}
	}
	if n < 10 {
		t.Errorf("%d queries", n)
	}
	d.holdRights(t, ids, granted)
	d.holdDrift(t, panels["Seen and not declared"])
	clauses := 0
	for _, row := range panels["Violations and reviews by clause"] {
		if c := fmt.Sprint(row["clause"]); strings.HasPrefix(c, "§") || strings.Contains(c, ".") {
			clauses++
		}
	}
	if clauses < 5 {
		t.Errorf("%d clauses in %v", clauses, panels["Violations and reviews by clause"])
	}
}

// grants are the columns that the dashboards' user may read, by table; "*" for
// all of a table's.
func grants(t *testing.T) map[string][]string {
	t.Helper()
	data, err := os.ReadFile("../../deploy/compose/clickhouse-users.xml")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(data), "<andmerada_grafana>")
	text, _, _ = strings.Cut(text, "</andmerada_grafana>")
	all := make(map[string][]string)
	for _, m := range regexp.MustCompile(`GRANT SELECT(?:\(([^)]*)\))? ON andmerada\.(\w+)<`).FindAllStringSubmatch(text, -1) {
		all[m[2]] = []string{"*"}
		if m[1] != "" {
			all[m[2]] = strings.Split(m[1], ", ")
		}
	}
	if len(all) < 5 || strings.Count(text, "GRANT ") != len(all) {
		t.Fatalf("the dashboards' user may read %v, by\n%s", all, text)
	}
	return all
}

// boards is a trail with the demo's history.
type boards struct {
	database       string
	trail          *trail.DB
	keys           *identity.Keys
	registers      *register.Set
	reader, writer clickhouse.Conn
}

func (d *boards) rows(ctx context.Context, conn clickhouse.Conn, query string, args ...any) (all []map[string]any, err error) {
	rows, err := conn.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		values := make([]any, len(rows.Columns()))
		for i, c := range rows.ColumnTypes() {
			values[i] = reflect.New(c.ScanType()).Interface()
		}
		if err := rows.Scan(values...); err != nil {
			return nil, err
		}
		row := make(map[string]any)
		for i, name := range rows.Columns() {
			row[name] = reflect.ValueOf(values[i]).Elem().Interface()
		}
		all = append(all, row)
	}
	return all, rows.Err()
}

// holdRights looks up which columns the queries have read, and that the
// dashboards' user may read these.
func (d *boards) holdRights(t *testing.T, ids map[string]string, granted map[string][]string) {
	t.Helper()
	if err := d.writer.Exec(t.Context(), "SYSTEM FLUSH LOGS"); err != nil {
		t.Fatal(err)
	}
	logged, err := d.rows(t.Context(), d.writer, "SELECT query_id, columns FROM system.query_log WHERE type = 'QueryFinish' AND has($1, query_id)", slices.Collect(maps.Keys(ids)))
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for _, row := range logged {
		id := fmt.Sprint(row["query_id"])
		seen[id] = true
		for _, name := range row["columns"].([]string) {
			parts := strings.SplitN(strings.ReplaceAll(name, "`", ""), ".", 3)
			if len(parts) == 3 && parts[0] == d.database && !slices.Contains(granted[parts[1]], "*") && !slices.Contains(granted[parts[1]], parts[2]) {
				t.Errorf("%s reads %s.%s, which its user may not", ids[id], parts[1], parts[2])
			}
		}
	}
	if len(seen) != len(ids) {
		t.Errorf("%d of %d queries are in the log", len(seen), len(ids))
	}
}

// holdDrift holds the panel against what `andmerada drift` finds.
func (d *boards) holdDrift(t *testing.T, rows []map[string]any) {
	t.Helper()
	a, err := answer.DriftOf(t.Context(), answer.Deps{Trail: d.trail, Registers: d.registers, Keys: d.keys, Now: time.Now}, answer.DriftRequest{})
	if err != nil {
		t.Fatal(err)
	}
	want, got := make(map[string]uint64), make(map[string]uint64)
	for i := range a.Controllers {
		for _, s := range a.Controllers[i].Undeclared {
			name := cmp.Or(s.ID, s.Organisation)
			switch {
			case s.Kind == answer.UndeclaredPurpose, s.Kind == answer.UndeclaredCategory, s.Kind == answer.UndeclaredRecipient && name != "":
				want[string(s.Kind)+" "+name] += s.Count
			}
		}
	}
	for _, row := range rows {
		got[fmt.Sprint(row["what"], " ", row["name"])] = row["rows"].(uint64)
	}
	if len(want) < 3 || !maps.Equal(got, want) {
		t.Errorf("the panel shows %v, andmerada drift finds %v", got, want)
	}
}

// plantForDashboards ingests a small history, a record that is no event, and
// says that some offsets hold none.
func plantForDashboards(t *testing.T) *boards {
	t.Helper()
	house, broker := embeddedtest.ClickHouse(t), embeddedtest.Kafka(t, 1)
	d := &boards{database: embeddedtest.Database(t)}
	connect := func(user embedded.User) clickhouse.Conn {
		name, password := house.Credentials(user)
		conn, err := clickhouse.Open(&clickhouse.Options{Addr: []string{house.Addr()}, Auth: clickhouse.Auth{Database: d.database, Username: name, Password: password}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
		})
		return conn
	}
	d.reader, d.writer = connect(embedded.Reader), connect(embedded.Owner)
	name, password := house.Credentials(embedded.Owner)
	var err error
	if d.trail, err = trail.Open(t.Context(), trail.Config{Addr: house.Addr(), Database: d.database, User: name, Password: password}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.trail.Close(); err != nil {
			t.Error(err)
		}
	})
	if d.registers, err = loadRegisters(""); err != nil {
		t.Fatal(err)
	}
	secret, err := identity.ParseSecret(strings.Repeat("a7", identity.SecretSize))
	if err != nil {
		t.Fatal(err)
	}
	if d.keys, err = identity.New(secret); err != nil {
		t.Fatal(err)
	}
	if err := broker.CreateTopic(t.Context(), ingest.DefaultTopic, 1); err != nil {
		t.Fatal(err)
	}
	events, _, err := history.Generate(d.registers, history.Options{Persons: history.MinPersons, Events: 1})
	if err != nil {
		t.Fatal(err)
	}
	w, err := emit.New(emit.Config{Brokers: []string{broker.Addr()}, Topic: ingest.DefaultTopic})
	if err != nil {
		t.Fatal(err)
	}
	for batch := range slices.Chunk(slices.Collect(events), emitBatch) {
		if err := w.Emit(t.Context(), batch...); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	poison(t, broker.Addr(), "no event")
	in, err := ingest.New(ingest.Config{
		Brokers: []string{broker.Addr()}, Topics: []string{ingest.DefaultTopic}, Group: ingest.DefaultGroup, Trail: d.trail,
		Registers: func() *register.Set { return d.registers }, Keys: d.keys, Facts: facts.New(), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- in.Run(ctx) }()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		o, err := ingest.Committed(t.Context(), nil, []string{broker.Addr()}, ingest.DefaultTopic, ingest.DefaultGroup)
		if err == nil && o.Lag() == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the history is not ingested: %v", err)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := d.trail.WriteDeclared(t.Context(), answer.DeclaredBy(d.registers)); err != nil {
		t.Fatal(err)
	}
	b := trail.NewBlocks()
	b.Gaps.Append(trail.Gap{First: 0, Last: 2, Reason: "transaction-marker"})
	if err := d.trail.Insert(t.Context(), trail.Range{Topic: "other", First: 0, Last: 2}, time.Now(), b); err != nil {
		t.Fatal(err)
	}
	return d
}
