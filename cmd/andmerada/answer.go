package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/identity"
)

func newAnswerCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "answer", Short: "Answer questions from the trail"}
	cmd.AddCommand(newAnswerRecipientsCommand(), newAnswerEventCommand())
	return cmd
}

func newAnswerRecipientsCommand() *cobra.Command {
	var file, identifier string
	var asJSON bool
	var page int
	var req answer.TimelineRequest
	cmd := &cobra.Command{
		Use:   "recipients",
		Short: "Who received a person's data, when, for what, on what ground",
		Long: `Recipients answers GDPR Art. 15(1)(c): who received this person's data, when, how often,
which categories, for which purposes, on what basis and clause, and whether it was what the
controller had promised; then the timeline. Bulk transfers that the person was part of are
among them.

The identifier is read from a file or standard input, never from a flag, which others could
see in the list of processes.`,
		Example: `  printf EL-100017 | andmerada answer recipients --controller elektrum --scheme customer-number
  andmerada answer recipients --controller netpro --scheme email --identifier id.txt --from 2026-01-01 --json`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if req.Controller == "" || req.Person.Scheme == "" {
				return usageError{errors.New("answer recipients: --controller and --scheme must be given")}
			}
			c, err := findConfig(file)
			if err != nil {
				return err
			}
			if req.Person.Value, err = readIdentifier(cmd.InOrStdin(), identifier); err != nil {
				return err
			}
			deps, closeDeps, err := answerDeps(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, closeDeps()) }()
			a, err := answer.Recipients(cmd.Context(), deps, req.Request)
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
			return printRecipients(cmd.OutOrStdout(), a, page)
		},
	}
	f := cmd.Flags()
	configFlag(cmd, &file)
	f.BoolVar(&asJSON, "json", false, "print JSON, as the API does")
	f.StringVar(&req.Controller, "controller", "", "the controller, e.g. elektrum")
	f.StringVar(&req.Person.Scheme, "scheme", "", "scheme of the identifier: customer-number, personal-code, email, metering-point…")
	f.StringVar(&identifier, "identifier", "-", "file that holds the identifier; - is standard input")
	f.StringVar(&req.From, "from", "", "first day, YYYY-MM-DD, or an RFC 3339 time (default: the beginning)")
	f.StringVar(&req.To, "to", "", "last day, included")
	f.IntVar(&page, "events", 20, "how many events of the timeline to print")
	return cmd
}

// answerDeps opens what answers are made from: the trail, to read.
func answerDeps(ctx context.Context, c *config) (d answer.Deps, closeDeps func() error, err error) {
	secret, err := identity.LoadSecret(c.SecretFile)
	if err != nil {
		return d, nil, err
	}
	if d.Keys, err = identity.New(secret); err != nil {
		return d, nil, err
	}
	if d.Registers, err = loadRegisters(c.Registers); err != nil {
		return d, nil, err
	}
	if d.Trail, err = openTrail(ctx, c, true); err != nil {
		return d, nil, err
	}
	d.Now = time.Now
	return d, d.Trail.Close, nil
}

func printRecipients(out io.Writer, a *answer.RecipientsAnswer, events int) error {
	fmt.Fprintf(out, "%s: who received this person's data\n", a.Controller.Name)
	fmt.Fprintf(out, "Asked by %s; %s of the person, %s.", a.Person.Scheme, plural(a.Person.Identifiers, "identifier"), plural(a.Person.Cohorts, "cohort"))
	fmt.Fprintf(out, " %s: %d allowed, %d to review, %d violations.\n\n", plural(int(a.Events), "event"), a.Verdicts.Allowed, a.Verdicts.Review, a.Verdicts.Violation)
	if a.Changed > 0 {
		fmt.Fprintf(out, "Judged anew since they happened: %s. The verdicts are those that stand now.\n\n", plural(int(a.Changed), "event"))
	}

	zone, err := time.LoadLocation(a.Period.Zone)
	if err != nil {
		return fmt.Errorf("print the answer: %w", err)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RECIPIENT\tKIND\tFIRST\tLAST\tTIMES\tVERDICT")
	for i := range a.Recipients {
		r := &a.Recipients[i]
		printSummary(w, r.Name, r.Kind, &r.Summary, zone)
	}
	if a.ToPerson != nil {
		printSummary(w, "(the person)", "data subject", a.ToPerson, zone)
	}
	if a.Internal != nil {
		printSummary(w, "(no one else)", "internal use", a.Internal, zone)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print the answer: %w", err)
	}
	if len(a.Recipients) == 0 {
		fmt.Fprintln(out, "No one else received this person's data, as far as the trail goes.")
	}
	printRules(out, a)

	fmt.Fprintf(out, "\nNewest events\n")
	w = tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TIME\tOPERATION\tRECIPIENT\tPURPOSE\tVERDICT\tWHERE")
	for i := range a.Timeline.Events {
		if i == events {
			break
		}
		e := &a.Timeline.Events[i]
		to := "-"
		if e.Recipient != nil {
			to = e.Recipient.Name
		}
		if e.ByCohort {
			to += " (in bulk)"
		}
		verdict := e.Verdict
		if e.Changed != nil {
			verdict += " (was " + e.Changed.From + ")"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", e.Time.In(zone).Format("2006-01-02 15:04"), e.Operation, to, e.Purpose.Name, verdict, e.Path())
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print the answer: %w", err)
	}
	fmt.Fprintf(out, "Times are of %s.\n", zone)
	return nil
}

// listed is how many purposes and categories of a recipient are printed.
const listed = 6

// printSummary prints a line of the table, and below it what for and which data.
func printSummary(w io.Writer, name, kind string, s *answer.Summary, zone *time.Location) {
	fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\n", name, kind, s.First.In(zone).Format(time.DateOnly), s.Last.In(zone).Format(time.DateOnly),
		s.Count, strings.ToUpper(s.Verdict))
	for i, p := range s.Purposes {
		if i == listed {
			fmt.Fprintf(w, "    and %d purposes more\n", len(s.Purposes)-i)
			break
		}
		basis := strings.Join(p.Basis, " or ")
		if basis == "" {
			basis = "the notice states no basis"
		}
		if !p.Declared {
			basis = "not declared"
		}
		fmt.Fprintf(w, "    for %s: %s %s\n", p.Name, basis, strings.Join(p.Clauses, " "))
	}
	var categories []string
	for i, c := range s.Categories {
		if i == listed {
			categories = append(categories, fmt.Sprintf("%d more", len(s.Categories)-i))
			break
		}
		categories = append(categories, c.ID)
	}
	fmt.Fprintf(w, "    data: %s\n", strings.Join(categories, ", "))
}

// printRules tells which rules the violations and reviews rest on.
func printRules(out io.Writer, a *answer.RecipientsAnswer) {
	type about struct {
		who string
		s   *answer.Summary
	}
	var all []about
	for i := range a.Recipients {
		all = append(all, about{a.Recipients[i].Name, &a.Recipients[i].Summary})
	}
	all = append(all, about{"the person", a.ToPerson}, about{"internal use", a.Internal})
	head := false
	for _, x := range all {
		if x.s == nil {
			continue
		}
		for _, r := range x.s.Rules {
			if r.Verdict == "allowed" {
				continue
			}
			if !head {
				fmt.Fprintf(out, "\nWhy not all of it is allowed\n")
				head = true
			}
			fmt.Fprintf(out, "  %-9s %s, %s (%s): %s, %s\n", r.Verdict, x.who, r.ID, strings.Join(r.Clauses, " "), r.Title, plural(int(r.Count), "time"))
		}
	}
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
