package server

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/andmerada/andmerada/internal/answer"
)

// What is streamed are the events of the answer, and it says that it is whole.
func TestStreams(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	for path, question := range map[string]string{"/v1/answers/timeline": whoIs + "}", "/v1/answers/access": `{"controller":"acme"}`} {
		r := f.do("POST", path, "application/json", question)
		var events []answer.Entry
		if path == "/v1/answers/timeline" {
			var a answer.TimelineAnswer
			err := json.Unmarshal([]byte(r.text), &a)
			if events = a.Events; err != nil {
				t.Fatal(err)
			}
		} else {
			var a answer.AccessAnswer
			err := json.Unmarshal([]byte(r.text), &a)
			if events = a.Timeline.Events; err != nil {
				t.Fatal(err)
			}
		}
		r = f.do("POST", path, "application/json", question, "Accept", ndjsonForm)
		lines := strings.Split(strings.TrimSpace(r.text), "\n")
		if r.StatusCode != http.StatusOK || r.Header.Get("Content-Type") != ndjsonForm || len(lines) != len(events)+1 || len(lines) < 5 {
			t.Fatalf("%s: %d, %s, %d lines for %d events", path, r.StatusCode, r.Header.Get("Content-Type"), len(lines), len(events))
		}
		for i, line := range lines[:len(lines)-1] {
			var e answer.Entry
			if err := json.Unmarshal([]byte(line), &e); err != nil || e.Offset == 0 {
				t.Errorf("line %d: %v", i, err)
			}
			if i < len(events) && e.Path() != events[i].Path() {
				t.Errorf("line %d is %s, not %s", i, e.Path(), events[i].Path())
			}
		}
		if !strings.Contains(lines[len(lines)-1], `{"end":{"events":`) {
			t.Errorf("the last line is %s", lines[len(lines)-1])
		}
		r = f.do("POST", path, "application/json", question, "Accept", "text/html, "+csvForm+";q=0.9")
		rows, err := csv.NewReader(strings.NewReader(r.text)).ReadAll()
		if err != nil || len(rows) != len(lines) || rows[0][0] != "time" || r.Header.Get("Content-Type") != csvForm {
			t.Errorf("%s: %d rows, %v", path, len(rows), err)
		}
		if len(f.emitted.take()) != 3 {
			t.Error("not each of three questions was recorded")
		}
		if r := f.do("POST", path, "application/json", `{"controller":"nobody","person":{"scheme":"email","value":"x"}}`, "Accept", csvForm); r.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%d for a fault", r.StatusCode)
		}
	}
}

// Pages follow each other; an error between them is seen by the client.
func TestStreamBreaksOff(t *testing.T) {
	t.Parallel()
	s := &server{log: slog.New(slog.DiscardHandler)}
	entry := answer.Entry{Place: answer.Place{Topic: "t", Offset: 1}, Reason: "=1+1"}
	pages := func(fail bool) func(context.Context, string) (listed, error) {
		return func(_ context.Context, cursor string) (listed, error) {
			switch {
			case fail:
				return listed{}, errors.New("the trail is away")
			case cursor == "2":
				return listed{Timeline: answer.Timeline{Events: []answer.Entry{entry, entry}, Next: "3"}}, nil
			default:
				return listed{Timeline: answer.Timeline{Events: []answer.Entry{entry}}}, nil
			}
		}
	}
	first := listed{Timeline: answer.Timeline{Events: []answer.Entry{entry}, Next: "2"}}
	w := httptest.NewRecorder()
	s.stream(t.Context(), w, ndjsonForm, first, pages(false))
	if got := w.Body.String(); strings.Count(got, "\n") != 5 || !strings.HasSuffix(got, `{"end":{"events":4}}`+"\n") {
		t.Error(got)
	}
	w = httptest.NewRecorder()
	s.stream(t.Context(), w, ndjsonForm, first, pages(true))
	if got := w.Body.String(); !strings.HasSuffix(got, `"events":1,"status":500}}`+"\n") || strings.Contains(got, "away") || strings.Contains(got, `"end"`) {
		t.Error(got)
	}
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.stream(r.Context(), w, csvForm, first, pages(true)) }))
	defer broken.Close()
	r, err := http.Get(broken.URL) //nolint:noctx // of this test alone
	if err == nil {
		defer r.Body.Close()
		_, err = csv.NewReader(r.Body).ReadAll()
	}
	if err == nil {
		t.Error("a CSV that broke off was taken for a whole one")
	}
	w = httptest.NewRecorder()
	s.stream(t.Context(), w, csvForm, first, pages(false))
	if !strings.Contains(w.Body.String(), ",'=1+1,") {
		t.Errorf("a formula stands there: %s", w.Body)
	}
}
