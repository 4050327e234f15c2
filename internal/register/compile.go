package register

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register/condition"
)

// conventions are the ways to count periods; see Source.PeriodConvention.
var conventions = []string{"calendar", "tsys"}

// Parse reads, checks and compiles one register, with the decisions taken on
// it. The register is nil where a finding is more than a warning.
func Parse(file string, data []byte, categories []byte, decisions ...DecisionFile) (*Register, []Finding) {
	vocab, findings := parseVocabulary(categories)
	if findings != nil {
		return nil, findings
	}
	return parse(file, data, vocab, decisions)
}

// parse is Parse with a vocabulary that was read before.
func parse(file string, data []byte, vocab *Vocabulary, decisions []DecisionFile) (*Register, []Finding) {
	r := &Register{
		File: file, Version: version(data, vocab.data, decisions), Vocab: vocab,
		purposes: make(map[string]*Purpose), recipients: make(map[string]*Recipient), settling: make(map[string][]*Decision),
		text: data, decided: decisions,
	}
	doc, findings := decodeYAML(file, data, &r.Source)
	if findings != nil {
		return nil, findings
	}
	c := &checker{r: r, doc: doc}
	c.head()
	c.lists()
	c.rules()
	c.clauseIndex()
	c.decisions(decisions)
	if len(faults(c.findings)) > 0 {
		return nil, c.findings
	}
	return r, c.findings
}

// checker checks a register and compiles it as it goes.
type checker struct {
	r        *Register
	doc      *document
	env      *condition.Env
	findings []Finding
}

func (c *checker) report(path, problem, mend string) {
	p := c.doc.at(path)
	c.findings = append(c.findings, Finding{File: c.doc.file, Line: p.line, Column: p.column, Where: path, Problem: problem, Mend: mend})
}

func (c *checker) warn(path, problem, mend string) {
	c.report(path, problem, mend)
	c.findings[len(c.findings)-1].Warning = true
}

// oneOf reports a value that is not among those allowed.
func (c *checker) oneOf(path, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		c.report(path, fmt.Sprintf("%q is none of %s", value, strings.Join(allowed, ", ")), event.DidYouMean(value, allowed))
	}
}

// required reports a value that is missing.
func (c *checker) required(path, value string) {
	if strings.TrimSpace(value) == "" {
		c.report(path, "is missing", "every register states it")
	}
}

func (c *checker) head() {
	r := c.r
	c.oneOf("andmerada", r.Format, Format)
	c.required("controller.id", r.Controller.ID)
	if strings.ContainsAny(r.Controller.ID, "/ ") {
		c.report("controller.id", "has a slash or a space", "write a short name such as \"elektrum\"")
	}
	c.required("controller.name", r.Controller.Name)
	zone, err := time.LoadLocation(r.Controller.Zone)
	if err != nil || r.Controller.Zone == "" {
		c.report("controller.zone", fmt.Sprintf("%q is no time zone", r.Controller.Zone), "write an IANA name such as \"Europe/Tallinn\"")
		zone = time.UTC
	}
	r.Zone = zone
	c.required("notice.title", r.Notice.Title)
	if len(r.Notice.SHA256) != 64 || strings.Trim(r.Notice.SHA256, "0123456789abcdef") != "" {
		c.report("notice.sha256", "is not the SHA-256 of the notice's text", "write 64 hexadecimal digits: sha256sum NOTICE")
	}
	if r.InForce.From != "" {
		day, err := event.ParseDate(r.InForce.From)
		if err != nil {
			c.report("in_force.from", err.Error(), "write the first day the notice is in force, or leave it out")
		} else {
			t, _ := time.Parse(time.DateOnly, day.String())
			r.From = time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, zone)
		}
	}
	c.oneOf("period_convention", r.PeriodConvention, conventions...)
	c.oneOf("lists.purposes", r.Lists.Purposes, closedList, openList)
	c.oneOf("lists.recipients", r.Lists.Recipients, closedList, openList)
}

// unique reports ids that are missing, malformed or listed twice.
func (c *checker) unique(list string, n int, id func(i int) string) {
	first := make(map[string]int, n)
	for i := range n {
		path := fmt.Sprintf("%s[%d].id", list, i)
		switch other, twice := first[id(i)]; {
		case id(i) == "":
			c.report(path, "is missing", "")
		case strings.ContainsAny(id(i), " /@\t\n"):
			c.report(path, fmt.Sprintf("%q has a space, a slash or an at sign", id(i)), "write it with hyphens")
		case twice:
			c.report(path, fmt.Sprintf("%q is listed twice", id(i)), fmt.Sprintf("the first is %s[%d], line %d", list, other, c.doc.at(fmt.Sprintf("%s[%d]", list, other)).line))
		default:
			first[id(i)] = i
		}
	}
}

func (c *checker) lists() {
	r := c.r
	c.unique("categories", len(r.Categories), func(i int) string { return r.Categories[i].ID })
	c.unique("category_lists", len(r.CategoryLists), func(i int) string { return r.CategoryLists[i].ID })
	c.unique("consents", len(r.Consents), func(i int) string { return r.Consents[i].ID })
	c.unique("purposes", len(r.Purposes), func(i int) string { return r.Purposes[i].ID })
	c.unique("recipients", len(r.Recipients), func(i int) string { return r.Recipients[i].ID })
	c.unique("sources", len(r.Sources), func(i int) string { return r.Sources[i].ID })
	c.unique("rights", len(r.Rights), func(i int) string { return r.Rights[i].ID })
	c.unique("ambiguities", len(r.Ambiguities), func(i int) string { return r.Ambiguities[i].ID })

	for i, cat := range r.Categories {
		c.category(fmt.Sprintf("categories[%d].id", i), cat.ID)
		c.languages(fmt.Sprintf("categories[%d]", i), cat.Name)
		c.clauses(fmt.Sprintf("categories[%d]", i), cat.Clauses)
	}
	for i, l := range r.CategoryLists {
		path := fmt.Sprintf("category_lists[%d]", i)
		c.clauses(path, l.Clauses)
		for j, cat := range l.Categories {
			c.category(fmt.Sprintf("%s.categories[%d]", path, j), cat)
		}
	}
	for i := range r.Purposes {
		p := &r.Purposes[i]
		r.purposes[r.FullID(p.ID)] = &Purpose{PurposeSource: p, FullID: r.FullID(p.ID), index: i + 1}
	}
	for i := range r.Purposes {
		c.purpose(fmt.Sprintf("purposes[%d]", i), &r.Purposes[i])
	}
	for i := range r.Consents {
		c.consent(fmt.Sprintf("consents[%d]", i), &r.Consents[i])
	}
	for i := range r.Recipients {
		e := &r.Recipients[i]
		path := fmt.Sprintf("recipients[%d]", i)
		c.clauses(path, e.Clauses)
		c.names(path, e.Name)
		c.required(path+".kind", e.Kind)
		for j, id := range e.Purposes {
			if id != allPurposes {
				c.purposeID(fmt.Sprintf("%s.purposes[%d]", path, j), id)
			}
		}
		r.recipients[r.FullID(e.ID)] = &Recipient{RecipientEntry: e, index: declaredRecipients + i}
	}
	r.plans = newPlans(len(r.Purposes), len(r.Recipients))
	for i, s := range r.Sources {
		path := fmt.Sprintf("sources[%d]", i)
		c.clauses(path, s.Clauses)
		c.names(path, s.Name)
		for j, cat := range s.Categories {
			c.category(fmt.Sprintf("%s.categories[%d]", path, j), cat)
		}
	}
	for i, right := range r.Rights {
		c.clauses(fmt.Sprintf("rights[%d]", i), right.Clauses)
	}
	for i, a := range r.Ambiguities {
		c.oneOf(fmt.Sprintf("ambiguities[%d].severity", i), a.Severity, "low", "medium", "high")
	}
}

func (c *checker) consent(path string, src *ConsentSource) {
	c.names(path, src.Name)
	c.clauses(path, src.Clauses)
	if c.r.purposes[c.r.FullID(src.ID)] != nil {
		c.report(path+".id", fmt.Sprintf("%q is the id of a purpose", src.ID), "a consent to one purpose needs no entry")
	}
	for i, id := range src.Purposes {
		c.purposeID(fmt.Sprintf("%s.purposes[%d]", path, i), id)
	}
	for _, l := range []struct {
		key     string
		list    []string
		allowed []string
	}{
		{"given_by", src.GivenBy, event.ClientRoles}, {"withdrawn_by", src.WithdrawnBy, event.ClientRoles}, {"withdrawal_forms", src.WithdrawalForms, event.WithdrawalForms},
	} {
		for i, v := range l.list {
			c.oneOf(fmt.Sprintf("%s.%s[%d]", path, l.key, i), v, l.allowed...)
		}
	}
}

func (c *checker) purpose(path string, p *PurposeSource) {
	c.names(path, p.Name)
	c.clauses(path, p.Clauses)
	c.oneOf(path+".legal_basis_status", p.BasisStatus, "stated", "inferred", "not-stated", "document-level")
	for i, b := range p.LegalBasis {
		c.oneOf(fmt.Sprintf("%s.legal_basis[%d]", path, i), b, Bases...)
	}
	for i, b := range p.CandidateBases {
		c.oneOf(fmt.Sprintf("%s.candidate_bases[%d]", path, i), b, Bases...)
	}
	if len(p.LegalBasis) == 0 && (p.BasisStatus == "stated" || p.BasisStatus == "inferred") {
		c.report(path+".legal_basis", fmt.Sprintf("is empty, yet its status is %q", p.BasisStatus), "name the basis, or write not-stated")
	}
	c.oneOf(path+".categories_scope", p.CategoriesScope, "explicit", "document-wide", "determined-by-request", "not-listed", "inferred")
	compiled := c.r.purposes[c.r.FullID(p.ID)]
	add := func(p *PurposeSource, path string) {
		for _, l := range []struct {
			key  string
			list []string
		}{{"categories", p.Categories}, {"categories_from_text", p.FromText}, {"categories_inferred", p.Inferred}} {
			compiled.Covered = append(compiled.Covered, c.expand(path+"."+l.key, l.list)...)
		}
	}
	add(p, path)
	if p.Companion != "" {
		if c.purposeID(path+".companion", p.Companion) {
			add(c.r.purposes[c.r.FullID(p.Companion)].PurposeSource, path)
		}
	}
	compiled.covered = c.r.Vocab.taken(compiled.Covered, c.r.Vocab.covers)
	if p.CatchAll != "" {
		c.category(path+".catch_all", p.CatchAll)
		compiled.CatchAllTakes = c.expand(path+".catch_all_takes", p.CatchAllTakes)
	}
	if len(compiled.Covered) == 0 && !p.OpenEnded {
		c.report(path+".categories", "a closed list without categories: nothing could ever be allowed", "name the categories, or set open_ended")
	}
}

// expand replaces "@list" by the list's categories.
func (c *checker) expand(path string, list []string) []string {
	var out []string
	for i, id := range list {
		at := fmt.Sprintf("%s[%d]", path, i)
		if name, ok := strings.CutPrefix(id, "@"); ok {
			out = append(out, c.categoryList(at, name)...)
		} else if c.category(at, id) {
			out = append(out, id)
		}
	}
	return out
}

func (c *checker) categoryList(path, name string) []string {
	var ids []string
	for _, l := range c.r.CategoryLists {
		if l.ID == name {
			return l.Categories
		}
		ids = append(ids, l.ID)
	}
	c.report(path, fmt.Sprintf("there is no category list %q", name), event.DidYouMean(name, ids))
	return nil
}

func (c *checker) category(path, id string) bool {
	if _, ok := c.r.Vocab.byID[id]; ok {
		return true
	}
	var ids []string
	for known := range c.r.Vocab.byID {
		ids = append(ids, known)
	}
	slices.Sort(ids)
	c.report(path, fmt.Sprintf("category %q is not in the vocabulary", id), event.DidYouMean(id, ids))
	return false
}

func (c *checker) purposeID(path, id string) bool {
	if _, ok := c.r.purposes[c.r.FullID(id)]; ok {
		return true
	}
	var ids []string
	for _, p := range c.r.Purposes {
		ids = append(ids, p.ID)
	}
	c.report(path, fmt.Sprintf("there is no purpose %q", id), event.DidYouMean(id, ids))
	return false
}

// names checks a name that must be there in English.
func (c *checker) names(path string, n Names) {
	if n["en"] == "" {
		c.report(path+".name", "has no English name", "add en: …")
	}
	c.languages(path, n)
}

func (c *checker) languages(path string, n Names) {
	for language, name := range n {
		if len(language) != 2 || strings.TrimSpace(name) == "" {
			c.report(path+".name", fmt.Sprintf("%q is no language, or the name is empty", language), "write {en: \"…\"}; a name with a comma needs quotes")
		}
	}
}

func (c *checker) clauses(path string, clauses []string) {
	if len(clauses) == 0 {
		c.report(path+".clauses", "names no clause", "every entry says where the notice says so")
	}
}
