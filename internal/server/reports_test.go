package server

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/andmerada/andmerada/deploy/registers"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/report"
)

func TestAnswersAsReports(t *testing.T) {
	t.Parallel()
	set, err := register.Load(registers.FS)
	if err != nil {
		t.Fatal(err)
	}
	names, err := report.LoadNames(registers.FS, func() *register.Set { return set })
	if err != nil {
		t.Fatal(err)
	}
	s := &server{Config: Config{Names: names}, log: slog.New(slog.DiscardHandler)}
	s.Answers.Now = func() time.Time { return time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC) }
	status, body := http.StatusOK, `{"controller":{"id":"elektrum","name":"Elektrum Eesti OÜ"},"period":{"zone":"Europe/Tallinn"},"asked_at":"2026-03-01T00:00:00Z","for":"person"}`
	h := s.reports(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	for _, c := range []struct {
		target, accept string
		status         int
		want, language string
	}{
		{"/v1/answers/recipients?format=pdf&language=lv", "", 200, "application/pdf", "lv"},
		{"/v1/answers/access", "application/pdf", 200, "application/pdf", "en"},
		{"/v1/answers/recipients", "application/json", 200, "application/json", ""},
		{"/v1/answers/recipients?format=pdf&language=xx", "", 422, "application/problem+json", ""},
		{"/v1/answers/lineage?format=pdf&language=fi", "", 200, "application/pdf", "fi"},
		{"/v1/activities?format=pdf&language=ru", "", 200, "application/pdf", "ru"},
		{"/v1/drift?format=pdf", "", 200, "application/json", ""},
		{"/v1/answers/told?format=pdf", "", 403, "application/json", ""},
	} {
		status = c.status
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, c.target, http.NoBody)
		r.Header.Set("Accept", c.accept)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.status || w.Header().Get("Content-Type") != c.want || w.Header().Get("Content-Language") != c.language {
			t.Errorf("%s: %d %s %s", c.target, w.Code, w.Header().Get("Content-Type"), w.Header().Get("Content-Language"))
		}
		if isPDF := bytes.HasPrefix(w.Body.Bytes(), []byte("%PDF-")); isPDF != strings.HasSuffix(c.want, "/pdf") {
			t.Errorf("%s: a PDF: %t", c.target, isPDF)
		}
	}
}
