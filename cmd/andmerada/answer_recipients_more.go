package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/andmerada/andmerada/internal/answer"
)

// printAsked says whether the recipient that was asked about received anything.
func printAsked(out io.Writer, a *answer.RecipientsAnswer, zone *time.Location) {
	x := a.Asked
	if x == nil {
		return
	}
	from, to := "the beginning", "now"
	if !a.Period.From.IsZero() {
		from = minute(a.Period.From, zone)
	}
	if !a.Period.To.IsZero() {
		to = minute(a.Period.To, zone)
	}
	switch x.Received {
	case answer.ReceivedUntold:
		fmt.Fprintf(out, "Whether data were disclosed to %s is not said: the person must not be told of some authorities, and this is one, or may be one.\nIt is said so whether or not it received data.\n\n", x.Name)
		return
	case answer.ReceivedYes:
		fmt.Fprintf(out, "Disclosed to %s between %s and %s: %s, first %s, last %s.\n", x.Name, from, to, plural(int(x.Count), "time"), moment(&a.View, x.First, zone), moment(&a.View, x.Last, zone))
	default:
		fmt.Fprintf(out, "Never disclosed to %s between %s and %s, as far as the trail goes.\n", x.Name, from, to)
	}
	if x.Apart {
		fmt.Fprintln(out, "What is left out of an answer for the person is not counted here.")
	}
	if x.Unnamed > 0 {
		fmt.Fprintf(out, "Data went %s to somebody whom the events do not name: that it was this recipient is not ruled out.\n", plural(int(x.Unnamed), "time"))
	}
	if x.Whole {
		fmt.Fprintln(out, "Nothing is known that stands against taking the trail of the period for whole.")
	} else {
		fmt.Fprintln(out, "The trail of the period may not be whole: see below.")
	}
	fmt.Fprintln(out)
}

// printMore prints what Art. 15(1) wants beside the recipients.
func printMore(out io.Writer, a *answer.RecipientsAnswer, zone *time.Location) {
	for i := range a.Recipients {
		t := a.Recipients[i].ThirdCountry
		if t == nil {
			continue
		}
		var stated []string
		for _, s := range t.Stated {
			stated = append(stated, s.Name)
		}
		fmt.Fprintf(out, "%s is outside the EEA (%s); safeguard that the events state: %s; the notice: %s.\n", a.Recipients[i].Name, strings.Join(t.Countries, ", "),
			cmp.Or(strings.Join(stated, ", "), "none"), cmp.Or(strings.Join(t.Conditions, "; "), t.Geography, "nothing"))
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if len(a.Decisions) > 0 {
		fmt.Fprintln(w, "\nDECISION\tFOR\tTIMES\tFIRST\tLAST\tFROM\tCLAUSES")
		for i := range a.Decisions {
			d := &a.Decisions[i]
			fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\t%s\n", d.Operation, d.Name, d.Count, day(d.First, zone), day(d.Last, zone), ids(d.Factors), strings.Join(d.Clauses, " "))
		}
	}
	if len(a.Sources) > 0 {
		fmt.Fprintln(w, "\nCAME FROM\tDECLARED\tTIMES\tFIRST\tLAST\tDATA")
		for i := range a.Sources {
			s := &a.Sources[i]
			first, last := "-", "-"
			if s.Count > 0 {
				first, last = day(s.First, zone), day(s.Last, zone)
			}
			fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\n", s.Name, cmp.Or(strings.Join(s.Clauses, " "), fmt.Sprint(s.Declared)), s.Count, first, last, ids(s.Categories))
		}
	}
	if len(a.Cohorts) > 0 {
		fmt.Fprintln(w, "\nGROUP\tMEMBERS\tTIMES\tFIRST\tLAST\tTO")
		for i := range a.Cohorts {
			c := &a.Cohorts[i]
			fmt.Fprintf(w, "%s\t%d\t%d\t%s\t%s\t%s\n", c.ID, c.Size, c.Count, day(c.First, zone), day(c.Last, zone), cmp.Or(strings.Join(c.Recipients, ", "), "-"))
		}
	}
	if len(a.Retention) > 0 {
		fmt.Fprintln(w, "\nKEPT FOR\tFROM\tRULE\tCLAUSES\tPURPOSES")
		for i := range a.Retention {
			r := &a.Retention[i]
			fmt.Fprintf(w, "%s\t%s\t%s %s\t%s\t%d\n", cmp.Or(r.Length, "-"), cmp.Or(r.From, "-"), r.ID, r.Title, strings.Join(r.Clauses, " "), len(r.Purposes))
		}
	}
	w.Flush() // never fails: what it writes to has not failed before, and the caller sees the next write
}

func ids(list []answer.Counted) string {
	var all []string
	for _, c := range list {
		all = append(all, c.ID)
	}
	return cmp.Or(strings.Join(all, ", "), "-")
}

// printLimits says what stands against taking the trail for whole.
func printLimits(out io.Writer, a *answer.RecipientsAnswer, zone *time.Location) {
	l := a.Limits
	if l == nil {
		return
	}
	for _, g := range l.Gaps {
		fmt.Fprintf(out, "Gone before they could be read: offsets %d to %d of %s/%d (%s), noticed %s.\n", g.First, g.Last, g.Topic, g.Partition, g.Reason, moment(&a.View, g.Noticed, zone))
	}
	if l.MoreGaps {
		fmt.Fprintln(out, "There are more such gaps.")
	}
	for _, u := range l.Unread {
		fmt.Fprintf(out, "Not understood in the period: %s of %s/%d, offsets %d to %d (%s); sent again since: %d.\n", plural(int(u.Count), "record"), u.Topic, u.Partition, u.First, u.Last, u.Reason, u.Replayed)
	}
	if l.MoreUnread {
		fmt.Fprintln(out, "There are more that were not understood.")
	}
	if l.Systems == nil {
		return
	}
	for _, s := range l.Systems.Heard {
		silent := ""
		if s.Silent {
			silent = ", SILENT in the period"
		}
		fmt.Fprintf(out, "System %s told of something last at %s%s.\n", s.Source, moment(&a.View, s.Last, zone), silent)
	}
	if l.Systems.More {
		fmt.Fprintf(out, "There are more systems, heard later than these; silent in all: %d.\n", l.Systems.Silent)
	}
}
