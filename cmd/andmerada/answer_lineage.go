package main

import (
	"cmp"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
)

// passageRows are the acts before an event and after it, told apart in the first
// column.
func passageRows(a *answer.LineageAnswer) [][]string {
	rows := [][]string{{"when", "step", "system", "operation", "purpose", "source", "by", "to", "country", "folded", "events", "first", "last", "verdict"}}
	add := func(when string, list []answer.Passage) {
		for i := range list {
			p := &list[i]
			source, to := "", ""
			if p.DataSource != nil {
				source = p.DataSource.ID
			}
			if p.To != nil {
				to = cmp.Or(p.To.ID, p.To.Name)
			}
			rows = append(rows, []string{
				when, fmt.Sprint(p.Step), p.System, p.Operation, p.Purpose.ID, source, p.By, to, p.Country, fmt.Sprint(p.Folded),
				fmt.Sprint(p.Events), p.First.Format(time.RFC3339), p.Last.Format(time.RFC3339), p.Verdict,
			})
		}
	}
	add("before", a.Before)
	add("after", a.After)
	return rows
}

func printPassages(out io.Writer, a *answer.LineageAnswer, zone *time.Location) error {
	e := a.Event
	fmt.Fprintf(out, "%s: %s by %s at %s, of %s", a.Controller.Name, e.Operation, e.Source, minute(e.Time, zone), plural(a.Pseudonyms, "pseudonym"))
	if a.AsWhole {
		fmt.Fprint(out, ", a cohort with too many members for each to be followed: only acts on it as a whole are here")
	}
	fmt.Fprintln(out)
	list := func(title, none string, passages []answer.Passage) error {
		fmt.Fprintf(out, "\n%s\n", title)
		if len(passages) == 0 {
			fmt.Fprintf(out, "  %s\n", none)
			return nil
		}
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "STEP\tOPERATION\tSYSTEM\tBY\tTO\tFROM\tPURPOSE\tEVENTS\tFIRST\tLAST\tWORST")
		for i := range passages {
			p := &passages[i]
			source, to := "-", "-"
			if p.DataSource != nil {
				source = p.DataSource.Name
			}
			if p.To != nil {
				to = p.To.Name
			}
			operation := p.Operation
			if p.Folded > 0 {
				operation = fmt.Sprintf("%d others", p.Folded)
			}
			fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\n", p.Step, operation, cmp.Or(p.System, "-"), cmp.Or(p.By, "-"), to, source, cmp.Or(p.Purpose.Name, "-"),
				p.Events, minute(p.First, zone), minute(p.Last, zone), p.Verdict)
		}
		return w.Flush()
	}
	if err := list("Before it: what its data can have come from", "Nothing of that kind is in the trail.", a.Before); err != nil {
		return err
	}
	if err := list("After it: where they went", "They went nowhere from there, as far as the trail knows.", a.After); err != nil {
		return err
	}
	if !a.Complete {
		fmt.Fprintln(out, "\nThere are more ways than were followed: ask for a shorter period.")
	}
	return nil
}
