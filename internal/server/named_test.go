package server

import (
	"net/http"
	"strings"
	"testing"
)

// Whoever could ask by an id would learn whose a mask is: it needs a reason, as a
// reveal does, and where that waits for an approval only a breach is asked for so.
func TestActorsByID(t *testing.T) {
	t.Parallel()
	const byID, breach = `{"controller":"acme","actors":["u17"]}`, `{"windows":[{"controller":"acme","actors":["u17"]}]}`
	f := start(t, nil)
	all := f.json("/v1/answers/access", `{"controller":"acme","operations":["transfer"],"recipients":["acme/bank"]}`)
	_, after, found := strings.Cut(all.text, `"id":"actor-`)
	if !found {
		t.Fatalf("no mask in %s", all.text)
	}
	mask := "actor-" + after[:12]
	for path, body := range map[string]string{"/v1/answers/access": byID, "/v1/answers/lineage": byID, "/v1/answers/breach": breach, "/v1/bundles": `{"access":` + byID + `}`} {
		f.emitted.take()
		if res := f.json(path, body); res.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(res.text, "/reason") || len(f.emitted.take()) != 0 {
			t.Errorf("%s without a reason: %d %s", path, res.StatusCode, res.text)
		}
		if res := f.do("POST", path, "application/json", body, reasonHeader, "case 7"); res.StatusCode != 200 {
			t.Errorf("%s with a reason: %d %s", path, res.StatusCode, res.text)
		}
		recorded := f.emitted.take()
		if len(recorded) != 2 || !strings.HasSuffix(recorded[1].Purpose, "reveal") || recorded[1].Reason != "case 7" {
			t.Errorf("%s: recorded %+v", path, recorded)
		}
		if res := f.json(path, strings.ReplaceAll(body, "u17", mask)); res.StatusCode != 200 || len(f.emitted.take()) != 1 {
			t.Errorf("%s by mask: %d %s", path, res.StatusCode, res.text)
		}
	}
	if res := f.json("/v1/answers/access", `{"controller":"acme","actors":["`+mask+`"]}`); !strings.Contains(res.text, `"events":2,`) {
		t.Errorf("by mask: %s", res.text)
	}
	if res := f.json("/v1/answers/access", `{"controller":"acme","actors":["actor-000000000000"]}`); !strings.Contains(res.text, `"events":0,`) {
		t.Errorf("by a mask that nobody has: %s", res.text)
	}
	approved := start(t, func(c *Config) { c.RevealApproval = true })
	if res := approved.do("POST", "/v1/answers/access", "application/json", byID, reasonHeader, "case 7"); res.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(res.text, "/actors") {
		t.Errorf("where an approval is wanted: %d %s", res.StatusCode, res.text)
	}
	if res := approved.do("POST", "/v1/answers/breach", "application/json", breach, reasonHeader, "case 7"); res.StatusCode != 200 {
		t.Errorf("a breach where an approval is wanted: %d %s", res.StatusCode, res.text)
	}
}
