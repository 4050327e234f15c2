package report

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/verdict"
)

// NamesFormat is the value of a names file's first key: its format and version.
const NamesFormat = "names/v1"

// Names is what registers' purposes, categories, recipients, sources and rules
// are called in all languages: as the registers say, and the files of their
// directory's folder names, one a language. Those files are no part of a
// register's version, as no verdict depends on them.
type Names struct {
	set   func() *register.Set
	files map[string]*namesFile
}

// namesFile holds names in one language, by full id.
type namesFile struct {
	Format     string            `yaml:"andmerada"`
	Language   string            `yaml:"language"`
	Categories map[string]string `yaml:"categories"`
	Purposes   map[string]string `yaml:"purposes"`
	Recipients map[string]string `yaml:"recipients"`
	Sources    map[string]string `yaml:"sources"`
	Rules      map[string]string `yaml:"rules"` // titles
}

// LoadNames reads the folder names of a directory of registers, where there is
// one; set gives the registers in use.
func LoadNames(fsys fs.FS, set func() *register.Set) (*Names, error) {
	n := &Names{set: set, files: make(map[string]*namesFile)}
	for _, language := range Languages() {
		file := register.NamesDirectory + "/" + language + ".yaml"
		data, err := fs.ReadFile(fsys, file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read names %q: %w", file, err)
		}
		f := new(namesFile)
		if err := yaml.UnmarshalWithOptions(data, f, yaml.Strict()); err != nil {
			return nil, fmt.Errorf("read names %q: %w", file, err)
		}
		if f.Format != NamesFormat || f.Language != language {
			return nil, fmt.Errorf("read names %q: it begins with andmerada: %q and language: %q; write %q and %q", file, f.Format, f.Language, NamesFormat, language)
		}
		n.files[language] = f
	}
	return n, nil
}

func (n *Names) file(language string) *namesFile {
	if f := n.files[language]; f != nil {
		return f
	}
	return &namesFile{}
}

// registers are the newest of a controller, the newest first.
func (n *Names) registers(controller string) []*register.Register {
	var all []*register.Register
	for _, r := range n.set().All() {
		if r.Controller.ID == controller {
			all = append(all, r)
		}
	}
	return all
}

// register is the newest of a controller, nil if there is none.
func (n *Names) register(controller string) *register.Register {
	if all := n.registers(controller); len(all) > 0 {
		return all[0]
	}
	return nil
}

func (n *Names) purpose(c *catalogue, controller, id, otherwise string) string {
	var names []register.Names
	for _, r := range n.registers(controller) {
		if p, ok := r.Purpose(id); ok {
			names = append(names, p.Name)
		}
	}
	return lower(n.choose(c, n.file(c.Language).Purposes[id], names, otherwise))
}

func (n *Names) recipient(c *catalogue, controller, id, otherwise string) string {
	var names []register.Names
	for _, r := range n.registers(controller) {
		if e, ok := r.Recipient(id); ok {
			names = append(names, e.Name)
		}
	}
	return n.choose(c, n.file(c.Language).Recipients[id], names, otherwise)
}

func (n *Names) category(c *catalogue, controller, id, otherwise string) string {
	var names []register.Names
	for _, r := range n.registers(controller) {
		for i := range r.Categories {
			if r.Categories[i].ID == id {
				names = append(names, r.Categories[i].Name)
			}
		}
		if v, ok := r.Vocab.Category(id); ok {
			names = append(names, v.Name)
		}
	}
	return lower(n.choose(c, n.file(c.Language).Categories[id], names, otherwise))
}

// choose takes a name in the language: that of a register, then that of the
// names file; else what there is, marked with its language, so that it is seen
// that it is not translated.
func (n *Names) choose(c *catalogue, translated string, names []register.Names, otherwise string) string {
	for _, one := range names {
		if s := one[c.Language]; s != "" {
			return s
		}
	}
	if translated != "" {
		return translated
	}
	for _, one := range names {
		if s := one.In(Fallback); s != "" {
			language := Fallback
			for l, text := range one {
				if one[Fallback] == "" && text == s {
					language = l
				}
			}
			return c.say("untranslated", "text", s, "language", language)
		}
	}
	return otherwise
}

// rule is a rule's title.
func (n *Names) rule(c *catalogue, id, otherwise string) string {
	if c.Language == Fallback {
		return otherwise
	}
	if s := n.file(c.Language).Rules[id]; s != "" {
		return s
	}
	return c.say("untranslated", "text", otherwise, "language", Fallback)
}

// source is what a source of data is called.
func (n *Names) source(c *catalogue, controller, id, otherwise string) string {
	var names []register.Names
	for _, r := range n.registers(controller) {
		for i := range r.Sources {
			if r.FullID(r.Sources[i].ID) == id {
				names = append(names, r.Sources[i].Name)
			}
		}
	}
	return n.choose(c, n.file(c.Language).Sources[id], names, otherwise)
}

func clausesIn(clauses []string) string {
	if len(clauses) == 0 {
		return ""
	}
	return " (" + strings.Join(clauses, ", ") + ")"
}

// Missing lists what has no name in one of the languages, as "lv purpose
// elektrum/billing": nothing is to be missing where reports are given out.
func (n *Names) Missing() []string {
	var all []string
	for _, language := range Languages() {
		f := n.file(language)
		seen := make(map[string]bool)
		want := func(kind, id string, translated string, names register.Names) {
			key := language + " " + kind + " " + id
			if translated == "" && names[language] == "" && !seen[key] {
				all = append(all, key)
			}
			seen[key] = true
		}
		for _, r := range n.set().All() {
			for i := range r.Purposes {
				id := r.FullID(r.Purposes[i].ID)
				want("purpose", id, f.Purposes[id], r.Purposes[i].Name)
			}
			for i := range r.Recipients {
				id := r.FullID(r.Recipients[i].ID)
				want("recipient", id, f.Recipients[id], r.Recipients[i].Name)
			}
			for i := range r.Sources {
				id := r.FullID(r.Sources[i].ID)
				want("source", id, f.Sources[id], r.Sources[i].Name)
			}
			for _, id := range r.Vocab.IDs() {
				category, _ := r.Vocab.Category(id)
				want("category", id, f.Categories[id], category.Name)
			}
			if language == Fallback {
				continue // titles are in it
			}
			for _, rule := range r.AllRules() {
				want("rule", rule.ID, f.Rules[rule.ID], nil)
			}
			for _, id := range verdict.GeneralRules() {
				want("rule", id, f.Rules[id], nil)
			}
		}
	}
	return all
}
