package server

import (
	"slices"
	"strings"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/answer"
)

// link leads to a page, for those who may ask its question.
type link struct {
	Href, Label string
	question    access.Question
}

// section is pages that belong together: the first of those that one may ask
// is where its name leads.
type section struct {
	Label string
	Pages []link
}

var sections = []section{
	{"Overview", []link{{"/", "Overview", access.Overview}}},
	{"Persons", []link{{"/person", "Who received the data", access.Recipients}, {"/timeline", "What was done", access.Timeline}, {"/told", "Who was told (Art. 19)", access.Told}, {"/tellings", "Who is still to be told", access.Tellings}, {"/facts", "What is known", access.Facts}}},
	{"Access", []link{{"/access", "Who accessed what", access.Accesses}, {"/unusual", "Unusual access", access.Unusual}}},
	{"Breach", []link{{"/breach", "Trace a breach", access.Breach}, {"/cases", "Cases", access.Breach}}},
	{"Recipients", []link{{"/recipient", "What a recipient received", access.Recipient}}},
	{"Lineage", []link{{"/lineage", "Lineage", access.Lineage}}},
	{"Declared and done", []link{{"/drift", "Drift", access.Drift}, {"/activities", "Activities (Art. 30)", access.Activities}, {"/duties", "Duties", access.Duties}}},
	{"Evidence", []link{{"/bundle", "Evidence", access.Bundle}}},
	{"Who acted", []link{{"/reveals", "Who acted", access.Reveals}}},
}

// may says whether whoever asks may ask that of any controller.
func (f frame) may(q access.Question) bool { return f.Who != nil && len(f.Who.Controllers(q)) > 0 }

// of are the controllers of whom that may be asked.
func (f frame) of(q access.Question) (all []answer.Controller) {
	if f.Who == nil {
		return nil
	}
	theirs := f.Who.Controllers(q)
	for _, c := range f.Controllers {
		if slices.Contains(theirs, access.Everyone) || slices.Contains(theirs, c.ID) {
			all = append(all, c)
		}
	}
	return all
}

// sections are those with a page that whoever asks may ask by.
func (f frame) sections() (all []section) {
	if f.Who == nil {
		return nil
	}
	for _, s := range sections {
		var pages []link
		for _, p := range s.Pages {
			if f.may(p.question) {
				pages = append(pages, p)
			}
		}
		if len(pages) > 0 {
			all = append(all, section{s.Label, pages})
		}
	}
	var registers []link
	for _, c := range f.of(access.Register) {
		registers = append(registers, link{"/register/" + c.ID, c.Name, access.Register})
	}
	if len(registers) > 0 {
		all = append(all, section{"Registers", registers})
	}
	return all
}

// here says whether the page that is shown belongs to the section.
func (s section) here(path string) bool {
	return slices.ContainsFunc(s.Pages, func(p link) bool { return p.here(path) })
}

// here says whether the link leads to the page that is shown, or to the one
// above it.
func (p link) here(path string) bool {
	return path == p.Href || p.Href != "/" && strings.HasPrefix(path, p.Href+"/")
}
