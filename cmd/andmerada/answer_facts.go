package main

import (
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

// newAnswerFactsCommand is "answer facts", and "facts" as well.
func newAnswerFactsCommand() *cobra.Command {
	var req answer.FactsRequest
	q := &asking{question: access.Facts, controller: &req.Controller, person: &req.Person}
	cmd := &cobra.Command{
		Use:   "facts",
		Short: "What is known of a person, an employee or a recipient at a moment",
		Long: `Facts lists what systems have told of a person under all linked identifiers, or of an employee
or a recipient: since when it is true, when it was recorded, and where it stands in Kafka. Below
it is what holds at one moment, which is what an event of that moment is judged by.

--at is the moment at which the facts hold. --known-at leaves out what was recorded later: with
both one sees why something was judged as it was then.

The identifier is read from a file or standard input, never from a flag, which others could
see in the list of processes.`,
		Example: `  printf EL-100017 | andmerada answer facts --controller elektrum --scheme customer-number
  printf EL-100017 | andmerada answer facts --controller elektrum --scheme customer-number --at 2026-03-01T12:00:00+02:00 --known-at 2026-03-02
  andmerada answer facts --controller elektrum --recipient elektrum/creditinfo-eesti --json`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if req.Controller == "" || req.Person.Scheme == "" && req.Actor == "" && req.Recipient == "" {
				return usageError{fmt.Errorf("%s: --controller must be given, and --scheme, --actor or --recipient", strings.TrimPrefix(cmd.CommandPath(), "andmerada "))}
			}
			return runAsking(cmd, q, func(ctx context.Context, d answer.Deps) (*answer.FactsAnswer, error) {
				return answer.Facts(ctx, d, req)
			}, printFacts, factRows)
		},
	}
	f := q.flags(cmd, true)
	f.StringVar(&req.Controller, "controller", "", "the controller, e.g. elektrum")
	f.StringVar(&req.Actor, "actor", "", "id of an employee")
	f.StringVar(&req.Recipient, "recipient", "", "id of a recipient, as in the register")
	f.StringVar(&req.At, "at", "", "moment at which the facts hold, an RFC 3339 time or the beginning of a day (default: now)")
	f.StringVar(&req.KnownAt, "known-at", "", "leave out what was recorded later (default: nothing)")
	return cmd
}

// factRows is one row for each thing that a fact states, and for each that stands.
func factRows(a *answer.FactsAnswer) [][]string {
	rows := [][]string{{"what", "fact", "name", "value", "valid_from", "recorded", "status", "actor", "recipient", "source", "place"}}
	for i := range a.Facts {
		f := &a.Facts[i]
		values := f.Value
		if len(values) == 0 {
			values = []answer.Known{{}}
		}
		for _, v := range values {
			rows = append(rows, []string{"told", f.Name, v.Name, v.Value, timeCell(f.ValidFrom), timeCell(f.Recorded), f.Status, f.AboutActor, f.AboutRecipient, f.Source, f.Path()})
		}
	}
	for _, k := range a.Stands {
		rows = append(rows, []string{"stands", "", k.Name, k.Value, "", "", "", "", "", "", ""})
	}
	return rows
}

// printFacts prints the facts for people.
func printFacts(out io.Writer, a *answer.FactsAnswer) error {
	zone, err := time.LoadLocation(a.Zone)
	if err != nil {
		return fmt.Errorf("print the facts: %w", err)
	}
	const minute = "2006-01-02 15:04"
	var about []string
	if a.Person != nil {
		about = append(about, fmt.Sprintf("the person (by %s, %s)", a.Person.Scheme, plural(a.Person.Identifiers, "identifier")))
	}
	if a.Actor != "" {
		about = append(about, "employee "+a.Actor)
	}
	if a.Recipient != "" {
		about = append(about, "recipient "+a.Recipient)
	}
	fmt.Fprintf(out, "%s: what is known of %s\n\n", a.Controller.Name, strings.Join(about, ", "))
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if len(a.Facts) > 0 {
		fmt.Fprintln(w, "FACT\tVALUE\tTRUE SINCE\tRECORDED\tSTATUS\tWHERE")
	}
	for i := range a.Facts {
		f := &a.Facts[i]
		values := []string{}
		for _, v := range f.Value {
			values = append(values, strings.TrimPrefix(strings.TrimPrefix(v.Name, f.Name), ".")+" "+v.Value)
		}
		if f.AboutActor != "" && f.AboutActor != a.Actor {
			values = append(values, "with employee "+f.AboutActor)
		}
		if f.AboutRecipient != "" && f.AboutRecipient != a.Recipient {
			values = append(values, "with recipient "+f.AboutRecipient)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", f.Name, strings.TrimSpace(strings.Join(values, "; ")), f.ValidFrom.In(zone).Format(minute),
			f.Recorded.In(zone).Format(minute), strings.ReplaceAll(f.Status, "-", " "), f.Path())
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print the facts: %w", err)
	}
	if len(a.Facts) == 0 {
		fmt.Fprintln(out, "Nothing was told, as far as the trail goes.")
	}
	fmt.Fprintf(out, "\nWhat stands at %s", a.At.In(zone).Format(minute))
	if !a.KnownAt.IsZero() {
		fmt.Fprintf(out, ", by what was recorded until %s", a.KnownAt.In(zone).Format(minute))
	}
	fmt.Fprintln(out)
	w = tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, k := range a.Stands {
		fmt.Fprintf(w, "  %s\t%s\n", k.Name, k.Value)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print the facts: %w", err)
	}
	if len(a.Stands) == 0 {
		fmt.Fprintln(out, "  nothing is known")
	}
	fmt.Fprintf(out, "Times are of %s.\n", zone)
	return nil
}
