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

// newAnswerDutiesCommand is "answer duties", and "register duties" as well.
func newAnswerDutiesCommand() *cobra.Command {
	var req answer.DutiesRequest
	q := &asking{question: access.Duties, controller: &req.Controller}
	cmd := &cobra.Command{
		Use:   "duties",
		Short: "What is due or overdue: erasing, answering, stopping, agreements",
		Long: `Duties tells, from the facts and acts in the trail, what is to be done by when: data held
past their retention period, or erased before it; requests that wait for an answer; use for
a purpose to which consent was withdrawn; processors that received data without the
agreement they need. Each with its clause. Days are of the controller's calendar.

A verdict of review says that it is so unless what is not known says otherwise. Counts are
exact; --cases of each sort are named, by pseudonym, those with the earliest day first.

It exits with 1 if anything is overdue or was broken.`,
		Example: `  andmerada answer duties
  andmerada answer duties --controller elektrum --within 90 --csv > duties.csv
  andmerada answer duties --at 2026-12-31 --json | jq '.controllers[].duties[] | {kind, state, count, rule: .rule.id}'`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if req.Cases == 0 {
				req.Cases = -1 // none, as it was written
			}
			found := false
			err := runAsking(cmd, q, func(ctx context.Context, d answer.Deps) (*answer.DutiesAnswer, error) {
				a, err := answer.DutiesOf(ctx, d, req)
				found = err == nil && a.Found()
				return a, err
			}, printDuties, dutyRows)
			return foundOr(err, found)
		},
	}
	f := q.flags(cmd, true)
	f.StringVar(&req.Controller, "controller", "", "only this controller, e.g. elektrum")
	f.StringVar(&req.At, "at", "", "as of the end of this day, YYYY-MM-DD, or an RFC 3339 time (default: now)")
	f.IntVar(&req.Within, "within", 30, "how many days ahead to look")
	f.IntVar(&req.Cases, "cases", 20, "how many cases of each sort to name, at most 1000")
	return cmd
}

// dutyRows is one row for each sort of duty, with its count, and one for each case
// that is named.
func dutyRows(a *answer.DutiesAnswer) [][]string {
	rows := [][]string{{"controller", "what", "kind", "state", "verdict", "rule", "clauses", "count", "events", "missing", "pseudonym", "about", "since", "due", "last", "example"}}
	for i := range a.Controllers {
		d := &a.Controllers[i]
		for j := range d.Duties {
			g := &d.Duties[j]
			row := func(what string, more ...string) {
				rows = append(rows, append([]string{d.Controller.ID, what, g.Kind, g.State, g.Verdict, g.Rule.ID, strings.Join(g.Rule.Clauses, " ")}, more...))
			}
			var missing []string
			for _, m := range g.Missing {
				missing = append(missing, m.ID)
			}
			row("sort", fmt.Sprint(g.Count), fmt.Sprint(g.Acts), strings.Join(missing, " "), "", "", "", "", "", "")
			for k := range g.Cases {
				c := &g.Cases[k]
				example := ""
				if c.Example != nil {
					example = c.Example.Path()
				}
				row("case", "1", fmt.Sprint(c.Acts), strings.Join(c.Missing, " "), c.Pseudonym, c.About.ID, c.Since, c.Due, timeCell(c.Last), example)
			}
		}
	}
	return rows
}

// dutyTitles say what each kind of duty is.
var dutyTitles = map[string]string{
	"erase":        "erase what its period is over for",
	"erased-early": "erased before its period was over",
	"answer":       "answer a request",
	"stop":         "stop: the consent was withdrawn",
	"agreement":    "agreement with a processor",
}

func printDuties(out io.Writer, a *answer.DutiesAnswer) error {
	return printEach(out, a.Controllers, "duties", printDutiesOf)
}

func printDutiesOf(out io.Writer, d *answer.Duties) error {
	zone, err := time.LoadLocation(d.Zone)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: duties as of %s (%s), of %s\n", d.Controller.Name, d.At.In(zone).Format("2006-01-02 15:04"), zone, plural(int(d.Persons), "person"))
	if d.Register == nil {
		fmt.Fprintln(out, "No register was in force then.")
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if len(d.Duties) == 0 {
		fmt.Fprintf(out, "Nothing is overdue, nor due within %s.\n", plural(d.Within, "day"))
	} else {
		fmt.Fprintln(w, "\nSTATE\tDUTY\tRULE\tCLAUSE\tCOUNT\tFIRST\tLAST\tIS IT SO")
		for i := range d.Duties {
			printDutyGroup(w, &d.Duties[i])
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for i := range d.Duties {
		g := &d.Duties[i]
		if len(g.Cases) == 0 {
			continue
		}
		fmt.Fprintf(out, "\n%s, %s, %s %s\n", g.State, cmp.Or(dutyTitles[g.Kind], g.Kind), g.Rule.ID, g.Rule.Title)
		if len(g.Months) > 1 {
			months := g.Months
			more := ""
			if over := len(months) - 12; over > 0 {
				months, more = months[:12], fmt.Sprintf(", and %d months more", over)
			}
			var parts []string
			for _, m := range months {
				parts = append(parts, fmt.Sprintf("%s: %d", m.Month, m.Count))
			}
			fmt.Fprintf(out, "  by month: %s%s\n", strings.Join(parts, ", "), more)
		}
		for _, c := range g.Cases {
			fmt.Fprintf(out, "  %s  %s  since %s, due %s", cmp.Or(c.Pseudonym, "-"), c.About.ID, c.Since, c.Due)
			if c.Acts > 0 {
				fmt.Fprintf(out, ", %s, last %s", plural(int(c.Acts), "event"), c.Last.In(zone).Format(time.DateOnly))
			}
			if c.Example != nil {
				fmt.Fprintf(out, " at %s", c.Example.Path())
			}
			fmt.Fprintln(out)
		}
		if more := int(g.Count) - len(g.Cases); more > 0 {
			fmt.Fprintf(out, "  and %d more\n", more)
		}
	}
	if len(d.Untold) > 0 {
		fmt.Fprintln(out, "\nNo duty can be told by")
		for _, u := range d.Untold {
			fmt.Fprintf(out, "  %s %s: %s\n", u.Rule.ID, u.Rule.Title, u.Why)
		}
	}
	return nil
}

func printDutyGroup(w io.Writer, g *answer.DutyGroup) {
	first, last := "", ""
	if len(g.Months) > 0 {
		first, last = g.Months[0].Month, g.Months[len(g.Months)-1].Month
	}
	so := "yes"
	if g.Verdict != "violation" {
		so = "to be looked at"
		var parts []string
		for _, m := range g.Missing {
			parts = append(parts, m.ID)
		}
		if len(parts) > 0 {
			so += ": not known " + strings.Join(parts, ", ")
		}
	}
	clauses := strings.Join(g.Rule.Clauses, " ")
	if clauses == g.Rule.ID {
		clauses = "-"
	}
	fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\n", strings.ToUpper(g.State), cmp.Or(dutyTitles[g.Kind], g.Kind), g.Rule.ID, clauses, g.Count, first, last, so)
}
