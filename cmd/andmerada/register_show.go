package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/andmerada/andmerada/internal/register"
)

// showRegister prints a register for people. What has a name in the language is
// called by it.
func showRegister(out io.Writer, r *register.Register, language string) error {
	kind := func(group, word string) string { return register.Term(group, word, language) }
	bases := func(words []string) string {
		names := make([]string, len(words))
		for i, word := range words {
			names[i] = register.Term(register.TermLegalBasis, word, language)
		}
		return strings.Join(names, ", ")
	}
	fmt.Fprintf(out, "%s (%s)\n", r.Controller.Name, r.Controller.ID)
	fmt.Fprintf(out, "Notice    %s\n          sha256 %s\n", r.Notice.Title, r.Notice.SHA256)
	fmt.Fprintf(out, "In force  %s, calendar of %s\n", cmp.Or(r.InForce.From, "undated"), r.Zone)
	fmt.Fprintf(out, "Lists     purposes %s, recipients %s\n", r.Lists.Purposes, r.Lists.Recipients)
	fmt.Fprintf(out, "Version   %s\n", r.Version)

	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	section := func(title string, columns ...string) {
		fmt.Fprintf(w, "\n%s\n%s\n", title, strings.Join(columns, "\t"))
	}
	row := func(cells ...string) { fmt.Fprintln(w, "  "+strings.Join(cells, "\t")) }

	section(fmt.Sprintf("PURPOSES (%d)", len(r.Purposes)), "  ID", "LEGAL BASIS", "LIST", "CLAUSES", "NAME")
	for _, p := range r.Purposes {
		list := "closed"
		if p.OpenEnded {
			list = "open"
		}
		row(p.ID, cmp.Or(bases(p.LegalBasis), p.BasisStatus), list, strings.Join(p.Clauses, ", "), p.Name.In(language))
	}
	section(fmt.Sprintf("RECIPIENTS (%d)", len(r.Recipients)), "  ID", "KIND", "CLAUSES", "NAME", "FOR")
	for _, e := range r.Recipients {
		row(e.ID, kind(register.TermRecipientKind, e.Kind), strings.Join(e.Clauses, ", "), e.Name.In(language), strings.Join(e.Purposes, ", "))
	}
	section(fmt.Sprintf("SOURCES (%d)", len(r.Sources)), "  ID", "KIND", "CLAUSES", "NAME")
	for _, s := range r.Sources {
		row(s.ID, kind(register.TermSourceKind, s.Kind), strings.Join(s.Clauses, ", "), s.Name.In(language))
	}
	section(fmt.Sprintf("RULES (%d)", len(r.Rules)), "  ID", "KIND", "CLAUSES", "TITLE")
	for _, rule := range r.Rules {
		row(rule.ID, rule.Kind, strings.Join(rule.Clauses, ", "), notJudged(rule))
	}
	section(fmt.Sprintf("RETENTION (%d)", len(r.Retention)), "  ID", "PERIOD", "FROM", "MEANING", "CLAUSES", "TITLE")
	for _, t := range r.Retention {
		row(t.ID, t.Period.Length, t.Period.From, t.Period.Meaning, strings.Join(t.Clauses, ", "), notJudged(t))
	}
	section(fmt.Sprintf("RIGHTS (%d)", len(r.Rights)), "  ID", "CLAUSES", "CONDITION")
	for _, right := range r.Rights {
		row(right.ID, strings.Join(right.Clauses, ", "), right.Condition)
	}
	section(fmt.Sprintf("AMBIGUITIES (%d)", len(r.Ambiguities)), "  ID", "SEVERITY", "CLAUSES", "HOW IT IS READ")
	for _, a := range r.Ambiguities {
		row(a.ID, a.Severity, strings.Join(a.Clauses, ", "), a.Reading)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print the register: %w", err)
	}
	return nil
}

func notJudged(rule register.RuleSource) string {
	if rule.NotJudged == "" {
		return rule.Title
	}
	return rule.Title + " (not judged: " + rule.NotJudged + ")"
}
