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

func newAnswerToldCommand() *cobra.Command {
	var req answer.ToldRequest
	q := &asking{report: new(reporting), question: access.Told, controller: &req.Controller, person: &req.Person, identifierNeeded: true}
	cmd := &cobra.Command{
		Use:   "told",
		Short: "Who must be told of an erasure, a rectification or a restriction, and who was",
		Long: `Told answers GDPR Art. 19: each recipient who received this person's data, whether it was
told of the erasure, rectification or restriction, and whether it has answered. A notice is
an event of that operation whose recipient is told; an answer is one that the recipient
does itself, as a partner. Exit status 1 says that something is overdue.`,
		Example: `  printf EL-100017 | andmerada answer told --controller elektrum --scheme customer-number
  printf EL-100017 | andmerada answer told --controller elektrum --scheme customer-number --operation rectify --since 2026-03-01 --json
  andmerada answer told --controller elektrum --scheme customer-number --identifier id.txt --csv`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			overdue := 0
			err := runAsking(cmd, q, func(ctx context.Context, d answer.Deps) (*answer.ToldAnswer, error) {
				a, err := answer.ToldOn(ctx, d, req)
				if err == nil {
					overdue = a.Overdue
				}
				return a, err
			}, printTold, toldRows)
			return foundOr(err, overdue > 0)
		},
	}
	f := q.flags(cmd, true)
	f.StringVar(&req.Controller, "controller", "", "the controller, e.g. elektrum")
	f.StringVar(&req.Operation, "operation", "erase", "erase, rectify or restrict")
	f.StringVar(&req.Since, "since", "", "when it was asked for or done (default: as the facts and acts of the person say)")
	forFlag(f, &req.For)
	f.IntVar(&req.Days, "days", 30, "within how many days recipients are to be told and to have answered")
	return cmd
}

func printTold(out io.Writer, a *answer.ToldAnswer) error {
	since := "nothing says that it was asked for or done"
	if !a.Since.IsZero() {
		since = fmt.Sprintf("since %s, due %s", a.Since.Format(time.DateOnly), a.Due.Format(time.DateOnly))
	}
	fmt.Fprintf(out, "%s: %s, %s; %s open, %d of them overdue\n\n", a.Controller.Name, a.Operation, since, plural(a.Open, "recipient"), a.Overdue)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RECIPIENT\tSTATE\tRECEIVED\tLAST\tTOLD\tANSWERED")
	date := func(t time.Time) string {
		if t.IsZero() {
			return "-"
		}
		return t.Format(time.DateOnly)
	}
	for i := range a.Tasks {
		t := &a.Tasks[i]
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\n", t.Name, t.State, t.Received, date(t.Last), date(t.Told), date(t.Acknowledged))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if a.Cut {
		fmt.Fprintln(out, "More was done with this person's data than was looked at: a recipient, a notice or an answer may be missing.")
	}
	return nil
}

// tellingColumns are those of a request, and of what is to be told of it to one
// recipient.
var tellingColumns = []string{"pseudonym", "operation", "since", "since_from", "due", "state", "recipient_id", "recipient", "code", "received", "last", "categories", "told", "told_by", "answered", "answered_by"}

func toldRows(a *answer.ToldAnswer) [][]string {
	rows := [][]string{tellingColumns}
	for i := range a.Tasks {
		rows = append(rows, trackedRow(&answer.TrackedTelling{Pseudonym: a.Person.Pseudonym, Operation: a.Operation, Since: a.Since, SinceFrom: a.SinceFrom, Due: a.Due, Telling: a.Tasks[i]}))
	}
	return rows
}

func newAnswerTellingsCommand() *cobra.Command {
	var req answer.TellingsRequest
	q := &asking{question: access.Tellings, controller: &req.Controller}
	cmd := &cobra.Command{
		Use:   "tellings",
		Short: "Who is still to be told of erasures, rectifications and restrictions, of all persons",
		Long: `Tellings lists, of all persons of a controller, what "andmerada answer told" tells of one: for
each open request (GDPR Art. 16 to 18) and each recipient a task, with the events by which the
recipient was told and has answered. Those still open come first, by the day on which they are
due, so that what is overdue is at the top. A request is open while one of its recipients is
still to be told, or to answer. Persons are named by pseudonym.

Exit status 1 says that something is overdue.`,
		Example: `  andmerada answer tellings --controller elektrum
  andmerada answer tellings --controller elektrum --state overdue,unanswered --limit 1000
  andmerada answer tellings --controller elektrum --from 2026-01-01 --operation erase --csv > tasks.csv`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			overdue := 0
			rows := [][]string{tellingColumns}
			var each func(*answer.TrackedTelling) error
			if q.asCSV && !cmd.Flags().Changed("limit") {
				each = func(t *answer.TrackedTelling) error {
					rows = append(rows, trackedRow(t))
					return nil
				}
			}
			err := runAsking(cmd, q, func(ctx context.Context, d answer.Deps) (*answer.TellingsAnswer, error) {
				a, err := answer.Tellings(ctx, d, req, each)
				if err == nil {
					overdue = a.Overdue
				}
				return a, err
			}, printTellings, func(a *answer.TellingsAnswer) [][]string {
				for i := range a.Tasks {
					if each == nil {
						rows = append(rows, trackedRow(&a.Tasks[i]))
					}
				}
				return rows
			})
			return foundOr(err, overdue > 0)
		},
	}
	f := q.flags(cmd, true)
	f.StringVar(&req.Controller, "controller", "", "the controller, e.g. elektrum")
	f.StringSliceVar(&req.Operations, "operation", nil, "erase, rectify or restrict; may be given again (default: all three)")
	f.StringVar(&req.From, "from", "", "first day on which it was asked for or done, YYYY-MM-DD, or an RFC 3339 time (default: the beginning)")
	f.StringVar(&req.To, "to", "", "last day, included, or an RFC 3339 time, not included")
	f.IntVar(&req.Days, "days", 30, "within how many days recipients are to be told and to have answered")
	f.StringSliceVar(&req.States, "state", nil, "only tasks in this state: pending, overdue, told, unanswered, acknowledged or not-told; may be given again")
	f.StringVar(&req.Cursor, "cursor", "", "where the page before ended")
	f.IntVar(&req.Limit, "limit", 0, "how many tasks, at most 1000 (default 100; with --csv all)")
	return cmd
}

func trackedRow(t *answer.TrackedTelling) []string {
	var categories []string
	for _, c := range t.Categories {
		categories = append(categories, c.ID)
	}
	place := func(p *answer.Place) string {
		if p == nil {
			return ""
		}
		return p.Path()
	}
	return []string{
		t.Pseudonym, t.Operation, timeCell(t.Since), t.SinceFrom, timeCell(t.Due), t.State, t.ID, t.Name, t.Code, fmt.Sprint(t.Received), timeCell(t.Last), strings.Join(categories, " "),
		timeCell(t.Told), place(t.ToldBy), timeCell(t.Acknowledged), place(t.AnsweredBy),
	}
}

func printTellings(out io.Writer, a *answer.TellingsAnswer) error {
	zone, err := time.LoadLocation(a.Period.Zone)
	if err != nil {
		return fmt.Errorf("print the answer: %w", err)
	}
	fmt.Fprintf(out, "%s: %s of %s open; %s open, %d of them overdue\n\n", a.Controller.Name, plural(a.Requests, "request"), plural(a.Persons, "person"), plural(a.Open, "task"), a.Overdue)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "DUE\tSTATE\tRECIPIENT\tOF\tSINCE\tPERSON\tTOLD\tANSWERED")
	date := func(t time.Time) string {
		if t.IsZero() {
			return "-"
		}
		return day(t, zone)
	}
	for i := range a.Tasks {
		t := &a.Tasks[i]
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", day(t.Due, zone), t.State, cmp.Or(t.Name, t.ID), t.Operation, day(t.Since, zone), t.Pseudonym, date(t.Told), date(t.Acknowledged))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print the answer: %w", err)
	}
	if a.Next != "" {
		fmt.Fprintf(out, "\nThere are more: --cursor %s, or --csv for all.\n", a.Next)
	}
	if a.Cut {
		fmt.Fprintln(out, "There are more requests than were looked at, or more was done with a person's data: ask for a shorter period.")
	}
	return nil
}
