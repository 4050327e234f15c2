package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/answer"
)

func newAnswerTimelineCommand() *cobra.Command {
	var req answer.TimelineRequest
	q := &asking{report: new(reporting), question: access.Timeline, controller: &req.Controller, person: &req.Person, identifierNeeded: true}
	cmd := &cobra.Command{
		Use:   "timeline",
		Short: "What was done with a person's data, the newest first",
		Example: `  printf EL-100017 | andmerada answer timeline --controller elektrum --scheme customer-number --limit 100
  andmerada answer timeline --controller elektrum --scheme customer-number --identifier id.txt --report timeline.pdf --language lv`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runAsking(cmd, q, func(ctx context.Context, d answer.Deps) (*answer.TimelineAnswer, error) {
				if q.report.file != "" {
					d.ForPerson = true // the report speaks to the person
				}
				if q.asCSV && !cmd.Flags().Changed("limit") {
					req.Limit = csvPage
				}
				first, err := answer.TimelineOf(ctx, d, req)
				q.stream = func(ctx context.Context, d answer.Deps, out io.Writer) error {
					return streamTimeline(ctx, d, req, first, !cmd.Flags().Changed("limit"), out)
				}
				return first, err
			}, printTimeline, nil)
		},
	}
	f := q.flags(cmd, true)
	f.StringVar(&req.Controller, "controller", "", "the controller, e.g. elektrum")
	f.StringVar(&req.From, "from", "", "first day, YYYY-MM-DD, or an RFC 3339 time (default: the beginning)")
	f.StringVar(&req.To, "to", "", "last day, included, or an RFC 3339 time, not included")
	f.StringVar(&req.AsOf, "as-of", "", "as the trail stood at the end of this day, or at this RFC 3339 time (default: now)")
	forFlag(f, &req.For)
	f.StringVar(&req.Cursor, "cursor", "", "where the page before ended")
	f.IntVar(&req.Limit, "limit", 0, "how many events, at most 500 (default 50; with --csv all)")
	return cmd
}

// csvPage is how many events are read and written at once.
const csvPage = 500

// streamTimeline writes a page as CSV, and all that are older.
func streamTimeline(ctx context.Context, d answer.Deps, req answer.TimelineRequest, page *answer.TimelineAnswer, older bool, out io.Writer) error {
	w := csv.NewWriter(out)
	if err := addCSV(w, [][]string{{"time", "operation", "source", "recipient", "purpose", "categories", "verdict", "place", "actor", "actor_role", "actor_organisation", "revealed_at"}}); err != nil {
		return err
	}
	for {
		if err := addCSV(w, timelineRows(page)); err != nil {
			return err
		}
		w.Flush()
		if err := w.Error(); err != nil {
			return fmt.Errorf("write CSV: %w", err)
		}
		if req.Cursor = page.Next; page.Next == "" || !older {
			return nil
		}
		var err error
		if page, err = answer.TimelineOf(ctx, d, req); err != nil {
			return err
		}
	}
}

func timelineRows(a *answer.TimelineAnswer) [][]string {
	var rows [][]string
	when := func(t time.Time) string {
		if a.Precision != "" {
			return t.Format(time.DateOnly) // it is in the controller's zone
		}
		return t.Format(time.RFC3339)
	}
	for i := range a.Events {
		e := &a.Events[i]
		to := ""
		if e.Recipient != nil {
			to = e.Recipient.Name
		}
		var categories []string
		for _, c := range e.Categories {
			categories = append(categories, c.ID)
		}
		told := ""
		if e.Revealed != nil {
			told = when(e.Revealed.At)
		}
		rows = append(rows, []string{when(e.Time), e.Operation, e.Source, to, e.Purpose.ID, strings.Join(categories, " "), e.Verdict, e.Path(), e.Actor, e.ActorRole, e.Organisation, told})
	}
	return rows
}

func printTimeline(out io.Writer, a *answer.TimelineAnswer) error {
	zone, err := time.LoadLocation(a.Period.Zone)
	if err != nil {
		return err
	}
	printAsOf(out, a.Period, zone)
	printRestrictions(out, &a.View)
	printEntries(out, a.Controller.Name, a.Events, &a.View, zone)
	if a.Next != "" {
		_, err = io.WriteString(out, "Older ones: --cursor "+a.Next+"\n")
	}
	return err
}
