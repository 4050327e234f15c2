package server

import (
	"net/http"
	"testing"
)

// TestNull: null is as if a member were left out, and refused of objects, as the
// API's description says.
func TestNull(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	for body, want := range map[string]int{
		`{"controller":"acme","to":null,"limit":null,"operations":null,"cursor":null}`: http.StatusOK,
		`{"controller":null}`: http.StatusUnprocessableEntity,
	} {
		if res := f.json("/v1/answers/access", body); res.StatusCode != want {
			t.Errorf("%s: %d %s", body, res.StatusCode, res.text)
		}
	}
	if res := f.json("/v1/answers/facts", `{"controller":"acme","recipient":"acme/bank","person":null}`); res.StatusCode != http.StatusBadRequest {
		t.Errorf("a person that is null: %d %s", res.StatusCode, res.text)
	}
}
