package server

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/answer/answertest"
	"github.com/andmerada/andmerada/internal/event"
)

const actor = "u17" // who acted in event 2

// revealing is a server with principals by name, of which all are dpo of acme
// but "else" and "audit", and whose questions come to the trail on sync.
type revealing struct {
	*fixture
	deps   answer.Deps
	tokens map[string]string
	next   int64
	now    time.Time
}

func startRevealing(t *testing.T, approval bool) *revealing {
	t.Helper()
	r := &revealing{tokens: make(map[string]string), next: answertest.Planted, now: answertest.Start.Add(24 * time.Hour)}
	text := "tokens:\n"
	for name, grant := range map[string]string{
		"mari": "roles: [dpo], controllers: [acme]", "jaan": "roles: [dpo], controllers: [acme]", "else": "roles: [dpo], controllers: [other]", "audit": "roles: [auditor], controllers: [acme]",
		"soc": "roles: [responder], controllers: [acme]", "feed": "roles: [source], controllers: [acme]",
	} {
		r.tokens[name] = access.NewToken()
		text += fmt.Sprintf("  - {name: %s, sha256: %s, %s, expires: 2100-01-01T00:00:00Z}\n", name, access.HashToken(r.tokens[name]), grant)
	}
	file := filepath.Join(t.TempDir(), "tokens.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r.fixture = start(t, func(c *Config) {
		list, err := access.OpenTokens(file, c.Logger, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		c.Access, c.RevealApproval = &access.Gate{Tokens: list}, approval
		c.Answers.Now = func() time.Time { return r.now }
		r.deps = c.Answers
	})
	return r
}

// sync stores what was recorded, and returns it.
func (r *revealing) sync() []*event.Event {
	r.t.Helper()
	r.now = r.now.Add(time.Minute)
	asked := r.emitted.take()
	for _, ev := range asked {
		ev.ID, ev.Time = fmt.Sprint("q", r.next), r.now
	}
	if len(asked) > 0 {
		answertest.Store(r.t, r.deps, r.next, asked...)
		r.next += int64(len(asked))
	}
	return asked
}

func (r *revealing) call(name, method, path, body string) (Reveal, int) {
	r.t.Helper()
	res := r.as(r.tokens[name], method, path, body)
	var v Reveal
	if res.StatusCode == 200 {
		if err := json.Unmarshal([]byte(res.text), &v); err != nil {
			r.t.Fatal(err)
		}
	} else if strings.Contains(res.text, actor) {
		r.t.Errorf("%s %s as %s: %s", method, path, name, res.text)
	}
	return v, res.StatusCode
}

const revealTwo = `{"topic":"andmerada.events","partition":0,"offset":2,"reason":"case 9"}`

func TestActorsAreMasked(t *testing.T) {
	t.Parallel()
	r := startRevealing(t, false)
	for _, path := range []string{"/v1/events/andmerada.events/0/2", "/events/andmerada.events/0/2"} {
		res := r.as(r.tokens["mari"], "GET", path, "")
		if res.StatusCode != 200 || strings.Contains(res.text, actor) || !strings.Contains(res.text, "actor-") {
			t.Errorf("%s: %d %s", path, res.StatusCode, res.text)
		}
	}
}

func TestRevealWithAReason(t *testing.T) {
	t.Parallel()
	r := startRevealing(t, false)
	v, status := r.call("mari", "POST", "/v1/reveals", revealTwo)
	if status != 200 || v.Status != "granted" || v.ActorID != actor {
		t.Fatalf("%d %+v", status, v)
	}
	asked := r.sync()
	if len(asked) != 1 || asked[0].Reason != "case 9" || asked[0].Actor.ID != "mari" || asked[0].Purpose != "andmerada/reveal" || !strings.HasPrefix(asked[0].Basis.Reference, "andmerada.events/0/2 ") {
		t.Errorf("recorded: %+v", asked)
	}
	for name, c := range map[string]struct {
		who, body string
		status    int
	}{
		"no reason":     {"mari", `{"topic":"andmerada.events","partition":0,"offset":2}`, 422},
		"empty reason":  {"mari", `{"topic":"andmerada.events","partition":0,"offset":2,"reason":""}`, 422},
		"no event":      {"mari", `{"topic":"andmerada.events","partition":0,"offset":999,"reason":"x"}`, 404},
		"not theirs":    {"else", revealTwo, 404},
		"not that role": {"feed", revealTwo, 403},
	} {
		if _, status := r.call(c.who, "POST", "/v1/reveals", c.body); status != c.status {
			t.Errorf("%s: %d", name, status)
		}
	}
	if asked := r.sync(); len(asked) > 0 {
		t.Errorf("recorded: %+v", asked)
	}
}

func TestRevealWithApproval(t *testing.T) {
	t.Parallel()
	r := startRevealing(t, true)
	v, status := r.call("audit", "POST", "/v1/reveals", revealTwo)
	if status != 200 || v.Status != "pending" || v.ActorID != "" || v.ID == "" {
		t.Fatalf("%d %+v", status, v)
	}
	path := "/v1/reveals/acme/" + v.ID
	if _, status := r.call("audit", "GET", path, ""); status != 404 {
		t.Errorf("before it is in the trail: %d", status)
	}
	r.sync()
	for name, c := range map[string]struct {
		who, method, path, body string
		status                  int
	}{
		"not approved":              {"audit", "GET", path, "", 409},
		"another's":                 {"mari", "GET", path, "", 404},
		"approved above one's role": {"audit", "POST", path + "/approval", `{"reason":"x"}`, 403},
		"by a responder":            {"soc", "POST", path + "/approval", `{"reason":"x"}`, 403},
		"by another's dpo":          {"else", "POST", path + "/approval", `{"reason":"x"}`, 403},
		"of another controller":     {"else", "POST", "/v1/reveals/other/" + v.ID + "/approval", `{"reason":"x"}`, 404},
		"without a reason":          {"mari", "POST", path + "/approval", `{"reason":""}`, 422},
		"of none":                   {"mari", "POST", "/v1/reveals/acme/reveal-x/approval", `{"reason":"x"}`, 404},
	} {
		if _, status := r.call(c.who, c.method, c.path, c.body); status != c.status {
			t.Errorf("%s: %d, want %d", name, status, c.status)
		}
	}
	r.emitted.take()

	// Whoever may write to the topic can write an approval, but no good one.
	mark, err := answer.RevealApproved(r.deps, "acme", v.ID, "mari")
	if err != nil {
		t.Fatal(err)
	}
	forge := func(by, reference, source string) {
		r.emitted.events = append(r.emitted.events, &event.Event{
			Kind: event.Processing, Source: source, Operation: event.Access, Controller: "acme", Purpose: event.QuestionPurpose("reveal-approval", false), Categories: []string{"x"},
			Actor: event.Actor{ID: by, Kind: event.ActorHuman, Role: "dpo"}, Cohort: event.Cohort{ID: v.ID}, Basis: event.Basis{Reference: reference},
		})
	}
	forge("mari", "", event.AnswersSource)
	forge("mari", strings.Repeat("0", 32), event.AnswersSource)
	forge("jaan", mark, event.AnswersSource)
	forge("mari", mark, "//crm.example")
	r.sync()
	if _, status := r.call("audit", "GET", path, ""); status != 409 {
		t.Errorf("by a forged approval: %d", status)
	}

	if a, status := r.call("mari", "POST", path+"/approval", `{"reason":"seen"}`); status != 200 || a.Status != "approved" || a.Reason != "case 9" {
		t.Fatalf("%d %+v", status, a)
	}
	r.sync()
	got, status := r.call("audit", "GET", path, "")
	if status != 200 || got.ActorID != actor || got.Status != "granted" {
		t.Fatalf("%d %+v", status, got)
	}
	asked := r.sync()
	if len(asked) != 1 || asked[0].Actor.ID != "audit" || asked[0].Reason != "case 9" || !strings.HasSuffix(asked[0].Basis.Reference, " "+v.ID) {
		t.Errorf("recorded: %+v", asked)
	}
	if _, status := r.call("mari", "GET", path, ""); status != 404 {
		t.Errorf("whoever approved: %d", status)
	}
	r.now = r.now.Add(answer.RevealHolds)
	if _, status := r.call("audit", "GET", path, ""); status != 404 {
		t.Errorf("a week later: %d", status)
	}
}

// Nobody approves what he has asked for himself.
func TestRevealIsNotApprovedByOneself(t *testing.T) {
	t.Parallel()
	r := startRevealing(t, true)
	v, _ := r.call("mari", "POST", "/v1/reveals", revealTwo)
	r.sync()
	path := "/v1/reveals/acme/" + v.ID
	if _, status := r.call("mari", "POST", path+"/approval", `{"reason":"x"}`); status != 403 {
		t.Errorf("one's own: %d", status)
	}
	// Not by an event of one's own either, and be its mark good.
	mark, err := answer.RevealApproved(r.deps, "acme", v.ID, "mari")
	if err != nil {
		t.Fatal(err)
	}
	r.emitted.events = append(r.emitted.events, &event.Event{
		Kind: event.Processing, Source: event.AnswersSource, Operation: event.Access, Controller: "acme", Purpose: event.QuestionPurpose("reveal-approval", false), Categories: []string{"x"},
		Actor: event.Actor{ID: "mari"}, Cohort: event.Cohort{ID: v.ID}, Basis: event.Basis{Reference: mark},
	})
	r.sync()
	if _, status := r.call("mari", "GET", path, ""); status != 409 {
		t.Errorf("%d", status)
	}
	if _, status := r.call("jaan", "POST", path+"/approval", `{"reason":"x"}`); status != 200 {
		t.Errorf("another: %d", status)
	}
	r.sync()
	if got, status := r.call("mari", "GET", path, ""); status != 200 || got.ActorID != actor {
		t.Errorf("%d %+v", status, got)
	}
}

// By the pages: asked for with a reason, listed, approved by a second person,
// and told to whoever has asked.
func TestRevealPages(t *testing.T) {
	t.Parallel()
	r := startRevealing(t, true)
	form := func(name, path string, values ...string) response {
		t.Helper()
		body := url.Values{}
		for i := 0; i < len(values); i += 2 {
			body.Set(values[i], values[i+1])
		}
		res := r.do("POST", path, "application/x-www-form-urlencoded", body.Encode(), "Authorization", "Bearer "+r.tokens[name])
		r.sync()
		return res
	}
	see := func(name string) response {
		t.Helper()
		res := r.as(r.tokens[name], "GET", "/reveals", "")
		r.emitted.take()
		return res
	}
	if res := form("mari", "/reveals", "event", "andmerada.events/0/2"); res.StatusCode != 422 || !strings.Contains(res.text, "reason is missing") {
		t.Errorf("without a reason: %d", res.StatusCode)
	}
	if res := form("mari", "/reveals", "event", "x", "reason", "case 9"); res.StatusCode != 422 {
		t.Errorf("no place: %d", res.StatusCode)
	}
	res := form("mari", "/reveals", "event", "andmerada.events/0/2", "reason", "case 9")
	if res.StatusCode != 200 || !strings.Contains(res.text, "waits for an approval") || strings.Contains(res.text, actor) {
		t.Fatalf("asked: %d %s", res.StatusCode, res.text)
	}
	id := regexp.MustCompile(`reveal-[a-z0-9]+`).FindString(res.text)
	path := "/reveals/acme/" + id
	if res := see("mari"); !strings.Contains(res.text, "case 9") || strings.Contains(res.text, path) {
		t.Errorf("whoever asked sees: %s", res.text)
	}
	if res := see("jaan"); !strings.Contains(res.text, path+"/approval") || strings.Contains(res.text, actor) {
		t.Errorf("the second person sees: %s", res.text)
	}
	if res := see("audit"); res.StatusCode != 200 || strings.Contains(res.text, id) || strings.Contains(res.text, "case 9") {
		t.Errorf("another role sees: %d %s", res.StatusCode, res.text)
	}
	for name, status := range map[string]int{"mari": 403, "audit": 403, "else": 403} {
		if res := form(name, path+"/approval", "reason", "seen"); res.StatusCode != status {
			t.Errorf("%s approves: %d", name, res.StatusCode)
		}
	}
	if res := form("mari", path); res.StatusCode != 409 || strings.Contains(res.text, actor) {
		t.Errorf("told too early: %d", res.StatusCode)
	}
	if res := form("jaan", path+"/approval", "reason", "seen"); res.StatusCode != 200 || strings.Contains(res.text, actor) {
		t.Fatalf("approved: %d %s", res.StatusCode, res.text)
	}
	if res := see("mari"); !strings.Contains(res.text, "Approved by jaan") || !strings.Contains(res.text, path) {
		t.Errorf("after the approval: %s", res.text)
	}
	if res := form("jaan", path); res.StatusCode != 404 {
		t.Errorf("told to the second person: %d", res.StatusCode)
	}
	if res := form("mari", path); res.StatusCode != 200 || !strings.Contains(res.text, actor) {
		t.Errorf("told: %d %s", res.StatusCode, res.text)
	}
}

// A person's timeline says that somebody was told who acted; the name it says to
// nobody else, and not for ever.
func TestTimelineSaysThatItWasTold(t *testing.T) {
	t.Parallel()
	for _, approval := range []bool{false, true} {
		r := startRevealing(t, approval)
		v, status := r.call("mari", "POST", "/v1/reveals", revealTwo)
		r.sync()
		if approval {
			if _, status := r.call("jaan", "POST", "/v1/reveals/acme/"+v.ID+"/approval", `{"reason":"seen"}`); status != 200 {
				t.Fatal(status)
			}
			r.sync()
			v, status = r.call("mari", "GET", "/v1/reveals/acme/"+v.ID, "")
			r.sync()
		}
		if status != 200 || v.ActorID != actor {
			t.Fatalf("approval %t: %d %+v", approval, status, v)
		}
		// Whoever may write to the topic can say that it was told, and is told nothing.
		answertest.Store(t, r.deps, r.next, &event.Event{
			ID: "forged", Source: event.AnswersSource, Operation: event.Access, Controller: "acme", Time: r.now, Purpose: "andmerada/reveal", Cohort: event.Cohort{ID: "andmerada/reveal"},
			Actor: event.Actor{ID: "audit", Kind: event.ActorHuman, Role: "auditor"}, Basis: event.Basis{Reference: "andmerada.events/0/2 " + strings.Repeat("0", 32)},
		})
		r.next++
		entry := func(name string) *answer.Entry {
			res := r.as(r.tokens[name], "POST", "/v1/answers/timeline", whoIs+"}")
			var a answer.TimelineAnswer
			if err := json.Unmarshal([]byte(res.text), &a); err != nil {
				t.Fatal(err)
			}
			for i := range a.Events {
				e := &a.Events[i]
				if (e.Revealed != nil) != (e.Offset == 2) {
					t.Errorf("%s: event %d: revealed %+v", name, e.Offset, e.Revealed)
				}
				if e.Offset == 2 {
					return e
				}
			}
			t.Fatalf("%s: %s", name, res.text)
			return nil
		}
		for name, want := range map[string]string{"mari": actor, "jaan": "", "audit": ""} {
			e := entry(name)
			if e.Revealed.Actor != want || e.Revealed.Times != 2 || !strings.HasPrefix(e.Actor, "actor-") || e.ActorRole != "bookkeeper" || e.Organisation != "Acme OÜ" {
				t.Errorf("approval %t, %s: %+v, %+v", approval, name, e, e.Revealed)
			}
		}
		r.now = r.now.Add(8 * 24 * time.Hour)
		if e := entry("mari"); e.Revealed.Actor != "" {
			t.Error("it is told for ever")
		}
	}
}
