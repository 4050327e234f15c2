package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/answer"
)

func newAnswerActivitiesCommand() *cobra.Command {
	var req answer.DriftRequest
	q := &asking{report: new(reporting), question: access.Activities, controller: &req.Controller}
	cmd := &cobra.Command{
		Use:   "activities",
		Short: "The register of processing activities, from what is declared and what is done",
		Long: `Activities is the register of processing activities that GDPR Art. 30(1) asks for: for each
purpose the legal basis, the categories of data, the recipients, third countries, and how long
data is kept, as declared; and beside it how often each was really seen, first and last. What
is declared and never seen, and what is seen and never declared, is marked: where the two part
ways, in which way and since when is told by "andmerada answer drift".`,
		Example: `  andmerada answer activities --controller elektrum
  andmerada answer activities --controller narva --from 2026-01-01 --to 2026-06-30 --csv > activities.csv
  andmerada answer activities --controller narva --report art30.pdf --language et`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runAsking(cmd, q, func(ctx context.Context, d answer.Deps) (*answer.ActivitiesAnswer, error) {
				return answer.Activities(ctx, d, req)
			}, printActivities, activityRows)
		},
	}
	f := q.flags(cmd, true)
	f.StringVar(&req.Controller, "controller", "", "only this controller, e.g. elektrum")
	f.StringVar(&req.From, "from", "", "first day, YYYY-MM-DD, or an RFC 3339 time (default: the beginning)")
	f.StringVar(&req.To, "to", "", "last day, included")
	return cmd
}

// activityMarks say the marks in words.
var activityMarks = map[string]string{
	answer.ActivityBoth: "", answer.ActivityUnseen: "never seen", answer.ActivityUndeclared: "NOT DECLARED",
}

// activityRows is one row a purpose and what belongs to it.
func activityRows(a *answer.ActivitiesAnswer) [][]string {
	rows := [][]string{{"controller", "purpose", "purpose_name", "what", "id", "name", "mark", "basis_or_kind", "countries", "third_country", "safeguards_or_period", "clauses", "events", "first", "last"}}
	for i := range a.Controllers {
		c := &a.Controllers[i]
		for j := range c.Activities {
			p := &c.Activities[j]
			add := func(what string, n answer.Named, mark, kind string, countries []string, third, more string, clauses []string, s answer.Sighted) {
				rows = append(rows, []string{
					c.Controller.ID, p.Purpose.ID, p.Purpose.Name, what, n.ID, n.Name, mark, kind, strings.Join(countries, " "), third, more, strings.Join(clauses, " "),
					fmt.Sprint(s.Count), timeCell(s.First), timeCell(s.Last),
				})
			}
			add("purpose", p.Purpose, p.Mark, strings.Join(p.Basis, " "), nil, "", p.Condition, p.Clauses, p.Sighted)
			for _, x := range p.Categories {
				add("category", x.Named, x.Mark, x.Group, nil, "", "", nil, x.Sighted)
			}
			for _, x := range p.Recipients {
				add("recipient", x.Named, x.Mark, x.Kind, x.Countries, fmt.Sprint(x.ThirdCountry), strings.Join(append([]string{x.Geography}, x.Safeguards...), "; "), x.Clauses, x.Sighted)
			}
			for _, x := range p.Retention {
				add("retention", answer.Named{ID: x.ID, Name: x.Title}, "", "", nil, "", strings.TrimSpace(x.Length+" from "+x.From), x.Clauses, answer.Sighted{})
			}
		}
	}
	return rows
}

func printActivities(out io.Writer, a *answer.ActivitiesAnswer) error {
	return printEach(out, a.Controllers, "answer", printActivityRegister)
}

func printActivityRegister(out io.Writer, c *answer.ActivityRegister) error {
	zone, err := time.LoadLocation(c.Period.Zone)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: register of processing activities (GDPR Art. 30(1))\n", c.Controller.Name)
	fmt.Fprintf(out, "Contact: %s. Authority: %s.\n", cmp.Or(c.Contact, "the notice gives none"), cmp.Or(c.Authority, "the notice names none"))
	fmt.Fprintf(out, "%d purposes; %d things seen and not declared, %d declared and not seen.\n\n", len(c.Activities), c.Undeclared, c.Unseen)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "WHAT\tDETAILS\tMARK\tTIMES\tFIRST\tLAST")
	line := func(what, details, mark string, s answer.Sighted) {
		first, last := "-", "-"
		if s.Count > 0 {
			first, last = day(s.First, zone), day(s.Last, zone)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\n", what, details, activityMarks[mark], s.Count, first, last)
	}
	for i := range c.Activities {
		p := &c.Activities[i]
		line(p.Purpose.Name, strings.TrimSpace(cmp.Or(strings.Join(p.Basis, " or "), "no basis stated")+" "+strings.Join(p.Clauses, " ")), p.Mark, p.Sighted)
		for j := range p.Categories {
			if x := &p.Categories[j]; x.Count > 0 || x.Mark == answer.ActivityUndeclared {
				line("    data: "+x.ID, x.Group, x.Mark, x.Sighted)
			}
		}
		for j := range p.Recipients {
			x := &p.Recipients[j]
			details := strings.Join(x.Countries, " ")
			if x.ThirdCountry {
				details += " (third country)"
			}
			line("    to: "+x.Name, strings.TrimSpace(x.Kind+" "+details), x.Mark, x.Sighted)
		}
		for _, x := range p.Retention {
			fmt.Fprintf(w, "    kept: %s\t%s\t\t\t\t\n", x.Title, x.Length)
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if len(c.Security) == 0 {
		fmt.Fprintln(out, "\nThe notice states no measures of security (Art. 32(1)): write them beside this.")
	}
	for _, s := range c.Security {
		fmt.Fprintf(out, "Security: %s (%s)\n", s.Says, strings.Join(s.Clauses, " "))
	}
	if !c.Complete {
		fmt.Fprintln(out, "Data were used in too many ways to list them all: ask for a shorter period.")
	}
	return nil
}
