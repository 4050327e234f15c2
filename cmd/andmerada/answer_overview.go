package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/answer"
)

func newAnswerOverviewCommand() *cobra.Command {
	var req answer.OverviewRequest
	q := &asking{question: access.Overview, controller: &req.Controller}
	cmd := &cobra.Command{
		Use:   "overview",
		Short: "What stands out: events a day, the newest violations, what waits for a review",
		Long: `Overview counts the events of each day and each controller by verdict, lists the newest
violations, and what waits for a person to look, by what is missing. The days are those up
to the newest that has events, of UTC; an event counts once for each person concerned, by
the first verdict on it.`,
		Example: `  andmerada answer overview
  andmerada answer overview --controller elektrum --days 7
  andmerada answer overview --days 366 --csv > days.csv`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if req.Days < 1 || req.Days > 366 {
				return usageError{fmt.Errorf("answer overview: --days %d: write a number from 1 to 366", req.Days)}
			}
			return runAsking(cmd, q, func(ctx context.Context, d answer.Deps) (*answer.Overview, error) {
				return answer.OverviewOf(ctx, d, req)
			}, printOverview, overviewRows)
		},
	}
	f := q.flags(cmd, true)
	f.StringVar(&req.Controller, "controller", "", "only this controller, e.g. elektrum")
	f.IntVar(&req.Days, "days", 30, "how many days, at most 366")
	return cmd
}

// overviewRows are the days, the controllers, what waits for a review, and the
// newest violations, told apart in the first column.
func overviewRows(a *answer.Overview) [][]string {
	rows := [][]string{{"what", "controller", "id", "name", "allowed", "review", "violation", "last", "rules", "place"}}
	counts := func(v answer.Verdicts) []string {
		return []string{fmt.Sprint(v.Allowed), fmt.Sprint(v.Review), fmt.Sprint(v.Violation), "", "", ""}
	}
	for _, d := range a.Days {
		rows = append(rows, append([]string{"day", "", d.Day, ""}, counts(d.Verdicts)...))
	}
	for _, c := range a.Controllers {
		rows = append(rows, append([]string{"controller", c.ID, c.ID, c.Name}, counts(c.Verdicts)...))
	}
	for i := range a.Queue {
		q := &a.Queue[i]
		var rules []string
		for j := range q.Rules {
			rules = append(rules, q.Rules[j].ID)
		}
		rows = append(rows, []string{"waits", q.Controller, q.Fact, q.Name, "", fmt.Sprint(q.Count), "", timeCell(q.Last), strings.Join(rules, " "), ""})
	}
	for i := range a.Violations {
		e := &a.Violations[i]
		rows = append(rows, []string{"violation", e.Controller, e.Purpose.ID, e.Purpose.Name, "", "", "1", timeCell(e.Time), ruleIDs(e), e.Path()})
	}
	return rows
}

func printOverview(out io.Writer, a *answer.Overview) error {
	fmt.Fprintf(out, "%s to %s: %d allowed, %d to review, %d violations\n", a.First, a.Last, a.Verdicts.Allowed, a.Verdicts.Review, a.Verdicts.Violation)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nCONTROLLER\tALLOWED\tREVIEW\tVIOLATION")
	for _, c := range a.Controllers {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\n", c.Name, c.Allowed, c.Review, c.Violation)
	}
	fmt.Fprintln(w, "\nDAY\tALLOWED\tREVIEW\tVIOLATION")
	for _, d := range a.Days {
		if d.Total() > 0 {
			fmt.Fprintf(w, "%s\t%d\t%d\t%d\n", d.Day, d.Allowed, d.Review, d.Violation)
		}
	}
	if len(a.Violations) > 0 {
		fmt.Fprintln(w, "\nNEWEST VIOLATIONS\tCONTROLLER\tPURPOSE\tRULES\tWHERE")
	}
	for i := range a.Violations {
		e := &a.Violations[i]
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", e.Time.UTC().Format("2006-01-02 15:04Z"), e.Controller, e.Purpose.Name, ruleIDs(e), e.Path())
	}
	if len(a.Queue) > 0 {
		fmt.Fprintln(w, "\nWAITS FOR A REVIEW\tCONTROLLER\tCOUNT\tLAST")
	}
	for i := range a.Queue {
		q := &a.Queue[i]
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", cmp.Or(q.Name, q.Fact), q.Controller, q.Count, q.Last.UTC().Format("2006-01-02"))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print the overview: %w", err)
	}
	return nil
}

// ruleIDs are the ids of the rules that decided on an event.
func ruleIDs(e *answer.Entry) string {
	var ids []string
	for i := range e.Rules {
		ids = append(ids, e.Rules[i].ID)
	}
	return strings.Join(ids, " ")
}
