package main

import (
	"cmp"
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

func newAnswerLineageCommand() *cobra.Command {
	var req answer.LineageRequest
	var person answer.Person
	var of string
	q := &asking{report: new(reporting), question: access.Lineage, named: req.NamesActors, controller: &req.Controller, person: &person}
	cmd := &cobra.Command{
		Use:   "lineage",
		Short: "Where data came from, and where it went",
		Long: `Lineage draws how data came and went: from which source, by which system, for what purpose,
to which recipient, in which country, and on from there as far as the trail sees it. Of all
selected events, or of one person. The rarest nodes of each kind become one.

With --event it tells what came before that event and after it, of its persons and in its
categories: earlier acts that the data can have come from, and where they went from then on.
The event is named by topic, partition and offset, as "andmerada answer event" tells them.`,
		Example: `  andmerada answer lineage --controller elektrum --from 2026-01-01
  printf EL-100017 | andmerada answer lineage --controller elektrum --scheme customer-number
  andmerada answer lineage --controller netpro --purpose netpro/payment-execution --json
  andmerada answer lineage --controller elektrum --event andmerada.events/0/17`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runAsking(cmd, q, func(ctx context.Context, d answer.Deps) (*answer.LineageAnswer, error) {
				if person.Scheme != "" {
					req.Person = &person
				}
				if of != "" {
					var err error
					if req.Event, err = answer.ParsePlace(of); err != nil {
						return nil, err
					}
				}
				a, err := answer.Lineage(ctx, d, req)
				if errors.Is(err, answer.ErrNotFound) {
					err = &answer.Fault{Problem: err.Error() + " of this controller", Mend: "find it with `andmerada answer event`; it may be on its way, or in the quarantine"}
				}
				return a, err
			}, printLineage, lineageRows)
		},
	}
	f := q.flags(cmd, true)
	actsFlags(f, &req.ActsRequest)
	f.StringVar(&of, "event", "", "what came before this event and after it: TOPIC/PARTITION/OFFSET")
	f.IntVar(&req.Depth, "depth", 0, "how many columns: 1 systems, 2 purposes, 3 recipients, 4 countries, 5 whom recipients handed it on to (default: all)")
	f.IntVar(&req.Fold, "fold", 0, "how many nodes of each kind to show by themselves (default 12)")
	return cmd
}

func lineageRows(a *answer.LineageAnswer) [][]string {
	if a.Event != nil {
		return passageRows(a)
	}
	rows := [][]string{{"from", "to", "events", "first", "last", "verdict"}}
	for _, e := range a.Edges {
		rows = append(rows, []string{e.From, e.To, fmt.Sprint(e.Events), e.First.Format(time.RFC3339), e.Last.Format(time.RFC3339), e.Verdict})
	}
	return rows
}

func printLineage(out io.Writer, a *answer.LineageAnswer) error {
	zone, err := time.LoadLocation(a.Period.Zone)
	if err != nil {
		return fmt.Errorf("print the answer: %w", err)
	}
	if a.Event != nil {
		return printPassages(out, a, zone)
	}
	fmt.Fprintf(out, "%s: %s\n\n", a.Controller.Name, plural(int(a.Events), "event"))
	names := make(map[string]string)
	for _, n := range a.Nodes {
		names[n.ID] = cmp.Or(n.Name, n.Key)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "FROM\t\tTO\tEVENTS\tFIRST\tLAST\tWORST")
	for _, e := range a.Edges {
		kind, _, _ := strings.Cut(e.To, ":")
		fmt.Fprintf(w, "%s\t→ %s\t%s\t%d\t%s\t%s\t%s\n", names[e.From], kind, names[e.To], e.Events, day(e.First, zone), day(e.Last, zone), e.Verdict)
	}
	return w.Flush()
}

func newAnswerCaseCommand() *cobra.Command {
	var req answer.CaseRequest
	var controller, with string
	q := &asking{report: new(reporting), question: access.Breach, controller: &controller}
	cmd := &cobra.Command{
		Use:   "case [ID]",
		Short: "The frozen cases, one of them with its persons, or how two differ",
		Example: `  andmerada answer case
  andmerada answer case 20260502-1f2e3d4c5b6a7988 --csv > to-notify.csv
  andmerada answer case 20260502-1f2e3d4c5b6a7988 --with 20260503-8899aabbccddeeff
  andmerada answer case 20260502-1f2e3d4c5b6a7988 --with 20260503-8899aabbccddeeff --csv > new-and-gone.csv`,
		Args: args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			if len(list) == 0 {
				return runAsking(cmd, q, func(ctx context.Context, d answer.Deps) (*answer.CasesAnswer, error) {
					return answer.Cases(ctx, d, controller)
				}, printCases, casesRows)
			}
			req.ID = list[0]
			if with != "" {
				changes := [][]string{{"change", "pseudonym", "first", "last", "events", "categories"}}
				return runAsking(cmd, q, func(ctx context.Context, d answer.Deps) (*answer.CaseComparison, error) {
					return notFound(answer.CompareCases(ctx, d, req.ID, with, func(p *answer.CaseChange) error {
						if q.asCSV {
							changes = append(changes, append([]string{p.Change}, personRow(&p.AffectedPerson)...))
						}
						return nil
					}))
				}, printComparison, func(*answer.CaseComparison) [][]string { return changes })
			}
			return runAsking(cmd, q, func(ctx context.Context, d answer.Deps) (*answer.CaseAnswer, error) {
				return notFound(answer.CaseOf(ctx, d, req))
			}, printCase, caseRows)
		},
	}
	f := q.flags(cmd, true)
	f.StringVar(&controller, "controller", "", "only this controller's cases")
	f.StringVar(&with, "with", "", "another case to compare with")
	f.IntVar(&req.Limit, "persons", 1_000_000, "how many persons to list")
	return cmd
}

// notFound makes of what is not there a question that was put wrong.
func notFound[T any](a T, err error) (T, error) {
	if errors.Is(err, answer.ErrNotFound) {
		err = &answer.Fault{Problem: "there is no case of this id", Mend: "list them with `andmerada answer case`"}
	}
	return a, err
}

func casesRows(a *answer.CasesAnswer) [][]string {
	rows := [][]string{{"id", "name", "persons", "aware_at", "frozen_at"}}
	for _, c := range a.Cases {
		rows = append(rows, []string{c.ID, c.Name, fmt.Sprint(c.Persons), c.AwareAt.Format(time.RFC3339), c.FrozenAt.Format(time.RFC3339)})
	}
	return rows
}

func printCases(out io.Writer, a *answer.CasesAnswer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CASE\tNAME\tPERSONS\tFROZEN")
	for _, c := range a.Cases {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", c.ID, c.Name, c.Persons, c.FrozenAt.Format("2006-01-02 15:04Z"))
	}
	return w.Flush()
}

func caseRows(a *answer.CaseAnswer) [][]string {
	rows := [][]string{{"pseudonym", "first", "last", "events", "categories"}}
	for i := range a.Affected {
		rows = append(rows, personRow(&a.Affected[i]))
	}
	return rows
}

func personRow(p *answer.AffectedPerson) []string {
	return []string{p.Pseudonym, p.First.Format(time.RFC3339), p.Last.Format(time.RFC3339), fmt.Sprint(p.Events), strings.Join(p.Categories, " ")}
}

func printCase(out io.Writer, a *answer.CaseAnswer) error {
	fmt.Fprintf(out, "%s, %s: %s, frozen %s\n\n", a.Name, a.Controller.Name, plural(int(a.Persons), "person"), a.FrozenAt.Format("2006-01-02 15:04Z"))
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PSEUDONYM\tEVENTS\tFIRST\tLAST\tCATEGORIES")
	for _, p := range a.Affected {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\n", p.Pseudonym, p.Events, p.First.Format("2006-01-02 15:04Z"), p.Last.Format("2006-01-02 15:04Z"), strings.Join(p.Categories, ", "))
	}
	return w.Flush()
}

func printComparison(out io.Writer, c *answer.CaseComparison) error {
	_, err := fmt.Fprintf(out, "%s: %d persons\n%s: %d persons\n%d in both, %d only in the first, %d only in the second\n",
		c.First.Name, c.First.Persons, c.Second.Name, c.Second.Persons, c.Both, c.Only1, c.Only2)
	return err
}
