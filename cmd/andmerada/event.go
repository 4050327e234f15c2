package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/andmerada/andmerada/internal/emit"
	"github.com/andmerada/andmerada/internal/event"
	"github.com/andmerada/andmerada/internal/register"
	"github.com/andmerada/andmerada/internal/verdict"
)

func newEventCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "event", Short: "Check events before they are sent"}
	cmd.AddCommand(newEventLintCommand())
	return cmd
}

// lintReport is what event lint says of one event.
type lintReport struct {
	File     string          `json:"file"`
	Line     int             `json:"line"`
	ID       string          `json:"id,omitempty"`
	Findings []event.Finding `json:"findings"`
	// Verdict is what the event would be judged by what it states itself.
	Verdict      string   `json:"verdict,omitempty"`
	Rules        []string `json:"rules,omitempty"`
	Clauses      []string `json:"clauses,omitempty"`
	UnknownFacts []string `json:"unknown_facts,omitempty"`

	explanation *verdict.Explanation
}

func newEventLintCommand() *cobra.Command {
	var dir string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "lint [FILE...]",
		Short: "What is wrong with events, where, and what they would be judged",
		Long: `Lint reads structured CloudEvents (one JSON object, one a line, or an array; standard input
if no file is given) and names everything that is wrong with them: where, what was expected
and what to write. Then it says what the verdict would be by what the event itself states;
facts that Andmerada would recall from earlier events are not known here.

It exits with 1 if an event would go into quarantine.`,
		Example: "  andmerada event lint order-placed.json\n  andmerada event lint --json < events.ndjson | jq 'select(.verdict == \"violation\")'",
		RunE: func(cmd *cobra.Command, files []string) error {
			set, err := loadRegisters(dir)
			if err != nil {
				return err
			}
			if len(files) == 0 {
				files = []string{"-"}
			}
			bad := false
			for _, file := range files {
				found, err := lintFile(cmd, set, file, asJSON)
				if err != nil {
					return err
				}
				bad = bad || found
			}
			if bad {
				return errFound
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "registers", "", registersFlag)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object an event")
	return cmd
}

func lintFile(cmd *cobra.Command, set *register.Set, file string, asJSON bool) (bad bool, err error) {
	in := cmd.InOrStdin()
	if file == "-" {
		file = "<stdin>"
	} else {
		f, err := os.Open(file)
		if err != nil {
			return false, fmt.Errorf("open the events: %w", err)
		}
		defer f.Close()
		in = f
	}
	n := 0
	for raw, err := range emit.ReadFile(in) {
		if err != nil {
			return false, fmt.Errorf("%s: %w", file, err)
		}
		n++
		report := lintEvent(set, raw.Value)
		report.File, report.Line = file, raw.Line
		for i := range report.Findings {
			if f := &report.Findings[i]; f.Line > 0 {
				f.Line += raw.Line - 1
			}
			bad = bad || report.Findings[i].Severity == event.SeverityError
		}
		if asJSON {
			if err := json.NewEncoder(cmd.OutOrStdout()).Encode(report); err != nil {
				return false, fmt.Errorf("write a report: %w", err)
			}
			continue
		}
		printLint(cmd.OutOrStdout(), report)
	}
	if n == 0 {
		return false, fmt.Errorf("%s: there is no event in it", file)
	}
	return bad, nil
}

func lintEvent(set *register.Set, value []byte) *lintReport {
	report := &lintReport{Findings: event.Lint(nil, value)}
	if report.Findings == nil {
		report.Findings = []event.Finding{}
	}
	ev, err := event.DecodeKafka(nil, value)
	if err != nil {
		return report // Lint has said why
	}
	report.ID = ev.ID
	r, err := set.For(ev.Controller, ev.Time)
	switch {
	case errors.Is(err, register.ErrUnknownController):
		report.Findings = append(report.Findings, event.Finding{
			Pointer: "/data/controller", Code: "unknown-controller", Severity: event.SeverityError,
			Problem: fmt.Sprintf("there is no register of %q", ev.Controller), Want: "one of " + strings.Join(set.Controllers(), ", "),
		})
		return report
	case err != nil:
		report.Findings = append(report.Findings, event.Finding{
			Pointer: "/time", Code: "not-in-force", Severity: event.SeverityWarning,
			Problem: "no register of " + ev.Controller + " was in force at that time", Mend: "check the time: such an event needs a review",
		})
		return report
	}
	report.Findings = append(report.Findings, r.Lint(ev)...)
	if ev.Kind != event.Processing {
		return report
	}
	x := verdict.Explain(r, ev, &ev.Statements)
	report.explanation = &x
	report.Verdict, report.Rules, report.Clauses, report.UnknownFacts = x.Outcome.String(), x.Verdict.Rules, x.Clauses, x.Unknown
	return report
}

func printLint(out io.Writer, r *lintReport) {
	for _, f := range r.Findings {
		at := fmt.Sprintf("%s:%d", r.File, max(f.Line, r.Line))
		if f.Column > 0 {
			at += fmt.Sprintf(":%d", f.Column)
		}
		fmt.Fprintf(out, "%s: %s\n", at, f)
	}
	at := fmt.Sprintf("%s:%d:", r.File, r.Line)
	if r.explanation == nil {
		if len(r.Findings) == 0 {
			fmt.Fprintf(out, "%s ok\n", at)
		}
		return
	}
	fmt.Fprintf(out, "%s would be judged: %s, by %s\n", at, strings.ToUpper(r.Verdict), strings.Join(r.Rules, ", "))
	for _, rule := range r.explanation.Rules {
		if !rule.Decided {
			continue
		}
		if rule.Outcome == verdict.Allowed {
			continue
		}
		fmt.Fprintf(out, "    %s %s %s\n", rule.ID, rule.Says, strings.Join(rule.Clauses, ", "))
		for _, req := range rule.Requirements {
			switch {
			case req.Skipped || req.Truth == "true":
			case req.Truth == "unknown":
				fmt.Fprintf(out, "      not known whether %s (%s)\n", req.Says, strings.Join(req.Missing, ", "))
			default:
				fmt.Fprintf(out, "      not so: %s\n", req.Says)
			}
		}
	}
	if len(r.UnknownFacts) > 0 {
		fmt.Fprintf(out, "    Andmerada will recall from earlier events, if it has been told: %s\n", strings.Join(r.UnknownFacts, ", "))
	}
}
