package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/unusual"
)

func newAnswerUnusualCommand() *cobra.Command {
	var req answer.UnusualRequest
	q := &asking{report: new(reporting), question: access.Unusual, controller: &req.Controller}
	cmd := &cobra.Command{
		Use:   "unusual",
		Short: "Which accesses by employees were out of the ordinary",
		Long: `Unusual finds accesses that are worth a look though each by itself is allowed: to one's own
record, a relation's or a colleague's, to a person in the public eye or one with whom there
is no open business, to far more persons than usual, at an unusual hour, for a purpose or in
a category that is new. The rules and their numbers are those of the file that the
configuration names (unusual), or those that come with Andmerada; each hit says the numbers
it rests on. Who acted is shown by a mask. Exit status 1 says that there is something that a
person must look at.`,
		Example: `  andmerada answer unusual --controller elektrum
  andmerada answer unusual --controller elektrum --from 2026-05-01 --to 2026-05-31 --rule U-01,U-06 --csv
  andmerada answer unusual --controller elektrum --report unusual.pdf --language lv`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			found := false
			err := runAsking(cmd, q, func(ctx context.Context, d answer.Deps) (*answer.UnusualAnswer, error) {
				a, err := answer.Unusual(ctx, d, req)
				if err == nil {
					found = a.ActOn()
				}
				return a, err
			}, printUnusual, unusualRows)
			if err == nil && found {
				err = errFound
			}
			return err
		},
	}
	f := q.flags(cmd, true)
	f.StringVar(&req.Controller, "controller", "", "the controller, e.g. elektrum")
	f.StringVar(&req.From, "from", "", "first day, YYYY-MM-DD (default: 90 days before the last)")
	f.StringVar(&req.To, "to", "", "last day, included (default: today)")
	f.StringSliceVar(&req.Rules, "rule", nil, "only this rule, by its id; may be given again")
	return cmd
}

// loadUnusual reads the rules on unusual access that the configuration names;
// nil stands for those that come with Andmerada.
func loadUnusual(file string) (*unusual.Rules, error) {
	if file == "" {
		return nil, nil //nolint:nilnil // the zero value means something
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the rules on unusual access: %w", err)
	}
	rules, err := unusual.Parse(file, data)
	if err != nil {
		return nil, fmt.Errorf("read the rules on unusual access:\n%w", err)
	}
	return rules, nil
}

func unusualRows(a *answer.UnusualAnswer) [][]string {
	rows := [][]string{{"rule", "kind", "severity", "title", "says", "actor", "role", "pseudonym", "use", "day", "first", "last", "events", "example"}}
	for i := range a.Hits {
		h := &a.Hits[i]
		use, example := "", ""
		if h.Use != nil {
			use = h.Use.ID
		}
		if h.Example != nil {
			example = h.Example.Path()
		}
		rows = append(rows, []string{
			h.Rule, string(h.Kind), string(h.Severity), h.Title, h.Says, h.Actor, h.Role, h.Pseudonym, use, h.Day,
			h.First.Format(time.RFC3339), h.Last.Format(time.RFC3339), strconv.FormatUint(h.Events, 10), example,
		})
	}
	return rows
}

func printUnusual(out io.Writer, a *answer.UnusualAnswer) error {
	zone, err := time.LoadLocation(a.Period.Zone)
	if err != nil {
		return fmt.Errorf("print the answer: %w", err)
	}
	fmt.Fprintf(out, "%s, %s to %s: %s of %s looked at, %s\n", a.Controller.Name, day(a.Period.From, zone), day(a.Period.To.Add(-time.Second), zone),
		plural(int(a.Events), "event"), plural(a.Actors, "actor"), plural(a.Found, "hit"))
	for _, cut := range a.Cut {
		fmt.Fprintf(out, "Not all of it: %s.\n", cut)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if a.Found > 0 {
		fmt.Fprintln(w, "\nFIRST\tSEVERITY\tRULE\tACTOR\tROLE\tPERSON\tWHY")
	}
	for i := range a.Hits {
		h := &a.Hits[i]
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", minute(h.First, zone), strings.ToUpper(string(h.Severity)), h.Rule, h.Actor, cmp.Or(h.Role, "-"), cmp.Or(h.Pseudonym, "-"), h.Says)
	}
	fmt.Fprintln(w, "\nRULE\tHITS\tWHAT IT FINDS")
	for i := range a.Rules {
		r := &a.Rules[i]
		hits := strconv.Itoa(r.Hits)
		if !r.On {
			hits = "off"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", r.ID, hits, r.Title)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "Times are of %s.\n", zone)
	return err
}
