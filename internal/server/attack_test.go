package server

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/andmerada/andmerada/internal/answer/answertest"
)

// Guessing identifiers, offsets and controllers tells whoever may not ask
// nothing: the refusal is the same, byte for byte, whether there is such a one.
func TestGuessing(t *testing.T) {
	t.Parallel()
	f, tokens := withTokens(t)
	same := func(name string, replies ...response) {
		t.Helper()
		for _, r := range replies[1:] {
			if r.StatusCode != replies[0].StatusCode || r.text != replies[0].text || r.StatusCode == 200 {
				t.Errorf("%s: %d %s\nand %d %s", name, replies[0].StatusCode, replies[0].text, r.StatusCode, r.text)
			}
		}
	}
	person := func(token, controller, scheme, value string) response {
		return f.as(tokens[token], "POST", "/v1/answers/recipients", fmt.Sprintf(`{"controller":%q,"person":{"scheme":%q,"value":%q}}`, controller, scheme, value))
	}
	same("an agent, another person", person("agent", "acme", "customer-number", answertest.Other), person("agent", "acme", "customer-number", "C-000"),
		// Linked to the one granted, but that is not for the agent to find out.
		person("agent", "acme", "customer-number", answertest.Customer), person("agent", "acme", "email", "x"), person("agent", "acme", "pseudonym", "zz"),
		person("agent", "acme", "pseudonym", strings.Repeat("0", 32)))
	same("a controller", person("elsewhere", "acme", "email", answertest.Email), person("elsewhere", "nobody", "email", answertest.Email), person("elsewhere", "acme", "email", "x"))
	at := func(token, place string) response { return f.as(tokens[token], "GET", "/v1/events/"+place, "") }
	same("an event", at("elsewhere", "andmerada.events/0/2"), at("elsewhere", "andmerada.events/0/999"), at("elsewhere", "other/0/2"))
	if res := at("dpo", "andmerada.events/0/2"); res.StatusCode != 200 {
		t.Errorf("one's own: %d", res.StatusCode)
	}
	// Whoever may ask learns the shape of an answer, whoever it is about.
	keys := func(res response) string {
		var m map[string]any
		if err := json.Unmarshal([]byte(res.text), &m); err != nil || res.StatusCode != 200 {
			t.Errorf("%d %s", res.StatusCode, res.text)
		}
		for _, optional := range []string{"to_person", "internal"} {
			delete(m, optional)
		}
		all := make([]string, 0, len(m))
		for k := range m {
			all = append(all, k)
		}
		slices.Sort(all)
		return strings.Join(all, " ")
	}
	if known, unknown := keys(person("dpo", "acme", "email", answertest.Email)), keys(person("dpo", "acme", "email", "nobody@example.com")); known != unknown {
		t.Errorf("known: %s\nunknown: %s", known, unknown)
	}
	if res := person("agent", "acme", "email", answertest.Email); res.StatusCode != 200 {
		t.Errorf("the agent's own person: %d %s", res.StatusCode, res.text)
	}
}

// Pages of a timeline end where the person's data end, whatever is asked for.
func TestPagingPastLimits(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	type page struct {
		Events []struct{ Offset int }
		Next   string
	}
	ask := func(body string) (p page, status int) {
		res := f.json("/v1/answers/timeline", body)
		if res.StatusCode == 200 {
			if err := json.Unmarshal([]byte(res.text), &p); err != nil {
				t.Fatalf("%s: %v in %s", body, err, res.text)
			}
		}
		return p, res.StatusCode
	}
	for limit, want := range map[string]int{"0": 200, "1": 200, "500": 200, "501": 422, "-1": 422, "1000000000": 422, "99999999999999999999": 422, "1.5": 422} {
		if p, status := ask(whoIs + `,"limit":` + limit + `}`); status != want || len(p.Events) > 500 {
			t.Errorf("limit %s: %d, %d events", limit, status, len(p.Events))
		}
	}
	seen := make(map[int]bool)
	cursor, pages := "", 0
	for ; pages < 50; pages++ {
		p, status := ask(whoIs + `,"limit":1,"cursor":"` + cursor + `"}`)
		if status != 200 {
			t.Fatal(status)
		}
		for _, e := range p.Events {
			if seen[e.Offset] {
				t.Errorf("offset %d twice", e.Offset)
			}
			seen[e.Offset] = true
		}
		if cursor = p.Next; cursor == "" {
			break
		}
	}
	if len(seen) < 6 || pages > 20 {
		t.Errorf("%d events on %d pages", len(seen), pages)
	}
	// A cursor of one person is no way to another's events.
	first, _ := ask(whoIs + `,"limit":1}`)
	other, _ := ask(`{"controller":"acme","person":{"scheme":"customer-number","value":"` + answertest.Other + `"},"limit":500,"cursor":"` + first.Next + `"}`)
	for _, e := range other.Events {
		if e.Offset != 7 && e.Offset != 9 {
			t.Errorf("the other person's timeline has offset %d", e.Offset)
		}
	}
	for from, to := range map[string]string{"0001-01-01": "9999-12-31", "0001-01-01T00:00:00Z": "9999-12-31T23:59:59Z", "1900-01-01": "2299-12-30", "-0001-01-01": "", "2026-03-10": "2026-03-09"} {
		if p, status := ask(whoIs + `,"from":"` + from + `","to":"` + to + `"}`); status != 200 && status != 422 || len(p.Events) > 50 {
			t.Errorf("%s to %s: %d, %d events", from, to, status, len(p.Events))
		}
	}
	for _, path := range []string{"/v1/drift?from=0001-01-01&to=9999-12-31", "/v1/duties?at=9999-12-31&within=3660", "/v1/overview?days=366"} {
		if res := f.do("GET", path, "", ""); res.StatusCode != 200 && res.StatusCode != 422 {
			t.Errorf("%s: %d %s", path, res.StatusCode, res.text)
		}
	}
}

// Reasons are kept in clear, so they must not say who it is about.
func TestReasons(t *testing.T) {
	t.Parallel()
	f := start(t, func(c *Config) { c.ReasonNeeded = true })
	ask := func(reason string) response {
		return f.do("POST", "/v1/answers/recipients", "application/json", whoIs+"}", reasonHeader, reason)
	}
	for reason, status := range map[string]int{"request 17": 200, url.PathEscape("õiguskantsler"): 200, "": 422, "for%20" + answertest.Email: 422, "two%0alines": 422, "%ff": 422, strings.Repeat("x", 1100): 422} {
		f.emitted.take()
		res := ask(reason)
		if asked := f.emitted.take(); res.StatusCode != status || (len(asked) == 1) != (status == 200) {
			t.Errorf("%.30q: %d, %d recorded: %s", reason, res.StatusCode, len(asked), res.text)
		} else if text, err := url.PathUnescape(reason); len(asked) > 0 && (err != nil || asked[0].Reason != text) {
			t.Errorf("%q is recorded as %q", reason, asked[0].Reason)
		}
		if strings.Contains(res.text, answertest.Email) {
			t.Errorf("%q comes back: %s", reason, res.text)
		}
	}
	if res := f.form("/person", "controller", "acme", "scheme", "email", "identifier", answertest.Email); res.StatusCode != 422 || !strings.Contains(res.text, `id="reason-error"`) {
		t.Errorf("the form without a reason: %d", res.StatusCode)
	}
	if res := f.form("/person", "controller", "acme", "scheme", "email", "identifier", answertest.Email, "reason", "for "+answertest.Email); res.StatusCode != 422 || strings.Contains(res.text, answertest.Email) {
		t.Errorf("the form with the identifier as a reason: %d", res.StatusCode)
	}
	if strings.Contains(f.logs.String(), answertest.Email) || strings.Contains(f.logs.String(), "maasikas") {
		t.Errorf("the log:\n%s", f.logs)
	}
}
