package server

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/answer"
)

// maxShares is how many shares a page lists; the API lists all.
const maxShares = 100

// accessFilters are the fields of the form that are out of sight at first.
var accessFilters = []string{"actors", "role", "organisation", "system", "purpose", "category", "recipient", "rule", "verdict"}

// dimensionNames are what events can be counted by, in words.
var dimensionNames = []option{
	{"actor", "who acted"},
	{"role", "role"},
	{"organisation", "organisation who acted"},
	{"system", "system"},
	{"operation", "what was done"},
	{"purpose", "purpose"},
	{"category", "category of data"},
	{"recipient", "recipient"},
	{"entity", "recipient, as the events say"},
	{"country", "country"},
	{"basis", "legal basis"},
	{"rule", "rule"},
	{"verdict", "verdict"},
	{"day", "day"},
	{"hour", "hour of the day"},
}

var dimensionOptions = func() []option {
	all := slices.Clone(dimensionNames)
	for i := range all {
		all[i].Label = sentence(all[i].Label)
	}
	return all
}()

func dimensionName(id string) string {
	for _, d := range dimensionNames {
		if d.Value == id {
			return d.Label
		}
	}
	return id
}

func byText(by []string) string {
	all := make([]string, len(by))
	for i, b := range by {
		all[i] = dimensionName(b)
	}
	return strings.Join(all, " and ")
}

// keyText is what events have in common, in words.
func keyText(by string, key answer.Named) string {
	switch {
	case key.Name == "" || key.ID == "" && by != "recipient":
		return "not stated"
	case by == "hour":
		return key.Name + ":00"
	case by == "verdict":
		return mark(key.ID)
	case by == "rule":
		return strings.TrimSpace(key.ID + " " + key.Name)
	}
	return key.Name
}

// noun is what so many are called.
func noun(n uint64, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func moreShares(n int, complete bool) string {
	switch {
	case !complete:
		return "There are more than can be listed: ask for a shorter period, or for less at once."
	default:
		return fmt.Sprintf("And %s: ask for less at once, or take all of them from the API.", plural(uint64(n), "more", "more"))
	}
}

// filterText is what was asked for, but for the controller and the period.
func filterText(f *form) string {
	var all []string
	for _, c := range []option{
		{"operation", "done"},
		{"actors", "by"},
		{"role", "role"},
		{"organisation", "organisation"},
		{"system", "system"},
		{"purpose", "purpose"},
		{"category", "category"},
		{"recipient", "recipient"},
		{"rule", "rule"},
		{"verdict", "verdict"},
	} {
		if lines := f.Lines(c.Value); len(lines) > 0 {
			all = append(all, c.Label+": "+strings.Join(lines, ", "))
		}
	}
	return strings.Join(all, "; ")
}

// one is a list of what was filled in, if anything was.
func (f *form) one(name string) []string {
	if v := f.Get(name); v != "" {
		return []string{v}
	}
	return nil
}

// acts is the selection of events that was filled in.
func (f *form) acts() answer.ActsRequest {
	return answer.ActsRequest{
		Controller: f.Get("controller"), From: f.Get("from"), To: f.Get("to"), Operations: f.one("operation"), Actors: f.Lines("actors"), Roles: f.one("role"),
		Organisations: f.one("organisation"), Systems: f.one("system"), Purposes: f.one("purpose"), Recipients: f.one("recipient"), Categories: f.one("category"),
		Rules: f.one("rule"), Verdicts: f.one("verdict"),
	}
}

// actsFields are the fields that lists of the request are filled in by, where
// their names differ.
var actsFields = map[string]string{
	"operations": "operation", "roles": "role", "organisations": "organisation", "systems": "system", "purposes": "purpose", "recipients": "recipient",
	"categories": "category", "rules": "rule", "verdicts": "verdict", "entities": "entity",
}

// actsField is the field that a pointer means.
func actsField(pointer string) string {
	name, rest, _ := strings.Cut(strings.TrimPrefix(pointer, "/"), "/")
	if name == "by" && rest == "1" {
		return "by2"
	}
	if field, ok := actsFields[name]; ok {
		return field
	}
	return name
}

func (s *server) accessPage() asking[*answer.AccessAnswer] {
	return asking[*answer.AccessAnswer]{
		server: s, question: access.Accesses, path: "/access", title: "Who accessed what?", answered: "Who accessed what",
		fields: slices.Concat([]string{"controller", "from", "to", "operation", "by", "by2", "reason", "cursor"}, accessFilters),
		linked: []string{"controller", "purpose", "recipient", "rule"},
		draw:   accessForm, show: accessView, field: actsField,
		read: func(_ *http.Request, f *form) (about, func(context.Context, answer.Deps) (*answer.AccessAnswer, error), error) {
			req := answer.AccessRequest{ActsRequest: f.acts(), By: slices.Concat(f.one("by"), f.one("by2")), Cursor: f.Get("cursor")}
			if f.Get("by") == f.Get("by2") {
				req.By = f.one("by")
			}
			return about{controller: req.Controller, named: req.NamesActors()}, func(ctx context.Context, d answer.Deps) (*answer.AccessAnswer, error) {
				return answer.Access(ctx, d, req)
			}, nil
		},
	}
}
