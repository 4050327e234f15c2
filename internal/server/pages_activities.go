package server

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/answer"
)

// activitiesPage shows the register of processing activities.
func (s *server) activitiesPage(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	of := s.ofController(r, access.Activities)
	req := answer.DriftRequest{Controller: of.controller, From: query.Get("from"), To: query.Get("to")}
	a, err := ask(r.Context(), s, access.Activities, of, func(d answer.Deps) (*answer.ActivitiesAnswer, error) { return answer.Activities(r.Context(), d, req) }, nil)
	if err != nil {
		s.failedPage(w, r, err)
		return
	}
	s.render(w, r, http.StatusOK, activitiesView(s.frame(r, "Register of processing activities", "/activities"), a, req))
}

// casesShown is how many duties of each sort the page names.
const casesShown = 20

// dutiesPage shows what is due. Of all controllers at once it may take longer
// than an answer may, so that it begins with one.
func (s *server) dutiesPage(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	of := s.ofController(r, access.Duties)
	req := answer.DutiesRequest{Controller: of.controller, At: query.Get("at"), Within: 30, Cases: casesShown}
	a, err := ask(r.Context(), s, access.Duties, of, func(d answer.Deps) (*answer.DutiesAnswer, error) {
		if text := query.Get("within"); text != "" {
			var err error
			if req.Within, err = strconv.Atoi(text); err != nil {
				return nil, &answer.Fault{Pointer: "/within", Problem: "this is no number of days", Mend: "write a number from 0 to 3660"}
			}
		}
		return answer.DutiesOf(r.Context(), d, req)
	}, nil)
	if err != nil {
		s.failedPage(w, r, err)
		return
	}
	s.render(w, r, http.StatusOK, dutiesView(s.frame(r, "Duties", "/duties"), a, req))
}

// ofAll says whether whoever asks may ask that of all controllers at once.
func (f frame) ofAll(q access.Question) bool {
	return f.Who != nil && slices.Contains(f.Who.Controllers(q), access.Everyone)
}

// activityMark is whether something was declared and seen, with a sign of its own.
func activityMark(mark string) (class, words string) {
	switch mark {
	case answer.ActivityBoth:
		return "v-allowed", "✓ declared and seen"
	case answer.ActivityUnseen:
		return "v-none", "– declared, never seen"
	default:
		return "v-violation", "✕ seen, not declared"
	}
}

func basesText(bases []string) string {
	names := make([]string, len(bases))
	for i, b := range bases {
		names[i] = answer.BasisName(b)
	}
	return strings.Join(names, ", ")
}

// seenText is when something was seen, if it was.
func seenText(t time.Time, zone *time.Location) string {
	if t.IsZero() {
		return "–"
	}
	return dayOf(t, zone)
}

// fromText is what a period runs from.
func fromText(from string) string {
	if from == "" {
		return ""
	}
	return "from " + from
}

// some are the texts that say something.
func some(texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(t string) bool { return strings.TrimSpace(t) == "" }), "; ")
}

// dutyTitles say what each kind of duty is.
var dutyTitles = map[string]string{
	"erase":        "Erase: its period is over",
	"erased-early": "Erased before its period was over",
	"answer":       "Answer a request",
	"stop":         "Stop: the consent was withdrawn",
	"agreement":    "Agreement with a processor",
}

// dutyMark is the state of a duty with a sign of its own.
func dutyMark(g *answer.DutyGroup) (class, words string) {
	switch {
	case g.State == "due":
		return "v-review", "? due"
	case g.State == "happened" && g.Verdict == "violation":
		return "v-violation", "✕ happened"
	case g.State == "happened":
		return "v-review", "? happened, it seems"
	case g.Verdict == "violation":
		return "v-violation", "✕ overdue"
	default:
		return "v-review", "? overdue, it seems"
	}
}

func missingText(missing []answer.Counted) string {
	parts := make([]string, len(missing))
	for i, m := range missing {
		parts[i] = m.ID + " (" + number(m.Count) + ")"
	}
	return strings.Join(parts, ", ")
}

// monthsText are the months of the last days, cut where they are many.
func monthsText(months []answer.MonthCount) string {
	parts := []string{}
	for _, m := range months[:min(len(months), 12)] {
		parts = append(parts, m.Month+": "+number(m.Count))
	}
	if more := len(months) - 12; more > 0 {
		parts = append(parts, "and "+plural(uint64(more), "month", "months")+" more")
	}
	return strings.Join(parts, ", ")
}
