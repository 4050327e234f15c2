package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/answer"
	"github.com/andmerada/andmerada/internal/facts"
	"github.com/andmerada/andmerada/internal/ingest"
)

func newAnswerEventCommand() *cobra.Command {
	var file, source, id, reason string
	var asJSON, reveal bool
	cmd := &cobra.Command{
		Use:   "event",
		Short: "Did an event arrive, and what was made of it",
		Long: `Event finds an event by its source and id and tells where it is, what it was judged, which
facts were recalled, and rule by rule how the verdict came about. It exits with 1 if there is
no such event in the trail; it may still be on its way, or in the quarantine.`,
		Example: "  andmerada answer event --source //billing.example --id 01928c7e-5b1f-7c3a-9a52-0d1f6d0b8a11",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if source == "" || id == "" {
				return usageError{errors.New("answer event: --source and --id must be given")}
			}
			c, err := findConfig(file)
			if err != nil {
				return err
			}
			q := access.Event
			if reveal {
				q = access.Reveal
				if reason == "" {
					return usageError{errors.New("answer event: --reveal needs a --reason, which is kept")}
				}
				if c.Asking.RevealApproval {
					return usageError{errors.New("answer event: that another person approves it is wanted here (asking.reveal_approval): ask by POST /v1/reveals")}
				}
			}
			deps, closeDeps, err := answerDeps(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, closeDeps()) }()
			places, err := deps.Trail.Find(cmd.Context(), source, id)
			if err != nil {
				return err
			}
			if len(places) == 0 {
				fmt.Fprintln(cmd.ErrOrStderr(), "There is no such event in the trail. It may be on its way, or in the quarantine.")
				return errFound
			}
			store := facts.New()
			if err := ingest.LearnFacts(store, deps.Trail.Facts(cmd.Context(), c.Kafka.Topic)); err != nil {
				return err
			}
			deps.Facts = store.AsSeen
			for _, p := range places {
				a, err := answer.Event(cmd.Context(), deps, answer.EventRequest{
					Place: answer.Place{Topic: p.Topic, Partition: p.Partition, Offset: p.Offset}, Person: -1, Reveal: reveal,
				})
				if err != nil {
					return err
				}
				reference := ""
				if reveal {
					if reference, err = answer.RevealTold(deps, a.Controller, "", operator(), a.Place); err != nil {
						return err
					}
				}
				if err := asked(cmd.Context(), c, &deps, q, a.Controller, answer.Person{}, reason, reference, false); err != nil {
					return err
				}
				if asJSON {
					err = writeJSON(cmd.OutOrStdout(), a)
				} else {
					printEvent(cmd.OutOrStdout(), a)
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
	configFlag(cmd, &file)
	reasonFlag(cmd, &reason)
	cmd.Flags().StringVar(&source, "source", "", "the event's source")
	cmd.Flags().StringVar(&id, "id", "", "the event's id")
	cmd.Flags().BoolVar(&reveal, "reveal", false, "say who acted, by id, instead of a mask; needs --reason")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, as the API does")
	return cmd
}

func printEvent(out io.Writer, a *answer.EventAnswer) {
	fmt.Fprintf(out, "%s by %s at %s: %s\n", a.Operation, a.Source, a.Time.Format("2006-01-02 15:04:05Z07:00"), strings.ToUpper(a.Verdict))
	fmt.Fprintf(out, "  at %s, stored %s", a.Path(), a.Stored.Format("2006-01-02 15:04:05Z07:00"))
	if a.Duplicate {
		fmt.Fprint(out, ", a duplicate of an earlier one")
	}
	fmt.Fprintln(out)
	if a.ActorID != "" {
		fmt.Fprintf(out, "  by %s\n", a.ActorID)
	}
	if a.Purpose.ID != "" {
		fmt.Fprintf(out, "  for %s (%s)\n", a.Purpose.Name, a.Purpose.ID)
	}
	if a.Recipient != nil {
		fmt.Fprintf(out, "  to %s\n", a.Recipient.Name)
	}
	for _, p := range a.Persons {
		if p.Cause == "" {
			continue
		}
		fmt.Fprintf(out, "  judged again at %s: %s", p.JudgedAt.Format("2006-01-02 15:04:05Z07:00"), p.Verdict)
		if p.Because != "" {
			fmt.Fprintf(out, ", because %s", p.Because)
		}
		fmt.Fprintf(out, " (%s)\n", p.Cause)
	}
	if c := a.Changed; c != nil {
		fmt.Fprintf(out, "  the verdict was %s by %s, under register %s; it is %s under register %s\n", c.From, strings.Join(c.FromRules, ", "), c.FromVersion, c.To, c.Version)
	}
	x := a.Explanation
	if x == nil {
		fmt.Fprintf(out, "  %s\n", a.NotExplained)
		return
	}
	known := func(title string, list []answer.Known) {
		if len(list) > 0 {
			fmt.Fprintf(out, "  %s\n", title)
		}
		for _, k := range list {
			fmt.Fprintf(out, "    %s: %s\n", k.Name, k.Value)
		}
	}
	known("recalled", x.Recalled)
	known("stated", x.Stated)
	for _, r := range x.Rules {
		mark := ""
		if r.Decided {
			mark = ", decided"
		}
		fmt.Fprintf(out, "  %s %s (%s): %s%s\n", r.ID, r.Title, strings.Join(r.Clauses, " "), r.Outcome, mark)
		for _, req := range r.Requirements {
			fmt.Fprintf(out, "    %-10s %s\n", req.Truth, req.Says)
		}
	}
	if x.Differs {
		fmt.Fprintf(out, "  Judged again just now it comes out otherwise: %s\n", strings.Join(x.Difference, "; "))
	}
}
