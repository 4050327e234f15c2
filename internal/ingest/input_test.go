package ingest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/segmentio/kafka-go"

	"github.com/andmerada/andmerada/internal/embedded"
	"github.com/andmerada/andmerada/internal/embedded/embeddedtest"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/identity"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/trail"
	"github.com/andmerada/andmerada/internal/verdict"
)

// quarantined is what the quarantine has, by offset.
func (w *world) quarantined(partition int32) map[int64]trail.QuarantineRow {
	w.t.Helper()
	conn := w.conn()
	defer conn.Close()
	rows, err := conn.Query(w.t.Context(), "SELECT offset, reason, pointer, detail, source, sealed, size FROM quarantine WHERE partition = "+fmt.Sprint(partition))
	if err != nil {
		w.t.Fatal(err)
	}
	all := make(map[int64]trail.QuarantineRow)
	for rows.Next() {
		var q trail.QuarantineRow
		var offset uint64
		var sealed string
		if err := rows.Scan(&offset, &q.Reason, &q.Pointer, &q.Detail, &q.Source, &sealed, &q.Size); err != nil {
			w.t.Fatal(err)
		}
		q.Offset, q.Sealed = int64(offset), []byte(sealed)
		all[q.Offset] = q
	}
	if err := rows.Err(); err != nil {
		w.t.Fatal(err)
	}
	return all
}

func (w *world) conn() driver.Conn {
	w.t.Helper()
	conn, err := w.connTo(embeddedtest.ClickHouse(w.t), embedded.Owner)
	if err != nil {
		w.t.Fatal(err)
	}
	return conn
}

func (w *world) connTo(house *embedded.ClickHouse, as embedded.User) (driver.Conn, error) {
	user, password := house.Credentials(as)
	return clickhouse.Open(&clickhouse.Options{Addr: []string{house.Addr()}, Auth: clickhouse.Auth{Database: w.database, Username: user, Password: password}})
}

// with changes an ordinary event.
func with(n int, change func(*event.Event)) *event.Event {
	ev := billing(n)
	change(ev)
	return ev
}

func TestWhereEachInputEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	raw := func(value string, headers ...string) kafka.Message {
		m := kafka.Message{Key: []byte("k"), Value: []byte(value)}
		for i := 0; i < len(headers); i += 2 {
			m.Headers = append(m.Headers, kafka.Header{Key: headers[i], Value: []byte(headers[i+1])})
		}
		return m
	}
	const who = "49001010017" // must never be seen again
	edit := func(n int, old, replacement string) kafka.Message {
		m := message(t, billing(n))
		if !bytes.Contains(m.Value, []byte(old)) {
			t.Fatalf("%s has no %s", m.Value, old)
		}
		m.Value = bytes.Replace(m.Value, []byte(old), []byte(replacement), 1)
		return m
	}
	header := func(n int, name, value string) kafka.Message {
		m := message(t, billing(n))
		for i := range m.Headers {
			if m.Headers[i].Key == name {
				m.Headers[i].Value = []byte(value)
			}
		}
		return m
	}
	at := func(year int) kafka.Message {
		return message(t, with(year, func(ev *event.Event) { ev.Time = time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC) }))
	}
	truncated := message(t, billing(100))
	truncated.Value = truncated.Value[:len(truncated.Value)/2]
	tombstone := message(t, billing(101))
	tombstone.Value = nil
	cases := []struct {
		name    string
		m       kafka.Message
		reason  string // of the quarantine; "" = in the trail
		pointer string
		check   func(r trail.Row) string // what is wrong with the row
	}{
		{name: "cut short", m: truncated, reason: "not-json"},
		{name: "a number for a purpose", m: edit(102, `"purpose":"elektrum/billing"`, `"purpose":7`), reason: "wrong-type", pointer: "/data/purpose"},
		{name: "an object for a list", m: edit(103, `"categories":["name"]`, `"categories":{}`), reason: "wrong-type", pointer: "/data/categories"},
		{name: "no purpose", m: edit(104, `"purpose":"elektrum/billing",`, ``), reason: "missing", pointer: "/data/purpose"},
		{name: "undeclared purpose", m: edit(105, "elektrum/billing", "elektrum/gossip"), check: func(r trail.Row) string {
			if r.Verdict < verdict.Review || !slices.Contains(r.Rules, "X-02") {
				return "an undeclared purpose passes"
			}
			return ""
		}},
		{name: "another controller's purpose", m: edit(106, "elektrum/billing", "netpro/billing"), check: func(r trail.Row) string {
			if r.Verdict != verdict.Violation {
				return "another controller's purpose is no violation"
			}
			return ""
		}},
		{name: "unknown controller", m: edit(107, `"controller":"elektrum"`, `"controller":"nobody"`), reason: ReasonUnknownController, pointer: "/data/controller"},
		{name: "10 MB", m: edit(108, `"records":1`, `"reason":"`+strings.Repeat("x", 10<<20)+`"`), reason: "too-large"},
		{name: "not UTF-8", m: edit(109, `"u-7"`, "\"u-\xff\""), reason: "not-utf8"},
		{name: "NUL", m: edit(110, `"u-7"`, `"u-\u0000"`), reason: "control-character", pointer: "/data/actor/id"},
		{name: "NUL in a header", m: header(111, "ce_id", "a\x00b"), reason: "control-character", pointer: "/id"},
		{name: "nesting bomb", m: edit(112, `"records":1`, `"records":`+strings.Repeat("[", 100_000)), reason: "too-deep"},
		{name: "1970", m: at(1970), reason: ReasonTime, pointer: "/time"},
		{name: "2200", m: at(2200), reason: ReasonTime, pointer: "/time"},
		{name: "in an hour", m: message(t, with(113, func(ev *event.Event) { ev.Time = time.Now().Add(time.Hour) }))},
		{name: "in two days", m: message(t, with(114, func(ev *event.Event) { ev.Time = time.Now().Add(48 * time.Hour) })), reason: ReasonTime, pointer: "/time"},
		{name: "before any register", m: at(2010), check: func(r trail.Row) string {
			if r.Verdict != verdict.Review || !slices.Equal(r.Rules, []string{verdict.NotInForce}) {
				return "an event from before the register is not left to a person"
			}
			return ""
		}},
		{name: "sent once", m: message(t, billing(115)), check: func(r trail.Row) string {
			if r.Duplicate {
				return "a first event is a duplicate"
			}
			return ""
		}},
		{name: "sent twice", m: message(t, billing(115)), check: func(r trail.Row) string {
			if !r.Duplicate {
				return "a duplicate is not flagged"
			}
			return ""
		}},
		{name: "tombstone", m: tombstone, reason: ReasonEmpty},
		{name: "nothing at all", m: kafka.Message{}, reason: ReasonEmpty},
		{name: "not an event", m: raw("hello " + who), reason: "not-json"},
		{name: "some other JSON", m: raw(`{"isikukood":"` + who + `"}`), reason: "not-cloudevent"},
		{name: "a batch of events", m: raw("[]", "content-type", "application/cloudevents-batch+json"), reason: "batch-mode"},
		{name: "unknown type", m: header(116, "ce_type", "ee.andmerada.peek.v1"), reason: "unknown-operation", pointer: "/type"},
		{name: "a phone without digits", m: edit(117, `"scheme":"customer-number","value":"C-117"`, `"scheme":"phone","value":"`+"none of yours"+`"`), reason: ReasonIdentifier},
		{name: "an identifier as a number", m: edit(118, `"value":"C-118"`, `"value":`+who), reason: "wrong-type"},
		{name: "an identifier as a name", m: edit(119, `"records":1`, `"records":"`+who+`"`), reason: "wrong-type"},
		{name: "three persons", m: message(t, with(120, func(ev *event.Event) {
			ev.Persons = []event.Person{{Scheme: "email", Value: "a@example.ee"}, {Scheme: "email", Value: "b@example.ee"}, {Scheme: "email", Value: " A@Example.ee"}}
		})), check: func(r trail.Row) string {
			if r.Of != 3 {
				return "it has not three rows"
			}
			return ""
		}},
	}
	neighbour := func(n int) kafka.Message { return message(t, billing(10_000+n)) }
	messages := []kafka.Message{neighbour(0)}
	for n, c := range cases {
		messages = append(messages, c.m, neighbour(n+1))
	}
	w.send(messages...)
	i, _ := w.start(w.config())
	w.waitCommitted("ingest-test")
	w.verify()
	quarantined := w.quarantined(0)
	wanted := 0
	for n, c := range cases {
		offset := int64(2*n + 1)
		rows, err := w.trail.Event(t.Context(), w.topic, 0, offset)
		if err != nil {
			t.Fatal(err)
		}
		q, there := quarantined[offset]
		switch {
		case c.reason == "" && (there || len(rows) == 0):
			t.Errorf("%s: not in the trail but %s at %s: %s", c.name, q.Reason, q.Pointer, q.Detail)
		case c.reason == "":
			if c.check != nil {
				if wrong := c.check(rows[0]); wrong != "" {
					t.Errorf("%s: %s: verdict %v, rules %v, of %d, duplicate %v", c.name, wrong, rows[0].Verdict, rows[0].Rules, rows[0].Of, rows[0].Duplicate)
				}
			}
		case len(rows) > 0 || !there:
			t.Errorf("%s: in the trail, not in the quarantine", c.name)
		default:
			wanted++
			if q.Reason != c.reason || c.pointer != "" && q.Pointer != c.pointer {
				t.Errorf("%s: %s at %q, want %s at %q: %s", c.name, q.Reason, q.Pointer, c.reason, c.pointer, q.Detail)
			}
			if q.Detail == "" || strings.Contains(q.Detail+q.Pointer+q.Source, who) {
				t.Errorf("%s: detail %q", c.name, q.Detail)
			}
			w.sameRecord(c.name, &c.m, &q)
		}
		for _, o := range []int64{offset - 1, offset + 1} {
			if rows, err := w.trail.Event(t.Context(), w.topic, 0, o); err != nil || len(rows) != 1 || rows[0].Verdict == 0 {
				t.Errorf("%s: its neighbour at %d has %d rows, %v", c.name, o, len(rows), err)
			}
		}
	}
	if len(quarantined) != wanted {
		t.Errorf("%d records in the quarantine, want %d", len(quarantined), wanted)
	}
	if s := i.Stats(); s.Events != uint64(len(messages)) || s.Quarantined[ReasonTime] != 3 {
		t.Errorf("stats: %+v", s)
	}
}

// sameRecord checks that the quarantine has a record whole.
func (w *world) sameRecord(name string, m *kafka.Message, q *trail.QuarantineRow) {
	w.t.Helper()
	body, err := w.keys.Open(q.Sealed, identity.Place{Topic: w.topic, Partition: 0, Offset: q.Offset})
	if err != nil {
		w.t.Errorf("%s: %v", name, err)
		return
	}
	r, err := ParseRecord(body)
	if err != nil || !bytes.Equal(r.Key, m.Key) || !bytes.Equal(r.Value, m.Value) || (r.Value == nil) != (m.Value == nil) || len(r.Headers) != len(m.Headers) || int(q.Size) != len(body) {
		w.t.Errorf("%s: the quarantine has another record: %v", name, err)
		return
	}
	for i := range r.Headers {
		if r.Headers[i].Key != m.Headers[i].Key || !bytes.Equal(r.Headers[i].Value, m.Headers[i].Value) {
			w.t.Errorf("%s: header %d differs", name, i)
		}
	}
}

func TestFactsRuleTheEventsAfterThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	now := time.Now().UTC().Truncate(time.Millisecond)
	mail := func(id string, at time.Time) kafka.Message {
		return message(t, with(1, func(ev *event.Event) {
			ev.ID, ev.Time = id, at
			ev.Operation, ev.Purpose, ev.Channel = event.Use, "elektrum/direct-marketing", "email"
		}))
	}
	consent := func(id string, at time.Time, c event.Consent) kafka.Message {
		return message(t, &event.Event{
			Kind: event.FactEvent, ID: id, Source: "crm", Time: at, Controller: "elektrum", Persons: billing(1).Persons,
			Fact: event.Fact{Name: "consent", ValidFrom: at, Value: event.Facts{Consents: event.List[event.Consent]{Known: true, Entries: []event.Consent{c}}}},
		})
	}
	given, withdrawn := now.Add(-4*time.Hour), now.Add(-2*time.Hour)
	w.send(
		mail("nothing known", now.Add(-3*time.Hour)),
		consent("given", given, event.Consent{Purpose: "elektrum/direct-marketing", GivenAt: given, Form: "electronic"}),
		mail("before the consent", given.Add(-time.Hour)),
		mail("under the consent", given.Add(time.Hour)),
		consent("withdrawn", withdrawn, event.Consent{Purpose: "elektrum/direct-marketing", WithdrawnAt: withdrawn}),
		mail("under it, told late", given.Add(time.Hour)),
		mail("after the withdrawal", withdrawn.Add(time.Hour)),
	)
	_, stop := w.start(w.config())
	w.waitCommitted("ingest-test")
	row := func(offset int64) trail.Row {
		rows, err := w.trail.Event(t.Context(), w.topic, 0, offset)
		if err != nil || len(rows) != 1 {
			t.Fatalf("offset %d: %d rows, %v", offset, len(rows), err)
		}
		return rows[0]
	}
	judged := func(offsets ...int64) (out []verdict.Outcome) {
		for _, o := range offsets {
			out = append(out, row(o).Verdict)
		}
		return out
	}
	want := []verdict.Outcome{verdict.Allowed, verdict.Allowed, verdict.Violation}
	if got := judged(3, 5, 6); !slices.Equal(got, want) {
		t.Errorf("under, under (told late), after: %v, want %v; rules %v", got, want, row(3).Rules)
	}
	if row(0).Verdict == verdict.Allowed || row(2).Verdict == verdict.Allowed {
		t.Errorf("without a consent: %v, %v", row(0).Verdict, row(2).Verdict)
	}
	if f := row(1); f.Operation != trail.OperationFact || f.Fact != "consent" || !strings.Contains(f.FactValue, "elektrum/direct-marketing") || !f.FactValidFrom.Equal(given) || f.Verdict != 0 {
		t.Errorf("the fact's row: %+v", f)
	}
	stop()

	// Another process knows the facts from the trail.
	w.send(mail("under it, after a restart", given.Add(time.Hour)), mail("after it, after a restart", withdrawn.Add(time.Hour)))
	w.start(w.config())
	w.waitCommitted("ingest-test")
	if got, want := judged(7, 8), want[1:]; !slices.Equal(got, want) {
		t.Errorf("after a restart: %v, want %v", got, want)
	}
	w.verify()
}

func TestCohorts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	members := func(part uint32, from, to int) kafka.Message {
		ev := &event.Event{
			Kind: event.CohortPart, ID: fmt.Sprint("part", part), Source: "dwh", Time: time.Now(), Controller: "elektrum",
			Cohort: event.Cohort{ID: "export-1", Size: 2500, Part: part, Parts: 2},
		}
		for n := from; n < to; n++ {
			ev.Cohort.Members = append(ev.Cohort.Members, event.Person{Scheme: "customer-number", Value: fmt.Sprint("C-", n)})
		}
		return message(t, ev)
	}
	export := message(t, with(1, func(ev *event.Event) {
		ev.Persons, ev.Cohort = nil, event.Cohort{ID: "export-1", Size: 2500}
		ev.Operation, ev.Recipient = event.Transfer, event.Recipient{ID: "elektrum/creditinfo-eesti"}
	}))
	w.send(members(1, 0, 1500), members(2, 1500, 2500), export)
	w.start(w.config())
	w.waitCommitted("ingest-test")
	w.verify()
	own, err := w.keys.Cohort("elektrum", "export-1")
	if err != nil {
		t.Fatal(err)
	}
	for offset, want := range []struct {
		op      event.Operation
		records uint64
	}{{trail.OperationCohort, 1500}, {trail.OperationCohort, 1000}, {event.Transfer, 1}} {
		rows, err := w.trail.Event(t.Context(), w.topic, 0, int64(offset))
		if err != nil || len(rows) != 1 {
			t.Fatalf("offset %d: %d rows, %v", offset, len(rows), err)
		}
		if r := rows[0]; r.Operation != want.op || r.Records != want.records || r.Person != own || !r.Cohort || r.CohortID != "export-1" || r.Of != 1 {
			t.Errorf("offset %d: %+v", offset, r)
		}
	}
	conn := w.conn()
	defer conn.Close()
	var n, distinct uint64
	if err := conn.QueryRow(context.Background(), "SELECT count(), uniqExact(person) FROM cohort_members").Scan(&n, &distinct); err != nil || n != 2500 || distinct != 2500 {
		t.Errorf("%d members, %d of them different, %v", n, distinct, err)
	}
}

func TestAFailureOfOursCostsOneEvent(t *testing.T) {
	t.Parallel()
	// A set of registers that is not there makes judging fail.
	j := &judge{topic: "t", keys: testKeys(t), recent: newRecent(10), log: newWorldLog(t), registers: (*register.Set)(nil)}
	m := message(t, billing(1))
	var out rowsOf
	if err := j.record(recordOf(m, 7), time.Now(), &out); err != nil {
		t.Fatal(err)
	}
	if len(out.rows) != 0 || len(out.refused) != 1 || out.refused[0].Reason != ReasonInternal {
		t.Errorf("%d rows, quarantine %+v", len(out.rows), out.refused)
	}
}
