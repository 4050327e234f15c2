package server

import (
	"bytes"
	"context"
	"embed"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/register"
)

//go:embed assets/*.css assets/*.svg
var assets embed.FS

// pages adds the pages to the mux. They work without scripts.
func (s *server) pages(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", s.overviewPage)
	mux.HandleFunc("GET /person", func(w http.ResponseWriter, r *http.Request) {
		s.render(w, r, http.StatusOK, personForm(s.frame(r, "Ask for a person", "/person"), question{Scheme: schemes[0]}, s.answers().Registers.All(), nil))
	})
	mux.HandleFunc("POST /person", s.personPage)
	timelines := s.timelinePage()
	mux.HandleFunc("GET /timeline", timelines.empty)
	mux.HandleFunc("POST /timeline", timelines.ask)
	mux.HandleFunc("GET /events/{topic}/{partition}/{offset}", s.eventPage)
	mux.HandleFunc("GET /register/{controller}", s.registerPage)
	mux.HandleFunc("GET /drift", s.driftPage)
	mux.HandleFunc("GET /activities", s.activitiesPage)
	mux.HandleFunc("GET /duties", s.dutiesPage)
	accesses := s.accessPage()
	mux.HandleFunc("GET /access", accesses.empty)
	mux.HandleFunc("POST /access", accesses.ask)
	unusuals := s.unusualPage()
	mux.HandleFunc("GET /unusual", unusuals.empty)
	mux.HandleFunc("POST /unusual", unusuals.ask)
	breaches := s.breachPage()
	mux.HandleFunc("GET /breach", breaches.empty)
	mux.HandleFunc("POST /breach", breaches.ask)
	mux.HandleFunc("GET /cases", s.casesPage)
	mux.HandleFunc("GET /cases/{id}", s.casePage)
	mux.HandleFunc("POST /cases/{id}", s.casePage)
	recipients := s.recipientPage()
	mux.HandleFunc("GET /recipient", recipients.empty)
	mux.HandleFunc("POST /recipient", recipients.ask)
	toldOf := s.toldPage()
	mux.HandleFunc("GET /told", toldOf.empty)
	mux.HandleFunc("POST /told", toldOf.ask)
	tellings := s.tellingsPage()
	mux.HandleFunc("GET /tellings", tellings.empty)
	mux.HandleFunc("POST /tellings", tellings.ask)
	known := s.factsPage()
	mux.HandleFunc("GET /facts", known.empty)
	mux.HandleFunc("POST /facts", known.ask)
	lineages := s.lineagePage()
	mux.HandleFunc("GET /lineage", lineages.empty)
	mux.HandleFunc("POST /lineage", lineages.ask)
	bundles := s.bundlePage()
	mux.HandleFunc("GET /bundle", bundles.empty)
	mux.HandleFunc("POST /bundle", bundles.ask)
	s.revealPages(mux)
	mux.HandleFunc("GET /api", s.apiPage)
	mux.HandleFunc("GET /assets/{file}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=3600")
		http.ServeFileFS(w, r, assets, "assets/"+r.PathValue("file"))
	})
	mux.HandleFunc(elsewhere, func(w http.ResponseWriter, r *http.Request) {
		s.fault(w, r, http.StatusNotFound, &answer.Fault{Problem: "There is no such page", Mend: "go to the overview"})
	})
}

// frame is what stands around every page.
type frame struct {
	Title, Here string              // Here: the path of the page
	Controllers []answer.Controller // that whoever asks may ask about
	Version     string
	Who         *access.Principal // nil = not known
	Recording   bool
	Reason      bool // one must be given
}

func (s *server) frame(r *http.Request, title, here string) frame {
	f := frame{Title: title, Here: here, Version: s.Version, Who: access.From(r.Context()), Recording: s.Recorder.Recording(), Reason: s.ReasonNeeded}
	for _, r := range s.newestRegisters() {
		if f.Who != nil && f.Who.Sees(r.Controller.ID) {
			f.Controllers = append(f.Controllers, answer.Controller{ID: r.Controller.ID, Name: r.Controller.Name})
		}
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
	// A page that says that the time is over is drawn when it is.
	if err := page.Render(context.WithoutCancel(r.Context()), &b); err != nil {
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
	s.render(w, r, status, faultPage(s.frame(r, http.StatusText(status), ""), f))
}

// failedPage says what failed.
func (s *server) failedPage(w http.ResponseWriter, r *http.Request, err error) {
	status, f := s.failed(r.Context(), err)
	s.fault(w, r, status, f)
}

func (s *server) overviewPage(w http.ResponseWriter, r *http.Request) {
	of := s.ofController(r, access.Overview)
	days, err := strconv.Atoi(r.URL.Query().Get("days"))
	if err != nil || !slices.Contains(periods, days) {
		days = 30
	}
	o, err := ask(r.Context(), s, access.Overview, of, func(d answer.Deps) (*answer.Overview, error) {
		return answer.OverviewOf(r.Context(), d, answer.OverviewRequest{Controller: of.controller, Days: days})
	}, nil)
	if err != nil {
		s.failedPage(w, r, err)
		return
	}
	s.render(w, r, http.StatusOK, overviewView(s.frame(r, "Overview", "/"), o, of.controller, days))
}

// periods are those that the overview offers, in days.
var periods = []int{14, 30, 90, 365}

// schemes are the identifiers that the form offers.
var schemes = []string{"customer-number", "personal-code", "email", "metering-point", "phone", "pseudonym"}

// question is the person form as it was filled in, without the identifier,
// which is not given back.
type question struct{ Controller, Scheme, From, To, AsOf, For, Reason string }

// ask reads the form of a question about a person.
func (s *server) ask(w http.ResponseWriter, r *http.Request) (answer.TimelineRequest, question, bool) {
	if err := r.ParseForm(); err != nil {
		s.fault(w, r, http.StatusBadRequest, &answer.Fault{Problem: "The form could not be read", Mend: "send it again"})
		return answer.TimelineRequest{}, question{}, false
	}
	get := r.PostForm.Get
	q := question{Controller: get("controller"), Scheme: get("scheme"), From: get("from"), To: get("to"), AsOf: get("as_of"), Reason: strings.TrimSpace(get("reason"))}
	if get("for") != "" {
		q.For = "person"
	}
	if !slices.Contains(schemes, q.Scheme) { // what else was sent there may be an identifier
		q.Scheme = schemes[0]
	}
	return answer.TimelineRequest{Request: answer.Request{
		Controller: q.Controller, Person: answer.Person{Scheme: q.Scheme, Value: get("identifier")}, From: q.From, To: q.To, AsOf: q.AsOf, For: q.For,
	}, Cursor: get("cursor")}, q, true
}

func (s *server) personPage(w http.ResponseWriter, r *http.Request) {
	req, q, ok := s.ask(w, r)
	if !ok {
		return
	}
	ctx := withReason(r.Context(), url.PathEscape(q.Reason))
	who := answer.RecipientsRequest{Request: req.Request}
	// An id of the register begins with its controller; else it is a code or a name.
	if named := strings.TrimSpace(r.PostForm.Get("recipient")); strings.HasPrefix(named, q.Controller+"/") {
		who.Recipient = named
	} else {
		who.Entity = named
	}
	a, err := ask(ctx, s, access.Recipients, ofPerson(&who.Request), func(d answer.Deps) (*answer.RecipientsAnswer, error) { return answer.Recipients(ctx, d, who) }, nil)
	if err != nil {
		s.askAgain(w, r, q, err)
		return
	}
	s.render(w, r, http.StatusOK, recipientsView(s.frame(r, "Who received the data", "/person"), a, q))
}

// askAgain shows the form with what is wrong. What was written into a day's
// field is not given back where it is no day.
func (s *server) askAgain(w http.ResponseWriter, r *http.Request, q question, err error) {
	status, f := s.failed(r.Context(), err)
	if f.Pointer == "" {
		s.fault(w, r, status, f)
		return
	}
	if access.CheckReason(q.Reason, "") != nil || f.Pointer == reasonPointer {
		q.Reason = ""
	}
	for _, day := range []*string{&q.From, &q.To, &q.AsOf} {
		if _, err := time.Parse(time.DateOnly, *day); err != nil {
			*day = ""
		}
	}
	s.render(w, r, status, personForm(s.frame(r, "Error: Ask for a person", "/person"), q, s.answers().Registers.All(), f))
}

func (s *server) eventPage(w http.ResponseWriter, r *http.Request) {
	partition, err1 := strconv.ParseInt(r.PathValue("partition"), 10, 32)
	offset, err2 := strconv.ParseInt(r.PathValue("offset"), 10, 64)
	person, err3 := strconv.ParseUint(r.URL.Query().Get("person"), 10, 16)
	req := answer.EventRequest{Place: answer.Place{Topic: r.PathValue("topic"), Partition: int32(partition), Offset: offset}, Person: -1}
	if err3 == nil {
		req.Person = int(person)
	}
	if err1 != nil || err2 != nil {
		req.Offset = -1 // no such place
	}
	a, err := ask(r.Context(), s, access.Event, about{later: true}, func(d answer.Deps) (*answer.EventAnswer, error) { return answer.Event(r.Context(), d, req) }, ofEvent)
	if err != nil {
		s.failedPage(w, r, err)
		return
	}
	s.render(w, r, http.StatusOK, eventView(s.frame(r, "One event", ""), a, s.zone(a.Controller)))
}

func (s *server) registerPage(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("controller")
	versions, err := ask(r.Context(), s, access.Register, about{controller: id}, func(d answer.Deps) (versions []*register.Register, _ error) {
		for _, reg := range d.Registers.All() {
			if reg.Controller.ID == id {
				versions = append(versions, reg)
			}
		}
		return versions, nil
	}, nil)
	if err != nil {
		s.failedPage(w, r, err)
		return
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
	s.render(w, r, http.StatusOK, registerView(s.frame(r, "Register of "+shown.Controller.Name, "/register/"+id), shown, versions))
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
