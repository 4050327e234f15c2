package server

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/andmerada/andmerada/deploy/registers"
	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/answer/answertest"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/report"
)

// whatThePersonSees asks in every way in which a person can be answered.
func whatThePersonSees(t *testing.T, f *fixture, token, whom string) map[string]string {
	t.Helper()
	seen := make(map[string]string)
	body := whoIs + whom + "}"
	for _, path := range []string{"/v1/answers/recipients", "/v1/answers/timeline", "/v1/answers/told"} {
		seen[path] = f.as(token, "POST", path, body).text
	}
	for _, form := range []string{ndjsonForm, csvForm} {
		seen[form] = f.as(token, "POST", "/v1/answers/timeline", body, "Accept", form).text
	}
	fields := url.Values{"controller": {"acme"}, "scheme": {"email"}, "identifier": {answertest.Email}}
	if whom != "" {
		fields.Set("for", "person")
	}
	for _, page := range []string{"/person", "/timeline", "/told"} {
		seen[page] = f.do("POST", page, "application/x-www-form-urlencoded", fields.Encode(), "Authorization", "Bearer "+token).text
	}
	return seen
}

// withAuthorities plants what authorities received, under a strict profile.
func withAuthorities(t *testing.T, but ...string) func(*Config) {
	return func(c *Config) {
		answertest.PlantAuthorities(t, c.Answers)
		c.Answers.Profiles = answertest.Strict(t, but...)
	}
}

// No way to an answer shows the person what the law hides, nor the time of day.
func TestPersonSeesNothingHiddenAnywhere(t *testing.T) {
	t.Parallel()
	f, tokens := withTokens(t, withAuthorities(t))
	for _, asker := range []struct{ role, whom string }{{"agent", ""}, {"dpo", `,"for":"person"`}} {
		for way, text := range whatThePersonSees(t, f, tokens[asker.role], asker.whom) {
			for _, name := range answertest.Hidden {
				if strings.Contains(text, name) {
					t.Errorf("%s, %s: %q is seen", asker.role, way, name)
				}
			}
			asked := strings.NewReplacer("2026-03-11T06:00:00Z", "", "2026-03-11 08:00:00", "") // when it was asked is no secret
			for _, clock := range []string{":17:00", "08:00", "09:00", "10:00:", "06:00:", "18:00"} {
				if strings.Contains(asked.Replace(text), clock) {
					t.Errorf("%s, %s: the time of day %q is seen in %s", asker.role, way, clock, text)
				}
			}
			if !strings.Contains(text, "2026-03-10") || !strings.Contains(text, answertest.Shown) && way != "/told" && way != "/v1/answers/told" {
				t.Errorf("%s, %s: what is not hidden is not there: %s", asker.role, way, text)
			}
		}
		for _, ev := range f.emitted.take() {
			if !strings.HasPrefix(ev.Basis.Reference, "restricted; xx/police 7 (§ 2)") {
				t.Errorf("%s: kept with the question %s: %q", asker.role, ev.Purpose, ev.Basis.Reference)
			}
		}
	}
	for way, text := range whatThePersonSees(t, f, tokens["dpo"], "") {
		if !strings.Contains(text, "Village police") && way != "/told" {
			t.Errorf("in house, %s: hidden", way)
		}
	}
}

// Whoever has a report made that speaks to the person, it is for the person.
func TestReportsAreForThePerson(t *testing.T) {
	t.Parallel()
	set, err := register.Load(registers.FS)
	if err != nil {
		t.Fatal(err)
	}
	names, err := report.LoadNames(registers.FS, func() *register.Set { return set })
	if err != nil {
		t.Fatal(err)
	}
	f := start(t, func(c *Config) { c.Names, c.Answers.Profiles = names, answertest.Strict(t) })
	for _, path := range []string{"/v1/answers/recipients", "/v1/answers/timeline"} {
		r := f.do("POST", path+"?format=pdf", "application/json", whoIs+"}")
		if r.StatusCode != http.StatusOK || !strings.HasPrefix(r.text, "%PDF") {
			t.Fatalf("%s: %d %.200s", path, r.StatusCode, r.text)
		}
		for _, ev := range f.emitted.take() {
			if !strings.HasPrefix(ev.Basis.Reference, "restricted; ") {
				t.Errorf("%s: nothing was left out of the report: %q", path, ev.Basis.Reference)
			}
		}
	}
	if _, err := names.Report("en", new(answer.RecipientsAnswer), answertest.Start); err == nil {
		t.Error("a report that speaks to the person is made of an answer in house")
	}
}

// The evidence for an answer for the person holds no more than that, or is not
// made.
func TestBundlesForThePerson(t *testing.T) {
	t.Parallel()
	ask := func(f *fixture, tokens map[string]string) response {
		return f.as(tokens["dpo"], "POST", "/v1/bundles", `{"recipients":`+whoIs+`,"for":"person"}}`)
	}
	if r := ask(withTokens(t, withAuthorities(t))); r.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(r.text, "time of day") {
		t.Errorf("with dates only: %d %s", r.StatusCode, r.text)
	}
	r := ask(withTokens(t, withAuthorities(t, "times")))
	if r.StatusCode != http.StatusOK || !strings.Contains(r.text, answertest.Shown) {
		t.Fatalf("%d", r.StatusCode)
	}
	for _, name := range answertest.Hidden {
		if strings.Contains(r.text, name) {
			t.Errorf("%q is in the bundle", name)
		}
	}
}
