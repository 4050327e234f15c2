package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/andmerada/andmerada/internal/replay"
)

// maxTryRows is how many changes are printed; JSON has all.
const maxTryRows = 40

// printTrial prints what a draft would change, for people, with the days of a
// zone.
func printTrial(out io.Writer, r *replay.Result, zone *time.Location) error {
	day := func(t time.Time) string { return t.In(zone).Format(time.DateOnly) }
	for _, d := range r.Drafts {
		from := "undated"
		if d.InForce != "" {
			from = "in force from " + d.InForce
		}
		fmt.Fprintf(out, "Tried: %s, register of %s, %s, version %s.\n", d.File, d.Controller, from, d.Version)
	}
	if r.AsDated {
		fmt.Fprintln(out, "Each event was held against the register that would be in force at its time (--as-dated).")
	} else {
		fmt.Fprintln(out, "The draft was held against all events, whatever the day from which it is in force.")
	}
	if r.Verdicts == 0 {
		fmt.Fprintln(out, "\nThere are no events to try it on.")
		return nil
	}
	fmt.Fprintf(out, "Judged by the registers in force and by the draft, both by all facts known now: %s verdicts, one for each\nevent and person, on events from %s to %s", number(r.Verdicts), day(r.First), day(r.Last))
	if r.Duplicates > 0 {
		fmt.Fprintf(out, ", %s of them on events that came a second time", number(r.Duplicates))
	}
	fmt.Fprint(out, ". Nothing was written.\n\n")
	if r.Changed.Verdicts == 0 {
		fmt.Fprintln(out, "The draft changes no verdict.")
	} else if err := printChanges(out, r, day); err != nil {
		return fmt.Errorf("print what changes: %w", err)
	}
	if r.Regrounded > 0 {
		fmt.Fprintf(out, "%s verdicts stay what they are, but rest on other rules or lack other facts.\n", number(r.Regrounded))
	}
	if p := r.Pending; p.Verdicts+p.Regrounded > 0 {
		fmt.Fprintf(out, "Apart from the draft: %s stored verdicts, and the grounds of %s more, are not what the registers in force give by\nwhat is known now. Judging them again puts that right; it is not counted above.\n", number(p.Verdicts), number(p.Regrounded))
	}
	return nil
}

func printChanges(out io.Writer, r *replay.Result, day func(time.Time) string) error {
	fmt.Fprintf(out, "The draft changes %s verdicts, on %s persons:\n\n", number(r.Changed.Verdicts), number(r.Changed.Persons))
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  BEFORE\tAFTER\tVERDICTS\tPERSONS\tFIRST\tLAST")
	for _, t := range r.Transitions {
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\t%s\n", t.Before, t.After, number(t.Verdicts), number(t.Persons), day(t.First), day(t.Last))
	}
	fmt.Fprintln(w)
	if err := w.Flush(); err != nil {
		return err
	}
	shown := r.Changes[:min(maxTryRows, len(r.Changes))]
	fmt.Fprintln(w, "  #\tBEFORE\tAFTER\tVERDICTS\tPERSONS\tFIRST\tLAST\tPURPOSE\tRECIPIENT\tRULES BEFORE\tRULES AFTER")
	for i, c := range shown {
		fmt.Fprintf(w, "  %d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", i+1, c.Before, c.After, number(c.Verdicts), number(c.Persons),
			day(c.First), day(c.Last), orDash(c.Purpose), orDash(c.Recipient), ruleList(c.RulesBefore), ruleList(c.RulesAfter))
	}
	fmt.Fprintln(w)
	if err := w.Flush(); err != nil {
		return err
	}
	if rest := len(r.Changes) - len(shown); rest > 0 {
		fmt.Fprintf(out, "and %d more, with fewer verdicts: --json has all.\n\n", rest)
	}
	if r.LeftOut > 0 {
		fmt.Fprintf(out, "%s verdicts change in ways that are too many to be told apart.\n\n", number(r.LeftOut))
	}
	examples := false
	for i, c := range shown {
		for _, e := range c.Examples {
			if !examples {
				fmt.Fprintln(w, "  #\tEXAMPLE\tSOURCE\tTIME\tOPERATION\tPERSON")
				examples = true
			}
			fmt.Fprintf(w, "  %d\t%s/%d/%d\t%s\t%s\t%s\t%d\n", i+1, e.Topic, e.Partition, e.Offset, e.Source, e.Time.UTC().Format(time.RFC3339), e.Operation, e.Index)
		}
	}
	if examples {
		fmt.Fprintln(w)
	}
	return w.Flush()
}

// ruleList is rules with their clauses: "ELK-15 (§5.2), X-03".
func ruleList(rules []replay.Rule) string {
	list := make([]string, len(rules))
	for i, r := range rules {
		list[i] = r.ID
		if len(r.Clauses) > 0 {
			list[i] += " (" + strings.Join(r.Clauses, ", ") + ")"
		}
	}
	return orDash(strings.Join(list, ", "))
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// number writes a number with its thousands apart.
func number(n uint64) string {
	digits := []byte(fmt.Sprint(n))
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = slices.Insert(digits, i, ',')
	}
	return string(digits)
}
