package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/andmerada/andmerada/internal/embedded"
	"github.com/andmerada/andmerada/internal/embedded/embeddedtest"
	"github.com/andmerada/andmerada/internal/emit"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/ingest"
	"github.com/andmerada/andmerada/internal/trail"
)

// least is an installation whose users of ClickHouse have the rights of
// deploy/compose/clickhouse-users.xml (a test of internal/embedded holds that),
// in the database that those are for.
type least struct {
	t      *testing.T
	dir    string
	file   string // configuration
	house  *embedded.ClickHouse
	broker string
	owner  driver.Conn // of the test's own, to change the tables and to see what happened
}

func newLeast(t *testing.T) *least {
	t.Helper()
	kafka := embeddedtest.Kafka(t, 1)
	for _, topic := range []string{ingest.DefaultTopic, "findings"} {
		if err := kafka.CreateTopic(t.Context(), topic, 1); err != nil {
			t.Fatal(err)
		}
	}
	l := &least{t: t, dir: t.TempDir(), house: embeddedtest.ClickHouse(t), broker: kafka.Addr()}
	l.owner = l.connect(embedded.Owner)
	text := fmt.Sprintf("kafka: {brokers: [%q]}\nsecret_file: secret\nfindings: {topic: findings}\nclickhouse:\n  addr: %q\n", l.broker, l.house.Addr())
	for key, user := range map[string]embedded.User{"": embedded.Writer, "migrations": embedded.Migrations, "cases": embedded.Cases} {
		name, password := l.house.Credentials(user)
		l.write(name, password)
		if key == "" {
			text += fmt.Sprintf("  user: %s\n  password_file: %s\n", name, name)
		} else {
			text += fmt.Sprintf("  %s: {user: %s, password_file: %s}\n", key, name, name)
		}
	}
	l.file = l.write("andmerada.yaml", text)
	return l
}

func (l *least) write(name, text string) (file string) {
	l.t.Helper()
	file = filepath.Join(l.dir, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
	return file
}

func (l *least) connect(user embedded.User) driver.Conn {
	l.t.Helper()
	name, password := l.house.Credentials(user)
	conn, err := clickhouse.Open(&clickhouse.Options{
		Addr: []string{l.house.Addr()}, Auth: clickhouse.Auth{Database: embedded.DatabaseName, Username: name, Password: password},
	})
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			l.t.Error(err)
		}
	})
	return conn
}

// exec is of the owner.
func (l *least) exec(query string) {
	l.t.Helper()
	if err := l.owner.Exec(l.t.Context(), query); err != nil {
		l.t.Fatalf("%s: %v", query, err)
	}
}

// strings are those that the owner is answered.
func (l *least) strings(query string, args ...any) (all []string) {
	l.t.Helper()
	return l.stringsAs(l.owner, query, args...)
}

func (l *least) stringsAs(conn driver.Conn, query string, args ...any) (all []string) {
	l.t.Helper()
	rows, err := conn.Query(l.t.Context(), query, args...)
	if err != nil {
		l.t.Fatalf("%s: %v", query, err)
	}
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			l.t.Fatal(err)
		}
		all = append(all, s)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		l.t.Fatal(err)
	}
	return all
}

// try runs a command in this process, by a configuration.
func (l *least) try(file string, args ...string) (string, error) {
	var out bytes.Buffer
	cmd := newRootCommand()
	cmd.SetArgs(append(args, "--config", file))
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	err := cmd.ExecuteContext(l.t.Context())
	return out.String(), err
}

// run runs a command that must end well.
func (l *least) run(args ...string) string {
	l.t.Helper()
	out, err := l.try(l.file, args...)
	if err != nil {
		l.t.Fatalf("andmerada %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// ingest runs until stop is called.
func (l *least) ingest() (stop func()) {
	l.t.Helper()
	addr := freeAddr(l.t)
	ctx, cancel := context.WithCancel(l.t.Context())
	done := make(chan error, 1)
	go func() {
		cmd := newRootCommand()
		cmd.SetArgs([]string{"ingest", "--config", l.file, "--metrics", addr})
		done <- cmd.ExecuteContext(ctx)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			l.t.Errorf("ingest: %v", err)
		}
	})
	l.t.Cleanup(stop) // before the engine ends, whatever happens
	l.eventually("ingest is ready", func() bool {
		select {
		case err := <-done:
			l.t.Fatalf("ingest ended: %v", err)
		default:
		}
		c, err := http.NewRequestWithContext(l.t.Context(), http.MethodGet, "http://"+addr+"/readyz", http.NoBody)
		if err != nil {
			l.t.Fatal(err)
		}
		r, err := http.DefaultClient.Do(c)
		if err != nil {
			return false
		}
		return r.Body.Close() == nil && r.StatusCode == http.StatusOK
	})
	l.eventually("the disks are asked for", func() bool {
		_, text := looked(l.t, "http://"+addr+"/metrics")
		return strings.Contains(text, "andmerada_trail_disk_free_bytes")
	})
	return stop
}

func (l *least) eventually(what string, is func() bool) {
	l.t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			l.t.Fatalf("it never came about: %s", what)
		}
	}
}

func (l *least) emit(events ...*event.Event) {
	l.t.Helper()
	w, err := emit.New(emit.Config{Brokers: []string{l.broker}, Topic: ingest.DefaultTopic})
	if err != nil {
		l.t.Fatal(err)
	}
	if err := errors.Join(w.Emit(l.t.Context(), events...), w.Close()); err != nil {
		l.t.Fatal(err)
	}
}

const (
	offersPurpose = "elektrum/profile-based-offers"
	refusedID     = "refused"
)

var (
	offered  = time.Date(2026, 5, 8, 10, 0, 0, 0, time.UTC)
	customer = event.Person{Scheme: "customer-number", Value: "EL-1"}
)

func offerOf(id string) *event.Event {
	return &event.Event{
		Kind: event.Processing, ID: id, Source: "/elektrum/offers", Time: offered, Controller: "elektrum", Persons: []event.Person{customer},
		Operation: event.Send, Purpose: offersPurpose, Categories: []string{"consumption-profile"}, Recipient: event.Recipient{ID: event.DataSubject}, Channel: "email",
	}
}

// consentOf was given a year before, and withdrawn at some time unless that is zero.
func consentOf(id string, withdrawn, at time.Time) *event.Event {
	given := offered.AddDate(-1, 0, 0)
	ev := &event.Event{
		Kind: event.FactEvent, ID: id, Source: "/elektrum/consents", Time: at, Controller: "elektrum", Persons: []event.Person{customer},
		Fact: event.Fact{Name: "consent", ValidFrom: given},
	}
	if !withdrawn.IsZero() {
		ev.Fact.ValidFrom = withdrawn
	}
	ev.Fact.Value.Consents = event.List[event.Consent]{Known: true, Entries: []event.Consent{{
		Controller: "elektrum", Purpose: offersPurpose, GivenAt: given, Form: "electronic", WithdrawnAt: withdrawn,
	}}}
	return ev
}

// TestLeastRights does what is done every day by users of ClickHouse who may do
// that and no more: ingest with events that are refused and put aside, judging
// again, findings, the mending of the quarantine, cases, and the merging of
// quarters that are over. Each right is used, and none is missed.
func TestLeastRights(t *testing.T) {
	t.Parallel()
	l := newLeast(t)
	whole, err := os.ReadFile(l.file)
	if err != nil {
		t.Fatal(err)
	}
	alone := l.write("alone.yaml", strings.Replace(string(whole), "  migrations: {", "  # migrations: {", 1))
	if out, err := l.try(alone, "rejudge", "--once"); err == nil || !strings.Contains(err.Error(), "clickhouse.migrations") {
		t.Errorf("the writer migrates alone: %v\n%s", err, out)
	}
	for range 2 { // the second time there is nothing to do
		if out := l.run("migrate"); !strings.Contains(out, "are those of this program") {
			t.Errorf("migrate says %q", out)
		}
	}
	l.file = alone // there is nothing left to migrate, and nobody to do it
	began := l.strings("SELECT toString(now64(6, 'UTC'))")[0]
	l.daily()
	l.rightsAreUsed(began)
	l.nothingElse()
}

// daily is what is done every day.
func (l *least) daily() {
	l.t.Helper()
	stop := l.ingest()
	l.exec("ALTER TABLE trail ADD CONSTRAINT added CHECK event_id != '" + refusedID + "'")
	l.emit(
		consentOf("given", time.Time{}, offered.AddDate(-1, 0, 0)), offerOf("offer"), offerOf(refusedID),
		&event.Event{
			Kind: event.CohortPart, ID: "cohort", Source: "/elektrum/offers", Time: offered, Controller: "elektrum",
			Cohort: event.Cohort{ID: "may", Size: 1, Part: 1, Parts: 1, Members: []event.Person{customer}},
		},
	)
	poison(l.t, l.broker, "no event")
	ids := func(where string) []string {
		return l.strings("SELECT DISTINCT event_id FROM trail WHERE " + where + " ORDER BY event_id")
	}
	l.eventually("the events are there, two in the quarantine", func() bool {
		return len(l.strings("SELECT reason FROM quarantine")) == 2
	})
	if have := ids("1"); !slices.Equal(have, []string{"cohort", "given", "offer"}) {
		l.t.Errorf("events %v", have)
	}
	l.emit(consentOf("withdrawn", offered.Add(-time.Hour), offered.AddDate(0, 0, 3)))
	l.eventually("the offer is judged again", func() bool { return slices.Equal(ids("cause != ''"), []string{"offer"}) })

	place := l.strings("SELECT concat(topic, '/', toString(partition), '/', toString(offset)) FROM quarantine WHERE source = ''")
	if len(place) != 1 {
		l.t.Fatalf("places %v", place)
	}
	mended, err := json.Marshal(map[string]any{
		"specversion": "1.0", "id": "mended", "source": "/elektrum/offers", "type": "ee.andmerada.access.v1", "time": offered, "datacontenttype": "application/json",
		"data": map[string]any{"controller": "elektrum", "person": map[string]string{"scheme": customer.Scheme, "value": customer.Value}, "purpose": "elektrum/support", "categories": []string{"name"}, "actor": map[string]string{"id": "u1"}},
	})
	if err != nil {
		l.t.Fatal(err)
	}
	l.run("quarantine", "replay", place[0], "--with", l.write("mended.json", string(mended)), "--why", "it was none")
	l.eventually("the mended event is there", func() bool { return len(ids("event_id = 'mended'")) == 1 })
	stop()

	l.run("rejudge", "--controller", "elektrum")
	if out := l.run("findings", "--once", "--lines"); !strings.Contains(out, "violation") {
		l.t.Errorf("no finding: %s", out)
	}
	l.run("answer", "breach", "--controller", "elektrum", "--system", "/elektrum/offers", "--from", "2026-05-01", "--to", "2026-06-01", "--freeze", "May")
	if out := l.run("answer", "case"); !strings.Contains(out, "May") {
		l.t.Errorf("the case was not kept: %s", out)
	}
	l.merge()
	l.run("verify")
}

// merge puts a quarter that is over into many parts, and has them merged.
func (l *least) merge() {
	l.t.Helper()
	c, err := readConfig(l.file)
	if err != nil {
		l.t.Fatal(err)
	}
	db, err := openTrail(l.t.Context(), c, false)
	if err != nil {
		l.t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			l.t.Error(err)
		}
	}()
	for _, table := range []string{"trail", "cohort_members"} { // nothing merges them but what is asked for
		l.exec("ALTER TABLE " + table + " MODIFY SETTING max_bytes_to_merge_at_max_space_in_pool = 1, max_bytes_to_merge_at_min_space_in_pool = 1")
	}
	for i := range int64(6) {
		b := trail.NewBlocks()
		b.Trail.Append(&trail.Row{Offset: i, Of: 1, Controller: "elektrum", Time: offered, Operation: trail.OperationCohort})
		b.Members.Append(&trail.Member{Offset: i, Controller: "elektrum", CohortID: "old"})
		if err := db.Insert(l.t.Context(), trail.Range{Topic: "old", First: i, Last: i}, time.Date(2024, 2, 1, 0, 0, 0, 0, time.UTC), b); err != nil {
			l.t.Fatal(err)
		}
	}
	b := trail.NewBlocks()
	b.Gaps.Append(trail.Gap{First: 6, Last: 9, Reason: "transaction-marker"})
	if err := db.Insert(l.t.Context(), trail.Range{Topic: "old", First: 6, Last: 9}, time.Now(), b); err != nil {
		l.t.Fatal(err)
	}
	if n, err := db.MergeClosed(l.t.Context()); err != nil || n != 2 {
		l.t.Errorf("%d quarters merged, %v", n, err)
	}
}

// rightsAreUsed holds that the writer was refused nothing, not even where that is
// passed over, and that it has used each right: those that it has not it need not
// have.
func (l *least) rightsAreUsed(since string) {
	l.t.Helper()
	l.exec("SYSTEM FLUSH LOGS")
	for _, q := range l.strings("SELECT concat(user, ': ', query, ': ', exception) FROM system.query_log WHERE user != $1 AND exception_code = 497 AND event_time_microseconds >= toDateTime64($2, 6, 'UTC')", string(embedded.Owner), since) {
		l.t.Errorf("refused to %s", q)
	}
	used := make(map[string]bool)
	for kind, right := range map[string]string{"Insert": "INSERT", "Optimize": "OPTIMIZE", "Select": "SELECT", "Create": "CREATE TABLE", "Drop": "DROP TABLE"} {
		for _, table := range l.strings("SELECT DISTINCT arrayJoin(tables) FROM system.query_log WHERE user = $1 AND query_kind = $2 AND exception_code = 0 AND event_time_microseconds >= toDateTime64($3, 6, 'UTC')", string(embedded.Writer), kind, since) {
			used[right+" ON "+table] = true
		}
	}
	looked := 0
	for _, grant := range l.stringsAs(l.connect(embedded.Writer), "SHOW GRANTS") {
		grant = strings.TrimSuffix(strings.TrimPrefix(grant, "GRANT "), " TO "+string(embedded.Writer))
		rights, on, _ := strings.Cut(grant, " ON ")
		if rights == "TABLE ENGINE" || grant == "SHOW, SELECT ON "+embedded.DatabaseName+".*" {
			continue
		}
		for right := range strings.SplitSeq(rights, ", ") {
			looked++
			if !used[right+" ON "+on] {
				l.t.Errorf("the writer may %s %s, and never does", right, on)
			}
		}
	}
	if looked < 18 {
		l.t.Errorf("it has %d rights", looked)
	}
}

// nothingElse holds that whoever writes can neither change nor remove what is
// there.
func (l *least) nothingElse() {
	l.t.Helper()
	writer := l.connect(embedded.Writer)
	tables := l.strings("SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'")
	if len(tables) < 14 {
		l.t.Errorf("tables %v", tables)
	}
	for _, table := range tables {
		before := l.strings("SELECT toString(count()) FROM " + table)
		for _, query := range []string{
			"ALTER TABLE %s ADD COLUMN more String", "ALTER TABLE %s DELETE WHERE 1", "ALTER TABLE %s MODIFY SETTING non_replicated_deduplication_window = 0", "ALTER TABLE %s MODIFY TTL now()",
			"ALTER TABLE %s DROP PARTITION tuple()", "ALTER TABLE %s ADD CONSTRAINT none CHECK 0", "DELETE FROM %s WHERE 1", "TRUNCATE TABLE %s", "DROP TABLE %s", "DETACH TABLE %s", "RENAME TABLE %s TO away",
		} {
			query = fmt.Sprintf(query, table)
			if err := writer.Exec(l.t.Context(), query); err == nil || !strings.Contains(err.Error(), "code: 497") {
				l.t.Errorf("%s: %v", query, err)
			}
		}
		if after := l.strings("SELECT toString(count()) FROM " + table); !slices.Equal(before, after) {
			l.t.Errorf("%s had %s rows and has %s", table, before, after)
		}
	}
}
