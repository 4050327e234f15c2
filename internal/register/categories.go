package register

import (
	"cmp"
	"fmt"
	"slices"
)

// Vocabulary is the tree of personal data categories that all registers share.
type Vocabulary struct {
	byID     map[string]*CategorySource
	children map[string][]string
}

// classGroup marks classes of data ("accounting data") rather than
// categories: no list of a purpose is tested against them.
const classGroup = "class"

func newVocabulary(src CategoriesSource) (*Vocabulary, error) {
	v := &Vocabulary{byID: make(map[string]*CategorySource), children: make(map[string][]string)}
	for i := range src.Categories {
		c := &src.Categories[i]
		if _, twice := v.byID[c.ID]; twice {
			return nil, fmt.Errorf("category %q is listed twice", c.ID)
		}
		v.byID[c.ID] = c
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
