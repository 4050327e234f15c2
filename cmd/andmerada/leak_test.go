package main

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/segmentio/kafka-go"
	"github.com/spf13/cobra"

	"github.com/andmerada/andmerada/internal/embedded"
	"github.com/andmerada/andmerada/internal/embedded/embeddedtest"
	"github.com/andmerada/andmerada/internal/ingest"
)

// The identifiers that events and questions of this test name. None of them may
// be in anything that comes out.
var named = map[string]string{
	"personal-code": "49001017736", "customer-number": "EL-7736-SECRET", "email": "leak.maasikas@secret.example", "phone": "+3725557736", "metering-point": "38ZEE-7736-SECRET",
}

// hidden are the parts of them by which they are looked for, whatever was made
// of their letters.
var hidden = []string{"49001017736", "7736-secret", "leak.maasikas", "5557736"}

// untried are commands that ask nothing, and why the others need not be.
var untried = map[string]string{
	"demo": "makes its own persons up, and prints them for whoever tries", "openapi": "asks nothing", "migrate": "asks nothing", "intake": "serves; the test of the intake looks at it", "intake token new": "asks nothing",
	"register check": "asks nothing", "register test": "asks nothing", "register show": "asks nothing", "register find": "asks nothing", "register coverage": "asks nothing", "register diff": "asks nothing", "register export": "asks nothing", "register new": "asks nothing",
	"access token list": "asks nothing", "quarantine replay": "writes what ingest writes",
	"help": "", "completion": "",
}

// leaks is one run of everything, and all that came out of it.
type leaks struct {
	t        *testing.T
	dir      string
	file     string // configuration
	mu       sync.Mutex
	out      map[string]string // what came out, by where
	commands map[string]bool
}

func (l *leaks) keep(where, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out[where] += text + "\n"
}

// run runs a command in a process of its own, with an identifier on its standard
// input, and keeps what it says.
func (l *leaks) run(stdin string, args ...string) string {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "andmerada", args...) // this test's own binary, see TestMain
	cmd.Dir, cmd.Stdin = l.dir, strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), configVariable+"="+l.file)
	out, err := cmd.CombinedOutput()
	l.keep(fmt.Sprintf("andmerada %s (%v)", strings.Join(args, " "), err), string(out))
	found, _, err := newRootCommand().Find(args)
	if err != nil {
		l.t.Fatal(err)
	}
	l.commands[strings.TrimPrefix(found.CommandPath(), "andmerada ")] = true
	return string(out)
}

// begin runs a command until stop is called.
func (l *leaks) begin(args ...string) (stop func()) {
	l.t.Helper()
	var out bytes.Buffer
	cmd := exec.CommandContext(l.t.Context(), "andmerada", args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = l.dir, &out, &out
	cmd.Env = append(os.Environ(), configVariable+"="+l.file)
	if err := cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	l.commands[args[0]] = true
	return sync.OnceFunc(func() {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			l.t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			l.t.Errorf("%q: %v\n%s", args, err, &out)
		}
		l.keep("andmerada "+strings.Join(args, " "), out.String())
	})
}

func (l *leaks) eventually(what string, is func() bool) {
	l.t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			l.mu.Lock()
			defer l.mu.Unlock()
			for where, text := range l.out {
				l.t.Logf("%s: %.500s", where, text)
			}
			l.t.Fatalf("it never came about: %s", what)
		}
	}
}

// TestNothingLeaks runs ingest, the server and every command over identifiers,
// also in places where they do not belong, and looks for them in all that comes
// out: logs, metrics, spans, answers, pages, errors, files, and tables.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	l := &leaks{t: t, dir: t.TempDir(), out: make(map[string]string), commands: make(map[string]bool)}
	l.file = filepath.Join(l.dir, "andmerada.yaml")
	collector := new(receiver)
	otlp := httptest.NewServer(collector)
	defer otlp.Close()
	house, brokers := embeddedtest.ClickHouse(t), embeddedtest.Kafka(t, 1)
	if err := brokers.CreateTopic(t.Context(), ingest.DefaultTopic, 1); err != nil {
		t.Fatal(err)
	}
	database := embeddedtest.Database(t)
	user, password := house.Credentials(embedded.Owner)
	free := func() string { return freeAddr(t) }
	metrics, address := free(), free()
	for name, text := range map[string]string{
		"password": password,
		"andmerada.yaml": fmt.Sprintf("kafka: {brokers: [%q]}\nclickhouse: {addr: %q, database: %q, user: %q, password_file: password}\nsecret_file: secret\nlisten: %q\ntelemetry: {otlp: %q, traces: 1}\n",
			brokers.Addr(), house.Addr(), database, user, address, otlp.URL),
		"events.ndjson": secretEvents(t), "broken.ndjson": `{"specversion":"1.0","id":"x","source":"//crm","type":"ee.andmerada.access.v1","time":"2026-01-01T00:00:00Z","data":{"controller":"elektrum","person":"` + named["email"] + `","actor":{"id":["` + named["phone"] + `"]}}}` + "\n",
	} {
		if err := os.WriteFile(filepath.Join(l.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	stopIngest := l.begin("ingest", "--metrics", metrics, "--verbose")
	l.eventually("ingest is ready", func() bool { status, _ := looked(t, "http://"+metrics+"/readyz"); return status == http.StatusOK })
	l.run("", "emit", "events.ndjson")
	l.run("", "emit", "broken.ndjson")
	l.run(named["phone"], "emit", "--operation", "access", "--controller", "elektrum", "--purpose", "elektrum/support", "--source", "//crm", "--scheme", "phone", "--identifier", "-")
	broken, err := os.ReadFile(filepath.Join(l.dir, "broken.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	poison(t, brokers.Addr(), string(broken))
	poison(t, brokers.Addr(), `{"specversion":"1.0","id":"`+named["phone"]+`","data":{"person":"`+named["email"]+`"`)
	stopServer := l.begin("serve", "--verbose")
	l.eventually("the server is ready", func() bool { status, _ := looked(t, "http://"+address+"/readyz"); return status == http.StatusOK })
	l.eventually("the events are there", func() bool {
		out := l.run(named["customer-number"], "answer", "recipients", "--controller", "elektrum", "--scheme", "customer-number", "--json")
		return strings.Contains(out, "Post24")
	})
	l.askByCommands()
	l.askByHTTP("http://" + address)
	for name, at := range map[string]string{"metrics of ingest": metrics, "metrics of the server": address} {
		_, text := looked(t, "http://"+at+"/metrics")
		if !strings.Contains(text, "andmerada_") {
			t.Errorf("%s: %s", name, text)
		}
		l.keep(name, text)
	}
	stopServer()
	stopIngest()
	collector.mu.Lock()
	l.keep("what the collector got", collector.all.String())
	collector.mu.Unlock()
	l.tables(house, database)
	l.files()
	l.everyCommand()
	if len(l.out) < 60 {
		t.Errorf("only %d things came out", len(l.out))
	}
	for where, text := range l.out {
		for _, secret := range hidden {
			if at := strings.Index(strings.ToLower(text), secret); at >= 0 {
				t.Errorf("%s holds %s: …%s…", where, secret, text[max(0, at-100):min(len(text), at+100)])
			}
		}
	}
}

// secretEvents are events about one person by all identifiers.
func secretEvents(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	n := 0
	add := func(kind string, data map[string]any) {
		n++
		data["controller"] = "elektrum"
		line, err := json.Marshal(map[string]any{
			"specversion": "1.0", "id": fmt.Sprint("leak-", n), "source": "//crm", "type": "ee.andmerada." + kind + ".v1", "time": time.Now().Add(-time.Hour).UTC().Format(time.RFC3339), "datacontenttype": "application/json", "data": data,
		})
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(line, '\n'))
	}
	var all []map[string]string
	for scheme, value := range named {
		all = append(all, map[string]string{"scheme": scheme, "value": value})
	}
	add("fact.identity", map[string]any{"person": all})
	for _, p := range all {
		add("transfer", map[string]any{"person": p, "purpose": "elektrum/gossip", "categories": []string{"name"}, "recipient": map[string]string{"organisation": "Post24 OÜ", "code": "12345678", "country": "EE"}, "actor": map[string]string{"id": "u1"}})
	}
	return b.String()
}

// askByCommands asks every question at the command line, and puts identifiers
// where they do not belong.
func (l *leaks) askByCommands() {
	questions := []string{"answer recipients", "answer timeline", "answer told", "answer lineage", "answer facts", "facts"}
	for n, scheme := range slices.Sorted(maps.Keys(named)) {
		who := []string{"--controller", "elektrum", "--scheme", scheme}
		for i, question := range questions { // one of them by each identifier, in both forms
			if n == 0 || i == n {
				l.run(named[scheme], slices.Concat(strings.Fields(question), who)...)
				l.run(named[scheme], slices.Concat(strings.Fields(question), who, []string{"--json"})...)
			}
		}
	}
	id := named["customer-number"]
	who := []string{"--controller", "elektrum", "--scheme", "customer-number"}
	for _, args := range [][]string{
		{"answer", "access", "--controller", "elektrum"},
		{"answer", "access", "--controller", "elektrum", "--csv"},
		{"answer", "unusual", "--controller", "elektrum"},
		{"answer", "access", "--controller", "elektrum", "--json"},
		{"answer", "breach", "--controller", "elektrum", "--onward", "2"},
		{"answer", "breach", "--controller", "elektrum", "--json", "--freeze", "a leak"},
		{"answer", "case"},
		{"answer", "recipient", "--controller", "elektrum", "--entity", "12345678"},
		{"answer", "activities", "--controller", "elektrum"},
		{"answer", "tellings", "--controller", "elektrum"},
		{"answer", "tellings", "--controller", "elektrum", "--json"},
		{"answer", "tellings", "--controller", "elektrum", "--csv"},
		slices.Concat([]string{"answer", "told"}, who, []string{"--csv"}),
		{"drift"},
		{"answer", "drift"},
		{"answer", "drift", "--json"},
		{"answer", "drift", "--csv"},
		{"register", "duties"},
		{"answer", "duties"},
		{"answer", "duties", "--json"},
		{"answer", "duties", "--csv"},
		{"answer", "overview"},
		{"answer", "overview", "--json"},
		{"answer", "overview", "--csv"},
		{"answer", "event", "--source", "//crm", "--id", "leak-2"},
		{"answer", "event", "--source", "//crm", "--id", "leak-2", "--json", "--reveal", "--reason", "a case"},
		{"findings", "--once", "--lines"},
		{"quarantine", "list"},
		{"quarantine", "list", "--json"},
		{"quarantine", "show", ingest.DefaultTopic + "/0/0"},
		{"verify"},
		{"rejudge", "--once"},
		{"event", "lint", "events.ndjson"},
		{"event", "lint", "broken.ndjson"},
		slices.Concat([]string{"bundle", "make", "recipients"}, who, []string{"--out", "answer.zip"}),
		{"bundle", "check", "answer.zip"},
		slices.Concat([]string{"answer", "recipients"}, who, []string{"--report", "answer.pdf"}), slices.Concat([]string{"access", "token", "new", "agent", "--role", "agent", "--tokens", "tokens.yaml"}, who),
		{"register", "try", "events.ndjson"},
		// The identifier in the wrong place.
		{"answer", "recipients", "--controller", "elektrum", "--scheme", "pseudonym"},
		{"answer", "recipients", "--controller", "nobody", "--scheme", "email"},
		slices.Concat([]string{"answer", "timeline"}, who, []string{"--cursor", "x"}), slices.Concat([]string{"answer", "recipients"}, who, []string{"--from", "x"}),
		{"answer", "breach", "--request", "-"},
	} {
		l.run(id, args...)
	}
}

// askByHTTP asks by every operation and page, with the identifier in its place
// and in others.
func (l *leaks) askByHTTP(server string) {
	l.t.Helper()
	n := 0
	do := func(method, path, kind, body string, headers ...string) string {
		l.t.Helper()
		req, err := http.NewRequestWithContext(l.t.Context(), method, server+path, strings.NewReader(body))
		if err != nil {
			l.t.Fatal(err)
		}
		if kind != "" {
			req.Header.Set("Content-Type", kind)
		}
		for i := 0; i+1 < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			l.t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			l.t.Fatal(err)
		}
		n++
		where := path
		if slices.ContainsFunc(hidden, func(h string) bool { return strings.Contains(strings.ToLower(path), h) }) {
			where = "(an address that names somebody)"
		}
		l.keep(fmt.Sprintf("%s %s: %d", method, where, res.StatusCode), fmt.Sprint(res.Header)+string(text))
		return string(text)
	}
	description := do("GET", "/openapi.yaml", "", "")
	id := named["customer-number"]
	person := fmt.Sprintf(`"controller":"elektrum","person":{"scheme":"customer-number","value":%q}`, id)
	for _, m := range regexp.MustCompile(`(?m)^  (/[^:]*):\n    (get|post):`).FindAllStringSubmatch(description, -1) {
		path := m[1]
		if m[2] == "get" {
			for _, held := range []string{"0", url.PathEscape(id)} {
				at := regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(path, held)
				do("GET", at, "", "")
				do("GET", at+"?controller=elektrum&days=30&from=2026-01-01", "", "")
				do("GET", at+"?controller="+url.QueryEscape(id)+"&from="+url.QueryEscape(id)+"&at="+url.QueryEscape(id)+"&days="+url.QueryEscape(id)+"&person="+url.QueryEscape(id), "", "")
			}
			continue
		}
		path = strings.NewReplacer("{controller}", "elektrum", "{id}", "reveal-x").Replace(path)
		for i, body := range []string{
			"{" + person + "}", `{"recipients":{` + person + `}}`, `{"windows":[{"controller":"elektrum"}]}`, `{"controller":"elektrum","recipient":"elektrum/bank"}`, `{"controller":"elektrum"}`,
			// In the wrong place.
			fmt.Sprintf(`{"controller":%q,"person":{"scheme":%q,"value":%q},"from":%q}`, id, id, id, id), fmt.Sprintf(`{%s,"from":%q,"to":%q,"since":%q,"cursor":%q}`, person, id, id, id, id),
			fmt.Sprintf(`{%s,%q:1}`, person, id), fmt.Sprintf("%q", id), `{"controller":"` + id, fmt.Sprintf(`{"controller":"elektrum","by":[%q],"operations":[%q],"verdicts":[%q]}`, id, id, id),
			fmt.Sprintf(`{"windows":[{"controller":%q,"from":%q}],"aware_at":%q}`, id, id, id), fmt.Sprintf(`{"topic":%q,"partition":0,"offset":1,"reason":%q}`, id, id),
		} {
			do("POST", path, "application/json", body)
			if strings.Contains(body, `"value"`) { // a reason that repeats the identifier is refused; of a question without one nobody can tell
				do("POST", path, "application/json", body, "Andmerada-Reason", "about "+id)
			}
			if i < 5 { // what is wrong is refused before it matters how the answer is wanted
				do("POST", path, "application/json", body, "Accept", "application/x-ndjson")
			}
		}
	}
	for _, page := range []string{"/", "/person", "/access", "/unusual", "/breach", "/recipient", "/told", "/tellings", "/facts", "/lineage", "/drift", "/activities", "/duties", "/bundle", "/cases", "/reveals", "/register/elektrum", "/api", "/events/" + ingest.DefaultTopic + "/0/1"} {
		do("GET", page, "", "")
		do("GET", page+"?controller="+url.QueryEscape(id)+"&days="+url.QueryEscape(id)+"&from="+url.QueryEscape(id)+"&version="+url.QueryEscape(id), "", "")
		do("GET", page+"/"+url.PathEscape(id), "", "")
		for _, form := range []url.Values{
			{"controller": {"elektrum"}, "scheme": {"customer-number"}, "identifier": {id}, "reason": {"a case"}},
			{"controller": {"elektrum"}, "scheme": {"customer-number"}, "identifier": {id}, "from": {id}, "to": {id}, "since": {id}, "at": {id}},
			{"controller": {id}, "scheme": {id}, "identifier": {id}, "event": {id}},
		} {
			do("POST", page, "application/x-www-form-urlencoded", form.Encode())
		}
	}
	for _, page := range []string{"/person", "/person/timeline", "/told", "/facts"} {
		do("POST", page, "application/x-www-form-urlencoded", url.Values{"controller": {"elektrum"}, "scheme": {"customer-number"}, "identifier": {id}, "reason": {"about " + id}}.Encode())
	}
	do("POST", "/person/timeline", "application/x-www-form-urlencoded", url.Values{"controller": {"elektrum"}, "scheme": {"customer-number"}, "identifier": {id}}.Encode())
	if n < 300 {
		l.t.Errorf("%d requests", n)
	}
}

// tables keeps every row of every table, but what is sealed in them.
func (l *leaks) tables(house *embedded.ClickHouse, database string) {
	l.t.Helper()
	user, password := house.Credentials(embedded.Owner)
	conn, err := clickhouse.Open(&clickhouse.Options{Addr: []string{house.Addr()}, Auth: clickhouse.Auth{Database: database, Username: user, Password: password}})
	if err != nil {
		l.t.Fatal(err)
	}
	defer func() {
		if err := conn.Close(); err != nil {
			l.t.Error(err)
		}
	}()
	texts := func(query string, args ...any) (all []string) {
		rows, err := conn.Query(l.t.Context(), query, args...)
		if err != nil {
			l.t.Fatalf("%s: %v", query, err)
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var text string
			if err := rows.Scan(&text); err != nil {
				l.t.Fatal(err)
			}
			all = append(all, text)
		}
		return all
	}
	tables := texts("SELECT name FROM system.tables WHERE database = $1 AND engine NOT LIKE '%View'", database)
	if len(tables) < 8 {
		l.t.Errorf("tables %q", tables)
	}
	for _, table := range append(tables, "trail_rows") {
		l.keep("the table "+table, strings.Join(texts("SELECT formatRow('JSONEachRow', *) FROM "+table), ""))
	}
}

// files keeps what was written beside the configuration, but what the test has
// written itself.
func (l *leaks) files() {
	l.t.Helper()
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".ndjson") || e.IsDir() {
			continue
		}
		data, err := os.ReadFile(filepath.Join(l.dir, e.Name()))
		if err != nil {
			l.t.Fatal(err)
		}
		l.keep("the file "+e.Name(), string(data))
		if filepath.Ext(e.Name()) != ".zip" {
			continue
		}
		z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			l.t.Fatal(err)
		}
		for _, f := range z.File {
			r, err := f.Open()
			if err != nil {
				l.t.Fatal(err)
			}
			text, err := io.ReadAll(r)
			if err != nil {
				l.t.Fatal(err)
			}
			l.keep(e.Name()+"/"+f.Name, string(text))
		}
	}
	for _, name := range []string{"file answer.zip", "file answer.pdf", "file tokens.yaml"} {
		if l.out["the "+name] == "" {
			l.t.Errorf("there is no %s", name)
		}
	}
}

// everyCommand holds that no command was left out.
func (l *leaks) everyCommand() {
	l.t.Helper()
	var each func(cmd *cobra.Command)
	each = func(cmd *cobra.Command) {
		if cmd.HasSubCommands() {
			for _, sub := range cmd.Commands() {
				each(sub)
			}
			return
		}
		name := strings.TrimPrefix(cmd.CommandPath(), "andmerada ")
		if _, known := untried[name]; !known && !l.commands[name] {
			l.t.Errorf("%q is run by no test that looks for what leaks: run it here, or say in untried why not", name)
		}
	}
	each(newRootCommand())
}

// poison writes a record that is no event.
func poison(t *testing.T, broker, value string) {
	t.Helper()
	w := kafka.Writer{Addr: kafka.TCP(broker), Topic: ingest.DefaultTopic, BatchTimeout: time.Millisecond}
	if err := w.WriteMessages(t.Context(), kafka.Message{Value: []byte(value)}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}
