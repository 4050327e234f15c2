package register

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
)

// Vocabulary is the tree of personal data categories that all registers share.
type Vocabulary struct {
	byID     map[string]*CategorySource
	children map[string][]string
	index    map[string]int // the category's number, from 0
	order    []string       // by number
	data     []byte         // the file that it was read from
}

// parseVocabulary reads and checks the file of the vocabulary.
func parseVocabulary(data []byte) (*Vocabulary, []Finding) {
	var src CategoriesSource
	if _, findings := decodeYAML(CategoriesFile, data, &src); findings != nil {
		return nil, findings
	}
	v, err := newVocabulary(src)
	if err != nil {
		return nil, []Finding{{File: CategoriesFile, Problem: err.Error()}}
	}
	v.data = data
	return v, nil
}

// maxCategories bounds the vocabulary, so that a set of categories is a value
// of a few words.
const maxCategories = 256

// dpvTerm is a term of the W3C Data Privacy Vocabulary, or of its extension for
// personal data.
var dpvTerm = regexp.MustCompile(`^(dpv|pd):[A-Z][A-Za-z0-9-]+$`)

type categoryWords [maxCategories / 64]uint64

func (w *categoryWords) without(v categoryWords) bool {
	for i := range w {
		if w[i]&^v[i] != 0 {
			return false
		}
	}
	return true
}

// CategorySet is a set of categories of the vocabulary.
type CategorySet struct {
	words   categoryWords
	unknown bool // something that is not in the vocabulary was put in as well
}

// Meets says whether the sets have a category in common.
func (s *CategorySet) Meets(other *CategorySet) bool {
	for i := range s.words {
		if s.words[i]&other.words[i] != 0 {
			return true
		}
	}
	return false
}

func (s *CategorySet) has(i int) bool { return s.words[i/64]&(1<<(i%64)) != 0 }
func (s *CategorySet) add(i int)      { s.words[i/64] |= 1 << (i % 64) }

// SetOf is the set of these categories, and of no other: a whole does not bring
// its parts.
func (v *Vocabulary) SetOf(categories []string) (s CategorySet) {
	for _, c := range categories {
		if i, ok := v.index[c]; ok {
			s.add(i)
		} else {
			s.unknown = true
		}
	}
	return s
}

// taken is the set of all categories that a list takes in by that test.
func (v *Vocabulary) taken(list []string, takes func(list []string, category string) bool) (s CategorySet) {
	for i, c := range v.order {
		if takes(list, c) {
			s.add(i)
		}
	}
	return s
}

// classGroup marks classes of data ("accounting data") rather than
// categories: no list of a purpose is tested against them.
const classGroup = "class"

func newVocabulary(src CategoriesSource) (*Vocabulary, error) {
	v := &Vocabulary{byID: make(map[string]*CategorySource), children: make(map[string][]string), index: make(map[string]int)}
	if len(src.Categories) > maxCategories {
		return nil, fmt.Errorf("%d categories, more than %d", len(src.Categories), maxCategories)
	}
	for i := range src.Categories {
		c := &src.Categories[i]
		if _, twice := v.byID[c.ID]; twice {
			return nil, fmt.Errorf("category %q is listed twice", c.ID)
		}
		if c.DPV != "" && !dpvTerm.MatchString(c.DPV) {
			return nil, fmt.Errorf("category %q: %q is no term of the Data Privacy Vocabulary: write one such as \"pd:Name\" or \"dpv:AnonymisedData\"", c.ID, c.DPV)
		}
		if c.Special != "" && !slices.Contains(Specials, c.Special) {
			return nil, fmt.Errorf("category %q: %q is no special kind of data: write one of %v", c.ID, c.Special, Specials)
		}
		v.byID[c.ID] = c
		v.index[c.ID] = i
		v.order = append(v.order, c.ID)
	}
	for _, c := range src.Categories {
		if c.Parent == "" {
			continue
		}
		if _, ok := v.byID[c.Parent]; !ok {
			return nil, fmt.Errorf("category %q: its parent %q is not in the vocabulary", c.ID, c.Parent)
		}
		seen := map[string]bool{c.ID: true}
		for p := c.Parent; p != ""; p = v.byID[p].Parent {
			if seen[p] {
				return nil, fmt.Errorf("category %q is its own ancestor", c.ID)
			}
			seen[p] = true
			if v.byID[p] == nil {
				break
			}
		}
		v.children[c.Parent] = append(v.children[c.Parent], c.ID)
	}
	return v, nil
}

// Category finds a category by its id.
func (v *Vocabulary) Category(id string) (CategorySource, bool) {
	c, ok := v.byID[id]
	if !ok {
		return CategorySource{}, false
	}
	return *c, true
}

// Contains says whether a list takes in a category: the list has it, or a
// category it is part of, or, where it is the sum of its parts, all of these.
// A part never takes in the whole.
func (v *Vocabulary) Contains(list []string, category string) bool {
	if slices.Contains(list, category) {
		return true
	}
	c, ok := v.byID[category]
	if !ok {
		return false
	}
	for p := c.Parent; p != ""; p = v.byID[p].Parent {
		if slices.Contains(list, p) {
			return true
		}
	}
	parts := v.children[category]
	if !c.SumOfParts || len(parts) == 0 {
		return false
	}
	for _, part := range parts {
		if !v.Contains(list, part) {
			return false
		}
	}
	return true
}

// covers is Contains, except that a class of data is never outside a list.
func (v *Vocabulary) covers(list []string, category string) bool {
	if c, ok := v.byID[category]; ok && c.Group == classGroup {
		return true
	}
	return v.Contains(list, category)
}

// CategoryName is what a category is called in a language: the notice's own
// word where it is in that language, else that of the vocabulary; its id where
// neither knows it.
func (r *Register) CategoryName(id, language string) string {
	for i := range r.Categories {
		if r.Categories[i].ID == id {
			if name := r.Categories[i].Name[language]; name != "" {
				return name
			}
			break
		}
	}
	if c, ok := r.Vocab.byID[id]; ok {
		return cmp.Or(c.Name.In(language), id)
	}
	return id
}

// IDs lists the categories, in the file's order.
func (v *Vocabulary) IDs() []string { return slices.Clone(v.order) }

// CategoryGroup is the group of a category in the list that all registers share,
// empty if the list does not have it.
func (r *Register) CategoryGroup(id string) string {
	if c, ok := r.Vocab.byID[id]; ok {
		return c.Group
	}
	return ""
}

// CategorySpecial says which of [Specials] a category is, or is part of; empty if
// none.
func (r *Register) CategorySpecial(id string) string {
	for c := r.Vocab.byID[id]; c != nil; c = r.Vocab.byID[c.Parent] {
		if c.Special != "" {
			return c.Special
		}
	}
	return ""
}
