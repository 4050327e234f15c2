package server

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/event"
)

// form is that of a question as it was filled in, and what is wrong with it.
// It never holds the identifier that was filled in.
type form struct {
	frame
	Action    string // where it is sent
	Question  access.Question
	Values    url.Values // what is given back: only fields that the page has
	Suggested suggested
	zones     func(controller string) *time.Location
	Fault     *answer.Fault
	Field     string // that the fault is about; "" = none of the form's
}

// Get is what was filled into a field.
func (f *form) Get(name string) string { return f.Values.Get(name) }

// Lines are what was filled into a field, one on each line.
func (f *form) Lines(name string) (all []string) {
	for line := range strings.Lines(f.Values.Get(name)) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, line)
		}
	}
	return all
}

// any says whether one of the fields is filled in, or is wrong.
func (f *form) any(names ...string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return f.Get(n) != "" || f.Fault != nil && f.Field == n })
}

func (f *form) wrong(name string) bool { return f.Fault != nil && f.Field == name }

func (f *form) describedBy(name, hint string) string {
	var all []string
	if hint != "" {
		all = append(all, name+"-hint")
	}
	if f.wrong(name) {
		all = append(all, name+"-error")
	}
	return strings.Join(all, " ")
}

// carried are the fields that were filled in, but for some, for a form that
// asks on.
func (f *form) carried(but ...string) (all [][2]string) {
	for name, values := range f.Values {
		for _, v := range values {
			if v != "" && !slices.Contains(but, name) {
				all = append(all, [2]string{name, v})
			}
		}
	}
	slices.SortFunc(all, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	return all
}

// zoneName is the zone of a controller's calendar.
func zoneName(f *form, controller string) string { return f.zones(controller).String() }

// option is one of a field's values.
type option struct{ Value, Label string }

// suggested are what the registers of whoever asks have names for.
type suggested struct {
	Purposes, Recipients, Categories, Rules []option
}

func (s *server) suggested(f frame, q access.Question) (all suggested) {
	seen := make(map[string]bool)
	add := func(to *[]option, id, name string) {
		if !seen[id] {
			seen[id] = true
			*to = append(*to, option{id, name})
		}
	}
	may := f.of(q)
	for _, r := range s.newestRegisters() {
		if !slices.ContainsFunc(may, func(c answer.Controller) bool { return c.ID == r.Controller.ID }) {
			continue
		}
		for i := range r.Purposes {
			add(&all.Purposes, r.FullID(r.Purposes[i].ID), r.Purposes[i].Name.In("en"))
			if p, ok := r.Purpose(r.FullID(r.Purposes[i].ID)); ok {
				for _, c := range p.Covered {
					add(&all.Categories, c, r.CategoryName(c, "en"))
				}
			}
		}
		for i := range r.Recipients {
			add(&all.Recipients, r.FullID(r.Recipients[i].ID), r.Recipients[i].Name.In("en"))
		}
		for _, rule := range r.AllRules() {
			add(&all.Rules, rule.ID, rule.Title)
		}
	}
	return all
}

// asking is a page with the form of one question, and its answer.
type asking[T any] struct {
	*server
	question access.Question
	path     string // of the page
	title    string
	answered string   // title of the answer
	fields   []string // of the form, but for the identifier; others are not read
	linked   []string // fields that a link may fill in

	draw func(*form) templ.Component
	// redraw says whether nothing is asked yet, but for a form with more fields.
	redraw func(*http.Request, *form) bool
	// read says what is asked about, and how it is answered.
	read     func(*http.Request, *form) (about, func(context.Context, answer.Deps) (T, error), error)
	concerns func(T) told
	show     func(*form, T) templ.Component
	send     func(http.ResponseWriter, T) // what is no page, instead of show; nil where it is one
	// field is that of the form which a pointer into the request means; the
	// first part of the pointer if nil.
	field func(pointer string) string
}

// empty shows the form, to those who may ask.
func (p asking[T]) empty(w http.ResponseWriter, r *http.Request) {
	f := p.form(r, p.title)
	for _, name := range p.linked {
		v := r.URL.Query().Get(name)
		if (name == "from" || name == "to") && !isTime(v) {
			continue // it may be anything, an identifier in the wrong place too
		}
		if v != "" && len(v) < 400 {
			f.Values.Set(name, v)
		}
	}
	p.blank(w, r, f)
}

// isTime says whether a text is a day or a time, as forms and links have it.
func isTime(text string) bool {
	return slices.ContainsFunc([]string{time.DateOnly, "2006-01-02T15:04", time.RFC3339}, func(layout string) bool {
		_, err := time.Parse(layout, text)
		return err == nil
	})
}

// blank draws a form for those who may send it.
func (p asking[T]) blank(w http.ResponseWriter, r *http.Request, f *form) {
	if _, err := access.Allow(f.Who, p.question, p.first(f)); err != nil {
		status, fault := p.failed(r.Context(), err)
		p.fault(w, r, status, fault)
		return
	}
	p.render(w, r, http.StatusOK, p.draw(f))
}

// first is a controller of whom the question may be asked.
func (p asking[T]) first(f *form) access.Scope {
	if may := f.of(p.question); len(may) > 0 {
		return access.Scope{Controller: may[0].ID}
	}
	return access.Scope{}
}

func (p asking[T]) form(r *http.Request, title string) *form {
	f := &form{frame: p.frame(r, title, p.path), Action: p.path, Question: p.question, Values: make(url.Values), zones: p.zone}
	f.Suggested = p.suggested(f.frame, p.question)
	return f
}

// ask answers what was filled in.
func (p asking[T]) ask(w http.ResponseWriter, r *http.Request) {
	if err := parseForm(r); err != nil {
		p.fault(w, r, http.StatusBadRequest, &answer.Fault{Problem: "The form could not be read", Mend: "send it again, with less in it if it was large"})
		return
	}
	f := p.form(r, p.answered)
	identifier := r.PostForm.Get("identifier")
	for _, name := range p.fields {
		if v := strings.TrimSpace(r.PostForm.Get(name)); v != "" {
			f.Values.Set(name, v)
		}
	}
	if p.redraw != nil && p.redraw(r, f) {
		f.Title = p.title
		f.forget(identifier)
		p.blank(w, r, f)
		return
	}
	ctx := withReason(r.Context(), url.PathEscape(f.Get("reason")))
	of, answerTo, err := p.read(r, f)
	var a T
	if err == nil {
		a, err = ask(ctx, p.server, p.question, of, func(d answer.Deps) (T, error) { return answerTo(ctx, d) }, p.concerns)
	}
	switch {
	case err == nil && p.send != nil:
		p.send(w, a)
		return
	case err == nil:
		p.render(w, r, http.StatusOK, p.show(f, a))
		return
	}
	status, fault := p.failed(r.Context(), err)
	if fault.Pointer == "" && status != http.StatusUnprocessableEntity {
		p.fault(w, r, status, fault)
		return
	}
	f.Title, f.Fault, f.Field = "Error: "+p.title, fault, p.fieldAt(fault.Pointer)
	f.forget(identifier)
	p.render(w, r, status, p.draw(f))
}

func (p asking[T]) fieldAt(pointer string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(pointer, "/"), "/")
	switch {
	case pointer == "/person/scheme":
		name = "scheme"
	case name == "person":
		return "identifier"
	case p.field != nil:
		name = p.field(pointer)
	}
	if slices.Contains(p.fields, name) {
		return name
	}
	return ""
}

// forget takes out of a form that is given back what may be an identifier in
// the wrong place.
func (f *form) forget(identifier string) {
	if access.CheckReason(f.Get("reason"), identifier) != nil || f.Field == "reason" {
		f.Values.Del("reason")
	}
	if !slices.Contains(schemes, f.Get("scheme")) {
		f.Values.Del("scheme")
	}
	for name, values := range f.Values {
		for _, v := range values {
			if len(identifier) >= 4 && strings.Contains(strings.ToLower(v), strings.ToLower(identifier)) {
				f.Values.Del(name)
			}
		}
	}
	for name, values := range f.Values {
		_, inWindow, _ := strings.Cut(name, "-")
		if slices.Contains(moments, name) || slices.Contains(moments, inWindow) {
			if dayText(values[0]) == "" && momentText(values[0]) == "" {
				f.Values.Del(name)
			}
		}
	}
}

// moments are the fields that take a day or a time.
var moments = []string{"from", "to", "as_of", "since", "at", "known_at", "until", "aware"}

// maxInMemory is how much of a form with a file is held at once: all of it.
const maxInMemory = maxReceipts

func parseForm(r *http.Request) error {
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
		return r.ParseMultipartForm(maxInMemory)
	}
	return r.ParseForm()
}

// momentForm is how a browser writes a day and a time.
const momentForm = "2006-01-02T15:04"

// momentText is a time as a form takes it; what is none is not given back.
func momentText(s string) string {
	for _, layout := range []string{momentForm, momentForm + ":05"} {
		if _, err := time.Parse(layout, s); err == nil {
			return s
		}
	}
	return ""
}

// operationOptions are the operations that events are told by.
var operationOptions = func() (all []option) {
	for _, op := range event.Operations() {
		all = append(all, option{op.String(), op.String()})
	}
	return all
}()

// verdictOptions are the verdicts.
var verdictOptions = []option{{"allowed", "allowed"}, {"review", "for review"}, {"violation", "violation"}}

// moment is what was filled in as a day and a time, as one of the controller's
// calendar. Days, and what is neither, it leaves for the answer to understand.
func (s *server) moment(controller, text string) string {
	for _, layout := range []string{momentForm, momentForm + ":05"} {
		if t, err := time.ParseInLocation(layout, text, s.zone(controller)); err == nil {
			return t.Format(time.RFC3339)
		}
	}
	return text
}
