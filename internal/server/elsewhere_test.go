package server

import (
	"strings"
	"testing"

	"github.com/andmerada/andmerada/deploy/registers"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/report"
)

// What is sent to the API is answered as the API answers, be it no operation of
// it, one by another method, or one that the program fails at.
func TestBesideOperations(t *testing.T) {
	t.Parallel()
	f := start(t, func(c *Config) {
		var err error
		if c.Names, err = report.LoadNames(registers.FS, func() *register.Set { return c.Answers.Registers }); err != nil {
			t.Fatal(err)
		}
	})
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		allow              string
	}{
		"no operation":                 {"GET", "/v1/nothing", "", 404, ""},
		"nothing at all":               {"GET", "/v1/", "", 404, ""},
		"another method":               {"GET", "/v1/answers/recipients", "", 405, "POST"},
		"one that no operation has":    {"DELETE", "/v1/answers/recipients", "", 405, "POST"},
		"asking which":                 {"OPTIONS", "/v1/drift", "", 405, "GET, HEAD"},
		"no event":                     {"POST", "/v1/answers/lineage", `{"controller":"acme","event":{"topic":"x","partition":-1,"offset":-1}}`, 404, ""},
		"no language":                  {"POST", "/v1/answers/recipients?language=xx", whoIs + "}", 422, ""},
		"an empty language":            {"POST", "/v1/answers/recipients?language=&format=pdf", whoIs + "}", 422, ""},
		"no format":                    {"POST", "/v1/answers/recipients?format=docx", whoIs + "}", 422, ""},
		"a language of no report":      {"GET", "/v1/drift?language=xx", "", 200, ""},
		"a report of any letters":      {"POST", "/v1/answers/recipients?format=pdf", `{"controller":"acme","person":{"scheme":"🐈\u0085","value":"x"}}`, 200, ""},
		"a language, and no report":    {"POST", "/v1/answers/recipients?language=et", whoIs + "}", 200, ""},
		"a page's method is not meant": {"POST", "/v1/drift", "{}", 405, "GET, HEAD"},
	} {
		kind := ""
		if c.body != "" {
			kind = "application/json"
		}
		res := f.do(c.method, c.path, kind, c.body)
		if res.StatusCode != c.status || res.Header.Get("Allow") != c.allow || c.status != 200 && res.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d, Allow %q, %s: %.300s", name, res.StatusCode, res.Header.Get("Allow"), res.Header.Get("Content-Type"), res.text)
		}
	}
	if strings.Contains(f.logs.String(), "level=ERROR") {
		t.Errorf("something failed:\n%s", f.logs)
	}
}
