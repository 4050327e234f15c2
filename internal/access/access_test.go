package access

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/identity"
)

func person(n byte) (p identity.Pseudonym) {
	p[0] = n
	return p
}

// Every role is held against every question: exactly what the table says, and
// only for one's own controllers.
func TestAllow(t *testing.T) {
	t.Parallel()
	for _, role := range Roles() {
		p := &Principal{ID: "x", Grants: []Grant{{role, []string{"acme"}}}, Persons: []identity.Pseudonym{person(1)}}
		for _, line := range Table() {
			stands := false
			for _, r := range line.Roles {
				stands = stands || r == role
			}
			about := Scope{Controller: "acme", Person: person(1)}
			as, err := Allow(p, line.Question, about)
			if stands != (err == nil) || stands && as != role || err != nil && !errors.Is(err, ErrDenied) {
				t.Errorf("%s asks %s: as %q, %v", role, line.Question, as, err)
			}
			for name, other := range map[string]Scope{"another controller": {"other", person(1)}, "all controllers": {"", person(1)}} {
				if _, err := Allow(p, line.Question, other); !errors.Is(err, ErrDenied) {
					t.Errorf("%s asks %s of %s: %v", role, line.Question, name, err)
				}
			}
			if role == Agent && line.Person {
				for name, other := range map[string]Scope{"another person": {"acme", person(2)}, "no person": {Controller: "acme"}} {
					if _, err := Allow(p, line.Question, other); !errors.Is(err, ErrDenied) {
						t.Errorf("an agent asks %s of %s: %v", line.Question, name, err)
					}
				}
			}
		}
	}
	everywhere := &Principal{Grants: []Grant{{DPO, []string{Everyone}}}}
	if _, err := Allow(everywhere, Drift, Scope{}); err != nil {
		t.Errorf("all controllers: %v", err)
	}
	if _, err := Allow(everywhere, "gossip", Scope{}); !errors.Is(err, ErrDenied) {
		t.Errorf("a question outside the table: %v", err)
	}
	if _, err := Allow(nil, Drift, Scope{}); !errors.Is(err, ErrNobody) {
		t.Errorf("nobody: %v", err)
	}
	if _, err := Allow(&Principal{ID: "x"}, Register, Scope{Controller: "acme"}); !errors.Is(err, ErrDenied) {
		t.Errorf("no role: %v", err)
	}
}

// A role for one controller does not carry over to another, held by another role.
func TestGrantsDoNotWiden(t *testing.T) {
	t.Parallel()
	p := &Principal{Grants: []Grant{{DPO, []string{"acme"}}, {Auditor, []string{"other"}}}}
	for _, c := range []struct {
		q          Question
		controller string
		as         Role
	}{{Facts, "acme", DPO}, {Facts, "other", ""}, {Recipients, "acme", DPO}, {Recipients, "other", Auditor}} {
		as, err := Allow(p, c.q, Scope{Controller: c.controller})
		if as != c.as || (err == nil) != (c.as != "") {
			t.Errorf("%s of %s: as %q, %v", c.q, c.controller, as, err)
		}
	}
	if got := fmt.Sprint(p.Controllers(Facts), p.Controllers(Recipients), p.Controllers(Breach)); got != "[acme] [acme other] [acme]" {
		t.Error(got)
	}
	_, err := Allow(p, Facts, Scope{Controller: "49403136526"})
	if err == nil || strings.Contains(err.Error(), "49403136526") || !strings.Contains(err.Error(), "acme") {
		t.Errorf("the error: %v", err)
	}
}

// docs/access.md shows the table that is in force.
func TestTheTableIsDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/access.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for _, line := range Table() {
		fmt.Fprintf(&want, "| `%s` | %s |", line.Question, line.Asks)
		for _, role := range Roles() {
			mark := ""
			for _, r := range line.Roles {
				if r == role {
					mark = "yes"
				}
			}
			fmt.Fprintf(&want, " %s |", mark)
		}
		want.WriteByte('\n')
	}
	if !strings.Contains(string(text), want.String()) {
		t.Errorf("docs/access.md lacks the table as it is:\n%s", want.String())
	}
}

type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func writeTokens(t *testing.T, file, text string, at time.Time) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(file, at, at); err != nil {
		t.Fatal(err)
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	c := &clock{time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	file := filepath.Join(t.TempDir(), "tokens.yaml")
	good, old := NewToken(), NewToken()
	entry := func(name, token, expires string) string {
		return fmt.Sprintf("  - {name: %s, sha256: %s, roles: [auditor], controllers: [acme], expires: %s}\n", name, HashToken(token), expires)
	}
	writeTokens(t, file, "tokens:\n"+entry("good", good, "2026-04-01T00:00:00Z")+entry("old", old, "2026-03-01T12:00:00Z"), c.t)
	tokens, err := OpenTokens(file, slog.New(slog.DiscardHandler), c.now)
	if err != nil {
		t.Fatal(err)
	}
	p, err := tokens.Principal(good)
	if err != nil || p.ID != "good" || !p.Machine || !p.Sees("acme") || p.Sees("other") {
		t.Errorf("good: %+v, %v", p, err)
	}
	for name, token := range map[string]string{
		"expired": old, "unknown": NewToken(), "empty": "", "hash": HashToken(good), "prefix only": TokenPrefix,
		"longer": good + "A", "shorter": good[:len(good)-1], "other case": strings.ToLower(good), "without prefix": strings.TrimPrefix(good, TokenPrefix),
	} {
		if p, err := tokens.Principal(token); !errors.Is(err, ErrNobody) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	// Taken back, then a slip in the file, then given again.
	for i, step := range []struct {
		text string
		ok   bool
	}{
		{"tokens:\n" + entry("old", old, "2026-03-01T12:00:00Z"), false},
		{"tokens:\n" + entry("good", good, "2026-04-01T00:00:00Z"), true},
		{"tokens: [\n" + entry("good", good, "2026-04-01T00:00:00Z"), false},
		{"tokens:\n" + entry("good", good, "2026-04-01T00:00:00Z"), true},
		{"", false},
	} {
		c.t = c.t.Add(time.Minute)
		writeTokens(t, file, step.text, c.t)
		if _, err := tokens.Principal(good); (err == nil) != step.ok {
			t.Errorf("step %d: %v", i, err)
		}
	}
	writeTokens(t, file, "tokens:\n"+entry("good", good, "2026-04-01T00:00:00Z"), c.t)
	c.t = c.t.Add(time.Minute)
	if _, err := tokens.Principal(good); err != nil {
		t.Error(err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	c.t = c.t.Add(time.Minute)
	if _, err := tokens.Principal(good); !errors.Is(err, ErrNobody) {
		t.Errorf("the file is gone: %v", err)
	}
}

func TestTokensThatAreRefused(t *testing.T) {
	t.Parallel()
	hash := HashToken("x")
	for want, text := range map[string]string{
		"unknown field":     "tokens:\n  - {name: a, token: secret}\n",
		"no role":           "tokens:\n  - {name: a, sha256: " + hash + ", roles: [king], controllers: [acme], expires: 2026-04-01T00:00:00Z}\n",
		"expires":           "tokens:\n  - {name: a, sha256: " + hash + ", roles: [dpo], controllers: [acme]}\n",
		"at least one":      "tokens:\n  - {name: a, sha256: " + hash + ", roles: [dpo], expires: 2026-04-01T00:00:00Z}\n",
		"64 hexadecimal":    "tokens:\n  - {name: a, sha256: abc, roles: [dpo], controllers: [acme], expires: 2026-04-01T00:00:00Z}\n",
		"names whom it may": "tokens:\n  - {name: a, sha256: " + hash + ", roles: [agent], controllers: [acme], expires: 2026-04-01T00:00:00Z}\n",
		"has the name":      "tokens:\n" + strings.Repeat("  - {name: a, sha256: "+hash+", roles: [dpo], controllers: [acme], expires: 2026-04-01T00:00:00Z}\n", 2),
	} {
		if _, err := ParseTokens([]byte(text)); err == nil || !strings.Contains(err.Error(), want) && want != "no role" || want == "no role" && !strings.Contains(err.Error(), "king") {
			t.Errorf("%s: %v", want, err)
		}
	}
}

type emitter struct {
	events []*event.Event
	err    error
}

func (e *emitter) Emit(_ context.Context, events ...*event.Event) error {
	for _, ev := range events {
		ev.ID, ev.Time = "1", time.Unix(1_700_000_000, 0)
		ev.Type = ev.TypeName()
		if _, _, err := event.EncodeBinary(ev); err != nil {
			return err
		}
	}
	e.events = append(e.events, events...)
	return e.err
}

func TestRecord(t *testing.T) {
	t.Parallel()
	to := &emitter{}
	r := NewRecorder(to)
	mari := &Principal{ID: "mari", Grants: []Grant{{DPO, []string{Everyone}}}}
	if err := r.Record(t.Context(), &Asked{Who: mari, As: DPO, Question: Recipients, Controllers: []string{"acme"}, Person: person(7), Persons: 1, Reason: "request 17"}); err != nil {
		t.Fatal(err)
	}
	ev := to.events[0]
	q, about, ok := ev.Question()
	if !ok || q != "recipients" || !about || ev.Actor != (event.Actor{ID: "mari", Kind: event.ActorHuman, Role: "dpo"}) || ev.Reason != "request 17" ||
		len(ev.Persons) != 1 || ev.Persons[0] != (event.Person{Scheme: "pseudonym", Value: person(7).String()}) || ev.Controller != "acme" {
		t.Errorf("%+v", ev)
	}
	to.events = nil
	if err := r.Record(t.Context(), &Asked{Who: &Principal{ID: "nightly", Machine: true}, As: Auditor, Question: Drift, Controllers: []string{"acme", "other"}}); err != nil {
		t.Fatal(err)
	}
	if len(to.events) != 2 || to.events[1].Controller != "other" || to.events[1].Actor.Kind != event.ActorService || to.events[0].Cohort.ID == "" {
		t.Errorf("of two controllers: %+v", to.events)
	}
	// A person who looks at his own data is named by a pseudonym only.
	to.events = nil
	self := &Principal{ID: "person", Self: func(string) (identity.Pseudonym, error) { return person(9), nil }}
	if err := r.Record(t.Context(), &Asked{Who: self, As: Agent, Question: Timeline, Controllers: []string{"acme"}, Person: person(9)}); err != nil || to.events[0].Actor.ID != "person-"+person(9).String() {
		t.Errorf("%v %+v", err, to.events)
	}
	to.events = nil
	if err := r.Record(t.Context(), &Asked{Who: mari, As: DPO, Question: Register, Controllers: []string{"acme"}}); err != nil || len(to.events) > 0 {
		t.Errorf("a register is no one's data: %v, %v", err, to.events)
	}
}

func TestWhatIsNotRecordedIsNotAnswered(t *testing.T) {
	t.Parallel()
	ask := Asked{Who: &Principal{ID: "mari"}, As: DPO, Question: Drift, Controllers: []string{"acme"}}
	var none *Recorder
	for name, err := range map[string]error{
		"no recorder": none.Record(t.Context(), &ask),
		"Kafka away":  NewRecorder(&emitter{err: errors.New("away")}).Record(t.Context(), &ask),
		"nobody":      NewRecorder(&emitter{}).Record(t.Context(), &Asked{Question: Drift, Controllers: []string{"acme"}}),
		"what":        NewRecorder(&emitter{}).Record(t.Context(), &Asked{Who: ask.Who, Question: "gossip", Controllers: []string{"acme"}}),
	} {
		if !errors.Is(err, ErrNotRecorded) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := NewRecorder(nil).Record(t.Context(), &ask); err != nil {
		t.Errorf("where it is switched off: %v", err)
	}
	// Whoever hangs up has asked all the same.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	to := &emitter{}
	if err := NewRecorder(to).Record(ctx, &ask); err != nil || len(to.events) != 1 {
		t.Errorf("%v, %v", err, to.events)
	}
}

func TestCheckReason(t *testing.T) {
	t.Parallel()
	for reason, ok := range map[string]bool{
		"request 17": true, "": true, "õiguskantsleri päring": true, strings.Repeat("x", event.MaxReason+1): false,
		"about EL-100017": false, "about el-100017, again": false, "two\nlines": false, "\x00": false,
	} {
		if err := CheckReason(reason, "EL-100017"); (err == nil) != ok || err != nil && strings.Contains(err.Error(), "100017") {
			t.Errorf("%.20q: %v", reason, err)
		}
	}
}
