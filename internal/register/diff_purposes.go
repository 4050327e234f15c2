package register

import (
	"fmt"
	"slices"
	"strings"
)

func (d *differ) purposes() {
	each(d.a.Purposes, d.b.Purposes, func(p *PurposeSource) string { return p.ID }, d.purpose,
		func(p *PurposeSource) {
			d.add(DiffPurposes, purposePath(p), fmt.Sprintf("a new purpose: %s%s; data: %s", quoted(p.Name.In("en")), onBases(p.LegalBasis), d.b.dataOf(p)))
		},
		func(p *PurposeSource) {
			d.remove(DiffPurposes, purposePath(p), fmt.Sprintf("data may no longer be used for %s", quoted(p.Name.In("en"))))
		})
	closed := "nothing may be done for a purpose that is not listed"
	if d.b.Lists.Purposes == openList {
		closed = "the list of purposes is now open: there may be others"
	} else {
		closed = "the list of purposes is now closed: " + closed
	}
	d.change(DiffPurposes, "lists.purposes", d.a.Lists.Purposes, d.b.Lists.Purposes, closed)
	each(d.a.Consents, d.b.Consents, func(c *ConsentSource) string { return c.ID }, d.consent,
		func(c *ConsentSource) {
			d.add(DiffPurposes, "consents["+c.ID+"]", fmt.Sprintf("one consent, %s, now covers: %s", quoted(c.Name.In("en")), d.b.purposeNames(c.Purposes)))
		},
		func(c *ConsentSource) {
			d.remove(DiffPurposes, "consents["+c.ID+"]", fmt.Sprintf("one consent, %s, no longer covers several purposes: %s", quoted(c.Name.In("en")), d.a.purposeNames(c.Purposes)))
		})
}

func purposePath(p *PurposeSource) string { return "purposes[" + p.ID + "]" }

func onBases(bases []string) string {
	if len(bases) == 0 {
		return " (the notice does not state its legal basis)"
	}
	return ", on the basis of " + baseNames(bases)
}

func baseNames(bases []string) string {
	names := make([]string, len(bases))
	for i, b := range bases {
		names[i] = Term(TermLegalBasis, b, "en")
	}
	return sorted(names)
}

func (r *Register) purposeNames(ids []string) string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = quoted(r.purposeName(id))
	}
	return sorted(names)
}

// dataOf are the names of all data that a purpose may use.
func (r *Register) dataOf(p *PurposeSource) string {
	full, ok := r.Purpose(r.FullID(p.ID))
	if !ok {
		return ""
	}
	names := make([]string, len(full.Covered))
	for i, c := range full.Covered {
		names[i] = r.CategoryName(c, "en")
	}
	text := sorted(names)
	if p.OpenEnded {
		text = strings.TrimPrefix(text+" and others", " and ")
	}
	return text
}

func (d *differ) purpose(a, b *PurposeSource) {
	path, name := purposePath(b), quoted(b.Name.In("en"))
	d.words(DiffPurposes, path+".name", a.Name.In("en"), b.Name.In("en"), fmt.Sprintf("%s is now called %s", quoted(a.Name.In("en")), name))
	d.change(DiffPurposes, path+".legal_basis", sorted(a.LegalBasis), sorted(b.LegalBasis), basisChange(name, a.LegalBasis, b.LegalBasis))
	d.words(DiffPurposes, path+".condition", a.Condition, b.Condition, fmt.Sprintf("the condition of %s is now: %s", name, instead(quotedOr(b.Condition), quotedOr(a.Condition))))
}

func quotedOr(s string) string {
	if s = oneLine(s); s == "" {
		return ""
	}
	return quoted(s)
}

func basisChange(name string, a, b []string) string {
	const consent = "consent"
	had, has := slices.Contains(a, consent), slices.Contains(b, consent)
	switch {
	case had && !has && len(b) == 0:
		return fmt.Sprintf("consent is no longer needed for %s; the notice does not state another legal basis", name)
	case had && !has:
		return fmt.Sprintf("consent is no longer needed for %s: it now rests on %s", name, baseNames(b))
	case has && !had && len(b) == 1:
		return fmt.Sprintf("%s now needs consent%s", name, ifAny(baseNames(a), "; it rested on "))
	}
	return fmt.Sprintf("the legal basis of %s is now %s", name, instead(baseNames(b), baseNames(a)))
}

func ifAny(text, before string) string {
	if text == "" {
		return ""
	}
	return before + text
}

func (d *differ) consent(a, b *ConsentSource) {
	path, name := "consents["+b.ID+"]", quoted(b.Name.In("en"))
	d.members(DiffPurposes, path+".purposes", a.Purposes, b.Purposes,
		func(p string) string {
			return fmt.Sprintf("the consent %s now covers %s too", name, quoted(d.b.purposeName(p)))
		},
		func(p string) string {
			return fmt.Sprintf("the consent %s no longer covers %s", name, quoted(d.a.purposeName(p)))
		})
	for _, f := range []struct {
		key, says string
		a, b      []string
	}{
		{"given_by", "can now be given by", a.GivenBy, b.GivenBy},
		{"withdrawn_by", "can now be withdrawn by", a.WithdrawnBy, b.WithdrawnBy},
		{"withdrawal_forms", "can now be withdrawn in the forms", a.WithdrawalForms, b.WithdrawalForms},
	} {
		d.change(DiffPurposes, path+"."+f.key, sorted(f.a), sorted(f.b), fmt.Sprintf("the consent %s %s: %s", name, f.says, orAny(sorted(f.b))))
	}
}

func orAny(s string) string {
	if s == "" {
		return "any"
	}
	return s
}

// data compares what may be used for the purposes that both registers have.
func (d *differ) data() {
	each(d.a.Purposes, d.b.Purposes, func(p *PurposeSource) string { return p.ID }, func(a, b *PurposeSource) {
		path, name := purposePath(b), quoted(b.Name.In("en"))
		for _, c := range outside(d.a, d.a.coveredBy(a), d.b.coveredBy(b)) {
			d.add(DiffData, path+".categories["+c+"]", fmt.Sprintf("%s may now be used for %s", d.b.CategoryName(c, "en"), name))
		}
		for _, c := range outside(d.b, d.b.coveredBy(b), d.a.coveredBy(a)) {
			d.remove(DiffData, path+".categories["+c+"]", fmt.Sprintf("%s may no longer be used for %s", d.a.CategoryName(c, "en"), name))
		}
		says := "the list of data for " + name + " is now closed: nothing else may be used"
		if b.OpenEnded {
			says = "the list of data for " + name + " is now open: other data may be used too"
		}
		d.change(DiffData, path+".open_ended", fmt.Sprint(a.OpenEnded), fmt.Sprint(b.OpenEnded), says)
		d.change(DiffData, path+".categories_scope", a.CategoriesScope, b.CategoriesScope,
			fmt.Sprintf("how the data for %s are listed: %s", name, instead(b.CategoriesScope, a.CategoriesScope)))
		d.change(DiffData, path+".catch_all", a.CatchAll, b.CatchAll,
			fmt.Sprintf("what else may be used for %s, by its own description: %s", name, instead(d.b.categoryOr(b.CatchAll), d.a.categoryOr(a.CatchAll))))
		d.members(DiffData, path+".catch_all_takes", d.a.taking(a), d.b.taking(b),
			func(c string) string {
				return fmt.Sprintf("%s may now count as %s for %s", d.b.CategoryName(c, "en"), quoted(d.b.categoryOr(b.CatchAll)), name)
			},
			func(c string) string {
				return fmt.Sprintf("%s can no longer count as %s for %s", d.a.CategoryName(c, "en"), quoted(d.a.categoryOr(a.CatchAll)), name)
			})
	}, func(*PurposeSource) {}, func(*PurposeSource) {})
}

func (r *Register) categoryOr(id string) string {
	if id == "" {
		return ""
	}
	return r.CategoryName(id, "en")
}

// coveredBy are the categories of a purpose's lists, each once.
func (r *Register) coveredBy(p *PurposeSource) []string {
	full, ok := r.Purpose(r.FullID(p.ID))
	if !ok {
		return nil
	}
	return slices.Compact(slices.Sorted(slices.Values(full.Covered)))
}

func (r *Register) taking(p *PurposeSource) []string {
	full, ok := r.Purpose(r.FullID(p.ID))
	if !ok {
		return nil
	}
	return full.CatchAllTakes
}

// outside are those categories that a list does not take in.
func outside(r *Register, list, categories []string) (out []string) {
	for _, c := range categories {
		if !r.Vocab.Contains(list, c) {
			out = append(out, c)
		}
	}
	return out
}

func (d *differ) sources() {
	each(d.a.Sources, d.b.Sources, func(s *DataSource) string { return s.ID }, func(a, b *DataSource) {
		path, name := "sources["+b.ID+"]", b.Name.In("en")
		d.words(DiffData, path+".name", a.Name.In("en"), name, fmt.Sprintf("the source %s is now %s", quoted(a.Name.In("en")), quoted(name)))
		d.change(DiffData, path+".kind", a.Kind, b.Kind, fmt.Sprintf("the source %s is now: %s", quoted(name), Term(TermSourceKind, b.Kind, "en")))
		for _, c := range outside(d.a, a.Categories, b.Categories) {
			d.add(DiffData, path+".categories["+c+"]", fmt.Sprintf("%s may now come from %s", d.b.CategoryName(c, "en"), quoted(name)))
		}
		for _, c := range outside(d.b, b.Categories, a.Categories) {
			d.remove(DiffData, path+".categories["+c+"]", fmt.Sprintf("%s no longer comes from %s", d.a.CategoryName(c, "en"), quoted(name)))
		}
		d.members(DiffData, path+".conditions", a.Conditions, b.Conditions,
			func(s string) string { return fmt.Sprintf("a new condition for data from %s: %s", quoted(name), s) },
			func(s string) string {
				return fmt.Sprintf("no longer a condition for data from %s: %s", quoted(name), s)
			})
	}, func(s *DataSource) {
		d.add(DiffData, "sources["+s.ID+"]", fmt.Sprintf("data may now come from %s", quoted(s.Name.In("en"))))
	}, func(s *DataSource) {
		d.remove(DiffData, "sources["+s.ID+"]", fmt.Sprintf("data no longer come from %s", quoted(s.Name.In("en"))))
	})
}
