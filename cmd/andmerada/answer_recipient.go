package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/answer"
)

func newAnswerRecipientCommand() *cobra.Command {
	var req answer.RecipientRequest
	var receipts string
	q := &asking{report: new(reporting), question: access.Recipient, controller: &req.Controller}
	cmd := &cobra.Command{
		Use:   "recipient",
		Short: "What one recipient received, and whether its receipts agree",
		Long: `Recipient tells of how many persons one recipient received data, which and for what, day by
day, and what of it was not allowed or needs a review.

With --receipts the recipient's own list is held against the trail: a CSV file with a column
id (of the events it received) and perhaps records, or with the columns day and count. Exit status 1 says that
they differ.`,
		Example: `  andmerada answer recipient --controller elektrum --recipient elektrum/creditinfo-eesti --from 2026-01-01
  andmerada answer recipient --controller elektrum --entity 10256137 --receipts received.csv`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if receipts != "" {
				if req.Receipts, err = readReceipts(cmd.InOrStdin(), receipts); err != nil {
					return err
				}
			}
			var differs bool
			err = runAsking(cmd, q, func(ctx context.Context, d answer.Deps) (*answer.RecipientAnswer, error) {
				a, err := answer.RecipientOf(ctx, d, req)
				if err == nil && a.Reconciled != nil {
					differs = a.Reconciled.Differs()
				}
				return a, err
			}, printRecipient, recipientRows)
			if err == nil && differs {
				err = errFound
			}
			return err
		},
	}
	f := q.flags(cmd, true)
	f.StringVar(&req.Controller, "controller", "", "the controller, e.g. elektrum")
	f.StringVar(&req.Recipient, "recipient", "", "id of the recipient in the register")
	f.StringVar(&req.Entity, "entity", "", "instead: registration code or name, as the events say")
	f.StringVar(&req.From, "from", "", "first day, YYYY-MM-DD, or an RFC 3339 time (default: the beginning)")
	f.StringVar(&req.To, "to", "", "last day, included")
	f.IntVar(&req.Limit, "persons", 0, "how many persons to list, by pseudonym, at most 10000")
	f.StringVar(&req.Cursor, "cursor", "", "where the page of persons before ended")
	f.StringVar(&receipts, "receipts", "", "CSV file of what the recipient says it received; - is standard input")
	return cmd
}

// readReceipts reads a recipient's receipts as CSV.
func readReceipts(stdin io.Reader, file string) (receipts []answer.Receipt, err error) {
	in := stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("open the receipts: %w", err)
		}
		defer f.Close()
		in = f
	}
	if receipts, err = answer.ReadReceipts(io.LimitReader(in, 64<<20)); err != nil {
		return nil, usageError{fmt.Errorf("read the receipts: %w", err)}
	}
	return receipts, nil
}

func recipientRows(a *answer.RecipientAnswer) [][]string {
	rows := [][]string{{"day", "events", "records", "pseudonyms"}}
	for _, d := range a.Days {
		rows = append(rows, []string{d.Day, fmt.Sprint(d.Events), fmt.Sprint(d.Records), fmt.Sprint(d.Pseudonyms)})
	}
	return rows
}

func printRecipient(out io.Writer, a *answer.RecipientAnswer) error {
	zone, err := time.LoadLocation(a.Period.Zone)
	if err != nil {
		return fmt.Errorf("print the answer: %w", err)
	}
	declared := "not declared in the register"
	if a.Declared {
		declared = fmt.Sprintf("%s, declared in %s", a.Kind, strings.Join(a.Clauses, ", "))
	}
	fmt.Fprintf(out, "%s to %s (%s)\n%s, %s%s\n", a.Controller.Name, a.Recipient.Name, declared, plural(a.Persons, "person"), plural(int(a.Events), "event"), between(a.Total, zone))
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	share := func(title string, list []answer.Share) {
		if len(list) > 0 {
			fmt.Fprintf(w, "\n%s\tEVENTS\tPERSONS\tREVIEW\tVIOLATION\n", title)
		}
		for _, s := range list {
			fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\n", cmp.Or(s.Keys[0].Name, "not stated"), s.Events, s.Pseudonyms, s.Verdicts.Review, s.Verdicts.Violation)
		}
	}
	share("PURPOSE", a.Purposes)
	share("CATEGORY", a.Categories)
	share("GROUND", a.Grounds)
	if len(a.Rules) > 0 {
		fmt.Fprintln(w, "\nRULE\tVERDICT\tTIMES\tCLAUSES")
		for _, r := range a.Rules {
			fmt.Fprintf(w, "%s %s\t%s\t%d\t%s\n", r.ID, r.Title, r.Verdict, r.Count, strings.Join(r.Clauses, ", "))
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if len(a.Affected) > 0 {
		fmt.Fprintln(w, "\nPSEUDONYM\tEVENTS\tFIRST\tLAST\tCATEGORIES")
		for _, p := range a.Affected {
			fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\n", p.Pseudonym, p.Events, minute(p.First, zone), minute(p.Last, zone), strings.Join(p.Categories, ", "))
		}
		if err := w.Flush(); err != nil {
			return err
		}
		if a.Next != "" {
			fmt.Fprintf(out, "There are more: --cursor %s\n", a.Next)
		}
	}
	if a.Cut {
		fmt.Fprintln(out, "There is more than is listed; ask for a shorter period.")
	}
	if r := a.Reconciled; r != nil {
		fmt.Fprintf(out, "\nReceipts: %d. ", r.Receipts)
		if r.ComparedByEvent {
			fmt.Fprintf(out, "%d match, %d were sent and not received, %d received and not sent, %d received twice.\n", r.Matched, r.SentNotReceivedN, r.ReceivedNotSentN, r.ReceivedTwiceN)
		}
		if r.RecordsDifferN > 0 {
			fmt.Fprintf(out, "Of %s other numbers of records were received than sent.\n", plural(r.RecordsDifferN, "event"))
			for _, d := range r.RecordsDiffer {
				fmt.Fprintf(out, "  %s  sent %d, received %d\n", d.ID, d.Sent, d.Received)
			}
		}
		if len(r.DaysThatDiffer)+r.DaysThatAgree > 0 {
			fmt.Fprintf(out, "%d days agree, %d differ.\n", r.DaysThatAgree, len(r.DaysThatDiffer))
			for _, d := range r.DaysThatDiffer {
				fmt.Fprintf(out, "  %s  sent %d, received %d\n", d.Day, d.Sent, d.Received)
			}
		}
	}
	return nil
}
