package server

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/answer/answertest"
)

// The persons of a case, and who is new in another, come as lines, however many.
func TestCaseStreams(t *testing.T) {
	t.Parallel()
	var all string
	f := start(t, func(c *Config) {
		a, err := answer.Breach(t.Context(), c.Answers, answer.BreachRequest{
			Windows: []answer.Window{{ActsRequest: answer.ActsRequest{Controller: "acme"}}}, Freeze: "all", Consequences: "fraud", Measures: "keys replaced",
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Keep(t.Context()); err != nil {
			t.Fatal(err)
		}
		all = a.Case.ID
	})
	compared := fmt.Sprintf("/v1/cases/%s/comparison/%s", answertest.Case, all)
	for path, want := range map[string]int{"/v1/cases/" + all: 2, compared: 1} {
		r := f.do("GET", path, "", "", "Accept", ndjsonForm)
		lines := strings.Split(strings.TrimSpace(r.text), "\n")
		if r.StatusCode != http.StatusOK || len(lines) != want+1 || !strings.Contains(lines[0], `"pseudonym":`) || lines[want] != fmt.Sprintf(`{"end":{"persons":%d}}`, want) {
			t.Errorf("%s: %d %s", path, r.StatusCode, r.text)
		}
		r = f.do("GET", path, "", "", "Accept", csvForm)
		rows, err := csv.NewReader(strings.NewReader(r.text)).ReadAll()
		if err != nil || len(rows) != want+1 || rows[0][1] != "pseudonym" || path == compared && rows[1][0] != answer.PersonNew {
			t.Errorf("%s: %v, %v", path, rows, err)
		}
		for _, ev := range f.emitted.take() {
			if ev.Records != uint64(want) {
				t.Errorf("%s: recorded as about %d persons", path, ev.Records)
			}
		}
	}
	if r := f.do("GET", compared, "", ""); !strings.Contains(r.text, `"both":1,"only_first":0,"only_second":1`) {
		t.Errorf("compared: %s", r.text)
	}
	if r := f.do("GET", "/v1/cases/"+all, "", ""); !strings.Contains(r.text, "fraud") || !strings.Contains(r.text, "keys replaced") {
		t.Errorf("what the controller wrote is not kept: %s", r.text)
	}
	if r := f.do("GET", "/v1/cases/none/comparison/"+all, "", "", "Accept", csvForm); r.StatusCode != http.StatusNotFound {
		t.Errorf("no case: %d %s", r.StatusCode, r.text)
	}
}
