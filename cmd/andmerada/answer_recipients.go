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

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/answer"
)

func newAnswerRecipientsCommand() *cobra.Command {
	var page int
	var req answer.RecipientsRequest
	q := &asking{report: new(reporting), question: access.Recipients, controller: &req.Controller, person: &req.Person, identifierNeeded: true}
	cmd := &cobra.Command{
		Use:   "recipients",
		Short: "Who received a person's data, when, for what, on what ground",
		Long: `Recipients answers GDPR Art. 15(1): who received this person's data, when, how often, which
categories, for which purposes, on what basis and clause, and whether it was what the
controller had promised; where the data came from, what was decided by them, for how long
they are kept; then the timeline. Bulk transfers that the person was part of are among them.

With --recipient or --entity it says whether that one ever received them in the period, and
what stands against believing it: records that were lost or not understood, systems that were
silent.

The identifier is read from a file or standard input, never from a flag, which others could
see in the list of processes.`,
		Example: `  printf EL-100017 | andmerada answer recipients --controller elektrum --scheme customer-number
  andmerada answer recipients --controller netpro --scheme email --identifier id.txt --from 2026-01-01 --json
  andmerada answer recipients --controller elektrum --scheme customer-number --identifier id.txt --recipient elektrum/creditinfo-eesti --from 2026-01-01 --to 2026-03-31
  andmerada answer recipients --controller elektrum --scheme customer-number --identifier id.txt --as-of 2026-06-30 --csv
  andmerada answer recipients --controller elektrum --scheme customer-number --identifier id.txt --report answer.pdf --language et`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if req.Controller == "" || req.Person.Scheme == "" {
				return usageError{errors.New("answer recipients: --controller and --scheme must be given")}
			}
			return runAsking(cmd, q, func(ctx context.Context, d answer.Deps) (*answer.RecipientsAnswer, error) {
				if q.report.file != "" {
					d.ForPerson = true // the report speaks to the person
				}
				return answer.Recipients(ctx, d, req)
			}, func(out io.Writer, a *answer.RecipientsAnswer) error { return printRecipients(out, a, page) }, receivedRows)
		},
	}
	f := q.flags(cmd, true)
	f.StringVar(&req.Controller, "controller", "", "the controller, e.g. elektrum")
	f.StringVar(&req.From, "from", "", "first day, YYYY-MM-DD, or an RFC 3339 time (default: the beginning)")
	f.StringVar(&req.To, "to", "", "last day, included")
	f.StringVar(&req.AsOf, "as-of", "", "as the trail stood at the end of this day, or at this RFC 3339 time (default: now)")
	forFlag(f, &req.For)
	f.StringVar(&req.Recipient, "recipient", "", "has this recipient, by its id in the register, ever received them?")
	f.StringVar(&req.Entity, "entity", "", "the same for a recipient by its registration code or name")
	f.BoolVar(&req.Systems, "systems", false, "say also when each system was heard last, and which were silent")
	f.IntVar(&page, "events", 20, "how many events of the timeline to print")
	return cmd
}

// receivedRows are the recipients as a table, what went to the person itself and
// what the controller did itself last.
func receivedRows(a *answer.RecipientsAnswer) [][]string {
	rows := [][]string{{"recipient", "id", "code", "kind", "declared", "countries", "outside_eea", "first", "last", "times", "in_bulk", "allowed", "review", "violation", "purposes", "categories"}}
	add := func(name, id, code, kind, declared string, countries, outside []string, s *answer.Summary) {
		var purposes, categories []string
		for i := range s.Purposes {
			purposes = append(purposes, s.Purposes[i].ID)
		}
		for _, c := range s.Categories {
			categories = append(categories, c.ID)
		}
		rows = append(rows, []string{
			name, id, code, kind, declared, strings.Join(countries, " "), strings.Join(outside, " "), s.First.Format(time.RFC3339), s.Last.Format(time.RFC3339),
			fmt.Sprint(s.Count), fmt.Sprint(s.ByCohort), fmt.Sprint(s.Verdicts.Allowed), fmt.Sprint(s.Verdicts.Review), fmt.Sprint(s.Verdicts.Violation),
			strings.Join(purposes, " "), strings.Join(categories, " "),
		})
	}
	for i := range a.Recipients {
		r := &a.Recipients[i]
		var outside []string
		if r.ThirdCountry != nil {
			outside = r.ThirdCountry.Countries
		}
		add(r.Name, r.ID, r.Code, r.Kind, fmt.Sprint(r.Declared), r.Countries, outside, &r.Summary)
	}
	if a.ToPerson != nil {
		add("the person", "data-subject", "", "data-subject", "", nil, nil, a.ToPerson)
	}
	if a.Internal != nil {
		add("no one else", "", "", "internal-use", "", nil, nil, a.Internal)
	}
	return rows
}

func printRecipients(out io.Writer, a *answer.RecipientsAnswer, events int) error {
	fmt.Fprintf(out, "%s: who received this person's data\n", a.Controller.Name)
	fmt.Fprintf(out, "Asked by %s; %s of the person, %s.", a.Person.Scheme, plural(a.Person.Identifiers, "identifier"), plural(a.Person.Cohorts, "cohort"))
	fmt.Fprintf(out, " %s: %d allowed, %d to review, %d violations.\n\n", plural(int(a.Events), "event"), a.Verdicts.Allowed, a.Verdicts.Review, a.Verdicts.Violation)
	if a.Changed > 0 {
		fmt.Fprintf(out, "Judged anew since they happened: %s. The verdicts are those that stand now.\n\n", plural(int(a.Changed), "event"))
	}

	printRestrictions(out, &a.View)
	zone, err := time.LoadLocation(a.Period.Zone)
	if err != nil {
		return fmt.Errorf("print the answer: %w", err)
	}
	printAsOf(out, a.Period, zone)
	printAsked(out, a, zone)
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
	printMore(out, a, zone)

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
	printLimits(out, a, zone)
	fmt.Fprintf(out, "Times are of %s.\n", zone)
	return nil
}

// printAsOf says that an answer is one of the past.
func printAsOf(out io.Writer, p answer.Period, zone *time.Location) {
	if !p.AsOf.IsZero() {
		fmt.Fprintf(out, "As the trail stood at %s: what was stored or judged later does not count.\n\n", minute(p.AsOf, zone))
	}
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

// moment is a time as exactly as the answer may tell it.
func moment(v *answer.View, t time.Time, zone *time.Location) string {
	if v.Precision != "" {
		return day(t, zone)
	}
	return minute(t, zone)
}

// printRestrictions says what an answer for the person leaves out.
func printRestrictions(out io.Writer, v *answer.View) {
	if v.For == "" || len(v.Restrictions) == 0 {
		return
	}
	fmt.Fprintln(out, "Left out of this answer:")
	for i := range v.Restrictions {
		r := &v.Restrictions[i]
		fmt.Fprintf(out, "  %s (%s)", r.In("en"), r.Ground)
		if r.Count != nil {
			fmt.Fprintf(out, " %s", plural(int(*r.Count), "event"))
		}
		fmt.Fprintln(out)
	}
	fmt.Fprintln(out)
}
