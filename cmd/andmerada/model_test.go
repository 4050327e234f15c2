package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/answer/model"
	"github.com/andmerada/andmerada/internal/embedded"
	"github.com/andmerada/andmerada/internal/embedded/embeddedtest"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/trail"
	"github.com/andmerada/andmerada/internal/unusual"
)

// modelled is a server, and commands, over a trail that is filled with histories
// of the model.
type modelled struct {
	t          *testing.T
	dir        string
	server     string // its URL
	token      string
	database   string
	stop       func() error
	commands   map[model.Question]int // how often each was asked at the command line
	mu         sync.Mutex
	httpClient http.Client
}

const modelSecret = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func newModelled(t *testing.T) *modelled {
	t.Helper()
	m := &modelled{t: t, dir: t.TempDir(), database: embeddedtest.Database(t), commands: make(map[model.Question]int)}
	for user, name := range map[embedded.User]string{embedded.Reader: "reader", embedded.Owner: "writer", embedded.Cases: "cases"} {
		_, password := embeddedtest.ClickHouse(t).Credentials(user)
		m.write(name, password)
	}
	m.write("secret", modelSecret)
	m.write("profiles/xx.yaml", string(model.Profile()))
	return m
}

func (m *modelled) write(name, text string) {
	m.t.Helper()
	file := filepath.Join(m.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600)); err != nil {
		m.t.Fatal(err)
	}
}

// config writes a configuration, by which a user of ClickHouse asks with some
// directory of registers.
func (m *modelled) config(name string, user embedded.User, registers string) (file string) {
	m.t.Helper()
	house := embeddedtest.ClickHouse(m.t)
	who, _ := house.Credentials(user)
	cases, _ := house.Credentials(embedded.Cases)
	password := map[embedded.User]string{embedded.Reader: "reader", embedded.Owner: "writer"}[user]
	m.write(name, fmt.Sprintf(`kafka: {brokers: ["127.0.0.1:1"]}
clickhouse: {addr: %q, database: %q, user: %q, password_file: %s, cases: {user: %q, password_file: cases}}
secret_file: secret
registers: %s
profiles: profiles
unusual: unusual.yaml
access: {tokens: tokens.yaml}
asking: {unrecorded: true}
`, house.Addr(), m.database, who, password, cases, registers))
	return filepath.Join(m.dir, name)
}

// open opens the trail to write.
func (m *modelled) open() *trail.DB {
	m.t.Helper()
	house := embeddedtest.ClickHouse(m.t)
	user, password := house.Credentials(embedded.Owner)
	db, err := trail.Open(m.t.Context(), trail.Config{Addr: house.Addr(), Database: m.database, User: user, Password: password, Timeout: time.Minute})
	if err != nil {
		m.t.Fatal(err)
	}
	return db
}

// plant puts the registers of a history into the server's directory, and into one
// of its own by which commands ask.
func (m *modelled) plant(h *model.History) {
	m.t.Helper()
	for name, text := range h.Files() {
		m.write(filepath.Join("registers", name), text)
		m.write(filepath.Join("registers-"+h.Controller, name), text)
	}
	m.config(h.Controller+".yaml", embedded.Reader, "registers-"+h.Controller)
}

// run runs a command in this process. What has found something that a person must
// act on ends well here.
func (m *modelled) run(ctx context.Context, stdin string, args ...string) ([]byte, error) {
	var out, complaints bytes.Buffer
	root := newRootCommand()
	root.SetArgs(args)
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&out)
	root.SetErr(&complaints)
	if err := root.ExecuteContext(ctx); err != nil && !errors.Is(err, errFound) {
		return nil, fmt.Errorf("%q: %w: %s", args, err, &complaints)
	}
	return out.Bytes(), nil
}

// serve starts the server, with a token for a machine that may ask everything.
func (m *modelled) serve() {
	m.t.Helper()
	file := m.config("server.yaml", embedded.Reader, "registers")
	token, err := m.run(m.t.Context(), "", "access", "token", "new", "model", "--config", file, "--role", "dpo", "--controller", "*")
	if err != nil {
		m.t.Fatal(err)
	}
	m.token = strings.TrimSpace(string(token))
	addr := freeAddr(m.t)
	m.server = "http://" + addr
	ctx, cancel := context.WithCancel(m.t.Context())
	done := make(chan error, 1)
	m.stop = sync.OnceValue(func() error { cancel(); return <-done })
	go func() {
		_, err := m.run(ctx, "", "serve", "--config", file, "--listen", addr)
		done <- err
	}()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if status, text := looked(m.t, m.server+"/readyz"); status == http.StatusOK {
			return
		} else if time.Now().After(deadline) {
			m.t.Fatalf("the server is not ready: %s %v", text, m.stop())
		}
	}
}

// TestModelEveryWay asks the same over HTTP, at the command line, and of a plain
// list of what happened; of each fourth history after its register has changed and
// all was judged again. Each history is asked some of the questions over HTTP, and
// a third of them at the command line as well; all are in turn.
func TestModelEveryWay(t *testing.T) {
	t.Parallel()
	const watched, checks = 4, 2
	base, seeds := model.Seeds(t, 50)
	m := newModelled(t)
	secret, err := identity.ParseSecret(modelSecret)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := identity.New(secret)
	if err != nil {
		t.Fatal(err)
	}
	batch := model.NewBatch(keys, time.Now)
	var histories, judged []*model.History
	for n := range uint64(seeds) {
		h := batch.History(t, base+n, n%4 == 3)
		histories = append(histories, h)
		if n%4 == 3 {
			judged = append(judged, h)
		}
	}
	var watch []*model.Watched
	for n := range uint64(watched) {
		watch = append(watch, batch.Watched(t, base+n))
	}
	m.write("unusual.yaml", string(model.UnusualRules(base%2 == 0)))
	rules, err := unusual.Parse("unusual.yaml", model.UnusualRules(base%2 == 0))
	if err != nil {
		t.Fatal(err)
	}
	db := m.open()
	batch.Insert(t, db)
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	for _, h := range histories {
		m.plant(h)
	}
	for _, w := range watch {
		m.plant(w.History)
	}
	m.rejudge(judged)
	m.serve()
	defer func() {
		if err := m.stop(); err != nil {
			t.Error(err)
		}
	}()
	t.Run("histories", func(t *testing.T) {
		all := model.Checks()
		for n, h := range histories {
			t.Run(h.Controller, func(t *testing.T) {
				t.Parallel()
				for i := range checks {
					c := all[(n+i*(1+n/len(all)%(len(all)-1)))%len(all)]
					way := model.Way(m.api)
					if (n+n/len(all)+i)%3 == 0 { // of each check once, in as many histories as there are checks, thrice
						way = both(t, m.api, m.line(h.Controller))
					}
					c.Run(h, t, way)
				}
			})
		}
	})
	hits := make(map[string]int)
	for _, w := range watch {
		w.Check(t, both(t, m.api, m.line(w.Controller)), rules, hits)
	}
	t.Logf("asked at the command line: %v; unusual: %v", m.commands, hits)
	for _, q := range []model.Question{model.Recipients, model.Timeline, model.Access, model.Unusual, model.Breach, model.Case, model.Recipient, model.Lineage, model.Drift, model.Overview, model.Told, model.Tellings, model.Activities, model.Comparison, model.Facts, model.Duties} {
		if m.commands[q] == 0 && seeds >= 50 {
			t.Errorf("%s was never asked at the command line", q)
		}
	}
}

// rejudge changes the registers of histories, and has all judged again.
func (m *modelled) rejudge(histories []*model.History) {
	m.t.Helper()
	others := 0
	for _, h := range histories {
		others += h.Change(m.t, time.Now())
		m.plant(h)
		file := m.config("rejudge.yaml", embedded.Owner, "registers-"+h.Controller)
		if _, err := m.run(m.t.Context(), "", "rejudge", "--config", file, "--controller", h.Controller); err != nil {
			m.t.Fatal(err)
		}
	}
	if others < 10*len(histories) {
		m.t.Errorf("only %d verdicts are others by the registers that %d histories have now", others, len(histories))
	}
	m.t.Logf("%d verdicts of %d histories are others since the registers have changed", others, len(histories))
}
