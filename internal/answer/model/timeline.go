package model

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/trail"
)

// secretService is withheld by [Profile], as are all
// that refer to the Criminal Code, but for one case.
const (
	secretService = "Secret Service"
	liftedCase    = "Criminal Code 7, case 9"
	hiddenCase    = "criminal code 7, case 8"
)

// shownToPerson says whether the person may be told of an event.
func shownToPerson(r *trail.Row, since time.Time) bool {
	if r.BasisReference != liftedCase && (r.BasisReference == hiddenCase || r.RecipientOrganisation == secretService) {
		return false
	}
	disclosed := r.RecipientOrganisation != "" || r.Recipient != "" && r.Recipient != event.DataSubject
	return !disclosed || !r.Time.Before(since)
}

var timeOfDay = regexp.MustCompile(`\d{4}-\d\d-\d\dT(\d\d:\d\d:\d\d)`)

// checkTimeline asks for the timeline of a period, in house and for the person.
func (h *History) checkTimeline(t testing.TB, way Way) {
	t.Helper()
	who := h.identifiers[h.r.IntN(len(h.identifiers))]
	zone := h.register.Zone
	first := Start.AddDate(0, 0, h.r.IntN(3))
	req := answer.Request{Controller: h.Controller, Person: who, From: first.In(zone).Format(time.DateOnly), To: first.AddDate(0, 0, h.r.IntN(3)).In(zone).Format(time.DateOnly)}
	if h.r.IntN(3) == 0 {
		req.From, req.To = "", ""
	}
	// In house it is asked for page by page by checkPerson, too.
	for _, whom := range []string{pick(h.r, "", "person", "person")} {
		req.For = whom
		ofDay := func(at time.Time) string { return at.In(zone).Format(time.DateOnly) }
		shown := func(r *trail.Row) bool { return true }
		if whom != "" {
			y, m, day := h.batch.now().In(zone).Date()
			shown = func(r *trail.Row) bool { return shownToPerson(r, time.Date(y-2, m, day, 0, 0, 0, 0, zone)) }
		}
		line := func(offset int64, verdict, day, mask, role string) string {
			return fmt.Sprint(offset, " ", verdict, " ", day, " ", mask, " ", role)
		}
		var want []string
		events := uint64(0)
		for _, r := range h.of(h.pseudonym(who), openEnd) {
			if day := ofDay(r.Time); shown(r) && (req.From == "" || day >= req.From && day <= req.To) {
				want = append(want, line(r.Offset, r.Verdict.String(), day, h.mask(r.Actor), r.ActorRole))
				if !r.Duplicate {
					events++
				}
			}
		}
		var got []string
		var text strings.Builder
		for page := (answer.TimelineRequest{Request: req, Limit: 6 + h.r.IntN(20)}); ; {
			a := ask[answer.TimelineAnswer](t, way, Timeline, page)
			if a.Next != "" && len(a.Events) != page.Limit {
				t.Errorf("for %q: a page of %d events, want %d", whom, len(a.Events), page.Limit)
			}
			for i := range a.Events {
				e := &a.Events[i]
				got = append(got, line(e.Offset, e.Verdict, ofDay(e.Time), e.Actor, e.ActorRole))
			}
			if err := json.NewEncoder(&text).Encode(a); err != nil {
				t.Fatal(err)
			}
			if page.Cursor = a.Next; page.Cursor == "" {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("for %q, %s to %s: timeline %q, want %q", whom, req.From, req.To, got, want)
		}
		a := ask[answer.RecipientsAnswer](t, way, Recipients, answer.RecipientsRequest{Request: req})
		if a.Events != events {
			t.Errorf("for %q: %d events, want %d", whom, a.Events, events)
		}
		if whom == "" {
			continue
		}
		for _, clock := range timeOfDay.FindAllStringSubmatch(text.String(), -1) {
			if clock[1] != "00:00:00" {
				t.Errorf("the person is told the time of day %s", clock[0])
			}
		}
		told := strings.Contains(text.String(), secretService) // where the ground does not hold any more
		lifted := slices.ContainsFunc(h.acts, func(a act) bool { return a.BasisReference == liftedCase && a.RecipientOrganisation == secretService })
		if told && !lifted || strings.Contains(text.String(), hiddenCase) {
			t.Errorf("the person is told what is withheld: %s", text.String())
		}
	}
}
