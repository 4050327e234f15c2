package slice

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/segmentio/kafka-go"

	"github.com/andmerada/andmerada/deploy/registers"
	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/embedded"
	"github.com/andmerada/andmerada/internal/embedded/embeddedtest"
	"github.com/andmerada/andmerada/internal/emit"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/history"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/ingest"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
)

func TestMain(m *testing.M) { os.Exit(embeddedtest.Main(m)) }

const partitions = 4

// TestEmbedded: what is emitted into the embedded servers is what the trail and
// the answers say.
func TestEmbedded(t *testing.T) {
	t.Parallel()
	past := newPast(t)
	broker := embeddedtest.Kafka(t, partitions)
	s := newSlice(t, broker.Addr(), "events")
	s.emit(past.events)
	s.ingest()
	s.verify(len(past.events), 0)
	s.holdAgainst(past)
	s.answers(past)
	s.replays()
}

// past is a made-up history and what is planted in it.
type past struct {
	registers *register.Set
	events    []*event.Event
	manifest  *history.Manifest
}

func newPast(t testing.TB) *past {
	t.Helper()
	set, err := register.Load(registers.FS)
	if err != nil {
		t.Fatal(err)
	}
	g, err := history.New(set, history.Options{Seed: 7, Events: 20_000, Persons: 500, CohortPart: 100})
	if err != nil {
		t.Fatal(err)
	}
	return &past{registers: set, events: slices.Collect(g.Events()), manifest: g.Manifest()}
}

// slice is one topic on its way into one trail.
type slice struct {
	t         testing.TB
	ctx       context.Context // ends in time for the test to say what did not
	broker    string
	topic     string
	registers *register.Set
	keys      *identity.Keys
	facts     *facts.Store
	trail     *trail.DB
	reader    *trail.DB   // as the server has it: for questions only
	conn      driver.Conn // of the test's own, to see what is stored
}

func newSlice(t testing.TB, broker, topic string) *slice {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context()) // without a deadline, which would go to ClickHouse as a setting
	t.Cleanup(cancel)
	timer := time.AfterFunc(6*time.Minute, cancel)
	t.Cleanup(func() { timer.Stop() })
	s := &slice{t: t, ctx: ctx, broker: broker, topic: topic, facts: facts.New()}
	var err error
	if s.registers, err = register.Load(registers.FS); err != nil {
		t.Fatal(err)
	}
	secret, err := identity.ParseSecret(strings.Repeat("a7", identity.SecretSize))
	if err != nil {
		t.Fatal(err)
	}
	if s.keys, err = identity.New(secret); err != nil {
		t.Fatal(err)
	}
	database, house := embeddedtest.Database(t), embeddedtest.ClickHouse(t)
	open := func(as embedded.User) *trail.DB {
		user, password := house.Credentials(as)
		db, err := trail.Open(t.Context(), trail.Config{Addr: house.Addr(), Database: database, User: user, Password: password, ReadOnly: as == embedded.Reader})
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
	s.trail = open(embedded.Owner)
	s.reader = open(embedded.Reader)
	user, password := house.Credentials(embedded.Reader)
	s.conn, err = clickhouse.Open(&clickhouse.Options{Addr: []string{house.Addr()}, Auth: clickhouse.Auth{Database: database, Username: user, Password: password}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.conn.Close(); err != nil {
			t.Error(err)
		}
	})
	client := kafka.Client{Addr: kafka.TCP(broker)}
	res, err := client.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: topic, NumPartitions: partitions, ReplicationFactor: 1}}})
	if err == nil {
		err = res.Errors[topic]
	}
	if err != nil {
		t.Fatalf("create topic: %v", err)
	}
	s.eventually("the topic is there", func() bool {
		meta, err := client.Metadata(t.Context(), &kafka.MetadataRequest{Topics: []string{topic}})
		return err == nil && len(meta.Topics) == 1 && meta.Topics[0].Error == nil && len(meta.Topics[0].Partitions) == partitions
	})
	return s
}

// emit sends events as `andmerada emit` does.
func (s *slice) emit(events []*event.Event) {
	s.t.Helper()
	transport := &kafka.Transport{} // its own, or it may remember that there was no such topic
	defer transport.CloseIdleConnections()
	w, err := emit.New(emit.Config{Brokers: []string{s.broker}, Topic: s.topic, Transport: transport})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := w.Emit(s.ctx, events...); err != nil {
		s.t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		s.t.Fatal(err)
	}
}

// ingest runs until the group has committed all that the topic has.
func (s *slice) ingest() {
	s.t.Helper()
	i, err := ingest.New(ingest.Config{
		Brokers: []string{s.broker}, Topics: []string{s.topic}, Group: "group-" + s.topic,
		Trail: s.trail, Registers: func() *register.Set { return s.registers }, Keys: s.keys, Facts: s.facts,
		Logger: slog.New(slog.NewTextHandler(s.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(s.ctx)
	done := make(chan error, 1)
	go func() { done <- i.Run(ctx) }()
	s.eventually("all is ingested", func() bool {
		o, err := s.committed() // an error as long as there is no group
		return err == nil && maps.Equal(o.Committed, o.End)
	})
	stop()
	select {
	case err := <-done:
		if err != nil {
			s.t.Errorf("ingest ended: %v", err)
		}
	case <-s.ctx.Done():
		if err := pprof.Lookup("goroutine").WriteTo(s.t.Output(), 1); err != nil {
			s.t.Error(err)
		}
		s.t.Fatal("ingest does not end")
	}
}

func (s *slice) offsets() *ingest.Offsets {
	s.t.Helper()
	o, err := s.committed()
	if err != nil {
		s.t.Fatal(err)
	}
	return o
}

func (s *slice) committed() (*ingest.Offsets, error) {
	return ingest.Committed(s.ctx, nil, []string{s.broker}, s.topic, "group-"+s.topic)
}

func (s *slice) eventually(what string, holds func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if holds() {
			return
		}
	}
	s.t.Fatalf("it never came about that %s", what)
}

// verify asks the oracle, which must have found so many events in the trail and
// so many records in the quarantine.
func (s *slice) verify(events, quarantined int) {
	s.t.Helper()
	o := s.offsets()
	report, err := s.reader.Verify(s.ctx, s.topic, o.End, o.First)
	if err != nil {
		s.t.Fatal(err)
	}
	var inTrail, inQuarantine, missing, doubled int64
	for _, p := range report.Partitions {
		inTrail += p.Trail
		inQuarantine += p.Quarantine
		missing += p.Missing
		doubled += p.Doubled
	}
	if !report.OK() || missing != 0 || doubled != 0 || inTrail != int64(events) || inQuarantine != int64(quarantined) {
		s.t.Errorf("%d events and %d records in quarantine are wanted; the oracle says:\n%s", events, quarantined, report)
	}
}

// holdAgainst compares every stored verdict with the manifest: each planted
// one is as planted, by the rules planted, and every other event is allowed.
func (s *slice) holdAgainst(p *past) {
	s.t.Helper()
	type key struct{ source, id string }
	planted := make(map[key]*history.Entry)
	for _, list := range [][]*history.Entry{p.manifest.Violations, p.manifest.Silences, p.manifest.NearMisses} {
		for _, e := range list {
			planted[key{e.Source, e.ID}] = e
		}
	}
	rows := make(map[key][]history.Found)
	found := slices.DeleteFunc(s.verdicts(), func(f history.Found) bool { return f.Source == kcatSource })
	for _, f := range found {
		k := key{f.Source, f.ID}
		rows[k] = append(rows[k], f)
	}
	events, faults := 0, 0
	fault := func(format string, args ...any) {
		if faults++; faults <= 20 {
			s.t.Errorf(format, args...)
		}
	}
	for _, ev := range p.events {
		if ev.Kind != event.Processing {
			continue
		}
		events++
		k := key{ev.Source, ev.ID}
		if want := max(1, len(ev.Persons)); len(rows[k]) != want {
			fault("%s %s has %d verdicts, %d persons", ev.Source, ev.ID, len(rows[k]), want)
		}
		want, kind, rules := register.Allowed, "everyday", []string(nil)
		if e := planted[k]; e != nil {
			want, kind, rules = e.Verdict, e.Kind, e.Rules
		}
		for _, f := range rows[k] {
			if f.Outcome != want {
				fault("%s %s (%s) is %s by %v, not %s", ev.Source, ev.ID, kind, f.Outcome, f.Rules, want)
			}
			for _, rule := range rules {
				if want > register.Allowed && !slices.Contains(f.Rules, rule) {
					fault("%s %s (%s) is %s by %v, and not by %s", ev.Source, ev.ID, kind, f.Outcome, f.Rules, rule)
				}
			}
		}
		delete(rows, k)
	}
	if len(rows) > 0 {
		fault("%d events have verdicts and were never sent", len(rows))
	}
	report := p.manifest.Compare(slices.Values(found))
	if !report.OK() || report.AsPlanted != len(p.manifest.Violations) || report.AsPlanted == 0 || report.SilencesFound != len(p.manifest.Silences) {
		s.t.Error(report)
	}
	s.t.Logf("%d processing events; %s", events, report)
}

// verdicts reads every verdict there is, past the code that answers use.
func (s *slice) verdicts() (all []history.Found) {
	s.t.Helper()
	rows, err := s.conn.Query(s.ctx, "SELECT source, event_id, toString(verdict), CAST(rules, 'Array(String)') FROM trail_rows WHERE operation NOT IN ('fact', 'cohort')")
	if err != nil {
		s.t.Fatal(err)
	}
	for rows.Next() {
		var f history.Found
		var name string
		if err := rows.Scan(&f.Source, &f.ID, &name, &f.Rules); err != nil {
			s.t.Fatal(err)
		}
		if f.Outcome, err = register.ParseOutcome(name); err != nil {
			s.t.Fatal(err)
		}
		all = append(all, f)
	}
	if err := rows.Err(); err != nil {
		s.t.Fatal(err)
	}
	return all
}

// answers asks who received the data of the persons to try and of many others,
// each by another identifier, and compares with a slow walk over all events.
func (s *slice) answers(p *past) {
	s.t.Helper()
	deps := answer.Deps{Trail: s.reader, Registers: s.registers, Keys: s.keys, Now: time.Now}
	var requests []answer.Request
	for _, id := range []history.Identified{p.manifest.Try.ManyRecipients, p.manifest.Try.Withdrawn} {
		requests = append(requests, answer.Request{Controller: id.Controller, Person: answer.Person{Scheme: id.Scheme, Value: id.Identifier}})
	}
	n := 0
	for _, ev := range p.events {
		if ev.Kind != event.FactEvent || ev.Fact.Name != event.IdentityFact {
			continue
		}
		if n++; n%12 == 0 {
			who := ev.Persons[n/12%len(ev.Persons)]
			requests = append(requests, answer.Request{Controller: ev.Controller, Person: answer.Person{Scheme: who.Scheme, Value: who.Value}})
		}
	}
	byCohort, violations, received := 0, 0, 0
	for _, req := range requests {
		got, err := answer.Recipients(s.ctx, deps, answer.RecipientsRequest{Request: req})
		if err != nil {
			s.t.Fatal(err)
		}
		want := p.received(req)
		for _, w := range want {
			byCohort += w.ByCohort
			violations += w.Violation
			received += w.Count
		}
		if diff := differ(want, ofAnswer(s.t, got)); diff != "" {
			s.t.Errorf("who received the data of a person of %s, asked by %s:\n%s", req.Controller, req.Person.Scheme, diff)
		}
	}
	if byCohort == 0 || violations == 0 || received < len(requests) {
		s.t.Errorf("%d persons were asked for: %d events, %d by a cohort, %d violations: too little to tell", len(requests), received, byCohort, violations)
	}
	s.t.Logf("%d persons, %d events, %d by a cohort, %d violations", len(requests), received, byCohort, violations)
}

// differ tells two tallies apart, "" if they are the same.
func differ(want, got map[string]tally) string {
	var b strings.Builder
	names := slices.Sorted(maps.Keys(want))
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[name]; !ok {
			names = append(names, name)
		}
	}
	for _, name := range names {
		w, _ := json.Marshal(want[name]) //nolint:errchkjson // plain values
		g, _ := json.Marshal(got[name])
		if string(w) != string(g) {
			fmt.Fprintf(&b, "  %q\n    want %s\n    got  %s\n", name, w, g)
		}
	}
	return b.String()
}
