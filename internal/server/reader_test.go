package server

import (
	"strings"
	"testing"

	"github.com/andmerada/andmerada/internal/answer/answertest"
)

// Every question is answered by the database's reader, who may not write, read
// other tables, or go past the bounds of its profile: no more is needed.
func TestTheReaderIsEnough(t *testing.T) {
	t.Parallel()
	f := start(t, func(c *Config) { c.Answers = answertest.PlantForReader(t) })
	for _, r := range routes {
		if res := r.ask(f, ""); res.StatusCode != 200 {
			t.Errorf("%s %s: %d %s", r.method, r.path, res.StatusCode, res.text)
		}
	}
	if res := f.as("", "POST", "/v1/reveals", revealTwo); res.StatusCode != 401 {
		t.Errorf("an empty token: %d", res.StatusCode)
	}
	if res := f.json("/v1/reveals", revealTwo); res.StatusCode != 200 || !strings.Contains(res.text, actor) {
		t.Errorf("a reveal: %d %s", res.StatusCode, res.text)
	}
	if strings.Contains(f.logs.String(), "level=ERROR") {
		t.Errorf("something failed:\n%s", f.logs)
	}
}
