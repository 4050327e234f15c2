package main

import (
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/andmerada/andmerada/internal/access"
	"github.com/andmerada/andmerada/internal/answer"
)

// asking is what the commands that ask have in common.
type asking struct {
	file, reason     string
	asJSON, asCSV    bool
	report           *reporting // nil: the answer is not made a report
	question         access.Question
	controller       *string
	person           *answer.Person // nil: the question is about no one person
	identifier       string
	identifierNeeded bool
	named            func() bool                 // whether actors are named by id; nil: they cannot be
	keep             func(context.Context) error // what is written once the question is recorded; nothing if nil
	// stream, if set, writes what --csv asks for, page by page.
	stream func(context.Context, answer.Deps, io.Writer) error
}

func (q *asking) flags(cmd *cobra.Command, withCSV bool) *pflag.FlagSet {
	f := cmd.Flags()
	configFlag(cmd, &q.file)
	reasonFlag(cmd, &q.reason)
	if q.report != nil {
		q.report.flags(cmd)
	}
	f.BoolVar(&q.asJSON, "json", false, "print JSON, as the API does")
	if withCSV {
		f.BoolVar(&q.asCSV, "csv", false, "print the table as CSV")
		cmd.MarkFlagsMutuallyExclusive("json", "csv")
	}
	if q.person != nil {
		f.StringVar(&q.person.Scheme, "scheme", "", "scheme of the person's identifier: customer-number, personal-code, email, metering-point…")
		f.StringVar(&q.identifier, "identifier", "-", "file that holds the identifier; - is standard input")
	}
	return f
}

// runAsking opens the trail, asks, records the question, and prints the answer.
func runAsking[T any](cmd *cobra.Command, q *asking, ask func(context.Context, answer.Deps) (T, error), table func(io.Writer, T) error, csvOf func(T) [][]string) (err error) {
	if q.report != nil {
		if err := q.report.check(); err != nil {
			return err
		}
	}
	c, err := findConfig(q.file)
	if err != nil {
		return err
	}
	var person answer.Person
	if q.person != nil && (q.identifierNeeded || q.person.Scheme != "") {
		if q.person.Value, err = readIdentifier(cmd.InOrStdin(), q.identifier); err != nil {
			return err
		}
		person = *q.person
	}
	named := q.named != nil && q.named()
	if named {
		if err := checkNamed(c, q.reason, q.question == access.Breach); err != nil {
			return err
		}
	}
	deps, closeDeps, err := answerDeps(cmd.Context(), c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeDeps()) }()
	var restricted string
	deps.Restricted = func(record string) { restricted = record }
	a, err := ask(cmd.Context(), deps)
	if err == nil {
		err = asked(cmd.Context(), c, &deps, q.question, *q.controller, person, q.reason, restricted, named)
	}
	if err == nil && q.keep != nil {
		err = q.keep(cmd.Context())
	}
	if fault := new(answer.Fault); errors.As(err, &fault) {
		return usageError{fmt.Errorf("%s: %w", strings.TrimPrefix(cmd.CommandPath(), "andmerada "), err)}
	}
	if err != nil {
		return err
	}
	switch {
	case q.report != nil && q.report.file != "":
		return q.report.write(cmd.OutOrStdout(), c, &deps, a)
	case q.asJSON:
		return writeJSON(cmd.OutOrStdout(), a)
	case q.asCSV && q.stream != nil:
		return q.stream(cmd.Context(), deps, cmd.OutOrStdout())
	case q.asCSV:
		return writeCSV(cmd.OutOrStdout(), csvOf(a))
	}
	return table(cmd.OutOrStdout(), a)
}

// foundOr is an answer's error, or that it tells of what somebody must act on.
func foundOr(err error, found bool) error {
	if err == nil && found {
		return errFound
	}
	return err
}

// printEach prints what is told of each controller, with a line between.
func printEach[T any](out io.Writer, controllers []T, what string, one func(io.Writer, *T) error) error {
	for i := range controllers {
		if i > 0 {
			fmt.Fprintln(out)
		}
		if err := one(out, &controllers[i]); err != nil {
			return fmt.Errorf("print the %s: %w", what, err)
		}
	}
	return nil
}

// timeCell is a time in a table of CSV; empty if there is none.
func timeCell(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}

// writeCSV writes a table. A cell that a spreadsheet would take for a formula is
// quoted: what stands there comes from outside.
func writeCSV(out io.Writer, rows [][]string) error {
	w := csv.NewWriter(out)
	if err := addCSV(w, rows); err != nil {
		return err
	}
	w.Flush()
	return w.Error()
}

func addCSV(w *csv.Writer, rows [][]string) error {
	for _, row := range rows {
		for i, cell := range row {
			if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
				row[i] = "'" + cell
			}
		}
		if err := w.Write(row); err != nil {
			return fmt.Errorf("write CSV: %w", err)
		}
	}
	return nil
}

// actsFlags adds what selects events.
func actsFlags(f *pflag.FlagSet, r *answer.ActsRequest) {
	f.StringVar(&r.Controller, "controller", "", "the controller, e.g. elektrum")
	f.StringVar(&r.From, "from", "", "first day, YYYY-MM-DD, or an RFC 3339 time (default: the beginning)")
	f.StringVar(&r.To, "to", "", "last day, included, or an RFC 3339 time, not included")
	for name, list := range map[string]struct {
		to   *[]string
		says string
	}{
		"actor": {&r.Actors, "actor: a mask as answers show it, or, with --reason, an id"}, "role": {&r.Roles, "role in which was acted"},
		"organisation": {&r.Organisations, "organisation that acted, or on whose behalf"}, "system": {&r.Systems, "system that did it: the event's source"},
		"operation": {&r.Operations, "access, use, transfer, disclose…"}, "purpose": {&r.Purposes, "id of a purpose"}, "recipient": {&r.Recipients, "id of a recipient of the register"},
		"entity": {&r.Entities, "registration code or name of a recipient, as the events say"}, "country": {&r.Countries, "country of a recipient"},
		"category": {&r.Categories, "category of data"}, "verdict": {&r.Verdicts, "allowed, review or violation: the verdict that stands"}, "rule": {&r.Rules, "id of a rule that decided"},
	} {
		f.StringSliceVar(list.to, name, nil, "only events with this "+list.says+"; may be given again")
	}
}

func newAnswerAccessCommand() *cobra.Command {
	var req answer.AccessRequest
	q := &asking{report: new(reporting), question: access.Accesses, controller: &req.Controller, named: req.NamesActors}
	cmd := &cobra.Command{
		Use:   "access",
		Short: "Who accessed, used or handed on what",
		Long: `Access counts what was done with persons' data, by actor, role, system, purpose, recipient,
category, rule, day or hour, and lists the newest of the events.`,
		Example: `  andmerada answer access --controller elektrum --from 2026-05-01 --to 2026-05-31
  andmerada answer access --controller elektrum --by purpose,verdict --actor actor-0b1c2d3e4f5a --csv
  andmerada answer access --controller netpro --operation access --by hour --json`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runAsking(cmd, q, func(ctx context.Context, d answer.Deps) (*answer.AccessAnswer, error) {
				return answer.Access(ctx, d, req)
			}, printAccess, accessRows)
		},
	}
	f := q.flags(cmd, true)
	actsFlags(f, &req.ActsRequest)
	f.StringSliceVar(&req.By, "by", []string{"actor"}, "what to count by, up to three: actor, role, organisation, system, operation, purpose, recipient, entity, country, category, basis, rule, verdict, day, hour")
	f.IntVar(&req.Limit, "events", 20, "how many of the newest events to list")
	return cmd
}

func accessRows(a *answer.AccessAnswer) [][]string {
	rows := [][]string{append(append([]string{}, a.By...), "events", "pseudonyms", "records", "first", "last", "allowed", "review", "violation")}
	for i := range a.Shares {
		s := &a.Shares[i]
		var row []string
		for _, k := range s.Keys {
			row = append(row, k.ID)
		}
		rows = append(rows, append(row, fmt.Sprint(s.Events), fmt.Sprint(s.Pseudonyms), fmt.Sprint(s.Records), s.First.Format(time.RFC3339), s.Last.Format(time.RFC3339),
			fmt.Sprint(s.Verdicts.Allowed), fmt.Sprint(s.Verdicts.Review), fmt.Sprint(s.Verdicts.Violation)))
	}
	return rows
}

func printAccess(out io.Writer, a *answer.AccessAnswer) error {
	zone, err := time.LoadLocation(a.Period.Zone)
	if err != nil {
		return fmt.Errorf("print the answer: %w", err)
	}
	fmt.Fprintf(out, "%s: %s%s\n\n", a.Controller.Name, plural(int(a.Events), "event"), between(a.Total, zone))
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.ToUpper(strings.Join(a.By, "\t"))+"\tEVENTS\tPERSONS\tFIRST\tLAST\tREVIEW\tVIOLATION")
	for i := range a.Shares {
		s := &a.Shares[i]
		for _, k := range s.Keys {
			fmt.Fprint(w, cmp.Or(k.Name, k.ID, "-"), "\t")
		}
		fmt.Fprintf(w, "%d\t%d\t%s\t%s\t%d\t%d\n", s.Events, s.Pseudonyms, day(s.First, zone), day(s.Last, zone), s.Verdicts.Review, s.Verdicts.Violation)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if !a.Complete {
		fmt.Fprintln(out, "There are more; ask for less at once.")
	}
	printEntries(out, "Newest events", a.Timeline.Events, new(answer.View), zone)
	return nil
}

func between(t answer.Total, zone *time.Location) string {
	if t.Events == 0 {
		return ""
	}
	return fmt.Sprintf(" from %s to %s; %d allowed, %d to review, %d violations", day(t.First, zone), day(t.Last, zone), t.Verdicts.Allowed, t.Verdicts.Review, t.Verdicts.Violation)
}

func day(t time.Time, zone *time.Location) string { return t.In(zone).Format(time.DateOnly) }

func minute(t time.Time, zone *time.Location) string { return t.In(zone).Format("2006-01-02 15:04") }

func printEntries(out io.Writer, title string, events []answer.Entry, v *answer.View, zone *time.Location) {
	if len(events) == 0 {
		return
	}
	fmt.Fprintf(out, "\n%s\n", title)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TIME\tOPERATION\tSYSTEM\tRECIPIENT\tPURPOSE\tVERDICT\tWHERE")
	for i := range events {
		e := &events[i]
		to := "-"
		if e.Recipient != nil {
			to = e.Recipient.Name
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", moment(v, e.Time, zone), e.Operation, e.Source, to, e.Purpose.Name, e.Verdict, e.Path())
	}
	w.Flush() // never fails: what it writes to has not failed before, and the caller sees the next write
}

func newAnswerBreachCommand() *cobra.Command {
	var acts answer.ActsRequest
	var req answer.BreachRequest
	var request string
	q := &asking{report: new(reporting), question: access.Breach, controller: &acts.Controller, named: req.NamesActors}
	cmd := &cobra.Command{
		Use:   "breach",
		Short: "Whom a breach affects, and where their data went next",
		Long: `Breach traces what was in the wrong hands: an actor, a credential, a system, a recipient or a
processor, in a window of time. It counts the persons exactly (members of cohorts too, and
each once however many identifiers it has), lists categories, the queries that did it, and,
with --onward, where these persons' data went next. It gives what a notification to the
authority asks for (GDPR Art. 33(3)) and the 72 hours of Art. 33(1).

With --freeze the persons found are kept as a case under that name. Several windows, joined,
cut or taken away, are asked for by --request with the body of the API's operation.`,
		Example: `  andmerada answer breach --controller elektrum --actor u-1093 --from 2026-05-02T02:10:00+03:00 --to 2026-05-02T05:40:00+03:00 --reason 'incident 17'
  andmerada answer breach --controller elektrum --system /elektrum/crm --from 2026-05-02 --onward 2 --aware-at 2026-05-02T09:00:00+03:00 --freeze "stolen laptop"
  andmerada answer breach --request windows.json --json
  andmerada answer breach --request windows.json --report breach.pdf --language lv`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if request != "" {
				if err := readRequest(cmd.InOrStdin(), request, &req); err != nil {
					return err
				}
				if len(req.Windows) > 0 {
					acts.Controller = req.Windows[0].Controller
				}
			} else {
				req.Windows = []answer.Window{{ActsRequest: acts}}
			}
			return runAsking(cmd, q, func(ctx context.Context, d answer.Deps) (*answer.BreachAnswer, error) {
				a, err := answer.Breach(ctx, d, req)
				if err == nil {
					q.keep = a.Keep
				}
				return a, err
			}, printBreach, breachRows)
		},
	}
	f := q.flags(cmd, true)
	actsFlags(f, &acts)
	f.StringVar(&request, "request", "", "file with the question as JSON, as the API takes it; - is standard input")
	f.IntVar(&req.Onward, "onward", 0, "how many steps to follow where the data went next, at most 3")
	f.StringVar(&req.Until, "until", "", "until when to follow it")
	f.StringVar(&req.AwareAt, "aware-at", "", "when the controller became aware (RFC 3339): the 72 hours run from then")
	f.StringVar(&req.Consequences, "consequences", "", "likely consequences, in your words (Art. 33(3)(c)); kept with the case")
	f.StringVar(&req.Measures, "measures", "", "measures taken or proposed, in your words (Art. 33(3)(d)); kept with the case")
	f.StringVar(&req.Freeze, "freeze", "", "keep the persons found as a case of this name")
	return cmd
}

// readRequest reads a question as JSON, and takes no member that it does not know.
func readRequest(stdin io.Reader, file string, to any) error {
	in := stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return fmt.Errorf("open the question: %w", err)
		}
		defer f.Close()
		in = f
	}
	dec := json.NewDecoder(io.LimitReader(in, 16<<20))
	dec.DisallowUnknownFields()
	if err := dec.Decode(to); err != nil {
		return usageError{fmt.Errorf("read the question: %w", err)}
	}
	return nil
}

// breachRows are the ways by which data were touched, the steps onward and the
// categories, told apart in the first column.
func breachRows(a *answer.BreachAnswer) [][]string {
	rows := [][]string{{"what", "from", "through", "to", "purpose", "category", "persons", "events", "first", "last"}}
	for _, c := range a.Categories {
		rows = append(rows, []string{"category", "", "", "", "", c.ID, fmt.Sprint(c.Persons), "", "", ""})
	}
	for _, w := range a.Ways {
		rows = append(rows, []string{"way", w.Keys[0].ID, w.Keys[1].ID, "", w.Keys[2].ID, "", "", fmt.Sprint(w.Events), w.First.Format(time.RFC3339), w.Last.Format(time.RFC3339)})
	}
	for i := range a.Steps {
		s := &a.Steps[i]
		var data []string
		for _, c := range s.Categories {
			data = append(data, c.ID)
		}
		rows = append(rows, []string{fmt.Sprint("step ", s.Depth), s.From, s.Operation, s.To, s.Purpose.ID, strings.Join(data, " "), fmt.Sprint(s.Persons), fmt.Sprint(s.Events), s.First.Format(time.RFC3339), s.Last.Format(time.RFC3339)})
	}
	return rows
}

func printBreach(out io.Writer, a *answer.BreachAnswer) error {
	zone, err := time.LoadLocation(a.Windows[0].Zone)
	if err != nil {
		return fmt.Errorf("print the answer: %w", err)
	}
	fmt.Fprintf(out, "%s: %s affected", a.Controller.Name, plural(a.Persons, "person"))
	if a.Cohorts > 0 {
		fmt.Fprintf(out, ", members of %s among them", plural(a.Cohorts, "cohort"))
	}
	fmt.Fprintf(out, "; %s%s\n", plural(int(a.Total.Events), "event"), between(a.Total, zone))
	if !a.Notice.Deadline.IsZero() {
		fmt.Fprintf(out, "The authority is to be notified by %s, %.1f hours from now (Art. 33(1)).\n", minute(a.Notice.Deadline, zone), a.Notice.HoursLeft)
	}
	if a.Unlisted > 0 {
		fmt.Fprintf(out, "Of %s the members are not in the trail: how many persons they are is not known.\n", plural(a.Unlisted, "cohort"))
	}
	if a.Nobody > 0 {
		fmt.Fprintf(out, "Beside them, %s of these windows names no person: whose data was touched is not known.\n", plural(int(a.Nobody), "event"))
	}
	for _, s := range a.Notice.Special {
		fmt.Fprintf(out, "Special data (%s) of %s.\n", s.Kind, plural(s.Persons, "person"))
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nCATEGORY\tGROUP\tSPECIAL\tPERSONS")
	for _, c := range a.Categories {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\n", c.Name, cmp.Or(c.Group, "-"), cmp.Or(c.Special, "-"), c.Persons)
	}
	fmt.Fprintln(w, "\nACTOR\tSYSTEM\tPURPOSE\tEVENTS\tFIRST\tLAST")
	for _, s := range a.Ways {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\n", cmp.Or(s.Keys[0].ID, "-"), s.Keys[1].ID, cmp.Or(s.Keys[2].Name, "-"), s.Events, minute(s.First, zone), minute(s.Last, zone))
	}
	if len(a.Steps) > 0 {
		fmt.Fprintln(w, "\nSTEP\tFROM\tTO\tPURPOSE\tPERSONS\tEVENTS\tFIRST")
		for _, s := range a.Steps {
			fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%d\t%d\t%s\n", s.Depth, s.From, cmp.Or(s.Name, s.To), s.Purpose.Name, s.Persons, s.Events, minute(s.First, zone))
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if a.WaysCut {
		fmt.Fprintf(out, "\nThere are more ways than these %d, which have most events: trace a shorter time, or less at once.\n", len(a.Ways))
	}
	if a.StepsCut {
		fmt.Fprintf(out, "\nThere are more steps onward than these %d: trace a shorter time, or less at once.\n", len(a.Steps))
	}
	if a.Case != nil {
		fmt.Fprintf(out, "\nFrozen as case %s (%s).\n", a.Case.ID, a.Case.Name)
	}
	return nil
}
