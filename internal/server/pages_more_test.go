package server

import (
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// The pages of what is declared, and of evidence, have what they are to have.
func TestPagesOfDeclared(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	for name, c := range map[string]struct {
		res    response
		status int
		want   []string
	}{
		"activities":    {f.do("GET", "/activities", "", ""), 200, []string{"sending bills", "acme/gossip", "✕ seen, not declared", "Acme Bank AS", "✓ declared and seen", "neither the register nor the events", `<option value="">All`}},
		"their days":    {f.do("GET", "/activities?controller=acme&from=2026-03-11&to=2026-03-12", "", ""), 200, []string{`value="2026-03-11"`, "– declared, never seen"}},
		"no days":       {f.do("GET", "/activities?to=x", "", ""), 422, []string{"neither a day nor a time"}},
		"no activities": {f.do("GET", "/activities?controller=nobody", "", ""), 422, []string{"register of this controller"}},
		"duties":        {f.do("GET", "/duties", "", ""), 200, []string{"Acme OÜ", "As of", `value="30"`}},
		"duties then":   {f.do("GET", "/duties?controller=acme&at=2026-03-31&within=90", "", ""), 200, []string{`value="2026-03-31"`, `value="90"`}},
		"bad duties":    {f.do("GET", "/duties?within=x", "", ""), 422, []string{"no number of days"}},
		"long duties":   {f.do("GET", "/duties?within=99999", "", ""), 422, []string{"more than ten years"}},
		"form":          {f.do("GET", "/bundle?question=breach", "", ""), 200, []string{`value="breach" selected`, "andmerada bundle check", "Whom a breach affects"}},
		"whose":         {f.form("/bundle", "controller", "acme", "question", "recipients", "scheme", "email"), 422, []string{`href="#identifier"`}},
		"what":          {f.form("/bundle", "controller", "acme", "scheme", "email"), 422, []string{`href="#question"`}},
		"when":          {f.form("/bundle", "controller", "acme", "question", "breach", "from", "2026-03-05T00:00", "to", "2026-03-04T00:00"), 422, []string{`href="#to"`, `value="2026-03-05T00:00"`}},
		"by id":         {f.form("/bundle", "controller", "acme", "question", "access", "actors", "u17"), 422, []string{`href="#reason"`}},
	} {
		if c.res.StatusCode != c.status {
			t.Errorf("%s: status %d, want %d", name, c.res.StatusCode, c.status)
		}
		for _, want := range c.want {
			if !strings.Contains(c.res.text, want) {
				t.Errorf("%s lacks %q", name, want)
			}
		}
		doc, err := html.Parse(strings.NewReader(c.res.text))
		if err != nil {
			t.Fatal(err)
		}
		structure(t, name, doc)
	}
}

// Who may not ask a question is not led to its page, nor offered it.
func TestPagesForThoseWhoMay(t *testing.T) {
	t.Parallel()
	f, tokens := withTokens(t)
	for role, want := range map[string][]bool{"dpo": {true, true, true}, "auditor": {true, true, true}, "responder": {false, false, false}} {
		page := f.do("GET", "/", "", "", "Authorization", "Bearer "+tokens[role]).text
		if want[0] {
			page += f.do("GET", "/drift", "", "", "Authorization", "Bearer "+tokens[role]).text
		}
		for i, path := range []string{"/activities", "/duties", "/bundle"} {
			if got := strings.Contains(page, `href="`+path+`"`); got != want[i] {
				t.Errorf("%s is led to %s: %t", role, path, got)
			}
		}
	}
	form := f.do("GET", "/bundle", "", "", "Authorization", "Bearer "+tokens["auditor"]).text
	if strings.Contains(form, `<option value="breach"`) || !strings.Contains(form, `<option value="access"`) {
		t.Error("an auditor is offered the evidence of a breach, or not that of accesses")
	}
}
