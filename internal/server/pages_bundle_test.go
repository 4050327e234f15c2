package server

import (
	"strings"
	"testing"

	"github.com/andmerada/andmerada/internal/answer/answertest"
	"github.com/andmerada/andmerada/internal/bundle"
)

// The page gives each bundle that it offers, and each checks; it is recorded as
// the question of a bundle.
func TestBundlePage(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	for _, o := range bundleKinds {
		f.emitted.take()
		values := []string{"controller", "acme", "question", o.Value, "scheme", "email", "identifier", answertest.Email, "reason", "case 7"}
		if o.Value == "recipient" {
			values = append(values, "recipient", "acme/bank")
		}
		res := f.form("/bundle", values...)
		if res.StatusCode != 200 || res.Header.Get("Content-Type") != "application/zip" || !strings.Contains(res.Header.Get("Content-Disposition"), "answer.zip") {
			t.Errorf("%s: %d, %s: %.300s", o.Value, res.StatusCode, res.Header.Get("Content-Type"), res.text)
			continue
		}
		if checked := bundle.Check([]byte(res.text), nil); len(checked.Problems) > 0 {
			t.Errorf("%s: %v", o.Value, checked.Problems)
		}
		if strings.Contains(res.text, answertest.Email) {
			t.Errorf("%s holds the identifier", o.Value)
		}
		if asked := f.emitted.take(); len(asked) != 1 || asked[0].Reason != "case 7" {
			t.Errorf("%s: recorded %+v", o.Value, asked)
		}
	}
}
