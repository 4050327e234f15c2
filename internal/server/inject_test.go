package server

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/answer/answertest"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
)

// The neighbour is another controller whose data are in the same trail. Its mark
// stands in all that is its, and must be in no answer to those of acme.
const (
	neighbour     = "zeta"
	neighbourMark = "Zetamark"
	neighbourCase = "20260310-0000000000000002"
	neighbourAt   = answertest.Planted + 1_000_000 // offset of its first event: tests plant more events behind the first ones
)

// plantNeighbour adds it, with events about a person of the same identifier.
func plantNeighbour(t *testing.T, d *answer.Deps) {
	t.Helper()
	text := strings.NewReplacer("id: acme", "id: "+neighbour, "Acme", neighbourMark).Replace(string(answertest.Register()))
	reg, findings := register.Parse(neighbour+"/2024-01-01.yaml", []byte(text), answertest.Categories())
	if reg == nil {
		t.Fatal(findings)
	}
	d.Registers = register.NewSet(append(d.Registers.All(), reg)...)
	who, err := d.Keys.Pseudonym(neighbour, "email", answertest.Email)
	if err != nil {
		t.Fatal(err)
	}
	var events []*event.Event
	for i := range 3 {
		events = append(events, &event.Event{
			Kind: event.Processing, ID: fmt.Sprint(neighbourMark, i), Source: "/" + neighbourMark + "/crm", Time: answertest.Start.Add(time.Duration(i) * time.Hour), Operation: event.Disclose,
			Controller: neighbour, Persons: []event.Person{{Scheme: "pseudonym", Value: who.String()}}, Purpose: neighbour + "/billing", Categories: []string{"name"},
			Recipient: event.Recipient{Organisation: neighbourMark + " OÜ", Code: "77", Country: "EE"}, Actor: event.Actor{ID: neighbourMark, Role: neighbourMark}, Reason: neighbourMark,
		})
	}
	answertest.Store(t, *d, neighbourAt, events...)
	answertest.Freeze(t, *d, neighbourCase, neighbour, neighbourMark, who)
}

// hostile are texts that something below might take for more than text, or
// that ask for what is another's.
var hostile = []string{
	"' OR 1=1 --", "<script>alert(1)</script>", "\x00", strings.Repeat("A", 4000), // one of these in each place
	`"; DROP TABLE trail; --`, "') UNION ALL SELECT * FROM system.users --", "{controller:String}", "{{7*7}}", "${jndi:ldap://x}", "%00", `\`, `\'`, `\N`, "a\tb\nc\\t", "`id`",
	"url('http://192.0.2.1/')", "file('/etc/passwd')", "%s%n%d", "../../etc/passwd", "..%2f..%2f", `"><img src=x onerror=alert(1)>`, `" onmouseover="alert(1)`, "javascript:alert(1)",
	"=HYPERLINK(1)", "\u202eacme", "acme\u0000", "ACME", "acme ", strings.Repeat("ž", 300), "*", "acme,zeta", "[]", "[1,2", "'a','b'", "-1", "9223372036854775808", "1e309", "NaN", "\xff\xfe\xfa", "\ufeff", "0x1",
	neighbour, neighbour + "/billing", neighbour + "/bank", neighbourMark + " OÜ", neighbourCase,
}

const always = 4 // of hostile

// turns gives each place some of the texts, so that all places together have had
// each many times.
type turns struct{ first, next int }

func (t *turns) take(n int) []string {
	t.first++
	all := []string{hostile[t.first%always]}
	for range n {
		all = append(all, hostile[always+t.next%(len(hostile)-always)])
		t.next++
	}
	return all
}

// others are values that are no text.
var others = []any{nil, map[string]any{"a": 1}, []any{[]any{}}, true, json.Number("1e400"), json.Number("-9223372036854775809"), 1 << 40, -1}

// leaf is a value in a body that is no object and no list.
type leaf struct {
	path   []string // "[]" for an item of a list
	schema *huma.Schema
}

func leaves(schemas huma.Registry, s *huma.Schema, path []string) (all []leaf) {
	if s = resolved(schemas, s); s == nil || len(path) > 6 {
		return nil
	}
	switch {
	case s.Items != nil:
		return leaves(schemas, s.Items, append(slices.Clone(path), "[]"))
	case len(s.Properties) > 0:
		for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
			all = append(all, leaves(schemas, s.Properties[name], append(slices.Clone(path), name))...)
		}
		return all
	default:
		return []leaf{{path, s}}
	}
}

// with puts a value at a path into what a JSON body holds.
func with(body any, path []string, value any) any {
	if len(path) == 0 {
		return value
	}
	if path[0] == "[]" {
		list, _ := body.([]any)
		if len(list) == 0 {
			list = []any{nil}
		}
		return append([]any{with(list[0], path[1:], value)}, list[1:]...)
	}
	object, _ := body.(map[string]any)
	object = maps.Clone(object)
	if object == nil {
		object = make(map[string]any)
	}
	object[path[0]] = with(object[path[0]], path[1:], value)
	return object
}

// attack is one hostile request, told by where its text stands.
type attack struct {
	where string
	res   response
	html  bool
}

// harmless looks at what came of an attack.
func harmless(t *testing.T, f *fixture, a *attack, text any) {
	t.Helper()
	res := a.res
	kind := res.Header.Get("Content-Type")
	switch {
	case res.StatusCode >= 500:
		t.Errorf("%s = %.60q: %d %.300s\n%s", a.where, fmt.Sprint(text), res.StatusCode, res.text, f.logs.last())
	case strings.Contains(res.text, neighbourMark) && res.StatusCode == http.StatusOK && !strings.Contains(fmt.Sprint(text), neighbourMark):
		t.Errorf("%s = %.60q: what is another controller's comes out: %.2000s", a.where, fmt.Sprint(text), res.text)
	case strings.Contains(res.text, "root:"), strings.Contains(res.text, "DB::Exception"), strings.Contains(res.text, "SELECT ") && !strings.Contains(fmt.Sprint(text), "SELECT "):
		t.Errorf("%s = %.60q: %.300s", a.where, fmt.Sprint(text), res.text)
	case kind == "application/zip": // the reason stands in it, as a text
	case strings.Contains(res.text, "<script>alert"), strings.Contains(res.text, "<img src=x"), strings.Contains(res.text, `" onmouseover="`), strings.Contains(res.text, `href="javascript:`):
		t.Errorf("%s = %.60q comes back as it was: %.300s", a.where, fmt.Sprint(text), res.text)
	case !a.html && res.StatusCode != http.StatusOK && kind != "application/problem+json", a.html && !strings.HasPrefix(kind, "text/html"), !a.html && strings.Contains(kind, "html"):
		t.Errorf("%s = %.60q: %d as %s: %.300s", a.where, fmt.Sprint(text), res.StatusCode, kind, res.text)
	}
	if s, ok := text.(string); ok && !a.html && res.StatusCode != http.StatusOK && len(s) > 6 && strings.Contains(res.text, s) {
		t.Errorf("%s = %.60q is refused and given back: %.300s", a.where, s, res.text)
	}
}

// last are the last lines of the log.
func (l *logs) last() string {
	lines := strings.Split(strings.TrimSpace(l.String()), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], "\n")
}

// operationOf is how to ask by an operation, as the tests of roles do.
func operationOf(method, path string) (r route, ok bool) {
	shape := regexp.MustCompile("^" + held.ReplaceAllString(path, `[^/]+`) + "$")
	for _, r := range append(slices.Clone(routes), reveals...) {
		at, _, _ := strings.Cut(r.path, "?")
		if r.method == method && shape.MatchString(at) {
			return r, true
		}
	}
	return r, false
}

// reveals are the operations that the tests of roles leave to those of reveals.
var reveals = []route{
	{method: "POST", path: "/v1/reveals", body: revealTwo},
	{method: "GET", path: "/v1/reveals/acme/reveal-x"},
	{method: "POST", path: "/v1/reveals/acme/reveal-x/approval", body: `{"reason":"x"}`},
}

// Injection: in no parameter, header and member of a body of any operation does
// a hostile text do more than be refused, or find nothing. The API's own
// description says where there are any.
func TestInjectionIntoTheAPI(t *testing.T) {
	t.Parallel()
	f, tokens := withTokens(t)
	api := (&server{Config: Config{Version: "test"}}).api(http.NewServeMux()).OpenAPI()
	schemas := api.Components.Schemas
	turn := new(turns)
	n := 0
	try := func(where string, text any, method, address, body string, headers ...string) response {
		t.Helper()
		n++
		a := attack{where: method + " " + where, res: f.as(tokens["dpo"], method, address, body, headers...)}
		harmless(t, f, &a, text)
		return a.res
	}
	for _, path := range slices.Sorted(maps.Keys(api.Paths)) {
		for method, op := range map[string]*huma.Operation{"GET": api.Paths[path].Get, "POST": api.Paths[path].Post} {
			if op == nil {
				continue
			}
			r, ok := operationOf(method, path)
			if !ok {
				t.Errorf("%s %s is attacked by nothing: say in routes how to ask by it", method, path)
				continue
			}
			at, query, _ := strings.Cut(r.path, "?")
			for _, p := range op.Parameters {
				for _, text := range append(turn.take(3), answertest.Email) {
					switch p.In {
					case "query":
						values, err := url.ParseQuery(query)
						if err != nil {
							t.Fatal(err)
						}
						values.Set(p.Name, text)
						try(path+"?"+p.Name, text, method, at+"?"+values.Encode(), r.body)
					case "path":
						names, parts := strings.Split(path, "/"), strings.Split(at, "/")
						parts[slices.Index(names, "{"+p.Name+"}")] = url.PathEscape(text)
						try(path, text, method, strings.Join(parts, "/"), r.body)
					case "header":
						try(path+" "+p.Name, text, method, r.path, r.body, p.Name, url.PathEscape(text))
					}
				}
			}
			if op.RequestBody == nil {
				continue
			}
			var base any
			if err := json.Unmarshal([]byte(r.body), &base); err != nil {
				t.Fatal(err)
			}
			for _, l := range leaves(schemas, op.RequestBody.Content["application/json"].Schema, nil) {
				from, each := base, 3
				if path == "/v1/bundles" { // one question of several; their members are attacked where they are asked
					inner, ok := operationOf("POST", "/v1/answers/"+l.path[0])
					if !ok {
						t.Fatalf("no question %s", l.path[0])
					}
					var question any
					if err := json.Unmarshal([]byte(inner.body), &question); err != nil {
						t.Fatal(err)
					}
					from, each = map[string]any{l.path[0]: question}, 0
				}
				var values []any
				for _, text := range turn.take(each) {
					values = append(values, text)
				}
				for i := range (each + 1) / 2 {
					values = append(values, others[(turn.next+i)%len(others)])
				}
				for _, value := range values {
					body, err := json.Marshal(with(from, l.path, value))
					if err != nil {
						t.Fatal(err)
					}
					res := try(path+" /"+strings.Join(l.path, "/"), value, method, r.path, string(body))
					switch last := l.path[len(l.path)-1]; {
					case res.StatusCode != http.StatusOK:
					case last == "controller", last == "cursor" && value != nil:
						t.Errorf("%s /%s = %.40q is answered: %.300s", path, strings.Join(l.path, "/"), fmt.Sprint(value), res.text)
					case last == "value" && (strings.Contains(res.text, "Post24") || strings.Contains(res.text, "Acme Bank")):
						t.Errorf("%s /%s = %.40q finds somebody: %.300s", path, strings.Join(l.path, "/"), fmt.Sprint(value), res.text)
					}
				}
			}
		}
	}
	t.Logf("%d attacks", n)
	if n < 800 {
		t.Errorf("%d attacks", n)
	}
	f.quiet(t)
}

// quiet looks that nothing failed below, and that only questions about acme were
// recorded.
func (f *fixture) quiet(t *testing.T) {
	t.Helper()
	for line := range strings.Lines(f.logs.String()) {
		if strings.Contains(line, "level=ERROR") {
			t.Errorf("something failed: %s", line)
		}
	}
	for _, secret := range []string{"maasikas", answertest.Customer, "onmouseover", "DROP TABLE"} {
		if strings.Contains(f.logs.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
	for _, ev := range f.emitted.take() {
		if ev.Controller != answertest.Controller {
			t.Errorf("recorded for %q", ev.Controller)
		}
	}
}

var (
	fieldName = regexp.MustCompile(`<(?:input|select|textarea)[^>]* name="([^"]+)"`)
	formTag   = regexp.MustCompile(`(?s)<form[^>]*>.*?</form>`)
	action    = regexp.MustCompile(`action="([^"]+)"`)
)

// Injection into the pages: every field of every form, as the pages themselves
// have them, and every query that a page takes.
func TestInjectionIntoPages(t *testing.T) {
	t.Parallel()
	f, tokens := withTokens(t)
	get := func(path string) response { return f.do("GET", path, "", "", "Authorization", "Bearer "+tokens["dpo"]) }
	post := func(path string, values url.Values) response {
		return f.do("POST", path, "application/x-www-form-urlencoded", values.Encode(), "Authorization", "Bearer "+tokens["dpo"])
	}
	fields := make(map[string][]string) // by action
	forms := func(res response) {
		for _, form := range formTag.FindAllString(res.text, -1) {
			m := action.FindStringSubmatch(form)
			if m == nil || !strings.Contains(strings.ToLower(form), `method="post"`) {
				continue
			}
			for _, name := range fieldName.FindAllStringSubmatch(form, -1) {
				if !slices.Contains(fields[m[1]], name[1]) {
					fields[m[1]] = append(fields[m[1]], name[1])
				}
			}
		}
	}
	bases := make(map[string]url.Values)
	for _, r := range routes {
		if strings.HasPrefix(r.path, "/v1/") || r.method != "POST" {
			continue
		}
		values, err := url.ParseQuery(r.body)
		if err != nil {
			t.Fatal(err)
		}
		bases[r.path] = values
		forms(get(r.path))
		forms(post(r.path, values)) // what asks on
	}
	bases["/reveals"] = url.Values{"event": {"andmerada.events/0/2"}, "reason": {"x"}}
	forms(get("/events/andmerada.events/0/2"))
	forms(get("/reveals"))
	turn := new(turns)
	n := 0
	for path, names := range fields {
		if path == "/logout" {
			continue
		}
		if bases[path] == nil && !strings.HasPrefix(path, "/reveals/") {
			t.Errorf("a form is sent to %s, which is no route", path)
		}
		for _, name := range names {
			for _, text := range append(turn.take(2), answertest.Email+"\n"+answertest.Customer) {
				values := maps.Clone(bases[path])
				values.Set(name, text)
				n++
				a := attack{"POST " + path + " " + name, post(path, values), true}
				harmless(t, f, &a, text)
				if name == "identifier" && strings.Contains(a.res.text, text) && len(text) > 6 {
					t.Errorf("%s: the identifier comes back", a.where)
				}
			}
		}
	}
	for _, query := range []string{"/?controller=", "/?days=", "/drift?controller=", "/drift?from=", "/drift?to=", "/activities?controller=", "/activities?from=", "/duties?at=", "/duties?within=", "/bundle?question=", "/cases?controller=", "/events/andmerada.events/0/2?person=", "/register/acme?version=", "/register/", "/events/", "/cases/", "/reveals?controller=", "/assets/", "/login?back="} {
		for _, text := range turn.take(7) {
			n++
			address := query + url.QueryEscape(text)
			if strings.HasSuffix(query, "/") {
				address = query + url.PathEscape(text)
			}
			res := get(address)
			if strings.HasPrefix(query, "/assets") || strings.HasPrefix(query, "/login") {
				if res.StatusCode >= 500 && !strings.HasPrefix(query, "/login") {
					t.Errorf("%s: %d", address, res.StatusCode)
				}
				continue
			}
			a := attack{"GET " + query, res, true}
			harmless(t, f, &a, text)
		}
	}
	for _, file := range hostile {
		res := f.upload("/recipient", file, "controller", "acme", "recipient", "acme/bank")
		if res.StatusCode != http.StatusUnauthorized {
			t.Errorf("a file without a token: %d", res.StatusCode)
		}
	}
	t.Logf("%d attacks on %d forms", n, len(fields))
	if n < 200 || len(fields) < 8 {
		t.Errorf("%d attacks on %d forms", n, len(fields))
	}
	f.quiet(t)
}

// What one asker was given as a cursor is to another no way to more than is
// theirs, in any list that has pages.
func TestAnothersCursor(t *testing.T) {
	t.Parallel()
	f, tokens := withTokens(t)
	next := func(token, path, body string) string {
		t.Helper()
		var page struct {
			Next     string
			Timeline struct{ Next string }
		}
		res := f.as(tokens[token], "POST", path, body)
		if err := json.Unmarshal([]byte(res.text), &page); err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %s", path, res.StatusCode, res.text)
		}
		return page.Next + page.Timeline.Next
	}
	zeta := fmt.Sprintf(`{"controller":%q,"person":{"scheme":"email","value":%q}`, neighbour, answertest.Email)
	cursors := map[string]string{
		"of another controller's person": next("neighbour", "/v1/answers/timeline", zeta+`,"limit":1}`),
		"of another controller":          next("neighbour", "/v1/answers/access", `{"controller":"`+neighbour+`","limit":1}`),
		"of all persons":                 next("dpo", "/v1/answers/access", `{"controller":"acme","limit":1}`),
		"of one person":                  next("dpo", "/v1/answers/timeline", whoIs+`,"limit":1}`),
	}
	for name, cursor := range cursors {
		if cursor == "" {
			t.Fatalf("there is no cursor %s", name)
		}
		for path, body := range map[string]string{
			"/v1/answers/timeline": whoIs + `,"cursor":` + strconv.Quote(cursor) + `}`,
			"/v1/answers/access":   `{"controller":"acme","cursor":` + strconv.Quote(cursor) + `}`,
		} {
			for _, accept := range []string{"application/json", ndjsonForm, csvForm} {
				for token, status := range map[string]int{"dpo": 200, "elsewhere": 403, "source": 403} {
					res := f.as(tokens[token], "POST", path, body, "Accept", accept)
					if res.StatusCode != status || strings.Contains(res.text, neighbourMark) {
						t.Errorf("%s with the cursor %s as %s: %d %s", path, name, token, res.StatusCode, res.text)
					}
				}
			}
		}
		// An agent's own person, and nobody else's events; an agent's cursors are others.
		res := f.as(tokens["agent"], "POST", "/v1/answers/timeline", whoIs+`,"cursor":`+strconv.Quote(cursor)+`}`)
		if res.StatusCode >= 500 || strings.Contains(res.text, "Elsewhere AS") || strings.Contains(res.text, neighbourMark) {
			t.Errorf("the cursor %s as an agent: %d %s", name, res.StatusCode, res.text)
		}
	}
	for token, status := range map[string]int{"dpo": 404, "neighbour": 200, "elsewhere": 404} {
		if res := f.as(tokens[token], "GET", "/v1/cases/"+neighbourCase+"?after="+strings.Repeat("0", 32), ""); res.StatusCode != status {
			t.Errorf("a page of another's case as %s: %d %s", token, res.StatusCode, res.text)
		}
	}
}
