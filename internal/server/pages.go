package server

import (
	"bytes"
	"embed"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/a-h/templ"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/register"
)

//go:embed assets/*.css assets/*.svg
var assets embed.FS

// pages adds the pages to the mux. They work without scripts.
func (s *server) pages(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", s.overviewPage)
	mux.HandleFunc("GET /person", func(w http.ResponseWriter, r *http.Request) {
		s.render(w, r, http.StatusOK, personForm(s.frame("Ask for a person", "person"), question{Scheme: schemes[0]}, s.answers().Registers.All(), nil))
	})
	mux.HandleFunc("POST /person", s.personPage)
	mux.HandleFunc("POST /person/timeline", s.timelinePage)
	mux.HandleFunc("GET /events/{topic}/{partition}/{offset}", s.eventPage)
	mux.HandleFunc("GET /register/{controller}", s.registerPage)
	mux.HandleFunc("GET /drift", s.driftPage)
	mux.HandleFunc("GET /assets/{file}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=3600")
		http.ServeFileFS(w, r, assets, "assets/"+r.PathValue("file"))
	})
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		s.fault(w, r, http.StatusNotFound, &answer.Fault{Problem: "There is no such page", Mend: "go to the overview"})
	})
}

// frame is what stands around every page.
type frame struct {
	Title, Here string
	Controllers []answer.Controller
	Version     string
}

func (s *server) frame(title, here string) frame {
	f := frame{Title: title, Here: here, Version: s.Version}
	for _, r := range s.newestRegisters() {
		f.Controllers = append(f.Controllers, answer.Controller{ID: r.Controller.ID, Name: r.Controller.Name})
	}
	return f
}

// newestRegisters are those of each controller.
func (s *server) newestRegisters() []*register.Register {
	return slices.CompactFunc(s.answers().Registers.All(), func(a, b *register.Register) bool { return a.Controller.ID == b.Controller.ID })
}

// render draws a page whole before it sends any of it.
func (s *server) render(w http.ResponseWriter, r *http.Request, status int, page templ.Component) {
	var b bytes.Buffer
	if err := page.Render(r.Context(), &b); err != nil {
		s.log.ErrorContext(r.Context(), "a page could not be drawn", slog.Any("error", err))
		text(w, http.StatusInternalServerError, "the page could not be drawn\n")
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if _, err := w.Write(b.Bytes()); err != nil {
		return // the client has gone
	}
}

func (s *server) fault(w http.ResponseWriter, r *http.Request, status int, f *answer.Fault) {
	s.render(w, r, status, faultPage(s.frame(http.StatusText(status), ""), f))
}

func (s *server) overviewPage(w http.ResponseWriter, r *http.Request) {
	controller := r.URL.Query().Get("controller")
	days, err := strconv.Atoi(r.URL.Query().Get("days"))
	if err != nil || !slices.Contains(periods, days) {
		days = 30
	}
	s.asked(r.Context(), "overview", controller)
	o, err := answer.OverviewOf(r.Context(), s.answers(), answer.OverviewRequest{Controller: controller, Days: days})
	if err != nil {
		status, f := s.failed(r.Context(), err)
		s.fault(w, r, status, f)
		return
	}
	s.render(w, r, http.StatusOK, overviewView(s.frame("Overview", "overview"), o, controller, days))
}

// periods are those that the overview offers, in days.
var periods = []int{14, 30, 90, 365}

// schemes are the identifiers that the form offers.
var schemes = []string{"customer-number", "personal-code", "email", "metering-point", "phone", "pseudonym"}

// question is the person form as it was filled in, without the identifier,
// which is not given back.
type question struct{ Controller, Scheme, From, To string }

// ask reads the form of a question about a person.
func (s *server) ask(w http.ResponseWriter, r *http.Request) (answer.TimelineRequest, question, bool) {
	if err := r.ParseForm(); err != nil {
		s.fault(w, r, http.StatusBadRequest, &answer.Fault{Problem: "The form could not be read", Mend: "send it again"})
		return answer.TimelineRequest{}, question{}, false
	}
	get := r.PostForm.Get
	q := question{Controller: get("controller"), Scheme: get("scheme"), From: get("from"), To: get("to")}
	if !slices.Contains(schemes, q.Scheme) { // what else was sent there may be an identifier
		q.Scheme = schemes[0]
	}
	return answer.TimelineRequest{Request: answer.Request{
		Controller: q.Controller, Person: answer.Person{Scheme: q.Scheme, Value: get("identifier")}, From: q.From, To: q.To,
	}, Cursor: get("cursor")}, q, true
}

func (s *server) personPage(w http.ResponseWriter, r *http.Request) {
	req, q, ok := s.ask(w, r)
	if !ok {
		return
	}
	s.asked(r.Context(), "recipients", q.Controller)
	a, err := answer.Recipients(r.Context(), s.answers(), req.Request)
	if err != nil {
		s.askAgain(w, r, q, err)
		return
	}
	s.render(w, r, http.StatusOK, recipientsView(s.frame("Who received the data", "person"), a, q))
}

func (s *server) timelinePage(w http.ResponseWriter, r *http.Request) {
	req, q, ok := s.ask(w, r)
	if !ok {
		return
	}
	s.asked(r.Context(), "timeline", q.Controller)
	a, err := answer.TimelineOf(r.Context(), s.answers(), req)
	if err != nil {
		s.askAgain(w, r, q, err)
		return
	}
	s.render(w, r, http.StatusOK, timelineView(s.frame("Timeline", "person"), a, q))
}

// askAgain shows the form with what is wrong. What was written into a day's
// field is not given back where it is no day.
func (s *server) askAgain(w http.ResponseWriter, r *http.Request, q question, err error) {
	status, f := s.failed(r.Context(), err)
	if f.Pointer == "" {
		s.fault(w, r, status, f)
		return
	}
	for _, day := range []*string{&q.From, &q.To} {
		if _, err := time.Parse(time.DateOnly, *day); err != nil {
			*day = ""
		}
	}
	s.render(w, r, status, personForm(s.frame("Error: Ask for a person", "person"), q, s.answers().Registers.All(), f))
}

func (s *server) eventPage(w http.ResponseWriter, r *http.Request) {
	partition, err1 := strconv.ParseInt(r.PathValue("partition"), 10, 32)
	offset, err2 := strconv.ParseInt(r.PathValue("offset"), 10, 64)
	person, err3 := strconv.ParseUint(r.URL.Query().Get("person"), 10, 16)
	req := answer.EventRequest{Place: answer.Place{Topic: r.PathValue("topic"), Partition: int32(partition), Offset: offset}, Person: -1}
	if err3 == nil {
		req.Person = int(person)
	}
	s.asked(r.Context(), "event", "")
	if err1 != nil || err2 != nil {
		req.Offset = -1 // no such place
	}
	a, err := answer.Event(r.Context(), s.answers(), req)
	if err != nil {
		status, f := s.failed(r.Context(), err)
		s.fault(w, r, status, f)
		return
	}
	s.render(w, r, http.StatusOK, eventView(s.frame("One event", ""), a, s.zone(a.Controller)))
}

func (s *server) registerPage(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("controller")
	s.asked(r.Context(), "register", id)
	var versions []*register.Register
	for _, reg := range s.answers().Registers.All() {
		if reg.Controller.ID == id {
			versions = append(versions, reg)
		}
	}
	if versions == nil {
		s.fault(w, r, http.StatusNotFound, &answer.Fault{Problem: "No register of this controller is loaded", Mend: "go to the overview"})
		return
	}
	shown := versions[0]
	for _, v := range versions {
		if v.Version == r.URL.Query().Get("version") {
			shown = v
		}
	}
	s.render(w, r, http.StatusOK, registerView(s.frame("Register of "+shown.Controller.Name, "register/"+id), shown, versions))
}

// zone is that of a controller's calendar.
func (s *server) zone(controller string) *time.Location {
	for _, r := range s.newestRegisters() {
		if r.Controller.ID == controller {
			return r.Zone
		}
	}
	return time.UTC
}

func zoneOf(p answer.Period) *time.Location {
	if z, err := time.LoadLocation(p.Zone); err == nil {
		return z
	}
	return time.UTC
}
