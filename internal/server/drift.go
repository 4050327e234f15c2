package server

import (
	"net/http"
	"time"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/answer"
)

// driftPage shows where what is done and what is declared part ways.
func (s *server) driftPage(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	of := s.ofController(r, access.Drift)
	req := answer.DriftRequest{Controller: of.controller, From: query.Get("from"), To: query.Get("to")}
	a, err := ask(r.Context(), s, access.Drift, of, func(d answer.Deps) (*answer.DriftAnswer, error) { return answer.DriftOf(r.Context(), d, req) }, nil)
	if err != nil {
		s.failedPage(w, r, err)
		return
	}
	s.render(w, r, http.StatusOK, driftView(s.frame(r, "Drift", "/drift"), a, req))
}

// driftTitles say what each kind of drift is.
var driftTitles = map[answer.DriftKind]string{
	answer.UndeclaredPurpose:      "Purpose",
	answer.UndeclaredRecipient:    "Recipient",
	answer.RecipientNotStated:     "Recipient not stated",
	answer.RecipientOtherPurpose:  "Recipient for another purpose",
	answer.UndeclaredCategory:     "Category",
	answer.CategoryOutsidePurpose: "Category outside the purpose",
	answer.UndeclaredSource:       "Source",
}

// lastSeenText is when something was seen last.
func lastSeenText(t time.Time, zone *time.Location) string {
	if t.IsZero() {
		return "never"
	}
	return dayOf(t, zone)
}

// dayText is a day as a form takes it; what is no day is not given back.
func dayText(s string) string {
	if _, err := time.Parse(time.DateOnly, s); err != nil {
		return ""
	}
	return s
}
