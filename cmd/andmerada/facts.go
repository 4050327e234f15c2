package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/andmerada/andmerada/internal/answer"
)

func newFactsCommand() *cobra.Command {
	var file, identifier string
	var asJSON bool
	var req answer.FactsRequest
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
		Example: `  printf EL-100017 | andmerada facts --controller elektrum --scheme customer-number
  printf EL-100017 | andmerada facts --controller elektrum --scheme customer-number --at 2026-03-01T12:00:00+02:00 --known-at 2026-03-02
  andmerada facts --controller elektrum --recipient elektrum/creditinfo-eesti --json`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if req.Controller == "" || req.Person.Scheme == "" && req.Actor == "" && req.Recipient == "" {
				return usageError{errors.New("facts: --controller must be given, and --scheme, --actor or --recipient")}
			}
			c, err := findConfig(file)
			if err != nil {
				return err
			}
			if req.Person.Scheme != "" {
				if req.Person.Value, err = readIdentifier(cmd.InOrStdin(), identifier); err != nil {
					return err
				}
			}
			deps, closeDeps, err := answerDeps(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, closeDeps()) }()
			a, err := answer.Facts(cmd.Context(), deps, req)
			var fault *answer.Fault
			if errors.As(err, &fault) {
				return usageError{err}
			}
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), a)
			}
			return printFacts(cmd.OutOrStdout(), a)
		},
	}
	f := cmd.Flags()
	configFlag(cmd, &file)
	f.BoolVar(&asJSON, "json", false, "print JSON")
	f.StringVar(&req.Controller, "controller", "", "the controller, e.g. elektrum")
	f.StringVar(&req.Person.Scheme, "scheme", "", "scheme of the person's identifier: customer-number, personal-code, email, metering-point…")
	f.StringVar(&identifier, "identifier", "-", "file that holds the identifier; - is standard input")
	f.StringVar(&req.Actor, "actor", "", "id of an employee")
	f.StringVar(&req.Recipient, "recipient", "", "id of a recipient, as in the register")
	f.StringVar(&req.At, "at", "", "moment at which the facts hold, an RFC 3339 time or the beginning of a day (default: now)")
	f.StringVar(&req.KnownAt, "known-at", "", "leave out what was recorded later (default: nothing)")
	return cmd
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
