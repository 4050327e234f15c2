package registerexport

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"

	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/register/condition"
)

// columns of the record of processing activities, with the points of GDPR
// Art. 30(1) that they answer. What the notice does not say stays empty:
// security measures (point g) are never in one.
var columns = []string{
	"controller",                  // a
	"contact",                     // a
	"supervisory authority",       //
	"purpose id",                  //
	"purpose",                     // b
	"categories of data subjects", // c
	"categories of personal data", // c
	"categories of recipients",    // d
	"transfers to third countries, or where the notice says that recipients are", // e
	"safeguards of such transfers",    // e
	"time limits for erasure",         // f
	"legal basis",                     // Art. 6(1), Art. 13(1)(c)
	"clauses of the notice",           //
	"in force from, register version", //
}

// ROPA writes registers as a record of processing activities, one line a
// purpose: CSV in UTF-8 as in RFC 4180, first the names of the columns. A cell
// that a spreadsheet would take for a formula has an apostrophe before it.
func ROPA(registers []*register.Register) ([]byte, error) {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	w.UseCRLF = true // RFC 4180 §2.1
	write := func(cells []string) error {
		for i := range cells {
			cells[i] = harmless(cells[i])
		}
		return w.Write(cells)
	}
	if err := write(slices.Clone(columns)); err != nil {
		return nil, fmt.Errorf("write CSV: %w", err)
	}
	for _, r := range registers {
		for i := range r.Purposes {
			if err := write(activity(r, &r.Purposes[i])); err != nil {
				return nil, fmt.Errorf("write CSV: %w", err)
			}
		}
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return nil, fmt.Errorf("write CSV: %w", err)
	}
	return out.Bytes(), nil
}

// harmless keeps a spreadsheet from running a cell as a formula (OWASP, CSV
// injection): the apostrophe makes it text. Blanks before the sign do not save
// it, and line ends would let a second line begin with one.
func harmless(cell string) string {
	cell = strings.Join(strings.Fields(cell), " ")
	if cell != "" && strings.ContainsRune("=+-@＝＋－＠", []rune(cell)[0]) {
		return "'" + cell
	}
	return cell
}

func activity(r *register.Register, p *register.PurposeSource) []string {
	var data, recipients, transfers, limits, basis []string
	for _, id := range covered(r, p) {
		data = append(data, r.CategoryName(id, "en"))
	}
	if p.OpenEnded {
		data = append(data, "and others (the notice's list is open)")
	}
	for i := range r.Recipients {
		to := &r.Recipients[i]
		if !to.Accepts(r.FullID(p.ID)) {
			continue
		}
		recipients = append(recipients, fmt.Sprintf("%s (%s)", to.Name.In("en"), register.Term(register.TermRecipientKind, to.Kind, "en")))
		switch {
		case condition.Member(to.Country): // no third country
		case to.Geography != "": // as the notice says it
			transfers = append(transfers, to.Name.In("en")+": "+to.Geography)
		case to.Country != "":
			transfers = append(transfers, to.Name.In("en")+": "+to.Country)
		}
	}
	for _, period := range periods(r, p.ID) {
		limits = append(limits, fmt.Sprintf("%s: %s", period.Title, timeLimit(period)))
	}
	for _, b := range p.LegalBasis {
		basis = append(basis, register.Term(register.TermLegalBasis, b, "en"))
	}
	switch {
	case len(basis) == 0:
		basis = []string{"not stated in the notice"}
	case p.BasisStatus == "inferred":
		basis = append(basis, "inferred, not stated in the notice")
	}
	return []string{
		r.Controller.Name, r.Controller.Contact, r.Controller.Authority, r.FullID(p.ID), p.Name.In("en"), dataSubjects(r), list(data), list(recipients),
		list(transfers), list(safeguards(r, p.ID)), list(limits), list(basis), list(p.Clauses), cmp.Or(r.InForce.From, "undated") + ", " + r.Version,
	}
}

func list(items []string) string { return strings.Join(items, "; ") }

// people are the terms by which notices call those whom they are about.
var people = []string{"client", "customer", "user", "you", "data subject"}

// dataSubjects says whom the processing is about, as far as the notice defines it.
func dataSubjects(r *register.Register) string {
	var out []string
	for i := range r.Definitions {
		d := &r.Definitions[i]
		name := cmp.Or(d.Name.In("en"), d.Term)
		if slices.ContainsFunc(strings.Split(name, "/"), func(s string) bool { return slices.Contains(people, strings.ToLower(strings.TrimSpace(s))) }) {
			out = append(out, name+": "+d.Meaning)
		}
	}
	return list(out)
}

// safeguards are the rules on where data may be, for that purpose.
func safeguards(r *register.Register, purpose string) (out []string) {
	for i := range r.Rules {
		rule := &r.Rules[i]
		if rule.Kind == "transfer-geo" && (len(rule.Applies.Purposes) == 0 || slices.Contains(rule.Applies.Purposes, purpose)) {
			out = append(out, rule.Says)
		}
	}
	return out
}

// covered are the categories of a purpose's lists, each once, in their order.
func covered(r *register.Register, p *register.PurposeSource) (out []string) {
	full, ok := r.Purpose(r.FullID(p.ID))
	if !ok {
		return nil
	}
	for _, id := range full.Covered {
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// periods are the retention periods for a purpose. A window in which data may
// be told to others is none, nor is what lengthens another period.
func periods(r *register.Register, purpose string) (out []*register.RuleSource) {
	for i := range r.Retention {
		rule := &r.Retention[i]
		if m := rule.Period.Meaning; m == "window" || m == "extension" {
			continue
		}
		if len(rule.Applies.Purposes) == 0 || slices.Contains(rule.Applies.Purposes, purpose) {
			out = append(out, rule)
		}
	}
	return out
}

// timeLimit is a period in words.
func timeLimit(rule *register.RuleSource) string {
	p := rule.Period
	text := register.Duration(p.Length)
	switch p.Meaning {
	case "floor":
		text = "at least " + text
	case "ceiling":
		text = "at most " + text
	}
	if p.From != "" && p.From != p.Length {
		text += ", from " + p.From
	}
	if len(p.Exceptions) > 0 {
		text += ", except: " + strings.Join(p.Exceptions, ", ")
	}
	return text
}
