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
	"github.com/spf13/pflag"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/answer"
)

// newAnswerDriftCommand is "answer drift", and "drift" as well.
func newAnswerDriftCommand() *cobra.Command {
	var req answer.DriftRequest
	q := &asking{question: access.Drift, controller: &req.Controller}
	cmd := &cobra.Command{
		Use:   "drift",
		Short: "What is done and never declared, and what is declared and never seen",
		Long: `Drift holds the trail against the registers, both ways: recipients, purposes, categories
and sources that were seen but are not declared, and those that are declared but were not
seen in the period. Each event is held against the register that was in force at its time.

It exits with 1 if anything was seen that is not declared.`,
		Example: `  andmerada answer drift
  andmerada answer drift --controller elektrum --from 2026-01-01 --to 2026-06-30 --csv > drift.csv
  andmerada answer drift --json | jq '.controllers[].undeclared[] | {kind, name, count}'`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			found := false
			err := runAsking(cmd, q, func(ctx context.Context, d answer.Deps) (*answer.DriftAnswer, error) {
				a, err := answer.DriftOf(ctx, d, req)
				found = err == nil && a.Found()
				return a, err
			}, printDrift, driftRows)
			return foundOr(err, found)
		},
	}
	f := q.flags(cmd, true)
	f.StringVar(&req.Controller, "controller", "", "only this controller, e.g. elektrum")
	f.StringVar(&req.From, "from", "", "first day, YYYY-MM-DD, or an RFC 3339 time (default: the beginning)")
	f.StringVar(&req.To, "to", "", "last day, included, or an RFC 3339 time, not included")
	f.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName { // as they were called once
		switch name {
		case "since":
			name = "from"
		case "until":
			name = "to"
		}
		return pflag.NormalizedName(name)
	})
	return cmd
}

// driftRows is one row for each thing that was seen and is not declared, and for
// each that is declared and was not seen.
func driftRows(a *answer.DriftAnswer) [][]string {
	rows := [][]string{{"controller", "drift", "kind", "id", "name", "organisation", "code", "country", "resembles", "purpose", "list", "clauses", "count", "first", "last", "example"}}
	for i := range a.Controllers {
		d := &a.Controllers[i]
		for j := range d.Undeclared {
			s := &d.Undeclared[j]
			purpose, example := "", ""
			if s.Purpose != nil {
				purpose = s.Purpose.ID
			}
			if len(s.Examples) > 0 {
				example = s.Examples[0].Path()
			}
			rows = append(rows, []string{
				d.Controller.ID, "undeclared", string(s.Kind), s.ID, s.Name, s.Organisation, s.Code, s.Country, s.Resembles, purpose, s.List, strings.Join(s.Clauses, " "),
				fmt.Sprint(s.Count), timeCell(s.First), timeCell(s.Last), example,
			})
		}
		for _, u := range d.Unseen {
			rows = append(rows, []string{d.Controller.ID, "unseen", string(u.Kind), u.ID, u.Name, "", "", "", "", "", "", strings.Join(u.Clauses, " "), "0", "", timeCell(u.LastSeen), ""})
		}
	}
	return rows
}

// driftTitles say what each kind of drift is.
var driftTitles = map[answer.DriftKind]string{
	answer.UndeclaredPurpose:      "purpose",
	answer.UndeclaredRecipient:    "recipient",
	answer.RecipientNotStated:     "recipient not stated",
	answer.RecipientOtherPurpose:  "recipient for another purpose",
	answer.UndeclaredCategory:     "category",
	answer.CategoryOutsidePurpose: "category outside the purpose",
	answer.UndeclaredSource:       "source",
}

func printDrift(out io.Writer, a *answer.DriftAnswer) error {
	return printEach(out, a.Controllers, "drift", printDriftOf)
}

func printDriftOf(out io.Writer, d *answer.Drift) error {
	zone, err := time.LoadLocation(d.Period.Zone)
	if err != nil {
		return err
	}
	day := func(t time.Time, never string) string {
		if t.IsZero() {
			return never
		}
		return t.In(zone).Format(time.DateOnly)
	}
	fmt.Fprintf(out, "%s: %s held against %s", d.Controller.Name, plural(int(d.Events), "event"), plural(len(d.Registers), "register"))
	if d.Before > 0 {
		fmt.Fprintf(out, "; %s of before the first register held against none", plural(int(d.Before), "event"))
	}
	fmt.Fprintf(out, "\n\n")
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if len(d.Undeclared) == 0 {
		fmt.Fprintln(out, "Nothing was seen that is not declared.")
	} else {
		fmt.Fprintln(w, "SEEN, NOT DECLARED\tWHAT\tTIMES\tFIRST\tLAST\tEXAMPLE")
		for i := range d.Undeclared {
			s := &d.Undeclared[i]
			example := "-"
			if len(s.Examples) > 0 {
				example = s.Examples[0].Path()
			}
			fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\n", driftTitles[s.Kind], seenText(s), s.Count, day(s.First, ""), day(s.Last, ""), example)
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out)
	if len(d.Unseen) == 0 {
		fmt.Fprintln(out, "Everything that is declared was seen.")
	} else {
		fmt.Fprintln(w, "DECLARED, NOT SEEN\tWHAT\tCLAUSE\tLAST SEEN")
		for _, u := range d.Unseen {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", driftTitles[u.Kind], u.ID, strings.Join(u.Clauses, " "), day(u.LastSeen, "never"))
		}
	}
	if !d.Complete {
		fmt.Fprintln(out, "Data were used in too many ways to list them all: ask for a shorter period.")
	}
	return w.Flush()
}

// seenText is what was seen, as the events name it.
func seenText(s *answer.Seen) string {
	text := cmp.Or(s.ID, s.Name)
	if s.Organisation != "" || s.Code != "" {
		if more := strings.TrimSpace(s.Code + " " + s.Country); more != "" && more != text {
			text += " (" + more + ")"
		}
	}
	if s.Purpose != nil {
		text += " for " + s.Purpose.ID
	}
	if s.Resembles != "" {
		text += ", declared as " + s.Resembles
	}
	if s.List == "open" {
		text += " [open list]"
	}
	return text
}
