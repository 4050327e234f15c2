package server

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/answer"
)

// maxWindows is how many windows the page takes; the API takes more.
const maxWindows = 6

// windowFields are those of one window, each with the window's number before it.
var windowFields = []string{"set", "from", "to", "actors", "systems", "organisations", "recipients", "entities", "purposes", "categories", "operation"}

// windowFilters are those out of sight at first.
var windowFilters = []string{"organisations", "recipients", "entities", "purposes", "categories", "operation"}

var setOptions = []option{{"union", "Also these persons"}, {"intersection", "Only persons who are in both"}, {"difference", "Not these persons"}}

var onwardOptions = []option{{"1", "1 step"}, {"2", "2 steps"}, {"3", "3 steps"}}

func inWindow(i int, names ...string) []string {
	all := make([]string, len(names))
	for k, n := range names {
		all[k] = fmt.Sprintf("w%d-%s", i, n)
	}
	return all
}

// windows is how many windows the form has.
func (f *form) windows() int {
	n, err := strconv.Atoi(f.Get("windows"))
	if err != nil {
		return 1
	}
	return min(max(n, 1), maxWindows)
}

// breach is the request that was filled in. A further window that is empty is
// none.
func (s *server) breach(f *form) answer.BreachRequest {
	controller := f.Get("controller")
	req := answer.BreachRequest{Until: s.moment(controller, f.Get("until")), AwareAt: s.moment(controller, f.Get("aware")), Freeze: f.Get("freeze"), Consequences: f.Get("consequences"), Measures: f.Get("measures")}
	if n, err := strconv.Atoi(f.Get("onward")); err == nil {
		req.Onward = min(max(n, 0), 3)
	}
	for i := range f.windows() {
		if i > 0 && !f.any(inWindow(i, windowFields[1:]...)...) {
			continue
		}
		at := func(name string) string { return inWindow(i, name)[0] }
		w := answer.Window{Set: f.Get(at("set")), ActsRequest: answer.ActsRequest{
			Controller: controller, From: s.moment(controller, f.Get(at("from"))), To: s.moment(controller, f.Get(at("to"))), Operations: f.one(at("operation")),
			Actors: f.Lines(at("actors")), Systems: f.Lines(at("systems")), Organisations: f.Lines(at("organisations")), Recipients: f.Lines(at("recipients")),
			Entities: f.Lines(at("entities")), Purposes: f.Lines(at("purposes")), Categories: f.Lines(at("categories")),
		}}
		req.Windows = append(req.Windows, w)
	}
	return req
}

// breachField is the field that a pointer means.
func breachField(pointer string) string {
	parts := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	switch {
	case len(parts) >= 3 && parts[0] == "windows" && parts[2] == "operations":
		return "w" + parts[1] + "-operation"
	case len(parts) >= 3 && parts[0] == "windows" && parts[2] == "controller":
		return "controller"
	case len(parts) >= 3 && parts[0] == "windows":
		return "w" + parts[1] + "-" + parts[2]
	case parts[0] == "aware_at":
		return "aware"
	}
	return parts[0]
}

func (s *server) breachPage() asking[*answer.BreachAnswer] {
	fields := []string{"controller", "windows", "onward", "until", "aware", "consequences", "measures", "freeze", "reason"}
	for i := range maxWindows {
		fields = append(fields, inWindow(i, windowFields...)...)
	}
	return asking[*answer.BreachAnswer]{
		server: s, question: access.Breach, path: "/breach", title: "Whom does a breach affect?", answered: "Whom the breach affects",
		fields: fields, linked: []string{"controller"}, draw: breachForm, field: breachField,
		redraw: func(r *http.Request, f *form) bool {
			if r.PostForm.Get("do") != "add" {
				return false
			}
			f.Values.Set("windows", strconv.Itoa(min(f.windows()+1, maxWindows)))
			return true
		},
		read: func(_ *http.Request, f *form) (about, func(context.Context, answer.Deps) (*answer.BreachAnswer, error), error) {
			req := s.breach(f)
			return about{controller: f.Get("controller"), named: req.NamesActors(), urgent: true}, func(ctx context.Context, d answer.Deps) (*answer.BreachAnswer, error) {
				return answer.Breach(ctx, d, req)
			}, nil
		},
		concerns: ofBreach,
		show: func(f *form, a *answer.BreachAnswer) templ.Component {
			req := s.breach(f)
			f.Values.Del("freeze") // or the next question would keep another case
			return breachView(f, &req, a)
		},
	}
}

// windowText is what a window asks for, in words.
func windowText(w *answer.Window, p answer.Period) string {
	parts := []string{periodText(p)}
	for _, list := range []struct {
		name   string
		values []string
	}{
		{"by", w.Actors},
		{"role", w.Roles},
		{"organisation", w.Organisations},
		{"system", w.Systems},
		{"done", w.Operations},
		{"purpose", w.Purposes},
		{"recipient", w.Recipients},
		{"recipient", w.Entities},
		{"country", w.Countries},
		{"category", w.Categories},
		{"source of data", w.DataSources},
		{"verdict", w.Verdicts},
		{"rule", w.Rules},
	} {
		if len(list.values) > 0 {
			parts = append(parts, list.name+": "+strings.Join(list.values, ", "))
		}
	}
	text := strings.Join(parts, "; ")
	for _, o := range setOptions {
		if o.Value == w.Set && w.Set != "union" {
			text = o.Label + ": " + text
		}
	}
	return text
}

// clockText says how long there is to notify the authority (Art. 33(1)).
func clockText(n *answer.BreachNotice, now time.Time) string {
	left := n.Deadline.Sub(now)
	late := left < 0
	if late {
		left = -left
	}
	text := fmt.Sprintf("%d hours %d minutes", int(left.Hours()), int(left.Minutes())%60)
	if late {
		return "The 72 hours are over since " + text + ". The notification then says why it is late (Art. 33(1))."
	}
	return text + " are left to notify the authority (Art. 33(1))."
}

func stepText(s *answer.Step) string {
	if s.Country != "" && !strings.EqualFold(s.Country, s.Name) {
		return s.Name + " (" + s.Country + ")"
	}
	return s.Name
}

func groupText(c *answer.CategoryHit) string {
	if c.Group == "" {
		return "–"
	}
	return strings.ReplaceAll(c.Group, "_", " ")
}

// casesPage lists the traces that were kept.
func (s *server) casesPage(w http.ResponseWriter, r *http.Request) {
	of := s.ofController(r, access.Breach)
	a, err := ask(r.Context(), s, access.Breach, of, func(d answer.Deps) (*answer.CasesAnswer, error) { return answer.Cases(r.Context(), d, of.controller) }, nil)
	if err != nil {
		s.failedPage(w, r, err)
		return
	}
	s.render(w, r, http.StatusOK, casesView(s.frame(r, "Cases", "/cases"), a, of.controller, s.Answers.Now()))
}

// casePersons is how many persons a page of a case lists.
const casePersons = 100

// caseShown is a case, as its page draws it.
type caseShown struct {
	*answer.CaseAnswer
	Asked      answer.BreachRequest
	Then       answer.BreachAnswer
	Others     []answer.CaseReference // of the same controller
	Comparison *answer.CaseComparison
	Further    bool // it is a further page of persons
	Now        time.Time
}

// casePage shows a case; sent by a form, also a further page of its persons, or
// how it differs from another.
func (s *server) casePage(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		s.fault(w, r, http.StatusBadRequest, &answer.Fault{Problem: "The form could not be read", Mend: "send it again"})
		return
	}
	ctx := r.Context()
	cursor, with := r.PostForm.Get("cursor"), r.PostForm.Get("with")
	c, err := ask(ctx, s, access.Breach, about{later: true}, func(d answer.Deps) (*caseShown, error) {
		a, err := answer.CaseOf(ctx, d, answer.CaseRequest{ID: r.PathValue("id"), Cursor: cursor, Limit: casePersons})
		if err != nil {
			return nil, err
		}
		c := &caseShown{CaseAnswer: a, Further: cursor != "", Now: d.Now()}
		if err := json.Unmarshal(a.Question, &c.Asked); err != nil {
			return nil, fmt.Errorf("read the question of a case: %w", err)
		}
		if err := json.Unmarshal(a.Answer, &c.Then); err != nil {
			return nil, fmt.Errorf("read the answer of a case: %w", err)
		}
		all, err := answer.Cases(ctx, d, a.Controller.ID)
		if err != nil {
			return nil, err
		}
		for _, other := range all.Cases {
			if other.ID != a.ID {
				c.Others = append(c.Others, other)
			}
		}
		if slices.ContainsFunc(c.Others, func(o answer.CaseReference) bool { return o.ID == with }) {
			c.Comparison, err = answer.CompareCases(ctx, d, a.ID, with, nil)
		}
		return c, err
	}, func(c *caseShown) told { return told{controller: c.Controller.ID, persons: uint64(len(c.Affected))} })
	if err != nil {
		status, f := s.failed(ctx, err)
		if status == http.StatusNotFound {
			f = &answer.Fault{Problem: "There is no such case", Mend: "take one of the list of cases"}
		}
		s.fault(w, r, status, f)
		return
	}
	s.render(w, r, http.StatusOK, caseView(s.frame(r, "Case: "+c.Name, "/cases/"+c.ID), c, s.zone(c.Controller.ID)))
}

// zoneOfWindows is the zone of the controller's calendar.
func zoneOfWindows(a *answer.BreachAnswer) string {
	if len(a.Windows) > 0 {
		return a.Windows[0].Zone
	}
	return "UTC"
}

func windowName(i, of int) string {
	if of == 1 {
		return "Window"
	}
	return fmt.Sprintf("Window %d", i+1)
}

func orToWrite(text, otherwise string) string { return cmp.Or(text, otherwise) }

// caseClock says how the 72 hours of a case stand.
func caseClock(c answer.CaseReference, now time.Time) string {
	if c.AwareAt.IsZero() {
		return "not said when it was known"
	}
	left := c.AwareAt.Add(72 * time.Hour).Sub(now)
	if left < 0 {
		return "over since " + c.AwareAt.Add(72*time.Hour).UTC().Format("2006-01-02 15:04")
	}
	return fmt.Sprintf("%d hours %d minutes left", int(left.Hours()), int(left.Minutes())%60)
}

// specialNames are the special kinds of data, in words.
var specialNames = map[string]string{
	"origin": "racial or ethnic origin", "politics": "political opinions", "beliefs": "religious or philosophical beliefs", "trade-union": "trade union membership",
	"genetic": "genetic data", "biometric": "biometric data", "health": "health", "sex-life": "sex life or orientation", "offences": "offences (Art. 10)",
	"national-identifier": "national identifier (Art. 87)",
}

func specialName(kind string) string { return cmp.Or(specialNames[kind], kind) }

func specialText(hits []answer.SpecialHit) string {
	var all []string
	for _, h := range hits {
		all = append(all, specialName(h.Kind)+": "+plural(uint64(h.Persons), "person", "persons"))
	}
	return strings.Join(all, "; ")
}
