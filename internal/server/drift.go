package server

import (
	"net/http"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
)

// driftPage shows where what is done and what is declared part ways.
func (s *server) driftPage(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	req := answer.DriftRequest{Controller: query.Get("controller"), From: query.Get("from"), To: query.Get("to")}
	s.asked(r.Context(), "drift", req.Controller)
	a, err := answer.DriftOf(r.Context(), s.answers(), req)
	if err != nil {
		status, f := s.failed(r.Context(), err)
		s.fault(w, r, status, f)
		return
	}
	s.render(w, r, http.StatusOK, driftView(s.frame("Drift", "drift"), a, req))
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
