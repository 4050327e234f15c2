package profile

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

// form is what the first key of a profile says.
const form = "profile/v1"

// Bounds of a profile. What is recorded with a question must fit into one field
// of an event.
const (
	maxRestrictions = 5
	maxList         = 500
	maxGround       = 100 // bytes
	maxText         = 1000
	maxYears        = 100
)

// Set is the profiles of all jurisdictions.
type Set struct {
	byCountry    map[string]*Profile
	byController map[string]*Profile
	all          []*Profile
}

// plain restricts nothing: it is for jurisdictions that have no profile.
var plain = &Profile{ID: "none", Name: "no profile"}

// Load reads the profiles of a directory, one file a jurisdiction. One that does
// not check fails the whole load, with an error for each fault.
func Load(fsys fs.FS) (*Set, error) {
	files, err := fs.Glob(fsys, "*.yaml")
	if err != nil {
		return nil, fmt.Errorf("look for profiles: %w", err)
	}
	if len(files) == 0 {
		return nil, errors.New("there are no profiles: expected files like lv.yaml")
	}
	s := &Set{byCountry: make(map[string]*Profile), byController: make(map[string]*Profile)}
	var faults []error
	for _, file := range files {
		data, err := fs.ReadFile(fsys, file)
		if err != nil {
			return nil, fmt.Errorf("read profile %q: %w", file, err)
		}
		p, err := parse(file, data)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		faults = append(faults, s.add(p)...)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Set) add(p *Profile) (faults []error) {
	if other := s.byCountry[p.Country]; other != nil {
		faults = append(faults, fault(p.file, "country", "is that of "+other.file+", too: one profile is for a country"))
	}
	s.byCountry[p.Country] = p
	for _, c := range p.Controllers {
		if other := s.byController[c]; other != nil {
			faults = append(faults, fault(p.file, "controllers", fmt.Sprintf("%q is in %s, too: one profile is for a controller", c, other.file)))
		}
		s.byController[c] = p
	}
	s.all = append(s.all, p)
	return faults
}

// For is the profile of a controller: the one that names it, else that of its
// country, else one that restricts nothing.
func (s *Set) For(controller, country string) *Profile {
	if p := s.byController[controller]; p != nil {
		return p
	}
	if p := s.byCountry[country]; p != nil {
		return p
	}
	return plain
}

// All lists the profiles by id.
func (s *Set) All() []*Profile { return slices.Clone(s.all) }

func fault(file, where, says string) error { return fmt.Errorf("%s: %s: %s", file, where, says) }

func parse(file string, data []byte) (*Profile, error) {
	var source struct {
		Form    string `yaml:"andmerada"`
		Profile `yaml:",inline"`
	}
	if err := yaml.UnmarshalWithOptions(data, &source, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("%s: %s", file, yaml.FormatError(err, false, true))
	}
	p := &source.Profile
	p.file = file
	c := &check{file: file}
	c.that(source.Form == form, "andmerada", "is not "+form)
	c.that(p.ID != "" && p.ID == strings.TrimSuffix(path.Base(file), ".yaml"), "id", "is not the name of the file")
	c.that(p.Name != "", "name", "is missing")
	c.that(country.MatchString(p.Country), "country", "is not two capital letters (ISO 3166-1 alpha-2)")
	c.list("controllers", p.Controllers, "write ids of registers")
	c.that(len(p.Withheld) <= maxRestrictions, "withhold", fmt.Sprintf("has more than %d entries", maxRestrictions))
	if p.Times != nil {
		c.that(p.Times.Precision == "day", "times.precision", `is not "day": leave times out to tell them in full`)
		c.restriction("times", &p.Times.Restriction)
	}
	if p.Recipients != nil {
		c.that(p.Recipients.Years > 0 && p.Recipients.Years <= maxYears, "recipients.years", fmt.Sprintf("is not a number from 1 to %d", maxYears))
		c.restriction("recipients", &p.Recipients.Restriction)
	}
	ids := make(map[string]bool)
	for i, w := range p.Withheld {
		where := fmt.Sprintf("withhold[%d]", i)
		if w == nil {
			c.that(false, where, "is empty")
			continue
		}
		c.withheld(where, w)
		c.that(!ids[w.ID], where+".id", "is there twice")
		ids[w.ID] = true
	}
	if err := errors.Join(c.faults...); err != nil {
		return nil, err
	}
	return p, nil
}

var (
	country = regexp.MustCompile(`^[A-Z]{2}$`)
	slug    = regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`)
)

// check gathers the faults of a file.
type check struct {
	file   string
	faults []error
}

func (c *check) that(ok bool, where, says string) {
	if !ok {
		c.faults = append(c.faults, fault(c.file, where, says))
	}
}

func (c *check) list(where string, list []string, mend string) {
	c.that(len(list) <= maxList, where, fmt.Sprintf("has more than %d entries", maxList))
	for i, v := range list {
		at := fmt.Sprintf("%s[%d]", where, i)
		c.that(strings.TrimSpace(v) != "" && strings.TrimSpace(v) == v, at, "is empty, or has spaces around it: "+mend)
		c.that(len(v) <= maxText, at, "is too long")
	}
}

func (c *check) restriction(where string, r *Restriction) {
	c.that(strings.TrimSpace(r.Ground) != "", where+".ground", "is missing: name the provision, or the judgement")
	c.that(len(r.Ground) <= maxGround, where+".ground", fmt.Sprintf("is longer than %d bytes", maxGround))
	c.that(r.Says["en"] != "", where+".says.en", "is missing: say in English what is left out")
	for language, text := range r.Says {
		c.that(len(text) <= maxText, where+".says."+language, "is too long")
	}
}

func (c *check) withheld(where string, w *Withheld) {
	c.that(slug.MatchString(w.ID), where+".id", "is not of lower-case letters, digits and hyphens, at most 40")
	c.restriction(where, &w.Restriction)
	c.list(where+".recipients", w.Recipients, "write ids of registers, with the controller")
	c.list(where+".purposes", w.Purposes, "write ids of registers, with the controller")
	c.list(where+".provisions", w.Provisions, "write how references of such requests begin")
	for _, id := range slices.Concat(w.Recipients, w.Purposes) {
		c.that(strings.Contains(id, "/"), where, fmt.Sprintf("%q is no id with its controller: write enefit/police", id))
	}
	c.that(len(w.Authorities) <= maxList && len(w.Lifted) <= maxList, where, fmt.Sprintf("has a list of more than %d entries", maxList))
	for i, a := range w.Authorities {
		at := fmt.Sprintf("%s.authorities[%d]", where, i)
		c.that(fold(a.Name) != "" || a.Code != "", at, "has neither a name nor a code")
		c.that(a.Name == "" || len([]rune(fold(a.Name))) >= 3, at+".name", "has less than 3 letters: it would be in too many names")
	}
	for i, l := range w.Lifted {
		at := fmt.Sprintf("%s.lifted[%d]", where, i)
		c.that(l.Reference != "", at+".reference", "is missing: write the reference that the events bear")
		_, err := time.Parse(time.DateOnly, l.From)
		c.that(err == nil, at+".from", "is no day: write 2026-05-01")
	}
	c.that(len(w.Authorities)+len(w.Recipients)+len(w.Purposes)+len(w.Provisions) > 0 || w.Unnamed, where, "withholds nothing: name authorities, recipients, purposes or provisions")
}
