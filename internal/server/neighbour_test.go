package server

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/answer/answertest"
)

// Another controller's data is in no answer, wherever in a question it is asked
// for: in the place of the controller, beside it, or by what belongs to it.
func TestAnotherControllersData(t *testing.T) {
	t.Parallel()
	f, tokens := withTokens(t)
	place := fmt.Sprintf("andmerada.events/0/%d", neighbourAt)
	at := fmt.Sprintf(`{"topic":"andmerada.events","partition":0,"offset":%d`, neighbourAt)
	person := fmt.Sprintf(`"person":{"scheme":"email","value":%q}`, answertest.Email)
	who, err := f.keys.Pseudonym(neighbour, "email", answertest.Email)
	if err != nil {
		t.Fatal(err)
	}
	type try struct{ method, path, body string }
	var tries []try
	for _, r := range routes { // each question as it is, about the neighbour
		tries = append(tries, try{
			r.method, strings.NewReplacer("=acme", "="+neighbour, "/acme", "/"+neighbour, answertest.Case, neighbourCase, "andmerada.events/0/2", place).Replace(r.path),
			strings.NewReplacer("acme", neighbour, `"offset":2`, fmt.Sprintf(`"offset":%d`, neighbourAt)).Replace(r.body),
		})
	}
	tries = append(tries,
		try{"POST", "/v1/answers/breach", `{"windows":[{"controller":"acme"},{"controller":"zeta","set":"union"}]}`},
		try{"POST", "/v1/answers/breach", `{"windows":[{"controller":"acme","systems":["/Zetamark/crm"]}],"onward":3}`},
		try{"POST", "/v1/answers/access", `{"controller":"acme","entities":["77","Zetamark OÜ"],"systems":["/Zetamark/crm"]}`},
		try{"POST", "/v1/answers/recipient", `{"controller":"acme","recipient":"zeta/bank"}`},
		try{"POST", "/v1/answers/recipient", `{"controller":"acme","entity":"77"}`},
		try{"POST", "/v1/answers/lineage", `{"controller":"acme","event":` + at + `}}`},
		try{"POST", "/v1/answers/lineage", `{"controller":"acme","purposes":["zeta/billing"]}`},
		try{"POST", "/v1/answers/facts", `{"controller":"acme","recipient":"zeta/bank","actor":"Zetamark"}`},
		try{"POST", "/v1/answers/recipients", fmt.Sprintf(`{"controller":"acme","person":{"scheme":"pseudonym","value":%q}}`, who)},
		try{"POST", "/v1/answers/timeline", fmt.Sprintf(`{"controller":"acme","person":{"scheme":"pseudonym","value":%q}}`, who)},
		try{"POST", "/v1/answers/told", fmt.Sprintf(`{"controller":"acme","person":{"scheme":"pseudonym","value":%q}}`, who)},
		try{"POST", "/v1/bundles", `{"breach":{"windows":[{"controller":"acme"},{"controller":"zeta"}]}}`},
		try{"POST", "/v1/bundles", `{"recipients":{"controller":"zeta",` + person + `}}`},
		try{"POST", "/v1/reveals", at + `,"reason":"x"}`},
		try{"GET", "/v1/reveals?controller=zeta", ""},
		try{"GET", "/v1/overview?controller=zeta", ""},
		try{"GET", "/cases?controller=zeta", ""},
		try{"POST", "/reveals", "event=" + place + "&reason=x"},
		try{"POST", "/person", "controller=zeta&scheme=email&identifier=" + answertest.Email},
	)
	for _, role := range access.Roles() {
		for _, x := range tries {
			r := route{method: x.method, path: x.path, body: x.body}
			res := r.ask(f, tokens[string(role)])
			if strings.Contains(res.text, neighbourMark) && !strings.Contains(x.body, neighbourMark) {
				t.Errorf("%s %s %s as %s: %d %.1000s", x.method, x.path, x.body, role, res.StatusCode, res.text)
			}
			if res.StatusCode >= 500 {
				t.Errorf("%s %s %s as %s: %d %s", x.method, x.path, x.body, role, res.StatusCode, res.text)
			}
		}
	}
	for _, ev := range f.emitted.take() {
		if ev.Controller != answertest.Controller {
			t.Errorf("recorded for %q: %s", ev.Controller, ev.Purpose)
		}
	}
	// Nor does whoever may ask about a controller without a register learn which
	// others have one.
	for _, r := range routes {
		r.path, r.body = strings.ReplaceAll(r.path, "=acme", "=other"), strings.ReplaceAll(strings.ReplaceAll(r.body, `"acme"`, `"other"`), "=acme", "=other")
		if res := r.ask(f, tokens["elsewhere"]); strings.Contains(res.text, neighbour) || strings.Contains(res.text, "acme") && !strings.Contains(r.path+r.body, "acme") {
			t.Errorf("%s %s %s tells of others: %d %s", r.method, r.path, r.body, res.StatusCode, res.text)
		}
	}
	// It is there for whoever may ask.
	r := route{method: "POST", path: "/v1/answers/recipients", body: `{"controller":"zeta",` + person + `}`}
	if res := r.ask(f, tokens["neighbour"]); !strings.Contains(res.text, neighbourMark+" OÜ") {
		t.Errorf("its own: %d %s", res.StatusCode, res.text)
	}
}

// A refusal reads nothing of the trail: it takes as long and says the same
// whatever is in it, and a trail that is away does not change it.
func TestRefusalsReadNothing(t *testing.T) {
	t.Parallel()
	f, tokens := withTokens(t, func(c *Config) { c.Answers.Trail = answertest.Away(t) })
	for _, r := range routes {
		var may []access.Role
		for _, line := range access.Table() {
			if line.Question == r.question {
				may = line.Roles
			}
		}
		for _, role := range access.Roles() {
			if slices.Contains(may, role) {
				continue
			}
			if res := r.ask(f, tokens[string(role)]); res.StatusCode != http.StatusForbidden {
				t.Errorf("%s %s as %s: %d", r.method, r.path, role, res.StatusCode)
			}
		}
		if res := r.ask(f, access.NewToken()); res.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s %s as nobody: %d", r.method, r.path, res.StatusCode)
		}
	}
	body := func(value string) string {
		return fmt.Sprintf(`{"controller":"acme","person":{"scheme":"email","value":%q}}`, value)
	}
	for _, value := range []string{answertest.Other, "nobody@example.com", answertest.Email + "x"} { // not the person granted
		if res := f.as(tokens["agent"], "POST", "/v1/answers/recipients", body(value)); res.StatusCode != http.StatusForbidden {
			t.Errorf("an agent asks for another: %d", res.StatusCode)
		}
	}
	if res := f.as(tokens["agent"], "POST", "/v1/answers/recipients", body(answertest.Email)); res.StatusCode < 500 {
		t.Errorf("the trail is not away: %d", res.StatusCode)
	}
}
