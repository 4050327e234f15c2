package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/answer/answertest"
	"github.com/andmerada/andmerada/internal/event"
)

// withTokens starts a server that takes local tokens, and gives a token for
// each name: those of the roles for acme, and some others.
func withTokens(t *testing.T, change ...func(*Config)) (*fixture, map[string]string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "tokens.yaml")
	tokens := make(map[string]string)
	text := "tokens:\n"
	var whom string
	add := func(name, roles, controllers, more string, days int) {
		tokens[name] = access.NewToken()
		text += fmt.Sprintf("  - {name: %s, sha256: %s, roles: [%s], controllers: [%s], expires: %s%s}\n", name, access.HashToken(tokens[name]), roles, controllers,
			time.Now().AddDate(0, 0, days).UTC().Format(time.RFC3339), more)
	}
	f := start(t, func(c *Config) {
		plantNeighbour(t, &c.Answers)
		p, err := c.Answers.Keys.Pseudonym(answertest.Controller, "email", answertest.Email)
		if err != nil {
			t.Fatal(err)
		}
		whom = p.String()
		for _, role := range access.Roles() {
			more := ""
			if role == access.Agent {
				more = ", persons: [" + whom + "]"
			}
			add(string(role), string(role), "acme", more, 1)
		}
		add("everywhere", "dpo", `"*"`, "", 1)
		add("elsewhere", "dpo, responder, auditor", "other", "", 1)
		add("neighbour", "dpo, responder, auditor", neighbour, "", 1)
		add("expired", "dpo", `"*"`, "", -1)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		list, err := access.OpenTokens(file, c.Logger, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		c.Access = &access.Gate{Tokens: list}
		for _, f := range change {
			f(c)
		}
	})
	return f, tokens
}

func (f *fixture) as(token, method, path, body string, headers ...string) response {
	contentType := ""
	if body != "" {
		contentType = "application/json"
	}
	return f.do(method, path, contentType, body, append(headers, "Authorization", "Bearer "+token)...)
}

// route is one way to ask, with what makes it a question about acme, and that
// about all controllers where there is such a one.
type route struct {
	question         access.Question
	method, path     string
	body, everywhere string
}

var routes = []route{
	{access.Recipients, "POST", "/v1/answers/recipients", whoIs + "}", ""},
	{access.Timeline, "POST", "/v1/answers/timeline", whoIs + "}", ""},
	{access.Event, "GET", "/v1/events/andmerada.events/0/2", "", ""},
	{access.Overview, "GET", "/v1/overview?controller=acme", "", "/v1/overview"},
	{access.Drift, "GET", "/v1/drift?controller=acme", "", "/v1/drift"},
	{access.Duties, "GET", "/v1/duties?controller=acme", "", "/v1/duties"},
	{access.Activities, "GET", "/v1/activities?controller=acme", "", "/v1/activities"},
	{access.Bundle, "POST", "/v1/bundles", `{"recipients":` + whoIs + "}}", ""},
	{access.Accesses, "POST", "/v1/answers/access", `{"controller":"acme"}`, ""},
	{access.Unusual, "POST", "/v1/answers/unusual", `{"controller":"acme"}`, ""},
	{access.Breach, "POST", "/v1/answers/breach", `{"windows":[{"controller":"acme"}]}`, ""},
	{access.Breach, "GET", "/v1/cases?controller=acme", "", "/v1/cases"},
	{access.Breach, "GET", "/v1/cases/" + answertest.Case, "", ""},
	{access.Breach, "GET", "/v1/cases/" + answertest.Case + "/comparison/" + answertest.Case, "", ""},
	{access.Recipient, "POST", "/v1/answers/recipient", `{"controller":"acme","recipient":"acme/bank"}`, ""},
	{access.Lineage, "POST", "/v1/answers/lineage", `{"controller":"acme"}`, ""},
	{access.Lineage, "POST", "/v1/answers/lineage", `{"controller":"acme","event":{"topic":"andmerada.events","partition":0,"offset":2}}`, ""},
	{access.Told, "POST", "/v1/answers/told", whoIs + "}", ""},
	{access.Tellings, "POST", "/v1/answers/tellings", `{"controller":"acme"}`, ""},
	{access.Facts, "POST", "/v1/answers/facts", whoIs + "}", ""},
	{access.Overview, "GET", "/", "", ""},
	{access.Recipients, "POST", "/person", "controller=acme&scheme=email&identifier=" + answertest.Email, ""},
	{access.Timeline, "POST", "/timeline", "controller=acme&scheme=email&identifier=" + answertest.Email, ""},
	{access.Event, "GET", "/events/andmerada.events/0/2", "", ""},
	{access.Register, "GET", "/register/acme", "", ""},
	{access.Drift, "GET", "/drift", "", ""},
	{access.Activities, "GET", "/activities", "", ""},
	{access.Duties, "GET", "/duties", "", ""},
	{access.Bundle, "POST", "/bundle", "question=recipients&controller=acme&scheme=email&identifier=" + answertest.Email, ""},
	{access.Accesses, "POST", "/access", "controller=acme", ""},
	{access.Unusual, "POST", "/unusual", "controller=acme", ""},
	{access.Recipient, "POST", "/recipient", "controller=acme&recipient=acme/bank", ""},
	{access.Told, "POST", "/told", "controller=acme&scheme=email&identifier=" + answertest.Email, ""},
	{access.Tellings, "POST", "/tellings", "controller=acme", ""},
	{access.Facts, "POST", "/facts", "controller=acme&scheme=email&identifier=" + answertest.Email, ""},
	{access.Lineage, "POST", "/lineage", "controller=acme", ""},
	{access.Reveals, "GET", "/v1/reveals?controller=acme", "", ""},
	{access.Reveals, "GET", "/reveals", "", ""},
	{access.Breach, "POST", "/breach", "controller=acme", ""},
	{access.Breach, "GET", "/cases", "", ""},
	{access.Breach, "GET", "/cases/" + answertest.Case, "", ""},
	{access.Breach, "POST", "/cases/" + answertest.Case, "cursor=", ""},
}

func (r *route) ask(f *fixture, token string) response {
	headers := []string{}
	if token != "" {
		headers = append(headers, "Authorization", "Bearer "+token)
	}
	switch {
	case r.body == "":
		return f.do(r.method, r.path, "", "", headers...)
	case strings.HasPrefix(r.path, "/v1/"):
		return f.do(r.method, r.path, "application/json", r.body, headers...)
	default:
		return f.do(r.method, r.path, "application/x-www-form-urlencoded", r.body, headers...)
	}
}

var (
	pattern = regexp.MustCompile(`mux\.HandleFunc\("((?:GET|POST) /[^"]*)"`)
	held    = regexp.MustCompile(`\{[^}]*\}`)
)

// unasked are pages without a question, and why nobody need be let in.
var unasked = []string{
	// Tried by themselves, in the tests of reveals.
	"POST /v1/reveals", "GET /v1/reveals/{controller}/{id}", "POST /v1/reveals/{controller}/{id}/approval",
	"POST /reveals", "POST /reveals/{controller}/{id}", "POST /reveals/{controller}/{id}/approval",
	"GET /person", "GET /access", "GET /unusual", "GET /breach", "GET /recipient", "GET /told", "GET /tellings", "GET /timeline", "GET /facts", "GET /lineage", "GET /bundle", "GET /api", "GET /login", "POST /logout", "GET /healthz", "GET /readyz", "GET /assets/{file}", "GET /",
}

// Every operation and page there is stands in the list that the tests below go
// through: one more cannot be forgotten.
func TestEveryRouteIsTried(t *testing.T) {
	t.Parallel()
	tried := make(map[string]bool)
	for _, r := range routes {
		path, _, _ := strings.Cut(r.path, "?")
		tried[r.method+" "+path] = true
	}
	matches := func(shape string) bool {
		re := regexp.MustCompile("^" + held.ReplaceAllString(strings.ReplaceAll(shape, "{$}", ""), `[^/]+`) + "$")
		for have := range tried {
			if re.MatchString(have) {
				return true
			}
		}
		return false
	}
	description, err := OpenAPI("test")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	path := ""
	for line := range strings.Lines(string(description)) {
		if m := regexp.MustCompile(`^  (/[^:]*):\n`).FindStringSubmatch(line); m != nil {
			path = m[1]
		} else if m := regexp.MustCompile(`^    (get|post|put|patch|delete):\n`).FindStringSubmatch(line); m != nil {
			if shape := strings.ToUpper(m[1]) + " " + path; !slices.Contains(unasked, shape) {
				all = append(all, shape)
			}
		}
	}
	if len(all) < 6 {
		t.Fatalf("the description has %v only", all)
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range pattern.FindAllStringSubmatch(string(data), -1) {
			if !strings.HasSuffix(file, "_test.go") && !slices.Contains(unasked, m[1]) {
				all = append(all, m[1])
			}
		}
	}
	for _, shape := range all {
		if !matches(shape) {
			t.Errorf("%s is tried by no attack: add it to routes", shape)
		}
	}
}

// The table of roles holds on every route: no role asks above itself, nobody
// asks unknown, and exactly what is answered is recorded.
func TestRoles(t *testing.T) {
	t.Parallel()
	f, tokens := withTokens(t)
	for _, r := range routes {
		var may []access.Role
		for _, line := range access.Table() {
			if line.Question == r.question {
				may = line.Roles
			}
		}
		for _, role := range access.Roles() {
			f.emitted.take()
			res := r.ask(f, tokens[string(role)])
			asked := f.emitted.take()
			switch {
			case !slices.Contains(may, role):
				if res.StatusCode != http.StatusForbidden || len(asked) > 0 {
					t.Errorf("%s %s as %s: %d, %d recorded", r.method, r.path, role, res.StatusCode, len(asked))
				}
				refused(t, res, r.path)
			case res.StatusCode != http.StatusOK:
				t.Errorf("%s %s as %s: %d %s", r.method, r.path, role, res.StatusCode, res.text)
			case r.question == access.Register:
				if len(asked) > 0 {
					t.Errorf("%s is recorded", r.path)
				}
			case len(asked) != 1 || asked[0].Actor.ID != string(role) || asked[0].Actor.Role != string(role) || asked[0].Controller != "acme":
				t.Errorf("%s %s as %s: recorded %+v", r.method, r.path, role, asked)
			}
		}
		for name, token := range map[string]string{"none": "", "expired": tokens["expired"], "made up": access.NewToken(), "a JWT": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."} {
			if res := r.ask(f, token); res.StatusCode != http.StatusUnauthorized || res.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s %s with the token %s: %d", r.method, r.path, name, res.StatusCode)
			} else {
				refused(t, res, r.path)
			}
		}
		if res := r.ask(f, tokens["elsewhere"]); !slices.Contains([]string{"/", "/drift", "/activities", "/duties", "/cases", "/reveals"}, r.path) && !slices.Contains([]int{403, 404}, res.StatusCode) {
			t.Errorf("%s %s of another controller: %d", r.method, r.path, res.StatusCode)
		} else if strings.Contains(res.text, "Post24") || strings.Contains(res.text, "Acme") {
			t.Errorf("%s %s tells of another controller:\n%s", r.method, r.path, res.text)
		}
		if r.everywhere != "" {
			if res := f.as(tokens["dpo"], "GET", r.everywhere, ""); res.StatusCode != 403 || !strings.Contains(res.text, "ask for acme") {
				t.Errorf("%s of all: %d %s", r.everywhere, res.StatusCode, res.text)
			}
			if res := f.as(tokens["everywhere"], "GET", r.everywhere, ""); res.StatusCode != 200 {
				t.Errorf("%s of all, by whom that is given: %d", r.everywhere, res.StatusCode)
			}
		}
	}
	for _, token := range tokens {
		if strings.Contains(f.logs.String(), token) {
			t.Error("a token is in the log")
		}
	}
}

// refused looks that a refusal has the form that fits, and nothing in it.
func refused(t *testing.T, res response, path string) {
	t.Helper()
	want := "text/html"
	if strings.HasPrefix(path, "/v1/") {
		want = "application/problem+json"
		var p struct {
			Status int
			Detail string
		}
		if err := json.Unmarshal([]byte(res.text), &p); err != nil || p.Status != res.StatusCode || p.Detail == "" {
			t.Errorf("%s: %s", path, res.text)
		}
	}
	if !strings.HasPrefix(res.Header.Get("Content-Type"), want) || strings.Contains(res.text, "Post24") || strings.Contains(res.text, answertest.Email) {
		t.Errorf("%s: %s %s", path, res.Header.Get("Content-Type"), res.text)
	}
}

// What cannot be written into the trail is not answered.
func TestNoRecordNoAnswer(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	f.emitted.err = errors.New("the broker at 192.0.2.1 is away")
	for _, r := range routes {
		res := r.ask(f, "")
		if r.question == access.Register {
			continue
		}
		if res.StatusCode != http.StatusServiceUnavailable || strings.Contains(res.text, "Post24") || strings.Contains(res.text, "192.0.2.1") {
			t.Errorf("%s %s: %d %s", r.method, r.path, res.StatusCode, res.text)
		}
	}
	none := start(t, func(c *Config) { c.Recorder = nil })
	if res := routes[0].ask(none, ""); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("without a recorder: %d", res.StatusCode)
	}
	if res := none.do("GET", "/healthz", "", ""); res.StatusCode != 200 {
		t.Errorf("healthz: %d", res.StatusCode)
	}
	nobody := start(t, func(c *Config) { c.Access = nil })
	if res := routes[0].ask(nobody, ""); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a gate: %d", res.StatusCode)
	}
}

// A case is kept only once the question is in the trail.
func TestNoRecordNoCase(t *testing.T) {
	t.Parallel()
	f := start(t, func(c *Config) { c.Answers = answertest.PlantForReader(t) })
	const freeze = `{"windows":[{"controller":"acme"}],"freeze":"never asked for"}`
	f.emitted.err = errors.New("away")
	if res := f.json("/v1/answers/breach", freeze); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("not recorded: %d %s", res.StatusCode, res.text)
	}
	f.emitted.err = nil
	if res := f.do("GET", "/v1/cases?controller=acme", "", ""); res.StatusCode != 200 || strings.Contains(res.text, "never asked for") || !strings.Contains(res.text, "a leak") {
		t.Errorf("cases: %d %s", res.StatusCode, res.text)
	}
	if res := f.json("/v1/answers/breach", freeze); res.StatusCode != 200 {
		t.Errorf("recorded: %d %s", res.StatusCode, res.text)
	}
	if res := f.do("GET", "/v1/cases?controller=acme", "", ""); !strings.Contains(res.text, "never asked for") {
		t.Errorf("the case was not kept: %s", res.text)
	}
}

// What is recorded of a question names the person by pseudonym only.
func TestRecordedWithoutIdentifiers(t *testing.T) {
	t.Parallel()
	f, tokens := withTokens(t)
	for _, r := range routes {
		r.ask(f, tokens["dpo"])
	}
	asked := f.emitted.take()
	if len(asked) < 10 {
		t.Fatalf("%d recorded", len(asked))
	}
	persons := 0
	for _, ev := range asked {
		ev.ID, ev.Time = "1", time.Unix(1_800_000_000, 0)
		ev.Type = ev.TypeName()
		headers, value, err := event.EncodeBinary(ev) // what ingest would refuse is an error
		if err != nil {
			t.Errorf("%+v: %v", ev, err)
		}
		if text := fmt.Sprint(headers) + string(value); strings.Contains(text, answertest.Email) || strings.Contains(text, "maasikas") {
			t.Errorf("%s", text)
		}
		persons += len(ev.Persons)
	}
	if persons != 10 {
		t.Errorf("%d questions name a person", persons)
	}
}
